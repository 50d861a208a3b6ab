/* IDX files: plain and packed, every number type, and all the ways in which one can lie about itself. */
#include "core/data/idx.h"

#include "tests/unit/test.h"

/* Two pictures of 2 x 2, bytes 1 to 8. */
static const uint8_t plain[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t packed[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x63, 0x60, 0xe0,
                                 0x60, 0x66, 0x60, 0x60, 0x60, 0x82, 0x61, 0x46, 0x26, 0x66, 0x16, 0x56, 0x36,
                                 0x76, 0x0e, 0x00, 0x65, 0x34, 0xe2, 0xa1, 0x18, 0x00, 0x00, 0x00};

static lm_status parse(const void *bytes, size_t count, lm_view *v)
{
    return lm_idx_parse(bytes, count, "test-ubyte", v);
}

static void check_pictures(const void *bytes, size_t count)
{
    lm_view v;
    if (!CHECK_OK(parse(bytes, count, &v)))
        return;
    CHECK(v.dt == LM_U8 && v.sh.rank == 3 && v.sh.dim[0] == 2 && v.sh.dim[1] == 2 && v.sh.dim[2] == 2);
    for (int i = 0; i < 8; i++)
        CHECK_INT(((const uint8_t *)lm_view_data(&v))[i], i + 1);
    lm_buffer_unref(v.buf);
}

static void reads_bytes(void)
{
    check_pictures(plain, sizeof plain);
}

static void unpacks(void)
{
    lm_view v;
    lm_status status = parse(packed, sizeof packed, &v);
    if (status == LM_UNSUPPORTED)
        return; /* built without zlib */
    if (CHECK_OK(status))
        lm_buffer_unref(v.buf);
    check_pictures(packed, sizeof packed);
    uint8_t broken[sizeof packed];
    for (size_t n = 0; n < sizeof packed; n++)
        CHECK_FAILS(parse(packed, n, &v), LM_INPUT);
    memcpy(broken, packed, sizeof packed);
    broken[sizeof packed - 8] ^= 1;
    CHECK_FAILS(parse(broken, sizeof broken, &v), LM_INPUT);
}

static void turns_numbers(void)
{
    static const uint8_t shorts[] = {0, 0, 11, 1, 0, 0, 0, 2, 0x01, 0x02, 0xff, 0xfe};
    static const uint8_t floats[] = {0, 0, 13, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0};
    static const uint8_t doubles[] = {0, 0, 14, 1, 0, 0, 0, 1, 0xc0, 0x04, 0, 0, 0, 0, 0, 0};
    lm_view v;
    if (CHECK_OK(parse(shorts, sizeof shorts, &v))) {
        CHECK_INT(lm_load_i64(v.dt, lm_view_data(&v)), 0x0102);
        CHECK_INT(((const int16_t *)lm_view_data(&v))[1], -2);
        lm_buffer_unref(v.buf);
    }
    if (CHECK_OK(parse(floats, sizeof floats, &v))) {
        CHECK_NEAR(lm_load_f64(v.dt, lm_view_data(&v)), 1.5, 0);
        lm_buffer_unref(v.buf);
    }
    if (CHECK_OK(parse(doubles, sizeof doubles, &v))) {
        CHECK_NEAR(lm_load_f64(v.dt, lm_view_data(&v)), -2.5, 0);
        lm_buffer_unref(v.buf);
    }
}

static void refuses_lies(void)
{
    static const uint8_t type[] = {0, 0, 10, 1, 0, 0, 0, 1, 1}, axes[] = {0, 0, 8, 0, 1};
    static const uint8_t start[] = {1, 0, 8, 1, 0, 0, 0, 1, 1};
    static const uint8_t huge[] = {0, 0, 14, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1};
    const size_t before = lm_mem_count().live;
    uint8_t longer[sizeof plain + 1] = {0};
    lm_view v;
    for (size_t n = 0; n < sizeof plain; n++)
        CHECK_FAILS(parse(plain, n, &v), LM_INPUT);
    memcpy(longer, plain, sizeof plain);
    CHECK_FAILS(parse(longer, sizeof longer, &v), LM_INPUT);
    CHECK_FAILS(parse(type, sizeof type, &v), LM_INPUT);
    CHECK_FAILS(parse(axes, sizeof axes, &v), LM_INPUT);
    CHECK_FAILS(parse(start, sizeof start, &v), LM_INPUT);
    CHECK(parse(huge, sizeof huge, &v) != LM_OK);
    CHECK_INT(lm_mem_count().live, before);
}

int main(void)
{
    CASE(reads_bytes);
    CASE(unpacks);
    CASE(turns_numbers);
    CASE(refuses_lies);
    return test_end();
}
