/* depthwise.c - depthwise convolution: one register of channels at a time along a row, with the weights of a 3 x 3
 * filter, or of one row of 5 or 7 taps, in registers and four outputs in flight that share their source pixels; other
 * filters, and pixels of a 3 x 3 that miss more than one column, take the general path. */
#include "backends/cpu/depthwise.h"

#include "backends/cpu/simd/vec.h"

/* Outputs in flight, and outputs of a row before the next row. Where a cache line takes two turns, the stretch is short
 * enough for the source rows that outputs share to stay in the first-level cache, of which lines far apart use few
 * sets; otherwise rows are best done whole. */
enum { GROUP = LM_LEVEL_NO == 0 ? 1 : 4, STRETCH = LM_LEVEL_NO == 1 ? 56 : 1 << 20 };

#ifdef __clang__
#define UNROLL(n)
#else
#define UNROLL(n) PRAGMA(GCC unroll n)
#define PRAGMA(text) _Pragma(#text)
#endif

/* A loaded register is used up to three times; left to itself the compiler would load it again for each. */
#if LM_LEVEL_NO == 1
#define REG_KEEP(v) __asm__("" : "+x"(v))
/* A whole lm_v16 is two registers here, and nine weights would not stay in them. */
typedef __m256 reg;
enum { REG = 8 };
LM_VEC reg reg_load(const float *p) { return _mm256_loadu_ps(p); }
LM_VEC void reg_store(float *p, reg v) { _mm256_storeu_ps(p, v); }
LM_VEC reg reg_add(reg a, reg b) { return _mm256_add_ps(a, b); }
LM_VEC reg reg_mul(reg a, reg b) { return _mm256_mul_ps(a, b); }
LM_VEC reg reg_fma(reg a, reg b, reg c) { return _mm256_fmadd_ps(a, b, c); }
LM_VEC reg reg_clamp(reg v, float lo, float hi)
{
    return _mm256_min_ps(_mm256_set1_ps(hi), _mm256_max_ps(_mm256_set1_ps(lo), v));
}
#else
#if LM_LEVEL_NO == 2
#define REG_KEEP(v) __asm__("" : "+v"(v))
#else
#define REG_KEEP(v) ((void)(v))
#endif
typedef lm_v16 reg;
enum { REG = LM_LANES };
LM_VEC reg reg_load(const float *p) { return lm_v_load(p); }
LM_VEC void reg_store(float *p, reg v) { lm_v_store(p, v); }
LM_VEC reg reg_add(reg a, reg b) { return lm_v_add(a, b); }
LM_VEC reg reg_mul(reg a, reg b) { return lm_v_mul(a, b); }
LM_VEC reg reg_fma(reg a, reg b, reg c) { return lm_v_fma(a, b, c); }
LM_VEC reg reg_clamp(reg v, float lo, float hi) { return lm_v_clamp(v, lo, hi); }
#endif

LM_VEC lm_v16 load(const float *p, int64_t n)
{
    return n < LM_LANES ? lm_v_load_n(p, (size_t)n) : lm_v_load(p);
}

/* Any filter, any stride: pixel p, n channels from c on. */
LM_VEC void pixel_any(const lm_depthwise_run *r, int64_t p, int64_t c, int64_t n)
{
    const int64_t at = p * r->y_step + c;
    lm_v16 sum = lm_v_zero(), s = sum;
    for (int64_t row = 0, cut = LM_CHAIN; row < r->nrow; row++) {
        const float *w = r->w[row] + c;
        int64_t i = r->origin + p * r->stride;
        for (int64_t t = 0; t < r->ntap; t++, w += r->channels, i += r->dilation) {
            const bool inside = i >= 0 && i < r->width;
            if (r->k[row] + t >= cut) {
                sum = lm_v_add(sum, s), s = lm_v_zero();
                cut = lm_chain_end(r->k[row] + t);
            }
            s = lm_v_fma(inside ? load(r->x[row] + i * r->x_step[row] + c, n) : lm_v_zero(), load(w, n), s);
        }
    }
    s = lm_v_add(lm_v_add(sum, s), load(r->bias + c, n));
    if (r->res)
        s = lm_v_add(s, load(r->res + at, n));
    if (r->clamp)
        s = lm_v_clamp(s, r->lo, r->hi); /* s is not -0, so lo may be 0 */
    if (n < LM_LANES)
        lm_v_store_n(r->y + at, s, (size_t)n);
    else
        lm_v_store(r->y + at, s);
}

LM_VEC void pixels_any(const lm_depthwise_run *r, int64_t p0, int64_t p1, int64_t first)
{
    for (int64_t p = p0; p < p1; p++) {
        int64_t i = first;
        for (; i + LM_LANES <= r->last; i += LM_LANES)
            pixel_any(r, p, i, LM_LANES);
        if (i < r->last)
            pixel_any(r, p, i, r->last - i);
    }
}

/* The pixels between the ends of a row that miss at most one column; only the first and the last of them do. */
typedef struct span {
    int64_t lo, hi;
    bool left, right;
} span;

static bool same_steps(const lm_depthwise_run *r)
{
    for (int64_t row = 1; row < r->nrow; row++)
        if (r->x_step[row] != r->x_step[0])
            return false;
    return true;
}

static span span_of(const lm_depthwise_run *r)
{
    const bool three = r->ntap == 3 && (r->nrow == 3 || r->nrow == 2) && same_steps(r);
    span s = {.hi = three ? r->pixels : 0};
    while (s.lo < s.hi && r->origin + s.lo * r->stride + r->dilation < 0)
        s.lo++;
    while (s.hi > s.lo && r->origin + (s.hi - 1) * r->stride + r->dilation >= r->width)
        s.hi--;
    s.left = r->origin + s.lo * r->stride < 0;
    s.right = r->origin + (s.hi - 1) * r->stride + 2 * r->dilation >= r->width;
    const bool more_left = s.lo + 1 < s.hi && r->origin + (s.lo + 1) * r->stride < 0;
    const bool more_right = s.lo + 1 < s.hi && r->origin + (s.hi - 2) * r->stride + 2 * r->dilation >= r->width;
    return s.hi - s.lo < 2 || more_left || more_right ? (span){0} : s;
}

/* The pixels p ... p + STRETCH - 1 of it. */
static span piece_of(const span *s, int64_t p)
{
    const int64_t lo = s->lo > p ? s->lo : p, hi = s->hi < p + STRETCH ? s->hi : p + STRETCH;
    return (span){lo, hi, s->left && lo == s->lo, s->right && hi == s->hi};
}

/* What a row of outputs needs for one register of channels; steps in floats. */
typedef struct lane {
    reg w[9], bias;
    const float *x[3], *res;
    float *y;
    int64_t step, apart, y_step; /* from output to output, from tap to tap */
} lane;

LM_VEC void finish(const lm_depthwise_run *r, const reg *s, int outs, reg bias, float *y, const float *res)
{
    UNROLL(4)
    for (int o = 0; o < outs; o++, y += r->y_step) {
        reg v = reg_add(s[o], bias);
        if (res)
            v = reg_add(v, reg_load(res)), res += r->y_step;
        if (r->clamp)
            v = reg_clamp(v, r->lo, r->hi); /* v is not -0, so lo may be 0 */
        reg_store(y, v);
    }
}

/* `outs` outputs with `rows` (2 or 3) rows of three taps, `stride` source pixels apart. left, right: the first output
 * misses its first column, the last one its last. The first product is not added to +0, which could only turn -0 into
 * +0: adding the bias, which is not -0, does the same. */
LM_VEC void outputs(const lm_depthwise_run *r, lane *l, int rows, int outs, int stride, bool left, bool right)
{
    static const float zeros[REG];
    const int columns = (outs - 1) * stride + 3;
    reg s[4]; /* only the first `outs` are used */
    UNROLL(3)
    for (int row = 0; row < rows; row++) {
        const float *x = l->x[row];
        UNROLL(9)
        for (int k = 0; k < columns; k++) {
            const float *at = x + k * l->apart;
            if (k == 0)
                at = left ? zeros : at;
            if (k == columns - 1)
                at = right ? zeros : at;
            reg v = reg_load(at);
            REG_KEEP(v);
            UNROLL(4)
            for (int o = 0; o < outs; o++) {
                const int tap = k - o * stride;
                if (tap >= 0 && tap < 3)
                    s[o] = row + tap ? reg_fma(v, l->w[row * 3 + tap], s[o]) : reg_mul(v, l->w[0]);
            }
        }
        l->x[row] = x + outs * l->step;
    }
    finish(r, s, outs, l->bias, l->y, l->res);
    l->y += outs * l->y_step;
    l->res = l->res ? l->res + outs * l->y_step : NULL;
}

/* Pixels lo ... hi - 1 of one register of channels from c on; stride 0: whatever r says. */
LM_VEC void row_of(const lm_depthwise_run *r, const span *in, int64_t c, int rows, int stride)
{
    const int64_t at = in->lo * r->y_step + c, first = (r->origin + in->lo * r->stride) * r->x_step[0] + c;
    lane l = {.bias = reg_load(r->bias + c), .y = r->y + at, .res = r->res ? r->res + at : NULL};
    l.step = r->stride * r->x_step[0], l.apart = r->dilation * r->x_step[0], l.y_step = r->y_step;
    for (int row = 0; row < rows; row++) {
        l.x[row] = (const float *)((uintptr_t)r->x[row] + (uintptr_t)first * sizeof(float));
        for (int t = 0; t < 3; t++)
            l.w[row * 3 + t] = reg_load(r->w[row] + t * r->channels + c);
    }
    const int group = stride ? GROUP : 1;
    int64_t n = in->hi - in->lo;
    bool left = in->left;
    if (left && n > group) {
        outputs(r, &l, rows, group, stride, true, false);
        n -= group, left = false;
    }
    for (; n > group; n -= group)
        outputs(r, &l, rows, group, stride, false, false);
    switch (n) {
    case 4: outputs(r, &l, rows, 4, stride, left, in->right); break;
    case 3: outputs(r, &l, rows, 3, stride, left, in->right); break;
    case 2: outputs(r, &l, rows, 2, stride, left, in->right); break;
    default: outputs(r, &l, rows, 1, stride, left, in->right); break;
    }
}

#define ROW(rows, stride)                                                                                             \
    static __attribute__((noinline)) void row_##rows##_##stride(const lm_depthwise_run *r, const span *in, int64_t c) \
    {                                                                                                                 \
        for (int64_t i = c; i < c + LM_LANES; i += REG)                                                                \
            row_of(r, in, i, rows, stride);                                                                           \
    }
ROW(2, 0) ROW(2, 1) ROW(2, 2) ROW(3, 0) ROW(3, 1) ROW(3, 2)
#undef ROW

/* `outs` outputs from pixel p on with rows of `taps` taps, of which one row's weights are in registers at a time; the
 * first `left` and the last `right` source columns are outside the image. */
LM_VEC void wide_outputs(const lm_depthwise_run *r, int64_t p, int64_t c, int taps, int outs, int stride, int64_t left,
                         int64_t right)
{
    static const float zeros[REG];
    const int columns = (outs - 1) * stride + taps;
    const int64_t first = (r->origin + p * stride) * r->x_step[0] + c, at = p * r->y_step + c;
    reg s[4], w[7]; /* only the first `outs` and `taps` are used */
    UNROLL(4)
    for (int o = 0; o < outs; o++)
        s[o] = reg_load(zeros);
    for (int64_t row = 0; row < r->nrow; row++) {
        uintptr_t x = (uintptr_t)r->x[row] + (uintptr_t)first * sizeof(float);
        UNROLL(7)
        for (int t = 0; t < taps; t++)
            w[t] = reg_load(r->w[row] + t * r->channels + c);
        UNROLL(13)
        for (int k = 0; k < columns; k++, x += (uintptr_t)r->x_step[0] * sizeof(float)) {
            reg v = reg_load(k < left || k >= columns - right ? zeros : (const float *)x);
            REG_KEEP(v);
            UNROLL(4)
            for (int o = 0; o < outs; o++) {
                const int tap = k - o * stride;
                if (tap >= 0 && tap < taps)
                    s[o] = reg_fma(v, w[tap], s[o]);
            }
        }
    }
    finish(r, s, outs, reg_load(r->bias + c), r->y + at, r->res ? r->res + at : NULL);
}

LM_VEC void wide_row_of(const lm_depthwise_run *r, const span *in, int64_t c, int taps, int stride)
{
    for (int64_t p = in->lo, outs; p < in->hi; p += outs) {
        outs = in->hi - p < GROUP ? in->hi - p : GROUP;
        const int64_t begin = r->origin + p * stride, over = begin + (outs - 1) * stride + taps - r->width;
        const int64_t left = begin < 0 ? -begin : 0, right = over > 0 ? over : 0;
        if (outs == GROUP && !left && !right) {
            wide_outputs(r, p, c, taps, GROUP, stride, 0, 0);
            continue;
        }
        switch (outs) {
        case 4: wide_outputs(r, p, c, taps, 4, stride, left, right); break;
        case 3: wide_outputs(r, p, c, taps, 3, stride, left, right); break;
        case 2: wide_outputs(r, p, c, taps, 2, stride, left, right); break;
        default: wide_outputs(r, p, c, taps, 1, stride, left, right); break;
        }
    }
}

#define WIDE(taps, stride)                                                                                            \
    static __attribute__((noinline)) void wide_##taps##_##stride(const lm_depthwise_run *r, const span *in, int64_t c) \
    {                                                                                                                 \
        for (int64_t i = c; i < c + LM_LANES; i += REG)                                                                \
            wide_row_of(r, in, i, taps, stride);                                                                      \
    }
WIDE(5, 1) WIDE(5, 2) WIDE(7, 1) WIDE(7, 2)
#undef WIDE

typedef void (*row_fn)(const lm_depthwise_run *r, const span *in, int64_t c);
static const row_fn row_fns[2][3] = {{row_2_0, row_2_1, row_2_2}, {row_3_0, row_3_1, row_3_2}};
static const row_fn wide_fns[2][2] = {{wide_5_1, wide_5_2}, {wide_7_1, wide_7_2}};

void LM_NAME(lm_depthwise)(const lm_depthwise_run *r, int n)
{
    span in[LM_DEPTHWISE_BLOCK];
    row_fn fn[LM_DEPTHWISE_BLOCK];
    const int64_t whole = r->first + (r->last - r->first) / LM_LANES * LM_LANES;
    for (int i = 0; i < n; i++) {
        if (LM_COMPACT) {
            in[i] = (span){0}; /* no pixel is special */
            continue;
        }
        const int64_t shared = r[i].dilation == 1 && r[i].stride <= 2 ? r[i].stride : 0;
        const bool one = r[i].nrow && r[i].k[r[i].nrow - 1] + r[i].ntap <= LM_CHAIN;
        const bool wide = shared && one && (r[i].ntap == 5 || r[i].ntap == 7) && same_steps(&r[i]);
        in[i] = wide ? (span){.hi = r[i].pixels} : span_of(&r[i]);
        fn[i] = wide ? wide_fns[r[i].ntap == 7][shared - 1] : row_fns[r[i].nrow == 3][shared];
    }
    for (int64_t c = r->first; c < whole && !LM_COMPACT; c += LM_LANES)
        for (int64_t p = 0; p < r->pixels; p += STRETCH)
            for (int i = 0; i < n; i++) {
                const span part = piece_of(&in[i], p);
                if (part.lo < part.hi)
                    fn[i](&r[i], &part, c);
            }
    for (int i = 0; i < n; i++) {
        pixels_any(&r[i], 0, in[i].lo, r->first);
        pixels_any(&r[i], in[i].lo, in[i].hi, whole);
        pixels_any(&r[i], in[i].hi, r[i].pixels, r->first);
    }
}
