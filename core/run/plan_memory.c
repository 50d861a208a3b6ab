/* Addresses: each space gets one block of memory, and every slot a place in it. Slots that are never needed at the same
 * time may lie on one another. */
#include <stdlib.h>

#include "core/run/plan_parts.h"

static lm_status out_of_memory(const plan_slot *s)
{
    return lm_fail(LM_MEMORY, "the values of this model do not fit into memory (one takes %zu bytes)", s->bytes);
}

static size_t whole_lines(size_t bytes)
{
    return (bytes + LM_ALIGN - 1) & ~(size_t)(LM_ALIGN - 1);
}

/* Each slot behind the last. */
static lm_status in_a_row(lm_plan *p)
{
    for (size_t i = 0; i < p->slots.count; i++) {
        plan_slot *s = &p->slots.at[i];
        size_t end;
        s->off = p->room_bytes[s->space];
        if (!lm_add_size(s->off, s->bytes, &end) || end > SIZE_MAX - LM_ALIGN)
            return out_of_memory(s);
        p->room_bytes[s->space] = whole_lines(end);
    }
    return LM_OK;
}

static int largest_first(const void *a, const void *b)
{
    const plan_slot *const *x = a, *const *y = b;
    if ((*x)->bytes != (*y)->bytes)
        return (*x)->bytes < (*y)->bytes ? 1 : -1;
    return *x < *y ? -1 : 1;
}

static int lowest_first(const void *a, const void *b)
{
    const plan_slot *const *x = a, *const *y = b;
    return (*x)->off != (*y)->off ? ((*x)->off > (*y)->off) - ((*x)->off < (*y)->off) : 0;
}

/* The smallest gap that fits between what is placed already and needed at the same time, else the end. `near` has room
 * for all that is placed. */
static lm_status place(lm_plan *p, plan_slot *const *placed, size_t n, plan_slot *s, plan_slot **near)
{
    size_t count = 0, best = SIZE_MAX, end = 0, top;
    for (size_t i = 0; i < n; i++)
        if (placed[i]->space == s->space && placed[i]->first <= s->last && s->first <= placed[i]->last)
            near[count++] = placed[i];
    qsort(near, count, sizeof *near, lowest_first);
    for (size_t i = 0; i < count; i++) {
        size_t gap = near[i]->off > end ? near[i]->off - end : 0;
        if (gap >= s->bytes && gap < best) {
            best = gap;
            s->off = end;
        }
        size_t after = near[i]->off + whole_lines(near[i]->bytes);
        end = after > end ? after : end;
    }
    if (best == SIZE_MAX)
        s->off = end;
    if (!lm_add_size(s->off, s->bytes, &top) || top > SIZE_MAX - LM_ALIGN)
        return out_of_memory(s);
    if (whole_lines(top) > p->room_bytes[s->space])
        p->room_bytes[s->space] = whole_lines(top);
    return LM_OK;
}

/* The largest first, each where it fits. */
static lm_status packed(lm_plan *p)
{
    size_t n = p->slots.count;
    plan_slot **order = lm_malloc(2 * n + 1, sizeof *order);
    if (!order)
        return LM_MEMORY;
    for (size_t i = 0; i < n; i++)
        order[i] = &p->slots.at[i];
    qsort(order, n, sizeof *order, largest_first);
    lm_status status = LM_OK;
    for (size_t i = 0; i < n && status == LM_OK; i++)
        status = place(p, order, i, order[i], order + n);
    lm_free(order);
    return status;
}

/* Host memory is nobody's, so that every device may copy from and to it. */
static lm_status make_room(lm_plan *p, int space)
{
    size_t bytes = p->room_bytes[space] ? p->room_bytes[space] : 1;
    lm_device *device = p->chain.dev[space];
    lm_status status =
        p->host[space] ? lm_buffer_new(bytes, &p->room[space]) : device->vt->alloc(device, bytes, &p->room[space]);
    return lm_context(status, "%zu bytes for the values of the model", bytes);
}

static lm_status allocate(lm_plan *p)
{
    for (int d = 0; d < p->chain.n; d++) {
        lm_device *device = p->chain.dev[d];
        if (p->scratch_bytes[d])
            LM_TRY(lm_context(device->vt->alloc(device, p->scratch_bytes[d], &p->scratch[d]), "scratch memory"));
        bool here = false;
        for (size_t i = 0; i < p->slots.count; i++)
            here = here || p->slots.at[i].space == d;
        if (here)
            LM_TRY(make_room(p, d));
        p->facts.activation_bytes += p->room_bytes[d];
        p->facts.workspace_bytes += p->scratch_bytes[d];
    }
    return LM_OK;
}

lm_status lm_plan_memory(lm_plan *p)
{
    LM_TRY(p->plain ? in_a_row(p) : packed(p));
    LM_TRY(allocate(p));
    for (size_t i = 0; i < p->slots.count; i++)
        p->slots.at[i].buf = p->room[p->slots.at[i].space];
    for (size_t i = 0; i < p->steps.count; i++) {
        plan_step *step = &p->steps.at[i];
        step->scratch = p->scratch[step->dev];
        for (int k = 0; step->kernel && k < step->item->nx + step->item->ny; k++) {
            const plan_operand *o = &step->operand[k];
            step->arg[k] = o->at;
            if (o->slot >= 0)
                step->arg[k] = (lm_arg){p->slots.at[o->slot].buf, p->slots.at[o->slot].off + o->at.off};
        }
    }
    return LM_OK;
}
