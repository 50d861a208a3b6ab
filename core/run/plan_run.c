/* Running a plan: inputs in, steps, outputs out. */
#include <stdio.h>
#include <string.h>

#include "core/base/fpu.h"
#include "core/run/plan_parts.h"

static const char *step_name(const plan_step *s)
{
    if (!s->kernel)
        return "move";
    return s->item->name ? s->item->name : lm_ops[s->item->op].name;
}

static lm_status check_host_view(const lm_graph *g, lm_val v, const char *what, size_t number, const lm_view *view)
{
    const lm_value *value = lm_graph_value(g, v);
    const char *name = value->name ? value->name : "";
    char is[LM_SHAPE_TEXT], said[LM_SHAPE_TEXT];
    LM_REQUIRE(view->dt == value->type.dt && lm_shape_equal(&view->sh, &value->type.sh), LM_INPUT,
               "%s %zu %s is %s%s, not %s%s", what, number, name, lm_dtype_name(value->type.dt),
               lm_shape_text(&value->type.sh, is), lm_dtype_name(view->dt), lm_shape_text(&view->sh, said));
    LM_REQUIRE(view->buf && view->buf->host, LM_INPUT, "%s %zu %s has no memory on the host", what, number, name);
    return lm_context(lm_view_check(view), "%s %zu %s", what, number, name);
}

static lm_status check(const lm_plan *p, const lm_view *feed, const lm_view *fetch)
{
    const lm_graph *g = p->model;
    for (size_t i = 0; i < g->inputs.count; i++)
        if (p->input[i] != LM_NOVAL)
            LM_TRY(check_host_view(g, g->inputs.at[i], "input", i, &feed[i]));
    for (size_t i = 0; i < g->outputs.count; i++)
        if (fetch[i].buf)
            LM_TRY(check_host_view(g, g->outputs.at[i], "output", i, &fetch[i]));
    return LM_OK;
}

/* A slot's memory as a value: on the host where `host` is given, otherwise where the slot is. */
static lm_view slot_view(const plan_slot *s, const plan_value *value, lm_buffer *host)
{
    lm_view v = value->view;
    v.buf = host ? host : s->buf;
    v.off += host ? 0 : s->off;
    return v;
}

/* Can the host read and write the slot where it is? */
static bool is_near(const lm_plan *p, const plan_slot *s)
{
    lm_device *device = p->chain.dev[s->space];
    return p->host[s->space] || (device->vt->map && device->vt->map(device, s->buf) == LM_OK);
}

static lm_status enter(lm_plan *p, const plan_entry *e, const lm_view *feeds)
{
    const lm_view *feed = &feeds[e->input];
    const plan_slot *s = &p->slots.at[e->slot];
    const plan_value *value = &p->values.at[e->value];
    lm_device *device = p->chain.dev[s->space];
    lm_view to = slot_view(s, value, NULL);
    if (s->bytes == 0)
        return LM_OK;
    if (is_near(p, s)) {
        lm_plan_copy(&to, feed);
        return LM_OK;
    }
    if (feed->dt == to.dt && lm_view_is_row(feed) && lm_view_is_row(&to))
        return device->vt->copy(device, to.buf, to.off, feed->buf, feed->off, s->bytes);
    lm_buffer *host;
    LM_TRY(lm_context(lm_buffer_new(s->bytes, &host), "input %d", e->input));
    to = slot_view(s, value, host);
    lm_plan_copy(&to, feed);
    lm_status status = device->vt->copy(device, s->buf, s->off, host, 0, s->bytes);
    lm_buffer_unref(host);
    return status;
}

/* Copy a value that a slot holds to a host view. */
static lm_status leave(lm_plan *p, const plan_value *value, const lm_view *to)
{
    const plan_cell *cell = &p->cells.at[value->cell];
    const plan_slot *s = NULL;
    for (int i = 0; i < p->chain.n; i++)
        if (cell->slot[i] >= 0 && (!s || p->host[i]))
            s = &p->slots.at[cell->slot[i]];
    LM_REQUIRE(s, LM_USAGE, "an output was never made");
    if (s->bytes == 0)
        return LM_OK;
    lm_view from = slot_view(s, value, NULL);
    if (is_near(p, s)) {
        lm_plan_copy(to, &from);
        return LM_OK;
    }
    lm_device *device = p->chain.dev[s->space];
    lm_buffer *host;
    LM_TRY(lm_buffer_new(s->bytes, &host));
    lm_status status = device->vt->copy(device, host, 0, s->buf, s->off, s->bytes);
    from = slot_view(s, value, host);
    if (status == LM_OK)
        lm_plan_copy(to, &from);
    lm_buffer_unref(host);
    return status;
}

static lm_status fetch_output(lm_plan *p, size_t i, const lm_view *feed, const lm_view *to)
{
    const plan_value *value = &p->values.at[p->output[i]];
    if (value->constant) {
        lm_plan_copy(to, &value->view);
        return LM_OK;
    }
    if (p->cells.at[value->cell].input >= 0 && p->output[i] == p->input[p->cells.at[value->cell].input]) {
        lm_plan_copy(to, &feed[p->cells.at[value->cell].input]);
        return LM_OK;
    }
    return leave(p, value, to);
}

static lm_status move(lm_plan *p, const plan_step *step)
{
    const plan_slot *from = &p->slots.at[step->from], *to = &p->slots.at[step->to];
    lm_device *sender = p->chain.dev[from->space], *receiver = p->chain.dev[to->space];
    if (from->bytes == 0)
        return LM_OK;
    LM_TRY(sender->vt->sync(sender));
    if (p->host[from->space])
        return receiver->vt->copy(receiver, to->buf, to->off, from->buf, from->off, from->bytes);
    if (p->host[to->space])
        return sender->vt->copy(sender, to->buf, to->off, from->buf, from->off, from->bytes);
    LM_TRY(sender->vt->copy(sender, step->stage, 0, from->buf, from->off, from->bytes));
    return receiver->vt->copy(receiver, to->buf, to->off, step->stage, 0, from->bytes);
}

static lm_status run_step(lm_plan *p, const plan_step *step)
{
    lm_device *device = step->device;
    if (!step->kernel)
        return lm_context(move(p, step), "move from %s", device->info.name);
    lm_status status = device->vt->launch(device, step->kernel, step->arg, step->scratch);
    return status == LM_OK ? LM_OK : lm_plan_at(lm_context(status, "%s", device->info.name), step->item);
}

/* A step alone, waited for, and its time. */
static lm_status run_timed(lm_plan *p, const plan_step *step)
{
    lm_device *device = step->device;
    double start = lm_profile_now(), seconds;
    LM_TRY(run_step(p, step));
    LM_TRY(lm_context(device->vt->sync(device), "%s on %s", step_name(step), device->info.name));
    seconds = lm_profile_now() - start;
    double alone;
    lm_status known = step->kernel && device->vt->timing ? device->vt->timing(device, &alone) : LM_NO;
    lm_profile_time(p->profile, step->row, known == LM_OK ? alone : seconds);
    return known == LM_NO ? LM_OK : known;
}

/* Devices that keep times do so from when they are asked first. */
static void begin_timing(lm_plan *p)
{
    double unused;
    for (int d = 0; d < p->chain.n; d++)
        if (p->used[d] && p->chain.dev[d]->vt->timing)
            p->chain.dev[d]->vt->timing(p->chain.dev[d], &unused);
}

static bool has_rows(const lm_plan *p, const lm_profile *profile)
{
    for (size_t i = 0; i < p->steps.count; i++) {
        const plan_step *s = &p->steps.at[i];
        if (s->row < 0 || (size_t)s->row >= profile->rows.count ||
            strcmp(profile->rows.at[s->row].step, step_name(s)) != 0)
            return false;
    }
    return true;
}

static lm_status add_rows(lm_plan *p, lm_profile *profile)
{
    if (profile == p->profile && has_rows(p, profile))
        return LM_OK;
    p->profile = NULL;
    for (size_t i = 0; i < p->steps.count; i++) {
        plan_step *s = &p->steps.at[i];
        const lm_kernel *k = s->kernel;
        lm_profile_row row = {.step = step_name(s),
                              .kernel = k ? k->name : "move",
                              .device = s->device->info.name,
                              .fallback = k && s->dev > 0,
                              .flops = k ? k->flops : 0,
                              .bytes = k ? k->bytes : (double)p->slots.at[s->from].bytes};
        LM_TRY(lm_profile_add(profile, &row, &s->row));
    }
    p->profile = profile;
    return LM_OK;
}

/* Nothing may still be running when the caller frees or reuses memory. */
static lm_status wait(lm_plan *p)
{
    lm_status status = LM_OK;
    for (int d = 0; d < p->chain.n; d++)
        if (p->used[d]) {
            lm_device *device = p->chain.dev[d];
            lm_status s = device->vt->sync(device);
            if (status == LM_OK)
                status = lm_context(s, "%s", device->info.name);
        }
    return status;
}

/* After a failure: wait all the same, and keep the first reason. */
static lm_status give_up(lm_plan *p, lm_status status)
{
    char reason[1024], node[256];
    snprintf(reason, sizeof reason, "%s", lm_message());
    snprintf(node, sizeof node, "%s", lm_blamed());
    wait(p);
    lm_message_set(reason);
    lm_blame(node);
    return status;
}

/* A run in progress. */
typedef struct running {
    lm_plan *p;
    const lm_view *feed, *fetch;
    const lm_plan_run_options *o;
    bool skip; /* what is still is there already */
    lm_device *last;
} running;

/* The steps from `first` up to `end`. */
static lm_status walk(running *r, size_t first, size_t end)
{
    lm_plan *p = r->p;
    const atomic_bool *cancel = r->o ? r->o->cancel : NULL;
    bool timed = r->o && r->o->profile;
    for (size_t i = first; i < end; i++) {
        const plan_step *step = &p->steps.at[i];
        if (step->still && r->skip)
            continue;
        if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
            return lm_fail(LM_INTERRUPTED, "interrupted before %s, step %zu of %zu", step_name(step), i + 1,
                           p->steps.count);
        /* devices may share memory, and a launch may return before its work is done */
        if (r->last && r->last != step->device)
            LM_TRY(lm_context(r->last->vt->sync(r->last), "%s", r->last->info.name));
        r->last = step->device;
        LM_TRY(timed ? run_timed(p, step) : run_step(p, step));
    }
    return LM_OK;
}

static lm_status enter_all(running *r, bool late)
{
    for (size_t i = 0; i < r->p->entries.count; i++) {
        const plan_entry *e = &r->p->entries.at[i];
        const plan_value *v = &r->p->values.at[e->value];
        if (v->late == late && !(r->skip && !v->moves))
            LM_TRY(enter(r->p, e, r->feed));
    }
    return LM_OK;
}

/* Outputs that are there before any late step, or the others. */
static lm_status fetch_all(running *r, bool early)
{
    const lm_plan *p = r->p;
    for (size_t i = 0; i < p->model->outputs.count; i++) {
        const plan_value *v = &p->values.at[p->output[i]];
        const bool is_early = !v->late && v->made < p->first_late;
        if (r->fetch[i].buf && is_early == early)
            LM_TRY(lm_context(fetch_output(r->p, i, r->feed, &r->fetch[i]), "output %zu", i));
    }
    return LM_OK;
}

static lm_status run_steps(running *r)
{
    lm_plan *p = r->p;
    const size_t split = p->split < p->steps.count ? p->split : p->steps.count;
    LM_TRY(enter_all(r, false));
    LM_TRY(walk(r, 0, split));
    if (r->o && r->o->pause) {
        LM_TRY(wait(p));
        LM_TRY(fetch_all(r, true));
        LM_TRY(r->o->pause(r->o->own));
    }
    LM_TRY(enter_all(r, true));
    return walk(r, split, p->steps.count);
}

static lm_status run(lm_plan *p, const lm_view *feed, const lm_view *fetch, const lm_plan_run_options *o)
{
    running r = {.p = p, .feed = feed, .fetch = fetch, .o = o};
    LM_TRY(check(p, feed, fetch));
    if (o && o->profile) {
        LM_TRY(add_rows(p, o->profile));
        begin_timing(p);
    }
    LM_TRY(lm_plan_unchanged(p, feed, &r.skip));
    p->warm = false;
    lm_status status = run_steps(&r);
    if (status != LM_OK)
        return give_up(p, status);
    LM_TRY(wait(p));
    p->warm = true;
    if (!o || !o->pause)
        LM_TRY(fetch_all(&r, true));
    return fetch_all(&r, false);
}

lm_status lm_plan_run(lm_plan *p, const lm_view *feed, const lm_view *fetch, const lm_plan_run_options *options)
{
    lm_fpu caller = lm_fpu_enter();
    lm_status status = run(p, feed, fetch, options);
    lm_fpu_leave(caller);
    return status;
}
