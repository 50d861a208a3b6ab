/* Bars, tokens and curves: what is shown is what was given, in order, with its text made safe. */
#include "core/draw/panel.h"

#include <math.h>

#include "tests/unit/test.h"

static int times(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

static void sorts_bars(void)
{
    static const char *const name[] = {"small", "<large> & \"loud\"", "middle"};
    static const double value[] = {0.25, -4, 2};
    const lm_panel p = {.kind = LM_PANEL_BARS, .title = "a < b", .count = 3, .name = name, .value = value};
    lm_str out = {0}, again = {0};
    if (!CHECK_OK(lm_panels_svg(&p, 1, &out)) || !CHECK_OK(lm_panels_svg(&p, 1, &again)))
        return;
    CHECK_STR(out.text, again.text);
    CHECK(strstr(out.text, "a &lt; b</text>") && !strstr(out.text, "<large>"));
    const char *large = strstr(out.text, "&lt;large&gt; &amp; &quot;loud&quot;"),
               *middle = strstr(out.text, ">middle "), *small = strstr(out.text, ">small ");
    CHECK(large && middle && small && large < middle && middle < small);
    CHECK(strstr(out.text, ">-4</text>") && times(out.text, "<rect class=\"n\"") == 1 &&
          times(out.text, "<rect class=\"p\"") == 2);
    CHECK(strstr(out.text, "prefers-color-scheme:dark"));
    lm_str_free(&out);
    lm_str_free(&again);
}

static void sums_up_the_rest(void)
{
    const char *name[50];
    double value[50];
    lm_str out = {0};
    for (int i = 0; i < 50; i++) {
        name[i] = "x";
        value[i] = i < 19 ? 100 : 1;
    }
    value[49] = NAN;
    const lm_panel p = {.kind = LM_PANEL_BARS, .title = "", .count = 49, .name = name, .value = value};
    if (CHECK_OK(lm_panels_svg(&p, 1, &out))) {
        CHECK(strstr(out.text, "sum of 30 others</text>") && strstr(out.text, ">30</text>"));
        CHECK_INT(times(out.text, "<rect"), 20);
    }
    lm_str_free(&out);
}

/* The number behind an attribute that follows `at`. */
static double number_of(const char *at, const char *attribute)
{
    const char *found = strstr(at, attribute);
    return found ? atof(found + strlen(attribute)) : NAN;
}

/* 1, then +4, -2, +1: every bar begins where a line comes down, and its own line begins at its other end. */
static void joins_the_fall(void)
{
    static const char *const name[] = {"up", "down", "last"};
    static const double value[] = {4, -2, 1}, level[] = {1, 5, 3, 4, 4};
    lm_panel p = {.kind = LM_PANEL_BARS,
                  .title = "",
                  .count = 3,
                  .name = name,
                  .value = value,
                  .waterfall = true,
                  .from = 1,
                  .to = 4};
    lm_str out = {0};
    if (!CHECK_OK(lm_panels_svg(&p, 1, &out)))
        return;
    const char *bar = out.text, *line = out.text;
    double x[5], bottom = NAN;
    CHECK_INT(times(out.text, "<path class=\"a\""), 5);
    for (int i = 0; i < 5; i++) {
        line = strstr(line + 1, "<path class=\"a\"");
        const char *place = line ? strstr(line, " d=\"M") : NULL;
        char *rest = NULL;
        if (!CHECK(place))
            break;
        x[i] = strtod(place + 5, &rest);
        const double top = strtod(rest, &rest), tall = atof(rest + 1);
        CHECK_NEAR((x[i] - x[0]) / 98.5, level[i] - level[0], 1e-3); /* 394 pixels from 1 to 5 */
        CHECK(i == 0 || fabs(top - bottom) < 0.01);                  /* without a gap from the one above */
        bottom = top + tall;
    }
    for (int i = 0; i < 3; i++) {
        bar = strstr(bar + 1, "<rect class=");
        if (!CHECK(bar))
            break;
        const double left = number_of(bar, " x=\""), right = left + number_of(bar, " width=\"");
        CHECK_NEAR(fmin(x[i], x[i + 1]), left, 0.011);
        CHECK_NEAR(fmax(x[i], x[i + 1]), right, 0.011);
    }
    CHECK(strstr(out.text, "at the baseline</text>") && strstr(out.text, ">+4</text>") &&
          strstr(out.text, ">-2</text>"));
    lm_str_clear(&out);
    p.unexplained = true;
    CHECK_OK(lm_panels_svg(&p, 1, &out));
    CHECK(strstr(out.text, "left unexplained</text>") && !strstr(out.text, "at the baseline"));
    lm_str_clear(&out);
    p.unexplained = false;
    p.to = 4.5; /* what the bars leave is a bar, too, and the end is where it ends */
    CHECK_OK(lm_panels_svg(&p, 1, &out));
    CHECK(strstr(out.text, "left unexplained</text>") && strstr(out.text, ">+0.5</text>") &&
          strstr(out.text, "in the end</text>") && strstr(strstr(out.text, "in the end</text>"), ">4.5</text>"));
    CHECK_INT(times(out.text, "<path class=\"a\""), 6);
    lm_str_clear(&out);
    p.to = NAN;
    CHECK_OK(lm_panels_svg(&p, 1, &out));
    CHECK(!strstr(out.text, "in the end") && !strstr(out.text, "nan"));
    p.to = 4;
    lm_str_clear(&out);
    p.positive = true; /* sizes do not add up: all begin at the left */
    p.value = (const double[]){4, 2, 1};
    CHECK_OK(lm_panels_svg(&p, 1, &out));
    CHECK(!strstr(out.text, "left unexplained") && times(out.text, "<rect class=\"u\" x=\"220.00\"") == 3);
    lm_str_free(&out);
}

/* Of two names that differ at the end both ends are seen, and nothing is wider than its place. */
static void cuts_names(void)
{
    static const char *const name[] = {"a name that goes on and on and on, number 1",
                                       "a name that goes on and on and on, number 2", "\xe5\x90\x8d\xe5\xad\x97"};
    static const double value[] = {3, 2, 0.00001234};
    const lm_panel p = {
        .kind = LM_PANEL_BARS,
        .title = "A title of which there is so much that no picture of this width could ever show all of it, "
                 "so that it ends in dots, and a bit",
        .count = 3,
        .name = name,
        .value = value};
    lm_str out = {0};
    if (CHECK_OK(lm_panels_svg(&p, 1, &out))) {
        CHECK(strstr(out.text, "number 1</text>") && strstr(out.text, "number 2</text>"));
        CHECK_INT(times(out.text, "\xe2\x80\xa6"), 3);
        CHECK(strstr(out.text, "<title>A title of which") && strstr(out.text, "and a bit</title>"));
        CHECK(strstr(out.text, ">1.234e-5</text>"));
    }
    lm_str_free(&out);
}

/* Whoever draws it without the style sheet must not fill lines and frames. */
static void fills_no_lines(void)
{
    static const double value[] = {0, 1, -1}, curve[] = {0, 10, 5, 1, 2, 3};
    const lm_panel p = {
        .kind = LM_PANEL_CURVE, .title = "one", .count = 3, .value = value, .series = 2, .curve = curve};
    lm_str out = {0};
    if (CHECK_OK(lm_panels_svg(&p, 1, &out))) {
        CHECK_INT(times(out.text, "<path "), 2);
        CHECK_INT(times(out.text, "<path class=\"l\" fill=\"none\" stroke=\"#"), 2);
        CHECK_INT(times(out.text, "<rect class=\"a\" fill=\"none\" stroke=\"#"), 1);
    }
    lm_str_free(&out);
}

/* More curves than lines could show: a cell where one speaks, none where none does, and colours that suit any ground.
 */
static void draws_crowds(void)
{
    enum { CURVES = 20, STEPS = 4 };
    double value[STEPS] = {0, 0, 0, 1}, curve[CURVES * STEPS] = {0}, part[CURVES * STEPS] = {0};
    part[5 * STEPS + 3] = 2;
    part[6 * STEPS + 3] = -1;
    const lm_panel p = {.kind = LM_PANEL_CURVE,
                        .title = "",
                        .count = STEPS,
                        .value = value,
                        .series = CURVES,
                        .curve = curve,
                        .part = part};
    lm_str out = {0};
    if (CHECK_OK(lm_panels_svg(&p, 1, &out))) {
        CHECK_INT(times(out.text, "<rect class=\"p\" opacity=\"1.00\""), 1);
        CHECK_INT(times(out.text, "<rect class=\"n\" opacity=\"0.50\""), 1);
        CHECK(!strstr(out.text, "#ffffff"));
    }
    lm_str_free(&out);
}

static void wraps_tokens(void)
{
    const char *name[100];
    double value[100];
    lm_str out = {0};
    for (int i = 0; i < 100; i++) {
        name[i] = "token";
        value[i] = i - 50;
    }
    const lm_panel p = {.kind = LM_PANEL_TOKENS, .title = "words", .count = 100, .name = name, .value = value};
    if (CHECK_OK(lm_panels_svg(&p, 1, &out))) {
        CHECK_INT(times(out.text, ">token</text>"), 100);
        CHECK(times(out.text, "x=\"16.0\"") > 5); /* rows */
    }
    lm_str_free(&out);
}

static void draws_curves(void)
{
    static const double value[] = {0, 1, -1}, curve[] = {0, 10, 5, 1, NAN, 3};
    const lm_panel p[] = {
        {.kind = LM_PANEL_CURVE, .title = "one", .count = 3, .value = value, .series = 2, .curve = curve},
        {.kind = LM_PANEL_CURVE, .title = "two", .count = 1, .value = value, .series = 1, .curve = curve}};
    lm_str out = {0};
    if (CHECK_OK(lm_panels_svg(p, 2, &out))) {
        CHECK_INT(times(out.text, "<path class=\"l\""), 3);
        CHECK(!strstr(out.text, "nan") && !strstr(out.text, "inf"));
        CHECK(strstr(out.text, "<title>1: 1</title>") && strstr(out.text, "<title>2: -1</title>"));
        CHECK(times(out.text, "M") >= 4); /* a gap where there is no number */
    }
    lm_str_free(&out);
}

int main(void)
{
    CASE(sorts_bars);
    CASE(sums_up_the_rest);
    CASE(joins_the_fall);
    CASE(cuts_names);
    CASE(fills_no_lines);
    CASE(draws_crowds);
    CASE(wraps_tokens);
    CASE(draws_curves);
    return test_end();
}
