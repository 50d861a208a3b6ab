/* XRAI (Kapishnikov and others, 2019): integrated gradients from two constant images, the darkest and the brightest
 * value of the image, ranked by region. Sizes in pixels are meant for an image of 224 x 224 and follow the size of
 * others. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/vec.h"
#include "core/explain/path.h"
#include "core/explain/segment.h"

enum { SCALES = 16 };

/* Images and what is known of them. */
typedef struct xrai {
    lm_task *t;
    lm_image *image;   /* by input */
    double **x;        /* by input */
    double **integral; /* by input * targets + target: attributions from both baselines */
} xrai;

static lm_status xrai_open(lm_task *t, xrai *out)
{
    const size_t n = (size_t)t->ninput;
    *out = (xrai){.t = t};
    out->image = lm_arena_alloc(t->arena, n, sizeof *out->image);
    out->x = lm_arena_alloc(t->arena, n, sizeof *out->x);
    out->integral = lm_arena_alloc(t->arena, n * (size_t)t->targets, sizeof *out->integral);
    if (!out->image || !out->x || !out->integral)
        return LM_MEMORY;
    for (int i = 0; i < t->ninput; i++) {
        const int64_t count = lm_shape_count(&t->x[i].sh);
        LM_TRY(lm_image_find(&t->x[i].sh, t->input[i].name, &out->image[i]));
        out->x[i] = lm_arena_alloc(t->arena, (size_t)count, sizeof(double));
        if (!out->x[i])
            return LM_MEMORY;
        for (int64_t e = 0; e < count; e++)
            out->x[i][e] = lm_at(&t->x[i], e);
        for (int k = 0; k < t->targets; k++)
            if (!(out->integral[i * t->targets + k] = lm_arena_alloc(t->arena, (size_t)count, sizeof(double))))
                return LM_MEMORY;
    }
    return LM_OK;
}

/* The smallest or the largest of an image's numbers, everywhere. */
static lm_status constant_image(const xrai *a, int i, bool largest, lm_view *out)
{
    lm_task *t = a->t;
    const int64_t n = lm_shape_count(&t->x[i].sh);
    double value = a->x[i][0];
    for (int64_t e = 1; e < n; e++)
        value = largest ? fmax(value, a->x[i][e]) : fmin(value, a->x[i][e]);
    LM_TRY(lm_scratch(t->arena, t->x[i].dt, &t->x[i].sh, out));
    for (int64_t e = 0; e < n; e++)
        lm_put(out, e, value);
    return LM_OK;
}

/* Add half of integrated gradients from one constant image. */
static lm_status integrate_from(xrai *a, bool largest)
{
    lm_task *t = a->t;
    lm_path p;
    lm_view *x0 = lm_arena_alloc(t->arena, (size_t)t->ninput, sizeof *x0);
    if (!x0)
        return LM_MEMORY;
    for (int i = 0; i < t->ninput; i++)
        LM_TRY(constant_image(a, i, largest, &x0[i]));
    const lm_ends ends = {.n = t->ninput, .site = t->input, .x = t->x, .x0 = x0, .baselines = 1};
    LM_TRY(lm_path_open(t, &ends, ends.n, ends.site, false, &p));
    LM_TRY(lm_path_fixed(&p, LM_QUADRATURE_GAUSS, lm_task_whole(t, "steps")));
    for (int at = 0; at < t->ninput * t->targets; at++) {
        const int i = at / t->targets;
        for (int64_t e = 0, n = lm_shape_count(&t->x[i].sh); e < n; e++)
            a->integral[at][e] += p.sum[at][e] * (a->x[i][e] - lm_at(&x0[i], e)) / 2;
    }
    return LM_OK;
}

/* "50:100:250" */
static lm_status read_scales(const lm_task *t, double scale[SCALES], int *n)
{
    const char *text = lm_task_text(t, "scales"), *at = text;
    for (*n = 0; *n < SCALES; at++) {
        char *end;
        scale[*n] = strtod(at, &end);
        if (end == at || !(scale[*n] > 0) || !isfinite(scale[*n]) || (*end && *end != ':'))
            break;
        ++*n;
        if (!*end)
            return LM_OK;
        at = end;
    }
    return lm_fail(LM_USAGE, "scales=%s: write up to %d positive numbers as in 50:100:250", text, SCALES);
}

static int by_number(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Numbers of any size into 0, 1, 2 ... in their order. */
static lm_status number_labels(const lm_view *v, int64_t first, int64_t n, int32_t *label, int32_t *count)
{
    int64_t *word = lm_malloc((size_t)n, sizeof *word), words = 0;
    if (!word)
        return LM_MEMORY;
    for (int64_t p = 0; p < n; p++)
        word[p] = lm_view_get_i64(v, first + p);
    qsort(word, (size_t)n, sizeof *word, by_number);
    for (int64_t p = 0; p < n; p++)
        if (p == 0 || word[p] != word[words - 1])
            word[words++] = word[p];
    for (int64_t p = 0; p < n; p++) {
        const int64_t key = lm_view_get_i64(v, first + p);
        const int64_t *found = bsearch(&key, word, (size_t)words, sizeof *word, by_number);
        label[p] = (int32_t)(found - word);
    }
    *count = (int32_t)words;
    lm_free(word);
    return LM_OK;
}

/* Segmentations of one image, each a number per pixel. */
typedef struct segmentations {
    int n;
    int32_t *label, *count; /* in the arena */
} segmentations;

static lm_status segmentations_room(lm_task *t, const lm_image *im, int64_t n, segmentations *out)
{
    size_t room;
    LM_REQUIRE(n <= INT16_MAX && lm_mul_size((size_t)n, (size_t)(im->height * im->width), &room), LM_INPUT,
               "%lld segmentations are too many", (long long)n);
    *out = (segmentations){.n = (int)n};
    out->label = lm_arena_alloc(t->arena, room, sizeof *out->label);
    out->count = lm_arena_alloc(t->arena, (size_t)n, sizeof *out->count);
    return out->label && out->count ? LM_OK : LM_MEMORY;
}

/* The user's own: an array of whole numbers, [H,W] or several. */
static lm_status read_segments(lm_task *t, const lm_image *im, const char *name, segmentations *out)
{
    char text[LM_SHAPE_TEXT];
    const lm_view *v = t->file(t, name);
    const int64_t pixels = im->height * im->width;
    LM_REQUIRE(v, LM_INPUT, "segments=%s is no file of the question", name);
    const int rank = v->sh.rank;
    LM_REQUIRE(lm_dtype_is_int(v->dt) && rank >= 2 && v->sh.dim[rank - 2] == im->height &&
                   v->sh.dim[rank - 1] == im->width && lm_shape_count(&v->sh) > 0,
               LM_INPUT, "segments=%s is %s of shape %s; write whole numbers of shape [%lld,%lld], or several such",
               name, lm_dtype_name(v->dt), lm_shape_text(&v->sh, text), (long long)im->height, (long long)im->width);
    LM_TRY(segmentations_room(t, im, lm_shape_count(&v->sh) / pixels, out));
    for (int k = 0; k < out->n; k++)
        LM_TRY(number_labels(v, k * pixels, pixels, out->label + k * pixels, &out->count[k]));
    return LM_OK;
}

/* A size in pixels on an image of 224 x 224, for this one. */
static double area_on(const lm_image *im, double area)
{
    return area * (double)im->height * (double)im->width / (224.0 * 224.0);
}

static lm_status find_segments(xrai *a, int i, segmentations *out)
{
    lm_task *t = a->t;
    const lm_image *im = &a->image[i];
    const char *file = lm_task_text(t, "segments");
    double scale[SCALES];
    int n;
    if (file[0])
        return read_segments(t, im, file, out);
    LM_TRY(read_scales(t, scale, &n));
    for (int k = 0; k < n; k++)
        scale[k] = area_on(im, scale[k]);
    LM_TRY(segmentations_room(t, im, n, out));
    return lm_segment(im, a->x[i], lm_task_number(t, "sigma"), n, scale,
                      (int64_t)ceil(area_on(im, lm_task_number(t, "min_size"))), out->label, out->count);
}

/* One number per pixel: of its channels, the largest or their sum. */
static void merge_channels(const xrai *a, int i, const double *from, double *to)
{
    const lm_image *im = &a->image[i];
    const bool sum = lm_task_word(a->t, "channels") == 1;
    for (int64_t p = 0; p < im->height * im->width; p++) {
        to[p] = from[p * im->pixel];
        for (int64_t c = 1; c < im->channels; c++) {
            const double v = from[c * im->channel + p * im->pixel];
            to[p] = sum ? to[p] + v : v > to[p] || isnan(v) ? v : to[p];
        }
    }
}

static lm_status rank_image(xrai *a, int i)
{
    lm_task *t = a->t;
    const lm_image *im = &a->image[i];
    const lm_shape sh = LM_SHAPE(1, 1, im->height, im->width);
    const double radius = sqrt(area_on(im, 1)) * lm_task_number(t, "dilation");
    const int64_t least = (int64_t)ceil(area_on(im, lm_task_number(t, "min_pixels")));
    segmentations s;
    lm_regions regions;
    double *value = lm_arena_alloc(t->arena, (size_t)lm_shape_count(&sh), sizeof *value);
    if (!value)
        return LM_MEMORY;
    LM_TRY(find_segments(a, i, &s));
    LM_TRY(lm_regions_grow(im->height, im->width, s.n, s.label, s.count, radius, &regions));
    lm_status status = LM_OK;
    for (int k = 0; k < t->targets && status == LM_OK; k++) {
        lm_result *r;
        merge_channels(a, i, a->integral[i * t->targets + k], value);
        status = lm_task_result(t, i, k, &sh, &r);
        if (status == LM_OK)
            status = lm_regions_rank(&regions, value, least, r->at);
    }
    lm_regions_free(&regions);
    return status;
}

lm_status lm_run_xrai(lm_task *t)
{
    xrai a;
    LM_TRY(xrai_open(t, &a));
    LM_TRY(integrate_from(&a, false));
    LM_TRY(integrate_from(&a, true));
    for (int i = 0; i < t->ninput; i++)
        LM_TRY(rank_image(&a, i));
    return LM_OK;
}
