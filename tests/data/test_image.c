/* Pictures: every kind of file, resizing, cropping, preparing, and what is no picture. */
#include "core/data/prep.h"

#include <math.h>
#include <stdio.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "tests/unit/test.h"

enum { WIDTH = 13, HEIGHT = 7 };

static const char *folder;

static const char *path_of(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static bool can_read(const char *name, lm_image *image)
{
    lm_status status = lm_image_read(path_of(name), image);
    if (status == LM_UNSUPPORTED)
        return false; /* a build without this decoder */
    return CHECK_OK(status);
}

/* What tools/gen/images.py drew. */
static double formula(int x, int y, int c)
{
    return (9 * x + 14 * y + 50 * c) % 256;
}

static double over_white(int x, int y, int c)
{
    const double alpha = formula(x, y, 3) / 255;
    return formula(x, y, c) * alpha + 255 * (1 - alpha);
}

static double bits(int x, int y, int c)
{
    return formula(x, y, c) >= 128 ? 255 : 0;
}

static double smooth(int x, int y, int c)
{
    const double v[] = {4 * x + 6 * y, 200 - 5 * x, 60 + 3 * y};
    return v[c];
}

/* Turned to the right: what was the bottom left corner is at the top left. */
static double turned(int x, int y, int c)
{
    return smooth(y, 15 - x, c);
}

static void reads_every_kind(void)
{
    static const struct {
        const char *name;
        int width, height, channels;
        double (*is)(int x, int y, int c);
        double within;
    } files[] = {
        {"grey.png", WIDTH, HEIGHT, 1, formula, 0},     {"deep.png", WIDTH, HEIGHT, 1, formula, 1e-4},
        {"bits.png", WIDTH, HEIGHT, 1, bits, 0},        {"colour.png", WIDTH, HEIGHT, 3, formula, 0},
        {"alpha.png", WIDTH, HEIGHT, 3, over_white, 1e-3}, {"palette.png", WIDTH, HEIGHT, 3, formula, 0},
        {"smooth.jpg", 24, 16, 3, smooth, 3},           {"grey.jpg", 24, 16, 1, smooth, 3},
        {"turned.jpg", 16, 24, 3, turned, 3},
    };
    for (size_t i = 0; i < LM_COUNT(files); i++) {
        lm_image image;
        if (!can_read(files[i].name, &image))
            continue;
        if (CHECK(image.width == files[i].width && image.height == files[i].height &&
                  image.channels == files[i].channels)) {
            double worst = 0;
            const float *at = image.at;
            for (int y = 0; y < image.height; y++)
                for (int x = 0; x < image.width; x++)
                    for (int c = 0; c < image.channels; c++)
                        worst = fmax(worst, fabs(*at++ - files[i].is(x, y, c)));
            CHECK(worst <= files[i].within);
        }
        lm_image_free(&image);
    }
}

static lm_image row_of(int width, int height, int channels)
{
    lm_image image = {0};
    CHECK_OK(lm_image_new("test", width, height, channels, &image));
    for (int i = 0; i < width * height * channels; i++)
        image.at[i] = (float)i;
    return image;
}

static void resizes(void)
{
    lm_image image = row_of(2, 1, 1);
    image.at[1] = 100;
    CHECK_OK(lm_image_resize(&image, 4, 1, LM_FILTER_BILINEAR));
    const double wide[] = {0, 25, 75, 100};
    for (int i = 0; i < 4; i++)
        CHECK_NEAR(image.at[i], wide[i], 1e-5);
    /* Shrinking looks at all pixels: triangles of twice the width. */
    CHECK_OK(lm_image_resize(&image, 2, 1, LM_FILTER_BILINEAR));
    CHECK_NEAR(image.at[0], (3 * 0 + 3 * 25 + 75) / 7.0, 1e-4);
    CHECK_NEAR(image.at[1], (3 * 100 + 3 * 75 + 25) / 7.0, 1e-4);
    lm_image_free(&image);
    image = row_of(4, 2, 1);
    CHECK_OK(lm_image_resize(&image, 2, 1, LM_FILTER_AREA));
    CHECK_NEAR(image.at[0], 2.5, 1e-6);
    CHECK_NEAR(image.at[1], 4.5, 1e-6);
    lm_image_free(&image);
    image = row_of(4, 1, 1);
    CHECK_OK(lm_image_resize(&image, 2, 1, LM_FILTER_NEAREST));
    CHECK(image.at[0] == 1 && image.at[1] == 3);
    CHECK_FAILS(lm_image_resize(&image, 0, 1, LM_FILTER_AREA), LM_USAGE);
    lm_image_free(&image);
}

/* Black beside white: the bicubic filter would swing below and above. Where the middle of a new pixel falls between
 * two old ones, the right one is taken. */
static void stays_in_range(void)
{
    lm_image edge = {4, 1, 1, lm_malloc(4, sizeof(float))}, tie = {4, 1, 1, lm_malloc(4, sizeof(float))};
    if (!CHECK(edge.at && tie.at))
        return;
    for (int i = 0; i < 4; i++) {
        edge.at[i] = i < 2 ? 0 : 255;
        tie.at[i] = (float)i;
    }
    if (CHECK_OK(lm_image_resize(&edge, 16, 1, LM_FILTER_BICUBIC)))
        for (int i = 0; i < 16; i++)
            CHECK(edge.at[i] >= 0 && edge.at[i] <= 255);
    if (CHECK_OK(lm_image_resize(&tie, 2, 1, LM_FILTER_NEAREST)))
        CHECK(tie.at[0] == 1 && tie.at[1] == 3);
    lm_image_free(&edge);
    lm_image_free(&tie);
}

static void crops(void)
{
    lm_image image = row_of(5, 3, 1);
    CHECK_OK(lm_image_crop(&image, 3, 1));
    CHECK(image.width == 3 && image.height == 1 && image.at[0] == 6 && image.at[2] == 8);
    CHECK_OK(lm_image_crop(&image, 5, 3));
    CHECK(image.at[0] == 0 && image.at[5] == 0 && image.at[6] == 6 && image.at[8] == 8 && image.at[9] == 0);
    lm_image_free(&image);
}

static void changes_channels(void)
{
    lm_image image = row_of(1, 1, 3);
    image.at[0] = 10, image.at[1] = 200, image.at[2] = 30;
    CHECK_OK(lm_image_channels(&image, 1));
    CHECK_NEAR(image.at[0], 124, 0); /* 0.299 * 10 + 0.587 * 200 + 0.114 * 30 = 123.81 */
    CHECK_OK(lm_image_channels(&image, 3));
    CHECK(image.channels == 3 && image.at[2] == 124);
    lm_image_free(&image);
}

static void prepares(void)
{
    lm_prep p = LM_PREP_NONE;
    CHECK_OK(lm_prep_parse("scale=1/255,mean=0.5:0.25:0,std=0.5,channels=bgr,resize=4,crop=2x1,filter=nearest", &p));
    CHECK(p.side == 4 && p.crop_width == 2 && p.crop_height == 1 && p.bgr && p.filter == LM_FILTER_NEAREST);
    lm_image image = row_of(8, 4, 3);
    int width, height;
    lm_prep_size(&p, &image, &width, &height);
    CHECK(width == 2 && height == 1);
    float to[6];
    CHECK_OK(lm_prep_apply(&p, &image, 3, false, to));
    /* of 8 x 4 pixels that stay as they are, the crop takes (3, 2) and (4, 2): half a row goes to the even neighbour */
    const int first = (2 * 8 + 3) * 3;
    for (int i = 0; i < 2; i++)
        for (int c = 0; c < 3; c++)
            CHECK_NEAR(to[c * 2 + i], ((first + 3 * i + 2 - c) / 255.0 - p.mean[c]) / 0.5, 1e-6);
    lm_image_free(&image);
    static const char *const bad[] = {"resize=0", "resize=2x",    "scale=x",      "scale=1/0", "mean=1:2",
                                      "std=0",    "channels=rbg", "filter=sharp", "crop=",     "size",
                                      "zoom=2",   "mean=1:2:3:4", "scale=nan"};
    for (size_t i = 0; i < LM_COUNT(bad); i++)
        CHECK_FAILS(lm_prep_parse(bad[i], &p), LM_USAGE);
}

/* Cut short at every length, and with every byte changed: an answer, and nothing worse. */
static void survives_damage(void)
{
    static const char *const names[] = {"palette.png", "alpha.png", "turned.jpg"};
    for (size_t i = 0; i < LM_COUNT(names); i++) {
        lm_file file;
        lm_image image;
        if (!can_read(names[i], &image))
            continue;
        lm_image_free(&image);
        if (!CHECK_OK(lm_file_map(path_of(names[i]), &file)))
            continue;
        uint8_t *copy = lm_malloc(file.size, 1);
        for (size_t n = 0; copy && n < file.size; n++)
            if (lm_image_decode(file.bytes, n, "cut", &image) == LM_OK)
                lm_image_free(&image);
        CHECK_FAILS(lm_image_decode(file.bytes, file.size / 2, "cut", &image), LM_INPUT);
        for (size_t n = 0; copy && n < file.size; n++) {
            memcpy(copy, file.bytes, file.size);
            copy[n] ^= 0x55;
            if (lm_image_decode(copy, file.size, "changed", &image) == LM_OK)
                lm_image_free(&image);
        }
        lm_free(copy);
        lm_file_unmap(&file);
    }
    lm_image image;
    CHECK_FAILS(lm_image_decode("GIF89a", 6, "x.gif", &image), LM_INPUT);
    CHECK_FAILS(lm_image_decode("", 0, "empty.png", &image), LM_INPUT);
    CHECK_FAILS(lm_image_new("bomb", 1e5, 1e5, 3, &image), LM_MEMORY);
    CHECK_FAILS(lm_image_new("none", 0, 5, 3, &image), LM_INPUT);
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : "tests/data/images";
    CASE(reads_every_kind);
    CASE(resizes);
    CASE(stays_in_range);
    CASE(crops);
    CASE(changes_channels);
    CASE(prepares);
    CASE(survives_damage);
    return test_end();
}
