/* Writing PNG through libpng. */
#include "core/data/image.h"

#include "core/base/mem.h"

#if defined(LM_HAVE_PNG)

#include "core/data/image_png.h"

static void put(png_structp png, png_bytep bytes, size_t count)
{
    if (lm_str_add_bytes(png_get_io_ptr(png), bytes, count) != LM_OK)
        png_error(png, "no memory");
}

static void flush(png_structp png)
{
    (void)png;
}

static void complain(png_structp png, png_const_charp what)
{
    lm_fail(LM_MEMORY, "picture: %s", what);
    png_longjmp(png, 1);
}

static lm_status encode(png_structp png, png_infop info, const uint8_t *rgb, int width, int height, const char *about,
                        lm_str *out)
{
    if (setjmp(png_jmpbuf(png)))
        return LM_MEMORY;
    png_set_write_fn(png, out, put, flush);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    /* Heat maps are grains and enlarged dots: neighbours foretell little, and more effort shrinks them little more. */
    png_set_filter(png, 0, PNG_FILTER_NONE);
    png_set_compression_level(png, 1);
    if (about) {
        png_text text = {.compression = PNG_TEXT_COMPRESSION_NONE, .key = (char *)"Description", .text = (char *)about};
        png_set_text(png, info, &text, 1);
    }
    png_write_info(png, info);
    for (int y = 0; y < height; y++)
        png_write_row(png, rgb + 3 * (size_t)width * (size_t)y);
    png_write_end(png, NULL);
    return LM_OK;
}

lm_status lm_png_encode_about(const uint8_t *rgb, int width, int height, const char *about, lm_str *out)
{
    png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, NULL, complain, image_ignore, NULL,
                                                image_get_memory, image_give_memory);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    lm_status status = info ? encode(png, info, rgb, width, height, about, out) : LM_MEMORY;
    png_destroy_write_struct(&png, &info);
    return status;
}

#else

lm_status lm_png_encode_about(const uint8_t *rgb, int width, int height, const char *about, lm_str *out)
{
    (void)rgb;
    (void)width;
    (void)height;
    (void)about;
    (void)out;
    return lm_fail(LM_UNSUPPORTED, "this build writes no PNG; build it with libpng, or write .npy");
}

#endif

lm_status lm_png_encode(const uint8_t *rgb, int width, int height, lm_str *out)
{
    return lm_png_encode_about(rgb, width, height, NULL, out);
}
