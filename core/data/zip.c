/* Reading archives. Every number of the file is checked against the bytes there are before it is used. */
#include "core/data/zip.h"

#include <string.h>

#ifdef LM_HAVE_ZLIB
#include <zlib.h>
#endif

#include "core/base/map.h"
#include "core/base/mem.h"

enum {
    LOCAL = 0x04034b50, ENTRY = 0x02014b50, END = 0x06054b50, END_WIDE = 0x06064b50, LOCATOR = 0x07064b50,
    LOCAL_BYTES = 30, ENTRY_BYTES = 46, END_BYTES = 22, END_WIDE_BYTES = 56, LOCATOR_BYTES = 20,
    COMMENT_MOST = 65535, ENCRYPTED = 1, STORED = 0, DEFLATED = 8
};

static uint64_t number(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

/* Where `count` bytes at `offset` lie; NULL when the archive ends before. */
static const uint8_t *span(const lm_zip *zip, uint64_t offset, uint64_t count)
{
    return offset <= zip->count && count <= zip->count - offset ? zip->bytes + offset : NULL;
}

/* The list of entries: where it begins, its bytes, how many. */
typedef struct directory {
    uint64_t offset, bytes, entries;
} directory;

/* The record that ends an archive, searched backwards past a comment of any length. */
static const uint8_t *find_end(const lm_zip *zip)
{
    for (size_t back = END_BYTES; back <= zip->count && back <= END_BYTES + COMMENT_MOST; back++) {
        const uint8_t *at = zip->bytes + zip->count - back;
        if (number(at, 4) == END && number(at + 20, 2) == back - END_BYTES)
            return at;
    }
    return NULL;
}

/* The 64-bit form, where one stands before the record at `end`. */
static lm_status find_wide_end(const lm_zip *zip, const uint8_t *end, const uint8_t **out)
{
    uint64_t before = (uint64_t)(end - zip->bytes);
    const uint8_t *locator = before >= LOCATOR_BYTES ? end - LOCATOR_BYTES : NULL;
    *out = NULL;
    if (!locator || number(locator, 4) != LOCATOR)
        return LM_OK;
    *out = span(zip, number(locator + 8, 8), END_WIDE_BYTES);
    LM_REQUIRE(*out && number(*out, 4) == END_WIDE, LM_INPUT, "%s: the end of the archive points outside it",
               zip->name);
    return LM_OK;
}

static lm_status find_directory(const lm_zip *zip, directory *out)
{
    const uint8_t *end = find_end(zip), *wide;
    LM_REQUIRE(end, LM_INPUT, "%s is no archive, or is cut off", zip->name);
    LM_TRY(find_wide_end(zip, end, &wide));
    directory d;
    uint64_t disks;
    if (wide) {
        disks = number(wide + 16, 4) | number(wide + 20, 4);
        d = (directory){number(wide + 48, 8), number(wide + 40, 8), number(wide + 32, 8)};
    } else {
        disks = number(end + 4, 2) | number(end + 6, 2);
        d = (directory){number(end + 16, 4), number(end + 12, 4), number(end + 10, 2)};
    }
    LM_REQUIRE(disks == 0, LM_UNSUPPORTED, "%s is one part of several of an archive", zip->name);
    LM_REQUIRE(span(zip, d.offset, d.bytes) && d.entries <= d.bytes / ENTRY_BYTES, LM_INPUT,
               "%s: the list of the archive does not fit into it; the file is cut off or damaged", zip->name);
    *out = d;
    return LM_OK;
}

/* Numbers that do not fit into the entry stand in an extra field, in this order, only those that are all ones. */
static lm_status read_wide(const lm_zip *zip, const uint8_t *at, size_t count, lm_zip_entry *e)
{
    uint64_t *const field[] = {&e->size, &e->packed, &e->offset};
    while (count >= 4) {
        size_t length = (size_t)number(at + 2, 2);
        LM_REQUIRE(length <= count - 4, LM_INPUT, "%s: entry '%s' has a broken extra field", zip->name, e->name);
        if (number(at, 2) == 1) {
            size_t used = 0;
            for (size_t i = 0; i < LM_COUNT(field); i++)
                if (*field[i] == UINT32_MAX && length - used >= 8) {
                    *field[i] = number(at + 4 + used, 8);
                    used += 8;
                }
        }
        at += 4 + length;
        count -= 4 + length;
    }
    return LM_OK;
}

/* The entry at `at`, of which `left` bytes of the list remain; *bytes is its length. */
static lm_status read_entry(lm_zip *zip, const uint8_t *at, uint64_t left, lm_map *names, uint64_t *bytes)
{
    LM_REQUIRE(left >= ENTRY_BYTES && number(at, 4) == ENTRY, LM_INPUT, "%s: entry %zu of the archive is damaged",
               zip->name, zip->entry.count);
    size_t name = (size_t)number(at + 28, 2), extra = (size_t)number(at + 30, 2), note = (size_t)number(at + 32, 2);
    *bytes = ENTRY_BYTES + name + extra + note;
    LM_REQUIRE(*bytes <= left && name > 0 && !memchr(at + ENTRY_BYTES, 0, name), LM_INPUT,
               "%s: entry %zu of the archive has a broken name", zip->name, zip->entry.count);
    lm_zip_entry e = {.flags = (uint16_t)number(at + 8, 2), .method = (uint16_t)number(at + 10, 2),
                      .crc = (uint32_t)number(at + 16, 4), .packed = number(at + 20, 4), .size = number(at + 24, 4),
                      .offset = number(at + 42, 4)};
    char *copy = lm_arena_alloc(&zip->arena, name + 1, 1);
    if (!copy)
        return LM_MEMORY;
    memcpy(copy, at + ENTRY_BYTES, name);
    e.name = copy;
    LM_REQUIRE(!lm_map_gets(names, copy), LM_INPUT, "%s holds two entries '%s'", zip->name, copy);
    LM_TRY(lm_map_put_num(names, copy, 1));
    LM_TRY(read_wide(zip, at + ENTRY_BYTES + name, extra, &e));
    return lm_vec_push(&zip->entry, e);
}

lm_status lm_zip_open(const void *bytes, size_t count, const char *name, lm_zip *out)
{
    lm_zip zip = {.bytes = bytes, .count = count, .name = name};
    directory d = {0};
    LM_TRY(find_directory(&zip, &d));
    lm_map names = {0};
    lm_status status = LM_OK;
    for (uint64_t i = 0, at = 0, used = 0; status == LM_OK && i < d.entries; i++, at += used)
        status = read_entry(&zip, zip.bytes + d.offset + at, d.bytes - at, &names, &used);
    lm_map_free(&names);
    if (status == LM_OK)
        *out = zip;
    else
        lm_zip_close(&zip);
    return status;
}

void lm_zip_close(lm_zip *zip)
{
    lm_vec_free(&zip->entry);
    lm_arena_free(&zip->arena);
    *zip = (lm_zip){0};
}

#ifdef LM_HAVE_ZLIB
static void *give(void *unused, unsigned count, unsigned size)
{
    (void)unused;
    return lm_malloc(count, size);
}

static void take_back(void *unused, void *block)
{
    (void)unused;
    lm_free(block);
}

/* Z_STREAM_END when the bytes unpack to exactly `size`. zlib counts in 32 bits, so both sides are handed over in
 * pieces. */
static int inflate_all(z_stream *z, const uint8_t *from, size_t packed, uint8_t *to, size_t size)
{
    enum { PIECE = 1 << 30 };
    uint8_t beyond; /* room for a byte too many, which must not come */
    int result = Z_OK;
    z->next_in = (Bytef *)from;
    z->next_out = to;
    while (result == Z_OK && z->next_out != &beyond + 1) {
        if (z->avail_in == 0) {
            z->avail_in = (unsigned)(packed < PIECE ? packed : PIECE);
            packed -= z->avail_in;
        }
        if (z->avail_out == 0) {
            z->avail_out = (unsigned)(size < PIECE ? size : PIECE);
            size -= z->avail_out;
        }
        if (z->avail_out == 0) {
            z->next_out = &beyond;
            z->avail_out = 1;
        }
        result = inflate(z, Z_NO_FLUSH);
    }
    bool exact = z->next_out == &beyond || (z->avail_out == 0 && size == 0 && z->next_out != &beyond + 1);
    return result == Z_STREAM_END && !exact ? Z_DATA_ERROR : result;
}

static lm_status unpack(const lm_zip *zip, const lm_zip_entry *e, const uint8_t *from, void **out)
{
    /* deflate makes at most 1,032 bytes of one */
    LM_REQUIRE(e->size / 1032 <= e->packed && e->size <= SIZE_MAX, LM_INPUT,
               "%s: entry '%s' claims to unpack to more than its bytes can hold", zip->name, e->name);
    z_stream z = {.zalloc = give, .zfree = take_back};
    uint8_t *to = lm_malloc((size_t)e->size, 1);
    if (!to)
        return LM_MEMORY;
    int begun = inflateInit2(&z, -15), result = begun; /* -15: no header of its own */
    if (begun == Z_OK)
        result = inflate_all(&z, from, (size_t)e->packed, to, (size_t)e->size);
    lm_status status = LM_OK;
    if (result == Z_MEM_ERROR)
        status = LM_MEMORY;
    else if (result != Z_STREAM_END)
        status = lm_fail(LM_INPUT, "%s: entry '%s' does not unpack to the %llu bytes it claims", zip->name, e->name,
                         (unsigned long long)e->size);
    if (begun == Z_OK)
        inflateEnd(&z);
    if (status == LM_OK)
        *out = to;
    else
        lm_free(to);
    return status;
}
#else
static lm_status unpack(const lm_zip *zip, const lm_zip_entry *e, const uint8_t *from, void **out)
{
    (void)from, (void)out;
    return lm_fail(LM_UNSUPPORTED,
                   "%s: entry '%s' is compressed, and Limn was built without zlib; save it uncompressed", zip->name,
                   e->name);
}
#endif

lm_status lm_zip_content(const lm_zip *zip, const lm_zip_entry *e, const uint8_t **bytes, size_t *count, void **owned)
{
    const uint8_t *local = span(zip, e->offset, LOCAL_BYTES), *from = NULL;
    if (local && number(local, 4) == LOCAL) {
        uint64_t skipped = LOCAL_BYTES + number(local + 26, 2) + number(local + 28, 2);
        if (span(zip, e->offset, skipped))
            from = span(zip, e->offset + skipped, e->packed);
    }
    LM_REQUIRE(from, LM_INPUT, "%s: entry '%s' lies outside the archive", zip->name, e->name);
    LM_REQUIRE(!(e->flags & ENCRYPTED), LM_UNSUPPORTED, "%s: entry '%s' is encrypted", zip->name, e->name);
    LM_REQUIRE(e->method == STORED || e->method == DEFLATED, LM_UNSUPPORTED,
               "%s: entry '%s' is compressed in a way (%u) that Limn cannot read", zip->name, e->name, e->method);
    LM_REQUIRE(e->method != STORED || e->packed == e->size, LM_INPUT, "%s: entry '%s' has two sizes", zip->name,
               e->name);
    void *unpacked = NULL;
    if (e->method == DEFLATED)
        LM_TRY(unpack(zip, e, from, &unpacked));
    const uint8_t *content = unpacked ? unpacked : from;
    if (lm_crc32(0, content, (size_t)e->size) != e->crc) {
        lm_free(unpacked);
        return lm_fail(LM_INPUT, "%s: entry '%s' is damaged: its checksum differs", zip->name, e->name);
    }
    *bytes = content;
    *count = (size_t)e->size;
    *owned = unpacked;
    return LM_OK;
}
