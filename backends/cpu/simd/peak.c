/* peak.c - loops that do nothing useful as fast as this level can: chains of fused multiply-adds in registers, and memory
 * read and written in order. Contract: backends/cpu/peak.h. */
#include "backends/cpu/peak.h"
#include "backends/cpu/simd/vec.h"

/* Independent chains of one vector (16 lanes) each. Latency times throughput of FMA units asks for 8 to 12 registers in
 * flight; more hide jitter until the registers run out. A vector is 1, 2 or 4 registers. */
#if LM_LEVEL_NO == 2
#define SHAPE0 EACH8
#define SHAPE1 EACH12
#define SHAPE2 EACH24
#elif LM_LEVEL_NO == 0
#define SHAPE0 EACH1
#define SHAPE1 EACH2
#define SHAPE2 EACH4
#else
#define SHAPE0 EACH4
#define SHAPE1 EACH5
#define SHAPE2 EACH6
#endif

#define EACH1(X) X(0)
#define EACH2(X) EACH1(X) X(1)
#define EACH4(X) EACH2(X) X(2) X(3)
#define EACH5(X) EACH4(X) X(4)
#define EACH6(X) EACH5(X) X(5)
#define EACH8(X) EACH6(X) X(6) X(7)
#define EACH12(X) EACH8(X) X(8) X(9) X(10) X(11)
#define EACH24(X) EACH12(X) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23)

/* Every lane of every chain starts from a value of its own that the compiler cannot know, or it would merge chains, or the
 * registers of one. |c| stays below 3: no overflow, no subnormals. */
#define START(i) lm_v16 c##i = lm_v_add(start, lm_v_set(0.01f * (float)(i)));
#define STEP(i) c##i = lm_v_fma(c##i, a, b);
#define SUM(i) total = lm_v_add(total, c##i);
#define COUNT(i) +1

#define LOOP(name, EACH)                                                                                               \
    static double name(int64_t turns, lm_v16 start, lm_v16 a, lm_v16 b, float *sink)                                                 \
    {                                                                                                                  \
        EACH(START)                                                                                                    \
        for (int64_t t = 0; t < turns; t++) {                                                                          \
            EACH(STEP)                                                                                                 \
        }                                                                                                              \
        lm_v16 total = lm_v_zero();                                                                                    \
        EACH(SUM)                                                                                                      \
        lm_v_store(sink, total);                                                                                       \
        return 2.0 * LM_LANES * (double)turns * (double)(0 EACH(COUNT));                                               \
    }

LOOP(loop0, SHAPE0)
LOOP(loop1, SHAPE1)
LOOP(loop2, SHAPE2)

static double fma_loop(int shape, int64_t turns, float *sink)
{
    volatile float factor = 0.5f, term = 0.75f;
    float lanes[LM_LANES];
    for (int i = 0; i < LM_LANES; i++)
        lanes[i] = 1.0f + term * (float)i / LM_LANES;
    lm_v16 a = lm_v_set(factor), b = lm_v_set(term), start = lm_v_load(lanes);
    if (shape == 0)
        return loop0(turns, start, a, b, sink);
    return shape == 1 ? loop1(turns, start, a, b, sink) : loop2(turns, start, a, b, sink);
}

/* Read and write side by side, four lines of the longer side at a time, of the shorter one when its share has grown to
 * that. The input is one stream, or its two halves. */
LM_VEC void run_stream(const float *in, size_t nin, float *out, size_t nout, int way, float *sink)
{
    enum { PIECE = 64, HALF = PIECE / 2, LINE = 16, AHEAD = 1024 };
    const bool past_caches = way & 1, ahead = way & 2, halves = way & 4;
    const size_t pieces = (nin > nout ? nin : nout) / PIECE, each = pieces * PIECE, step = halves ? HALF : PIECE;
    const float *second = halves ? in + nin / 2 : in + HALF;
    lm_v16 s0 = lm_v_zero(), s1 = s0, s2 = s0, s3 = s0, one = lm_v_set(1.0f);
    for (size_t piece = 0, owed_in = 0, owed_out = 0; piece < pieces; piece++) {
        for (owed_in += nin; owed_in >= each; owed_in -= each, in += step, second += step) {
            for (size_t k = 0; ahead && k < HALF; k += LINE) {
                __builtin_prefetch(in + AHEAD + k, 0, 3);
                __builtin_prefetch(second + AHEAD + k, 0, 3);
            }
            s0 = lm_v_add(s0, lm_v_load(in));
            s1 = lm_v_add(s1, lm_v_load(in + LINE));
            s2 = lm_v_add(s2, lm_v_load(second));
            s3 = lm_v_add(s3, lm_v_load(second + LINE));
        }
        for (owed_out += nout; owed_out >= each; owed_out -= each, out += PIECE)
            for (size_t k = 0; k < PIECE; k += LINE)
                if (past_caches)
                    lm_v_stream(out + k, one);
                else
                    lm_v_store(out + k, one);
    }
    if (past_caches)
        lm_v_stream_end();
    lm_v_store(sink, lm_v_add(lm_v_add(s0, s1), lm_v_add(s2, s3)));
}

/* A loop per way, without a branch in it. */
static void stream(const float *in, size_t nin, float *out, size_t nout, int way, float *sink)
{
#define WAY(n)                                                                                                         \
    case n: run_stream(in, nin, out, nout, n, sink); break
    switch (way) {
        WAY(0);
        WAY(1);
        WAY(2);
        WAY(3);
        WAY(4);
        WAY(5);
        WAY(6);
        WAY(7);
    }
#undef WAY
}

const lm_peak_loops LM_NAME(lm_peak_loops) = {fma_loop, stream};
