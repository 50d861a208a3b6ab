/* What the gather and scatter drivers share: indices become element offsets once, checked, before anything is moved. */
#ifndef LM_CPU_INDEX_H
#define LM_CPU_INDEX_H

#include "backends/cpu/cpu.h"

/* How a tensor of int32 or int64 indices addresses another tensor: its last axis, when depth > 0, holds `depth`
 * coordinates (GatherND); otherwise every element is one coordinate. Coordinate j runs over axis `axis + j` of size
 * size[j] and moves stride[j] elements. Negative ones count from the end. */
typedef struct lm_indices {
    lm_opid op;
    lm_view view;
    bool row; /* view is row-major */
    int axis, depth;
    int64_t count; /* addresses that come out of it */
    int64_t size[LM_RANK], stride[LM_RANK];
    int batch; /* leading axes that address the same axes of the other tensor, by base[] elements each */
    int64_t base[LM_RANK];
} lm_indices;

/* LM_UNSUPPORTED for another type than int32 and int64. */
lm_status lm_indices_make(lm_opid op, const lm_view *view, const lm_view *into, int axis, int depth, int batch,
                          lm_indices *out);

/* offset[i] = the i-th address in elements, for all count of them. When any index is out of range: LM_INPUT, with the
 * first such index in row-major order in the message. Runs on the pool. */
lm_status lm_indices_read(lm_cpu *cpu, const lm_indices *x, const void *data, int64_t *offset);

/* Rows of a shape: offsets in elements of row number `row` in up to three tensors, the axes of `rows` numbered
 * row-major. */
typedef struct lm_rows {
    int n;
    int64_t count;
    int64_t dim[LM_RANK], st[3][LM_RANK];
} lm_rows;

void lm_rows_add(lm_rows *r, int64_t dim, int64_t st0, int64_t st1, int64_t st2);
void lm_rows_at(const lm_rows *r, int64_t row, int64_t off[3]);

/* Tiles of `per` items each for `n` items. */
static inline int64_t lm_tiles(int64_t n, int64_t per)
{
    return n / per + (n % per > 0);
}

#endif
