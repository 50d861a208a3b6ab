/* The wire format of protocol buffers: a cursor that never leaves its bytes, and a writer that appends to a text.
 * Lengths are 64-bit, so that a message may be larger than 2 GiB. Failures are LM_INPUT and say what is wrong and at
 * which byte of the message. */
#ifndef LM_MODEL_PB_H
#define LM_MODEL_PB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/str.h"

/* Borrowed bytes. */
typedef struct lm_slice {
    const uint8_t *at;
    size_t count;
} lm_slice;

/* How a field is stored. The two kinds of group (3, 4), which ONNX never used, are refused. */
typedef enum lm_pb_wire { LM_PB_VARINT = 0, LM_PB_FIXED64 = 1, LM_PB_BYTES = 2, LM_PB_FIXED32 = 5 } lm_pb_wire;

/* Messages inside messages: 64 graphs in each other, with the node and the attribute between them, and what stands
 * inside the last. Who decodes recursively counts up to this. */
enum { LM_PB_DEPTH = 3 * 64 + 8 };

/* What is left of one message. */
typedef struct lm_pb {
    const uint8_t *begin, *at, *end;
} lm_pb;

typedef struct lm_pb_field {
    uint32_t number;
    lm_pb_wire wire;
    uint64_t value; /* varint, fixed32, fixed64: the bits */
    lm_slice bytes; /* LM_PB_BYTES: the content */
    lm_slice whole; /* the field as it stands, tag included */
} lm_pb_field;

static inline lm_pb lm_pb_over(lm_slice message)
{
    return (lm_pb){message.at, message.at, message.count ? message.at + message.count : message.at};
}

static inline bool lm_pb_more(const lm_pb *pb)
{
    return pb->at < pb->end;
}

/* The next field whole, whatever it is; for use while lm_pb_more. A caller skips what it does not know by doing
 * nothing with it. */
lm_status lm_pb_next(lm_pb *pb, lm_pb_field *out);

lm_status lm_pb_varint(lm_pb *pb, uint64_t *out);

/* Repeated numbers come one per field or packed into one field; `each` is the wire type of one number. Count those in
 * a field (LM_INPUT when the field is stored in neither way), then read them: lm_pb_numbers gives a cursor for
 * lm_pb_number. */
lm_status lm_pb_count(const lm_pb_field *field, lm_pb_wire each, size_t *count);
lm_pb lm_pb_numbers(const lm_pb_field *field);
lm_status lm_pb_number(lm_pb *pb, lm_pb_wire each, uint64_t *out);

/* Writing. Failures stick to the text. A negative int64 is passed as its 64 bits, a float as its 32. */
size_t lm_pb_varint_bytes(uint64_t value);
void lm_pb_put_varint(lm_str *out, uint64_t value);
void lm_pb_put_tag(lm_str *out, uint32_t number, lm_pb_wire wire);
void lm_pb_put_number(lm_str *out, uint32_t number, lm_pb_wire wire, uint64_t value);
void lm_pb_put_bytes(lm_str *out, uint32_t number, const void *bytes, size_t count);

#endif
