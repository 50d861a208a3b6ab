/* limn/draw.h: explanations as pictures and pages. */
#include <limn/draw.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/arena.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/image.h"
#include "core/draw/heat.h"
#include "core/draw/panel.h"
#include "core/draw/report.h"
#include "core/tensor/dtype.h"

enum { LEAST_SIDE = 224, GAP = 8, TOP = 5, MOST_PIXELS = 1 << 27 };

/* One call. */
typedef struct artist {
    const limn_explanation *why;
    limn_drawing how;
    size_t samples, results;
    lm_arena arena; /* all that is drawn */
} artist;

static double number(const limn_tensor *t, size_t i)
{
    return lm_load_f64(t->type, (const char *)t->data + i * lm_dtype_size(t->type));
}

/* How a sample of a tensor is a picture: numbers between neighbours along each axis. */
typedef struct plane {
    int width, height, channels;
    size_t right, down, channel;
} plane;

static bool find_plane(const limn_tensor *t, plane *p)
{
    const int64_t *d = t->dim;
    if (t->rank != 4 || limn_tensor_count(t) == 0 || d[1] > INT32_MAX || d[2] > INT32_MAX || d[3] > INT32_MAX)
        return false;
    const bool last = d[1] != 1 && d[1] != 3 && (d[3] == 1 || d[3] == 3);
    *p = last ? (plane){(int)d[2], (int)d[1], (int)d[3], (size_t)d[3], (size_t)(d[2] * d[3]), 1}
              : (plane){(int)d[3], (int)d[2], (int)d[1], 1, (size_t)d[3], (size_t)(d[2] * d[3])};
    return true;
}

/* Channels put together: [height][width] from the arena. */
static double *map_of(artist *a, const limn_attribution *r, const plane *p, size_t sample)
{
    const size_t n = (size_t)p->width * (size_t)p->height, first = sample * n * (size_t)p->channels;
    const bool greatest = r->tells == LIMN_TELLS_SIZES;
    double *map = lm_arena_alloc(&a->arena, n, sizeof *map);
    for (size_t i = 0; map && i < n; i++)
        for (int c = 0; c < p->channels; c++) {
            const double v = number(&r->values, first + i / (size_t)p->width * p->down +
                                                    i % (size_t)p->width * p->right + (size_t)c * p->channel);
            map[i] = greatest ? fmax(map[i], fabs(v)) : map[i] + v;
        }
    return map;
}

/* The numbers that were fed, from the least to the greatest, as shades; NULL in *out where they are no picture. */
static lm_status shade(artist *a, size_t sample, const lm_canvas **out)
{
    const limn_tensor *t = a->how.fed;
    plane p;
    double least = INFINITY, most = -INFINITY;
    *out = NULL;
    if (!t || !find_plane(t, &p) || (p.channels != 1 && p.channels != 3) || (size_t)t->dim[0] != a->samples)
        return LM_OK;
    const size_t n = (size_t)p.width * (size_t)p.height, first = sample * n * (size_t)p.channels;
    lm_canvas *c = lm_arena_alloc(&a->arena, 1, sizeof *c);
    if (!c)
        return LM_MEMORY;
    *c = (lm_canvas){.width = p.width, .height = p.height, .at = lm_arena_alloc(&a->arena, n, sizeof *c->at)};
    if (!c->at)
        return LM_MEMORY;
    for (size_t i = 0; i < n * (size_t)p.channels; i++)
        if (isfinite(number(t, first + i))) {
            least = fmin(least, number(t, first + i));
            most = fmax(most, number(t, first + i));
        }
    for (size_t i = 0; i < n; i++) {
        uint8_t rgb[3];
        for (int k = 0; k < 3; k++) {
            const double v = number(t, first + i / (size_t)p.width * p.down + i % (size_t)p.width * p.right +
                                           (p.channels == 3 ? (size_t)k * p.channel : 0));
            rgb[k] = most > least && isfinite(v) ? (uint8_t)lround(255 * (v - least) / (most - least)) : 127;
        }
        c->at[i] = (lm_rgb){rgb[0], rgb[1], rgb[2]};
    }
    *out = c;
    return LM_OK;
}

static lm_status set_heat(artist *a, const limn_attribution *r, size_t sample, lm_heat *h)
{
    plane p;
    LM_REQUIRE(find_plane(&r->values, &p), LM_USAGE,
               "limn_draw: %s of '%s' is no picture [N,C,H,W], which .png is for; choose .svg or .html", r->method,
               r->site);
    const size_t n = (size_t)p.width * (size_t)p.height;
    const int shorter = p.width < p.height ? p.width : p.height;
    double *map = map_of(a, r, &p, sample);
    if (!map)
        return LM_MEMORY;
    *h = (lm_heat){.map = map, .width = p.width, .height = p.height, .zoom = (LEAST_SIDE + shorter - 1) / shorter};
    h->positive = true;
    for (size_t i = 0; i < n; i++)
        h->positive &= !(map[i] < 0);
    LM_TRY(lm_heat_range(map, n, a->how.percent > 0 ? a->how.percent : 99.5, &h->range));
    return shade(a, sample, &h->under);
}

/* Cells of the size of the largest. */
static lm_status paint(const artist *a, const lm_heat *cell, lm_str *out)
{
    int width = 0, height = 0;
    for (size_t i = 0; i < a->samples * a->results; i++) {
        width = cell[i].width * cell[i].zoom > width ? cell[i].width * cell[i].zoom : width;
        height = cell[i].height * cell[i].zoom > height ? cell[i].height * cell[i].zoom : height;
    }
    const double across = (double)a->results * (width + GAP), down = (double)a->samples * (height + GAP);
    lm_canvas c = {0};
    LM_REQUIRE(across * down <= MOST_PIXELS, LM_USAGE,
               "limn_draw: %zu x %zu maps in one picture are more than anyone can look at; explain fewer at a time",
               a->samples, a->results);
    LM_TRY(lm_canvas_new((int)across - GAP, (int)down - GAP, (lm_rgb){255, 255, 255}, &c));
    for (size_t i = 0; i < a->samples * a->results; i++)
        lm_heat_draw(&cell[i], &c, (int)(i % a->results) * (width + GAP), (int)(i / a->results) * (height + GAP));
    lm_status status = lm_png_encode(&c.at->r, c.width, c.height, out);
    lm_canvas_free(&c);
    return status;
}

static lm_status draw_png(artist *a, lm_str *out)
{
    lm_heat *cell = lm_arena_alloc(&a->arena, a->samples * a->results, sizeof *cell);
    if (!cell)
        return LM_MEMORY;
    for (size_t i = 0; i < a->samples * a->results; i++)
        LM_TRY(set_heat(a, limn_explanation_get(a->why, i % a->results), i / a->results, &cell[i]));
    return paint(a, cell, out);
}

static const char *text_of(artist *a, const char *format, ...) LM_PRINTF(2, 3);
static const char *text_of(artist *a, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *kept = lm_arena_strdup(&a->arena, text);
    return kept ? kept : "";
}

static const char *const *columns(artist *a, const limn_attribution *r, size_t count)
{
    const char **name = lm_arena_alloc(&a->arena, count, sizeof *name);
    for (size_t i = 0; name && i < count; i++)
        name[i] = i < a->how.columns && a->how.column[i] ? a->how.column[i] : text_of(a, "%s[%zu]", r->site, i);
    return name;
}

/* One row of a matrix as doubles. */
static double *row_of(artist *a, const limn_tensor *t, size_t sample)
{
    const size_t count = (size_t)t->dim[1];
    double *row = lm_arena_alloc(&a->arena, count, sizeof *row);
    for (size_t i = 0; row && i < count; i++)
        row[i] = number(t, sample * count + i);
    return row;
}

static bool is_table(const limn_tensor *t)
{
    return t->rank == 2 && t->dim[1] > 0 && t->dim[1] <= INT32_MAX;
}

static const char *label_of(const artist *a, int64_t index)
{
    return index >= 0 && (size_t)index < a->how.labels ? a->how.label[index] : NULL;
}

static lm_status draw_svg(artist *a, lm_str *out)
{
    lm_panel *panel = lm_arena_alloc(&a->arena, a->samples * a->results, sizeof *panel);
    if (!panel)
        return LM_MEMORY;
    for (size_t i = 0; i < a->samples * a->results; i++) {
        const limn_attribution *r = limn_explanation_get(a->why, i % a->results);
        const size_t sample = i / a->results;
        LM_REQUIRE(is_table(&r->values), LM_USAGE,
                   "limn_draw: %s of '%s' is no table [N,F], which .svg is for; choose .png or .html", r->method,
                   r->site);
        panel[i] = (lm_panel){.kind = LM_PANEL_BARS,
                              .count = (int)r->values.dim[1],
                              .title = text_of(a, "%s%s%zu: %s of %s", a->how.title ? a->how.title : "",
                                               a->how.title ? ", " : "", sample, r->method, r->target),
                              .name = columns(a, r, (size_t)r->values.dim[1]),
                              .value = row_of(a, &r->values, sample)};
        if (!panel[i].name || !panel[i].value)
            return LM_MEMORY;
    }
    return lm_panels_svg(panel, a->samples * a->results, out);
}

/* What the numbers of a result belong to. */
static lm_status set_finding(artist *a, const limn_attribution *r, size_t sample, lm_finding *f)
{
    const limn_certificate *c = &r->certificate[sample];
    plane p;
    double *map = NULL;
    *f = (lm_finding){.about = LM_ABOUT_OTHER,
                      .target = r->target_value[sample],
                      .baseline = r->baseline_value[sample],
                      .gap_abs = c->gap_abs,
                      .gap_rel = c->gap_rel,
                      .residual = c->residual,
                      .stderr_mean = c->stderr_mean,
                      .positive = true,
                      .neutral = r->tells == LIMN_TELLS_VALUES};
    if (find_plane(&r->values, &p)) {
        map = map_of(a, r, &p, sample);
        f->about = LM_ABOUT_PICTURE;
        f->width = p.width;
        f->height = p.height;
    } else if (is_table(&r->values)) {
        map = row_of(a, &r->values, sample);
        f->about = LM_ABOUT_COLUMNS;
        f->width = (int)r->values.dim[1];
        f->height = 1;
        f->name = columns(a, r, (size_t)f->width);
    } else {
        return LM_OK;
    }
    const size_t n = (size_t)f->width * (size_t)f->height;
    float *value = lm_arena_alloc(&a->arena, n, sizeof *value);
    if (!map || !value)
        return LM_MEMORY;
    for (size_t i = 0; i < n; i++) {
        value[i] = (float)map[i];
        f->positive &= !(map[i] < 0);
    }
    f->value = value;
    return LM_OK;
}

/* The name of a class, or what a target of several is. */
static const char *goal_of(artist *a, const limn_attribution *r, size_t sample)
{
    const limn_tensor *y = limn_explanation_prediction(a->why);
    const int64_t index = r->target_index[sample];
    if (r->target_label[sample] || index >= 0)
        return r->target_label[sample] ? r->target_label[sample] : label_of(a, index);
    lm_str text = {0};
    lm_words_target(LM_ENGLISH, r->target, a->how.label, a->how.labels, y && is_table(y) ? y->dim[1] : 1, &text);
    const char *label = text.count ? lm_arena_strdup(&a->arena, lm_str_text(&text)) : NULL;
    lm_str_free(&text);
    return label;
}

static lm_status set_result(artist *a, const limn_attribution *r, size_t sample, lm_report_result *out)
{
    static const char *const space[] = {"raw", "logit", "probability"};
    const limn_certificate *c = &r->certificate[sample];
    const size_t count = limn_tensor_count(&r->values) / a->samples;
    const int64_t index = r->target_index[sample];
    *out =
        (lm_report_result){.method = r->method,
                           .target = r->target,
                           .options = r->options,
                           .site = r->site,
                           .space = space[r->space],
                           .least = INFINITY,
                           .most = -INFINITY,
                           .forwards = c->forwards,
                           .backwards = c->backwards,
                           .explained = {index, goal_of(a, r, sample), r->target_value[sample], NAN}};
    for (size_t i = sample * count; i < (sample + 1) * count; i++) {
        const double v = number(&r->values, i);
        out->sum += v;
        out->least = fmin(out->least, v);
        out->most = fmax(out->most, v);
    }
    return set_finding(a, r, sample, &out->finding);
}

static lm_status set_input(artist *a, const lm_report_sample *s, size_t sample, lm_report_input *in)
{
    const lm_finding *f = &s->result[0].finding;
    *in = (lm_report_input){.name = s->result[0].site, .about = f->about};
    if (f->about == LM_ABOUT_PICTURE) {
        LM_TRY(shade(a, sample, &in->picture));
    } else if (f->about == LM_ABOUT_COLUMNS) {
        const limn_tensor *t = a->how.fed;
        in->count = f->width;
        in->label = f->name;
        in->number =
            t && is_table(t) && t->dim[1] == f->width && (size_t)t->dim[0] == a->samples ? row_of(a, t, sample) : NULL;
    }
    return LM_OK;
}

/* The greatest values of the prediction, where it is a vector of classes. */
static lm_status set_answers(artist *a, size_t sample, lm_report_sample *s)
{
    const limn_tensor *y = limn_explanation_prediction(a->why);
    if (!y || !is_table(y) || (size_t)y->dim[0] != a->samples)
        return LM_OK;
    const int64_t count = y->dim[1];
    lm_answer *top = lm_arena_alloc(&a->arena, TOP, sizeof *top);
    if (!top)
        return LM_MEMORY;
    for (s->top = top; s->tops < TOP && s->tops < count; s->tops++) {
        int64_t best = -1;
        for (int64_t i = 0; i < count; i++) {
            bool taken = false;
            for (int k = 0; k < s->tops; k++)
                taken |= top[k].index == i;
            if (!taken && (best < 0 || number(y, sample * (size_t)count + (size_t)i) >
                                           number(y, sample * (size_t)count + (size_t)best)))
                best = i;
        }
        top[s->tops] = (lm_answer){best, label_of(a, best), number(y, sample * (size_t)count + (size_t)best), NAN};
    }
    return LM_OK;
}

static lm_status set_sample(artist *a, size_t sample, lm_report_sample *s)
{
    lm_report_result *result = lm_arena_alloc(&a->arena, a->results, sizeof *result);
    lm_report_input *in = lm_arena_alloc(&a->arena, 1, sizeof *in);
    if (!result || !in)
        return LM_MEMORY;
    for (size_t i = 0; i < a->results; i++)
        LM_TRY(set_result(a, limn_explanation_get(a->why, i), sample, &result[i]));
    *s = (lm_report_sample){
        .source = text_of(a, "%zu", sample), .input = in, .inputs = 1, .result = result, .results = (int)a->results};
    LM_TRY(set_answers(a, sample, s));
    return set_input(a, s, sample, in);
}

static lm_status draw_html(artist *a, lm_str *out)
{
    lm_report_sample *sample = lm_arena_alloc(&a->arena, a->samples, sizeof *sample);
    if (!sample)
        return LM_MEMORY;
    for (size_t i = 0; i < a->samples; i++)
        LM_TRY(set_sample(a, i, &sample[i]));
    const char *title = a->how.title ? a->how.title : "An explanation";
    const lm_report_section section = {.name = title, .sample = sample, .samples = (int)a->samples};
    const lm_report_fact fact = {"Limn", LM_VERSION};
    const lm_report r = {.title = title,
                         .section = &section,
                         .sections = 1,
                         .fact = &fact,
                         .facts = 1
#ifdef LM_HAVE_PNG
                         ,
                         .png = lm_png_encode
#endif
    };
    return lm_report_html(&r, out);
}

typedef lm_status (*draw_fn)(artist *a, lm_str *out);

static const struct {
    const char *ending;
    draw_fn draw;
} forms[] = {{".png", draw_png}, {".svg", draw_svg}, {".html", draw_html}};

limn_status limn_draw(const limn_explanation *why, const limn_drawing *how, const char *path)
{
    const char *dot = path ? strrchr(path, '.') : NULL;
    draw_fn draw = NULL;
    LM_REQUIRE(why && path, LM_USAGE, "limn_draw: a pointer is NULL");
    for (size_t i = 0; i < LM_COUNT(forms); i++)
        draw = dot && strcasecmp(dot, forms[i].ending) == 0 ? forms[i].draw : draw;
    LM_REQUIRE(draw, LM_USAGE, "limn_draw: '%.199s' ends in none of .png, .svg and .html; choose one", path);
    artist a = {.why = why, .samples = limn_explanation_samples(why), .results = limn_explanation_count(why)};
    lm_str file = {0};
    if (how)
        a.how = *how;
    LM_REQUIRE(a.samples && a.results, LM_USAGE, "limn_draw: the explanation is of no sample");
    lm_status status = draw(&a, &file);
    if (status == LM_OK)
        status = lm_file_write(path, lm_str_text(&file), file.count);
    lm_str_free(&file);
    lm_arena_free(&a.arena);
    return status;
}
