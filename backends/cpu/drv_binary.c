/* Elementwise ops of two and three operands with broadcasting: arithmetic, comparison, logic, choice. Floats run the
 * level's kernels; integers are plain loops here. */
#include "backends/cpu/bind.h"
#include "backends/cpu/elementwise.h"

/* Operand i of a run; a single one has step 0. */
#define OPERANDS(type)                                                                                                 \
    const type *p = e->x[0], *q = e->x[1];                                                                             \
    size_t dp = !(e->one & 1), dq = !(e->one >> 1 & 1)

#define ARITHMETIC(name, type, result, f)                                                                              \
    static void name(lm_ew *e)                                                                                         \
    {                                                                                                                  \
        OPERANDS(type);                                                                                                \
        result *y = e->y;                                                                                              \
        for (size_t i = 0; i < e->n; i++) {                                                                            \
            type a = p[i * dp], b = q[i * dq];                                                                         \
            y[i] = (result)(f);                                                                                        \
        }                                                                                                              \
    }

/* As above where some operands have no result. */
#define PARTIAL(name, type, wrong, f)                                                                                  \
    static void name(lm_ew *e)                                                                                         \
    {                                                                                                                  \
        OPERANDS(type);                                                                                                \
        type *y = e->y;                                                                                                \
        for (size_t i = 0; i < e->n; i++) {                                                                            \
            type a = p[i * dp], b = q[i * dq];                                                                         \
            bool bad = wrong;                                                                                          \
            if (bad && e->bad < 0)                                                                                     \
                e->bad = (int64_t)i;                                                                                   \
            y[i] = bad ? 0 : (type)(f);                                                                                \
        }                                                                                                              \
    }

/* a / b truncates; a mod b takes the sign of b, or of a when the op wants C's remainder; by -1 it is 0 without asking
 * the machine, since some trap on the lowest number. */
#define SIGNED(T, type, utype, least)                                                                                  \
    ARITHMETIC(add_##T, type, type, (utype)a + (utype)b)                                                               \
    ARITHMETIC(sub_##T, type, type, (utype)a - (utype)b)                                                               \
    ARITHMETIC(mul_##T, type, type, (utype)a *(utype)b)                                                                \
    ARITHMETIC(min_##T, type, type, a < b ? a : b)                                                                     \
    ARITHMETIC(max_##T, type, type, a > b ? a : b)                                                                     \
    ARITHMETIC(and_##T, type, type, a &b)                                                                              \
    ARITHMETIC(or_##T, type, type, a | b)                                                                              \
    ARITHMETIC(xor_##T, type, type, a ^ b)                                                                             \
    static inline type rest_##T(type a, type b, bool like_c)                                                           \
    {                                                                                                                  \
        type r = (type)(b == -1 ? 0 : a % b);                                                                          \
        return (type)(!like_c && r != 0 && (r < 0) != (b < 0) ? r + b : r);                                            \
    }                                                                                                                  \
    PARTIAL(div_##T, type, b == 0 || (b == -1 && a == least), a / b)                                                   \
    PARTIAL(mod_##T, type, b == 0, rest_##T(a, b, e->a != 0))

#define UNSIGNED(T, type)                                                                                              \
    ARITHMETIC(add_##T, type, type, a + b)                                                                             \
    ARITHMETIC(sub_##T, type, type, a - b)                                                                             \
    ARITHMETIC(mul_##T, type, type, a *b)                                                                              \
    ARITHMETIC(min_##T, type, type, a < b ? a : b)                                                                     \
    ARITHMETIC(max_##T, type, type, a > b ? a : b)                                                                     \
    ARITHMETIC(and_##T, type, type, a &b)                                                                              \
    ARITHMETIC(or_##T, type, type, a | b)                                                                              \
    ARITHMETIC(xor_##T, type, type, a ^ b)                                                                             \
    PARTIAL(div_##T, type, b == 0, a / b)                                                                              \
    PARTIAL(mod_##T, type, b == 0, a % b)

#define COMPARISON(T, type)                                                                                            \
    ARITHMETIC(equal_##T, type, uint8_t, a == b)                                                                       \
    ARITHMETIC(greater_##T, type, uint8_t, a > b)                                                                      \
    ARITHMETIC(greatereq_##T, type, uint8_t, a >= b)                                                                   \
    ARITHMETIC(less_##T, type, uint8_t, a < b)                                                                         \
    ARITHMETIC(lesseq_##T, type, uint8_t, a <= b)

SIGNED(i64, int64_t, uint64_t, INT64_MIN)
SIGNED(i32, int32_t, uint32_t, INT32_MIN)
SIGNED(i8, int8_t, uint8_t, INT8_MIN)
UNSIGNED(u8, uint8_t)
COMPARISON(i64, int64_t)
COMPARISON(i32, int32_t)
COMPARISON(i8, int8_t)
COMPARISON(u8, uint8_t)

/* condition (bytes), a, b of one size */
#define CHOICE(name, type)                                                                                             \
    static void name(lm_ew *e)                                                                                         \
    {                                                                                                                  \
        const uint8_t *c = e->x[0];                                                                                    \
        const type *p = e->x[1], *q = e->x[2];                                                                         \
        type *y = e->y;                                                                                                \
        size_t dc = !(e->one & 1), dp = !(e->one >> 1 & 1), dq = !(e->one >> 2 & 1);                                   \
        for (size_t i = 0; i < e->n; i++)                                                                              \
            y[i] = c[i * dc] ? p[i * dp] : q[i * dq];                                                                  \
    }
CHOICE(where_1, uint8_t)
CHOICE(where_8, int64_t)

#define ARITHMETIC_ROW(T)                                                                                              \
    [LM_OP_ADD] = add_##T, [LM_OP_SUB] = sub_##T, [LM_OP_MUL] = mul_##T, [LM_OP_DIV] = div_##T, [LM_OP_MOD] = mod_##T, \
    [LM_OP_MIN] = min_##T, [LM_OP_MAX] = max_##T, [LM_OP_BITAND] = and_##T, [LM_OP_BITOR] = or_##T,                    \
    [LM_OP_BITXOR] = xor_##T
#define COMPARE_ROW(T)                                                                                                 \
    [LM_OP_EQUAL] = equal_##T, [LM_OP_GREATER] = greater_##T, [LM_OP_GREATEREQ] = greatereq_##T,                       \
    [LM_OP_LESS] = less_##T, [LM_OP_LESSEQ] = lesseq_##T

static const lm_ew_fn integer[LM_DTYPES][LM_OPS] = {
    [LM_I64] = {ARITHMETIC_ROW(i64), COMPARE_ROW(i64)},
    [LM_I32] = {ARITHMETIC_ROW(i32), COMPARE_ROW(i32)},
    [LM_I8] = {ARITHMETIC_ROW(i8), COMPARE_ROW(i8)},
    [LM_U8] = {ARITHMETIC_ROW(u8), COMPARE_ROW(u8)},
    [LM_BOOL] = {COMPARE_ROW(u8), [LM_OP_AND] = and_u8, [LM_OP_OR] = or_u8, [LM_OP_XOR] = xor_u8},
};

static lm_ew_fn function_of(const lm_cpu *cpu, const lm_call *call)
{
    lm_dtype a = call->x[0].dt, b = call->x[1].dt;
    if (lm_ew_is_float(a) && lm_ew_is_float(b))
        return lm_cpu_stream(cpu->level)->ew[call->op];
    return a == b ? integer[a][call->op] : NULL;
}

static float option(const lm_call *call)
{
    return lm_ops[call->op].attrs == LM_ATTR_act ? call->a->act.a : 0.0f;
}

lm_status lm_cpu_bind_binary(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    char what[LM_EW_WHAT];
    return lm_ew_bind(cpu, call, function_of(cpu, call), option(call), 0, lm_ew_what(what, call->op, call->x[0].dt),
                      out);
}

lm_status lm_cpu_bind_compare(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    return lm_cpu_bind_binary(cpu, call, out);
}

lm_status lm_cpu_bind_where(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    lm_dtype dt = call->x[1].dt;
    lm_ew_fn fn = NULL;
    if (call->x[0].dt == LM_BOOL && call->x[2].dt == dt)
        switch (lm_ew_is_float(dt) ? sizeof(float) : lm_dtype_size(dt)) {
        case 1: fn = where_1; break;
        case 4: fn = lm_cpu_stream(cpu->level)->ew[LM_OP_WHERE]; break;
        case 8: fn = where_8; break;
        default: break;
        }
    char what[LM_EW_WHAT];
    return lm_ew_bind(cpu, call, fn, 0, 0, lm_ew_what(what, call->op, dt), out);
}
