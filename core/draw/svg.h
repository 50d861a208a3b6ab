/* What pictures and pages share. */
#ifndef LM_DRAW_SVG_H
#define LM_DRAW_SVG_H

#include "core/base/str.h"

/* Append a text as XML and HTML want it; what is no character becomes '?'. */
void draw_text(lm_str *out, const char *text);

#endif
