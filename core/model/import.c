/* What importers ask of their node: operands, their contents, attributes by name. */
#include "core/model/import.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/str.h"
#include "core/model/builder.h"
#include "core/model/onnx_tensor.h"

void lm_import_fail(lm_import *im, lm_status status, const char *format, ...)
{
    if (im->e.status != LM_OK)
        return;
    lm_str text = {0};
    va_list args;
    va_start(args, format);
    lm_str_vprintf(&text, format, args);
    va_end(args);
    im->e.status = lm_fail(status, "%s", lm_str_text(&text));
    lm_str_free(&text);
}

void lm_import_note(lm_import *im, lm_log_level level, const char *format, ...)
{
    lm_built *b = im->builder->b;
    lm_str text = {0};
    va_list args;
    va_start(args, format);
    lm_str_vprintf(&text, format, args);
    va_end(args);
    lm_note note = {level, lm_str_take(&text)};
    bool known = false;
    for (size_t i = 0; note.text && i < b->notes.count; i++)
        known |= strcmp(b->notes.at[i].text, note.text) == 0;
    if (im->e.status == LM_OK && (!note.text || (!known && lm_vec_push(&b->notes, note) != LM_OK)))
        im->e.status = LM_MEMORY;
    else if (note.text && !known && im->e.status == LM_OK)
        return;
    lm_free(note.text);
}

lm_val lm_in(const lm_import *im, int i)
{
    return i < im->nx ? im->x[i] : LM_NOVAL;
}

bool lm_wants(const lm_import *im, int i)
{
    return i < im->ny && im->node->outputs[i][0];
}

const lm_type *lm_in_type(const lm_import *im, int i)
{
    return lm_emit_type(&im->e, lm_in(im, i));
}

const lm_shape *lm_in_shape(const lm_import *im, int i)
{
    return lm_emit_shape(&im->e, lm_in(im, i));
}

const lm_view *lm_in_value(lm_import *im, int i)
{
    lm_val v = lm_in(im, i);
    const lm_view *content = NULL;
    if (im->e.status == LM_OK && v != LM_NOVAL)
        im->e.status = lm_context(lm_build_content(im->builder, v, &content), "input %d", i);
    return im->e.status == LM_OK ? content : NULL;
}

lm_val lm_in_constant(lm_import *im, int i)
{
    /* all of it is looked at while the graph is built, and repeats make a tensor of any size from nothing */
    static const int64_t most_elements = INT64_C(1) << 28;
    lm_val v = lm_in(im, i);
    const lm_view *content = lm_in_value(im, i);
    if (content && lm_shape_count(&content->sh) > most_elements) {
        lm_import_fail(im, LM_UNSUPPORTED, "a shape hangs on the %lld elements of input %d; at most %lld may be",
                       (long long)lm_shape_count(&content->sh), i, (long long)most_elements);
        return LM_NOVAL;
    }
    if (!content || lm_graph_value(im->e.g, v)->constant)
        return content ? v : LM_NOVAL;
    im->e.status = lm_graph_constant(im->e.g, NULL, content, &v);
    return im->e.status == LM_OK ? v : LM_NOVAL;
}

bool lm_in_ints(lm_import *im, int i, int64_t *out, int cap, int *n)
{
    *n = -1;
    const lm_view *v = lm_in_value(im, i);
    if (!v)
        return im->e.status == LM_OK;
    int64_t count = lm_shape_count(&v->sh);
    if (v->sh.rank > 1 || !(lm_dtype_is_int(v->dt) || v->dt == LM_BOOL) || count > cap) {
        lm_import_fail(im, count > cap ? LM_UNSUPPORTED : LM_INPUT,
                       "input %d is %s%s, where at most %d whole numbers belong", i, lm_dtype_name(v->dt),
                       lm_shape_text(&v->sh, (char[LM_SHAPE_TEXT]){0}), cap);
        return false;
    }
    for (int64_t k = 0; k < count; k++)
        out[k] = lm_view_get_i64(v, k);
    *n = (int)count;
    return true;
}

/* The content of operand i when it is one element. */
static const lm_view *one_element(lm_import *im, int i)
{
    const lm_view *v = lm_in_value(im, i);
    if (v && lm_shape_count(&v->sh) != 1) {
        lm_import_fail(im, LM_INPUT, "input %d has shape %s, where one number belongs", i,
                       lm_shape_text(&v->sh, (char[LM_SHAPE_TEXT]){0}));
        return NULL;
    }
    return v;
}

int64_t lm_in_int(lm_import *im, int i, int64_t otherwise)
{
    const lm_view *v = one_element(im, i);
    return v ? lm_view_get_i64(v, 0) : otherwise;
}

double lm_in_number(lm_import *im, int i, double otherwise)
{
    const lm_view *v = one_element(im, i);
    return v ? lm_view_get(v, 0) : otherwise;
}

static const onnx_attr *find(const onnx_attr *attr, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(attr[i].name, name) == 0)
            return &attr[i];
    return NULL;
}

/* An attribute of `n`, which stands in scope `s`. Inside functions it may stand for one of the call, whose own
 * attributes belong to the scope of the caller; what the call leaves out has the function's default. */
static const onnx_attr *resolve(const lm_scope *s, const onnx_node *n, const char *name)
{
    const onnx_attr *a = find(n->attrs, n->n_attrs, name);
    while (a && a->ref_attr_name[0]) {
        while (s && s->outer)
            s = s->outer;
        if (!s || !s->function)
            return NULL;
        const onnx_attr *given = find(s->call->attrs, s->call->n_attrs, a->ref_attr_name);
        a = given ? given : find(s->function->attrs, s->function->n_attrs, a->ref_attr_name);
        s = s->caller;
    }
    return a;
}

const onnx_attr *lm_attr(const lm_import *im, const char *name)
{
    return resolve(im->builder->scope, im->node, name);
}

/* The attribute if it is of this type; otherwise NULL, and a failure when it is of another. */
static const onnx_attr *typed(lm_import *im, const char *name, onnx_attr_type type, const char *what)
{
    const onnx_attr *a = lm_attr(im, name);
    if (a && a->type != type) {
        lm_import_fail(im, LM_INPUT, "attribute '%s' is not %s", name, what);
        return NULL;
    }
    return a;
}

int64_t lm_attr_int(lm_import *im, const char *name, int64_t otherwise)
{
    const onnx_attr *a = typed(im, name, ONNX_ATTR_INT, "a whole number");
    return a ? a->i : otherwise;
}

double lm_attr_float(lm_import *im, const char *name, double otherwise)
{
    const onnx_attr *a = typed(im, name, ONNX_ATTR_FLOAT, "a number");
    return a ? (double)a->f : otherwise;
}

const char *lm_attr_text(lm_import *im, const char *name, const char *otherwise)
{
    const onnx_attr *a = typed(im, name, ONNX_ATTR_STRING, "a text");
    return a ? a->s.text : otherwise;
}

const int64_t *lm_attr_int_list(lm_import *im, const char *name, int *n)
{
    const onnx_attr *a = typed(im, name, ONNX_ATTR_INTS, "a list of whole numbers");
    *n = a ? (int)a->n_ints : -1;
    return a ? a->ints : NULL;
}

bool lm_attr_ints(lm_import *im, const char *name, int64_t *out, int cap, int *n)
{
    const int64_t *list = lm_attr_int_list(im, name, n);
    if (*n > cap) {
        lm_import_fail(im, LM_UNSUPPORTED, "attribute '%s' has %d numbers; at most %d make sense", name, *n, cap);
        *n = -1;
    }
    for (int i = 0; i < *n; i++)
        out[i] = list[i];
    return im->e.status == LM_OK;
}

const float *lm_attr_float_list(lm_import *im, const char *name, int *n)
{
    const onnx_attr *a = typed(im, name, ONNX_ATTR_FLOATS, "a list of numbers");
    *n = a ? (int)a->n_floats : -1;
    return a ? a->floats : NULL;
}

lm_val lm_constant(lm_import *im, lm_view content)
{
    lm_val v = LM_NOVAL;
    if (im->e.status == LM_OK)
        im->e.status = lm_graph_constant(im->e.g, NULL, &content, &v);
    lm_buffer_unref(content.buf);
    return v;
}

lm_val lm_constant_ints(lm_import *im, const int64_t *at, int n)
{
    if (im->e.status != LM_OK)
        return LM_NOVAL;
    lm_shape shape = LM_SHAPE(n);
    lm_view view;
    im->e.status = lm_view_new(LM_I64, &shape, &view);
    if (im->e.status != LM_OK)
        return LM_NOVAL;
    if (n)
        memcpy(lm_view_data(&view), at, (size_t)n * sizeof *at);
    return lm_constant(im, view);
}

lm_val lm_attr_tensor(lm_import *im, const char *name)
{
    const onnx_attr *a = typed(im, name, ONNX_ATTR_TENSOR, "a tensor");
    lm_view view;
    if (!a || im->e.status != LM_OK)
        return LM_NOVAL;
    lm_val v = LM_NOVAL;
    im->e.status = lm_model_tensor(im->builder->m, a->t, &view);
    if (im->e.status == LM_OK)
        im->e.status = lm_graph_constant(im->e.g, NULL, &view, &v);
    return v;
}

int lm_attr_choice(lm_import *im, const char *name, int otherwise, const char *const *words)
{
    const char *text = lm_attr_text(im, name, NULL);
    if (!text)
        return otherwise;
    lm_str known = {0};
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            lm_str_free(&known);
            return i;
        }
        lm_str_printf(&known, "%s'%s'", i ? ", " : "", words[i]);
    }
    lm_import_fail(im, LM_UNSUPPORTED, "attribute '%s' is '%s'; Limn knows %s", name, text, lm_str_text(&known));
    lm_str_free(&known);
    return otherwise;
}

lm_dtype lm_attr_type(lm_import *im, const char *name, lm_dtype otherwise)
{
    const onnx_attr *a = typed(im, name, ONNX_ATTR_INT, "an element type");
    lm_dtype type = otherwise;
    if (a && !(a->i >= 0 && a->i < INT32_MAX && onnx_dtype((int32_t)a->i, &type)))
        lm_import_fail(im, LM_UNSUPPORTED, "element type %s (attribute '%s') is not one of Limn's",
                       a->i >= 0 && a->i < INT32_MAX ? onnx_dtype_name((int32_t)a->i) : "?", name);
    return type;
}

int lm_axis_of(lm_import *im, int64_t axis, int rank)
{
    if (axis >= -rank && axis < rank)
        return (int)(axis < 0 ? axis + rank : axis);
    lm_import_fail(im, LM_INPUT, "axis %lld does not exist; there are %d", (long long)axis, rank);
    return 0;
}
