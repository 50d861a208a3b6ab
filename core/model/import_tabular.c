/* Importers of the ai.onnx.ml operators that prepare columns of a table: Scaler, Normalizer, Imputer, OneHotEncoder,
 * LabelEncoder, FeatureVectorizer. */
#include <math.h>
#include <string.h>

#include "core/model/import_util.h"

/* A list of numbers as a vector of float32; of one element where the list has one. LM_NOVAL when it is left out or
 * empty. */
static lm_val float_list(lm_import *im, const char *name)
{
    int n;
    const float *list = lm_attr_float_list(im, name, &n);
    const lm_shape shape = LM_SHAPE(n);
    lm_view t;
    if (n <= 0 || !lm_import_table(im, LM_F32, &shape, &t))
        return LM_NOVAL;
    memcpy(lm_view_data(&t), list, (size_t)n * sizeof *list);
    return lm_constant(im, t);
}

static lm_val int_list(lm_import *im, const char *name)
{
    int n;
    const int64_t *list = lm_attr_int_list(im, name, &n);
    return n > 0 ? lm_constant_ints(im, list, n) : LM_NOVAL;
}

/* (x - offset) * scale */
void lm_import_scaler(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_val offset = float_list(im, "offset"), scale = float_list(im, "scale");
    if (!lm_import_needs(im, 1))
        return;
    lm_val y = lm_emit_cast(e, lm_in(im, 0), LM_F32);
    y = offset == LM_NOVAL ? y : lm_emit1(e, LM_OP_SUB, NULL, y, offset);
    im->y[0] = scale == LM_NOVAL ? y : lm_emit1(e, LM_OP_MUL, NULL, y, scale);
}

/* Rows divided by their largest number, the sum of magnitudes, or the root of the sum of squares; a row of zeros
 * stays. */
void lm_import_normalizer(lm_import *im)
{
    static const char *const norms[] = {"MAX", "L1", "L2", NULL};
    static const lm_opid with[] = {LM_OP_REDUCE_MAX, LM_OP_REDUCE_L1, LM_OP_REDUCE_L2};
    lm_emit *e = &im->e;
    int norm = lm_attr_choice(im, "norm", 0, norms);
    if (!lm_import_ranked(im, 0, 1, 2))
        return;
    lm_val x = lm_emit_cast(e, lm_in(im, 0), LM_F32);
    lm_val size = lm_emit_reduce(e, with[norm], x, 1u << (lm_in_shape(im, 0)->rank - 1), true);
    lm_val empty = lm_emit_scalar(e, LM_OP_EQUAL, size, 0);
    size = lm_emit1(e, LM_OP_WHERE, NULL, empty, lm_emit_const(e, LM_F32, 1), size);
    im->y[0] = lm_emit1(e, LM_OP_DIV, NULL, x, size);
}

/* What is missing (a value, or NaN) is replaced, per column or everywhere alike. */
void lm_import_imputer(lm_import *im)
{
    lm_emit *e = &im->e;
    if (!lm_import_needs(im, 1))
        return;
    lm_val x = lm_in(im, 0), missing;
    lm_dtype dt = lm_in_type(im, 0)->dt;
    bool floats = lm_dtype_is_float(dt);
    lm_val fill = floats ? float_list(im, "imputed_value_floats") : int_list(im, "imputed_value_int64s");
    double absent = floats ? lm_attr_float(im, "replaced_value_float", 0) : 0;
    if (fill == LM_NOVAL)
        lm_import_fail(im, LM_INPUT, "there are no values to put in");
    if (floats && isnan(absent))
        missing = lm_emit1(e, LM_OP_ISNAN, NULL, x);
    else if (floats)
        missing = lm_emit_scalar(e, LM_OP_EQUAL, x, absent);
    else
        missing = lm_emit1(e, LM_OP_EQUAL, NULL, lm_emit_cast(e, x, LM_I64),
                           lm_emit_const(e, LM_I64, (double)lm_attr_int(im, "replaced_value_int64", 0)));
    im->y[0] = lm_emit1(e, LM_OP_WHERE, NULL, missing, lm_emit_cast(e, fill, dt), x);
}

/* A new last axis with a 1 where the category is that of x; none for one that is not listed. */
void lm_import_onehotencoder(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_val known = int_list(im, "cats_int64s");
    if (lm_attr(im, "cats_strings") && known == LM_NOVAL)
        lm_import_fail(im, LM_UNSUPPORTED, "its categories are texts");
    if (!lm_import_needs(im, 1) || known == LM_NOVAL) {
        lm_import_fail(im, LM_INPUT, "there are no categories");
        return;
    }
    if (!lm_attr_int(im, "zeros", 1))
        lm_import_note(im, LM_LOG_WARN, "OneHotEncoder '%s' has a row of zeros for a category that it does not know",
                       im->node->name);
    lm_val x = lm_emit_unsqueeze(e, lm_emit_cast(e, lm_in(im, 0), LM_I64), lm_in_shape(im, 0)->rank);
    im->y[0] = lm_emit_cast(e, lm_emit1(e, LM_OP_EQUAL, NULL, x, known), LM_F32);
}

/* The list behind keys_ or values_, of whatever type it is. */
static lm_val either_list(lm_import *im, const char *ints, const char *floats, const char *tensor)
{
    lm_val v = lm_attr(im, tensor) ? lm_attr_tensor(im, tensor) : int_list(im, ints);
    return v == LM_NOVAL ? float_list(im, floats) : v;
}

/* Keys to values. The value of the first key that x equals; from version 4 on NaN equals NaN. */
void lm_import_labelencoder(lm_import *im)
{
    lm_emit *e = &im->e;
    lm_attrs first = {0}, last = {0};
    lm_val key = either_list(im, "keys_int64s", "keys_floats", "keys_tensor");
    lm_val value = either_list(im, "values_int64s", "values_floats", "values_tensor");
    if (key == LM_NOVAL || value == LM_NOVAL)
        lm_import_fail(im, LM_UNSUPPORTED, "its keys or values are texts");
    if (!lm_import_needs(im, 1))
        return;
    lm_dtype dt = lm_emit_type(e, value)->dt, from = lm_emit_type(e, key)->dt;
    lm_val otherwise =
        lm_attr(im, "default_tensor")
            ? lm_import_reshaped(im, lm_emit_cast(e, lm_attr_tensor(im, "default_tensor"), dt), LM_SHAPE(1))
        : lm_dtype_is_float(dt) ? lm_emit_const(e, dt, lm_attr_float(im, "default_float", 0))
                                : lm_emit_const(e, dt, (double)lm_attr_int(im, "default_int64", -1));
    if (e->status != LM_OK)
        return;
    int rank = lm_in_shape(im, 0)->rank;
    lm_val x = lm_emit_unsqueeze(e, lm_emit_cast(e, lm_in(im, 0), from), rank);
    lm_val same = lm_emit1(e, LM_OP_EQUAL, NULL, x, key);
    if (lm_dtype_is_float(from) && im->version >= 4)
        same = lm_emit1(e, LM_OP_OR, NULL, same, lm_emit1(e, LM_OP_AND, NULL, lm_emit1(e, LM_OP_ISNAN, NULL, x),
                                                          lm_emit1(e, LM_OP_ISNAN, NULL, key)));
    same = lm_emit_cast(e, same, LM_I32);
    last.axis.axis = rank;
    lm_val at = lm_emit1(e, LM_OP_ARGMAX, &last, same);
    lm_val found = lm_emit_cast(e, lm_emit_reduce(e, LM_OP_REDUCE_MAX, same, 1u << rank, false), LM_BOOL);
    lm_shape flat = LM_SHAPE(e->status == LM_OK ? lm_shape_count(lm_emit_shape(e, value)) : 0);
    lm_val picked = lm_emit1(e, LM_OP_GATHER, &first, lm_import_reshaped(im, value, flat), at);
    im->y[0] = lm_emit1(e, LM_OP_WHERE, NULL, found, picked, otherwise);
}

/* Columns side by side, as float32; inputs may hold more columns than are taken. */
void lm_import_featurevectorizer(lm_import *im)
{
    lm_emit *e = &im->e;
    int n;
    const int64_t *width = lm_attr_int_list(im, "inputdimensions", &n);
    lm_val *x = lm_arena_alloc(&e->g->arena, (size_t)im->nx + 1, sizeof *x);
    if (!x)
        lm_import_fail(im, LM_MEMORY, "no room for %d inputs", im->nx);
    if (n >= 0 && n != im->nx)
        lm_import_fail(im, LM_INPUT, "%d sizes for %d inputs", n, im->nx);
    if (!lm_import_needs(im, im->nx > 0 ? im->nx : 1))
        return;
    for (int i = 0; i < im->nx; i++) {
        if (!lm_import_ranked(im, i, 1, 2))
            return;
        const lm_shape *s = lm_in_shape(im, i);
        lm_shape matrix = s->rank == 2 ? *s : LM_SHAPE(1, s->dim[0]);
        int64_t take = n >= 0 ? width[i] : matrix.dim[1];
        if (take < 0 || take > matrix.dim[1])
            lm_import_fail(im, LM_INPUT, "input %d has %lld columns, not %lld", i, (long long)matrix.dim[1],
                           (long long)take);
        x[i] = lm_import_reshaped(im, lm_emit_cast(e, lm_in(im, i), LM_F32), matrix);
        x[i] = e->status == LM_OK ? lm_emit_slice(e, x[i], 1, 0, take) : LM_NOVAL;
    }
    im->y[0] = e->status == LM_OK ? lm_emit_concat(e, im->nx, x, 1) : LM_NOVAL;
}

/* A list of maps from class to probability is the matrix of probabilities for us. */
void lm_import_zipmap(lm_import *im)
{
    lm_import_note(im, LM_LOG_INFO, "ZipMap '%s' passes its matrix on: one row per sample, one column per class",
                   im->node->name);
    if (lm_import_needs(im, 1))
        im->y[0] = lm_in(im, 0);
}
