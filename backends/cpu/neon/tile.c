/* NEON tiles. aarch64: up to 8 rows x 12 columns would need 24 accumulators; 8 x 8 (16 accumulators, 2 panel vectors)
 * leaves room for in-order cores to load ahead. armv7 has half the registers: 4 rows x 8 columns. Few rows take two
 * panels. Accumulators are named variables: clang spills arrays of vectors. */
#include "backends/cpu/chains.h"

#include <arm_neon.h>

/* Rn(X, P): X for each of n rows. Pn(X, r): X for each of n panels of row r. */
#define R1(X, P) X(0, P)
#define R2(X, P) R1(X, P) X(1, P)
#define R3(X, P) R2(X, P) X(2, P)
#define R4(X, P) R3(X, P) X(3, P)
#define R5(X, P) R4(X, P) X(4, P)
#define R6(X, P) R5(X, P) X(5, P)
#define R7(X, P) R6(X, P) X(6, P)
#define R8(X, P) R7(X, P) X(7, P)
#define P1(X, r) X(r, 0)
#define P2(X, r) P1(X, r) X(r, 1)

#define NAME_(r, p) float32x4_t c##r##_##p##l, c##r##_##p##h;
#define NAME(r, P) P(NAME_, r)
#define BOTH_(r, p, low, high) c##r##_##p##l = low, c##r##_##p##h = high;
#define ZERO_(r, p) BOTH_(r, p, vdupq_n_f32(0.0f), vdupq_n_f32(0.0f))
#define ZERO(r, P) P(ZERO_, r)
#define JOIN_(r, p) \
    BOTH_(r, p, vaddq_f32(vld1q_f32(t->c[r] + col + 8 * p), c##r##_##p##l), \
          vaddq_f32(vld1q_f32(t->c[r] + col + 8 * p + 4), c##r##_##p##h))
#define JOIN(r, P) P(JOIN_, r)
#define POINT(r, P) const float *a##r = a[r] + off;
#define PANEL_(r, p) const float32x4_t bl##p = vld1q_f32(b + p * panel), bh##p = vld1q_f32(b + p * panel + 4);
#define FMA_(r, p) BOTH_(r, p, vfmaq_f32(c##r##_##p##l, v##r, bl##p), vfmaq_f32(c##r##_##p##h, v##r, bh##p))
#define ROW(r, P) { const float32x4_t v##r = vld1q_dup_f32(a##r + k); P(FMA_, r) }
#define COLUMN(r, P) { const float32x4_t v##r = vld1q_dup_f32(a + r); P(FMA_, r) }
#define PLUS_(r, p) BOTH_(r, p, vaddq_f32(c##r##_##p##l, zero), vaddq_f32(c##r##_##p##h, zero))
#define PLUS(r, P) P(PLUS_, r)
#define BIAS_(r, p) \
    BOTH_(r, p, vaddq_f32(c##r##_##p##l, vld1q_f32(t->bias + 8 * p)), \
          vaddq_f32(c##r##_##p##h, vld1q_f32(t->bias + 8 * p + 4)))
#define BIAS(r, P) P(BIAS_, r)
#define RES_(r, p) \
    BOTH_(r, p, vaddq_f32(c##r##_##p##l, vld1q_f32(t->res[r] + col + 8 * p)), \
          vaddq_f32(c##r##_##p##h, vld1q_f32(t->res[r] + col + 8 * p + 4)))
#define RES(r, P) P(RES_, r)
/* min and max of this instruction set pass NaN. */
#define CLAMP_(r, p) \
    BOTH_(r, p, vminq_f32(hi, vmaxq_f32(lo, c##r##_##p##l)), vminq_f32(hi, vmaxq_f32(lo, c##r##_##p##h)))
#define CLAMP(r, P) P(CLAMP_, r)
#define OPEN_(r, at) vcgtq_f32(vld1q_f32(t->mask[r] + col + (at)), zero)
#define MASK_(r, p) \
    BOTH_(r, p, vbslq_f32(OPEN_(r, 8 * p), c##r##_##p##l, zero), vbslq_f32(OPEN_(r, 8 * p + 4), c##r##_##p##h, zero))
#define MASK(r, P) P(MASK_, r)
#define STORE_(r, p) \
    vst1q_f32(t->c[r] + col + 8 * p, c##r##_##p##l); \
    vst1q_f32(t->c[r] + col + 8 * p + 4, c##r##_##p##h);
#define STORE(r, P) P(STORE_, r)

#define FINISH(ROWS, P) \
    if (t->last) { \
        const float32x4_t lo = vdupq_n_f32(t->lo), hi = vdupq_n_f32(t->hi); \
        ROWS(BIAS, P) \
        if (t->res) { \
            ROWS(RES, P) \
        } \
        if (t->clamp) { \
            ROWS(CLAMP, P) \
        } \
        if (t->mask) { \
            const float32x4_t zero = vdupq_n_f32(0.0f); \
            ROWS(MASK, P) \
        } \
    } \
    ROWS(STORE, P)

/* Row kernels walk along rows; column kernels read the rows of one k side by side. */
#define ROW_TERMS(ROWS, P) \
    const float *const *a = t->a + (s - t->span) * t->a_step, *b = t->b + s->b_off + k * 8; \
    const int64_t off = s->a_off; \
    ROWS(POINT, P) \
    for (; k < stop; k++, b += 8) { \
        P(PANEL_, 0) \
        ROWS(ROW, P) \
    }
#define COLUMN_TERMS(ROWS, P) \
    const float *a = t->ak + s->a_off + k * a_step, *b = t->b + s->b_off + k * b_step; \
    for (; k < stop; k++, a += a_step, b += b_step) { \
        P(PANEL_, 0) \
        ROWS(COLUMN, P) \
    }

#define TILE(name, ROWS, P) \
    static void row_##name(const lm_tile *t) \
    { \
        const int64_t panel = t->b_panel; \
        (void)panel; \
        LM_CHAINS(ROWS, P, ROW_TERMS) \
        FINISH(ROWS, P) \
    } \
    static void column_##name(const lm_tile *t) \
    { \
        const int64_t panel = t->b_panel, a_step = t->ak_step, b_step = t->b_step; \
        (void)panel; \
        LM_CHAINS(ROWS, P, COLUMN_TERMS) \
        if (t->last) { \
            const float32x4_t zero = vdupq_n_f32(0.0f); \
            ROWS(PLUS, P) \
        } \
        ROWS(STORE, P) \
    }

TILE(1x8, R1, P1)
TILE(2x8, R2, P1)
TILE(3x8, R3, P1)
TILE(4x8, R4, P1)
TILE(1x16, R1, P2)
TILE(2x16, R2, P2)

#if defined(__aarch64__)
TILE(5x8, R5, P1)
TILE(6x8, R6, P1)
TILE(7x8, R7, P1)
TILE(8x8, R8, P1)
#define MR 8
#define MORE(kind) , [5] = {[1] = kind##5x8}, [6] = {[1] = kind##6x8}, [7] = {[1] = kind##7x8}, [8] = {[1] = kind##8x8}
#else
#define MR 4
#define MORE(kind)
#endif

#define TABLE(kind) \
    { \
        [1] = {[1] = kind##1x8, [2] = kind##1x16}, [2] = {[1] = kind##2x8, [2] = kind##2x16}, [3] = {[1] = kind##3x8}, \
        [4] = {[1] = kind##4x8} MORE(kind) \
    }

const lm_tile_set lm_tiles_neon = {.mr = MR, .nr = 8, .row = TABLE(row_), .column = TABLE(column_)};
