/* What libpng is given by its reader and its writer here: no warnings, and memory that is counted. */
#ifndef LM_DATA_IMAGE_PNG_H
#define LM_DATA_IMAGE_PNG_H

#include <png.h>

#include "core/base/mem.h"

static inline void image_ignore(png_structp png, png_const_charp what)
{
    (void)png;
    (void)what;
}

static inline png_voidp image_get_memory(png_structp png, png_alloc_size_t bytes)
{
    (void)png;
    return lm_malloc(bytes, 1);
}

static inline void image_give_memory(png_structp png, png_voidp memory)
{
    (void)png;
    lm_free(memory);
}

#endif
