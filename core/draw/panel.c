/* Bars, token strips and curves as SVG. Colours of numbers say red for, blue against, or are those of
 * sizes, as heat maps' are. */
#include "core/draw/panel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "core/draw/layout.h"
#include "core/draw/svg.h"
#include "core/draw/words_text.h"

/* Pixels. */
enum {
    WIDTH = 720,
    MARGIN = 16,
    TITLE = 26,
    BAR = 22,
    NAME = 220,  /* the names of bars end here, but for a gap */
    GAP = 8,
    NUMBER = 90, /* room for the number beside a bar */
    TOKEN = 30,
    TOKEN_GAP = 6,
    TOKEN_PAD = 14,
    CURVE = 110,
    BETWEEN = 20
};
/* More curves than SERIES are drawn as rows of cells, of which so many are worth the bytes. */
enum { BARS = 20, DIGITS = 4, SERIES = 8, CELLS_ACROSS = 128, CELLS_DOWN = 32, WEIGHTS = 24 };

static const char head[] =
    "<style>\n"
    "svg{font:13px "
    "system-ui,sans-serif;background:#fff}text{fill:#1b1f24}.h{font-weight:600}.m{fill:#57606a}.r{text-anchor:end}"
    ".c{text-anchor:middle}.p{fill:#c0362c}.n{fill:#2f62b5}.u{fill:#a8741a}.a{stroke:#8c959f}.l{stroke:#1b1f24;"
    "stroke-width:1.5;stroke-linejoin:round}.k{stroke:#8c959f;stroke-opacity:.35}\n"
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

/* The name, or as much of it as fits beside the bars. */
static void short_text(lm_str *out, const char *text)
{
    draw_text_fitted(text, NAME - GAP - MARGIN, out);
}

/* Without the sign that some platforms print with it. */
static double plain(double v)
{
    return isnan(v) ? fabs(v) : v;
}

/* The class of what a number draws. */
static const char *class_of(const lm_panel *p, double value)
{
    return p->positive ? "u" : value < 0 ? "n" : "p";
}

/* What stands to the left of a bar, with what a pointer over it shows. */
static void begin_row(lm_str *out, double y, const char *name, const char *told)
{
    lm_str_add(out, "<g><title>");
    draw_text(out, name);
    lm_str_printf(out, " %s</title><text class=\"r\" x=\"%d\" y=\"%.1f\">", told, NAME - GAP, y + 15);
    short_text(out, name);
    lm_str_add(out, "</text>");
}

/* Sizes go to the right, other numbers to both sides of the middle. */
static void one_bar(lm_str *out, double y, const lm_panel *p, const char *name, double value, double most)
{
    const double whole = WIDTH - MARGIN - NAME - NUMBER, room = p->positive ? whole : (whole - NUMBER) / 2;
    const double zero = p->positive ? NAME : NAME + NUMBER + room;
    const double length = isfinite(value) ? fabs(value) / most * room : 0;
    const bool for_it = !(value < 0);
    char number[DRAW_NUMBER];
    snprintf(number, sizeof number, "%.9g", plain(value));
    begin_row(out, y, name, number);
    lm_str_printf(out, "<rect class=\"%s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%d\" rx=\"2\"/>",
                  class_of(p, value), for_it ? zero : zero - length, y + 3, length, BAR - 6);
    lm_str_printf(out, "<text class=\"m%s\" x=\"%.1f\" y=\"%.1f\">%s</text></g>\n", for_it ? "" : " r",
                  for_it ? zero + length + 6 : zero - length - 6, y + 15, draw_number(value, DIGITS, number));
}

static double sound(double v)
{
    return isfinite(v) ? v : 0;
}

/* The columns by size, the largest first. */
static ranked_bar *by_size(const lm_panel *p)
{
    ranked_bar *order = lm_malloc((size_t)p->count, sizeof *order);
    if (!order)
        return NULL;
    for (int i = 0; i < p->count; i++)
        order[i] = (ranked_bar){fabs(sound(p->value[i])), i};
    qsort(order, (size_t)p->count, sizeof *order, largest_first);
    return order;
}

/* Bars from top to bottom, each of which begins where the one before ended. */
typedef struct fall {
    lm_str *out;
    double low, scale; /* the number at the left, and pixels for each above it */
    double y, at;      /* top of the row, and the number reached */
} fall;

static double place(const fall *f)
{
    return NAME + (f->at - f->low) * f->scale;
}

/* A line where the number reached is, from the top of this row's bar on. */
static void join(const fall *f, int height)
{
    lm_str_printf(f->out, "<path class=\"a\" fill=\"none\" stroke=\"#8c959f\" d=\"M%.2f %.1fv%d\"/>", place(f),
                  f->y + 3, height);
}

static void one_step(fall *f, const char *name, double v)
{
    const double begin = f->at, from = place(f);
    char text[128], number[DRAW_NUMBER];
    f->y += BAR;
    f->at += v;
    const double to = place(f), wide = fmax(fabs(to - from), 1);
    snprintf(text, sizeof text, "%.9g, from %.9g to %.9g", v, begin, f->at);
    begin_row(f->out, f->y, name, text);
    lm_str_printf(f->out, "<rect class=\"%s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%d\"/>", v < 0 ? "n" : "p",
                  (from + to - wide) / 2, f->y + 3, wide, BAR - 6);
    join(f, BAR);
    lm_str_printf(f->out, "<text class=\"m r\" x=\"%d\" y=\"%.1f\">%s%s</text></g>\n", WIDTH - MARGIN, f->y + 15,
                  v > 0 ? "+" : "", draw_number(v, DIGITS, number));
}

static void name_others(const lm_panel *p, int count, lm_str *name)
{
    char number[16];
    snprintf(number, sizeof number, "%d", count);
    words_say(name, p->language, WORDS_OTHERS, number, NULL, NULL);
}

/* Where the bars begin or end. */
static void level(const fall *f, const char *name, int height)
{
    char number[DRAW_NUMBER];
    lm_str_printf(
        f->out, "<text class=\"r h\" x=\"%d\" y=\"%.1f\">%s</text><text class=\"r h\" x=\"%d\" y=\"%.1f\">%s</text>",
        NAME - GAP, f->y + 15, name, WIDTH - MARGIN, f->y + 15, draw_number(f->at, DIGITS, number));
    join(f, height);
    lm_str_char(f->out, '\n');
}

/* What the values leave of the last number; 0 where that is rounding. */
static double left_of(const lm_panel *p)
{
    static const double rounding = 1e-5;
    double left = p->to - p->from;
    for (int i = 0; i < p->count; i++)
        left -= sound(p->value[i]);
    return fabs(left) > rounding * (fabs(p->to) + fabs(p->from)) ? left : 0;
}

static lm_status waterfall(const lm_panel *p, double y, lm_str *out)
{
    ranked_bar *order = by_size(p);
    if (!order)
        return LM_MEMORY;
    const int shown = p->count <= BARS ? p->count : BARS - 1;
    double at = p->from, low = fmin(at, p->to), high = fmax(at, p->to), rest = 0;
    for (int i = 0; i < p->count; i++) {
        const double v = sound(p->value[order[i].index]);
        at += v;
        rest += i < shown ? 0 : v;
        if (i < shown || i + 1 == p->count) {
            low = fmin(low, at);
            high = fmax(high, at);
        }
    }
    high = high > low ? high : low + 1;
    fall f = {.out = out, .low = low, .scale = (WIDTH - MARGIN - NAME - NUMBER) / (high - low), .y = y, .at = p->from};
    level(&f, words_text(p->language, p->unexplained ? WORDS_UNEXPLAINED : WORDS_AT_BASELINE), BAR);
    for (int i = 0; i < shown; i++)
        one_step(&f, p->name[order[i].index], sound(p->value[order[i].index]));
    if (shown < p->count) {
        lm_str name = {0};
        name_others(p, p->count - shown, &name);
        one_step(&f, lm_str_text(&name), rest);
        lm_str_free(&name);
    }
    if (left_of(p) != 0)
        one_step(&f, words_text(p->language, WORDS_UNEXPLAINED), p->to - f.at);
    f.y += BAR;
    level(&f, words_text(p->language, WORDS_IN_THE_END), BAR - 6);
    lm_free(order);
    return LM_OK;
}

/* Sizes do not add up to anything, nor does what has no beginning and no end. */
static bool falls(const lm_panel *p)
{
    return p->waterfall && !p->positive && isfinite(p->to - p->from);
}

static lm_status bars(const lm_panel *p, double y, lm_str *out)
{
    ranked_bar *order = by_size(p);
    double rest = 0, most;
    if (!order)
        return LM_MEMORY;
    const int shown = p->count <= BARS ? p->count : BARS - 1;
    for (int i = shown; i < p->count; i++)
        rest += sound(p->value[order[i].index]);
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
        most = fmax(most, fabs(sound(p->value[i])));
    return most;
}


/* How much of what is below a number of this share of the greatest covers; words still read on the strongest. */
static double cover(double t, double strongest)
{
    return isnan(t) ? 0 : strongest * fmin(fabs(t), 1);
}

/* Draws when `out` is not NULL; answers with the height in any case. */
static double tokens(const lm_panel *p, double top, lm_str *out)
{
    const double most = range_of(p);
    double x = MARGIN, y = top;
    const double most_wide = WIDTH - 2 * MARGIN;
    for (int i = 0; i < p->count; i++) {
        const double needed = fmax(draw_text_width(p->name[i]) + TOKEN_PAD, 2 * TOKEN_PAD);
        const double wide = fmin(needed, most_wide);
        if (x > MARGIN && x + wide > WIDTH - MARGIN) {
            x = MARGIN;
            y += TOKEN + TOKEN_GAP;
        }
        if (out) {
            const double t = p->value[i] / most;
            lm_str_add(out, "<g><title>");
            draw_text(out, p->name[i]);
            lm_str_printf(
                out,
                " %.9g</title><rect class=\"%s k\" fill-opacity=\"%.3f\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                "height=\"%d\" rx=\"4\"/><text class=\"c\" x=\"%.1f\" y=\"%.1f\">",
                plain(p->value[i]), class_of(p, t), cover(t, 0.5), x, y, wide, TOKEN, x + wide / 2, y + 20);
            draw_text_fitted(p->name[i], most_wide - TOKEN_PAD, out);
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
    for (int i = 0; i < down * across; i++)
        if (cover(cell[i] / most, 1) >= 0.004) /* less than a shade is not worth the bytes */
            lm_str_printf(out,
                          "<rect class=\"%s\" opacity=\"%.2f\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>",
                          class_of(p, cell[i]), cover(cell[i] / most, 1), MARGIN + i % across * wide,
                          top + WEIGHTS + i / across * high, wide, high);
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
                      class_of(p, t), left, top, right - left, many ? WEIGHTS : CURVE, cover(t, 0.75), i,
                      plain(p->value[i]));
    }
    if (many)
        raster(p, top, out);
    for (int s = 0; s < p->series && !many; s++) {
        lm_str_add(out, "<path class=\"l\" fill=\"none\" stroke=\"#1b1f24\" d=\"");
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
    lm_str_printf(
        out, "<rect class=\"a\" fill=\"none\" stroke=\"#8c959f\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\"/>\n",
        MARGIN, top, WIDTH - 2 * MARGIN, CURVE);
    lm_str_printf(out,
                  "<text class=\"m\" x=\"%d\" y=\"%.1f\">0</text><text class=\"m r\" x=\"%d\" y=\"%.1f\">%d</text>\n",
                  MARGIN, top + CURVE + 15, WIDTH - MARGIN, top + CURVE + 15, p->count - 1);
}

static double height_of(const lm_panel *p)
{
    const int shown = p->count < BARS ? p->count : BARS;
    return p->kind == LM_PANEL_BARS     ? (shown + (falls(p) ? 2 + (left_of(p) != 0) : 0)) * BAR
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
        draw_headline(p->title, WIDTH - 2 * MARGIN, out);
        lm_str_add(out, "</text>\n");
        y += TITLE;
        if (p->kind == LM_PANEL_BARS)
            LM_TRY(falls(p) ? waterfall(p, y, out) : bars(p, y, out));
        else if (p->kind == LM_PANEL_TOKENS)
            tokens(p, y, out);
        else
            curve(p, y, out);
        y += height_of(p) + BETWEEN;
    }
    lm_str_add(out, "</svg>\n");
    return out->status;
}
