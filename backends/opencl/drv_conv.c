/* Convolutions and transposed convolutions of one to three spatial axes. An image that needs zeros around it, or whose
 * channels are not neighbours, is copied first; then every term of a window lies at the same distance from the window's
 * place for all windows, and no kernel asks where an image ends.
 *
 * Turned around, an output pixel of a transposed convolution reads the signal through taps in reverse; outputs whose
 * distance is a multiple of the stride read the same taps and are one pass. */
#include <string.h>

#include "backends/opencl/depthwise.h"

enum { AXES = LM_CL_TAPS, GAP = 16, CACHE_WAY = 1024, PHASES = 17 };

/* The call with every convolution seen as three-dimensional: missing axes are of size 1. */
typedef struct shape3 {
    int64_t n, c, m, groups; /* samples, source channels, output channels */
    int64_t in[AXES], out[AXES], k[AXES], stride[AXES], dilation[AXES], pad[AXES];
} shape3;

/* Strides of a view: sample, channel, three axes. */
typedef struct steps {
    int64_t sample, channel, axis[AXES];
} steps;

static lm_status read_call(const lm_call *call, shape3 *s)
{
    const lm_attr_conv *a = &call->a->conv;
    const lm_shape *x = &call->x[0].sh, *y = &call->y[0].sh;
    LM_REQUIRE(a->nd >= 1 && a->nd <= LM_SPATIAL && x->rank == a->nd + 2 && call->x[1].sh.rank == a->nd + 2, LM_INPUT,
               "%s: %d spatial axes do not fit ranks %d and %d", lm_ops[call->op].name, (int)a->nd, (int)x->rank,
               (int)call->x[1].sh.rank);
    s->n = x->dim[0], s->c = x->dim[1], s->m = y->dim[1], s->groups = a->groups;
    for (int i = 0; i < AXES; i++) {
        const int j = i - (AXES - a->nd);
        s->in[i] = j < 0 ? 1 : x->dim[2 + j];
        s->out[i] = j < 0 ? 1 : y->dim[2 + j];
        s->k[i] = j < 0 ? 1 : a->kernel[j];
        s->stride[i] = j < 0 ? 1 : a->stride[j];
        s->dilation[i] = j < 0 ? 1 : a->dilation[j];
        s->pad[i] = j < 0 ? 0 : a->pad_lo[j];
    }
    return LM_OK;
}

static steps steps_of(const lm_view *v)
{
    steps s = {.sample = v->st[0], .channel = v->st[1]};
    const int nd = v->sh.rank - 2;
    for (int i = 0; i < AXES; i++)
        s.axis[i] = i < AXES - nd ? 0 : v->st[2 + i - (AXES - nd)];
    return s;
}

/* The image as the kernels read it: `lo` and `hi` zeros around it, channels neighbours. lo may be negative: then the
 * image's first pixels are left out. */
static lm_status bring(lm_cl_maker *m, const shape3 *s, const int64_t lo[AXES], const int64_t hi[AXES], bool many,
                       steps *x)
{
    const lm_view *v = &m->call->x[0];
    *x = steps_of(v);
    bool plain = x->channel == 1 || s->c == 1;
    for (int i = 0; i < AXES; i++)
        plain = plain && lo[i] <= 0 && hi[i] <= 0;
    const bool alias = many && m->k->cl->panels && x->axis[AXES - 1] % CACHE_WAY == 0;
    if (plain && !alias) {
        for (int i = 0; i < AXES; i++)
            m->p.a0 -= lo[i] * x->axis[i];
        return LM_OK;
    }
    lm_cl_border b = {.pixel = s->c + (many && m->k->cl->panels && s->c % CACHE_WAY == 0 ? GAP : 0)};
    const int64_t size[5] = {s->n, s->in[0], s->in[1], s->in[2], s->c};
    const int64_t st[5] = {x->sample, x->axis[0], x->axis[1], x->axis[2], x->channel};
    for (int i = 0; i < 5; i++) {
        b.in[i] = b.out[i] = size[i];
        b.st[i] = st[i];
    }
    for (int i = 0; i < AXES; i++) {
        b.lo[1 + i] = lo[i];
        b.out[1 + i] += lo[i] + hi[i];
        LM_REQUIRE(b.out[1 + i] >= 0, LM_UNSUPPORTED, "Conv: pads that crop all of an image");
    }
    LM_TRY(lm_cl_product_border(m, m->a, &b, &m->a));
    x->channel = 1;
    int64_t step = b.pixel;
    for (int i = AXES - 1; i >= 0; step *= b.out[1 + i--])
        x->axis[i] = step;
    x->sample = step;
    return LM_OK;
}

static void groups_of(lm_cl_maker *m, const shape3 *s, const lm_cl_pack *pack, const steps *y, const steps *r,
                      const steps *p)
{
    const int d = LM_CL_DIGITS - 1;
    m->p.part_dim[d] = s->groups;
    m->p.part_a[d] = s->c / s->groups;
    m->p.part_b[d] = m->p.b_panel * pack->panels;
    m->p.part_y[d] = s->m / s->groups * y->channel;
    m->p.part_r[d] = s->m / s->groups * r->channel;
    m->p.part_p[d] = s->m / s->groups * p->channel;
    m->p.part_bias[d] = s->m / s->groups * m->p.bias_column;
    m->p.y_column = y->channel, m->p.r_column = r->channel, m->p.p_column = p->channel;
    m->p.a_step = 1;
}

/* Rows are pixels of the result: those at `first` + i * `step` along each axis, `out` of them. */
static void rows_of(lm_cl_maker *m, int64_t n, const int64_t out[AXES], const int64_t a_step[AXES], const steps *x,
                    const int64_t first[AXES], const int64_t step[AXES], const steps *y, const steps *r, const steps *p)
{
    lm_cl_product *q = &m->p;
    q->rows = n;
    q->row_dim[0] = n, q->row_a[0] = x->sample, q->row_y[0] = y->sample, q->row_r[0] = r->sample,
    q->row_p[0] = p->sample;
    q->y0 = q->r0 = q->p0 = 0;
    for (int i = 0; i < AXES; i++) {
        q->rows *= out[i];
        q->row_dim[1 + i] = out[i];
        q->row_a[1 + i] = a_step[i] * x->axis[i];
        q->row_y[1 + i] = step[i] * y->axis[i], q->y0 += first[i] * y->axis[i];
        q->row_r[1 + i] = step[i] * r->axis[i], q->r0 += first[i] * r->axis[i];
        q->row_p[1 + i] = step[i] * p->axis[i], q->p0 += first[i] * p->axis[i];
    }
}

static steps optional_steps(const lm_cl_maker *m, int input)
{
    return input < 0 ? (steps){0} : steps_of(&m->call->x[input]);
}

static lm_status make_conv(lm_cl_maker *m)
{
    shape3 s;
    lm_cl_pack pack;
    lm_cl_product *p = &m->p;
    LM_TRY(read_call(m->call, &s));
    if (lm_shape_count(&m->call->y[0].sh) == 0)
        return LM_OK;
    const steps y = steps_of(&m->call->y[0]), r = optional_steps(m, m->residual), q = optional_steps(m, m->slope);
    LM_TRY(lm_cl_product_weights(m, LM_CL_PACK_CONV, s.groups, &pack));
    int64_t hi[AXES];
    steps x;
    for (int i = 0; i < AXES; i++)
        hi[i] = (s.out[i] - 1) * s.stride[i] + (s.k[i] - 1) * s.dilation[i] + 1 - s.pad[i] - s.in[i];
    LM_TRY(bring(m, &s, s.pad, hi, s.m / s.groups > 2 * pack.nr, &x));
    p->channels = pack.channels;
    int64_t tap = pack.channels * pack.nr;
    for (int i = AXES - 1; i >= 0; tap *= s.k[i--]) {
        p->tap_dim[i] = s.k[i];
        p->tap_a[i] = s.dilation[i] * x.axis[i];
        p->tap_b[i] = tap;
    }
    /* the taps of a row lie side by side, in the very order of the chain */
    if (s.groups == 1 && p->tap_a[AXES - 1] == s.c) {
        p->channels *= s.k[AXES - 1];
        p->tap_dim[AXES - 1] = 1;
    }
    groups_of(m, &s, &pack, &y, &r, &q);
    rows_of(m, s.n, s.out, s.stride, &x, (int64_t[AXES]){0}, (int64_t[]){1, 1, 1}, &y, &r, &q);
    return lm_cl_product_pass(m);
}

/* Few results per pixel leave panels empty: then the pixels of a line, side by side in a copy, are the columns. */
static bool is_thin(const lm_cl_maker *m, const shape3 *s)
{
    const int64_t nr = lm_cl_panel(m->k->cl);
    return m->k->cl->panels && s->groups == 1 && m->bias < 0 && s->m * 4 <= nr && s->out[2] / s->stride[2] * 2 >= nr;
}

/* The image as [n][z][y][channel][x] with zeros around it, and room to read a panel past its end. */
static lm_status bring_turned(lm_cl_maker *m, const shape3 *s, const int64_t lo[AXES], const int64_t hi[AXES],
                              steps *x)
{
    *x = steps_of(&m->call->x[0]);
    const int64_t size[5] = {s->n, s->in[0], s->in[1], s->c, s->in[2]}, nr = lm_cl_panel(m->k->cl);
    const int64_t st[5] = {x->sample, x->axis[0], x->axis[1], x->channel, x->axis[2]};
    const int at[AXES] = {1, 2, 4};
    lm_cl_border b = {0};
    size_t past;
    for (int i = 0; i < 5; i++)
        b.in[i] = b.out[i] = size[i], b.st[i] = st[i];
    for (int i = 0; i < AXES; i++) {
        b.lo[at[i]] = lo[i];
        b.out[at[i]] += lo[i] + hi[i];
        LM_REQUIRE(b.out[at[i]] >= 0, LM_UNSUPPORTED, "Conv: pads that crop all of an image");
    }
    b.pixel = b.out[4];
    LM_TRY(lm_cl_product_border(m, (lm_cl_place){0, 0}, &b, &m->b));
    LM_TRY(lm_cl_scratch(m->k, nr, sizeof(float), &past));
    *x = (steps){.channel = b.pixel, .axis = {b.pixel * s->c * b.out[2], b.pixel * s->c, 1}};
    x->sample = x->axis[0] * b.out[1];
    m->p.a_step = m->p.b_step, m->p.b_step = b.pixel, m->p.b_panel = nr;
    return LM_OK;
}

/* From rows_of: lines become parts, the pixels of a line columns, the results of a pixel rows. */
static void turn_rows(lm_cl_maker *m, int64_t results, const steps *y, const steps *r, const steps *p)
{
    lm_cl_product *q = &m->p;
    const int x = LM_CL_DIGITS - 1;
    q->columns = q->row_dim[x];
    q->y_column = q->row_y[x], q->r_column = q->row_r[x], q->p_column = q->row_p[x];
    for (int d = 0; d < LM_CL_DIGITS; d++) {
        const int from = d - 1; /* samples, then two axes, after a digit of 1 */
        q->part_dim[d] = from < 0 ? 1 : q->row_dim[from];
        q->part_a[d] = q->part_bias[d] = 0;
        q->part_b[d] = from < 0 ? 0 : q->row_a[from], q->part_y[d] = from < 0 ? 0 : q->row_y[from];
        q->part_r[d] = from < 0 ? 0 : q->row_r[from], q->part_p[d] = from < 0 ? 0 : q->row_p[from];
    }
    for (int d = 0; d < LM_CL_DIGITS; d++)
        q->row_dim[d] = 1, q->row_a[d] = q->row_y[d] = q->row_r[d] = q->row_p[d] = 0;
    q->rows = q->row_dim[x] = results;
    q->row_a[x] = 1, q->row_y[x] = y->channel, q->row_r[x] = r->channel, q->row_p[x] = p->channel;
    m->across = true;
}

/* Along one axis, the taps that reach outputs of a phase: how many, the first one's number and the place it reads
 * relative to output 0 of the phase, and the steps from one to the next. */
typedef struct phase {
    int64_t n, tap, tap_step, at, at_step, out;
} phase;

static phase phase_of(const shape3 *s, int k, int64_t number)
{
    phase f = {.out = number < s->out[k] ? (s->out[k] - number + s->stride[k] - 1) / s->stride[k] : 0};
    int64_t last = 0;
    for (int64_t j = s->k[k] - 1; j >= 0; j--) {
        const int64_t v = number + s->pad[k] - j * s->dilation[k];
        if (v % s->stride[k] != 0)
            continue;
        if (f.n == 0)
            f.tap = j, f.at = v / s->stride[k];
        else if (f.n == 1)
            f.tap_step = j - last, f.at_step = v / s->stride[k] - f.at;
        last = j;
        f.n++;
    }
    return f;
}

/* One phase: rows are pixels, or, `thin`, lines are parts, their pixels columns and the weights' columns rows. */
static lm_status add_phase(lm_cl_maker *m, const shape3 *s, const int64_t number[AXES], const lm_cl_pack *pack,
                           const steps *x, int64_t image, bool thin, const steps *y, const steps *r, const steps *q)
{
    lm_cl_product *p = &m->p;
    int64_t out[AXES], tap = pack->channels * pack->nr, weights = 0;
    int64_t *image_step = thin ? p->tap_b : p->tap_a, *weights_step = thin ? p->tap_a : p->tap_b;
    for (int i = AXES - 1; i >= 0; tap *= s->k[i--]) {
        const phase f = phase_of(s, i, number[i]);
        out[i] = f.out;
        p->tap_dim[i] = f.n;
        image_step[i] = f.at_step * x->axis[i], weights_step[i] = f.tap_step * tap;
        image += f.at * x->axis[i], weights += f.tap * tap;
    }
    if (out[0] == 0 || out[1] == 0 || out[2] == 0)
        return LM_OK;
    p->a0 = thin ? weights : image, p->b0 = thin ? image : weights;
    rows_of(m, s->n, out, (int64_t[]){1, 1, 1}, x, number, s->stride, y, r, q);
    if (thin)
        turn_rows(m, s->m, y, r, q);
    return lm_cl_product_pass(m);
}

/* Windows that lie side by side without bias, as where an image is cut into patches. */
static bool is_patches(const lm_cl_maker *m, const shape3 *s)
{
    const lm_view *w = &m->call->x[1];
    bool ok = s->groups == 1 && s->k[0] * s->k[1] * s->k[2] > 1 && m->bias < 0 && m->residual < 0 && m->slope < 0 &&
              lm_view_is_row(w);
    for (int k = 0; k < AXES; k++)
        ok = ok && s->k[k] == s->stride[k] && s->dilation[k] == 1 && s->pad[k] == 0 && s->out[k] == s->in[k] * s->k[k];
    return ok;
}

/* One product whose columns are all of a window's results, and a copy to where they belong. */
static lm_status make_patches(lm_cl_maker *m, const shape3 *s)
{
    lm_cl_pack pack;
    lm_cl_product *p = &m->p;
    steps x;
    const steps y = steps_of(&m->call->y[0]);
    const int64_t none[AXES] = {0};
    LM_TRY(lm_cl_product_weights(m, LM_CL_PACK_PATCHES, 0, &pack));
    LM_TRY(bring(m, s, none, none, pack.columns > 2 * pack.nr, &x));
    p->channels = pack.channels, p->a_step = 1, p->y_column = 1;
    int64_t row = pack.columns;
    p->rows = s->n;
    p->row_dim[0] = s->n, p->row_a[0] = x.sample;
    for (int i = AXES - 1; i >= 0; row *= s->in[i--]) {
        p->rows *= s->in[i];
        p->row_dim[1 + i] = s->in[i], p->row_a[1 + i] = x.axis[i], p->row_y[1 + i] = row;
    }
    p->row_y[0] = row;
    m->y.operand = LM_CL_SCRATCH;
    LM_TRY(lm_cl_scratch(m->k, p->rows * pack.columns, sizeof(float), &m->y.off));
    LM_TRY(lm_cl_product_pass(m));
    lm_view from = {.dt = LM_F32, .sh = LM_SHAPE(s->n, s->m, s->in[0], s->k[0], s->in[1], s->k[1], s->in[2], s->k[2])},
            to = from;
    int64_t tap = 1;
    for (int i = AXES - 1; i >= 0; tap *= s->k[i--]) {
        from.st[2 + 2 * i] = p->row_y[1 + i], from.st[3 + 2 * i] = tap;
        to.st[2 + 2 * i] = y.axis[i] * s->k[i], to.st[3 + 2 * i] = y.axis[i];
    }
    from.st[0] = row, from.st[1] = tap;
    to.st[0] = y.sample, to.st[1] = y.channel;
    return lm_cl_add_copy(m->k, &from, m->y, &to, (lm_cl_place){m->call->nx, 0});
}

static lm_status make_conv_t(lm_cl_maker *m)
{
    shape3 s;
    lm_cl_pack pack;
    LM_TRY(read_call(m->call, &s));
    if (lm_shape_count(&m->call->y[0].sh) == 0)
        return LM_OK;
    const steps y = steps_of(&m->call->y[0]), r = optional_steps(m, m->residual), q = optional_steps(m, m->slope);
    if (is_patches(m, &s))
        return make_patches(m, &s);
    LM_REQUIRE(s.stride[0] * s.stride[1] * s.stride[2] <= PHASES, LM_UNSUPPORTED,
               "ConvTranspose: strides with more than %d phases", PHASES);
    LM_TRY(lm_cl_product_weights(m, LM_CL_PACK_CONV_T, s.groups, &pack));
    /* how far outside of the signal any phase reads */
    int64_t lo[AXES], hi[AXES];
    for (int i = 0; i < AXES; i++) {
        lo[i] = hi[i] = 0;
        for (int64_t number = 0; number < s.stride[i]; number++) {
            const phase f = phase_of(&s, i, number);
            const int64_t end = f.at + (f.n - 1) * f.at_step + f.out - s.in[i];
            if (f.n && f.out) {
                lo[i] = -f.at > lo[i] ? -f.at : lo[i];
                hi[i] = end > hi[i] ? end : hi[i];
            }
        }
    }
    steps x;
    const bool thin = is_thin(m, &s);
    groups_of(m, &s, &pack, &y, &r, &q);
    if (thin) {
        m->a = m->b;
        LM_TRY(bring_turned(m, &s, lo, hi, &x));
    } else {
        LM_TRY(bring(m, &s, lo, hi, s.m / s.groups > 2 * pack.nr, &x));
    }
    int64_t image = 0;
    for (int i = 0; i < AXES; i++)
        image += lo[i] * x.axis[i];
    m->p.channels = pack.channels;
    for (int64_t z = 0; z < s.stride[0]; z++)
        for (int64_t v = 0; v < s.stride[1]; v++)
            for (int64_t u = 0; u < s.stride[2]; u++)
                LM_TRY(add_phase(m, &s, (int64_t[]){z, v, u}, &pack, &x, image, thin, &y, &r, &q));
    return LM_OK;
}

lm_status lm_cl_bind_conv(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    lm_cl_maker m;
    const bool depthwise = lm_cl_is_depthwise(call);
    LM_TRY(lm_cl_product_start(cl, call, depthwise ? "depthwise_f32" : "conv_f32", &m));
    return lm_cl_bound(m.k, depthwise ? lm_cl_make_depthwise(&m) : make_conv(&m), out);
}

lm_status lm_cl_bind_conv_t(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    lm_cl_maker m;
    const bool depthwise = lm_cl_is_depthwise(call);
    LM_TRY(lm_cl_product_start(cl, call, depthwise ? "depthwise_t_f32" : "conv_t_f32", &m));
    return lm_cl_bound(m.k, depthwise ? lm_cl_make_depthwise(&m) : make_conv_t(&m), out);
}
