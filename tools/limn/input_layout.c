/* Where the axes of a picture lie in a model's input. */
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
