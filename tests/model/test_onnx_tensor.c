/* Contents of tensors: every element type from raw data and from typed fields, in place where that is possible. */
#include "core/model/onnx_tensor.h"
#include "core/model/onnx_write.h"
#include "tests/unit/test.h"

enum { FLOAT_DATA = 4, INT32_DATA = 5, STRING_DATA = 6, INT64_DATA = 7, DOUBLE_DATA = 10, UINT64_DATA = 11 };

/* Every type Limn computes with, and where ONNX puts its elements one by one. */
static const struct {
    int32_t code;
    lm_dtype dt;
    uint32_t field;
    double value[3];
} kinds[] = {
    {ONNX_FLOAT, LM_F32, FLOAT_DATA, {1.5, -0.25, 1e30f}},
    {ONNX_DOUBLE, LM_F64, DOUBLE_DATA, {1.5, -1e300, 0.1}},
    {ONNX_FLOAT16, LM_F16, INT32_DATA, {1.5, -2, 65504}},
    {ONNX_BFLOAT16, LM_BF16, INT32_DATA, {1.5, -2, 256}},
    {ONNX_INT8, LM_I8, INT32_DATA, {-128, 127, 5}},
    {ONNX_INT16, LM_I16, INT32_DATA, {-32768, 32767, 5}},
    {ONNX_INT32, LM_I32, INT32_DATA, {-2147483648.0, 2147483647, 5}},
    {ONNX_INT64, LM_I64, INT64_DATA, {-9e15, 9e15, 5}},
    {ONNX_UINT8, LM_U8, INT32_DATA, {0, 255, 5}},
    {ONNX_UINT16, LM_U16, INT32_DATA, {0, 65535, 5}},
    {ONNX_UINT32, LM_U32, UINT64_DATA, {0, 4294967295.0, 5}},
    {ONNX_UINT64, LM_U64, UINT64_DATA, {0, 9e15, 5}},
    {ONNX_BOOL, LM_BOOL, INT32_DATA, {1, 0, 1}},
};

static void put_header(lm_str *t, int32_t code, int64_t count)
{
    lm_pb_put_number(t, 1, LM_PB_VARINT, (uint64_t)count);
    lm_pb_put_number(t, 2, LM_PB_VARINT, (uint64_t)code);
    lm_pb_put_bytes(t, 8, "w", 1);
}

static lm_status view_of(const lm_str *t, lm_view *out)
{
    lm_arena arena = {0};
    onnx_tensor *tensor = NULL;
    lm_status status = onnx_tensor_parse(t->text, t->count, "t.pb", &arena, &tensor);
    if (status == LM_OK)
        status = onnx_tensor_view(NULL, tensor, out);
    lm_arena_free(&arena);
    return status;
}

/* The view has these values; gives the text and the view back. */
static void check_view(lm_str *t, lm_dtype dt, const double *value, int count)
{
    lm_view v;
    if (CHECK_OK(view_of(t, &v))) {
        CHECK(v.dt == dt && v.sh.rank == 1 && v.sh.dim[0] == count);
        CHECK_OK(lm_view_check(&v));
        for (int i = 0; i < count; i++)
            CHECK_NEAR(lm_view_get(&v, i), value[i], 0);
        lm_buffer_unref(v.buf);
    }
    lm_str_free(t);
}

static void check_fails(lm_str *t, lm_status wanted, const char *why)
{
    lm_view v;
    CHECK_FAILS(view_of(t, &v), wanted);
    if (!strstr(lm_message(), why))
        CHECK_STR(lm_message(), why);
    lm_str_free(t);
}

/* The elements as little-endian bits in 64-bit words. */
static void element_bits(lm_dtype dt, const double *value, uint64_t bits[3])
{
    for (int i = 0; i < 3; i++) {
        uint8_t element[8] = {0};
        lm_store_f64(dt, element, value[i]);
        memcpy(&bits[i], element, 8);
        int shift = 64 - 8 * (int)lm_dtype_size(dt);
        if (lm_dtype_is_signed_int(dt)) /* as a varint a negative number has all its 64 bits */
            bits[i] = (uint64_t)((int64_t)(bits[i] << shift) >> shift);
    }
}

static void raw_data(void)
{
    for (size_t k = 0; k < LM_COUNT(kinds); k++) {
        uint64_t bits[3];
        char raw[24];
        size_t size = lm_dtype_size(kinds[k].dt);
        element_bits(kinds[k].dt, kinds[k].value, bits);
        for (size_t i = 0; i < 3; i++)
            memcpy(raw + i * size, &bits[i], size);
        /* names of all lengths put the data at all alignments */
        for (size_t pad = 0; pad < 8; pad++) {
            lm_str t = {0};
            put_header(&t, kinds[k].code, 3);
            lm_pb_put_bytes(&t, 8, "12345678", pad);
            lm_pb_put_bytes(&t, 9, raw, 3 * size);
            check_view(&t, kinds[k].dt, kinds[k].value, 3);
        }
    }
}

static void typed_fields(void)
{
    for (size_t k = 0; k < LM_COUNT(kinds); k++) {
        uint64_t bits[3];
        uint32_t field = kinds[k].field;
        lm_pb_wire wire = field == FLOAT_DATA ? LM_PB_FIXED32 : field == DOUBLE_DATA ? LM_PB_FIXED64 : LM_PB_VARINT;
        element_bits(kinds[k].dt, kinds[k].value, bits);
        /* one by one; packed; and the two mixed */
        for (int packed = 0; packed <= 3; packed++) {
            lm_str t = {0}, numbers = {0};
            put_header(&t, kinds[k].code, 3);
            for (int i = 0; i < packed; i++)
                if (wire == LM_PB_VARINT)
                    lm_pb_put_varint(&numbers, bits[i]);
                else
                    lm_str_add_bytes(&numbers, &bits[i], wire == LM_PB_FIXED32 ? 4 : 8);
            lm_pb_put_bytes(&t, field, lm_str_text(&numbers), numbers.count);
            for (int i = packed; i < 3; i++)
                lm_pb_put_number(&t, field, wire, bits[i]);
            check_view(&t, kinds[k].dt, kinds[k].value, 3);
            lm_str_free(&numbers);
        }
    }
}

static void typed_faults(void)
{
    lm_str t = {0};
    put_header(&t, ONNX_INT8, 1);
    lm_pb_put_number(&t, INT32_DATA, LM_PB_VARINT, 256);
    check_fails(&t, LM_INPUT, "256 does not fit into int8");
    put_header(&t, ONNX_INT32, 1);
    lm_pb_put_number(&t, INT32_DATA, LM_PB_VARINT, (uint64_t)1 << 32);
    check_fails(&t, LM_INPUT, "4294967296 does not fit");
    put_header(&t, ONNX_FLOAT, 3);
    lm_pb_put_number(&t, FLOAT_DATA, LM_PB_FIXED32, 0);
    check_fails(&t, LM_INPUT, "tensor 'w': it has 3 elements of type FLOAT, but holds 1");
    put_header(&t, ONNX_FLOAT, 1);
    lm_pb_put_number(&t, DOUBLE_DATA, LM_PB_FIXED64, 0);
    check_fails(&t, LM_INPUT, "holds 0");
    put_header(&t, ONNX_FLOAT, 1);
    lm_pb_put_bytes(&t, FLOAT_DATA, "abc", 3);
    check_fails(&t, LM_INPUT, "no multiple of 4");
    put_header(&t, ONNX_FLOAT, 1);
    lm_pb_put_number(&t, FLOAT_DATA, LM_PB_VARINT, 0);
    check_fails(&t, LM_INPUT, "numbers of its type");
}

static void edges(void)
{
    lm_str t = {0};
    lm_view v;
    put_header(&t, ONNX_BOOL, 3);
    lm_pb_put_bytes(&t, 9, "\xFF\0\x02", 3);
    check_view(&t, LM_BOOL, (double[]){1, 0, 1}, 3);
    put_header(&t, ONNX_FLOAT, 0);
    check_view(&t, LM_F32, NULL, 0);
    put_header(&t, ONNX_FLOAT, 0);
    lm_pb_put_bytes(&t, 9, "", 0);
    check_view(&t, LM_F32, NULL, 0);
    /* no sizes: one element */
    lm_pb_put_number(&t, 2, LM_PB_VARINT, ONNX_INT64);
    lm_pb_put_number(&t, INT64_DATA, LM_PB_VARINT, (uint64_t)-3);
    CHECK_OK(view_of(&t, &v));
    CHECK(v.sh.rank == 0 && lm_view_get_i64(&v, 0) == -3);
    lm_buffer_unref(v.buf);
    lm_str_free(&t);
    for (int i = 0; i < 9; i++)
        lm_pb_put_number(&t, 1, LM_PB_VARINT, 1);
    put_header(&t, ONNX_FLOAT, 1);
    lm_pb_put_bytes(&t, 9, "\0\0\0\0", 4);
    check_fails(&t, LM_INPUT, "tensor 'w': it has 10 axes");
    put_header(&t, ONNX_FLOAT, INT64_MAX);
    check_fails(&t, LM_INPUT, "2^63 bits");
    put_header(&t, ONNX_FLOAT, (int64_t)1 << 40);
    check_fails(&t, LM_INPUT, "holds 0");
}

static void refused_types(void)
{
    static const struct {
        int32_t code;
        const char *name;
    } types[] = {
        {ONNX_STRING, "STRING (8)"}, {ONNX_COMPLEX64, "COMPLEX64"}, {ONNX_FLOAT8E4M3FN, "FLOAT8E4M3FN"},
        {ONNX_INT4, "INT4"}, {ONNX_UINT2, "UINT2"}, {ONNX_FLOAT4E2M1, "FLOAT4E2M1"}, {ONNX_UNDEFINED, "UNDEFINED"},
        {77, "? (77)"},
    };
    for (size_t i = 0; i < LM_COUNT(types); i++) {
        lm_str t = {0};
        put_header(&t, types[i].code, 2);
        check_fails(&t, LM_UNSUPPORTED, types[i].name);
    }
    for (lm_dtype dt = 0; dt < LM_DTYPES; dt++) {
        lm_dtype back;
        CHECK(onnx_dtype(onnx_dtype_code(dt), &back) && back == dt);
    }
}

static void in_place(void)
{
    /* aligned by hand: the bytes in the message are those of the view */
    _Alignas(8) static uint8_t raw[24] = {[3] = 0x40};
    int64_t two[] = {2};
    onnx_tensor t = {.name = "w", .data_type = ONNX_FLOAT, .dims = two, .n_dims = 1, .has_raw = 1, .raw = {raw, 8}};
    lm_view v;
    CHECK_OK(onnx_tensor_view(NULL, &t, &v));
    CHECK(lm_view_data(&v) == (void *)raw && lm_view_get(&v, 0) == 2);
    lm_buffer_unref(v.buf);
    t.raw.at = raw + 1;
    CHECK_OK(onnx_tensor_view(NULL, &t, &v));
    CHECK((uintptr_t)lm_view_data(&v) % LM_ALIGN == 0 && memcmp(lm_view_data(&v), raw + 1, 8) == 0);
    lm_buffer_unref(v.buf);
    t.has_raw = 0;
    t.location = 1;
    CHECK_FAILS(onnx_tensor_view(NULL, &t, &v), LM_INPUT);
}

static void strings(void)
{
    lm_str t = {0};
    put_header(&t, ONNX_STRING, 2);
    lm_pb_put_bytes(&t, STRING_DATA, "a\0b", 3);
    lm_pb_put_bytes(&t, STRING_DATA, "", 0);
    lm_arena arena = {0};
    onnx_tensor *tensor = NULL;
    onnx_bytes *text = NULL;
    size_t count = 0;
    CHECK_OK(onnx_tensor_parse(t.text, t.count, "t.pb", &arena, &tensor));
    CHECK_OK(onnx_tensor_strings(tensor, &arena, &text, &count));
    CHECK(count == 2 && text[0].count == 3 && memcmp(text[0].text, "a\0b", 4) == 0 && text[1].count == 0);
    tensor->dims[0] = 3;
    CHECK_FAILS(onnx_tensor_strings(tensor, &arena, &text, &count), LM_INPUT);
    tensor->data_type = ONNX_FLOAT;
    CHECK_FAILS(onnx_tensor_strings(tensor, &arena, &text, &count), LM_INPUT);
    lm_arena_free(&arena);
    lm_str_free(&t);
}

static lm_status sparse(int n, const float *values, int axes, const int64_t *places, size_t most, lm_view *out)
{
    int64_t nnz[] = {n}, by_axis[] = {n, axes}, dims[] = {2, 3};
    onnx_tensor v = {.name = "s", .data_type = ONNX_FLOAT, .dims = nnz, .n_dims = 1, .has_raw = 1,
                     .raw = {(const uint8_t *)values, (size_t)n * 4}};
    onnx_tensor i = {.data_type = ONNX_INT64, .dims = by_axis, .n_dims = axes == 1 ? 1 : 2, .has_raw = 1,
                     .raw = {(const uint8_t *)places, (size_t)(n * axes) * 8}};
    onnx_sparse s = {.values = &v, .indices = &i, .dims = dims, .n_dims = 2};
    return onnx_sparse_view(NULL, &s, most, out);
}

static void sparse_tensors(void)
{
    float values[] = {7, 8};
    lm_view v = {0};
    CHECK_OK(sparse(2, values, 1, (int64_t[]){1, 5}, 24, &v));
    CHECK(lm_view_get(&v, 0) == 0 && lm_view_get(&v, 1) == 7 && lm_view_get(&v, 5) == 8 && v.sh.dim[1] == 3);
    lm_buffer_unref(v.buf);
    CHECK_OK(sparse(2, values, 2, (int64_t[]){0, 2, 1, 0}, 24, &v));
    CHECK(lm_view_get(&v, 2) == 7 && lm_view_get(&v, 3) == 8);
    lm_buffer_unref(v.buf);
    CHECK_OK(sparse(0, values, 1, (int64_t[]){0}, 24, &v));
    CHECK(lm_view_get(&v, 5) == 0);
    lm_buffer_unref(v.buf);
    CHECK_FAILS(sparse(2, values, 1, (int64_t[]){1, 6}, 24, &v), LM_INPUT);
    CHECK(strstr(lm_message(), "tensor 's': index 6") != NULL);
    CHECK_FAILS(sparse(2, values, 1, (int64_t[]){-1, 5}, 24, &v), LM_INPUT);
    CHECK_FAILS(sparse(2, values, 1, (int64_t[]){5, 5}, 24, &v), LM_INPUT);
    CHECK_FAILS(sparse(2, values, 2, (int64_t[]){0, 3, 1, 0}, 24, &v), LM_INPUT);
    CHECK_FAILS(sparse(2, values, 3, (int64_t[]){0, 0, 0, 0, 0, 0}, 24, &v), LM_INPUT);
    CHECK_FAILS(sparse(2, values, 1, (int64_t[]){1, 5}, 23, &v), LM_MEMORY);
}

int main(void)
{
    CASE(raw_data);
    CASE(typed_fields);
    CASE(typed_faults);
    CASE(edges);
    CASE(refused_types);
    CASE(in_place);
    CASE(strings);
    CASE(sparse_tensors);
    return test_end();
}
