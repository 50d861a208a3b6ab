/* Casts. Floats to integers truncate, saturate, and take NaN to 0; integers to narrower ones keep the low bits; to bool
 * is "not 0". float16 storage meets the kernels as float32, so it needs none of its own. */
#include "backends/cpu/bind.h"
#include "backends/cpu/elementwise.h"

#define CONVERT(name, to, from, f)                                                                                     \
    static void name(lm_ew *e)                                                                                         \
    {                                                                                                                  \
        const from *p = e->x[0];                                                                                       \
        to *y = e->y;                                                                                                  \
        for (size_t i = 0; i < e->n; i++) {                                                                            \
            from x = p[i];                                                                                             \
            y[i] = (to)(f);                                                                                            \
        }                                                                                                              \
    }

static int64_t to_i64(float x)
{
    if (x != x)
        return 0;
    return x >= 0x1p63f ? INT64_MAX : x < -0x1p63f ? INT64_MIN : (int64_t)x;
}

CONVERT(i64_f32, int64_t, float, to_i64(x))
CONVERT(f32_i64, float, int64_t, x)
CONVERT(f32_f32, float, float, x)
CONVERT(i64_i32, int64_t, int32_t, x)
CONVERT(i64_i8, int64_t, int8_t, x)
CONVERT(i64_u8, int64_t, uint8_t, x)
CONVERT(i64_i64, int64_t, int64_t, x)
CONVERT(i32_i64, int32_t, int64_t, x)
CONVERT(i32_i32, int32_t, int32_t, x)
CONVERT(i32_i8, int32_t, int8_t, x)
CONVERT(i32_u8, int32_t, uint8_t, x)
CONVERT(u8_i64, uint8_t, int64_t, x)
CONVERT(u8_i32, uint8_t, int32_t, x)
CONVERT(u8_u8, uint8_t, uint8_t, x)
CONVERT(bool_i64, uint8_t, int64_t, x != 0)
CONVERT(bool_i32, uint8_t, int32_t, x != 0)
CONVERT(bool_u8, uint8_t, uint8_t, x != 0)

/* [to][from]; what is missing here and in the level's table is left to the reference device */
static const lm_ew_fn plain[LM_DTYPES][LM_DTYPES] = {
    [LM_F32] = {[LM_F32] = f32_f32, [LM_I64] = f32_i64},
    [LM_I64] = {[LM_F32] = i64_f32, [LM_I64] = i64_i64, [LM_I32] = i64_i32, [LM_I8] = i64_i8, [LM_U8] = i64_u8,
                [LM_BOOL] = i64_u8},
    [LM_I32] = {[LM_I64] = i32_i64, [LM_I32] = i32_i32, [LM_I8] = i32_i8, [LM_U8] = i32_u8, [LM_BOOL] = i32_u8},
    [LM_U8] = {[LM_I64] = u8_i64, [LM_I32] = u8_i32, [LM_I8] = u8_u8, [LM_U8] = u8_u8, [LM_BOOL] = u8_u8},
    [LM_I8] = {[LM_I64] = u8_i64, [LM_I32] = u8_i32, [LM_I8] = u8_u8, [LM_U8] = u8_u8, [LM_BOOL] = u8_u8},
    [LM_BOOL] = {[LM_I64] = bool_i64, [LM_I32] = bool_i32, [LM_I8] = bool_u8, [LM_U8] = bool_u8, [LM_BOOL] = u8_u8},
};

lm_status lm_cpu_bind_cast(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    lm_dtype from = call->x[0].dt, to = call->y[0].dt;
    lm_dtype a = lm_ew_is_float(from) ? LM_F32 : from, b = lm_ew_is_float(to) ? LM_F32 : to;
    lm_ew_fn fn = lm_cpu_stream(cpu->level)->convert[b][a];
    if (!fn)
        fn = plain[b][a];
    /* by way of float32 a wide integer would be rounded twice; float16 cannot tell, its numbers end before that */
    if (to == LM_BF16 && (from == LM_I64 || from == LM_I32))
        fn = NULL;
    char what[LM_EW_WHAT];
    return lm_ew_bind(cpu, call, fn, 0, 0, lm_ew_what(what, call->op, to), out);
}
