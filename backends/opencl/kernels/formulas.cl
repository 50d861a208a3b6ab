/* Elementwise functions by the name of their op: fn_OP(x, a, b) of one operand with the op's parameters, dx_OP(s, x, a, b)
 * of a signal and the operand (or the result, where the op table says so), fn_OP(a, b) of two. The first two kinds are
 * the cpu device's own rows, which follow in the program. */
#define UNARY(OP, f) LM_MATH lm_v16 fn_##OP(lm_v16 x, lm_v16 a, lm_v16 b) { return f; }
#define DERIVATIVE(OP, f) LM_MATH lm_v16 dx_##OP(lm_v16 s, lm_v16 x, lm_v16 a, lm_v16 b) { return f; }

#define fn_ADD(a, b) lm_v_add(a, b)
#define fn_SUB(a, b) lm_v_sub(a, b)
#define fn_MUL(a, b) lm_v_mul(a, b)
#define fn_DIV(a, b) lm_v_div(a, b)
#define fn_MIN(a, b) lm_v_min(a, b)
#define fn_MAX(a, b) lm_v_max(a, b)
#define fn_PRELU(a, b) lm_v_select(lm_v_lt(a, lm_v_zero()), lm_v_mul(b, a), a)
#define fn_POW(a, b) lm_v_pow(a, b)
#define fn_ATAN2(a, b) lm_v_atan2(a, b)
#define fn_MOD(a, b) fmod(a, b)
#define fn_EQUAL(a, b) lm_v_eq(a, b)
#define fn_GREATER(a, b) lm_v_lt(b, a)
#define fn_GREATEREQ(a, b) lm_v_le(b, a)
#define fn_LESS(a, b) lm_v_lt(a, b)
#define fn_LESSEQ(a, b) lm_v_le(a, b)
#define fn_IDENTITY(x, a, b) (x)
#define fn_ISNAN(x, a, b) lm_v_nan(x)
/* a: -inf does not count, b: +inf does not */
#define fn_ISINF(x, a, b) (((x) == INFINITY & (b) == 0.0f) | ((x) == -INFINITY & (a) == 0.0f))
