/* limn/tensor.h: arrays as callers hold them. */
#include <limn/tensor.h>

#include <string.h>

#include "core/api/handle.h"
#include "core/base/mem.h"
#include "core/tensor/npy.h"

lm_status api_tensor(const lm_view *v, limn_tensor *out)
{
    size_t bytes = (size_t)lm_shape_count(&v->sh) * lm_dtype_size(v->dt);
    void *data = v->off == 0 ? lm_buffer_steal(v->buf) : NULL;
    if (!data) {
        data = lm_malloc(bytes, 1);
        if (data && bytes)
            memcpy(data, lm_view_data(v), bytes);
        lm_buffer_unref(v->buf);
        if (!data)
            return LM_MEMORY;
    }
    *out = (limn_tensor){.type = v->dt, .rank = v->sh.rank, .data = data};
    memcpy(out->dim, v->sh.dim, sizeof out->dim);
    return LM_OK;
}

lm_status api_view(const limn_tensor *t, bool bare, lm_view *out)
{
    LM_REQUIRE((unsigned)t->type < LM_DTYPES, LM_INPUT, "%d is no element type", (int)t->type);
    lm_shape shape;
    LM_TRY(lm_shape_make(t->rank, t->dim, &shape));
    size_t bytes = (size_t)lm_shape_count(&shape) * lm_dtype_size(t->type);
    LM_REQUIRE(t->data || bare || bytes == 0, LM_INPUT, "the tensor has no data");
    lm_buffer *b = NULL;
    if (t->data)
        LM_TRY(lm_buffer_wrap(t->data, bytes, &b));
    else if (!bare)
        LM_TRY(lm_buffer_new(0, &b));
    *out = lm_view_row(t->type, &shape, b);
    return LM_OK;
}

limn_status limn_tensor_new(limn_dtype type, int rank, const int64_t *dim, limn_tensor *out)
{
    LM_REQUIRE(out && (dim || rank == 0), LM_USAGE, "limn_tensor_new: a pointer is NULL");
    LM_REQUIRE((unsigned)type < LM_DTYPES, LM_INPUT, "%d is no element type", (int)type);
    lm_shape shape;
    lm_view view;
    LM_TRY(lm_shape_make(rank, dim, &shape));
    LM_TRY(lm_view_new(type, &shape, &view));
    if (view.buf->bytes)
        memset(view.buf->host, 0, view.buf->bytes);
    return api_tensor(&view, out);
}

void limn_tensor_free(limn_tensor *tensor)
{
    if (!tensor)
        return;
    lm_free(tensor->data);
    *tensor = (limn_tensor){0};
}

size_t limn_tensor_count(const limn_tensor *tensor)
{
    size_t count = tensor ? 1 : 0;
    for (int i = 0; tensor && i < tensor->rank; i++)
        count *= (size_t)tensor->dim[i];
    return count;
}

limn_status limn_tensor_load(const char *path, limn_tensor *out)
{
    LM_REQUIRE(path && out, LM_USAGE, "limn_tensor_load: a pointer is NULL");
    lm_view view;
    LM_TRY(lm_npy_read(path, &view));
    return api_tensor(&view, out);
}

limn_status limn_tensor_save(const char *path, const limn_tensor *tensor)
{
    LM_REQUIRE(path && tensor, LM_USAGE, "limn_tensor_save: a pointer is NULL");
    lm_view view;
    LM_TRY(api_view(tensor, false, &view));
    lm_status status = lm_npy_write(path, &view);
    lm_buffer_unref(view.buf);
    return status;
}
