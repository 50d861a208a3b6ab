/* limn/types.h - element types and the rank limit shared by every part of the interface. */
#ifndef LIMN_TYPES_H
#define LIMN_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include <limn/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Tensors have at most this many axes; a model that needs more is refused by name. */
#define LIMN_RANK 8

/* Element types. Bool is one byte holding 0 or 1. float16 and bfloat16 are storage types: arithmetic on them is done
 * in float32 and rounded once, to nearest even, when stored. */
typedef enum limn_dtype {
    LIMN_F32,
    LIMN_F64,
    LIMN_F16,
    LIMN_BF16,
    LIMN_I8,
    LIMN_I16,
    LIMN_I32,
    LIMN_I64,
    LIMN_U8,
    LIMN_U16,
    LIMN_U32,
    LIMN_U64,
    LIMN_BOOL,
    LIMN_DTYPES
} limn_dtype;

/* Bytes of one element; 0 for a value that is no element type. */
LIMN_API size_t limn_dtype_size(limn_dtype type);

/* "float32", "int64", ...; "?" for a value that is no element type. */
LIMN_API const char *limn_dtype_name(limn_dtype type);

#ifdef __cplusplus
}
#endif
#endif
