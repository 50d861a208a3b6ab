/* Preparing pictures. */
#include "core/data/prep.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/nearest.h"
#include "core/data/resample.h"

/* A word's value between '=' and the next comma. */
typedef struct value {
    const char *key, *text;
    size_t count;
} value;

static lm_status wrong(const value *v, const char *wanted)
{
    return lm_fail(LM_USAGE, "--prep %s=%.*s: give %s", v->key, (int)v->count, v->text, wanted);
}

/* "0.5" or "1/255", up to one of `ends` or the end; *next is behind it. */
static bool number(const char *at, const char *end, double *out, const char **next)
{
    char *stop;
    double v = strtod(at, &stop);
    if (stop == at || stop > end)
        return false;
    if (stop < end && *stop == '/') {
        const char *below = stop + 1;
        const double by = strtod(below, &stop);
        if (stop == below || stop > end || by == 0)
            return false;
        v /= by;
    }
    *out = v;
    *next = stop;
    return v == v && v - v == 0;
}

static lm_status read_number(const value *v, double *out)
{
    const char *next;
    return number(v->text, v->text + v->count, out, &next) && next == v->text + v->count
               ? LM_OK
               : wrong(v, "a number, such as 1/255");
}

/* One number for all channels, or three. */
static lm_status read_three(const value *v, double out[3])
{
    const char *at = v->text, *end = v->text + v->count;
    int n = 0;
    double got[3];
    while (n < 3 && number(at, end, &got[n], &at)) {
        n++;
        if (at == end || *at++ != ':')
            break;
    }
    if (at != end || (n != 1 && n != 3))
        return wrong(v, "one number, or three as in 0.485:0.456:0.406");
    for (int c = 0; c < 3; c++)
        out[c] = got[n == 1 ? 0 : c];
    return LM_OK;
}

/* "224", or "640x480": width and height. */
static lm_status read_size(const value *v, int *width, int *height)
{
    char *next;
    const char *end = v->text + v->count;
    const long w = strtol(v->text, &next, 10);
    long h = w;
    if (next < end && *next == 'x')
        h = strtol(next + 1, &next, 10);
    if (next != end || w < 1 || h < 1 || w > 32768 || h > 32768)
        return wrong(v, "a number of pixels, or WIDTHxHEIGHT");
    *width = (int)w;
    *height = (int)h;
    return LM_OK;
}

static lm_status read_word(const value *v, const char *const *words, int n, const char *wanted, int *out)
{
    for (int i = 0; i < n; i++)
        if (strlen(words[i]) == v->count && memcmp(words[i], v->text, v->count) == 0) {
            *out = i;
            return LM_OK;
        }
    return wrong(v, wanted);
}

static lm_status take_resize(const value *v, lm_prep *p)
{
    const bool both = memchr(v->text, 'x', v->count) != NULL;
    int w, h;
    LM_TRY(read_size(v, &w, &h));
    p->side = both ? 0 : w;
    p->width = both ? w : 0;
    p->height = both ? h : 0;
    return LM_OK;
}

static lm_status take_filter(const value *v, lm_prep *p)
{
    static const char *const words[LM_FILTERS] = {"bilinear", "bicubic", "area", "nearest"};
    int which = 0;
    LM_TRY(read_word(v, words, LM_FILTERS, "bilinear, bicubic, area or nearest", &which));
    p->filter = (lm_filter)which;
    return LM_OK;
}

static lm_status take_crop(const value *v, lm_prep *p)
{
    return read_size(v, &p->crop_width, &p->crop_height);
}

static lm_status take_scale(const value *v, lm_prep *p)
{
    return read_number(v, &p->scale);
}

static lm_status take_mean(const value *v, lm_prep *p)
{
    return read_three(v, p->mean);
}

static lm_status take_std(const value *v, lm_prep *p)
{
    LM_TRY(read_three(v, p->std));
    return p->std[0] != 0 && p->std[1] != 0 && p->std[2] != 0 ? LM_OK : wrong(v, "numbers other than 0");
}

static lm_status take_channels(const value *v, lm_prep *p)
{
    static const char *const words[] = {"rgb", "bgr"};
    int which = 0;
    LM_TRY(read_word(v, words, 2, "rgb or bgr", &which));
    p->bgr = which == 1;
    return LM_OK;
}

static lm_status take_rate(const value *v, lm_prep *p)
{
    char *next;
    const long rate = strtol(v->text, &next, 10);
    if (next != v->text + v->count || rate < 1 || rate > LM_RATE_MOST)
        return wrong(v, "frames a second, such as 16000");
    p->rate = (int)rate;
    return LM_OK;
}

static const struct {
    const char *key;
    lm_status (*take)(const value *, lm_prep *);
} parts[] = {{"resize", take_resize}, {"size", take_resize}, {"filter", take_filter}, {"crop", take_crop},
             {"scale", take_scale},   {"mean", take_mean},   {"std", take_std},       {"channels", take_channels},
             {"rate", take_rate}};

static lm_status take(const char *word, size_t count, lm_prep *p)
{
    const char *known[LM_COUNT(parts)];
    const char *equals = memchr(word, '=', count);
    const size_t key = equals ? (size_t)(equals - word) : count;
    for (size_t i = 0; i < LM_COUNT(parts); i++) {
        known[i] = parts[i].key;
        if (equals && strlen(parts[i].key) == key && memcmp(parts[i].key, word, key) == 0)
            return parts[i].take(&(value){parts[i].key, equals + 1, count - key - 1}, p);
    }
    const char *next;
    double lone;
    LM_REQUIRE(equals || !number(word, word + count, &lone, &next), LM_USAGE,
               "--prep '%.*s': stands alone; three numbers of one key are joined by ':', as in mean=0.485:0.456:0.406",
               (int)count, word);
    lm_str words = {0};
    lm_list_words(known, LM_COUNT(known), &words);
    lm_fail(LM_USAGE, "--prep '%.*s': no part of a preparation; give key=value with %s", (int)count, word,
            lm_str_text(&words));
    lm_str_free(&words);
    return LM_USAGE;
}

lm_status lm_prep_parse(const char *text, lm_prep *out)
{
    lm_prep p = *out;
    for (const char *at = text; *at;) {
        const size_t n = strcspn(at, ",");
        LM_TRY(take(at, n, &p));
        at += n + (at[n] == ',');
    }
    *out = p;
    return LM_OK;
}

/* What the picture is resized to. */
static void resized(const lm_prep *p, const lm_image *image, int *width, int *height)
{
    *width = p->width ? p->width : image->width;
    *height = p->height ? p->height : image->height;
    if (!p->side)
        return;
    const bool wide = image->width > image->height;
    const int longer =
        (int)((double)p->side * (wide ? image->width : image->height) / (wide ? image->height : image->width));
    *width = wide ? longer : p->side;
    *height = wide ? p->side : longer;
}

void lm_prep_size(const lm_prep *p, const lm_image *image, int *width, int *height)
{
    resized(p, image, width, height);
    if (p->crop_width) {
        *width = p->crop_width;
        *height = p->crop_height;
    }
}

lm_status lm_prep_apply(const lm_prep *p, lm_image *image, int channels, bool last, float *to)
{
    int width, height;
    resized(p, image, &width, &height);
    LM_TRY(lm_image_resize(image, width, height, p->filter));
    if (p->crop_width)
        LM_TRY(lm_image_crop(image, p->crop_width, p->crop_height));
    LM_TRY(lm_image_channels(image, channels));
    const size_t pixels = (size_t)image->width * (size_t)image->height, n = (size_t)channels;
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < n; c++) {
            const float from = image->at[i * n + (p->bgr && n == 3 ? 2 - c : c)];
            to[last ? i * n + c : c * pixels + i] = (float)(((double)from * p->scale - p->mean[c]) / p->std[c]);
        }
    return LM_OK;
}
