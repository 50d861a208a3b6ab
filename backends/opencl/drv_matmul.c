/* Matrix products: batches with broadcasting, either operand transposed, vectors. */
#include <string.h>

#include "backends/opencl/product.h"

/* Gap after each row of a copy, in floats, so that rows do not push each other out of a cache. */
enum { GAP = 16, CACHE_WAY = 1024 };

/* One axis of the result but the last, and what a step along it is in every operand. */
typedef struct axis {
    int64_t n, a, b, y, r, p;
} axis;

typedef struct axes {
    axis at[LM_RANK];
    int n;
} axes;

static bool joins(const axis *outer, const axis *inner)
{
    return outer->a == inner->a * inner->n && outer->b == inner->b * inner->n && outer->y == inner->y * inner->n &&
           outer->r == inner->r * inner->n && outer->p == inner->p * inner->n;
}

/* Put an axis outside of those that are there. */
static void push_outer(axes *l, axis a)
{
    if (a.n == 1)
        return;
    if (l->n && joins(&a, &l->at[0])) {
        l->at[0].n *= a.n;
        return;
    }
    memmove(&l->at[1], &l->at[0], (size_t)l->n * sizeof l->at[0]);
    l->at[0] = a;
    l->n++;
}

static lm_view as_matrix(const lm_view *v, bool turned, bool column)
{
    lm_view m = *v;
    const int r = v->sh.rank;
    if (r == 1) {
        m.sh = column ? LM_SHAPE(v->sh.dim[0], 1) : LM_SHAPE(1, v->sh.dim[0]);
        m.st[column ? 0 : 1] = v->st[0];
        m.st[column ? 1 : 0] = 0;
    } else if (turned) {
        m.sh.dim[r - 1] = v->sh.dim[r - 2], m.st[r - 1] = v->st[r - 2];
        m.sh.dim[r - 2] = v->sh.dim[r - 1], m.st[r - 2] = v->st[r - 1];
    }
    return m;
}

/* A view of the result's shape as [batch..., M, N]. */
static lm_view as_result(const lm_call *call, const lm_view *v)
{
    lm_view m = *v;
    if (call->x[1].sh.rank == 1) {
        m.sh.dim[m.sh.rank] = 1, m.st[m.sh.rank] = 1;
        m.sh.rank++;
    }
    if (call->x[0].sh.rank == 1) {
        const int r = m.sh.rank++;
        m.sh.dim[r] = m.sh.dim[r - 1], m.st[r] = m.st[r - 1];
        m.sh.dim[r - 1] = 1, m.st[r - 1] = m.sh.dim[r];
    }
    return m;
}

/* a with neighbouring terms, or rows that do not get in each other's way. */
static lm_status copy_rows(lm_cl_maker *m, lm_view *a, int64_t gap)
{
    const int r = a->sh.rank;
    lm_cl_border b = {.out = {1, 1, 1, 1, 1}, .in = {1, 1, 1, 1, 1}};
    LM_REQUIRE(r <= 5, LM_UNSUPPORTED, "MatMul: no copy of operands of rank %d", r);
    for (int i = 0; i < r; i++) {
        b.out[5 - r + i] = b.in[5 - r + i] = a->sh.dim[i];
        b.st[5 - r + i] = a->st[i];
    }
    b.pixel = a->sh.dim[r - 1] + gap;
    LM_TRY(lm_cl_product_border(m, m->a, &b, &m->a));
    a->st[r - 1] = 1;
    int64_t step = b.pixel;
    for (int i = r - 2; i >= 0; step *= a->sh.dim[i--])
        a->st[i] = step;
    return LM_OK;
}

/* The axes of the result as rows, where b is the same for all, and parts. */
static lm_status lay_out(lm_cl_maker *m, const lm_view *a, const lm_view *y, const lm_view *r, const lm_view *p,
                         int64_t part)
{
    const lm_view *b = &m->call->x[1];
    const int last = y->sh.rank - 1;
    axes rows = {.n = 0}, parts = {.n = 0};
    push_outer(&rows, (axis){y->sh.dim[last - 1], a->st[a->sh.rank - 2], 0, y->st[last - 1], r->st[last - 1],
                             p->st[last - 1]});
    for (int i = last - 2; i >= 0; i--) {
        const int from_end = last - 1 - i, ia = a->sh.rank - 2 - from_end, ib = b->sh.rank - 2 - from_end;
        const bool many = ib >= 0 && b->sh.dim[ib] > 1;
        const axis x = {y->sh.dim[i], ia >= 0 && a->sh.dim[ia] > 1 ? a->st[ia] : 0, many ? part : 0, y->st[i], r->st[i],
                        p->st[i]};
        part *= ib >= 0 ? b->sh.dim[ib] : 1;
        push_outer(many || rows.n == LM_CL_DIGITS ? &parts : &rows, x);
    }
    LM_REQUIRE(parts.n <= LM_CL_DIGITS && rows.n <= LM_CL_DIGITS, LM_UNSUPPORTED,
               "MatMul: batches of too many strides");
    lm_cl_product *q = &m->p;
    q->rows = 1;
    for (int i = 0; i < rows.n; i++) {
        const axis *x = &rows.at[i];
        const int d = LM_CL_DIGITS - rows.n + i;
        q->rows *= x->n;
        q->row_dim[d] = x->n, q->row_a[d] = x->a, q->row_y[d] = x->y, q->row_r[d] = x->r, q->row_p[d] = x->p;
    }
    for (int i = 0; i < parts.n; i++) {
        const axis *x = &parts.at[i];
        const int d = LM_CL_DIGITS - parts.n + i;
        q->part_dim[d] = x->n, q->part_a[d] = x->a, q->part_b[d] = x->b, q->part_y[d] = x->y;
        q->part_r[d] = x->r, q->part_p[d] = x->p;
    }
    return LM_OK;
}

static lm_status make(lm_cl_maker *m)
{
    const lm_call *call = m->call;
    const lm_view *b = &call->x[1];
    lm_view a = as_matrix(&call->x[0], call->a->matmul.ta && call->x[0].sh.rank > 1, false);
    lm_view y = as_result(call, &call->y[0]), none = y;
    memset(none.st, 0, sizeof none.st);
    LM_REQUIRE(call->x[0].sh.rank >= 1 && b->sh.rank >= 1, LM_INPUT, "MatMul needs operands with at least one axis");
    LM_REQUIRE(call->x[0].sh.rank < LM_RANK && call->y[0].sh.rank + 2 <= LM_RANK, LM_UNSUPPORTED,
               "MatMul: rank %d is too much", (int)call->y[0].sh.rank);
    lm_view r = m->residual < 0 ? none : as_result(call, &call->x[m->residual]);
    lm_view p = m->slope < 0 ? none : as_result(call, &call->x[m->slope]);
    const int last = y.sh.rank - 1, ra = a.sh.rank;
    lm_cl_pack pack;
    if (lm_shape_count(&call->y[0].sh) == 0)
        return LM_OK;
    LM_TRY(lm_cl_product_weights(m, LM_CL_PACK_MATRIX, call->a->matmul.tb && b->sh.rank > 1, &pack));
    m->p.channels = pack.channels;
    const bool many = pack.columns > 2 * lm_cl_panel(m->k->cl) && a.sh.dim[ra - 2] > 1;
    const bool alias = many && m->k->cl->panels && a.st[ra - 2] % CACHE_WAY == 0;
    if (m->k->cl->panels && (alias || (a.st[ra - 1] != 1 && a.sh.dim[ra - 1] != 1)))
        LM_TRY(copy_rows(m, &a, alias ? GAP : 0));
    m->p.a_step = a.st[ra - 1];
    m->p.y_column = y.st[last], m->p.r_column = r.st[last], m->p.p_column = p.st[last];
    LM_TRY(lay_out(m, &a, &y, &r, &p, m->p.b_panel * pack.panels));
    return lm_cl_product_pass(m);
}

lm_status lm_cl_bind_matmul(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    lm_cl_maker m;
    LM_TRY(lm_cl_product_start(cl, call, "gemm_f32", &m));
    return lm_cl_bound(m.k, make(&m), out);
}
