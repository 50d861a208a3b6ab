/* Lists grow in the arena: doubled into a fresh piece whenever their length is a power of two. */
#include "core/model/onnx_build.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/model/onnx_tensor.h"
#include "core/model/onnx_write.h"

static void *keep(onnx_build *b, void *made)
{
    if (!made && b->status == LM_OK)
        b->status = LM_MEMORY;
    return made;
}

static const char *copy(onnx_build *b, const char *text)
{
    char *made = b->status == LM_OK ? keep(b, lm_arena_strdup(&b->arena, text)) : NULL;
    return made ? made : "";
}

/* A cleared item at the end of the array behind `items`; NULL after a failure. */
static void *append(onnx_build *b, void *items, size_t *count, size_t size)
{
    if (b->status != LM_OK)
        return NULL;
    char *at;
    memcpy(&at, items, sizeof at);
    if ((*count & (*count - 1)) == 0) {
        char *fresh = keep(b, lm_arena_alloc(&b->arena, *count ? *count * 2 : 1, size));
        if (!fresh)
            return NULL;
        if (*count)
            memcpy(fresh, at, *count * size);
        memcpy(items, &fresh, sizeof fresh);
        at = fresh;
    }
    return at + (*count)++ * size;
}
#define APPEND(b, owner, list) append(b, &(owner)->list, &(owner)->n_##list, sizeof *(owner)->list)

/* The words of a text as a list of names. */
static void append_names(onnx_build *b, const char ***names, size_t *count, const char *text)
{
    for (const char *at = text + strspn(text, " "); *at && b->status == LM_OK; at += strspn(at, " ")) {
        size_t span = strcspn(at, " ");
        bool absent = span == 1 && *at == '-';
        char *name = keep(b, lm_arena_alloc(&b->arena, span + 1, 1));
        const char **item = append(b, names, count, sizeof *item);
        if (name && item) {
            memcpy(name, at, absent ? 0 : span);
            *item = name;
        }
        at += span;
    }
}

void onnx_build_start(onnx_build *b, int64_t opset)
{
    *b = (onnx_build){0};
    b->model.ir_version = 8;
    b->model.producer_name = "limn";
    b->graph = b->model.graph = onnx_build_graph(b, "graph");
    onnx_build_opset(b, "", opset);
}

lm_status onnx_build_end(onnx_build *b, lm_str *out)
{
    lm_status status = b->status == LM_OK ? onnx_write_model(&b->model, out) : b->status;
    onnx_build_free(b);
    return status;
}

void onnx_build_free(onnx_build *b)
{
    lm_arena_free(&b->arena);
    *b = (onnx_build){0};
}

void onnx_build_opset(onnx_build *b, const char *domain, int64_t version)
{
    onnx_opset *o = APPEND(b, &b->model, opsets);
    if (o)
        *o = (onnx_opset){copy(b, domain), version};
}

onnx_graph *onnx_build_graph(onnx_build *b, const char *name)
{
    onnx_graph *g = b->status == LM_OK ? keep(b, lm_arena_alloc(&b->arena, 1, sizeof *g)) : NULL;
    if (!g)
        return &b->spare_graph;
    g->name = copy(b, name);
    return g;
}

onnx_function *onnx_build_function(onnx_build *b, const char *domain, const char *name, const char *inputs,
                                   const char *outputs, const char *attr_names, int64_t opset)
{
    onnx_function *f = APPEND(b, &b->model, functions);
    onnx_opset *o = f ? APPEND(b, f, opsets) : NULL;
    if (!o)
        return &b->spare_function;
    *o = (onnx_opset){"", opset};
    f->domain = copy(b, domain);
    f->name = copy(b, name);
    append_names(b, &f->inputs, &f->n_inputs, inputs);
    append_names(b, &f->outputs, &f->n_outputs, outputs);
    append_names(b, &f->attr_names, &f->n_attr_names, attr_names);
    return f;
}

static onnx_node *fill_node(onnx_build *b, onnx_node *n, const char *op_type, const char *inputs, const char *outputs)
{
    if (!n)
        return &b->spare_node;
    n->op_type = copy(b, op_type);
    append_names(b, &n->inputs, &n->n_inputs, inputs);
    append_names(b, &n->outputs, &n->n_outputs, outputs);
    return n;
}

onnx_node *onnx_build_body(onnx_build *b, onnx_function *function, const char *op_type, const char *inputs,
                           const char *outputs)
{
    return fill_node(b, APPEND(b, function, nodes), op_type, inputs, outputs);
}

onnx_node *onnx_build_node(onnx_build *b, const char *op_type, const char *inputs, const char *outputs)
{
    return fill_node(b, APPEND(b, b->graph, nodes), op_type, inputs, outputs);
}

onnx_attr *onnx_build_attr(onnx_build *b, onnx_node *node, const char *name, onnx_attr_type type)
{
    onnx_attr *a = APPEND(b, node, attrs);
    if (!a)
        a = &b->spare_attr;
    *a = (onnx_attr){.name = copy(b, name), .type = type, .holds = (int32_t)type};
    return a;
}

void onnx_build_attr_int(onnx_build *b, onnx_node *node, const char *name, int64_t value)
{
    onnx_build_attr(b, node, name, ONNX_ATTR_INT)->i = value;
}

void onnx_build_attr_float(onnx_build *b, onnx_node *node, const char *name, float value)
{
    onnx_build_attr(b, node, name, ONNX_ATTR_FLOAT)->f = value;
}

void onnx_build_attr_text(onnx_build *b, onnx_node *node, const char *name, const char *value)
{
    onnx_attr *a = onnx_build_attr(b, node, name, ONNX_ATTR_STRING);
    a->s.text = copy(b, value);
    a->s.count = strlen(a->s.text);
}

void onnx_build_attr_ints(onnx_build *b, onnx_node *node, const char *name, size_t count, const int64_t *value)
{
    onnx_attr *a = onnx_build_attr(b, node, name, ONNX_ATTR_INTS);
    if (b->status == LM_OK && (a->ints = keep(b, lm_arena_copy(&b->arena, value, count, sizeof *value))))
        a->n_ints = count;
}

void onnx_build_attr_floats(onnx_build *b, onnx_node *node, const char *name, size_t count, const float *value)
{
    onnx_attr *a = onnx_build_attr(b, node, name, ONNX_ATTR_FLOATS);
    if (b->status == LM_OK && (a->floats = keep(b, lm_arena_copy(&b->arena, value, count, sizeof *value))))
        a->n_floats = count;
}

void onnx_build_attr_texts(onnx_build *b, onnx_node *node, const char *name, const char *words)
{
    onnx_attr *a = onnx_build_attr(b, node, name, ONNX_ATTR_STRINGS);
    const char **list = NULL;
    size_t count = 0;
    append_names(b, &list, &count, words);
    for (size_t i = 0; i < count; i++) {
        onnx_bytes *item = APPEND(b, a, strings);
        if (item)
            *item = (onnx_bytes){list[i], strlen(list[i])};
    }
}

/* Raw data of a view: gathered in row order, bytes of each element turned round on a big-endian machine. */
static void fill_tensor(onnx_build *b, onnx_tensor *t, const lm_view *value)
{
    int64_t count = lm_shape_count(&value->sh);
    size_t size = lm_dtype_size(value->dt), bytes;
    if (b->status != LM_OK)
        return;
    if (!lm_mul_size((size_t)count, size, &bytes)) {
        b->status = lm_fail(LM_MEMORY, "a tensor of %lld elements does not fit in memory", (long long)count);
        return;
    }
    uint8_t *raw = keep(b, lm_arena_alloc(&b->arena, bytes, 1));
    t->dims = keep(b, lm_arena_copy(&b->arena, value->sh.dim, (size_t)value->sh.rank, sizeof *t->dims));
    if (b->status != LM_OK)
        return;
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *from = (const uint8_t *)lm_view_data(value) + lm_view_offset(value, i);
        uint8_t *to = raw + (size_t)i * size;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        for (size_t k = 0; k < size; k++)
            to[k] = from[size - 1 - k];
#else
        memcpy(to, from, size);
#endif
    }
    t->n_dims = (size_t)value->sh.rank;
    t->data_type = onnx_dtype_code(value->dt);
    t->raw = (lm_slice){raw, bytes};
    t->has_raw = 1;
}

void onnx_build_attr_tensor(onnx_build *b, onnx_node *node, const char *name, const lm_view *value)
{
    onnx_attr *a = onnx_build_attr(b, node, name, ONNX_ATTR_TENSOR);
    if (b->status == LM_OK && (a->t = keep(b, lm_arena_alloc(&b->arena, 1, sizeof *a->t))))
        fill_tensor(b, a->t, value);
}

void onnx_build_attr_graph(onnx_build *b, onnx_node *node, const char *name, const onnx_graph *body)
{
    onnx_attr *a = onnx_build_attr(b, node, name, ONNX_ATTR_GRAPH);
    if (b->status == LM_OK)
        a->g = keep(b, lm_arena_copy(&b->arena, body, 1, sizeof *body));
}

void onnx_build_attr_ref(onnx_build *b, onnx_node *node, const char *name, const char *attr, onnx_attr_type type)
{
    onnx_attr *a = onnx_build_attr(b, node, name, type);
    a->ref_attr_name = copy(b, attr);
    a->holds = 0;
}

static onnx_value_info *fill_info(onnx_build *b, onnx_value_info *v, const char *name, lm_dtype dt, int rank,
                                  const int64_t *dim)
{
    if (!v)
        v = &b->spare_info;
    *v = (onnx_value_info){.name = copy(b, name), .has_type = 1};
    v->type = (onnx_type){.kind = ONNX_TYPE_TENSOR, .elem_type = onnx_dtype_code(dt), .has_shape = rank >= 0};
    for (int i = 0; i < rank; i++) {
        onnx_dim *d = APPEND(b, &v->type, dims);
        if (d && dim[i] >= 0)
            *d = (onnx_dim){.kind = ONNX_DIM_VALUE, .value = dim[i]};
    }
    return v;
}

onnx_value_info *onnx_build_input(onnx_build *b, const char *name, lm_dtype dt, int rank, const int64_t *dim)
{
    return fill_info(b, APPEND(b, b->graph, inputs), name, dt, rank, dim);
}

onnx_value_info *onnx_build_output(onnx_build *b, const char *name, lm_dtype dt, int rank, const int64_t *dim)
{
    return fill_info(b, APPEND(b, b->graph, outputs), name, dt, rank, dim);
}

onnx_tensor *onnx_build_const(onnx_build *b, const char *name, const lm_view *value)
{
    onnx_tensor *t = APPEND(b, b->graph, initializers);
    if (!t)
        return &b->spare_tensor;
    t->name = copy(b, name);
    fill_tensor(b, t, value);
    return t;
}

static onnx_tensor *numbers(onnx_build *b, const char *name, lm_dtype dt, int rank, const int64_t *dim, const void *at)
{
    lm_shape sh;
    lm_buffer *buf = NULL;
    lm_status status = lm_shape_make(rank, dim, &sh);
    /* the buffer only reads what the view shows */
    if (status == LM_OK)
        status = lm_buffer_wrap((void *)at, (size_t)lm_shape_count(&sh) * lm_dtype_size(dt), &buf);
    if (b->status == LM_OK)
        b->status = status;
    if (status != LM_OK)
        return &b->spare_tensor;
    lm_view v = lm_view_row(dt, &sh, buf);
    onnx_tensor *t = onnx_build_const(b, name, &v);
    lm_buffer_unref(buf);
    return t;
}

onnx_tensor *onnx_build_floats(onnx_build *b, const char *name, int rank, const int64_t *dim, const float *value)
{
    return numbers(b, name, LM_F32, rank, dim, value);
}

onnx_tensor *onnx_build_ints(onnx_build *b, const char *name, int rank, const int64_t *dim, const int64_t *value)
{
    return numbers(b, name, LM_I64, rank, dim, value);
}
