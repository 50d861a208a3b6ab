/* The thread pool: every tile once, any number of threads and callers, nothing lost on failure. */
#include "tests/unit/test.h"

#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/fpu.h"
#include "core/base/pool.h"

enum { MOST_TILES = 5000, MOST_THREADS = 16 };

typedef struct grid {
    lm_pool *pool;
    atomic_int hits[MOST_TILES];
    atomic_int busy[MOST_THREADS]; /* one run never uses a worker number twice at a time */
    atomic_int wrong;
} grid;

static void count_hit(void *ctx, int64_t tile, int worker)
{
    grid *g = ctx;
    if (worker < 0 || worker >= lm_pool_threads(g->pool) || atomic_fetch_add(&g->busy[worker], 1) != 0)
        atomic_fetch_add(&g->wrong, 1);
    atomic_fetch_add(&g->hits[tile], 1);
    atomic_fetch_sub(&g->busy[worker], 1);
}

static void run_once(lm_pool *pool, int64_t tiles)
{
    static grid g;
    memset(&g, 0, sizeof g);
    g.pool = pool;
    lm_pool_run(pool, tiles, count_hit, &g);
    int64_t once = 0;
    for (int64_t i = 0; i < MOST_TILES; i++)
        once += i < tiles ? atomic_load(&g.hits[i]) == 1 : atomic_load(&g.hits[i]) == 0;
    CHECK_INT(once, MOST_TILES);
    CHECK_INT(atomic_load(&g.wrong), 0);
}

static void every_tile_once(void)
{
    static const int threads[] = {1, 2, 3, 7};
    static const int64_t tiles[] = {0, 1, 2, 3, 6, 7, 8, 97, 1000, MOST_TILES};
    lm_topo *topo;
    if (!CHECK_OK(lm_topo_load(&topo)))
        return;
    for (size_t t = 0; t < LM_COUNT(threads); t++)
        for (int bind = 0; bind < 2; bind++) {
            lm_pool *pool;
            if (!CHECK_OK(lm_pool_open(topo, threads[t], bind, &pool)))
                continue;
            CHECK_INT(lm_pool_threads(pool), threads[t]);
            for (size_t i = 0; i < LM_COUNT(tiles); i++)
                run_once(pool, tiles[i]);
            for (int again = 0; again < 200; again++)
                run_once(pool, 5);
            lm_pool_close(pool);
        }
    lm_topo_free(topo);
    run_once(NULL, 9);
    lm_pool_close(NULL);
}

/* Runs after pauses long enough for the workers to fall asleep. */
static void wakes_sleepers(void)
{
    lm_pool *pool;
    if (!CHECK_OK(lm_pool_open(NULL, 3, false, &pool)))
        return;
    for (int i = 0; i < 20; i++) {
        usleep(2000);
        run_once(pool, 3 + i);
    }
    usleep(2000);
    lm_pool_close(pool);
}

/* Workers take part, awake or not: with tiles that wait for each other, one thread alone would never finish. */
static void meet(void *ctx, int64_t tile, int worker)
{
    atomic_int *here = ctx;
    (void)tile, (void)worker;
    atomic_fetch_add(here, 1);
    while (atomic_load(here) < 3)
        sched_yield();
}

static void workers_help(void)
{
    lm_pool *pool;
    if (!CHECK_OK(lm_pool_open(NULL, 3, false, &pool)))
        return;
    for (int i = 0; i < 50; i++) {
        atomic_int here = 0;
        if (i % 5 == 0)
            usleep(2000); /* the workers are asleep by now */
        lm_pool_run(pool, 3, meet, &here);
        CHECK_INT(atomic_load(&here), 3);
    }
    lm_pool_close(pool);
}

typedef struct nest {
    lm_pool *pool;
    atomic_int tiles, wrong;
} nest;

typedef struct inner {
    nest *outer;
    int worker;
} inner;

static void inner_tile(void *ctx, int64_t tile, int worker)
{
    inner *in = ctx;
    (void)tile;
    if (worker != in->worker)
        atomic_fetch_add(&in->outer->wrong, 1);
    atomic_fetch_add(&in->outer->tiles, 1);
}

static void outer_tile(void *ctx, int64_t tile, int worker)
{
    (void)tile;
    inner in = {ctx, worker};
    lm_pool_run(in.outer->pool, 7, inner_tile, &in);
}

static void nested_runs_stay_on_their_worker(void)
{
    nest n = {0};
    if (!CHECK_OK(lm_pool_open(NULL, 3, false, &n.pool)))
        return;
    for (int i = 0; i < 100; i++)
        lm_pool_run(n.pool, 20, outer_tile, &n);
    CHECK_INT(atomic_load(&n.tiles), 100 * 20 * 7);
    CHECK_INT(atomic_load(&n.wrong), 0);
    lm_pool_close(n.pool);
}

enum { ROUNDS = 300 };

/* Every cell is made from all cells of the round before, plainly, so a tile that starts too early shows. */
typedef struct march {
    lm_pool *pool;
    int tiles;
    int64_t value[2][LM_ROUND_TILES];
    atomic_int hits, wrong;
} march;

static void march_tile(void *ctx, int64_t index, int worker)
{
    march *m = ctx;
    int64_t round = index / m->tiles, sum = 0;
    for (int i = 0; i < m->tiles; i++)
        sum += m->value[round % 2][i];
    m->value[(round + 1) % 2][index % m->tiles] = sum / m->tiles + 1;
    atomic_fetch_add(&m->hits, 1);
    if (worker < 0 || worker >= lm_pool_threads(m->pool) || sum != round * m->tiles)
        atomic_fetch_add(&m->wrong, 1);
}

static void march_on(march *m)
{
    m->hits = 0;
    memset(m->value, 0, sizeof m->value);
    lm_pool_rounds(m->pool, ROUNDS, m->tiles, march_tile, m);
    CHECK_INT(atomic_load(&m->hits), ROUNDS * m->tiles);
    CHECK_INT(m->value[ROUNDS % 2][m->tiles - 1], ROUNDS);
}

static void march_inside(void *ctx, int64_t tile, int worker)
{
    (void)tile, (void)worker;
    march_on(ctx);
}

static void rounds_follow_each_other(void)
{
    static const int tiles[] = {1, 2, 3, 8, LM_ROUND_TILES};
    for (int threads = 1; threads <= 7; threads += 2) {
        march m = {0};
        if (!CHECK_OK(lm_pool_open(NULL, threads, false, &m.pool)))
            continue;
        for (size_t i = 0; i < LM_COUNT(tiles); i++) {
            m.tiles = tiles[i];
            march_on(&m);
            usleep(2000); /* the workers are asleep by now */
            march_on(&m);
            lm_pool_run(m.pool, 1, march_inside, &m);
        }
        lm_pool_rounds(m.pool, 0, 3, march_tile, &m);
        CHECK_INT(atomic_load(&m.wrong), 0);
        lm_pool_close(m.pool);
    }
    march alone = {.tiles = 3};
    march_on(&alone);
}

enum { CALLERS = 4, CALLS = 200 };

static void *call_many(void *arg)
{
    grid *g = arg;
    for (int i = 0; i < CALLS; i++)
        lm_pool_run(g->pool, 2 + i % 9, count_hit, g);
    return NULL;
}

static void callers_take_turns(void)
{
    static grid g;
    memset(&g, 0, sizeof g);
    if (!CHECK_OK(lm_pool_open(NULL, 3, false, &g.pool)))
        return;
    pthread_t caller[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        CHECK(pthread_create(&caller[i], NULL, call_many, &g) == 0);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(caller[i], NULL);
    int64_t hits = 0, wanted = 0;
    for (int i = 0; i < MOST_TILES; i++)
        hits += atomic_load(&g.hits[i]);
    for (int i = 0; i < CALLS; i++)
        wanted += 2 + i % 9;
    CHECK_INT(hits, wanted * CALLERS);
    CHECK_INT(atomic_load(&g.wrong), 0);
    lm_pool_close(g.pool);
}

/* Seven workers fill one array; the result must be that of one. */
static void square(void *ctx, int64_t tile, int worker)
{
    float *y = ctx;
    (void)worker;
    for (int64_t i = tile * 16; i < tile * 16 + 16; i++)
        y[i] = (float)i * (float)i + 0.1f * y[i];
}

static void writes_are_seen(void)
{
    enum { N = 4096 };
    static float one[N], many[N];
    lm_pool *pool;
    if (!CHECK_OK(lm_pool_open(NULL, 7, false, &pool)))
        return;
    for (int round = 0; round < 50; round++) {
        lm_pool_run(NULL, N / 16, square, one);
        lm_pool_run(pool, N / 16, square, many);
    }
    CHECK(memcmp(one, many, sizeof one) == 0);
    lm_pool_close(pool);
}

static void look_at_rounding(void *ctx, int64_t tile, int worker)
{
    atomic_int *wrong = ctx;
    (void)tile, (void)worker;
    volatile float one = 1, quarter_ulp = 0x1p-25f;
    if (one + quarter_ulp != 1 || one - quarter_ulp != 1)
        atomic_fetch_add(wrong, 1);
#if !defined(__arm__) /* its vector unit always flushes, and the compiler may use it */
    volatile float least = 0x1p-126f, half = 0.5f;
    if (least * half != 0x1p-127f)
        atomic_fetch_add(wrong, 1);
#endif
}

static void floating_point_state(void)
{
    atomic_int wrong = 0;
    lm_pool *pool;
    if (!CHECK_OK(lm_pool_open(NULL, 2, false, &pool)))
        return;
    uint64_t before = lm_fpu_get();
#if defined(__SSE__)
    lm_fpu_set(before | 0x8040); /* flush results and operands to zero */
#elif defined(__aarch64__)
    lm_fpu_set(before | 1u << 24);
#endif
    fesetround(FE_UPWARD);
    uint64_t odd = lm_fpu_get();
    for (int64_t tiles = 1; tiles < 40; tiles += 13) {
        lm_pool_run(pool, tiles, look_at_rounding, &wrong);
        lm_pool_run(NULL, tiles, look_at_rounding, &wrong);
    }
    CHECK(lm_fpu_get() == odd);
    CHECK_INT(fegetround(), FE_UPWARD);
    lm_fpu_set(before);
    fesetround(FE_TONEAREST);
    CHECK_INT(atomic_load(&wrong), 0);
    lm_pool_close(pool);
}

#if defined(__linux__)
static void where(void *ctx, int64_t tile, int worker)
{
    atomic_int *outside = ctx;
    cpu_set_t mask;
    (void)tile;
    if (worker > 0 && (sched_getaffinity(0, sizeof mask, &mask) != 0 || CPU_COUNT(&mask) != 1))
        atomic_fetch_add(outside, 1);
    usleep(100);
}

/* From where the pool must move the caller away, and leave its mask as it was. */
static void start_on_a_workers_processor(const lm_topo *topo, const cpu_set_t *mask)
{
    int order[3];
    cpu_set_t one;
    if (lm_topo_bind_order(topo, order, 3) < 2)
        return;
    CPU_ZERO(&one);
    CPU_SET(order[1], &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK(sched_setaffinity(0, sizeof *mask, mask) == 0);
}

static void binding(void)
{
    lm_topo *topo;
    lm_pool *pool;
    cpu_set_t before, after;
    atomic_int outside = 0;
    if (!CHECK_OK(lm_topo_load(&topo)))
        return;
    CHECK(sched_getaffinity(0, sizeof before, &before) == 0);
    if (topo->here && CHECK_OK(lm_pool_open(topo, 3, true, &pool))) {
        for (int i = 0; i < 20; i++) {
            start_on_a_workers_processor(topo, &before);
            lm_pool_run(pool, 30, where, &outside);
            CHECK(sched_getaffinity(0, sizeof after, &after) == 0 && CPU_EQUAL(&before, &after));
        }
        CHECK_INT(atomic_load(&outside), 0);
        lm_pool_close(pool);
    }
    lm_topo_free(topo);
}
#endif

static void bad_sizes(void)
{
    lm_pool *pool = NULL;
    CHECK_FAILS(lm_pool_open(NULL, -1, false, &pool), LM_USAGE);
    CHECK_FAILS(lm_pool_open(NULL, 1 << 20, false, &pool), LM_USAGE);
    CHECK(pool == NULL);
    if (CHECK_OK(lm_pool_open(NULL, 0, false, &pool)))
        CHECK_INT(lm_pool_threads(pool), 1);
    lm_pool_close(pool);
    CHECK_INT(lm_pool_threads(NULL), 1);
}

/* Too little address space for so many stacks: the system refuses a thread half-way. */
static void no_more_threads(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return;
#endif
#endif
    struct rlimit before, tight;
    lm_pool *pool = NULL;
    size_t live = lm_mem_count().live;
    CHECK(getrlimit(RLIMIT_AS, &before) == 0);
    tight = before;
    tight.rlim_cur = 512 << 20;
    if (setrlimit(RLIMIT_AS, &tight) != 0)
        return;
    lm_status status = lm_pool_open(NULL, 4000, false, &pool);
    setrlimit(RLIMIT_AS, &before);
    if (status == LM_OK) /* an emulator may not enforce the limit */
        lm_pool_close(pool);
    else
        CHECK_FAILS(status, LM_DEVICE);
    CHECK_INT(lm_mem_count().live, live);
}

static lm_status open_and_run(void)
{
    lm_topo *topo = NULL;
    lm_pool *pool = NULL;
    atomic_int wrong = 0;
    lm_status status = lm_topo_load(&topo);
    if (status == LM_OK)
        status = lm_pool_open(topo, 3, true, &pool);
    if (status == LM_OK)
        lm_pool_run(pool, 10, look_at_rounding, &wrong);
    lm_pool_close(pool);
    lm_topo_free(topo);
    return status;
}

static void every_allocation_may_fail(void)
{
    CHECK(test_every_allocation(open_and_run) > 3);
}

int main(void)
{
#if defined(__linux__)
    CASE(binding); /* before the others could have changed this thread's mask */
#endif
    CASE(every_tile_once);
    CASE(wakes_sleepers);
    CASE(workers_help);
    CASE(nested_runs_stay_on_their_worker);
    CASE(rounds_follow_each_other);
    CASE(callers_take_turns);
    CASE(writes_are_seen);
    CASE(floating_point_state);
    CASE(bad_sizes);
    CASE(no_more_threads);
    CASE(every_allocation_may_fail);
    return test_end();
}
