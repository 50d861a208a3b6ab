/* Charts: ticks at round numbers that hold all data, every number drawn once, texts made safe, nothing outside of the
 * picture. */
#include "core/draw/plot.h"

#include "core/draw/letters.h"
#include "core/draw/plot_inside.h"
#include "core/draw/svg.h"
#include "tests/unit/test.h"

static int times(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

static void fit(double least, double most, double from, double to, double step)
{
    plot_axis a = {0};
    plot_axis_fit(&a, least, most, 5);
    CHECK_NEAR(a.from, from, 1e-9 * step);
    CHECK_NEAR(a.to, to, 1e-9 * step);
    CHECK_NEAR(a.step, step, 1e-9 * step);
    CHECK_NEAR(plot_tick(&a, plot_ticks(&a) - 1), a.to, 1e-9 * step);
}

static void ticks_are_round(void)
{
    fit(0, 1, 0, 1, 0.2);
    fit(-3, 7, -4, 8, 2);
    fit(0.13, 0.14, 0.13, 0.14, 0.002);
    fit(1e9, 9e9, 0, 10e9, 2e9);
    fit(3e-8, 4.1e-7, 0, 5e-7, 1e-7);
    fit(5, 5, 2, 8, 1);
    fit(0, 0, -0.6, 0.6, 0.2);
    fit(INFINITY, -INFINITY, 0, 1, 0.2);
    char text[PLOT_NUMBER];
    plot_number(0.30000000000000004, 0.1, text);
    CHECK_STR(text, "0.3");
    plot_number(2e9, 1e9, text);
    CHECK_STR(text, "2e9");
}

static void writes_numbers(void)
{
    static const struct {
        double v;
        int digits;
        const char *text;
    } row[] = {{0.00001, 4, "1e-5"},
               {0.0001, 4, "0.0001"},
               {-12345.6, 4, "-12346"},
               {1.50, 4, "1.5"},
               {100, 3, "100"},
               {1.234e-7, 3, "1.23e-7"},
               {0, 4, "0"},
               {-0.0, 4, "0"},
               {3e12, 4, "3e12"},
               {0.99996, 4, "1"},
               {123456789, 4, "123456789"},
               {NAN, 4, "nan"},
               {9.9999e-5, 3, "0.0001"}};
    for (size_t i = 0; i < LM_COUNT(row); i++) {
        char room[DRAW_NUMBER];
        CHECK_STR(draw_number(row[i].v, row[i].digits, room), row[i].text);
    }
}

/* All that is drawn at x or y lies in the picture. */
static bool stays_inside(const char *svg, const char *attribute, double most)
{
    const size_t n = strlen(attribute);
    for (const char *at = svg; (at = strstr(at, attribute)); at += n)
        if (atof(at + n) < 0 || atof(at + n) > most)
            return false;
    return true;
}

/* Draw; the caller frees the text. */
static const char *drawn(const lm_plot *p, lm_str *out)
{
    lm_str again = {0};
    lm_str_clear(out);
    CHECK_OK(lm_plot_svg(p, out));
    CHECK_OK(lm_plot_svg(p, &again));
    CHECK_STR(lm_str_text(out), lm_str_text(&again));
    lm_str_free(&again);
    const char *svg = lm_str_text(out), *height = strstr(svg, "height=\"");
    CHECK(height && stays_inside(svg, " x=\"", PLOT_WIDTH) && stays_inside(svg, " y=\"", atof(height + 8)));
    CHECK(strstr(svg, "prefers-color-scheme:dark") && strstr(svg, "</svg>\n"));
    CHECK(!strstr(svg, "nan") && !strstr(svg, "inf"));
    return svg;
}

static void draws_lines_and_points(void)
{
    static const double y[] = {0, 5, NAN, 7, INFINITY, 2}, x[] = {1, 2, 3, 4, 5, 6};
    const lm_plot_series series[] = {{"a < b", NULL, y, 6}, {"c", x, y, 6}};
    lm_str out = {0};
    lm_plot p = {.kind = LM_PLOT_LINE, .title = "x & y", .x = "step", .y = "loss", .series = series, .series_count = 2};
    const char *svg = drawn(&p, &out);
    CHECK(strstr(svg, "a &lt; b") && strstr(svg, "x &amp; y"));
    CHECK_INT(times(svg, "class=\"l s"), 2);
    CHECK_INT(times(svg, "<path class=\"l s0\" fill=\"none\"") + times(svg, "<path class=\"l s1\" fill=\"none\""), 2);
    CHECK(strstr(svg, ".l{fill:none") > strstr(svg, ".s7{fill") &&
          !strstr(svg, "!important"));  /* what comes last counts */
    CHECK_INT(times(svg, "h0"), 2 * 3); /* pieces between gaps, each begun once */
    p.kind = LM_PLOT_SCATTER;
    CHECK_INT(times(drawn(&p, &out), "<circle"), 2 * 4);
    lm_str_free(&out);
}

static void draws_bars_and_slices(void)
{
    static const double y[] = {3, -1, NAN, 4};
    static const char *const name[] = {"one", "two", NULL, "a name that is far too long for the place below its bar"};
    const lm_plot_series series[] = {{"s", NULL, y, 4}, {"t", NULL, y, 2}};
    lm_str out = {0};
    lm_plot p = {.kind = LM_PLOT_BAR, .series = series, .series_count = 2, .name = name, .names = 4};
    const char *svg = drawn(&p, &out);
    CHECK_INT(times(svg, "</title></rect>"), 3 + 2);
    CHECK(strstr(svg, "two, s: -1<") && strstr(svg, "\xe2\x80\xa6"));
    p = (lm_plot){.kind = LM_PLOT_PIE, .series = series, .series_count = 1, .name = name, .names = 4};
    svg = drawn(&p, &out);
    CHECK_INT(times(svg, "</title></path>"), 2); /* what is not above zero has no slice */
    CHECK(strstr(svg, "42.9 %") && strstr(svg, "57.1 %"));
    static const double whole[] = {2};
    const lm_plot_series one = {NULL, NULL, whole, 1};
    p.series = &one;
    CHECK_INT(times(drawn(&p, &out), "</title></circle>"), 1);
    double many[30];
    for (int i = 0; i < 30; i++)
        many[i] = 1;
    const lm_plot_series crowd = {NULL, NULL, many, 30};
    p.series = &crowd;
    p.names = 0;
    svg = drawn(&p, &out);
    CHECK(strstr(svg, ">others</text>") && strstr(svg, "76.7 %"));
    CHECK_INT(times(svg, "</title></path>"), PLOT_COLOURS);
    lm_str_free(&out);
}

static void counts_in_bins(void)
{
    double v[1000];
    lm_str out = {0};
    for (int i = 0; i < 1000; i++)
        v[i] = i / 100.0;
    const lm_plot_series series = {NULL, NULL, v, 1000};
    const lm_plot p = {.kind = LM_PLOT_HISTOGRAM, .series = &series, .series_count = 1, .bins = 10};
    const char *svg = drawn(&p, &out);
    CHECK_INT(times(svg, ": 100</title>"), 10);
    CHECK(strstr(svg, "9 to 10: 100<"));
    lm_str_free(&out);
}

static void draws_matrices(void)
{
    static const double cell[] = {8, 2, 0, 0, NAN, 5};
    static const char *const name[] = {"cat", "dog", "owl"};
    lm_str out = {0};
    lm_plot p = {.kind = LM_PLOT_CONFUSION, .name = name, .names = 3, .row_name = name, .rows = 2, .cell = cell};
    p.cell = (const double[]){8, 2, 0, 0, 0, 0};
    const char *svg = drawn(&p, &out);
    CHECK(strstr(svg, "cat, dog: 2 (20.0 % of the row)") && strstr(svg, "dog, cat: 0 (0.0 % of the row)"));
    p = (lm_plot){
        .kind = LM_PLOT_HEAT, .names = 3, .rows = 2, .both_signs = true, .cell = (const double[]){-2, 1, 0, 0, 2, 1}};
    svg = drawn(&p, &out);
    CHECK(strstr(svg, ">-2</text>") && times(svg, "</title></rect>") == 6);
    p = (lm_plot){.kind = LM_PLOT_HEAT, .names = 3, .rows = 2, .cell = (const double[]){1, 1, 1, 1, 1, 1}};
    drawn(&p, &out);
    p = (lm_plot){
        .kind = LM_PLOT_HEAT, .names = 2, .rows = 2, .both_signs = true, .cell = (const double[]){1, -0.5, -0.5, 1}};
    svg = drawn(&p, &out);
    CHECK(times(svg, ">1.00</text>") == 2 && times(svg, ">-0.50</text>") == 2); /* as many digits in all */
    lm_str_free(&out);
}

static void refuses_nothing(void)
{
    static const double zero[] = {0, -1};
    const lm_plot_series series = {NULL, NULL, zero, 2};
    lm_str out = {0};
    CHECK_FAILS(lm_plot_svg(&(lm_plot){.kind = LM_PLOT_LINE}, &out), LM_USAGE);
    CHECK_FAILS(lm_plot_svg(&(lm_plot){.kind = LM_PLOT_HEAT, .names = 3}, &out), LM_USAGE);
    CHECK_FAILS(lm_plot_svg(&(lm_plot){.kind = LM_PLOT_PIE, .series = &series, .series_count = 1}, &out), LM_USAGE);
    CHECK_INT(out.count, 0);
    lm_str_free(&out);
}

/* An "i" has its dot and its foot; nothing is drawn outside of the canvas. */
static void writes_letters(void)
{
    const lm_rgb white = {255, 255, 255}, ink = {0, 0, 0};
    lm_canvas c = {0};
    CHECK_INT(lm_letters_width("ab\nabc", 2), 3 * LM_LETTER_WIDTH * 2);
    CHECK_INT(lm_letters_width("\xc3\xa9", 1), LM_LETTER_WIDTH);
    CHECK(lm_letters_has("Consensus\n!=, 7") && !lm_letters_has("caf\xc3\xa9") && !lm_letters_has("\xe5\x85\xb1"));
    CHECK_INT(lm_letters_height("a", 1), LM_LETTER_HEIGHT);
    CHECK(lm_letters_height("a\nb", 1) > 2 * LM_LETTER_HEIGHT);
    if (!CHECK_OK(lm_canvas_new(12, 10, white, &c)))
        return;
    lm_letters_draw("I", ink, 1, &c, 1, 1);
    CHECK(lm_canvas_row(&c, 1)[3].r == 0 && lm_canvas_row(&c, 2)[3].r == 255);
    CHECK(lm_canvas_row(&c, 7)[2].r == 0 && lm_canvas_row(&c, 7)[4].r == 0 && lm_canvas_row(&c, 8)[3].r == 255);
    lm_letters_draw("mmmm\nmmmm", ink, 3, &c, -7, -5);
    lm_letters_draw("m", ink, 1, &c, 100, 100);
    lm_canvas_free(&c);
}

static lm_status scenario(void)
{
    static const double y[] = {1, 2, 3};
    const lm_plot_series series = {"a", NULL, y, 3};
    lm_str out = {0};
    lm_status status =
        lm_plot_svg(&(lm_plot){.kind = LM_PLOT_HISTOGRAM, .title = "t", .series = &series, .series_count = 1}, &out);
    lm_str_free(&out);
    return status;
}

static void survives_short_memory(void)
{
    CHECK(test_every_allocation(scenario) > 2);
}

int main(void)
{
    CASE(ticks_are_round);
    CASE(writes_numbers);
    CASE(draws_lines_and_points);
    CASE(draws_bars_and_slices);
    CASE(counts_in_bins);
    CASE(draws_matrices);
    CASE(refuses_nothing);
    CASE(writes_letters);
    CASE(survives_short_memory);
    return test_end();
}
