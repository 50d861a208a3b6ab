/* Axes: ranges that end at round numbers, ticks, and labels that do not touch. */
#include <math.h>
#include <stdio.h>

#include "core/draw/layout.h"
#include "core/draw/plot_inside.h"
#include "core/draw/svg.h"

enum { NAME_WIDTH = 176, LABEL_GAP = 10, LEVEL = 20, THIN = 14 };
static const double slant = 0.6428; /* sine of 40 degrees */

/* The power of ten at or below v, made of products so that no two machines differ. */
static double ten_below(double v)
{
    double ten = 1;
    while (ten * 10 <= v && ten < 1e300)
        ten *= 10;
    while (ten > v && ten > 1e-300)
        ten /= 10;
    return ten;
}

void plot_axis_fit(plot_axis *a, double least, double most, int ticks)
{
    if (!(least <= most)) {
        least = 0;
        most = 1;
    }
    if (most - least < 1e-12 * fmax(fabs(least), fabs(most)) || most == least) {
        const double room = least == 0 ? 0.5 : fabs(least) / 2;
        least -= room;
        most += room;
    }
    const double rough = (most - least) / ticks, ten = ten_below(rough);
    const double times = rough / ten * (1 - 1e-9);
    a->step = ten * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
    a->from = floor(least / a->step + 1e-9) * a->step;
    a->to = ceil(most / a->step - 1e-9) * a->step;
}

int plot_ticks(const plot_axis *a)
{
    return (int)lround((a->to - a->from) / a->step) + 1;
}

double plot_tick(const plot_axis *a, int i)
{
    const double v = (round(a->from / a->step) + i) * a->step;
    return v == 0 ? 0 : v; /* no minus before zero */
}

void plot_number(double v, double step, char text[PLOT_NUMBER])
{
    int decimals = 0;
    for (double s = step; s < 0.999 && decimals < 6; s *= 10)
        decimals++;
    if (step < 1e-5 || fabs(v) >= 1e7)
        draw_number(v, 4, text);
    else
        snprintf(text, PLOT_NUMBER, "%.*f", decimals, v);
}

double plot_labels_width(const plot_axis *a)
{
    double most = 0;
    for (int i = 0; i < plot_ticks(a); i++) {
        char text[PLOT_NUMBER];
        plot_number(plot_tick(a, i), a->step, text);
        most = fmax(most, draw_text_width(text));
    }
    return most;
}

void plot_draw_x(const plot_axis *x, double top, double bottom, lm_str *out)
{
    const double apart = fabs(plot_at(x, x->from + x->step) - x->begin);
    const int each = (int)fmax(1, ceil((plot_labels_width(x) + LABEL_GAP) / apart));
    for (int i = 0; i < plot_ticks(x); i++) {
        char text[PLOT_NUMBER];
        const double v = plot_tick(x, i), at = plot_at(x, v);
        lm_str_printf(out, "<path class=\"g\" d=\"M%.1f %.1fV%.1f\"/>\n", at, top, bottom);
        plot_number(v, x->step, text);
        if (i % each == 0)
            plot_text(out, "m c", at, bottom + PLOT_LINE - 2, text);
    }
}

void plot_draw_y(const plot_axis *y, double left, double right, lm_str *out)
{
    for (int i = 0; i < plot_ticks(y); i++) {
        char text[PLOT_NUMBER];
        const double v = plot_tick(y, i), at = plot_at(y, v);
        lm_str_printf(out, "<path class=\"%s\" d=\"M%.1f %.1fH%.1f\"/>\n", v == 0 ? "z" : "g", left, at, right);
        plot_number(v, y->step, text);
        plot_text(out, "m r", left - 6, at + 4, text);
    }
}

/* A name, cut where it is too long. */
static void short_name(const char *name, lm_str *out)
{
    lm_str_clear(out);
    draw_text_cut(name, NAME_WIDTH, out);
}

static double widest(const char *const *name, int names)
{
    double most = 0;
    lm_str text = {0};
    for (int i = 0; i < names; i++) {
        short_name(plot_name(name, i), &text);
        most = fmax(most, draw_text_width(lm_str_text(&text)));
    }
    lm_str_free(&text);
    return most;
}

double plot_names_height(const char *const *name, int names, double slot)
{
    const double most = widest(name, names);
    return most + LABEL_GAP <= slot ? LEVEL : most * slant + LEVEL;
}

void plot_draw_names(const char *const *name, int names, double x, double slot, double y, lm_str *out)
{
    const bool level = widest(name, names) + LABEL_GAP <= slot;
    const int each = level || slot >= THIN ? 1 : (int)ceil(THIN / slot);
    lm_str text = {0};
    for (int i = 0; i < names; i += each) {
        const double at = x + i * slot;
        short_name(plot_name(name, i), &text);
        if (level) {
            plot_text(out, "m c", at, y + PLOT_LINE - 2, lm_str_text(&text));
            continue;
        }
        lm_str_printf(out, "<text class=\"m r\" transform=\"translate(%.1f %.1f) rotate(-40)\">", at + 4, y + 12);
        draw_text(out, lm_str_text(&text));
        lm_str_add(out, "</text>\n");
    }
    lm_str_free(&text);
}
