/* Running a bound call: inputs in, launches, results out. */
#include "core/run/exec.h"

#include <stdio.h>

#include "core/base/fpu.h"
#include "core/run/exec_parts.h"

/* `n` numbers of a host buffer as another floating type. */
static void convert(void *to, lm_dtype to_type, const void *from, int64_t n)
{
    if (to_type == LM_F64)
        for (int64_t i = 0; i < n; i++)
            ((double *)to)[i] = ((const float *)from)[i];
    else
        for (int64_t i = 0; i < n; i++)
            ((float *)to)[i] = (float)((const double *)from)[i];
}

lm_status lm_exec_put(lm_exec *ex, const exec_slot *s, const lm_view *from)
{
    lm_device *device = ex->chain.dev[s->dev];
    int64_t lo, hi, size = (int64_t)lm_dtype_size(from->dt);
    if (s->bytes == 0)
        return LM_OK;
    lm_exec_span(from, &lo, &hi);
    size_t at = (size_t)((int64_t)from->off + lo * size);
    if (from->dt == s->view.dt)
        return device->vt->copy(device, s->view.buf, s->start, from->buf, at, s->bytes);
    lm_buffer *wide;
    LM_TRY(lm_buffer_new(s->bytes, &wide));
    convert(wide->host, s->view.dt, (const char *)from->buf->host + at, hi - lo);
    lm_status status = device->vt->copy(device, s->view.buf, s->start, wide, 0, s->bytes);
    lm_buffer_unref(wide);
    return status;
}

static lm_status move(lm_exec *ex, const exec_step *step)
{
    const exec_slot *from = &ex->slots.at[step->from], *to = &ex->slots.at[step->to];
    lm_device *sender = ex->chain.dev[from->dev], *receiver = ex->chain.dev[to->dev];
    if (from->bytes == 0)
        return LM_OK;
    LM_TRY(sender->vt->sync(sender));
    if (!step->direct)
        LM_TRY(sender->vt->copy(sender, step->stage, 0, from->view.buf, from->start, from->bytes));
    return receiver->vt->copy(receiver, to->view.buf, to->start, step->stage, 0, to->bytes);
}

static lm_status run_step(lm_exec *ex, const exec_step *step)
{
    lm_device *device = ex->chain.dev[step->dev];
    if (!step->kernel)
        return move(ex, step);
    lm_status status = device->vt->launch(device, step->kernel, step->arg, ex->scratch[step->dev]);
    return lm_context(status, "%s on %s", step->name, device->info.name);
}

/* A step alone, waited for, and its time. */
static lm_status run_timed(lm_exec *ex, const exec_step *step)
{
    lm_device *device = ex->chain.dev[step->dev];
    double start = lm_profile_now(), seconds, alone;
    LM_TRY(run_step(ex, step));
    LM_TRY(device->vt->sync(device));
    seconds = lm_profile_now() - start;
    lm_status known = step->kernel && device->vt->timing ? device->vt->timing(device, &alone) : LM_NO;
    if (step->row >= 0)
        lm_profile_time(ex->profile, step->row, known == LM_OK ? alone : seconds);
    return known == LM_NO ? LM_OK : known;
}

static lm_status launch(lm_exec *ex)
{
    for (size_t i = 0; i < ex->steps.count; i++)
        LM_TRY(ex->profile ? run_timed(ex, &ex->steps.at[i]) : run_step(ex, &ex->steps.at[i]));
    return LM_OK;
}

/* Nothing may still be running when the caller frees or reuses memory. */
static lm_status wait(lm_exec *ex)
{
    lm_status status = LM_OK;
    for (int d = 0; d < ex->chain.n; d++)
        if (ex->used[d]) {
            lm_device *device = ex->chain.dev[d];
            lm_status s = device->vt->sync(device);
            if (status == LM_OK)
                status = lm_context(s, "%s", device->info.name);
        }
    return status;
}

/* After a failure: wait all the same, and keep the first reason. */
static lm_status give_up(lm_exec *ex, lm_status status)
{
    char reason[512];
    snprintf(reason, sizeof reason, "%s", lm_message());
    wait(ex);
    lm_message_set(reason);
    return status;
}

lm_status lm_exec_launch(lm_exec *ex)
{
    lm_fpu caller = lm_fpu_enter();
    lm_status status = launch(ex);
    status = status == LM_OK ? wait(ex) : give_up(ex, status);
    lm_fpu_leave(caller);
    return ex->name ? lm_context(status, "%s", lm_ops[ex->op].name) : status;
}

lm_status lm_exec_run(lm_exec *ex)
{
    for (size_t i = 0; i < ex->entries.count; i++)
        LM_TRY(lm_exec_put(ex, &ex->slots.at[ex->entries.at[i].slot], &ex->x[ex->entries.at[i].input]));
    return lm_exec_launch(ex);
}

/* A slot's content as a view of host memory, in the device's type; lm_buffer_unref(out->buf). */
static lm_status host_view(lm_exec *ex, const exec_slot *s, lm_view *out)
{
    lm_device *device = ex->chain.dev[s->dev];
    *out = s->view;
    if (!device->vt->map) {
        lm_buffer_ref(out->buf);
        return LM_OK;
    }
    LM_TRY(lm_buffer_new(s->start + s->bytes, &out->buf));
    lm_status status = s->bytes ? device->vt->copy(device, out->buf, s->start, s->view.buf, s->start, s->bytes) : LM_OK;
    if (status != LM_OK)
        lm_buffer_unref(out->buf);
    return status;
}

/* Where result i can be read: made by a step, or an operand that the expansion passed on. */
static lm_status result_view(lm_exec *ex, int i, lm_view *out)
{
    lm_val v = lm_exec_resolve(ex, ex->yv[i]);
    const exec_place *p = &ex->places.at[v];
    const lm_view *content = ex->graph->values.at[v]->constant;
    if (p->home >= 0)
        return host_view(ex, &ex->slots.at[p->slot[p->home]], out);
    for (int k = 0; !content && k < ex->nx; k++)
        if (ex->xv[k] == v)
            content = &ex->x[k];
    if (!content)
        return lm_fail(LM_UNSUPPORTED, "result %d was never made", i);
    *out = *content;
    lm_buffer_ref(out->buf);
    return LM_OK;
}

lm_status lm_exec_fetch(lm_exec *ex, int i, const lm_view *to)
{
    LM_REQUIRE(i >= 0 && i < ex->ny, LM_USAGE, "result %d of %d does not exist", i, ex->ny);
    const lm_type *type = &ex->graph->values.at[ex->yv[i]]->type;
    const char *is = lm_dtype_name(type->dt), *said = lm_dtype_name(to->dt);
    char shape[LM_SHAPE_TEXT], other[LM_SHAPE_TEXT];
    LM_REQUIRE(to->dt == type->dt && lm_shape_equal(&to->sh, &type->sh), LM_USAGE, "result %d is %s%s, not %s%s", i, is,
               lm_shape_text(&type->sh, shape), said, lm_shape_text(&to->sh, other));
    lm_view from;
    LM_TRY(result_view(ex, i, &from));
    lm_status status;
    if (from.dt == to->dt) {
        status = lm_view_copy(to, &from);
    } else {
        int64_t lo, hi, size = (int64_t)lm_dtype_size(from.dt);
        lm_exec_span(&from, &lo, &hi);
        lm_view narrow = from;
        narrow.dt = to->dt;
        narrow.off = (size_t)(-lo * (int64_t)lm_dtype_size(to->dt));
        status = lm_buffer_new((size_t)(hi - lo) * lm_dtype_size(to->dt), &narrow.buf);
        if (status == LM_OK) {
            convert(narrow.buf->host, to->dt, (const char *)from.buf->host + ((int64_t)from.off + lo * size), hi - lo);
            status = lm_view_copy(to, &narrow);
            lm_buffer_unref(narrow.buf);
        }
    }
    lm_buffer_unref(from.buf);
    return status;
}

lm_status lm_exec_record(lm_exec *ex, lm_profile *profile)
{
    ex->profile = NULL;
    for (size_t i = 0; profile && i < ex->steps.count; i++) {
        exec_step *s = &ex->steps.at[i];
        const lm_kernel *k = s->kernel;
        lm_profile_row row = {.step = s->name,
                              .kernel = k ? k->name : "move",
                              .device = ex->chain.dev[s->dev]->info.name,
                              .fallback = k && s->dev > 0,
                              .flops = k ? k->flops : 0,
                              .bytes = k ? k->bytes : (double)ex->slots.at[s->from].bytes};
        LM_TRY(lm_profile_add(profile, &row, &s->row));
    }
    ex->profile = profile;
    return LM_OK;
}

const char *lm_exec_kernel(const lm_exec *ex)
{
    return ex->name ? ex->name : ex->steps.at[0].kernel->name;
}

const lm_kernel *lm_exec_facts(const lm_exec *ex)
{
    return ex->name ? NULL : ex->steps.at[0].kernel;
}

int lm_exec_fallbacks(const lm_exec *ex)
{
    return ex->fallbacks;
}

/* Kernels go before the memory that they may point to, and that before the cache that counts it. */
void lm_exec_close(lm_exec *ex)
{
    if (!ex)
        return;
    for (size_t i = 0; i < ex->steps.count; i++) {
        if (ex->steps.at[i].kernel)
            ex->steps.at[i].kernel->free(ex->steps.at[i].kernel);
        lm_buffer_unref(ex->steps.at[i].stage);
    }
    for (size_t i = 0; i < ex->derived.count; i++)
        lm_derived_put(ex->cache, ex->derived.at[i]);
    lm_derived_close(ex->cache);
    for (size_t i = 0; i < ex->slots.count; i++)
        lm_buffer_unref(ex->slots.at[i].view.buf);
    for (int d = 0; d < LM_CHAIN_MAX; d++)
        lm_buffer_unref(ex->scratch[d]);
    for (size_t i = 0; i < ex->places.count; i++)
        lm_buffer_unref(ex->places.at[i].constant.buf);
    for (int i = 0; i < ex->nx; i++)
        lm_buffer_unref(ex->x[i].buf);
    lm_vec_free(&ex->steps);
    lm_vec_free(&ex->derived);
    lm_vec_free(&ex->slots);
    lm_vec_free(&ex->places);
    lm_vec_free(&ex->entries);
    lm_graph_free(ex->graph);
    lm_free(ex->name);
    lm_free(ex);
}

/* Open, run, and copy every result to a fresh row-major view; those made before a failure are the caller's to free. */
static lm_status once(const lm_chain *chain, const lm_call *call, lm_view *y)
{
    lm_exec *ex;
    LM_TRY(lm_exec_open(chain, call, &ex));
    lm_status status = lm_exec_run(ex);
    for (int i = 0; i < call->ny && status == LM_OK; i++) {
        status = lm_view_new(call->y[i].dt, &call->y[i].sh, &y[i]);
        if (status == LM_OK)
            status = lm_exec_fetch(ex, i, &y[i]);
    }
    lm_exec_close(ex);
    return status;
}

static lm_status infer(lm_opid op, const lm_attrs *a, int nx, const lm_view *x, int ny, lm_type *y)
{
    lm_arena arena = {0};
    lm_type *type = lm_arena_alloc(&arena, (size_t)nx, sizeof *type);
    const lm_view **value = lm_arena_alloc(&arena, (size_t)nx, sizeof(lm_view *));
    lm_status status = type && value ? LM_OK : LM_MEMORY;
    for (int i = 0; status == LM_OK && i < nx; i++) {
        type[i] = (lm_type){x[i].dt, x[i].sh};
        value[i] = lm_view_present(&x[i]) ? &x[i] : NULL;
    }
    lm_shape_args args = {.op = op, .a = a, .nx = nx, .ny = ny, .x = type, .value = value};
    if (status == LM_OK)
        status = lm_op_infer(&args, y);
    lm_arena_free(&arena);
    return status;
}

lm_status lm_exec_once(const lm_chain *chain, lm_opid op, const lm_attrs *a, int nx, const lm_view *x, int ny,
                       lm_view *y)
{
    lm_type type[LM_OUT_MAX];
    lm_view wanted[LM_OUT_MAX], made[LM_OUT_MAX] = {0};
    lm_attrs none = {0};
    const lm_attrs *attrs = a ? a : &none;
    LM_TRY(infer(op, attrs, nx, x, ny, type));
    for (int i = 0; i < ny; i++)
        wanted[i] = lm_view_row(type[i].dt, &type[i].sh, NULL);
    lm_call call = {.op = op, .a = attrs, .nx = nx, .ny = ny, .x = x, .y = wanted};
    lm_status status = once(chain, &call, made);
    for (int i = 0; i < ny; i++) {
        if (status == LM_OK)
            y[i] = made[i];
        else
            lm_buffer_unref(made[i].buf);
    }
    return status;
}
