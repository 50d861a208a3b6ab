/* Reading indices: range checks and offsets in one parallel pass. */
#include "backends/cpu/index.h"

#include <stdatomic.h>
#include <string.h>

enum { PER_TILE = 16384 };

lm_status lm_indices_make(lm_opid op, const lm_view *view, const lm_view *into, int axis, int depth, int batch,
                          lm_indices *out)
{
    LM_REQUIRE(view->dt == LM_I32 || view->dt == LM_I64, LM_UNSUPPORTED, "%s: indices of type %s have no kernel",
               lm_ops[op].name, lm_dtype_name(view->dt));
    memset(out, 0, sizeof *out);
    out->op = op;
    out->view = *view;
    out->row = lm_view_is_row(view);
    out->axis = axis;
    out->depth = depth > 0 ? depth : 1;
    out->count = lm_shape_count(&view->sh) / out->depth;
    out->batch = batch;
    for (int j = 0; j < out->depth; j++) {
        out->size[j] = into->sh.dim[axis + j];
        out->stride[j] = into->st[axis + j];
    }
    for (int i = 0; i < batch; i++)
        out->base[i] = into->st[i];
    return LM_OK;
}

static int64_t index_at(const lm_indices *x, const char *data, int64_t flat)
{
    size_t size = x->view.dt == LM_I64 ? 8 : 4;
    const char *at = data + (x->row ? flat * (int64_t)size : lm_view_offset(&x->view, flat));
    int32_t narrow;
    int64_t wide;
    if (size == 8) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

/* Offset that the leading axes of address i add. */
static int64_t base_of(const lm_indices *x, int64_t i)
{
    int64_t off = 0;
    for (int axis = x->view.sh.rank - 2; axis >= 0; axis--) {
        int64_t dim = x->view.sh.dim[axis];
        if (axis < x->batch)
            off += i % dim * x->base[axis];
        i /= dim;
    }
    return off;
}

typedef struct read_run {
    const lm_indices *x;
    const char *data;
    int64_t *offset;
    _Atomic int64_t bad; /* lowest position of an index out of range, INT64_MAX: none */
} read_run;

static void read_tile(void *ctx, int64_t tile, int worker)
{
    read_run *r = ctx;
    const lm_indices *x = r->x;
    (void)worker;
    int64_t end = (tile + 1) * PER_TILE < x->count ? (tile + 1) * PER_TILE : x->count;
    for (int64_t i = tile * PER_TILE; i < end; i++) {
        int64_t off = x->batch ? base_of(x, i) : 0;
        for (int j = 0; j < x->depth; j++) {
            int64_t n = x->size[j], flat = i * x->depth + j, index = index_at(x, r->data, flat);
            if (index < -n || index >= n) {
                int64_t bad = atomic_load(&r->bad);
                while (flat < bad && !atomic_compare_exchange_weak(&r->bad, &bad, flat))
                    continue;
                return;
            }
            off += (index < 0 ? index + n : index) * x->stride[j];
        }
        r->offset[i] = off;
    }
}

lm_status lm_indices_read(lm_cpu *cpu, const lm_indices *x, const void *data, int64_t *offset)
{
    read_run r = {x, data, offset, INT64_MAX};
    lm_pool_run(cpu->pool, lm_tiles(x->count, PER_TILE), read_tile, &r);
    int64_t bad = atomic_load(&r.bad);
    if (bad == INT64_MAX)
        return LM_OK;
    int j = (int)(bad % x->depth);
    char shape[LM_SHAPE_TEXT];
    return lm_fail(LM_INPUT, "%s: index %lld, element %lld of the indices %s, is out of range for axis %d of size %lld",
                   lm_ops[x->op].name, (long long)index_at(x, data, bad), (long long)bad,
                   lm_shape_text(&x->view.sh, shape), x->axis + j, (long long)x->size[j]);
}

void lm_rows_add(lm_rows *r, int64_t dim, int64_t st0, int64_t st1, int64_t st2)
{
    if (r->n == 0)
        r->count = 1;
    r->dim[r->n] = dim;
    r->st[0][r->n] = st0;
    r->st[1][r->n] = st1;
    r->st[2][r->n] = st2;
    r->n++;
    r->count *= dim;
}

void lm_rows_at(const lm_rows *r, int64_t row, int64_t off[3])
{
    off[0] = off[1] = off[2] = 0;
    for (int i = r->n - 1; i >= 0; i--) {
        int64_t at = row % r->dim[i];
        row /= r->dim[i];
        for (int t = 0; t < 3; t++)
            off[t] += at * r->st[t][i];
    }
}
