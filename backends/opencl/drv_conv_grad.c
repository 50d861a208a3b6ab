/* Weight gradients of convolutions: w[m, c, tap] = sum of signal[m] * x[c] over samples and output pixels. A product
 * for each tap whose rows are channels of x, neighbours in memory, and whose terms are pixels; every sample begins a
 * new chain. */
#include "backends/opencl/product.h"

enum { AXES = LM_CL_TAPS, GAP = 16 };

typedef struct image {
    int64_t n, c, size[AXES], sample, axis[AXES];
} image;

/* An operand with neighbouring channels, `lo` and `hi` zeros around it, and `gap` elements after each pixel that may be
 * read; copied if it is not so already. */
static lm_status bring(lm_cl_maker *m, int input, const int64_t lo[AXES], const int64_t hi[AXES], int64_t gap,
                       lm_cl_place *at, image *i)
{
    const lm_view *v = &m->call->x[input];
    const int r = v->sh.rank;
    lm_cl_border b = {.in = {v->sh.dim[0], 1, 1, 1, v->sh.dim[1]}, .st = {v->st[0], 0, 0, 0, v->st[1]}};
    bool plain = (v->st[1] == 1 || v->sh.dim[1] == 1) && gap == 0;
    for (int d = 2; d < r; d++) {
        b.in[4 - r + d] = v->sh.dim[d];
        b.st[4 - r + d] = v->st[d];
    }
    for (int d = 0; d < 5; d++)
        b.out[d] = b.in[d];
    *i = (image){.n = b.in[0], .c = b.in[4], .sample = b.st[0]};
    for (int d = 0; d < AXES; d++) {
        plain = plain && lo[d] == 0 && hi[d] <= 0;
        i->size[d] = b.in[1 + d];
        i->axis[d] = b.st[1 + d];
        b.lo[1 + d] = lo[d];
        b.out[1 + d] += lo[d] + (hi[d] > 0 ? hi[d] : 0);
        LM_REQUIRE(b.out[1 + d] > 0, LM_UNSUPPORTED, "ConvWeightGrad: pads that crop all of an image");
    }
    if (plain)
        return LM_OK;
    b.pixel = b.in[4] + gap;
    LM_TRY(lm_cl_product_border(m, *at, &b, at));
    int64_t step = b.pixel;
    for (int d = AXES - 1; d >= 0; step *= b.out[1 + d--])
        i->axis[d] = step;
    i->sample = step;
    return LM_OK;
}

/* What is not finite in the signal must not meet the zeros that are there for the kernel's convenience. */
static lm_status add_repair(lm_cl_maker *m, const int64_t lo[AXES])
{
    const lm_call *call = m->call;
    const lm_attr_conv *a = &call->a->conv;
    const lm_view *x = &call->x[0], *s = &call->x[1], *w = &call->y[0];
    lm_cl_depthwise p = {.units = w->sh.dim[0], .n = x->sh.dim[0], .c = w->sh.dim[1]};
    lm_cl_pass *pass;
    p.blocks = p.units / a->groups;
    for (int i = 0; i < 2; i++)
        p.x[i] = x->st[i], p.r[i] = s->st[i], p.y[i] = w->st[i];
    for (int d = 0; d < AXES; d++) {
        const int j = d - (AXES - a->nd);
        p.in[d] = j < 0 ? 1 : x->sh.dim[2 + j], p.x[2 + d] = j < 0 ? 0 : x->st[2 + j];
        p.out[d] = j < 0 ? 1 : s->sh.dim[2 + j], p.r[2 + d] = j < 0 ? 0 : s->st[2 + j];
        p.kernel_[d] = j < 0 ? 1 : w->sh.dim[2 + j], p.y[2 + d] = j < 0 ? 0 : w->st[2 + j];
        p.stride[d] = j < 0 ? 1 : a->stride[j];
        p.dilation[d] = j < 0 ? 1 : a->dilation[j];
        p.pad[d] = lo[d];
    }
    LM_TRY(lm_cl_pass_add(m->k, "conv_grad.cl", "", "without_padding", &p, sizeof p, &pass));
    lm_cl_pass_operand(pass, 0, 0);
    lm_cl_pass_operand(pass, 1, 0);
    lm_cl_pass_operand(pass, call->nx, 0);
    lm_cl_pass_line(m->k, pass, p.units, 0);
    return LM_OK;
}

static lm_status make(lm_cl_maker *m)
{
    const lm_call *call = m->call;
    const lm_attr_conv *a = &call->a->conv;
    const lm_view *w = &call->y[0];
    const int64_t none[AXES] = {0}, groups = a->groups, nr = lm_cl_panel(m->k->cl);
    const bool panels = m->k->cl->panels;
    const int nd = a->nd;
    int64_t lo[AXES] = {0}, hi[AXES] = {0};
    image x, s;
    bool padded = false;
    lm_cl_product *p = &m->p;
    if (lm_shape_count(&w->sh) == 0)
        return LM_OK;
    for (int d = AXES - nd; d < AXES; d++) {
        const int j = d - (AXES - nd);
        lo[d] = a->pad_lo[j];
        hi[d] = (call->x[1].sh.dim[2 + j] - 1) * a->stride[j] + (w->sh.dim[2 + j] - 1) * a->dilation[j] + 1 - lo[d] -
                call->x[0].sh.dim[2 + j];
        padded = padded || lo[d] > 0 || hi[d] > 0;
    }
    LM_TRY(bring(m, 0, lo, hi, panels ? GAP : 0, &m->a, &x));
    p->rows = x.c / groups, p->columns = w->sh.dim[0] / groups;
    LM_TRY(bring(m, 1, none, none, panels && p->columns % nr ? nr : 0, &m->b, &s));
    p->row_dim[3] = p->rows, p->row_a[3] = 1, p->row_y[3] = w->st[1];
    p->part_dim[0] = groups, p->part_a[0] = p->rows, p->part_b[0] = p->columns, p->part_y[0] = p->columns * w->st[0];
    p->tap_dim[0] = x.n, p->tap_a[0] = x.sample, p->tap_b[0] = s.sample;
    for (int d = 0; d < AXES; d++) {
        const int j = d - (AXES - nd);
        const int64_t stride = j < 0 ? 1 : a->stride[j];
        p->part_dim[1 + d] = j < 0 ? 1 : w->sh.dim[2 + j];
        p->part_a[1 + d] = j < 0 ? 0 : a->dilation[j] * x.axis[d];
        p->part_y[1 + d] = j < 0 ? 0 : w->st[2 + j];
        if (d == AXES - 1) {
            p->channels = s.size[d], p->a_step = stride * x.axis[d], p->b_step = s.axis[d];
        } else if (d == AXES - 2) {
            p->tap_dim[2] = s.size[d], p->tap_a[2] = stride * x.axis[d], p->tap_b[2] = s.axis[d];
        } else {
            p->tap_dim[1] = s.size[d], p->tap_a[1] = stride * x.axis[d], p->tap_b[1] = s.axis[d];
        }
    }
    p->b_panel = nr;
    p->y_column = w->st[0];
    p->restart = 1;
    m->across = true;
    LM_TRY(lm_cl_product_pass(m));
    return padded ? add_repair(m, lo) : LM_OK;
}

lm_status lm_cl_bind_conv_dw(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_attr_conv *a = &call->a->conv;
    lm_cl_maker m;
    LM_REQUIRE(a->nd >= 1 && a->nd <= LM_SPATIAL && call->x[0].sh.rank == a->nd + 2, LM_INPUT,
               "ConvWeightGrad: %d spatial axes do not fit rank %d", (int)a->nd, (int)call->x[0].sh.rank);
    LM_TRY(lm_cl_product_start(cl, call, "conv_dw_f32", &m));
    return lm_cl_bound(m.k, make(&m), out);
}
