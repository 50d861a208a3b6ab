/* Element types: sizes, names, and the conversions between the forms that elements are stored in. */
#include "core/tensor/dtype.h"

#include <math.h>
#include <string.h>

static const struct {
    size_t size;
    const char *name;
} types[LM_DTYPES] = {
    [LM_F32] = {4, "float32"}, [LM_F64] = {8, "float64"}, [LM_F16] = {2, "float16"}, [LM_BF16] = {2, "bfloat16"},
    [LM_I8] = {1, "int8"},     [LM_I16] = {2, "int16"},   [LM_I32] = {4, "int32"},   [LM_I64] = {8, "int64"},
    [LM_U8] = {1, "uint8"},    [LM_U16] = {2, "uint16"},  [LM_U32] = {4, "uint32"},  [LM_U64] = {8, "uint64"},
    [LM_BOOL] = {1, "bool"},
};

size_t lm_dtype_size(lm_dtype type)
{
    return (unsigned)type < LM_DTYPES ? types[type].size : 0;
}

const char *lm_dtype_name(lm_dtype type)
{
    return (unsigned)type < LM_DTYPES ? types[type].name : "?";
}

size_t limn_dtype_size(limn_dtype type)
{
    return lm_dtype_size(type);
}

const char *limn_dtype_name(limn_dtype type)
{
    return lm_dtype_name(type);
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float bits_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float lm_f16_to_f32(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31)
        return bits_float(sign | 0x7F800000 | fraction << 13);
    if (exponent)
        return bits_float(sign | (exponent + 112) << 23 | fraction << 13);
    float magnitude = (float)fraction * 0x1p-24f;
    return sign ? -magnitude : magnitude;
}

uint16_t lm_f32_to_f16(float value)
{
    uint32_t bits = float_bits(value), magnitude = bits & 0x7FFFFFFF;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (magnitude > 0x7F800000)
        return (uint16_t)(sign | 0x7E00 | (magnitude >> 13 & 0x1FF));
    /* 65520 is half-way between the largest half and the next power of two; ties go up to infinity */
    if (magnitude >= 0x477FF000)
        return sign | 0x7C00;
    if (magnitude < 0x38800000) {
        /* below 2^-14 halves are multiples of 2^-24, and so is the float's last place near 0.5 */
        uint32_t shifted = float_bits(bits_float(magnitude) + 0.5f) - float_bits(0.5f);
        return (uint16_t)(sign | shifted);
    }
    uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (rounded - (112u << 23)) >> 13);
}

float lm_bf16_to_f32(uint16_t bits)
{
    return bits_float((uint32_t)bits << 16);
}

uint16_t lm_f32_to_bf16(float value)
{
    uint32_t bits = float_bits(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/* To float by rounding to odd: rounding that once more to a type with at least two bits less gives what rounding the
 * double directly would have given. */
static float odd_float(double value)
{
    float nearest = (float)value;
    if (isnan(value) || isinf(value) || (double)nearest == value || float_bits(nearest) & 1)
        return nearest;
    /* the neighbour on the other side of the value has an odd last bit */
    return nextafterf(nearest, value > (double)nearest ? INFINITY : -INFINITY);
}

/* The same idea for 64-bit integers on their way through double. */
static double odd_double(int64_t value, bool is_unsigned)
{
    bool negative = !is_unsigned && value < 0;
    uint64_t magnitude = negative ? 0 - (uint64_t)value : (uint64_t)value;
    if (magnitude >> 53) {
        uint64_t low = magnitude & 0x7FF;
        magnitude = (magnitude & ~(uint64_t)0x7FF) | (low ? 0x800 : 0);
    }
    return negative ? -(double)magnitude : (double)magnitude;
}

/* Elements lie at any address, so every access is a copy of bytes. */
#define ELEMENT(ctype)                                                                                                 \
    static ctype load_##ctype(const void *from)                                                                        \
    {                                                                                                                  \
        ctype value;                                                                                                   \
        memcpy(&value, from, sizeof value);                                                                            \
        return value;                                                                                                  \
    }                                                                                                                  \
    static void store_##ctype(void *to, ctype value)                                                                   \
    {                                                                                                                  \
        memcpy(to, &value, sizeof value);                                                                              \
    }
ELEMENT(float)
ELEMENT(double)
ELEMENT(uint8_t)
ELEMENT(uint16_t)
ELEMENT(uint32_t)
ELEMENT(uint64_t)
#undef ELEMENT

double lm_load_f64(lm_dtype type, const void *from)
{
    switch (type) {
    case LM_F32: return (double)load_float(from);
    case LM_F64: return load_double(from);
    case LM_F16: return (double)lm_f16_to_f32(load_uint16_t(from));
    case LM_BF16: return (double)lm_bf16_to_f32(load_uint16_t(from));
    case LM_U64: return (double)load_uint64_t(from);
    default: return (double)lm_load_i64(type, from);
    }
}

int64_t lm_load_i64(lm_dtype type, const void *from)
{
    switch (type) {
    case LM_I8: return (int8_t)load_uint8_t(from);
    case LM_I16: return (int16_t)load_uint16_t(from);
    case LM_I32: return (int32_t)load_uint32_t(from);
    case LM_I64: return (int64_t)load_uint64_t(from);
    case LM_U8: return load_uint8_t(from);
    case LM_U16: return load_uint16_t(from);
    case LM_U32: return load_uint32_t(from);
    case LM_U64: return (int64_t)load_uint64_t(from);
    case LM_BOOL: return load_uint8_t(from) != 0;
    default: break;
    }
    int64_t value;
    lm_store_f64(LM_I64, &value, lm_load_f64(type, from));
    return value;
}

/* Truncated and saturated to [least, most]; NaN gives 0. Both bounds are powers of two or one below, so comparing with
 * the bound as a double is exact where it matters. */
static int64_t saturate(double value, int64_t least, int64_t most)
{
    if (isnan(value))
        return 0;
    if (value <= (double)least)
        return least;
    return value >= (double)most ? most : (int64_t)value;
}

static uint64_t saturate_u64(double value)
{
    if (!(value > 0))
        return 0;
    return value >= 0x1p64 ? UINT64_MAX : (uint64_t)value;
}

void lm_store_f64(lm_dtype type, void *to, double value)
{
    switch (type) {
    case LM_F32: store_float(to, (float)value); break;
    case LM_F64: store_double(to, value); break;
    case LM_F16: store_uint16_t(to, lm_f32_to_f16(odd_float(value))); break;
    case LM_BF16: store_uint16_t(to, lm_f32_to_bf16(odd_float(value))); break;
    case LM_I8: store_uint8_t(to, (uint8_t)saturate(value, INT8_MIN, INT8_MAX)); break;
    case LM_I16: store_uint16_t(to, (uint16_t)saturate(value, INT16_MIN, INT16_MAX)); break;
    case LM_I32: store_uint32_t(to, (uint32_t)saturate(value, INT32_MIN, INT32_MAX)); break;
    case LM_I64: store_uint64_t(to, (uint64_t)saturate(value, INT64_MIN, INT64_MAX)); break;
    case LM_U8: store_uint8_t(to, (uint8_t)saturate(value, 0, UINT8_MAX)); break;
    case LM_U16: store_uint16_t(to, (uint16_t)saturate(value, 0, UINT16_MAX)); break;
    case LM_U32: store_uint32_t(to, (uint32_t)saturate(value, 0, UINT32_MAX)); break;
    case LM_U64: store_uint64_t(to, saturate_u64(value)); break;
    case LM_BOOL: store_uint8_t(to, value != 0); break;
    default: break;
    }
}

void lm_store_i64(lm_dtype type, void *to, int64_t value, bool is_unsigned)
{
    if (type == LM_F64) {
        store_double(to, is_unsigned ? (double)(uint64_t)value : (double)value);
        return;
    }
    if (lm_dtype_is_float(type)) {
        lm_store_f64(type, to, odd_double(value, is_unsigned));
        return;
    }
    uint64_t bits = (uint64_t)value;
    switch (lm_dtype_size(type)) {
    case 1: store_uint8_t(to, type == LM_BOOL ? bits != 0 : (uint8_t)bits); break;
    case 2: store_uint16_t(to, (uint16_t)bits); break;
    case 4: store_uint32_t(to, (uint32_t)bits); break;
    default: store_uint64_t(to, bits); break;
    }
}
