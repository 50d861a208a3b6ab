/* The decoder: walks a message once to count its repeated fields and once to fill them, by the tables. */
#include "core/model/proto.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/model/external.h"
#include "core/model/proto_table.h"

/* The newest format there is a definition of; a newer one is read as far as it is understood. */
enum { NEWEST_IR = 14 };

static lm_status decode(lm_arena *arena, const onnx_message *message, lm_slice bytes, void *base, int depth);

static const onnx_field *find(const onnx_message *message, uint32_t number)
{
    for (size_t i = 0; i < message->n_fields; i++)
        if (message->fields[i].number == number)
            return &message->fields[i];
    return NULL;
}

static bool is_number(const onnx_field *row)
{
    return row->kind <= ONNX_K_FLOAT;
}

static lm_pb_wire wire_of(const onnx_field *row)
{
    return row->kind == ONNX_K_FLOAT ? LM_PB_FIXED32 : is_number(row) ? LM_PB_VARINT : LM_PB_BYTES;
}

static size_t item_bytes(const onnx_field *row)
{
    switch ((onnx_kind)row->kind) {
    case ONNX_K_INT32: return sizeof(int32_t);
    case ONNX_K_INT64: return sizeof(int64_t);
    case ONNX_K_FLOAT: return sizeof(float);
    case ONNX_K_NAME: return sizeof(char *);
    case ONNX_K_BYTES: return sizeof(onnx_bytes);
    case ONNX_K_SLICE: return sizeof(lm_slice);
    default: return row->of->size;
    }
}

/* Names are quoted in messages, so they must not break a line or a terminal, nor fill the message. */
static void printable(const char *name, char out[64])
{
    size_t i = 0;
    for (; name[i] && i < 63; i++)
        out[i] = (unsigned char)name[i] < ' ' || name[i] == 127 ? '?' : name[i];
    if (name[i])
        memcpy(out + 60, "...", 3);
    out[i] = 0;
}

/* "node 17 ('conv1', Conv)": where a failure happened, as far as it is known by then. Far inside, the places around it
 * give way to the reason. */
static lm_status where(lm_status status, const onnx_field *row, const void *item, size_t index, int depth)
{
    enum { TOLD = 16 };
    if (status == LM_OK || !row->what || status == LM_MEMORY || depth > TOLD)
        return status;
    if (depth == TOLD)
        return lm_context(status, "...");
    const char *kind = NULL, *name = row->of->name ? row->of->name(item, &kind) : NULL;
    char quoted[64] = "", op[64] = "";
    if (name && name[0])
        printable(name, quoted);
    if (kind && kind[0])
        printable(kind, op);
    char number[24] = "";
    if (row->repeated && (op[0] || !quoted[0]))
        snprintf(number, sizeof number, " %zu", index);
    if (op[0])
        return quoted[0] ? lm_context(status, "%s%s ('%s', %s)", row->what, number, quoted, op)
                         : lm_context(status, "%s%s (%s)", row->what, number, op);
    return quoted[0] ? lm_context(status, "%s '%s'", row->what, quoted)
                     : lm_context(status, "%s%s", row->what, number);
}

static lm_status copy_bytes(lm_arena *arena, lm_slice from, onnx_bytes *out)
{
    size_t room;
    if (!lm_add_size(from.count, 1, &room))
        return lm_fail(LM_MEMORY, "a text of %zu bytes does not fit in memory", from.count);
    char *text = lm_arena_alloc(arena, room, 1);
    if (!text)
        return LM_MEMORY;
    if (from.count)
        memcpy(text, from.at, from.count);
    *out = (onnx_bytes){text, from.count};
    return LM_OK;
}

static lm_status copy_name(lm_arena *arena, lm_slice from, const onnx_field *row, const char **out)
{
    if (from.count == 0) {
        *out = "";
        return LM_OK;
    }
    LM_REQUIRE(!memchr(from.at, 0, from.count), LM_INPUT, "%s holds a zero byte", row->what);
    onnx_bytes copy = {0};
    LM_TRY(copy_bytes(arena, from, &copy));
    *out = copy.text;
    return LM_OK;
}

static lm_status store_number(const onnx_field *row, uint64_t bits, void *to)
{
    int64_t whole = (int64_t)bits;
    int32_t narrow = (int32_t)whole;
    uint32_t single = (uint32_t)bits;
    LM_REQUIRE(row->kind != ONNX_K_INT32 || narrow == whole, LM_INPUT, "%s is %lld, which has more than 32 bits",
               row->what, (long long)whole);
    if (row->kind == ONNX_K_INT64)
        memcpy(to, &whole, sizeof whole);
    else if (row->kind == ONNX_K_INT32)
        memcpy(to, &narrow, sizeof narrow);
    else
        memcpy(to, &single, sizeof single);
    return LM_OK;
}

/* All numbers of one field, one after the other from `to`. */
static lm_status store_numbers(const onnx_field *row, const lm_pb_field *field, char *to)
{
    lm_pb pb = lm_pb_numbers(field);
    while (lm_pb_more(&pb)) {
        uint64_t bits;
        LM_TRY(lm_pb_number(&pb, wire_of(row), &bits));
        LM_TRY(store_number(row, bits, to));
        to += item_bytes(row);
    }
    return LM_OK;
}

/* One message behind a pointer; a second one would have to be merged into the first, which nobody means. */
static lm_status store_message(lm_arena *arena, const onnx_field *row, lm_slice bytes, void *to, int depth)
{
    void *item;
    memcpy(&item, to, sizeof item);
    LM_REQUIRE(!item, LM_INPUT, "%s is there twice", row->what ? row->what : "the graph");
    item = lm_arena_alloc(arena, 1, row->of->size);
    if (!item)
        return LM_MEMORY;
    memcpy(to, &item, sizeof item);
    return where(decode(arena, row->of, bytes, item, depth + 1), row, item, 0, depth);
}

static lm_status set_flag(const onnx_field *row, char *base)
{
    int32_t old, now = row->flag;
    if (!row->flag)
        return LM_OK;
    memcpy(&old, base + row->flag_at, sizeof old);
    bool again = row->kind == ONNX_K_INLINE && old == now;
    LM_REQUIRE(!again, LM_INPUT, "%s is there twice", row->what);
    LM_REQUIRE(!old || old == now, LM_INPUT, "%s stands beside a value of another kind", row->what);
    memcpy(base + row->flag_at, &now, sizeof now);
    return LM_OK;
}

/* Put one field where it belongs; `index` counts the items of a repeated one, and moves on. */
static lm_status store(lm_arena *arena, const onnx_field *row, const lm_pb_field *field, lm_slice message, char *base,
                       size_t *index, int depth)
{
    bool list = row->repeated && is_number(row); /* whose storage lm_pb_count has looked at */
    LM_REQUIRE(field->wire == wire_of(row) || list || row->kind == ONNX_K_TYPED, LM_INPUT,
               "%s (field %u) is stored as another type", row->what ? row->what : "the graph", field->number);
    LM_TRY(set_flag(row, base));
    char *to = base + row->at;
    size_t at = *index;
    if (row->repeated) {
        memcpy(&to, base + row->at, sizeof to);
        if (to) /* a field of no numbers at all has no array */
            to += at * item_bytes(row);
        size_t more = 1;
        if (list)
            LM_TRY(lm_pb_count(field, wire_of(row), &more));
        *index += more;
    }
    switch ((onnx_kind)row->kind) {
    case ONNX_K_NAME: return copy_name(arena, field->bytes, row, (const char **)(void *)to);
    case ONNX_K_BYTES: return copy_bytes(arena, field->bytes, (onnx_bytes *)(void *)to);
    case ONNX_K_SLICE: *(lm_slice *)(void *)to = field->bytes; return LM_OK;
    case ONNX_K_TYPED: *(lm_slice *)(void *)to = message; return LM_OK;
    case ONNX_K_COUNT: *(size_t *)(void *)to += 1; return LM_OK;
    case ONNX_K_INLINE: return where(decode(arena, row->of, field->bytes, to, depth + 1), row, to, 0, depth);
    case ONNX_K_MESSAGE:
        return row->repeated ? where(decode(arena, row->of, field->bytes, to, depth + 1), row, to, at, depth)
                             : store_message(arena, row, field->bytes, to, depth);
    default:
        return row->repeated ? store_numbers(row, field, to) : store_number(row, field->value, to);
    }
}

/* Add up the items of repeated fields, into their counts. */
static lm_status count_items(const onnx_message *message, lm_slice bytes, char *base)
{
    lm_pb pb = lm_pb_over(bytes);
    while (lm_pb_more(&pb)) {
        lm_pb_field field;
        LM_TRY(lm_pb_next(&pb, &field));
        const onnx_field *row = find(message, field.number);
        size_t more = 1;
        if (!row || !row->repeated)
            continue;
        if (is_number(row))
            LM_TRY(lm_pb_count(&field, wire_of(row), &more));
        *(size_t *)(void *)(base + row->count_at) += more;
    }
    return LM_OK;
}

/* Make the arrays, exactly as long as they will be, and empty texts. */
static lm_status allocate(lm_arena *arena, const onnx_message *message, lm_slice bytes, char *base)
{
    bool lists = false;
    for (size_t i = 0; i < message->n_fields; i++) {
        const onnx_field *row = &message->fields[i];
        lists |= row->repeated;
        if (!row->repeated && row->kind == ONNX_K_NAME)
            *(const char **)(void *)(base + row->at) = "";
    }
    if (!lists)
        return LM_OK;
    LM_TRY(count_items(message, bytes, base));
    for (size_t i = 0; i < message->n_fields; i++) {
        const onnx_field *row = &message->fields[i];
        size_t count = row->repeated ? *(size_t *)(void *)(base + row->count_at) : 0;
        if (!count)
            continue;
        void *items = lm_arena_alloc(arena, count, item_bytes(row));
        if (!items)
            return LM_MEMORY;
        memcpy(base + row->at, &items, sizeof items);
    }
    return LM_OK;
}

/* `base` is a cleared struct of the message. */
static lm_status decode(lm_arena *arena, const onnx_message *message, lm_slice bytes, void *base, int depth)
{
    LM_REQUIRE(depth < LM_PB_DEPTH, LM_INPUT, "more than %d messages inside each other", (int)LM_PB_DEPTH);
    LM_TRY(allocate(arena, message, bytes, base));
    size_t done[32] = {0}; /* by row: items of a repeated field */
    lm_pb pb = lm_pb_over(bytes);
    while (lm_pb_more(&pb)) {
        lm_pb_field field;
        LM_TRY(lm_pb_next(&pb, &field));
        const onnx_field *row = find(message, field.number);
        if (row)
            LM_TRY(store(arena, row, &field, bytes, base, &done[row - message->fields], depth));
    }
    return message->check ? message->check(base) : LM_OK;
}

static lm_status parse_bare(const void *bytes, size_t count, const char *name, const onnx_message *message,
                            lm_arena *arena, void **out)
{
    void *item = lm_arena_alloc(arena, 1, message->size);
    if (!item)
        return LM_MEMORY;
    lm_status status = decode(arena, message, (lm_slice){bytes, count}, item, 0);
    if (status != LM_OK)
        return status == LM_INPUT ? lm_context(status, "%s", name ? name : "data") : status;
    *out = item;
    return LM_OK;
}

lm_status onnx_tensor_parse(const void *bytes, size_t count, const char *name, lm_arena *arena, onnx_tensor **out)
{
    void *item = NULL;
    LM_TRY(parse_bare(bytes, count, name, &onnx_tensor_message, arena, &item));
    *out = item;
    return LM_OK;
}

lm_status onnx_sequence_parse(const void *bytes, size_t count, const char *name, lm_arena *arena, onnx_sequence **out)
{
    void *item = NULL;
    LM_TRY(parse_bare(bytes, count, name, &onnx_sequence_message, arena, &item));
    *out = item;
    return LM_OK;
}

lm_status onnx_optional_parse(const void *bytes, size_t count, const char *name, lm_arena *arena, onnx_optional **out)
{
    void *item = NULL;
    LM_TRY(parse_bare(bytes, count, name, &onnx_optional_message, arena, &item));
    *out = item;
    return LM_OK;
}

static lm_status check_model(const onnx_model *m)
{
    LM_REQUIRE(m->graph, LM_INPUT, "there is no graph in it; is it an ONNX model?");
    bool standard = false;
    for (size_t i = 0; i < m->n_opsets; i++)
        standard |= !m->opsets[i].domain[0] || strcmp(m->opsets[i].domain, "ai.onnx") == 0;
    /* a model that only uses other domains need not name the default one */
    bool needed = false;
    for (size_t i = 0; i < m->graph->n_nodes; i++)
        needed |= !m->graph->nodes[i].domain[0] || strcmp(m->graph->nodes[i].domain, "ai.onnx") == 0;
    LM_REQUIRE(standard || !needed || (m->ir_version > 0 && m->ir_version < 3), LM_INPUT,
               "it does not say which version of the standard operators it uses (opset_import)");
    if (m->ir_version < 1 || m->ir_version > NEWEST_IR)
        lm_log(LM_LOG_WARN, "%s: IR version %lld is not known; newer than %d may hold what is not read", m->path,
               (long long)m->ir_version, (int)NEWEST_IR);
    return LM_OK;
}

/* What a file that cannot be read is instead, by its first bytes; NULL: nobody knows. */
static const char *other_form(lm_slice bytes)
{
    static const struct {
        const char *text, *what;
        size_t at, count;
    } forms[] = {{"\x89PNG", "a PNG picture", 0, 4},
                 {"\xff\xd8\xff", "a JPEG picture", 0, 3},
                 {"PK\003\004", "a ZIP archive, as .npz and .pt files are", 0, 4},
                 {"\x80\002", "a pickle of Python, as old .pt files are", 0, 2},
                 {"\x80\004", "a pickle of Python", 0, 2},
                 {"\x93NUMPY", "a NumPy array", 0, 6},
                 {"\x89HDF\r\n", "an HDF5 file", 0, 6},
                 {"{\"", "a safetensors file", 8, 2},
                 {"TFL3", "a TensorFlow Lite model", 4, 4},
                 {"GGUF", "a GGUF model", 0, 4},
                 {"oid sha256:", "a pointer of Git LFS to a file that was not fetched", 43, 11},
                 {"<!doctype html", "an HTML page", 0, 14},
                 {"<html", "an HTML page", 0, 5},
                 {"\x1f\x8b", "compressed by gzip", 0, 2}};
    const char *p = (const char *)bytes.at;
    for (size_t i = 0; i < LM_COUNT(forms); i++)
        if (bytes.count >= forms[i].at + forms[i].count &&
            strncasecmp(p + forms[i].at, forms[i].text, forms[i].count) == 0)
            return forms[i].what;
    size_t text = 0;
    while (text < bytes.count && text < 256 && p[text] &&
           (strchr("\t\n\r", p[text]) || (p[text] >= ' ' && p[text] < 127)))
        text++;
    return text && (text == bytes.count || text == 256) ? "a text" : NULL;
}

/* Is its first field one that models have? */
static bool begins_as_model(lm_slice bytes)
{
    lm_pb pb = lm_pb_over(bytes);
    uint64_t tag;
    const onnx_field *row =
        lm_pb_varint(&pb, &tag) == LM_OK && tag >> 3 < 32 ? find(&onnx_model_message, (uint32_t)(tag >> 3)) : NULL;
    return row && (tag & 7) == wire_of(row);
}

static lm_status read_model(onnx_model *m, lm_slice bytes, const char *folder, const char *allow_links)
{
    LM_TRY(onnx_files_open(folder, allow_links, &m->files));
    lm_status status = decode(&m->arena, &onnx_model_message, bytes, m, 0);
    if (status == LM_OK)
        status = check_model(m);
    const char *other = status == LM_INPUT ? other_form(bytes) : NULL;
    if (other)
        return lm_fail(LM_INPUT, "is %s, no ONNX model; give a .onnx file", other);
    if (status != LM_INPUT || !bytes.count || begins_as_model(bytes))
        return status;
    return lm_fail(LM_INPUT, "is no ONNX model: its first bytes are those of no such file; give a .onnx file");
}

/* The folder a file lies in: "models" of "models/a.onnx", "." of "a.onnx". */
static lm_status folder_of(lm_arena *arena, const char *path, const char **out)
{
    const char *slash = strrchr(path, '/');
    size_t count = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
    char *copy = lm_arena_alloc(arena, count + 2, 1);
    if (!copy)
        return LM_MEMORY;
    memcpy(copy, slash ? path : ".", slash ? count : 1);
    *out = copy;
    return LM_OK;
}

static lm_status finish(onnx_model *m, lm_status status, onnx_model **out)
{
    if (status == LM_OK) {
        *out = m;
        return LM_OK;
    }
    if (status == LM_INPUT)
        lm_context(status, "%s", m->path);
    onnx_model_close(m);
    return status;
}

lm_status onnx_model_open(const char *path, const onnx_open_options *options, onnx_model **out)
{
    onnx_model *m;
    LM_NEW(m);
    const char *folder, *links = options ? options->allow_links : NULL;
    lm_status status = lm_file_map(path, &m->file);
    if (status != LM_OK) {
        onnx_model_close(m); /* the message names the path already */
        return status;
    }
    m->path = lm_arena_strdup(&m->arena, path);
    if (!m->path || folder_of(&m->arena, path, &folder) != LM_OK)
        return finish(m, LM_MEMORY, out);
    return finish(m, read_model(m, (lm_slice){m->file.bytes, m->file.size}, folder, links), out);
}

lm_status onnx_model_parse(const void *bytes, size_t count, const onnx_open_options *options, onnx_model **out)
{
    static const onnx_open_options none;
    const onnx_open_options *o = options ? options : &none;
    onnx_model *m;
    LM_NEW(m);
    m->path = lm_arena_strdup(&m->arena, o->name ? o->name : "model");
    if (!m->path)
        return finish(m, LM_MEMORY, out);
    return finish(m, read_model(m, (lm_slice){bytes, count}, o->folder, o->allow_links), out);
}

void onnx_model_close(onnx_model *model)
{
    if (!model)
        return;
    onnx_files_close(model->files);
    lm_file_unmap(&model->file);
    lm_arena_free(&model->arena);
    lm_free(model);
}
