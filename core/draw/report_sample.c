/* One sample: what it is, what the model answered, its results, how far they can be trusted, and the layers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/draw/report_inside.h"
#include "core/draw/svg.h"
#include "core/draw/words_text.h"

double lm_report_inside(const lm_finding *f, const uint8_t *mask, int mask_width, int mask_height)
{
    double inside = 0, all = 0;
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++) {
            const double size = fabs((double)f->value[(size_t)y * (size_t)f->width + (size_t)x]);
            const int64_t row = (2 * (int64_t)y + 1) * mask_height / (2 * (int64_t)f->height);
            const int64_t column = (2 * (int64_t)x + 1) * mask_width / (2 * (int64_t)f->width);
            if (!isfinite(size))
                continue;
            all += size;
            inside += mask[row * mask_width + column] ? size : 0;
        }
    return all > 0 ? inside / all : NAN;
}

static void given(report_page *p, const lm_report_input *in)
{
    if (!in->picture || !report_shows(p))
        return;
    const lm_canvas *c = in->picture;
    lm_str_printf(p->out,
                  "<figure class=\"given\"><svg class=\"picture\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
                  c->width, c->height);
    report_say(p, REPORT_GIVEN, NULL);
    lm_str_printf(p->out, "\"><use href=\"#p%d\"/></svg><figcaption>", report_picture(p, c));
    report_say(p, REPORT_GIVEN, NULL);
    lm_str_printf(p->out, " · %d×%d</figcaption></figure>\n", c->width, c->height);
}

/* How long a bar is: its probability, or its value among the others. */
static double bar_length(const lm_report_sample *s, int i)
{
    double least = 0, most = 0;
    if (!isnan(s->top[i].probability))
        return s->top[i].probability;
    for (int k = 0; k < s->tops; k++) {
        least = fmin(least, s->top[k].value);
        most = fmax(most, s->top[k].value);
    }
    return most > least && !isnan(s->top[i].value) ? (s->top[i].value - least) / (most - least) : 0;
}

static void answer(report_page *p, const lm_report_sample *s)
{
    if (!s->tops)
        return;
    bool likely = false, valued = false;
    for (int i = 0; i < s->tops; i++) {
        likely |= !isnan(s->top[i].probability);
        valued |= !isnan(s->top[i].value);
    }
    report_put(p, "<table class=\"answer\"><caption>", report_text_of(p->r->language, REPORT_ANSWER),
               "</caption><thead><tr><th scope=\"col\">", report_text_of(p->r->language, REPORT_CLASS),
               "<th aria-hidden=\"true\">", "", NULL);
    if (likely)
        report_put(p, "<th scope=\"col\">", report_text_of(p->r->language, REPORT_PROBABILITY), NULL);
    if (valued)
        report_put(p, "<th scope=\"col\">", report_text_of(p->r->language, REPORT_VALUE), NULL);
    lm_str_add(p->out, "<tbody>\n");
    for (int i = 0; i < s->tops; i++) {
        const lm_answer *a = &s->top[i];
        lm_str_add(p->out, "<tr><th scope=\"row\">");
        if (a->label && *a->label)
            report_put(p, "", a->label, " <small>", NULL);
        lm_str_printf(p->out, "%lld<td class=\"bar\"><i style=\"width:%.1f%%\"></i>", (long long)a->index,
                      100 * fmin(fmax(bar_length(s, i), 0), 1));
        if (likely)
            report_percent_cell(p, a->probability);
        if (valued)
            report_number_cell(p, a->value);
        lm_str_char(p->out, '\n');
    }
    lm_str_add(p->out, "</table>\n");
}

/* "top = cat (3)", shorter where the words are the same */
static void target_name(const lm_report_result *r, lm_str *out)
{
    char index[24];
    const lm_answer *a = &r->explained;
    snprintf(index, sizeof index, "%lld", (long long)a->index);
    const bool labelled = a->label && *a->label && strcmp(a->label, r->target ? r->target : "") != 0;
    const bool numbered = a->index >= 0 && strcmp(index, r->target ? r->target : "") != 0;
    lm_str_add(out, r->target ? r->target : "");
    if (labelled || numbered)
        lm_str_printf(out, "%s%s", r->target ? " = " : "", labelled ? a->label : index);
    if (labelled && numbered)
        lm_str_printf(out, " (%s)", index);
}

static lm_status result(report_page *p, const lm_report_sample *s, int number)
{
    const lm_report_result *r = &s->result[number];
    lm_str target = {0}, words = {0};
    target_name(r, &target);
    lm_words_finding(p->r->language, s->tops ? s->top : NULL, &r->explained, &r->finding, &words);
    lm_str_printf(p->out, "<figure class=\"result %s-about\" data-result=\"%d\"><figcaption><h4>",
                  report_about(r->finding.about), number);
    report_put(p, "", r->method, "</h4><p class=\"target\">", lm_str_text(&target), "", NULL);
    if (!isnan(r->finding.target)) {
        char value[80], digits[DRAW_NUMBER];
        snprintf(value, sizeof value, " · %.20s%s%s", r->space ? r->space : "", r->space ? " " : "",
                 draw_number(r->finding.target, 4, digits));
        report_put(p, "", value, NULL);
    }
    report_put(p, "</p></figcaption>\n<div class=\"plot\">", NULL);
    lm_status status = report_plot(p, s, r);
    report_put(p, "</div>\n<p class=\"words\">", lm_str_text(&words), "</p></figure>\n", NULL);
    lm_str_free(&target);
    lm_str_free(&words);
    return status;
}

/* The columns of the table of trust. */
static const struct {
    report_text head;
    enum { NUMBER, PERCENT, PASSES } as;
} columns[] = {
    {REPORT_EXPLAINED, NUMBER}, {REPORT_BASELINE, NUMBER}, {REPORT_SUM, NUMBER},
    {REPORT_LEAST, NUMBER},     {REPORT_MOST, NUMBER},     {REPORT_GAP, NUMBER},
    {REPORT_GAP_SHARE, PERCENT}, {REPORT_RESIDUAL, NUMBER}, {REPORT_STDERR, NUMBER},
    {REPORT_PASSES, PASSES},    {REPORT_ON_TRUTH, PERCENT},
};
enum { COLUMNS = LM_COUNT(columns) };

/* Results share passes, so their counts are fractions: two digits behind the point say enough. */
static double hundredths(double passes)
{
    return round(100 * passes) / 100;
}

static void trust_row(const lm_report_sample *s, const lm_report_result *r, double cell[COLUMNS])
{
    const lm_finding *f = &r->finding;
    const bool placed = s->mask && f->about == LM_ABOUT_PICTURE && f->value;
    const double row[COLUMNS] = {f->target,
                                 f->baseline,
                                 r->sum,
                                 r->least,
                                 r->most,
                                 f->gap_abs,
                                 f->gap_rel,
                                 f->residual,
                                 f->stderr_mean,
                                 r->forwards + r->backwards,
                                 placed ? lm_report_inside(f, s->mask, s->mask_width, s->mask_height) : NAN};
    memcpy(cell, row, sizeof row);
}

static void conservation(report_page *p, const lm_report_result *r)
{
    static const report_text head[] = {REPORT_NODE, REPORT_IN,         REPORT_OUT,
                                       REPORT_BIAS, REPORT_STABILISER, REPORT_TEXTS};
    if (!r->flows)
        return;
    lm_str_add(p->out, "<details><summary>");
    report_say(p, REPORT_CONSERVED, r->method);
    lm_str_add(p->out, "</summary><div class=\"scroll\"><table>");
    report_head(p, head);
    for (int i = 0; i < r->flows; i++) {
        const lm_report_flow *f = &r->flow[i];
        report_put(p, "<tr><th scope=\"row\">", f->node, NULL);
        report_number_cell(p, f->in);
        report_number_cell(p, f->out);
        report_number_cell(p, f->bias);
        report_number_cell(p, f->stabiliser);
        lm_str_char(p->out, '\n');
    }
    lm_str_add(p->out, "</table></div></details>\n");
}

/* Only columns in which some result has a number. */
static void trust(report_page *p, const lm_report_sample *s)
{
    bool wanted[COLUMNS] = {false};
    double cell[COLUMNS];
    for (int i = 0; i < s->results; i++) {
        trust_row(s, &s->result[i], cell);
        for (int c = 0; c < COLUMNS; c++)
            wanted[c] |= !isnan(cell[c]);
    }
    lm_str_add(p->out, "<details class=\"trust\"><summary>");
    report_say(p, REPORT_TRUST, NULL);
    report_put(p, "</summary><div class=\"scroll\"><table><thead><tr><th scope=\"col\">",
               report_text_of(p->r->language, REPORT_METHOD), "<th scope=\"col\">",
               report_text_of(p->r->language, REPORT_TARGET), NULL);
    for (int c = 0; c < COLUMNS; c++)
        if (wanted[c]) {
            lm_str_add(p->out, "<th scope=\"col\">");
            report_say(p, columns[c].head, p->r->truth ? p->r->truth : report_text_of(p->r->language, REPORT_TRUTH));
        }
    lm_str_add(p->out, "<tbody>\n");
    for (int i = 0; i < s->results; i++) {
        const lm_report_result *r = &s->result[i];
        lm_str target = {0};
        target_name(r, &target);
        lm_str_printf(p->out, "<tr data-result=\"%d\"><th scope=\"row\"", i);
        if (r->options && *r->options)
            report_put(p, " title=\"", r->options, "\"", NULL);
        report_put(p, ">", r->method, "<td class=\"text\">", lm_str_text(&target), NULL);
        lm_str_free(&target);
        trust_row(s, r, cell);
        for (int c = 0; c < COLUMNS; c++)
            if (wanted[c] && columns[c].as == PERCENT)
                report_percent_cell(p, cell[c]);
            else if (wanted[c])
                report_number_cell(p, columns[c].as == PASSES ? hundredths(cell[c]) : cell[c]);
        lm_str_char(p->out, '\n');
    }
    lm_str_add(p->out, "</table></div>\n");
    for (int i = 0; i < s->results; i++)
        conservation(p, &s->result[i]);
    lm_str_add(p->out, "</details>\n");
}

static void layers(report_page *p, const lm_report_section *m, const lm_report_sample *s)
{
    static const report_text head[] = {REPORT_LAYER, REPORT_OP,   REPORT_SHAPE, REPORT_PARAMETERS, REPORT_NORM,
                                       REPORT_LEAST, REPORT_MEAN, REPORT_MOST,  REPORT_ZEROS,      REPORT_TEXTS};
    if (!s->activity || !m->layers)
        return;
    lm_str_add(p->out, "<details><summary>");
    report_say(p, REPORT_LAYERS, NULL);
    lm_str_add(p->out, "</summary><div class=\"scroll\"><table class=\"layers\">");
    report_head(p, head);
    for (int i = 0; i < m->layers; i++) {
        const lm_report_layer *y = &m->layer[i];
        const lm_report_activity *a = &s->activity[i];
        report_put(p, "<tr><th scope=\"row\">", y->name, "<td>", y->op, "<td>", y->shape, NULL);
        lm_str_printf(p->out, "<td>%lld", (long long)y->parameters);
        const double number[] = {a->norm, a->least, a->mean, a->most};
        for (size_t k = 0; k < LM_COUNT(number); k++)
            report_number_cell(p, number[k]);
        report_percent_cell(p, a->zeros);
        lm_str_char(p->out, '\n');
    }
    lm_str_add(p->out, "</table></div></details>\n");
}

/* "star 96%": all that is said of a sample among many. */
static void brief(report_page *p, const lm_report_sample *s)
{
    char number[WORDS_NUMBER];
    if (!s->tops)
        return;
    lm_str said = {0};
    lm_words_name(p->r->language, s->top, &said);
    lm_str_char(&said, ' ');
    lm_str_add(&said, isnan(s->top->probability) ? words_number(s->top->value, number)
                                                 : words_percent(p->r->language, s->top->probability, number));
    report_put(p, "<p class=\"brief\">", lm_str_text(&said), "</p>\n", NULL);
    lm_str_free(&said);
}

lm_status report_sample(report_page *p, const lm_report_section *m, int model, int sample)
{
    const lm_report_sample *s = &m->sample[sample];
    char number[24];
    snprintf(number, sizeof number, "%d", sample + 1);
    lm_str_printf(p->out,
                  "<article class=\"card sample\" data-model=\"%d\" data-sample=\"%d\" aria-labelledby=\"m%ds%d\">"
                  "<h3 id=\"m%ds%d\">",
                  model, sample, model, sample, model, sample);
    const char *source = s->source && *s->source ? s->source : NULL, *slash = source ? strrchr(source, '/') : NULL;
    if (source)
        report_put(p, "", slash && slash[1] ? slash + 1 : source, NULL);
    else
        report_say(p, REPORT_SAMPLE, number);
    lm_str_add(p->out, "</h3>\n");
    if (s->tops) {
        lm_str words = {0};
        lm_words_answer(p->r->language, s->top, &words);
        report_put(p, "<p class=\"said\">", lm_str_text(&words), "</p>\n", NULL);
        lm_str_free(&words);
    }
    brief(p, s);
    if (s->note)
        report_put(p, "<p class=\"note\">", s->note, "</p>\n", NULL);
    lm_str_add(p->out, "<div class=\"first\">\n");
    for (int i = 0; i < s->inputs; i++)
        given(p, &s->input[i]);
    answer(p, s);
    lm_str_add(p->out, "</div>\n<div class=\"results\">\n");
    for (int i = 0; i < s->results; i++)
        LM_TRY(result(p, s, i));
    lm_str_add(p->out, "</div>\n");
    if (s->results)
        trust(p, s);
    layers(p, m, s);
    return lm_str_add(p->out, "</article>\n");
}
