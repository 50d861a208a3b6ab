/* The pool. A run opens a door; workers that come while it is open take part, and the caller waits only for those. So a
 * worker that sleeps or is held up by a neighbour costs nothing but its help, and an empty run costs almost nothing. */
#include "core/base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/fpu.h"
#include "core/base/log.h"
#include "core/base/mem.h"

/* How long a waiting thread spins before it sleeps: waking one costs about this much. Between two kernels of one plan
 * the gap is shorter, so workers stay awake through a whole plan. */
enum { SPIN_NS = 80000, PAUSES_PER_LOOK = 32 };

/* A claim takes this part of what is left of a worker's stretch: many tiles at first, so that claims are few, and
 * single ones at the end, so that nobody finishes late. */
enum { CLAIM_PART = 8 };

/* The door: run number in the high half, then whether it is open, then how many workers are inside. */
#define DOOR_RUN ((uint64_t)1 << 32)
#define DOOR_OPEN ((uint64_t)1 << 31)
#define DOOR_INSIDE (DOOR_OPEN - 1)

typedef struct worker {
    lm_pool *pool;
    int number, cpu; /* cpu to be bound to, -1 for none */
    pthread_t thread;
} worker;

/* Each worker begins with a stretch of neighbouring tiles, and then helps others with theirs: of two kernels one after
 * the other a worker reads what it wrote itself, mostly, and that is still in its caches. */
typedef struct stretch {
    _Alignas(LM_ALIGN) atomic_int_fast64_t next;
    int64_t end;
} stretch;

struct lm_pool {
    int threads, started;
    bool bound;
    lm_cpuset taken;  /* processors of the cores that workers are bound to, the caller's own place left out */
    int64_t spin_ns;  /* 0 when there are more threads than processors */
    worker *workers;  /* threads - 1 of them */

    pthread_mutex_t turn;         /* callers queue here */
    pthread_mutex_t sleep;        /* guards nothing but the two waits below */
    pthread_cond_t opened, left;  /* a run began or the pool closes; the last worker left */
    atomic_bool closing;
    atomic_int sleepers;          /* workers in or about to enter a wait for `opened` */
    atomic_bool caller_sleeps;

    /* The run: written by the caller while the door is shut and nobody is inside. */
    lm_tile_fn fn;
    void *ctx;
    int64_t tiles;
    int caller_cpu, stretches;
    stretch *stretch; /* by worker, as many as there are tiles for */

    _Alignas(LM_ALIGN) atomic_uint_fast64_t door;
};

/* Whether this thread is inside a tile, and as which worker. */
static _Thread_local struct {
    bool inside;
    int number;
} here;

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* waits longer than `yield`, which most cores treat as nothing */
#elif defined(__arm__)
    __asm__ volatile("yield" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The kernel's masks are arrays of words, lowest processor first: the layout of lm_cpuset. A refusal, as in some
 * containers, leaves the thread where the system puts it. */
#if defined(__linux__)
static void set_mask(const lm_cpuset *set)
{
    (void)!sched_setaffinity(0, sizeof *set, (const cpu_set_t *)(const void *)set);
}
#endif

static void bind_to(int cpu)
{
#if defined(__linux__)
    lm_cpuset only = {0};
    lm_cpuset_add(&only, cpu);
    if (cpu >= 0)
        set_mask(&only);
#else
    (void)cpu;
#endif
}

/* Systems tend to put two threads that wake each other on one processor, and to leave them there for milliseconds. If
 * this thread runs on one of those, move to another of its own, then take the thread's mask back at once: it stays
 * where it is as long as that is sensible. */
static void step_aside(const lm_cpuset *avoid)
{
#if defined(__linux__)
    lm_cpuset own = {0}, rest;
    if (!lm_cpuset_has(avoid, sched_getcpu()) || sched_getaffinity(0, sizeof own, (cpu_set_t *)(void *)&own) < 0)
        return;
    for (size_t i = 0; i < LM_COUNT(rest.word); i++)
        rest.word[i] = own.word[i] & ~avoid->word[i];
    if (lm_cpuset_count(&rest) == 0)
        return;
    set_mask(&rest);
    set_mask(&own);
#else
    (void)avoid;
#endif
}

static int this_cpu(void)
{
#if defined(__linux__)
    return sched_getcpu();
#else
    return -1;
#endif
}

static bool claim_from(stretch *s, int64_t *first, int64_t *end)
{
    int_fast64_t next = atomic_load_explicit(&s->next, memory_order_relaxed), take;
    do {
        if (next >= s->end)
            return false;
        take = 1 + (s->end - next) / CLAIM_PART;
    } while (!atomic_compare_exchange_weak_explicit(&s->next, &next, next + take, memory_order_relaxed,
                                                    memory_order_relaxed));
    *first = next;
    *end = next + take;
    return true;
}

/* The next tiles to compute; false when none is left. */
static bool claim(lm_pool *pool, int number, int64_t *first, int64_t *end)
{
    for (int i = 0; i < pool->stretches; i++)
        if (claim_from(&pool->stretch[(number + i) % pool->stretches], first, end))
            return true;
    return false;
}

static void take_part(lm_pool *pool, int number)
{
    lm_fpu caller = lm_fpu_enter();
    here.inside = true;
    here.number = number;
    for (int64_t tile, end; claim(pool, number, &tile, &end);)
        for (; tile < end; tile++)
            pool->fn(pool->ctx, tile, number);
    here.inside = false;
    lm_fpu_leave(caller);
}

/* Enter through an open door that this worker has not been through yet. */
static bool enter(lm_pool *pool, uint64_t *last_run)
{
    uint_fast64_t door = atomic_load(&pool->door);
    while ((door & DOOR_OPEN) && door / DOOR_RUN != *last_run) {
        if (atomic_compare_exchange_weak(&pool->door, &door, door + 1)) {
            *last_run = door / DOOR_RUN;
            return true;
        }
    }
    return false;
}

static void leave(lm_pool *pool)
{
    uint64_t door = atomic_fetch_sub(&pool->door, 1) - 1;
    if (!(door & (DOOR_OPEN | DOOR_INSIDE)) && atomic_load(&pool->caller_sleeps)) {
        pthread_mutex_lock(&pool->sleep);
        pthread_cond_signal(&pool->left);
        pthread_mutex_unlock(&pool->sleep);
    }
}

/* Something may be there for a worker: a door it has not been through, or the end. */
static bool called(lm_pool *pool, uint64_t last_run)
{
    uint64_t door = atomic_load(&pool->door);
    return ((door & DOOR_OPEN) && door / DOOR_RUN != last_run) || atomic_load(&pool->closing);
}

static bool everybody_left(lm_pool *pool, uint64_t unused)
{
    (void)unused;
    return !(atomic_load(&pool->door) & DOOR_INSIDE);
}

/* Look until it is so or the time for spinning is over. */
static bool spin(lm_pool *pool, bool (*is_so)(lm_pool *, uint64_t), uint64_t arg, bool yield)
{
    int64_t until = pool->spin_ns ? now_ns() + pool->spin_ns : 0;
    while (until) {
        for (int i = 0; i < PAUSES_PER_LOOK; i++) {
            if (is_so(pool, arg))
                return true;
            relax();
        }
        int64_t left = until - now_ns();
        if (left < 0)
            break;
        if (yield)
            sched_yield();
    }
    return false;
}

static void wait_for_call(lm_pool *pool, uint64_t last_run)
{
    if (spin(pool, called, last_run, !pool->bound))
        return;
    /* Announce first, look again after: the caller opens the door first and counts sleepers after. */
    pthread_mutex_lock(&pool->sleep);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!called(pool, last_run))
        pthread_cond_wait(&pool->opened, &pool->sleep);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->sleep);
}

/* A worker that is inside but not running may need the very processor that the caller spins on, hence the yielding
 * here; and unbound workers may sit on the caller's. */
static void wait_for_leavers(lm_pool *pool)
{
    if (spin(pool, everybody_left, 0, true))
        return;
    pthread_mutex_lock(&pool->sleep);
    atomic_store(&pool->caller_sleeps, true);
    while (!everybody_left(pool, 0))
        pthread_cond_wait(&pool->left, &pool->sleep);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->sleep);
}

static void keep_off_caller(const worker *self)
{
    if (self->cpu >= 0 || self->pool->caller_cpu != this_cpu())
        return;
    lm_cpuset avoid = {0};
    lm_cpuset_add(&avoid, self->pool->caller_cpu);
    step_aside(&avoid);
}

static void *work(void *arg)
{
    worker *self = arg;
    lm_pool *pool = self->pool;
    uint64_t last_run = 0;
#if defined(__linux__)
    char name[16];
    snprintf(name, sizeof name, "limn-%d", self->number);
    pthread_setname_np(pthread_self(), name);
#endif
    bind_to(self->cpu);
    while (!atomic_load(&pool->closing)) {
        if (enter(pool, &last_run)) {
            keep_off_caller(self);
            take_part(pool, self->number);
            leave(pool);
        } else {
            wait_for_call(pool, last_run);
        }
    }
    return NULL;
}

static void run_inline(int64_t tiles, lm_tile_fn fn, void *ctx, int number)
{
    lm_fpu caller = lm_fpu_enter();
    for (int64_t tile = 0; tile < tiles; tile++)
        fn(ctx, tile, number);
    lm_fpu_leave(caller);
}

static void divide_tiles(lm_pool *pool)
{
    const int64_t n = pool->tiles < pool->threads ? pool->tiles : pool->threads;
    pool->stretches = (int)n;
    for (int64_t i = 0, at = 0; i < n; i++) {
        atomic_store_explicit(&pool->stretch[i].next, at, memory_order_relaxed);
        at += pool->tiles / n + (i < pool->tiles % n);
        pool->stretch[i].end = at;
    }
}

/* Open the door and wake as many sleepers as there is work for. */
static void open_door(lm_pool *pool)
{
    divide_tiles(pool);
    atomic_store(&pool->door, ((atomic_load(&pool->door) / DOOR_RUN + 1) * DOOR_RUN) | DOOR_OPEN);
    int asleep = atomic_load(&pool->sleepers);
    if (!asleep)
        return;
    int64_t wanted = pool->tiles - 1;
    /* Passing through the lock means that whoever looked before the door opened is in the wait by now. */
    pthread_mutex_lock(&pool->sleep);
    pthread_mutex_unlock(&pool->sleep);
    if (wanted >= asleep)
        pthread_cond_broadcast(&pool->opened);
    for (int64_t i = 0; i < wanted && wanted < asleep; i++)
        pthread_cond_signal(&pool->opened);
}

void lm_pool_run(lm_pool *pool, int64_t tiles, lm_tile_fn fn, void *ctx)
{
    if (tiles <= 0)
        return;
    if (!pool || pool->threads == 1 || tiles == 1 || here.inside) {
        run_inline(tiles, fn, ctx, here.inside ? here.number : 0);
        return;
    }
    pthread_mutex_lock(&pool->turn);
    pool->fn = fn;
    pool->ctx = ctx;
    pool->tiles = tiles;
    step_aside(&pool->taken);
    pool->caller_cpu = this_cpu();
    open_door(pool);
    take_part(pool, 0);
    if (atomic_fetch_and(&pool->door, ~DOOR_OPEN) & DOOR_INSIDE)
        wait_for_leavers(pool);
    pthread_mutex_unlock(&pool->turn);
}

typedef struct rounds {
    lm_pool *pool;
    int64_t count;
    int tiles;
    lm_tile_fn fn;
    void *ctx;
    _Alignas(LM_ALIGN) atomic_uint_fast64_t claimed; /* the round in the high half, then a bit for each claimed tile */
    _Alignas(LM_ALIGN) atomic_int done;              /* tiles of this round */
} rounds;

/* The tile that a worker should take: its own, otherwise the next one that is free; -1: none is. */
static int free_tile(uint64_t claimed, int tiles, int own)
{
    for (int i = 0; i < tiles; i++) {
        int tile = (own + i) % tiles;
        if (!(claimed >> tile & 1))
            return tile;
    }
    return -1;
}

/* Work in all rounds from the one that is under way. Tiles are claimed, not assigned, so nobody waits for a worker that
 * does not come; whoever finishes a round begins the next one. */
static void walk_rounds(void *ctx, int64_t tile, int number)
{
    enum { LOOKS = 2000, FEW_LOOKS = 20 }; /* before a thread that waits offers its processor to others */
    rounds *r = ctx;
    int patience = r->pool && r->pool->spin_ns ? LOOKS : FEW_LOOKS, looks = 0;
    uint_fast64_t claimed = atomic_load_explicit(&r->claimed, memory_order_acquire);
    while ((int64_t)(claimed >> 32) < r->count) {
        int64_t round = (int64_t)(claimed >> 32);
        tile = free_tile(claimed, r->tiles, number % r->tiles);
        if (tile < 0) {
            if (looks++ < patience)
                relax();
            else
                sched_yield();
        } else if (atomic_compare_exchange_strong_explicit(&r->claimed, &claimed, claimed | (uint64_t)1 << tile,
                                                           memory_order_acq_rel, memory_order_acquire)) {
            r->fn(r->ctx, round * r->tiles + tile, number);
            looks = 0;
            if (atomic_fetch_add_explicit(&r->done, 1, memory_order_acq_rel) + 1 == r->tiles) {
                atomic_store_explicit(&r->done, 0, memory_order_relaxed);
                atomic_store_explicit(&r->claimed, (uint64_t)(round + 1) << 32, memory_order_release);
            }
        }
        claimed = atomic_load_explicit(&r->claimed, memory_order_acquire);
    }
}

void lm_pool_rounds(lm_pool *pool, int64_t count, int tiles, lm_tile_fn fn, void *ctx)
{
    rounds r = {.pool = pool, .count = count, .tiles = tiles, .fn = fn, .ctx = ctx};
    int helpers = lm_pool_threads(pool);
    if (tiles > 0)
        lm_pool_run(pool, tiles < helpers ? tiles : helpers, walk_rounds, &r);
}

int lm_pool_threads(const lm_pool *pool)
{
    return pool ? pool->threads : 1;
}

void lm_pool_close(lm_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->sleep);
    atomic_store(&pool->closing, true);
    pthread_cond_broadcast(&pool->opened);
    pthread_mutex_unlock(&pool->sleep);
    for (int i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->left);
    pthread_cond_destroy(&pool->opened);
    pthread_mutex_destroy(&pool->sleep);
    pthread_mutex_destroy(&pool->turn);
    lm_free(pool->stretch);
    lm_free(pool->workers);
    lm_free(pool);
}

/* Keep the caller off the core of a worker's processor; off that processor alone where the caller's own place, `home`,
 * is on the same core. */
static void take_core(lm_pool *pool, const lm_topo *topo, int cpu, int home)
{
    const lm_core *core = lm_topo_core_of(topo, cpu);
    lm_cpuset_add(&pool->taken, cpu);
    for (int i = 0; core && core != lm_topo_core_of(topo, home) && i < core->cpus; i++)
        lm_cpuset_add(&pool->taken, topo->cpu[core->first_cpu + i]);
}

/* Decide who is bound where, and how long waiting threads may spin. */
static lm_status place(lm_pool *pool, const lm_topo *topo, bool bind)
{
    for (int i = 0; i < pool->threads - 1; i++)
        pool->workers[i] = (worker){.pool = pool, .number = i + 1, .cpu = -1};
    int usable = topo ? lm_cpuset_count(&topo->allowed) : pool->threads;
    if (topo && topo->quota > 0 && topo->quota < usable)
        usable = (int)topo->quota;
    pool->spin_ns = pool->threads > usable ? 0 : SPIN_NS;
    if (!bind || !topo || !topo->here || pool->threads == 1)
        return LM_OK;
    int *order = lm_calloc((size_t)pool->threads, sizeof *order);
    if (!order)
        return LM_MEMORY;
    int places = lm_topo_bind_order(topo, order, pool->threads);
    for (int i = 1; i < pool->threads && places > 0; i++) {
        int cpu = order[i % (places < pool->threads ? places : pool->threads)];
        pool->workers[i - 1].cpu = cpu;
        if (cpu != order[0])
            take_core(pool, topo, cpu, order[0]);
    }
    pool->bound = places > 0;
    lm_free(order);
    return LM_OK;
}

/* Signals belong to the program's own threads. Where the system gives no more threads, there are fewer: results do not
 * depend on their number. */
static void start_workers(lm_pool *pool)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = 0;
    for (; pool->started < pool->threads - 1 && !error; pool->started += !error) {
        worker *next = &pool->workers[pool->started];
        error = pthread_create(&next->thread, NULL, work, next);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        lm_log(LM_LOG_WARN,
               "thread %d of %d cannot be started (%s), so %d %s used; ask for fewer with --threads or LIMN_THREADS",
               pool->started + 2, pool->threads, strerror(error), pool->started + 1, pool->started ? "are" : "is");
    pool->threads = pool->started + 1;
}

lm_status lm_pool_open(const lm_topo *topo, int threads, bool bind, lm_pool **out)
{
    LM_REQUIRE(threads >= 0 && threads <= LM_CPUS, LM_USAGE, "a pool has 1 to %d threads, not %d", LM_CPUS, threads);
    if (threads == 0)
        threads = topo ? lm_topo_threads(topo) : 1;
    lm_pool *pool;
    LM_NEW(pool);
    pool->threads = threads;
    pool->workers = lm_calloc((size_t)threads, sizeof *pool->workers);
    pool->stretch = lm_calloc((size_t)threads, sizeof *pool->stretch);
    if (!pool->workers || !pool->stretch) {
        lm_free(pool->stretch);
        lm_free(pool->workers);
        lm_free(pool);
        return LM_MEMORY;
    }
    pthread_mutex_init(&pool->turn, NULL);
    pthread_mutex_init(&pool->sleep, NULL);
    pthread_cond_init(&pool->opened, NULL);
    pthread_cond_init(&pool->left, NULL);
    lm_status status = place(pool, topo, bind);
    if (status != LM_OK) {
        lm_pool_close(pool);
        return status;
    }
    start_workers(pool);
    *out = pool;
    return LM_OK;
}
