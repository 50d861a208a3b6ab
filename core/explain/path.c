/* Ends of paths, and fixed quadrature along them. */
#include "core/explain/path.h"

#include <math.h>
#include <string.h>

lm_ends lm_ends_inputs(const lm_task *t)
{
    return (lm_ends){.n = t->ninput, .site = t->input, .x = t->x, .x0 = t->x0, .baselines = t->baselines};
}

int64_t lm_ends_count(const lm_ends *e, int i)
{
    return lm_shape_count(&e->x[i].sh);
}

lm_view lm_ends_baseline(const lm_ends *e, int i, int64_t k)
{
    lm_view v = e->x0[i];
    v.off += (size_t)(k * lm_ends_count(e, i)) * lm_dtype_size(v.dt);
    v.sh = e->x[i].sh;
    lm_strides_row(&v.sh, v.st);
    return v;
}

/* These two run over every element at every node: by type, so that a loop has nothing to ask. */
static void blend_f32(const float *restrict from, const float *restrict to, double a, float *restrict x, int64_t n)
{
    const double b = 1 - a;
    for (int64_t k = 0; k < n; k++)
        x[k] = (float)(b * (double)from[k] + a * (double)to[k]);
}

static void add_f32(double *restrict sum, double weight, const float *restrict x, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        sum[k] += weight * (double)x[k];
}

void lm_ends_point(const lm_ends *e, int64_t baseline, double a, const lm_view *x)
{
    for (int i = 0; i < e->n; i++) {
        const lm_view from = lm_ends_baseline(e, i, baseline), to = e->x[i], at = x[i];
        const int64_t n = lm_ends_count(e, i);
        if (at.dt == LM_F32)
            blend_f32(lm_view_data(&from), lm_view_data(&to), a, lm_view_data(&at), n);
        else
            for (int64_t k = 0; k < n; k++)
                lm_put(&at, k, (1 - a) * lm_at(&from, k) + a * lm_at(&to, k));
    }
}

/* Values of one site at the sample (row 0) and at the baselines. */
typedef struct valuing {
    lm_ends inputs;
    lm_view x, x0;
    bool goal; /* the site is the goal of the sweep */
} valuing;

static lm_status fill_values(void *own, int64_t row, const lm_view *x)
{
    const valuing *v = own;
    if (row == 0)
        lm_ends_point(&v->inputs, 0, 1, x);
    else
        lm_ends_point(&v->inputs, row - 1, 0, x);
    return LM_OK;
}

static lm_status keep_values(void *own, int64_t row, const lm_swept *r)
{
    valuing *v = own;
    const lm_view *from = v->goal ? &r->goal : &r->value[0];
    const size_t bytes = (size_t)lm_shape_count(&v->x.sh) * lm_dtype_size(v->x.dt);
    char *to = row == 0 ? lm_view_data(&v->x) : (char *)lm_view_data(&v->x0) + (size_t)(row - 1) * bytes;
    memcpy(to, lm_view_data(from), bytes);
    return LM_OK;
}

/* Ends at an inner site. */
static lm_status ends_at(lm_task *t, lm_site site, bool stem, lm_ends *out)
{
    valuing v = {.inputs = lm_ends_inputs(t), .goal = stem};
    lm_type type;
    LM_TRY(lm_study_site_type(t->study, t->feed, site, &type));
    lm_shape all = type.sh;
    int64_t dim = all.rank ? all.dim[0] : 1;
    LM_REQUIRE(lm_mul_i64(dim, t->baselines, &dim), LM_MEMORY, "too many baselines");
    all.rank = all.rank ? all.rank : 1;
    all.dim[0] = dim;
    lm_site *own = lm_arena_copy(t->arena, &site, 1, sizeof site);
    lm_view *x = lm_arena_alloc(t->arena, 2, sizeof *x);
    if (!own || !x)
        return LM_MEMORY;
    LM_TRY(lm_scratch(t->arena, type.dt, &type.sh, &v.x));
    LM_TRY(lm_scratch(t->arena, type.dt, &all, &v.x0));
    lm_sweep w = lm_task_begin(t);
    w.targets = 0;
    if (stem)
        w.goal = (lm_goal_at){.site = site};
    w.nvalue = !stem;
    w.value = own;
    w.ncut = t->ninput;
    w.cut = t->input;
    w.rows = t->baselines + 1;
    w.fill = fill_values;
    w.absorb = keep_values;
    w.own = &v;
    LM_TRY(lm_task_sweep(t, &w));
    x[0] = v.x;
    x[1] = v.x0;
    *out = (lm_ends){.n = 1, .site = own, .x = &x[0], .x0 = &x[1], .baselines = t->baselines, .stem = stem};
    return LM_OK;
}

lm_status lm_ends_find(lm_task *t, lm_ends *out)
{
    if (t->layered)
        return ends_at(t, t->layer, false, out);
    *out = lm_ends_inputs(t);
    return LM_OK;
}

lm_status lm_ends_past_stem(lm_task *t, lm_ends *out)
{
    /* Behind a layer that makes many more numbers than it gets, walking them costs more than the layer. */
    enum { GROWTH = 2 };
    lm_site stem = {NULL, -1};
    lm_type type;
    if (!t->layered && t->ninput == 1 && t->input[0].port >= 0)
        LM_TRY(lm_study_stem(t->study, t->feed, t->input[0].port, &stem));
    if (stem.name)
        LM_TRY(lm_study_site_type(t->study, t->feed, stem, &type));
    if (!stem.name || lm_shape_count(&type.sh) > GROWTH * lm_shape_count(&t->x[0].sh))
        return lm_ends_find(t, out);
    return ends_at(t, stem, true, out);
}

static lm_status keep_signals(void *own, int64_t row, const lm_swept *r)
{
    double **signal = own;
    (void)row;
    for (int k = 0; signal[k]; k++)
        for (int64_t i = 0, n = lm_shape_count(&r->signal[k].sh); i < n; i++)
            signal[k][i] = lm_at(&r->signal[k], i);
    return LM_OK;
}

lm_status lm_ends_to_input(lm_task *t, const lm_ends *e, double **signal)
{
    const int64_t n = lm_ends_count(e, 0), inputs = lm_shape_count(&t->x[0].sh);
    const lm_shape seeds = LM_SHAPE(t->targets, n);
    lm_view seed;
    double **to = lm_arena_alloc(t->arena, (size_t)t->targets + 1, sizeof *to);
    if (!to)
        return LM_MEMORY;
    LM_TRY(lm_scratch(t->arena, e->x[0].dt, &seeds, &seed));
    for (int k = 0; k < t->targets; k++) {
        for (int64_t i = 0; i < n; i++)
            lm_put(&seed, k * n + i, signal[k][i]);
        to[k] = lm_arena_alloc(t->arena, (size_t)inputs, sizeof **to);
        if (!to[k])
            return LM_MEMORY;
    }
    const lm_walk back = {.set = &lm_set_grad, .options = LM_RULE_OPTIONS_DEFAULT, .nsite = 1, .site = t->input};
    lm_sweep w = lm_task_begin(t);
    w.goal = (lm_goal_at){.site = e->site[0]};
    w.seed = &seed;
    w.nwalk = 1;
    w.walk = &back;
    w.absorb = keep_signals;
    w.own = to;
    LM_TRY(lm_task_sweep(t, &w));
    memcpy(signal, to, (size_t)t->targets * sizeof *to);
    return LM_OK;
}

lm_status lm_path_open(lm_task *t, const lm_ends *ends, int nsite, const lm_site *site, bool flow, lm_path *out)
{
    *out = (lm_path){.t = t, .ends = ends, .nsite = nsite, .site = site, .flow = flow, .scale = 1};
    out->sum = lm_arena_alloc(t->arena, (size_t)nsite * (size_t)t->targets, sizeof *out->sum);
    out->residual = lm_arena_alloc(t->arena, (size_t)t->targets, sizeof *out->residual);
    out->count = lm_arena_alloc(t->arena, (size_t)nsite, sizeof *out->count);
    if (!out->sum || !out->residual || !out->count)
        return LM_MEMORY;
    for (int i = 0; i < nsite; i++) {
        lm_type type;
        LM_TRY(lm_study_site_type(t->study, t->feed, site[i], &type));
        out->count[i] = lm_shape_count(&type.sh);
        for (int k = 0; k < t->targets; k++) {
            double *sum = lm_arena_alloc(t->arena, (size_t)out->count[i], sizeof *sum);
            if (!sum)
                return LM_MEMORY;
            out->sum[i * t->targets + k] = sum;
        }
    }
    return LM_OK;
}

double lm_path_slope(const lm_path *p, int site, const lm_view *gradient, const lm_view *tangent)
{
    double sum = 0;
    const int64_t n = lm_shape_count(&gradient->sh);
    if (tangent) {
        for (int64_t i = 0; i < n; i++)
            sum += lm_at(gradient, i) * lm_at(tangent, i);
        return sum;
    }
    const lm_view x = p->ends->x[site], x0 = lm_ends_baseline(p->ends, site, 0);
    for (int64_t i = 0; i < n; i++)
        sum += lm_at(gradient, i) * (lm_at(&x, i) - lm_at(&x0, i));
    return sum;
}

void lm_path_add(double *sum, double weight, const lm_view *gradient, const lm_view *tangent)
{
    const int64_t n = lm_shape_count(&gradient->sh);
    if (tangent)
        for (int64_t i = 0; i < n; i++)
            sum[i] += weight * (lm_at(gradient, i) * lm_at(tangent, i));
    else if (gradient->dt == LM_F32)
        add_f32(sum, weight, lm_view_data(gradient), n);
    else
        for (int64_t i = 0; i < n; i++)
            sum[i] += weight * lm_at(gradient, i);
}

lm_status lm_path_sweep(const lm_path *p, bool tangents, lm_sweep *out)
{
    lm_task *t = p->t;
    lm_walk *walk = lm_arena_alloc(t->arena, 1, sizeof *walk);
    lm_view *direction = lm_arena_alloc(t->arena, (size_t)p->ends->n, sizeof *direction);
    if (!walk || !direction)
        return LM_MEMORY;
    *walk = (lm_walk){.set = &lm_set_grad, .options = LM_RULE_OPTIONS_DEFAULT, .nsite = p->nsite, .site = p->site};
    *out = lm_task_begin(t);
    out->ncut = p->ends->n;
    out->cut = p->ends->site;
    out->nwalk = 1;
    out->walk = walk;
    if (!tangents)
        return LM_OK;
    for (int i = 0; i < p->ends->n; i++) {
        const lm_view x = p->ends->x[i], x0 = lm_ends_baseline(p->ends, i, 0);
        LM_TRY(lm_scratch(t->arena, x.dt, &x.sh, &direction[i]));
        for (int64_t k = 0, n = lm_ends_count(p->ends, i); k < n; k++)
            lm_put(&direction[i], k, lm_at(&x, k) - lm_at(&x0, k));
    }
    out->ntangent = p->nsite;
    out->tangent = p->site;
    out->direction = direction;
    return LM_OK;
}

/* A rule on its way. */
typedef struct fixed {
    const lm_path *p;
    const double *node, *weight;
    int64_t n;
    double *value, *slope; /* by target * n + node; NULL: nobody needs them */
} fixed;

static lm_status fill_node(void *own, int64_t row, const lm_view *x)
{
    const fixed *f = own;
    lm_ends_point(f->p->ends, 0, f->node[row], x);
    return LM_OK;
}

static lm_status add_node(void *own, int64_t row, const lm_swept *r)
{
    const fixed *f = own;
    const lm_path *p = f->p;
    const int targets = p->t->targets;
    for (int k = 0; k < targets; k++) {
        double slope = 0;
        for (int i = 0; i < p->nsite; i++) {
            const lm_view *gradient = &r->signal[i * targets + k], *tangent = p->flow ? &r->tangent[i] : NULL;
            lm_path_add(p->sum[i * targets + k], f->weight[row], gradient, tangent);
            if (f->slope)
                slope += lm_path_slope(p, i, gradient, tangent);
        }
        if (f->slope) {
            f->value[k * f->n + row] = lm_task_value(p->t, &r->goal, k);
            f->slope[k * f->n + row] = slope;
        }
    }
    return LM_OK;
}

/* Do gradients at the path's sites make up the change of the target, and does the rule bound intervals? */
static bool residual_known(const lm_path *p, lm_quadrature kind)
{
    return (p->flow || p->site == p->ends->site) && kind != LM_QUADRATURE_GAUSS && kind != LM_QUADRATURE_MIDDLE;
}

lm_status lm_path_fixed(lm_path *p, lm_quadrature kind, int64_t n)
{
    lm_task *t = p->t;
    const bool known = residual_known(p, kind);
    const size_t rows = (size_t)n * (size_t)t->targets;
    double *node = lm_arena_alloc(t->arena, (size_t)n, sizeof *node);
    double *weight = lm_arena_alloc(t->arena, (size_t)n, sizeof *weight);
    fixed f = {.p = p, .node = node, .weight = weight, .n = n};
    if (known) {
        f.value = lm_arena_alloc(t->arena, rows, sizeof *f.value);
        f.slope = lm_arena_alloc(t->arena, rows, sizeof *f.slope);
    }
    if (!node || !weight || (known && (!f.value || !f.slope)))
        return LM_MEMORY;
    LM_TRY(lm_quadrature_make(kind, n, node, weight));
    if (p->narrow && kind != LM_QUADRATURE_GAUSS)
        lm_quadrature_round(n, node);
    for (int64_t i = 0; i < n; i++)
        weight[i] = p->narrow ? (float)(p->scale * weight[i]) : p->scale * weight[i];
    lm_sweep w;
    LM_TRY(lm_path_sweep(p, p->flow, &w));
    w.rows = n;
    w.fill = fill_node;
    w.absorb = add_node;
    w.own = &f;
    LM_TRY(lm_task_sweep(t, &w));
    for (int k = 0; k < t->targets; k++)
        p->residual[k] = !known ? (double)NAN :
            lm_quadrature_residual(kind, n, node, &f.value[k * n], &f.slope[k * n], t->target[k].baseline,
                                   t->target[k].value, p->scale);
    return LM_OK;
}
