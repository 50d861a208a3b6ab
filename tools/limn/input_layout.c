/* Where the axes of a picture lie in a model's input, and how the model wants pictures prepared. */
#include <string.h>

#include "core/api/handle.h"
#include "core/base/nearest.h"
#include "input_inside.h"
#include "subject.h"

static bool is_channels(int64_t n)
{
    return n == 1 || n == 3;
}

/* Of [N,C,H,W] and [N,H,W,C]: the latter when the last axis looks like channels and axis 1 does not. */
static bool channels_last(const limn_port *p)
{
    return is_channels(p->dim[3]) && !is_channels(p->dim[1]);
}

lm_status picture_axes_find(const limn_port *p, layout wanted, const char *source, picture_axes *out)
{
    LM_REQUIRE(wanted != LAYOUT_NLC, LM_USAGE, "--layout nlc: is for series; pictures are nchw or nhwc");
    const bool numbers = limn_dtype_size(p->type) > 0 && p->type != LIMN_BOOL && p->type != LIMN_DTYPES;
    bool fits = numbers;
    if (p->rank < 0 || p->rank == 4) {
        const bool last = wanted == LAYOUT_NHWC || (wanted == LAYOUT_AUTO && p->rank == 4 && channels_last(p));
        *out = last ? (picture_axes){3, 1, 2, true, true} : (picture_axes){1, 2, 3, false, true};
        fits &= p->rank < 0 || p->dim[out->channel] < 0 || is_channels(p->dim[out->channel]);
    } else if (p->rank == 3 && p->dim[0] == 3) {
        *out = (picture_axes){0, 1, 2, false, false};
    } else if (p->rank == 3 && p->dim[2] == 3 && p->dim[0] > 3) {
        *out = (picture_axes){2, 0, 1, true, false};
    } else if (p->rank == 3) {
        *out = (picture_axes){-1, 1, 2, false, true};
    } else {
        fits = false;
    }
    if (fits)
        return LM_OK;
    lm_str text = {0};
    port_text(p, &text);
    lm_fail(LM_INPUT,
            "%s: is a picture, but input '%s' takes %s, no picture of 1 or 3 channels; give it as .npy, .npz or .csv",
            source, p->name, lm_str_text(&text));
    lm_str_free(&text);
    return LM_INPUT;
}

static const char *metadata(const limn_model *m, const char *key)
{
    const onnx_model *o = lm_model_onnx(m->model);
    for (size_t i = 0; i < o->n_metadata; i++)
        if (strcmp(o->metadata[i].key, key) == 0)
            return o->metadata[i].value;
    return NULL;
}

/* The keys that ONNX has for models of pictures. */
static const struct {
    const char *value;
    double scale, mean; /* mean: after scaling */
} ranges[] = {{"NominalRange_0_255", 1, 0},
              {"Normalized_0_1", 1 / 255.0, 0},
              {"Normalized_1_1", 2 / 255.0, 1},
              {"NominalRange_16_235", 219 / 255.0, -16}};

static lm_status from_metadata(const limn_model *m, lm_prep *p, bool *scale_told)
{
    const char *own = metadata(m, "limn.prep"), *format = metadata(m, "Image.BitmapPixelFormat"),
               *range = metadata(m, "Image.NominalPixelRange");
    if (own) {
        *scale_told = true;
        return lm_context(lm_prep_parse(own, p), "the model's metadata 'limn.prep'");
    }
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

lm_status picture_prep(const reader *r, lm_prep *out, bool *scale_told)
{
    const char *text = r->cmd->option[OPT_prep];
    *out = LM_PREP_NONE;
    *scale_told = text != NULL;
    return text ? lm_prep_parse(text, out) : from_metadata(r->m, out, scale_told);
}
