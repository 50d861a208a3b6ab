/* depthwise.c - depthwise convolution: a few outputs of a row at a time for one register of channels after the other,
 * so that the pixels that they need, which lie together, are read together. Filters of three taps a row without
 * dilation take seven outputs or four, which share source pixels in registers; filters of five and seven taps take
 * four. Other filters of three taps a row go pixel by pixel, and all others the general way. */
#include "backends/cpu/depthwise.h"

#include "backends/cpu/simd/vec.h"

/* Outputs in flight: of rows of three taps (the widths of usual images are multiples of the first), of longer rows. */
enum { MANY = 7, FEW = 4, GROUP = LM_LEVEL_NO == 0 ? 1 : 4 };

#ifdef __clang__
#define UNROLL(n)
#else
#define UNROLL(n) PRAGMA(GCC unroll n)
#define PRAGMA(text) _Pragma(#text)
#endif

/* Addresses that are computed once: the compiler would rather keep a register for each sum of two of them. */
#define KEEP(v) __asm__("" : "+r"(v))

/* A loaded register is used up to three times; left to itself the compiler would load it again for each. A whole lm_v16
 * would be several registers where they are short. */
#if LM_LEVEL_NO == 1
#define REG_KEEP(v) __asm__("" : "+x"(v))
typedef __m256 reg;
enum { REG = 8 };
LM_VEC reg reg_zero(void) { return _mm256_setzero_ps(); }
LM_VEC reg reg_load(const float *p) { return _mm256_loadu_ps(p); }
LM_VEC void reg_store(float *p, reg v) { _mm256_storeu_ps(p, v); }
LM_VEC reg reg_add(reg a, reg b) { return _mm256_add_ps(a, b); }
LM_VEC reg reg_mul(reg a, reg b) { return _mm256_mul_ps(a, b); }
LM_VEC reg reg_fma(reg a, reg b, reg c) { return _mm256_fmadd_ps(a, b, c); }
LM_VEC reg reg_clamp(reg v, float lo, float hi)
{
    return _mm256_min_ps(_mm256_set1_ps(hi), _mm256_max_ps(_mm256_set1_ps(lo), v));
}
#elif LM_LEVEL_NO == 3
#define REG_KEEP(v) __asm__("" : "+w"(v))
typedef float32x4_t reg;
enum { REG = 4 };
LM_VEC reg reg_zero(void) { return vdupq_n_f32(0); }
LM_VEC reg reg_load(const float *p) { return vld1q_f32(p); }
LM_VEC void reg_store(float *p, reg v) { vst1q_f32(p, v); }
LM_VEC reg reg_add(reg a, reg b) { return vaddq_f32(a, b); }
LM_VEC reg reg_mul(reg a, reg b) { return vmulq_f32(a, b); }
LM_VEC reg reg_fma(reg a, reg b, reg c) { return vfmaq_f32(c, a, b); }
LM_VEC reg reg_clamp(reg v, float lo, float hi)
{
    return vminq_f32(vdupq_n_f32(hi), vmaxq_f32(vdupq_n_f32(lo), v));
}
#else
#if LM_LEVEL_NO == 2
#define REG_KEEP(v) __asm__("" : "+v"(v))
#else
#define REG_KEEP(v) ((void)(v))
#endif
typedef lm_v16 reg;
enum { REG = LM_LANES };
LM_VEC reg reg_zero(void) { return lm_v_zero(); }
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

LM_VEC void pixels_any(const lm_depthwise_run *r, int64_t first)
{
    for (int64_t p = 0; p < r->pixels; p++) {
        int64_t i = first;
        for (; i + LM_LANES <= r->last; i += LM_LANES)
            pixel_any(r, p, i, LM_LANES);
        if (i < r->last)
            pixel_any(r, p, i, r->last - i);
    }
}

/* The end of output s at element `at` of y and of the residual. */
LM_VEC void finish(const lm_depthwise_run *r, reg s, reg bias, int64_t at)
{
    reg v = reg_add(s, bias);
    if (r->res)
        v = reg_add(v, reg_load(r->res + at));
    if (r->clamp)
        v = reg_clamp(v, r->lo, r->hi); /* v is not -0, so lo may be 0 */
    reg_store(r->y + at, v);
}

typedef uintptr_t place; /* an address or a distance in bytes, which may be of a pixel outside the image */

LM_VEC place place_of(const float *p, int64_t floats) { return (place)p + (place)floats * sizeof(float); }
LM_VEC reg at_place(place p) { return reg_load((const float *)p); }

/* Filters of two or three rows of three taps, any stride and dilation: one output at a time. */
LM_VEC void pixels_of(const lm_depthwise_run *r, int64_t c, int rows)
{
    reg w[9];
    const reg bias = reg_load(r->bias + c);
    for (int row = 0; row < rows; row++)
        for (int t = 0; t < 3; t++)
            w[row * 3 + t] = reg_load(r->w[row] + t * r->channels + c);
    for (int64_t p = 0; p < r->pixels; p++) {
        reg s = reg_zero();
        UNROLL(3)
        for (int row = 0; row < rows; row++) {
            int64_t i = r->origin + p * r->stride;
            UNROLL(3)
            for (int t = 0; t < 3; t++, i += r->dilation) {
                const float *x = i >= 0 && i < r->width ? r->x[row] + i * r->x_step[row] : r->zero;
                s = reg_fma(reg_load(x + c), w[row * 3 + t], s);
            }
        }
        finish(r, s, bias, p * r->y_step + c);
    }
}

#define PIXELS(rows)                                                                                                  \
    static __attribute__((noinline)) void pixels_##rows(const lm_depthwise_run *r, int64_t c)                         \
    {                                                                                                                 \
        for (int64_t i = c; i < c + LM_LANES; i += REG)                                                               \
            pixels_of(r, i, rows);                                                                                    \
    }
PIXELS(2) PIXELS(3)
#undef PIXELS

/* Where the sources of a few outputs are at channel 0: for each row of the filter the first pixel, the ones between and
 * the last one (zeros for the two ends where they are outside the image), and the weights. */
typedef struct lane {
    place first[3], between[3], last[3], w[3], bias, y;
} lane;

/* step * k from the first of three places that are four steps apart; `three` is 3 * step. */
LM_VEC place stepped(const place *from, int k, place step, place three)
{
    if (k == 12)
        return from[2] + step * 4;
    const place to[] = {0, step, step * 2, three};
    return from[k / 4] + to[k % 4];
}

/* `outs` outputs from pixel p on with `rows` (2 or 3) rows of three taps, `stride` source pixels apart; the first
 * `skip` are not stored. The first product is not added to +0, which could only turn -0 into +0: adding the bias, which
 * is not -0, does the same. */
LM_VEC void outputs(const lm_depthwise_run *r, int64_t p, int64_t skip, int64_t whole, int outs, int rows, int stride)
{
    const int columns = (outs - 1) * stride + 3;
    const int64_t begin = r->origin + p * stride, x_step = r->x_step[0];
    const place x1 = (place)x_step * sizeof(float), y1 = (place)r->y_step * sizeof(float),
                tap = (place)r->channels * sizeof(float), end = (place)whole * sizeof(float);
    place x3 = 3 * x1, y3 = 3 * y1;
    KEEP(x3);
    KEEP(y3);
    lane in = {.bias = (place)r->bias, .y = place_of(r->y, p * r->y_step)};
    for (int row = 0; row < rows; row++) {
        in.between[row] = place_of(r->x[row], (begin + 1) * x_step);
        in.first[row] = begin < 0 ? (place)r->zero : in.between[row] - x1;
        in.last[row] = begin + columns > r->width ? (place)r->zero : in.between[row] + (place)(columns - 2) * x1;
        in.w[row] = (place)r->w[row];
    }
    const bool plain = !r->res && !r->clamp && !skip;
    for (place c = (place)r->first * sizeof(float); c < end; c += REG * sizeof(float)) {
        const lane *l = &in; /* in memory: registers are for the steps */
        __asm__ volatile("" : "+r"(l) : : "memory");
        reg s[MANY];
        UNROLL(3)
        for (int row = 0; row < rows; row++) {
            place at = l->w[row] + c, x[3] = {l->between[row] + c};
            KEEP(at);
            KEEP(x[0]);
            for (int i = 1; i <= stride; i++) {
                x[i] = x[0] + (place)i * 4 * x1;
                KEEP(x[i]);
            }
            const reg w[3] = {at_place(at), at_place(at + tap), at_place(at + tap * 2)};
            UNROLL(15)
            for (int k = 0; k < columns; k++) {
                const bool ends = k == 0 || k == columns - 1, shared = !ends && (stride == 1 || k % 2 == 0);
                reg v = at_place(k == 0 ? l->first[row] + c : ends ? l->last[row] + c : stepped(x, k - 1, x1, x3));
                if (shared)
                    REG_KEEP(v);
                UNROLL(7)
                for (int o = 0; o < outs; o++) {
                    const int t = k - o * stride;
                    if (t >= 0 && t < 3)
                        s[o] = row + t ? reg_fma(v, w[t], s[o]) : reg_mul(v, w[t]);
                }
            }
        }
        const reg bias = at_place(l->bias + c);
        place y[2] = {l->y + c, l->y + c + y1 * 4};
        KEEP(y[1]);
        UNROLL(7)
        for (int o = 0; o < outs; o++) {
            if (plain)
                reg_store((float *)stepped(y, o, y1, y3), reg_add(s[o], bias));
            else if (o >= skip)
                finish(r, s[o], bias, (p + o) * r->y_step + (int64_t)(c / sizeof(float)));
        }
    }
}

#define OUTPUTS(outs, rows, stride)                                                                                   \
    static __attribute__((noinline)) void outputs_##outs##_##rows##_##stride(const lm_depthwise_run *r, int64_t p,    \
                                                                             int64_t skip, int64_t whole)             \
    {                                                                                                                 \
        outputs(r, p, skip, whole, outs, rows, stride);                                                               \
    }
OUTPUTS(4, 2, 1) OUTPUTS(4, 2, 2) OUTPUTS(4, 3, 1) OUTPUTS(4, 3, 2)
OUTPUTS(7, 2, 1) OUTPUTS(7, 2, 2) OUTPUTS(7, 3, 1) OUTPUTS(7, 3, 2)
#undef OUTPUTS

/* `outs` outputs from pixel p on with rows of `taps` taps, of which one row's weights are in registers at a time; the
 * first `left` and the last `right` source columns are outside the image. */
LM_VEC void wide_outputs(const lm_depthwise_run *r, int64_t p, int64_t c, int taps, int outs, int stride, int64_t left,
                         int64_t right)
{
    const int columns = (outs - 1) * stride + taps;
    const int64_t first = (r->origin + p * stride) * r->x_step[0] + c, at = p * r->y_step + c;
    reg s[4], w[7]; /* only the first `outs` and `taps` are used */
    UNROLL(4)
    for (int o = 0; o < outs; o++)
        s[o] = reg_zero();
    for (int64_t row = 0; row < r->nrow; row++) {
        uintptr_t x = (uintptr_t)r->x[row] + (uintptr_t)first * sizeof(float);
        UNROLL(7)
        for (int t = 0; t < taps; t++)
            w[t] = reg_load(r->w[row] + t * r->channels + c);
        UNROLL(13)
        for (int k = 0; k < columns; k++, x += (uintptr_t)r->x_step[0] * sizeof(float)) {
            reg v = reg_load(k < left || k >= columns - right ? r->zero : (const float *)x);
            REG_KEEP(v);
            UNROLL(4)
            for (int o = 0; o < outs; o++) {
                const int tap = k - o * stride;
                if (tap >= 0 && tap < taps)
                    s[o] = reg_fma(v, w[tap], s[o]);
            }
        }
    }
    UNROLL(4)
    for (int o = 0; o < outs; o++)
        finish(r, s[o], reg_load(r->bias + c), at + o * r->y_step);
}

LM_VEC void wide_row_of(const lm_depthwise_run *r, int64_t c, int taps, int stride)
{
    for (int64_t p = 0, outs; p < r->pixels; p += outs) {
        outs = r->pixels - p < GROUP ? r->pixels - p : GROUP;
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
    static __attribute__((noinline)) void wide_##taps##_##stride(const lm_depthwise_run *r, int64_t c)                \
    {                                                                                                                 \
        for (int64_t i = c; i < c + LM_LANES; i += REG)                                                               \
            wide_row_of(r, i, taps, stride);                                                                          \
    }
WIDE(5, 1) WIDE(5, 2) WIDE(7, 1) WIDE(7, 2)
#undef WIDE

/* Four outputs, seven outputs. */
typedef struct outputs_fns {
    void (*few)(const lm_depthwise_run *r, int64_t p, int64_t skip, int64_t whole);
    void (*many)(const lm_depthwise_run *r, int64_t p, int64_t skip, int64_t whole);
} outputs_fns;
typedef void (*row_fn)(const lm_depthwise_run *r, int64_t c);
static const outputs_fns some_fns[2][2] = {{{outputs_4_2_1, outputs_7_2_1}, {outputs_4_2_2, outputs_7_2_2}},
                                           {{outputs_4_3_1, outputs_7_3_1}, {outputs_4_3_2, outputs_7_3_2}}};
static const row_fn wide_fns[2][2] = {{wide_5_1, wide_5_2}, {wide_7_1, wide_7_2}};

static bool same_steps(const lm_depthwise_run *r)
{
    for (int64_t row = 1; row < r->nrow; row++)
        if (r->x_step[row] != r->x_step[0])
            return false;
    return true;
}

/* What takes a row of LM_LANES channels from c on, if not a few outputs at a time; NULL: the general way. */
static row_fn row_of(const lm_depthwise_run *r)
{
    const bool one = r->nrow && r->k[r->nrow - 1] + r->ntap <= LM_CHAIN, wide = r->ntap == 5 || r->ntap == 7;
    if (LM_COMPACT || !one)
        return NULL;
    if (wide && r->dilation == 1 && r->stride <= 2 && same_steps(r))
        return wide_fns[r->ntap == 7][r->stride - 1];
    if (r->ntap == 3 && (r->nrow == 2 || r->nrow == 3))
        return r->nrow == 2 ? pixels_2 : pixels_3;
    return NULL;
}

/* A few outputs at a time: only the first and the last one may miss a column. */
static const outputs_fns *outputs_of(const lm_depthwise_run *r)
{
    const bool three = r->ntap == 3 && (r->nrow == 2 || r->nrow == 3) && same_steps(r);
    const bool near = r->dilation == 1 && r->stride <= 2 && r->pixels >= FEW;
    const bool inside = r->origin >= -1 && r->origin + (r->pixels - 1) * r->stride + 2 <= r->width;
    return LM_LEVEL_NO && three && near && inside ? &some_fns[r->nrow == 3][r->stride - 1] : NULL;
}

void LM_NAME(lm_depthwise)(const lm_depthwise_run *r, int n)
{
    const outputs_fns *some[LM_DEPTHWISE_BLOCK];
    row_fn row[LM_DEPTHWISE_BLOCK];
    const int64_t whole = r->first + (r->last - r->first) / LM_LANES * LM_LANES;
    for (int i = 0; i < n; i++) {
        some[i] = outputs_of(&r[i]);
        row[i] = some[i] ? NULL : row_of(&r[i]);
        pixels_any(&r[i], some[i] || row[i] ? whole : r->first);
    }
    for (int64_t c = r->first; c < whole; c += LM_LANES)
        for (int i = 0; i < n; i++)
            if (row[i])
                row[i](&r[i], c);
    for (int64_t p = 0, outs; p < r->pixels; p += outs) {
        const int64_t left = r->pixels - p;
        outs = r->pixels < MANY || left <= FEW || left == 2 * FEW ? FEW : MANY;
        const int64_t skip = outs > left ? outs - left : 0;
        for (int i = 0; i < n; i++)
            if (some[i])
                (outs == FEW ? some[i]->few : some[i]->many)(&r[i], p - skip, skip, whole);
    }
}
