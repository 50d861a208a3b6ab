/* vec_neon.h - the 16-lane vector as four 128-bit registers: aarch64, and armv7 with VFPv4 (fused multiply-add).
 * armv7 vectors have neither division, square root nor rounding: the first two go lane by lane, the last uses 2^23.
 * They also flush subnormals, the one place where bits may differ from other levels. Contract: vec.h. */
#ifndef LM_CPU_SIMD_VEC_NEON_H
#define LM_CPU_SIMD_VEC_NEON_H

#include <arm_neon.h>

typedef struct { float32x4_t a, b, c, d; } lm_v16;
typedef struct { int32x4_t a, b, c, d; } lm_vi16;
typedef struct { uint32x4_t a, b, c, d; } lm_vm16; /* all bits of a lane equal */

#define LM_OP1(rt, name, at, op) LM_VEC rt name(at x) { return (rt){op(x.a), op(x.b), op(x.c), op(x.d)}; }
#define LM_OP2(rt, name, at, op)                                                                                      \
    LM_VEC rt name(at x, at y) { return (rt){op(x.a, y.a), op(x.b, y.b), op(x.c, y.c), op(x.d, y.d)}; }
#define LM_OP3(rt, name, t0, t1, op)                                                                                  \
    LM_VEC rt name(t0 x, t1 y, t1 z)                                                                                  \
    {                                                                                                                 \
        return (rt){op(x.a, y.a, z.a), op(x.b, y.b, z.b), op(x.c, y.c, z.c), op(x.d, y.d, z.d)};                      \
    }

LM_OP2(lm_vm16, lm_m_and, lm_vm16, vandq_u32)
LM_OP2(lm_vm16, lm_m_or, lm_vm16, vorrq_u32)
LM_OP1(lm_vm16, lm_m_not, lm_vm16, vmvnq_u32)
LM_VEC unsigned lm_bits4(uint32x4_t m)
{
    static const uint32_t weight[4] = {1, 2, 4, 8};
    uint32x4_t w = vandq_u32(m, vld1q_u32(weight));
    uint32x2_t p = vadd_u32(vget_low_u32(w), vget_high_u32(w));
    return vget_lane_u32(vpadd_u32(p, p), 0);
}
LM_VEC unsigned lm_m_bits(lm_vm16 m)
{
    return lm_bits4(m.a) | lm_bits4(m.b) << 4 | lm_bits4(m.c) << 8 | lm_bits4(m.d) << 12;
}
LM_VEC int lm_m_any(lm_vm16 m)
{
    uint32x4_t o = vorrq_u32(vorrq_u32(m.a, m.b), vorrq_u32(m.c, m.d));
    return vget_lane_u64(vreinterpret_u64_u32(vorr_u32(vget_low_u32(o), vget_high_u32(o))), 0) != 0;
}
LM_VEC lm_vm16 lm_m_first(size_t n)
{
    static const uint32_t index[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uint32x4_t k = vdupq_n_u32((uint32_t)(n < 16 ? n : 16));
    return (lm_vm16){vcltq_u32(vld1q_u32(index), k), vcltq_u32(vld1q_u32(index + 4), k),
                     vcltq_u32(vld1q_u32(index + 8), k), vcltq_u32(vld1q_u32(index + 12), k)};
}

LM_OP1(lm_v16, lm_i_as_v, lm_vi16, vreinterpretq_f32_s32)
LM_OP1(lm_vi16, lm_v_as_i, lm_v16, vreinterpretq_s32_f32)

LM_VEC lm_v16 lm_v_set(float x) { return (lm_v16){vdupq_n_f32(x), vdupq_n_f32(x), vdupq_n_f32(x), vdupq_n_f32(x)}; }
LM_VEC lm_v16 lm_v_load(const float *p)
{
    return (lm_v16){vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
LM_VEC void lm_v_store(float *p, lm_v16 x)
{
    vst1q_f32(p, x.a), vst1q_f32(p + 4, x.b), vst1q_f32(p + 8, x.c), vst1q_f32(p + 12, x.d);
}
LM_VEC void lm_v_stream(float *p, lm_v16 x) { lm_v_store(p, x); }
LM_VEC void lm_v_stream_end(void) {}
LM_VEC lm_v16 lm_v_load_n(const float *p, size_t n)
{
    float f[16] = {0};
    memcpy(f, p, (n < 16 ? n : 16) * sizeof *p);
    return lm_v_load(f);
}
LM_VEC void lm_v_store_n(float *p, lm_v16 x, size_t n)
{
    float f[16];
    lm_v_store(f, x);
    memcpy(p, f, (n < 16 ? n : 16) * sizeof *p);
}

LM_OP2(lm_v16, lm_v_add, lm_v16, vaddq_f32)
LM_OP2(lm_v16, lm_v_sub, lm_v16, vsubq_f32)
LM_OP2(lm_v16, lm_v_mul, lm_v16, vmulq_f32)
/* FMAX and FMIN return a NaN operand and order the zeros */
LM_OP2(lm_v16, lm_v_max, lm_v16, vmaxq_f32)
LM_OP2(lm_v16, lm_v_min, lm_v16, vminq_f32)
LM_OP2(lm_v16, lm_v_greater, lm_v16, vmaxq_f32)
LM_OP2(lm_vm16, lm_v_lt, lm_v16, vcltq_f32)
LM_OP2(lm_vm16, lm_v_le, lm_v16, vcleq_f32)
LM_OP2(lm_vm16, lm_v_eq, lm_v16, vceqq_f32)
LM_VEC lm_vm16 lm_v_nan(lm_v16 x) { return lm_m_not(lm_v_eq(x, x)); }
LM_OP3(lm_v16, lm_v_select, lm_vm16, lm_v16, vbslq_f32)
#define LM_FMA4(x, y, z) vfmaq_f32(z, x, y)
#define LM_FNMA4(x, y, z) vfmsq_f32(z, x, y)
LM_OP3(lm_v16, lm_v_fma, lm_v16, lm_v16, LM_FMA4)
LM_OP3(lm_v16, lm_v_fnma, lm_v16, lm_v16, LM_FNMA4)
#undef LM_FMA4
#undef LM_FNMA4

LM_VEC lm_vi16 lm_i_set(int32_t x) { return (lm_vi16){vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x), vdupq_n_s32(x)}; }
LM_VEC lm_vi16 lm_i_load(const int32_t *p)
{
    return (lm_vi16){vld1q_s32(p), vld1q_s32(p + 4), vld1q_s32(p + 8), vld1q_s32(p + 12)};
}
LM_VEC void lm_i_store(int32_t *p, lm_vi16 x)
{
    vst1q_s32(p, x.a), vst1q_s32(p + 4, x.b), vst1q_s32(p + 8, x.c), vst1q_s32(p + 12, x.d);
}
LM_OP2(lm_vi16, lm_i_add, lm_vi16, vaddq_s32)
LM_OP2(lm_vi16, lm_i_sub, lm_vi16, vsubq_s32)
LM_OP2(lm_vi16, lm_i_min, lm_vi16, vminq_s32)
LM_OP2(lm_vi16, lm_i_and, lm_vi16, vandq_s32)
LM_OP2(lm_vi16, lm_i_or, lm_vi16, vorrq_s32)
LM_OP2(lm_vi16, lm_i_xor, lm_vi16, veorq_s32)
LM_OP2(lm_vm16, lm_i_lt, lm_vi16, vcltq_s32)
LM_OP2(lm_vm16, lm_i_eq, lm_vi16, vceqq_s32)
LM_OP3(lm_vi16, lm_i_select, lm_vm16, lm_vi16, vbslq_s32)
/* shifts by a register hold for any count the compiler can or cannot see */
LM_VEC lm_vi16 lm_i_shl(lm_vi16 x, int n)
{
    int32x4_t k = vdupq_n_s32(n);
    return (lm_vi16){vshlq_s32(x.a, k), vshlq_s32(x.b, k), vshlq_s32(x.c, k), vshlq_s32(x.d, k)};
}
LM_VEC lm_vi16 lm_i_sar(lm_vi16 x, int n) { return lm_i_shl(x, -n); }
LM_VEC int32x4_t lm_shr4(int32x4_t x, int32x4_t k)
{
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(x), k));
}
LM_VEC lm_vi16 lm_i_shr(lm_vi16 x, int n)
{
    int32x4_t k = vdupq_n_s32(-n);
    return (lm_vi16){lm_shr4(x.a, k), lm_shr4(x.b, k), lm_shr4(x.c, k), lm_shr4(x.d, k)};
}
LM_OP1(lm_v16, lm_i_to_v, lm_vi16, vcvtq_f32_s32)
LM_OP1(lm_vi16, lm_v_to_i, lm_v16, vcvtq_s32_f32) /* truncates, saturates, NaN -> 0 */
LM_VEC lm_vi16 lm_v_to_i_near(lm_v16 x) { return lm_v_to_i(x); }

#ifdef __aarch64__
LM_OP2(lm_v16, lm_v_div, lm_v16, vdivq_f32)
LM_OP1(lm_v16, lm_v_sqrt, lm_v16, vsqrtq_f32)
LM_OP1(lm_v16, lm_v_rint, lm_v16, vrndnq_f32)
LM_OP1(lm_v16, lm_v_floor, lm_v16, vrndmq_f32)
LM_OP1(lm_v16, lm_v_ceil, lm_v16, vrndpq_f32)
LM_OP1(lm_v16, lm_v_trunc, lm_v16, vrndq_f32)
#else
LM_VEC float32x4_t lm_div4(float32x4_t x, float32x4_t y)
{
    float p[4], q[4];
    vst1q_f32(p, x), vst1q_f32(q, y);
    for (int i = 0; i < 4; i++)
        p[i] /= q[i];
    return vld1q_f32(p);
}
LM_VEC float32x4_t lm_sqrt4(float32x4_t x)
{
    float p[4];
    vst1q_f32(p, x);
    for (int i = 0; i < 4; i++)
        p[i] = sqrtf(p[i]);
    return vld1q_f32(p);
}
LM_VEC float32x4_t lm_rint4(float32x4_t x)
{
    uint32x4_t sign = vdupq_n_u32(0x80000000u);
    float32x4_t a = vabsq_f32(x), big = vdupq_n_f32(8388608.0f), r = vsubq_f32(vaddq_f32(a, big), big);
    return vbslq_f32(vcltq_f32(a, big), vbslq_f32(sign, x, r), x);
}
LM_VEC float32x4_t lm_floor4(float32x4_t x)
{
    float32x4_t r = lm_rint4(x);
    return vbslq_f32(vcgtq_f32(r, x), vsubq_f32(r, vdupq_n_f32(1.0f)), r);
}
LM_VEC float32x4_t lm_ceil4(float32x4_t x) { return vnegq_f32(lm_floor4(vnegq_f32(x))); }
LM_VEC float32x4_t lm_trunc4(float32x4_t x)
{
    return vbslq_f32(vdupq_n_u32(0x80000000u), x, lm_floor4(vabsq_f32(x)));
}
LM_OP2(lm_v16, lm_v_div, lm_v16, lm_div4)
LM_OP1(lm_v16, lm_v_sqrt, lm_v16, lm_sqrt4)
LM_OP1(lm_v16, lm_v_rint, lm_v16, lm_rint4)
LM_OP1(lm_v16, lm_v_floor, lm_v16, lm_floor4)
LM_OP1(lm_v16, lm_v_ceil, lm_v16, lm_ceil4)
LM_OP1(lm_v16, lm_v_trunc, lm_v16, lm_trunc4)
#endif

LM_VEC lm_v16 lm_v_clamp(lm_v16 x, float lo, float hi) { return lm_v_min(lm_v_set(hi), lm_v_max(lm_v_set(lo), x)); }
LM_VEC lm_v16 lm_pow2(lm_vi16 n) { return lm_i_as_v(lm_i_shl(lm_i_add(n, lm_i_set(127)), 23)); }
/* two exact or final multiplications: the first scale keeps p normal */
LM_VEC lm_v16 lm_v_ldexp(lm_v16 p, lm_v16 n)
{
    lm_vi16 k = lm_v_to_i(n), h = lm_i_sar(k, 1);
    return lm_v_mul(lm_v_mul(p, lm_pow2(h)), lm_pow2(lm_i_sub(k, h)));
}

LM_VEC lm_vi16 lm_widen_s16(int16x8_t l, int16x8_t h)
{
    return (lm_vi16){vmovl_s16(vget_low_s16(l)), vmovl_s16(vget_high_s16(l)), vmovl_s16(vget_low_s16(h)),
                     vmovl_s16(vget_high_s16(h))};
}
LM_VEC lm_vi16 lm_i_load_i8(const int8_t *p) { return lm_widen_s16(vmovl_s8(vld1_s8(p)), vmovl_s8(vld1_s8(p + 8))); }
LM_VEC lm_vi16 lm_i_load_u8(const uint8_t *p)
{
    return lm_widen_s16(vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p))), vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p + 8))));
}
LM_VEC int32x4_t lm_load4_u16(const uint16_t *p) { return vreinterpretq_s32_u32(vmovl_u16(vld1_u16(p))); }
LM_VEC lm_vi16 lm_i_load_i64(const int64_t *p, lm_vi16 *high)
{
    const int32_t *half = (const int32_t *)(const void *)p; /* the low one first: NEON runs little-endian here */
    const int32x4x2_t a = vld2q_s32(half), b = vld2q_s32(half + 8), c = vld2q_s32(half + 16), d = vld2q_s32(half + 24);
    *high = (lm_vi16){a.val[1], b.val[1], c.val[1], d.val[1]};
    return (lm_vi16){a.val[0], b.val[0], c.val[0], d.val[0]};
}
LM_VEC lm_vi16 lm_i_load_u16(const uint16_t *p)
{
    return (lm_vi16){lm_load4_u16(p), lm_load4_u16(p + 4), lm_load4_u16(p + 8), lm_load4_u16(p + 12)};
}
/* narrow stores keep the low bits of every lane */
LM_VEC uint16x8_t lm_narrow8(int32x4_t x, int32x4_t y)
{
    return vcombine_u16(vmovn_u32(vreinterpretq_u32_s32(x)), vmovn_u32(vreinterpretq_u32_s32(y)));
}
LM_VEC void lm_i_store_u16(uint16_t *p, lm_vi16 x)
{
    vst1q_u16(p, lm_narrow8(x.a, x.b)), vst1q_u16(p + 8, lm_narrow8(x.c, x.d));
}
LM_VEC void lm_i_store_u8(uint8_t *p, lm_vi16 x)
{
    vst1_u8(p, vmovn_u16(lm_narrow8(x.a, x.b))), vst1_u8(p + 8, vmovn_u16(lm_narrow8(x.c, x.d)));
}
LM_VEC lm_vi16 lm_m_to_i(lm_vm16 m)
{
    lm_vi16 all = {vreinterpretq_s32_u32(m.a), vreinterpretq_s32_u32(m.b), vreinterpretq_s32_u32(m.c),
                   vreinterpretq_s32_u32(m.d)};
    return lm_i_and(all, lm_i_set(1));
}
LM_VEC lm_v16 lm_v_load_f16(const uint16_t *p)
{
#ifdef __aarch64__
    const float16_t *h = (const float16_t *)p;
    return (lm_v16){vcvt_f32_f16(vld1_f16(h)), vcvt_f32_f16(vld1_f16(h + 4)), vcvt_f32_f16(vld1_f16(h + 8)),
                    vcvt_f32_f16(vld1_f16(h + 12))};
#else
    float f[16];
    for (int i = 0; i < 16; i++)
        f[i] = lm_half_to_float(p[i]);
    return lm_v_load(f);
#endif
}
LM_VEC void lm_v_store_f16(uint16_t *p, lm_v16 x)
{
#ifdef __aarch64__
    float16_t *h = (float16_t *)p;
    vst1_f16(h, vcvt_f16_f32(x.a)), vst1_f16(h + 4, vcvt_f16_f32(x.b));
    vst1_f16(h + 8, vcvt_f16_f32(x.c)), vst1_f16(h + 12, vcvt_f16_f32(x.d));
#else
    float f[16];
    lm_v_store(f, x);
    for (int i = 0; i < 16; i++)
        p[i] = lm_float_to_half(f[i]);
#endif
}

LM_VEC lm_v16 lm_turn4(float32x4_t a, float32x4_t b, float32x4_t c, float32x4_t d)
{
    float32x4x2_t ab = vtrnq_f32(a, b), cd = vtrnq_f32(c, d);
    return (lm_v16){vcombine_f32(vget_low_f32(ab.val[0]), vget_low_f32(cd.val[0])),
                    vcombine_f32(vget_low_f32(ab.val[1]), vget_low_f32(cd.val[1])),
                    vcombine_f32(vget_high_f32(ab.val[0]), vget_high_f32(cd.val[0])),
                    vcombine_f32(vget_high_f32(ab.val[1]), vget_high_f32(cd.val[1]))};
}
LM_VEC void lm_v_turn(lm_v16 v[16])
{
    lm_v16 part[4][4]; /* [columns 4...][rows 4...] */
    for (int i = 0; i < 4; i++) {
        const lm_v16 *r = v + 4 * i;
        part[0][i] = lm_turn4(r[0].a, r[1].a, r[2].a, r[3].a);
        part[1][i] = lm_turn4(r[0].b, r[1].b, r[2].b, r[3].b);
        part[2][i] = lm_turn4(r[0].c, r[1].c, r[2].c, r[3].c);
        part[3][i] = lm_turn4(r[0].d, r[1].d, r[2].d, r[3].d);
    }
    for (int i = 0; i < 4; i++) {
        const lm_v16 *r = part[i];
        v[4 * i] = (lm_v16){r[0].a, r[1].a, r[2].a, r[3].a};
        v[4 * i + 1] = (lm_v16){r[0].b, r[1].b, r[2].b, r[3].b};
        v[4 * i + 2] = (lm_v16){r[0].c, r[1].c, r[2].c, r[3].c};
        v[4 * i + 3] = (lm_v16){r[0].d, r[1].d, r[2].d, r[3].d};
    }
}

#define LM_FOLD4(name, op4, op2)                                                                                      \
    LM_VEC float lm_v_fold_##name(lm_v16 x)                                                                           \
    {                                                                                                                 \
        float32x4_t v = op4(op4(x.a, x.c), op4(x.b, x.d));                                                            \
        float32x2_t h = op2(vget_low_f32(v), vget_high_f32(v));                                                       \
        return vget_lane_f32(op2(h, vrev64_f32(h)), 0);                                                               \
    }
LM_FOLD4(add, vaddq_f32, vadd_f32)
LM_FOLD4(mul, vmulq_f32, vmul_f32)
LM_FOLD4(max, vmaxq_f32, vmax_f32)
LM_FOLD4(min, vminq_f32, vmin_f32)
LM_FOLD4(greater, vmaxq_f32, vmax_f32)
#undef LM_FOLD4

#endif
