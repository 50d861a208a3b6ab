/* Rank agreement, consensus and disagreement of maps. */
#include "comparison.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/tensor/dtype.h"
#include "numbers.h"

const char *comparison_method(const comparison *c, size_t method)
{
    return limn_explanation_get(c->e->why, method)->method;
}

/* Where a result is no picture, no table, no text and no series, its numbers as they are. */
static lm_status take_numbers(const limn_attribution *a, size_t sample, explanation_finding *f)
{
    const size_t count = numbers_below(&a->values, 1);
    LM_REQUIRE(count <= INT32_MAX, LM_USAGE, "%s: %zu numbers are too many to compare", a->method, count);
    float *to = lm_arena_alloc(&f->arena, count, sizeof *to);
    if (!to)
        return LM_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const size_t at = (sample * count + i) * limn_dtype_size(a->values.type);
        to[i] = (float)lm_load_f64(a->values.type, (const char *)a->values.data + at);
    }
    f->is.value = to;
    f->is.width = (int)count;
    f->is.height = 1;
    return LM_OK;
}

static lm_status take_maps(comparison *c)
{
    const lm_finding *first = &c->finding[0].is;
    for (size_t s = 0; s < c->samples; s++)
        for (size_t m = 0; m < c->methods; m++) {
            const limn_attribution *a = limn_explanation_get(c->e->why, m);
            explanation_finding *f = &c->finding[s * c->methods + m];
            LM_TRY(explanation_finding_make(c->e, a, (int64_t)s, f));
            if (!f->is.value)
                LM_TRY(take_numbers(a, s, f));
            LM_REQUIRE(
                f->is.width == first->width && f->is.height == first->height, LM_USAGE,
                "the map of %s has %d x %d numbers and that of %s %d x %d; compare maps of one size, without options "
                "such as upsample=none",
                a->method, f->is.height, f->is.width, comparison_method(c, 0), first->height, first->width);
        }
    c->elements = (size_t)first->width * (size_t)first->height;
    return LM_OK;
}

typedef struct placed {
    float value;
    size_t at;
} placed;

static int by_value(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value ? -1 : 1) : (x->at > y->at) - (x->at < y->at);
}

/* Ranks less their mean; equal numbers share the mean of their ranks. */
static void rank(const float *value, bool sizes, size_t n, placed *room, double *out)
{
    for (size_t i = 0; i < n; i++)
        room[i] = (placed){isnan(value[i]) ? 0 : sizes ? fabsf(value[i]) : value[i], i};
    qsort(room, n, sizeof *room, by_value);
    for (size_t i = 0, end; i < n; i = end) {
        end = i + 1;
        while (end < n && room[end].value == room[i].value)
            end++;
        for (size_t k = i; k < end; k++)
            out[room[k].at] = 0.5 * (double)(i + end - 1) - 0.5 * (double)(n - 1);
    }
}

/* NAN where one of them is the same everywhere. */
static double correlation(const double *a, const double *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? ab / (sqrt(aa) * sqrt(bb)) : NAN;
}

static lm_status add_agreement(const comparison *c, bool sizes, double *to)
{
    placed *room = lm_malloc(c->elements, sizeof *room);
    double *ranks = lm_malloc(c->methods * c->elements, sizeof *ranks);
    lm_status status = room && ranks ? LM_OK : LM_MEMORY;
    for (size_t s = 0; s < c->samples && status == LM_OK; s++) {
        for (size_t m = 0; m < c->methods; m++)
            rank(comparison_map(c, s, m)->value, sizes, c->elements, room, ranks + m * c->elements);
        for (size_t a = 0; a < c->methods; a++)
            for (size_t b = 0; b < c->methods; b++)
                to[a * c->methods + b] +=
                    (a == b ? 1 : correlation(ranks + a * c->elements, ranks + b * c->elements, c->elements)) /
                    (double)c->samples;
    }
    lm_free(room);
    lm_free(ranks);
    return status;
}

/* What a method says of all places together, so that methods of different units can be put together. */
static double weight(const lm_finding *f, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += isnan(f->value[i]) ? 0 : fabs(f->value[i]);
    return sum > 0 ? sum : 1;
}

static void add_consensus(comparison *c)
{
    for (size_t s = 0; s < c->samples; s++) {
        double *mean = c->consensus + s * c->elements, *spread = c->disagreement + s * c->elements;
        for (int pass = 0; pass < 2; pass++)
            for (size_t m = 0; m < c->methods; m++) {
                const lm_finding *f = comparison_map(c, s, m);
                const double all = weight(f, c->elements);
                for (size_t i = 0; i < c->elements; i++) {
                    const double part = (isnan(f->value[i]) ? 0 : fabs(f->value[i])) / all;
                    if (pass == 0)
                        mean[i] += part / (double)c->methods;
                    else
                        spread[i] += (part - mean[i]) * (part - mean[i]) / (double)c->methods;
                }
            }
        for (size_t i = 0; i < c->elements; i++)
            spread[i] = sqrt(spread[i]);
    }
}

lm_status comparison_make(comparison *c)
{
    const limn_attribution *first = limn_explanation_get(c->e->why, 0);
    c->methods = limn_explanation_count(c->e->why);
    c->samples = (size_t)c->e->samples;
    for (size_t m = 1; m < c->methods; m++) {
        const limn_attribution *a = limn_explanation_get(c->e->why, m);
        LM_REQUIRE(strcmp(a->target, first->target) == 0, LM_USAGE,
                   "--target: methods are compared by one target, and there are several, such as %s and %s; choose one",
                   first->target, a->target);
        LM_REQUIRE(strcmp(a->site, first->site) == 0 || a->layered != first->layered, LM_USAGE,
                   "--input: methods are compared by one input, and there are several, such as %s and %s; choose one",
                   first->site, a->site);
    }
    c->finding = lm_calloc(c->samples * c->methods, sizeof *c->finding);
    c->agreement = lm_calloc(c->methods * c->methods, sizeof *c->agreement);
    c->of_sizes = lm_calloc(c->methods * c->methods, sizeof *c->of_sizes);
    if (!c->finding || !c->agreement || !c->of_sizes)
        return LM_MEMORY;
    LM_TRY(take_maps(c));
    c->consensus = lm_calloc(c->samples * c->elements, sizeof *c->consensus);
    c->disagreement = lm_calloc(c->samples * c->elements, sizeof *c->disagreement);
    if (!c->consensus || !c->disagreement)
        return LM_MEMORY;
    add_consensus(c);
    LM_TRY(add_agreement(c, true, c->of_sizes));
    return add_agreement(c, false, c->agreement);
}

void comparison_free(comparison *c)
{
    for (size_t i = 0; c->finding && i < c->samples * c->methods; i++)
        explanation_finding_free(&c->finding[i]);
    lm_free(c->finding);
    lm_free(c->agreement);
    lm_free(c->of_sizes);
    lm_free(c->consensus);
    lm_free(c->disagreement);
    lm_free(c->cost);
}
