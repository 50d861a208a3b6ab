/* kernel.h - for the files that define streaming kernels: the vectors, the vector math, and this level's prototypes. */
#ifndef LM_CPU_SIMD_KERNEL_H
#define LM_CPU_SIMD_KERNEL_H

#include "backends/cpu/kernels.h"
#include "backends/cpu/simd/vmath_trig.h"

#define LM_EW(op) void LM_NAME(lm_ew_##op)(lm_ew *e);
#define LM_DX(op) void LM_NAME(lm_dx_##op)(lm_ew *e);
#define LM_CONVERT(to, from) void LM_NAME(lm_convert_##to##_##from)(lm_ew *e);
#define LM_STREAM_FN(type, name, args) type LM_NAME(lm_##name) args;
#include "backends/cpu/kernels.def"
#undef LM_EW
#undef LM_DX
#undef LM_CONVERT
#undef LM_STREAM_FN

/* Keep v in its register: compilers would rather load a value again for each of its uses, or call memcpy. */
#if LM_LEVEL_NO == 2
#define LM_KEEP(v) __asm__("" : "+v"(v))
#elif LM_LEVEL_NO == 1
#define LM_KEEP(v) __asm__("" : "+x"((v).a), "+x"((v).b))
#else
#define LM_KEEP(v) (void)(v)
#endif

/* A full vector of results, past the caches when asked. */
LM_VEC void put(float *p, lm_v16 v, bool past)
{
    if (past)
        lm_v_stream(p, v);
    else
        lm_v_store(p, v);
}

/* Up to 16 elements of a run of which `left` are left. */
LM_VEC lm_v16 lm_v_load_left(const float *p, size_t left) { return left >= 16 ? lm_v_load(p) : lm_v_load_n(p, left); }
LM_VEC void lm_v_store_left(float *p, lm_v16 v, size_t left)
{
    if (left >= 16)
        lm_v_store(p, v);
    else
        lm_v_store_n(p, v, left);
}

/* What is left of a run behind its whole vectors, from element i on: `fn` itself on a copy that fills one, so that its
 * body is there once. */
static __attribute__((noinline, unused)) void do_rest(lm_ew *e, size_t i, int operands, lm_ew_fn fn)
{
    enum { MOST = 2 };
    const size_t left = e->n - i;
    float x[MOST][16], y[16];
    lm_ew rest = *e;
    rest.y = y;
    rest.n = 16;
    rest.past = false;
    for (int k = 0; k < operands; k++)
        if (!(e->one >> k & 1)) {
            lm_v_store(x[k], lm_v_load_n((const float *)e->x[k] + i, left));
            rest.x[k] = x[k];
        }
    fn(&rest);
    lm_v_store_n((float *)e->y + i, lm_v_load(y), left);
}

LM_VEC void lm_i_store_u8_left(uint8_t *p, lm_vi16 v, size_t left)
{
    uint8_t part[16];
    lm_i_store_u8(left >= 16 ? p : part, v);
    if (left < 16)
        memcpy(p, part, left);
}

#endif
