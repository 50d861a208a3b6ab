/* Importers of operators that make tensors out of nothing but numbers. */
#include "core/model/import_util.h"

#include <string.h>

/* A scalar (n < 0) or a vector from the numbers of an attribute. */
static lm_val numbers(lm_import *im, lm_dtype dt, const float *f, const int64_t *i, int n)
{
    lm_shape shape = {.rank = n < 0 ? 0 : 1, .dim = {n < 0 ? 0 : n}};
    lm_view view;
    lm_status status = lm_view_new(dt, &shape, &view);
    if (status != LM_OK) {
        lm_import_fail(im, status, "%s", lm_message());
        return LM_NOVAL;
    }
    size_t bytes = (size_t)(n < 0 ? 1 : n) * lm_dtype_size(dt);
    if (bytes)
        memcpy(lm_view_data(&view), f ? (const void *)f : (const void *)i, bytes);
    return lm_constant(im, view);
}

/* The value stands in one of several attributes, each of another type. */
void lm_import_constant(lm_import *im)
{
    int n;
    if (lm_attr(im, "value")) {
        im->y[0] = lm_attr_tensor(im, "value");
    } else if (lm_attr(im, "value_float")) {
        float value = (float)lm_attr_float(im, "value_float", 0);
        im->y[0] = numbers(im, LM_F32, &value, NULL, -1);
    } else if (lm_attr(im, "value_int")) {
        int64_t value = lm_attr_int(im, "value_int", 0);
        im->y[0] = numbers(im, LM_I64, NULL, &value, -1);
    } else if (lm_attr(im, "value_floats")) {
        const float *list = lm_attr_float_list(im, "value_floats", &n);
        if (im->e.status == LM_OK)
            im->y[0] = numbers(im, LM_F32, list, NULL, n);
    } else if (lm_attr(im, "value_ints")) {
        const int64_t *list = lm_attr_int_list(im, "value_ints", &n);
        if (im->e.status == LM_OK)
            im->y[0] = numbers(im, LM_I64, NULL, list, n);
    } else {
        lm_import_fail(im, LM_UNSUPPORTED, "its value is no tensor of numbers");
    }
}

/* One element of `value` (float32 0 when left out) everywhere. */
void lm_import_constantofshape(lm_import *im)
{
    lm_shape shape = {0};
    int n;
    if (!lm_import_needs(im, 1) || !lm_in_ints(im, 0, shape.dim, LM_RANK, &n))
        return;
    shape.rank = n;
    lm_status status = lm_shape_check(&shape, NULL);
    if (status != LM_OK)
        lm_import_fail(im, status, "the shape: %s", lm_message());
    lm_val value = lm_attr(im, "value") ? lm_attr_tensor(im, "value") : lm_emit_const(&im->e, LM_F32, 0);
    if (im->e.status == LM_OK && lm_shape_count(lm_emit_shape(&im->e, value)) != 1)
        lm_import_fail(im, LM_INPUT, "'value' has %lld elements; expected one",
                       (long long)lm_shape_count(lm_emit_shape(&im->e, value)));
    lm_shape scalar = {0};
    im->y[0] = lm_emit_expand(&im->e, lm_emit_reshape(&im->e, value, &scalar), &shape);
}

/* (start, limit, delta): the number of elements follows from their contents. */
void lm_import_range(lm_import *im)
{
    if (!lm_import_needs(im, 3))
        return;
    lm_val start = lm_in_constant(im, 0), limit = lm_in_constant(im, 1), delta = lm_in_constant(im, 2);
    im->y[0] = lm_emit1(&im->e, LM_OP_RANGE, NULL, start, limit, delta);
}

/* Ones on a diagonal of a matrix. */
void lm_import_eyelike(lm_import *im)
{
    int64_t k = lm_attr_int(im, "k", 0);
    if (!lm_import_ranked(im, 0, 2, 2))
        return;
    lm_dtype dt = lm_attr_type(im, "dtype", lm_in_type(im, 0)->dt);
    const lm_shape shape = *lm_in_shape(im, 0);
    lm_emit *e = &im->e;
    if (k < -shape.dim[0] || k > shape.dim[1])
        k = -shape.dim[0];
    lm_attrs upper = {0}, above = {0};
    upper.trilu.upper = above.trilu.upper = true;
    upper.trilu.k = k;
    above.trilu.k = k + 1;
    lm_val ones = lm_emit_full(e, LM_F32, &shape, 1);
    lm_val line = lm_emit1(e, LM_OP_SUB, NULL, lm_emit1(e, LM_OP_TRILU, &upper, ones),
                           lm_emit1(e, LM_OP_TRILU, &above, ones));
    im->y[0] = lm_emit_cast(e, line, dt);
}
