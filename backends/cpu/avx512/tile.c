/* AVX-512 tiles: up to 14 rows x 32 columns, that is 28 accumulators, two panel vectors and one broadcast. Few rows
 * take two or four panels, so that eight chains or more are in flight (latency 4 on two ports). Accumulators are named
 * variables: clang spills arrays of vectors. */
#include "backends/cpu/chains.h"

#include <immintrin.h>

/* Floats of a vector, and of a panel to fetch ahead: 64 steps, a thousand cycles, as weights may come from memory. */
enum { LANES = 16, AHEAD = 2048 };

/* Rn(X, V): X for each of n rows. Vn(X, r): X for each of n vectors of row r; a panel is two. */
#define R1(X, V) X(0, V)
#define R2(X, V) R1(X, V) X(1, V)
#define R3(X, V) R2(X, V) X(2, V)
#define R4(X, V) R3(X, V) X(3, V)
#define R5(X, V) R4(X, V) X(4, V)
#define R6(X, V) R5(X, V) X(5, V)
#define R7(X, V) R6(X, V) X(6, V)
#define R8(X, V) R7(X, V) X(7, V)
#define R9(X, V) R8(X, V) X(8, V)
#define R10(X, V) R9(X, V) X(9, V)
#define R11(X, V) R10(X, V) X(10, V)
#define R12(X, V) R11(X, V) X(11, V)
#define R13(X, V) R12(X, V) X(12, V)
#define R14(X, V) R13(X, V) X(13, V)
#define V1(X, r) X(r, 0)
#define V2(X, r) V1(X, r) X(r, 1)
#define V4(X, r) V2(X, r) X(r, 2) X(r, 3)
#define V8(X, r) V4(X, r) X(r, 4) X(r, 5) X(r, 6) X(r, 7)

/* Where a vector of a panel row lies. */
#define AT(v) (v / 2 * panel + v % 2 * LANES)

#define NAME_(r, v) __m512 c##r##_##v;
#define NAME(r, V) V(NAME_, r)
#define ZERO_(r, v) c##r##_##v = _mm512_setzero_ps();
#define ZERO(r, V) V(ZERO_, r)
#define JOIN_(r, v) c##r##_##v = _mm512_add_ps(_mm512_loadu_ps(t->c[r] + col + LANES * v), c##r##_##v);
#define JOIN(r, V) V(JOIN_, r)
#define POINT(r, V) const float *a##r = a[r] + off;
#define PANEL_(r, v) const __m512 b##v = _mm512_loadu_ps(b + AT(v));
#define AHEAD_(r, v) _mm_prefetch((const char *)(b + AT(v) + AHEAD), _MM_HINT_T0);
#define FURTHER_(r, v) _mm_prefetch((const char *)(b + AT(v) + 8 * b_step), _MM_HINT_T0);
#define FMA_(r, v) c##r##_##v = _mm512_fmadd_ps(a_##r, b##v, c##r##_##v);
#define ROW(r, V) { const __m512 a_##r = _mm512_set1_ps(a##r[k]); V(FMA_, r) }
#define COLUMN(r, V) { const __m512 a_##r = _mm512_set1_ps(a[r]); V(FMA_, r) }
#define PLUS_(r, v) c##r##_##v = _mm512_add_ps(c##r##_##v, zero);
#define PLUS(r, V) V(PLUS_, r)
#define BIAS_(r, v) c##r##_##v = _mm512_add_ps(c##r##_##v, _mm512_loadu_ps(t->bias + LANES * v));
#define BIAS(r, V) V(BIAS_, r)
#define RES_(r, v) c##r##_##v = _mm512_add_ps(c##r##_##v, _mm512_loadu_ps(t->res[r] + col + LANES * v));
#define RES(r, V) V(RES_, r)
/* min and max give their second operand when one is NaN. */
#define CLAMP_(r, v) c##r##_##v = _mm512_min_ps(hi, _mm512_max_ps(lo, c##r##_##v));
#define CLAMP(r, V) V(CLAMP_, r)
#define MASK_(r, v) \
    c##r##_##v = _mm512_maskz_mov_ps( \
        _mm512_cmp_ps_mask(zero, _mm512_loadu_ps(t->mask[r] + col + LANES * v), _CMP_LT_OQ), c##r##_##v);
#define MASK(r, V) V(MASK_, r)
#define STORE_(r, v) _mm512_storeu_ps(t->c[r] + col + LANES * v, c##r##_##v);
#define STORE(r, V) V(STORE_, r)

#define FINISH(ROWS, V) \
    if (t->last) { \
        const __m512 lo = _mm512_set1_ps(t->lo), hi = _mm512_set1_ps(t->hi); \
        ROWS(BIAS, V) \
        if (t->res) { \
            ROWS(RES, V) \
        } \
        if (t->clamp) { \
            ROWS(CLAMP, V) \
        } \
        if (t->mask) { \
            const __m512 zero = _mm512_setzero_ps(); \
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
            const __m512 zero = _mm512_setzero_ps(); \
            ROWS(PLUS, V) \
        } \
        ROWS(STORE, V) \
    }

#define TILE(name, ROWS, V) ROW_TILE(name, ROWS, V) COLUMN_TILE(name, ROWS, V)
#define HALF(name, ROWS) ROW_TILE(name, ROWS, V1)

TILE(1x32, R1, V2)
TILE(1x64, R1, V4)
TILE(1x128, R1, V8)
TILE(2x32, R2, V2)
TILE(2x64, R2, V4)
TILE(2x128, R2, V8)
TILE(3x32, R3, V2)
TILE(3x64, R3, V4)
TILE(4x32, R4, V2)
TILE(4x64, R4, V4)
TILE(5x32, R5, V2)
TILE(5x64, R5, V4)
TILE(6x32, R6, V2)
TILE(6x64, R6, V4)
TILE(7x32, R7, V2)
TILE(8x32, R8, V2)
TILE(9x32, R9, V2)
TILE(10x32, R10, V2)
TILE(11x32, R11, V2)
TILE(12x32, R12, V2)
TILE(13x32, R13, V2)
TILE(14x32, R14, V2)
HALF(1x16, R1)
HALF(2x16, R2)
HALF(3x16, R3)
HALF(4x16, R4)
HALF(5x16, R5)
HALF(6x16, R6)
HALF(7x16, R7)
HALF(8x16, R8)
HALF(9x16, R9)
HALF(10x16, R10)
HALF(11x16, R11)
HALF(12x16, R12)
HALF(13x16, R13)
HALF(14x16, R14)

const lm_tile_set lm_tiles_avx512 = {
    .mr = 14,
    .nr = 32,
    .row = {
        [1] = {[0] = row_1x16, [1] = row_1x32, [2] = row_1x64, [4] = row_1x128},
        [2] = {[0] = row_2x16, [1] = row_2x32, [2] = row_2x64, [4] = row_2x128},
        [3] = {[0] = row_3x16, [1] = row_3x32, [2] = row_3x64},
        [4] = {[0] = row_4x16, [1] = row_4x32, [2] = row_4x64},
        [5] = {[0] = row_5x16, [1] = row_5x32, [2] = row_5x64},
        [6] = {[0] = row_6x16, [1] = row_6x32, [2] = row_6x64},
        [7] = {[0] = row_7x16, [1] = row_7x32},
        [8] = {[0] = row_8x16, [1] = row_8x32},
        [9] = {[0] = row_9x16, [1] = row_9x32},
        [10] = {[0] = row_10x16, [1] = row_10x32},
        [11] = {[0] = row_11x16, [1] = row_11x32},
        [12] = {[0] = row_12x16, [1] = row_12x32},
        [13] = {[0] = row_13x16, [1] = row_13x32},
        [14] = {[0] = row_14x16, [1] = row_14x32},
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
