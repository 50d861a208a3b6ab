/* .npz files: archives as NumPy and others make them, put together here byte by byte, and broken ones. */
#include "core/data/npz.h"

#include "tests/unit/test.h"

/* An archive under construction; its list is put together beside it. */
typedef struct archive {
    uint8_t bytes[8192], list[1024];
    size_t count, listed;
    int entries;
} archive;

static void put(uint8_t *to, size_t *at, uint64_t value, int bytes)
{
    for (; bytes > 0; bytes--, value >>= 8)
        to[(*at)++] = (uint8_t)value;
}

static void put_bytes(uint8_t *to, size_t *at, const void *bytes, size_t count)
{
    memcpy(to + *at, bytes, count);
    *at += count;
}

typedef struct member {
    const char *name;
    int method, flags;
    const void *packed;
    size_t packed_count, count;
    uint32_t crc;
    bool wide; /* sizes and offset in the 64-bit field */
} member;

static void put_facts(uint8_t *to, size_t *at, const member *m, size_t extra)
{
    put(to, at, 45, 2);
    put(to, at, (uint64_t)m->flags, 2);
    put(to, at, (uint64_t)m->method, 2);
    put(to, at, 0x6c215e8f, 4); /* a date, which nobody reads */
    put(to, at, m->crc, 4);
    put(to, at, m->wide ? UINT32_MAX : m->packed_count, 4);
    put(to, at, m->wide ? UINT32_MAX : m->count, 4);
    put(to, at, strlen(m->name), 2);
    put(to, at, extra, 2);
}

static void add(archive *a, const member *m)
{
    size_t offset = a->count;
    put(a->bytes, &a->count, 0x04034b50, 4);
    put_facts(a->bytes, &a->count, m, m->wide ? 20 : 0);
    put_bytes(a->bytes, &a->count, m->name, strlen(m->name));
    if (m->wide) {
        put(a->bytes, &a->count, 0x00100001, 4);
        put(a->bytes, &a->count, m->count, 8);
        put(a->bytes, &a->count, m->packed_count, 8);
    }
    put_bytes(a->bytes, &a->count, m->packed, m->packed_count);

    put(a->list, &a->listed, 0x02014b50, 4);
    put(a->list, &a->listed, 45, 2);
    put_facts(a->list, &a->listed, m, m->wide ? 34 : 0);
    put(a->list, &a->listed, 0, 10);
    put(a->list, &a->listed, m->wide ? UINT32_MAX : offset, 4);
    put_bytes(a->list, &a->listed, m->name, strlen(m->name));
    if (m->wide) { /* a field of another kind stands before */
        put(a->list, &a->listed, 0x00027075, 4);
        put(a->list, &a->listed, 0, 2);
        put(a->list, &a->listed, 0x00180001, 4);
        put(a->list, &a->listed, m->count, 8);
        put(a->list, &a->listed, m->packed_count, 8);
        put(a->list, &a->listed, offset, 8);
    }
    a->entries++;
}

/* The end of the archive, and how many bytes it has. */
static size_t finish(archive *a, bool wide, const char *comment)
{
    size_t offset = a->count;
    put_bytes(a->bytes, &a->count, a->list, a->listed);
    if (wide) {
        size_t end = a->count;
        put(a->bytes, &a->count, 0x06064b50, 4);
        put(a->bytes, &a->count, 44, 8);
        put(a->bytes, &a->count, 0x002d002d, 4);
        put(a->bytes, &a->count, 0, 8);
        put(a->bytes, &a->count, (uint64_t)a->entries, 8);
        put(a->bytes, &a->count, (uint64_t)a->entries, 8);
        put(a->bytes, &a->count, a->listed, 8);
        put(a->bytes, &a->count, offset, 8);
        put(a->bytes, &a->count, 0x07064b50, 4);
        put(a->bytes, &a->count, 0, 4);
        put(a->bytes, &a->count, end, 8);
        put(a->bytes, &a->count, 1, 4);
    }
    put(a->bytes, &a->count, 0x06054b50, 4);
    put(a->bytes, &a->count, 0, 4);
    put(a->bytes, &a->count, wide ? 65535 : (uint64_t)a->entries, 2);
    put(a->bytes, &a->count, wide ? 65535 : (uint64_t)a->entries, 2);
    put(a->bytes, &a->count, wide ? UINT32_MAX : a->listed, 4);
    put(a->bytes, &a->count, wide ? UINT32_MAX : offset, 4);
    put(a->bytes, &a->count, strlen(comment), 2);
    put_bytes(a->bytes, &a->count, comment, strlen(comment));
    return a->count;
}

/* The .npy file of two int16, and the same in a deflate block that stores it. */
static uint8_t npy[132], stored_block[137];

static member plain(const char *name)
{
    return (member){.name = name, .packed = npy, .packed_count = sizeof npy, .count = sizeof npy,
                    .crc = lm_crc32(0, npy, sizeof npy)};
}

static member deflated(const char *name)
{
    return (member){.name = name, .method = 8, .packed = stored_block, .packed_count = sizeof stored_block,
                    .count = sizeof npy, .crc = lm_crc32(0, npy, sizeof npy)};
}

static void make_parts(void)
{
    static const char head[] = "\x93NUMPY\1\0\x76\0{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }";
    const int16_t x[2] = {5, -6};
    memset(npy, ' ', 127);
    memcpy(npy, head, sizeof head - 1);
    npy[127] = '\n';
    memcpy(npy + 128, x, sizeof x);
    memcpy(stored_block, "\1\x84\0\x7b\xff", 5);
    memcpy(stored_block + 5, npy, sizeof npy);
}

static archive a;

static lm_status open_archive(size_t count, lm_npz **out)
{
    return lm_npz_open_bytes(a.bytes, count, "x.npz", out);
}

/* One array alone: what happens on opening and reading. */
static lm_status read_one(const member *m)
{
    lm_npz *npz;
    lm_view v;
    a = (archive){0};
    add(&a, m);
    LM_TRY(open_archive(finish(&a, false, ""), &npz));
    lm_status status = lm_npz_read(npz, 0, &v);
    if (status == LM_OK) {
        CHECK(v.dt == LM_I16 && v.sh.rank == 1 && lm_view_get(&v, 0) == 5 && lm_view_get(&v, 1) == -6);
        lm_buffer_unref(v.buf);
    }
    lm_npz_close(npz);
    return status;
}

static bool have_zlib(void)
{
    member m = deflated("x.npy");
    return read_one(&m) != LM_UNSUPPORTED;
}

static void reads_entries(void)
{
    CHECK_INT(lm_crc32(0, "123456789", 9), 0xcbf43926);
    member m = plain("x.npy"), d = deflated("x.npy");
    CHECK_OK(read_one(&m));
    m.wide = true;
    CHECK_OK(read_one(&m));
    if (have_zlib())
        CHECK_OK(read_one(&d));
}

static void lists_names(void)
{
    for (int wide = 0; wide < 2; wide++) {
        member m[] = {plain("b.npy"), plain("read.me"), plain("folder/a.npy"), plain(".npy")};
        a = (archive){0};
        for (size_t i = 0; i < LM_COUNT(m); i++)
            add(&a, &m[i]);
        lm_npz *npz;
        if (!CHECK_OK(open_archive(finish(&a, wide, "a comment"), &npz)))
            continue;
        CHECK_INT(lm_npz_count(npz), 2);
        CHECK_STR(lm_npz_name(npz, 0), "b");
        CHECK_INT(lm_npz_find(npz, "folder/a"), 1);
        CHECK_INT(lm_npz_find(npz, "read"), -1);
        lm_npz_close(npz);
    }
}

/* What a deflated entry claims is held against its bytes, its checksum and the memory there may be. */
static void refuses_bombs(void)
{
    if (!have_zlib())
        return;
    member m = deflated("x.npy");
    m.count = (size_t)1 << 30;
    CHECK_FAILS(read_one(&m), LM_INPUT);
    m.count = sizeof npy - 1;
    CHECK_FAILS(read_one(&m), LM_INPUT);
    m.count = sizeof npy + 1;
    CHECK_FAILS(read_one(&m), LM_INPUT);
    m.count = 0;
    CHECK_FAILS(read_one(&m), LM_INPUT);
    m = deflated("x.npy");
    m.packed_count -= 7;
    CHECK_FAILS(read_one(&m), LM_INPUT);
    m = deflated("x.npy");
    m.count = 100000; /* 137 bytes might hold as much */
    lm_mem_cap(lm_mem_count().live + 50000);
    CHECK_FAILS(read_one(&m), LM_MEMORY);
    lm_mem_cap(0);
}

static void refuses_entries(void)
{
    member m = plain("x.npy");
    m.crc ^= 1;
    CHECK_FAILS(read_one(&m), LM_INPUT);
    m = plain("x.npy");
    m.count--;
    CHECK_FAILS(read_one(&m), LM_INPUT);
    m = plain("x.npy");
    m.method = 12;
    CHECK_FAILS(read_one(&m), LM_UNSUPPORTED);
    m = plain("x.npy");
    m.flags = 1;
    CHECK_FAILS(read_one(&m), LM_UNSUPPORTED);
    m = plain("x.txt");
    CHECK_FAILS(read_one(&m), LM_INPUT);
    lm_npz *npz;
    m = plain("x.npy");
    a = (archive){0};
    add(&a, &m);
    add(&a, &m);
    CHECK_FAILS(open_archive(finish(&a, false, ""), &npz), LM_INPUT);
    CHECK(strstr(lm_message(), "two entries 'x.npy'"));
    CHECK_FAILS(lm_npz_open("/nonexistent/x.npz", &npz), LM_INPUT);
}

/* Open and read all of it, whatever it is. */
static void touch(const uint8_t *bytes, size_t count)
{
    lm_npz *npz;
    if (lm_npz_open_bytes(bytes, count, "x.npz", &npz) != LM_OK) {
        CHECK(*lm_message());
        return;
    }
    for (int i = 0; i < lm_npz_count(npz); i++) {
        lm_view v;
        if (lm_npz_read(npz, i, &v) == LM_OK)
            lm_buffer_unref(v.buf);
    }
    lm_npz_close(npz);
}

static void survives_damage(void)
{
    for (int wide = 0; wide < 2; wide++) {
        member m[2] = {plain("a.npy"), deflated("b.npy")};
        m[0].wide = wide;
        a = (archive){0};
        add(&a, &m[0]);
        add(&a, &m[1]);
        size_t count = finish(&a, wide, "");
        for (size_t cut = 0; cut < count; cut++) {
            uint8_t *copy = malloc(cut ? cut : 1);
            if (!copy)
                return;
            memcpy(copy, a.bytes, cut);
            touch(copy, cut);
            free(copy);
        }
        for (size_t at = 0; at < count; at++)
            for (int bit = 0; bit < 8; bit++) {
                a.bytes[at] ^= (uint8_t)(1 << bit);
                touch(a.bytes, count);
                a.bytes[at] ^= (uint8_t)(1 << bit);
            }
    }
}

static char folder[] = "/tmp/limn-npz-XXXXXX", path[64];

static lm_status write_two(const char *to, uint64_t wide_from)
{
    const lm_shape sh[2] = {LM_SHAPE(3, 2), LM_SHAPE(70)};
    lm_zip_out zip;
    LM_TRY(lm_zip_create(to, &zip));
    if (wide_from)
        zip.wide_from = wide_from;
    lm_status status = LM_OK;
    for (int k = 0; status == LM_OK && k < 2; k++) {
        lm_view v = {0};
        status = lm_view_new(k ? LM_BF16 : LM_F32, &sh[k], &v);
        for (int i = 0; status == LM_OK && i < lm_shape_count(&sh[k]); i++)
            lm_view_set(&v, i, i + k);
        if (status == LM_OK)
            status = lm_npz_add(&zip, k ? "lime/top" : "x", &v);
        lm_buffer_unref(v.buf);
    }
    if (status == LM_OK)
        return lm_zip_commit(&zip);
    lm_zip_drop(&zip);
    return status;
}

static lm_status read_two(void)
{
    lm_npz *npz;
    LM_TRY(lm_npz_open(path, &npz));
    lm_status status = LM_OK;
    CHECK_INT(lm_npz_count(npz), 2);
    CHECK_INT(lm_npz_find(npz, "lime/top"), 1);
    for (int k = 0; status == LM_OK && k < 2; k++) {
        lm_view v;
        status = lm_npz_read(npz, k, &v);
        if (status != LM_OK)
            break;
        CHECK_INT(v.sh.dim[0], k ? 70 : 3);
        CHECK_NEAR(lm_view_get(&v, 5), 5 + k, 0);
        lm_buffer_unref(v.buf);
    }
    lm_npz_close(npz);
    return status;
}

/* Also with every size and offset, or those past a point, in the 64-bit form. */
static void round_trip(void)
{
    static const uint64_t wide_from[] = {0, 1, 100, 250, 400};
    for (size_t i = 0; i < LM_COUNT(wide_from); i++) {
        CHECK_OK(write_two(path, wide_from[i]));
        CHECK_OK(read_two());
    }
}

static void equal_contents_give_equal_files(void)
{
    char other[80];
    lm_file one, two;
    snprintf(other, sizeof other, "%s.again", path);
    CHECK_OK(write_two(path, 0));
    CHECK_OK(write_two(other, 0));
    if (CHECK_OK(lm_file_map(path, &one)) && CHECK_OK(lm_file_map(other, &two))) {
        CHECK(one.size == two.size && memcmp(one.bytes, two.bytes, one.size) == 0);
        CHECK_INT(one.bytes[12] | one.bytes[13] << 8, 1 << 5 | 1);
        lm_file_unmap(&one);
        lm_file_unmap(&two);
    }
    CHECK_FAILS(write_two("/nonexistent/x.npz", 0), LM_OUTPUT);
}

/* Room that is filled between other entries gives the bytes that lm_zip_add gives. */
static void fills_rooms(void)
{
    static const uint64_t wide_from[] = {0, 20};
    char other[80];
    lm_file one, two;
    snprintf(other, sizeof other, "%s.rooms", path);
    for (size_t i = 0; i < LM_COUNT(wide_from); i++) {
        lm_zip_out zip;
        lm_zip_room digits, letters;
        if (!CHECK_OK(lm_zip_create(path, &zip)))
            return;
        zip.wide_from = wide_from[i] ? wide_from[i] : zip.wide_from;
        CHECK_OK(lm_zip_add(&zip, "a", "0123", 4, "456789", 6));
        CHECK_OK(lm_zip_add(&zip, "b", "", 0, "abcdefghijklmnopqrstuvwxyz", 26));
        CHECK_OK(lm_zip_commit(&zip));
        if (!CHECK_OK(lm_zip_create(other, &zip)))
            return;
        zip.wide_from = wide_from[i] ? wide_from[i] : zip.wide_from;
        CHECK_OK(lm_zip_reserve(&zip, "a", 10, &digits));
        CHECK_OK(lm_zip_reserve(&zip, "b", 26, &letters));
        CHECK_OK(lm_zip_fill(&zip, &letters, "abcdefghij", 10));
        CHECK_OK(lm_zip_fill(&zip, &digits, "01234567", 8));
        CHECK_OK(lm_zip_fill(&zip, &letters, "klmnopqrstuvwxyz", 16));
        CHECK_FAILS(lm_zip_fill(&zip, &digits, "89!", 3), LM_USAGE);
        CHECK_OK(lm_zip_fill(&zip, &digits, "89", 2));
        CHECK_OK(lm_zip_commit(&zip));
        if (CHECK_OK(lm_file_map(path, &one)) && CHECK_OK(lm_file_map(other, &two))) {
            CHECK(one.size == two.size && memcmp(one.bytes, two.bytes, one.size) == 0);
            lm_file_unmap(&one);
            lm_file_unmap(&two);
        }
    }
}

static lm_status write_and_read(void)
{
    LM_TRY(write_two(path, 0));
    LM_TRY(read_two());
    member m = deflated("x.npy");
    lm_status status = read_one(&m);
    return status == LM_UNSUPPORTED ? LM_OK : status;
}

static void survives_every_allocation(void)
{
    CHECK(test_every_allocation(write_and_read) >= 20);
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/x.npz", folder);
    make_parts();
    CASE(reads_entries);
    CASE(lists_names);
    CASE(refuses_bombs);
    CASE(refuses_entries);
    CASE(survives_damage);
    CASE(round_trip);
    CASE(equal_contents_give_equal_files);
    CASE(fills_rooms);
    CASE(survives_every_allocation);
    test_remove(folder);
    return test_end();
}
