/* Matrix products and convolutions. */
#include "backends/ref/ref.h"

/* Which flat batch of an operand belongs to batch `index` of the result: its axes are right-aligned, sizes of 1 stay
 * at 0. */
static int64_t batch_of(const lm_shape *operand, int operand_batch, const lm_shape *batch, const int64_t *index)
{
    int64_t flat = 0;
    for (int i = 0; i < operand_batch; i++) {
        int64_t at = index[batch->rank - operand_batch + i];
        flat = flat * operand->dim[i] + (operand->dim[i] == 1 ? 0 : at);
    }
    return flat;
}

/* A matrix inside a dense array: element (row, column) at row * rs + column * cs. */
typedef struct matrix {
    int64_t rows, columns, rs, cs;
} matrix;

/* A vector is one row on the left and one column on the right. */
static matrix matrix_of(const lm_shape *s, bool transposed, bool left)
{
    if (s->rank == 1)
        return left ? (matrix){1, s->dim[0], 0, 1} : (matrix){s->dim[0], 1, 1, 0};
    int64_t rows = s->dim[s->rank - 2], columns = s->dim[s->rank - 1];
    return transposed ? (matrix){columns, rows, 1, columns} : (matrix){rows, columns, columns, 1};
}

static double dot(const double *a, int64_t da, const double *b, int64_t db, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i * da] * b[i * db];
    return sum;
}

static int64_t dot_int(const int64_t *a, int64_t da, const int64_t *b, int64_t db, int64_t n)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (uint64_t)a[i * da] * (uint64_t)b[i * db];
    return (int64_t)sum;
}

/* (a, b, bias?): bias is one value per column. */
lm_status lm_ref_matmul(const lm_ref_call *c)
{
    const lm_shape *sa = &c->x[0].sh, *sb = &c->x[1].sh;
    matrix a = matrix_of(sa, c->a->matmul.ta, true), b = matrix_of(sb, c->a->matmul.tb, false);
    int batch_a = sa->rank > 2 ? sa->rank - 2 : 0, batch_b = sb->rank > 2 ? sb->rank - 2 : 0;
    lm_shape batch = c->y[0].sh;
    batch.rank = batch_a > batch_b ? batch_a : batch_b;
    bool floats = lm_dtype_is_float(c->x[0].dt), biased = lm_ref_has(c, 2);
    int64_t n = lm_shape_count(&c->y[0].sh), index[LM_RANK] = {0}, at = 0;
    const double *fa = floats ? lm_ref_floats(c, 0) : NULL, *fb = floats ? lm_ref_floats(c, 1) : NULL;
    const double *fc = floats && biased ? lm_ref_floats(c, 2) : NULL;
    const int64_t *ia = floats ? NULL : lm_ref_ints(c, 0), *ib = floats ? NULL : lm_ref_ints(c, 1);
    const int64_t *ic = !floats && biased ? lm_ref_ints(c, 2) : NULL;
    double *yf = lm_ref_new_floats(c, n);
    int64_t *yi = lm_ref_new_ints(c, n);
    LM_REF_NEED((floats ? fa && fb : ia && ib) && (!biased || fc || ic) && yf && yi);
    if (n == 0)
        return LM_OK;
    do {
        int64_t from_a = batch_of(sa, batch_a, &batch, index) * a.rows * a.columns;
        int64_t from_b = batch_of(sb, batch_b, &batch, index) * b.rows * b.columns;
        for (int64_t i = 0; i < a.rows; i++)
            for (int64_t j = 0; j < b.columns; j++, at++) {
                int64_t pa = from_a + i * a.rs, pb = from_b + j * b.cs;
                if (floats)
                    yf[at] = dot(fa + pa, a.cs, fb + pb, b.rs, a.columns) + (biased ? fc[j] : 0);
                else
                    yi[at] = (int64_t)((uint64_t)dot_int(ia + pa, a.cs, ib + pb, b.rs, a.columns) +
                                       (biased ? (uint64_t)ic[j] : 0));
            }
    } while (lm_ref_next(&batch, index));
    if (floats)
        lm_ref_put_floats(c, 0, yf);
    else
        lm_ref_put_ints(c, 0, yi);
    return LM_OK;
}

/* The windows of a convolution whose image has the spatial sizes `image` and whose positions have `positions`. */
static lm_status conv_windows(const lm_ref_call *c, const int64_t *image, const int64_t *positions, lm_ref_windows *w)
{
    const lm_attr_conv *a = &c->a->conv;
    lm_ref_geometry g = {a->nd, image, positions, a->kernel, a->stride, a->dilation, a->pad_lo};
    return lm_ref_windows_of(c, &g, w);
}

/* y[n][m][p] = bias[m] + sum over the group's channels k and taps t of x[n][k][where p, t] * w[m][k][t]; what lies on
 * padding adds nothing. */
lm_status lm_ref_conv(const lm_ref_call *c)
{
    const lm_shape *sx = &c->x[0].sh, *sy = &c->y[0].sh;
    int64_t groups = c->a->conv.groups, batch = sx->dim[0], channels = sx->dim[1], out = sy->dim[1];
    int64_t depth = channels / groups, members = out / groups;
    lm_ref_windows win;
    LM_TRY(conv_windows(c, sx->dim + 2, sy->dim + 2, &win));
    const double *x = lm_ref_floats(c, 0), *w = lm_ref_floats(c, 1);
    const double *bias = lm_ref_has(c, 2) ? lm_ref_floats(c, 2) : NULL;
    double *y = lm_ref_new_floats(c, lm_shape_count(sy));
    LM_REF_NEED(x && w && y && (bias || !lm_ref_has(c, 2)));
    for (int64_t n = 0; n < batch; n++)
        for (int64_t m = 0; m < out; m++)
            for (int64_t p = 0; p < win.positions; p++) {
                double sum = 0;
                for (int64_t k = 0; k < depth; k++) {
                    const double *plane = x + (n * channels + m / members * depth + k) * win.pixels;
                    for (int64_t t = 0; t < win.taps; t++) {
                        /* padding is zeros like any other: times an infinite weight it is NaN */
                        int64_t at = win.where[p * win.taps + t];
                        sum += (at >= 0 ? plane[at] : 0.0) * w[(m * depth + k) * win.taps + t];
                    }
                }
                y[(n * out + m) * win.positions + p] = sum + (bias ? bias[m] : 0);
            }
    lm_ref_put_floats(c, 0, y);
    return LM_OK;
}

/* The transpose of conv in x: every signal element adds its weights to the pixels of its window. y[n][k][where p, t]
 * gets s[n][m][p] * w[m][k][t]; what falls on padding is dropped. */
lm_status lm_ref_conv_t(const lm_ref_call *c)
{
    const lm_shape *ss = &c->x[0].sh, *sy = &c->y[0].sh;
    int64_t groups = c->a->conv.groups, batch = ss->dim[0], in = ss->dim[1], out = sy->dim[1];
    int64_t depth = out / groups, members = in / groups;
    lm_ref_windows win;
    LM_TRY(conv_windows(c, sy->dim + 2, ss->dim + 2, &win));
    const double *s = lm_ref_floats(c, 0), *w = lm_ref_floats(c, 1);
    const double *bias = lm_ref_has(c, 2) ? lm_ref_floats(c, 2) : NULL;
    double *y = lm_ref_new_floats(c, lm_shape_count(sy));
    LM_REF_NEED(s && w && y && (bias || !lm_ref_has(c, 2)));
    for (int64_t n = 0; n < batch; n++) {
        for (int64_t m = 0; m < in; m++)
            for (int64_t k = 0; k < depth; k++) {
                double *plane = y + (n * out + m / members * depth + k) * win.pixels;
                for (int64_t p = 0; p < win.positions; p++)
                    for (int64_t t = 0; t < win.taps; t++) {
                        int64_t at = win.where[p * win.taps + t];
                        if (at >= 0)
                            plane[at] += s[(n * in + m) * win.positions + p] * w[(m * depth + k) * win.taps + t];
                    }
            }
        for (int64_t k = 0; k < out && bias; k++)
            for (int64_t at = 0; at < win.pixels; at++)
                y[(n * out + k) * win.pixels + at] += bias[k];
    }
    lm_ref_put_floats(c, 0, y);
    return LM_OK;
}

/* The transpose of conv in w: dw[m][k][t] = sum over samples n and positions p of s[n][m][p] * x[n][k][where p, t]. */
lm_status lm_ref_conv_dw(const lm_ref_call *c)
{
    const lm_shape *sx = &c->x[0].sh, *ss = &c->x[1].sh;
    int64_t groups = c->a->conv.groups, batch = sx->dim[0], channels = sx->dim[1], out = ss->dim[1];
    int64_t depth = channels / groups, members = out / groups;
    lm_ref_windows win;
    LM_TRY(conv_windows(c, sx->dim + 2, ss->dim + 2, &win));
    const double *x = lm_ref_floats(c, 0), *s = lm_ref_floats(c, 1);
    double *dw = lm_ref_new_floats(c, lm_shape_count(&c->y[0].sh));
    LM_REF_NEED(x && s && dw);
    for (int64_t m = 0; m < out; m++)
        for (int64_t k = 0; k < depth; k++)
            for (int64_t t = 0; t < win.taps; t++) {
                double sum = 0;
                for (int64_t n = 0; n < batch; n++) {
                    const double *plane = x + (n * channels + m / members * depth + k) * win.pixels;
                    for (int64_t p = 0; p < win.positions; p++) {
                        int64_t at = win.where[p * win.taps + t];
                        if (at >= 0)
                            sum += s[(n * out + m) * win.positions + p] * plane[at];
                    }
                }
                dw[(m * depth + k) * win.taps + t] = sum;
            }
    lm_ref_put_floats(c, 0, dw);
    return LM_OK;
}

lm_status lm_ref_epilogue(const lm_ref_call *c, const lm_epilogue *ep, const lm_view *x)
{
    /* y is an input here, and the epilogue's the second one */
    lm_view inputs[2] = {c->y[0], ep->residual ? *x++ : lm_view_absent()};
    lm_ref_call after = *c;
    after.x = inputs;
    after.nx = 2;
    int64_t n = lm_shape_count(&c->y[0].sh);
    if (ep->residual) {
        const double *y = lm_ref_floats(&after, 0), *r = lm_ref_floats(&after, 1);
        double *sum = lm_ref_new_floats(c, n);
        LM_REF_NEED(y && r && sum);
        for (int64_t i = 0; i < n; i++)
            sum[i] = y[i] + r[i];
        lm_ref_put_floats(c, 0, sum);
    }
    if (ep->active) {
        const double *y = lm_ref_floats(&after, 0);
        double *out = lm_ref_new_floats(c, n);
        LM_REF_NEED(y && out);
        for (int64_t i = 0; i < n; i++)
            out[i] = lm_ref_act(ep->act, y[i], (double)ep->attr.a, (double)ep->attr.b);
        lm_ref_put_floats(c, 0, out);
    }
    if (!ep->sloped)
        return LM_OK;
    const lm_attrs a = {.actdx = ep->slope};
    inputs[1] = *x;
    after.a = &a;
    return lm_ref_actdx(&after);
}
