/* fullgrad: input times gradient, plus every bias of the file times the gradient where it is added.
 *
 * Biases are those of convolutions and dense layers, what a batch norm adds in all (its bias less mean * scale /
 * deviation), the biases of other norms, and constants that are added or subtracted. For nets that are linear piece by
 * piece all of it sums to the target; the certificate states by how much it misses that elsewhere. Every contribution
 * keeps its total on the way to the input's size: that of a position is shared out over the pixels that interpolation
 * would show it in, and what belongs to no position (dense layers, class tokens) over all. The paper rescales each map
 * instead, which loses the sum. With several inputs, biases are shown on the first. */
#include <math.h>

#include "core/explain/cam.h"
#include "core/explain/pass.h"

/* A value y to which a constant was added: `sign` times the element that the strides lead to. */
typedef struct place {
    lm_site site;
    double *bias;
    int64_t stride[LM_RANK]; /* by axis of y, 0 where the bias is broadcast */
    double sign;
} place;

typedef struct fullgrad {
    LM_VEC(lm_site) sites; /* the inputs, then the places */
    LM_VEC(place) places;
    int walk;
} fullgrad;

static double element(const lm_graph *g, lm_val v, int64_t i)
{
    return lm_view_get(lm_graph_value(g, v)->constant, i);
}

static const lm_shape *shape_of(const lm_graph *g, lm_val v)
{
    return &lm_graph_value(g, v)->type.sh;
}

static bool is_constant(const lm_graph *g, const lm_node *n, int i)
{
    return i < n->nx && n->x[i] != LM_NOVAL && lm_graph_value(g, n->x[i])->constant;
}

/* The strides of a bias of shape `sh` whose last axis meets axis `last` of y. */
static void broadcast(const lm_shape *sh, int last, place *out)
{
    int64_t step = 1;
    for (int k = 0; k < LM_RANK; k++)
        out->stride[k] = 0;
    for (int k = sh->rank; k-- > 0; step *= sh->dim[k], last--)
        if (sh->dim[k] > 1)
            out->stride[last] = step;
}

/* Which operand of a node is its bias, -1: none. *axis: the axis of y that the last axis of the bias meets. */
static int bias_operand(const lm_graph *g, const lm_node *n, int *axis)
{
    const int last = shape_of(g, n->y[0])->rank - 1;
    *axis = last;
    switch (n->op) {
    case LM_OP_CONV:
    case LM_OP_CONV_T:
    case LM_OP_INSTANCENORM:
    case LM_OP_GROUPNORM:
    case LM_OP_BATCHNORM:
        *axis = 1;
        return 2;
    case LM_OP_MATMUL:
    case LM_OP_GEMM:
    case LM_OP_LAYERNORM:
        return 2;
    case LM_OP_ADD:
    case LM_OP_SUB:
        return is_constant(g, n, 0) ? 0 : 1;
    default:
        return -1;
    }
}

/* What the node adds; *any tells whether there is anything. The array is in the arena. */
static lm_status read_bias(lm_task *t, const lm_graph *g, const lm_node *n, place *out, bool *any)
{
    int axis, from = bias_operand(g, n, &axis);
    *any = false;
    if (from < 0 || !is_constant(g, n, from) || !lm_dtype_is_float(lm_graph_value(g, n->y[0])->type.dt))
        return LM_OK;
    for (int i = 0; n->op == LM_OP_BATCHNORM && i < 4; i++)
        if (!is_constant(g, n, i + 1))
            return LM_OK;
    const lm_shape *sh = shape_of(g, n->x[from]);
    const int64_t count = lm_shape_count(sh);
    out->bias = lm_arena_alloc(t->arena, (size_t)count, sizeof *out->bias);
    if (!out->bias)
        return LM_MEMORY;
    out->sign = n->op == LM_OP_SUB && from == 1 ? -1 : n->op == LM_OP_GEMM ? (double)n->a->gemm.beta : 1;
    broadcast(sh, axis, out);
    for (int64_t i = 0; i < count; i++) {
        double b = element(g, n->x[from], i);
        if (n->op == LM_OP_BATCHNORM)
            b -= element(g, n->x[3], i) * element(g, n->x[1], i) /
                 sqrt(element(g, n->x[4], i) + (double)n->a->norm.epsilon);
        out->bias[i] = b;
        *any |= b != 0;
    }
    return LM_OK;
}

/* By value: does the output that is explained hang on it? In the arena; NULL when memory is short. */
static bool *ahead_of_goal(const lm_task *t, const lm_graph *g)
{
    bool *ahead = lm_arena_alloc(t->arena, g->values.count, sizeof *ahead);
    if (!ahead)
        return NULL;
    ahead[g->outputs.at[t->goal.output]] = true;
    for (size_t i = g->nodes.count; i-- > 0;) {
        const lm_node *n = g->nodes.at[i];
        bool any = false;
        for (int k = 0; k < n->ny; k++)
            any |= ahead[n->y[k]];
        for (int k = 0; any && k < n->nx; k++)
            ahead[n->x[k]] = true;
    }
    return ahead;
}

static lm_status find_places(lm_task *t, fullgrad *own)
{
    const lm_built *b;
    LM_TRY(lm_study_built(t->study, t->feed, &b));
    const bool *ahead = ahead_of_goal(t, b->graph);
    if (!ahead)
        return LM_MEMORY;
    for (size_t i = 0; i < b->graph->nodes.count; i++) {
        const lm_node *n = b->graph->nodes.at[i];
        place p = {.site.port = -1};
        bool any;
        if (!ahead[n->y[0]])
            continue;
        LM_TRY(read_bias(t, b->graph, n, &p, &any));
        const char *name = any ? lm_cam_name(b, n->y[0]) : NULL;
        if (!name)
            continue;
        LM_TRY(lm_study_intern(t->study, name, &p.site.name));
        LM_TRY(lm_vec_push(&own->places, p));
    }
    for (int i = 0; i < t->ninput; i++)
        LM_TRY(lm_vec_push(&own->sites, t->input[i]));
    for (size_t i = 0; i < own->places.count; i++)
        LM_TRY(lm_vec_push(&own->sites, own->places.at[i].site));
    return LM_OK;
}

lm_status lm_need_fullgrad(lm_task *t)
{
    fullgrad *own, found = {0};
    lm_walk walk = {.set = &lm_set_grad, .options = LM_RULE_OPTIONS_DEFAULT};
    LM_ARENA_NEW(t->arena, own);
    lm_status status = find_places(t, &found);
    *own = found;
    own->places.at = lm_arena_copy(t->arena, found.places.at, found.places.count, sizeof *found.places.at);
    own->sites.at = lm_arena_copy(t->arena, found.sites.at, found.sites.count, sizeof *found.sites.at);
    lm_vec_free(&found.places);
    lm_vec_free(&found.sites);
    LM_TRY(status);
    if (!own->places.at || !own->sites.at)
        return LM_MEMORY;
    walk.nsite = (int)own->sites.count;
    walk.site = own->sites.at;
    t->own = own;
    return lm_need_walk(t, &walk, &own->walk);
}

/* Share contributions, one per element of a value with this field, out over a map; those of no position are summed in
 * *rest. `part` gives the contribution of an element. */
typedef double (*part_fn)(const void *own, int64_t element);

static lm_status share_out(const lm_field *f, part_fn part, const void *own, const lm_field *to, double *map,
                           double *rest)
{
    const int64_t count = lm_shape_count(&f->sh);
    const bool placed = f->nd == to->nd;
    double *small = lm_calloc((size_t)(placed ? f->positions : 1), sizeof *small);
    double *large = lm_malloc((size_t)to->positions, sizeof *large);
    lm_status status = small && large ? LM_OK : LM_MEMORY;
    for (int64_t e = 0; status == LM_OK && e < count; e++) {
        int64_t p = placed ? (e - f->first) / f->position_step % f->positions : 0;
        *(placed && e >= f->first ? &small[p] : rest) += part(own, e);
    }
    if (status == LM_OK && placed)
        status = lm_spread(to->nd, f->size, to->size, small, large);
    for (int64_t p = 0; status == LM_OK && placed && p < to->positions; p++)
        map[p] += large[p];
    lm_free(large);
    lm_free(small);
    return status;
}

typedef struct term {
    const lm_view *a, *b;
} term;

static double product_part(const void *own, int64_t e)
{
    const term *x = own;
    return lm_at(x->a, e) * lm_at(x->b, e);
}

typedef struct bias_term {
    const place *p;
    const lm_view *signal;
} bias_term;

static double bias_part(const void *own, int64_t e)
{
    const bias_term *x = own;
    const lm_shape *sh = &x->signal->sh;
    int64_t at = 0;
    for (int64_t k = sh->rank, left = e; k-- > 0; left /= sh->dim[k])
        at += left % sh->dim[k] * x->p->stride[k];
    return x->p->sign * x->p->bias[at] * lm_at(x->signal, e);
}

static lm_status add_biases(lm_task *t, int target, const lm_field *to, double *map, double *rest)
{
    const fullgrad *own = t->own;
    for (size_t i = 0; i < own->places.count; i++) {
        bias_term x = {&own->places.at[i], lm_point_signal(t, own->walk, t->ninput + (int)i, target)};
        lm_field f;
        LM_TRY(lm_cam_field(t, x.p->site, &f));
        LM_TRY(share_out(&f, bias_part, &x, to, map, rest));
    }
    return LM_OK;
}

/* The number of axes of positions that an input of this rank has. */
static int axes_of(const lm_shape *sh)
{
    return sh->rank <= 3 ? 1 : sh->rank - 2;
}

static lm_status run_one(lm_task *t, int site, int target)
{
    const fullgrad *own = t->own;
    int i = 0;
    while (i + 1 < t->ninput && !lm_site_equal(t->input[i], t->site[site]))
        i++;
    char text[LM_SHAPE_TEXT];
    lm_field f;
    LM_TRY(lm_cam_input(t, t->input[i], axes_of(&t->x[i].sh), &f));
    LM_REQUIRE(f.nd, LM_UNSUPPORTED, "input '%s' is %s, where no axes stand for places", t->input[i].name,
               lm_shape_text(&t->x[i].sh, text));
    int64_t dim[2 + LM_UPSAMPLE_AXES] = {1, 1};
    for (int k = 0; k < f.nd; k++)
        dim[2 + k] = f.size[k];
    lm_shape sh;
    lm_result *r;
    LM_TRY(lm_shape_make(2 + f.nd, dim, &sh));
    LM_TRY(lm_task_result(t, site, target, &sh, &r));
    term x = {&t->x[i], lm_point_signal(t, own->walk, i, target)};
    double rest = 0;
    LM_TRY(share_out(&f, product_part, &x, &f, r->at, &rest));
    if (i == 0)
        LM_TRY(add_biases(t, target, &f, r->at, &rest));
    for (int64_t p = 0; p < f.positions; p++)
        r->at[p] += rest / (double)f.positions;
    return LM_OK;
}

lm_status lm_run_fullgrad(lm_task *t)
{
    for (int k = 0; k < t->targets; k++)
        for (int s = 0; s < t->nsite; s++)
            LM_TRY(run_one(t, s, k));
    return LM_OK;
}
