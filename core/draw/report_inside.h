/* What the files of the report share. */
#ifndef LM_DRAW_REPORT_INSIDE_H
#define LM_DRAW_REPORT_INSIDE_H

#include "core/base/vec.h"
#include "core/draw/report.h"

typedef enum report_text {
#define TEXT(id, ...) REPORT_##id,
#define LIVE(id, ...)
#include "core/draw/report.def"
#undef TEXT
#undef LIVE
    REPORT_TEXTS
} report_text;

/* A page being written. Pictures are kept once, however many samples show them. */
typedef struct report_page {
    const lm_report *r;
    lm_str *out;
    LM_VEC(const lm_canvas *) picture;
} report_page;

/* Append the parts in turn up to a NULL: those at even places (the first is 0) as they are, those at odd ones escaped.
 */
void report_put(report_page *p, const char *part, ...);

/* A text of the page with its gap filled, escaped. */
void report_say(report_page *p, report_text text, const char *gap);
const char *report_text_of(lm_language language, report_text text);

/* Paragraphs of a text, which empty lines separate. */
void report_paragraphs(report_page *p, const char *text);

/* "<td>0.123", empty for NAN; percent: "<td>12 %". */
void report_number_cell(report_page *p, double number);
void report_percent_cell(report_page *p, double share);

/* <thead> with these texts, up to REPORT_TEXTS. */
void report_head(report_page *p, const report_text *text);

/* "picture", "columns" ... */
const char *report_about(lm_about about);

/* Where a picture is kept. */
int report_picture(const report_page *p, const lm_canvas *c);

/* Has the page pictures that are seen without scripts? */
static inline bool report_shows(const report_page *p)
{
    return p->r->png != NULL;
}

/* report_sample.c: everything about a sample. */
lm_status report_sample(report_page *p, const lm_report_section *m, int model, int sample);

/* report_plot.c: a result as it is seen without scripts. */
lm_status report_plot(report_page *p, const lm_report_sample *s, const lm_report_result *r);

/* A picture as "data:image/png;base64,..." */
lm_status report_png(report_page *p, const lm_canvas *c);

/* report_data.c: the numbers for the script as JSON; `levels` is how finely maps are rounded. */
lm_status report_data(report_page *p, int *levels);

#endif
