/* resize.c - weighted sums of neighbours, over channels and over rows. */
#include "backends/cpu/simd/resize_table.h"
#include "backends/cpu/simd/vec.h"

extern const lm_resize_fns LM_NAME(lm_resize_fns);

LM_VEC void lanes_16(float *y, const float *x, int64_t stride, const lm_tap *tap, const lm_tap *end, size_t c)
{
    lm_v16 acc = lm_v_zero();
    for (; tap < end; tap++) {
        const float *p = x + tap->at * stride;
        acc = lm_v_fma(lm_v_set(tap->weight), c == 16 ? lm_v_load(p) : lm_v_load_n(p, c), acc);
    }
    if (c == 16)
        lm_v_store(y, acc);
    else
        lm_v_store_n(y, acc, c);
}

static void row(float *y, const float *x, int64_t stride, const int64_t *first, const lm_tap *taps, int64_t n,
                int64_t c)
{
    if (c == 1) {
        for (int64_t i = 0; i < n; i++) {
            float acc = 0;
            for (int64_t t = first[i]; t < first[i + 1]; t++)
                acc = lm_fma(taps[t].weight, x[taps[t].at * stride], acc);
            y[i] = acc;
        }
        return;
    }
    for (int64_t i = 0; i < n; i++, y += c) {
        const lm_tap *tap = taps + first[i], *end = taps + first[i + 1];
        int64_t l = 0;
        for (; l + 16 <= c; l += 16)
            lanes_16(y + l, x + l, stride, tap, end, 16);
        if (l < c)
            lanes_16(y + l, x + l, stride, tap, end, (size_t)(c - l));
    }
}

static void add(float *y, const float *x, float weight, int fresh, int64_t n)
{
    lm_v16 w = lm_v_set(weight);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        lm_v_store(y + i, lm_v_fma(w, lm_v_load(x + i), fresh ? lm_v_zero() : lm_v_load(y + i)));
    if (i < n) {
        size_t left = (size_t)(n - i);
        lm_v16 old = fresh ? lm_v_zero() : lm_v_load_n(y + i, left);
        lm_v_store_n(y + i, lm_v_fma(w, lm_v_load_n(x + i, left), old), left);
    }
}

const lm_resize_fns LM_NAME(lm_resize_fns) = {.row = row, .add = add};
