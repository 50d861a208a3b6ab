/* The words of a target, and the seeds that they become. */
#include "core/explain/target.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/env.h"
#include "core/base/nearest.h"
#include "core/base/vec.h"
#include "core/explain/question.h"

typedef LM_VEC(lm_aim) aims;

/* What the reading of one text needs. */
typedef struct reader {
    const lm_question *q;
    const lm_classes *c;
    int64_t samples;
    lm_arena *arena;
    aims found;
} reader;

void lm_classes_of(const lm_shape *output, bool batch, lm_classes *out)
{
    int skip = batch && output->rank > 0 ? 1 : 0;
    out->sh = lm_shape_literal(output->rank - skip, output->dim + skip);
    int axis = 0;
    while (axis < out->sh.rank && out->sh.dim[axis] == 1)
        axis++;
    out->n = axis < out->sh.rank ? out->sh.dim[axis] : 1;
    out->inner = 1;
    for (int i = axis + 1; i < out->sh.rank; i++)
        out->inner *= out->sh.dim[i];
}

/* "classes 0 to 9 (or -10 to -1, from the end)" */
static lm_status out_of_range(const lm_classes *c, const char *text)
{
    if (c->n == 1)
        return lm_fail(LM_USAGE, "target '%s': out of range; the output has one value, target 0", text);
    return lm_fail(LM_USAGE, "target '%s': out of range; the output has classes 0 to %lld, or -%lld to -1 from the end",
                   text, (long long)c->n - 1, (long long)c->n);
}

/* A class, counted from the end when it is negative. */
static bool class_at(const lm_classes *c, int64_t *at)
{
    *at += *at < 0 ? c->n : 0;
    return *at >= 0 && *at < c->n;
}

/* The whole number at *text, which moves on behind it. */
static bool take_whole(const char **text, int64_t *out)
{
    char *end;
    if (**text != '-' && (**text < '0' || **text > '9'))
        return false;
    errno = 0;
    long long number = strtoll(*text, &end, 10);
    if (end == *text || errno)
        return false;
    *text = end;
    *out = number;
    return true;
}

/* Every one of "top5" and "all" is a result of its own. Classes that hang on the sample are called by their rank,
 * unless there is but one sample: then each is called by its class, which lm_aim_resolve fills in. */
static lm_status add_ranks(reader *r, const char *text, int64_t k)
{
    LM_REQUIRE(k >= 1 && k <= r->c->n, LM_USAGE, "target '%s': asks for %lld classes of %lld; write top1 to top%lld",
               text, (long long)k, (long long)r->c->n, (long long)r->c->n);
    for (int64_t i = 0; i < k; i++) {
        char name[32];
        snprintf(name, sizeof name, "top%lld", (long long)i + 1);
        const char *called = r->samples > 1 ? lm_arena_strdup(r->arena, name) : NULL;
        if (r->samples > 1 && !called)
            return LM_MEMORY;
        LM_TRY(lm_vec_push(&r->found, (lm_aim){.kind = LM_AIM_RANK, .text = called, .a = i}));
    }
    return LM_OK;
}

static lm_status add_all(reader *r)
{
    for (int64_t i = 0; i < r->c->n; i++) {
        char name[32];
        snprintf(name, sizeof name, "%lld", (long long)i);
        const char *called = lm_arena_strdup(r->arena, name);
        if (!called)
            return LM_MEMORY;
        LM_TRY(lm_vec_push(&r->found, (lm_aim){.kind = LM_AIM_CLASS, .text = called, .a = i}));
    }
    return LM_OK;
}

/* "0:4:*" */
static bool read_index(const char *text, lm_aim *aim)
{
    for (aim->n_at = 0; aim->n_at < LM_RANK; text++) {
        int64_t *at = &aim->at[aim->n_at++];
        if (*text == '*') {
            *at = INT64_MIN; /* all of them */
            text++;
        } else if (!take_whole(&text, at)) {
            return false;
        }
        if (*text != ':')
            break;
    }
    aim->kind = LM_AIM_INDEX;
    return *text == '\0' && aim->n_at > 0;
}

static lm_status check_index(const reader *r, const char *text, lm_aim *aim)
{
    char shape[LM_SHAPE_TEXT];
    lm_shape_text(&r->c->sh, shape);
    LM_REQUIRE(aim->n_at <= r->c->sh.rank, LM_USAGE, "target '%s': has %d indices; one sample's output is %s", text,
               aim->n_at, shape);
    for (int i = 0; i < aim->n_at; i++) {
        int64_t size = r->c->sh.dim[i], *at = &aim->at[i];
        if (*at == INT64_MIN) {
            *at = -1;
            continue;
        }
        *at += *at < 0 ? size : 0;
        LM_REQUIRE(*at >= 0 && *at < size, LM_USAGE,
                   "target '%s': index %d is out of range; it goes from 0 to %lld, as one sample's output is %s", text,
                   i + 1, (long long)size - 1, shape);
    }
    return LM_OK;
}

static lm_status read_file(const reader *r, const char *text, lm_aim *aim)
{
    const lm_view *v = lm_question_file(r->q, text);
    v = v ? v : lm_question_file(r->q, text + 1);
    LM_REQUIRE(v, LM_USAGE, "target '%s': no such file among the question's; give one integer per sample as '%s'", text,
               text + 1);
    int64_t n = lm_shape_count(&v->sh);
    LM_REQUIRE(
        lm_dtype_is_int(v->dt) && v->sh.rank == 1 && n == r->samples, LM_INPUT,
        "target '%s': the file must hold one integer per sample, %lld in all; it holds %lld of type %s with %d axes",
        text, (long long)r->samples, (long long)n, lm_dtype_name(v->dt), v->sh.rank);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = lm_view_get_i64(v, i);
        if (!class_at(r->c, &at))
            return lm_context(out_of_range(r->c, text), "sample %lld", (long long)i);
    }
    *aim = (lm_aim){.kind = LM_AIM_EACH, .text = text, .each = v};
    return LM_OK;
}

static lm_status unknown_label(const reader *r, const char *text, const char *name)
{
    lm_str near = {0};
    if (r->q->labels <= 0)
        return lm_fail(LM_USAGE,
                       "target '%s': no class number, and there are no labels; give labels, or a number from 0 "
                       "to %lld",
                       text, (long long)r->c->n - 1);
    bool found = lm_nearest(name, r->q->label, (size_t)r->q->labels, &near);
    lm_fail(LM_USAGE,
            "target '%s': no label of that name; %s%s%sa target is a class from 0 to %lld or one of %lld labels", name,
            found ? "did you mean " : "", lm_str_text(&near), found ? "? " : "", (long long)r->c->n - 1,
            (long long)r->q->labels);
    lm_str_free(&near);
    return LM_USAGE;
}

/* Exact, and if none is, without regard to capital letters. */
static lm_status find_label(const reader *r, const char *text, const char *name, int64_t *at)
{
    int64_t n = r->q->labels;
    for (int exact = 1; exact >= 0; exact--) {
        int64_t hits = 0, first = -1, second = -1;
        for (int64_t i = 0; i < n; i++) {
            const char *label = r->q->label[i];
            if (!label || (exact ? strcmp(label, name) : strcasecmp(label, name)) != 0)
                continue;
            *(hits == 0 ? &first : &second) = i;
            hits++;
        }
        LM_REQUIRE(hits < 2, LM_USAGE,
                   "target '%s': the label of %lld classes, among them %lld and %lld; give the number", text,
                   (long long)hits, (long long)first, (long long)second);
        if (hits == 1) {
            *at = first;
            return first < r->c->n ? LM_OK : out_of_range(r->c, text);
        }
    }
    return unknown_label(r, text, name);
}

static lm_status add_label(reader *r, const char *text, const char *name)
{
    lm_aim aim = {.kind = LM_AIM_CLASS, .text = text};
    LM_TRY(find_label(r, text, name, &aim.a));
    return lm_vec_push(&r->found, aim);
}

static lm_status add_class(reader *r, const char *text, int64_t at)
{
    lm_aim aim = {.kind = LM_AIM_CLASS, .text = text, .a = at};
    if (!class_at(r->c, &aim.a))
        return out_of_range(r->c, text);
    return lm_vec_push(&r->found, aim);
}

static lm_status add_difference(reader *r, const char *text, int64_t a, int64_t b)
{
    lm_aim aim = {.kind = LM_AIM_DIFFERENCE, .text = text, .a = a, .b = b};
    if (!class_at(r->c, &aim.a) || !class_at(r->c, &aim.b))
        return out_of_range(r->c, text);
    LM_REQUIRE(aim.a != aim.b, LM_USAGE,
               "target '%s': is the difference of a class and itself; name two classes", text);
    return lm_vec_push(&r->found, aim);
}

static lm_status read_one(reader *r, const char *text)
{
    int64_t a, b;
    const char *at = text;
    lm_aim aim = {.text = text};
    if (strncmp(text, "label:", 6) == 0)
        return add_label(r, text, text + 6);
    if (strcmp(text, "top") == 0)
        return lm_vec_push(&r->found, (lm_aim){.kind = LM_AIM_RANK, .text = text});
    if (strncmp(text, "top", 3) == 0 && text[3] != '-' && lm_parse_int(text + 3, &a))
        return add_ranks(r, text, a);
    if (strcmp(text, "all") == 0)
        return add_all(r);
    if (strcmp(text, "sum") == 0)
        return lm_vec_push(&r->found, (lm_aim){.kind = LM_AIM_SUM, .text = text});
    if (take_whole(&at, &a)) {
        if (*at == '\0')
            return add_class(r, text, a);
        if (*at++ == '-' && take_whole(&at, &b) && *at == '\0')
            return add_difference(r, text, a, b);
    }
    if (strchr(text, ':') && read_index(text, &aim)) {
        LM_TRY(check_index(r, text, &aim));
        return lm_vec_push(&r->found, aim);
    }
    if (text[0] == '@') {
        LM_TRY(read_file(r, text, &aim));
        return lm_vec_push(&r->found, aim);
    }
    return add_label(r, text, text);
}

/* Does the text, commas and all, name one class? */
static bool is_label(const lm_question *q, const char *text)
{
    text += strncmp(text, "label:", 6) == 0 ? 6 : 0;
    for (int i = 0; i < q->labels; i++)
        if (q->label[i] && strcasecmp(q->label[i], text) == 0)
            return true;
    return false;
}

lm_status lm_aims_read(const lm_question *q, const lm_classes *c, int64_t samples, lm_arena *arena, lm_aim **out,
                       int *n)
{
    const char *whole = q->target ? q->target : "top", **text = &whole;
    int count = 1;
    if (!is_label(q, whole))
        LM_TRY(lm_split(arena, whole, "target", &text, &count));
    reader r = {.q = q, .c = c, .samples = samples, .arena = arena};
    lm_status status = LM_OK;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < i; k++)
            LM_REQUIRE(strcmp(text[i], text[k]) != 0, LM_USAGE, "target '%s': asked twice; name it once", text[i]);
    for (int i = 0; i < count && status == LM_OK; i++)
        status = read_one(&r, text[i]);
    if (status == LM_OK && r.found.count > INT32_MAX / 1024)
        status = lm_fail(LM_USAGE, "%zu targets are too many for one question", r.found.count);
    if (status == LM_OK) {
        *out = lm_arena_copy(arena, r.found.at, r.found.count, sizeof *r.found.at);
        *n = (int)r.found.count;
        status = *out ? LM_OK : LM_MEMORY;
    }
    lm_vec_free(&r.found);
    return status;
}

static double class_value(const lm_classes *c, const lm_view *predicted, int64_t at)
{
    double sum = 0;
    for (int64_t i = 0; i < c->inner; i++)
        sum += lm_view_get(predicted, at * c->inner + i);
    return sum;
}

/* The k-th best class; of equal ones the first comes first, and NaN last. */
static int64_t ranked(const lm_classes *c, const lm_view *predicted, int64_t k)
{
    int64_t best = -1;
    double above = (double)INFINITY;
    for (int64_t turn = 0, last = -1; turn <= k; turn++, last = best) {
        double top = -(double)INFINITY;
        best = -1;
        for (int64_t i = 0; i < c->n; i++) {
            double v = class_value(c, predicted, i);
            if (isnan(v))
                v = -(double)INFINITY;
            bool left = v < above || (v == above && i > last);
            if (left && (best < 0 || v > top)) {
                best = i;
                top = v;
            }
        }
        above = top;
    }
    return best < 0 ? 0 : best;
}

static void seed_class(const lm_classes *c, int64_t at, double weight, double *seed)
{
    for (int64_t i = 0; i < c->inner; i++)
        seed[at * c->inner + i] += weight;
}

/* Elements whose indices are those given, whatever the axes behind them. */
static void seed_index(const lm_classes *c, const lm_aim *aim, double *seed)
{
    int64_t n = lm_shape_count(&c->sh);
    for (int64_t e = 0; e < n; e++) {
        bool in = true;
        int64_t rest = e;
        for (int axis = c->sh.rank - 1; axis >= 0; axis--) {
            int64_t at = rest % c->sh.dim[axis];
            rest /= c->sh.dim[axis];
            in &= axis >= aim->n_at || aim->at[axis] < 0 || aim->at[axis] == at;
        }
        seed[e] = in ? 1 : 0;
    }
}

lm_status lm_aim_resolve(const lm_aim *aim, const lm_question *q, const lm_classes *c, int64_t sample,
                         const lm_view *predicted, double *seed, lm_target *out)
{
    int64_t n = lm_shape_count(&c->sh), at = -1;
    *out = (lm_target){.text = aim->text, .index = -1, .value = NAN, .baseline = NAN};
    switch (aim->kind) {
    case LM_AIM_RANK: at = ranked(c, predicted, aim->a); break;
    case LM_AIM_CLASS: at = aim->a; break;
    case LM_AIM_EACH:
        at = lm_view_get_i64(aim->each, sample);
        at += at < 0 ? c->n : 0;
        break;
    case LM_AIM_SUM:
        for (int64_t e = 0; e < n; e++)
            seed[e] = 1;
        break;
    case LM_AIM_DIFFERENCE:
        seed_class(c, aim->a, 1, seed);
        seed_class(c, aim->b, -1, seed);
        break;
    case LM_AIM_INDEX:
        seed_index(c, aim, seed);
        if (aim->n_at == 1 && c->sh.rank == 1)
            out->index = aim->at[0];
        break;
    }
    if (at >= 0) {
        seed_class(c, at, 1, seed);
        out->index = at;
    }
    if (out->index >= 0 && out->index < q->labels)
        out->label = q->label[out->index];
    return LM_OK;
}
