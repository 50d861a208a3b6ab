/* Bars, tokens and curves: what is shown is what was given, in order, with its text made safe. */
#include "core/draw/panel.h"

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
    CASE(wraps_tokens);
    CASE(draws_curves);
    return test_end();
}
