/* turn.c - transposes of 4-byte values, which only move: squares of 16 x 16, in stripes along the longer side, or in
 * blocks where both sides are long and far beyond the caches. */
#include "backends/cpu/simd/kernel.h"

#if LM_LEVEL_NO == 1
/* Of its 16 registers a quarter of the square takes 8. The left half of eight lines waits in memory for the right one,
 * since lines go past the caches well only when they are whole. */
LM_VEC void square(float *to, int64_t to_p, const float *from, int64_t from_q, bool past)
{
    for (int p = 0; p < LM_LANES; p += 8) {
        _Alignas(32) float left[8][8];
        __m256 v[8];
        for (int q = 0; q < LM_LANES; q += 8) {
            for (int i = 0; i < 8; i++)
                v[i] = _mm256_loadu_ps(from + (q + i) * from_q + p);
            lm_turn8(v);
            for (int i = 0; i < 8 && q == 0; i++)
                _mm256_store_ps(left[i], v[i]);
            __asm__("" : "+m"(left)); /* not in registers */
        }
        for (int i = 0; i < 8; i++)
            put(to + (p + i) * to_p, (lm_v16){_mm256_load_ps(left[i]), v[i]}, past);
    }
}
#else
LM_VEC void square(float *to, int64_t to_p, const float *from, int64_t from_q, bool past)
{
    lm_v16 v[LM_LANES];
    for (int q = 0; q < LM_LANES; q++, from += from_q)
        v[q] = lm_v_load(from);
    lm_v_turn(v);
    for (int p = 0; p < LM_LANES; p++, to += to_p)
        put(to, v[p], past);
}
#endif

/* The first np x nq elements of a square. */
static __attribute__((noinline)) void edge(float *to, int64_t to_p, const float *from, int64_t from_q, int64_t np,
                                           int64_t nq)
{
    lm_v16 v[LM_LANES];
    for (int q = 0; q < LM_LANES; q++)
        v[q] = q < nq ? lm_v_load_left(from + q * from_q, (size_t)np) : lm_v_zero();
    lm_v_turn(v);
    for (int p = 0; p < LM_LANES && p < np; p++)
        lm_v_store_left(to + p * to_p, v[p], (size_t)nq);
}

/* A stripe as wide as a cache line: 16 places that memory is read from, or written to, in order. */
LM_VEC void stripe(float *to, int64_t to_p, const float *from, int64_t from_q, int64_t np, int64_t nq, bool past)
{
    for (int64_t p = 0; p < np; p += LM_LANES)
        for (int64_t q = 0; q < nq; q += LM_LANES) {
            float *t = to + p * to_p + q;
            const float *f = from + q * from_q + p;
            if (np - p >= LM_LANES && nq - q >= LM_LANES)
                square(t, to_p, f, from_q, past);
            else
                edge(t, to_p, f, from_q, np - p, nq - q);
        }
}

LM_VEC void stripes(float *to, int64_t to_p, const float *from, int64_t from_q, int64_t np, int64_t nq, bool past)
{
    if (nq >= np) { /* all of q in every stripe */
        stripe(to, to_p, from, from_q, np, nq, past);
        return;
    }
    for (int64_t q = 0; q < nq; q += LM_LANES)
        stripe(to + q, to_p, from + q * from_q, from_q, np, nq - q < LM_LANES ? nq - q : LM_LANES, past);
}

/* Memory answers slowly where each access opens another of its pages: rows of 16 KB have one line each in them. So a
 * block takes some lines of each row, few enough rows for what is fetched ahead of the next block to stay in a cache
 * whose ways the rows share, and what it writes continues what the block before wrote. */
enum { WIDE = 128, HIGH = 32, GROUP = 256 };

/* HIGH rows of `np` elements, whole vectors; next: those of the block after it. */
static __attribute__((noinline)) void block(float *to, int64_t to_p, const float *from, int64_t from_q, int64_t np,
                                            const float *next)
{
    _Alignas(64) float rows[HIGH][WIDE + LM_LANES];
    for (int q = 0; q < HIGH; q++)
        for (int64_t p = 0; p < np; p += LM_LANES) {
            lm_v16 v = lm_v_load(from + q * from_q + p);
            LM_KEEP(v);
            lm_v_store(&rows[q][p], v);
        }
    int64_t at = 0;
    for (int64_t p = 0; p < np; p += LM_LANES)
        for (int q = 0; q < HIGH; q += LM_LANES) {
            for (int i = 0; i < LM_LANES; i++, at += LM_LANES) {
                next += at == np ? from_q : 0;
                at = at == np ? 0 : at;
                __builtin_prefetch(next + at, 0, 2);
            }
            square(to + p * to_p + q, to_p, &rows[q][p], WIDE + LM_LANES, true);
        }
}

/* What does not fill blocks, on the right and below, goes in stripes. */
static void blocks(float *to, int64_t to_p, const float *from, int64_t from_q, int64_t np, int64_t nq)
{
    const int64_t whole_p = np - np % LM_LANES, whole_q = nq - nq % HIGH;
    for (int64_t q0 = 0; q0 < whole_q; q0 += GROUP)
        for (int64_t p = 0; p < whole_p; p += WIDE) {
            const int64_t wide = whole_p - p < WIDE ? whole_p - p : WIDE;
            const int64_t end = whole_q - q0 < GROUP ? whole_q : q0 + GROUP;
            for (int64_t q = q0; q < end; q += HIGH) {
                const float *f = from + q * from_q + p;
                const float *next = q + HIGH < end ? f + HIGH * from_q : from + q0 * from_q + p + wide;
                block(to + p * to_p + q, to_p, f, from_q, wide, next);
            }
        }
    if (whole_p < np)
        stripe(to + whole_p * to_p, to_p, from + whole_p, from_q, np - whole_p, nq, false);
    if (whole_q < nq)
        stripes(to + whole_q, to_p, from + whole_q * from_q, from_q, whole_p, nq - whole_q, false);
}

/* A few rows into each other. */
LM_VEC void weave(float *restrict to, const float *restrict from, int64_t from_q, int64_t np, int few)
{
    for (int64_t p = 0; p < np; p++)
        for (int q = 0; q < few; q++)
            to[p * few + q] = from[q * from_q + p];
}

void LM_NAME(lm_turn)(float *to, int64_t to_p, const float *from, int64_t from_q, int64_t np, int64_t nq, bool past)
{
    if (nq == 3 && to_p == 3)
        weave(to, from, from_q, np, 3);
    else if (nq == 2 && to_p == 2)
        weave(to, from, from_q, np, 2);
    else if (past && np >= WIDE && nq >= WIDE)
        blocks(to, to_p, from, from_q, np, nq);
    else if (past)
        stripes(to, to_p, from, from_q, np, nq, true);
    else
        stripes(to, to_p, from, from_q, np, nq, false);
}
