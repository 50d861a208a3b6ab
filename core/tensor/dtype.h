/* Element types inside the library: the public enum under internal names, and conversions of the storage types. */
#ifndef LM_TENSOR_DTYPE_H
#define LM_TENSOR_DTYPE_H

#include <stdbool.h>

#include <limn/types.h>

typedef limn_dtype lm_dtype;

#define LM_F32 LIMN_F32
#define LM_F64 LIMN_F64
#define LM_F16 LIMN_F16
#define LM_BF16 LIMN_BF16
#define LM_I8 LIMN_I8
#define LM_I16 LIMN_I16
#define LM_I32 LIMN_I32
#define LM_I64 LIMN_I64
#define LM_U8 LIMN_U8
#define LM_U16 LIMN_U16
#define LM_U32 LIMN_U32
#define LM_U64 LIMN_U64
#define LM_BOOL LIMN_BOOL
#define LM_DTYPES LIMN_DTYPES

size_t lm_dtype_size(lm_dtype type);
const char *lm_dtype_name(lm_dtype type);

static inline bool lm_dtype_is_float(lm_dtype type)
{
    return type <= LM_BF16;
}

static inline bool lm_dtype_is_signed_int(lm_dtype type)
{
    return type >= LM_I8 && type <= LM_I64;
}

static inline bool lm_dtype_is_unsigned(lm_dtype type)
{
    return type >= LM_U8 && type <= LM_U64;
}

static inline bool lm_dtype_is_int(lm_dtype type)
{
    return type >= LM_I8 && type <= LM_U64;
}

/* Storage conversions, rounding to nearest even; NaN stays NaN. */
float lm_f16_to_f32(uint16_t bits);
uint16_t lm_f32_to_f16(float value);
float lm_bf16_to_f32(uint16_t bits);
uint16_t lm_f32_to_bf16(float value);

/* One element at any address, aligned or not. Reading: exact for every type but 64-bit integers as double. Writing a
 * double rounds once, to nearest even, also into the 16-bit types; into integers it truncates, saturates and makes 0 of
 * NaN; into bool it stores value != 0. Writing an integer keeps its low bits in integer types (uint64 travels as the
 * same bits; `is_unsigned` says how they are meant when the target is a float). */
double lm_load_f64(lm_dtype type, const void *from);
int64_t lm_load_i64(lm_dtype type, const void *from);
void lm_store_f64(lm_dtype type, void *to, double value);
void lm_store_i64(lm_dtype type, void *to, int64_t value, bool is_unsigned);

#endif
