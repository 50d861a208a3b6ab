/* The encoder walks the reader's tables twice: first to learn the length of every message, which stands before it in
 * the file, then to write. */
#include "core/model/onnx_write.h"

#include <string.h>

#include "core/base/file.h"
#include "core/base/vec.h"
#include "core/model/proto_table.h"

/* Bytes gathered before they go to the file; larger pieces go there directly. */
enum { GATHER = 1 << 16 };

typedef struct sink {
    bool measuring;
    size_t count;          /* while measuring: bytes so far */
    LM_VEC(size_t) length; /* of the messages, in the order in which they begin */
    size_t next;           /* while writing: which of them begins next */
    lm_str *text;
    lm_out *file; /* NULL: everything stays in `text` */
    lm_status status;
} sink;

static void emit(sink *s, const onnx_message *message, const char *base);

static void keep(sink *s, lm_status status)
{
    if (s->status == LM_OK)
        s->status = status;
}

static void flush(sink *s)
{
    keep(s, s->text->status);
    if (s->status == LM_OK && s->text->count)
        keep(s, lm_out_write(s->file, s->text->text, s->text->count));
    lm_str_clear(s->text);
}

static void put_bytes(sink *s, const void *bytes, size_t count)
{
    if (s->measuring) {
        s->count += count;
        return;
    }
    if (s->file && s->text->count + count > GATHER)
        flush(s);
    if (s->file && count > GATHER && s->status == LM_OK)
        keep(s, lm_out_write(s->file, bytes, count));
    else
        lm_str_add_bytes(s->text, bytes, count);
}

static void put_varint(sink *s, uint64_t value)
{
    if (s->measuring)
        s->count += lm_pb_varint_bytes(value);
    else
        lm_pb_put_varint(s->text, value);
}

static void put_tag(sink *s, const onnx_field *row, lm_pb_wire wire)
{
    put_varint(s, (uint64_t)row->number << 3 | (uint64_t)wire);
}

static void put_text(sink *s, const onnx_field *row, const void *bytes, size_t count)
{
    put_tag(s, row, LM_PB_BYTES);
    put_varint(s, count);
    put_bytes(s, bytes, count);
}

static void put_message(sink *s, const onnx_field *row, const char *base)
{
    put_tag(s, row, LM_PB_BYTES);
    if (!s->measuring) {
        put_varint(s, s->length.at[s->next++]);
        emit(s, row->of, base);
        return;
    }
    size_t which = s->length.count, start = s->count;
    keep(s, lm_vec_push(&s->length, 0));
    if (s->status != LM_OK)
        return;
    emit(s, row->of, base);
    s->length.at[which] = s->count - start;
    put_varint(s, s->count - start);
}

static uint64_t number_at(const onnx_field *row, const char *at)
{
    int64_t whole = 0;
    int32_t narrow;
    uint32_t single;
    switch ((onnx_kind)row->kind) {
    case ONNX_K_INT32: memcpy(&narrow, at, sizeof narrow); return (uint64_t)(int64_t)narrow;
    case ONNX_K_FLOAT: memcpy(&single, at, sizeof single); return single;
    default: memcpy(&whole, at, sizeof whole); return (uint64_t)whole;
    }
}

static void put_number(sink *s, const onnx_field *row, const char *at)
{
    uint64_t bits = number_at(row, at);
    if (row->kind == ONNX_K_FLOAT) {
        char bytes[4] = {(char)bits, (char)(bits >> 8), (char)(bits >> 16), (char)(bits >> 24)};
        put_tag(s, row, LM_PB_FIXED32);
        put_bytes(s, bytes, sizeof bytes);
    } else {
        put_tag(s, row, LM_PB_VARINT);
        put_varint(s, bits);
    }
}

/* The fields of one number, as they stand in the message that was read. */
static void put_typed(sink *s, const onnx_field *row, lm_slice message)
{
    lm_pb pb = lm_pb_over(message);
    while (lm_pb_more(&pb)) {
        lm_pb_field field;
        lm_status status = lm_pb_next(&pb, &field);
        keep(s, status);
        if (status != LM_OK)
            return;
        if (field.number == row->number)
            put_bytes(s, field.whole.at, field.whole.count);
    }
}

static void put_many(sink *s, const onnx_field *row, const char *base)
{
    size_t count;
    const char *items;
    memcpy(&count, base + row->count_at, sizeof count);
    memcpy(&items, base + row->at, sizeof items);
    for (size_t i = 0; i < count && s->status == LM_OK; i++) {
        if (row->kind <= ONNX_K_FLOAT) {
            put_number(s, row, items + i * (row->kind == ONNX_K_INT64 ? 8 : 4)); /* unpacked, as proto2 writers do */
        } else if (row->kind == ONNX_K_MESSAGE) {
            put_message(s, row, items + i * row->of->size);
        } else if (row->kind == ONNX_K_NAME) {
            const char *name = ((const char *const *)(const void *)items)[i];
            put_text(s, row, name, name ? strlen(name) : 0);
        } else {
            const onnx_bytes *b = (const onnx_bytes *)(const void *)items + i;
            put_text(s, row, b->text, b->count);
        }
    }
}

/* `present`: a flag says that the field is there, even if it holds nothing. */
static void put_one(sink *s, const onnx_field *row, const char *base, bool present)
{
    const char *at = base + row->at;
    const void *pointer = NULL;
    const lm_slice *slice = (const lm_slice *)(const void *)at;
    switch ((onnx_kind)row->kind) {
    case ONNX_K_NAME:
        memcpy(&pointer, at, sizeof pointer);
        if (pointer && (present || *(const char *)pointer))
            put_text(s, row, pointer, strlen(pointer));
        break;
    case ONNX_K_BYTES: {
        const onnx_bytes *b = (const onnx_bytes *)(const void *)at;
        if (present || b->count)
            put_text(s, row, b->text, b->count);
        break;
    }
    case ONNX_K_SLICE:
        if (present || slice->count)
            put_text(s, row, slice->at, slice->count);
        break;
    case ONNX_K_TYPED: put_typed(s, row, *slice); break;
    case ONNX_K_COUNT: break;
    case ONNX_K_INLINE:
        if (present)
            put_message(s, row, at);
        break;
    case ONNX_K_MESSAGE:
        memcpy(&pointer, at, sizeof pointer);
        if (pointer)
            put_message(s, row, pointer);
        break;
    default:
        if (present || number_at(row, at))
            put_number(s, row, at);
    }
}

static void emit(sink *s, const onnx_message *message, const char *base)
{
    for (size_t i = 0; i < message->n_fields && s->status == LM_OK; i++) {
        const onnx_field *row = &message->fields[i];
        int32_t flag = 0;
        if (row->flag)
            memcpy(&flag, base + row->flag_at, sizeof flag);
        if (flag && flag != row->flag)
            continue; /* a value of another kind is there instead */
        if (row->repeated)
            put_many(s, row, base);
        else
            put_one(s, row, base, flag != 0);
    }
}

static lm_status write_message(const onnx_message *message, const void *base, lm_str *text, lm_out *file)
{
    sink s = {.measuring = true, .text = text, .file = file};
    emit(&s, message, base);
    s.measuring = false;
    if (s.status == LM_OK)
        emit(&s, message, base);
    if (s.status == LM_OK && file)
        flush(&s);
    keep(&s, text->status);
    lm_vec_free(&s.length);
    return s.status;
}

lm_status onnx_write_model(const onnx_model *m, lm_str *out)
{
    return write_message(&onnx_model_message, m, out, NULL);
}

lm_status onnx_write_tensor(const onnx_tensor *t, lm_str *out)
{
    return write_message(&onnx_tensor_message, t, out, NULL);
}

lm_status onnx_write_sequence(const onnx_sequence *s, lm_str *out)
{
    return write_message(&onnx_sequence_message, s, out, NULL);
}

lm_status onnx_write_optional(const onnx_optional *o, lm_str *out)
{
    return write_message(&onnx_optional_message, o, out, NULL);
}

lm_status onnx_write_file(const onnx_model *m, const char *path)
{
    lm_out file;
    lm_str gathered = {0};
    LM_TRY(lm_out_open(path, &file));
    lm_status status = write_message(&onnx_model_message, m, &gathered, &file);
    if (status == LM_OK)
        status = lm_out_commit(&file);
    else
        lm_out_drop(&file);
    lm_str_free(&gathered);
    return status;
}
