/* Bars, token strips and curves as SVG. Colours of numbers say red for, blue against, or are those of
 * sizes, as heat maps' are. */
#include "core/draw/panel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/draw/heat.h"
#include "core/draw/layout.h"
#include "core/draw/svg.h"
#include "core/draw/words_text.h"

/* Pixels. */
enum {
    WIDTH = 720,
    MARGIN = 16,
    TITLE = 26,
    BAR = 22,
    NAME = 220,  /* the names of bars end here */
    NUMBER = 90, /* room for the number beside a bar */
    TOKEN = 30,
    TOKEN_GAP = 6,
    CURVE = 110,
    BETWEEN = 20
};
/* More curves than SERIES are drawn as rows of cells, of which so many are worth the bytes. */
enum { BARS = 20, NAME_BYTES = 28, SERIES = 8, CELLS_ACROSS = 128, CELLS_DOWN = 32, WEIGHTS = 24 };

static const char head[] =
    "<style>\n"
    "svg{font:13px "
    "system-ui,sans-serif;background:#fff}text{fill:#1b1f24}.h{font-weight:600}.m{fill:#57606a}.r{text-anchor:end}"
    ".c{text-anchor:middle}.p{fill:#c0362c}.n{fill:#2f62b5}.u{fill:#a8741a}.a{stroke:#8c959f;fill:none}.l{stroke:#1b1f24;fill:none;"
    "stroke-width:1.5;stroke-linejoin:round}\n"
    "@media(prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#e6edf3}.m{fill:#9aa4af}.p{fill:#ff7b6b}.n{"
    "fill:#79aaff}.u{fill:#e3b341}"
    ".l{stroke:#e6edf3}}\n"
    "</style>\n";

typedef struct ranked_bar {
    double size;
    int index;
} ranked_bar;

static int largest_first(const void *a, const void *b)
{
    const ranked_bar *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size ? 1 : -1) : x->index - y->index;
}

/* The name up to a length that fits, cut between characters. */
static void short_text(lm_str *out, const char *text)
{
    lm_str cut = {0};
    size_t n = 0;
    while (text[n] && (n < NAME_BYTES || ((unsigned char)text[n] & 0xC0) == 0x80))
        n++;
    lm_str_add_bytes(&cut, text, n);
    lm_str_add(&cut, text[n] ? "\xe2\x80\xa6" : "");
    draw_text(out, lm_str_text(&cut));
    lm_str_free(&cut);
}

/* The class of what a number draws. */
static const char *class_of(const lm_panel *p, double value)
{
    return p->positive ? "u" : value < 0 ? "n" : "p";
}

static void one_bar(lm_str *out, double y, const lm_panel *p, const char *full, double value, double most)
{
    const double room = (WIDTH - MARGIN - NAME - 2 * NUMBER) / 2.0, middle = NAME + NUMBER + room;
    const double length = isnan(value) ? 0 : fabs(value) / most * room;
    const bool for_it = !(value < 0);
    lm_str_add(out, "<g><title>");
    draw_text(out, full);
    lm_str_printf(out, " %.9g</title><text class=\"r\" x=\"%d\" y=\"%.1f\">", value, NAME - 8, y + 15);
    short_text(out, full);
    lm_str_printf(out, "</text><rect class=\"%s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%d\" rx=\"2\"/>",
                  class_of(p, value), for_it ? middle : middle - length, y + 3, length, BAR - 6);
    lm_str_printf(out, "<text class=\"m%s\" x=\"%.1f\" y=\"%.1f\">%.4g</text></g>\n", for_it ? "" : " r",
                  for_it ? middle + length + 6 : middle - length - 6, y + 15, value);
}

/* The columns by size, the largest first. */
static ranked_bar *by_size(const lm_panel *p)
{
    ranked_bar *order = lm_malloc((size_t)p->count, sizeof *order);
    if (!order)
        return NULL;
    for (int i = 0; i < p->count; i++)
        order[i] = (ranked_bar){isnan(p->value[i]) ? 0 : fabs(p->value[i]), i};
    qsort(order, (size_t)p->count, sizeof *order, largest_first);
    return order;
}

/* A bar of a waterfall from one number to another. The numbers `low` to `high` fill the room. */
static void one_step(lm_str *out, double y, const char *name, double begin, double end, double low, double high)
{
    const double room = WIDTH - MARGIN - NAME - NUMBER, scale = room / (high - low);
    const double left = NAME + (fmin(begin, end) - low) * scale, wide = fabs(end - begin) * scale;
    lm_str_add(out, "<g><title>");
    draw_text(out, name);
    lm_str_printf(out, " %.9g, from %.9g to %.9g</title><text class=\"r\" x=\"%d\" y=\"%.1f\">", end - begin, begin,
                  end, NAME - 8, y + 15);
    short_text(out, name);
    lm_str_printf(out, "</text><rect class=\"%s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%d\" rx=\"2\"/>",
                  end < begin ? "n" : "p", left, y + 3, fmax(wide, 1), BAR - 6);
    lm_str_printf(out, "<path class=\"a\" d=\"M%.2f %.1fv%d\"/>", NAME + (end - low) * scale, y + 3, BAR);
    lm_str_printf(out, "<text class=\"m r\" x=\"%d\" y=\"%.1f\">%+.4g</text></g>\n", WIDTH - MARGIN, y + 15,
                  end - begin);
}

static void name_others(const lm_panel *p, int count, lm_str *name)
{
    char number[16];
    snprintf(number, sizeof number, "%d", count);
    words_say(name, p->language, WORDS_OTHERS, number, NULL, NULL);
}

static void level(lm_str *out, double y, const char *name, double value)
{
    lm_str_printf(
        out, "<text class=\"r h\" x=\"%d\" y=\"%.1f\">%s</text><text class=\"r h\" x=\"%d\" y=\"%.1f\">%.4g</text>\n",
        NAME - 8, y + 15, name, WIDTH - MARGIN, y + 15, value);
}

static lm_status waterfall(const lm_panel *p, double y, lm_str *out)
{
    ranked_bar *order = by_size(p);
    if (!order)
        return LM_MEMORY;
    const int shown = p->count <= BARS ? p->count : BARS - 1;
    double at = p->from, low = p->from, high = p->from, rest = 0;
    for (int i = 0; i < p->count; i++) {
        const double v = isnan(p->value[order[i].index]) ? 0 : p->value[order[i].index];
        at += v;
        rest += i < shown ? 0 : v;
        if (i < shown || i + 1 == p->count) {
            low = fmin(low, at);
            high = fmax(high, at);
        }
    }
    high = high > low ? high : low + 1;
    level(out, y, words_text(p->language, WORDS_AT_BASELINE), p->from);
    at = p->from;
    for (int i = 0; i < shown; i++) {
        const double v = order[i].size > 0 ? p->value[order[i].index] : 0;
        one_step(out, y += BAR, p->name[order[i].index], at, at + v, low, high);
        at += v;
    }
    if (shown < p->count) {
        lm_str name = {0};
        name_others(p, p->count - shown, &name);
        one_step(out, y += BAR, lm_str_text(&name), at, at + rest, low, high);
        lm_str_free(&name);
    }
    level(out, y + BAR, words_text(p->language, WORDS_IN_THE_END), at + rest);
    lm_free(order);
    return LM_OK;
}

static lm_status bars(const lm_panel *p, double y, lm_str *out)
{
    ranked_bar *order = by_size(p);
    double rest = 0, most;
    if (!order)
        return LM_MEMORY;
    const int shown = p->count <= BARS ? p->count : BARS - 1;
    for (int i = shown; i < p->count; i++)
        rest += p->value[order[i].index];
    most = fmax(fmax(p->count ? order[0].size : 0, fabs(rest)), 1e-300);
    for (int i = 0; i < shown; i++, y += BAR)
        one_bar(out, y, p, p->name[order[i].index], p->value[order[i].index], most);
    if (shown < p->count) {
        lm_str name = {0};
        name_others(p, p->count - shown, &name);
        one_bar(out, y, p, lm_str_text(&name), rest, most);
        lm_str_free(&name);
    }
    lm_free(order);
    return LM_OK;
}

static double range_of(const lm_panel *p)
{
    double most = 1e-300;
    for (int i = 0; i < p->count; i++)
        most = isnan(p->value[i]) ? most : fmax(most, fabs(p->value[i]));
    return most;
}

static void ground(lm_str *out, bool positive, double t)
{
    const lm_rgb c = lm_colour_ground(positive, t);
    lm_str_printf(out, "#%02x%02x%02x", c.r, c.g, c.b);
}

/* Draws when `out` is not NULL; answers with the height in any case. */
static double tokens(const lm_panel *p, double top, lm_str *out)
{
    const double most = range_of(p);
    double x = MARGIN, y = top;
    for (int i = 0; i < p->count; i++) {
        const double wide = fmax(draw_text_width(p->name[i]) + 14, 28);
        if (x > MARGIN && x + wide > WIDTH - MARGIN) {
            x = MARGIN;
            y += TOKEN + TOKEN_GAP;
        }
        if (out) {
            const double t = p->value[i] / most;
            lm_str_add(out, "<g><title>");
            draw_text(out, p->name[i]);
            lm_str_printf(out, " %.9g</title><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"4\" fill=\"",
                          p->value[i], x, y, wide, TOKEN);
            ground(out, p->positive, t);
            /* ends of the palette are dark: black does not read on them */
            lm_str_printf(out, "\"/><text class=\"c\" style=\"fill:%s\" x=\"%.1f\" y=\"%.1f\">",
                          fabs(t) > 0.6 && !p->positive ? "#fff" : "#1b1f24", x + wide / 2, y + 20);
            draw_text(out, p->name[i]);
            lm_str_add(out, "</text></g>\n");
        }
        x += wide + TOKEN_GAP;
    }
    return y + TOKEN - top;
}

/* Many series: time runs to the right, each row is one of them or the sum of a few, coloured by what it speaks for.
 * Above them a strip of WEIGHTS pixels says what each step speaks for. */
static void raster(const lm_panel *p, double top, lm_str *out)
{
    const int across = p->count < CELLS_ACROSS ? p->count : CELLS_ACROSS;
    const int down = p->series < CELLS_DOWN ? p->series : CELLS_DOWN;
    const double wide = (double)(WIDTH - 2 * MARGIN) / across, high = (double)(CURVE - WEIGHTS) / down;
    double cell[CELLS_DOWN * CELLS_ACROSS], most = 1e-300;
    for (int i = 0; i < down * across; i++) {
        const int r = i / across, c = i % across;
        const int from = (int)((int64_t)c * p->count / across), to = (int)(((int64_t)c + 1) * p->count / across);
        cell[i] = 0;
        for (int s = (int)((int64_t)r * p->series / down); s < (int)(((int64_t)r + 1) * p->series / down); s++)
            for (int k = from; k < to; k++)
                cell[i] += isfinite(p->part[(int64_t)s * p->count + k]) ? p->part[(int64_t)s * p->count + k] : 0;
        most = fmax(most, fabs(cell[i]));
    }
    lm_str_add(out, "<g shape-rendering=\"crispEdges\">");
    for (int i = 0; i < down * across; i++) {
        lm_str_printf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"",
                      MARGIN + i % across * wide, top + WEIGHTS + i / across * high, wide, high);
        ground(out, p->positive, cell[i] / most);
        lm_str_add(out, "\"/>");
    }
    lm_str_add(out, "</g>\n");
}

static void curve(const lm_panel *p, double top, lm_str *out)
{
    const bool many = p->series > SERIES && p->part;
    const double most = range_of(p), step = (double)(WIDTH - 2 * MARGIN) / (p->count > 1 ? p->count - 1 : 1);
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < p->series * p->count; i++)
        if (isfinite(p->curve[i])) {
            low = fmin(low, p->curve[i]);
            high = fmax(high, p->curve[i]);
        }
    const double span = high > low ? high - low : 1;
    for (int i = 0; i < p->count; i++) { /* equal neighbours do not leave seams: each reaches under the next */
        const double left = fmax(MARGIN, MARGIN + (i - 0.5) * step),
                     right = fmin(WIDTH - MARGIN, MARGIN + (i + 0.5) * step);
        const double t = p->value[i] / most;
        lm_str_printf(out,
                      "<rect class=\"%s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%d\" "
                      "opacity=\"%.3f\"><title>%d: %.9g</title></rect>\n",
                      class_of(p, t), left, top, right - left, many ? WEIGHTS : CURVE, isnan(t) ? 0 : 0.75 * fabs(t), i, p->value[i]);
    }
    if (many)
        raster(p, top, out);
    for (int s = 0; s < p->series && !many; s++) {
        lm_str_add(out, "<path class=\"l\" d=\"");
        bool pen = false;
        for (int i = 0; i < p->count; i++) {
            const double v = p->curve[s * p->count + i];
            if (isfinite(v))
                lm_str_printf(out, "%c%.2f %.2f", pen ? 'L' : 'M', MARGIN + i * step,
                              top + 6 + (CURVE - 12) * (high - v) / span);
            pen = isfinite(v);
        }
        lm_str_add(out, "\"/>\n");
    }
    lm_str_printf(out, "<rect class=\"a\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\"/>\n", MARGIN, top,
                  WIDTH - 2 * MARGIN, CURVE);
    lm_str_printf(out,
                  "<text class=\"m\" x=\"%d\" y=\"%.1f\">0</text><text class=\"m r\" x=\"%d\" y=\"%.1f\">%d</text>\n",
                  MARGIN, top + CURVE + 15, WIDTH - MARGIN, top + CURVE + 15, p->count - 1);
}

static double height_of(const lm_panel *p)
{
    const int shown = p->count < BARS ? p->count : BARS;
    return p->kind == LM_PANEL_BARS     ? (shown + 2 * p->waterfall) * BAR
           : p->kind == LM_PANEL_TOKENS ? tokens(p, 0, NULL)
                                        : CURVE + 20;
}

lm_status lm_panels_svg(const lm_panel *panel, size_t panels, lm_str *out)
{
    double height = MARGIN, y = MARGIN;
    for (size_t i = 0; i < panels; i++)
        height += TITLE + height_of(&panel[i]) + BETWEEN;
    lm_str_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" width=\"%d\" height=\"%.0f\" "
                  "role=\"img\">\n",
                  WIDTH, height, WIDTH, height);
    lm_str_add(out, head);
    for (size_t i = 0; i < panels; i++) {
        const lm_panel *p = &panel[i];
        lm_str_printf(out, "<text class=\"h\" x=\"%d\" y=\"%.1f\">", MARGIN, y + 12);
        draw_text(out, p->title);
        lm_str_add(out, "</text>\n");
        y += TITLE;
        if (p->kind == LM_PANEL_BARS)
            LM_TRY(p->waterfall ? waterfall(p, y, out) : bars(p, y, out));
        else if (p->kind == LM_PANEL_TOKENS)
            tokens(p, y, out);
        else
            curve(p, y, out);
        y += height_of(p) + BETWEEN;
    }
    lm_str_add(out, "</svg>\n");
    return out->status;
}
