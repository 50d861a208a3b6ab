/* The header of a .npy file is a Python dictionary, such as
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 * read here by a cursor that never leaves it. */
#include "core/tensor/npy.h"

#include <inttypes.h>

#include "core/base/file.h"
#include "core/base/mem.h"

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
static const char host_order = '>', other_order = '<';
#else
static const char host_order = '<', other_order = '>';
#endif

/* NumPy's letter and size of each type; bfloat16 has none. */
static const struct {
    lm_dtype dt;
    char kind, size;
} codes[] = {
    {LM_F32, 'f', '4'}, {LM_F64, 'f', '8'}, {LM_F16, 'f', '2'}, {LM_I8, 'i', '1'},
    {LM_I16, 'i', '2'}, {LM_I32, 'i', '4'}, {LM_I64, 'i', '8'}, {LM_U8, 'u', '1'},
    {LM_U16, 'u', '2'}, {LM_U32, 'u', '4'}, {LM_U64, 'u', '8'}, {LM_BOOL, 'b', '1'},
};

/* What a header says. */
typedef struct npy_head {
    lm_dtype dt;
    lm_shape sh;
    bool fortran, swapped;
} npy_head;

typedef struct cursor {
    const char *at, *end;
    const char *file; /* for messages */
} cursor;

static void skip_blanks(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

/* Take `text` when it comes next. */
static bool take(cursor *c, const char *text)
{
    skip_blanks(c);
    size_t length = strlen(text);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, text, length) != 0)
        return false;
    c->at += length;
    return true;
}

static lm_status expect(cursor *c, const char *text)
{
    if (take(c, text))
        return LM_OK;
    return lm_fail(LM_INPUT, "%s: the header of the array needs '%s' where '%.*s' stands", c->file, text,
                   (int)(c->end - c->at < 12 ? c->end - c->at : 12), c->at);
}

/* A quoted text without escapes. */
static lm_status read_text(cursor *c, char *to, size_t room)
{
    skip_blanks(c);
    char quote = c->at < c->end ? *c->at : 0;
    if (quote != '\'' && quote != '"')
        return expect(c, "'");
    const char *from = ++c->at;
    while (c->at < c->end && *c->at != quote)
        c->at++;
    size_t length = (size_t)(c->at - from);
    LM_REQUIRE(c->at < c->end && length < room, LM_INPUT, "%s: the header of the array holds a text that does not end",
               c->file);
    memcpy(to, from, length);
    to[length] = 0;
    c->at++;
    return LM_OK;
}

static lm_status read_type(cursor *c, npy_head *head)
{
    char text[32];
    skip_blanks(c);
    LM_REQUIRE(c->at >= c->end || *c->at != '[', LM_UNSUPPORTED, "%s holds records; save each column as an array",
               c->file);
    LM_TRY(read_text(c, text, sizeof text));
    const char *code = text + (*text && strchr("<>=|", *text) ? 1 : 0);
    for (size_t i = 0; i < LM_COUNT(codes); i++)
        if (code[0] == codes[i].kind && code[1] == codes[i].size && !code[2]) {
            head->dt = codes[i].dt;
            head->swapped = *text == other_order && codes[i].size != '1';
            return LM_OK;
        }
    return lm_fail(LM_UNSUPPORTED, "%s: elements of type '%s'; numbers of 1 to 8 bytes and bool can be read", c->file,
                   text);
}

static lm_status read_size(cursor *c, int64_t *out)
{
    int64_t value = 0;
    const char *from = c->at;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
        LM_REQUIRE(!__builtin_mul_overflow(value, 10, &value) && !__builtin_add_overflow(value, *c->at - '0', &value),
                   LM_INPUT, "%s: a size in the shape has too many digits", c->file);
        c->at++;
    }
    LM_REQUIRE(c->at > from, LM_INPUT, "%s: the shape needs a number where '%.*s' stands", c->file,
               (int)(c->end - c->at < 12 ? c->end - c->at : 12), c->at);
    take(c, "L"); /* Python 2 */
    *out = value;
    return LM_OK;
}

/* "(3, 4)", "(3,)", "()" */
static lm_status read_shape(cursor *c, lm_shape *out)
{
    int64_t dim[LM_RANK];
    int rank = 0;
    LM_TRY(expect(c, "("));
    while (!take(c, ")")) {
        LM_REQUIRE(rank < LM_RANK, LM_UNSUPPORTED, "%s has more than %d axes", c->file, LM_RANK);
        skip_blanks(c);
        LM_TRY(read_size(c, &dim[rank++]));
        if (!take(c, ",")) {
            LM_TRY(expect(c, ")"));
            break;
        }
    }
    return lm_context(lm_shape_make(rank, dim, out), "%s", c->file);
}

static lm_status read_head(cursor *c, npy_head *out)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    npy_head head = {0};
    unsigned seen = 0;
    LM_TRY(expect(c, "{"));
    while (!take(c, "}")) {
        char key[32];
        LM_TRY(read_text(c, key, sizeof key));
        unsigned which = 0;
        while (which < LM_COUNT(keys) && strcmp(key, keys[which]) != 0)
            which++;
        LM_REQUIRE(which < LM_COUNT(keys) && !(seen >> which & 1), LM_INPUT,
                   "%s: '%s' in the header of the array is unknown or there twice", c->file, key);
        seen |= 1u << which;
        LM_TRY(expect(c, ":"));
        if (which == 0)
            LM_TRY(read_type(c, &head));
        else if (which == 2)
            LM_TRY(read_shape(c, &head.sh));
        else if (take(c, "True"))
            head.fortran = true;
        else
            LM_TRY(expect(c, "False"));
        if (!take(c, ",")) {
            LM_TRY(expect(c, "}"));
            break;
        }
    }
    skip_blanks(c);
    LM_REQUIRE(seen == 7 && c->at == c->end, LM_INPUT,
               "%s: the header of the array must hold 'descr', 'fortran_order' and 'shape' and nothing else", c->file);
    *out = head;
    return LM_OK;
}

static void swap_bytes(char *at, int64_t count, size_t size)
{
    for (; count > 0; count--, at += size)
        for (size_t i = 0; i < size / 2; i++) {
            char kept = at[i];
            at[i] = at[size - 1 - i];
            at[size - 1 - i] = kept;
        }
}

/* The same elements row by row, from a tensor whose memory counts the first axis fastest. */
static lm_status turn_rows(lm_view *v)
{
    lm_view columns = *v, rows;
    int64_t step = 1;
    for (int i = 0; i < v->sh.rank; i++) {
        columns.st[i] = step;
        step *= v->sh.dim[i];
    }
    LM_TRY(lm_view_new(v->dt, &v->sh, &rows));
    lm_status status = lm_view_copy(&rows, &columns);
    lm_buffer_unref(status == LM_OK ? v->buf : rows.buf);
    if (status == LM_OK)
        *v = rows;
    return status;
}

static lm_status read_elements(const npy_head *head, const uint8_t *from, size_t bytes, const char *name, lm_view *out)
{
    char text[LM_SHAPE_TEXT];
    int64_t count = lm_shape_count(&head->sh);
    size_t size = lm_dtype_size(head->dt), wanted;
    LM_REQUIRE((uint64_t)count <= SIZE_MAX && lm_mul_size((size_t)count, size, &wanted) && wanted == bytes, LM_INPUT,
               "%s: a %s array of shape %s does not take the %zu bytes that follow its header", name,
               lm_dtype_name(head->dt), lm_shape_text(&head->sh, text), bytes);
    lm_view v;
    LM_TRY(lm_view_new(head->dt, &head->sh, &v));
    uint8_t *to = lm_view_data(&v);
    memcpy(to, from, bytes);
    if (head->swapped)
        swap_bytes((char *)to, count, size);
    for (size_t i = 0; head->dt == LM_BOOL && i < bytes; i++)
        to[i] = to[i] != 0;
    lm_status status = head->fortran && head->sh.rank > 1 && count > 0 ? turn_rows(&v) : LM_OK;
    if (status != LM_OK) {
        lm_buffer_unref(v.buf);
        return status;
    }
    *out = v;
    return LM_OK;
}

lm_status lm_npy_parse(const void *bytes, size_t count, const char *name, lm_view *out)
{
    enum { LONGEST = 65535 }; /* of a header; with 8 axes 200 bytes are enough */
    const uint8_t *at = bytes;
    LM_REQUIRE(count >= 10 && memcmp(at, magic, sizeof magic) == 0, LM_INPUT, "%s is no .npy file", name);
    LM_REQUIRE(at[6] >= 1 && at[6] <= 3 && at[7] == 0, LM_UNSUPPORTED,
               "%s has version %d.%d of .npy; 1.0 to 3.0 can be read", name, at[6], at[7]);
    size_t begin = at[6] == 1 ? 10 : 12, length = at[8] | (size_t)at[9] << 8;
    if (begin == 12 && count >= 12)
        length |= (size_t)at[10] << 16 | (size_t)at[11] << 24;
    LM_REQUIRE(count >= begin && length <= LONGEST && length <= count - begin, LM_INPUT,
               "%s: the header of the array claims %zu bytes", name, length);
    npy_head head;
    const char *text = (const char *)at + begin;
    LM_TRY(read_head(&(cursor){text, text + length, name}, &head));
    return read_elements(&head, at + begin + length, count - begin - length, name, out);
}

lm_status lm_npy_read(const char *path, lm_view *out)
{
    lm_file file;
    LM_TRY(lm_file_map(path, &file));
    lm_status status = lm_npy_parse(file.bytes, file.size, path, out);
    lm_file_unmap(&file);
    return status;
}

lm_status lm_npy_header(lm_dtype dt, const lm_shape *sh, lm_str *out)
{
    size_t which = 0;
    while (which < LM_COUNT(codes) && codes[which].dt != dt)
        which++;
    LM_REQUIRE(which < LM_COUNT(codes), LM_UNSUPPORTED, "NumPy has no type for %s", lm_dtype_name(dt));
    lm_str text = {0};
    lm_str_printf(&text, "{'descr': '%c%c%c', 'fortran_order': False, 'shape': (",
                  codes[which].size == '1' ? '|' : host_order, codes[which].kind, codes[which].size);
    for (int i = 0; i < sh->rank; i++)
        lm_str_printf(&text, "%s%" PRId64, i ? ", " : "", sh->dim[i]);
    lm_str_printf(&text, "%s), }", sh->rank == 1 ? "," : "");
    /* elements begin at a multiple of 64, with an end of line before them */
    while ((10 + text.count + 1) % 64 != 0 && text.status == LM_OK)
        lm_str_char(&text, ' ');
    lm_str_char(&text, '\n');
    const uint8_t about[4] = {1, 0, (uint8_t)text.count, (uint8_t)(text.count >> 8)};
    lm_str_add_bytes(out, magic, sizeof magic);
    lm_str_add_bytes(out, about, sizeof about);
    lm_str_add_bytes(out, lm_str_text(&text), text.count);
    lm_status status = text.status == LM_OK ? out->status : text.status;
    lm_str_free(&text);
    return status;
}

lm_status lm_npy_parts(const lm_view *v, lm_str *header, lm_view *row)
{
    lm_dtype dt = v->dt == LM_BF16 ? LM_F32 : v->dt;
    LM_TRY(lm_npy_header(dt, &v->sh, header));
    if (dt == v->dt && lm_view_is_row(v)) {
        *row = *v;
        lm_buffer_ref(v->buf);
        return LM_OK;
    }
    lm_view copy;
    LM_TRY(lm_view_new(dt, &v->sh, &copy));
    lm_status status = LM_OK;
    if (dt == v->dt)
        status = lm_view_copy(&copy, v);
    else
        for (int64_t i = 0, n = lm_shape_count(&v->sh); i < n; i++)
            lm_view_set(&copy, i, lm_view_get(v, i));
    if (status != LM_OK) {
        lm_buffer_unref(copy.buf);
        return status;
    }
    *row = copy;
    return LM_OK;
}

lm_status lm_npy_write(const char *path, const lm_view *v)
{
    lm_str header = {0};
    lm_view row = {0};
    lm_out out = {.fd = -1};
    lm_status status = lm_npy_parts(v, &header, &row);
    if (status == LM_OK)
        status = lm_out_open(path, &out);
    if (status == LM_OK)
        status = lm_out_write(&out, header.text, header.count);
    if (status == LM_OK)
        status = lm_out_write(&out, lm_view_data(&row), (size_t)lm_shape_count(&row.sh) * lm_dtype_size(row.dt));
    if (status == LM_OK)
        status = lm_out_commit(&out);
    else
        lm_out_drop(&out);
    lm_buffer_unref(row.buf);
    lm_str_free(&header);
    return status;
}
