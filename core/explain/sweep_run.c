/* Feeding a pass from a frame and fetching into it. */
#include <string.h>

#include "core/explain/sweep.h"
#include "core/run/plan_copy.h"

static int64_t row_bytes(const sweeping *x, int item)
{
    return lm_shape_count(&x->type[item].sh) * (int64_t)lm_dtype_size(x->type[item].dt);
}

/* The shape of `n` of them one after another. */
static lm_shape many(const lm_shape *one, int64_t n)
{
    lm_shape s = *one;
    if (n == 1)
        return s;
    s.dim[0] = s.rank ? s.dim[0] * n : n;
    s.rank = s.rank ? s.rank : 1;
    return s;
}

lm_status lm_sweep_frame(sweeping *x, int64_t rows, lm_buffer **b, sweep_frame *out)
{
    size_t total = 0;
    out->rows = rows;
    out->part = (lm_part){.row = lm_arena_alloc(&x->arena, (size_t)rows, sizeof *out->part.row)};
    out->item = lm_arena_alloc(&x->arena, (size_t)x->items, sizeof *out->item);
    if (!out->item || !out->part.row)
        return LM_MEMORY;
    for (int i = 0; i < x->items; i++) {
        const int64_t n = sweep_is_signal(x, i) ? rows * x->block * x->blocks : rows;
        const lm_shape all = many(&x->type[i].sh, n);
        size_t bytes;
        out->item[i] = lm_view_row(x->type[i].dt, &all, NULL);
        out->item[i].off = total;
        if (!lm_mul_size((size_t)row_bytes(x, i), (size_t)n, &bytes) || !lm_add_size(total, bytes, &total) ||
            total > SIZE_MAX - LM_ALIGN)
            return lm_fail(LM_MEMORY, "signals for %lld rows do not fit into memory", (long long)rows);
        total = (total + LM_ALIGN - 1) & ~(size_t)(LM_ALIGN - 1);
    }
    out->bytes = total;
    if (!*b || (*b)->bytes < total) {
        lm_buffer_unref(*b);
        *b = NULL;
        LM_TRY(lm_buffer_new(total ? total : 1, b));
    }
    for (int i = 0; i < x->items; i++)
        out->item[i].buf = *b;
    return LM_OK;
}

lm_view lm_sweep_row(const sweeping *x, const sweep_frame *f, int item, int64_t row, int target)
{
    lm_view v = lm_view_row(x->type[item].dt, &x->type[item].sh, f->item[item].buf);
    v.off = f->item[item].off + (size_t)((target * f->rows + row) * row_bytes(x, item));
    return v;
}

/* `v` in another type, for as long as the sweep runs. */
static lm_status in_type(sweeping *x, const lm_view *v, lm_dtype dt, lm_view *out)
{
    *out = *v;
    if (v->dt == dt)
        return LM_OK;
    LM_TRY(lm_view_new(dt, &v->sh, out));
    lm_status status = lm_vec_push(&x->temporary, out->buf);
    if (status != LM_OK) {
        lm_buffer_unref(out->buf);
        return status;
    }
    const bool plain = (v->dt == LM_F32 || v->dt == LM_F64) && (dt == LM_F32 || dt == LM_F64);
    if (plain)
        lm_plan_copy(out, v);
    for (int64_t i = 0, n = plain ? 0 : lm_shape_count(&v->sh); i < n; i++)
        lm_view_set(out, i, lm_view_get(v, i));
    return LM_OK;
}

/* A zero of any shape. */
static lm_status zeros(sweeping *x, const lm_type *type, lm_view *out)
{
    const lm_shape scalar = {0};
    *out = lm_view_row(type->dt, &type->sh, NULL);
    memset(out->st, 0, sizeof out->st);
    lm_view one;
    LM_TRY(lm_view_new(type->dt, &scalar, &one));
    lm_view_set(&one, 0, 0);
    out->buf = one.buf;
    lm_status status = lm_vec_push(&x->temporary, one.buf);
    if (status != LM_OK)
        lm_buffer_unref(one.buf);
    return status;
}

/* What an input of the pass is fed, but for seeds, which change from block to block. */
static lm_status feed_input(sweeping *x, const sweep_group *g, const pass_input *in, const sweep_frame *f,
                            const lm_type *type, lm_view *out)
{
    const lm_sweep *w = x->w;
    const lm_walk *walk = g->nwalk ? &w->walk[g->walk[in->walk]] : NULL;
    switch (in->source) {
    case PASS_PORT:
        LM_TRY(in_type(x, &w->feed[in->at], type->dt, out));
        if (f->rows > 1 && type->sh.rank > 0 && type->sh.dim[0] == f->rows * out->sh.dim[0]) {
            out->sh.dim[0] = f->rows;
            out->st[0] = 0;
        }
        return LM_OK;
    case PASS_CUT:
        *out = f->item[x->cut + in->at];
        return LM_OK;
    case PASS_BASELINE:
        return in_type(x, &walk->baseline[in->at], type->dt, out);
    case PASS_LOW:
    case PASS_HIGH:
        return in_type(x, in->source == PASS_LOW ? walk->low : walk->high, type->dt, out);
    case PASS_DIRECTION:
        return in_type(x, &w->direction[in->at], type->dt, out);
    case PASS_SEED:
        *out = lm_view_row(type->dt, &type->sh, x->seed.buf);
        return LM_OK;
    default:
        return zeros(x, type, out);
    }
}

/* Where an output goes; first: of the targets of this block. */
static lm_view fetch_output(sweeping *x, const sweep_group *g, const pass_output *o, size_t number,
                            const sweep_frame *f, const lm_type *type, int first)
{
    lm_view v = lm_view_row(type->dt, &type->sh, NULL);
    int item = 0;
    switch (o->what) {
    case PASS_TRACE:
        v.buf = g->trace;
        v.off = number * (size_t)x->block * sizeof(double);
        return v;
    case PASS_GOAL:
        break;
    case PASS_VALUE:
        item = x->value + o->at;
        break;
    case PASS_TANGENT:
        item = x->tangent + o->at;
        break;
    case PASS_SIGNAL:
        item = x->signal + o->at;
        for (int i = 0; i < g->walk[o->walk]; i++)
            item += x->w->walk[i].nsite;
        v.off = (size_t)((first + o->target) * f->rows * row_bytes(x, item));
    }
    v.buf = f->item[item].buf;
    v.off += f->item[item].off;
    return v;
}

/* Room for the sums of a group's walks at their nodes. */
static lm_status open_trace(sweeping *x, const sweep_group *g, const pass *p)
{
    const lm_trace_sum *name = p->trace.at;
    for (int k = 0; k < g->nwalk; name += p->ntrace.at[k++])
        for (int t = 0; t < x->w->targets; t++) {
            const int walk = g->walk[k];
            lm_trace_sum **sums = &x->trace[walk * x->w->targets + t];
            x->ntrace[walk] = p->ntrace.at[k];
            *sums = lm_arena_copy(&x->arena, name, (size_t)p->ntrace.at[k], sizeof **sums);
            if (!*sums)
                return LM_MEMORY;
        }
    return LM_OK;
}

static void read_trace(sweeping *x, const sweep_group *g, const pass *p, const lm_view *fetch, int first)
{
    for (size_t i = 0; i < p->out.count; i++) {
        const pass_output *o = &p->out.at[i];
        if (o->what != PASS_TRACE)
            continue;
        for (int64_t t = 0, n = lm_shape_count(&fetch[i].sh); t < n; t++) {
            const int64_t target = first + o->target + t;
            if (target >= x->w->targets)
                break;
            lm_trace_sum *sum = &x->trace[g->walk[o->walk] * x->w->targets + target][o->at];
            double *const share[] = {&sum->in, &sum->out, &sum->bias, &sum->stabiliser};
            *share[o->share] = lm_view_get(&fetch[i], t);
        }
    }
}

static lm_status run_blocks(sweeping *x, sweep_group *g, pass *p, sweep_frame *f, lm_view *feed, lm_view *fetch)
{
    lm_plan_run_options options = {.profile = x->s->profile, .cancel = x->w->cancel, .own = x};
    const int blocks = x->w->targets ? x->blocks : 1;
    for (int b = 0; b < blocks; b++) {
        for (size_t i = 0; i < p->in.count; i++)
            if (p->in.at[i].source == PASS_SEED)
                feed[i].off = (size_t)(b * lm_shape_count(&feed[i].sh)) * lm_dtype_size(feed[i].dt);
        for (size_t i = 0; i < p->out.count; i++)
            fetch[i] = fetch_output(x, g, &p->out.at[i], i, f,
                                    &lm_graph_value(p->graph, p->graph->outputs.at[i])->type, b * x->block);
        const bool first = b == 0 && g == &x->group[0]; /* which goes forward for all */
        options.pause = first && x->w->aim ? lm_sweep_aim : NULL;
        LM_TRY(lm_context(lm_plan_run(p->plan, feed, fetch, &options), "%s",
                          lm_model_onnx(lm_study_model(x->s))->path));
        read_trace(x, g, p, fetch, b * x->block);
    }
    return LM_OK;
}

lm_status lm_sweep_pass(sweeping *x, int group, pass *p, sweep_frame *f)
{
    sweep_group *g = &x->group[group];
    const size_t nx = p->in.count, ny = p->out.count;
    if (p->trace.count && !g->trace) {
        LM_TRY(open_trace(x, g, p));
        LM_TRY(lm_buffer_new(ny * (size_t)x->block * sizeof(double), &g->trace));
    }
    lm_view *feed = lm_malloc(nx + ny + 1, sizeof *feed);
    if (!feed)
        return LM_MEMORY;
    const size_t mark = x->temporary.count;
    lm_status status = LM_OK;
    for (size_t i = 0; i < nx && status == LM_OK; i++)
        status = feed_input(x, g, &p->in.at[i], f, &lm_graph_value(p->graph, p->graph->inputs.at[i])->type, &feed[i]);
    if (status == LM_OK)
        status = run_blocks(x, g, p, f, feed, feed + nx);
    lm_free(feed);
    while (x->temporary.count > mark)
        lm_buffer_unref(x->temporary.at[--x->temporary.count]);
    return status;
}
