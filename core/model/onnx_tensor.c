/* Element types, exact sizes, and the ways in which a file holds elements. */
#include "core/model/onnx_tensor.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/model/external.h"

/* Fields of a TensorProto that hold elements one by one. */
enum { FLOAT_DATA = 4, INT32_DATA = 5, STRING_DATA = 6, INT64_DATA = 7, DOUBLE_DATA = 10, UINT64_DATA = 11 };

/* By ONNX's number. `bits` of one element in raw data, 0 where there is no raw form or its packing is not settled;
 * `field`: which typed field holds the elements. */
static const struct {
    const char *name;
    uint8_t bits, field;
    int8_t dtype; /* lm_dtype, -1 for none */
} types[] = {
    [ONNX_UNDEFINED] = {"UNDEFINED", 0, 0, -1},
    [ONNX_FLOAT] = {"FLOAT", 32, FLOAT_DATA, LM_F32},
    [ONNX_UINT8] = {"UINT8", 8, INT32_DATA, LM_U8},
    [ONNX_INT8] = {"INT8", 8, INT32_DATA, LM_I8},
    [ONNX_UINT16] = {"UINT16", 16, INT32_DATA, LM_U16},
    [ONNX_INT16] = {"INT16", 16, INT32_DATA, LM_I16},
    [ONNX_INT32] = {"INT32", 32, INT32_DATA, LM_I32},
    [ONNX_INT64] = {"INT64", 64, INT64_DATA, LM_I64},
    [ONNX_STRING] = {"STRING", 0, STRING_DATA, -1},
    [ONNX_BOOL] = {"BOOL", 8, INT32_DATA, LM_BOOL},
    [ONNX_FLOAT16] = {"FLOAT16", 16, INT32_DATA, LM_F16},
    [ONNX_DOUBLE] = {"DOUBLE", 64, DOUBLE_DATA, LM_F64},
    [ONNX_UINT32] = {"UINT32", 32, UINT64_DATA, LM_U32},
    [ONNX_UINT64] = {"UINT64", 64, UINT64_DATA, LM_U64},
    [ONNX_COMPLEX64] = {"COMPLEX64", 64, FLOAT_DATA, -1},
    [ONNX_COMPLEX128] = {"COMPLEX128", 128, DOUBLE_DATA, -1},
    [ONNX_BFLOAT16] = {"BFLOAT16", 16, INT32_DATA, LM_BF16},
    [ONNX_FLOAT8E4M3FN] = {"FLOAT8E4M3FN", 8, INT32_DATA, -1},
    [ONNX_FLOAT8E4M3FNUZ] = {"FLOAT8E4M3FNUZ", 8, INT32_DATA, -1},
    [ONNX_FLOAT8E5M2] = {"FLOAT8E5M2", 8, INT32_DATA, -1},
    [ONNX_FLOAT8E5M2FNUZ] = {"FLOAT8E5M2FNUZ", 8, INT32_DATA, -1},
    [ONNX_UINT4] = {"UINT4", 4, INT32_DATA, -1},
    [ONNX_INT4] = {"INT4", 4, INT32_DATA, -1},
    [ONNX_FLOAT4E2M1] = {"FLOAT4E2M1", 4, INT32_DATA, -1},
    [ONNX_FLOAT8E8M0] = {"FLOAT8E8M0", 8, INT32_DATA, -1},
    [ONNX_UINT2] = {"UINT2", 2, INT32_DATA, -1},
    [ONNX_INT2] = {"INT2", 2, INT32_DATA, -1},
    [ONNX_FLOAT6E2M3] = {"FLOAT6E2M3", 0, INT32_DATA, -1},
    [ONNX_FLOAT6E3M2] = {"FLOAT6E3M2", 0, INT32_DATA, -1},
};

static bool known(int32_t data_type)
{
    return data_type >= 0 && (size_t)data_type < LM_COUNT(types);
}

const char *onnx_dtype_name(int32_t data_type)
{
    return known(data_type) ? types[data_type].name : "?";
}

bool onnx_dtype(int32_t data_type, lm_dtype *out)
{
    if (!known(data_type) || types[data_type].dtype < 0)
        return false;
    *out = (lm_dtype)types[data_type].dtype;
    return true;
}

int32_t onnx_dtype_code(lm_dtype type)
{
    for (int32_t code = 0; known(code); code++)
        if (types[code].dtype == (int)type)
            return code;
    return ONNX_UNDEFINED;
}

/* Put "tensor 'w'" before a failure. */
static lm_status named(lm_status status, const onnx_tensor *t)
{
    if (status == LM_OK || status == LM_MEMORY || !t->name || !t->name[0])
        return status;
    return lm_context(status, "tensor '%.100s'", t->name);
}

/* Elements of any rank, and bytes of their raw form (0 where there is none). */
static lm_status measure(const onnx_tensor *t, int64_t *count, uint64_t *bytes)
{
    int64_t product = 1;
    bool empty = false;
    for (size_t i = 0; i < t->n_dims; i++) {
        LM_REQUIRE(t->dims[i] >= 0, LM_INPUT, "the size of axis %zu is %lld", i, (long long)t->dims[i]);
        if (t->dims[i] == 0)
            empty = true;
        else
            LM_REQUIRE(lm_mul_i64(product, t->dims[i], &product), LM_INPUT, "the sizes make more than 2^63 elements");
    }
    *count = empty ? 0 : product;
    int64_t bits = 0;
    if (known(t->data_type))
        LM_REQUIRE(lm_mul_i64(*count, types[t->data_type].bits, &bits) && bits <= INT64_MAX - 7, LM_INPUT,
                   "the sizes make more than 2^63 bits");
    *bytes = (uint64_t)(bits + 7) / 8;
    return LM_OK;
}

lm_status onnx_tensor_check(const onnx_tensor *t)
{
    int64_t count;
    uint64_t bytes;
    LM_REQUIRE(!t->has_segment, LM_INPUT, "it is stored in segments, which ONNX gave up; save the model anew");
    LM_REQUIRE(t->location == 0 || t->location == 1, LM_INPUT, "the unknown data_location %d", t->location);
    LM_REQUIRE(t->location == 0 || (!t->has_raw && !t->typed.at), LM_INPUT,
               "it holds elements, but says that they are in another file");
    LM_TRY(measure(t, &count, &bytes));
    if (t->location == 1)
        return onnx_external_check(t);
    if (!t->has_raw || !known(t->data_type))
        return LM_OK;
    LM_REQUIRE(!t->typed.at, LM_INPUT, "it holds its elements twice, raw and by type");
    LM_REQUIRE(t->data_type != ONNX_STRING, LM_INPUT, "strings cannot be raw data");
    LM_REQUIRE(t->raw.count == bytes || !types[t->data_type].bits, LM_INPUT,
               "%lld elements of type %s take %llu bytes, but there are %zu", (long long)count,
               types[t->data_type].name, (unsigned long long)bytes, t->raw.count);
    return LM_OK;
}

static lm_status shape_of(const int64_t *dims, size_t n_dims, lm_shape *out)
{
    LM_REQUIRE(n_dims <= LM_RANK, LM_INPUT, "it has %zu axes; more than %d are not possible", n_dims, LM_RANK);
    return lm_shape_make((int)n_dims, dims, out);
}

lm_status onnx_tensor_shape(const onnx_tensor *t, lm_shape *out)
{
    return named(shape_of(t->dims, t->n_dims, out), t);
}

/* One number of a typed field into an element. Integers travel as themselves and may be meant with or without sign;
 * the 16-bit floats travel as their bits. */
static lm_status store_element(lm_dtype dt, uint64_t bits, char *to)
{
    size_t size = lm_dtype_size(dt);
    if (dt == LM_BOOL) {
        *to = bits != 0;
        return LM_OK;
    }
    if (size < 8 && dt != LM_F32) {
        int64_t value = (int64_t)bits, limit = (int64_t)1 << (8 * size);
        LM_REQUIRE(value >= -limit / 2 && value < limit, LM_INPUT, "the element %lld does not fit into %s",
                   (long long)value, lm_dtype_name(dt));
    }
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)to)[i] = (uint8_t)(bits >> (8 * i));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (size_t i = 0; i < size / 2; i++) {
        char swap = to[i];
        to[i] = to[size - 1 - i];
        to[size - 1 - i] = swap;
    }
#endif
    return LM_OK;
}

static lm_pb_wire typed_wire(uint8_t field)
{
    return field == FLOAT_DATA ? LM_PB_FIXED32 : field == DOUBLE_DATA ? LM_PB_FIXED64 : LM_PB_VARINT;
}

/* Walk the typed field of `t`; `to` NULL only counts. */
static lm_status typed_elements(const onnx_tensor *t, lm_dtype dt, char *to, size_t *count)
{
    uint8_t wanted = types[t->data_type].field;
    lm_pb pb = lm_pb_over(t->typed);
    *count = 0;
    while (lm_pb_more(&pb)) {
        lm_pb_field field;
        size_t more;
        LM_TRY(lm_pb_next(&pb, &field));
        if (field.number != wanted)
            continue;
        LM_TRY(lm_pb_count(&field, typed_wire(wanted), &more));
        *count += more;
        lm_pb numbers = lm_pb_numbers(&field);
        while (to && lm_pb_more(&numbers)) {
            uint64_t bits;
            LM_TRY(lm_pb_number(&numbers, typed_wire(wanted), &bits));
            LM_TRY(store_element(dt, bits, to));
            to += lm_dtype_size(dt);
        }
    }
    return LM_OK;
}

static lm_status view_typed(const onnx_tensor *t, lm_dtype dt, const lm_shape *sh, lm_view *out)
{
    size_t count;
    LM_TRY(typed_elements(t, dt, NULL, &count));
    LM_REQUIRE(count == (uint64_t)lm_shape_count(sh), LM_INPUT, "it has %lld elements of type %s, but holds %zu",
               (long long)lm_shape_count(sh), types[t->data_type].name, count);
    lm_view v;
    LM_TRY(lm_view_new(dt, sh, &v));
    lm_status status = typed_elements(t, dt, lm_view_data(&v), &count);
    if (status == LM_OK)
        *out = v;
    else
        lm_buffer_unref(v.buf);
    return status;
}

/* Weights from this size on are read where they lie, whatever the address: copies would cost time and memory twice
 * over, since kernels make a form of their own of what they read often. */
enum { LARGE_WEIGHTS = 16 << 10 };

/* Can the bytes be used where they lie? Then only the buffer's header is made. */
static bool usable(lm_dtype dt, lm_slice raw)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    if (lm_dtype_size(dt) > 1)
        return false;
#endif
    if ((uintptr_t)raw.at % lm_dtype_size(dt) != 0)
        return dt == LM_F32 && raw.count >= LARGE_WEIGHTS;
    for (size_t i = 0; dt == LM_BOOL && i < raw.count; i++)
        if (raw.at[i] > 1)
            return false;
    return true;
}

static lm_status view_raw(lm_slice raw, bool mapped, lm_dtype dt, const lm_shape *sh, lm_view *out)
{
    if (raw.count > 0 && usable(dt, raw)) {
        lm_buffer *buf;
        LM_TRY(lm_buffer_wrap((void *)raw.at, raw.count, &buf));
        buf->mapped = mapped;
        *out = lm_view_row(dt, sh, buf);
        return LM_OK;
    }
    lm_view v;
    LM_TRY(lm_view_new(dt, sh, &v));
    char *to = lm_view_data(&v);
    if (raw.count)
        memcpy(to, raw.at, raw.count);
    size_t size = lm_dtype_size(dt);
    bool swap = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && size > 1;
    for (size_t i = 0; dt == LM_BOOL && i < raw.count; i++)
        to[i] = to[i] != 0;
    for (size_t i = 0; swap && i < raw.count; i++)
        to[i] = (char)raw.at[i / size * size + size - 1 - i % size];
    *out = v;
    return LM_OK;
}

static lm_status view(const onnx_model *m, const onnx_tensor *t, lm_view *out)
{
    lm_dtype dt;
    lm_shape sh;
    int64_t count;
    uint64_t bytes;
    LM_TRY(onnx_tensor_check(t));
    LM_REQUIRE(onnx_dtype(t->data_type, &dt), LM_UNSUPPORTED, "elements of type %s (%d) are not supported",
               onnx_dtype_name(t->data_type), t->data_type);
    LM_TRY(shape_of(t->dims, t->n_dims, &sh));
    LM_TRY(measure(t, &count, &bytes));
    if (t->location == 1) {
        lm_slice raw;
        LM_REQUIRE(bytes <= SIZE_MAX, LM_MEMORY, "%llu bytes do not fit in memory", (unsigned long long)bytes);
        LM_REQUIRE(m && m->files, LM_INPUT, "its elements are in another file, which cannot be found from here");
        LM_TRY(onnx_external(m->files, t, (size_t)bytes, &raw));
        return view_raw(raw, true, dt, &sh, out);
    }
    return t->has_raw ? view_raw(t->raw, m && m->file.size > 0, dt, &sh, out) : view_typed(t, dt, &sh, out);
}

lm_status onnx_tensor_view(const onnx_model *m, const onnx_tensor *t, lm_view *out)
{
    return named(view(m, t, out), t);
}

static lm_status strings(const onnx_tensor *t, lm_arena *arena, onnx_bytes **out, size_t *count)
{
    int64_t wanted;
    uint64_t bytes;
    size_t found = 0;
    LM_REQUIRE(t->data_type == ONNX_STRING, LM_INPUT, "its elements are of type %s, not strings",
               onnx_dtype_name(t->data_type));
    LM_TRY(onnx_tensor_check(t));
    LM_REQUIRE(t->location == 0, LM_INPUT, "strings cannot be in another file");
    LM_TRY(measure(t, &wanted, &bytes));
    onnx_bytes *items = NULL;
    /* count, then fill: what the shape says is not believed until the file holds as many */
    for (int pass = 0; pass < 2; pass++) {
        lm_pb pb = lm_pb_over(t->typed);
        for (found = 0; lm_pb_more(&pb);) {
            lm_pb_field field;
            LM_TRY(lm_pb_next(&pb, &field));
            if (field.number != STRING_DATA || field.wire != LM_PB_BYTES)
                continue;
            if (items) {
                char *text = lm_arena_alloc(arena, field.bytes.count + 1, 1);
                if (!text)
                    return LM_MEMORY;
                memcpy(text, field.bytes.at, field.bytes.count);
                items[found] = (onnx_bytes){text, field.bytes.count};
            }
            found++;
        }
        LM_REQUIRE((uint64_t)wanted == found, LM_INPUT, "it has %lld strings, but holds %zu", (long long)wanted, found);
        if (pass == 0 && !(items = lm_arena_alloc(arena, found, sizeof *items)))
            return LM_MEMORY;
    }
    *out = items;
    *count = found;
    return LM_OK;
}

lm_status onnx_tensor_strings(const onnx_tensor *t, lm_arena *arena, onnx_bytes **out, size_t *count)
{
    return named(strings(t, arena, out, count), t);
}

/* Flat position of value i, from indices [nnz] or [nnz, rank]. */
static lm_status sparse_place(const lm_view *indices, const lm_shape *sh, int64_t i, int64_t *flat)
{
    int axes = indices->sh.rank == 1 ? 1 : sh->rank;
    int64_t place = 0;
    for (int a = 0; a < axes; a++) {
        int64_t size = axes == 1 && indices->sh.rank == 1 ? lm_shape_count(sh) : sh->dim[a];
        int64_t at = lm_view_get_i64(indices, i * axes + a);
        LM_REQUIRE(at >= 0 && at < size, LM_INPUT, "index %lld of value %lld lies outside 0 to %lld", (long long)at,
                   (long long)i, (long long)size - 1);
        place = place * size + at;
    }
    *flat = place;
    return LM_OK;
}

static lm_status scatter(const lm_view *values, const lm_view *indices, const lm_shape *sh, lm_view *dense)
{
    int64_t count = values->sh.rank == 1 ? values->sh.dim[0] : -1, last = -1;
    LM_REQUIRE(count >= 0, LM_INPUT, "the values of a sparse tensor have one axis");
    bool by_axis = indices->sh.rank == 2 && indices->sh.dim[1] == sh->rank;
    LM_REQUIRE(indices->dt == LM_I64 && (indices->sh.rank == 1 || by_axis) && indices->sh.dim[0] == count, LM_INPUT,
               "the indices of a sparse tensor are int64, one or one per axis for each of the %lld values",
               (long long)count);
    size_t size = lm_dtype_size(values->dt);
    for (int64_t i = 0; i < count; i++) {
        int64_t flat = 0;
        LM_TRY(sparse_place(indices, sh, i, &flat));
        LM_REQUIRE(flat > last, LM_INPUT, "the indices of a sparse tensor must rise; number %lld does not",
                   (long long)i);
        last = flat;
        memcpy((char *)lm_view_data(dense) + (size_t)flat * size, (char *)lm_view_data(values) + (size_t)i * size,
               size);
    }
    return LM_OK;
}

static lm_status sparse_view(const onnx_model *m, const onnx_sparse *s, size_t most, lm_view *out)
{
    lm_shape sh;
    size_t bytes = 0;
    lm_view values = {0}, indices = {0}, dense = {0};
    lm_status status = LM_OK;
    LM_TRY_OUT(shape_of(s->dims, s->n_dims, &sh));
    LM_TRY_OUT(onnx_tensor_view(m, s->values, &values));
    LM_TRY_OUT(onnx_tensor_view(m, s->indices, &indices));
    if ((uint64_t)lm_shape_count(&sh) > SIZE_MAX ||
        !lm_mul_size((size_t)lm_shape_count(&sh), lm_dtype_size(values.dt), &bytes) || bytes > most)
        LM_TRY_OUT(lm_fail(LM_MEMORY, "a sparse tensor would take more than %zu bytes as a dense one", most));
    LM_TRY_OUT(lm_view_new(values.dt, &sh, &dense));
    memset(lm_view_data(&dense), 0, bytes);
    LM_TRY_OUT(scatter(&values, &indices, &sh, &dense));
    *out = dense;
    dense.buf = NULL;
out:
    lm_buffer_unref(values.buf);
    lm_buffer_unref(indices.buf);
    lm_buffer_unref(dense.buf);
    return status;
}

lm_status onnx_sparse_view(const onnx_model *m, const onnx_sparse *s, size_t most, lm_view *out)
{
    return named(sparse_view(m, s, most, out), s->values);
}
