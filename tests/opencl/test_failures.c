/* OpenCL drivers that fail: no memory, a device that is lost, compilers that refuse, crash, hang or make binaries that
 * are refused, through the driver of shim_icd.c. Every failure gives its status and a message that names the device,
 * leaves nothing behind, and lets the session be closed. Also how often a run touches the bus, and what it costs. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/env.h"
#include "core/base/log.h"
#include "core/graph/emit.h"
#include "core/run/plan.h"
#include "tests/opencl/shim.h"
#include "tests/unit/test.h"

#define DEVICE "opencl:0.0"
static const char strict[] = DEVICE ":strict=1", lenient[] = DEVICE ",cpu";

/* Of CL/cl.h. */
enum { NOT_AVAILABLE = -2, NO_MEMORY = -4, NO_RESOURCES = -5, BUILD_FAILURE = -11, INVALID_BINARY = -42 };
enum { N = 24, FOREVER = 1 << 30 };

static char folder[] = "/tmp/limn-shim-XXXXXX";
static shim_state *shim;
static int warnings;
static float right[N][N]; /* what the model of `run` answers */

static void count_warnings(void *ctx, lm_log_level level, const char *text)
{
    (void)ctx, (void)text;
    warnings += level <= LM_LOG_WARN;
}

static void rule(int function, int after, int times, int code, shim_where where)
{
    shim->rule[function].where = where;
    shim->rule[function].code = code;
    shim->rule[function].after = after;
    shim->rule[function].times = times;
}

static void no_rules(void)
{
    for (int i = 0; i < SHIM_FUNCTIONS; i++)
        rule(i, 0, 0, 0, SHIM_ANYWHERE);
}

static int calls(int function)
{
    return atomic_load(&shim->calls[function]);
}

/* gelu(x * constant) */
static lm_graph *model(void)
{
    lm_emit e = {0};
    lm_val x = LM_NOVAL, w = LM_NOVAL;
    const lm_type type = {LM_F32, LM_SHAPE(N, N)};
    lm_view weights = {0};
    CHECK_OK(lm_graph_new(&e.g));
    CHECK_OK(lm_view_new(LM_F32, &type.sh, &weights));
    for (int i = 0; i < N * N; i++)
        lm_view_set(&weights, i, (i * 37 % 101) * 0.01 - 0.5);
    CHECK_OK(lm_graph_input(e.g, "x", &type, &x));
    CHECK_OK(lm_graph_constant(e.g, NULL, &weights, &w));
    lm_buffer_unref(weights.buf);
    const lm_val product = lm_emit1(&e, LM_OP_MATMUL, NULL, x, w);
    CHECK_OK(lm_graph_output(e.g, lm_emit1(&e, LM_OP_GELU, NULL, product)));
    CHECK_OK(e.status);
    return e.g;
}

/* Plan, run `runs` times, close; y[N][N] is there after success. `profile` is filled if there is one. */
static lm_status run_on(const lm_chain *chain, int runs, lm_profile *profile, float y[N][N])
{
    lm_graph *g = model();
    lm_derived_cache *cache = NULL;
    lm_plan *plan = NULL;
    lm_view x = {0}, out = {0};
    const lm_shape shape = LM_SHAPE(N, N);
    lm_status status;
    LM_TRY_OUT(lm_derived_open(&cache));
    LM_TRY_OUT(lm_view_new(LM_F32, &shape, &x));
    LM_TRY_OUT(lm_view_new(LM_F32, &shape, &out));
    for (int i = 0; i < N * N; i++)
        lm_view_set(&x, i, i * 0.001);
    LM_TRY_OUT(lm_plan_open(chain, cache, g, NULL, &plan));
    for (int i = 0; i < runs; i++)
        LM_TRY_OUT(lm_plan_run(plan, &x, &out, &(lm_plan_run_options){.profile = profile}));
    memcpy(y, lm_view_data(&out), sizeof right);
out:
    lm_plan_close(plan);
    lm_derived_close(cache);
    lm_buffer_unref(x.buf);
    lm_buffer_unref(out.buf);
    lm_graph_free(g);
    return status;
}

static lm_status run(const char *devices, int runs, float y[N][N])
{
    lm_chain chain;
    LM_TRY(lm_chain_open(devices, &chain));
    const lm_status status = run_on(&chain, runs, NULL, y);
    lm_chain_close(&chain);
    return status;
}

static void is_right(const char *devices)
{
    float y[N][N] = {{0}};
    if (CHECK_OK(run(devices, 1, y)))
        CHECK(memcmp(y, right, sizeof right) == 0);
    CHECK_INT(shim->live, 0);
}

/* Memory that queued work reads goes when that is done, also where nobody could wait for it. */
static size_t settled(size_t held)
{
    for (int i = 0; i < 5000 && lm_mem_count().live != held; i++)
        usleep(1000);
    return lm_mem_count().live;
}

/* The n-th call from now fails and all that follow, for every n until nothing fails any more. */
static void each_in_turn(int function, int code, lm_status wanted, const char *say)
{
    int n = 0;
    for (lm_status status = wanted; status != LM_OK && n < 200; n++) {
        float y[N][N];
        const size_t held = lm_mem_count().live;
        rule(function, n, FOREVER, code, SHIM_IN_TEST);
        status = run(strict, 1, y);
        if (status != LM_OK && !(CHECK_FAILS(status, wanted) && CHECK(strstr(lm_message(), DEVICE) != NULL) &&
                                 CHECK(strstr(lm_message(), say) != NULL)))
            printf("call %d: %s\n", n, lm_message());
        if (!CHECK_INT(settled(held), held) || !CHECK_INT(shim->live, 0))
            break;
    }
    CHECK(n > 1 && n < 200);
    no_rules();
    is_right(strict);
}

static void no_memory(void)
{
    each_in_turn(SHIM_CreateBuffer, NO_MEMORY, LM_MEMORY, "CL_MEM_OBJECT_ALLOCATION_FAILURE");
}

static void lost_at_launch(void)
{
    each_in_turn(SHIM_EnqueueNDRangeKernel, NO_RESOURCES, LM_DEVICE, "CL_OUT_OF_RESOURCES");
}

static void lost_while_waiting(void)
{
    each_in_turn(SHIM_Finish, NOT_AVAILABLE, LM_DEVICE, "CL_DEVICE_NOT_AVAILABLE");
}

static void lost_while_copying(void)
{
    shim->apart = 1;
    each_in_turn(SHIM_EnqueueReadBuffer, NO_RESOURCES, LM_DEVICE, "copying");
    each_in_turn(SHIM_EnqueueWriteBuffer, NO_RESOURCES, LM_DEVICE, "copying");
    shim->apart = 0;
}

/* What the device has, and what is needed. */
static void small_device(void)
{
    float y[N][N];
    shim->memory = 1024;
    CHECK_FAILS(run(strict, 1, y), LM_MEMORY);
    CHECK(strstr(lm_message(), DEVICE " has 0.0 MiB") && strstr(lm_message(), "more are needed"));
    CHECK(strstr(lm_message(), "--mem") != NULL);
    shim->memory = 0;
    CHECK_INT(shim->live, 0);
    is_right(strict);
}

/* An empty cache, but for the answer of the probe. */
static void forget_programs(void)
{
    lm_chain chain;
    test_remove(folder);
    if (CHECK_OK(lm_chain_open(strict, &chain)))
        lm_chain_close(&chain);
}

/* The source is refused, or the process that compiles it dies; each time, or once. */
static void broken_compiler(void)
{
    static const struct {
        int code;
        shim_where where;
        const char *says;
    } way[] = {{BUILD_FAILURE, SHIM_ANYWHERE, "CL_BUILD_PROGRAM_FAILURE"}, {SHIM_CRASH, SHIM_IN_CHILD, "signal 9"}};
    for (size_t i = 0; i < LM_COUNT(way); i++) {
        float y[N][N];
        forget_programs();
        rule(SHIM_BuildProgram, 0, FOREVER, way[i].code, way[i].where);
        CHECK_FAILS(run(strict, 1, y), LM_UNSUPPORTED);
        if (!CHECK(strstr(lm_message(), DEVICE) && strstr(lm_message(), way[i].says)))
            printf("%s\n", lm_message());
        warnings = 0;
        is_right(lenient);
        CHECK_INT(warnings, 1);
        rule(SHIM_BuildProgram, 0, 1, way[i].code, way[i].where);
        is_right(lenient);
        no_rules();
        is_right(strict);
    }
}

/* A program is killed while a driver that works for it hangs: nothing of it stays. Before this process opens a driver,
 * since drivers do not survive a fork. */
static void killed_program(void)
{
    rule(SHIM_BuildProgram, 0, 1, SHIM_HANG, SHIM_IN_CHILD);
    const pid_t program = fork();
    if (program == 0) {
        float y[N][N];
        run(strict, 1, y);
        _exit(0);
    }
    while (!shim->stuck && waitpid(program, NULL, WNOHANG) == 0)
        usleep(1000);
    const pid_t worker = shim->stuck;
    no_rules();
    if (!worker)
        return;
    kill(program, SIGKILL);
    waitpid(program, NULL, 0);
    bool gone = false;
    for (int i = 0; i < 10000 && !gone; i++) {
        usleep(1000);
        gone = kill(worker, 0) != 0;
    }
    if (!CHECK(gone))
        kill(worker, SIGKILL);
}

static void first_run(void)
{
    CHECK(shim->stuck != 0);
    CHECK_OK(run(strict, 1, right));
}

static void refused_binary(void)
{
    const int before = calls(SHIM_CreateProgramWithSource);
    rule(SHIM_CreateProgramWithBinary, 0, FOREVER, INVALID_BINARY, SHIM_IN_TEST);
    is_right(strict);
    CHECK(calls(SHIM_CreateProgramWithSource) > before);
    no_rules();
}

/* Programs are compiled here; drivers are asked once at most, although nothing on disk tells of it. */
static void no_cache_folder(void)
{
    const int before = calls(SHIM_BuildProgram);
    CHECK_OK(lm_env_set(LM_ENV_CACHE_DIR, "/dev/null/nowhere"));
    rule(SHIM_BuildProgram, 1, FOREVER, SHIM_CRASH, SHIM_IN_CHILD);
    is_right(strict);
    no_rules();
    CHECK(calls(SHIM_BuildProgram) > before);
    CHECK_OK(lm_env_set(LM_ENV_CACHE_DIR, folder));
}

/* A warm cache: nothing is compiled, here or elsewhere. */
static void warm_cache(void)
{
    is_right(strict);
    const int before = calls(SHIM_CreateProgramWithSource);
    rule(SHIM_BuildProgram, 0, FOREVER, SHIM_CRASH, SHIM_IN_CHILD);
    is_right(strict);
    CHECK_INT(calls(SHIM_CreateProgramWithSource), before);
    no_rules();
}

/* What ten runs cost beyond what five cost, a run. */
static void transfers(bool apart, int writes, int reads, int maps)
{
    static const int counted[] = {SHIM_EnqueueWriteBuffer, SHIM_EnqueueReadBuffer, SHIM_EnqueueMapBuffer,
                                  SHIM_EnqueueCopyBuffer, SHIM_Finish};
    const int wanted[] = {writes, reads, maps, 0, 1};
    float y[N][N];
    int cost[LM_COUNT(counted)] = {0};
    shim->apart = apart;
    for (int long_run = 0; long_run < 2; long_run++) {
        int before[LM_COUNT(counted)];
        for (size_t i = 0; i < LM_COUNT(counted); i++)
            before[i] = calls(counted[i]);
        CHECK_OK(run(strict, long_run ? 10 : 5, y));
        for (size_t i = 0; i < LM_COUNT(counted); i++)
            cost[i] += (calls(counted[i]) - before[i]) * (long_run ? 1 : -1);
    }
    for (size_t i = 0; i < LM_COUNT(counted); i++)
        if (!CHECK_INT(cost[i], 5 * wanted[i]))
            printf("function %zu\n", i);
    CHECK(memcmp(y, right, sizeof right) == 0);
    shim->apart = 0;
}

/* What is mapped for the results of one run still is for the operands of the next. */
static void shared_memory(void)
{
    transfers(false, 0, 0, 1);
}

static void memory_apart(void)
{
    transfers(true, 1, 1, 0);
}

/* The device's own times, which leave out what launching takes. */
static void timed_steps(void)
{
    lm_profile rows = {0};
    lm_chain chain;
    float y[N][N];
    if (!CHECK_OK(lm_chain_open(strict, &chain)))
        return;
    const double start = lm_profile_now();
    CHECK_OK(run_on(&chain, 3, &rows, y));
    const double all = lm_profile_now() - start;
    lm_chain_close(&chain);
    CHECK(memcmp(y, right, sizeof right) == 0 && rows.rows.count > 0);
    for (size_t i = 0; i < rows.rows.count; i++) {
        const lm_profile_row *r = &rows.rows.at[i];
        CHECK_INT(r->launches, 3);
        CHECK(r->seconds > 0 && r->seconds < all);
    }
    CHECK(calls(SHIM_GetEventProfilingInfo) >= 2 * 3 * (int)rows.rows.count); /* when each began and ended */
    CHECK_INT(shim->live, 0);
    lm_profile_free(&rows);
}

static void *run_beside(void *chain)
{
    float y[N][N] = {{0}};
    const lm_status status = run_on(chain, 60, NULL, y);
    return status == LM_OK && memcmp(y, right, sizeof right) == 0 ? chain : NULL;
}

/* Threads use a device while another one begins to time it. */
static void timed_beside(void)
{
    shim->apart = 1; /* copies use the queue, too */
    for (int again = 0; again < 20 && !test_errors; again++) {
        pthread_t thread[3];
        lm_profile rows = {0};
        lm_chain chain;
        float y[N][N];
        if (!CHECK_OK(lm_chain_open(strict, &chain)))
            break;
        for (size_t i = 0; i < LM_COUNT(thread); i++)
            CHECK_INT(pthread_create(&thread[i], NULL, run_beside, &chain), 0);
        usleep(1000 * (unsigned)again);
        CHECK_OK(run_on(&chain, 3, &rows, y));
        for (size_t i = 0; i < LM_COUNT(thread); i++) {
            void *good = NULL;
            CHECK_INT(pthread_join(thread[i], &good), 0);
            CHECK(good != NULL);
        }
        lm_chain_close(&chain);
        lm_profile_free(&rows);
        CHECK(memcmp(y, right, sizeof right) == 0);
        CHECK_INT(shim->live, 0);
        CHECK_INT(shim->torn, 0);
    }
    shim->apart = 0;
}

static bool open_shim(void)
{
    char path[64];
    if (!mkdtemp(folder))
        return false;
    snprintf(path, sizeof path, "%s.state", folder);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *shim) != 0)
        return false;
    shim = mmap(NULL, sizeof *shim, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shim == MAP_FAILED)
        return false;
    shim->test = getpid();
    lm_log_to(count_warnings, NULL);
    lm_log_level_set(LM_LOG_WARN);
    return setenv("LIMN_TEST_SHIM", path, 1) == 0 && lm_env_set(LM_ENV_CACHE_DIR, folder) == LM_OK;
}

int main(void)
{
    lm_chain chain;
    if (!open_shim())
        return 1;
    CASE(killed_program);
    if (lm_chain_open(strict, &chain) != LM_OK)
        test_skip("PoCL is not here");
    lm_chain_close(&chain);
    CASE(first_run);
    if (!test_failed) {
        CASE(warm_cache);
        CASE(no_memory);
        CASE(lost_at_launch);
        CASE(lost_while_waiting);
        CASE(lost_while_copying);
        CASE(small_device);
        CASE(broken_compiler);
        CASE(refused_binary);
        CASE(no_cache_folder);
        CASE(shared_memory);
        CASE(memory_apart);
        CASE(timed_steps);
        CASE(timed_beside);
    }
    test_remove(folder);
    unlink(getenv("LIMN_TEST_SHIM"));
    return test_end();
}
