/* Arrays that grow along their first axis. How many rows there will be is known, so what stands before the elements is
 * written at once and nothing has to be moved. */
#include "arrays.h"

#include <sys/stat.h>

#include "core/base/mem.h"
#include "core/data/npz.h"
#include "core/tensor/npy.h"

lm_status arrays_open(const char *path, bool archive, int64_t rows, arrays *out)
{
    *out = (arrays){.archive = archive, .rows = rows, .file = {.fd = -1}};
    out->zip.out.fd = -1;
    return archive ? lm_zip_create(path, &out->zip) : lm_out_open(path, &out->file);
}

/* The header of an array with as many rows as all parts have, into its file; room for the elements. */
static lm_status begin(arrays *a, const char *name, lm_dtype type, const lm_shape *part)
{
    lm_shape sh = *part;
    lm_str head = {0}, entry = {0};
    size_t count, bytes;
    sh.dim[0] = a->rows;
    lm_status status = lm_shape_make(sh.rank, sh.dim, &sh);
    if (status == LM_OK)
        status = lm_npy_header(type, &sh, &head);
    if (status == LM_OK && !a->archive)
        status = lm_out_write(&a->file, head.text, head.count);
    if (status == LM_OK && a->archive) {
        lm_zip_room room;
        const bool fits = lm_mul_size((size_t)lm_shape_count(&sh), lm_dtype_size(type), &count) &&
                          lm_add_size(count, head.count, &bytes);
        lm_str_printf(&entry, "%s.npy", name);
        status = !fits ? lm_fail(LM_MEMORY, "array '%s' is too large", name) : entry.status;
        if (status == LM_OK)
            status = lm_zip_reserve(&a->zip, entry.text, bytes, &room);
        if (status == LM_OK)
            status = lm_zip_fill(&a->zip, &room, head.text, head.count);
        if (status == LM_OK)
            status = lm_vec_push(&a->room, room);
    }
    lm_str_free(&head);
    lm_str_free(&entry);
    return status;
}

static lm_status add_rows(arrays *a, const char *name, const lm_view *v)
{
    lm_str head = {0};
    lm_view row = {0};
    lm_status status = lm_npy_parts(v, &head, &row); /* its rows as such files hold them */
    lm_str_free(&head);
    if (status == LM_OK && !a->more)
        status = begin(a, name, row.dt, &row.sh);
    const size_t bytes = status == LM_OK ? (size_t)lm_shape_count(&row.sh) * lm_dtype_size(row.dt) : 0;
    if (status == LM_OK && a->archive)
        status = lm_zip_fill(&a->zip, &a->room.at[a->next], lm_view_data(&row), bytes);
    else if (status == LM_OK)
        status = lm_out_write(&a->file, lm_view_data(&row), bytes);
    lm_buffer_unref(row.buf);
    return status;
}

static lm_status add_all(arrays *a, const char *name, const lm_view *v)
{
    if (a->archive)
        return lm_npz_add(&a->zip, name, v);
    lm_str head = {0};
    lm_view row = {0};
    lm_status status = lm_npy_parts(v, &head, &row);
    if (status == LM_OK)
        status = lm_out_write(&a->file, head.text, head.count);
    if (status == LM_OK)
        status = lm_out_write(&a->file, lm_view_data(&row), (size_t)lm_shape_count(&row.sh) * lm_dtype_size(row.dt));
    lm_buffer_unref(row.buf);
    lm_str_free(&head);
    return status;
}

lm_status arrays_add(arrays *a, const char *name, const lm_view *v)
{
    lm_status status = a->rows ? add_rows(a, name, v) : add_all(a, name, v);
    a->next++;
    return status;
}

void arrays_next_part(arrays *a)
{
    a->more = true;
    a->next = 0;
}

lm_status arrays_commit(arrays *a)
{
    lm_vec_free(&a->room);
    return a->archive ? lm_zip_commit(&a->zip) : lm_out_commit(&a->file);
}

void arrays_drop(arrays *a)
{
    lm_vec_free(&a->room);
    if (a->archive)
        lm_zip_drop(&a->zip);
    else
        lm_out_drop(&a->file);
}

bool arrays_can_grow(const char *path)
{
    struct stat s;
    return stat(path, &s) != 0 || S_ISREG(s.st_mode);
}
