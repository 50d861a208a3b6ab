/* Reading IDX: two zero bytes, a type, the number of axes, their sizes, then the numbers; all with the high byte first.
 */
#include "core/data/idx.h"

#include <limits.h>
#include <string.h>

#ifdef LM_HAVE_ZLIB
#include <zlib.h>
#endif

#include "core/base/file.h"
#include "core/base/mem.h"

/* Where the bytes come from: the file itself, or what it unpacks to. */
typedef struct source {
    const uint8_t *bytes; /* what is left of the file */
    size_t count;
    const char *name;
    bool packed, ended; /* ended: its checksum too was read */
#ifdef LM_HAVE_ZLIB
    z_stream z;
#endif
} source;

/* No byte of deflated data stands for more than this many. */
enum { MOST_PER_BYTE = 1032 };

static lm_status cut_off(const source *s)
{
    return lm_fail(LM_INPUT, "%s: the file ends before its numbers do; fetch it again", s->name);
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

/* The next bytes of the content; *got may be less than asked at the end. */
static lm_status unpack(source *s, uint8_t *to, size_t count, size_t *got)
{
    for (*got = 0; *got < count && !s->ended;) {
        const size_t room = count - *got < INT_MAX ? count - *got : INT_MAX,
                     have = s->count < INT_MAX ? s->count : INT_MAX;
        s->z.next_in = (Bytef *)s->bytes;
        s->z.avail_in = (uInt)have;
        s->z.next_out = to + *got;
        s->z.avail_out = (uInt)room;
        const int result = inflate(&s->z, Z_NO_FLUSH);
        s->bytes += have - s->z.avail_in;
        s->count -= have - s->z.avail_in;
        *got += room - s->z.avail_out;
        s->ended = result == Z_STREAM_END;
        LM_REQUIRE(result != Z_MEM_ERROR, LM_MEMORY, "%s: cannot be unpacked: no memory", s->name);
        if (result == Z_BUF_ERROR && !s->count)
            return LM_OK;
        LM_REQUIRE(result == Z_OK || s->ended, LM_INPUT, "%s: its packed content is damaged; fetch it again", s->name);
    }
    return LM_OK;
}

static lm_status begin(source *s)
{
    s->packed = s->count >= 2 && s->bytes[0] == 0x1f && s->bytes[1] == 0x8b;
    s->z.zalloc = give;
    s->z.zfree = take_back;
    if (s->packed) /* 15 bits of window, 16: with the header of gzip */
        LM_REQUIRE(inflateInit2(&s->z, 15 + 16) == Z_OK, LM_MEMORY, "%s: cannot be unpacked: no memory", s->name);
    return LM_OK;
}

static void end(source *s)
{
    if (s->packed)
        inflateEnd(&s->z);
}
#else
static lm_status unpack(source *s, uint8_t *to, size_t count, size_t *got)
{
    (void)to;
    (void)count;
    (void)got;
    return cut_off(s);
}

static lm_status begin(source *s)
{
    LM_REQUIRE(s->count < 2 || s->bytes[0] != 0x1f || s->bytes[1] != 0x8b, LM_UNSUPPORTED,
               "%s: this build unpacks nothing; build it with zlib, or unpack the file with gunzip", s->name);
    return LM_OK;
}

static void end(source *s)
{
    (void)s;
}
#endif

static lm_status take(source *s, void *to, size_t count)
{
    size_t got = count;
    if (s->packed)
        LM_TRY(unpack(s, to, count, &got));
    else if (s->count < count)
        return cut_off(s);
    else if (count)
        memcpy(to, s->bytes, count);
    if (got < count)
        return cut_off(s);
    if (!s->packed) {
        s->bytes += count;
        s->count -= count;
    }
    return LM_OK;
}

static const struct {
    uint8_t code;
    lm_dtype type;
} types[] = {{0x08, LM_U8}, {0x09, LM_I8}, {0x0b, LM_I16}, {0x0c, LM_I32}, {0x0d, LM_F32}, {0x0e, LM_F64}};

static lm_status read_head(source *s, lm_dtype *type, lm_shape *sh)
{
    uint8_t head[4], size[4];
    int64_t dim[LM_RANK] = {0};
    size_t t = 0, bytes, most;
    LM_TRY(take(s, head, sizeof head));
    while (t < LM_COUNT(types) && types[t].code != head[2])
        t++;
    LM_REQUIRE(head[0] == 0 && head[1] == 0 && t < LM_COUNT(types) && head[3] >= 1 && head[3] <= LM_RANK, LM_INPUT,
               "%s: is no IDX file; give one that begins as images-idx3-ubyte does", s->name);
    for (int i = 0; i < head[3]; i++) {
        LM_TRY(take(s, size, sizeof size));
        dim[i] = (int64_t)size[0] << 24 | size[1] << 16 | size[2] << 8 | size[3];
    }
    *type = types[t].type;
    LM_TRY(lm_context(lm_shape_make(head[3], dim, sh), "%s", s->name));
    /* Before memory is taken for it: can the file hold what it promises? */
    LM_REQUIRE(lm_mul_size((size_t)lm_shape_count(sh), lm_dtype_size(*type), &bytes), LM_INPUT,
               "%s: claims more numbers than there can be; fetch it again", s->name);
    most =
        s->packed ? (s->count > SIZE_MAX / MOST_PER_BYTE - 64 ? SIZE_MAX : (s->count + 64) * MOST_PER_BYTE) : s->count;
    return bytes <= most ? LM_OK : cut_off(s);
}

/* High byte first to the order of this machine. */
static void turn(uint8_t *at, size_t count, size_t size)
{
    const uint16_t probe = 1;
    if (size == 1 || !*(const uint8_t *)&probe)
        return;
    for (; count; count--, at += size)
        for (size_t i = 0; i < size / 2; i++) {
            const uint8_t kept = at[i];
            at[i] = at[size - 1 - i];
            at[size - 1 - i] = kept;
        }
}

static lm_status read_all(source *s, lm_view *out)
{
    lm_dtype type = LM_U8;
    lm_shape sh;
    uint8_t more;
    LM_TRY(read_head(s, &type, &sh));
    LM_TRY(lm_view_new(type, &sh, out));
    const size_t n = (size_t)lm_shape_count(&sh), size = lm_dtype_size(type);
    lm_status status = n ? take(s, lm_view_data(out), n * size) : LM_OK;
    if (status == LM_OK) {
        size_t left = 0;
        if (s->packed)
            status = unpack(s, &more, 1, &left);
        if (status == LM_OK && s->packed && !left && !s->ended)
            status = cut_off(s);
        if (status == LM_OK && left + s->count)
            status = lm_fail(LM_INPUT, "%s: goes on behind its last number; fetch it again", s->name);
    }
    if (status != LM_OK) {
        lm_buffer_unref(out->buf);
        out->buf = NULL;
        return status;
    }
    if (n)
        turn(lm_view_data(out), n, size);
    return LM_OK;
}

lm_status lm_idx_parse(const void *bytes, size_t count, const char *name, lm_view *out)
{
    source s = {.bytes = bytes, .count = count, .name = name};
    LM_TRY(begin(&s));
    lm_status status = read_all(&s, out);
    end(&s);
    return status;
}

lm_status lm_idx_read(const char *path, lm_view *out)
{
    lm_file file;
    LM_TRY(lm_file_map(path, &file));
    lm_status status = lm_idx_parse(file.bytes, file.size, path, out);
    lm_file_unmap(&file);
    return status;
}
