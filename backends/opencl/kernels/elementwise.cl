/* Elementwise ops with any strides. The host says OP and its FORM, NX, the element types T0, T1, T2, TY (f32, ...),
 * how each operand steps along the innermost axis (STEP0 ...: 1 densely, 0 not at all, 2 by a stride), WHOLE: results
 * are dense float32, and KIND: 1 for floats in vectors, 0 for integers one by one. */
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
#define CARRIER lm_v16

#if LM_WIDTH == 1
#define LOAD_HALF(p) vload_half(0, p)
#define STORE_HALF(v, p) vstore_half_rte(v, 0, p)
#define LOADT(type, p) (*(p))
#define STORET(type, v, p) (*(p) = (v))
#else
#define LOAD_HALF(p) LM_CAT(vload_half, LM_WIDTH)(0, p)
#define STORE_HALF(v, p) LM_CAT(LM_CAT(vstore_half, LM_WIDTH), _rte)(v, 0, p)
#define LOADT(type, p) LM_CAT(vload, LM_WIDTH)(0, p)
#define STORET(type, v, p) LM_CAT(vstore, LM_WIDTH)(v, 0, p)
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
#define CARRIER LM_CAT(T_, TY)
#undef LM_WIDTH
#define LM_WIDTH 1
#endif

/* Up to LM_WIDTH elements from number i on. */
#if !KIND
#define LOAD(k, T, STEP) p##k[STEP == 1 ? i : STEP == 0 ? 0 : i * p.st[k][last]]
#elif LM_WIDTH == 1
#define LOAD(k, T, STEP) LM_CAT(ONE_, T)(p##k + (STEP == 1 ? i : STEP == 0 ? 0 : i * p.st[k][last]))
#else
#define LOADER(k, T, STEP)                                                                                             \
    LM_VEC lm_v16 load##k(global const LM_CAT(T_, T) * x, long i, long step, long left)                                \
    {                                                                                                                  \
        float part[LM_WIDTH];                                                                                          \
        if (STEP == 0)                                                                                                 \
            return (lm_v16)(LM_CAT(ONE_, T)(x));                                                                       \
        if (STEP == 1 && left >= LM_WIDTH)                                                                             \
            return LM_CAT(RUN_, T)(x + i);                                                                             \
        for (int j = 0; j < LM_WIDTH; j++)                                                                             \
            part[j] = j < left ? LM_CAT(ONE_, T)(x + (i + j) * (STEP == 1 ? 1 : step)) : 0.0f;                         \
        return LM_LOADV(part);                                                                                         \
    }
#define LOAD(k, T, STEP) load##k(p##k, i, p.st[k][last], left)
LOADER(0, T0, STEP0)
#if NX > 1
LOADER(1, T1, STEP1)
#endif
#if NX > 2
LOADER(2, T2, STEP2)
#endif
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

/* the numbers of enum form in drv_elementwise.c */
#define X0 LOAD(0, T0, STEP0)
#define X1 LOAD(1, T1, STEP1)
#define X2 LOAD(2, T2, STEP2)
#if FORM == 1
#define VALUE LM_CAT(fn_, OP)(X0, pa, pb)
#elif FORM == 2
#define VALUE LM_CAT(fn_, OP)(X0, X1)
#elif FORM == 3
#define VALUE LM_CAT(dx_, OP)(X0, X1, pa, pb)
#elif FORM == 4
#define VALUE LM_TO(float, lm_m_to_i(LM_CAT(fn_, OP)(X0, pa, pb)))
#elif FORM == 5
#define VALUE LM_TO(float, lm_m_to_i(LM_CAT(fn_, OP)(X0, X1)))
#elif FORM == 6
#define VALUE LM_CAT(in_, OP)(X0)
#elif FORM == 7
#define VALUE LM_CAT(in_, OP)(X0, X1)
#else
#define VALUE LM_CAT(in_, OP)(X0, X1, X2)
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

kernel void elementwise(const lm_cl_ew p, global const LM_CAT(T_, T0) * p0, ulong o0,
#if NX > 1
                        global const LM_CAT(T_, T1) * p1, ulong o1,
#endif
#if NX > 2
                        global const LM_CAT(T_, T2) * p2, ulong o2,
#endif
                        global LM_CAT(T_, TY) * y, ulong oy)
{
    long unit = get_global_id(0);
    if (unit >= p.units)
        return;
    const int last = p.rank - 1;
    long row = unit / p.parts, begin = (unit - row * p.parts) * p.strip, n = min(p.strip, p.inner - begin);
    long a0 = begin * p.st[0][last], a1 = begin * p.st[1][last], a2 = begin * p.st[2][last], ay = begin * p.st[3][last];
    for (int d = last - 1; d >= 0; d--) {
        long at = row % p.dim[d];
        row /= p.dim[d];
        a0 += at * p.st[0][d], a1 += at * p.st[1][d], a2 += at * p.st[2][d], ay += at * p.st[3][d];
    }
    p0 = LM_AT_CONST(global LM_CAT(T_, T0), p0, o0) + a0;
#if NX > 1
    p1 = LM_AT_CONST(global LM_CAT(T_, T1), p1, o1) + a1;
#endif
#if NX > 2
    p2 = LM_AT_CONST(global LM_CAT(T_, T2), p2, o2) + a2;
#endif
    y = LM_AT(global LM_CAT(T_, TY), y, oy) + ay;
    const long step = p.st[3][last];
#if KIND
    const lm_v16 pa = lm_v_set(p.a), pb = lm_v_set(p.b);
#endif
    for (long i = 0; i < n; i += LM_WIDTH) {
        long left = n - i;
#if KIND && LM_WIDTH > 1
        store(y, i, step, left, VALUE);
#elif KIND
        LM_CAT(PUT_, TY)(VALUE, y + i * step);
#else
        y[i * step] = VALUE;
#endif
    }
}
