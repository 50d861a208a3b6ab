/* The floating-point state every kernel may count on: round to nearest, subnormals kept, no traps. An entry point saves
 * the caller's state, sets this one, and gives the caller's back. A thread's own state only; on x86 that of the vector
 * unit, since nothing in Limn computes on the old stack. */
#ifndef LM_BASE_FPU_H
#define LM_BASE_FPU_H

#include <stdint.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#elif !defined(__aarch64__) && !(defined(__arm__) && defined(__ARM_FP))
#include <fenv.h>
#endif

typedef struct lm_fpu {
    uint64_t saved;
} lm_fpu;

static inline uint64_t lm_fpu_get(void)
{
#if defined(__SSE__)
    return _mm_getcsr();
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
#elif defined(__arm__) && defined(__ARM_FP)
    uint32_t fpscr;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(fpscr));
    return fpscr;
#else
    return (uint64_t)fegetround();
#endif
}

static inline void lm_fpu_set(uint64_t state)
{
#if defined(__SSE__)
    _mm_setcsr((unsigned)state);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(state) : "memory");
#elif defined(__arm__) && defined(__ARM_FP)
    __asm__ volatile("vmsr fpscr, %0" : : "r"((uint32_t)state) : "memory");
#else
    fesetround((int)state);
#endif
}

/* The wanted state. The writes are skipped when it is in force already, as it nearly always is. */
static inline lm_fpu lm_fpu_enter(void)
{
    lm_fpu caller = {lm_fpu_get()};
#if defined(__SSE__)
    /* all exceptions masked; sticky flags are not part of the question */
    uint64_t want = 0x1F80, flags = 0x3F;
#elif defined(__aarch64__)
    uint64_t want = 0, flags = 0;
#elif defined(__arm__) && defined(__ARM_FP)
    /* condition flags and sticky exceptions live in the same register */
    uint64_t want = 0, flags = 0xF800009F;
#else
    uint64_t want = FE_TONEAREST, flags = 0;
#endif
    if ((caller.saved & ~flags) != want)
        lm_fpu_set(want);
    return caller;
}

static inline void lm_fpu_leave(lm_fpu caller)
{
    if (lm_fpu_get() != caller.saved)
        lm_fpu_set(caller.saved);
}

#endif
