/* The streaming kernels of every level that runs here, bit by bit against the scalar level, on values chosen to hurt;
 * and the scalar level against plain definitions. */
#include "backends/cpu/kernels.h"
#include "backends/cpu/simd/vec.h"
#include "core/tensor/dtype.h"
#include "tests/unit/test.h"

#include <float.h>

enum { N = 4099 }; /* prime: runs end inside a vector */

static float x[3][N];
static uint8_t condition[N];
static const lm_stream *scalar, *level;
static bool flushes; /* this level's vectors have no subnormals (armv7) */

static float as_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* So small that a subnormal on the way may have made it. */
static bool tiny(float f)
{
    return fabsf(f) < 0x1p-100f;
}

static void fill(void)
{
    static const float hard[] = {
        0.0f,     -0.0f,   INFINITY,      -INFINITY,     NAN,           0x1p-149f,      -0x1p-149f,     FLT_MIN,
        -FLT_MIN, FLT_MAX, -FLT_MAX,      0.5f,          -0.5f,         1.5f,           2.5f,           -2.5f,
        255.5f,   256.0f,  8388607.5f,    8388609.0f,    -8388607.5f,   2147483520.0f,  2147483648.0f,  -2147483648.0f,
        -128.9f,  -129.0f, -2147483904.0f, 131072.0f,    1e30f,         88.8f,          -104.1f,        0.99999994f,
        -1.0f,    1.0f};
    uint32_t r = 1;
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < N; i++) {
            r = r * 1664525u + 1013904223u;
            uint32_t pick = r >> 8;
            x[k][i] = pick % 4 == 0   ? hard[pick / 4 % (sizeof hard / sizeof *hard)]
                      : pick % 4 == 1 ? as_float(r ^ r << 13)
                                      : ldexpf((float)(int)(pick % 20001) - 10000.0f, -11);
            if (flushes && fabsf(x[k][i]) < 0x1p-60f) /* whose square may be subnormal */
                x[k][i] = copysignf(0.0f, x[k][i]);
            condition[i] = (uint8_t)(pick >> 5 & 1);
        }
}

static bool same(const float *got, const float *want, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        bool nan = isnan(got[i]) && isnan(want[i]), flushed = flushes && tiny(got[i]) && tiny(want[i]);
        if (!nan && !flushed && memcmp(&got[i], &want[i], sizeof *got) != 0) {
            printf("%s, element %zu: %a, scalar %a (x = %a, %a)\n", what, i, (double)got[i], (double)want[i],
                   (double)x[0][i % N], (double)x[1][i % N]);
            return false;
        }
    }
    return true;
}

/* A run of n elements in the form `one`, at both levels. */
static bool run(lm_ew_fn fn, lm_ew_fn plain, size_t n, unsigned one, size_t size, bool choice, const char *what)
{
    static float got[N], want[N];
    lm_ew e = {.n = n, .one = one, .a = 0.25f, .b = 1.5f, .bad = -1, .x = {x[0], x[1], x[2], x[1]}};
    if (choice)
        e.x[0] = condition;
    memset(got, 0x5a, sizeof got), memset(want, 0x5a, sizeof want);
    e.y = want;
    plain(&e);
    e.y = got;
    fn(&e);
    if (size == sizeof(float))
        return same(got, want, N, what);
    return memcmp(got, want, sizeof got) == 0;
}

static void elementwise(void)
{
    static const size_t lengths[] = {1, 15, 16, 17, 1000, N};
    for (int op = 0; op < LM_OPS; op++) {
        bool test = op == LM_OP_ISNAN || op == LM_OP_ISINF || (op >= LM_OP_EQUAL && op <= LM_OP_LESSEQ);
        unsigned forms = lm_ops[op].max_in == 1 ? 1 : 4;
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
            for (unsigned one = 0; one < forms && scalar->ew[op]; one++)
                CHECK(run(level->ew[op], scalar->ew[op], lengths[k], one, test ? 1 : 4, op == LM_OP_WHERE,
                          lm_ops[op].id));
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths && scalar->dx[op]; k++)
            CHECK(run(level->dx[op], scalar->dx[op], lengths[k], 0, 4, false, lm_ops[op].id));
    }
}

static void conversions(void)
{
    for (int to = 0; to < LM_DTYPES; to++)
        for (int from = 0; from < LM_DTYPES; from++)
            if (scalar->convert[to][from])
                CHECK(run(level->convert[to][from], scalar->convert[to][from], 1001, 0, 1, false, "convert"));
}

/* all 65,536 values of both storage types there, and back */
static void storage_types(void)
{
    static uint16_t bits[65536], back[65536];
    static float wide[65536], want[65536];
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 65536; i++) {
            bits[i] = (uint16_t)i;
            want[i] = k ? lm_bf16_to_f32(bits[i]) : lm_f16_to_f32(bits[i]);
        }
        (k ? level->from_bf16 : level->from_f16)(wide, bits, 65536);
        CHECK(same(wide, want, 65536, "from storage"));
        (k ? level->to_bf16 : level->to_f16)(back, wide, 65536);
        for (int i = 0; i < 65536; i++)
            if (!isnan(want[i]))
                CHECK_INT(back[i], bits[i]);
        (k ? level->to_bf16 : level->to_f16)(back, x[0], N);
        for (int i = 0; i < N; i++)
            if (!isnan(x[0][i]))
                CHECK_INT(back[i], k ? lm_f32_to_bf16(x[0][i]) : lm_f32_to_f16(x[0][i]));
    }
}

/* The canonical order written out: sixteen lanes, then 8-4-2-1. */
static float sum_by_definition(const float *v, size_t n)
{
    float lane[16] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % 16] += v[i];
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

static void reductions(void)
{
    static float v[N];
    for (int i = 0; i < N; i++)
        v[i] = isfinite(x[0][i]) && fabsf(x[0][i]) < 1e6f ? x[0][i] : 1.0f;
    for (size_t n = 0; n < 100; n++)
        for (int kind = 0; kind < LM_REDS; kind++) {
            float lane[16], got[17], want, shift[17] = {0};
            scalar->reduce_start(kind, lane);
            scalar->reduce_more(kind, lane, v, n, 0);
            want = scalar->reduce_fold(kind, lane);
            level->reduce_start(kind, lane);
            level->reduce_more(kind, lane, v, n / 16 * 16, 0);
            level->reduce_more(kind, lane, v + n / 16 * 16, n % 16, 0);
            got[0] = level->reduce_fold(kind, lane);
            CHECK(same(got, &want, 1, "row"));
            if (kind == LM_RED_SUM)
                CHECK(same(got, (float[]){sum_by_definition(v, n)}, 1, "definition"));
            level->reduce_columns(kind, got, v, 17, n, 17, shift); /* column j of [n][17]; column 0 gathered below */
            float column[100];
            for (size_t i = 0; i < n; i++)
                column[i] = v[i * 17 + 16];
            scalar->reduce_start(kind, lane);
            scalar->reduce_more(kind, lane, column, n, 0);
            want = scalar->reduce_fold(kind, lane);
            CHECK(same(got + 16, &want, 1, "column"));
        }
}

static float most(float a, float b)
{
    if (isnan(a) || isnan(b))
        return NAN;
    return a == b ? (signbit(a) ? b : a) : fmaxf(a, b);
}

static int32_t whole(float a)
{
    return isnan(a) ? 0 : a >= 0x1p31f ? INT32_MAX : a < -0x1p31f ? INT32_MIN : (int32_t)a;
}

/* The definitions of the corners, on the scalar vectors themselves. */
static void corners(void)
{
    for (int i = 0; i + 16 <= N; i += 16) {
        const float *a = x[0] + i, *b = x[1] + i;
        lm_v16 va = lm_v_load(a), vb = lm_v_load(b);
        float got[7][16], want[7][16];
        int32_t integer[16];
        lm_v_store(got[0], lm_v_max(va, vb)), lm_v_store(got[1], lm_v_min(va, vb));
        lm_v_store(got[2], lm_v_rint(va)), lm_v_store(got[3], lm_v_floor(va));
        lm_v_store(got[4], lm_v_ceil(va)), lm_v_store(got[5], lm_v_trunc(va));
        lm_v_store(got[6], lm_v_relu(va));
        lm_i_store(integer, lm_v_to_i(va));
        for (int j = 0; j < 16; j++) {
            want[0][j] = most(a[j], b[j]), want[1][j] = -most(-a[j], -b[j]);
            want[2][j] = nearbyintf(a[j]), want[3][j] = floorf(a[j]);
            want[4][j] = ceilf(a[j]), want[5][j] = truncf(a[j]);
            want[6][j] = isnan(a[j]) ? NAN : a[j] > 0 ? a[j] : 0.0f;
            CHECK_INT(integer[j], whole(a[j]));
        }
        CHECK(same(got[0], want[0], 7 * 16, "corner"));
    }
}

int main(void)
{
    scalar = level = lm_cpu_stream(LM_CPU_SCALAR);
    fill();
    CASE(corners);
    for (lm_cpu_level l = LM_CPU_SCALAR; l < LM_CPU_LEVELS; l++) {
        if (!lm_cpu_level_usable(l))
            continue;
        printf("%s\n", lm_cpu_level_name(l));
        level = lm_cpu_stream(l);
#ifdef __arm__
        flushes = l == LM_CPU_NEON;
        fill();
#endif
        CASE(elementwise);
        CASE(conversions);
        CASE(storage_types);
        CASE(reductions);
    }
    return test_end();
}
