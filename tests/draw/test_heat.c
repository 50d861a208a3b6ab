/* Colours and heat maps: palettes do not lie about numbers, ranges are what they say, files come back as they went. */
#include "core/draw/heat.h"

#include <math.h>

#include "core/data/image.h"
#include "core/draw/letters.h"
#include "tests/unit/test.h"

static double lightness(lm_rgb c)
{
    return 0.299 * c.r + 0.587 * c.g + 0.114 * c.b;
}

static void palettes_are_even(void)
{
    for (int i = 1; i <= 100; i++) {
        CHECK(lightness(lm_colour(LM_PALETTE_HEAT, i / 100.0)) >
              lightness(lm_colour(LM_PALETTE_HEAT, (i - 1) / 100.0)));
        CHECK(lightness(lm_colour(LM_PALETTE_INK, i / 100.0)) < lightness(lm_colour(LM_PALETTE_INK, (i - 1) / 100.0)));
        const lm_rgb below = lm_colour(LM_PALETTE_SIGNED, -i / 100.0), above = lm_colour(LM_PALETTE_SIGNED, i / 100.0);
        CHECK(below.b > below.r && above.r > above.b);
        CHECK(lightness(above) < lightness(lm_colour(LM_PALETTE_SIGNED, (i - 1) / 100.0)));
    }
    const lm_rgb none = lm_colour(LM_PALETTE_SIGNED, NAN), zero = lm_colour(LM_PALETTE_SIGNED, 0);
    CHECK(none.r == zero.r && none.g == zero.g && none.b == zero.b);
    const lm_rgb most = lm_colour(LM_PALETTE_SIGNED, 5), one = lm_colour(LM_PALETTE_SIGNED, 1);
    CHECK(most.r == one.r && most.b == one.b);
    CHECK_STR(lm_palette_name(LM_PALETTE_INK), "ink");
}

static void ranges_by_rank(void)
{
    double value[200], range;
    for (int i = 0; i < 200; i++)
        value[i] = i % 2 ? i + 1 : -(i + 1);
    CHECK_OK(lm_heat_range(value, 200, 99.5, &range));
    CHECK_NEAR(range, 199, 0);
    CHECK_OK(lm_heat_range(value, 200, 100, &range));
    CHECK_NEAR(range, 200, 0);
    CHECK_OK(lm_heat_range(value, 200, 50, &range));
    CHECK_NEAR(range, 100, 0);
    const double lonely[] = {0, 0, 0, NAN, -3};
    CHECK_OK(lm_heat_range(lonely, 5, 50, &range));
    CHECK_NEAR(range, 3, 0);
    CHECK_OK(lm_heat_range(lonely, 3, 50, &range));
    CHECK(range > 0);
}

/* numpy.percentile([1 .. 200], 99.5) and of [1, 2], 25 */
static void ranges_between_ranks(void)
{
    double value[200], range;
    for (int i = 0; i < 200; i++)
        value[i] = i % 2 ? -(i + 1) : i + 1;
    CHECK_OK(lm_heat_range_between(value, 200, 99.5, &range));
    CHECK_NEAR(range, 199.005, 1e-9);
    CHECK_OK(lm_heat_range_between(value, 2, 25, &range));
    CHECK_NEAR(range, 1.25, 1e-12);
    CHECK_OK(lm_heat_range_between(value, 200, 100, &range));
    CHECK_NEAR(range, 200, 0);
}

/* torch's interpolate(mode="bilinear", align_corners=False) of [[0, 1], [2, 5]] to 4 x 4; PIL's bicubic of [0, 4] to 4
 */
static void enlarges(void)
{
    static const double map[] = {0, 1, 2, 5},
                        want[] = {0, 0.25, 0.75, 1, 0.5, 0.875, 1.625, 2, 1.5, 2.125, 3.375, 4, 2, 2.75, 4.25, 5};
    double got[16];
    CHECK_OK(lm_heat_enlarge(map, 2, 2, LM_HEAT_BILINEAR, got, 4, 4));
    for (int i = 0; i < 16; i++)
        CHECK_NEAR(got[i], want[i], 1e-12);
    CHECK_OK(lm_heat_enlarge(map, 2, 2, LM_HEAT_NEAREST, got, 4, 4));
    CHECK(got[1] == 0 && got[2] == 1 && got[4] == 0 && got[10] == 5);
    CHECK_OK(lm_heat_enlarge(map, 2, 2, LM_HEAT_BICUBIC, got, 2, 2));
    for (int i = 0; i < 4; i++)
        CHECK_NEAR(got[i], map[i], 1e-12);
    static const double flat[] = {3, 3, 3, 3, 3, 3};
    CHECK_OK(lm_heat_enlarge(flat, 3, 2, LM_HEAT_BICUBIC, got, 5, 3));
    for (int i = 0; i < 15; i++)
        CHECK_NEAR(got[i], 3, 1e-12);
}

/* Over one pixel: colours by strength, by one share, and the pixel by strength. */
static void draws_in_modes(void)
{
    const double map[] = {1, 0.25};
    const lm_rgb red = lm_colour(LM_PALETTE_SIGNED, 1);
    lm_canvas c = {0}, under = {0};
    if (!CHECK_OK(lm_canvas_new(2, 1, (lm_rgb){0, 0, 0}, &c)) ||
        !CHECK_OK(lm_canvas_new(2, 1, (lm_rgb){0, 200, 100}, &under)))
        return;
    lm_heat h = {.map = map, .width = 2, .height = 1, .range = 1, .under = &under, .mode = LM_HEAT_MASK};
    lm_heat_draw(&h, &c, 0, 0);
    CHECK(c.at[0].g == 200 && c.at[0].b == 100 && c.at[1].g == 50 && c.at[1].b == 25);
    h.mode = LM_HEAT_BLEND;
    h.opacity = 1;
    lm_heat_draw(&h, &c, 0, 0);
    CHECK(c.at[0].r == red.r && c.at[0].g == red.g);
    h.opacity = 0.5;
    lm_heat_draw(&h, &c, 0, 0);
    CHECK_NEAR(c.at[0].r, red.r / 2.0, 1);
    CHECK_NEAR(c.at[0].g, 100 + red.g / 2.0, 1);
    h.palette = LM_PALETTE_INK + 1;
    h.under = NULL;
    lm_heat_draw(&h, &c, 0, 0);
    CHECK(c.at[0].b == lm_colour(LM_PALETTE_INK, 1).b);
    lm_canvas_free(&c);
    lm_canvas_free(&under);
}

static void draws(void)
{
    const double map[] = {-1, 0, 0.5, 4};
    lm_canvas c = {0};
    if (!CHECK_OK(lm_canvas_new(6, 4, (lm_rgb){1, 2, 3}, &c)))
        return;
    lm_heat_draw(&(lm_heat){.map = map, .width = 2, .height = 2, .range = 1, .zoom = 2}, &c, 1, 1);
    const lm_rgb red = lm_colour(LM_PALETTE_SIGNED, 1), blue = lm_colour(LM_PALETTE_SIGNED, -1);
    CHECK(lm_canvas_row(&c, 0)[1].b == 3 && lm_canvas_row(&c, 1)[0].b == 3);
    CHECK(lm_canvas_row(&c, 1)[1].r == blue.r && lm_canvas_row(&c, 2)[2].b == blue.b);
    CHECK(lm_canvas_row(&c, 3)[4].r == red.r && lm_canvas_row(&c, 3)[5].b == 3);
    /* over a picture: nothing where the number is nothing */
    lm_canvas under = {0};
    if (CHECK_OK(lm_canvas_new(1, 1, (lm_rgb){200, 200, 200}, &under))) {
        lm_heat_draw(&(lm_heat){.map = map, .width = 2, .height = 2, .range = 1, .under = &under}, &c, 0, 0);
        CHECK(lm_canvas_row(&c, 0)[1].r == 200 && lm_canvas_row(&c, 0)[0].b > lm_canvas_row(&c, 0)[0].r);
    }
    lm_canvas_free(&under);
    lm_canvas_free(&c);
}

/* NaN is no number: it has no rank and no colour. */
static void leaves_out_what_is_none(void)
{
    double value[100], range;
    for (int i = 0; i < 100; i++)
        value[i] = i < 4 ? i + 1 : NAN;
    CHECK_OK(lm_heat_range(value, 100, 50, &range));
    CHECK_NEAR(range, 2, 0);
    CHECK_OK(lm_heat_range_between(value, 100, 50, &range));
    CHECK_NEAR(range, 2.5, 0);
    CHECK_OK(lm_heat_range(value + 50, 50, 50, &range));
    CHECK(range > 0);
    lm_canvas c = {0};
    if (CHECK_OK(lm_canvas_new(2, 1, (lm_rgb){1, 2, 3}, &c))) {
        lm_heat_draw(&(lm_heat){.map = value + 3, .width = 2, .height = 1, .range = 4}, &c, 0, 0);
        CHECK(c.at[0].b != 3 && c.at[1].b == 3);
    }
    lm_canvas_free(&c);
}

/* Does the part of a picture show anything but its ground? */
static bool has_ink(const lm_canvas *c, int left, int top, int width, int height)
{
    bool any = false;
    for (int y = top; y < top + height; y++)
        for (int x = left; x < left + width; x++)
            any |= lm_canvas_row(c, y)[x].r != 255;
    return any;
}

/* Channels of a layer: each stands below its number, which touches neither it nor its neighbours. */
static void numbers_tiles(void)
{
    static const struct {
        int count, width, height, side;
    } kind[] = {{24, 16, 16, 224}, {512, 7, 7, 224}, {2048, 1, 1, 224}, {3, 64, 48, 224}, {1, 5, 5, 1}};
    for (size_t k = 0; k < LM_COUNT(kind); k++) {
        int zoom, x, y, digits = 1;
        const lm_tiles t = lm_tiles_fit(kind[k].count, kind[k].width, kind[k].height, true, kind[k].side, &zoom);
        int64_t width, height;
        lm_canvas c = {0};
        lm_tiles_size(&t, &width, &height);
        CHECK(width * zoom >= kind[k].side);
        for (int n = kind[k].count - 1; n >= 10; n /= 10)
            digits++;
        CHECK((t.width + t.between) * zoom >= digits * LM_LETTER_WIDTH);
        if (!CHECK_OK(lm_canvas_new((int)width * zoom, (int)height * zoom, (lm_rgb){255, 255, 255}, &c)))
            return;
        lm_tiles_number(&t, zoom, &c, 0, 0);
        bool below = true, inside = false;
        for (int i = 0; i < t.count; i++) {
            lm_tiles_place(&t, i, &x, &y);
            CHECK(y >= t.above && x + t.width <= width && y + t.height <= height);
            below &= has_ink(&c, x * zoom, y * zoom - LM_TILES_RULE_HEIGHT, LM_LETTER_WIDTH, LM_TILES_RULE_HEIGHT);
            inside |= has_ink(&c, x * zoom, y * zoom, t.width * zoom, t.height * zoom);
        }
        CHECK(below && !inside);
        lm_canvas_free(&c);
    }
    int zoom;
    const lm_tiles bare = lm_tiles_fit(24, 16, 16, false, 224, &zoom);
    CHECK(bare.above == 1 && bare.columns == 5 && zoom == 3);
}

/* A map of tiles has its numbers in the file, also where it is drawn beside others. */
static void draws_tiles(void)
{
    int zoom;
    const lm_tiles t = lm_tiles_fit(4, 8, 8, true, 60, &zoom);
    int64_t width, height;
    double map[40 * 40];
    lm_canvas c = {0};
    lm_tiles_size(&t, &width, &height);
    for (int i = 0; i < 40 * 40; i++)
        map[i] = NAN;
    if (!CHECK(width <= 40 && height <= 40) || !CHECK_OK(lm_canvas_new(200, 200, (lm_rgb){255, 255, 255}, &c)))
        return;
    const lm_heat h = {.map = map, .width = (int)width, .height = (int)height, .range = 1, .zoom = zoom, .tiles = t};
    lm_heat_draw(&h, &c, 10, 20);
    for (int i = 0; i < 4; i++) {
        int x, y;
        lm_tiles_place(&t, i, &x, &y);
        CHECK(has_ink(&c, 10 + x * zoom, 20 + y * zoom - LM_TILES_RULE_HEIGHT, LM_LETTER_WIDTH, LM_TILES_RULE_HEIGHT));
    }
    CHECK(!has_ink(&c, 0, 0, 10, 200) && !has_ink(&c, 0, 0, 200, 20));
    lm_canvas_free(&c);
}

/* Places that are too near to each other share a number: every second, third ... has one. */
static void rules_margins(void)
{
    lm_canvas c = {0};
    if (!CHECK_OK(lm_canvas_new(120, 120, (lm_rgb){255, 255, 255}, &c)))
        return;
    lm_tiles_rule(12, 8, false, &c, 20, 0);
    lm_tiles_rule(20, 5, true, &c, 20, 10);
    CHECK(has_ink(&c, 20, 0, 6, 9) && !has_ink(&c, 28, 0, 8, 9) &&
          has_ink(&c, 36, 0, 6, 9)); /* 0, 2: 14 pixels in 16 */
    CHECK(has_ink(&c, 12, 10, 7, 7) && has_ink(&c, 12, 20, 7, 7) && !has_ink(&c, 19, 9, 1, 100));
    CHECK_INT(lm_tiles_rule_width(12), 2 * LM_LETTER_WIDTH + 2);
    lm_canvas_free(&c);
}

static void writes_what_is_read(void)
{
    lm_canvas c = {0};
    lm_str file = {0};
    lm_image image;
    if (!CHECK_OK(lm_canvas_new(5, 3, (lm_rgb){9, 8, 7}, &c)))
        return;
    lm_canvas_row(&c, 2)[4] = (lm_rgb){255, 0, 128};
    lm_status status = lm_png_encode(&c.at->r, c.width, c.height, &file);
    if (status != LM_UNSUPPORTED && CHECK_OK(status) &&
        CHECK_OK(lm_image_decode(file.text, file.count, "back", &image))) {
        CHECK(image.width == 5 && image.height == 3 && image.channels == 3);
        CHECK(image.at[0] == 9 && image.at[14 * 3] == 255 && image.at[14 * 3 + 2] == 128);
        lm_image_free(&image);
    }
    lm_str_free(&file);
    lm_canvas_free(&c);
    CHECK_FAILS(lm_canvas_new(0, 1, (lm_rgb){0, 0, 0}, &c), LM_USAGE);
    CHECK_FAILS(lm_canvas_new(100000, 100000, (lm_rgb){0, 0, 0}, &c), LM_USAGE);
}

int main(void)
{
    CASE(palettes_are_even);
    CASE(ranges_by_rank);
    CASE(ranges_between_ranks);
    CASE(enlarges);
    CASE(draws_in_modes);
    CASE(draws);
    CASE(leaves_out_what_is_none);
    CASE(numbers_tiles);
    CASE(draws_tiles);
    CASE(rules_margins);
    CASE(writes_what_is_read);
    return test_end();
}
