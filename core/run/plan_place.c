/* How values lie in memory: which are channels-last, which are views of others, which are made where a Concat wants
 * them, and how long each piece of memory is needed. */
#include <limits.h>

#include "core/run/plan_parts.h"

/* A part of another cell, and from where on. */
typedef struct slice_of {
    lm_val whole; /* LM_NOVAL: none */
    int64_t at;   /* along the axis of the Concat */
    int axis;
} slice_of;

static lm_status new_cell(lm_plan *p, lm_val v)
{
    plan_value *value = &p->values.at[v];
    plan_cell cell = {.last = -1, .input = -1};
    char text[LM_SHAPE_TEXT];
    for (int s = 0; s < LM_CHAIN_MAX; s++)
        cell.slot[s] = -1;
    LM_REQUIRE(lm_mul_size((size_t)lm_shape_count(&value->view.sh), lm_dtype_size(value->view.dt), &cell.bytes),
               LM_MEMORY, "a %s tensor of shape %s does not fit into memory", lm_dtype_name(value->view.dt),
               lm_shape_text(&value->view.sh, text));
    LM_TRY(lm_vec_push(&p->cells, cell));
    value->cell = (int)p->cells.count - 1;
    return LM_OK;
}

static void touch(lm_plan *p, lm_val v, int item)
{
    int cell = p->values.at[v].cell;
    if (cell >= 0 && p->cells.at[cell].last < item)
        p->cells.at[cell].last = item;
}

/* `v` lies within the memory of `of`. Views of constants are constants. */
static void lie_in(lm_plan *p, lm_val v, lm_val of, const lm_view *view)
{
    plan_value *value = &p->values.at[v], *whole = &p->values.at[of];
    value->view = *view;
    value->cell = whole->cell;
    value->constant = whole->constant;
    if (value->constant)
        lm_buffer_ref(value->view.buf);
}

/* The place of a result within the Concat that takes it; the Concat's own place comes first. */
static lm_status place_result(lm_plan *p, const slice_of *into, lm_val v)
{
    plan_value *value = &p->values.at[v];
    if (value->cell >= 0)
        return LM_OK;
    if (into[v].whole == LM_NOVAL)
        return new_cell(p, v);
    LM_TRY(place_result(p, into, into[v].whole));
    lm_view part = p->values.at[into[v].whole].view;
    part.sh = value->view.sh;
    part.off += (size_t)(into[v].at * part.st[into[v].axis]) * lm_dtype_size(part.dt);
    lie_in(p, v, into[v].whole, &part);
    p->cells.at[value->cell].parts = true;
    return LM_OK;
}

/* Do the operands of a Concat lie side by side already, as those of a smaller Concat of the same values do? */
static bool is_adjacent(const lm_plan *p, const plan_item *it, lm_view *out)
{
    const plan_value *first = &p->values.at[it->x[0]];
    int axis = it->a->axis.axis;
    int64_t off = (int64_t)first->view.off;
    if (it->op != LM_OP_CONCAT || first->cell < 0 || p->values.at[it->y[0]].cell >= 0)
        return false;
    for (int i = 0; i < it->nx; i++) {
        const plan_value *x = &p->values.at[it->x[i]];
        bool beside = x->cell == first->cell && x->view.dt == first->view.dt && (int64_t)x->view.off == off;
        for (int d = 0; d < x->view.sh.rank; d++)
            beside = beside && x->view.st[d] == first->view.st[d];
        if (!beside)
            return false;
        off += x->view.sh.dim[axis] * x->view.st[axis] * (int64_t)lm_dtype_size(x->view.dt);
    }
    *out = first->view;
    out->sh = p->values.at[it->y[0]].view.sh;
    return true;
}

/* Does nothing else write to a result of this Concat? Then there is nothing to do when its turn comes. */
static bool is_made(const lm_plan *p, const slice_of *into, const plan_item *it)
{
    if (it->op != LM_OP_CONCAT || lm_shape_count(&p->values.at[it->y[0]].view.sh) == 0)
        return false;
    for (int i = 0; i < it->nx; i++)
        if (into[it->x[i]].whole != it->y[0] && lm_shape_count(&p->values.at[it->x[i]].view.sh) > 0)
            return false;
    return true;
}

/* Operands of Concats that may be made in place: results of kernels that take such strides, with rows long enough that
 * gaps between them do no harm. The last Concat of a value gets it, which is the largest where features pile up. */
static void find_concats(const lm_plan *p, const plan_uses *uses, slice_of *into)
{
    for (size_t i = p->items.count; i-- > 0;) {
        const plan_item *it = &p->items.at[i];
        int64_t at = 0;
        for (int k = 0; it->op == LM_OP_CONCAT && k < it->nx; k++) {
            const plan_value *x = &p->values.at[it->x[k]];
            int axis = it->a->axis.axis;
            bool takes = lm_plan_takes_gaps(p, uses, it->x[k], it->y[0], axis);
            if (takes && into[it->x[k]].whole == LM_NOVAL)
                into[it->x[k]] = (slice_of){it->y[0], at, axis};
            at += x->view.sh.dim[axis];
        }
    }
}

static lm_status place_items(lm_plan *p, const plan_uses *uses, const slice_of *into)
{
    for (size_t i = 0; i < p->items.count; i++) {
        plan_item *it = &p->items.at[i];
        lm_view view;
        bool moves = !p->plain && into[it->y[0]].whole == LM_NOVAL;
        if (moves && (is_adjacent(p, it, &view) || lm_plan_view(p, uses, it, &view))) {
            lie_in(p, it->y[0], it->x[0], &view);
            it->silent = true;
            continue;
        }
        for (int k = 0; k < it->ny; k++)
            LM_TRY(lm_plan_at(place_result(p, into, it->y[k]), it));
        it->silent = !p->plain && is_made(p, into, it);
    }
    return LM_OK;
}

static void lifetimes(lm_plan *p)
{
    for (size_t i = 0; i < p->items.count; i++) {
        const plan_item *it = &p->items.at[i];
        for (int k = 0; !it->silent && k < it->nx + it->ny; k++)
            touch(p, k < it->nx ? it->x[k] : it->y[k - it->nx], (int)i);
    }
    for (size_t i = 0; i < p->model->outputs.count; i++)
        touch(p, p->output[i], INT_MAX);
}

lm_status lm_plan_places(lm_plan *p)
{
    for (size_t i = 0; i < p->model->inputs.count; i++)
        if (p->input[i] != LM_NOVAL) {
            LM_TRY(new_cell(p, p->input[i]));
            p->cells.at[p->values.at[p->input[i]].cell].input = (int)i;
        }
    plan_uses uses;
    slice_of *into = lm_arena_alloc(&p->arena, p->values.count, sizeof *into);
    if (!into)
        return LM_MEMORY;
    LM_TRY(lm_plan_uses(p, &uses));
    /* processors like images channels-last, whatever drives them */
    if (!p->plain && (p->one_space || p->chain.dev[0]->info.kind == LM_KIND_CPU))
        lm_plan_layout(p, &uses);
    if (!p->plain && p->one_space)
        find_concats(p, &uses, into);
    LM_TRY(place_items(p, &uses, into));
    lifetimes(p);
    return LM_OK;
}
