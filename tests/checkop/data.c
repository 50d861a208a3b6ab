/* Deterministic operands and the arithmetic of element types. Every element is a pure function of (seed, case, operand,
 * index): a replayed case sees the same numbers whatever ran before it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/checkop/harness.h"

/* SplitMix64's finaliser: good enough to scatter test data, and five lines long. */
uint64_t ck_hash(uint64_t seed, uint64_t index)
{
    uint64_t z = seed + 0x9e3779b97f4a7c15u * (index + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t ck_hash_text(const char *text)
{
    uint64_t h = 0;
    for (; *text; text++)
        h = ck_hash(h, (unsigned char)*text);
    return h;
}

static double uniform(uint64_t seed, uint64_t i)
{
    return ((double)(ck_hash(seed, i) >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t seed, uint64_t i)
{
    return sqrt(-2 * log(uniform(seed, 2 * i))) * cos(6.283185307179586 * uniform(seed, 2 * i + 1));
}

/* What a type can hold: bits of significand with the hidden one, exponents of the smallest normal and of the largest
 * value. */
typedef struct format {
    int digits, emin, emax;
} format;

static format format_of(lm_dtype dt)
{
    static const format formats[] = {
        [LM_F32] = {24, -126, 127}, [LM_F64] = {53, -1022, 1023}, [LM_F16] = {11, -14, 15}, [LM_BF16] = {8, -126, 127}};
    return formats[dt];
}

double ck_ulp(lm_dtype dt, double value)
{
    format f = format_of(dt);
    int e;
    if (!isfinite(value))
        return 0;
    frexp(value, &e);
    e = value == 0 || e - 1 < f.emin ? f.emin : e - 1;
    return ldexp(1, e - f.digits + 1);
}

double ck_round(lm_dtype dt, double value)
{
    format f = format_of(dt);
    if (!isfinite(value) || dt == LM_F64)
        return value;
#if defined(__arm__)
    if (fabs(value) < ldexp(1, -126)) /* its vectors would read these as zero (compare.c) */
        return copysign(0, value);
#endif
    double u = ck_ulp(dt, value), r = rint(value / u) * u;
    return fabs(r) >= ldexp(1, f.emax + 1) ? copysign(INFINITY, value) : r;
}

ck_tensor ck_tensor_new(lm_dtype dt, const lm_shape *sh)
{
    ck_tensor t = {.dt = dt, .sh = *sh, .n = lm_shape_count(sh)};
    t.bytes = calloc((size_t)t.n + 1, lm_dtype_size(dt));
    if (!t.bytes) {
        fprintf(stderr, "checkop: out of memory\n");
        exit(2);
    }
    return t;
}

void ck_tensor_free(ck_tensor *t)
{
    free(t->bytes);
    t->bytes = NULL;
}

#define INTEGER_TYPES(X)                                                                                               \
    X(LM_I8, int8_t)                                                                                                   \
    X(LM_I16, int16_t) X(LM_I32, int32_t) X(LM_I64, int64_t) X(LM_U8, uint8_t) X(LM_U16, uint16_t) X(LM_U32, uint32_t) \
        X(LM_U64, uint64_t) X(LM_BOOL, uint8_t)

/* The bits of a 16-bit float, built from the value alone so that no code under test takes part. `value` is
 * representable. */
static uint16_t half_bits(format f, double value)
{
    int stored = f.digits - 1;
    uint16_t sign = signbit(value) ? 0x8000 : 0, top = (uint16_t)(((f.emax << 1 | 1) << stored) & 0x7fff);
    if (isnan(value))
        return (uint16_t)(sign | top | 1u << (stored - 1));
    if (isinf(value))
        return (uint16_t)(sign | top);
    int e;
    double m = frexp(fabs(value), &e);
    if (m == 0)
        return sign;
    if (e - 1 < f.emin)
        return (uint16_t)(sign | (uint16_t)ldexp(m, e - f.emin + stored));
    return (uint16_t)(sign | ((uint16_t)(e - 1 + f.emax) << stored) |
                      ((uint16_t)ldexp(m, f.digits) & ((1u << stored) - 1)));
}

static double half_value(format f, uint16_t bits)
{
    int stored = f.digits - 1, e = (bits & 0x7fff) >> stored, m = bits & ((1 << stored) - 1);
    double v = e == 2 * f.emax + 1 ? (m ? (double)NAN : (double)INFINITY)
               : e                 ? ldexp((1 << stored) + m, e - f.emax - stored)
                                   : ldexp(m, f.emin - stored);
    return bits & 0x8000 ? -v : v;
}

double ck_get(const ck_tensor *t, int64_t i)
{
    const unsigned char *p = t->bytes + (size_t)i * lm_dtype_size(t->dt);
    switch (t->dt) {
#define X(name, ctype)                                                                                                 \
    case name: {                                                                                                       \
        ctype v;                                                                                                       \
        memcpy(&v, p, sizeof v);                                                                                       \
        return (double)v;                                                                                              \
    }
        INTEGER_TYPES(X)
        X(LM_F32, float) X(LM_F64, double)
#undef X
            case LM_F16 : case LM_BF16:
        {
            uint16_t bits;
            memcpy(&bits, p, sizeof bits);
            return half_value(format_of(t->dt), bits);
        }
    default: return 0;
    }
}

/* Integers outside the type are clamped. */
void ck_set(ck_tensor *t, int64_t i, double value)
{
    unsigned char *p = t->bytes + (size_t)i * lm_dtype_size(t->dt);
    switch (t->dt) {
#define X(name, ctype)                                                                                                 \
    case name: {                                                                                                       \
        double lo = (ctype)-1 > 0 ? 0 : -ldexp(1, 8 * (int)sizeof(ctype) - 1);                                         \
        double hi = ldexp(1, 8 * (int)sizeof(ctype) - ((ctype)-1 > 0 ? 0 : 1));                                        \
        ctype top = (ctype)-1 > 0                                                                                      \
                        ? (ctype)-1                                                                                    \
                        : (ctype)(((ctype)1 << (8 * sizeof(ctype) - 2)) - 1 + ((ctype)1 << (8 * sizeof(ctype) - 2)));  \
        ctype v = value >= hi ? top : (ctype)(value < lo ? lo : value);                                                \
        memcpy(p, &v, sizeof v);                                                                                       \
        return;                                                                                                        \
    }
        INTEGER_TYPES(X)
#undef X
    case LM_F32: {
        float v = (float)ck_round(LM_F32, value);
        memcpy(p, &v, sizeof v);
        return;
    }
    case LM_F64: memcpy(p, &value, sizeof value); return;
    case LM_F16:
    case LM_BF16: {
        uint16_t bits = half_bits(format_of(t->dt), ck_round(t->dt, value));
        memcpy(p, &bits, sizeof bits);
        return;
    }
    default: return;
    }
}

ck_tensor ck_tensor_cast(const ck_tensor *t, lm_dtype dt)
{
    ck_tensor out = ck_tensor_new(dt, &t->sh);
    if (dt == t->dt)
        memcpy(out.bytes, t->bytes, (size_t)t->n * lm_dtype_size(dt));
    else
        for (int64_t i = 0; i < t->n; i++)
            ck_set(&out, i, ck_get(t, i));
    return out;
}

lm_view ck_tensor_view(const ck_tensor *t, lm_buffer *wrap)
{
    return lm_view_row(t->dt, &t->sh, wrap);
}

/* One number of a value set, before the fill bends it into the op's domain. */
static double draw(const ck_case *c, lm_dtype dt, uint64_t seed, uint64_t i)
{
    uint64_t h = ck_hash(seed ^ 0x5eed, i);
    double z = normal(seed, i);
    bool is_float = lm_dtype_is_float(dt), is_signed = lm_dtype_is_signed_int(dt);
    if (dt == LM_BOOL)
        return (double)(h & 1);
    if (c->values == CK_WHOLE || !is_float) {
        int bits = 8 * (int)lm_dtype_size(dt);
        if (c->values == CK_EXTREMES && h % 4 < 2)
            return h & 4 ? ldexp(1, bits) : is_signed ? (h & 8 ? -ldexp(1, bits) : -1) : 0;
        double range = c->values == CK_WHOLE ? 9 : 41;
        double v = floor(uniform(seed, i) * range);
        return is_signed || is_float ? v - (range - 1) / 2 : v;
    }
    format f = format_of(dt);
    if (c->values == CK_EXTREMES) {
        double e = f.emin - f.digits + uniform(seed, 3 * i) * (f.emax - f.emin + f.digits);
        return copysign(ldexp(1 + uniform(seed, 3 * i + 1), (int)e), z);
    }
    if (c->values == CK_SPECIAL && h % 8 == 0) {
        const double odd[] = {NAN,
                              INFINITY,
                              -INFINITY,
                              0.0,
                              -0.0,
                              ldexp(1, f.emin - f.digits + 1),
                              -ldexp(3, f.emin - 4),
                              ldexp(2 - ldexp(1, 1 - f.digits), f.emax),
                              1,
                              -1,
                              0.5,
                              -0.5};
        return odd[h / 8 % (sizeof odd / sizeof odd[0])];
    }
    return z;
}

/* Fills, after the @:
 *   pos |z| + 0.1, unit in (-1, 1), ge1 1 + |z|, prob in (0.05, 0.95), nz no zero, big z * 30, finite: no NaN,
 *   no infinity, const all equal, step ascending whole numbers, =a;b;c those numbers over and over,
 *   shift 0 to bits - 1, idxN in [-N, N), classN in [0, N), permN distinct numbers below N,
 *   window a place in the pool's window. */
static double bend(const char *fill, lm_dtype dt, double z, uint64_t seed, uint64_t i, int64_t n)
{
    uint64_t h = ck_hash(seed ^ 0xf111, i);
    if (!strncmp(fill, "idx", 3)) {
        int64_t m = strtoll(fill + 3, NULL, 10);
        return m ? (double)((int64_t)(h % (uint64_t)(2 * m)) - m) : 0;
    }
    if (!strncmp(fill, "class", 5)) {
        int64_t m = strtoll(fill + 5, NULL, 10);
        return m ? (double)(h % (uint64_t)m) : 0;
    }
    if (!strncmp(fill, "perm", 4)) {
        int64_t m = strtoll(fill + 4, NULL, 10), stride = m % 7 ? 7 : m % 5 ? 5 : 1;
        return (double)((int64_t)((uint64_t)i * (uint64_t)stride + seed % (uint64_t)m) % m);
    }
    if (fill[0] == '=') {
        int64_t count = 1, k;
        for (const char *p = fill; *p; p++)
            count += *p == ';';
        const char *p = fill + 1;
        for (k = (int64_t)(i % (uint64_t)count); k > 0; k--)
            p = strchr(p, ';') + 1;
        return strtod(p, NULL);
    }
    if (!strcmp(fill, "shift"))
        return (double)(h % (8 * lm_dtype_size(dt)));
    if (!strcmp(fill, "step"))
        return (double)i - (double)(n / 2);
    if (!strcmp(fill, "finite"))
        return isfinite(z) ? z : 0.75;
    if (!isfinite(z))
        return z;
    if (!strcmp(fill, "pos"))
        return fabs(z) + (lm_dtype_is_float(dt) ? 0.1 : 0);
    if (!strcmp(fill, "unit"))
        return z / (1 + fabs(z));
    if (!strcmp(fill, "ge1"))
        return 1 + fabs(z);
    if (!strcmp(fill, "prob"))
        return 0.05 + 0.9 * uniform(seed, i);
    if (!strcmp(fill, "nz"))
        return z == 0 || (z == -1 && lm_dtype_is_int(dt)) ? 3 : z;
    if (!strcmp(fill, "big"))
        return z * 30;
    if (!strcmp(fill, "const"))
        return 0.75;
    return z;
}

/* A place inside the window of signal element i, as the flat index that a max-pool would have kept. */
static int64_t window_index(const lm_attr_pool *p, const lm_shape *sh, int64_t i, uint64_t h)
{
    int64_t at[LM_RANK], flat;
    for (int k = sh->rank - 1; k >= 0; k--) {
        at[k] = i % sh->dim[k];
        i /= sh->dim[k];
    }
    flat = at[0] * sh->dim[1] + at[1];
    for (int k = 0; k < p->nd; k++) {
        int64_t tap = (int64_t)(h >> (8 * k) & 0xff), x = -1;
        for (int64_t tries = 0; tries < p->kernel[k] && (x < 0 || x >= p->size[k]); tries++)
            x = at[k + 2] * p->stride[k] - p->pad_lo[k] + (tap + tries) % p->kernel[k] * p->dilation[k];
        flat = flat * p->size[k] + (x < 0 || x >= p->size[k] ? 0 : x);
    }
    return flat;
}

/* Which element's number stands at i: with stride 0, elements along the first axis longer than 1 are one and the same.
 */
static int64_t source(const ck_case *c, const ck_tensor *t, int64_t i)
{
    int axis = 0;
    int64_t inner = 1;
    while (axis < t->sh.rank && t->sh.dim[axis] == 1)
        axis++;
    if (c->layout != CK_ZERO || axis == t->sh.rank)
        return i;
    for (int k = axis + 1; k < t->sh.rank; k++)
        inner *= t->sh.dim[k];
    return i % inner;
}

void ck_fill(ck_tensor *t, const ck_case *c, int operand)
{
    const char *fill = c->fill[operand] ? c->fill[operand] : "";
    /* The layout does not take part: a strided case holds the numbers of the plain one. */
    uint64_t seed = ck_hash(ck_opt.seed ^ ck_hash_text(c->row->label) ^ (uint64_t)c->op << 32, (uint64_t)operand);
    for (int64_t i = 0; i < t->n; i++) {
        uint64_t j = (uint64_t)source(c, t, i);
        if (!strcmp(fill, "window"))
            ck_set(t, i, (double)window_index(&c->a.pool, &t->sh, i, ck_hash(seed, j)));
        else
            ck_set(t, i, bend(fill, t->dt, draw(c, t->dt, seed, j), seed, j, t->n));
    }
}

void ck_inputs(const ck_case *c, ck_tensor x[CK_X])
{
    for (int i = 0; i < c->nx; i++) {
        x[i] = (ck_tensor){.dt = c->x[i].dt, .sh = c->x[i].sh};
        if (c->x[i].sh.rank == LM_ABSENT)
            continue;
        x[i] = ck_tensor_new(c->x[i].dt, &c->x[i].sh);
        ck_fill(&x[i], c, i);
    }
}

void ck_tensors_free(ck_tensor *t, int n)
{
    for (int i = 0; i < n; i++)
        ck_tensor_free(&t[i]);
}
