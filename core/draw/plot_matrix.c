/* Matrices as coloured cells with their scale, and confusion matrices. */
#include <math.h>
#include <stdio.h>

#include "core/draw/colour.h"
#include "core/draw/layout.h"
#include "core/draw/plot_inside.h"
#include "core/draw/svg.h"

enum {
    MOST_CELL = 54,
    WIDEST_CELL = 160,
    NUMBERS_FROM = 34,
    SCALE = 12,
    SCALE_ROOM = 74,
    MOST_NAME = 180,
    STEPS = 48,
    NAME_FROM = 12
};

typedef struct matrix {
    const lm_plot *p;
    const char *const *row_name;
    lm_palette palette;
    bool whole;                      /* counts only */
    double low, high;                /* what the colours range over */
    double left, top, width, height; /* of a cell */
} matrix;

static double row_sum(const lm_plot *p, int row)
{
    double sum = 0;
    for (int c = 0; c < p->names; c++)
        sum += p->cell[row * p->names + c];
    return sum;
}

/* What colours a cell: its number, or its share of the row. */
static double shown(const lm_plot *p, int row, int column)
{
    const double v = p->cell[row * p->names + column], sum = p->kind == LM_PLOT_CONFUSION ? row_sum(p, row) : 1;
    return p->kind == LM_PLOT_HEAT ? v : sum > 0 ? v / sum : 0;
}

static void set_range(matrix *m)
{
    const lm_plot *p = m->p;
    m->palette = p->kind == LM_PLOT_HEAT && p->both_signs ? LM_PALETTE_SIGNED : LM_PALETTE_INK;
    m->low = p->kind == LM_PLOT_HEAT ? INFINITY : 0;
    m->high = p->kind == LM_PLOT_HEAT ? -INFINITY : 1;
    for (int i = 0; p->kind == LM_PLOT_HEAT && i < p->rows * p->names; i++)
        if (isfinite(p->cell[i])) {
            m->low = fmin(m->low, p->cell[i]);
            m->high = fmax(m->high, p->cell[i]);
        }
    if (!(m->low <= m->high))
        m->low = 0, m->high = 1;
    if (m->palette == LM_PALETTE_SIGNED) {
        m->high = fmax(fabs(m->low), fabs(m->high));
        m->low = -m->high;
    }
    if (m->low == m->high)
        m->high += m->low == 0 ? 1 : fabs(m->low);
}

static lm_rgb colour_of(const matrix *m, double v)
{
    const double t = (v - m->low) / (m->high - m->low);
    return lm_colour(m->palette, m->palette == LM_PALETTE_SIGNED ? 2 * t - 1 : t);
}

/* Are all numbers counts? */
static bool all_whole(const lm_plot *p)
{
    bool whole = true;
    for (int i = 0; i < p->rows * p->names; i++)
        whole &= !isfinite(p->cell[i]) || (p->cell[i] == round(p->cell[i]) && fabs(p->cell[i]) < 1e5);
    return whole;
}

/* A cell's number in as few digits as tell it beside the others, all with as many behind the point. */
static const char *cell_text(const matrix *m, double v, char text[PLOT_NUMBER])
{
    const double most = fmax(fabs(m->low), fabs(m->high));
    const double near = fabs(v) < 0.005 ? 0 : v; /* no minus before zero */
    if (!m->whole && !(most >= 0.1 && most < 100))
        return draw_number(v, 2, text);
    snprintf(text, PLOT_NUMBER, m->whole ? "%.0f" : "%.2f", near);
    return text;
}

static void draw_cell(const matrix *m, int row, int column, lm_str *out)
{
    const lm_plot *p = m->p;
    const double v = p->cell[row * p->names + column], share = shown(p, row, column);
    const double x = m->left + column * m->width, y = m->top + row * m->height;
    const lm_rgb c = colour_of(m, share);
    char text[PLOT_NUMBER];
    lm_str_printf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"#%02x%02x%02x\"><title>", x,
                  y, m->width, m->height, c.r, c.g, c.b);
    draw_text(out, plot_name(m->row_name, row));
    lm_str_add(out, ", ");
    draw_text(out, plot_name(p->name, column));
    lm_str_printf(out, ": %.6g", v);
    if (p->kind == LM_PLOT_CONFUSION)
        lm_str_printf(out, " (%.1f %% of the row)", 100 * share);
    lm_str_add(out, "</title></rect>");
    if (m->width >= NUMBERS_FROM && m->height >= 18 && isfinite(v)) {
        const double light = 0.299 * c.r + 0.587 * c.g + 0.114 * c.b;
        lm_str_printf(out, "<text class=\"c\" style=\"fill:%s;font-size:11px\" x=\"%.1f\" y=\"%.1f\">%s</text>",
                      light > 140 ? "#1b1f24" : "#fff", x + m->width / 2, y + m->height / 2 + 4,
                      cell_text(m, v, text));
    }
    lm_str_char(out, '\n');
}

static void draw_scale(const matrix *m, double right, lm_str *out)
{
    const double bottom = m->top + m->p->rows * m->height, tall = fmax(bottom - m->top, 80);
    const bool shares = m->p->kind == LM_PLOT_CONFUSION;
    plot_axis a = {0};
    lm_str_add(out, "<g shape-rendering=\"crispEdges\">\n"); /* no seams between the steps */
    for (int i = 0; i < STEPS; i++) {
        const lm_rgb c = colour_of(m, m->low + (m->high - m->low) * (i + 0.5) / STEPS);
        lm_str_printf(out, "<rect x=\"%.1f\" y=\"%.2f\" width=\"%d\" height=\"%.2f\" fill=\"#%02x%02x%02x\"/>\n", right,
                      m->top + tall * (STEPS - 1 - i) / STEPS, SCALE, tall / STEPS + 0.3, c.r, c.g, c.b);
    }
    lm_str_add(out, "</g>\n");
    lm_str_printf(out, "<rect class=\"a\" fill=\"none\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>\n", right,
                  m->top, SCALE, tall);
    plot_axis_fit(&a, m->low, m->high, 4);
    const double step = a.step;
    a.from = m->low, a.to = m->high, a.begin = m->top + tall, a.end = m->top;
    for (double v = ceil(m->low / step - 1e-9) * step; v <= m->high + 1e-9 * step; v += step) {
        char text[PLOT_NUMBER];
        if (shares)
            snprintf(text, sizeof text, "%.0f %%", fabs(100 * v));
        else
            plot_number(fabs(v) < step * 1e-9 ? 0 : v, step, text);
        plot_text(out, "m", right + SCALE + 6, plot_at(&a, v) + 4, text);
    }
}

static double row_names_width(const matrix *m)
{
    double most = 0;
    for (int i = 0; i < m->p->rows; i++)
        most = fmax(most, draw_text_width(plot_name(m->row_name, i)));
    return fmin(most, MOST_NAME);
}

double plot_matrix(const lm_plot *p, double top, lm_str *out)
{
    matrix m = {.p = p, .row_name = p->row_name ? p->row_name : p->rows == p->names ? p->name : NULL, .top = top + 4};
    set_range(&m);
    m.whole = all_whole(p);
    m.left = PLOT_MARGIN + (p->y ? 20 : 0) + row_names_width(&m) + 10;
    m.width = fmin((PLOT_WIDTH - PLOT_MARGIN - SCALE_ROOM - m.left) / p->names, WIDEST_CELL);
    m.height = fmin(fmin(m.width, MOST_CELL), fmax(480.0 / p->rows, 1));
    const double right = m.left + p->names * m.width, bottom = m.top + p->rows * m.height;
    for (int r = 0; r < p->rows; r++) {
        for (int c = 0; c < p->names; c++)
            draw_cell(&m, r, c, out);
        if (m.row_name && m.height >= NAME_FROM) {
            lm_str_printf(out, "<text class=\"m r\" x=\"%.1f\" y=\"%.1f\">", m.left - 8,
                          m.top + (r + 0.5) * m.height + 4);
            draw_text_fitted(plot_name(m.row_name, r), MOST_NAME, out);
            lm_str_add(out, "</text>\n");
        }
    }
    lm_str_printf(out, "<rect class=\"a\" fill=\"none\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                  m.left, m.top, right - m.left, bottom - m.top);
    draw_scale(&m, right + 14, out);
    double end = bottom + 6;
    if (p->name) {
        plot_draw_names(p->name, p->names, m.left + m.width / 2, m.width, bottom, out);
        end = bottom + plot_names_height(p->name, p->names, m.width) + 4;
    }
    end += p->x ? 20 : 0;
    plot_draw_titles(p, m.left, right, m.top, bottom, end - 4, out);
    return fmax(end, m.top + 84);
}
