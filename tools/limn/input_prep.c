/* How a model wants its pictures, by its own account: Limn's words, ONNX's keys for pictures, or the
 * preprocessor_config.json of Hugging Face. */
#include <string.h>

#include "core/data/resample.h"
#include "input_inside.h"
#include "subject.h"

#ifdef LM_HAVE_TOKENS
#include <cjson/cJSON.h>
#endif

/* The keys that ONNX has for models of pictures. */
static const struct {
    const char *value;
    double scale, mean; /* mean: after scaling */
} ranges[] = {{"NominalRange_0_255", 1, 0},
              {"Normalized_0_1", 1 / 255.0, 0},
              {"Normalized_1_1", 2 / 255.0, 1},
              {"NominalRange_16_235", 219 / 255.0, -16}};

static lm_status from_keys(const limn_model *m, lm_prep *p, bool *scale_told)
{
    const char *format = model_metadata(m, "Image.BitmapPixelFormat"),
               *range = model_metadata(m, "Image.NominalPixelRange");
    p->bgr = format && strncmp(format, "Bgr", 3) == 0;
    for (size_t i = 0; range && i < LM_COUNT(ranges); i++)
        if (strcmp(ranges[i].value, range) == 0) {
            *scale_told = true;
            p->scale = ranges[i].scale;
            p->mean[0] = p->mean[1] = p->mean[2] = ranges[i].mean;
        }
    if (range && !*scale_told)
        lm_log(LM_LOG_WARN,
               "the model's metadata 'Image.NominalPixelRange' is '%.99s', which is not known; say it with --prep",
               range);
    return LM_OK;
}

#ifdef LM_HAVE_TOKENS
static bool flag(const cJSON *o, const char *key)
{
    const cJSON *f = cJSON_GetObjectItemCaseSensitive(o, key);
    return !f || cJSON_IsTrue(f);
}

static int pixels(const cJSON *n)
{
    return cJSON_IsNumber(n) && n->valuedouble >= 1 && n->valuedouble <= 32768 ? (int)n->valuedouble : 0;
}

/* 224, {"shortest_edge": 256} or {"height": 224, "width": 224}. */
static void size_of(const cJSON *size, int *side, int *width, int *height)
{
    *side = pixels(size) ? pixels(size) : pixels(cJSON_GetObjectItemCaseSensitive(size, "shortest_edge"));
    *width = pixels(cJSON_GetObjectItemCaseSensitive(size, "width"));
    *height = pixels(cJSON_GetObjectItemCaseSensitive(size, "height"));
}

static bool three(const cJSON *list, double out[3])
{
    for (int i = 0; i < 3; i++) {
        const cJSON *n = cJSON_GetArrayItem(list, cJSON_GetArraySize(list) == 1 ? 0 : i);
        if (!cJSON_IsNumber(n))
            return false;
        out[i] = n->valuedouble;
    }
    return true;
}

static bool read_config(const cJSON *o, lm_prep *p)
{
    /* by the numbers that PIL has for filters */
    static const int filters[] = {LM_FILTER_NEAREST, -1, LM_FILTER_BILINEAR, LM_FILTER_BICUBIC, LM_FILTER_AREA};
    const cJSON *filter = cJSON_GetObjectItemCaseSensitive(o, "resample"),
                *factor = cJSON_GetObjectItemCaseSensitive(o, "rescale_factor");
    if (flag(o, "do_resize")) {
        size_of(cJSON_GetObjectItemCaseSensitive(o, "size"), &p->side, &p->width, &p->height);
        const int f = cJSON_IsNumber(filter) && filter->valuedouble >= 0 && filter->valuedouble < 5
                          ? (int)filter->valuedouble
                          : 2;
        if (filters[f] < 0)
            return false;
        p->filter = (lm_filter)filters[f];
    }
    const cJSON *rate = cJSON_GetObjectItemCaseSensitive(o, "sampling_rate");
    if (cJSON_IsNumber(rate) && rate->valuedouble >= 1 && rate->valuedouble <= LM_RATE_MOST)
        p->rate = (int)rate->valuedouble;
    const cJSON *crop = cJSON_GetObjectItemCaseSensitive(o, "crop_size");
    if (crop && flag(o, "do_center_crop")) {
        int side;
        size_of(crop, &side, &p->crop_width, &p->crop_height);
        if (side)
            p->crop_width = p->crop_height = side;
    }
    if (flag(o, "do_rescale"))
        p->scale = cJSON_IsNumber(factor) ? factor->valuedouble : 1 / 255.0;
    const cJSON *mean = cJSON_GetObjectItemCaseSensitive(o, "image_mean"),
                *std = cJSON_GetObjectItemCaseSensitive(o, "image_std");
    if (!mean || !std || !flag(o, "do_normalize"))
        return true;
    return three(mean, p->mean) && three(std, p->std) && p->std[0] != 0 && p->std[1] != 0 && p->std[2] != 0;
}

static bool from_config(const char *text, lm_prep *p)
{
    cJSON *o = cJSON_Parse(text);
    const bool good = cJSON_IsObject(o) && read_config(o, p);
    cJSON_Delete(o);
    return good;
}
#else
static bool from_config(const char *text, lm_prep *p)
{
    (void)text;
    (void)p;
    return false;
}
#endif

lm_status picture_prep(const reader *r, lm_prep *out, bool *scale_told)
{
    const char *text = r->cmd->option[OPT_prep], *own = model_metadata(r->m, "limn.prep"),
               *config = model_metadata(r->m, "preprocessor_config");
    *out = LM_PREP_NONE;
    r->out->prep_asked = true;
    *scale_told = text || own;
    if (text)
        return lm_prep_parse(text, out);
    if (own)
        return lm_context(lm_prep_parse(own, out), "the model's metadata 'limn.prep'");
    lm_prep p = LM_PREP_NONE;
    if (config && from_config(config, &p)) {
        *out = p;
        *scale_told = true;
        return LM_OK;
    }
    if (config)
        lm_log(LM_LOG_WARN, "the model's metadata 'preprocessor_config' cannot be used; say it with --prep");
    return from_keys(r->m, out, scale_told);
}
