/* Means over a distribution of baselines: gradients at random points between a baseline and the input, and DeepLIFT
 * against each baseline. */
#include <math.h>

#include "core/base/rng.h"
#include "core/base/str.h"
#include "core/explain/path.h"
#include "core/explain/question.h"

/* Sums and sums of squares of what samples contribute, by site * targets + target. */
typedef struct moments {
    lm_task *t;
    const lm_ends *ends;
    double **sum, **square;
} moments;

static lm_status moments_open(lm_task *t, const lm_ends *ends, moments *out)
{
    const size_t n = (size_t)ends->n * (size_t)t->targets;
    *out = (moments){.t = t, .ends = ends};
    out->sum = lm_arena_alloc(t->arena, n, sizeof *out->sum);
    out->square = lm_arena_alloc(t->arena, n, sizeof *out->square);
    if (!out->sum || !out->square)
        return LM_MEMORY;
    for (size_t i = 0; i < n; i++) {
        const size_t count = (size_t)lm_ends_count(ends, (int)i / t->targets);
        out->sum[i] = lm_arena_alloc(t->arena, count, sizeof **out->sum);
        out->square[i] = lm_arena_alloc(t->arena, count, sizeof **out->square);
        if (!out->sum[i] || !out->square[i])
            return LM_MEMORY;
    }
    return LM_OK;
}

static void moments_add(moments *m, int at, int64_t e, double contribution)
{
    m->sum[at][e] += contribution;
    m->square[at][e] += contribution * contribution;
}

/* Means, and the mean of their standard errors. */
static lm_status moments_results(const moments *m, int64_t samples)
{
    lm_task *t = m->t;
    const double n = (double)samples;
    for (int at = 0; at < t->nsite * t->targets; at++) {
        const int site = at / t->targets;
        const int64_t count = lm_ends_count(m->ends, site);
        lm_result *r;
        double errors = 0;
        LM_TRY(lm_task_result(t, site, at % t->targets, &m->ends->x[site].sh, &r));
        for (int64_t e = 0; e < count; e++) {
            r->at[e] = m->sum[at][e] / n;
            errors += sqrt(fmax(m->square[at][e] - m->sum[at][e] * r->at[e], 0) / ((n - 1) * n));
        }
        r->certificate.stderr_mean = samples > 1 && count > 0 ? errors / (double)count : (double)NAN;
    }
    return LM_OK;
}

/* Which points are drawn: (1 - alpha) baseline[index] + alpha (x + noise). */
typedef struct draws {
    moments m;
    int64_t samples;
    double *alpha;
    int64_t *index;
    double *stdev; /* of the noise, by site */
    uint64_t seed; /* of the noise */
} draws;

/* Noise of one element of one sample. */
static double noise(const draws *d, int64_t row, int site, int64_t e)
{
    if (d->stdev[site] == 0)
        return 0;
    const uint64_t seed = lm_rng_fork(d->seed, (uint64_t)site);
    return d->stdev[site] *
           lm_rng_normal(seed, (uint64_t)row * (uint64_t)lm_ends_count(d->m.ends, site) + (uint64_t)e);
}

static lm_status fill_draw(void *own, int64_t row, const lm_view *x)
{
    const draws *d = own;
    const double a = d->alpha[row];
    lm_ends_point(d->m.ends, d->index[row], a, x);
    for (int i = 0; i < d->m.ends->n; i++)
        for (int64_t e = 0, n = d->stdev[i] > 0 ? lm_ends_count(d->m.ends, i) : 0; e < n; e++)
            lm_put(&x[i], e, lm_at(&x[i], e) + a * noise(d, row, i, e));
    return LM_OK;
}

static lm_status add_draw(void *own, int64_t row, const lm_swept *r)
{
    draws *d = own;
    const int targets = d->m.t->targets;
    for (int i = 0; i < d->m.ends->n; i++) {
        const lm_view x = d->m.ends->x[i], x0 = lm_ends_baseline(d->m.ends, i, d->index[row]);
        for (int64_t e = 0, n = lm_ends_count(d->m.ends, i); e < n; e++) {
            const double way = lm_at(&x, e) + noise(d, row, i, e) - lm_at(&x0, e);
            for (int k = 0; k < targets; k++)
                moments_add(&d->m, i * targets + k, e, way * lm_at(&r->signal[i * targets + k], e));
        }
    }
    return LM_OK;
}

/* An array of draws: [samples] or [samples, N]. */
static lm_status find_draws(const lm_task *t, const char *file, const char *array, const lm_view **out)
{
    char text[LM_SHAPE_TEXT];
    lm_str name = {0};
    lm_str_printf(&name, "%s/%s", file, array);
    lm_status status = name.status;
    *out = status == LM_OK ? t->file(t, lm_str_text(&name)) : NULL;
    lm_str_free(&name);
    LM_TRY(status);
    LM_REQUIRE(*out, LM_INPUT, "draws=%s has no array '%s'; it needs alpha and index", file, array);
    const lm_shape *sh = &(*out)->sh;
    LM_REQUIRE((sh->rank == 1 || (sh->rank == 2 && sh->dim[1] > t->sample)) && sh->dim[0] > 0, LM_INPUT,
               "%s of draws=%s has shape %s; write [samples], or [samples,N] for N inputs", array, file,
               lm_shape_text(sh, text));
    return LM_OK;
}

static lm_status read_draws(draws *d, const char *file)
{
    lm_task *t = d->m.t;
    const lm_view *alpha, *index;
    LM_TRY(find_draws(t, file, "alpha", &alpha));
    LM_TRY(find_draws(t, file, "index", &index));
    d->samples = alpha->sh.dim[0];
    LM_REQUIRE(index->sh.dim[0] == d->samples, LM_INPUT, "draws=%s has %lld alphas but %lld indices", file,
               (long long)d->samples, (long long)index->sh.dim[0]);
    d->alpha = lm_arena_alloc(t->arena, (size_t)d->samples, sizeof *d->alpha);
    d->index = lm_arena_alloc(t->arena, (size_t)d->samples, sizeof *d->index);
    if (!d->alpha || !d->index)
        return LM_MEMORY;
    for (int64_t i = 0; i < d->samples; i++) {
        d->alpha[i] = lm_view_get(alpha, alpha->sh.rank == 1 ? i : i * alpha->sh.dim[1] + t->sample);
        d->index[i] = (int64_t)lm_view_get(index, index->sh.rank == 1 ? i : i * index->sh.dim[1] + t->sample);
        LM_REQUIRE(d->alpha[i] >= 0 && d->alpha[i] <= 1, LM_INPUT,
                   "alpha %lld of draws=%s is %g; it says where between baseline and input, from 0 to 1", (long long)i,
                   file, d->alpha[i]);
        LM_REQUIRE(d->index[i] >= 0 && d->index[i] < t->baselines, LM_INPUT,
                   "index %lld of draws=%s is %lld, but there are %lld baselines", (long long)i, file,
                   (long long)d->index[i], (long long)t->baselines);
    }
    return LM_OK;
}

static uint64_t seed_for(const lm_task *t, uint64_t purpose)
{
    return lm_rng_fork(lm_rng_fork(t->seed, t->number), purpose);
}

/* Draw alphas and indices; stratified: one alpha from each of as many equal intervals as there are samples. */
static lm_status make_draws(draws *d, bool stratified)
{
    enum { ALPHA = 1, INDEX = 2 };
    lm_task *t = d->m.t;
    d->samples = lm_task_whole(t, "samples");
    d->alpha = lm_arena_alloc(t->arena, (size_t)d->samples, sizeof *d->alpha);
    d->index = lm_arena_alloc(t->arena, (size_t)d->samples, sizeof *d->index);
    if (!d->alpha || !d->index)
        return LM_MEMORY;
    for (int64_t i = 0; i < d->samples; i++) {
        const double u = lm_rng_f64(seed_for(t, ALPHA), (uint64_t)i);
        d->alpha[i] = stratified ? ((double)i + u) / (double)d->samples : u;
        d->index[i] = (int64_t)lm_rng_below(seed_for(t, INDEX), (uint64_t)i, (uint64_t)t->baselines);
    }
    return LM_OK;
}

/* The option's deviation: a fraction of what the values span or, where tools have it so, a number of its own. */
static lm_status find_noise(draws *d)
{
    enum { NOISE = 3 };
    lm_task *t = d->m.t;
    const char *usual = lm_compat_usual(t->compat, "noise", "absolute");
    const double stdev = lm_task_number(t, "stdev");
    d->seed = seed_for(t, NOISE);
    d->stdev = lm_arena_alloc(t->arena, (size_t)d->m.ends->n, sizeof *d->stdev);
    if (!d->stdev)
        return LM_MEMORY;
    for (int i = 0; i < d->m.ends->n && stdev > 0; i++) {
        const lm_view *x = &d->m.ends->x[i];
        double low = INFINITY, high = -INFINITY;
        for (int64_t e = 0, n = lm_ends_count(d->m.ends, i); e < n; e++) {
            low = fmin(low, lm_at(x, e));
            high = fmax(high, lm_at(x, e));
        }
        d->stdev[i] = usual ? stdev : high > low ? stdev * (high - low) : 0;
    }
    return LM_OK;
}

static lm_status run_draws(lm_task *t, bool stratified)
{
    lm_ends ends;
    draws d = {.samples = 0};
    LM_TRY(lm_ends_find(t, &ends));
    LM_TRY(moments_open(t, &ends, &d.m));
    const char *file = lm_task_text(t, "draws");
    LM_TRY(file[0] ? read_draws(&d, file) : make_draws(&d, stratified));
    LM_TRY(find_noise(&d));
    const lm_walk back = {.set = &lm_set_grad, .options = LM_RULE_OPTIONS_DEFAULT, .nsite = ends.n, .site = ends.site};
    lm_sweep w = lm_task_begin(t);
    w.ncut = ends.n;
    w.cut = ends.site;
    w.nwalk = 1;
    w.walk = &back;
    w.rows = d.samples;
    w.fill = fill_draw;
    w.absorb = add_draw;
    w.own = &d;
    LM_TRY(lm_task_sweep(t, &w));
    return moments_results(&d.m, d.samples);
}

lm_status lm_run_gradient_shap(lm_task *t)
{
    return run_draws(t, false);
}

lm_status lm_run_expected_gradients(lm_task *t)
{
    return run_draws(t, true);
}

/* DeepLIFT against several baselines in one sweep, so that they share the run at the input. */
enum { BASELINES_AT_ONCE = 8 };
typedef struct against {
    moments m;
    int64_t first; /* baseline of the first walk */
    int walks;
} against;

static lm_status fill_input(void *own, int64_t row, const lm_view *x)
{
    const against *a = own;
    (void)row;
    lm_ends_point(a->m.ends, 0, 1, x);
    return LM_OK;
}

static lm_status add_multipliers(void *own, int64_t row, const lm_swept *r)
{
    against *a = own;
    const lm_ends *ends = a->m.ends;
    const int targets = a->m.t->targets;
    (void)row;
    for (int w = 0; w < a->walks; w++)
        for (int at = 0; at < ends->n * targets; at++) {
            const int i = at / targets;
            const lm_view x = ends->x[i], x0 = lm_ends_baseline(ends, i, a->first + w);
            const lm_view *multiplier = &r->signal[w * ends->n * targets + at];
            for (int64_t e = 0, n = lm_ends_count(ends, i); e < n; e++)
                moments_add(&a->m, at, e, lm_at(multiplier, e) * (lm_at(&x, e) - lm_at(&x0, e)));
        }
    return LM_OK;
}

lm_status lm_run_deepshap(lm_task *t)
{
    lm_ends ends;
    against a = {.walks = 0};
    LM_TRY(lm_ends_find(t, &ends));
    LM_TRY(moments_open(t, &ends, &a.m));
    lm_view *x0 = lm_arena_alloc(t->arena, (size_t)ends.n * BASELINES_AT_ONCE, sizeof *x0);
    if (!x0)
        return LM_MEMORY;
    for (a.first = 0; a.first < t->baselines; a.first += a.walks) {
        lm_walk walk[BASELINES_AT_ONCE];
        const int64_t left = t->baselines - a.first;
        a.walks = left < BASELINES_AT_ONCE ? (int)left : BASELINES_AT_ONCE;
        for (int k = 0; k < a.walks; k++) {
            for (int i = 0; i < ends.n; i++)
                x0[k * ends.n + i] = lm_ends_baseline(&ends, i, a.first + k);
            walk[k] = (lm_walk){.set = &lm_set_deeplift, .options = lm_compat_rules(t->compat), .nsite = ends.n,
                                .site = ends.site, .baseline = &x0[k * ends.n]};
        }
        lm_sweep w = lm_task_begin(t);
        w.ncut = ends.n;
        w.cut = ends.site;
        w.nwalk = a.walks;
        w.walk = walk;
        w.fill = fill_input;
        w.absorb = add_multipliers;
        w.own = &a;
        LM_TRY(lm_task_sweep(t, &w));
    }
    return moments_results(&a.m, t->baselines);
}
