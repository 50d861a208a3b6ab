/* Pictures: PNG and JPEG files as numbers, resized, cropped. */
#ifndef LM_DATA_IMAGE_H
#define LM_DATA_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/str.h"

/* Rows from the top, pixels from the left, channels side by side: at[(y * width + x) * channels + c], from 0 to 255
 * whatever the depth of the file was. */
typedef struct lm_image {
    int width, height, channels; /* channels: 1 (grey) or 3 (red, green, blue) */
    float *at;
} lm_image;

/* Read a file by what it holds, not by its name. Transparency is laid over white; palettes are resolved; a JPEG is
 * turned as its EXIF data says. LM_INPUT for what is no picture or is broken; LM_MEMORY for one of more pixels than any
 * honest one has; LM_UNSUPPORTED where the build lacks the decoder. */
lm_status lm_image_read(const char *path, lm_image *out);
lm_status lm_image_decode(const void *bytes, size_t count, const char *name, lm_image *out);
void lm_image_free(lm_image *image); /* {0} is fine */

/* Grey as three equal channels, or colour as luma (0.299, 0.587, 0.114), rounded as an 8-bit picture would be. */
lm_status lm_image_channels(lm_image *image, int channels);

/* How a pixel of the new size is made of old ones. Filters are stretched when a picture shrinks, so that nothing
 * aliases; AREA averages the pixels that a new one covers; NEAREST takes the one under its middle. */
typedef enum lm_filter {
    LM_FILTER_BILINEAR,
    LM_FILTER_BICUBIC,
    LM_FILTER_AREA,
    LM_FILTER_NEAREST,
    LM_FILTERS
} lm_filter;
lm_status lm_image_resize(lm_image *image, int width, int height, lm_filter filter);

/* The middle; sides that are shorter than asked are filled with zeros. */
lm_status lm_image_crop(lm_image *image, int width, int height);

/* image_write.c: the bytes of a PNG file of rows of red, green and blue; equal pictures give equal bytes.
 * LM_UNSUPPORTED in a build without libpng. */
lm_status lm_png_encode(const uint8_t *rgb, int width, int height, lm_str *out);

/* With a line of text in it, under "Description". */
lm_status lm_png_encode_about(const uint8_t *rgb, int width, int height, const char *about, lm_str *out);

/* image_png.c, image_jpeg.c: the decoders. */
lm_status lm_png_decode(const void *bytes, size_t count, const char *name, lm_image *out);
lm_status lm_jpeg_decode(const void *bytes, size_t count, const char *name, lm_image *out);

/* Room for a picture of this size. */
lm_status lm_image_new(const char *name, double width, double height, int channels, lm_image *out);

#endif
