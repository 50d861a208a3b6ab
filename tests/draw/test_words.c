/* What is said of findings whose truth is known. */
#include "core/draw/words.h"

#include "core/draw/words_text.h"

#include "tests/unit/test.h"

static lm_finding blank(lm_about about, const float *value, int width, int height)
{
    return (lm_finding){.about = about,
                        .value = value,
                        .width = width,
                        .height = height,
                        .target = 1,
                        .baseline = NAN,
                        .gap_abs = NAN,
                        .gap_rel = NAN,
                        .residual = NAN,
                        .stderr_mean = NAN};
}

/* Weight in one cell of the 7 x 7 grid over a picture of 28 x 28. */
static void names_places(void)
{
    static const struct {
        int row, column;
        const char *english, *chinese;
    } place[] = {
        {0, 0, "the upper left corner", "左上角"},
        {0, 6, "the upper right corner", "右上角"},
        {6, 0, "the lower left corner", "左下角"},
        {6, 6, "the lower right corner", "右下角"},
        {1, 1, "the upper left", "左上方"},
        {3, 3, "the centre", "中央"},
        {3, 0, "the left", "左侧"},
        {3, 6, "the right", "右侧"},
        {0, 3, "the upper middle", "上方中间"},
        {6, 3, "the lower middle", "下方中间"},
        {5, 5, "the lower right", "右下方"},
    };
    for (size_t i = 0; i < LM_COUNT(place); i++) {
        float v[28 * 28] = {0};
        lm_part part[LM_PARTS];
        v[(4 * place[i].row + 2) * 28 + 4 * place[i].column + 1] = -3;
        v[5] = 0;
        const lm_finding f = blank(LM_ABOUT_PICTURE, v, 28, 28);
        CHECK_INT(lm_words_parts(LM_ENGLISH, &f, false, part), 0);
        CHECK_INT(lm_words_parts(LM_ENGLISH, &f, true, part), 1);
        CHECK_STR(part[0].name, place[i].english);
        CHECK(part[0].share == 1 && part[0].value == -3);
        lm_words_parts(LM_CHINESE, &f, true, part);
        CHECK_STR(part[0].name, place[i].chinese);
    }
}

/* Cells side by side are one part, those apart are two; a share is of all sizes, for and against. */
static void merges_neighbours(void)
{
    float v[49] = {0};
    lm_part part[LM_PARTS];
    v[8] = 3;
    v[9] = 2;
    v[40] = 4;
    v[24] = -1;
    const lm_finding f = blank(LM_ABOUT_PICTURE, v, 7, 7);
    CHECK_INT(lm_words_parts(LM_ENGLISH, &f, false, part), 2);
    CHECK_STR(part[0].name, "the lower right");
    CHECK_NEAR(part[0].share, 0.4, 1e-12);
    CHECK_STR(part[1].name, "the upper left");
    CHECK_NEAR(part[1].share, 0.3, 1e-12);
    v[40] = 1;
    CHECK_INT(lm_words_parts(LM_ENGLISH, &f, false, part), 1);
    v[9] = 2.9f;
    v[40] = 2.8f;
    CHECK_INT(lm_words_parts(LM_ENGLISH, &f, false, part), 1);
    CHECK_NEAR(part[0].value, 5.9, 1e-6);
    CHECK_INT(lm_words_parts(LM_ENGLISH, &f, true, part), 1);
    CHECK_STR(part[0].name, "the centre");
}

static void ranks_columns_and_tokens(void)
{
    static const char *const name[] = {"sepal", "petal", "", "leaf"};
    static const float v[] = {-6, 1, 3, NAN};
    lm_part part[LM_PARTS];
    lm_finding f = blank(LM_ABOUT_COLUMNS, v, 4, 1);
    f.name = name;
    CHECK_INT(lm_words_parts(LM_ENGLISH, &f, false, part), 2);
    CHECK_STR(part[0].name, "column 2");
    CHECK_STR(part[1].name, "petal");
    CHECK_NEAR(part[0].share, 0.3, 1e-6);
    f.about = LM_ABOUT_TOKENS;
    CHECK_INT(lm_words_parts(LM_ENGLISH, &f, true, part), 1);
    CHECK_STR(part[0].name, "\"sepal\" at 0");
    f.name = NULL;
    lm_words_parts(LM_ENGLISH, &f, true, part);
    CHECK_STR(part[0].name, "token 0");
}

static void names_stretches(void)
{
    float v[160] = {0};
    lm_part part[LM_PARTS];
    for (int i = 40; i < 60; i++)
        v[i] = 1;
    const lm_finding f = blank(LM_ABOUT_SERIES, v, 160, 1);
    CHECK_INT(lm_words_parts(LM_ENGLISH, &f, false, part), 1);
    CHECK_STR(part[0].name, "steps 40 to 49");
    v[50] = 1.5f;
    v[41] = 1.2f;
    v[110] = 8;
    CHECK_INT(lm_words_parts(LM_ENGLISH, &f, false, part), 1);
    CHECK_STR(part[0].name, "steps 40 to 59");
    v[110] = 10.3f;
    CHECK_INT(lm_words_parts(LM_ENGLISH, &f, false, part), 2);
    CHECK_STR(part[1].name, "steps 110 to 119");
}

static const char *said(lm_language language, const lm_answer *p, const lm_answer *t, const lm_finding *f, lm_str *out)
{
    lm_str_clear(out);
    CHECK_OK(lm_words_add(language, p, t, f, out));
    return lm_str_text(out);
}

static void writes_paragraphs(void)
{
    static const float v[] = {3, -1};
    static const char *const name[] = {"age", "income"};
    lm_finding f = blank(LM_ABOUT_COLUMNS, v, 2, 1);
    lm_answer p = {1, "yes", 4, 0.97}, other = {0, NULL, 1, NAN};
    lm_str out = {0};
    f.name = name;
    f.gap_rel = 0.002;
    CHECK_STR(said(LM_ENGLISH, &p, &p, &f, &out),
              "The model is almost certain: yes, with a probability of 97%. For it spoke most age (75% of all weight); "
              "against it income (25%). The values add up to what they should (off by 0.2%), so their sizes can be "
              "taken at their word.");
    p.probability = 0.3;
    f.gap_rel = 0.5;
    f.residual = 0.001;
    f.stderr_mean = 0.25;
    CHECK_STR(
        said(LM_ENGLISH, &p, &other, &f, &out),
        "The model is unsure; yes comes first with a probability of only 30%. What is explained here is class 0 "
        "instead. For it spoke most age (75% of all weight); against it income (25%). The values miss the sum that "
        "they should have by 50%: take them as a hint where to look, not as amounts. The integration is good to "
        "0.001. The values are means of random draws; each is uncertain by about 0.25.");
    p.probability = NAN;
    f.gap_rel = f.residual = f.stderr_mean = NAN;
    f.positive = true;
    CHECK_STR(said(LM_CHINESE, &p, &p, &f, &out),
              "模型给yes的值最高：4。最重要的是age（占全部权重的 75%）。这种方法不保证数值之和有意义：只宜相互比较。");
    static const float none[2] = {0};
    f.value = none;
    CHECK(strstr(said(LM_ENGLISH, NULL, &p, &f, &out), "Every value is zero"));
    lm_str_free(&out);
}

/* Almost all weight of one corner cancels: neither list has it, and yet it is told. */
static void tells_what_cancels(void)
{
    float v[28 * 28] = {0};
    lm_answer p = {1, "yes", 4, 0.97};
    lm_part part;
    lm_str out = {0};
    v[0] = 5;
    v[1] = -4.9f;
    v[14 * 28 + 14] = 3;
    v[20 * 28 + 20] = -2;
    lm_finding f = blank(LM_ABOUT_PICTURE, v, 28, 28);
    CHECK(lm_words_torn_part(LM_ENGLISH, &f, &part));
    CHECK_STR(part.name, "the upper left corner");
    CHECK_NEAR(part.share, 9.9 / 14.9, 1e-6);
    CHECK(strstr(said(LM_ENGLISH, NULL, &p, &f, &out),
                 "the lower right (13%). Much of the weight lies in the upper left corner (66%), for and against it at "
                 "once. This"));
    CHECK(strstr(said(LM_CHINESE, NULL, &p, &f, &out), "很大一部分权重在左上角（66%），其中支持与反对并存。"));
    v[0] = v[1] = 0;
    v[14 * 28 + 8] = v[14 * 28 + 14] = v[14 * 28 + 18] =
        8; /* the centre is told with more than the 12 that cancel there */
    v[10 * 28 + 12] = 6;
    v[10 * 28 + 13] = -6;
    CHECK(!lm_words_torn_part(LM_ENGLISH, &f, &part));
    v[14 * 28 + 8] = v[14 * 28 + 18] = 0;
    CHECK(lm_words_torn_part(LM_ENGLISH, &f, &part));
    v[10 * 28 + 12] = v[10 * 28 + 13] = 0;
    v[14 * 28 + 14] = v[20 * 28 + 20] = 0;
    v[0] = 5;
    v[1] = -5;
    CHECK(lm_words_torn_part(LM_ENGLISH, &f, &part));
    CHECK(!strstr(said(LM_ENGLISH, NULL, &p, &f, &out), "zero"));
    v[1] = 1;
    CHECK(!lm_words_torn_part(LM_ENGLISH, &f, &part));
    v[1] = -4.9f;
    f.positive = true;
    CHECK(!lm_words_torn_part(LM_ENGLISH, &f, &part));
    lm_str_free(&out);
}

static void names_targets_of_several(void)
{
    static const char *const label[] = {"cat", "dog", ""};
    static const struct {
        const char *target, *english, *chinese;
    } told[] = {
        {"0-1", "cat rather than dog", "cat而不是dog"},
        {"-3-2", "dog rather than class 2", "dog而不是第 2 类"},
        {"2--1", "class 2 rather than class 3", "第 2 类而不是第 3 类"},
        {"sum", "the sum of all outputs", "全部输出之和"},
        {"top", "", ""},
        {"1", "", ""},
        {"1-4", "", ""},
        {"0-1x", "", ""},
        {"0:1", "", ""},
        {"cat", "", ""},
    };
    lm_str out = {0};
    for (size_t i = 0; i < LM_COUNT(told); i++) {
        lm_str_clear(&out);
        CHECK_OK(lm_words_target(LM_ENGLISH, told[i].target, label, 3, 4, &out));
        CHECK_STR(lm_str_text(&out), told[i].english);
        lm_str_clear(&out);
        CHECK_OK(lm_words_target(LM_CHINESE, told[i].target, label, 3, 4, &out));
        CHECK_STR(lm_str_text(&out), told[i].chinese);
    }
    const float v[] = {1, 2};
    const lm_finding f = blank(LM_ABOUT_COLUMNS, v, 2, 1);
    const lm_answer p = {1, "dog", 4, 0.97}, both = {-1, "cat rather than dog", 1, NAN}, unnamed = {-1, NULL, 1, NAN};
    CHECK(strstr(said(LM_ENGLISH, &p, &both, &f, &out), "97%. What is explained here is cat rather than dog. For it"));
    CHECK(!strstr(said(LM_ENGLISH, &p, &unnamed, &f, &out), "explained here"));
    lm_str_free(&out);
}

/* Values of the model, and channels side by side, speak for nothing and lie nowhere. */
static void takes_no_side(void)
{
    float v[49] = {[0] = -6, [24] = 2};
    const lm_answer p = {1, "yes", 4, 0.97};
    lm_finding f = blank(LM_ABOUT_PICTURE, v, 7, 7);
    lm_part part[LM_PARTS];
    lm_str out = {0};
    f.neutral = true;
    CHECK_STR(said(LM_ENGLISH, NULL, &p, &f, &out),
              "Largest by size: the upper left corner (75% of all weight). These are values of the model itself: they "
              "speak neither for the answer nor against it.");
    CHECK(strstr(said(LM_CHINESE, NULL, &p, &f, &out), "既不支持也不反对"));
    f.tiled = true;
    CHECK_INT(lm_words_parts(LM_ENGLISH, &f, false, part), 0);
    CHECK(!strstr(said(LM_ENGLISH, NULL, &p, &f, &out), "corner"));
    f.neutral = false;
    CHECK(!strstr(said(LM_ENGLISH, NULL, &p, &f, &out), "spoke"));
    lm_str_free(&out);
}

/* Nothing is told of what is not finite, but that. */
static void reads_nothing_into_nan(void)
{
    static const float v[] = {INFINITY, -2, 1};
    const lm_answer p = {1, "yes", -NAN, NAN};
    lm_finding f = blank(LM_ABOUT_COLUMNS, v, 3, 1);
    lm_part part[LM_PARTS];
    lm_str out = {0};
    f.unreadable = true;
    CHECK_INT(lm_words_parts(LM_ENGLISH, &f, true, part), 0);
    CHECK_STR(said(LM_ENGLISH, &p, &p, &f, &out),
              "The model's answer is not a finite number. Not all numbers here are finite: they cannot be read.");
    CHECK_STR(said(LM_CHINESE, &p, &p, &f, &out), "模型的回答不是有限数。这里的数不都是有限数，无法解读。");
    char number[WORDS_NUMBER];
    CHECK_STR(words_number(-NAN, number), "nan");
    f.neutral = true;
    CHECK_STR(said(LM_ENGLISH, NULL, NULL, &f, &out), "Not all numbers here are finite: they cannot be read.");
    lm_str_free(&out);
}

/* Sentences are one space apart, whatever stands before. */
static void keeps_one_space(void)
{
    static const float v[] = {3, 1};
    const lm_finding f = blank(LM_ABOUT_COLUMNS, v, 2, 1);
    lm_str out = {0};
    CHECK_OK(lm_str_add(&out, "Before. "));
    CHECK_OK(lm_words_add(LM_ENGLISH, NULL, NULL, &f, &out));
    CHECK(!strstr(lm_str_text(&out), "  "));
    lm_str_free(&out);
}

static void counts_regions(void)
{
    float v[14 * 7] = {[0] = 1, [1] = -3, [13] = 2, [14] = 0.0001f};
    double share[LM_REGIONS];
    int across, down;
    const lm_finding f = blank(LM_ABOUT_PICTURE, v, 14, 7);
    lm_words_regions(&f, share, &across, &down);
    CHECK(across == 7 && down == 7);
    CHECK_NEAR(share[0], -4 / 6.0001, 1e-6);
    CHECK_NEAR(share[6], 2 / 6.0001, 1e-6);
    CHECK(share[7] > 0 && share[8] == 0);
}

/* Chinese in Chinese stands close, and no sentence ends twice. */
static void joins_texts_well(void)
{
    char less[WORDS_NUMBER];
    lm_str out = {0};
    words_say(&out, LM_CHINESE, WORDS_ADDS_UP, words_percent(LM_CHINESE, 1e-6, less), NULL, NULL);
    CHECK(strstr(lm_str_text(&out), "相差不到 0.1%，"));
    lm_str_clear(&out);
    words_say(&out, LM_CHINESE, WORDS_ADDS_UP, words_percent(LM_CHINESE, 0.002, less), NULL, NULL);
    CHECK(strstr(lm_str_text(&out), "相差 0.2%，"));
    lm_str_clear(&out);
    words_fill(&out, "把 {0} 交给", "好电影", NULL, NULL);
    CHECK_STR(lm_str_text(&out), "把好电影交给");
    lm_str_clear(&out);
    words_fill(&out, "It was given {0}.", "It was bitter.", NULL, NULL);
    CHECK_STR(lm_str_text(&out), "It was given It was bitter.");
    lm_str_clear(&out);
    words_fill(&out, "{0}.{1} {0}.", "a.b", "c", NULL);
    CHECK_STR(lm_str_text(&out), "a.b.c a.b.");
    lm_str_free(&out);
}

static void knows_its_languages(void)
{
    lm_language l = LM_ENGLISH;
    CHECK_OK(lm_language_of("zh", &l));
    CHECK_INT(l, LM_CHINESE);
    CHECK_STR(lm_language_code(l), "zh");
    CHECK_FAILS(lm_language_of("fr", &l), LM_USAGE);
}

int main(void)
{
    CASE(names_places);
    CASE(merges_neighbours);
    CASE(ranks_columns_and_tokens);
    CASE(names_stretches);
    CASE(writes_paragraphs);
    CASE(tells_what_cancels);
    CASE(names_targets_of_several);
    CASE(takes_no_side);
    CASE(reads_nothing_into_nan);
    CASE(keeps_one_space);
    CASE(counts_regions);
    CASE(joins_texts_well);
    CASE(knows_its_languages);
    return test_end();
}
