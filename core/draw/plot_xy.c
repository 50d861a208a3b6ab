/* Lines, points, bars and histograms: what has two axes of numbers, or one of names. */
#include <math.h>

#include "core/base/mem.h"
#include "core/draw/layout.h"
#include "core/draw/plot_inside.h"
#include "core/draw/svg.h"

enum { X_TICKS = 8, Y_TICKS = 5, TITLE_ROOM = 20, MOST_BINS = 60 };

/* The least and the greatest finite number of a series of calls. */
typedef struct span {
    double least, most;
} span;

static const span nothing = {INFINITY, -INFINITY};

static void widen(span *s, double v)
{
    if (isfinite(v)) {
        s->least = fmin(s->least, v);
        s->most = fmax(s->most, v);
    }
}

/* Where the data are drawn, with axes fitted to them. */
typedef struct frame {
    plot_axis x, y;
    double left, right, top, bottom;
} frame;

static void set_frame(const lm_plot *p, const span *y, double top, double height, frame *f)
{
    f->top = top + 6;
    f->bottom = f->top + height;
    plot_axis_fit(&f->y, y->least, y->most, Y_TICKS);
    f->y.begin = f->bottom;
    f->y.end = f->top;
    f->left = PLOT_MARGIN + (p->y ? TITLE_ROOM : 0) + plot_labels_width(&f->y) + 10;
    f->right = PLOT_WIDTH - PLOT_MARGIN - 6;
    f->x.begin = f->left;
    f->x.end = f->right;
}

static double close_frame(const lm_plot *p, const frame *f, double below, lm_str *out)
{
    const double end = f->bottom + below + (p->x ? TITLE_ROOM : 0);
    plot_draw_titles(p, f->left, f->right, f->top, f->bottom, end - 4, out);
    return end;
}

/* Places that are counted have no halves. */
static void fit_x(const lm_plot *p, const span *x, plot_axis *a)
{
    bool counted = true;
    for (int s = 0; s < p->series_count; s++)
        counted &= p->series[s].x == NULL;
    plot_axis_fit(a, x->least, x->most, X_TICKS);
    if (counted && a->step < 1)
        *a = (plot_axis){.from = floor(x->least),
                         .to = fmax(ceil(x->most), floor(x->least) + 1),
                         .step = 1,
                         .begin = a->begin,
                         .end = a->end};
}

static double x_of(const lm_plot_series *s, int i)
{
    return s->x ? s->x[i] : i;
}

static void draw_line(const lm_plot_series *s, const frame *f, int colour, lm_str *out)
{
    bool pen = false;
    lm_str_printf(out, "<path class=\"l s%d\" fill=\"none\" stroke=\"#57606a\"%s d=\"", colour % PLOT_COLOURS,
                  colour >= PLOT_COLOURS ? " stroke-dasharray=\"6 3\"" : "");
    for (int i = 0; i < s->count; i++) {
        const double x = x_of(s, i), y = s->y[i];
        const bool there = isfinite(x) && isfinite(y);
        if (there)
            lm_str_printf(out, pen ? "L%.2f %.2f" : "M%.2f %.2fh0", plot_at(&f->x, x), plot_at(&f->y, y));
        pen = there;
    }
    lm_str_add(out, "\"/>\n");
}

static void draw_points(const lm_plot_series *s, const frame *f, int colour, lm_str *out)
{
    for (int i = 0; i < s->count; i++)
        if (isfinite(x_of(s, i)) && isfinite(s->y[i]))
            lm_str_printf(
                out, "<circle class=\"s%d f d\" cx=\"%.2f\" cy=\"%.2f\" r=\"3.2\"><title>%.6g, %.6g</title></circle>\n",
                colour % PLOT_COLOURS, plot_at(&f->x, x_of(s, i)), plot_at(&f->y, s->y[i]), x_of(s, i), s->y[i]);
}

double plot_xy(const lm_plot *p, double top, lm_str *out)
{
    span x = nothing, y = nothing;
    frame f;
    for (int s = 0; s < p->series_count; s++)
        for (int i = 0; i < p->series[s].count; i++)
            if (isfinite(x_of(&p->series[s], i)) && isfinite(p->series[s].y[i])) {
                widen(&x, x_of(&p->series[s], i));
                widen(&y, p->series[s].y[i]);
            }
    set_frame(p, &y, top, PLOT_HEIGHT, &f);
    fit_x(p, &x, &f.x);
    plot_draw_y(&f.y, f.left, f.right, out);
    plot_draw_x(&f.x, f.top, f.bottom, out);
    for (int s = 0; s < p->series_count; s++)
        (p->kind == LM_PLOT_LINE ? draw_line : draw_points)(&p->series[s], &f, s, out);
    return close_frame(p, &f, 24, out);
}

/* From the zero line to the value, with what a pointer over it shows. */
static void draw_bar(const frame *f, double left, double width, double v, int colour, const char *more, lm_str *out)
{
    const double zero = plot_at(&f->y, 0), at = plot_at(&f->y, v);
    lm_str_printf(out, "<rect class=\"s%d f\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"%s><title>",
                  colour % PLOT_COLOURS, left, fmin(zero, at), width, fabs(zero - at), more);
}

double plot_bars(const lm_plot *p, double top, lm_str *out)
{
    span y = {0, 0};
    frame f;
    for (int s = 0; s < p->series_count; s++)
        for (int i = 0; i < p->series[s].count && i < p->names; i++)
            widen(&y, p->series[s].y[i]);
    set_frame(p, &y, top, PLOT_HEIGHT, &f);
    plot_draw_y(&f.y, f.left, f.right, out);
    const double slot = (f.right - f.left) / (p->names > 0 ? p->names : 1), group = slot * 0.76,
                 width = group / p->series_count;
    for (int s = 0; s < p->series_count; s++)
        for (int i = 0; i < p->series[s].count && i < p->names; i++) {
            const double v = p->series[s].y[i], left = f.left + i * slot + (slot - group) / 2 + s * width;
            if (!isfinite(v))
                continue;
            draw_bar(&f, left, fmax(width - 1, 0.5), v, s, " rx=\"1\"", out);
            draw_text(out, plot_name(p->name, i));
            if (p->series[s].name) {
                lm_str_add(out, ", ");
                draw_text(out, p->series[s].name);
            }
            lm_str_printf(out, ": %.6g</title></rect>\n", v);
        }
    plot_draw_names(p->name, p->names, f.left + slot / 2, slot, f.bottom, out);
    return close_frame(p, &f, plot_names_height(p->name, p->names, slot) + 4, out);
}

/* Bins of one width for all series. */
typedef struct bins {
    plot_axis x;
    int count;
    double width;
    double *in; /* [series][count] */
} bins;

static bool count_bins(const lm_plot *p, bins *b)
{
    span x = nothing;
    int numbers = 0;
    for (int s = 0; s < p->series_count; s++)
        for (int i = 0; i < p->series[s].count; i++) {
            numbers = p->series[s].count > numbers ? p->series[s].count : numbers;
            widen(&x, p->series[s].y[i]);
        }
    const int wanted = p->bins > 0 ? p->bins : (int)fmin(fmax(sqrt(numbers), 5), MOST_BINS);
    plot_axis fine = {0};
    plot_axis_fit(&fine, x.least, x.most, wanted); /* edges at round numbers */
    plot_axis_fit(&b->x, fine.from, fine.to, X_TICKS);
    b->width = fine.step;
    b->count = (int)lround((b->x.to - b->x.from) / b->width);
    b->in = lm_calloc((size_t)p->series_count * (size_t)b->count, sizeof *b->in);
    for (int s = 0; b->in && s < p->series_count; s++)
        for (int i = 0; i < p->series[s].count; i++) {
            const double v = p->series[s].y[i];
            const double at = (v - b->x.from) / b->width;
            if (isfinite(v))
                b->in[s * b->count + (int)fmin(fmax(at, 0), b->count - 1)]++;
        }
    return b->in != NULL;
}

double plot_histogram(const lm_plot *p, double top, lm_str *out)
{
    bins b = {0};
    frame f;
    span y = {0, 1};
    if (!count_bins(p, &b)) {
        out->status = LM_MEMORY;
        return top;
    }
    for (int i = 0; i < p->series_count * b.count; i++)
        widen(&y, b.in[i]);
    set_frame(p, &y, top, PLOT_HEIGHT, &f);
    f.x.from = b.x.from, f.x.to = b.x.to, f.x.step = b.x.step;
    plot_draw_y(&f.y, f.left, f.right, out);
    for (int s = 0; s < p->series_count; s++)
        for (int i = 0; i < b.count; i++) {
            const double from = b.x.from + i * b.width, left = plot_at(&f.x, from), n = b.in[s * b.count + i];
            if (n == 0)
                continue;
            draw_bar(&f, left, fmax(plot_at(&f.x, from + b.width) - left - 1, 0.5), n, s,
                     p->series_count > 1 ? " fill-opacity=\".55\"" : "", out);
            lm_str_printf(out, "%.6g to %.6g: %.0f</title></rect>\n", from, from + b.width, n);
        }
    plot_draw_x(&f.x, f.bottom, f.bottom + 4, out);
    lm_free(b.in);
    return close_frame(p, &f, 24, out);
}
