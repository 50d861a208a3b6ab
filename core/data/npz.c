/* Arrays by name; see npz.h. Entries that are no .npy files are passed over. */
#include "core/data/npz.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/tensor/npy.h"

struct lm_npz {
    lm_file file; /* {0} when the bytes are the caller's */
    lm_zip zip;
    char *path;
    LM_VEC(struct array {
        const lm_zip_entry *entry;
        char *name; /* in the archive's arena */
    }) array;
};

static lm_status list_arrays(lm_npz *npz)
{
    for (size_t i = 0; i < npz->zip.entry.count; i++) {
        const lm_zip_entry *e = &npz->zip.entry.at[i];
        size_t length = strlen(e->name);
        if (length <= 4 || strcmp(e->name + length - 4, ".npy") != 0)
            continue;
        char *name = lm_arena_strdup(&npz->zip.arena, e->name);
        if (!name)
            return LM_MEMORY;
        name[length - 4] = 0;
        LM_TRY(lm_vec_push(&npz->array, (struct array){e, name}));
    }
    LM_REQUIRE(npz->array.count > 0, LM_INPUT, "%s holds no array", npz->path);
    return LM_OK;
}

static lm_status open_bytes(lm_npz *npz, const void *bytes, size_t count, const char *name)
{
    npz->path = lm_strdup(name);
    if (!npz->path)
        return LM_MEMORY;
    LM_TRY(lm_zip_open(bytes, count, npz->path, &npz->zip));
    return list_arrays(npz);
}

lm_status lm_npz_open_bytes(const void *bytes, size_t count, const char *name, lm_npz **out)
{
    lm_npz *npz;
    LM_NEW(npz);
    lm_status status = open_bytes(npz, bytes, count, name);
    if (status == LM_OK)
        *out = npz;
    else
        lm_npz_close(npz);
    return status;
}

lm_status lm_npz_open(const char *path, lm_npz **out)
{
    lm_file file;
    LM_TRY(lm_file_map(path, &file));
    lm_npz *npz;
    lm_status status = lm_npz_open_bytes(file.bytes, file.size, path, &npz);
    if (status != LM_OK) {
        lm_file_unmap(&file);
        return status;
    }
    npz->file = file;
    *out = npz;
    return LM_OK;
}

void lm_npz_close(lm_npz *npz)
{
    if (!npz)
        return;
    lm_vec_free(&npz->array);
    lm_zip_close(&npz->zip);
    lm_file_unmap(&npz->file);
    lm_free(npz->path);
    lm_free(npz);
}

int lm_npz_count(const lm_npz *npz)
{
    return (int)npz->array.count;
}

const char *lm_npz_name(const lm_npz *npz, int i)
{
    return npz->array.at[i].name;
}

int lm_npz_find(const lm_npz *npz, const char *name)
{
    for (size_t i = 0; i < npz->array.count; i++)
        if (strcmp(npz->array.at[i].name, name) == 0)
            return (int)i;
    return -1;
}

lm_status lm_npz_read(const lm_npz *npz, int i, lm_view *out)
{
    const lm_zip_entry *e = npz->array.at[i].entry;
    const uint8_t *bytes;
    size_t count;
    void *owned;
    LM_TRY(lm_zip_content(&npz->zip, e, &bytes, &count, &owned));
    lm_status status = lm_context(lm_npy_parse(bytes, count, e->name, out), "%s", npz->path);
    lm_free(owned);
    return status;
}

lm_status lm_npz_add(lm_zip_out *zip, const char *name, const lm_view *v)
{
    lm_str file = {0}, header = {0};
    lm_view row = {0};
    lm_status status = lm_str_printf(&file, "%s.npy", name);
    if (status == LM_OK)
        status = lm_npy_parts(v, &header, &row);
    if (status == LM_OK)
        status = lm_zip_add(zip, file.text, header.text, header.count, lm_view_data(&row),
                            (size_t)lm_shape_count(&row.sh) * lm_dtype_size(row.dt));
    lm_buffer_unref(row.buf);
    lm_str_free(&header);
    lm_str_free(&file);
    return status;
}
