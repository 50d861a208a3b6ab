/* Segmentation by joining pixels along a sorted list of steps, and ranking of regions by density. */
#include "core/explain/segment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/vec.h"

/* From a pixel to a neighbour. */
typedef struct step {
    double size;
    int32_t from, to;
} step;

/* Disjoint sets of pixels. */
typedef struct forest {
    int32_t *parent, *size;
    double *inner; /* the largest step inside, by root */
} forest;

static int32_t root_of(forest *f, int32_t p)
{
    while (f->parent[p] != p) {
        f->parent[p] = f->parent[f->parent[p]];
        p = f->parent[p];
    }
    return p;
}

static void join(forest *f, int32_t a, int32_t b, double size)
{
    const bool keep_a = f->size[a] > f->size[b] || (f->size[a] == f->size[b] && a < b);
    const int32_t root = keep_a ? a : b, other = keep_a ? b : a;
    f->parent[other] = root;
    f->size[root] += f->size[other];
    f->inner[root] = size;
}

static int by_size(const void *a, const void *b)
{
    const step *s = a, *t = b;
    if (s->size != t->size)
        return s->size < t->size ? -1 : 1;
    return s->from != t->from ? (s->from > t->from) - (s->from < t->from) : (s->to > t->to) - (s->to < t->to);
}

/* Colours in [-1, 1], blurred. */
static lm_status soften(const lm_image *im, const double *pixel, double sigma, double *out)
{
    const int64_t n = im->channels * im->height * im->width;
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        low = fmin(low, pixel[i]);
        high = fmax(high, pixel[i]);
    }
    for (int64_t i = 0; i < n; i++)
        out[i] = high > low ? 2 * (pixel[i] - low) / (high - low) - 1 : 0;
    return lm_blur(im, sigma, out, out);
}

static double colour_step(const lm_image *im, const double *v, int64_t p, int64_t q)
{
    double sum = 0;
    for (int64_t c = 0; c < im->channels; c++) {
        const double d = v[c * im->channel + p * im->pixel] - v[c * im->channel + q * im->pixel];
        sum += d * d;
    }
    return sqrt(sum);
}

/* Steps to the right, and to the three pixels below; sorted. Returns how many. */
static int64_t list_steps(const lm_image *im, const double *v, step *out)
{
    static const int way[][2] = {{0, 1}, {1, -1}, {1, 0}, {1, 1}};
    int64_t n = 0;
    for (int64_t y = 0; y < im->height; y++)
        for (int64_t x = 0; x < im->width; x++)
            for (size_t i = 0; i < LM_COUNT(way); i++) {
                const int64_t y2 = y + way[i][0], x2 = x + way[i][1], p = y * im->width + x, q = y2 * im->width + x2;
                if (y2 < im->height && x2 >= 0 && x2 < im->width)
                    out[n++] = (step){colour_step(im, v, p, q), (int32_t)p, (int32_t)q};
            }
    qsort(out, (size_t)n, sizeof *out, by_size);
    return n;
}

static void join_steps(forest *f, int64_t pixels, const step *s, int64_t n, double scale, int64_t least)
{
    for (int64_t p = 0; p < pixels; p++) {
        f->parent[p] = (int32_t)p;
        f->size[p] = 1;
        f->inner[p] = 0;
    }
    for (int64_t i = 0; i < n; i++) {
        const int32_t a = root_of(f, s[i].from), b = root_of(f, s[i].to);
        if (a != b && s[i].size <= fmin(f->inner[a] + scale / 255 / f->size[a], f->inner[b] + scale / 255 / f->size[b]))
            join(f, a, b, s[i].size);
    }
    for (int64_t i = 0; i < n; i++) {
        const int32_t a = root_of(f, s[i].from), b = root_of(f, s[i].to);
        if (a != b && (f->size[a] < least || f->size[b] < least))
            join(f, a, b, s[i].size);
    }
}

static int32_t number_segments(forest *f, int64_t pixels, int32_t *label)
{
    int32_t count = 0;
    for (int64_t p = 0; p < pixels; p++)
        label[p] = -1;
    for (int64_t p = 0; p < pixels; p++) {
        const int32_t root = root_of(f, (int32_t)p);
        /* a root's own place holds its number until the root is reached itself, with that number */
        if (label[root] < 0)
            label[root] = count++;
        label[p] = label[root];
    }
    return count;
}

lm_status lm_segment(const lm_image *im, const double *pixel, double sigma, int scales, const double *scale,
                     int64_t least, int32_t *label, int32_t *count)
{
    const int64_t pixels = im->height * im->width;
    LM_REQUIRE(pixels <= INT32_MAX / 4, LM_UNSUPPORTED, "an image of %lld pixels is too large to be segmented",
               (long long)pixels);
    const size_t n = (size_t)pixels;
    double *soft = lm_malloc(n * (size_t)im->channels, sizeof *soft);
    step *steps = lm_malloc(n * 4, sizeof *steps);
    forest f = {lm_malloc(n, sizeof *f.parent), lm_malloc(n, sizeof *f.size), lm_malloc(n, sizeof *f.inner)};
    lm_status status = soft && steps && f.parent && f.size && f.inner ? LM_OK : LM_MEMORY;
    if (status == LM_OK)
        status = soften(im, pixel, sigma, soft);
    const int64_t listed = status == LM_OK ? list_steps(im, soft, steps) : 0;
    for (int k = 0; k < scales && status == LM_OK; k++) {
        join_steps(&f, pixels, steps, listed, scale[k], least);
        count[k] = number_segments(&f, pixels, label + k * pixels);
    }
    lm_free(soft);
    lm_free(steps);
    lm_free(f.parent);
    lm_free(f.size);
    lm_free(f.inner);
    return status;
}

void lm_regions_free(lm_regions *r)
{
    lm_free(r->first);
    lm_free(r->which);
    *r = (lm_regions){.count = 0};
}

/* The segments within `radius` of a pixel, each once: `seen` holds the last pixel plus one that a region was found
 * for. */
typedef struct growing {
    int64_t height, width;
    double radius;
    int64_t *seen;
    LM_VEC(int32_t) which;
} growing;

static lm_status gather(growing *g, int64_t p, const int32_t *label, int32_t base)
{
    const int64_t r = (int64_t)g->radius, y = p / g->width, x = p % g->width;
    for (int64_t dy = -r; dy <= r; dy++)
        for (int64_t dx = -r; dx <= r; dx++) {
            const int64_t y2 = y + dy, x2 = x + dx;
            if (y2 < 0 || y2 >= g->height || x2 < 0 || x2 >= g->width ||
                (double)(dy * dy + dx * dx) > g->radius * g->radius)
                continue;
            const int32_t region = base + label[y2 * g->width + x2];
            if (g->seen[region] == p + 1)
                continue;
            g->seen[region] = p + 1;
            LM_TRY(lm_vec_push(&g->which, region));
        }
    return LM_OK;
}

lm_status lm_regions_grow(int64_t height, int64_t width, int segmentations, const int32_t *label, const int32_t *count,
                          double radius, lm_regions *out)
{
    growing g = {.height = height, .width = width, .radius = radius};
    lm_status status = LM_OK;
    int64_t regions = 0;
    for (int k = 0; k < segmentations; k++)
        regions += count[k];
    LM_REQUIRE(regions <= INT32_MAX, LM_UNSUPPORTED, "%lld segments are too many", (long long)regions);
    *out = (lm_regions){.count = (int32_t)regions, .pixels = height * width};
    out->first = lm_malloc((size_t)out->pixels + 1, sizeof *out->first);
    g.seen = lm_calloc((size_t)regions, sizeof *g.seen);
    if (!out->first || !g.seen)
        status = LM_MEMORY;
    for (int64_t p = 0; p < out->pixels && status == LM_OK; p++) {
        int32_t base = 0;
        out->first[p] = (int64_t)g.which.count;
        for (int k = 0; k < segmentations && status == LM_OK; base += count[k++])
            status = gather(&g, p, label + k * out->pixels, base);
    }
    lm_free(g.seen);
    if (status == LM_OK)
        out->first[out->pixels] = (int64_t)g.which.count;
    out->which = g.which.at;
    if (status != LM_OK)
        lm_regions_free(out);
    return status;
}

/* What a region would add: pixels that no better one covers, and the sum of values there. */
typedef struct gain {
    double sum;
    int64_t pixels;
    bool out; /* chosen, or too small by now */
} gain;

static int32_t best_of(gain *g, int32_t count, int64_t least)
{
    int32_t best = -1;
    for (int32_t i = 0; i < count; i++) {
        g[i].out |= g[i].pixels < least;
        if (!g[i].out && (best < 0 || g[i].sum / (double)g[i].pixels > g[best].sum / (double)g[best].pixels))
            best = i;
    }
    return best;
}

/* Pixels by region: those of region i are pixel[first[i]] ... pixel[first[i + 1] - 1]. */
typedef struct by_region {
    int64_t *first;
    int32_t *pixel;
} by_region;

static lm_status turn_over(const lm_regions *r, by_region *out)
{
    const size_t all = (size_t)r->first[r->pixels];
    out->first = lm_calloc((size_t)r->count + 2, sizeof *out->first);
    out->pixel = lm_malloc(all, sizeof *out->pixel);
    if (!out->first || !out->pixel)
        return LM_MEMORY;
    int64_t *next = out->first + 1; /* where a region's next pixel goes, which ends up where it ends */
    for (size_t i = 0; i < all; i++)
        next[r->which[i] + 1]++;
    for (int32_t i = 0; i < r->count; i++)
        next[i + 1] += next[i];
    for (int64_t p = 0; p < r->pixels; p++)
        for (int64_t i = r->first[p]; i < r->first[p + 1]; i++)
            out->pixel[next[r->which[i]]++] = (int32_t)p;
    return LM_OK;
}

/* Give those of n pixels that are left their mean value, and take them out of all regions. pixel NULL: of all. */
static void take(const lm_regions *r, const double *value, const int32_t *pixel, int64_t n, gain *g, bool *covered,
                 double *rank)
{
    double sum = 0;
    int64_t left = 0;
    for (int64_t k = 0; k < n; k++) {
        const int64_t p = pixel ? pixel[k] : k;
        sum += covered[p] ? 0 : value[p];
        left += !covered[p];
    }
    for (int64_t k = 0; k < n; k++) {
        const int64_t p = pixel ? pixel[k] : k;
        if (covered[p])
            continue;
        rank[p] = sum / (double)left;
        covered[p] = true;
        for (int64_t i = r->first[p]; i < r->first[p + 1]; i++) {
            g[r->which[i]].sum -= value[p];
            g[r->which[i]].pixels--;
        }
    }
}

static void rank_all(const lm_regions *r, const double *value, int64_t least, const by_region *at, gain *g,
                     bool *covered, double *rank)
{
    for (int64_t p = 0; p < r->pixels; p++)
        for (int64_t i = r->first[p]; i < r->first[p + 1]; i++) {
            g[r->which[i]].sum += value[p];
            g[r->which[i]].pixels++;
        }
    for (int32_t best; (best = best_of(g, r->count, least > 1 ? least : 1)) >= 0;) {
        take(r, value, at->pixel + at->first[best], at->first[best + 1] - at->first[best], g, covered, rank);
        g[best].out = true;
    }
    take(r, value, NULL, r->pixels, g, covered, rank);
}

lm_status lm_regions_rank(const lm_regions *r, const double *value, int64_t least, double *rank)
{
    by_region at = {NULL, NULL};
    gain *g = lm_calloc((size_t)r->count, sizeof *g);
    bool *covered = lm_calloc((size_t)r->pixels, sizeof *covered);
    lm_status status = g && covered ? turn_over(r, &at) : LM_MEMORY;
    if (status == LM_OK)
        rank_all(r, value, least, &at, g, covered, rank);
    lm_free(g);
    lm_free(covered);
    lm_free(at.first);
    lm_free(at.pixel);
    return status;
}
