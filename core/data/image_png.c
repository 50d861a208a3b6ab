/* PNG through libpng. */
#include "core/data/image.h"

#if defined(LM_HAVE_PNG)

#include "core/data/image_png.h"
#include <stdint.h>
#include <string.h>

#include "core/base/mem.h"

typedef struct source {
    const uint8_t *at;
    size_t left;
    const char *name;
} source;

static void take(png_structp png, png_bytep to, size_t count)
{
    source *s = png_get_io_ptr(png);
    if (count > s->left)
        png_error(png, "the file is cut off");
    memcpy(to, s->at, count);
    s->at += count;
    s->left -= count;
}

/* libpng leaves through longjmp; what it said is kept for the message. */
static void complain(png_structp png, png_const_charp what)
{
    const source *s = png_get_error_ptr(png);
    lm_fail(LM_INPUT, "%s: a broken PNG: %s; make it anew", s->name, what);
    png_longjmp(png, 1);
}

/* What a decoder works with; in a struct so that longjmp leaves it alone. */
typedef struct work {
    source from;
    png_structp png;
    png_infop info;
    uint8_t *bytes;
    png_bytepp row;
    lm_image image;
} work;

/* One pixel of `channels` samples, over white where it is transparent. */
static void convert(const work *w, const uint8_t *row, int x, int samples, bool deep, float *to)
{
    float v[4];
    for (int c = 0; c < samples; c++) {
        const size_t i = (size_t)x * (size_t)samples + (size_t)c;
        v[c] = deep ? (float)(row[2 * i] << 8 | row[2 * i + 1]) * (255.0f / 65535.0f) : (float)row[i];
    }
    const int colours = w->image.channels;
    const float alpha = samples > colours ? v[colours] / 255.0f : 1.0f;
    for (int c = 0; c < colours; c++)
        to[c] = alpha < 1 ? v[c] * alpha + 255.0f * (1 - alpha) : v[c];
}

static lm_status decode(work *w)
{
    if (setjmp(png_jmpbuf(w->png)))
        return LM_INPUT;
    png_set_read_fn(w->png, &w->from, take);
    png_set_user_limits(w->png, 0x7fffffff, 0x7fffffff);
    png_read_info(w->png, w->info);
    png_set_expand(w->png);
    const int passes = png_set_interlace_handling(w->png);
    (void)passes;
    png_read_update_info(w->png, w->info);
    const int samples = png_get_channels(w->png, w->info);
    const bool deep = png_get_bit_depth(w->png, w->info) == 16;
    const size_t width = png_get_image_width(w->png, w->info), height = png_get_image_height(w->png, w->info);
    LM_TRY(lm_image_new(w->from.name, (double)width, (double)height, samples < 3 ? 1 : 3, &w->image));
    const size_t pitch = png_get_rowbytes(w->png, w->info);
    w->bytes = lm_malloc(height, pitch);
    w->row = lm_malloc(height, sizeof *w->row);
    if (!w->bytes || !w->row)
        return lm_context(LM_MEMORY, "%s", w->from.name);
    for (size_t y = 0; y < height; y++)
        w->row[y] = w->bytes + y * pitch;
    png_read_image(w->png, w->row);
    png_read_end(w->png, NULL);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            convert(w, w->row[y], (int)x, samples, deep, w->image.at + (y * width + x) * (size_t)w->image.channels);
    return LM_OK;
}

lm_status lm_png_decode(const void *bytes, size_t count, const char *name, lm_image *out)
{
    work w = {.from = {bytes, count, name}};
    w.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &w.from, complain, image_ignore, NULL, image_get_memory, image_give_memory);
    w.info = w.png ? png_create_info_struct(w.png) : NULL;
    lm_status status = w.info ? decode(&w) : lm_context(LM_MEMORY, "%s", name);
    png_destroy_read_struct(&w.png, &w.info, NULL);
    lm_free(w.bytes);
    lm_free(w.row);
    if (status == LM_OK)
        *out = w.image;
    else
        lm_image_free(&w.image);
    return status;
}

#else

lm_status lm_png_decode(const void *bytes, size_t count, const char *name, lm_image *out)
{
    (void)bytes;
    (void)count;
    (void)out;
    return lm_fail(LM_UNSUPPORTED, "%s: this build reads no PNG; build it with libpng, or give an .npy file", name);
}

#endif
