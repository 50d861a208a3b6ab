/* What pictures and pages share. */
#ifndef LM_DRAW_SVG_H
#define LM_DRAW_SVG_H

#include "core/base/str.h"

/* Append a text as XML and HTML want it; what is no character becomes '?'. */
void draw_text(lm_str *out, const char *text);

/* A number in so many digits, as people write it: 0.0001, -12346, 1.5e-5. */
enum { DRAW_NUMBER = 32 };
const char *draw_number(double v, int digits, char room[DRAW_NUMBER]);

/* html.c: the content of a file of this folder that is built in, such as "report.css"; "" for another. */
const char *draw_file(const char *name);

/* html.c: a page up to the beginning of its body, with that style, and its end, with those scripts, which share one
 * scope; the last name is NULL. It may fetch nothing. */
void draw_page_head(lm_str *out, const char *language, const char *title, const char *style);
void draw_page_end(lm_str *out, const char *const *script);

#endif
