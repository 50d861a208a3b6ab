/* The promised order of sums, spelled out a second time in the plainest form: what the scalar level gives must be these
 * bits, and every other level must give what the scalar level gives. Devices that all agreed on another order would not
 * pass. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/checkop/harness.h"

enum { LANES = 16, LONG = 65536, CHUNK = 16384, CHAIN = 256 };

static float at(const ck_tensor *t, int64_t i)
{
    float v;
    memcpy(&v, t->bytes + (size_t)i * sizeof v, sizeof v);
    return v;
}

static void put(ck_tensor *t, int64_t i, float v)
{
    memcpy(t->bytes + (size_t)i * sizeof v, &v, sizeof v);
}

static void unflatten(const lm_shape *sh, int64_t i, int64_t index[LM_RANK])
{
    for (int k = sh->rank - 1; k >= 0; k--) {
        index[k] = i % sh->dim[k];
        i /= sh->dim[k];
    }
}

/* Flat index of an element of `sh`, right-aligned with `index` of another rank, size 1 standing for any place. */
static int64_t spread(const lm_shape *sh, int dims, const int64_t *index, int rank)
{
    int64_t flat = 0;
    for (int k = 0; k < dims; k++) {
        int from = rank - dims + k;
        flat = flat * sh->dim[k] + (sh->dim[k] == 1 || from < 0 ? 0 : index[from]);
    }
    return flat;
}

/* The sum of products so far, of `terms`. */
typedef struct product {
    float whole, chain;
    int64_t terms;
} product;

/* CHAIN terms are a chain of fused multiply-adds from +0; chains are added one after the other. */
static void add_term(product *s, float a, float b)
{
    if (s->terms > 0 && s->terms % CHAIN == 0) {
        s->whole += s->chain;
        s->chain = 0;
    }
    s->chain = fmaf(a, b, s->chain);
    s->terms++;
}

/* Over the inner axis, then the bias. Ranks of 2 and more. */
static bool matmul(const ck_case *c, const ck_tensor *x, ck_tensor *y)
{
    const lm_shape *a = &x[0].sh, *b = &x[1].sh;
    bool ta = c->a.matmul.ta, tb = c->a.matmul.tb;
    if (a->rank < 2 || b->rank < 2)
        return false;
    int64_t k_all = a->dim[a->rank - (ta ? 2 : 1)], a_cols = a->dim[a->rank - 1], b_cols = b->dim[b->rank - 1];
    for (int64_t i = 0; i < y->n; i++) {
        int64_t index[LM_RANK];
        unflatten(&y->sh, i, index);
        int r = y->sh.rank;
        int64_t m = index[r - 2], n = index[r - 1];
        int64_t from_a = spread(a, a->rank - 2, index, r - 2) * a->dim[a->rank - 2] * a_cols;
        int64_t from_b = spread(b, b->rank - 2, index, r - 2) * b->dim[b->rank - 2] * b_cols;
        product s = {0};
        for (int64_t k = 0; k < k_all; k++)
            add_term(&s, at(&x[0], from_a + (ta ? k * a_cols + m : m * a_cols + k)),
                     at(&x[1], from_b + (tb ? n * b_cols + k : k * b_cols + n)));
        put(y, i, s.whole + s.chain + (c->nx > 2 && x[2].bytes ? at(&x[2], n) : 0));
    }
    return true;
}

static int64_t tap_count(const lm_attr_conv *a)
{
    int64_t taps = 1;
    for (int k = 0; k < a->nd; k++)
        taps *= a->kernel[k];
    return taps;
}

/* The pixel of `in` that a tap meets: where output `index` looks (both count axes from the batch), or, for the transposed
 * direction, whence it is reached: -2 where the stride passes over it. -1: outside. *pixels: of an image. */
static int64_t meets(const lm_attr_conv *a, const lm_shape *in, const int64_t *index, int64_t tap, bool back,
                     int64_t *pixels)
{
    int64_t pixel = 0;
    bool inside = true, reached = true;
    *pixels = 1;
    for (int k = a->nd - 1; k >= 0; k--) {
        int64_t way = tap % a->kernel[k] * a->dilation[k] - a->pad_lo[k];
        int64_t p = back ? index[k + 2] - way : index[k + 2] * a->stride[k] + way;
        tap /= a->kernel[k];
        reached = reached && !(back && p % a->stride[k]);
        p = back ? p / a->stride[k] : p;
        inside = inside && p >= 0 && p < in->dim[k + 2];
        pixel += p * *pixels;
        *pixels *= in->dim[k + 2];
    }
    return !reached ? -2 : !inside ? -1 : pixel;
}

/* Tap (row-major), then channel; padding is zeros. */
static bool conv(const ck_case *c, const ck_tensor *x, ck_tensor *y)
{
    const lm_attr_conv *a = &c->a.conv;
    const lm_shape *in = &x[0].sh, *w = &x[1].sh;
    int64_t channels = w->dim[1], per_group = w->dim[0] / a->groups, taps = tap_count(a), pixels;
    for (int64_t i = 0; i < y->n; i++) {
        int64_t index[LM_RANK];
        unflatten(&y->sh, i, index);
        product s = {0};
        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t pixel = meets(a, in, index, tap, false, &pixels);
            for (int64_t ch = 0; ch < channels; ch++) {
                int64_t source = index[1] / per_group * channels + ch;
                add_term(&s, pixel >= 0 ? at(&x[0], (index[0] * in->dim[1] + source) * pixels + pixel) : 0,
                         at(&x[1], (index[1] * channels + ch) * taps + tap));
            }
        }
        put(y, i, s.whole + s.chain + (c->nx > 2 && x[2].bytes ? at(&x[2], index[1]) : 0));
    }
    return true;
}

/* The taps that reach a pixel, in the order of the signal's pixels, that is backwards; then channel of the signal. */
static bool conv_t(const ck_case *c, const ck_tensor *x, ck_tensor *y)
{
    const lm_attr_conv *a = &c->a.conv;
    const lm_shape *in = &x[0].sh, *w = &x[1].sh;
    int64_t channels = w->dim[0] / a->groups, per_group = w->dim[1], taps = tap_count(a), pixels;
    for (int64_t i = 0; i < y->n; i++) {
        int64_t index[LM_RANK];
        unflatten(&y->sh, i, index);
        product s = {0};
        for (int64_t tap = taps - 1; tap >= 0; tap--) {
            int64_t pixel = meets(a, in, index, tap, true, &pixels);
            for (int64_t ch = 0; ch < channels && pixel != -2; ch++) {
                int64_t source = index[1] / per_group * channels + ch;
                add_term(&s, pixel >= 0 ? at(&x[0], (index[0] * in->dim[1] + source) * pixels + pixel) : 0,
                         at(&x[1], (source * per_group + index[1] % per_group) * taps + tap));
            }
        }
        put(y, i, s.whole + s.chain + (c->nx > 2 && x[2].bytes ? at(&x[2], index[1]) : 0));
    }
    return true;
}

/* The output pixels of a sample, row-major; those whose tap lies outside count, but are not added. Every sample begins a
 * chain. */
static bool conv_dw(const ck_case *c, const ck_tensor *x, ck_tensor *y)
{
    const lm_attr_conv *a = &c->a.conv;
    const lm_shape *in = &x[0].sh, *out = &x[1].sh;
    int64_t taps = tap_count(a), channels = y->sh.dim[1], per_group = y->sh.dim[0] / a->groups, places = 1, pixels;
    for (int k = 0; k < a->nd; k++)
        places *= out->dim[k + 2];
    for (int64_t i = 0; i < y->n; i++) {
        int64_t tap = i % taps, m = i / taps / channels, source = m / per_group * channels + i / taps % channels;
        float sum = 0;
        for (int64_t n = 0; n < in->dim[0]; n++) {
            product s = {.whole = sum};
            for (int64_t p = 0; p < places; p++) {
                int64_t index[LM_RANK];
                unflatten(out, p, index);
                int64_t pixel = meets(a, in, index, tap, false, &pixels);
                add_term(&s, pixel >= 0 ? at(&x[0], (n * in->dim[1] + source) * pixels + pixel) : 0,
                         pixel >= 0 ? at(&x[1], (n * out->dim[1] + m) * places + p) : 0);
            }
            sum = s.whole + s.chain;
        }
        put(y, i, sum + 0.0f);
    }
    return true;
}

static float fold(const float *v, int64_t n)
{
    float lane[LANES] = {0};
    for (int64_t i = 0; i < n; i++)
        lane[i % LANES] += v[i];
    for (int width = LANES / 2; width; width /= 2)
        for (int i = 0; i < width; i++)
            lane[i] += lane[i + width];
    return lane[0];
}

/* Reduced axes in order but channels (axis 1) last; element i goes to lane i mod 16; lanes join 8-4-2-1; long sums are
 * cut. */
static bool reduce_sum(const ck_case *c, const ck_tensor *x, ck_tensor *y)
{
    const lm_shape *sh = &x[0].sh;
    int axis[LM_RANK], axes = 0;
    int64_t count = 1, stride[LM_RANK], step = 1;
    for (int k = sh->rank - 1; k >= 0; k--) {
        stride[k] = step;
        step *= sh->dim[k];
    }
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < sh->rank; k++)
            if ((c->a.reduce.axes >> k & 1) && (k == 1) == (pass == 1)) {
                axis[axes++] = k;
                count *= sh->dim[k];
            }
    float *v = malloc((size_t)(count + 1) * sizeof *v);
    if (!v)
        return false;
    for (int64_t i = 0; i < y->n; i++) {
        int64_t rest = i, from = 0;
        for (int k = sh->rank - 1; k >= 0; k--)
            if (!(c->a.reduce.axes >> k & 1)) {
                from += rest % sh->dim[k] * stride[k];
                rest /= sh->dim[k];
            }
        for (int64_t j = 0; j < count; j++) {
            int64_t place = from, left = j;
            for (int k = axes - 1; k >= 0; k--) {
                place += left % sh->dim[axis[k]] * stride[axis[k]];
                left /= sh->dim[axis[k]];
            }
            v[j] = at(&x[0], place);
        }
        float sum = fold(v, count > LONG ? CHUNK : count);
        for (int64_t j = CHUNK; count > LONG && j < count; j += CHUNK)
            sum += fold(v + j, count - j < CHUNK ? count - j : CHUNK);
        put(y, i, sum);
    }
    free(v);
    return true;
}

bool ck_ordered(const ck_case *c, const ck_tensor *x, const lm_shape *sh, ck_tensor *y)
{
    static bool (*const rules[LM_OPS])(const ck_case *, const ck_tensor *, ck_tensor *) = {
        [LM_OP_MATMUL] = matmul,   [LM_OP_CONV] = conv,
        [LM_OP_CONV_T] = conv_t,   [LM_OP_CONV_DW] = conv_dw,
        [LM_OP_REDUCE_SUM] = reduce_sum,
    };
    if (!rules[c->op] || c->fused || c->type != LM_F32)
        return false;
    *y = ck_tensor_new(LM_F32, sh);
    if (rules[c->op](c, x, y))
        return true;
    ck_tensor_free(y);
    return false;
}
