/* Where pooling windows lie. */
#include "backends/cpu/pooling.h"

extern const lm_pool_fns lm_pool_fns_scalar, lm_pool_fns_neon, lm_pool_fns_avx2, lm_pool_fns_avx512;

const lm_pool_fns *lm_pool_fns_of(lm_cpu_level level)
{
    static const lm_pool_fns *const table[LM_CPU_LEVELS] = {
        [LM_CPU_SCALAR] = &lm_pool_fns_scalar,
#ifdef LM_HAVE_NEON
        [LM_CPU_NEON] = &lm_pool_fns_neon,
#endif
#ifdef LM_HAVE_AVX2
        [LM_CPU_AVX2] = &lm_pool_fns_avx2,
#endif
#ifdef LM_HAVE_AVX512
        [LM_CPU_AVX512] = &lm_pool_fns_avx512,
#endif
    };
    return table[level] ? table[level] : table[LM_CPU_SCALAR];
}

lm_image lm_image_of(const lm_view *v)
{
    lm_image m = {v->sh.dim[0], v->sh.dim[1], {1, 1, 1}, v->st[0], v->st[1], {0, 0, 0}};
    for (int i = 2, axis = 5 - v->sh.rank; i < v->sh.rank; i++, axis++) {
        m.size[axis] = v->sh.dim[i];
        m.st[axis] = v->st[i];
    }
    return m;
}

lm_windows lm_windows_of(const lm_attr_pool *a, const lm_image *in, const lm_image *out)
{
    lm_windows w = {.count_pad = a->count_pad};
    for (int i = 0; i < 3; i++) {
        int from = i - (3 - a->nd);
        w.in[i] = in->size[i];
        w.out[i] = out->size[i];
        w.kernel[i] = from < 0 ? 1 : a->kernel[from];
        w.stride[i] = from < 0 ? 1 : a->stride[from];
        w.dilation[i] = from < 0 ? 1 : a->dilation[from];
        w.pad[i] = from < 0 ? 0 : a->pad_lo[from];
        w.pad_hi[i] = from < 0 ? 0 : a->pad_hi[from];
    }
    return w;
}

/* a / b for b > 0, rounded towards -infinity, and towards +infinity. */
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

static int64_t clip(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

void lm_spans_forward(const lm_windows *w, int axis, lm_span *spans)
{
    int64_t in = w->in[axis], kernel = w->kernel[axis], dilation = w->dilation[axis];
    for (int64_t o = 0; o < w->out[axis]; o++) {
        int64_t start = o * w->stride[axis] - w->pad[axis];
        int64_t first = clip(ceil_div(-start, dilation), 0, kernel);
        int64_t end = clip(floor_div(in - 1 - start, dilation) + 1, first, kernel);
        /* the window may lean over the end padding when the number of results was rounded up */
        int64_t counted = clip(floor_div(in + w->pad_hi[axis] - 1 - start, dilation) + 1, 0, kernel);
        spans[o] = (lm_span){start + first * dilation, end - first, dilation, w->count_pad ? counted : end - first};
    }
}

void lm_spans_back(const lm_windows *w, int axis, lm_span *spans)
{
    int64_t stride = w->stride[axis], dilation = w->dilation[axis];
    for (int64_t i = 0; i < w->in[axis]; i++) {
        int64_t at = i + w->pad[axis];
        int64_t lo = clip(ceil_div(at - (w->kernel[axis] - 1) * dilation, stride), 0, w->out[axis]);
        int64_t hi = clip(floor_div(at, stride) + 1, lo, w->out[axis]);
        /* with dilation every period-th window touches i: the first that does, then the second tell the period */
        lm_span span = {lo, 0, 1, 1};
        for (int64_t o = lo; o < hi; o++) {
            if ((at - o * stride) % dilation)
                continue;
            if (span.taps == 0)
                span.at = o;
            if (span.taps == 1)
                span.step = o - span.at;
            span.taps++;
        }
        spans[i] = span;
    }
}

static lm_tap_range range_of(const lm_windows *w, int64_t tap)
{
    int64_t off = tap * w->dilation[2] - w->pad[2];
    int64_t lo = clip(ceil_div(-off, w->stride[2]), 0, w->out[2]);
    return (lm_tap_range){lo, clip(floor_div(w->in[2] - 1 - off, w->stride[2]) + 1, lo, w->out[2]), off};
}

int64_t lm_windows_taps(const lm_windows *w, lm_tap_range *range)
{
    int64_t start = w->pad[2] - (w->out[2] - 1) * w->stride[2];
    int64_t first = clip(ceil_div(start, w->dilation[2]), 0, w->kernel[2]);
    int64_t end = clip(floor_div(w->in[2] - 1 + w->pad[2], w->dilation[2]) + 1, first, w->kernel[2]);
    for (int64_t tap = first; range && tap < end; tap++)
        range[tap - first] = range_of(w, tap);
    return end - first;
}

float lm_span_count(const lm_span *d, const lm_span *h, const lm_span *w)
{
    double count = (double)d->count * (double)h->count * (double)w->count;
    return count > 0 ? (float)count : 1.0f;
}

lm_status lm_image_layout(const lm_call *call, const lm_image *x, const lm_image *y, bool *channels)
{
    bool rows = (x->st[2] == 1 || x->size[2] == 1) && (y->st[2] == 1 || y->size[2] == 1);
    *channels = (x->st_c == 1 || x->c == 1) && (y->st_c == 1 || y->c == 1) && !(rows && x->c < 4);
    LM_REQUIRE(*channels || rows, LM_UNSUPPORTED, "%s: neither channels nor rows are contiguous in both x and y",
               lm_ops[call->op].name);
    return LM_OK;
}

int64_t lm_rows_per_tile(int64_t rows, int64_t row)
{
    enum { LEAST = 4096, MOST = 131072, TILES = 32 };
    int64_t least = row > 0 ? LEAST / row : 1, most = row > 0 ? MOST / row : 1, even = rows / TILES;
    int64_t per_tile = even < least ? least : even < most ? even : most;
    return per_tile > 1 ? per_tile : 1;
}
