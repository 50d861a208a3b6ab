/* Tiles for any machine: 4 rows x 8 columns of plain C around lm_fma, which is exact in software where the hardware has
 * no fused multiply-add. Every row count uses the same loop; rows past the tile's are not touched. */
#include "backends/cpu/simd/fma.h"
#include "backends/cpu/tile.h"

enum { MR = 4, NR = 8 };

static void begin(const lm_tile *t, int rows, float acc[MR][NR])
{
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < NR; j++)
            acc[r][j] = t->resume ? t->c[r][t->col + j] : 0.0f;
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
            }
            t->c[r][t->col + j] = v;
        }
}

static inline void step(float acc[MR][NR], int r, float a, const float *b)
{
    for (int j = 0; j < NR; j++)
        acc[r][j] = lm_fma(a, b[j], acc[r][j]);
}

static inline void tile_rows(const lm_tile *t, int rows)
{
    float acc[MR][NR];
    const float *const *a = t->a;
    begin(t, rows, acc);
    for (int64_t s = 0; s < t->nspan; s++, a += t->a_step) {
        const float *b = t->b + t->span[s].b_off;
        const int64_t off = t->span[s].a_off;
        for (int64_t k = 0; k < t->span[s].len; k++, b += NR)
            for (int r = 0; r < rows; r++)
                step(acc, r, a[r][off + k], b);
    }
    finish(t, rows, acc);
}

static inline void tile_columns(const lm_tile *t, int rows)
{
    float acc[MR][NR];
    begin(t, rows, acc);
    for (int64_t s = 0; s < t->nspan; s++) {
        const float *a = t->ak + t->span[s].a_off, *b = t->b + t->span[s].b_off;
        for (int64_t k = 0; k < t->span[s].len; k++, a += t->ak_step, b += t->b_step)
            for (int r = 0; r < rows; r++)
                step(acc, r, a[r], b);
    }
    finish(t, rows, acc);
}

#define TILE(rows) \
    static void row_##rows##x8(const lm_tile *t) \
    { \
        tile_rows(t, rows); \
    } \
    static void column_##rows##x8(const lm_tile *t) \
    { \
        tile_columns(t, rows); \
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
