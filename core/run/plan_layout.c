/* What kernels like: channels-last images, and which strides they take without copying. */
#include <stdlib.h>

#include "core/run/plan_parts.h"

/* How the ops of one kind treat the order of the axes of an image. */
enum {
    WINDOW = 1,  /* reads windows: runs best channels-last */
    CARRIES = 2, /* element by element or row by row: takes either order, as long as it is one for all */
    STRIDES = 4, /* reads any strides as fast as a copy would */
    GAPS = 8,    /* writes rows with gaps between them */
};

static const uint8_t habit[LM_OPS] = {
    [LM_OP_CONV] = WINDOW | GAPS,
    [LM_OP_CONV_T] = WINDOW | GAPS,
    [LM_OP_CONV_DW] = WINDOW,
    [LM_OP_MAXPOOL] = WINDOW | GAPS,
    [LM_OP_AVGPOOL] = WINDOW | GAPS,
    [LM_OP_LPPOOL] = WINDOW | GAPS,
    [LM_OP_MAXPOOL_DX] = WINDOW,
    [LM_OP_AVGPOOL_DX] = WINDOW,
    [LM_OP_RESIZE] = WINDOW,
    [LM_OP_RESIZE_DX] = WINDOW,
    [LM_OP_BATCHNORM] = CARRIES | GAPS,
    [LM_OP_INSTANCENORM] = CARRIES,
    [LM_OP_GROUPNORM] = CARRIES,
    [LM_OP_LRN] = CARRIES,
    [LM_OP_CONCAT] = CARRIES | STRIDES,
    [LM_OP_PAD] = CARRIES | STRIDES,
    [LM_OP_PAD_DX] = CARRIES | STRIDES,
    [LM_OP_SLICE] = CARRIES | STRIDES | GAPS,
    [LM_OP_SLICE_DX] = CARRIES | STRIDES,
    [LM_OP_CAST] = CARRIES,
    [LM_OP_ACT_DX] = CARRIES,
    [LM_OP_WHERE] = CARRIES,
    [LM_OP_FUSED] = CARRIES | GAPS,
    [LM_OP_MATMUL] = STRIDES | GAPS,
    [LM_OP_RESHAPE] = STRIDES,
    [LM_OP_TRANSPOSE] = STRIDES | GAPS,
    [LM_OP_EXPAND] = STRIDES | GAPS,
    [LM_OP_TILE] = STRIDES,
    [LM_OP_IDENTITY] = CARRIES | STRIDES | GAPS,
};

static bool is_binary(lm_opid op)
{
    return op >= LM_OP_ADD && op <= LM_OP_SHIFT;
}

static int habit_of(lm_opid op)
{
    if (habit[op])
        return habit[op];
    return lm_op_is_unary(op) || is_binary(op) ? CARRIES | GAPS : 0;
}

lm_status lm_plan_uses(lm_plan *p, plan_uses *u)
{
    size_t n = 0;
    for (size_t i = 0; i < p->items.count; i++)
        n += (size_t)p->items.at[i].nx;
    u->first = lm_arena_alloc(&p->arena, p->values.count + 2, sizeof *u->first);
    u->item = lm_arena_alloc(&p->arena, n, sizeof *u->item);
    u->wanted = lm_arena_alloc(&p->arena, p->values.count, sizeof *u->wanted);
    u->maker = lm_arena_alloc(&p->arena, p->values.count, sizeof *u->maker);
    if (!u->first || !u->item || !u->wanted || !u->maker)
        return LM_MEMORY;
    for (size_t i = 0; i < p->items.count; i++) {
        const plan_item *it = &p->items.at[i];
        for (int k = 0; k < it->nx; k++)
            u->first[it->x[k] + 2]++;
        for (int k = 0; k < it->ny; k++)
            u->maker[it->y[k]] = it;
    }
    for (size_t v = 2; v < p->values.count + 2; v++)
        u->first[v] += u->first[v - 1];
    /* first[v + 1] moves from the beginning of v's list to its end, which is the beginning of the next */
    for (size_t i = 0; i < p->items.count; i++)
        for (int k = 0; k < p->items.at[i].nx; k++)
            u->item[u->first[p->items.at[i].x[k] + 1]++] = &p->items.at[i];
    for (size_t i = 0; i < p->model->outputs.count; i++)
        u->wanted[p->output[i]] = true;
    return LM_OK;
}

/* A value whose order of axes is ours to choose. */
static bool is_free(const lm_plan *p, const plan_uses *u, lm_val v)
{
    const plan_value *value = &p->values.at[v];
    return u->maker[v] && value->view.sh.rank >= 3 && !lm_view_is_nhwc(&value->view);
}

static bool is_last(const plan_value *v)
{
    return v->view.sh.rank >= 3 && lm_view_is_nhwc(&v->view);
}

static bool make_last(lm_plan *p, const plan_uses *u, lm_val v)
{
    if (!is_free(p, u, v) || !habit_of(u->maker[v]->op) || !(habit_of(u->maker[v]->op) & (WINDOW | CARRIES)))
        return false;
    lm_view *view = &p->values.at[v].view;
    lm_strides_nhwc(&view->sh, view->st);
    return true;
}

/* One value's order decides that of all around an op that carries it. */
static bool spread(lm_plan *p, const plan_uses *u, const plan_item *it)
{
    int rank = p->values.at[it->y[0]].view.sh.rank;
    bool changed = false, last = false;
    for (int k = 0; k < it->nx + it->ny; k++) {
        lm_val v = k < it->nx ? it->x[k] : it->y[k - it->nx];
        const plan_value *value = &p->values.at[v];
        /* orders of images with one pixel or one channel are alike and say nothing */
        last = last || (value->view.sh.rank == rank && is_last(value) && !lm_view_is_row(&value->view));
    }
    for (int k = 0; last && k < it->nx + it->ny; k++) {
        lm_val v = k < it->nx ? it->x[k] : it->y[k - it->nx];
        if (p->values.at[v].view.sh.rank == rank)
            changed |= make_last(p, u, v);
    }
    return changed;
}

void lm_plan_layout(lm_plan *p, const plan_uses *u)
{
    enum { ROUNDS = 4 };
    for (size_t i = 0; i < p->items.count; i++) {
        const plan_item *it = &p->items.at[i];
        if (!(habit_of(it->op) & WINDOW))
            continue;
        make_last(p, u, it->x[0]);
        make_last(p, u, it->y[0]);
    }
    bool changed = true;
    for (int round = 0; round < ROUNDS && changed; round++) {
        changed = false;
        for (size_t i = 0; i < p->items.count; i++)
            if (habit_of(p->items.at[i].op) & CARRIES)
                changed |= spread(p, u, &p->items.at[i]);
        for (size_t i = p->items.count; i-- > 0;)
            if (habit_of(p->items.at[i].op) & CARRIES)
                changed |= spread(p, u, &p->items.at[i]);
    }
}

/* The axis with the smallest stride of those that have more than one element, or -1. */
static int inner_axis(const lm_view *v)
{
    int inner = -1;
    for (int i = 0; i < v->sh.rank; i++)
        if (v->sh.dim[i] > 1 && (inner < 0 || llabs(v->st[i]) < llabs(v->st[inner])))
            inner = i;
    return inner;
}

/* Shorter rows than this, in elements, are better copied together. */
enum { ROW = 16 };

/* Does nearly every kernel read it as fast as if it were dense: rows or pixels in one piece? */
static bool is_easy(const lm_view *v)
{
    if (lm_view_is_row(v) || (v->sh.rank >= 3 && lm_view_is_nhwc(v)))
        return true;
    int inner = inner_axis(v), rank = v->sh.rank;
    bool ordered = inner >= 0 && v->st[inner] == 1 && v->sh.dim[inner] >= ROW;
    /* the other axes in order, whatever the gaps */
    int64_t last = INT64_MAX;
    for (int i = 0; i < rank && ordered; i++) {
        if (v->sh.dim[i] == 1 || i == inner)
            continue;
        ordered = v->st[i] <= last && v->st[i] >= v->sh.dim[inner];
        last = v->st[i];
    }
    return ordered && (inner == rank - 1 || (rank >= 3 && inner == 1));
}

/* New strides for the axes of a Reshape; false when the elements do not lie so that there are any. */
static bool reshape_strides(const lm_view *x, const lm_shape *to, int64_t st[LM_RANK])
{
    int i = 0, n = x->sh.rank;
    if (lm_shape_count(to) == 0) {
        lm_strides_row(to, st);
        return true;
    }
    for (int d = 0; d < LM_RANK; d++)
        st[d] = d < to->rank ? 1 : 0;
    for (int d = 0; d < to->rank;) {
        if (to->dim[d] == 1) {
            d++;
            continue;
        }
        while (i < n && x->sh.dim[i] == 1)
            i++;
        /* a group of x's axes with as many elements as a group of new ones */
        int end = i + 1, new_end = d + 1;
        int64_t old_count = x->sh.dim[i], new_count = to->dim[d];
        while (old_count != new_count)
            if (old_count < new_count)
                old_count *= x->sh.dim[end++];
            else
                new_count *= to->dim[new_end++];
        int64_t inner = 0, size = 1;
        bool any = false; /* an inner stride of 0 is one, too */
        for (int k = end - 1; k >= i; k--) {
            if (x->sh.dim[k] == 1)
                continue;
            if (any && x->st[k] != inner * size)
                return false;
            inner = any ? inner : x->st[k];
            any = true;
            size *= x->sh.dim[k];
        }
        for (int k = new_end - 1; k >= d; k--) {
            st[k] = inner;
            inner *= to->dim[k];
        }
        i = end;
        d = new_end;
    }
    return true;
}

/* The result of an op that only moves, as a view of its operand. */
static bool moved(const plan_item *it, const lm_view *x, const lm_view *y, lm_view *out)
{
    int rank = y->sh.rank;
    int64_t off = (int64_t)x->off, size = (int64_t)lm_dtype_size(x->dt);
    *out = *x;
    out->sh = y->sh;
    switch (it->op) {
    case LM_OP_IDENTITY:
        return true;
    case LM_OP_RESHAPE:
        return reshape_strides(x, &y->sh, out->st);
    case LM_OP_TRANSPOSE:
        for (int i = 0; i < rank; i++)
            out->st[i] = x->st[it->a->perm.perm[i]];
        return true;
    case LM_OP_SLICE:
        for (int i = 0; i < rank && lm_shape_count(&y->sh) > 0; i++) {
            out->st[i] = x->st[i] * it->a->slice.step[i];
            off += it->a->slice.start[i] * x->st[i] * size;
        }
        out->off = (size_t)off;
        return true;
    case LM_OP_EXPAND:
        for (int i = 0; i < rank; i++) {
            int from = i - (rank - x->sh.rank);
            out->st[i] = from < 0 || x->sh.dim[from] != y->sh.dim[i] ? 0 : x->st[from];
        }
        return true;
    default:
        return false;
    }
}

/* Elements read again and again are no hardship where operands broadcast anyway. */
static bool is_repeated(const lm_view *v)
{
    lm_view once = *v;
    bool repeated = false;
    for (int i = 0; i < v->sh.rank; i++)
        if (v->sh.dim[i] > 1 && v->st[i] == 0) {
            once.sh.dim[i] = 1;
            repeated = true;
        }
    return repeated && (inner_axis(&once) < 0 || once.st[inner_axis(&once)] == 1);
}

bool lm_plan_view(const lm_plan *p, const plan_uses *u, const plan_item *it, lm_view *out)
{
    if (it->ep || it->x[0] == LM_NOVAL)
        return false;
    const plan_value *x = &p->values.at[it->x[0]], *y = &p->values.at[it->y[0]];
    if (!moved(it, &x->view, &y->view, out) || lm_shape_count(&y->view.sh) == 0)
        return false;
    /* what strides other devices like is not known here; they get what is dense in any case */
    if (!p->one_space)
        return x->cell >= 0 && it->op == LM_OP_RESHAPE && lm_view_is_row(&x->view);
    if (x->cell < 0 && !x->constant)
        return false;
    /* a form that was chosen for what follows beats one that happens to be there */
    if (is_easy(out) && (lm_view_is_row(&y->view) || lm_view_is_nhwc(out)))
        return true;
    lm_val v = it->y[0];
    for (int i = u->first[v]; i < u->first[v + 1]; i++) {
        lm_opid op = u->item[i]->op;
        if (!(habit_of(op) & STRIDES) && !(is_binary(op) && is_repeated(out)))
            return false;
    }
    return true;
}

bool lm_plan_takes_gaps(const lm_plan *p, const plan_uses *u, lm_val x, lm_val y, int axis)
{
    const lm_view *from = &p->values.at[x].view, *to = &p->values.at[y].view;
    const plan_item *maker = u->maker[x];
    if (!maker || !(habit_of(maker->op) & GAPS) || from->dt != to->dt || lm_shape_count(&from->sh) == 0)
        return false;
    for (int i = u->first[x]; i < u->first[x + 1]; i++)
        for (int k = i + 1; k < u->first[x + 1]; k++)
            if (u->item[i] == u->item[k] && u->item[i]->op == LM_OP_CONCAT)
                return false;
    /* both in one order, and the slice's inner rows long enough */
    bool row = lm_view_is_row(from) && lm_view_is_row(to);
    bool last = !row && is_last(&p->values.at[x]) && is_last(&p->values.at[y]);
    int64_t run = 1;
    if (row)
        for (int i = axis; i < from->sh.rank; i++)
            run *= from->sh.dim[i];
    else
        run = axis == 1 ? from->sh.dim[1] : from->sh.dim[1] * from->sh.dim[from->sh.rank - 1];
    return (row || last) && run >= ROW;
}
