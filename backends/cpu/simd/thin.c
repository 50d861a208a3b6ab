/* thin.c - convolutions with one to four results per pixel: vectors along the pixels of a row, up to four of them at a
 * time, and one broadcast weight per result and channel. */
#include "backends/cpu/thin.h"

#include "backends/cpu/simd/vec.h"

/* Vectors at a time: as many as the registers hold with four or three results each. */
enum { WIDE = LM_LEVEL_NO == 2 || LM_LEVEL_NO == 3 ? 4 : LM_LEVEL_NO == 1 ? 2 : 1, ROOM = LM_THIN_COLUMNS * 4 };

#ifdef __clang__
#define UNROLL(n)
#else
#define UNROLL(n) PRAGMA(GCC unroll n)
#define PRAGMA(text) _Pragma(#text)
#endif

/* A loaded vector serves all columns; left to itself the compiler would load it again for each. */
#if LM_LEVEL_NO == 2
#define KEEP(v) __asm__("" : "+v"(v))
#else
#define KEEP(v) ((void)(v))
#endif

/* Sums rest in the results between chains. */
LM_VEC void join(const lm_thin_run *r, int64_t i, int columns, int wide, lm_v16 *s)
{
    UNROLL(16)
    for (int k = 0; k < columns * wide; k++)
        s[k] = lm_v_add(lm_v_load(r->y + k / wide * LM_THIN_PIXELS + i + k % wide * LM_LANES), s[k]);
}

LM_VEC void keep(const lm_thin_run *r, int64_t i, int columns, int wide, const lm_v16 *s)
{
    UNROLL(16)
    for (int k = 0; k < columns * wide; k++)
        lm_v_store(r->y + k / wide * LM_THIN_PIXELS + i + k % wide * LM_LANES, s[k]);
}

/* `wide` vectors from pixel i on. */
LM_VEC void pixels(const lm_thin_run *r, int64_t i, int columns, int wide)
{
    lm_v16 s[ROOM];
    const lm_thin_tap *t = r->tap, *const end = t + r->taps;
    bool more = false;
    for (int64_t c = 0, cut = LM_CHAIN;; more = true, cut = lm_chain_end(t->k + c)) {
        UNROLL(16)
        for (int k = 0; k < columns * wide; k++)
            s[k] = lm_v_zero();
        while (t < end && t->k + c < cut) {
            const int64_t stop = r->channels < cut - t->k ? r->channels : cut - t->k;
            const float *x = t->x + i + c * t->step, *w = t->w + c * r->w_step;
            for (; c < stop; c++, x += t->step, w += r->w_step) {
                lm_v16 v[4];
                UNROLL(4)
                for (int k = 0; k < wide; k++) {
                    v[k] = lm_v_load(x + k * LM_LANES);
                    KEEP(v[k]);
                }
                UNROLL(4)
                for (int o = 0; o < columns; o++) {
                    const lm_v16 by = lm_v_set(w[o]);
                    UNROLL(4)
                    for (int k = 0; k < wide; k++)
                        s[o * wide + k] = lm_v_fma(v[k], by, s[o * wide + k]);
                }
            }
            if (c == r->channels)
                t++, c = 0;
        }
        if (more)
            join(r, i, columns, wide, s);
        if (t == end)
            break;
        keep(r, i, columns, wide, s);
    }
    UNROLL(4)
    for (int o = 0; o < columns; o++) {
        const lm_v16 bias = lm_v_set(r->bias[o]);
        UNROLL(4)
        for (int k = 0; k < wide; k++) {
            lm_v16 v = lm_v_add(s[o * wide + k], bias);
            if (r->clamp)
                v = lm_v_clamp(v, r->lo, r->hi); /* v is not -0, so lo may be 0 */
            lm_v_store(r->y + o * LM_THIN_PIXELS + i + k * LM_LANES, v);
        }
    }
}

/* Pieces that differ by a vector at most. */
LM_VEC void row(const lm_thin_run *r, int columns)
{
    const int64_t vectors = r->pixels / LM_LANES, pieces = (vectors + WIDE - 1) / WIDE;
    for (int64_t n = 0, i = 0; n < pieces; n++) {
        const int64_t wide = (vectors * (n + 1)) / pieces - vectors * n / pieces;
        switch (wide) {
#if LM_LEVEL_NO == 2 || LM_LEVEL_NO == 3
        case 4: pixels(r, i, columns, 4); break;
        case 3: pixels(r, i, columns, 3); break;
#endif
#if LM_LEVEL_NO
        case 2: pixels(r, i, columns, 2); break;
#endif
        default: pixels(r, i, columns, 1); break;
        }
        i += wide * LM_LANES;
    }
}

void LM_NAME(lm_thin)(const lm_thin_run *r)
{
    switch (r->columns) {
    case 1: row(r, 1); break;
    case 2: row(r, 2); break;
    case 3: row(r, 3); break;
    default: row(r, 4); break;
    }
}
