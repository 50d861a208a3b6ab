/* Pictures in memory. */
#include "core/draw/canvas.h"

#include "core/base/mem.h"

lm_status lm_canvas_new(int width, int height, lm_rgb ground, lm_canvas *out)
{
    LM_REQUIRE(width > 0 && height > 0 && (int64_t)width * height <= INT32_MAX, LM_USAGE,
               "a picture of %d x %d pixels; make it smaller", width, height);
    *out = (lm_canvas){width, height, lm_malloc((size_t)width * (size_t)height, sizeof *out->at)};
    if (!out->at)
        return LM_MEMORY;
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++)
        out->at[i] = ground;
    return LM_OK;
}

void lm_canvas_free(lm_canvas *c)
{
    lm_free(c->at);
    *c = (lm_canvas){0};
}
