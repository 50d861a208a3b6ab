/* Tiles for any machine: 4 rows x 8 columns of plain C around lm_fma, which is exact in software where the hardware has
 * no fused multiply-add. Every row count uses the same loop; rows past the tile's are not touched. */
#include <string.h>

#include "backends/cpu/simd/fma.h"
#include "backends/cpu/tile.h"

enum { MR = 4, NR = 8 };

static void clear(int rows, float acc[MR][NR])
{
    memset(acc, 0, (size_t)rows * sizeof acc[0]);
}

/* A chain has ended: add it to the sums in c, if there are any. */
static void join(const lm_tile *t, int rows, bool more, float acc[MR][NR])
{
    for (int r = 0; r < rows && more; r++)
        for (int j = 0; j < NR; j++)
            acc[r][j] = t->c[r][t->col + j] + acc[r][j];
}

static void keep(const lm_tile *t, int rows, float acc[MR][NR])
{
    for (int r = 0; r < rows; r++)
        memcpy(t->c[r] + t->col, acc[r], sizeof acc[r]);
}

static void finish(const lm_tile *t, int rows, float acc[MR][NR])
{
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < NR; j++) {
            float v = acc[r][j];
            if (t->last) {
                v += t->bias[j];
                if (t->res)
                    v += t->res[r][t->col + j];
                if (t->clamp) {
                    v = v < t->lo ? t->lo : v;
                    v = v > t->hi ? t->hi : v;
                }
                if (t->mask && !(t->mask[r][t->col + j] > 0))
                    v = 0;
            }
            t->c[r][t->col + j] = v;
        }
}

static inline void step(float acc[MR][NR], int r, float a, const float *b)
{
    for (int j = 0; j < NR; j++)
        acc[r][j] = lm_fma(a, b[j], acc[r][j]);
}

/* Terms k ... stop - 1 of span s. */
static inline void row_terms(const lm_tile *t, const lm_span *s, int64_t k, int64_t stop, int rows, float acc[MR][NR])
{
    const float *const *a = t->a + (s - t->span) * t->a_step, *b = t->b + s->b_off + k * NR;
    for (; k < stop; k++, b += NR)
        for (int r = 0; r < rows; r++)
            step(acc, r, a[r][s->a_off + k], b);
}

static inline void column_terms(const lm_tile *t, const lm_span *s, int64_t k, int64_t stop, int rows,
                                float acc[MR][NR])
{
    const float *a = t->ak + s->a_off + k * t->ak_step, *b = t->b + s->b_off + k * t->b_step;
    for (; k < stop; k++, a += t->ak_step, b += t->b_step)
        for (int r = 0; r < rows; r++)
            step(acc, r, a[r], b);
}

static inline void tile(const lm_tile *t, int rows, bool columns)
{
    float acc[MR][NR];
    const lm_span *s = t->span, *const end = s + t->nspan;
    bool more = t->resume;
    for (int64_t k = 0, cut = LM_CHAIN;; more = true, cut = lm_chain_end(s->k + k)) {
        clear(rows, acc);
        while (s < end && s->k + k < cut) {
            const int64_t stop = s->len < cut - s->k ? s->len : cut - s->k;
            if (columns)
                column_terms(t, s, k, stop, rows, acc);
            else
                row_terms(t, s, k, stop, rows, acc);
            k = stop;
            if (k == s->len)
                s++, k = 0;
        }
        join(t, rows, more, acc);
        if (s == end)
            break;
        keep(t, rows, acc);
    }
    if (!columns) {
        finish(t, rows, acc);
        return;
    }
    for (int r = 0; r < rows && t->last; r++)
        for (int j = 0; j < NR; j++)
            acc[r][j] += 0.0f;
    keep(t, rows, acc);
}

#define TILE(rows) \
    static void row_##rows##x8(const lm_tile *t) \
    { \
        tile(t, rows, false); \
    } \
    static void column_##rows##x8(const lm_tile *t) \
    { \
        tile(t, rows, true); \
    }

TILE(1)
TILE(2)
TILE(3)
TILE(4)

const lm_tile_set lm_tiles_scalar = {
    .mr = MR,
    .nr = NR,
    .row = {[1] = {[1] = row_1x8}, [2] = {[1] = row_2x8}, [3] = {[1] = row_3x8}, [4] = {[1] = row_4x8}},
    .column = {[1] = {[1] = column_1x8}, [2] = {[1] = column_2x8}, [3] = {[1] = column_3x8}, [4] = {[1] = column_4x8}},
};
