/* Binds matrix products: batches with broadcasting, either operand transposed, vectors. Row-major operands are read
 * where they lie; the right operand is packed, once when it is constant. */
#include "backends/cpu/bind.h"
#include "backends/cpu/block.h"
#include "backends/cpu/product.h"
#include "core/base/mem.h"

/* Both operands as matrices: `a` [batch..., M, K], `y` [batch..., M, N], with the batch axes of y (broadcast axes have
 * stride 0), and b's own batch. */
typedef struct shape2 {
    int64_t m, k, n, a_row, y_row;
    int batch;
    int64_t dim[LM_RANK], a_step[LM_RANK], y_step[LM_RANK], b_step[LM_RANK]; /* b_step in packed parts */
} shape2;

static lm_status check(const lm_call *call)
{
    const lm_view *a = &call->x[0], *b = &call->x[1];
    LM_REQUIRE(a->dt == LM_F32 && b->dt == LM_F32, LM_UNSUPPORTED, "MatMul of %s and %s: only float32",
               lm_dtype_name(a->dt), lm_dtype_name(b->dt));
    LM_REQUIRE(a->sh.rank >= 1 && b->sh.rank >= 1, LM_INPUT, "MatMul needs operands with at least one axis");
    return LM_OK;
}

/* The left operand as [batch..., M, K] whatever its rank and transposition. */
static lm_view left(const lm_call *call)
{
    lm_view a = call->x[0];
    const int r = a.sh.rank;
    if (r == 1) {
        a.sh = LM_SHAPE(1, call->x[0].sh.dim[0]);
        a.st[1] = a.st[0], a.st[0] = 0;
    } else if (call->a->matmul.ta) {
        const int64_t dim = a.sh.dim[r - 1], st = a.st[r - 1];
        a.sh.dim[r - 1] = a.sh.dim[r - 2], a.st[r - 1] = a.st[r - 2];
        a.sh.dim[r - 2] = dim, a.st[r - 2] = st;
    }
    return a;
}

/* The result as [batch..., M, N]. */
static lm_view result(const lm_call *call)
{
    lm_view y = call->y[0];
    if (call->x[1].sh.rank == 1) {
        y.sh.dim[y.sh.rank] = 1, y.st[y.sh.rank] = 1;
        y.sh.rank++;
    }
    if (call->x[0].sh.rank == 1) {
        const int r = y.sh.rank++;
        y.sh.dim[r] = y.sh.dim[r - 1], y.st[r] = y.st[r - 1];
        y.sh.dim[r - 1] = 1, y.st[r - 1] = y.sh.dim[r];
    }
    return y;
}

static void batch_axes(const lm_view *a, const lm_view *b, const lm_view *y, shape2 *s)
{
    s->batch = y->sh.rank - 2;
    int64_t part = 1;
    for (int i = s->batch - 1; i >= 0; i--) {
        const int from_end = s->batch - i, ia = a->sh.rank - 2 - from_end, ib = b->sh.rank - 2 - from_end;
        s->dim[i] = y->sh.dim[i];
        s->y_step[i] = y->st[i];
        s->a_step[i] = ia >= 0 && a->sh.dim[ia] > 1 ? a->st[ia] : 0;
        s->b_step[i] = 0;
        if (ib >= 0) {
            s->b_step[i] = b->sh.dim[ib] > 1 ? part : 0;
            part *= b->sh.dim[ib];
        }
    }
}

/* Inner batch axes that share b and continue the rows of a and y are more rows. */
static void fold_rows(shape2 *s)
{
    while (s->batch > 0) {
        const int i = s->batch - 1;
        if (s->b_step[i] != 0 && s->dim[i] > 1)
            return;
        if (s->dim[i] > 1) {
            if (s->m == 1)
                s->a_row = s->a_step[i], s->y_row = s->y_step[i];
            else if (s->a_step[i] != s->m * s->a_row || s->y_step[i] != s->m * s->y_row)
                return;
        }
        s->m *= s->dim[i];
        s->batch--;
    }
}

static void fill(lm_product *p, const shape2 *s)
{
    lm_igemm *g = &p->g;
    const int64_t panels = (s->n + p->pack.nr - 1) / p->pack.nr;
    for (int64_t i = 0; i < g->nparts; i++) {
        lm_part part = {0};
        int64_t rest = i;
        for (int k = s->batch - 1; k >= 0; rest /= s->dim[k--]) {
            const int64_t digit = rest % s->dim[k];
            part.x += digit * s->a_step[k];
            part.y += digit * s->y_step[k];
            part.b += digit * s->b_step[k] * panels * lm_pack_panel(&p->pack);
        }
        g->part[i] = part;
    }
    g->samples = 1;
    g->channels = s->k;
    g->in[0] = g->in[1] = 1, g->in[2] = s->m;
    g->x_step[2] = s->a_row;
    g->tap[0] = (lm_tap){0};
    g->pass[0] = (lm_pass){.out = {1, 1, s->m}, .step = {1, 1, 1}, .y_step = {0, 0, s->y_row}, .ntap = 1};
}

/* Row-major strides for a copy of `v`, with `gap` floats after each row. */
static lm_status copied(lm_product *p, lm_view *v, int64_t gap, bool out, lm_relayout *r)
{
    int64_t st[LM_RANK];
    lm_shape wide = v->sh;
    wide.dim[wide.rank - 1] += gap;
    lm_strides_row(&wide, st);
    LM_TRY(lm_product_relayout(p, v, st, (size_t)lm_shape_count(&wide), out, r));
    for (int i = 0; i < v->sh.rank; i++)
        v->st[i] = st[i];
    return LM_OK;
}

lm_status lm_cpu_bind_matmul(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    LM_TRY(check(call));
    lm_view a = left(call), y = result(call);
    const lm_view *b = &call->x[1];
    LM_REQUIRE(y.sh.rank <= LM_RANK, LM_UNSUPPORTED, "MatMul: rank %d is over %d", (int)y.sh.rank, LM_RANK);
    const int last = y.sh.rank - 1;
    int64_t batches = 1;
    for (int i = 0; i < last - 1; i++)
        batches *= y.sh.dim[i];
    lm_product *p;
    LM_TRY(lm_product_new(cpu, call, "gemm", 1, 1, batches, &p));
    lm_status status = LM_OK;
    LM_TRY_OUT(lm_product_epilogue(cpu, p, call));
    lm_pack_gemm(b, call->a->matmul.tb && b->sh.rank > 1, p->g.set->nr, &p->pack);
    const bool alias = p->pack.columns > 2 * p->g.set->nr &&
                       lm_rows_alias(cpu->topo, p->g.set, a.sh.dim[a.sh.rank - 2], a.st[a.sh.rank - 2]);
    if (alias || (a.st[a.sh.rank - 1] != 1 && a.sh.dim[a.sh.rank - 1] != 1))
        LM_TRY_OUT(copied(p, &a, alias ? LM_ROW_GAP : 0, false, &p->x));
    if (y.st[last] != 1 && y.sh.dim[last] != 1)
        LM_TRY_OUT(copied(p, &y, 0, true, &p->y));
    LM_TRY_OUT(lm_product_operands(p, call, y.st));
    shape2 s = {.m = a.sh.dim[a.sh.rank - 2], .k = p->pack.channels, .n = p->pack.columns};
    s.a_row = a.st[a.sh.rank - 2], s.y_row = y.st[last - 1];
    batch_axes(&a, b, &y, &s);
    fold_rows(&s);
    p->g.nparts = s.m > 0; /* rows that an empty axis was folded into are none, whatever batch is left */
    for (int i = 0; i < s.batch; i++)
        p->g.nparts *= s.dim[i];
    fill(p, &s);
    LM_TRY_OUT(lm_product_finish(cpu, p, call, LM_CPU_PACK_GEMM, call->a->matmul.tb && b->sh.rank > 1, "gemm"));
    *out = &p->k.base;
    return LM_OK;
out:
    lm_free(p);
    return status;
}
