/* Elementwise ops of two operands with broadcasting, comparisons, and the choice between two tensors. */
#include <math.h>

#include "backends/ref/ref.h"

#define SHAPE_TEXT(view) lm_shape_text(&(view).sh, (char[LM_SHAPE_TEXT]){0})

/* The remainder with the divisor's sign, for ints; floats only know C's fmod. */
static double float_op(lm_opid op, double a, double b)
{
    switch (op) {
    case LM_OP_ADD: return a + b;
    case LM_OP_SUB: return a - b;
    case LM_OP_MUL: return a * b;
    case LM_OP_DIV: return a / b;
    case LM_OP_POW: return pow(a, b);
    case LM_OP_MOD: return fmod(a, b);
    case LM_OP_MIN: return lm_ref_min(a, b);
    case LM_OP_MAX: return lm_ref_max(a, b);
    case LM_OP_PRELU: return a < 0 ? a * b : a;
    default: return atan2(a, b);
    }
}

/* Why two integers have no result, or NULL. */
static const char *forbidden(lm_opid op, lm_dtype dt, int64_t a, int64_t b)
{
    int bits = 8 * (int)lm_dtype_size(dt);
    int64_t least = lm_dtype_is_unsigned(dt) ? 0 : (int64_t)((uint64_t)-1 << (bits - 1));
    if ((op == LM_OP_DIV || op == LM_OP_MOD) && b == 0)
        return "is a division by zero";
    if (op == LM_OP_DIV && lm_dtype_is_signed_int(dt) && a == least && b == -1)
        return "does not fit into the type";
    if (op == LM_OP_SHIFT && (uint64_t)b >= (uint64_t)bits)
        return "shifts by the type's width or more";
    return NULL;
}

/* a^b by squaring, modulo 2^64. A negative exponent leaves only the reciprocals of 1 and -1 whole; the rest is 0. */
static int64_t int_power(int64_t a, int64_t b)
{
    if (b < 0)
        return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
    uint64_t result = 1, square = (uint64_t)a;
    for (; b; b >>= 1, square *= square)
        if (b & 1)
            result *= square;
    return (int64_t)result;
}

/* Remainder of a / b; with the divisor's sign, or the dividend's as C has it. INT64_MIN % -1 is 0 but traps on some
 * machines. */
static int64_t int_mod(int64_t a, int64_t b, bool like_c)
{
    int64_t r = b == -1 ? 0 : a % b;
    return !like_c && r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static int64_t signed_op(lm_opid op, int64_t a, int64_t b, bool option)
{
    switch (op) {
    case LM_OP_DIV: return a / b;
    case LM_OP_POW: return int_power(a, b);
    case LM_OP_MOD: return int_mod(a, b, option);
    case LM_OP_MIN: return a < b ? a : b;
    case LM_OP_MAX: return a > b ? a : b;
    default: return a < 0 ? (int64_t)((uint64_t)a * (uint64_t)b) : a; /* PRelu */
    }
}

static uint64_t unsigned_op(lm_opid op, uint64_t a, uint64_t b, bool option)
{
    switch (op) {
    case LM_OP_DIV: return a / b;
    case LM_OP_MOD: return a % b;
    case LM_OP_MIN: return a < b ? a : b;
    case LM_OP_MAX: return a > b ? a : b;
    case LM_OP_SHIFT: return option ? a << b : a >> b;
    case LM_OP_POW: return (uint64_t)int_power((int64_t)a, (int64_t)b);
    default: return a; /* PRelu: nothing is negative */
    }
}

static int64_t int_op(lm_opid op, lm_dtype dt, int64_t a, int64_t b, bool option)
{
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    switch (op) {
    case LM_OP_ADD: return (int64_t)(ua + ub);
    case LM_OP_SUB: return (int64_t)(ua - ub);
    case LM_OP_MUL: return (int64_t)(ua * ub);
    case LM_OP_AND:
    case LM_OP_BITAND: return a & b;
    case LM_OP_OR:
    case LM_OP_BITOR: return a | b;
    case LM_OP_XOR:
    case LM_OP_BITXOR: return a ^ b;
    default: break;
    }
    return lm_dtype_is_unsigned(dt) ? (int64_t)unsigned_op(op, ua, ub, option) : signed_op(op, a, b, option);
}

static lm_status binary_ints(const lm_ref_call *c)
{
    const lm_shape *shape = &c->y[0].sh;
    lm_dtype dt = c->x[0].dt;
    int64_t n = lm_shape_count(shape);
    const int64_t *a = lm_ref_ints_as(c, 0, shape), *b = lm_ref_ints_as(c, 1, shape);
    int64_t *y = lm_ref_new_ints(c, n);
    LM_REF_NEED(a && b && y);
    bool option = lm_ops[c->op].attrs == LM_ATTR_act && c->a->act.a != 0;
    for (int64_t i = 0; i < n; i++) {
        const char *why = forbidden(c->op, dt, a[i], b[i]);
        LM_REQUIRE(!why, LM_INPUT, "%s: %lld with %lld %s (%s, element %lld of shapes %s and %s)", lm_ops[c->op].name,
                   (long long)a[i], (long long)b[i], why, lm_dtype_name(dt), (long long)i, SHAPE_TEXT(c->x[0]),
                   SHAPE_TEXT(c->x[1]));
        y[i] = int_op(c->op, dt, a[i], b[i], option);
    }
    lm_ref_put_ints(c, 0, y);
    return LM_OK;
}

/* Pow takes an exponent of another type; it is exact in integers only when both are. */
lm_status lm_ref_binary(const lm_ref_call *c)
{
    if (!lm_dtype_is_float(c->x[0].dt) && !lm_dtype_is_float(c->x[1].dt))
        return binary_ints(c);
    const lm_shape *shape = &c->y[0].sh;
    int64_t n = lm_shape_count(shape);
    const double *a = lm_ref_floats_as(c, 0, shape), *b = lm_ref_floats_as(c, 1, shape);
    double *y = lm_ref_new_floats(c, n);
    LM_REF_NEED(a && b && y);
    for (int64_t i = 0; i < n; i++)
        y[i] = float_op(c->op, a[i], b[i]);
    lm_ref_put_floats(c, 0, y);
    return LM_OK;
}

/* From the three-way order: -1, 0, 1, or 2 when one is NaN, for which only "not equal" would hold. */
static bool holds(lm_opid op, int order)
{
    switch (op) {
    case LM_OP_EQUAL: return order == 0;
    case LM_OP_GREATER: return order == 1;
    case LM_OP_GREATEREQ: return order == 0 || order == 1;
    case LM_OP_LESS: return order == -1;
    default: return order == -1 || order == 0;
    }
}

lm_status lm_ref_compare(const lm_ref_call *c)
{
    const lm_shape *shape = &c->y[0].sh;
    int64_t n = lm_shape_count(shape), *y = lm_ref_new_ints(c, n);
    LM_REF_NEED(y);
    if (lm_dtype_is_float(c->x[0].dt)) {
        const double *a = lm_ref_floats_as(c, 0, shape), *b = lm_ref_floats_as(c, 1, shape);
        LM_REF_NEED(a && b);
        for (int64_t i = 0; i < n; i++)
            y[i] = holds(c->op, isnan(a[i]) || isnan(b[i]) ? 2 : (a[i] > b[i]) - (a[i] < b[i]));
    } else {
        const int64_t *a = lm_ref_ints_as(c, 0, shape), *b = lm_ref_ints_as(c, 1, shape);
        LM_REF_NEED(a && b);
        /* flipping the top bit turns the order of unsigned numbers into that of signed ones */
        int64_t flip = lm_dtype_is_unsigned(c->x[0].dt) ? INT64_MIN : 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t p = a[i] ^ flip, q = b[i] ^ flip;
            y[i] = holds(c->op, (p > q) - (p < q));
        }
    }
    lm_ref_put_ints(c, 0, y);
    return LM_OK;
}

/* (condition, a, b): values are copied, whatever they are. */
lm_status lm_ref_where(const lm_ref_call *c)
{
    const lm_shape *shape = &c->y[0].sh;
    int64_t n = lm_shape_count(shape);
    const int64_t *condition = lm_ref_ints_as(c, 0, shape);
    LM_REF_NEED(condition);
    if (lm_dtype_is_float(c->y[0].dt)) {
        const double *a = lm_ref_floats_as(c, 1, shape), *b = lm_ref_floats_as(c, 2, shape);
        double *y = lm_ref_new_floats(c, n);
        LM_REF_NEED(a && b && y);
        for (int64_t i = 0; i < n; i++)
            y[i] = condition[i] ? a[i] : b[i];
        lm_ref_put_floats(c, 0, y);
    } else {
        const int64_t *a = lm_ref_ints_as(c, 1, shape), *b = lm_ref_ints_as(c, 2, shape);
        int64_t *y = lm_ref_new_ints(c, n);
        LM_REF_NEED(a && b && y);
        for (int64_t i = 0; i < n; i++)
            y[i] = condition[i] ? a[i] : b[i];
        lm_ref_put_ints(c, 0, y);
    }
    return LM_OK;
}
