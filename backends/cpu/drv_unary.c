/* Elementwise ops of one operand, and their derivatives. */
#include "backends/cpu/bind.h"
#include "backends/cpu/elementwise.h"

#include <string.h>

/* Kernels of types whose arithmetic needs no vectors by hand. */
#define COPY(type, name)                                                                                               \
    static void name(lm_ew *e)                                                                                         \
    {                                                                                                                  \
        memmove(e->y, e->x[0], e->n * sizeof(type));                                                                   \
    }
COPY(uint8_t, copy_1)
COPY(float, copy_4)
COPY(int64_t, copy_8)

/* Unsigned arithmetic wraps; the lowest number stays as it is. */
#define INTEGER(name, type, utype, f)                                                                                  \
    static void name(lm_ew *e)                                                                                         \
    {                                                                                                                  \
        const type *p = e->x[0];                                                                                       \
        type *y = e->y;                                                                                                \
        for (size_t i = 0; i < e->n; i++) {                                                                            \
            type x = p[i];                                                                                             \
            y[i] = (type)(f);                                                                                          \
        }                                                                                                              \
    }
INTEGER(not_bool, uint8_t, uint8_t, !x)
INTEGER(neg_i32, int32_t, uint32_t, 0u - (uint32_t)x)
INTEGER(neg_i64, int64_t, uint64_t, 0u - (uint64_t)x)
INTEGER(abs_i32, int32_t, uint32_t, x < 0 ? 0u - (uint32_t)x : (uint32_t)x)
INTEGER(abs_i64, int64_t, uint64_t, x < 0 ? 0u - (uint64_t)x : (uint64_t)x)
INTEGER(sign_i32, int32_t, uint32_t, (x > 0) - (x < 0))
INTEGER(sign_i64, int64_t, uint64_t, (x > 0) - (x < 0))
INTEGER(bitnot_8, uint8_t, uint8_t, ~x)
INTEGER(bitnot_i32, int32_t, uint32_t, ~x)
INTEGER(bitnot_i64, int64_t, uint64_t, ~x)

static const struct {
    lm_opid op;
    lm_dtype dt;
    lm_ew_fn fn;
} integer[] = {
    {LM_OP_NOT, LM_BOOL, not_bool},     {LM_OP_NEG, LM_I32, neg_i32},       {LM_OP_NEG, LM_I64, neg_i64},
    {LM_OP_ABS, LM_I32, abs_i32},       {LM_OP_ABS, LM_I64, abs_i64},       {LM_OP_SIGN, LM_I32, sign_i32},
    {LM_OP_SIGN, LM_I64, sign_i64},     {LM_OP_BITNOT, LM_U8, bitnot_8},    {LM_OP_BITNOT, LM_I8, bitnot_8},
    {LM_OP_BITNOT, LM_I32, bitnot_i32}, {LM_OP_BITNOT, LM_I64, bitnot_i64},
};

static lm_ew_fn copy_of(lm_dtype dt)
{
    switch (lm_ew_is_float(dt) ? sizeof(float) : lm_dtype_size(dt)) {
    case 1: return copy_1;
    case 4: return copy_4;
    case 8: return copy_8;
    default: return NULL;
    }
}

lm_status lm_cpu_bind_unary(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    static const lm_attr_act none = {0};
    lm_dtype dt = call->x[0].dt;
    const lm_attr_act *a = lm_ops[call->op].attrs == LM_ATTR_act ? &call->a->act : &none;
    lm_ew_fn fn = NULL;
    if (call->op == LM_OP_IDENTITY)
        fn = copy_of(dt);
    else if (lm_ew_is_float(dt))
        fn = lm_cpu_stream(cpu->level)->ew[call->op];
    for (size_t i = 0; i < LM_COUNT(integer); i++)
        if (integer[i].op == call->op && integer[i].dt == dt)
            fn = integer[i].fn;
    char what[LM_EW_WHAT];
    return lm_ew_bind(cpu, call, fn, a->a, a->b, lm_ew_what(what, call->op, dt), out);
}

lm_status lm_cpu_bind_actdx(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_attr_actdx *a = &call->a->actdx;
    bool floats = lm_ew_is_float(call->x[0].dt) && lm_ew_is_float(call->x[1].dt) && lm_ew_is_float(call->y[0].dt);
    bool known = a->of >= 0 && a->of < LM_OPS;
    lm_ew_fn fn = floats && known ? lm_cpu_stream(cpu->level)->dx[a->of] : NULL;
    char what[LM_EW_WHAT];
    return lm_ew_bind(cpu, call, fn, a->a, a->b, lm_ew_what(what, known ? (lm_opid)a->of : call->op, LM_F32), out);
}
