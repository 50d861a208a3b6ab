/* Elementwise calls one behind the other become one, where the first device has a kernel for that: what lies between
 * them is never written. The bits are the same; devices without such a kernel refuse, and nothing changes. */
#include "core/run/plan_parts.h"

/* What an item and those before it would be as one; nothing where it is no elementwise call. */
typedef struct group {
    lm_attr_fused a;
    int nx;
    lm_val x[LM_FUSED_IN];
} group;

typedef struct fusing {
    lm_plan *p;
    plan_uses uses;
    group *of; /* by item */
} fusing;

static bool is_plain(const lm_plan *p, lm_val v)
{
    const lm_dtype dt = p->values.at[v].view.dt;
    return v != LM_NOVAL && (dt == LM_F32 || dt == LM_BOOL);
}

static bool is_elementwise(const lm_plan *p, const plan_item *it)
{
    const lm_op_info *op = &lm_ops[it->op];
    bool good = op->reach == LM_REACH_SAME && !op->composite && it->op > LM_OP_IDENTITY && it->op <= LM_OP_WHERE &&
                (op->attrs == LM_ATTR_none || op->attrs == LM_ATTR_act || op->attrs == LM_ATTR_actdx) && !it->ep &&
                it->nx == op->min_in && it->ny == 1 && is_plain(p, it->y[0]);
    for (int i = 0; i < it->nx && good; i++)
        good = is_plain(p, it->x[i]);
    return good;
}

/* The group that makes operand v of `it` and nothing else; NULL: v stays an operand. */
static const group *maker(const fusing *f, const plan_item *it, lm_val v)
{
    const lm_plan *p = f->p;
    const plan_item *m = f->uses.maker[v];
    const plan_value *x = &p->values.at[v], *y = &p->values.at[it->y[0]];
    if (!m || f->uses.wanted[v] || !f->of[m - p->items.at].a.n || x->moves != y->moves || x->late != y->late ||
        !lm_shape_equal(&x->view.sh, &y->view.sh))
        return NULL;
    for (int i = f->uses.first[v]; i < f->uses.first[v + 1]; i++)
        if (f->uses.item[i]->y != it->y)
            return NULL;
    return &f->of[m - p->items.at];
}

/* The number of an operand of the group; -1: it has too many. */
static int operand(group *g, lm_val v)
{
    int i = 0;
    while (i < g->nx && g->x[i] != v)
        i++;
    if (i == LM_FUSED_IN)
        return -1;
    g->x[i] = v;
    g->nx += i == g->nx;
    return i;
}

/* The steps of another group in front; the number of its result, -1 where there is no room. */
static int take(group *g, const group *from, int room)
{
    const int base = g->a.n;
    if (base + from->a.n > room)
        return -1;
    for (int i = 0; i < from->a.n; i++) {
        lm_fused_step step = from->a.step[i];
        for (int k = 0; k < lm_ops[step.op].min_in; k++) {
            const int number = step.x[k] < LM_FUSED_IN ? operand(g, from->x[step.x[k]]) : step.x[k] + base;
            if (number < 0)
                return -1;
            step.x[k] = (int8_t)number;
        }
        g->a.step[g->a.n++] = step;
    }
    return LM_FUSED_IN + g->a.n - 1;
}

/* Operands that a group makes become part of this one while there is room for them and the operands that follow. */
static void join(const fusing *f, const plan_item *it, group *out)
{
    int number[3] = {-1, -1, -1};
    *out = (group){0};
    for (int k = 0; k < it->nx; k++) {
        const group *from = maker(f, it, it->x[k]);
        group more = *out;
        for (int i = 0; i < k && number[k] < 0; i++)
            number[k] = it->x[i] == it->x[k] ? number[i] : -1;
        if (number[k] >= 0)
            continue;
        if (from)
            number[k] = take(&more, from, LM_FUSED_STEPS - 1);
        if (number[k] >= 0 && more.nx + it->nx - 1 - k <= LM_FUSED_IN)
            *out = more;
        else
            number[k] = operand(out, it->x[k]);
    }
    lm_fused_step *step = &out->a.step[out->a.n++];
    *step = (lm_fused_step){.op = (int16_t)it->op};
    for (int k = 0; k < it->nx; k++)
        step->x[k] = (int8_t)number[k];
    if (lm_ops[it->op].attrs == LM_ATTR_actdx)
        step->of = (int16_t)it->a->actdx.of, step->a = it->a->actdx.a, step->b = it->a->actdx.b;
    else if (lm_ops[it->op].attrs == LM_ATTR_act)
        step->a = it->a->act.a, step->b = it->a->act.b;
}

/* The group in place of its last item, if the first device takes it. */
static lm_status offer(lm_plan *p, const group *g, plan_item *last)
{
    lm_view view[LM_FUSED_IN + 1];
    lm_call call;
    lm_kernel *kernel;
    lm_attrs a = {0};
    a.fused = g->a;
    plan_item it = {.op = LM_OP_FUSED, .a = &a, .nx = g->nx, .ny = 1, .x = g->x, .y = last->y, .name = last->name};
    LM_TRY(lm_plan_call(p, &it, view, &call));
    LM_TRY(p->chain.dev[0]->vt->bind(p->chain.dev[0], &call, &kernel));
    kernel->free(kernel);
    it.a = lm_arena_copy(&p->arena, &a, 1, sizeof a);
    it.x = lm_arena_copy(&p->arena, g->x, (size_t)g->nx, sizeof *g->x);
    if (!it.a || !it.x)
        return LM_MEMORY;
    *last = it;
    return LM_OK;
}

/* Items that a group replaces: makers of what it takes from none of its operands. */
static void mark_parts(const fusing *f, const plan_item *it, const group *g, bool *gone)
{
    for (int k = 0; k < it->nx; k++) {
        const group *from = maker(f, it, it->x[k]);
        bool kept = !from;
        for (int i = 0; i < g->nx; i++)
            kept = kept || g->x[i] == it->x[k];
        if (kept)
            continue;
        const plan_item *m = f->uses.maker[it->x[k]];
        gone[m - f->p->items.at] = true;
        mark_parts(f, m, g, gone);
    }
}

/* From the end on, so that the longest are offered first; what is refused stays as it is. */
static lm_status offer_all(fusing *f, bool *gone)
{
    lm_plan *p = f->p;
    for (size_t i = p->items.count; i-- > 0;) {
        const plan_item last = p->items.at[i];
        if (gone[i] || f->of[i].a.n < 2)
            continue;
        const lm_status status = offer(p, &f->of[i], &p->items.at[i]);
        if (status == LM_OK)
            mark_parts(f, &last, &f->of[i], gone);
        else if (status != LM_UNSUPPORTED)
            return lm_plan_at(status, &last);
    }
    return LM_OK;
}

lm_status lm_plan_fuse(lm_plan *p)
{
    const size_t n = p->items.count;
    fusing f = {.p = p};
    f.of = lm_arena_alloc(&p->arena, n, sizeof *f.of);
    bool *gone = lm_arena_alloc(&p->arena, n, sizeof *gone);
    if (!f.of || !gone)
        return LM_MEMORY;
    LM_TRY(lm_plan_uses(p, &f.uses));
    for (size_t i = 0; i < n; i++)
        if (is_elementwise(p, &p->items.at[i]))
            join(&f, &p->items.at[i], &f.of[i]);
    LM_TRY(offer_all(&f, gone));
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!gone[i])
            p->items.at[kept++] = p->items.at[i];
    p->items.count = kept;
    return LM_OK;
}
