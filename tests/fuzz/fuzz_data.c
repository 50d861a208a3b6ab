/* Any bytes as a .npy file, a .npz file, a table, an IDX file and a picture: read or refused with a message, and
 * nothing is kept. The first byte says which; without it a mutator would have to hit the formats' first bytes. */
#include <stdlib.h>

#include "core/data/csv.h"
#include "core/data/idx.h"
#include "core/data/image.h"
#include "core/data/npz.h"
#include "core/tensor/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep_nothing(lm_status status, lm_view v)
{
    if (status == LM_OK)
        lm_buffer_unref(v.buf);
    else if (!*lm_message())
        abort();
}

static void read_npy(const uint8_t *data, size_t size)
{
    lm_view v = {0};
    keep_nothing(lm_npy_parse(data, size, "x.npy", &v), v);
}

static void read_npz(const uint8_t *data, size_t size)
{
    lm_npz *npz;
    if (lm_npz_open_bytes(data, size, "x.npz", &npz) != LM_OK)
        return;
    for (int i = 0; i < lm_npz_count(npz); i++) {
        lm_view v = {0};
        keep_nothing(lm_npz_read(npz, i, &v), v);
    }
    lm_npz_close(npz);
}

static void read_csv(const uint8_t *data, size_t size)
{
    lm_csv *csv;
    lm_view v = {0};
    if (lm_csv_parse(data, size, "x.csv", NULL, &csv) != LM_OK)
        return;
    keep_nothing(lm_csv_numbers(csv, 0, lm_csv_rows(csv), NULL, &v), v);
    lm_csv_free(csv);
}

static void read_idx(const uint8_t *data, size_t size)
{
    lm_view v = {0};
    keep_nothing(lm_idx_parse(data, size, "x-idx3-ubyte", &v), v);
}

static void read_image(const uint8_t *data, size_t size)
{
    lm_image image = {0};
    if (lm_image_decode(data, size, "x.png", &image) == LM_OK)
        lm_image_free(&image);
    else if (!*lm_message())
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const read[])(const uint8_t *, size_t) = {read_npy, read_npz, read_csv, read_idx, read_image};
    if (!size)
        return 0;
    size_t before = lm_mem_count().live;
    lm_mem_cap((size_t)64 << 20);
    read[*data % LM_COUNT(read)](data + 1, size - 1);
    if (lm_mem_count().live != before)
        abort();
    return 0;
}
