/* Results as they are seen without scripts: small pictures, bars, strips of tokens, curves. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/draw/heat.h"
#include "core/draw/report_code.h"
#include "core/draw/report_inside.h"
#include "core/draw/svg.h"

/* Pixels that all small pictures of a page may have together, and the side of each; steps that are drawn of a series.
 */
enum {
    PIXELS = 45000,
    SMALLEST = 16,
    LARGEST = 224,
    BARS = 20,
    STEPS = 320,
    SERIES_WIDTH = 640,
    SERIES_HEIGHT = 150,
    FEW = 4,  /* curves that have dashes of their own */
    MANY = 12 /* that are drawn by themselves */
};

const char *report_about(lm_about about)
{
    static const char *const name[] = {"picture", "columns", "tokens", "series", "other"};
    return name[about];
}

lm_status report_png(report_page *p, const lm_canvas *c)
{
    lm_str file = {0};
    lm_status status = p->r->png(&c->at->r, c->width, c->height, &file);
    lm_str_add(p->out, "data:image/png;base64,");
    if (status == LM_OK)
        status = report_base64(lm_str_text(&file), file.count, p->out);
    lm_str_free(&file);
    return status;
}

static double sound(float v)
{
    return isfinite(v) ? (double)v : 0;
}

/* The number that the full colour starts at. */
static lm_status range_of(const lm_finding *f, double *range)
{
    const size_t n = (size_t)f->width * (size_t)f->height;
    double *v = lm_malloc(n, sizeof *v);
    if (!v)
        return LM_MEMORY;
    for (size_t i = 0; i < n; i++)
        v[i] = sound(f->value[i]);
    lm_status status = lm_heat_range(v, n, 99.5, range);
    lm_free(v);
    return status;
}

/* Few shades make small files. */
static lm_rgb shade(const lm_finding *f, double v, double range)
{
    enum { SHADES = 8 };
    const double t = round(fmin(fmax(v / range, -1), 1) * SHADES) / SHADES;
    return lm_colour(f->positive ? LM_PALETTE_HEAT : LM_PALETTE_SIGNED, t);
}

static int side_of(const report_page *p)
{
    int results = 0;
    for (int m = 0; m < p->r->sections; m++)
        for (int s = 0; s < p->r->section[m].samples; s++)
            results += p->r->section[m].sample[s].results;
    const int side = (int)sqrt((double)PIXELS / (results ? results : 1));
    return side < SMALLEST ? SMALLEST : side > LARGEST ? LARGEST : side;
}

static double mean_of(const lm_finding *f, int64_t top, int64_t bottom, int64_t left, int64_t right)
{
    double sum = 0;
    for (int64_t y = top; y < bottom; y++)
        for (int64_t x = left; x < right; x++)
            sum += sound(f->value[y * f->width + x]);
    return sum / (double)((bottom - top) * (right - left));
}

static lm_status shrunk(report_page *p, const lm_finding *f, int width, int height, lm_canvas *c)
{
    double range;
    float *mean = lm_malloc((size_t)width * (size_t)height, sizeof *mean);
    lm_finding small = *f;
    if (!mean)
        return LM_MEMORY;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            mean[y * width + x] =
                (float)mean_of(f, (int64_t)y * f->height / height, (int64_t)(y + 1) * f->height / height,
                               (int64_t)x * f->width / width, (int64_t)(x + 1) * f->width / width);
    small.value = mean;
    small.width = width;
    small.height = height;
    lm_status status = range_of(&small, &range);
    if (status == LM_OK)
        status = lm_canvas_new(width, height, (lm_rgb){255, 255, 255}, c);
    for (int i = 0; status == LM_OK && i < width * height; i++)
        c->at[i] = shade(f, mean[i], range);
    lm_free(mean);
    return status == LM_OK ? report_png(p, c) : status;
}

static lm_status map(report_page *p, const lm_finding *f)
{
    if (!report_shows(p))
        return LM_OK;
    const double side = side_of(p), longer = f->width > f->height ? f->width : f->height,
                 less = longer > side ? side / longer : 1;
    const int width = (int)fmax(1, f->width * less), height = (int)fmax(1, f->height * less);
    lm_canvas c = {0};
    lm_str_printf(p->out, "<img class=\"map\" width=\"%d\" height=\"%d\" alt=\"", width, height);
    lm_part part[LM_PARTS];
    const int n = lm_words_parts(p->r->language, f, false, part);
    report_put(p, "", n ? part[0].name : "", "\" src=\"", NULL);
    lm_status status = shrunk(p, f, width, height, &c);
    lm_canvas_free(&c);
    lm_str_add(p->out, "\">");
    return status;
}

typedef struct ranked_bar {
    double size;
    int index;
} ranked_bar;

static int largest_first(const void *a, const void *b)
{
    const ranked_bar *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size) - (x->size > y->size)
                              : (x->index > y->index) - (x->index < y->index);
}

/* Which way a number speaks, as a class. */
static const char *way(bool positive, double v)
{
    return positive ? "size" : v < 0 ? "against" : "for";
}

/* Sizes from the left, other numbers from the middle to both sides. */
static void bar(report_page *p, bool positive, double v, double most)
{
    const double zero = positive ? 0 : 50, length = most > 0 ? (100 - zero) * fmin(fabs(v) / most, 1) : 0;
    lm_str_printf(p->out, "<td class=\"bar%s\"><i class=\"%s\" style=\"left:%.2f%%;width:%.2f%%\"></i>",
                  positive ? "" : " two", way(positive, v), v < 0 ? zero - length : zero, length);
    report_number_cell(p, v);
    lm_str_char(p->out, '\n');
}

static lm_status bars(report_page *p, const lm_report_input *in, const lm_finding *f)
{
    ranked_bar *order = lm_malloc((size_t)f->width, sizeof *order);
    if (!order)
        return LM_MEMORY;
    for (int i = 0; i < f->width; i++)
        order[i] = (ranked_bar){fabs(sound(f->value[i])), i};
    qsort(order, (size_t)f->width, sizeof *order, largest_first);
    static const report_text head[] = {REPORT_COLUMN, REPORT_FED, REPORT_TEXTS};
    const int shown = f->width > BARS ? BARS - 1 : f->width;
    double rest = 0;
    lm_str_add(p->out, "<table class=\"columns\"><thead><tr>");
    for (const report_text *t = head; *t != REPORT_TEXTS; t++)
        report_put(p, "<th scope=\"col\">", report_text_of(p->r->language, *t), NULL);
    report_put(p, "<th scope=\"col\" colspan=\"2\">", report_text_of(p->r->language, REPORT_WEIGHT), "<tbody>\n", "",
               NULL);
    for (int k = 0; k < shown; k++) {
        const int i = order[k].index;
        char number[24];
        snprintf(number, sizeof number, "%d", i);
        lm_str_printf(p->out, "<tr data-at=\"%d\"", i);
        report_put(p, "><th scope=\"row\">", f->name && f->name[i] && *f->name[i] ? f->name[i] : number, NULL);
        report_number_cell(p, in && in->number && i < in->count ? in->number[i] : NAN);
        bar(p, f->positive, f->value[i], order[0].size);
    }
    for (int k = shown; k < f->width; k++)
        rest += sound(f->value[order[k].index]);
    if (shown < f->width) {
        char number[24];
        snprintf(number, sizeof number, "%d", f->width - shown);
        lm_str_add(p->out, "<tr class=\"rest\"><th scope=\"row\">");
        report_say(p, REPORT_REST, number);
        lm_str_add(p->out, "<td>");
        bar(p, f->positive, rest, order[0].size);
    }
    lm_free(order);
    return lm_str_add(p->out, "</table>");
}

/* Words on coloured ground: how strong it is says how much, its hue which way. */
static lm_status tokens(report_page *p, const lm_finding *f)
{
    double most = 0;
    for (int i = 0; i < f->width; i++)
        most = fmax(most, fabs(sound(f->value[i])));
    lm_str_add(p->out, "<p class=\"strip\">");
    for (int i = 0; i < f->width; i++) {
        const double v = sound(f->value[i]);
        char number[24];
        snprintf(number, sizeof number, "%d", i);
        char told[DRAW_NUMBER];
        lm_str_printf(p->out, "<span class=\"token %s\" style=\"--s:%.3f\" title=\"%s\">", way(f->positive, v),
                      most > 0 ? fabs(v) / most : 0, draw_number(v, 5, told));
        report_put(p, "", f->name && f->name[i] ? f->name[i] : number, "</span> ", NULL);
    }
    return lm_str_add(p->out, "</p>");
}

/* One curve from left to right, stretched to the full height. */
static void curve(report_page *p, const double *at, int count, int number)
{
    double least = INFINITY, most = -INFINITY;
    const int step = count > 2 * SERIES_WIDTH ? count / (2 * SERIES_WIDTH) + 1 : 1;
    for (int i = 0; i < count; i++)
        if (isfinite(at[i])) {
            least = fmin(least, at[i]);
            most = fmax(most, at[i]);
        }
    lm_str_printf(p->out, "<polyline class=\"s%d\" points=\"", number % FEW);
    for (int i = 0; i < count; i += step) {
        const double t = most > least && isfinite(at[i]) ? (at[i] - least) / (most - least) : 0.5;
        lm_str_printf(p->out, "%s%.1f,%.1f", i ? " " : "", SERIES_WIDTH * (i + 0.5) / count,
                      SERIES_HEIGHT - 6 - (SERIES_HEIGHT - 12) * t);
    }
    lm_str_add(p->out, "\"/>");
}

/* Of more curves than can be told apart: the range that they fill together, and their mean. */
static void crowd(report_page *p, const lm_report_input *in)
{
    const int points = in->count < SERIES_WIDTH ? in->count : SERIES_WIDTH;
    double *least = lm_malloc(3 * (size_t)points, sizeof *least), *most = least + points, *mean = most + points;
    double low = INFINITY, high = -INFINITY;
    if (!least) {
        p->out->status = LM_MEMORY;
        return;
    }
    for (int k = 0; k < points; k++) {
        const int64_t from = (int64_t)k * in->count / points, to = (int64_t)(k + 1) * in->count / points;
        double sum = 0, n = 0;
        least[k] = INFINITY;
        most[k] = -INFINITY;
        for (int s = 0; s < in->series; s++)
            for (int64_t i = from; i < to; i++) {
                const double v = in->number[(int64_t)s * in->count + i];
                if (!isfinite(v))
                    continue;
                least[k] = fmin(least[k], v);
                most[k] = fmax(most[k], v);
                sum += v;
                n++;
            }
        mean[k] = n > 0 ? sum / n : 0;
        least[k] = n > 0 ? least[k] : 0;
        most[k] = n > 0 ? most[k] : 0;
        low = fmin(low, least[k]);
        high = fmax(high, most[k]);
    }
    const double tall = high > low ? (SERIES_HEIGHT - 12) / (high - low) : 0;
    lm_str_add(p->out, "<polygon class=\"range\" points=\"");
    for (int k = 0; k < 2 * points; k++) {
        const int i = k < points ? k : 2 * points - 1 - k;
        lm_str_printf(p->out, "%s%.1f,%.1f", k ? " " : "", SERIES_WIDTH * (i + 0.5) / points,
                      SERIES_HEIGHT - 6 - ((k < points ? least : most)[i] - low) * tall);
    }
    lm_str_add(p->out, "\"/><polyline points=\"");
    for (int k = 0; k < points; k++)
        lm_str_printf(p->out, "%s%.1f,%.1f", k ? " " : "", SERIES_WIDTH * (k + 0.5) / points,
                      SERIES_HEIGHT - 6 - (mean[k] - low) * tall);
    lm_str_add(p->out, "\"/>");
    lm_free(least);
}

static lm_status series(report_page *p, const lm_report_input *in, const lm_finding *f)
{
    const int steps = f->width < STEPS ? f->width : STEPS;
    double most = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass)
            lm_str_printf(
                p->out,
                "<svg class=\"series%s\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"",
                in && in->series > FEW ? " crowd" : "", SERIES_WIDTH, SERIES_HEIGHT);
        if (pass)
            report_say(p, REPORT_WEIGHT, NULL);
        lm_str_add(p->out, pass ? "\">" : "");
        for (int k = 0; k < steps; k++) {
            const int64_t from = (int64_t)k * f->width / steps, to = (int64_t)(k + 1) * f->width / steps;
            double v = 0;
            for (int64_t i = from; i < to; i++)
                v += sound(f->value[i]) / (double)(to - from);
            most = pass ? most : fmax(most, fabs(v));
            if (pass)
                lm_str_printf(p->out, "<rect class=\"%s\" x=\"%.2f\" width=\"%.2f\" height=\"%d\" style=\"--s:%.3f\"/>",
                              way(f->positive, v), (double)SERIES_WIDTH * k / steps,
                              (double)SERIES_WIDTH / steps + 0.2, SERIES_HEIGHT, most > 0 ? fabs(v) / most : 0);
        }
    }
    const bool known = in && in->number && in->count == f->width;
    if (known && in->series > MANY)
        crowd(p, in);
    for (int k = 0; known && in->series <= MANY && k < in->series; k++)
        curve(p, in->number + (size_t)k * (size_t)in->count, in->count, k);
    return lm_str_add(p->out, "</svg>");
}

lm_status report_plot(report_page *p, const lm_report_sample *s, const lm_report_result *r)
{
    const lm_finding *f = &r->finding;
    const lm_report_input *in = s->inputs ? &s->input[r->input] : NULL;
    if (f->about == LM_ABOUT_OTHER || !f->value || f->width < 1 || f->height < 1) {
        lm_str_add(p->out, "<p class=\"note\">");
        report_say(p, REPORT_NOT_DRAWN, NULL);
        return lm_str_add(p->out, "</p>");
    }
    switch (f->about) {
    case LM_ABOUT_PICTURE: return map(p, f);
    case LM_ABOUT_COLUMNS: return bars(p, in, f);
    case LM_ABOUT_TOKENS: return tokens(p, f);
    case LM_ABOUT_SERIES: return series(p, in, f);
    default: break;
    }
    return LM_OK;
}
