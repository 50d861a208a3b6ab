/* AVX-512 tiles: up to 14 rows x 32 columns, that is 28 accumulators, two panel vectors and one broadcast. Few rows
 * take two or four panels, so that eight chains or more are in flight (latency 4 on two ports). Accumulators are named
 * variables: clang spills arrays of vectors. */
#include "backends/cpu/tile.h"

#include <immintrin.h>

/* Rn(X, P): X for each of n rows. Pn(X, r): X for each of n panels of row r. */
#define R1(X, P) X(0, P)
#define R2(X, P) R1(X, P) X(1, P)
#define R3(X, P) R2(X, P) X(2, P)
#define R4(X, P) R3(X, P) X(3, P)
#define R5(X, P) R4(X, P) X(4, P)
#define R6(X, P) R5(X, P) X(5, P)
#define R7(X, P) R6(X, P) X(6, P)
#define R8(X, P) R7(X, P) X(7, P)
#define R9(X, P) R8(X, P) X(8, P)
#define R10(X, P) R9(X, P) X(9, P)
#define R11(X, P) R10(X, P) X(10, P)
#define R12(X, P) R11(X, P) X(11, P)
#define R13(X, P) R12(X, P) X(12, P)
#define R14(X, P) R13(X, P) X(13, P)
#define P1(X, r) X(r, 0)
#define P2(X, r) P1(X, r) X(r, 1)
#define P4(X, r) P2(X, r) X(r, 2) X(r, 3)

#define ZERO_(r, p) __m512 c##r##_##p##l = _mm512_setzero_ps(), c##r##_##p##h = _mm512_setzero_ps();
#define ZERO(r, P) P(ZERO_, r)
#define BOTH_(r, p, low, high) c##r##_##p##l = low, c##r##_##p##h = high;
#define LOAD_(r, p) BOTH_(r, p, _mm512_loadu_ps(t->c[r] + col + 32 * p), _mm512_loadu_ps(t->c[r] + col + 32 * p + 16))
#define LOAD(r, P) P(LOAD_, r)
#define WANT_(r, p) \
    _mm_prefetch((const char *)(t->c[r] + col + 32 * p), _MM_HINT_T0); \
    _mm_prefetch((const char *)(t->c[r] + col + 32 * p + 16), _MM_HINT_T0);
#define WANT(r, P) P(WANT_, r)
#define POINT(r, P) const float *a##r = a[r] + off;
#define PANEL_(r, p) const __m512 bl##p = _mm512_loadu_ps(b + p * panel), bh##p = _mm512_loadu_ps(b + p * panel + 16);
#define AHEAD_(r, p) \
    _mm_prefetch((const char *)(b + p * panel + AHEAD), _MM_HINT_T0); \
    _mm_prefetch((const char *)(b + p * panel + AHEAD + 16), _MM_HINT_T0);
#define FURTHER_(r, p) \
    _mm_prefetch((const char *)(b + p * panel + 8 * b_step), _MM_HINT_T0); \
    _mm_prefetch((const char *)(b + p * panel + 8 * b_step + 16), _MM_HINT_T0);
#define FMA_(r, p) BOTH_(r, p, _mm512_fmadd_ps(v##r, bl##p, c##r##_##p##l), _mm512_fmadd_ps(v##r, bh##p, c##r##_##p##h))
#define ROW(r, P) { const __m512 v##r = _mm512_set1_ps(a##r[k]); P(FMA_, r) }
#define COLUMN(r, P) { const __m512 v##r = _mm512_set1_ps(a[r]); P(FMA_, r) }
#define BIAS_(r, p) \
    BOTH_(r, p, _mm512_add_ps(c##r##_##p##l, _mm512_loadu_ps(t->bias + 32 * p)), \
          _mm512_add_ps(c##r##_##p##h, _mm512_loadu_ps(t->bias + 32 * p + 16)))
#define BIAS(r, P) P(BIAS_, r)
#define RES_(r, p) \
    BOTH_(r, p, _mm512_add_ps(c##r##_##p##l, _mm512_loadu_ps(t->res[r] + col + 32 * p)), \
          _mm512_add_ps(c##r##_##p##h, _mm512_loadu_ps(t->res[r] + col + 32 * p + 16)))
#define RES(r, P) P(RES_, r)
/* min and max give their second operand when one is NaN. */
#define CLAMP_(r, p) \
    BOTH_(r, p, _mm512_min_ps(hi, _mm512_max_ps(lo, c##r##_##p##l)), \
          _mm512_min_ps(hi, _mm512_max_ps(lo, c##r##_##p##h)))
#define CLAMP(r, P) P(CLAMP_, r)
#define STORE_(r, p) \
    _mm512_storeu_ps(t->c[r] + col + 32 * p, c##r##_##p##l); \
    _mm512_storeu_ps(t->c[r] + col + 32 * p + 16, c##r##_##p##h);
#define STORE(r, P) P(STORE_, r)

/* Floats of a panel to fetch ahead: eight steps, about a hundred cycles. */
#define AHEAD 256

#define BEGIN(ROWS, P) \
    const int64_t col = t->col; \
    ROWS(ZERO, P) \
    if (t->resume) { \
        ROWS(LOAD, P) \
    } else { \
        ROWS(WANT, P) \
    }
#define FINISH(ROWS, P) \
    if (t->last) { \
        const __m512 lo = _mm512_set1_ps(t->lo), hi = _mm512_set1_ps(t->hi); \
        ROWS(BIAS, P) \
        if (t->res) { \
            ROWS(RES, P) \
        } \
        if (t->clamp) { \
            ROWS(CLAMP, P) \
        } \
    } \
    ROWS(STORE, P)

/* Row kernels walk along rows; column kernels read the rows of one k side by side. */
#define TILE(name, ROWS, P) \
    static void row_##name(const lm_tile *t) \
    { \
        const float *const *a = t->a; \
        const int64_t panel = t->b_panel; \
        (void)panel; \
        BEGIN(ROWS, P) \
        for (const lm_span *s = t->span, *end = s + t->nspan; s < end; s++, a += t->a_step) { \
            const float *b = t->b + s->b_off; \
            const int64_t off = s->a_off, len = s->len; \
            const uintptr_t delta = (uintptr_t)t->ahead - (uintptr_t)b; \
            ROWS(POINT, P) \
            for (int64_t k = 0; k < len; k++, b += 32) { \
                P(PANEL_, 0) \
                P(AHEAD_, 0) \
                _mm_prefetch((const char *)((uintptr_t)b + delta), _MM_HINT_T0); \
                ROWS(ROW, P) \
            } \
        } \
        FINISH(ROWS, P) \
    } \
    static void column_##name(const lm_tile *t) \
    { \
        const int64_t panel = t->b_panel, a_step = t->ak_step, b_step = t->b_step; \
        (void)panel; \
        BEGIN(ROWS, P) \
        for (const lm_span *s = t->span, *end = s + t->nspan; s < end; s++) { \
            const float *a = t->ak + s->a_off, *b = t->b + s->b_off; \
            for (int64_t k = s->len; k > 0; k--, a += a_step, b += b_step) { \
                P(PANEL_, 0) \
                P(FURTHER_, 0) \
                ROWS(COLUMN, P) \
            } \
        } \
        FINISH(ROWS, P) \
    }

TILE(1x32, R1, P1)
TILE(1x64, R1, P2)
TILE(1x128, R1, P4)
TILE(2x32, R2, P1)
TILE(2x64, R2, P2)
TILE(2x128, R2, P4)
TILE(3x32, R3, P1)
TILE(3x64, R3, P2)
TILE(4x32, R4, P1)
TILE(4x64, R4, P2)
TILE(5x32, R5, P1)
TILE(5x64, R5, P2)
TILE(6x32, R6, P1)
TILE(6x64, R6, P2)
TILE(7x32, R7, P1)
TILE(8x32, R8, P1)
TILE(9x32, R9, P1)
TILE(10x32, R10, P1)
TILE(11x32, R11, P1)
TILE(12x32, R12, P1)
TILE(13x32, R13, P1)
TILE(14x32, R14, P1)

const lm_tile_set lm_tiles_avx512 = {
    .mr = 14,
    .nr = 32,
    .row = {
        [1] = {[1] = row_1x32, [2] = row_1x64, [4] = row_1x128},
        [2] = {[1] = row_2x32, [2] = row_2x64, [4] = row_2x128},
        [3] = {[1] = row_3x32, [2] = row_3x64},
        [4] = {[1] = row_4x32, [2] = row_4x64},
        [5] = {[1] = row_5x32, [2] = row_5x64},
        [6] = {[1] = row_6x32, [2] = row_6x64},
        [7] = {[1] = row_7x32},
        [8] = {[1] = row_8x32},
        [9] = {[1] = row_9x32},
        [10] = {[1] = row_10x32},
        [11] = {[1] = row_11x32},
        [12] = {[1] = row_12x32},
        [13] = {[1] = row_13x32},
        [14] = {[1] = row_14x32},
    },
    .column = {
        [1] = {[1] = column_1x32, [2] = column_1x64, [4] = column_1x128},
        [2] = {[1] = column_2x32, [2] = column_2x64, [4] = column_2x128},
        [3] = {[1] = column_3x32, [2] = column_3x64},
        [4] = {[1] = column_4x32, [2] = column_4x64},
        [5] = {[1] = column_5x32, [2] = column_5x64},
        [6] = {[1] = column_6x32, [2] = column_6x64},
        [7] = {[1] = column_7x32},
        [8] = {[1] = column_8x32},
        [9] = {[1] = column_9x32},
        [10] = {[1] = column_10x32},
        [11] = {[1] = column_11x32},
        [12] = {[1] = column_12x32},
        [13] = {[1] = column_13x32},
        [14] = {[1] = column_14x32},
    },
};
