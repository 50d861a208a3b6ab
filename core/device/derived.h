/* Constants in the forms that kernels ask for: packed panels, weights with one sign only, transposes. One mechanism for
 * all of them, and one copy of each however many kernels and threads want it.
 *
 * The key is what the constant is (its buffer, offset, type, shape, strides), the form (lm_want without the number of
 * the input), and the device. Entries hold a reference to the constant's buffer, so its address cannot be reused under
 * them; when its content changes, say so with lm_derived_forget. Every call is thread-safe. */
#ifndef LM_DEVICE_DERIVED_H
#define LM_DEVICE_DERIVED_H

#include "core/device/backend.h"

typedef struct lm_derived_cache lm_derived_cache;

/* One derived constant in use. `buf` is valid until lm_derived_put. */
typedef struct lm_derived {
    lm_buffer *buf;
} lm_derived;

lm_status lm_derived_open(lm_derived_cache **out);

/* Nothing may be in use any more, and the devices must still be open. NULL is fine. */
void lm_derived_close(lm_derived_cache *cache);

/* The form `want` of `constant` for `device`, made now unless it is there. May block on the device; two threads
 * that ask for the same form get the same one. When memory is short, forms that nobody uses make room first. */
lm_status lm_derived_get(lm_derived_cache *cache, lm_device *device, const lm_view *constant, const lm_want *want,
                         const lm_derived **out);

/* A constant of the host that is not aligned to its type, with the same strides where it is; made once too. `off`:
 * where its first element lies in the buffer. */
lm_status lm_derived_align(lm_derived_cache *cache, const lm_view *constant, const lm_derived **out, size_t *off);

/* Give back what lm_derived_get handed out; it stays cached. */
void lm_derived_put(lm_derived_cache *cache, const lm_derived *derived);

/* Bytes held, in use or not. */
size_t lm_derived_bytes(lm_derived_cache *cache);

/* Drop forms that nobody uses, the one given back longest ago first, until at most `keep` bytes are held. Hands
 * back the bytes that went. */
size_t lm_derived_evict(lm_derived_cache *cache, size_t keep);

/* The content of `constant` has changed or its owner is done with it: later requests derive anew. Forms in use stay
 * valid. */
void lm_derived_forget(lm_derived_cache *cache, const lm_buffer *constant);

#endif
