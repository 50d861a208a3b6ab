/* The page around the samples: what was asked, tables, models, how to do it again. */
#include "core/draw/report_inside.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/draw/report_code.h"
#include "core/draw/svg.h"
#include "core/draw/words_text.h"

static const char *const texts[REPORT_TEXTS][LM_LANGUAGES] = {
#define TEXT(id, english, chinese) {english, chinese},
#define LIVE(id, ...)
#include "core/draw/report.def"
#undef TEXT
#undef LIVE
};

const char *report_text_of(lm_language language, report_text text)
{
    return texts[text][language];
}

void report_put(report_page *p, const char *part, ...)
{
    va_list more;
    va_start(more, part);
    bool escaped = false;
    for (; part; part = va_arg(more, const char *), escaped = !escaped)
        if (escaped)
            draw_text(p->out, part);
        else
            lm_str_add(p->out, part);
    va_end(more);
}

void report_say(report_page *p, report_text text, const char *gap)
{
    const char *template = report_text_of(p->r->language, text), *at = strstr(template, "{0}");
    if (!at) {
        draw_text(p->out, template);
        return;
    }
    lm_str head = {0};
    lm_str_add_bytes(&head, template, (size_t)(at - template));
    draw_text(p->out, lm_str_text(&head));
    draw_text(p->out, gap);
    draw_text(p->out, at + 3);
    lm_str_free(&head);
}

void report_paragraphs(report_page *p, const char *text)
{
    while (text && *text) {
        const char *end = strstr(text, "\n\n");
        const size_t n = end ? (size_t)(end - text) : strlen(text);
        lm_str one = {0};
        lm_str_add_bytes(&one, text, n);
        report_put(p, "<p>", lm_str_text(&one), "</p>\n", NULL);
        lm_str_free(&one);
        for (text += n; *text == '\n'; text++)
            ;
    }
}

void report_number_cell(report_page *p, double number)
{
    lm_str_add(p->out, "<td>");
    char text[DRAW_NUMBER];
    if (!isnan(number))
        lm_str_add(p->out, draw_number(number, 5, text));
}

void report_percent_cell(report_page *p, double share)
{
    lm_str_add(p->out, "<td>");
    const double percent = words_below_all(100 * share);
    char text[DRAW_NUMBER];
    if (percent >= 0.1)
        snprintf(text, sizeof text, percent >= 9.995 ? "%.1f" : "%.2f", percent);
    else
        draw_number(percent, 2, text);
    if (!isnan(share))
        lm_str_printf(p->out, "%s %%", text);
}

void report_head(report_page *p, const report_text *text)
{
    lm_str_add(p->out, "<thead><tr>");
    for (; *text != REPORT_TEXTS; text++)
        report_put(p, "<th scope=\"col\">", report_text_of(p->r->language, *text), NULL);
    lm_str_add(p->out, "<tbody>\n");
}

/* Digits with signs, points, per cents and the like: they stand to the right. */
static bool is_number(const char *text)
{
    bool digit = false;
    for (; text && *text; text++) {
        digit |= *text >= '0' && *text <= '9';
        if (!strchr("0123456789+-.,eE% x", *text))
            return false;
    }
    return digit;
}

static void table(report_page *p, const lm_report_table *t)
{
    report_put(p, "<div class=\"scroll\"><table><caption>", t->caption, "</caption><thead><tr>", NULL);
    for (int c = 0; c < t->columns; c++)
        report_put(p, "<th scope=\"col\">", t->head[c], NULL);
    lm_str_add(p->out, "<tbody>\n");
    for (int i = 0; i < t->rows; i++) {
        lm_str_add(p->out, "<tr>");
        for (int c = 0; c < t->columns; c++) {
            const char *cell = t->cell[(size_t)i * (size_t)t->columns + (size_t)c];
            report_put(p, c == 0 ? "<th scope=\"row\">" : is_number(cell) ? "<td>" : "<td class=\"text\">", cell, NULL);
        }
        lm_str_char(p->out, '\n');
    }
    lm_str_add(p->out, "</table></div>\n");
}

static void layers(report_page *p, const lm_report_section *m)
{
    static const report_text head[] = {REPORT_LAYER, REPORT_OP, REPORT_SHAPE, REPORT_PARAMETERS, REPORT_TEXTS};
    bool told = m->layers == 0;
    for (int s = 0; s < m->samples; s++)
        told |= m->sample[s].activity != NULL;
    if (told)
        return;
    lm_str_add(p->out, "<details><summary>");
    report_say(p, REPORT_LAYERS_ONLY, NULL);
    lm_str_add(p->out, "</summary><div class=\"scroll\"><table class=\"layers\">");
    report_head(p, head);
    for (int i = 0; i < m->layers; i++) {
        const lm_report_layer *y = &m->layer[i];
        report_put(p, "<tr><th scope=\"row\">", y->name, "<td>", y->op, "<td>", y->shape, NULL);
        lm_str_printf(p->out, "<td>%lld\n", (long long)y->parameters);
    }
    lm_str_add(p->out, "</table></div></details>\n");
}

static void graph(report_page *p, const lm_report_section *m)
{
    if (!m->graph)
        return;
    lm_str_add(p->out, "<details class=\"graph\"><summary>");
    report_say(p, REPORT_GRAPH, NULL);
    report_put(p, "</summary><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"",
               report_text_of(p->r->language, REPORT_GRAPH), "\"><img alt=\"",
               report_text_of(p->r->language, REPORT_GRAPH), "\" loading=\"lazy\" src=\"data:image/svg+xml;base64,",
               NULL);
    report_base64(m->graph, strlen(m->graph), p->out);
    lm_str_add(p->out, "\"></div></details>\n");
}

static lm_status section(report_page *p, int number)
{
    const lm_report_section *m = &p->r->section[number];
    lm_str_printf(p->out, "<section class=\"model\" data-model=\"%d\" aria-labelledby=\"m%d\"><header><h2 id=\"m%d\">",
                  number, number, number);
    report_put(p, "", m->name ? m->name : m->file, "</h2>", NULL);
    if (m->file)
        report_put(p, "<p class=\"file\">", m->file, "", NULL);
    if (m->sha256)
        report_put(p, m->file ? " · " : "<p class=\"file\">", "", "sha256 ", m->sha256, "", NULL);
    report_put(p, "</header>\n", NULL);
    report_paragraphs(p, m->note);
    for (int s = 0; s < m->samples; s++)
        LM_TRY(report_sample(p, m, number, s));
    layers(p, m);
    graph(p, m);
    return lm_str_add(p->out, "</section>\n");
}

static void again(report_page *p)
{
    const lm_report *r = p->r;
    if (!r->command && !r->facts)
        return;
    lm_str_add(p->out, "<section class=\"card\" id=\"again\"><h2>");
    report_say(p, REPORT_AGAIN, NULL);
    lm_str_add(p->out, "</h2>\n");
    if (r->command) {
        lm_str_add(p->out, "<p>");
        report_say(p, REPORT_AGAIN_NOTE, NULL);
        report_put(p, "</p><pre tabindex=\"0\"><code>", r->command, "</code></pre>\n", NULL);
    }
    if (r->facts) {
        report_put(p, "<table class=\"facts\"><caption>", report_text_of(r->language, REPORT_RUN),
                   "</caption><tbody>\n", NULL);
        for (int i = 0; i < r->facts; i++)
            report_put(p, "<tr><th scope=\"row\">", r->fact[i].name, "<td>", r->fact[i].value, "\n", NULL);
        lm_str_add(p->out, "</table>\n");
    }
    lm_str_add(p->out, "</section>\n");
}

static void top(report_page *p)
{
    const lm_report *r = p->r;
    draw_page_head(p->out, lm_language_code(r->language), r->title ? r->title : "Limn", "report.css");
    report_put(p, "<a class=\"skip\" href=\"#main\">", report_text_of(r->language, REPORT_SKIP),
               "</a>\n<header class=\"top\"><p class=\"brand\">Limn</p><h1>", r->title,
               "</h1></header>\n<main id=\"main\">\n", NULL);
}

static void asked(report_page *p)
{
    const lm_report *r = p->r;
    if (!r->asked && !r->tables)
        return;
    lm_str_add(p->out, "<section class=\"card\" id=\"asked\"><h2>");
    report_say(p, REPORT_ASKED, NULL);
    lm_str_add(p->out, "</h2>\n");
    report_paragraphs(p, r->asked);
    for (int i = 0; i < r->tables; i++)
        table(p, &r->table[i]);
    lm_str_add(p->out, "</section>\n");
}

static bool same(const lm_canvas *a, const lm_canvas *b)
{
    return a == b || (a->width == b->width && a->height == b->height &&
                      memcmp(a->at, b->at, (size_t)a->width * (size_t)a->height * sizeof *a->at) == 0);
}

int report_picture(const report_page *p, const lm_canvas *c)
{
    for (size_t i = 0; i < p->picture.count; i++)
        if (same(p->picture.at[i], c))
            return (int)i;
    return -1;
}

/* Each picture once, for the whole page to point at. */
static lm_status pictures(report_page *p)
{
    for (int m = 0; m < p->r->sections; m++)
        for (int s = 0; s < p->r->section[m].samples; s++) {
            const lm_report_sample *one = &p->r->section[m].sample[s];
            for (int i = 0; i < one->inputs; i++)
                if (one->input[i].picture && report_picture(p, one->input[i].picture) < 0)
                    LM_TRY(lm_vec_push(&p->picture, one->input[i].picture));
            for (int i = 0; i < one->results; i++)
                LM_REQUIRE(one->result[i].input >= 0 && one->result[i].input < (one->inputs ? one->inputs : 1),
                           LM_USAGE, "a report's result %d of sample %d belongs to input %d of %d", i, s,
                           one->result[i].input, one->inputs);
        }
    if (!report_shows(p) || !p->picture.count)
        return LM_OK;
    lm_str_add(p->out, "<svg class=\"shelf\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\n");
    for (size_t i = 0; i < p->picture.count; i++) {
        const lm_canvas *c = p->picture.at[i];
        lm_str_printf(p->out, "<image id=\"p%zu\" width=\"%d\" height=\"%d\" href=\"", i, c->width, c->height);
        LM_TRY(report_png(p, c));
        lm_str_add(p->out, "\"/>\n");
    }
    return lm_str_add(p->out, "</defs></svg>\n");
}

static lm_status write_page(report_page *p)
{
    const lm_report *r = p->r;
    int levels = 0;
    char number[24];
    lm_str data = {0}, *page = p->out;
    top(p);
    LM_TRY(pictures(p));
    asked(p);
    lm_str_add(p->out, "<div id=\"live\"></div>\n");
    for (int i = 0; i < r->sections; i++)
        LM_TRY(section(p, i));
    again(p);
    p->out = &data;
    lm_status status = report_data(p, &levels);
    p->out = page;
    lm_str_add(page, "</main>\n<footer><p>");
    snprintf(number, sizeof number, "%d", levels);
    if (levels)
        report_say(p, REPORT_ROUNDED, number);
    lm_str_add(page, "</p></footer>\n<script type=\"application/json\" id=\"numbers\">");
    for (const char *c = lm_str_text(&data); *c; c++)
        if (*c == '<') /* nothing in it can end the script */
            lm_str_add(page, "\\u003c");
        else
            lm_str_char(page, *c);
    lm_str_free(&data);
    lm_str_add(page, "</script>\n");
    draw_page_end(page, (const char *const[]){"report_numbers.js", "report_plots.js", "report.js", NULL});
    return status == LM_OK ? page->status : status;
}

lm_status lm_report_html(const lm_report *r, lm_str *out)
{
    report_page p = {.r = r, .out = out};
    lm_status status = write_page(&p);
    lm_vec_free(&p.picture);
    return status;
}
