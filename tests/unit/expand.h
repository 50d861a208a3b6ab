/* Running an op on the reference device in single and in double precision, and comparing with what a test works out by
 * loops of its own. */
#ifndef LM_TEST_EXPAND_H
#define LM_TEST_EXPAND_H

#include "core/graph/expand.h"
#include "core/run/exec.h"
#include "tests/unit/test.h"

static lm_chain chains[2]; /* float32, and float32 held in doubles */
static const double tolerance[2] = {1e-5, 2e-7};
static lm_view made[64], result[2][LM_OUT_MAX];
static int made_count;

/* Repeatable numbers in (-1, 1). */
static inline double noise(int seed, int64_t i)
{
    uint64_t h = ((uint64_t)i + 1) * 0x9E3779B97F4A7C15u ^ ((uint64_t)seed + 1) * 0xC2B2AE3D27D4EB4Fu;
    h ^= h >> 29;
    h *= 0xBF58476D1CE4E5B9u;
    h ^= h >> 32;
    return (double)(h >> 11) * 0x1p-52 - 1;
}

static inline lm_view empty(lm_dtype dt, lm_shape shape)
{
    lm_view v = {0};
    CHECK_OK(lm_view_new(dt, &shape, &v));
    made[made_count++] = v;
    return v;
}

static inline lm_view random_view(int seed, lm_shape shape)
{
    lm_view v = empty(LM_F32, shape);
    for (int64_t i = 0, n = lm_shape_count(&shape); i < n; i++)
        lm_view_set(&v, i, noise(seed, i));
    return v;
}

static inline lm_view classes(int seed, lm_shape shape, int64_t count)
{
    lm_view v = empty(LM_I64, shape);
    for (int64_t i = 0, n = lm_shape_count(&shape); i < n; i++)
        lm_view_set(&v, i, floor((noise(seed, i) + 1) / 2 * (double)count));
    return v;
}

static inline void drop_results(void)
{
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < LM_OUT_MAX; i++) {
            lm_buffer_unref(result[c][i].buf);
            result[c][i] = (lm_view){0};
        }
}

static inline void drop_all(void)
{
    drop_results();
    while (made_count > 0)
        lm_buffer_unref(made[--made_count].buf);
}

static inline bool run(lm_opid op, const lm_attrs *a, int nx, const lm_view *x, int ny)
{
    drop_results();
    bool good = true;
    for (int c = 0; c < 2; c++)
        good &= CHECK_OK(lm_exec_once(&chains[c], op, a, nx, x, ny, result[c]));
    return good;
}

static inline void expect(int output, int64_t at, double want)
{
    for (int c = 0; c < 2; c++) {
        double got = lm_view_get(&result[c][output], at);
        if (!(fabs(got - want) <= tolerance[c] * (1 + fabs(want)))) {
            printf("result %d, element %lld, %s: got %.9g, wanted %.9g\n", output, (long long)at,
                   c ? "double" : "single", got, want);
            CHECK(!"the expansion agrees");
        }
    }
}

static inline double at(const lm_view *v, int64_t i)
{
    return lm_view_get(v, i);
}

/* Run the cases with both chains open; what they made is freed after each. Returns main's status. */
typedef struct expand_case {
    const char *name;
    void (*run)(void);
} expand_case;

static inline int expand_main(const expand_case *cases, size_t n)
{
    if (lm_chain_open("ref", &chains[0]) != LM_OK || lm_chain_open("ref:type=f64", &chains[1]) != LM_OK) {
        printf("%s\n", lm_message());
        return 1;
    }
    size_t before = lm_mem_count().live;
    for (size_t i = 0; i < n; i++) {
        test_case(cases[i].name, cases[i].run);
        drop_all();
    }
    bool kept = lm_mem_count().live != before;
    if (kept)
        printf("memory is still held\n");
    for (int c = 0; c < 2; c++)
        lm_chain_close(&chains[c]);
    return test_end() || kept;
}

#endif
