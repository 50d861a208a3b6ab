/* Buffers, and views over them. */
#include "core/tensor/tensor.h"

#include <string.h>

#include "core/base/mem.h"

static void free_owned(lm_buffer *b)
{
    lm_free(b->host);
    lm_free(b);
}

static void free_wrapped(lm_buffer *b)
{
    lm_free(b);
}

lm_status lm_buffer_wrap(void *host, size_t bytes, lm_buffer **out)
{
    lm_buffer *b;
    LM_NEW(b);
    atomic_init(&b->refs, 1);
    b->bytes = bytes;
    b->host = host;
    b->destroy = free_wrapped;
    *out = b;
    return LM_OK;
}

lm_status lm_buffer_new(size_t bytes, lm_buffer **out)
{
    void *host = lm_malloc(bytes, 1);
    if (!host)
        return LM_MEMORY;
    lm_buffer *b;
    if (lm_buffer_wrap(host, bytes, &b) != LM_OK) {
        lm_free(host);
        return LM_MEMORY;
    }
    b->destroy = free_owned;
    *out = b;
    return LM_OK;
}

void *lm_buffer_steal(lm_buffer *b)
{
    if (b->destroy != free_owned || atomic_load_explicit(&b->refs, memory_order_acquire) != 1)
        return NULL;
    void *host = b->host;
    lm_free(b);
    return host;
}

lm_buffer *lm_buffer_ref(lm_buffer *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void lm_buffer_unref(lm_buffer *b)
{
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        b->destroy(b);
}

/* Strides are products of sizes with 1 in place of 0, so that they are the same whichever axis is the empty one. */
static int64_t extent(const lm_shape *s, int axis)
{
    return s->dim[axis] > 0 ? s->dim[axis] : 1;
}

void lm_strides_row(const lm_shape *s, int64_t st[LM_RANK])
{
    int64_t step = 1;
    memset(st, 0, LM_RANK * sizeof st[0]);
    for (int i = s->rank - 1; i >= 0; i--) {
        st[i] = step;
        step *= extent(s, i);
    }
}

void lm_strides_nhwc(const lm_shape *s, int64_t st[LM_RANK])
{
    lm_strides_row(s, st);
    if (s->rank < 3)
        return;
    int64_t step = extent(s, 1);
    st[1] = 1;
    for (int i = s->rank - 1; i >= 2; i--) {
        st[i] = step;
        step *= extent(s, i);
    }
}

lm_view lm_view_row(lm_dtype dt, const lm_shape *s, lm_buffer *buf)
{
    lm_view v = {.dt = dt, .sh = *s, .buf = buf};
    lm_strides_row(s, v.st);
    return v;
}

lm_view lm_view_nhwc(lm_dtype dt, const lm_shape *s, lm_buffer *buf)
{
    lm_view v = {.dt = dt, .sh = *s, .buf = buf};
    lm_strides_nhwc(s, v.st);
    return v;
}

static bool follows(const lm_view *v, const int64_t st[LM_RANK])
{
    bool same = true;
    for (int i = 0; i < v->sh.rank; i++) {
        if (v->sh.dim[i] == 0)
            return true;
        if (v->sh.dim[i] != 1 && v->st[i] != st[i])
            same = false;
    }
    return same;
}

bool lm_view_is_row(const lm_view *v)
{
    int64_t st[LM_RANK];
    lm_strides_row(&v->sh, st);
    return follows(v, st);
}

bool lm_view_is_nhwc(const lm_view *v)
{
    int64_t st[LM_RANK];
    lm_strides_nhwc(&v->sh, st);
    return follows(v, st);
}

/* The furthest elements below and above the first; false when a number wraps. No axis is empty. */
static bool reach(const lm_view *v, int64_t *low, int64_t *high, int *axis)
{
    *low = *high = 0;
    for (int i = 0; i < v->sh.rank; i++) {
        int64_t span;
        *axis = i;
        if (!lm_mul_i64(v->sh.dim[i] - 1, v->st[i], &span))
            return false;
        int64_t *end = span < 0 ? low : high;
        if (__builtin_add_overflow(*end, span, end))
            return false;
    }
    return true;
}

lm_status lm_view_check(const lm_view *v)
{
    int64_t count;
    char text[LM_SHAPE_TEXT];
    size_t size = lm_dtype_size(v->dt);
    LM_REQUIRE(size > 0, LM_INPUT, "a view of the unknown element type %d", (int)v->dt);
    LM_TRY(lm_shape_check(&v->sh, &count));
    LM_REQUIRE(v->buf, LM_INPUT, "a view of shape %s has no buffer", lm_shape_text(&v->sh, text));
    LM_REQUIRE(v->off <= v->buf->bytes, LM_INPUT, "a view of shape %s begins at byte %zu of a buffer of %zu bytes",
               lm_shape_text(&v->sh, text), v->off, v->buf->bytes);
    if (count == 0)
        return LM_OK;
    int64_t low, high;
    int axis = 0;
    LM_REQUIRE(reach(v, &low, &high, &axis), LM_INPUT,
               "a view of shape %s with stride %lld on axis %d spans more than any memory", lm_shape_text(&v->sh, text),
               (long long)v->st[axis], axis);
    uint64_t before = 0 - (uint64_t)low, after = (uint64_t)high + 1;
    LM_REQUIRE(before <= v->off / size && after <= (v->buf->bytes - v->off) / size, LM_INPUT,
               "a view of shape %s at byte %zu reaches outside its buffer of %zu bytes", lm_shape_text(&v->sh, text),
               v->off, v->buf->bytes);
    return LM_OK;
}

lm_status lm_view_new(lm_dtype dt, const lm_shape *s, lm_view *out)
{
    int64_t count;
    size_t bytes;
    char text[LM_SHAPE_TEXT];
    LM_REQUIRE(lm_dtype_size(dt) > 0, LM_INPUT, "a tensor of the unknown element type %d", (int)dt);
    LM_TRY(lm_shape_check(s, &count));
    LM_REQUIRE((uint64_t)count <= SIZE_MAX && lm_mul_size((size_t)count, lm_dtype_size(dt), &bytes), LM_MEMORY,
               "a %s tensor of shape %s does not fit into memory", lm_dtype_name(dt), lm_shape_text(s, text));
    lm_buffer *buf;
    LM_TRY(lm_buffer_new(bytes, &buf));
    *out = lm_view_row(dt, s, buf);
    return LM_OK;
}

bool lm_view_is_aligned(const lm_view *v)
{
    return (uintptr_t)lm_view_data(v) % lm_dtype_size(v->dt) == 0;
}

lm_status lm_view_align(const lm_view *v, lm_view *out)
{
    int64_t low = 0, high = -1;
    int axis;
    LM_TRY(lm_view_check(v));
    if (lm_shape_count(&v->sh) > 0)
        reach(v, &low, &high, &axis);
    const int64_t size = (int64_t)lm_dtype_size(v->dt);
    const size_t bytes = (size_t)((high - low + 1) * size);
    lm_buffer *buf;
    LM_TRY(lm_buffer_new(bytes, &buf));
    memcpy(buf->host, (const char *)lm_view_data(v) + low * size, bytes);
    *out = *v;
    out->buf = buf;
    out->off = (size_t)(-low * size);
    return LM_OK;
}

int64_t lm_view_offset(const lm_view *v, int64_t flat)
{
    int64_t element = 0;
    for (int i = v->sh.rank - 1; i >= 0; i--) {
        element += flat % v->sh.dim[i] * v->st[i];
        flat /= v->sh.dim[i];
    }
    return element * (int64_t)lm_dtype_size(v->dt);
}

static char *element(const lm_view *v, int64_t flat)
{
    return (char *)lm_view_data(v) + lm_view_offset(v, flat);
}

lm_status lm_view_copy(const lm_view *to, const lm_view *from)
{
    char a[LM_SHAPE_TEXT], b[LM_SHAPE_TEXT];
    LM_REQUIRE(to->dt == from->dt && lm_shape_equal(&to->sh, &from->sh), LM_INPUT,
               "cannot copy a %s tensor of shape %s to a %s tensor of shape %s", lm_dtype_name(from->dt),
               lm_shape_text(&from->sh, a), lm_dtype_name(to->dt), lm_shape_text(&to->sh, b));
    LM_REQUIRE(to->buf && from->buf && to->buf->host && from->buf->host, LM_INPUT,
               "cannot copy a tensor of shape %s whose memory is not on the host", lm_shape_text(&from->sh, a));
    int64_t count = lm_shape_count(&to->sh);
    size_t size = lm_dtype_size(to->dt);
    if (count > 0 && lm_view_is_row(to) && lm_view_is_row(from)) {
        memcpy(lm_view_data(to), lm_view_data(from), (size_t)count * size);
        return LM_OK;
    }
    for (int64_t i = 0; i < count; i++)
        memcpy(element(to, i), element(from, i), size);
    return LM_OK;
}

double lm_view_get(const lm_view *v, int64_t flat)
{
    return lm_load_f64(v->dt, element(v, flat));
}

int64_t lm_view_get_i64(const lm_view *v, int64_t flat)
{
    return lm_load_i64(v->dt, element(v, flat));
}

void lm_view_set(const lm_view *v, int64_t flat, double value)
{
    lm_store_f64(v->dt, element(v, flat), value);
}
