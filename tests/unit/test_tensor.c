/* Element types, shapes, buffers and views. */
#include "tests/unit/test.h"

#include "core/tensor/tensor.h"

static void type_facts(void)
{
    CHECK_INT(limn_dtype_size(LIMN_F32), 4);
    CHECK_INT(limn_dtype_size(LIMN_BF16), 2);
    CHECK_INT(limn_dtype_size(LIMN_BOOL), 1);
    CHECK_INT(limn_dtype_size((limn_dtype)99), 0);
    CHECK_STR(limn_dtype_name(LIMN_U64), "uint64");
    CHECK_STR(limn_dtype_name((limn_dtype)-1), "?");
    CHECK(lm_dtype_is_float(LM_BF16) && !lm_dtype_is_float(LM_I8));
    CHECK(lm_dtype_is_int(LM_U64) && !lm_dtype_is_int(LM_BOOL));
    for (int t = 0; t < LM_DTYPES; t++)
        CHECK(lm_dtype_size((lm_dtype)t) > 0 && strcmp(lm_dtype_name((lm_dtype)t), "?") != 0);
}

/* Every half is a float, so the way there and back changes nothing but the quiet bit of NaNs. */
static void halves_round_trip(void)
{
    int wrong = 0;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float wide = lm_f16_to_f32((uint16_t)bits), wide_b = lm_bf16_to_f32((uint16_t)bits);
        bool nan = (bits & 0x7C00) == 0x7C00 && bits & 0x3FF, nan_b = (bits & 0x7F80) == 0x7F80 && bits & 0x7F;
        wrong += nan ? !isnan(wide) : lm_f32_to_f16(wide) != bits;
        wrong += nan_b ? !isnan(wide_b) : lm_f32_to_bf16(wide_b) != bits;
        wrong += nan && !isnan(lm_f16_to_f32(lm_f32_to_f16(wide)));
        wrong += nan_b && !isnan(lm_bf16_to_f32(lm_f32_to_bf16(wide_b)));
    }
    CHECK_INT(wrong, 0);
}

static void halves_known_values(void)
{
    CHECK_INT(lm_f32_to_f16(1), 0x3C00);
    CHECK_INT(lm_f32_to_f16(-2), 0xC000);
    CHECK_INT(lm_f32_to_f16(65504), 0x7BFF);
    CHECK_INT(lm_f32_to_f16(65519), 0x7BFF);
    CHECK_INT(lm_f32_to_f16(65520), 0x7C00);
    CHECK_INT(lm_f32_to_f16(0x1p-24f), 1);
    CHECK_INT(lm_f32_to_f16(0x1p-25f), 0);                    /* a tie goes to even */
    CHECK_INT(lm_f32_to_f16(0x1.8p-24f), 2);                  /* and so does this one */
    CHECK_INT(lm_f32_to_f16(-0x1.000002p-25f), 0x8001);
    CHECK_INT(lm_f32_to_f16(0x1.ffcp-15f), 0x0400);           /* rounds up to the least normal number */
    CHECK_INT(lm_f32_to_f16(1 + 0x1p-11f), 0x3C00);
    CHECK_INT(lm_f32_to_f16(1 + 0x1.8p-10f), 0x3C02);
    CHECK_INT(lm_f32_to_bf16(1 + 0x1p-8f), 0x3F80);
    CHECK_INT(lm_f32_to_bf16(1 + 0x1.8p-7f), 0x3F82);
    CHECK_INT(lm_f32_to_bf16(3.4028235e38f), 0x7F80);
    CHECK_INT(lm_f32_to_bf16(-INFINITY), 0xFF80);
}

static double stored(lm_dtype type, double value)
{
    unsigned char bytes[9];
    lm_store_f64(type, bytes + 1, value); /* not aligned on purpose */
    return lm_load_f64(type, bytes + 1);
}

static double stored_int(lm_dtype type, int64_t value, bool is_unsigned)
{
    unsigned char bytes[8];
    lm_store_i64(type, bytes, value, is_unsigned);
    return lm_load_f64(type, bytes);
}

static void storing_rounds_once(void)
{
    /* through float these would meet a tie that is none, and go the other way */
    CHECK(stored(LM_F16, 1 + 0x1p-11 + 0x1p-40) == 1 + 0x1p-10);
    CHECK(stored(LM_BF16, 1 + 0x1p-8 + 0x1p-40) == 1 + 0x1p-7);
    CHECK(stored(LM_F16, -(1 + 0x1.8p-10 - 0x1p-40)) == -(1 + 0x1p-10));
    CHECK(stored(LM_F16, 65519.999999) == 65504);
    CHECK(isinf(stored(LM_F16, 1e300)) && isinf(stored(LM_F32, 1e300)) && isinf(stored(LM_BF16, 1e300)));
    CHECK(signbit(stored(LM_BF16, -1e-300)));
    CHECK(isnan(stored(LM_F16, NAN)));
    CHECK(stored_int(LM_F32, ((int64_t)1 << 54) + ((int64_t)1 << 30) + 1, false) == 0x1p54 + 0x1p31);
    CHECK(stored_int(LM_F32, -1, true) == 0x1p64);
    CHECK(stored_int(LM_F64, INT64_MIN, false) == -0x1p63);
    CHECK(stored_int(LM_BF16, 257, false) == 256);
}

static void storing_saturates_or_wraps(void)
{
    CHECK(stored(LM_I8, 200) == 127 && stored(LM_I8, -1e9) == -128 && stored(LM_U8, -3) == 0);
    CHECK(stored(LM_I8, -1.9) == -1 && stored(LM_I32, NAN) == 0 && stored(LM_U64, NAN) == 0);
    CHECK(stored(LM_I64, INFINITY) == 0x1p63 && stored(LM_U64, 1e30) == 0x1p64);
    CHECK(stored(LM_U32, 4294967295.0) == 4294967295.0);
    CHECK(stored(LM_BOOL, NAN) == 1 && stored(LM_BOOL, -0.0) == 0 && stored(LM_BOOL, 0.25) == 1);
    CHECK(stored_int(LM_I8, 200, false) == -56 && stored_int(LM_U8, -1, false) == 255);
    CHECK(stored_int(LM_U16, 65536 + 7, false) == 7 && stored_int(LM_BOOL, 256, false) == 1);
    int64_t least = INT64_MIN;
    CHECK_INT(lm_load_i64(LM_I64, &least), INT64_MIN);
    double far = 1e300;
    CHECK_INT(lm_load_i64(LM_F64, &far), INT64_MAX);
}

static void shape_products(void)
{
    lm_shape s;
    int64_t count;
    CHECK_OK(lm_shape_make(0, NULL, &s));
    CHECK_INT(lm_shape_count(&s), 1);
    CHECK_OK(lm_shape_make(3, (int64_t[]){2, 0, 5}, &s));
    CHECK_INT(lm_shape_count(&s), 0);
    CHECK_OK(lm_shape_make(2, (int64_t[]){(int64_t)1 << 31, (int64_t)1 << 31}, &s));
    CHECK_FAILS(lm_shape_make(3, (int64_t[]){(int64_t)1 << 31, (int64_t)1 << 31, 2}, &s), LM_INPUT);
    CHECK_FAILS(lm_shape_make(3, (int64_t[]){0, (int64_t)1 << 40, (int64_t)1 << 40}, &s), LM_INPUT);
    CHECK(strstr(lm_message(), "[0,1099511627776,1099511627776]") != NULL);
    CHECK_FAILS(lm_shape_make(1, (int64_t[]){-2}, &s), LM_INPUT);
    CHECK_FAILS(lm_shape_make(9, (int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}, &s), LM_INPUT);
    s = LM_SHAPE(INT64_MAX, INT64_MAX);
    CHECK_FAILS(lm_shape_check(&s, &count), LM_INPUT);
}

static void shape_texts(void)
{
    char text[LM_SHAPE_TEXT];
    lm_shape s = LM_SHAPE(2, -1, 3), scalar = {0};
    CHECK_STR(lm_shape_text(&s, text), "[2,?,3]");
    CHECK_STR(lm_shape_text(&scalar, text), "[]");
    /* the longest one fits */
    s.rank = LM_RANK;
    for (int i = 0; i < LM_RANK; i++)
        s.dim[i] = INT64_MIN;
    CHECK_INT(strlen(lm_shape_text(&s, text)), 8 * 20 + 7 + 2);
}

static void broadcasting(void)
{
    lm_shape a = LM_SHAPE(3, 1, 5), b = LM_SHAPE(4, 1), wanted = LM_SHAPE(3, 4, 5), out;
    CHECK_OK(lm_shape_broadcast(&a, &b, &out));
    CHECK(lm_shape_equal(&out, &wanted));
    lm_shape empty = LM_SHAPE(0), one = LM_SHAPE(1);
    CHECK_OK(lm_shape_broadcast(&empty, &one, &out));
    CHECK_INT(out.dim[0], 0);
    b = LM_SHAPE(2, 5);
    lm_shape other = LM_SHAPE(3, 5);
    CHECK_FAILS(lm_shape_broadcast(&b, &other, &out), LM_INPUT);
    CHECK(strstr(lm_message(), "[2,5]") && strstr(lm_message(), "[3,5]"));
    lm_shape tall = LM_SHAPE((int64_t)1 << 40, 1), wide = LM_SHAPE((int64_t)1 << 40);
    CHECK_FAILS(lm_shape_broadcast(&tall, &wide, &out), LM_INPUT);
    int axis;
    CHECK_OK(lm_shape_axis(&a, -1, &axis));
    CHECK_INT(axis, 2);
    CHECK_FAILS(lm_shape_axis(&a, 3, &axis), LM_INPUT);
    CHECK_FAILS(lm_shape_axis(&a, INT64_MIN, &axis), LM_INPUT);
}

static void orders(void)
{
    lm_shape s = LM_SHAPE(2, 3, 4, 5);
    lm_view row = lm_view_row(LM_F32, &s, NULL), nhwc = lm_view_nhwc(LM_F32, &s, NULL);
    CHECK(row.st[0] == 60 && row.st[1] == 20 && row.st[2] == 5 && row.st[3] == 1);
    CHECK(nhwc.st[0] == 60 && nhwc.st[1] == 1 && nhwc.st[2] == 15 && nhwc.st[3] == 3);
    CHECK(lm_view_is_row(&row) && !lm_view_is_row(&nhwc) && lm_view_is_nhwc(&nhwc) && !lm_view_is_nhwc(&row));
    /* one channel: both at once */
    s = LM_SHAPE(2, 1, 4, 5);
    row = lm_view_row(LM_F32, &s, NULL);
    CHECK(lm_view_is_row(&row) && lm_view_is_nhwc(&row));
    s = LM_SHAPE(2, 0, 4);
    row = lm_view_row(LM_F32, &s, NULL);
    row.st[2] = 77;
    CHECK(lm_view_is_row(&row) && lm_view_is_nhwc(&row));
    s = LM_SHAPE(6);
    row = lm_view_row(LM_I64, &s, NULL);
    CHECK_INT(lm_view_offset(&row, 4), 32);
    row.st[0] = -1;
    CHECK(!lm_view_is_row(&row));
    CHECK_INT(lm_view_offset(&row, 4), -32);
}

static void reaches(void)
{
    lm_buffer *b;
    CHECK_OK(lm_buffer_new(40, &b));
    lm_shape s = LM_SHAPE(2, 5);
    lm_view v = lm_view_row(LM_F32, &s, b);
    CHECK_OK(lm_view_check(&v));
    v.off = 4;
    CHECK_FAILS(lm_view_check(&v), LM_INPUT);
    v.off = 36;
    v.st[0] = -5;
    v.st[1] = -1;
    CHECK_OK(lm_view_check(&v));
    v.off = 35;
    CHECK_FAILS(lm_view_check(&v), LM_INPUT);
    CHECK(strstr(lm_message(), "[2,5]") != NULL);
    v.off = 0;
    v.st[0] = INT64_MAX;
    v.st[1] = INT64_MAX;
    CHECK_FAILS(lm_view_check(&v), LM_INPUT);
    v.st[0] = v.st[1] = 0;
    CHECK_OK(lm_view_check(&v));
    v.off = 41;
    CHECK_FAILS(lm_view_check(&v), LM_INPUT);
    v.buf = NULL;
    CHECK_FAILS(lm_view_check(&v), LM_INPUT);
    lm_buffer_unref(b);
}

static void copies(void)
{
    lm_shape s = LM_SHAPE(2, 3), t = LM_SHAPE(3, 2);
    lm_view a, b, c;
    CHECK_OK(lm_view_new(LM_I16, &s, &a));
    CHECK_OK(lm_view_new(LM_I16, &s, &b));
    for (int i = 0; i < 6; i++)
        lm_view_set(&a, i, i - 2);
    b.st[0] = 1; /* column-major */
    b.st[1] = 2;
    CHECK_OK(lm_view_copy(&b, &a));
    for (int i = 0; i < 6; i++)
        CHECK_INT(lm_view_get_i64(&b, i), i - 2);
    CHECK_INT(((int16_t *)b.buf->host)[1], 1);
    CHECK_OK(lm_view_new(LM_I16, &t, &c));
    CHECK_FAILS(lm_view_copy(&c, &a), LM_INPUT);
    CHECK(strstr(lm_message(), "[2,3]") && strstr(lm_message(), "[3,2]"));
    CHECK(!((uintptr_t)a.buf->host % LM_ALIGN));
    lm_buffer_unref(a.buf);
    lm_buffer_unref(b.buf);
    lm_buffer_unref(c.buf);
    lm_shape huge = LM_SHAPE((int64_t)1 << 31, (int64_t)1 << 31);
    CHECK_FAILS(lm_view_new(LM_F64, &huge, &a), LM_MEMORY);
    CHECK_FAILS(lm_view_new((lm_dtype)50, &s, &a), LM_INPUT);
}

static void references(void)
{
    size_t before = lm_mem_count().live;
    int32_t outside = 5;
    lm_buffer *b;
    CHECK_OK(lm_buffer_wrap(&outside, sizeof outside, &b));
    CHECK(lm_buffer_ref(b) == b);
    lm_buffer_unref(b);
    CHECK_INT(*(int32_t *)b->host, 5);
    lm_buffer_unref(b);
    lm_buffer_unref(NULL);
    CHECK_OK(lm_buffer_new(0, &b));
    lm_buffer_unref(b);
    CHECK_INT(lm_mem_count().live, before);
    CHECK(!lm_view_present(&(lm_view){.sh.rank = LM_ABSENT}));
}

static lm_status one_tensor(void)
{
    lm_view v;
    lm_shape s = LM_SHAPE(3);
    LM_TRY(lm_view_new(LM_F32, &s, &v));
    lm_buffer_unref(v.buf);
    return LM_OK;
}

static void no_memory(void)
{
    CHECK_INT(test_every_allocation(one_tensor), 2);
}

int main(void)
{
    CASE(type_facts);
    CASE(halves_round_trip);
    CASE(halves_known_values);
    CASE(storing_rounds_once);
    CASE(storing_saturates_or_wraps);
    CASE(shape_products);
    CASE(shape_texts);
    CASE(broadcasting);
    CASE(orders);
    CASE(reaches);
    CASE(copies);
    CASE(references);
    CASE(no_memory);
    return test_end();
}
