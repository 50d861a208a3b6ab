/* attention.c - what stands between the two products of attention and is no softmax. Every step rounds like the
 * elementwise op of the same meaning. */
#include "backends/cpu/simd/kernel.h"

void LM_NAME(lm_scores_row)(float *x, const float *mask, size_t n, float scale)
{
    const lm_v16 k = lm_v_set(scale);
    for (size_t i = 0; i < n; i += 16) {
        lm_v16 v = lm_v_mul(lm_v_load_left(x + i, n - i), k);
        lm_v_store_left(x + i, mask ? lm_v_add(v, lm_v_load_left(mask + i, n - i)) : v, n - i);
    }
}
