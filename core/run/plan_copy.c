/* Strided copies on the host. */
#include <string.h>

#include "core/run/plan_copy.h"

/* One run along the innermost axis; steps in bytes. */
static void copy_run(char *to, int64_t to_step, lm_dtype to_type, const char *from, int64_t from_step,
                     lm_dtype from_type, int64_t n)
{
    int64_t size = (int64_t)lm_dtype_size(to_type);
    if (to_type == from_type && to_step == size && from_step == size) {
        memcpy(to, from, (size_t)(n * size));
    } else if (to_type == LM_F64 && from_type == LM_F32) {
        for (int64_t i = 0; i < n; i++) {
            float value; /* constants may lie at any address */
            memcpy(&value, from + i * from_step, sizeof value);
            *(double *)(void *)(to + i * to_step) = value;
        }
    } else if (to_type == LM_F32 && from_type == LM_F64) {
        for (int64_t i = 0; i < n; i++)
            *(float *)(void *)(to + i * to_step) = (float)*(const double *)(const void *)(from + i * from_step);
    } else if (size == 4) {
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * to_step, from + i * from_step, 4);
    } else {
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * to_step, from + i * from_step, (size_t)size);
    }
}

/* Axes that both sides walk as one are merged, so that dense copies are one run. */
static int merge(lm_view *to, lm_view *from)
{
    int n = 0;
    for (int i = 0; i < to->sh.rank; i++) {
        int64_t dim = to->sh.dim[i];
        if (dim == 1)
            continue;
        if (n > 0 && to->st[n - 1] == dim * to->st[i] && from->st[n - 1] == dim * from->st[i]) {
            to->sh.dim[n - 1] *= dim;
            to->st[n - 1] = to->st[i];
            from->st[n - 1] = from->st[i];
            continue;
        }
        to->sh.dim[n] = dim;
        to->st[n] = to->st[i];
        from->st[n++] = from->st[i];
    }
    if (n == 0) {
        to->sh.dim[0] = 1;
        n = 1;
    }
    return n;
}

void lm_plan_copy(const lm_view *to_view, const lm_view *from_view)
{
    lm_view to = *to_view, from = *from_view;
    int64_t to_size = (int64_t)lm_dtype_size(to.dt), from_size = (int64_t)lm_dtype_size(from.dt), at[LM_RANK] = {0};
    if (lm_shape_count(&to.sh) == 0)
        return;
    int rank = merge(&to, &from);
    char *out = lm_view_data(&to);
    const char *in = lm_view_data(&from);
    for (;;) {
        copy_run(out, to.st[rank - 1] * to_size, to.dt, in, from.st[rank - 1] * from_size, from.dt,
                 to.sh.dim[rank - 1]);
        int d = rank - 2;
        for (; d >= 0 && at[d] + 1 == to.sh.dim[d]; d--) {
            out -= at[d] * to.st[d] * to_size;
            in -= at[d] * from.st[d] * from_size;
            at[d] = 0;
        }
        if (d < 0)
            return;
        at[d]++;
        out += to.st[d] * to_size;
        in += from.st[d] * from_size;
    }
}
