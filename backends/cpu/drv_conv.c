/* Binds convolutions and transposed convolutions of one to three spatial axes. Activations are read and written with
 * contiguous channels (NHWC); other layouts pass through the workspace.
 *
 * A transposed convolution adds signal pixel s, tap k, into output pixel s * stride + k * dilation - pad. Turned
 * around, an output pixel reads the signal through taps in reverse, that is in the signal's row-major order; outputs
 * whose distance is a multiple of the stride read the same taps and form one pass. */
#include "backends/cpu/bind.h"
#include "backends/cpu/block.h"
#include "backends/cpu/depthwise.h"
#include "backends/cpu/product.h"
#include "backends/cpu/thin.h"
#include "core/base/mem.h"

/* The call with every convolution seen as three-dimensional: missing axes are of size 1. */
typedef struct shape3 {
    int64_t n, c, m, groups; /* samples, source channels, output channels */
    int64_t in[LM_AXES], out[LM_AXES], k[LM_AXES], stride[LM_AXES], dilation[LM_AXES], pad[LM_AXES];
} shape3;

static void pad_axes(const lm_call *call, shape3 *s)
{
    const lm_attr_conv *a = &call->a->conv;
    const lm_shape *x = &call->x[0].sh, *y = &call->y[0].sh;
    s->n = x->dim[0], s->c = x->dim[1], s->m = y->dim[1], s->groups = a->groups;
    for (int i = 0; i < LM_AXES; i++) {
        const int j = i - (LM_AXES - a->nd);
        s->in[i] = j < 0 ? 1 : x->dim[2 + j];
        s->out[i] = j < 0 ? 1 : y->dim[2 + j];
        s->k[i] = j < 0 ? 1 : a->kernel[j];
        s->stride[i] = j < 0 ? 1 : a->stride[j];
        s->dilation[i] = j < 0 ? 1 : a->dilation[j];
        s->pad[i] = j < 0 ? 0 : a->pad_lo[j];
    }
}

static lm_status check(const lm_call *call)
{
    const lm_attr_conv *a = &call->a->conv;
    for (int i = 0; i < call->nx; i++)
        LM_REQUIRE(!lm_view_present(&call->x[i]) || call->x[i].dt == LM_F32, LM_UNSUPPORTED,
                   "%s: input %d is %s; only float32", lm_ops[call->op].name, i, lm_dtype_name(call->x[i].dt));
    LM_REQUIRE(a->nd >= 1 && a->nd <= LM_SPATIAL && call->x[0].sh.rank == a->nd + 2 && call->x[1].sh.rank == a->nd + 2,
               LM_INPUT, "%s: %d spatial axes do not fit ranks %d and %d", lm_ops[call->op].name, (int)a->nd,
               (int)call->x[0].sh.rank, (int)call->x[1].sh.rank);
    return LM_OK;
}

/* Strides of a view over (sample, three axes); true when channels are contiguous. */
static bool strides(const lm_view *v, int64_t *sample, int64_t step[LM_AXES])
{
    const int nd = v->sh.rank - 2;
    *sample = v->st[0];
    for (int i = 0; i < LM_AXES; i++)
        step[i] = i < LM_AXES - nd ? 0 : v->st[2 + i - (LM_AXES - nd)];
    return v->st[1] == 1 || v->sh.dim[1] == 1;
}

/* Strides of operand `v` for the kernel: its own when channels are contiguous, else those of a copy. */
static lm_status arrange(lm_product *p, const lm_view *v, bool out, lm_relayout *r, int64_t *sample,
                         int64_t step[LM_AXES])
{
    if (strides(v, sample, step))
        return LM_OK;
    lm_view copy = *v;
    lm_strides_nhwc(&v->sh, copy.st);
    if (v->sh.rank == 3) /* [n, c, w] as [n, w, c] */
        copy.st[0] = v->sh.dim[1] * v->sh.dim[2], copy.st[1] = 1, copy.st[2] = v->sh.dim[1];
    strides(&copy, sample, step);
    return lm_product_relayout(p, v, copy.st, (size_t)lm_shape_count(&v->sh), out, r);
}

/* x, y and what the epilogue takes; y's strides for the passes in y_step. */
static lm_status operands(lm_product *p, const lm_call *call, int64_t y_step[LM_AXES])
{
    lm_igemm *g = &p->g;
    LM_TRY(arrange(p, &call->x[0], false, &p->x, &g->x_sample, g->x_step));
    LM_TRY(arrange(p, &call->y[0], true, &p->y, &g->y_sample, y_step));
    int64_t st[LM_RANK];
    for (int i = 0; i < call->y[0].sh.rank; i++)
        st[i] = i == 0 ? g->y_sample : i == 1 ? 1 : y_step[LM_AXES - call->y[0].sh.rank + i];
    return lm_product_operands(p, call, st);
}

/* A product in disguise (one tap, no padding) whose rows would push each other out of the first-level cache: the pixels
 * it reads, copied with a gap after each, and the geometry of the copy. */
static lm_status space_rows(lm_cpu *cpu, lm_product *p, const lm_call *call, shape3 *s)
{
    lm_igemm *g = &p->g;
    int64_t st[LM_RANK], step = s->c + LM_ROW_GAP;
    bool plain = s->groups == 1 && p->x.at == LM_NO_SPACE && s->m > 2 * g->set->nr &&
                 lm_rows_alias(cpu->topo, g->set, s->out[1] * s->out[2], g->x_step[2] * s->stride[2]);
    for (int k = 0; k < LM_AXES; k++)
        plain &= s->k[k] == 1 && s->pad[k] == 0 && s->out[k] > 0 && (s->out[k] - 1) * s->stride[k] < s->in[k];
    if (!plain)
        return LM_OK;
    lm_view v = call->x[0];
    st[1] = 1;
    for (int i = v.sh.rank - 1; i >= 2; step *= v.sh.dim[i--]) {
        const int k = i + LM_AXES - v.sh.rank;
        v.sh.dim[i] = s->in[k] = s->out[k];
        v.st[i] *= s->stride[k];
        s->stride[k] = 1;
        st[i] = g->x_step[k] = step;
    }
    st[0] = g->x_sample = step;
    return lm_product_relayout(p, &v, st, (size_t)(s->n * step), false, &p->x);
}

static void reach(lm_igemm *g, lm_pass *p)
{
    for (int k = 0; k < LM_AXES; k++)
        for (int t = 0; t < p->ntap; t++) {
            const int64_t at = g->tap[p->first_tap + t].at[k];
            const int64_t end = at + (k == 2 && g->run_step ? g->channels / g->run_step - 1 : 0);
            p->reach_lo[k] = !t || at < p->reach_lo[k] ? at : p->reach_lo[k];
            p->reach_hi[k] = !t || end > p->reach_hi[k] ? end : p->reach_hi[k];
        }
}

/* Pixels of rows, planes and samples that lie at one distance on both sides become one axis: tiles end only with it. */
static void join_axes(lm_igemm *g)
{
    lm_pass *p = g->pass;
    const int64_t dx = p->step[2] * g->x_step[2], dy = p->y_step[2];
    if (p->ntap != 1 || g->run_step)
        return;
    for (int k = 0; k < LM_AXES; k++)
        if (p->origin[k] + p->reach_lo[k] != 0 || p->out[k] < 1 || (p->out[k] - 1) * p->step[k] >= g->in[k])
            return;
    for (int k = LM_AXES - 1; k-- > 0;) {
        if (p->out[k] > 1 && (p->step[k] * g->x_step[k] != p->out[2] * dx || p->y_step[k] != p->out[2] * dy))
            return;
        p->out[2] *= p->out[k];
        g->in[2] = (p->out[2] - 1) * p->step[2] + 1;
        p->out[k] = g->in[k] = 1;
    }
    if (g->samples > 1 && g->x_sample == p->out[2] * dx && g->y_sample == p->out[2] * dy) {
        p->out[2] *= g->samples;
        g->in[2] = (p->out[2] - 1) * p->step[2] + 1;
        g->samples = 1;
    }
}

static void parts(lm_product *p, const shape3 *s)
{
    for (int64_t i = 0; i < s->groups; i++) {
        lm_part *part = &p->g.part[i];
        const int64_t panels = (p->pack.columns + p->pack.nr - 1) / p->pack.nr;
        part->x = i * (s->c / s->groups);
        part->y = i * (s->m / s->groups);
        part->b = i * panels * lm_pack_panel(&p->pack);
        part->bias = i * panels * p->pack.nr;
    }
    p->bias_parts = s->groups;
}

static void add_tap(lm_igemm *g, lm_pass *p, const int64_t at[LM_AXES], int64_t b_off)
{
    lm_tap *tap = &g->tap[p->first_tap + p->ntap++];
    *tap = (lm_tap){.b_off = b_off};
    for (int k = 0; k < LM_AXES; k++) {
        tap->at[k] = at[k];
        tap->a_off += at[k] * g->x_step[k];
    }
}

lm_status lm_cpu_bind_conv(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    shape3 s;
    lm_product *p;
    LM_TRY(check(call));
    pad_axes(call, &s);
    const int64_t taps = s.k[0] * s.k[1] * s.k[2];
    const bool depthwise = s.groups > 1 && s.groups == s.c && s.groups == s.m && s.k[0] * s.k[1] <= LM_DEPTHWISE_ROWS;
    LM_TRY(lm_product_new(cpu, call, "conv", 1, taps, depthwise ? 1 : s.groups, &p));
    lm_status status = LM_OK;
    lm_igemm *g = &p->g;
    lm_pass *pass = &g->pass[0];
    int64_t y_step[LM_AXES];
    LM_TRY_OUT(lm_product_epilogue(cpu, p, call));
    LM_TRY_OUT(operands(p, call, y_step));
    LM_TRY_OUT(space_rows(cpu, p, call, &s));
    if (depthwise)
        lm_pack_depthwise(&call->x[1], &p->pack);
    else
        lm_pack_conv(&call->x[1], s.groups, g->set->nr, &p->pack);
    g->samples = s.n;
    g->channels = p->pack.channels;
    /* Few channels: the taps of a row lie side by side in memory, in the very order of the chain. */
    const bool wide = s.groups == 1 && s.dilation[2] == 1 && g->x_step[2] == s.c && s.k[2] > 1 && s.k[2] * s.c <= LM_RUN;
    if (wide)
        g->run_step = s.c, g->channels = s.c * s.k[2];
    for (int k = 0; k < LM_AXES; k++) {
        g->in[k] = s.in[k];
        pass->out[k] = s.out[k], pass->step[k] = s.stride[k], pass->origin[k] = -s.pad[k], pass->y_step[k] = y_step[k];
    }
    const int64_t per_row = wide ? 1 : s.k[2];
    for (int64_t z = 0; z < s.k[0]; z++)
        for (int64_t y = 0; y < s.k[1]; y++)
            for (int64_t x = 0; x < per_row; x++)
                add_tap(g, pass, (int64_t[]){z * s.dilation[0], y * s.dilation[1], x * s.dilation[2]},
                        ((z * s.k[1] + y) * per_row + x) * g->channels * p->pack.nr);
    reach(g, pass);
    if (depthwise) {
        p->row_taps = s.k[2], p->row_dilation = s.dilation[2];
        LM_TRY_OUT(lm_product_finish(cpu, p, call, LM_CPU_PACK_DEPTHWISE, 0, "depthwise"));
    } else {
        parts(p, &s);
        LM_TRY_OUT(lm_thin_plan(p, p->pack.columns));
        if (!p->thin_width)
            join_axes(g);
        LM_TRY_OUT(lm_product_finish(cpu, p, call, LM_CPU_PACK_CONV, s.groups, p->thin_width ? "conv_thin" : "conv"));
    }
    *out = &p->k.base;
    return LM_OK;
out:
    lm_free(p);
    return status;
}

/* Per axis: the phases (outputs o = phase mod stride), and for one phase its outputs, and the taps that reach it with
 * the signal displacement they read. */
static int64_t phase_taps(const shape3 *s, int k, int64_t phase, int64_t *index, int64_t *at)
{
    int64_t n = 0;
    for (int64_t j = s->k[k] - 1; j >= 0; j--) {
        const int64_t v = phase + s->pad[k] - j * s->dilation[k];
        if (v % s->stride[k] == 0) {
            index[n] = s->k[k] - 1 - j; /* weights are packed in reverse */
            at[n++] = v / s->stride[k];
        }
    }
    return n;
}

static void add_phase(lm_product *p, const shape3 *s, lm_pass *pass, const int64_t phase[LM_AXES], int64_t *scratch,
                      const int64_t y_step[LM_AXES])
{
    int64_t *index[LM_AXES], *at[LM_AXES], n[LM_AXES];
    for (int k = 0; k < LM_AXES; k++) {
        index[k] = scratch, scratch += s->k[k];
        at[k] = scratch, scratch += s->k[k];
        n[k] = phase_taps(s, k, phase[k], index[k], at[k]);
        pass->out[k] = phase[k] < s->out[k] ? (s->out[k] - phase[k] + s->stride[k] - 1) / s->stride[k] : 0;
        pass->step[k] = 1;
        pass->origin[k] = 0;
        pass->y_step[k] = y_step[k] * s->stride[k];
        pass->y_off += y_step[k] * phase[k];
    }
    for (int64_t z = 0; z < n[0]; z++)
        for (int64_t y = 0; y < n[1]; y++)
            for (int64_t x = 0; x < n[2]; x++)
                add_tap(&p->g, pass, (int64_t[]){at[0][z], at[1][y], at[2][x]},
                        ((index[0][z] * s->k[1] + index[1][y]) * s->k[2] + index[2][x]) * p->g.channels * p->g.set->nr);
    reach(&p->g, pass);
}

/* Few results per pixel in windows that lie side by side, as where an image is cut into patches: one product whose
 * columns are all of a window's results. */
static bool is_patches(lm_cpu *cpu, const lm_call *call, const shape3 *s)
{
    lm_pack pack;
    const int64_t nr = lm_tiles_of(cpu->level)->nr, taps = s->k[0] * s->k[1] * s->k[2];
    const bool bias = call->nx > 2 && lm_view_present(&call->x[2]);
    bool ok = s->groups == 1 && taps > 1 && s->m < nr && !bias && !lm_epilogue_inputs(call->ep);
    for (int k = 0; k < LM_AXES; k++)
        ok &= s->k[k] == s->stride[k] && s->dilation[k] == 1 && s->pad[k] == 0 && s->out[k] == s->in[k] * s->k[k];
    return ok && lm_pack_patches(&call->x[1], nr, &pack);
}

/* From the product's result, [sample][pixel][output][tap], to y. */
static lm_status spread_patches(lm_product *p, const lm_call *call, const shape3 *s, int64_t y_step[LM_AXES])
{
    const lm_view *y = &call->y[0];
    const int64_t taps = s->k[0] * s->k[1] * s->k[2];
    lm_copy_axis axis[LM_COPY_AXES];
    int64_t sample, to[LM_AXES], tap = 1, pixel = s->m * taps;
    int n = 0;
    strides(y, &sample, to);
    axis[n++] = (lm_copy_axis){s->m, y->st[1], taps};
    for (int k = LM_AXES - 1; k >= 0; tap *= s->k[k], pixel *= s->in[k], k--) {
        y_step[k] = pixel;
        axis[n++] = (lm_copy_axis){s->k[k], to[k], tap};
        axis[n++] = (lm_copy_axis){s->in[k], to[k] * s->k[k], pixel};
    }
    axis[n++] = (lm_copy_axis){s->n, sample, pixel};
    p->g.y_sample = pixel;
    lm_copy_plan(&p->y.copy, sizeof(float), n, axis);
    return lm_product_reserve(p, (size_t)lm_shape_count(&y->sh), sizeof(float), &p->y.at);
}

static lm_status bind_patches(lm_cpu *cpu, const lm_call *call, const shape3 *s, lm_kernel **out)
{
    lm_product *p;
    LM_TRY(lm_product_new(cpu, call, "conv_t", 1, 1, 1, &p));
    lm_status status = LM_OK;
    lm_igemm *g = &p->g;
    lm_pass *pass = &g->pass[0];
    LM_TRY_OUT(lm_product_epilogue(cpu, p, call));
    LM_TRY_OUT(arrange(p, &call->x[0], false, &p->x, &g->x_sample, g->x_step));
    LM_TRY_OUT(spread_patches(p, call, s, pass->y_step));
    lm_pack_patches(&call->x[1], g->set->nr, &p->pack);
    g->samples = s->n;
    g->channels = p->pack.channels;
    for (int k = 0; k < LM_AXES; k++)
        g->in[k] = pass->out[k] = s->in[k], pass->step[k] = 1;
    add_tap(g, pass, (int64_t[LM_AXES]){0}, 0);
    reach(g, pass);
    LM_TRY_OUT(lm_product_finish(cpu, p, call, LM_CPU_PACK_PATCHES, 0, "conv_t_patches"));
    *out = &p->k.base;
    return LM_OK;
out:
    lm_free(p);
    return status;
}

lm_status lm_cpu_bind_conv_t(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    shape3 s;
    lm_product *p;
    LM_TRY(check(call));
    pad_axes(call, &s);
    if (is_patches(cpu, call, &s))
        return bind_patches(cpu, call, &s, out);
    const int64_t passes = s.stride[0] * s.stride[1] * s.stride[2];
    LM_TRY(lm_product_new(cpu, call, "conv_t", passes, s.k[0] * s.k[1] * s.k[2], s.groups, &p));
    lm_status status = LM_OK;
    lm_igemm *g = &p->g;
    int64_t y_step[LM_AXES];
    int64_t *scratch = lm_malloc((size_t)(2 * (s.k[0] + s.k[1] + s.k[2])), sizeof *scratch);
    if (!scratch) {
        status = LM_MEMORY;
        goto out;
    }
    LM_TRY_OUT(lm_product_epilogue(cpu, p, call));
    LM_TRY_OUT(operands(p, call, y_step));
    if (passes == 1)
        LM_TRY_OUT(space_rows(cpu, p, call, &s));
    lm_pack_conv_t(&call->x[1], s.groups, g->set->nr, &p->pack);
    g->samples = s.n;
    g->channels = p->pack.channels;
    for (int k = 0; k < LM_AXES; k++)
        g->in[k] = s.in[k];
    int taps = 0;
    lm_pass *pass = g->pass;
    for (int64_t z = 0; z < s.stride[0]; z++)
        for (int64_t y = 0; y < s.stride[1]; y++)
            for (int64_t x = 0; x < s.stride[2]; x++, pass++) {
                pass->first_tap = taps;
                add_phase(p, &s, pass, (int64_t[]){z, y, x}, scratch, y_step);
                taps += pass->ntap;
            }
    parts(p, &s);
    LM_TRY_OUT(lm_thin_plan(p, p->pack.columns));
    if (passes == 1 && !p->thin_width)
        join_axes(g);
    LM_TRY_OUT(lm_product_finish(cpu, p, call, LM_CPU_PACK_CONV_T, s.groups, p->thin_width ? "conv_t_thin" : "conv_t"));
    lm_free(scratch);
    *out = &p->k.base;
    return LM_OK;
out:
    lm_free(scratch);
    lm_free(p);
    return status;
}
