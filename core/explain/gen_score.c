/* Class-activation maps whose weights come of running the model again, once per channel of the layer.
 *
 *   scorecam     the input times the channel's activation, resized linearly and scaled to [0,1] (0 where it is the same
 *                everywhere); weights: softmax over the channels of the target's values. A baseline's value subtracted
 *                from all of them would change nothing
 *   ablationcam  the channel set to zero in the layer, at all positions; weights: the target's loss over its value
 *                (over 1 where that is zero) */
#include <math.h>
#include <string.h>

#include "core/explain/cam.h"

typedef struct scoring {
    lm_task *t;
    const lm_cam *cam;
    const lm_view *activation;
    int ncut;           /* inputs that are masked */
    int *input;         /* by cut: its number */
    lm_site *cut;
    lm_field *field;    /* by cut */
    double *small;      /* [positions] of the layer */
    double *mask;       /* [positions] of the largest input */
    double *score;      /* [rows, targets] */
} scoring;

static lm_status keep_score(void *own, int64_t row, const lm_swept *r)
{
    scoring *s = own;
    for (int k = 0; k < s->t->targets; k++)
        s->score[row * s->t->targets + k] = lm_task_value(s->t, &r->goal, k);
    return LM_OK;
}

static void scale(double *x, int64_t n)
{
    double least = x[0], most = x[0];
    for (int64_t p = 1; p < n; p++) {
        least = fmin(least, x[p]);
        most = fmax(most, x[p]);
    }
    for (int64_t p = 0; p < n; p++)
        x[p] = most > least ? (x[p] - least) / (most - least) : 0;
}

static lm_status fill_masked(void *own, int64_t row, const lm_view *x)
{
    scoring *s = own;
    const lm_field *f = &s->cam->field;
    lm_cam_read(f, s->activation, row, s->small);
    for (int i = 0; i < s->ncut; i++) {
        const lm_field *to = &s->field[i];
        const lm_view *from = &s->t->x[s->input[i]];
        LM_TRY(lm_upsample(LM_UPSAMPLE_BILINEAR, f->nd, f->size, to->size, s->small, s->mask));
        scale(s->mask, to->positions);
        for (int64_t c = 0; c < to->channels; c++)
            for (int64_t p = 0; p < to->positions; p++) {
                int64_t at = to->first + c * to->channel_step + p * to->position_step;
                lm_put(&x[i], at, lm_at(from, at) * s->mask[p]);
            }
    }
    return LM_OK;
}

/* Row `channels` is the layer as it is. */
static lm_status fill_ablated(void *own, int64_t row, const lm_view *x)
{
    scoring *s = own;
    const lm_field *f = &s->cam->field;
    const int64_t count = lm_shape_count(&f->sh);
    memcpy(lm_view_data(x), lm_view_data(s->activation), (size_t)count * lm_dtype_size(x->dt));
    for (int64_t q = 0; row < f->channels && q < count / f->channels; q++)
        lm_put(x, row * f->channel_step + q * f->position_step, 0);
    return LM_OK;
}

static lm_status open_scoring(lm_task *t, scoring *s)
{
    const lm_cam *cam = t->own;
    int64_t most = 0;
    *s = (scoring){.t = t, .cam = cam, .activation = lm_point_value(t, cam->value)};
    s->input = lm_arena_alloc(t->arena, (size_t)t->ninput, sizeof *s->input);
    s->cut = lm_arena_alloc(t->arena, (size_t)t->ninput, sizeof *s->cut);
    s->field = lm_arena_alloc(t->arena, (size_t)t->ninput, sizeof *s->field);
    if (!s->input || !s->cut || !s->field)
        return LM_MEMORY;
    for (int i = 0; i < t->ninput; i++) {
        lm_field *f = &s->field[s->ncut];
        LM_TRY(lm_cam_input(t, t->input[i], cam->field.nd, f));
        if (!f->nd)
            continue;
        s->cut[s->ncut] = t->input[i];
        s->input[s->ncut++] = i;
        most = f->positions > most ? f->positions : most;
    }
    s->small = lm_malloc((size_t)cam->field.positions, sizeof *s->small);
    s->mask = lm_malloc((size_t)most, sizeof *s->mask);
    s->score = lm_malloc((size_t)cam->field.channels + 1, (size_t)t->targets * sizeof *s->score);
    return s->small && s->mask && s->score ? LM_OK : LM_MEMORY;
}

static void close_scoring(scoring *s)
{
    lm_free(s->score);
    lm_free(s->mask);
    lm_free(s->small);
}

/* From target k's scores to weights, by channel. */
typedef void (*weigher)(const scoring *s, int k, double *weight);

static lm_status add_up(const scoring *s, weigher weigh)
{
    lm_task *t = s->t;
    const lm_field *f = &s->cam->field;
    const int64_t n = f->positions;
    double *weight = lm_malloc((size_t)f->channels, sizeof *weight), *map = lm_malloc((size_t)n, sizeof *map);
    lm_status status = weight && map ? LM_OK : LM_MEMORY;
    for (int k = 0; status == LM_OK && k < t->targets; k++) {
        weigh(s, k, weight);
        memset(map, 0, (size_t)n * sizeof *map);
        for (int64_t c = 0; c < f->channels; c++) {
            lm_cam_read(f, s->activation, c, s->small);
            for (int64_t p = 0; p < n; p++)
                map[p] += weight[c] * s->small[p];
        }
        for (int site = 0; status == LM_OK && site < t->nsite; site++)
            status = lm_cam_result(t, site, k, f, 1, map);
    }
    lm_free(map);
    lm_free(weight);
    return status;
}

static double score_of(const scoring *s, int64_t row, int k)
{
    return s->score[row * s->t->targets + k];
}

static void weigh_scores(const scoring *s, int k, double *weight)
{
    const int64_t n = s->cam->field.channels;
    double most = -INFINITY, sum = 0;
    for (int64_t c = 0; c < n; c++)
        most = fmax(most, score_of(s, c, k));
    for (int64_t c = 0; c < n; c++)
        sum += weight[c] = exp(score_of(s, c, k) - most);
    for (int64_t c = 0; c < n; c++)
        weight[c] /= sum;
}

static void weigh_losses(const scoring *s, int k, double *weight)
{
    const int64_t n = s->cam->field.channels;
    double whole = score_of(s, n, k);
    for (int64_t c = 0; c < n; c++)
        weight[c] = (whole - score_of(s, c, k)) / (whole != 0 ? whole : 1);
}

lm_status lm_run_scorecam(lm_task *t)
{
    scoring s;
    lm_sweep w = lm_task_begin(t);
    lm_status status;
    LM_TRY_OUT(open_scoring(t, &s));
    if (!s.ncut) {
        status = lm_fail(LM_UNSUPPORTED, "no input has %d axes of positions as layer '%s' has; use gradcam",
                         s.cam->field.nd, t->layer.name);
        goto out;
    }
    w.targets = 0;
    w.ncut = s.ncut;
    w.cut = s.cut;
    w.rows = s.cam->field.channels;
    w.fill = fill_masked;
    w.absorb = keep_score;
    w.own = &s;
    LM_TRY_OUT(lm_task_sweep(t, &w));
    LM_TRY_OUT(add_up(&s, weigh_scores));
out:
    close_scoring(&s);
    return status;
}

lm_status lm_run_ablationcam(lm_task *t)
{
    scoring s;
    lm_sweep w = lm_task_begin(t);
    lm_status status;
    LM_TRY_OUT(open_scoring(t, &s));
    w.targets = 0;
    w.ncut = 1;
    w.cut = &t->layer;
    w.rows = s.cam->field.channels + 1;
    w.fill = fill_ablated;
    w.absorb = keep_score;
    w.own = &s;
    LM_TRY_OUT(lm_task_sweep(t, &w));
    LM_TRY_OUT(add_up(&s, weigh_losses));
out:
    close_scoring(&s);
    return status;
}
