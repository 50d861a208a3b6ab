/* .npy files: what NumPy writes is read, what is written NumPy reads, and what is broken is refused. The files are made
 * here byte by byte. */
#include "core/tensor/npy.h"

#include "tests/unit/test.h"

/* A file as NumPy lays it out: version, dictionary padded to 64 bytes, elements. Returns its bytes. */
static size_t make(uint8_t *to, int version, const char *dictionary, const void *elements, size_t bytes)
{
    size_t length = strlen(dictionary), begin = version == 1 ? 10 : 12;
    size_t padded = (begin + length + 1 + 63) / 64 * 64 - begin;
    memcpy(to, "\x93NUMPY", 6);
    to[6] = (uint8_t)version;
    to[7] = 0;
    to[8] = (uint8_t)padded;
    to[9] = (uint8_t)(padded >> 8);
    if (version > 1)
        to[10] = to[11] = 0;
    memset(to + begin, ' ', padded);
    memcpy(to + begin, dictionary, length);
    to[begin + padded - 1] = '\n';
    memcpy(to + begin + padded, elements, bytes);
    return begin + padded + bytes;
}

static uint8_t file[4096];

static lm_status parse(int version, const char *dictionary, const void *elements, size_t bytes, lm_view *out)
{
    return lm_npy_parse(file, make(file, version, dictionary, elements, bytes), "x.npy", out);
}

static void reads_versions(void)
{
    const float x[6] = {0, 1, 2, 3, 4, 5};
    for (int version = 1; version <= 3; version++) {
        lm_view v;
        if (!CHECK_OK(parse(version, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", x, sizeof x, &v)))
            continue;
        CHECK(v.dt == LM_F32 && v.sh.rank == 2 && v.sh.dim[0] == 2 && v.sh.dim[1] == 3 && lm_view_is_row(&v));
        CHECK(memcmp(lm_view_data(&v), x, sizeof x) == 0);
        lm_buffer_unref(v.buf);
    }
}

static void reads_types(void)
{
    static const struct {
        const char *descr;
        lm_dtype dt;
        uint8_t bytes[8];
        double value;
    } rows[] = {
        {"<f4", LM_F32, {0, 0, 0xc0, 0x3f}, 1.5},
        {">f4", LM_F32, {0x3f, 0xc0, 0, 0}, 1.5},
        {"=f8", LM_F64, {0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, 1.5},
        {">f8", LM_F64, {0x3f, 0xf8}, 1.5},
        {"<f2", LM_F16, {0, 0x3e}, 1.5},
        {">f2", LM_F16, {0x3e, 0}, 1.5},
        {"|i1", LM_I8, {0xfe}, -2},
        {">i2", LM_I16, {0xff, 0xfe}, -2},
        {"<i4", LM_I32, {0xfe, 0xff, 0xff, 0xff}, -2},
        {"<i8", LM_I64, {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -2},
        {"|u1", LM_U8, {0xfe}, 254},
        {"<u2", LM_U16, {0xfe, 0xff}, 65534},
        {">u4", LM_U32, {0, 0, 1, 2}, 258},
        {"<u8", LM_U64, {1}, 1},
        {"|b1", LM_BOOL, {7}, 1},
    };
    for (size_t i = 0; i < LM_COUNT(rows); i++) {
        char text[128];
        lm_view v;
        snprintf(text, sizeof text, "{\"shape\": (), \"descr\": \"%s\", \"fortran_order\": False}", rows[i].descr);
        if (!CHECK_OK(parse(1, text, rows[i].bytes, lm_dtype_size(rows[i].dt), &v)))
            continue;
        CHECK(v.dt == rows[i].dt && v.sh.rank == 0);
        CHECK_NEAR(lm_view_get(&v, 0), rows[i].value, 0);
        lm_buffer_unref(v.buf);
    }
}

static void turns_fortran_order(void)
{
    const int16_t columns[6] = {0, 10, 1, 11, 2, 12};
    lm_view v;
    if (!CHECK_OK(parse(1, "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3)}", columns, sizeof columns, &v)))
        return;
    CHECK(lm_view_is_row(&v));
    for (int i = 0; i < 6; i++)
        CHECK_INT(lm_view_get_i64(&v, i), i / 3 * 10 + i % 3);
    lm_buffer_unref(v.buf);
    if (CHECK_OK(parse(1, "{'descr': '<i2', 'fortran_order': True, 'shape': (0, 3)}", columns, 0, &v)))
        lm_buffer_unref(v.buf);
}

static void refuses(void)
{
    static const struct {
        const char *text;
        size_t bytes; /* that follow */
        lm_status status;
    } rows[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 23, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 25, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}", 24, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 0, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1e3,)}", 0, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 3}", 12, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,}", 12, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)", 12, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (3,)}", 12, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False}", 4, LM_INPUT},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", 4, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), 'more': 1}", 4, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", 4, LM_INPUT},
        {"{'descr': '<f4, 'fortran_order': False, 'shape': ()}", 4, LM_UNSUPPORTED},
        {"{'descr': '<f4", 4, LM_INPUT},
        {"", 4, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4611686018427387904)}", 0, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 0, LM_INPUT},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,)}", 0, LM_INPUT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1)}", 4, LM_UNSUPPORTED},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': ()}", 8, LM_UNSUPPORTED},
        {"{'descr': '|O', 'fortran_order': False, 'shape': ()}", 8, LM_UNSUPPORTED},
        {"{'descr': '<U3', 'fortran_order': False, 'shape': ()}", 12, LM_UNSUPPORTED},
        {"{'descr': '', 'fortran_order': False, 'shape': ()}", 4, LM_UNSUPPORTED},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': ()}", 16, LM_UNSUPPORTED},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", 4, LM_UNSUPPORTED},
    };
    const uint8_t zeros[32] = {0};
    for (size_t i = 0; i < LM_COUNT(rows); i++) {
        lm_view v;
        if (!CHECK_FAILS(parse(1, rows[i].text, zeros, rows[i].bytes, &v), rows[i].status))
            printf("%s\n", rows[i].text);
        CHECK(strstr(lm_message(), "x.npy"));
    }
}

/* Cut off anywhere, and any byte changed: refused or read, never past the end (which sanitizers watch). */
static void survives_damage(void)
{
    const float x[3] = {1, 2, 3};
    size_t count = make(file, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", x, sizeof x);
    for (size_t cut = 0; cut < count; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1);
        lm_view v;
        if (!copy)
            return;
        memcpy(copy, file, cut);
        CHECK_FAILS(lm_npy_parse(copy, cut, "x.npy", &v), LM_INPUT);
        free(copy);
    }
    for (size_t at = 0; at < count - sizeof x; at++)
        for (int bit = 0; bit < 8; bit++) {
            lm_view v;
            file[at] ^= (uint8_t)(1 << bit);
            if (lm_npy_parse(file, count, "x.npy", &v) == LM_OK)
                lm_buffer_unref(v.buf);
            file[at] ^= (uint8_t)(1 << bit);
        }
    file[9] = 0xff; /* a header of 64 KiB */
    lm_view v;
    CHECK_FAILS(lm_npy_parse(file, count, "x.npy", &v), LM_INPUT);
    CHECK_FAILS(lm_npy_read("/nonexistent/x.npy", &v), LM_INPUT);
}

static void writes_what_numpy_writes(void)
{
    const float x[6] = {0, 1, 2, 3, 4, 5};
    lm_buffer *buf;
    CHECK_OK(lm_buffer_wrap((void *)x, sizeof x, &buf));
    const lm_shape sh = LM_SHAPE(2, 3);
    lm_view v = lm_view_row(LM_F32, &sh, buf);
    size_t wanted = make(file, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", x, sizeof x);
    lm_str header = {0};
    lm_view row;
    CHECK_OK(lm_npy_parts(&v, &header, &row));
    CHECK_INT(header.count + sizeof x, wanted);
    CHECK(memcmp(header.text, file, header.count) == 0);
    CHECK(lm_view_data(&row) == x); /* no copy */
    lm_buffer_unref(row.buf);
    lm_str_free(&header);
    lm_buffer_unref(buf);
}

static char folder[] = "/tmp/limn-npy-XXXXXX", path[64];

/* A transposed view of each type comes back as it was. */
static void round_trip(void)
{
    for (int dt = 0; dt < LM_DTYPES; dt++) {
        const lm_shape sh = LM_SHAPE(2, 5);
        lm_view v, turned, back;
        CHECK_OK(lm_view_new((lm_dtype)dt, &sh, &v));
        for (int i = 0; i < 10; i++)
            lm_view_set(&v, i, i % 3);
        turned = v;
        turned.sh = LM_SHAPE(5, 2);
        turned.st[0] = 1;
        turned.st[1] = 5;
        CHECK_OK(lm_npy_write(path, &turned));
        if (CHECK_OK(lm_npy_read(path, &back))) {
            CHECK((int)back.dt == (dt == LM_BF16 ? LM_F32 : dt) && lm_shape_equal(&back.sh, &turned.sh));
            for (int i = 0; i < 10; i++)
                CHECK_NEAR(lm_view_get(&back, i), lm_view_get(&turned, i), 0);
            lm_buffer_unref(back.buf);
        }
        lm_buffer_unref(v.buf);
    }
}

static lm_status write_and_read(void)
{
    const lm_shape sh = LM_SHAPE(4, 3);
    lm_view v = {0}, back = {0};
    lm_status status = lm_view_new(LM_BF16, &sh, &v);
    if (status == LM_OK) {
        memset(lm_view_data(&v), 0, 24);
        status = lm_npy_write(path, &v);
    }
    if (status == LM_OK)
        status = lm_npy_read(path, &back);
    if (status == LM_OK) {
        lm_buffer_unref(back.buf);
        const int32_t columns[6] = {0};
        status = parse(1, "{'descr': '>i4', 'fortran_order': True, 'shape': (2, 3)}", columns, sizeof columns, &back);
    }
    if (status == LM_OK)
        lm_buffer_unref(back.buf);
    lm_buffer_unref(v.buf);
    return status;
}

static void survives_every_allocation(void)
{
    CHECK(test_every_allocation(write_and_read) >= 6);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/x.npy", folder);
    CASE(reads_versions);
    CASE(reads_types);
    CASE(turns_fortran_order);
    CASE(refuses);
    CASE(survives_damage);
    CASE(writes_what_numpy_writes);
    CASE(round_trip);
    CASE(survives_every_allocation);
    test_remove(folder);
    return test_end();
}
