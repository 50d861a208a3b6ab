/* Pictures in memory. */
#include "core/data/image.h"

#include <math.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/mem.h"

/* More pixels than cameras and scanners make: what claims more is out to fill the memory. */
static const double most_pixels = 0x1p27;

lm_status lm_image_new(const char *name, double width, double height, int channels, lm_image *out)
{
    LM_REQUIRE(width >= 1 && height >= 1, LM_INPUT,
               "%s: a picture of %.0f x %.0f pixels; give one that shows something", name, width, height);
    LM_REQUIRE(width * height <= most_pixels, LM_MEMORY,
               "%s: %.0f x %.0f pixels are %.0f, and a picture may have %.0f, as %.0f x %.0f; make it smaller", name, width,
               height, width * height, most_pixels, 0x1p14, most_pixels / 0x1p14);
    out->width = (int)width;
    out->height = (int)height;
    out->channels = channels;
    out->at = lm_malloc((size_t)out->width * (size_t)out->height * (size_t)channels, sizeof *out->at);
    return out->at ? LM_OK : lm_context(LM_MEMORY, "%s", name);
}

void lm_image_free(lm_image *image)
{
    lm_free(image->at);
    *image = (lm_image){0};
}

lm_status lm_image_decode(const void *bytes, size_t count, const char *name, lm_image *out)
{
    static const struct {
        const char *magic;
        size_t size;
        lm_status (*decode)(const void *, size_t, const char *, lm_image *);
    } forms[] = {{"\x89PNG\r\n\x1a\n", 8, lm_png_decode}, {"\xff\xd8\xff", 3, lm_jpeg_decode}};
    for (size_t i = 0; i < LM_COUNT(forms); i++)
        if (count >= forms[i].size && memcmp(bytes, forms[i].magic, forms[i].size) == 0)
            return forms[i].decode(bytes, count, name, out);
    return lm_fail(LM_INPUT, "%s: is no PNG and no JPEG picture; convert it to one", name);
}

lm_status lm_image_read(const char *path, lm_image *out)
{
    lm_file file;
    LM_TRY(lm_file_map(path, &file));
    lm_status status = lm_image_decode(file.bytes, file.size, path, out);
    lm_file_unmap(&file);
    return status;
}

lm_status lm_image_channels(lm_image *image, int channels)
{
    lm_image fresh;
    if (image->channels == channels)
        return LM_OK;
    LM_TRY(lm_image_new("picture", image->width, image->height, channels, &fresh));
    const size_t pixels = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < pixels; i++) {
        const float *from = image->at + i * (size_t)image->channels;
        float *to = fresh.at + i * (size_t)channels;
        if (channels == 3)
            to[0] = to[1] = to[2] = from[0];
        else /* in whole numbers of 1/65536, the way 8-bit luma is usually computed */
            to[0] = floorf((19595 * from[0] + 38470 * from[1] + 7471 * from[2] + 0x8000) / 0x10000);
    }
    lm_image_free(image);
    *image = fresh;
    return LM_OK;
}

lm_status lm_image_crop(lm_image *image, int width, int height)
{
    lm_image fresh;
    LM_TRY(lm_image_new("crop", width, height, image->channels, &fresh));
    const size_t n = (size_t)image->channels;
    /* Half a pixel goes to the even neighbour, as those who trained with the usual tools had it. */
    const int left = (int)nearbyint((image->width - width) / 2.0), top = (int)nearbyint((image->height - height) / 2.0);
    const int from = left < 0 ? -left : 0, to = image->width - left < width ? image->width - left : width;
    memset(fresh.at, 0, (size_t)width * (size_t)height * n * sizeof *fresh.at);
    for (int y = 0; y < height; y++) {
        const int row = y + top;
        if (row >= 0 && row < image->height && to > from)
            memcpy(fresh.at + ((size_t)y * (size_t)width + (size_t)from) * n,
                   image->at + ((size_t)row * (size_t)image->width + (size_t)(left + from)) * n,
                   (size_t)(to - from) * n * sizeof *fresh.at);
    }
    lm_image_free(image);
    *image = fresh;
    return LM_OK;
}
