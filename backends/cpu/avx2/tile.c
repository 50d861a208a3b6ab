/* AVX2 + FMA tiles: up to 6 rows x 16 columns, that is 12 accumulators, two panel vectors and one broadcast. Few rows
 * take two or four panels, so that eight chains are in flight. Accumulators are named variables: clang spills arrays. */
#include "backends/cpu/tile.h"

#include <immintrin.h>

/* Rn(X, P): X for each of n rows. Pn(X, r): X for each of n panels of row r. */
#define R1(X, P) X(0, P)
#define R2(X, P) R1(X, P) X(1, P)
#define R3(X, P) R2(X, P) X(2, P)
#define R4(X, P) R3(X, P) X(3, P)
#define R5(X, P) R4(X, P) X(4, P)
#define R6(X, P) R5(X, P) X(5, P)
#define P1(X, r) X(r, 0)
#define P2(X, r) P1(X, r) X(r, 1)
#define P4(X, r) P2(X, r) X(r, 2) X(r, 3)

#define ZERO_(r, p) __m256 c##r##_##p##l = _mm256_setzero_ps(), c##r##_##p##h = _mm256_setzero_ps();
#define ZERO(r, P) P(ZERO_, r)
#define BOTH_(r, p, low, high) c##r##_##p##l = low, c##r##_##p##h = high;
#define LOAD_(r, p) BOTH_(r, p, _mm256_loadu_ps(t->c[r] + col + 16 * p), _mm256_loadu_ps(t->c[r] + col + 16 * p + 8))
#define LOAD(r, P) P(LOAD_, r)
#define WANT_(r, p) _mm_prefetch((const char *)(t->c[r] + col + 16 * p), _MM_HINT_T0);
#define WANT(r, P) P(WANT_, r)
#define POINT(r, P) const float *a##r = a[r] + off;
#define PANEL_(r, p) const __m256 bl##p = _mm256_loadu_ps(b + p * panel), bh##p = _mm256_loadu_ps(b + p * panel + 8);
#define AHEAD_(r, p) _mm_prefetch((const char *)(b + p * panel + AHEAD), _MM_HINT_T0);
#define FURTHER_(r, p) _mm_prefetch((const char *)(b + p * panel + 8 * b_step), _MM_HINT_T0);
#define FMA_(r, p) BOTH_(r, p, _mm256_fmadd_ps(v##r, bl##p, c##r##_##p##l), _mm256_fmadd_ps(v##r, bh##p, c##r##_##p##h))
#define ROW(r, P) { const __m256 v##r = _mm256_set1_ps(a##r[k]); P(FMA_, r) }
#define COLUMN(r, P) { const __m256 v##r = _mm256_set1_ps(a[r]); P(FMA_, r) }
#define BIAS_(r, p) \
    BOTH_(r, p, _mm256_add_ps(c##r##_##p##l, _mm256_loadu_ps(t->bias + 16 * p)), \
          _mm256_add_ps(c##r##_##p##h, _mm256_loadu_ps(t->bias + 16 * p + 8)))
#define BIAS(r, P) P(BIAS_, r)
#define RES_(r, p) \
    BOTH_(r, p, _mm256_add_ps(c##r##_##p##l, _mm256_loadu_ps(t->res[r] + col + 16 * p)), \
          _mm256_add_ps(c##r##_##p##h, _mm256_loadu_ps(t->res[r] + col + 16 * p + 8)))
#define RES(r, P) P(RES_, r)
/* min and max give their second operand when one is NaN. */
#define CLAMP_(r, p) \
    BOTH_(r, p, _mm256_min_ps(hi, _mm256_max_ps(lo, c##r##_##p##l)), \
          _mm256_min_ps(hi, _mm256_max_ps(lo, c##r##_##p##h)))
#define CLAMP(r, P) P(CLAMP_, r)
#define STORE_(r, p) \
    _mm256_storeu_ps(t->c[r] + col + 16 * p, c##r##_##p##l); \
    _mm256_storeu_ps(t->c[r] + col + 16 * p + 8, c##r##_##p##h);
#define STORE(r, P) P(STORE_, r)

/* Floats of a panel to fetch ahead: sixteen steps, about a hundred cycles. */
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
        const __m256 lo = _mm256_set1_ps(t->lo), hi = _mm256_set1_ps(t->hi); \
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
            for (int64_t k = 0; k < len; k++, b += 16) { \
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

TILE(1x16, R1, P1)
TILE(1x32, R1, P2)
TILE(1x64, R1, P4)
TILE(2x16, R2, P1)
TILE(2x32, R2, P2)
TILE(3x16, R3, P1)
TILE(4x16, R4, P1)
TILE(5x16, R5, P1)
TILE(6x16, R6, P1)

const lm_tile_set lm_tiles_avx2 = {
    .mr = 6,
    .nr = 16,
    .row = {
        [1] = {[1] = row_1x16, [2] = row_1x32, [4] = row_1x64},
        [2] = {[1] = row_2x16, [2] = row_2x32},
        [3] = {[1] = row_3x16},
        [4] = {[1] = row_4x16},
        [5] = {[1] = row_5x16},
        [6] = {[1] = row_6x16},
    },
    .column = {
        [1] = {[1] = column_1x16, [2] = column_1x32, [4] = column_1x64},
        [2] = {[1] = column_2x16, [2] = column_2x32},
        [3] = {[1] = column_3x16},
        [4] = {[1] = column_4x16},
        [5] = {[1] = column_5x16},
        [6] = {[1] = column_6x16},
    },
};
