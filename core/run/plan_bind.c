/* From calls to steps: a kernel for each, the constants in the forms that kernels want, and moves where a value is made
 * on one device and used on another. */
#include <limits.h>

#include "core/run/plan_parts.h"

static lm_status new_slot(lm_plan *p, int cell, int space, int first, int *out)
{
    const bool held = p->cells.at[cell].held;
    plan_slot s = {
        .space = space, .bytes = p->cells.at[cell].bytes, .first = held ? -1 : first, .last = held ? INT_MAX : first};
    LM_TRY(lm_vec_push(&p->slots, s));
    *out = (int)p->slots.count - 1;
    p->cells.at[cell].slot[space] = *out;
    return LM_OK;
}

/* A step of its own for what is still; the first late one ends what can be done before. */
static lm_status add_step(lm_plan *p, plan_step step, lm_val made)
{
    const plan_value *v = &p->values.at[made];
    step.still = !v->moves;
    if (v->late && p->split > p->steps.count)
        p->split = p->steps.count;
    return lm_vec_push(&p->steps, step);
}

static void use_until(plan_slot *s, int step)
{
    s->last = s->last > step ? s->last : step;
}

static lm_status add_move(lm_plan *p, lm_val v, int from, int to)
{
    plan_slot *a = &p->slots.at[from], *b = &p->slots.at[to];
    plan_step step = {.dev = a->space, .device = p->chain.dev[a->space], .from = from, .to = to, .row = -1};
    LM_TRY(lm_vec_reserve(&p->steps, p->steps.count + 1));
    if (a->bytes && !p->host[a->space] && !p->host[b->space])
        LM_TRY(lm_buffer_new(a->bytes, &step.stage));
    const int now = (int)p->steps.count;
    use_until(a, now);
    use_until(b, now);
    b->first = b->first < 0 ? -1 : now;
    p->facts.moves++;
    return add_step(p, step, v);
}

/* A slot with the content of value v, which is no constant, in a space. */
static lm_status bring(lm_plan *p, lm_val v, int space, int *out)
{
    int cell = p->values.at[v].cell, from = -1;
    *out = p->cells.at[cell].slot[space];
    if (*out >= 0)
        return LM_OK;
    if (p->cells.at[cell].input >= 0) {
        int input = p->cells.at[cell].input;
        LM_TRY(new_slot(p, cell, space, -1, out));
        return lm_vec_push(&p->entries, (plan_entry){input, *out, p->input[input], .kept = NULL});
    }
    for (int s = 0; s < p->chain.n; s++)
        if (p->cells.at[cell].slot[s] >= 0)
            from = p->cells.at[cell].slot[s];
    if (from < 0)
        return lm_fail(LM_USAGE, "a value is used before it is made");
    LM_TRY(new_slot(p, cell, space, 0, out));
    return add_move(p, v, from, *out);
}

/* Where a constant can be read in a space. */
static lm_status constant_at(lm_plan *p, lm_val v, int space, lm_arg *out)
{
    plan_value *value = &p->values.at[v];
    *out = (lm_arg){value->view.buf, value->view.off};
    if (p->host[space])
        return LM_OK;
    if (!value->copy[space]) {
        lm_device *device = p->chain.dev[space];
        size_t bytes = (size_t)lm_shape_count(&value->view.sh) * lm_dtype_size(value->view.dt);
        LM_TRY(device->vt->alloc(device, bytes ? bytes : 1, &value->copy[space]));
        if (bytes)
            LM_TRY(device->vt->copy(device, value->copy[space], 0, value->view.buf, value->view.off, bytes));
    }
    *out = (lm_arg){value->copy[space], 0};
    return LM_OK;
}

/* The forms of constants that a kernel asks for. */
static lm_status derive(lm_plan *p, const lm_call *call, int dev, const lm_kernel *kernel, plan_operand *operand)
{
    for (int w = 0; w < kernel->nwant; w++) {
        const lm_want *want = &kernel->want[w];
        if (want->input < 0)
            continue;
        LM_REQUIRE(want->input < call->nx && want->input < 64 && call->constant >> want->input & 1, LM_DEVICE,
                   "kernel %s wants input %d in a form of its own, but that is no constant", kernel->name, want->input);
        const lm_derived *d;
        LM_TRY(lm_vec_reserve(&p->derived, p->derived.count + 1));
        LM_TRY(lm_derived_get(p->cache, p->chain.dev[dev], &call->x[want->input], want, &d));
        p->derived.at[p->derived.count++] = d;
        operand[want->input].at.buf = d->buf;
    }
    return LM_OK;
}

/* Constants that lie where this kernel cannot read them. */
static lm_status align(lm_plan *p, const plan_item *it, const lm_call *call, int space, const lm_kernel *kernel,
                       plan_operand *operand)
{
    for (int i = 0; i < call->nx && i < 64 && p->host[space]; i++) {
        const bool loose = (kernel->loose >> i & 1) != 0, constant = p->values.at[it->x[i]].constant;
        if (!constant || operand[i].at.buf || loose || lm_view_is_aligned(&call->x[i]))
            continue;
        const lm_derived *d;
        LM_TRY(lm_vec_reserve(&p->derived, p->derived.count + 1));
        LM_TRY(lm_derived_align(p->cache, &call->x[i], &d, &operand[i].at.off));
        p->derived.at[p->derived.count++] = d;
        operand[i].at.buf = d->buf;
    }
    return LM_OK;
}

static lm_status read_operands(lm_plan *p, const plan_item *it, int space, plan_operand *operand)
{
    for (int i = 0; i < it->nx; i++) {
        const plan_value *v = &p->values.at[it->x[i]];
        if (it->x[i] == LM_NOVAL || operand[i].at.buf)
            continue;
        if (v->constant) {
            LM_TRY(constant_at(p, it->x[i], space, &operand[i].at));
            continue;
        }
        LM_TRY(bring(p, it->x[i], space, &operand[i].slot));
        operand[i].at.off = v->view.off;
    }
    return LM_OK;
}

/* May the first result be made in the place of the first operand, which nobody reads any more? */
static bool in_place(const lm_plan *p, const plan_item *it, int space)
{
    const plan_value *x = &p->values.at[it->x[0]], *y = &p->values.at[it->y[0]];
    if (p->plain || it->ep || !(lm_ops[it->op].flags & LM_FLAG_INPLACE) || x->cell < 0)
        return false;
    const plan_cell *from = &p->cells.at[x->cell], *to = &p->cells.at[y->cell];
    if (from->last != (int)(it - p->items.at) || from->bytes != to->bytes || to->parts || to->held ||
        from->slot[space] < 0)
        return false;
    bool same = x->view.dt == y->view.dt && x->view.off == y->view.off && lm_shape_equal(&x->view.sh, &y->view.sh);
    for (int i = 0; i < x->view.sh.rank; i++)
        same = same && (x->view.sh.dim[i] == 1 || x->view.st[i] == y->view.st[i]);
    /* another operand in the same memory would be read after it was written */
    for (int i = 1; i < it->nx; i++)
        same = same && (it->x[i] == it->x[0] || p->values.at[it->x[i]].cell != x->cell);
    return same;
}

/* Slots for what an item makes; every slot it touches is in use at least until the step that is added next. */
static lm_status write_operands(lm_plan *p, const plan_item *it, int space, plan_operand *operand)
{
    int now = (int)p->steps.count;
    if (in_place(p, it, space))
        p->cells.at[p->values.at[it->y[0]].cell].slot[space] = p->cells.at[p->values.at[it->x[0]].cell].slot[space];
    for (int i = 0; i < it->ny; i++) {
        const plan_value *v = &p->values.at[it->y[i]];
        plan_operand *o = &operand[it->nx + i];
        o->slot = p->cells.at[v->cell].slot[space];
        if (o->slot < 0)
            LM_TRY(new_slot(p, v->cell, space, now, &o->slot));
        o->at.off = v->view.off;
    }
    for (int i = 0; i < it->nx + it->ny; i++)
        if (operand[i].slot >= 0)
            use_until(&p->slots.at[operand[i].slot], now);
    return LM_OK;
}

/* Takes over the kernel, also when it fails. */
static lm_status add_launch(lm_plan *p, const plan_item *it, const lm_call *call, int dev, lm_kernel *kernel)
{
    size_t n = (size_t)(it->nx + it->ny);
    plan_step step = {.dev = dev, .device = p->chain.dev[dev], .kernel = kernel, .item = it, .row = -1};
    lm_status status = LM_OK;
    step.arg = lm_arena_alloc(&p->arena, n, sizeof *step.arg);
    step.operand = lm_arena_alloc(&p->arena, n, sizeof *step.operand);
    if (!step.arg || !step.operand) {
        status = LM_MEMORY;
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        step.operand[i].slot = -1;
    LM_TRY_OUT(derive(p, call, dev, kernel, step.operand));
    LM_TRY_OUT(align(p, it, call, p->space[dev], kernel, step.operand));
    LM_TRY_OUT(read_operands(p, it, p->space[dev], step.operand));
    LM_TRY_OUT(write_operands(p, it, p->space[dev], step.operand));
    LM_TRY_OUT(add_step(p, step, it->y[0]));
    p->used[dev] = true;
    p->facts.launches++;
    p->facts.fallbacks += dev > 0;
    if (kernel->workspace > p->scratch_bytes[dev])
        p->scratch_bytes[dev] = kernel->workspace;
    return LM_OK;
out:
    kernel->free(kernel);
    return status;
}

static lm_status bind_item(lm_plan *p, const plan_item *it, lm_view *view)
{
    lm_call call;
    lm_kernel *kernel;
    int dev;
    LM_TRY(lm_plan_call(p, it, view, &call));
    LM_TRY(lm_chain_bind(&p->chain, 0, &call, &dev, &kernel));
    return add_launch(p, it, &call, dev, kernel);
}

/* An output's memory is read after the last step. Views of inputs that no step reads are brought where they can be. */
static lm_status keep(lm_plan *p, lm_val v)
{
    int cell = p->values.at[v].cell, slot;
    if (cell >= 0 && p->cells.at[cell].input >= 0)
        LM_TRY(bring(p, v, 0, &slot));
    for (int s = 0; cell >= 0 && s < p->chain.n; s++)
        if (p->cells.at[cell].slot[s] >= 0)
            p->slots.at[p->cells.at[cell].slot[s]].last = INT_MAX;
    return LM_OK;
}

lm_status lm_plan_bind(lm_plan *p)
{
    int most = 0;
    p->split = SIZE_MAX;
    for (size_t i = 0; i < p->items.count; i++) {
        int n = p->items.at[i].nx + p->items.at[i].ny;
        most = n > most ? n : most;
    }
    lm_view *view = lm_malloc((size_t)most, sizeof *view);
    lm_status status = view ? LM_OK : LM_MEMORY;
    for (size_t i = 0; i < p->items.count && status == LM_OK; i++)
        if (!p->items.at[i].silent)
            status = lm_plan_at(bind_item(p, &p->items.at[i], view), &p->items.at[i]);
    for (size_t i = 0; i < p->model->outputs.count && status == LM_OK; i++)
        status = keep(p, p->output[i]);
    lm_free(view);
    return status;
}
