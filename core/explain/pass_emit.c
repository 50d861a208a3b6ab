/* From a build to the graph of a pass: what the network means, cut open at the given values, then walks and tangents
 * as more nodes, then lowered. */
#include <string.h>

#include "core/explain/pass.h"
#include "core/graph/blocks.h"
#include "core/graph/cut.h"
#include "core/graph/emit_move.h"
#include "core/graph/passes.h"
#include "core/graph/repeat.h"
#include "core/rules/path.h"

typedef struct emission {
    lm_study *s;
    const pass_wish *wish;
    const lm_sweep *w;
    study_build *b;
    pass *p;
    lm_graph *g; /* grows */
    lm_val *map; /* from values of the build's graph to those of `g` */
    lm_emit e;
    bool *depends; /* by value that g had before walks were emitted: the goal hangs on it */
    lm_val target;     /* the goal in the build's graph */
    lm_val goal, seed; /* seed: input [targets, elements of one row's goal] */
    lm_arena arena;
} emission;

/* A value of the model in the graph of the pass. */
static lm_status value_of(emission *x, const char *name, lm_val *out)
{
    lm_val v;
    LM_TRY(lm_study_value(x->b, name, &v));
    *out = x->map[v];
    LM_REQUIRE(*out != LM_NOVAL, LM_USAGE, "value '%s' only serves what is replaced", name);
    return LM_OK;
}

/* What is explained, for messages. */
static const char *goal_name(const emission *x)
{
    int n;
    const lm_goal_at *at = &x->w->goal;
    return at->site.name ? at->site.name : lm_model_outputs(lm_study_model(x->s), &n)[at->output].name;
}

static const char *called(const lm_graph *g, const lm_node *n)
{
    const char *value = lm_graph_value(g, n->y[0])->name;
    return n->name && *n->name ? n->name : value ? value : n->scope && *n->scope ? n->scope : "(unnamed)";
}

/* By value of the graph: does it hang on what is marked? */
static void mark_behind(const lm_graph *g, bool *behind)
{
    for (size_t i = 0; i < g->nodes.count; i++) {
        const lm_node *n = g->nodes.at[i];
        bool any = false;
        for (int k = 0; k < n->nx; k++)
            any |= behind[n->x[k]];
        for (int k = 0; k < n->ny; k++)
            behind[n->y[k]] |= any;
    }
}

/* Ask for a value of the build's graph, so that no pass swallows it. */
static lm_status keep_site(emission *x, const char *name)
{
    lm_val v;
    LM_TRY(lm_study_value(x->b, name, &v));
    return lm_graph_output(study_graph(x->b), v);
}

static lm_status keep_sites(emission *x, int n, const lm_site *site)
{
    for (int i = 0; i < n; i++)
        LM_TRY(keep_site(x, site[i].name));
    return LM_OK;
}

static lm_status keep_wanted(emission *x)
{
    LM_TRY(lm_graph_output(study_graph(x->b), x->target));
    LM_TRY(keep_sites(x, x->w->ncut, x->w->cut));
    LM_TRY(keep_sites(x, x->w->nvalue, x->w->value));
    LM_TRY(keep_sites(x, x->w->ntangent, x->w->tangent));
    for (int i = 0; i < x->wish->nwalk; i++)
        LM_TRY(keep_sites(x, x->w->walk[x->wish->walk[i]].nsite, x->w->walk[x->wish->walk[i]].site));
    return LM_OK;
}

/* The form in which the walks want the model; they all agree. */
static uint32_t canon_of(const pass_wish *wish)
{
    const lm_walk *first = wish->nwalk ? &wish->w->walk[wish->walk[0]] : NULL;
    return first ? pass_canon(first) : LM_CANON_RAISE;
}

/* The build's graph through canon with outputs of our own, and back with its own. */
static lm_status find_meaning(emission *x)
{
    lm_graph *g = study_graph(x->b);
    lm_graph own = *g;
    int space;
    LM_TRY(lm_study_goal_value(x->b, x->w->goal, &x->target, &space));
    memset(&g->outputs, 0, sizeof g->outputs);
    lm_status status = keep_wanted(x);
    if (status == LM_OK)
        status = lm_canon_for(g, x->s->chain, canon_of(x->wish), &x->g, &x->map);
    lm_vec_free(&g->outputs);
    memcpy(&g->outputs, &own.outputs, sizeof own.outputs);
    return status;
}

static bool is_input(const lm_graph *g, lm_val v)
{
    const lm_value *value = lm_graph_value(g, v);
    return !value->producer && !value->constant;
}

static lm_status cut_open(emission *x)
{
    lm_val *cut = lm_arena_alloc(&x->arena, (size_t)x->w->ncut, sizeof *cut), *map;
    lm_graph *open;
    int inner = 0;
    if (!cut)
        return LM_MEMORY;
    for (int i = 0; i < x->w->ncut; i++) {
        LM_TRY(value_of(x, x->w->cut[i].name, &cut[i]));
        LM_REQUIRE(!lm_graph_value(x->g, cut[i])->constant, LM_USAGE,
                   "value '%s' is constant, so nothing leads to it from a baseline; layer_gradient and saliency take it",
                   x->w->cut[i].name);
        inner += !is_input(x->g, cut[i]);
    }
    if (inner == 0 || !x->w->fill)
        return LM_OK;
    LM_TRY(lm_graph_cut(x->g, x->s->chain, x->w->ncut, cut, &open, &map));
    for (size_t v = 0; v < study_graph(x->b)->values.count; v++)
        x->map[v] = map[x->map[v]];
    lm_free(map);
    lm_graph_free(x->g);
    x->g = open;
    return LM_OK;
}

/* What the inputs are that the graph has by now. */
static lm_status list_inputs(emission *x)
{
    const lm_graph *g = x->g;
    for (size_t i = 0; i < g->inputs.count; i++) {
        pass_input in = {.source = PASS_PORT, .at = i < x->b->built->fed.count ? x->b->built->fed.at[i] : -1};
        for (int k = 0; x->w->fill && k < x->w->ncut; k++) {
            lm_val v;
            LM_TRY(value_of(x, x->w->cut[k].name, &v));
            if (v == g->inputs.at[i])
                in = (pass_input){.source = PASS_CUT, .at = k};
        }
        LM_TRY(lm_vec_push(&x->p->in, in));
    }
    return LM_OK;
}

static lm_val new_input(emission *x, const lm_type *type, pass_input in)
{
    lm_val v = LM_NOVAL;
    if (x->e.status == LM_OK)
        x->e.status = lm_graph_input(x->g, NULL, type, &v);
    if (x->e.status == LM_OK)
        x->e.status = lm_vec_push(&x->p->in, in);
    return v;
}

static lm_status add_output(emission *x, lm_val v, pass_output out)
{
    LM_TRY(x->e.status);
    LM_TRY(lm_graph_output(x->g, v));
    return lm_vec_push(&x->p->out, out);
}

/* What is one sample's, for every row. */
static lm_val for_rows(emission *x, lm_val v)
{
    const int64_t rows = x->wish->rows;
    if (rows == 1 || x->e.status != LM_OK)
        return v;
    const lm_shape one = *lm_emit_shape(&x->e, v);
    lm_shape split = {.rank = one.rank + 1}, all = one;
    for (int i = 0; i < one.rank; i++)
        split.dim[i + 1] = one.dim[i];
    split.dim[0] = 1;
    v = lm_emit_reshape(&x->e, v, &split);
    split.dim[0] = rows;
    all.dim[0] *= rows;
    return lm_emit_reshape(&x->e, lm_emit_expand(&x->e, v, &split), &all);
}

/* A value's type for one row. */
static lm_type one_row(const emission *x, lm_val v)
{
    lm_type type = lm_graph_value(x->g, v)->type;
    if (x->wish->rows > 1)
        type.sh.dim[0] /= x->wish->rows;
    return type;
}

/* Seeds of targets first to first + n for every row, times the goal for relevance, in blocks along the goal's axis
 * 0. */
static lm_val seeds(emission *x, int first, int n, bool relevance)
{
    lm_emit *e = &x->e;
    const int64_t rows = x->wish->rows, count = lm_shape_count(&lm_graph_value(x->g, x->goal)->type.sh) / rows;
    const lm_shape by_row = LM_SHAPE(n, rows, count), thin = LM_SHAPE(n, 1, count), goal = LM_SHAPE(1, rows, count);
    lm_val s = lm_emit_reshape(e, lm_emit_slice(e, x->seed, 0, first, n), &thin);
    if (relevance)
        s = lm_emit1(e, LM_OP_MUL, NULL, s, lm_emit_reshape(e, x->goal, &goal));
    else
        s = lm_emit_expand(e, s, &by_row);
    lm_shape to = *lm_emit_shape(e, x->goal);
    if (n > 1) {
        to.dim[0] = to.rank ? to.dim[0] * n : n;
        to.rank = to.rank ? to.rank : 1;
    }
    return lm_emit_reshape(e, s, &to);
}

typedef struct walking {
    const lm_walk *walk;
    int number; /* in the pass */
    lm_rule_options options;
    lm_val *wrt, *baseline, *signal;
} walking;

/* Why the goal does not depend on a site. */
static lm_status refuse_site(emission *x, const lm_site *site, lm_val v)
{
    bool *behind = lm_arena_alloc(&x->arena, x->g->values.count, sizeof *behind);
    if (!behind)
        return LM_MEMORY;
    behind[x->goal] = true;
    mark_behind(x->g, behind);
    lm_val goal;
    int space;
    LM_TRY(lm_study_goal_value(x->b, x->w->goal, &goal, &space));
    if (behind[v] && v != x->goal)
        return lm_fail(LM_USAGE, "'%s' lies behind what is explained, %s'%s'; name an earlier layer%s", site->name,
                       space == LM_SPACE_LOGIT ? "the value ahead of the final softmax or sigmoid of " : "", goal_name(x),
                       space == LM_SPACE_LOGIT ? ", or explain the output as it is (--after-softmax)" : "");
    return lm_fail(LM_USAGE, "'%s' does not depend on '%s'%s", goal_name(x), site->name,
                   x->w->ncut ? " once other values are given" : "");
}

static lm_status find_sites(emission *x, walking *k)
{
    const lm_walk *walk = k->walk;
    size_t n = (size_t)walk->nsite;
    k->wrt = lm_arena_alloc(&x->arena, n, sizeof *k->wrt);
    k->baseline = lm_arena_alloc(&x->arena, n, sizeof *k->baseline);
    k->signal = lm_arena_alloc(&x->arena, n, sizeof *k->signal);
    if (!k->wrt || !k->baseline || !k->signal)
        return LM_MEMORY;
    for (int i = 0; i < walk->nsite; i++) {
        LM_TRY(value_of(x, walk->site[i].name, &k->wrt[i]));
        if (!x->depends[k->wrt[i]])
            return refuse_site(x, &walk->site[i], k->wrt[i]);
        if (!walk->baseline)
            continue;
        const lm_type type = one_row(x, k->wrt[i]);
        k->baseline[i] = for_rows(x, new_input(x, &type, (pass_input){PASS_BASELINE, k->number, i}));
    }
    return x->e.status;
}

/* The operator of the file that makes a value of this graph, of the pass or of the build: the first whose results hang on
 * it. NULL where all that do were made away with. */
static lm_status find_operator(const emission *x, const lm_graph *g, lm_val v, const onnx_node **out)
{
    const lm_built *b = x->b->built;
    bool *behind = lm_calloc(g->values.count, sizeof *behind);
    if (!behind)
        return LM_MEMORY;
    behind[v] = true;
    mark_behind(g, behind);
    *out = NULL;
    for (size_t i = 0; i < b->layers.count && !*out; i++)
        for (int k = 0; k < b->layers.at[i].ny; k++) {
            const lm_val y = study_mapped(x->b, b->layers.at[i].y[k]);
            if (behind[g == x->g ? x->map[y] : y])
                *out = b->layers.at[i].node;
        }
    lm_free(behind);
    return LM_OK;
}

static bool is_quantised(const char *op)
{
    return strstr(op, "Quantize") || strncmp(op, "QLinear", 7) == 0 || strstr(op, "Integer");
}

/* A map of zeros because the goal moves in steps only would look like an answer. */
static lm_status refuse_steps(emission *x, const walking *k)
{
    lm_path path;
    const lm_node *flat = NULL;
    LM_TRY(lm_path_find(x->g, k->walk->nsite, k->wrt, NULL, &path));
    lm_status status = LM_OK;
    if (!lm_on_path(&path, x->goal))
        status = lm_path_cut(&path, k->walk->nsite, k->wrt, x->goal, true, &flat);
    lm_path_free(&path);
    LM_TRY(status);
    if (!flat || lm_ops[flat->op].grad == LM_GRAD_OPAQUE)
        return LM_OK;
    const onnx_node *of;
    LM_TRY(find_operator(x, x->g, flat->y[0], &of));
    if (!of) /* what is explained is inside of it, ahead of its softmax */
        LM_TRY(find_operator(x, study_graph(x->b), x->target, &of));
    const char *op = of ? of->op_type : lm_ops[flat->op].name;
    const char *name = of && *of->name ? of->name : of && of->n_outputs ? of->outputs[0] : called(x->g, flat);
    lm_fail(LM_UNSUPPORTED,
            "node %s (%s) is flat everywhere, so nothing comes back through it from '%s'; %sa method that only runs the "
            "model can explain it",
            name, op, goal_name(x), is_quantised(op) ? "the model is quantised: explain the one that it was made of, or " : "");
    lm_blame(name);
    return LM_UNSUPPORTED;
}

static lm_status read_options(emission *x, walking *k)
{
    const lm_view *bound[] = {k->walk->low, k->walk->high};
    lm_val v[2] = {LM_NOVAL, LM_NOVAL};
    for (int i = 0; i < 2; i++)
        if (bound[i]) {
            const lm_type type = {x->s->type, bound[i]->sh};
            v[i] = new_input(x, &type, (pass_input){i ? PASS_HIGH : PASS_LOW, k->number, 0});
        }
    k->options = k->walk->options;
    k->options.low = v[0];
    k->options.high = v[1];
    return x->e.status;
}

/* Sums at nodes; of walks for one target after another the nodes are the same. */
static lm_status add_trace(emission *x, const walking *k, const lm_trace *trace, int target)
{
    const size_t known = x->p->trace.count;
    for (size_t i = 0; i < trace->count; i++) {
        const lm_trace_row *r = &trace->at[i];
        const lm_val share[] = {r->in, r->out, r->bias, r->stabiliser};
        for (int j = 0; j < (int)LM_COUNT(share); j++)
            if (share[j] != LM_NOVAL)
                LM_TRY(add_output(x, share[j], (pass_output){PASS_TRACE, k->number, (int)i, target, j}));
        if (target > 0)
            continue;
        lm_trace_sum sum = {.node = lm_arena_strdup(&x->p->arena, called(x->g, r->node)), .op = lm_ops[r->node->op].name};
        if (!sum.node)
            return LM_MEMORY;
        LM_TRY(lm_vec_push(&x->p->trace, sum));
    }
    x->p->ntrace.at[k->number] += (int)(x->p->trace.count - known);
    return LM_OK;
}

/* Emit the walk for `n` targets from `first` on at once. */
static lm_status walk_once(emission *x, walking *k, int first, int n)
{
    lm_trace trace = {0};
    const lm_val seed = seeds(x, first, n, k->walk->relevance);
    const lm_backward back = {.set = k->walk->set,
                              .ntarget = 1,
                              .target = &x->goal,
                              .seed = &seed,
                              .nwrt = k->walk->nsite,
                              .wrt = k->wrt,
                              .signal = k->signal,
                              .options = &k->options,
                              .baseline = k->walk->baseline ? k->baseline : NULL,
                              .wide = n > 1 ? n : 0,
                              .trace = k->walk->trace ? &trace : NULL};
    lm_status status = x->e.status == LM_OK ? lm_backward_emit(&x->e, &back) : x->e.status;
    for (int i = 0; i < k->walk->nsite && status == LM_OK; i++)
        status = add_output(x, k->signal[i], (pass_output){PASS_SIGNAL, k->number, i, first, 0});
    if (status == LM_OK)
        status = add_trace(x, k, &trace, first);
    lm_vec_free(&trace);
    return status;
}

static lm_status emit_walk(emission *x, int number)
{
    walking k = {.walk = &x->w->walk[x->wish->walk[number]], .number = number};
    const int n = x->wish->targets;
    LM_TRY(lm_vec_push(&x->p->ntrace, 0));
    LM_TRY(find_sites(x, &k));
    LM_TRY(refuse_steps(x, &k));
    LM_TRY(read_options(x, &k));
    if (n > 1) {
        lm_status status = walk_once(x, &k, 0, n);
        if (status != LM_UNSUPPORTED)
            return status;
        x->e.status = LM_OK; /* what was emitted so far reaches no output */
    }
    for (int t = 0; t < n; t++)
        LM_TRY(walk_once(x, &k, t, 1));
    return LM_OK;
}

/* The derivative of a value along the direction of the cuts. Its gradient is linear in the seed, so walking back
 * through that to the seed, with the direction as signal, gives what walking forward would; the seed's own value
 * plays no part. */
static lm_status emit_tangent(emission *x, int number, const lm_val *cut, const lm_val *direction)
{
    lm_val y, *signal = lm_arena_alloc(&x->arena, (size_t)x->w->ncut, sizeof *signal), out;
    if (!signal)
        return LM_MEMORY;
    LM_TRY(value_of(x, x->w->tangent[number].name, &y));
    const lm_type type = lm_graph_value(x->g, y)->type;
    const lm_val seed = new_input(x, &type, (pass_input){.source = PASS_ZERO});
    const lm_backward there = {.set = &lm_set_grad, .ntarget = 1, .target = &y, .seed = &seed, .nwrt = x->w->ncut,
                               .wrt = cut, .signal = signal};
    LM_TRY(x->e.status);
    LM_TRY(lm_backward_emit(&x->e, &there));
    const lm_backward back = {.set = &lm_set_grad, .ntarget = x->w->ncut, .target = signal, .seed = direction,
                              .nwrt = 1, .wrt = &seed, .signal = &out};
    LM_TRY(lm_backward_emit(&x->e, &back));
    return add_output(x, out, (pass_output){.what = PASS_TANGENT, .at = number});
}

static lm_status emit_tangents(emission *x)
{
    size_t n = (size_t)x->w->ncut;
    lm_val *cut = lm_arena_alloc(&x->arena, n, sizeof *cut), *direction = lm_arena_alloc(&x->arena, n, sizeof *cut);
    if (!cut || !direction)
        return LM_MEMORY;
    for (int i = 0; i < x->w->ncut; i++) {
        LM_TRY(value_of(x, x->w->cut[i].name, &cut[i]));
        const lm_type type = one_row(x, cut[i]);
        direction[i] = for_rows(x, new_input(x, &type, (pass_input){PASS_DIRECTION, 0, i}));
    }
    for (int i = 0; i < x->w->ntangent; i++)
        LM_TRY(emit_tangent(x, i, cut, direction));
    return LM_OK;
}

static lm_status emit_forward(emission *x)
{
    lm_val v;
    LM_TRY(add_output(x, x->goal, (pass_output){.what = PASS_GOAL}));
    for (int i = 0; i < x->w->nvalue; i++) {
        LM_TRY(value_of(x, x->w->value[i].name, &v));
        LM_TRY(add_output(x, v, (pass_output){.what = PASS_VALUE, .at = i}));
    }
    return x->w->ntangent ? emit_tangents(x) : LM_OK;
}

static lm_status find_goal(emission *x)
{
    x->goal = x->map[x->target];
    x->e = (lm_emit){.g = x->g, .fold = x->s->chain};
    x->g->outputs.count = 0;
    LM_TRY(lm_graph_output(x->g, x->goal));
    LM_TRY(lm_graph_live(x->g, &x->depends));
    x->g->outputs.count = 0;
    if (x->wish->targets == 0)
        return LM_OK;
    const lm_type *type = &lm_graph_value(x->g, x->goal)->type;
    LM_REQUIRE(lm_dtype_is_float(type->dt), LM_USAGE, "'%s' is %s; only floats can be explained", goal_name(x),
               lm_dtype_name(type->dt));
    const lm_type seed = {type->dt, LM_SHAPE(x->wish->targets, lm_shape_count(&type->sh) / x->wish->rows)};
    x->seed = new_input(x, &seed, (pass_input){.source = PASS_SEED});
    return x->e.status;
}

/* Signals of several targets part ways once they are larger than this. */
static const size_t apart_bytes = (size_t)1 << 20;

static lm_status lower(emission *x)
{
    lm_graph *once;
    if (x->wish->targets > 1) {
        lm_graph *apart;
        LM_TRY(lm_block_by_block(x->g, x->s->chain, x->seed, x->wish->targets, apart_bytes, &apart));
        if (apart) {
            lm_graph_free(x->g);
            x->g = apart;
        }
    }
    LM_TRY(lm_once_for_all(x->g, x->s->chain, &once, NULL));
    lm_status status = lm_lower(once, x->s->chain, &x->p->graph, NULL);
    lm_graph_free(once);
    return status;
}

static lm_status emit(emission *x)
{
    LM_TRY(find_meaning(x));
    LM_TRY(cut_open(x));
    LM_TRY(list_inputs(x));
    LM_TRY(find_goal(x));
    if (x->wish->forward)
        LM_TRY(emit_forward(x));
    for (int i = 0; i < x->wish->nwalk; i++)
        LM_TRY(emit_walk(x, i));
    if (!x->s->plain)
        return lower(x);
    x->p->graph = x->g;
    x->g = NULL;
    return LM_OK;
}

lm_status lm_pass_emit(lm_study *s, const pass_wish *wish, study_build *b, pass *p)
{
    emission x = {.s = s, .wish = wish, .w = wish->w, .b = b, .p = p};
    lm_status status = emit(&x);
    lm_graph_free(x.g);
    lm_free(x.map);
    lm_free(x.depends);
    lm_arena_free(&x.arena);
    return status;
}
