/* Graphs: boxes hold their texts and stand apart, lines are not filled, and a page is one with its picture day and
 * night. */
#include "core/draw/sketch.h"

#include <math.h>

#include "core/draw/layout.h"
#include "tests/unit/test.h"

static const lm_sketch_node node[] = {
    {.title = "input", .detail = "float32[1,3,224,224]", .hint = "input"},
    {.title = "MaxPool", .name = "maxpool_with_a_long_name", .detail = "1x64x112x112", .hint = "a", .colour = 4},
    {.title = "Relu", .detail = "1x64x112x112", .hint = "b", .colour = 2, .strong = true, .group = "layer1.0"},
    {.title = "Add", .detail = "1x64x112x112", .hint = "c <d>", .colour = 5, .group = "layer1.0"},
};
static const lm_sketch_edge edge[] = {{0, 1}, {0, 2}, {1, 3}, {2, 3}, {0, 3}};
static const lm_sketch graph = {
    .title = "a & b", .nodes = 4, .edges = 5, .node = node, .edge = edge, .legend = {"input", [4] = "pool"}};

static int times(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

/* What stands behind the first `attribute` after `at`, as a number. */
static double number_of(const char *at, const char *attribute)
{
    const char *found = strstr(at, attribute);
    return found ? atof(found + strlen(attribute)) : NAN;
}

static void holds_texts(void)
{
    lm_str out = {0};
    double left[4], right[4], top[4];
    if (!CHECK_OK(lm_sketch_svg(&graph, &out)))
        return;
    const char *at = strstr(out.text, "<path class=\"e\"");
    for (int i = 0; i < 4; i++) {
        at = strstr(at, "</title><rect");
        if (!CHECK(at))
            return;
        left[i] = number_of(at, " x=\"");
        right[i] = left[i] + number_of(at, " width=\"");
        top[i] = number_of(at, " y=\"");
        /* details are 10.5 pixels high and in wide fonts half as wide a letter, with brackets and commas among them */
        CHECK(right[i] - left[i] >= 10.5 * 0.55 * (double)strlen(node[i].detail) + 6);
        at++;
    }
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++)
            CHECK(top[i] != top[k] || left[i] > right[k] || left[k] > right[i]);
    CHECK(strstr(out.text, "a &amp; b") && strstr(out.text, "c &lt;d&gt;"));
    lm_str_free(&out);
}

static void fills_no_lines(void)
{
    lm_str out = {0};
    if (!CHECK_OK(lm_sketch_svg(&graph, &out)))
        return;
    CHECK_INT(times(out.text, "<path class=\"e\""), 5);
    CHECK_INT(times(out.text, "<path class=\"e\" fill=\"none\" stroke=\"#"), 5);
    CHECK(times(out.text, "<rect class=\"f\"") == times(out.text, "<rect class=\"f\" fill=\"none\""));
    CHECK_INT(times(out.text, "</title><rect fill=\"#"), 4); /* nor are boxes black */
    lm_str_free(&out);
}

/* Both grounds of the page are those of the picture. */
static void is_one_with_its_page(void)
{
    lm_str page = {0};
    if (!CHECK_OK(lm_sketch_html(&graph, &page)))
        return;
    const char *day = strstr(page.text, "--ground: "), *night = day ? strstr(day + 1, "--ground: ") : NULL;
    const char *dark = strstr(page.text, ".w{fill:"), *light = strstr(page.text, "<rect class=\"w\" fill=\"");
    if (CHECK(day && night && dark && light)) {
        CHECK(strncmp(day + 10, light + 22, 4) == 0);
        CHECK(strncmp(night + 10, dark + 8, 7) == 0 && strncmp(night + 10, day + 10, 4) != 0);
    }
    CHECK_INT(times(page.text, "background: #fff"), 0);
    lm_str_free(&page);
}

static void cuts_texts(void)
{
    lm_str out = {0};
    draw_text_cut("short", 100, &out);
    CHECK_STR(lm_str_text(&out), "short");
    lm_str_clear(&out);
    draw_text_cut("\xe4\xb8\x80\xe4\xba\x8c\xe4\xb8\x89\xe5\x9b\x9b\xe4\xba\x94\xe5\x85\xad", 60,
                  &out); /* 13 pixels each */
    CHECK_STR(lm_str_text(&out), "\xe4\xb8\x80\xe4\xba\x8c\xe2\x80\xa6\xe4\xba\x94\xe5\x85\xad");
    CHECK(draw_text_width(lm_str_text(&out)) <= 60);
    lm_str_free(&out);
}

int main(void)
{
    CASE(holds_texts);
    CASE(fills_no_lines);
    CASE(is_one_with_its_page);
    CASE(cuts_texts);
    return test_end();
}
