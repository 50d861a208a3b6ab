/* Derivatives against differences. */
#include "tests/rules/probe.h"

#include <math.h>
#include <stdio.h>

#include "core/graph/widen.h"
#include "core/run/plan.h"

double probe_noise(uint64_t seed, int64_t i)
{
    uint64_t h = ((uint64_t)i + 1) * 0x9E3779B97F4A7C15u ^ (seed + 1) * 0xC2B2AE3D27D4EB4Fu;
    h = (h ^ (h >> 29)) * 0xBF58476D1CE4E5B9u;
    h = (h ^ (h >> 32)) * 0x94D049BB133111EBu;
    return (double)((h ^ (h >> 29)) >> 11) * 0x1p-52 - 1;
}

enum { MOST = 64 };

/* The graph's inputs are its own, then one seed per float output; its outputs its own, then one signal per float
 * input. */
typedef struct probe {
    const lm_chain *chain;
    lm_graph *g;
    lm_derived_cache *cache;
    lm_plan *plan;
    int nx, ny, nin, nout;
    int in[MOST], out[MOST]; /* which inputs and outputs are floats */
    lm_view base[MOST];      /* what the inputs are moved from */
    lm_view direction[MOST]; /* by input; those of integers have no buffer */
    lm_view feed[2 * MOST], fetch[2 * MOST];
} probe;

static bool is_float(const probe *p, lm_val v)
{
    return lm_dtype_is_float(lm_graph_value(p->g, v)->type.dt);
}

static lm_status emit_gradient(probe *p)
{
    lm_val target[MOST], seed[MOST], wrt[MOST], signal[MOST];
    lm_emit e = {.g = p->g, .fold = p->chain};
    p->nx = (int)p->g->inputs.count;
    p->ny = (int)p->g->outputs.count;
    LM_REQUIRE(p->nx <= MOST && p->ny <= MOST, LM_UNSUPPORTED, "more inputs or outputs than this check has room for");
    for (int i = 0; i < p->nx; i++)
        if (is_float(p, p->g->inputs.at[i])) {
            wrt[p->nin] = p->g->inputs.at[i];
            p->in[p->nin++] = i;
        }
    for (int i = 0; i < p->ny; i++)
        if (is_float(p, p->g->outputs.at[i])) {
            target[p->nout] = p->g->outputs.at[i];
            p->out[p->nout] = i;
            LM_TRY(lm_graph_input(p->g, NULL, lm_emit_type(&e, target[p->nout]), &seed[p->nout]));
            p->nout++;
        }
    const lm_backward b = {.set = &lm_set_grad, .ntarget = p->nout, .target = target, .seed = seed, .nwrt = p->nin,
                           .wrt = wrt, .signal = signal};
    if (p->nin == 0 || p->nout == 0)
        return LM_OK;
    LM_TRY(lm_backward_emit(&e, &b));
    for (int i = 0; i < p->nin; i++)
        LM_TRY(lm_graph_output(p->g, signal[i]));
    return LM_OK;
}

static lm_status view_of(const probe *p, lm_val v, lm_view *out)
{
    const lm_type *type = &lm_graph_value(p->g, v)->type;
    return lm_view_new(type->dt, &type->sh, out);
}

static lm_status open_plan(probe *p, const lm_view *feed)
{
    for (int i = 0; i < p->nx; i++) {
        LM_TRY(view_of(p, p->g->inputs.at[i], &p->feed[i]));
        const bool moves = lm_dtype_is_float(feed[i].dt);
        LM_TRY(view_of(p, p->g->inputs.at[i], &p->base[i]));
        if (!moves)
            LM_TRY(lm_view_copy(&p->feed[i], &feed[i]));
        else
            LM_TRY(view_of(p, p->g->inputs.at[i], &p->direction[i]));
        for (int64_t k = 0, n = lm_shape_count(&feed[i].sh); moves && k < n; k++)
            lm_view_set(&p->base[i], k, lm_view_get(&feed[i], k));
    }
    for (int i = 0; i < p->nout; i++) {
        LM_TRY(view_of(p, p->g->inputs.at[p->nx + i], &p->feed[p->nx + i]));
        lm_view *seed = &p->feed[p->nx + i];
        for (int64_t k = 0, n = lm_shape_count(&seed->sh); k < n; k++)
            lm_view_set(seed, k, 0);
    }
    for (size_t i = 0; i < p->g->outputs.count; i++)
        LM_TRY(view_of(p, p->g->outputs.at[i], &p->fetch[i]));
    LM_TRY(lm_derived_open(&p->cache));
    return lm_plan_open(p->chain, p->cache, p->g, NULL, &p->plan);
}

static void close_probe(probe *p)
{
    for (int i = 0; i < MOST; i++) {
        lm_buffer_unref(p->base[i].buf);
        lm_buffer_unref(p->direction[i].buf);
    }
    for (int i = 0; i < 2 * MOST; i++) {
        lm_buffer_unref(p->feed[i].buf);
        lm_buffer_unref(p->fetch[i].buf);
    }
    lm_plan_close(p->plan);
    lm_derived_close(p->cache);
    lm_graph_free(p->g);
}

/* Run at base + t direction. */
static lm_status run_at(probe *p, double t)
{
    for (int i = 0; i < p->nin; i++) {
        const lm_view *x = &p->base[p->in[i]], *u = &p->direction[p->in[i]];
        for (int64_t k = 0, n = lm_shape_count(&x->sh); k < n; k++) {
            const double step = t * lm_view_get(u, k);
            lm_view_set(&p->feed[p->in[i]], k, lm_view_get(x, k) + (step != 0 ? step : 0));
        }
    }
    return lm_plan_run(p->plan, p->feed, p->fetch, NULL);
}

/* <seed, y> over the outputs; elements that do not count have a seed of 0. */
static double objective(const probe *p)
{
    double sum = 0;
    for (int i = 0; i < p->nout; i++) {
        const lm_view *y = &p->fetch[p->out[i]], *seed = &p->feed[p->nx + i];
        for (int64_t k = 0, n = lm_shape_count(&y->sh); k < n; k++) {
            const double s = lm_view_get(seed, k);
            sum += s != 0 ? s * lm_view_get(y, k) : 0;
        }
    }
    return sum;
}

/* Random directions, without elements that are not finite, in steps that suit their size. `jitter` moves the base. */
static void draw_direction(probe *p, uint64_t seed, double jitter)
{
    for (int i = 0; i < p->nin; i++) {
        lm_view *x = &p->base[p->in[i]], *u = &p->direction[p->in[i]];
        for (int64_t k = 0, n = lm_shape_count(&x->sh); k < n; k++) {
            const double at = lm_view_get(x, k), size = fmax(1, fabs(at));
            const bool moves = isfinite(at) && fabs(at) < 1e12;
            lm_view_set(u, k, moves ? size * probe_noise(seed + (uint64_t)i * 77, k) : 0);
            if (moves && jitter != 0)
                lm_view_set(x, k, at + jitter * size * probe_noise(seed + 5000 + (uint64_t)i, k));
        }
    }
}

static double seed_at(uint64_t seed, int output, int64_t k)
{
    return probe_noise(seed + 9000 + (uint64_t)output, k);
}

/* Where the function itself has no value, its derivative need not have one either: no direction goes there. */
static lm_status leave_out_poles(probe *p)
{
    LM_TRY(run_at(p, 0));
    for (int i = 0; i < p->nin; i++) {
        const lm_view *s = &p->fetch[p->ny + i];
        for (int64_t k = 0, n = lm_shape_count(&s->sh); k < n; k++)
            if (!isfinite(lm_view_get(s, k)))
                lm_view_set(&p->direction[p->in[i]], k, 0);
    }
    return LM_OK;
}

/* Elements that are finite at the base get a seed; *any: there are some. */
static lm_status choose_seeds(probe *p, uint64_t seed, bool *any)
{
    bool all = true;
    *any = false;
    LM_TRY(run_at(p, 0));
    for (int i = 0; i < p->nout; i++) {
        const lm_view *y = &p->fetch[p->out[i]];
        for (int64_t k = 0, n = lm_shape_count(&y->sh); k < n; k++) {
            const bool counts = isfinite(lm_view_get(y, k));
            lm_view_set(&p->feed[p->nx + i], k, counts ? seed_at(seed, i, k) : 0);
            *any |= counts;
            all &= counts;
        }
    }
    return *any && !all ? leave_out_poles(p) : LM_OK;
}

/* <signal, u>, and the size of what was added. */
static double along(const probe *p, double *size)
{
    double sum = 0;
    *size = 0;
    for (int i = 0; i < p->nin; i++) {
        const lm_view *u = &p->direction[p->in[i]], *s = &p->fetch[p->ny + i];
        for (int64_t k = 0, n = lm_shape_count(&u->sh); k < n; k++) {
            const double step = lm_view_get(u, k);
            const double term = step != 0 ? step * lm_view_get(s, k) : 0;
            sum += term;
            *size += fabs(term);
        }
    }
    return sum;
}

/* One direction. Differences of two step lengths, and to both sides, agree unless a kink or a pole lies between. */
static lm_status try_direction(probe *p, probe_outcome *out, char why[PROBE_WHY])
{
    static const double h = 1e-5, slack = 1e-6;
    double f[5], size;
    for (int k = 0; k < 5; k++) {
        LM_TRY(run_at(p, h * (k - 2) / 2));
        f[k] = objective(p);
    }
    LM_TRY(run_at(p, 0));
    const double full = (f[4] - f[0]) / (2 * h), half = (f[3] - f[1]) / h;
    const double left = (f[2] - f[1]) * 2 / h, right = (f[3] - f[2]) * 2 / h, got = along(p, &size);
    const double room = fabs(full) + fabs(half) + 1e-5 * fabs(f[2]) + 1e-3;
    *out = PROBE_KINKS;
    if (!(fabs(full - half) <= slack * room) || !(fabs(left - right) <= 1e3 * slack * room))
        return LM_OK;
    *out = fabs(got - half) <= 10 * slack * (room + fmin(size, 1e3 * room)) ? PROBE_GOOD : PROBE_WRONG;
    if (*out == PROBE_WRONG)
        snprintf(why, PROBE_WHY, "gradient %.12g, differences %.12g and %.12g", got, full, half);
    return LM_OK;
}

static lm_status probe_run(probe *p, const lm_view *feed, uint64_t seed, probe_outcome *out, char why[PROBE_WHY])
{
    enum { WANTED = 3, TRIES = 12 };
    int good = 0;
    bool any;
    *out = PROBE_NOTHING;
    LM_TRY(emit_gradient(p));
    if (p->nin == 0 || p->nout == 0)
        return LM_OK;
    LM_TRY(open_plan(p, feed));
    for (int k = 0; k < TRIES && good < WANTED; k++) {
        draw_direction(p, seed + 100 * (uint64_t)k, k < WANTED ? 0 : 1e-2);
        LM_TRY(choose_seeds(p, seed, &any));
        if (!any) {
            *out = PROBE_NOTHING;
            return LM_OK;
        }
        probe_outcome one;
        LM_TRY(try_direction(p, &one, why));
        if (one == PROBE_WRONG) {
            *out = one;
            return LM_OK;
        }
        good += one == PROBE_GOOD;
    }
    *out = good ? PROBE_GOOD : PROBE_KINKS;
    return LM_OK;
}

probe_outcome probe_gradient(const lm_chain *chain, const lm_graph *g, const lm_view *feed, uint64_t seed,
                             char why[PROBE_WHY])
{
    probe p = {.chain = chain};
    probe_outcome out = PROBE_REFUSED;
    lm_status status = lm_graph_widen(g, LM_F64, NULL, &p.g, NULL);
    why[0] = 0;
    if (status == LM_OK)
        status = probe_run(&p, feed, seed, &out, why);
    if (status != LM_OK) {
        snprintf(why, PROBE_WHY, "%s", lm_message());
        out = PROBE_REFUSED;
    }
    close_probe(&p);
    return out;
}
