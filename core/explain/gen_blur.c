/* Integrated gradients along a path of blurred images, from the most blurred one to the image itself: the gradient
 * in the middle of each step of sigma, times how the image changes over the step. */
#include <math.h>

#include "core/explain/blur.h"
#include "core/explain/path.h"

typedef struct blurring {
    lm_task *t;
    int64_t steps;
    lm_image *image;        /* by input */
    double *widest;         /* sigma at the beginning, by input */
    double **x, **from, **to; /* the input, and it blurred as at the beginning and the end of a step */
    double **sum;           /* by input * targets + target */
    lm_view goal;           /* at the most blurred image */
} blurring;

/* Sigma of an input at `step` of `steps`: from the widest down to 0, in steps that become smaller as more comes back
 * with each pixel. Where on the path the steps end changes nothing but how well the sum stands for the integral. */
static double sigma_at(const blurring *b, int input, double step)
{
    const double left = 1 - step / (double)b->steps;
    return b->widest[input] * left * left;
}

static lm_status fill_blurred(void *own, int64_t row, const lm_view *x)
{
    const blurring *b = own;
    for (int i = 0; i < b->t->ninput; i++) {
        LM_TRY(lm_blur(&b->image[i], sigma_at(b, i, (double)row + 0.5), b->x[i], b->to[i]));
        for (int64_t e = 0, n = lm_shape_count(&b->t->x[i].sh); e < n; e++)
            lm_put(&x[i], e, b->to[i][e]);
    }
    return LM_OK;
}

static lm_status add_step(void *own, int64_t row, const lm_swept *r)
{
    const blurring *b = own;
    const int targets = b->t->targets;
    for (int i = 0; i < b->t->ninput; i++) {
        double *from = b->from[i];
        LM_TRY(lm_blur(&b->image[i], sigma_at(b, i, (double)row + 1), b->x[i], b->to[i]));
        for (int64_t e = 0, n = lm_shape_count(&b->t->x[i].sh); e < n; e++) {
            const double change = b->to[i][e] - from[e];
            for (int k = 0; k < targets; k++)
                b->sum[i * targets + k][e] += change * lm_at(&r->signal[i * targets + k], e);
            from[e] = b->to[i][e];
        }
    }
    return LM_OK;
}

static lm_status fill_widest(void *own, int64_t row, const lm_view *x)
{
    const blurring *b = own;
    (void)row;
    for (int i = 0; i < b->t->ninput; i++) {
        LM_TRY(lm_blur(&b->image[i], b->widest[i], b->x[i], b->from[i]));
        for (int64_t e = 0, n = lm_shape_count(&b->t->x[i].sh); e < n; e++)
            lm_put(&x[i], e, b->from[i][e]);
    }
    return LM_OK;
}

/* What results should sum to: the target's change from the most blurred image. */
static lm_status state_gap(void *own, int64_t row, const lm_swept *r)
{
    blurring *b = own;
    lm_task *t = b->t;
    (void)row;
    for (int k = 0; k < t->targets; k++) {
        double *start = lm_arena_alloc(t->arena, 1, sizeof *start), sum = 0;
        if (!start)
            return LM_MEMORY;
        *start = lm_task_value(t, &r->goal, k);
        const double whole = t->target[k].value - *start;
        for (int i = 0; i < t->ninput; i++)
            for (int64_t e = 0, n = lm_shape_count(&t->x[i].sh); e < n; e++)
                sum += b->sum[i * t->targets + k][e];
        for (int i = 0; i < t->ninput; i++) {
            lm_certificate *c = &t->result[i * t->targets + k].certificate;
            t->result[i * t->targets + k].start = start;
            c->gap_abs = fabs(sum - whole);
            c->gap_rel = c->gap_abs / fmax(fabs(whole), 1e-12);
        }
    }
    return LM_OK;
}

static lm_status blurring_open(lm_task *t, blurring *out)
{
    const size_t n = (size_t)t->ninput;
    const double asked = lm_task_number(t, "max_sigma");
    *out = (blurring){.t = t, .steps = lm_task_whole(t, "steps")};
    out->image = lm_arena_alloc(t->arena, n, sizeof *out->image);
    out->widest = lm_arena_alloc(t->arena, n, sizeof *out->widest);
    out->x = lm_arena_alloc(t->arena, n, sizeof *out->x);
    out->from = lm_arena_alloc(t->arena, n, sizeof *out->from);
    out->to = lm_arena_alloc(t->arena, n, sizeof *out->to);
    out->sum = lm_arena_alloc(t->arena, n * (size_t)t->targets, sizeof *out->sum);
    if (!out->image || !out->widest || !out->x || !out->from || !out->to || !out->sum)
        return LM_MEMORY;
    for (int i = 0; i < t->ninput; i++) {
        LM_TRY(lm_image_find(&t->x[i].sh, t->input[i].name, &out->image[i]));
        const size_t count = (size_t)lm_shape_count(&t->x[i].sh);
        const double side = (double)(out->image[i].height < out->image[i].width ? out->image[i].height
                                                                                 : out->image[i].width);
        out->widest[i] = isnan(asked) ? 50 * side / 224 : asked;
        out->x[i] = lm_arena_alloc(t->arena, count, sizeof(double));
        out->from[i] = lm_arena_alloc(t->arena, count, sizeof(double));
        out->to[i] = lm_arena_alloc(t->arena, count, sizeof(double));
        if (!out->x[i] || !out->from[i] || !out->to[i])
            return LM_MEMORY;
        for (size_t e = 0; e < count; e++)
            out->x[i][e] = lm_at(&t->x[i], (int64_t)e);
        LM_TRY(lm_blur(&out->image[i], out->widest[i], out->x[i], out->from[i]));
        for (int k = 0; k < t->targets; k++) {
            lm_result *r;
            LM_TRY(lm_task_result(t, i, k, &t->x[i].sh, &r));
            out->sum[i * t->targets + k] = r->at;
        }
    }
    return LM_OK;
}

lm_status lm_run_blur_ig(lm_task *t)
{
    blurring b;
    LM_TRY(blurring_open(t, &b));
    const lm_walk back = {.set = &lm_set_grad, .options = LM_RULE_OPTIONS_DEFAULT, .nsite = t->ninput,
                          .site = t->input};
    lm_sweep w = lm_task_begin(t);
    w.ncut = t->ninput;
    w.cut = t->input;
    w.nwalk = 1;
    w.walk = &back;
    w.rows = b.steps;
    w.fill = fill_blurred;
    w.absorb = add_step;
    w.own = &b;
    LM_TRY(lm_task_sweep(t, &w));
    lm_sweep end = lm_task_begin(t);
    end.targets = 0;
    end.ncut = t->ninput;
    end.cut = t->input;
    end.fill = fill_widest;
    end.absorb = state_gap;
    end.own = &b;
    return lm_task_sweep(t, &end);
}
