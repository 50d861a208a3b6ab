/* pool_small.h - the largest of small windows of channels that lie side by side. Contract: pool_table.h. */
#ifndef LM_CPU_SIMD_POOL_SMALL_H
#define LM_CPU_SIMD_POOL_SMALL_H

#include "backends/cpu/simd/kernel.h"
#include "backends/cpu/simd/pool_table.h"

#include <math.h>

/* The largest without the care for NaN and zeros, and the sum of all operands: a NaN that was passed over shows
 * there. */
typedef struct quick {
    lm_v16 most, sum;
} quick;

/* Rows of a window over one pixel. What the last `fresh` rows give is added to `sum`, where a NaN shows. */
LM_VEC quick column_of(const float *const row[3], int64_t off, int size, int fresh, size_t left)
{
    quick q = {lm_v_load_left(row[0] + off, left), lm_v_zero()};
    q.sum = fresh == size ? q.most : q.sum;
    for (int k = 1; k < size; k++) {
        const lm_v16 v = lm_v_load_left(row[k] + off, left);
        q.sum = k == size - fresh ? v : k > size - fresh ? lm_v_add(q.sum, v) : q.sum;
        q.most = lm_v_greater(v, q.most);
    }
    return q;
}

/* One result of up to 16 channels from what `one` keeps of the column before its new ones, and `two` of the two before;
 * near, far: the new columns. */
LM_VEC lm_v16 largest_of(const lm_pool_row *r, const float *const row[3], float *one, float *two, int64_t near,
                         int64_t far, int size, int stride, size_t left, lm_v16 *sum)
{
    quick a = column_of(row, near, size, stride, left), b = a;
    if (stride == 2) {
        b = column_of(row, far, size, stride, left);
        a = (quick){lm_v_greater(b.most, a.most), lm_v_add(a.sum, b.sum)};
    }
    *sum = lm_v_add(*sum, a.sum);
    for (int k = size - stride; k < size; k++) {
        __builtin_prefetch(row[k] + near + r->ahead, 0, 3);
        if (stride == 2)
            __builtin_prefetch(row[k] + far + r->ahead, 0, 3);
    }
    if (size == stride)
        return a.most;
    const lm_v16 before = lm_v_load(one), most = lm_v_greater(a.most, stride == 1 ? lm_v_load(two) : before);
    lm_v_store(one, b.most);
    if (stride == 1)
        lm_v_store(two, lm_v_greater(b.most, before));
    return most;
}

LM_VEC int64_t inside(int64_t pixel, int64_t last)
{
    pixel = pixel < last ? pixel : last;
    return pixel > 0 ? pixel : 0;
}

/* Pixel by pixel, all channels of it: the image is read in the order in which it lies. */
LM_VEC bool largest_in_of(float *y, const lm_pool_row *r, float *keep, int size, int stride)
{
    const int64_t count = r->count, last = r->width - 1, x_step = r->x_step, y_step = r->y_step, n = r->n;
    const float *const row[3] = {r->row[0], r->row[1], r->row[2]};
    const bool past = r->past;
    float *const one = keep, *const two = keep + (n + LM_LANES - 1) / LM_LANES * LM_LANES;
    lm_v16 s0 = lm_v_zero(), s1 = s0;
    lm_vi16 least = lm_i_set(0);
    int64_t at = r->at;
    for (int64_t c = 0; c < n && size > stride; c += LM_LANES)
        lm_v_store(one + c, lm_v_set(-INFINITY)), lm_v_store(two + c, lm_v_set(-INFINITY));
    for (int k = size - stride; k > 0; k--, at++)
        for (int64_t c = 0, off = inside(at, last) * x_step; c < n && at >= 0; c += LM_LANES) {
            const size_t left = (size_t)(n - c);
            const quick q = column_of(row, off + c, size, stride, left);
            lm_v_store(two + c, lm_v_greater(q.most, lm_v_load(one + c)));
            lm_v_store(one + c, q.most);
            s0 = lm_v_add(s0, q.sum);
        }
    for (int64_t o = 0; o < count; o++, at += stride, y += y_step) {
        const int64_t near = inside(at, last) * x_step, far = inside(at + 1, last) * x_step;
        int64_t c = 0;
        for (; c + 2 * LM_LANES <= n && !LM_COMPACT; c += 2 * LM_LANES) {
            const int64_t d = c + LM_LANES;
            const lm_v16 v = largest_of(r, row, one + c, two + c, near + c, far + c, size, stride, LM_LANES, &s0);
            const lm_v16 w = largest_of(r, row, one + d, two + d, near + d, far + d, size, stride, LM_LANES, &s1);
            put(y + c, v, past);
            put(y + d, w, past);
            least = lm_i_min(least, lm_i_min(lm_v_as_i(v), lm_v_as_i(w)));
        }
        for (; c < n; c += LM_LANES) {
            const size_t left = (size_t)(n - c);
            const lm_v16 v = largest_of(r, row, one + c, two + c, near + c, far + c, size, stride, left, &s0);
            if (left >= LM_LANES)
                put(y + c, v, past);
            else
                lm_v_store_n(y + c, v, left);
            least = lm_i_min(least, lm_v_as_i(v));
        }
    }
    return lm_m_any(lm_m_or(lm_i_eq(least, lm_i_set(INT32_MIN)), lm_v_nan(lm_v_add(s0, s1))));
}

#endif
