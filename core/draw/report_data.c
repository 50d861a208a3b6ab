/* The numbers behind the page, for its script. */
#include <math.h>
#include <string.h>

#include "core/base/json.h"
#include "core/draw/report_code.h"
#include "core/draw/report_inside.h"

/* Maps are rounded to so many steps from zero to their largest size; fewer, until all maps together take no more than
 * BUDGET characters. */
enum { FINEST = 2047, COARSEST = 127, BUDGET = 500000, COLOURS = 129 };

static const struct {
    const char *key, *text[LM_LANGUAGES];
} live[] = {
#define TEXT(id, ...)
#define LIVE(id, english, chinese) {#id, {english, chinese}},
#include "core/draw/report.def"
#undef TEXT
#undef LIVE
};

static void add_texts(const lm_report *r, lm_json *j)
{
    lm_json_key(j, "text");
    lm_json_object(j);
    for (size_t i = 0; i < LM_COUNT(live); i++) {
        lm_json_key(j, live[i].key);
        lm_json_string(j, live[i].text[r->language]);
    }
    lm_json_end_object(j);
}

/* Six digits a colour, from the one end to the other. */
static lm_status add_palettes(lm_json *j)
{
    lm_json_key(j, "palette");
    lm_json_object(j);
    for (int k = 0; k < LM_PALETTES; k++) {
        lm_str hex = {0};
        for (int i = 0; i < COLOURS; i++) {
            const double t = (double)i / (COLOURS - 1);
            const lm_rgb c = lm_colour((lm_palette)k, k == LM_PALETTE_SIGNED ? 2 * t - 1 : t);
            lm_str_printf(&hex, "%02x%02x%02x", c.r, c.g, c.b);
        }
        lm_json_key(j, lm_palette_name((lm_palette)k));
        lm_json_string(j, lm_str_text(&hex));
        const lm_status status = hex.status;
        lm_str_free(&hex);
        LM_TRY(status);
    }
    lm_json_end_object(j);
    return LM_OK;
}

static lm_status add_base64(lm_json *j, const char *key, const void *bytes, size_t count)
{
    lm_str text = {0};
    lm_status status = report_base64(bytes, count, &text);
    lm_json_key(j, key);
    lm_json_string(j, lm_str_text(&text));
    lm_str_free(&text);
    return status;
}

/* Numbers as `key`: packed text, and how they were. */
static lm_status add_packed(lm_json *j, const int32_t *number, int width, int height)
{
    lm_str bytes = {0};
    report_code code = REPORT_SIGNED;
    lm_status status = report_pack(number, width, height, &code, &bytes);
    lm_json_key(j, "code");
    lm_json_int(j, code);
    if (status == LM_OK)
        status = add_base64(j, "packed", lm_str_text(&bytes), bytes.count);
    lm_str_free(&bytes);
    return status;
}

static double largest(const lm_finding *f)
{
    double most = 0;
    for (size_t i = 0; i < (size_t)f->width * (size_t)f->height; i++)
        most = isfinite(f->value[i]) ? fmax(most, fabs((double)f->value[i])) : most;
    return most;
}

static lm_status add_map(lm_json *j, const lm_finding *f, int levels)
{
    const size_t n = (size_t)f->width * (size_t)f->height;
    const double step = largest(f) / levels;
    int32_t *number = lm_malloc(n, sizeof *number);
    if (!number)
        return LM_MEMORY;
    for (size_t i = 0; i < n; i++)
        number[i] = step > 0 && isfinite(f->value[i]) ? (int32_t)lround((double)f->value[i] / step) : 0;
    lm_json_key(j, "unit");
    lm_json_number(j, step);
    lm_status status = add_packed(j, number, f->width, f->height);
    lm_free(number);
    return status;
}

/* Shares of the regions in tenths of a per cent: those of the map before it was rounded. */
static lm_status add_regions(lm_json *j, const lm_finding *f)
{
    double share[LM_REGIONS];
    int32_t number[LM_REGIONS];
    int across, down;
    lm_words_regions(f, share, &across, &down);
    for (int i = 0; i < across * down; i++)
        number[i] = (int32_t)lround(1000 * share[i]);
    lm_json_key(j, "regions");
    lm_json_object(j);
    lm_status status = add_packed(j, number, across, down);
    lm_json_end_object(j);
    return status;
}

static lm_status add_result(lm_json *j, const lm_report_result *r, int levels)
{
    const lm_finding *f = &r->finding;
    lm_json_object(j);
    const char *const texts[][2] = {{"method", r->method}, {"target", r->target}, {"about", report_about(f->about)}};
    for (size_t i = 0; i < LM_COUNT(texts); i++) {
        lm_json_key(j, texts[i][0]);
        lm_json_string(j, texts[i][1]);
    }
    const struct {
        const char *key;
        int number;
    } numbers[] = {{"input", r->input}, {"width", f->width}, {"height", f->height}, {"positive", f->positive}};
    for (size_t i = 0; i < LM_COUNT(numbers); i++) {
        lm_json_key(j, numbers[i].key);
        lm_json_int(j, numbers[i].number);
    }
    lm_status status = LM_OK;
    if (f->value && f->about == LM_ABOUT_PICTURE) {
        status = add_map(j, f, levels);
        if (status == LM_OK && !f->tiled)
            status = add_regions(j, f);
    } else if (f->value && f->about != LM_ABOUT_OTHER) {
        lm_json_key(j, "value");
        lm_json_array(j);
        for (int i = 0; i < f->width; i++)
            lm_json_number(j, (double)f->value[i]);
        lm_json_end_array(j);
    }
    if (f->neutral) {
        lm_json_key(j, "neutral");
        lm_json_int(j, 1);
    }
    if (!isnan(f->baseline)) {
        lm_json_key(j, "baseline");
        lm_json_number(j, f->baseline);
    }
    lm_json_end_object(j);
    return status;
}

/* Eight pixels a byte, the first in the highest bit. */
static lm_status add_mask(lm_json *j, const lm_report_sample *s)
{
    const size_t n = (size_t)s->mask_width * (size_t)s->mask_height;
    lm_json_key(j, "mask");
    if (!s->mask) {
        lm_json_null(j);
        return LM_OK;
    }
    uint8_t *bits = lm_calloc((n + 7) / 8, 1);
    if (!bits)
        return LM_MEMORY;
    for (size_t i = 0; i < n; i++)
        bits[i / 8] = (uint8_t)(bits[i / 8] | (s->mask[i] ? 0x80 >> i % 8 : 0));
    lm_json_object(j);
    lm_json_key(j, "width");
    lm_json_int(j, s->mask_width);
    lm_json_key(j, "height");
    lm_json_int(j, s->mask_height);
    lm_status status = add_base64(j, "bits", bits, (n + 7) / 8);
    lm_json_end_object(j);
    lm_free(bits);
    return status;
}

static lm_status add_sample(const report_page *p, lm_json *j, const lm_report_sample *s, int levels)
{
    lm_json_object(j);
    lm_json_key(j, "picture");
    lm_json_array(j);
    for (int i = 0; i < s->inputs; i++)
        if (s->input[i].picture)
            lm_json_int(j, report_picture(p, s->input[i].picture));
        else
            lm_json_null(j);
    lm_json_end_array(j);
    LM_TRY(add_mask(j, s));
    lm_json_key(j, "results");
    lm_json_array(j);
    for (int i = 0; i < s->results; i++)
        LM_TRY(add_result(j, &s->result[i], levels));
    lm_json_end_array(j);
    lm_json_end_object(j);
    return LM_OK;
}

static lm_status add_models(const report_page *p, lm_json *j, int levels)
{
    lm_json_key(j, "models");
    lm_json_array(j);
    for (int m = 0; m < p->r->sections; m++) {
        const lm_report_section *one = &p->r->section[m];
        lm_json_object(j);
        lm_json_key(j, "name");
        lm_json_string(j, one->name ? one->name : one->file);
        lm_json_key(j, "samples");
        lm_json_array(j);
        for (int s = 0; s < one->samples; s++)
            LM_TRY(add_sample(p, j, &one->sample[s], levels));
        lm_json_end_array(j);
        lm_json_end_object(j);
    }
    lm_json_end_array(j);
    return LM_OK;
}

/* Where the page shows no pictures by itself the script draws them: red above green above blue. */
static lm_status add_pictures(const report_page *p, lm_json *j)
{
    lm_json_key(j, "pictures");
    lm_json_array(j);
    for (size_t k = 0; k < p->picture.count; k++) {
        const lm_canvas *c = p->picture.at[k];
        const size_t n = (size_t)c->width * (size_t)c->height;
        lm_json_object(j);
        lm_json_key(j, "width");
        lm_json_int(j, c->width);
        lm_json_key(j, "height");
        lm_json_int(j, c->height);
        if (!report_shows(p)) {
            int32_t *number = lm_malloc(3 * n, sizeof *number);
            if (!number)
                return LM_MEMORY;
            for (size_t i = 0; i < n; i++) {
                number[i] = c->at[i].r;
                number[n + i] = c->at[i].g;
                number[2 * n + i] = c->at[i].b;
            }
            lm_status status = add_packed(j, number, c->width, 3 * c->height);
            lm_free(number);
            LM_TRY(status);
        }
        lm_json_end_object(j);
    }
    lm_json_end_array(j);
    return LM_OK;
}

/* Numbers in all maps. */
static double count_numbers(const lm_report *r)
{
    double n = 0;
    for (int m = 0; m < r->sections; m++)
        for (int s = 0; s < r->section[m].samples; s++)
            for (int i = 0; i < r->section[m].sample[s].results; i++) {
                const lm_finding *f = &r->section[m].sample[s].result[i].finding;
                n += f->about == LM_ABOUT_PICTURE && f->value ? (double)f->width * f->height : 0;
            }
    return n;
}

/* The finest that is worth trying: where even two bits less than the rounding tells would be too many. */
static int first_levels(double numbers)
{
    int levels = FINEST;
    while (levels > COARSEST && numbers * (log2(levels) - 3) / 6 > BUDGET)
        levels /= 2;
    return levels;
}

/* The rest of the object that the models begin. */
static lm_status add_rest(const report_page *p, lm_json *j)
{
    add_texts(p->r, j);
    lm_json_key(j, "first");
    lm_json_number(j, p->r->first);
    lm_json_key(j, "truth");
    lm_json_string(j, p->r->truth ? p->r->truth : report_text_of(p->r->language, REPORT_TRUTH));
    LM_TRY(add_palettes(j));
    LM_TRY(add_pictures(p, j));
    lm_json_end_object(j);
    return j->out->status;
}

lm_status report_data(report_page *p, int *levels)
{
    lm_json j;
    lm_str all = {0};
    lm_status status;
    const double numbers = count_numbers(p->r);
    for (*levels = first_levels(numbers);; *levels /= 2) {
        lm_str_clear(&all);
        lm_json_start(&j, &all);
        lm_json_object(&j);
        status = add_models(p, &j, *levels);
        if (status != LM_OK || all.count <= BUDGET || *levels <= COARSEST)
            break;
    }
    if (status == LM_OK)
        status = add_rest(p, &j);
    if (status == LM_OK)
        status = lm_str_add_bytes(p->out, lm_str_text(&all), all.count);
    lm_str_free(&all);
    *levels = numbers > 0 ? *levels : 0;
    return status;
}
