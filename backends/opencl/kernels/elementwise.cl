/* Elementwise ops, and several as one, with any strides. The host says OP and its FORM, NX, the element types T0, T1 ...
 * and TY (f32, ...), how each operand steps along the innermost axis (STEP0 ...: 1 densely, 0 not at all, 2 by a stride),
 * WHOLE: results are dense float32, and KIND: 1 for floats in vectors, 0 for integers one by one. Of a fused op S0,
 * S1 ... are the steps, in terms of operands x0 ... and steps v0 ...; number LAST of the STEPS is the result. */
#define T_f32 float
#define T_f16 half
#define T_bf16 ushort
#define T_i8 char
#define T_u8 uchar
#define T_bool uchar
#define T_i16 ushort
#define T_i32 int
#define T_i64 long

#if KIND
#if LM_WIDTH == 1
#define LOAD_HALF(p) vload_half(0, p)
#define LOADT(type, p) (*(p))
#else
#define LOAD_HALF(p) LM_CAT(vload_half, LM_WIDTH)(0, p)
#define LOADT(type, p) LM_CAT(vload, LM_WIDTH)(0, p)
#endif

/* Dense runs. A 64-bit integer does not fit a vector of floats' width and goes one by one. */
#define RUN_f32(p) LM_LOADV(p)
#define RUN_f16(p) LOAD_HALF(p)
#define RUN_bf16(p) LM_AS(float, LM_TO(uint, LOADT(ushort, p)) << 16)
#define RUN_i8(p) LM_TO(float, LOADT(char, p))
#define RUN_u8(p) LM_TO(float, LOADT(uchar, p))
#define RUN_bool(p) LM_TO(float, LOADT(uchar, p))
#define RUN_i32(p) LM_TO(float, LOADT(int, p))
#define RUN_i64(p) LM_TO(float, LOADT(long, p))
#define ONE_f32(p) (*(p))
#define ONE_f16(p) vload_half(0, p)
#define ONE_bf16(p) as_float((uint)*(p) << 16)
#define ONE_i8(p) ((float)*(p))
#define ONE_u8(p) ((float)*(p))
#define ONE_bool(p) ((float)*(p))
#define ONE_i32(p) ((float)*(p))
#define ONE_i64(p) ((float)*(p))

LM_VEC float clamp_to(float x, float lo, float hi) { return x != x ? 0.0f : x < lo ? lo : x > hi ? hi : x; }
LM_VEC ushort to_bf16(float x)
{
    uint b = as_uint(x);
    return x != x ? (ushort)(b >> 16 | 0x40) : (ushort)((b + (b >> 16 & 1) + 0x7fff) >> 16);
}
LM_VEC int to_i32(float x) { return x != x ? 0 : x >= 0x1p31f ? 0x7fffffff : x < -0x1p31f ? (int)0x80000000 : (int)x; }
LM_VEC long to_i64(float x)
{
    return x != x ? 0 : x >= 0x1p63f ? LONG_MAX : x < -0x1p63f ? LONG_MIN : (long)x;
}
#define PUT_f32(v, p) (*(p) = (v))
#define PUT_f16(v, p) vstore_half_rte(v, 0, p)
#define PUT_bf16(v, p) (*(p) = to_bf16(v))
#define PUT_i8(v, p) (*(p) = (char)(int)clamp_to(v, -128.0f, 127.0f))
#define PUT_u8(v, p) (*(p) = (uchar)(int)clamp_to(v, 0.0f, 255.0f))
#define PUT_bool(v, p) (*(p) = (v) != 0.0f)
#define PUT_i32(v, p) (*(p) = to_i32(v))
#define PUT_i64(v, p) (*(p) = to_i64(v))

#else
#undef LM_WIDTH
#define LM_WIDTH 1
#endif

/* LM_CAT for lists whose items use it themselves. */
#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
/* What is done for each operand. */
#define SIDES_1(X) X(0)
#define SIDES_2(X) SIDES_1(X) X(1)
#define SIDES_3(X) SIDES_2(X) X(2)
#define SIDES_4(X) SIDES_3(X) X(3)
#define SIDES_5(X) SIDES_4(X) X(4)
#define SIDES_6(X) SIDES_5(X) X(5)
#define SIDES JOIN(SIDES_, NX)
#define TYPE(k) LM_CAT(T_, T##k)

/* Up to LM_WIDTH elements from number i on. */
#if !KIND
#define FETCH(k) const TYPE(k) x##k = p##k[STEP##k == 1 ? i : STEP##k == 0 ? 0 : i * p.st[k][last]];
#elif LM_WIDTH == 1
#define FETCH(k) const float x##k = LM_CAT(ONE_, T##k)(p##k + (STEP##k == 1 ? i : STEP##k == 0 ? 0 : i * p.st[k][last]));
#else
#define LOADER(k)                                                                                                      \
    LM_VEC lm_v16 load##k(global const TYPE(k) * x, long i, long step, long left)                                      \
    {                                                                                                                  \
        float part[LM_WIDTH];                                                                                          \
        if (STEP##k == 0)                                                                                              \
            return (lm_v16)(LM_CAT(ONE_, T##k)(x));                                                                    \
        if (STEP##k == 1 && left >= LM_WIDTH)                                                                          \
            return LM_CAT(RUN_, T##k)(x + i);                                                                          \
        for (int j = 0; j < LM_WIDTH; j++)                                                                             \
            part[j] = j < left ? LM_CAT(ONE_, T##k)(x + (i + j) * (STEP##k == 1 ? 1 : step)) : 0.0f;                   \
        return LM_LOADV(part);                                                                                         \
    }
SIDES(LOADER)
#define FETCH(k) const lm_v16 x##k = load##k(p##k, i, p.st[k][last], left);
#endif

/* Wrapping arithmetic on integers; the lowest number stays as it is. */
#define U_i8 uchar
#define U_u8 uchar
#define U_bool uchar
#define U_i32 uint
#define U_i64 ulong
#define WRAP(x) ((LM_CAT(T_, TY))(x))
#define U(x) ((LM_CAT(U_, T0))(x))
#define in_ADD(a, b) WRAP(U(a) + U(b))
#define in_SUB(a, b) WRAP(U(a) - U(b))
#define in_MUL(a, b) WRAP(U(a) * U(b))
#define in_MIN(a, b) ((a) < (b) ? (a) : (b))
#define in_MAX(a, b) ((a) > (b) ? (a) : (b))
#define in_AND(a, b) ((a) & (b))
#define in_OR(a, b) ((a) | (b))
#define in_XOR(a, b) ((a) ^ (b))
#define in_BITAND(a, b) ((a) & (b))
#define in_BITOR(a, b) ((a) | (b))
#define in_BITXOR(a, b) ((a) ^ (b))
#define in_EQUAL(a, b) ((a) == (b))
#define in_GREATER(a, b) ((a) > (b))
#define in_GREATEREQ(a, b) ((a) >= (b))
#define in_LESS(a, b) ((a) < (b))
#define in_LESSEQ(a, b) ((a) <= (b))
#define in_IDENTITY(x) (x)
#define in_NOT(x) (!(x))
#define in_BITNOT(x) WRAP(~(x))
#define in_NEG(x) WRAP(-U(x))
#define in_ABS(x) ((x) < 0 ? WRAP(-U(x)) : (x))
#define in_SIGN(x) WRAP(((x) > 0) - ((x) < 0))
#define in_CAST(x) WRAP(x)
#define in_TRUTH(x) ((x) != 0)
#define in_WHERE(c, a, b) ((c) ? (a) : (b))
#define fn_CAST(x, a, b) (x)

/* a comparison as 1 or 0, and a choice by such a number */
#define TRUTH(m) LM_TO(float, lm_m_to_i(m))
#define fn_WHERE(c, a, b) lm_v_select((c) != 0.0f, a, b)
/* parameters of step i */
#define A(i) lm_v_set(p.act[i][0])
#define B(i) lm_v_set(p.act[i][1])
#define STEPS_1 const lm_v16 v0 = S0;
#define STEPS_2 STEPS_1 const lm_v16 v1 = S1;
#define STEPS_3 STEPS_2 const lm_v16 v2 = S2;
#define STEPS_4 STEPS_3 const lm_v16 v3 = S3;
#define STEPS_5 STEPS_4 const lm_v16 v4 = S4;
#define STEPS_6 STEPS_5 const lm_v16 v5 = S5;
#define STEPS_7 STEPS_6 const lm_v16 v6 = S6;
#define STEPS_8 STEPS_7 const lm_v16 v7 = S7;
#define STEPS_9 STEPS_8 const lm_v16 v8 = S8;
#define STEPS_10 STEPS_9 const lm_v16 v9 = S9;
#define STEPS_11 STEPS_10 const lm_v16 v10 = S10;
#define STEPS_12 STEPS_11 const lm_v16 v11 = S11;

/* the numbers of enum form in elementwise.h */
#if FORM == 1
#define VALUE LM_CAT(fn_, OP)(x0, A(0), B(0))
#elif FORM == 2
#define VALUE LM_CAT(fn_, OP)(x0, x1)
#elif FORM == 3
#define VALUE LM_CAT(dx_, OP)(x0, x1, A(0), B(0))
#elif FORM == 4
#define VALUE TRUTH(LM_CAT(fn_, OP)(x0, A(0), B(0)))
#elif FORM == 5
#define VALUE TRUTH(LM_CAT(fn_, OP)(x0, x1))
#elif FORM == 6
#define VALUE LM_CAT(in_, OP)(x0)
#elif FORM == 7
#define VALUE LM_CAT(in_, OP)(x0, x1)
#elif FORM == 8
#define VALUE LM_CAT(in_, OP)(x0, x1, x2)
#else
#define VALUE LM_CAT(v, LAST)
#endif
#ifdef STEPS
#define ALL_STEPS JOIN(STEPS_, STEPS)
#else
#define ALL_STEPS
#endif

#if KIND && LM_WIDTH > 1
LM_VEC void store(global LM_CAT(T_, TY) * y, long i, long step, long left, lm_v16 v)
{
    float part[LM_WIDTH];
#if WHOLE
    if (left >= LM_WIDTH) {
        LM_STOREV(v, y + i);
        return;
    }
#endif
    LM_STOREV(v, part);
    for (int j = 0; j < LM_WIDTH && j < left; j++)
        LM_CAT(PUT_, TY)(part[j], y + (i + j) * step);
}
#endif

#define ARGUMENT(k) global const TYPE(k) * p##k, ulong o##k,
#define BEGIN(k) long a##k = begin * p.st[k][last];
#define WALK(k) a##k += at * p.st[k][d];
#define BASE(k) p##k = LM_AT_CONST(global TYPE(k), p##k, o##k) + a##k;

kernel void elementwise(const lm_cl_ew p, SIDES(ARGUMENT) global LM_CAT(T_, TY) * y, ulong oy)
{
    long unit = get_global_id(0);
    if (unit >= p.units)
        return;
    const int last = p.rank - 1, to = LM_CL_SIDES - 1;
    long row = unit / p.parts, begin = (unit - row * p.parts) * p.strip, n = min(p.strip, p.inner - begin);
    SIDES(BEGIN)
    long ay = begin * p.st[to][last];
    for (int d = last - 1; d >= 0; d--) {
        long at = row % p.dim[d];
        row /= p.dim[d];
        SIDES(WALK)
        ay += at * p.st[to][d];
    }
    SIDES(BASE)
    y = LM_AT(global LM_CAT(T_, TY), y, oy) + ay;
    const long step = p.st[to][last];
    for (long i = 0; i < n; i += LM_WIDTH) {
        long left = n - i;
        SIDES(FETCH)
        ALL_STEPS
#if KIND && LM_WIDTH > 1
        store(y, i, step, left, VALUE);
#elif KIND
        LM_CAT(PUT_, TY)(VALUE, y + i * step);
#else
        y[i * step] = VALUE;
#endif
    }
}
