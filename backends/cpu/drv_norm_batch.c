/* Batch normalisation in its inference form: (x - mean) * gain + bias per channel, with gain = scale / sqrt(variance +
 * epsilon) made at launch. The rest is an elementwise call with three broadcast operands, so any layout will do. A relu
 * behind it happens before the result is stored. */
#include "backends/cpu/bind.h"
#include "backends/cpu/elementwise.h"
#include "core/base/mem.h"

#include <math.h>
#include <stdio.h>

enum { X, SCALE, BIAS, MEAN, VARIANCE, INPUTS };

typedef struct batchnorm {
    lm_cpu_kernel k;
    lm_kernel *affine; /* (x, mean, gain, bias) */
    int64_t channels, scale_st, variance_st;
    float epsilon;
} batchnorm;

static void batchnorm_free(lm_kernel *kernel)
{
    batchnorm *k = (batchnorm *)kernel;
    k->affine->free(k->affine);
    lm_free(k);
}

static lm_status batchnorm_run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const batchnorm *k = (const batchnorm *)kernel;
    const lm_cpu_kernel *affine = (const lm_cpu_kernel *)k->affine;
    const float *scale = p[SCALE], *variance = p[VARIANCE];
    float *gain = workspace;
    for (int64_t c = 0; c < k->channels; c++)
        gain[c] = scale[c * k->scale_st] / sqrtf(variance[c * k->variance_st] + k->epsilon);
    void *const operands[] = {p[X], p[MEAN], gain, p[BIAS], p[INPUTS]};
    return affine->run(cpu, affine, operands, NULL);
}

/* A vector over the channels as [C,1,1...], which broadcasts against x; stride 1 when the values are our own. */
static lm_view per_channel(const lm_view *v, int rank, bool own)
{
    lm_view w = *v;
    w.sh = (lm_shape){.rank = rank - 1};
    for (int d = 0; d < rank - 1; d++)
        w.sh.dim[d] = 1, w.st[d] = 1;
    w.sh.dim[0] = v->sh.dim[0];
    w.st[0] = own ? 1 : v->st[0];
    return w;
}

lm_status lm_cpu_bind_batchnorm(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = call->x;
    bool ok = call->nx - lm_epilogue_inputs(call->ep) == INPUTS && x[X].sh.rank >= 2 && lm_ew_is_float(x[X].dt) &&
              lm_ew_is_float(call->y[0].dt);
    for (int i = SCALE; i < INPUTS && ok; i++)
        ok = x[i].dt == LM_F32 && x[i].sh.rank == 1 && x[i].sh.dim[0] == x[X].sh.dim[1];
    LM_REQUIRE(ok, LM_UNSUPPORTED, "%s of %s has no kernel of its own on cpu", lm_ops[call->op].name,
               lm_dtype_name(x[X].dt));
    /* rounded to float16 first, a relu would see other zeros */
    const lm_epilogue *ep = call->ep;
    const bool relu = ep && ep->active && ep->act == LM_OP_RELU;
    LM_REQUIRE(!ep || (relu && !lm_epilogue_inputs(ep) && call->y[0].dt == LM_F32), LM_UNSUPPORTED,
               "%s: on cpu, only a relu of float32 joins it", lm_ops[call->op].name);

    int rank = x[X].sh.rank;
    lm_view operand[] = {x[X], per_channel(&x[MEAN], rank, false), per_channel(&x[SCALE], rank, true),
                         per_channel(&x[BIAS], rank, false)};
    lm_call affine = {.op = call->op, .a = call->a, .nx = 4, .ny = 1, .x = operand, .y = call->y};
    char name[LM_EW_WHAT], what[LM_EW_WHAT + 8];
    snprintf(what, sizeof what, "%s%s", lm_ew_what(name, call->op, x[X].dt), relu ? "+relu" : "");
    batchnorm *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, batchnorm_run, what, &k));
    const lm_ew_fn fn = lm_cpu_stream(cpu->level)->ew[LM_OP_BATCHNORM];
    lm_status status = lm_ew_bind(cpu, &affine, fn, relu, 0, what, &k->affine);
    if (status != LM_OK) {
        lm_free(k);
        return status;
    }
    k->k.base.free = batchnorm_free;
    k->channels = x[X].sh.dim[1];
    k->scale_st = x[SCALE].st[0], k->variance_st = x[VARIANCE].st[0];
    k->epsilon = call->a->norm.epsilon;
    k->k.base.workspace = (size_t)k->channels * sizeof(float);
    k->k.base.flops = k->affine->flops, k->k.base.bytes = k->affine->bytes;
    *out = &k->k.base;
    return LM_OK;
}
