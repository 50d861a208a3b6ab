/* Pies: slices from the top on, clockwise, and a list of them beside the pie. */
#include <math.h>
#include <stdio.h>

#include "core/draw/layout.h"
#include "core/draw/plot_inside.h"
#include "core/draw/svg.h"

enum { RADIUS = 120, LIST = 320, ROW = 24 };
static const double turn = 6.283185307179586;

/* A slice between two shares of a turn; a whole turn is a disc, which an arc cannot draw. */
static void slice(double x, double y, double from, double to, int colour, lm_str *out)
{
    if (to - from > 0.999999) {
        lm_str_printf(out, "<circle class=\"s%d f\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\">", colour, x, y, RADIUS);
        return;
    }
    lm_str_printf(out, "<path class=\"s%d e\" d=\"M%.2f %.2fL%.2f %.2fA%d %d 0 %d 1 %.2f %.2fZ\">", colour, x, y,
                  x + RADIUS * sin(turn * from), y - RADIUS * cos(turn * from), RADIUS, RADIUS, to - from > 0.5,
                  x + RADIUS * sin(turn * to), y - RADIUS * cos(turn * to));
}

/* Of slice i, or with i == shown of all from there on. */
static double size_of(const lm_plot_series *s, int i, int shown)
{
    double sum = 0;
    for (int k = i; k < (i < shown ? i + 1 : s->count); k++)
        sum += s->y[k] > 0 && isfinite(s->y[k]) ? s->y[k] : 0;
    return sum;
}

/* More slices than there are colours: the last ones become one. */
double plot_pie(const lm_plot *p, double top, lm_str *out)
{
    const lm_plot_series *s = &p->series[0];
    const int shown = s->count <= PLOT_COLOURS ? s->count : PLOT_COLOURS - 1, rows = shown + (s->count > shown);
    const double x = PLOT_MARGIN + RADIUS + 24, y = top + RADIUS + 4, all = size_of(s, 0, 0);
    double at = 0, line = fmax(y - rows * ROW / 2.0, top);
    for (int i = 0; i < rows; i++, line += ROW) {
        const double v = size_of(s, i, shown), share = v / all;
        char text[64];
        const char *name = i < shown ? (i < p->names ? plot_name(p->name, i) : "") : "others";
        snprintf(text, sizeof text, "%.1f %%", 100 * share);
        if (share > 0) {
            slice(x, y, at, at + share, i, out);
            lm_str_add(out, "<title>");
            draw_text(out, name);
            lm_str_printf(out, ": %.6g (%s)</title>%s\n", v, text, share > 0.999999 ? "</circle>" : "</path>");
        }
        at += share;
        lm_str_printf(out, "<rect class=\"s%d f\" x=\"%d\" y=\"%.1f\" width=\"14\" height=\"14\" rx=\"2\"/>\n", i, LIST,
                      line);
        plot_text(out, "m r", LIST + 82, line + 12, text);
        plot_text(out, "", LIST + 94, line + 12, name);
    }
    return fmax(y + RADIUS + 4, line);
}
