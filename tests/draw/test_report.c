/* The page holds what was given, makes its texts safe, stays small, and its packed maps can be read again.
 *
 *     test_report            the checks
 *     test_report FILE FILE  also writes a page that has everything, with and without pictures of its own, for
 * drive_report.py */
#include "core/draw/report.h"

#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/data/image.h"
#include "core/draw/report_code.h"
#include "tests/unit/test.h"

static const char hostile[] = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x01 ünï 图";

/* An independent reader of the code, from its description. */
typedef struct reader {
    const uint8_t *bytes;
    size_t at;
} reader;

static uint32_t read_bits(reader *r, int n)
{
    uint32_t v = 0;
    for (; n > 0; n--, r->at++)
        v = v << 1 | (r->bytes[r->at / 8] >> (7 - r->at % 8) & 1);
    return v;
}

static int64_t median(int64_t a, int64_t b, int64_t c)
{
    return a < b ? (c < a ? a : c > b ? b : c) : (c < b ? b : c > a ? a : c);
}

static void read_all(reader *r, report_code code, int width, int height, int32_t *to)
{
    uint64_t sum = 4, count = 1;
    for (int i = 0; i < width * height; i++) {
        int k = 0, ones = 0;
        while (k < 31 && count << k < sum)
            k++;
        while (ones < 24 && read_bits(r, 1))
            ones++;
        const uint32_t u = ones < 24 ? (uint32_t)ones << k | read_bits(r, k) : read_bits(r, 32);
        sum += u;
        if (++count == 64) {
            sum /= 2;
            count = 32;
        }
        int64_t v = code == REPORT_POSITIVE ? u : u & 1 ? -(int64_t)(u / 2) - 1 : (int64_t)(u / 2);
        if (code == REPORT_CHANGE) {
            const int64_t left = i % width ? to[i - 1] : 0, up = i >= width ? to[i - width] : 0;
            v += i % width && i >= width ? median(left, up, left + up - to[i - width - 1]) : left + up;
        }
        to[i] = (int32_t)v;
    }
}

enum { WIDTH = 37, HEIGHT = 23 };

static int32_t smooth(int x, int y)
{
    return 4 * x - 3 * y + x * y / 4;
}

static int32_t spiky(int x, int y)
{
    const int i = y * WIDTH + x;
    return i % 97 == 0 ? 2047 * (i % 2 ? 1 : -1) * 1000 : (i * 7919) % 13 - 6;
}

static int32_t above(int x, int y)
{
    return (x * 31 + y * 17) % 90;
}

static void packs_and_unpacks(void)
{
    static const struct {
        int32_t (*at)(int x, int y);
        report_code code;
    } kind[] = {{smooth, REPORT_CHANGE}, {spiky, REPORT_SIGNED}, {above, REPORT_POSITIVE}};
    for (size_t i = 0; i < LM_COUNT(kind); i++) {
        int32_t v[WIDTH * HEIGHT], back[WIDTH * HEIGHT];
        report_code code = REPORT_CODES;
        lm_str bytes = {0};
        for (int k = 0; k < WIDTH * HEIGHT; k++)
            v[k] = kind[i].at(k % WIDTH, k / WIDTH);
        CHECK_OK(report_pack(v, WIDTH, HEIGHT, &code, &bytes));
        CHECK_INT(code, kind[i].code);
        reader r = {(const uint8_t *)bytes.text, 0};
        read_all(&r, code, WIDTH, HEIGHT, back);
        CHECK(memcmp(v, back, sizeof v) == 0);
        CHECK(r.at <= 8 * bytes.count && r.at + 8 > 8 * bytes.count);
        lm_str_free(&bytes);
    }
}

static void writes_base64(void)
{
    static const char *const pair[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe?", "//4/"}};
    for (size_t i = 0; i < LM_COUNT(pair); i++) {
        lm_str out = {0};
        CHECK_OK(report_base64(pair[i][0], strlen(pair[i][0]), &out));
        CHECK_STR(lm_str_text(&out), pair[i][1]);
        lm_str_free(&out);
    }
}

/* Everything that a report can hold. */
enum { SIDE_X = 24, SIDE_Y = 16, COLUMNS = 25, TOKENS = 9, STEPS = 400, MODELS = 2, SAMPLES = 3, RESULTS = 6 };

typedef struct everything {
    lm_canvas picture;
    uint8_t mask[SIDE_X * SIDE_Y];
    float map[3][SIDE_X * SIDE_Y], column[COLUMNS], token[TOKENS], step[STEPS];
    double fed[COLUMNS], curve[2 * STEPS];
    const char *column_name[COLUMNS], *token_name[TOKENS];
    lm_report_input input[SAMPLES][2];
    lm_report_result result[MODELS][SAMPLES][RESULTS];
    lm_report_sample sample[MODELS][SAMPLES];
    lm_report_activity activity[2];
    lm_report_section section[MODELS];
    lm_report report;
} everything;

static lm_report_result result_of(const char *method, const char *target, lm_about about, const float *v, int w, int h)
{
    lm_report_result r = {.method = method,
                          .target = target,
                          .options = "steps=50",
                          .space = "logit",
                          .explained = {3, "cat", 2, NAN},
                          .least = INFINITY,
                          .most = -INFINITY,
                          .forwards = 1,
                          .backwards = 1};
    r.finding = (lm_finding){.about = about,
                             .width = w,
                             .height = h,
                             .value = v,
                             .target = 2.5,
                             .baseline = 0.5,
                             .gap_abs = 0.001,
                             .gap_rel = 0.0005,
                             .residual = NAN,
                             .stderr_mean = NAN};
    for (int i = 0; i < w * h; i++) {
        r.sum += v[i];
        r.least = fmin(r.least, v[i]);
        r.most = fmax(r.most, v[i]);
    }
    return r;
}

static void fill_numbers(everything *all)
{
    for (int i = 0; i < SIDE_X * SIDE_Y; i++) {
        const int x = i % SIDE_X, y = i / SIDE_X;
        all->picture.at[i] = (lm_rgb){(uint8_t)(10 * x), (uint8_t)(15 * y), 128};
        all->mask[i] = x >= 4 && x < 8 && y >= 4 && y < 8;
        all->map[0][i] = all->mask[i] ? 2 : x > 18 ? -1 : 0.01f * (float)(i % 7);
        all->map[1][i] = (float)(x * y);
    }
    for (int i = 0; i < 6 * 4; i++)
        all->map[2][i] = (float)(i - 8);
    for (int i = 0; i < COLUMNS; i++) {
        all->column[i] = (float)((i % 2 ? -1 : 1) * (i + 1));
        all->fed[i] = i / 4.0;
        all->column_name[i] = i == 3 ? hostile : "width";
    }
    for (int i = 0; i < TOKENS; i++) {
        all->token[i] = (float)(4 - i);
        all->token_name[i] = i == 2 ? hostile : "word";
    }
    for (int i = 0; i < STEPS; i++) {
        all->step[i] = i > 300 ? 2 : i > 200 ? -1 : 0;
        all->curve[i] = sin(i / 9.0);
        all->curve[STEPS + i] = i % 50;
    }
}

static void fill_samples(everything *all)
{
    static const lm_answer top[] = {{3, hostile, 2.5, 0.75}, {1, "dog", 1, 0.25}};
    static const lm_report_flow flow[] = {{"/layer/Conv", 1, 0.5, 0.25, 0.25}};
    all->input[0][0] = (lm_report_input){.name = "image", .about = LM_ABOUT_PICTURE, .picture = &all->picture};
    all->input[1][0] = (lm_report_input){.name = "row",
                                         .about = LM_ABOUT_COLUMNS,
                                         .count = COLUMNS,
                                         .label = all->column_name,
                                         .number = all->fed,
                                         .series = 1};
    all->input[2][0] =
        (lm_report_input){.name = "ids", .about = LM_ABOUT_TOKENS, .count = TOKENS, .label = all->token_name};
    all->input[2][1] =
        (lm_report_input){.name = "wave", .about = LM_ABOUT_SERIES, .count = STEPS, .number = all->curve, .series = 2};
    for (int m = 0; m < MODELS; m++) {
        lm_report_result(*r)[RESULTS] = all->result[m];
        for (int t = 0; t < 2; t++) {
            const char *target = t ? "1" : "top";
            r[0][3 * t] = result_of("ig", target, LM_ABOUT_PICTURE, all->map[0], SIDE_X, SIDE_Y);
            r[0][3 * t + 1] = result_of("gradcam", target, LM_ABOUT_PICTURE, all->map[1], SIDE_X, SIDE_Y);
            r[0][3 * t + 1].finding.positive = true;
            r[0][3 * t + 2] = result_of("layer <coarse>", target, LM_ABOUT_PICTURE, all->map[2], 6, 4);
        }
        r[0][0].flow = flow;
        r[0][0].flows = 1;
        r[1][0] = result_of("ig", "top", LM_ABOUT_COLUMNS, all->column, COLUMNS, 1);
        r[1][0].finding.name = all->column_name;
        r[2][0] = result_of("ig", "top", LM_ABOUT_TOKENS, all->token, TOKENS, 1);
        r[2][0].finding.name = all->token_name;
        r[2][1] = result_of("ig", "top", LM_ABOUT_SERIES, all->step, STEPS, 1);
        r[2][1].input = 1;
        static const int results[SAMPLES] = {RESULTS, 1, 2}, inputs[SAMPLES] = {1, 1, 2};
        for (int s = 0; s < SAMPLES; s++)
            all->sample[m][s] = (lm_report_sample){.source = s ? "a/b/rows.csv:12" : hostile,
                                                   .note = hostile,
                                                   .input = all->input[s],
                                                   .inputs = inputs[s],
                                                   .top = top,
                                                   .tops = 2,
                                                   .result = r[s],
                                                   .results = results[s],
                                                   .activity = all->activity};
        all->sample[m][0].mask = all->mask;
        all->sample[m][0].mask_width = SIDE_X;
        all->sample[m][0].mask_height = SIDE_Y;
    }
}

static void make_everything(everything *all, bool pictures)
{
    static const lm_report_layer layer[] = {{hostile, "Conv", "1x8x16x24", 216}, {"relu", "Relu", "1x8x16x24", 0}};
    static const char *const head[] = {"method", hostile}, *const cell[] = {"ig", "12 %", "gradcam", "3.5"};
    static const lm_report_table table = {hostile, 2, 2, head, cell};
    static const lm_report_fact fact[] = {{"device", hostile}};
    static const char *const name[] = {"honest", hostile};
    *all = (everything){.activity = {{1, -1, 0, 1, 0.5}, {2, 0, 1, 3, NAN}}};
    CHECK_OK(lm_canvas_new(SIDE_X, SIDE_Y, (lm_rgb){0, 0, 0}, &all->picture));
    fill_numbers(all);
    fill_samples(all);
    for (int m = 0; m < MODELS; m++)
        all->section[m] =
            (lm_report_section){.name = name[m],
                                .file = "m.onnx",
                                .sha256 = "00ff",
                                .note = hostile,
                                .sample = all->sample[m],
                                .samples = SAMPLES,
                                .layer = layer,
                                .layers = 2,
                                .graph = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>"};
    all->report = (lm_report){.title = hostile,
                              .asked = "One.\n\nTwo.",
                              .section = all->section,
                              .sections = MODELS,
                              .table = &table,
                              .tables = 1,
                              .command = hostile,
                              .fact = fact,
                              .facts = 1,
                              .truth = "the shape",
                              .png = pictures ? lm_png_encode : NULL};
}

static bool can_write_png(void)
{
    lm_str out = {0};
    const uint8_t pixel[3] = {0};
    const bool can = lm_png_encode(pixel, 1, 1, &out) == LM_OK;
    lm_str_free(&out);
    return can;
}

static int times(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

static void makes_texts_safe(void)
{
    everything all;
    lm_str page = {0}, again = {0};
    make_everything(&all, can_write_png());
    CHECK_OK(lm_report_html(&all.report, &page));
    CHECK_OK(lm_report_html(&all.report, &again));
    CHECK(page.count == again.count && memcmp(page.text, again.text, page.count) == 0);
    CHECK_INT(times(page.text, "<script"), 4);
    CHECK_INT(times(page.text, "</script"), 4);
    CHECK(!strstr(page.text, "<img src=x") && !strstr(page.text, "alert(2)>\"'"));
    CHECK(strstr(page.text, "&lt;img src=x onerror=alert(2)&gt;&quot;'&amp;? ünï 图"));
    CHECK(!strstr(page.text, "src=\"http") && !strstr(page.text, "href=\"http"));
    CHECK(strstr(page.text, "<p>One.</p>\n<p>Two.</p>"));
    CHECK_INT(times(page.text, "<image "), can_write_png() ? 1 : 0);
    CHECK_INT(times(page.text, "class=\"result "), MODELS * 9);
    lm_str_free(&page);
    lm_str_free(&again);
    lm_canvas_free(&all.picture);
}

/* Twenty curves as a range and a mean, sizes as bars from the left, numbers in the same form everywhere. */
static void draws_without_scripts(void)
{
    enum { CURVES = 20 };
    static const float column[] = {4, 1, 2}, step[STEPS] = {1};
    static double curve[CURVES * STEPS];
    static const char *const name[] = {"a", "b", "c"};
    static const lm_answer top[] = {{0, "x", 0.00001234, 0.75}, {1, "y", 123456.7, 0.0021}, {2, "z", 1, 0.000003},
                                    {3, "w", 2, 0.99998}};
    for (int i = 0; i < CURVES * STEPS; i++)
        curve[i] = i / STEPS; /* curve k is k all along: a range from 0 to 19 with the mean 9.5 */
    const lm_report_input input[] = {
        {.name = "row", .about = LM_ABOUT_COLUMNS, .count = 3, .label = name, .number = curve, .series = 1},
        {.name = "wave", .about = LM_ABOUT_SERIES, .count = STEPS, .number = curve, .series = CURVES}};
    lm_report_result result[] = {result_of("saliency", "top", LM_ABOUT_COLUMNS, column, 3, 1),
                                 result_of("ig", "top", LM_ABOUT_SERIES, step, STEPS, 1)};
    result[0].finding.positive = true;
    result[0].finding.name = name;
    result[1].input = 1;
    const lm_report_sample sample = {
        .input = input, .inputs = 2, .top = top, .tops = 4, .result = result, .results = 2};
    const lm_report_section section = {.name = "m", .sample = &sample, .samples = 1};
    const lm_report report = {.title = "t", .section = &section, .sections = 1};
    lm_str page = {0};
    if (!CHECK_OK(lm_report_html(&report, &page)))
        return;
    CHECK(strstr(page.text, "<td class=\"bar\"><i class=\"size\" style=\"left:0.00%;width:100.00%\"></i><td>4\n"));
    CHECK(strstr(page.text, "left:0.00%;width:25.00%") && !strstr(page.text, "<td class=\"bar two\">"));
    CHECK(strstr(page.text, "<td>75.0 %<td>1.234e-5") && strstr(page.text, "<td>0.21 %<td>123457") &&
          strstr(page.text, "<td>0.0003 %<td>1") && strstr(page.text, "<td>99.9 %<td>2"));
    CHECK_INT(times(page.text, "<polygon class=\"range\" points=\""), 1);
    CHECK_INT(times(page.text, "<polyline"), 1);
    CHECK(strstr(page.text, "<polyline points=\"0.8,75.0 ")); /* in the middle of 150 pixels */
    lm_str_free(&page);
}

static void counts_what_lies_inside(void)
{
    static const float v[] = {1, -2, 3, NAN};
    static const uint8_t mask[] = {1, 1, 0, 1}, wide[] = {1, 1, 0, 0};
    const lm_finding f = {.about = LM_ABOUT_PICTURE, .value = v, .width = 2, .height = 2};
    const float none[4] = {0};
    const lm_finding empty = {.about = LM_ABOUT_PICTURE, .value = none, .width = 2, .height = 2};
    CHECK_NEAR(lm_report_inside(&f, mask, 2, 2), 0.5, 1e-12);
    CHECK_NEAR(lm_report_inside(&f, wide, 4, 1), 4 / 6.0, 1e-12);
    CHECK(isnan(lm_report_inside(&empty, mask, 2, 2)));
}

static void refuses_missing_inputs(void)
{
    everything all;
    lm_str page = {0};
    make_everything(&all, false);
    all.result[1][2][0].input = 2;
    CHECK_FAILS(lm_report_html(&all.report, &page), LM_USAGE);
    lm_str_free(&page);
    lm_canvas_free(&all.picture);
    const lm_report nothing = {.title = "nothing"};
    CHECK_OK(lm_report_html(&nothing, &page));
    lm_str_free(&page);
}

/* Two models, ten pictures, eight methods: half of the maps are as good as noise, half coarse maps made smooth. */
static float noisy_or_smooth(int method, int x, int y, int side)
{
    static const int coarse = 8;
    if (method % 2)
        return (float)(lm_rng_normal(7, (uint64_t)((y * coarse / side) * coarse + x * coarse / side)) * (x + 2 * y));
    const double u = lm_rng_f64((uint64_t)method, (uint64_t)(y * side + x)) - 0.5;
    return (float)(-log(1 - 2 * fabs(u) + 1e-9) * (u < 0 ? -1 : 1));
}

static void stays_small(void)
{
    enum { SIDE = 64, PICTURES = 10, METHODS = 8 };
    static float map[METHODS][SIDE * SIDE];
    static lm_canvas picture[PICTURES];
    static lm_report_input input[PICTURES];
    static lm_report_result result[METHODS];
    static lm_report_sample sample[PICTURES];
    lm_report_section section[2];
    lm_str page = {0};
    uint64_t draw = 0;
    for (int k = 0; k < METHODS; k++) {
        for (int i = 0; i < SIDE * SIDE; i++)
            map[k][i] = noisy_or_smooth(k, i % SIDE, i / SIDE, SIDE);
        result[k] = result_of("integrated", "top", LM_ABOUT_PICTURE, map[k], SIDE, SIDE);
    }
    for (int s = 0; s < PICTURES; s++) {
        CHECK_OK(lm_canvas_new(SIDE, SIDE, (lm_rgb){0, 0, 0}, &picture[s]));
        for (int i = 0; i < SIDE * SIDE; i++) {
            const uint64_t noise = lm_rng_u64(2, draw++);
            picture[s].at[i] =
                (lm_rgb){(uint8_t)(noise % 48), (uint8_t)(noise / 48 % 48), (uint8_t)(noise / 2304 % 48)};
        }
        input[s] = (lm_report_input){.about = LM_ABOUT_PICTURE, .picture = &picture[s]};
        sample[s] = (lm_report_sample){
            .source = "shape", .input = &input[s], .inputs = 1, .result = result, .results = METHODS};
    }
    for (int m = 0; m < 2; m++)
        section[m] = (lm_report_section){.name = "model", .sample = sample, .samples = PICTURES};
    const lm_report r = {
        .title = "size", .section = section, .sections = 2, .png = can_write_png() ? lm_png_encode : NULL};
    CHECK_OK(lm_report_html(&r, &page));
    printf("%zu bytes\n", page.count);
    CHECK(page.count < 1000000);
    lm_str_free(&page);
    for (int s = 0; s < PICTURES; s++)
        lm_canvas_free(&picture[s]);
}

static lm_status write_page(const char *path, bool pictures)
{
    everything all;
    lm_str page = {0};
    make_everything(&all, pictures);
    lm_status status = lm_report_html(&all.report, &page);
    if (status == LM_OK)
        status = lm_file_write(path, page.text, page.count);
    lm_str_free(&page);
    lm_canvas_free(&all.picture);
    return status;
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return write_page(argv[1], can_write_png()) == LM_OK && write_page(argv[2], false) == LM_OK ? 0 : 1;
    CASE(packs_and_unpacks);
    CASE(writes_base64);
    CASE(makes_texts_safe);
    CASE(draws_without_scripts);
    CASE(counts_what_lies_inside);
    CASE(refuses_missing_inputs);
    CASE(stays_small);
    return test_end();
}
