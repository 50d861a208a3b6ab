/* Integrated gradients, conductance and internal influence: gradients summed along the line from a baseline. */
#include <math.h>
#include <string.h>

#include "core/explain/path.h"

static bool follows(const lm_task *t, const char *profile)
{
    return strcmp(t->compat, profile) == 0;
}

/* What the residuals may sum to, by target. Unless it is said, a hundredth of what the target changes. */
static lm_status tolerances(lm_task *t, double **out)
{
    const double tol = lm_task_number(t, "tol");
    *out = lm_arena_alloc(t->arena, (size_t)t->targets, sizeof **out);
    if (!*out)
        return LM_MEMORY;
    for (int k = 0; k < t->targets; k++)
        (*out)[k] = isnan(tol) ? 0.01 * fabs(t->target[k].value - t->target[k].baseline) : tol;
    return LM_OK;
}

static lm_status integrate(lm_path *p)
{
    lm_task *t = p->t;
    const lm_quadrature kind = (lm_quadrature)lm_task_word(t, "quadrature");
    const int64_t n = lm_task_whole(t, "steps");
    double *tol;
    if (kind == LM_QUADRATURE_ADAPTIVE) {
        LM_TRY(tolerances(t, &tol));
        return lm_path_adaptive(p, tol);
    }
    p->narrow = follows(t, "captum"); /* whatever the model computes in */
    if (kind == LM_QUADRATURE_TRAPEZOID && p->narrow)
        p->scale = (double)(n - 1) / (double)n; /* 1 / n, and half of that at the ends */
    return lm_path_fixed(p, kind, n);
}

/* Sums into results, times the difference of `ends` where that is given. */
static lm_status put_results(const lm_path *p, const lm_ends *ends)
{
    lm_task *t = p->t;
    for (int i = 0; i < t->nsite; i++)
        for (int k = 0; k < t->targets; k++) {
            const double *sum = p->sum[i * t->targets + k];
            lm_type type;
            lm_result *r;
            LM_TRY(lm_study_site_type(t->study, t->feed, t->site[i], &type));
            LM_TRY(lm_task_result(t, i, k, &type.sh, &r));
            const lm_view x = ends ? ends->x[i] : t->x[0], x0 = ends ? lm_ends_baseline(ends, i, 0) : x;
            for (int64_t e = 0, n = lm_shape_count(&type.sh); e < n; e++)
                r->at[e] = ends ? (lm_at(&x, e) - lm_at(&x0, e)) * sum[e] : sum[e];
            r->certificate.residual = p->residual[k];
        }
    return LM_OK;
}

lm_status lm_run_ig(lm_task *t)
{
    lm_ends ends;
    lm_path p;
    LM_TRY(lm_ends_past_stem(t, &ends));
    LM_TRY(lm_path_open(t, &ends, ends.n, ends.site, false, &p));
    LM_TRY(integrate(&p));
    if (ends.stem) {
        LM_TRY(lm_ends_to_input(t, &ends, p.sum));
        ends = lm_ends_inputs(t);
    }
    return put_results(&p, lm_task_flag(t, "multiply") ? &ends : NULL);
}

lm_status lm_run_internal_influence(lm_task *t)
{
    const lm_ends ends = lm_ends_inputs(t);
    lm_path p;
    LM_TRY(lm_path_open(t, &ends, t->nsite, t->site, false, &p));
    LM_TRY(integrate(&p));
    return put_results(&p, NULL);
}

/* As Captum sums conductance: the gradient at each node times the layer's change to the next one. */
typedef struct stepping {
    const lm_path *p;
    const double *node;
    double **gradient; /* of the row before, by target */
    double *value;
} stepping;

static lm_status fill_step(void *own, int64_t row, const lm_view *x)
{
    const stepping *s = own;
    lm_ends_point(s->p->ends, 0, s->node[row], x);
    return LM_OK;
}

static lm_status add_step(void *own, int64_t row, const lm_swept *r)
{
    const stepping *s = own;
    const lm_path *p = s->p;
    const int64_t n = p->count[0];
    for (int k = 0; k < p->t->targets; k++)
        for (int64_t e = 0; e < n; e++) {
            if (row > 0)
                p->sum[k][e] += s->gradient[k][e] * (lm_at(&r->value[0], e) - s->value[e]);
            s->gradient[k][e] = lm_at(&r->signal[k], e);
        }
    for (int64_t e = 0; e < n; e++)
        s->value[e] = lm_at(&r->value[0], e);
    return LM_OK;
}

static lm_status sum_steps(lm_path *p)
{
    lm_task *t = p->t;
    const int64_t n = lm_task_whole(t, "steps") + 1;
    const lm_quadrature kind = (lm_quadrature)lm_task_word(t, "quadrature");
    LM_REQUIRE(kind != LM_QUADRATURE_ADAPTIVE, LM_USAGE,
               "conductance as Captum sums it has no adaptive nodes; use another quadrature or another profile");
    double *node = lm_arena_alloc(t->arena, (size_t)n, sizeof *node);
    double *weight = lm_arena_alloc(t->arena, (size_t)n, sizeof *weight);
    stepping s = {.p = p, .node = node};
    s.gradient = lm_arena_alloc(t->arena, (size_t)t->targets, sizeof *s.gradient);
    s.value = lm_arena_alloc(t->arena, (size_t)p->count[0], sizeof *s.value);
    if (!node || !weight || !s.gradient || !s.value)
        return LM_MEMORY;
    for (int k = 0; k < t->targets; k++) {
        s.gradient[k] = lm_arena_alloc(t->arena, (size_t)p->count[0], sizeof **s.gradient);
        if (!s.gradient[k])
            return LM_MEMORY;
        p->residual[k] = (double)NAN;
    }
    LM_TRY(lm_quadrature_make(kind, n, node, weight));
    if (kind != LM_QUADRATURE_GAUSS)
        lm_quadrature_round(n, node);
    lm_sweep w;
    LM_TRY(lm_path_sweep(p, false, &w));
    w.nvalue = 1;
    w.value = p->site;
    w.rows = n;
    w.fill = fill_step;
    w.absorb = add_step;
    w.own = &s;
    return lm_task_sweep(t, &w);
}

lm_status lm_run_conductance(lm_task *t)
{
    const lm_ends ends = lm_ends_inputs(t);
    lm_path p;
    LM_TRY(lm_path_open(t, &ends, t->nsite, t->site, true, &p));
    LM_TRY(follows(t, "captum") ? sum_steps(&p) : integrate(&p));
    return put_results(&p, NULL);
}
