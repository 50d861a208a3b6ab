/* What the kinds of charts share. */
#ifndef LM_DRAW_PLOT_INSIDE_H
#define LM_DRAW_PLOT_INSIDE_H

#include "core/draw/plot.h"

/* Pixels. */
enum { PLOT_WIDTH = 720, PLOT_HEIGHT = 300, PLOT_MARGIN = 16, PLOT_LINE = 18, PLOT_COLOURS = 8 };

/* A range of numbers whose ends are ticks, and where it lies in the picture. */
typedef struct plot_axis {
    double from, to, step; /* step: between ticks, 1, 2 or 5 times a power of ten */
    double begin, end;     /* pixels */
} plot_axis;

/* plot_axis.c: a range that holds the numbers from least to most; both may be equal, or no numbers at all. */
void plot_axis_fit(plot_axis *a, double least, double most, int ticks);

static inline double plot_at(const plot_axis *a, double v)
{
    return a->begin + (a->end - a->begin) * ((v - a->from) / (a->to - a->from));
}

int plot_ticks(const plot_axis *a); /* how many there are, both ends included */
double plot_tick(const plot_axis *a, int i);

/* A number with the digits that ticks of this step need. */
enum { PLOT_NUMBER = 32 };
void plot_number(double v, double step, char text[PLOT_NUMBER]);

/* The widest label of the axis. */
double plot_labels_width(const plot_axis *a);

/* Lines of a grid and numbers beside them. */
void plot_draw_x(const plot_axis *x, double top, double bottom, lm_str *out);
void plot_draw_y(const plot_axis *y, double left, double right, lm_str *out);

/* Names below places that are `slot` pixels apart, the first at x: level where they fit, otherwise slanted, and only
 * some of very many. plot_names_height says how much room they take. */
double plot_names_height(const char *const *name, int names, double slot);
void plot_draw_names(const char *const *name, int names, double x, double slot, double y, lm_str *out);

/* plot.c: a text with a class and a place. */
void plot_text(lm_str *out, const char *class_, double x, double y, const char *text);

/* How an axis is called; `middle` is where, `at` its distance from the left or top. */
void plot_draw_titles(const lm_plot *p, double left, double right, double top, double bottom, double below,
                      lm_str *out);

/* The name of an entry, "" where there is none. */
static inline const char *plot_name(const char *const *name, int i)
{
    return name && name[i] ? name[i] : "";
}

/* Each kind draws below `top` and answers with where it ends; nothing may fail but memory, which sticks to `out`. */
double plot_xy(const lm_plot *p, double top, lm_str *out);
double plot_bars(const lm_plot *p, double top, lm_str *out);
double plot_histogram(const lm_plot *p, double top, lm_str *out);
double plot_pie(const lm_plot *p, double top, lm_str *out);
double plot_matrix(const lm_plot *p, double top, lm_str *out);

#endif
