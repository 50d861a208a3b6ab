/* Arrays from files as a model wants them: element type, batch axis, one stack. */
#include "input.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Is the number kept by the type it is converted to? A float may be rounded, but not to infinity, and no integer is
 * lost. */
static bool keeps(lm_dtype from, lm_dtype to, const void *old, const void *fresh)
{
    if (lm_dtype_is_float(from) && lm_dtype_is_float(to))
        return isfinite(lm_load_f64(from, old)) == isfinite(lm_load_f64(to, fresh));
    if (lm_dtype_is_float(from))
        return lm_load_f64(from, old) == lm_load_f64(to, fresh);
    if (lm_dtype_is_float(to)) /* a double cannot tell all 64-bit integers apart: come back as one */
        return fabs(lm_load_f64(to, fresh)) < 0x1p63 && (int64_t)lm_load_f64(to, fresh) == lm_load_i64(from, old);
    bool huge = from == LM_U64 && lm_load_i64(from, old) < 0, huge_too = to == LM_U64 && lm_load_i64(to, fresh) < 0;
    return lm_load_i64(from, old) == lm_load_i64(to, fresh) && huge == huge_too;
}

/* A number as it is, also where a double could not tell it. */
static void number_text(lm_dtype type, const void *at, char text[32])
{
    if (lm_dtype_is_float(type))
        snprintf(text, 32, "%.17g", lm_load_f64(type, at));
    else if (type == LM_U64)
        snprintf(text, 32, "%llu", (unsigned long long)lm_load_i64(type, at));
    else
        snprintf(text, 32, "%lld", (long long)lm_load_i64(type, at));
}

static lm_status convert(const limn_port *port, const char *source, const lm_view *from, lm_view *to)
{
    LM_TRY(lm_view_new(port->type, &from->sh, to));
    const char *old = lm_view_data(from);
    char *fresh = lm_view_data(to);
    size_t step = lm_dtype_size(from->dt), stride = lm_dtype_size(to->dt);
    for (int64_t i = 0, n = lm_shape_count(&from->sh); i < n; i++, old += step, fresh += stride) {
        if (lm_dtype_is_float(from->dt))
            lm_store_f64(to->dt, fresh, lm_load_f64(from->dt, old));
        else
            lm_store_i64(to->dt, fresh, lm_load_i64(from->dt, old), from->dt == LM_U64);
        if (keeps(from->dt, to->dt, old, fresh))
            continue;
        lm_buffer_unref(to->buf);
        to->buf = NULL;
        char text[32];
        number_text(from->dt, old, text);
        return lm_fail(LM_INPUT,
                       "%s: element %lld is %s, which %s cannot hold, and input '%s' takes %s; store it as %s", source,
                       (long long)i, text, lm_dtype_name(port->type), port->name, lm_dtype_name(port->type),
                       lm_dtype_name(port->type));
    }
    return LM_OK;
}

static lm_status add_batch(lm_view *v)
{
    int64_t dim[LM_RANK] = {1};
    memcpy(dim + 1, v->sh.dim, (size_t)v->sh.rank * sizeof *dim);
    lm_shape sh;
    LM_TRY(lm_shape_make(v->sh.rank + 1, dim, &sh));
    *v = lm_view_row(v->dt, &sh, v->buf);
    return LM_OK;
}

lm_status input_fit(const limn_port *port, const char *source, lm_view *v)
{
    lm_status status = LM_OK;
    if (port->type != LIMN_DTYPES && v->dt != port->type) {
        lm_view fresh = {0};
        status = convert(port, source, v, &fresh);
        lm_buffer_unref(v->buf);
        *v = fresh;
    }
    if (status == LM_OK && port->rank == v->sh.rank + 1)
        status = add_batch(v);
    if (status == LM_OK)
        return LM_OK;
    lm_buffer_unref(v->buf);
    v->buf = NULL;
    return status;
}

lm_status input_stack(const char *name, const lm_view *part, size_t parts, lm_view *out)
{
    lm_shape sh = part[0].sh;
    char a[LM_SHAPE_TEXT], b[LM_SHAPE_TEXT];
    for (size_t i = 1; i < parts; i++) {
        lm_shape other = part[i].sh;
        bool alike = other.rank == sh.rank && memcmp(other.dim + 1, sh.dim + 1, sizeof sh.dim - sizeof *sh.dim) == 0;
        LM_REQUIRE(
            alike && sh.rank > 0, LM_INPUT,
            "input '%s': arrays of shape %s and %s cannot be stacked; give some that differ in the first axis only",
            name, lm_shape_text(&part[0].sh, a), lm_shape_text(&other, b));
        sh.dim[0] += other.dim[0];
    }
    LM_TRY(lm_shape_make(sh.rank, sh.dim, &sh));
    LM_TRY(lm_view_new(part[0].dt, &sh, out));
    char *to = lm_view_data(out);
    for (size_t i = 0; i < parts; i++) {
        size_t bytes = (size_t)lm_shape_count(&part[i].sh) * lm_dtype_size(part[i].dt);
        if (bytes)
            memcpy(to, lm_view_data(&part[i]), bytes);
        to += bytes;
    }
    return LM_OK;
}
