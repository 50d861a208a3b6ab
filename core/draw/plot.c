/* Charts: what all have, the title, the legend and the colours. */
#include "core/draw/plot.h"

#include <math.h>

#include "core/draw/layout.h"
#include "core/draw/plot_inside.h"
#include "core/draw/svg.h"

/* .s0 to .s7 colour a series, as fill or (with .l, which comes last) as line. */
static const char head[] =
    "<style>\n"
    "svg{font:13px system-ui,sans-serif;background:#fff;color:#1b1f24}text{fill:#1b1f24}.h{font-weight:600}"
    ".m{fill:#57606a}.r{text-anchor:end}.c{text-anchor:middle}.g{stroke:#d8dee4}.z{stroke:#57606a}"
    ".a{stroke:#8c959f;fill:none}"
    ".d{fill-opacity:.65}.e{stroke:#fff;stroke-width:1.5}\n"
    ".s0{fill:#2f62b5;stroke:#2f62b5}.s1{fill:#c0562c;stroke:#c0562c}.s2{fill:#2b7a4b;stroke:#2b7a4b}"
    ".s3{fill:#8a5fc0;stroke:#8a5fc0}.s4{fill:#a07800;stroke:#a07800}.s5{fill:#0a7d8c;stroke:#0a7d8c}"
    ".s6{fill:#b83280;stroke:#b83280}.s7{fill:#6b7480;stroke:#6b7480}.f{stroke:none}\n"
    "@media(prefers-color-scheme:dark){svg{background:#0d1117;color:#e6edf3}text{fill:#e6edf3}.m{fill:#9aa4af}"
    ".g{stroke:#2a313a}.z{stroke:#9aa4af}.e{stroke:#0d1117}"
    ".s0{fill:#79aaff;stroke:#79aaff}.s1{fill:#ff9b6b;stroke:#ff9b6b}.s2{fill:#5fcf80;stroke:#5fcf80}"
    ".s3{fill:#c59bff;stroke:#c59bff}.s4{fill:#e3b341;stroke:#e3b341}.s5{fill:#4dd0e1;stroke:#4dd0e1}"
    ".s6{fill:#ff8ac4;stroke:#ff8ac4}.s7{fill:#9aa4af;stroke:#9aa4af}.f{stroke:none}}\n"
    ".l{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}\n"
    "</style>\n";

enum { SWATCH = 14, LEGEND_GAP = 18 };

void plot_text(lm_str *out, const char *class_, double x, double y, const char *text)
{
    lm_str_printf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class_, x, y);
    draw_text(out, text);
    lm_str_add(out, "</text>\n");
}

void plot_draw_titles(const lm_plot *p, double left, double right, double top, double bottom, double below, lm_str *out)
{
    if (p->x)
        plot_text(out, "c", (left + right) / 2, below, p->x);
    if (p->y) {
        lm_str_printf(out, "<text class=\"c\" transform=\"translate(%d %.1f) rotate(-90)\">", PLOT_MARGIN + 8,
                      (top + bottom) / 2);
        draw_text(out, p->y);
        lm_str_add(out, "</text>\n");
    }
}

/* Names of the series in rows below the title, as many rows as they need; answers with where they end. */
static double legend(const lm_plot *p, double top, lm_str *out)
{
    double x = PLOT_MARGIN, y = top;
    int named = 0;
    for (int i = 0; i < p->series_count; i++)
        named += p->series[i].name != NULL;
    if (!named || p->kind == LM_PLOT_PIE || p->kind >= LM_PLOT_HEAT)
        return top;
    for (int i = 0; i < p->series_count; i++) {
        const char *name = p->series[i].name ? p->series[i].name : "";
        const double wide = SWATCH + 6 + draw_text_width(name);
        if (x > PLOT_MARGIN && x + wide > PLOT_WIDTH - PLOT_MARGIN) {
            x = PLOT_MARGIN;
            y += PLOT_LINE + 2;
        }
        lm_str_printf(out, "<rect class=\"s%d f\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" rx=\"%d\"/>",
                      i % PLOT_COLOURS, x, y + (p->kind == LM_PLOT_LINE ? 6 : 3), SWATCH,
                      p->kind == LM_PLOT_LINE ? 4 : 10, p->kind == LM_PLOT_SCATTER ? 5 : 2);
        plot_text(out, "", x + SWATCH + 6, y + 12, name);
        x += wide + LEGEND_GAP;
    }
    return y + PLOT_LINE + 8;
}

static bool is_empty(const lm_plot *p)
{
    if (p->kind >= LM_PLOT_HEAT)
        return p->rows < 1 || p->names < 1 || !p->cell;
    if (p->series_count < 1)
        return true;
    double above = 0;
    for (int i = 0; p->kind == LM_PLOT_PIE && i < p->series[0].count; i++)
        above += p->series[0].y[i] > 0 && isfinite(p->series[0].y[i]);
    return p->kind == LM_PLOT_PIE && above == 0;
}

lm_status lm_plot_svg(const lm_plot *p, lm_str *out)
{
    static double (*const draw[LM_PLOTS])(const lm_plot *, double, lm_str *) = {
        plot_xy, plot_xy, plot_bars, plot_histogram, plot_pie, plot_matrix, plot_matrix};
    LM_REQUIRE(p->kind < LM_PLOTS && !is_empty(p), LM_USAGE, "the chart '%.99s' has nothing to draw",
               p->title ? p->title : "");
    lm_str body = {0};
    double y = PLOT_MARGIN;
    if (p->title && *p->title) {
        lm_str_printf(&body, "<text class=\"h\" x=\"%d\" y=\"%.1f\">", PLOT_MARGIN, y + 12);
        draw_headline(p->title, PLOT_WIDTH - 2 * PLOT_MARGIN, &body);
        lm_str_add(&body, "</text>\n");
        y += PLOT_LINE + 10;
    }
    y = draw[p->kind](p, legend(p, y, &body), &body) + PLOT_MARGIN;
    lm_str_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" width=\"%d\" height=\"%.0f\" "
                  "role=\"img\"><title>",
                  PLOT_WIDTH, y, PLOT_WIDTH, y);
    draw_text(out, p->title);
    lm_str_add(out, "</title>\n");
    lm_str_add(out, head);
    lm_str_add_bytes(out, lm_str_text(&body), body.count);
    lm_status status = body.status != LM_OK ? body.status : lm_str_add(out, "</svg>\n");
    lm_str_free(&body);
    return status;
}
