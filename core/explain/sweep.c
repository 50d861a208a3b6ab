/* Sweeps: rows in batches where that is proven to change nothing, targets in blocks. */
#include <string.h>

#include "core/base/env.h"
#include "core/explain/sweep.h"
#include "core/graph/passes.h"
#include "core/run/plan_copy.h"

/* Several rows at once hide the cost of starting, and fill tiles; but values that leave the caches before they are read
 * again cost more than that saves: as many rows as keep all values below this. */
enum { ROWS_MOST = 64, TARGETS = 16 };
static const size_t near_bytes = (size_t)20 << 20, most_bytes = (size_t)1 << 30;

static lm_status check(const lm_study *s, const lm_sweep *w)
{
    int n;
    const lm_port *port = lm_model_inputs(lm_study_model(s), &n);
    LM_REQUIRE(w->rows >= 0 && (w->fill || w->rows <= 1), LM_USAGE, "a sweep of %lld rows that nobody fills",
               (long long)w->rows);
    LM_REQUIRE(!w->aim || w->rows == 1, LM_USAGE, "a sweep of %lld rows that finds its targets out",
               (long long)w->rows);
    LM_REQUIRE(w->targets >= 0 && (w->targets > 0 || w->nwalk == 0), LM_USAGE, "walks without a target");
    LM_REQUIRE(w->ntangent == 0 || (w->ncut > 0 && w->direction), LM_USAGE, "tangents without a direction");
    for (int i = 0; i < n; i++)
        LM_REQUIRE(!lm_view_present(&w->feed[i]) || (w->feed[i].buf && w->feed[i].buf->host), LM_INPUT,
                   "input '%s' has no content on the host", port[i].name);
    for (int i = 0; i < w->nwalk; i++)
        LM_REQUIRE(w->walk[i].baseline || !w->walk[i].set->n_ref, LM_USAGE,
                   "rule set %s compares with a baseline, and there is none", w->walk[i].set->name);
    return LM_OK;
}

static lm_status type_of(const study_build *b, const char *name, lm_type *out)
{
    lm_val v;
    LM_TRY(lm_study_value(b, name, &v));
    *out = lm_graph_value(study_graph(b), v)->type;
    return LM_OK;
}

/* Types of all items in a build. */
static lm_status list_types(const sweeping *x, const study_build *b, lm_type *type)
{
    const lm_sweep *w = x->w;
    lm_val goal;
    int space, at = 1;
    LM_TRY(lm_study_goal_value(b, w->goal, &goal, &space));
    type[0] = lm_graph_value(study_graph(b), goal)->type;
    for (int i = 0; i < w->nvalue; i++)
        LM_TRY(type_of(b, w->value[i].name, &type[at++]));
    for (int i = 0; i < w->ntangent; i++)
        LM_TRY(type_of(b, w->tangent[i].name, &type[at++]));
    for (int i = 0; i < w->nwalk; i++)
        for (int k = 0; k < w->walk[i].nsite; k++)
            LM_TRY(type_of(b, w->walk[i].site[k].name, &type[at++]));
    for (int i = 0; i < w->ncut; i++)
        LM_TRY(type_of(b, w->cut[i].name, &type[at++]));
    return LM_OK;
}

/* A row's content would decide what the graph is: a branch of an If, the turns of a Loop, a shape. */
static lm_status check_cuts(const sweeping *x, const study_build *b)
{
    for (int i = 0; i < x->w->ncut; i++) {
        const int port = x->w->cut[i].port;
        LM_REQUIRE(port < 0 || !(b->built->by_value >> (port < 63 ? port : 63) & 1), LM_UNSUPPORTED,
                   "the content of input '%s' decides a branch, a loop or a shape inside the model, so it cannot be "
                   "varied; a method that stays at the sample, as saliency and input_x_gradient do, can explain it",
                   x->w->cut[i].name);
    }
    return LM_OK;
}

static lm_status number_items(sweeping *x)
{
    const lm_sweep *w = x->w;
    study_build *one;
    x->value = 1;
    x->tangent = x->value + w->nvalue;
    x->signal = x->tangent + w->ntangent;
    x->cut = x->signal;
    for (int i = 0; i < w->nwalk; i++)
        x->cut += w->walk[i].nsite;
    x->items = x->cut + w->ncut;
    x->type = lm_arena_alloc(&x->arena, (size_t)x->items, sizeof *x->type);
    if (!x->type)
        return LM_MEMORY;
    LM_TRY(lm_study_build(x->s, w->feed, 1, &one));
    LM_TRY(list_types(x, one, x->type));
    x->alike = lm_canon_is_one(study_graph(one));
    return check_cuts(x, one);
}

static bool same_form(const sweeping *x, int a, int b)
{
    return x->alike || pass_canon(&x->w->walk[a]) == pass_canon(&x->w->walk[b]);
}

/* Walks by the form in which their rules want the model; there is one group at least, for the forward values. */
static lm_status sort_walks(sweeping *x)
{
    x->groups = 0;
    for (int i = 0; i < x->w->nwalk; i++) {
        int g = 0;
        while (g < x->groups && !same_form(x, x->group[g].walk[0], i))
            g++;
        LM_REQUIRE(g < SWEEP_GROUPS, LM_UNSUPPORTED, "a sweep has walks of more than %d kinds", SWEEP_GROUPS);
        if (g == x->groups) {
            x->group[g].walk = lm_arena_alloc(&x->arena, (size_t)x->w->nwalk, sizeof(int));
            if (!x->group[g].walk)
                return LM_MEMORY;
            x->groups++;
        }
        x->group[g].walk[x->group[g].nwalk++] = i;
    }
    x->groups += x->groups == 0;
    return LM_OK;
}

/* Seeds for whole blocks: those behind the last target are zero. */
static lm_status copy_seeds(sweeping *x, int most)
{
    const lm_sweep *w = x->w;
    x->blocks = (w->targets + most - 1) / most;
    x->blocks += x->blocks == 0;
    x->block = w->targets ? (w->targets + x->blocks - 1) / x->blocks : 1;
    if (w->targets == 0)
        return LM_OK;
    const int64_t n = lm_shape_count(&x->type[0].sh);
    LM_REQUIRE(w->seed && lm_shape_count(&w->seed->sh) == n * w->targets, LM_USAGE,
               "seeds must have %lld elements for each of %d targets", (long long)n, w->targets);
    const lm_shape all = LM_SHAPE((int64_t)x->blocks * x->block, n);
    LM_TRY(lm_view_new(x->type[0].dt, &all, &x->seed));
    memset(lm_view_data(&x->seed), 0, (size_t)lm_shape_count(&all) * lm_dtype_size(x->seed.dt));
    return lm_sweep_seeds(x);
}

lm_status lm_sweep_seeds(sweeping *x)
{
    const lm_sweep *w = x->w;
    const lm_shape given = LM_SHAPE(w->targets, lm_shape_count(&x->type[0].sh));
    lm_view to = x->seed, from = *w->seed;
    to.sh = given;
    if (from.sh.rank != 2 || from.sh.dim[0] != w->targets) {
        LM_REQUIRE(lm_view_is_row(&from), LM_USAGE, "seeds must be dense or [targets, elements of the goal]");
        from.sh = given;
        lm_strides_row(&from.sh, from.st);
    }
    lm_plan_copy(&to, &from);
    return LM_OK;
}

static lm_status get_pass(sweeping *x, int g, int64_t rows, pass **out)
{
    const pass_wish wish = {.w = x->w, .feed = x->w->feed, .rows = rows, .targets = x->w->targets ? x->block : 0,
                            .forward = g == 0, .once = x->rows == 1 && x->lanes == 1 && x->w->targets <= TARGETS,
                            .nwalk = x->group[g].nwalk, .walk = x->group[g].walk};
    return lm_pass_get(x->s, &wish, out);
}

static void let_go(pass **p)
{
    if (*p)
        (*p)->held = false;
    *p = NULL;
}

/* Passes for one row; of fewer targets at once where memory is short. */
static lm_status get_one(sweeping *x)
{
    lm_status status = LM_MEMORY;
    for (int most = TARGETS; status == LM_MEMORY && most > 0; most = x->block / 2) {
        lm_buffer_unref(x->seed.buf);
        x->seed.buf = NULL;
        status = copy_seeds(x, most);
        if (status == LM_OK)
            status = lm_sweep_frame(x, 1, &x->s->room[1], &x->single);
        for (int g = 0; g < x->groups && status == LM_OK; g++)
            status = get_pass(x, g, 1, &x->group[g].one);
        for (int g = 0; g < x->groups && status != LM_OK; g++)
            let_go(&x->group[g].one);
    }
    return status;
}

/* Does every item of a build for `rows` rows have as many of one row's along axis 0, and is all else the same? */
static lm_status grown(const sweeping *x, int64_t rows, bool *out)
{
    study_build *b;
    *out = false;
    lm_type *type = lm_malloc((size_t)x->items, sizeof *type);
    if (!type)
        return LM_MEMORY;
    lm_status status = lm_study_build(x->s, x->w->feed, rows, &b);
    if (status == LM_OK)
        status = list_types(x, b, type);
    *out = status == LM_OK;
    for (int i = 0; i < x->items && *out; i++) {
        lm_shape want = x->type[i].sh;
        want.dim[0] *= rows;
        *out = want.rank > 0 && lm_shape_equal(&want, &type[i].sh);
    }
    lm_free(type);
    return status == LM_MEMORY || status == LM_INTERRUPTED ? status : LM_OK;
}

size_t lm_sweep_budget(const sweeping *x)
{
    uint64_t cap = 0;
    const size_t live = lm_mem_count().live, lanes = (size_t)x->lanes;
    if (lm_env_size(LM_ENV_MEM, &cap) != LM_OK || cap == 0)
        return most_bytes / lanes;
    const size_t left = cap > live ? (size_t)cap - live : 0;
    return (left / 2 < most_bytes ? left / 2 : most_bytes) / lanes;
}

static size_t bytes_per_row(const sweeping *x)
{
    size_t bytes = 1;
    for (int g = 0; g < x->groups; g++) {
        const lm_plan_facts f = lm_plan_describe(x->group[g].one->plan);
        bytes += f.activation_bytes;
    }
    return bytes;
}

/* Rows at once. */
static int64_t choose_rows(const sweeping *x)
{
    const size_t bytes = bytes_per_row(x), fit = lm_sweep_budget(x) / bytes, near = near_bytes / bytes;
    int64_t most = near < 1 ? 1 : near > ROWS_MOST ? ROWS_MOST : (int64_t)near;
    most = fit < (size_t)most ? (int64_t)fit : most;
    for (int g = 0; g < x->groups; g++)
        if (x->group[g].one->alone)
            most = 1;
    for (int i = 0; i < x->w->nwalk; i++)
        if (x->w->walk[i].trace)
            most = 1; /* its sums are over all rows */
    if (x->rows < 2 || most < 2)
        return 1;
    const int64_t batches = (x->rows + most - 1) / most;
    return (x->rows + batches - 1) / batches;
}

static void run_alone(sweeping *x)
{
    x->together = false;
    for (int g = 0; g < x->groups; g++) {
        x->group[g].one->alone = true;
        let_go(&x->group[g].many);
    }
}

/* Passes for `rows` rows; fewer where memory is short, 1 where the model does not take several. */
static lm_status get_many(sweeping *x, int64_t *rows)
{
    while (*rows > 1) {
        bool fits;
        lm_status status = grown(x, *rows, &fits);
        for (int g = 0; g < x->groups && status == LM_OK && fits; g++)
            status = get_pass(x, g, *rows, &x->group[g].many);
        if (status == LM_OK && fits)
            status = lm_sweep_frame(x, *rows, &x->s->room[0], &x->batch);
        if (status == LM_OK && fits)
            return LM_OK;
        for (int g = 0; g < x->groups; g++)
            let_go(&x->group[g].many);
        if (status != LM_OK && status != LM_MEMORY && status != LM_INPUT && status != LM_UNSUPPORTED)
            return status;
        if (status == LM_MEMORY && *rows > 1) {
            *rows /= 2;
            continue;
        }
        run_alone(x);
        *rows = 1;
    }
    return LM_OK;
}

lm_status lm_sweep_fill(sweeping *x, sweep_frame *f, int64_t row, int64_t at)
{
    for (int i = 0; i < x->w->ncut; i++)
        x->filled[i] = lm_sweep_row(x, f, x->cut + i, at, 0);
    return x->w->fill ? x->w->fill(x->w->own, row, x->filled) : LM_OK;
}

static void copy_row(const sweeping *x, const sweep_frame *to, int64_t to_row, const sweep_frame *from, int64_t row)
{
    for (int i = x->cut; i < x->items; i++) {
        const lm_view a = lm_sweep_row(x, to, i, to_row, 0), b = lm_sweep_row(x, from, i, row, 0);
        memcpy(lm_view_data(&a), lm_view_data(&b), (size_t)lm_shape_count(&a.sh) * lm_dtype_size(a.dt));
    }
}

bool lm_sweep_same(const sweeping *x, const sweep_frame *f, int64_t i, const sweep_frame *g, int64_t k)
{
    for (int item = 0; item < x->cut; item++)
        for (int t = 0; t < (sweep_is_signal(x, item) ? x->w->targets : 1); t++) {
            const lm_view a = lm_sweep_row(x, f, item, i, t), b = lm_sweep_row(x, g, item, k, t);
            if (memcmp(lm_view_data(&a), lm_view_data(&b), (size_t)lm_shape_count(&a.sh) * lm_dtype_size(a.dt)) != 0)
                return false;
        }
    return true;
}

lm_status lm_sweep_alone(sweeping *x, sweep_frame *f)
{
    for (int g = 0; g < x->groups; g++)
        LM_TRY(lm_sweep_pass(x, g, x->group[g].one, f));
    return LM_OK;
}

static void show_forward(sweeping *x, const sweep_frame *f, int64_t at)
{
    lm_view *value = (lm_view *)x->out.value;
    x->out.goal = lm_sweep_row(x, f, 0, at, 0);
    for (int i = 0; i < x->w->nvalue; i++)
        value[i] = lm_sweep_row(x, f, x->value + i, at, 0);
}

lm_status lm_sweep_aim(void *own)
{
    sweeping *x = own;
    show_forward(x, &x->single, 0);
    LM_TRY(x->w->aim(x->w->own, &x->out));
    return x->w->targets ? lm_sweep_seeds(x) : LM_OK;
}

lm_status lm_sweep_absorb(sweeping *x, const sweep_frame *f, int64_t at, int64_t row)
{
    lm_sweep *w = x->w;
    lm_swept *r = &x->out;
    lm_view *tangent = (lm_view *)r->tangent, *signal = (lm_view *)r->signal;
    show_forward(x, f, at);
    for (int i = 0; i < w->ntangent; i++)
        tangent[i] = lm_sweep_row(x, f, x->tangent + i, at, 0);
    for (int i = 0; i < x->cut - x->signal; i++)
        for (int t = 0; t < w->targets; t++)
            signal[i * w->targets + t] = lm_sweep_row(x, f, x->signal + i, at, t);
    w->forwards++;
    w->backwards += (int64_t)w->targets * w->nwalk;
    return w->absorb ? w->absorb(w->own, row, r) : LM_OK;
}

/* Compare the first and the last row with runs of their own. Rows that are alike prove nothing for others. */
static lm_status verify(sweeping *x, const sweep_frame *f, int64_t n, bool *good)
{
    bool proven = true;
    *good = true;
    for (int g = 0; g < x->groups; g++)
        proven &= x->group[g].many->proven;
    for (int end = 0; end < 2 && !proven && *good; end++) {
        const int64_t at = end ? n - 1 : 0;
        copy_row(x, &x->single, 0, f, at);
        LM_TRY(lm_sweep_alone(x, &x->single));
        *good = lm_sweep_same(x, f, at, &x->single, 0);
    }
    if (!proven && *good && n > 1 && !lm_sweep_same(x, f, 0, f, n - 1))
        for (int g = 0; g < x->groups; g++)
            x->group[g].many->proven = true;
    return LM_OK;
}

/* What came of the single row becomes what came of row `at`. */
static void keep_single(const sweeping *x, const sweep_frame *to, int64_t at)
{
    for (int item = 0; item < x->cut; item++)
        for (int t = 0; t < (sweep_is_signal(x, item) ? x->w->targets : 1); t++) {
            const lm_view a = lm_sweep_row(x, to, item, at, t), b = lm_sweep_row(x, &x->single, item, 0, t);
            memcpy(lm_view_data(&a), lm_view_data(&b), (size_t)lm_shape_count(&a.sh) * lm_dtype_size(a.dt));
        }
}

lm_status lm_sweep_compute(sweeping *x, sweep_frame *f)
{
    const int64_t n = f->part.n;
    if (f->rows == 1)
        return lm_sweep_alone(x, f);
    if (x->together) {
        bool good;
        for (int64_t i = n; i < f->rows; i++)
            copy_row(x, f, i, f, n - 1);
        for (int g = 0; g < x->groups; g++)
            LM_TRY(lm_sweep_pass(x, g, x->group[g].many, f));
        LM_TRY(verify(x, f, n, &good));
        if (good)
            return LM_OK;
        run_alone(x);
    }
    for (int64_t i = 0; i < n; i++) {
        copy_row(x, &x->single, 0, f, i);
        LM_TRY(lm_sweep_alone(x, &x->single));
        keep_single(x, f, i);
    }
    return LM_OK;
}

static lm_status open_out(sweeping *x)
{
    const lm_sweep *w = x->w;
    x->filled = lm_arena_alloc(&x->arena, (size_t)w->ncut, sizeof *x->filled);
    const size_t traces = (size_t)w->nwalk * (size_t)w->targets;
    x->out.value = lm_arena_alloc(&x->arena, (size_t)w->nvalue, sizeof(lm_view));
    x->out.tangent = lm_arena_alloc(&x->arena, (size_t)w->ntangent, sizeof(lm_view));
    x->out.signal = lm_arena_alloc(&x->arena, (size_t)(x->cut - x->signal) * (size_t)w->targets, sizeof(lm_view));
    x->trace = lm_arena_alloc(&x->arena, traces, sizeof *x->trace);
    x->ntrace = lm_arena_alloc(&x->arena, (size_t)w->nwalk, sizeof *x->ntrace);
    x->out.trace = (const lm_trace_sum *const *)x->trace;
    x->out.ntrace = x->ntrace;
    return x->filled && x->out.value && x->out.tangent && x->out.signal && x->trace && x->ntrace ? LM_OK : LM_MEMORY;
}

lm_status lm_sweep_open(sweeping *x)
{
    LM_TRY(check(x->s, x->w));
    LM_TRY(number_items(x));
    LM_TRY(sort_walks(x));
    LM_TRY(open_out(x));
    LM_TRY(get_one(x));
    int64_t rows = choose_rows(x);
    LM_TRY(get_many(x, &rows));
    x->together = rows > 1;
    x->frames = rows > 1 ? &x->batch : &x->single;
    return LM_OK;
}

void lm_sweep_close(sweeping *x)
{
    for (int g = 0; g < SWEEP_GROUPS; g++) {
        let_go(&x->group[g].one);
        let_go(&x->group[g].many);
        lm_buffer_unref(x->group[g].trace);
    }
    for (size_t i = 0; i < x->temporary.count; i++)
        lm_buffer_unref(x->temporary.at[i]);
    lm_vec_free(&x->temporary);
    for (sweep_frame *f = x->frames; f; f = f->next)
        lm_buffer_unref(f->own);
    lm_buffer_unref(x->seed.buf);
    lm_arena_free(&x->arena);
}
