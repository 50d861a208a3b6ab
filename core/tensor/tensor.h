/* Buffers and views. A buffer is reference-counted memory of the host or of one device; a view is a value that says
 * how to read one and borrows it: copying a view takes no reference. */
#ifndef LM_TENSOR_TENSOR_H
#define LM_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __cplusplus
#include <atomic>
typedef std::atomic<int> lm_refs;
#else
#include <stdatomic.h>
typedef atomic_int lm_refs;
#endif

#include "core/tensor/dtype.h"
#include "core/tensor/shape.h"

struct lm_device;

/* C++ and C see the same bytes here; only the owner of `refs` touches it, through the functions below. */
typedef struct lm_buffer {
    lm_refs refs;
    size_t bytes;
    void *host;               /* address the CPU may read and write, or NULL */
    struct lm_device *device; /* whose memory it is; NULL: plain host memory */
    void *handle;             /* the device's own word for it */
    bool mapped;              /* a read-only mapping of a file: lm_file_done may give its pages back */
    void (*destroy)(struct lm_buffer *);
} lm_buffer;

/* Plain host memory, aligned to LM_ALIGN, not cleared, one reference. */
lm_status lm_buffer_new(size_t bytes, lm_buffer **out);

/* Borrow memory that outlives the buffer (a file mapping, a caller's array). */
lm_status lm_buffer_wrap(void *host, size_t bytes, lm_buffer **out);

/* The memory of a buffer of lm_buffer_new, which becomes the caller's (lm_free it) together with the only reference;
 * NULL, and nothing happened, when there are other references or the memory is not the buffer's own. */
void *lm_buffer_steal(lm_buffer *b);

lm_buffer *lm_buffer_ref(lm_buffer *b);
void lm_buffer_unref(lm_buffer *b); /* NULL is fine */

/* Element [i0,i1,...] lies at byte off + size * (i0*st[0] + i1*st[1] + ...). Axes are always in ONNX's logical order;
 * the physical order is in the strides alone (there is no layout tag that could disagree with them): row-major when
 * the last axis has stride 1, NHWC when axis 1 has. A stride may be 0 (broadcast) or negative for inputs; outputs
 * never overlap themselves. Constants may lie at any address, as the weights of a file do: whoever reads one checks
 * lm_view_is_aligned or loads through memcpy; all other views are aligned to their type. An optional input that is left
 * out is a view whose `rank` is LM_ABSENT. */
typedef struct lm_view {
    lm_dtype dt;
    lm_shape sh;
    int64_t st[LM_RANK];
    lm_buffer *buf;
    size_t off;
} lm_view;

enum { LM_ABSENT = -1 };

static inline bool lm_view_present(const lm_view *v)
{
    return v->sh.rank != LM_ABSENT;
}

static inline lm_view lm_view_absent(void)
{
    lm_view v;
    memset(&v, 0, sizeof v);
    v.sh.rank = LM_ABSENT;
    return v;
}

/* The first element's address on the host; the buffer must be host-readable. */
static inline void *lm_view_data(const lm_view *v)
{
    return (char *)v->buf->host + v->off;
}

/* Row-major strides. */
void lm_strides_row(const lm_shape *s, int64_t st[LM_RANK]);

/* Channels-last strides: axis 0 outermost, axis 1 innermost, the rest in order. Row-major below rank 3. */
void lm_strides_nhwc(const lm_shape *s, int64_t st[LM_RANK]);

/* A row-major view of the start of `buf` (which may be NULL: a type with strides, as planning needs). */
lm_view lm_view_row(lm_dtype dt, const lm_shape *s, lm_buffer *buf);
lm_view lm_view_nhwc(lm_dtype dt, const lm_shape *s, lm_buffer *buf);

/* Do the strides describe this order without gaps? Axes of size 1 and empty views match any order. */
bool lm_view_is_row(const lm_view *v);
bool lm_view_is_nhwc(const lm_view *v);

/* Bytes from the lowest to just past the highest element, and whether all of it lies inside the buffer. */
lm_status lm_view_check(const lm_view *v);

/* A host tensor with a fresh buffer (row-major). Free with lm_buffer_unref(v.buf). */
lm_status lm_view_new(lm_dtype dt, const lm_shape *s, lm_view *out);

/* Does every element lie at a multiple of its size? */
bool lm_view_is_aligned(const lm_view *v);

/* The same elements with the same strides in a fresh, aligned buffer, which takes only what the view reaches. */
lm_status lm_view_align(const lm_view *v, lm_view *out);

/* Copy elements between host views of equal shape and type, any strides. */
lm_status lm_view_copy(const lm_view *to, const lm_view *from);

/* One element as a double or an int64, by flat row-major index; for tests, attributes and messages, never hot. */
double lm_view_get(const lm_view *v, int64_t flat);
int64_t lm_view_get_i64(const lm_view *v, int64_t flat);
void lm_view_set(const lm_view *v, int64_t flat, double value);

/* Byte offset (from the view's first element) of flat row-major index `flat`. */
int64_t lm_view_offset(const lm_view *v, int64_t flat);

#endif
