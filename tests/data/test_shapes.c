/* Pictures of known truth: masks are where the shape is, kinds come equally often, and no machine draws others. */
#include "core/data/shapes.h"

#include "core/base/hash.h"
#include "tests/unit/test.h"

enum { SEED = 5, SIDE = LM_SCENE_SIDE };

static lm_scene one, two;

static void kinds_come_equally_often(void)
{
    for (uint64_t seed = 0; seed < 3; seed++)
        for (uint64_t run = 0; run < 50; run++) {
            unsigned seen = 0;
            for (uint64_t i = 0; i < LM_SCENE_KINDS; i++) {
                lm_scene_draw(seed, run * LM_SCENE_KINDS + i, LM_MARK_NONE, &one);
                seen |= 1u << one.kind;
            }
            CHECK_INT(seen, (1u << LM_SCENE_KINDS) - 1);
        }
    CHECK_STR(lm_scene_name(3), "star");
    CHECK_STR(lm_scene_name(LM_SCENE_KINDS), "");
}

/* Inside of the mask a shape has one colour but for the noise, and the mask has one piece with a smooth edge. */
static void masks_hold_the_shape(void)
{
    for (uint64_t i = 0; i < 200; i++) {
        int full = 0, part = 0, low[3] = {255, 255, 255}, high[3] = {0, 0, 0};
        lm_scene_draw(SEED, i, LM_MARK_NONE, &one);
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                const bool edge = y == 0 || x == 0 || y == SIDE - 1 || x == SIDE - 1;
                CHECK(!edge || one.mask[y][x] == 0);
                full += one.mask[y][x] == 255;
                part += one.mask[y][x] > 0 && one.mask[y][x] < 255;
                for (int k = 0; k < 3 && one.mask[y][x] == 255; k++) {
                    low[k] = one.rgb[y][x][k] < low[k] ? one.rgb[y][x][k] : low[k];
                    high[k] = one.rgb[y][x][k] > high[k] ? one.rgb[y][x][k] : high[k];
                }
            }
        CHECK(full > 60 && full < 900);
        CHECK(part > 20 && part < full * 3);
        CHECK(high[0] - low[0] <= 14 && high[1] - low[1] <= 14 && high[2] - low[2] <= 14);
    }
}

static bool in_mark(int y, int x)
{
    const int end = LM_SCENE_MARK_AT + LM_SCENE_MARK;
    return y >= LM_SCENE_MARK_AT && y < end && x >= LM_SCENE_MARK_AT && x < end;
}

/* The mark changes its own pixels, which the shape never touches, and nothing else. */
static void marks_stay_in_their_corner(void)
{
    int marked = 0;
    for (uint64_t i = 0; i < 400; i++) {
        lm_scene_draw(SEED, i, LM_MARK_NONE, &one);
        lm_scene_draw(SEED, i, LM_MARK_ALL, &two);
        CHECK(!one.marked && two.marked && one.kind == two.kind);
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                CHECK(in_mark(y, x) || memcmp(one.rgb[y][x], two.rgb[y][x], 3) == 0);
                CHECK(!in_mark(y, x) || one.mask[y][x] == 0);
            }
        CHECK(memcmp(one.mask, two.mask, sizeof one.mask) == 0);
        CHECK(memcmp(one.rgb, two.rgb, sizeof one.rgb) != 0);
        lm_scene_draw(SEED, i, 3, &two);
        CHECK(two.marked == (two.kind == 3));
        marked += two.marked;
    }
    CHECK_INT(marked, 400 / LM_SCENE_KINDS);
}

/* Whatever the compiler and the machine. */
static void draws_the_same_everywhere(void)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 64; i++) {
        lm_scene_draw(SEED, i, 3, &one);
        sum = lm_hash(one.rgb, sizeof one.rgb, sum);
        sum = lm_hash(one.mask, sizeof one.mask, sum);
    }
    CHECK_INT(sum, 0x45504C9A7D7E7800u);
}

static void has_no_state(void)
{
    lm_scene_draw(SEED, 77, LM_MARK_NONE, &one);
    lm_scene_draw(SEED + 1, 3, LM_MARK_ALL, &two);
    CHECK(memcmp(one.rgb, two.rgb, sizeof one.rgb) != 0);
    lm_scene_draw(SEED, 77, LM_MARK_NONE, &two);
    CHECK(memcmp(&one, &two, sizeof one) == 0);
}

int main(void)
{
    CASE(kinds_come_equally_often);
    CASE(masks_hold_the_shape);
    CASE(marks_stay_in_their_corner);
    CASE(draws_the_same_everywhere);
    CASE(has_no_state);
    return test_end();
}
