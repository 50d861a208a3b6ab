/* The ONNX messages as tables, which the reader and the writer walk: a field that is in a table is read and written. */
#ifndef LM_MODEL_PROTO_TABLE_H
#define LM_MODEL_PROTO_TABLE_H

#include "core/model/proto.h"

typedef enum onnx_kind {
    ONNX_K_INT32,
    ONNX_K_INT64,
    ONNX_K_FLOAT,
    ONNX_K_NAME,    /* const char *, copied; no zero inside */
    ONNX_K_BYTES,   /* onnx_bytes, copied */
    ONNX_K_SLICE,   /* lm_slice into the file */
    ONNX_K_MESSAGE, /* pointer to a message; repeated: an array of messages */
    ONNX_K_INLINE,  /* a message whose members stand at `at` in the same struct */
    ONNX_K_TYPED,   /* leave undecoded; lm_slice of the message around it */
    ONNX_K_COUNT    /* leave undecoded; size_t, how many */
} onnx_kind;

typedef struct onnx_message onnx_message;

/* Offsets are those of members in the message's struct. */
typedef struct onnx_field {
    uint8_t number; /* in the file */
    uint8_t kind;
    bool repeated;        /* `at` is a pointer to an array and `count_at` its size_t */
    uint8_t flag;         /* not 0: the int32 at `flag_at` becomes this where the field is present */
    uint16_t at, count_at, flag_at;
    const onnx_message *of;
    const char *what; /* for messages to people; NULL where the field goes without saying */
} onnx_field;

struct onnx_message {
    size_t size; /* of the struct */
    const onnx_field *fields;
    size_t n_fields;
    /* After all fields are there: do they agree? May complete what follows from others. NULL: nothing to ask. */
    lm_status (*check)(void *message);
    /* Its name and, NULL for none, its kind, as far as they are known yet. NULL: it has no name. */
    const char *(*name)(const void *message, const char **kind);
};

extern const onnx_message onnx_model_message, onnx_tensor_message, onnx_sequence_message, onnx_optional_message;

#endif
