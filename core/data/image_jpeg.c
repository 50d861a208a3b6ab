/* JPEG through libjpeg(-turbo), turned upright. */
#include "core/data/image.h"

#if defined(LM_HAVE_JPEG)

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>
#include <setjmp.h>

#include "core/base/mem.h"

typedef struct work {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    jmp_buf back;
    const char *name;
    uint8_t *row;
    lm_image image;
} work;

/* libjpeg would end the process. */
static void leave(j_common_ptr jpeg)
{
    work *w = jpeg->client_data;
    char what[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, what);
    lm_fail(LM_INPUT, "%s: a broken JPEG: %s; make it anew", w->name, what);
    longjmp(w->back, 1);
}

/* Missing data is a warning to libjpeg, which goes on with grey; a picture that was never seen must not be
 * explained. */
static void mind(j_common_ptr jpeg, int level)
{
    if (level < 0 && (jpeg->err->msg_code == JWRN_JPEG_EOF || jpeg->err->msg_code == JWRN_HIT_MARKER))
        leave(jpeg);
}

static uint32_t number(const uint8_t *at, int bytes, bool little)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint32_t)at[little ? i : bytes - 1 - i] << 8 * i;
    return v;
}

/* EXIF's orientation, 1 to 8; 1 where there is none. */
static int orientation(const struct jpeg_decompress_struct *jpeg)
{
    for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next) {
        const uint8_t *at = m->data, *end = at + m->data_length;
        if (m->marker != JPEG_APP0 + 1 || m->data_length < 20 || memcmp(at, "Exif\0", 6) != 0)
            continue;
        const uint8_t *tiff = at + 6;
        const bool little = *tiff == 'I';
        const uint32_t offset = number(tiff + 4, 4, little);
        if (offset > (uint32_t)(end - tiff) || end - tiff - (ptrdiff_t)offset < 2)
            continue;
        const uint8_t *entry = tiff + offset + 2;
        for (uint32_t n = number(entry - 2, 2, little); n && end - entry >= 12; n--, entry += 12)
            if (number(entry, 2, little) == 0x0112) {
                const uint32_t way = number(entry + 8, 2, little);
                return way >= 1 && way <= 8 ? (int)way : 1;
            }
    }
    return 1;
}

/* Turn upright. By orientation: bit 0 mirrors left and right, bit 1 top and bottom, bit 2 swaps the axes before
 * that. */
static lm_status turn(lm_image *image, int way)
{
    static const uint8_t moves[] = {0, 0, 1, 3, 2, 4, 5, 7, 6};
    const bool mirror_x = moves[way] & 1, mirror_y = moves[way] & 2, swap = moves[way] & 4;
    lm_image fresh;
    if (!moves[way])
        return LM_OK;
    LM_TRY(lm_image_new("picture", swap ? image->height : image->width, swap ? image->width : image->height,
                        image->channels, &fresh));
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            int to_x = swap ? y : x, to_y = swap ? x : y;
            to_x = mirror_x ? fresh.width - 1 - to_x : to_x;
            to_y = mirror_y ? fresh.height - 1 - to_y : to_y;
            const size_t n = (size_t)image->channels;
            memcpy(fresh.at + ((size_t)to_y * (size_t)fresh.width + (size_t)to_x) * n,
                   image->at + ((size_t)y * (size_t)image->width + (size_t)x) * n, n * sizeof *fresh.at);
        }
    lm_image_free(image);
    *image = fresh;
    return LM_OK;
}

/* A row of the file as floats. Inks (four components, stored inverted) become light. */
static void convert(const work *w, const uint8_t *row, float *to)
{
    const int stored = w->jpeg.output_components;
    for (int x = 0; x < w->image.width; x++, row += stored, to += w->image.channels)
        for (int c = 0; c < w->image.channels; c++)
            to[c] = stored == 4 ? (float)((row[c] * row[3] + 127) / 255) : (float)row[c];
}

static lm_status decode(work *w, const void *bytes, size_t count)
{
    struct jpeg_decompress_struct *jpeg = &w->jpeg;
    if (setjmp(w->back))
        return LM_INPUT;
    jpeg_create_decompress(jpeg);
    jpeg_mem_src(jpeg, bytes, (unsigned long)count);
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(jpeg, TRUE);
    const bool inks = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    jpeg->out_color_space = inks ? JCS_CMYK : jpeg->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    LM_TRY(lm_image_new(w->name, jpeg->image_width, jpeg->image_height, jpeg->num_components == 1 ? 1 : 3, &w->image));
    jpeg_start_decompress(jpeg);
    w->row = lm_malloc(jpeg->output_width, (size_t)jpeg->output_components);
    if (!w->row)
        return lm_context(LM_MEMORY, "%s", w->name);
    while (jpeg->output_scanline < jpeg->output_height) {
        float *to = w->image.at + (size_t)jpeg->output_scanline * (size_t)w->image.width * (size_t)w->image.channels;
        JSAMPROW row = w->row;
        jpeg_read_scanlines(jpeg, &row, 1);
        convert(w, w->row, to);
    }
    const int way = orientation(jpeg);
    jpeg_finish_decompress(jpeg);
    return turn(&w->image, way);
}

lm_status lm_jpeg_decode(const void *bytes, size_t count, const char *name, lm_image *out)
{
    work *w = lm_calloc(1, sizeof *w);
    if (!w)
        return LM_MEMORY;
    w->name = name;
    w->jpeg.err = jpeg_std_error(&w->errors);
    w->errors.error_exit = leave;
    w->errors.emit_message = mind;
    w->jpeg.client_data = w;
    lm_status status = decode(w, bytes, count);
    jpeg_destroy_decompress(&w->jpeg);
    lm_free(w->row);
    if (status == LM_OK)
        *out = w->image;
    else
        lm_image_free(&w->image);
    lm_free(w);
    return status;
}

#else

lm_status lm_jpeg_decode(const void *bytes, size_t count, const char *name, lm_image *out)
{
    (void)bytes;
    (void)count;
    (void)out;
    return lm_fail(LM_UNSUPPORTED, "%s: this build reads no JPEG; build it with libjpeg, or give an .npy file", name);
}

#endif
