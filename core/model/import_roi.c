/* Importers of operators on regions of interest: RoiAlign, MaxRoiPool, NonMaxSuppression. What they read or choose
 * hangs on the regions, whose content is computed ahead. */
#include "core/model/import_util.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Which pixels of the images [n*h*w,c] make each element of the result, as a list of taps per element. */
enum { ROI_TAPS_MAX = 1 << 12 };
typedef struct roi {
    double x1, y1, x2, y2;
    int64_t image;
} roi;

typedef struct rois {
    int64_t n, h, w, rows, columns; /* of the images; of each result */
    int64_t regions, taps;          /* taps: of the element with the most */
    lm_view at, weight;             /* [taps,regions*rows*columns]; a weight of 0 fills up */
} rois;

static bool rois_tables(lm_import *im, rois *r)
{
    const lm_shape shape = LM_SHAPE(r->taps, r->regions * r->rows * r->columns);
    if (r->taps > ROI_TAPS_MAX)
        lm_import_fail(im, LM_UNSUPPORTED, "a region of which one result takes %lld pixels; at most %d are possible",
                       (long long)r->taps, ROI_TAPS_MAX);
    if (!lm_import_table(im, LM_I64, &shape, &r->at))
        return false;
    if (!lm_import_table(im, LM_F32, &shape, &r->weight)) {
        lm_buffer_unref(r->at.buf);
        return false;
    }
    memset(lm_view_data(&r->at), 0, (size_t)lm_shape_count(&shape) * sizeof(int64_t));
    memset(lm_view_data(&r->weight), 0, (size_t)lm_shape_count(&shape) * sizeof(float));
    return true;
}

/* The largest, or the sum, of the taps of every element; [regions,c,rows,columns]. */
static void gather_taps(lm_import *im, rois *r, lm_opid with)
{
    lm_emit *e = &im->e;
    lm_attrs first = {0};
    int64_t c = lm_in_shape(im, 0)->dim[1];
    static const int32_t channels_last[] = {0, 2, 3, 1}, channels_first[] = {0, 3, 1, 2};
    lm_val x = lm_emit_transpose(e, lm_in(im, 0), channels_last), y = LM_NOVAL;
    lm_val at = lm_constant(im, r->at), weight = lm_constant(im, r->weight);
    x = LM_IMPORT_RESHAPE(im, x, r->n * r->h * r->w, c);
    for (int64_t k = 0; k < r->taps && e->status == LM_OK; k++) {
        lm_val v = lm_emit1(e, LM_OP_GATHER, &first, x, lm_emit_pick(e, at, 0, k));
        lm_val w = lm_emit_cast(e, lm_emit_pick(e, weight, 0, k), lm_emit_type(e, v)->dt);
        v = lm_emit1(e, LM_OP_MUL, NULL, v, lm_emit_unsqueeze(e, w, 1));
        y = y == LM_NOVAL ? v : lm_emit1(e, with, NULL, y, v);
    }
    im->y[0] = lm_emit_transpose(e, LM_IMPORT_RESHAPE(im, y, r->regions, r->rows, r->columns, c), channels_first);
}

static void put_tap(rois *r, int64_t element, int64_t k, int64_t pixel, double weight)
{
    int64_t place = k * r->regions * r->rows * r->columns + element;
    ((int64_t *)lm_view_data(&r->at))[place] = pixel;
    ((float *)lm_view_data(&r->weight))[place] = (float)weight;
}

/* The largest of an element's taps is no other when its first one is there again; a tap that is not set is a 0. */
static void repeat_first(rois *r, int64_t element, int64_t from)
{
    for (int64_t k = from; from > 0 && k < r->taps; k++)
        put_tap(r, element, k, ((const int64_t *)lm_view_data(&r->at))[element],
                (double)((const float *)lm_view_data(&r->weight))[element]);
}

static int64_t samples_of(double size, int64_t results, int64_t fixed)
{
    double n = fixed > 0 ? (double)fixed : ceil(size / (double)results);
    return n >= 1 && n <= ROI_TAPS_MAX ? (int64_t)n : n > ROI_TAPS_MAX ? ROI_TAPS_MAX + 1 : 0;
}

/* The two pixels around a place on one axis, and the far one's share. False when it lies more than a pixel outside. */
static bool neighbours(double at, int64_t size, int64_t pixel[2], double *far)
{
    if (!(at >= -1 && at <= (double)size))
        return false;
    at = at < 0 ? 0 : at;
    int64_t low = (int64_t)at;
    bool last = low >= size - 1;
    pixel[0] = last ? size - 1 : low;
    pixel[1] = last ? size - 1 : low + 1;
    *far = last ? 0 : at - (double)low;
    return true;
}

/* One element: a grid of ny by nx places between its corners, each between four pixels. */
static void align_element(rois *r, int64_t element, const roi *box, int64_t ny, int64_t nx, bool average)
{
    int64_t k = 0, row[2], column[2];
    double down, right;
    double share = average ? 1 / (double)(ny * nx > 0 ? ny * nx : 1) : 1;
    for (int64_t i = 0; i < ny * nx; i++) {
        double y = box->y1 + ((double)(i / nx) + 0.5) * (box->y2 - box->y1) / (double)ny;
        double x = box->x1 + ((double)(i % nx) + 0.5) * (box->x2 - box->x1) / (double)nx;
        if (!neighbours(y, r->h, row, &down) || !neighbours(x, r->w, column, &right))
            continue;
        for (int q = 0; q < 4; q++, k++) {
            double weight = (q / 2 ? down : 1 - down) * (q % 2 ? right : 1 - right);
            int64_t pixel = (box->image * r->h + row[q / 2]) * r->w + column[q % 2];
            put_tap(r, element, k, pixel, weight * share);
        }
    }
    if (!average)
        repeat_first(r, element, 4 * ny * nx);
}

/* Region i of the two operands, scaled to the images' pixels. False when its image does not exist. */
static bool region(lm_import *im, const lm_view *boxes, const lm_view *images, int64_t i, double scale, double shift,
                   int64_t n, roi *out)
{
    out->image = lm_view_get_i64(images, i);
    out->x1 = lm_view_get(boxes, 4 * i) * scale - shift;
    out->y1 = lm_view_get(boxes, 4 * i + 1) * scale - shift;
    out->x2 = lm_view_get(boxes, 4 * i + 2) * scale - shift;
    out->y2 = lm_view_get(boxes, 4 * i + 3) * scale - shift;
    if (out->image < 0 || out->image >= n)
        lm_import_fail(im, LM_INPUT, "region %lld lies in image %lld of %lld", (long long)i, (long long)out->image,
                       (long long)n);
    return im->e.status == LM_OK;
}

/* Sizes of the images, number of regions (operand 1, `width` numbers each) and sizes of the result. */
static bool measure_rois(lm_import *im, rois *r, int width, int64_t rows, int64_t columns)
{
    if (!lm_import_ranked(im, 0, 4, 4) || !lm_import_ranked(im, 1, 2, 2))
        return false;
    const lm_shape *x = lm_in_shape(im, 0), *boxes = lm_in_shape(im, 1);
    *r = (rois){.n = x->dim[0], .h = x->dim[2], .w = x->dim[3], .rows = rows, .columns = columns,
                .regions = boxes->dim[0], .taps = 1};
    if (boxes->dim[1] != width || rows < 1 || columns < 1 || rows > INT16_MAX || columns > INT16_MAX ||
        lm_shape_count(x) == 0)
        lm_import_fail(im, LM_INPUT, "regions of shape %s for images %s, results of %lld x %lld",
                       lm_shape_text(boxes, (char[LM_SHAPE_TEXT]){0}), lm_shape_text(x, (char[LM_SHAPE_TEXT]){0}),
                       (long long)rows, (long long)columns);
    return im->e.status == LM_OK;
}

/* (images, regions [r,4], which image). Version 16 shifts by half a pixel unless told otherwise. */
void lm_import_roialign(lm_import *im)
{
    static const char *const shifts[] = {"output_half_pixel", "half_pixel", NULL}, *const modes[] = {"avg", "max",
                                                                                                     NULL};
    int shifted = lm_attr_choice(im, "coordinate_transformation_mode", im->version >= 16, shifts);
    bool average = lm_attr_choice(im, "mode", 0, modes) == 0;
    int64_t fixed = lm_attr_int(im, "sampling_ratio", 0);
    double scale = lm_attr_float(im, "spatial_scale", 1), shift = shifted ? 0.5 : 0;
    rois r;
    if (!measure_rois(im, &r, 4, lm_attr_int(im, "output_height", 1), lm_attr_int(im, "output_width", 1)))
        return;
    const lm_view *boxes = lm_in_value(im, 1), *images = lm_in_value(im, 2);
    if (!boxes || !images || lm_shape_count(&images->sh) != r.regions) {
        lm_import_fail(im, LM_INPUT, "%lld regions without as many numbers of images", (long long)r.regions);
        return;
    }
    for (int pass = 0; pass < 2; pass++) { /* first the number of taps, then the taps */
        if (pass && !rois_tables(im, &r))
            return;
        for (int64_t i = 0; i < r.regions; i++) {
            roi box, part;
            if (!region(im, boxes, images, i, scale, shift, r.n, &box))
                return;
            double width = box.x2 - box.x1, height = box.y2 - box.y1;
            width = shifted || width > 1 ? width : 1; /* regions were at least one pixel wide */
            height = shifted || height > 1 ? height : 1;
            int64_t ny = samples_of(height, r.rows, fixed), nx = samples_of(width, r.columns, fixed);
            r.taps = pass || 4 * ny * nx < r.taps ? r.taps : 4 * ny * nx;
            for (int64_t k = 0; pass && k < r.rows * r.columns; k++) {
                part = box;
                part.y1 += height * (double)(k / r.columns) / (double)r.rows;
                part.x1 += width * (double)(k % r.columns) / (double)r.columns;
                part.y2 = part.y1 + height / (double)r.rows;
                part.x2 = part.x1 + width / (double)r.columns;
                align_element(&r, i * r.rows * r.columns + k, &part, ny, nx, average);
            }
        }
    }
    gather_taps(im, &r, average ? LM_OP_ADD : LM_OP_MAX);
}

/* The pixels [from, to) that part k of `parts` covers of a region from pixel `low` on. */
static void cut_part(int64_t low, int64_t extent, int64_t k, int64_t parts, int64_t size, int64_t *from, int64_t *to)
{
    double each = (double)extent / (double)parts;
    double first = floor((double)k * each) + (double)low, last = ceil((double)(k + 1) * each) + (double)low;
    *from = (int64_t)(first < 0 ? 0 : first > (double)size ? (double)size : first);
    *to = (int64_t)(last < 0 ? 0 : last > (double)size ? (double)size : last);
}

static int64_t whole(double x)
{
    return x > -0x1p31 && x < 0x1p31 ? (int64_t)round(x) : 0;
}

/* (images, regions [r,5] with the image's number in front): the largest pixel of every part, 0 where it has none. */
void lm_import_maxroipool(lm_import *im)
{
    int64_t shape[2] = {0, 0};
    int n;
    rois r;
    double scale = lm_attr_float(im, "spatial_scale", 1);
    if (!lm_attr_ints(im, "pooled_shape", shape, 2, &n) || !measure_rois(im, &r, 5, shape[0], shape[1]))
        return;
    const lm_view *boxes = lm_in_value(im, 1);
    for (int pass = 0; pass < 2 && boxes; pass++) {
        if (pass && !rois_tables(im, &r))
            return;
        for (int64_t i = 0; i < r.regions * r.rows * r.columns; i++) {
            int64_t box = i / (r.rows * r.columns), k = i % (r.rows * r.columns),
                    image = lm_view_get_i64(boxes, 5 * box);
            int64_t at[4], y[2], x[2], taps = 0;
            for (int q = 0; q < 4; q++)
                at[q] = whole(lm_view_get(boxes, 5 * box + 1 + q) * scale);
            int64_t width = at[2] - at[0] + 1, height = at[3] - at[1] + 1;
            cut_part(at[1], height > 1 ? height : 1, k / r.columns, r.rows, r.h, &y[0], &y[1]);
            cut_part(at[0], width > 1 ? width : 1, k % r.columns, r.columns, r.w, &x[0], &x[1]);
            if (image < 0 || image >= r.n) {
                lm_import_fail(im, LM_INPUT, "region %lld lies in image %lld of %lld", (long long)box, (long long)image,
                               (long long)r.n);
                return;
            }
            for (int64_t row = y[0]; row < y[1]; row++)
                for (int64_t column = x[0]; column < x[1]; column++, taps++)
                    if (pass)
                        put_tap(&r, i, taps, (image * r.h + row) * r.w + column, 1);
            r.taps = taps > r.taps ? taps : r.taps;
            if (pass)
                repeat_first(&r, i, taps);
        }
    }
    if (boxes)
        gather_taps(im, &r, LM_OP_MAX);
}

typedef struct candidate {
    double score, y1, x1, y2, x2;
    int64_t index;
} candidate;

/* Best first; of equals the one with the lower index. */
static int by_score(const void *pa, const void *pb)
{
    const candidate *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static double overlap(const candidate *a, const candidate *b)
{
    double height = fmin(a->y2, b->y2) - fmax(a->y1, b->y1), width = fmin(a->x2, b->x2) - fmax(a->x1, b->x1);
    double area_a = (a->y2 - a->y1) * (a->x2 - a->x1), area_b = (b->y2 - b->y1) * (b->x2 - b->x1);
    if (!(height > 0 && width > 0 && area_a > 0 && area_b > 0))
        return 0;
    return height * width / (area_a + area_b - height * width);
}

static void read_box(const lm_view *boxes, int64_t at, bool centred, candidate *c)
{
    double v[4];
    for (int k = 0; k < 4; k++)
        v[k] = lm_view_get(boxes, 4 * at + k);
    if (centred) {
        *c = (candidate){.y1 = v[1] - v[3] / 2, .x1 = v[0] - v[2] / 2, .y2 = v[1] + v[3] / 2, .x2 = v[0] + v[2] / 2};
        return;
    }
    *c = (candidate){.y1 = fmin(v[0], v[2]), .x1 = fmin(v[1], v[3]), .y2 = fmax(v[0], v[2]), .x2 = fmax(v[1], v[3])};
}

typedef struct choice {
    const lm_view *boxes, *scores;
    bool centred, bounded;
    double overlap_most, score_least;
    int64_t most;
    candidate *candidate; /* room for all boxes of one image; those kept move to the front */
} choice;

/* How many boxes are kept for one image and class. */
static int64_t choose(const choice *c, int64_t image, int64_t class_at)
{
    int64_t boxes = c->boxes->sh.dim[1], n = 0, kept = 0;
    for (int64_t i = 0; i < boxes; i++) {
        double score = lm_view_get(c->scores, class_at * boxes + i);
        if (c->bounded && !(score > c->score_least))
            continue;
        read_box(c->boxes, image * boxes + i, c->centred, &c->candidate[n]);
        c->candidate[n].score = isnan(score) ? -INFINITY : score;
        c->candidate[n++].index = i;
    }
    qsort(c->candidate, (size_t)n, sizeof *c->candidate, by_score);
    for (int64_t i = 0; i < n && kept < c->most; i++) {
        bool free = true;
        for (int64_t k = 0; k < kept && free; k++)
            free = !(overlap(&c->candidate[k], &c->candidate[i]) > c->overlap_most);
        if (free)
            c->candidate[kept++] = c->candidate[i];
    }
    return kept;
}

/* (boxes [n,b,4], scores [n,classes,b], most?, overlap?, score?) -> rows of (image, class, box) */
void lm_import_nonmaxsuppression(lm_import *im)
{
    if (!lm_import_ranked(im, 0, 3, 3) || !lm_import_ranked(im, 1, 3, 3))
        return;
    choice c = {.centred = lm_attr_int(im, "center_point_box", 0) != 0, .boxes = lm_in_value(im, 0),
                .scores = lm_in_value(im, 1), .most = lm_in_int(im, 2, 0), .overlap_most = lm_in_number(im, 3, 0),
                .bounded = lm_in(im, 4) != LM_NOVAL, .score_least = lm_in_number(im, 4, 0)};
    if (im->e.status != LM_OK)
        return;
    const lm_shape *sb = &c.boxes->sh, *ss = &c.scores->sh;
    if (sb->dim[0] != ss->dim[0] || sb->dim[1] != ss->dim[2] || sb->dim[2] != 4) {
        char text[2][LM_SHAPE_TEXT];
        lm_import_fail(im, LM_INPUT, "boxes %s and scores %s do not fit", lm_shape_text(sb, text[0]),
                       lm_shape_text(ss, text[1]));
        return;
    }
    LM_VEC(int64_t) found = {0};
    c.candidate = lm_malloc((size_t)sb->dim[1] + 1, sizeof *c.candidate);
    lm_status status = c.candidate ? LM_OK : LM_MEMORY;
    for (int64_t at = 0; at < ss->dim[0] * ss->dim[1] && status == LM_OK; at++) {
        int64_t image = at / ss->dim[1], kept = choose(&c, image, at);
        for (int64_t k = 0; k < kept && status == LM_OK; k++) {
            const int64_t row[3] = {image, at % ss->dim[1], c.candidate[k].index};
            for (int q = 0; q < 3 && status == LM_OK; q++)
                status = lm_vec_push(&found, row[q]);
        }
    }
    if (status != LM_OK)
        lm_import_fail(im, status, "no room for %lld boxes", (long long)sb->dim[1]);
    im->y[0] = LM_IMPORT_RESHAPE(im, lm_constant_ints(im, found.at, (int)found.count), (int64_t)found.count / 3, 3);
    lm_vec_free(&found);
    lm_free(c.candidate);
}
