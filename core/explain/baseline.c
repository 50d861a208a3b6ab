/* The words of a baseline, and the numbers that they become. */
#include "core/explain/baseline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/env.h"
#include "core/base/nearest.h"
#include "core/base/rng.h"
#include "core/explain/blur.h"

typedef enum kind { ZERO, MEAN, MIN, MAX, BLUR, NOISE, VALUE, TOKEN, FROM_FILE } kind;

typedef struct spec {
    kind kind;
    double number; /* sigma, or value */
    int64_t token;
    const char *text;
} spec;

/* What makes baselines that are no forward values. */
typedef struct maker {
    const spec *spec;
    uint64_t seed;
    bool embedded;
} maker;

static const char *const words[] = {"zero", "mean", "min", "max", "blur", "noise", "value:V", "token:ID", "a file"};

static bool number_behind(const char *text, const char *word, double *out)
{
    size_t n = strlen(word);
    char *end;
    if (strncmp(text, word, n) != 0 || text[n] != ':')
        return false;
    *out = strtod(text + n + 1, &end);
    return end != text + n + 1 && *end == '\0' && isfinite(*out);
}

static lm_status unknown(const char *text)
{
    lm_str near = {0};
    lm_list_words(words, LM_COUNT(words), &near);
    lm_fail(LM_USAGE, "baseline '%s': no such word, and no such file among the question's; write %s", text,
            lm_str_text(&near));
    lm_str_free(&near);
    return LM_USAGE;
}

/* The content for an input: the file itself, or the array of its name in an archive. */
static const lm_view *file_for(const lm_inquiry *in, const char *text, int entry)
{
    char name[512];
    const lm_view *v = lm_question_file(in->q, text);
    snprintf(name, sizeof name, "%s/%s", text, in->port[in->entry[entry].port].name);
    const lm_view *part = lm_question_file(in->q, name);
    return part ? part : v;
}

/* Words with a number behind them. */
static const struct {
    const char *word, *wants;
} numbered[] = {
    {"blur:", "a width in pixels above 0, as in blur:10"},
    {"value:", "a finite number, as in value:0.5"},
    {"token:", "a whole number from 0 up, as in token:101"},
};

static lm_status unknown_word(const char *text)
{
    for (size_t i = 0; i < LM_COUNT(numbered); i++)
        if (strncmp(text, numbered[i].word, strlen(numbered[i].word)) == 0)
            return lm_fail(LM_USAGE, "baseline '%s': behind the colon goes %s", text, numbered[i].wants);
    return unknown(text);
}

static lm_status read_spec(const lm_inquiry *in, spec *out)
{
    const char *text = in->baseline;
    double number;
    static const char *const plain[] = {"zero", "mean", "min", "max", "blur", "noise"};
    *out = (spec){.text = text, .number = 10};
    for (size_t i = 0; i < LM_COUNT(plain); i++)
        if (strcmp(text, plain[i]) == 0) {
            out->kind = (kind)i;
            return LM_OK;
        }
    if (number_behind(text, "blur", &out->number) && out->number > 0) {
        out->kind = BLUR;
    } else if (number_behind(text, "value", &out->number)) {
        out->kind = VALUE;
    } else if (number_behind(text, "token", &number) && lm_parse_int(text + 6, &out->token) && out->token >= 0) {
        out->kind = TOKEN;
    } else {
        out->kind = FROM_FILE;
        for (int i = 0; i < in->entries; i++)
            if (!file_for(in, text, i))
                return unknown_word(text);
    }
    return LM_OK;
}

/* The type of one sample of an input, as it is explained. */
static lm_status entry_type(const lm_inquiry *in, int entry, lm_type *out)
{
    return lm_study_site_type(in->study, in->first, in->entry[entry].site, out);
}

/* How many baselines a file gives an input of this shape; 0: it does not fit. */
static int64_t count_in(const lm_view *v, const lm_shape *one)
{
    int rank = one->rank;
    if (lm_shape_equal(&v->sh, one))
        return 1;
    bool lower = v->sh.rank == rank - 1 &&
                 memcmp(v->sh.dim, one->dim + 1, (size_t)(rank - 1) * sizeof one->dim[0]) == 0;
    if (rank > 0 && one->dim[0] == 1 && lower)
        return 1;
    bool rows = rank > 0 && one->dim[0] == 1 && v->sh.rank == rank &&
                memcmp(v->sh.dim + 1, one->dim + 1, (size_t)(rank - 1) * sizeof one->dim[0]) == 0;
    return rows ? v->sh.dim[0] : 0;
}

/* Of ids that stand for embeddings the shape is the input's own. */
static lm_status shape_for(const lm_inquiry *in, int entry, const lm_view *v, lm_shape *out)
{
    lm_type type;
    LM_TRY(entry_type(in, entry, &type));
    *out = in->entry[entry].embedded && lm_dtype_is_int(v->dt) ? in->first[in->entry[entry].port].sh : type.sh;
    return LM_OK;
}

/* What is compared with a NaN or an infinity is neither. */
static lm_status check_finite(const char *text, const lm_view *v)
{
    if (!lm_dtype_is_float(v->dt))
        return LM_OK;
    for (int64_t e = 0, n = lm_shape_count(&v->sh); e < n; e++)
        LM_REQUIRE(isfinite(lm_view_get(v, e)), LM_INPUT,
                   "baseline '%s': element %lld is %g; give numbers that are finite", text, (long long)e,
                   lm_view_get(v, e));
    return LM_OK;
}

static lm_status check_file(lm_inquiry *in, const spec *s)
{
    for (int i = 0; i < in->entries; i++) {
        const lm_view *v = file_for(in, s->text, i);
        char has[LM_SHAPE_TEXT], wants[LM_SHAPE_TEXT];
        lm_shape one;
        LM_TRY(shape_for(in, i, v, &one));
        LM_TRY(check_finite(s->text, v));
        int64_t n = count_in(v, &one);
        LM_REQUIRE(
            n > 0, LM_INPUT,
            "baseline '%s': the shape is %s, but one sample of the input '%s' is %s; give that, one per sample, or "
            "several along axis 0",
            s->text, lm_shape_text(&v->sh, has), in->port[in->entry[i].port].name, lm_shape_text(&one, wants));
        int64_t many = n == in->samples ? 1 : n;
        LM_REQUIRE(i == 0 || many == in->baselines, LM_INPUT,
                   "baseline '%s': holds %lld for the input '%s' and %lld for '%s'; give as many", s->text,
                   (long long)many, in->port[in->entry[i].port].name, (long long)in->baselines,
                   in->port[in->entry[0].port].name);
        in->baselines = many;
    }
    for (int m = 0; m < in->methods; m++) {
        uint32_t flags = in->asked[m].method->flags;
        LM_REQUIRE(in->baselines == 1 || !(flags & LM_METHOD_BASELINE) || (flags & LM_METHOD_MANY), LM_USAGE,
                   "baseline '%s': %s takes one, and there are %lld; give one, or one per sample (%lld)", s->text,
                   in->asked[m].method->id, (long long)in->baselines, (long long)in->samples);
    }
    return LM_OK;
}

lm_status lm_baseline_check(lm_inquiry *in)
{
    spec s;
    bool embedded = false;
    lm_image image;
    in->baseline = in->q->baseline ? in->q->baseline : "zero";
    in->baselines = 1;
    LM_TRY(read_spec(in, &s));
    for (int i = 0; i < in->entries; i++) {
        lm_type type;
        LM_TRY(entry_type(in, i, &type));
        embedded |= in->entry[i].embedded;
        if (s.kind == BLUR)
            LM_TRY(
                lm_context(lm_image_find(&type.sh, in->port[in->entry[i].port].name, &image), "baseline '%s'", s.text));
    }
    LM_REQUIRE(s.kind != TOKEN || embedded, LM_USAGE,
               "baseline '%s': is for inputs of tokens, and none is explained; write value:V", s.text);
    return s.kind == FROM_FILE ? check_file(in, &s) : LM_OK;
}

/* Which channel element e belongs to: images have their own axis, tokens the last, other tensors of three axes and more
 * axis 1, and rows of a table are one channel. */
typedef struct channels {
    int64_t n, stride; /* channel of e: e / stride % n */
} channels;

static channels channels_of(const lm_shape *sh, bool embedded)
{
    lm_image im;
    channels c = {1, 1};
    if (!embedded && lm_image_find(sh, "", &im) == LM_OK)
        return (channels){im.channels, im.last ? 1 : im.height * im.width};
    if (sh->rank < 3)
        return c;
    int axis = embedded ? sh->rank - 1 : 1;
    c.n = sh->dim[axis];
    for (int i = axis + 1; i < sh->rank; i++)
        c.stride *= sh->dim[i];
    return c;
}

typedef struct facts {
    double sum, square, least, most;
    int64_t n;
} facts;

/* What a baseline holds where the channel's numbers are these. */
static double made_of(const maker *m, const facts *f, int64_t e)
{
    double mean = f->sum / (double)f->n;
    switch (m->spec->kind) {
    case MEAN: return mean;
    case MIN: return f->least;
    case MAX: return f->most;
    case NOISE:
        return mean + sqrt(fmax(f->square / (double)f->n - mean * mean, 0)) * lm_rng_normal(m->seed, (uint64_t)e);
    case VALUE: return m->spec->number;
    default: return 0;
    }
}

static lm_status from_channels(const maker *m, const lm_view *x, lm_arena *arena, const lm_view *to)
{
    int64_t n = lm_shape_count(&x->sh);
    channels c = channels_of(&x->sh, m->embedded);
    facts *f = lm_arena_alloc(arena, (size_t)c.n, sizeof *f);
    if (!f)
        return LM_MEMORY;
    for (int64_t i = 0; i < c.n; i++)
        f[i] = (facts){.least = (double)INFINITY, .most = -(double)INFINITY};
    for (int64_t e = 0; e < n; e++) {
        facts *at = &f[e / c.stride % c.n];
        double v = lm_at(x, e);
        at->sum += v;
        at->square += v * v;
        at->least = v < at->least ? v : at->least;
        at->most = v > at->most ? v : at->most;
        at->n++;
    }
    for (int64_t e = 0; e < n; e++)
        lm_put(to, e, made_of(m, &f[e / c.stride % c.n], e));
    return LM_OK;
}

static lm_status blurred(const spec *s, const lm_view *x, lm_arena *arena, const lm_view *to)
{
    int64_t n = lm_shape_count(&x->sh);
    double *at = lm_arena_alloc(arena, (size_t)n, sizeof *at);
    lm_image im;
    if (!at)
        return LM_MEMORY;
    LM_TRY(lm_image_find(&x->sh, "the input", &im));
    for (int64_t e = 0; e < n; e++)
        at[e] = lm_at(x, e);
    LM_TRY(lm_blur(&im, s->number, at, at));
    for (int64_t e = 0; e < n; e++)
        lm_put(to, e, at[e]);
    return LM_OK;
}

/* The embedding of the ids that `ids` (row `row` of it, or the one number `token`) has. */
static lm_status looked_up(const lm_inquiry *in, int entry, const lm_feed *feed, const lm_view *ids, int64_t row,
                           int64_t token, lm_arena *arena, const lm_view *to)
{
    int port = in->entry[entry].port;
    lm_feed *other = lm_arena_copy(arena, feed, (size_t)in->ports, sizeof *feed);
    if (!other)
        return LM_MEMORY;
    LM_TRY(lm_scratch(arena, feed[port].dt, &feed[port].sh, &other[port]));
    int64_t n = lm_shape_count(&feed[port].sh);
    for (int64_t e = 0; e < n; e++)
        lm_store_i64(feed[port].dt, (char *)lm_view_data(&other[port]) + (size_t)e * lm_dtype_size(feed[port].dt),
                     ids ? lm_view_get_i64(ids, row * n + e) : token, false);
    lm_forward f = {.study = in->study, .feed = other, .goal.site = in->entry[entry].site, .cancel = in->q->cancel,
                    .rows = 1, .arena = arena};
    LM_TRY(lm_context(lm_forward_run(&f), "baseline '%s'", in->baseline));
    memcpy(lm_view_data(to), lm_view_data(&f.goals), (size_t)lm_shape_count(&to->sh) * lm_dtype_size(to->dt));
    return LM_OK;
}

static lm_status from_file(const lm_inquiry *in, int64_t sample, int entry, const lm_feed *feed, const lm_view *x,
                           lm_arena *arena, const lm_view *to)
{
    const lm_view *v = file_for(in, in->baseline, entry);
    lm_shape one;
    LM_TRY(shape_for(in, entry, v, &one));
    int64_t in_file = count_in(v, &one), n = lm_shape_count(&one);
    for (int64_t k = 0; k < in->baselines; k++) {
        int64_t row = in->baselines > 1 ? k : in_file == in->samples ? sample : 0;
        lm_view at = lm_row_of(to, k, &x->sh);
        if (in->entry[entry].embedded && lm_dtype_is_int(v->dt))
            LM_TRY(looked_up(in, entry, feed, v, row, 0, arena, &at));
        else
            for (int64_t e = 0; e < n; e++)
                lm_put(&at, e, lm_view_get(v, row * n + e));
    }
    return LM_OK;
}

lm_status lm_baseline_make(const lm_inquiry *in, int64_t sample, const lm_feed *feed, const lm_view *x, lm_arena *arena,
                           lm_view *x0)
{
    spec s;
    LM_TRY(read_spec(in, &s));
    for (int i = 0; i < in->entries; i++) {
        lm_shape all = x[i].sh;
        if (in->baselines > 1)
            all.dim[0] = in->baselines;
        LM_TRY(lm_scratch(arena, x[i].dt, &all, &x0[i]));
        bool embedded = in->entry[i].embedded;
        const uint64_t seed = lm_rng_fork(in->q->seed, 0xba5e + (uint64_t)i);
        maker m = {&s, lm_rng_fork(seed, in->q->first + (uint64_t)sample), embedded};
        if (s.kind == FROM_FILE)
            LM_TRY(from_file(in, sample, i, feed, &x[i], arena, &x0[i]));
        else if (s.kind == TOKEN && embedded)
            LM_TRY(looked_up(in, i, feed, NULL, 0, s.token, arena, &x0[i]));
        else if (s.kind == BLUR)
            LM_TRY(blurred(&s, &x[i], arena, &x0[i]));
        else if (s.kind != ZERO)
            LM_TRY(from_channels(&m, &x[i], arena, &x0[i]));
    }
    return LM_OK;
}
