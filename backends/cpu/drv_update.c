/* Optimiser steps: SGD, Momentum, Adam. */
#include "backends/cpu/bind.h"
#include "backends/cpu/kernels.h"
#include "core/base/mem.h"

#include <math.h>

/* Parameters of one tile; fixed, so that the grid depends on the count alone. */
enum { TILE = 16384 };

/* Inputs in the op table's order: weights, gradient, rate, then the state, then Adam's step number. */
enum { WEIGHTS, GRADIENT, RATE, STATE, STEP = STATE + 2 };

typedef struct update_kernel {
    lm_cpu_kernel k;
    void (*fn)(const lm_update *u);
    lm_attr_update a;
    int nx, states;
    int64_t count;
} update_kernel;

typedef struct launch {
    const update_kernel *k;
    lm_update u;
} launch;

static void tile(void *ctx, int64_t t, int worker)
{
    (void)worker;
    const launch *l = ctx;
    int64_t from = t * TILE, left = l->k->count - from;
    lm_update u = l->u;
    u.n = (size_t)(left < TILE ? left : TILE);
    u.w += from, u.g += from, u.w_new += from;
    if (l->k->states > 0)
        u.m += from, u.m_new += from;
    if (l->k->states > 1)
        u.v += from, u.v_new += from;
    l->k->fn(&u);
}

/* By squaring: libraries' pow differ in their last bits. */
static double power(double base, int64_t n)
{
    double all = 1;
    for (; n > 0; n >>= 1, base *= base)
        all = n & 1 ? all * base : all;
    return all;
}

/* Adam's averages start at zero; the rate makes up for it. Steps are whole numbers. */
static float corrected(const lm_attr_update *a, float rate, float step)
{
    if (!(step > 0))
        return rate;
    const int64_t t = step < 0x1p62f ? (int64_t)step : INT64_C(1) << 62;
    return (float)((double)rate * sqrt(1 - power((double)a->beta2, t)) / (1 - power((double)a->beta1, t)));
}

static lm_status run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    (void)workspace;
    const update_kernel *k = (const update_kernel *)kernel;
    void *const *y = p + k->nx;
    launch l = {k, {.a = k->a, .rate = *(const float *)p[RATE], .w = p[WEIGHTS], .g = p[GRADIENT], .w_new = y[0]}};
    if (k->states > 0)
        l.u.m = p[STATE], l.u.m_new = y[1];
    if (k->states > 1) {
        l.u.v = p[STATE + 1], l.u.v_new = y[2];
        l.u.rate = corrected(&k->a, l.u.rate, *(const float *)p[STEP]);
    }
    lm_pool_run(cpu->pool, (k->count + TILE - 1) / TILE, tile, &l);
    return LM_OK;
}

static bool plain(const lm_view *v)
{
    return v->dt == LM_F32 && lm_view_is_row(v);
}

lm_status lm_cpu_bind_update(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_stream *stream = lm_cpu_stream(cpu->level);
    bool adam = call->op == LM_OP_ADAM, momentum = call->op == LM_OP_MOMENTUM;
    int states = adam ? 2 : momentum;
    bool fits = call->ny == 1 + states;
    for (int i = 0; i < call->nx; i++)
        fits = fits && plain(&call->x[i]);
    for (int i = 0; i < call->ny; i++)
        fits = fits && plain(&call->y[i]);
    LM_REQUIRE(fits, LM_UNSUPPORTED, "%s on cpu takes row-major float32 and gives back all of its state",
               lm_ops[call->op].name);
    update_kernel *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run, adam ? "adam_f32" : momentum ? "momentum_f32" : "sgd_f32", &k));
    k->fn = adam ? stream->update_adam : momentum ? stream->update_momentum : stream->update_sgd;
    k->a = call->a->update;
    k->nx = call->nx;
    k->states = states;
    k->count = lm_shape_count(&call->x[0].sh);
    k->k.base.bytes = (double)k->count * sizeof(float) * (3 + 2 * states);
    k->k.base.flops = (double)k->count * (adam ? 14 : momentum ? 6 : 4);
    *out = &k->k.base;
    return LM_OK;
}
