/* What is said of findings whose truth is known. */
#include "core/draw/words.h"

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
    CASE(knows_its_languages);
    return test_end();
}
