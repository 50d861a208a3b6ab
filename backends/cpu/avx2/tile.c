/* AVX2 + FMA tiles: up to 6 rows x 16 columns, that is 12 accumulators, two panel vectors and one broadcast. Few rows
 * take two or four panels, so that eight chains are in flight. Accumulators are named variables: clang spills arrays. */
#include "backends/cpu/chains.h"

#include <immintrin.h>

/* Floats of a vector, and of a panel to fetch ahead: 128 steps, a thousand cycles, as weights may come from memory. */
enum { LANES = 8, AHEAD = 2048 };

/* Rn(X, V): X for each of n rows. Vn(X, r): X for each of n vectors of row r; a panel is two. */
#define R1(X, V) X(0, V)
#define R2(X, V) R1(X, V) X(1, V)
#define R3(X, V) R2(X, V) X(2, V)
#define R4(X, V) R3(X, V) X(3, V)
#define R5(X, V) R4(X, V) X(4, V)
#define R6(X, V) R5(X, V) X(5, V)
#define V1(X, r) X(r, 0)
#define V2(X, r) V1(X, r) X(r, 1)
#define V4(X, r) V2(X, r) X(r, 2) X(r, 3)
#define V8(X, r) V4(X, r) X(r, 4) X(r, 5) X(r, 6) X(r, 7)

/* Where a vector of a panel row lies. */
#define AT(v) (v / 2 * panel + v % 2 * LANES)

#define NAME_(r, v) __m256 c##r##_##v;
#define NAME(r, V) V(NAME_, r)
#define ZERO_(r, v) c##r##_##v = _mm256_setzero_ps();
#define ZERO(r, V) V(ZERO_, r)
#define JOIN_(r, v) c##r##_##v = _mm256_add_ps(_mm256_loadu_ps(t->c[r] + col + LANES * v), c##r##_##v);
#define JOIN(r, V) V(JOIN_, r)
#define POINT(r, V) const float *a##r = a[r] + off;
#define PANEL_(r, v) const __m256 b##v = _mm256_loadu_ps(b + AT(v));
/* Two vectors are a line. */
#define AHEAD_(r, v) if (v % 2 == 0) _mm_prefetch((const char *)(b + AT(v) + AHEAD), _MM_HINT_T0);
#define FURTHER_(r, v) if (v % 2 == 0) _mm_prefetch((const char *)(b + AT(v) + 8 * b_step), _MM_HINT_T0);
#define FMA_(r, v) c##r##_##v = _mm256_fmadd_ps(a_##r, b##v, c##r##_##v);
#define ROW(r, V) { const __m256 a_##r = _mm256_set1_ps(a##r[k]); V(FMA_, r) }
#define COLUMN(r, V) { const __m256 a_##r = _mm256_set1_ps(a[r]); V(FMA_, r) }
#define PLUS_(r, v) c##r##_##v = _mm256_add_ps(c##r##_##v, zero);
#define PLUS(r, V) V(PLUS_, r)
#define BIAS_(r, v) c##r##_##v = _mm256_add_ps(c##r##_##v, _mm256_loadu_ps(t->bias + LANES * v));
#define BIAS(r, V) V(BIAS_, r)
#define RES_(r, v) c##r##_##v = _mm256_add_ps(c##r##_##v, _mm256_loadu_ps(t->res[r] + col + LANES * v));
#define RES(r, V) V(RES_, r)
/* min and max give their second operand when one is NaN. */
#define CLAMP_(r, v) c##r##_##v = _mm256_min_ps(hi, _mm256_max_ps(lo, c##r##_##v));
#define CLAMP(r, V) V(CLAMP_, r)
#define MASK_(r, v) \
    c##r##_##v = _mm256_and_ps( \
        _mm256_cmp_ps(zero, _mm256_loadu_ps(t->mask[r] + col + LANES * v), _CMP_LT_OQ), c##r##_##v);
#define MASK(r, V) V(MASK_, r)
#define STORE_(r, v) _mm256_storeu_ps(t->c[r] + col + LANES * v, c##r##_##v);
#define STORE(r, V) V(STORE_, r)

#define FINISH(ROWS, V) \
    if (t->last) { \
        const __m256 lo = _mm256_set1_ps(t->lo), hi = _mm256_set1_ps(t->hi); \
        ROWS(BIAS, V) \
        if (t->res) { \
            ROWS(RES, V) \
        } \
        if (t->clamp) { \
            ROWS(CLAMP, V) \
        } \
        if (t->mask) { \
            const __m256 zero = _mm256_setzero_ps(); \
            ROWS(MASK, V) \
        } \
    } \
    ROWS(STORE, V)

/* Row kernels walk along rows; column kernels read the rows of one k side by side. */
#define ROW_TERMS(ROWS, V) \
    const float *const *a = t->a + (s - t->span) * t->a_step, *b = t->b + s->b_off + k * 2 * LANES; \
    const int64_t off = s->a_off; \
    ROWS(POINT, V) \
    for (; k < stop; k++, b += 2 * LANES) { \
        V(PANEL_, 0) \
        V(AHEAD_, 0) \
        if ((k & between) == 0) { \
            _mm_prefetch((const char *)x_ahead, _MM_HINT_T0); \
            _mm_prefetch((const char *)y_ahead, _MM_HINT_T0); \
            x_ahead += x_pace, y_ahead += y_pace; \
        } \
        ROWS(ROW, V) \
    }
#define COLUMN_TERMS(ROWS, V) \
    const float *a = t->ak + s->a_off + k * a_step, *b = t->b + s->b_off + k * b_step; \
    for (; k < stop; k++, a += a_step, b += b_step) { \
        V(PANEL_, 0) \
        V(FURTHER_, 0) \
        _mm_prefetch((const char *)(a + 8 * a_step), _MM_HINT_T0); \
        ROWS(COLUMN, V) \
    }

#define ROW_TILE(name, ROWS, V) \
    static void row_##name(const lm_tile *t) \
    { \
        const int64_t panel = t->b_panel; \
        const int64_t between = t->between; \
        const uintptr_t x_pace = t->x_pace * (uintptr_t)(between + 1), y_pace = t->y_pace * (uintptr_t)(between + 1); \
        uintptr_t x_ahead = t->x_ahead, y_ahead = t->y_ahead; \
        (void)panel; \
        LM_CHAINS(ROWS, V, ROW_TERMS) \
        FINISH(ROWS, V) \
    }
#define COLUMN_TILE(name, ROWS, V) \
    static void column_##name(const lm_tile *t) \
    { \
        const int64_t panel = t->b_panel, a_step = t->ak_step, b_step = t->b_step; \
        (void)panel; \
        LM_CHAINS(ROWS, V, COLUMN_TERMS) \
        if (t->last) { \
            const __m256 zero = _mm256_setzero_ps(); \
            ROWS(PLUS, V) \
        } \
        ROWS(STORE, V) \
    }

#define TILE(name, ROWS, V) ROW_TILE(name, ROWS, V) COLUMN_TILE(name, ROWS, V)
#define HALF(name, ROWS) ROW_TILE(name, ROWS, V1)

TILE(1x16, R1, V2)
TILE(1x32, R1, V4)
TILE(1x64, R1, V8)
TILE(2x16, R2, V2)
TILE(2x32, R2, V4)
TILE(3x16, R3, V2)
TILE(4x16, R4, V2)
TILE(5x16, R5, V2)
TILE(6x16, R6, V2)
HALF(1x8, R1)
HALF(2x8, R2)
HALF(3x8, R3)
HALF(4x8, R4)
HALF(5x8, R5)
HALF(6x8, R6)

const lm_tile_set lm_tiles_avx2 = {
    .mr = 6,
    .nr = 16,
    .row = {
        [1] = {[0] = row_1x8, [1] = row_1x16, [2] = row_1x32, [4] = row_1x64},
        [2] = {[0] = row_2x8, [1] = row_2x16, [2] = row_2x32},
        [3] = {[0] = row_3x8, [1] = row_3x16},
        [4] = {[0] = row_4x8, [1] = row_4x16},
        [5] = {[0] = row_5x8, [1] = row_5x16},
        [6] = {[0] = row_6x8, [1] = row_6x16},
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
