/* OpenCL devices: same answers from a cold, a warm and a damaged cache; bad indices; words for wrong device lists; a
 * driver that crashes when it is looked at (argument "crash", see meson.build). Skipped where there is no device. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/env.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/device/chain.h"
#include "core/device/eval.h"
#include "core/run/exec.h"
#include "tests/unit/test.h"

static char folder[] = "/tmp/limn-opencl-XXXXXX";

static lm_view ramp(lm_dtype dt, lm_shape shape, double first, double step)
{
    lm_view v = {0};
    CHECK_OK(lm_view_new(dt, &shape, &v));
    for (int64_t i = 0, n = lm_shape_count(&shape); i < n; i++)
        lm_view_set(&v, i, first + step * (double)i);
    return v;
}

/* gelu of a ramp on a device that is opened for it */
static void gelu(const char *spec, float y[40])
{
    lm_chain chain;
    if (!CHECK_OK(lm_chain_open(spec, &chain)))
        return;
    lm_view x = ramp(LM_F32, LM_SHAPE(40), -4, 0.2), result;
    if (CHECK_OK(lm_exec_once(&chain, LM_OP_GELU, NULL, 1, &x, 1, &result))) {
        memcpy(y, lm_view_data(&result), 40 * sizeof *y);
        lm_buffer_unref(result.buf);
    }
    lm_buffer_unref(x.buf);
    lm_chain_close(&chain);
}

static int programs(lm_names *names)
{
    char path[64];
    snprintf(path, sizeof path, "%s/opencl", folder);
    CHECK_OK(lm_dir_list(path, ".clbin", names));
    return (int)names->count;
}

/* What is kept takes its name at once, whatever becomes of the results that this thread gathers. */
static void kept_beside_results(void)
{
    float y[40];
    lm_names names = {0};
    gelu("opencl:0.0:strict=1", y);
    CHECK(programs(&names) > 0);
    lm_names_free(&names);
    lm_out_drop_all();
    CHECK(programs(&names) > 0);
    lm_names_free(&names);
    test_remove(folder);
}

static void caches(void)
{
    float cold[40], warm[40], damaged[40];
    lm_names names = {0};
    gelu("opencl:0.0:strict=1", cold);
    const int made = programs(&names);
    CHECK(made > 0);
    gelu("opencl:0.0:strict=1", warm);
    for (size_t i = 0; i < names.count; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/opencl/%s", folder, names.at[i]);
        CHECK_OK(lm_file_write(path, "limn-cl", i % 2 ? 7 : 0));
    }
    gelu("opencl:0.0:strict=1", damaged);
    CHECK(memcmp(cold, warm, sizeof cold) == 0 && memcmp(cold, damaged, sizeof cold) == 0);
    lm_names_free(&names);
    CHECK_INT(programs(&names), made);
    for (size_t i = 0; i < names.count; i++) {
        char path[256];
        lm_file file;
        snprintf(path, sizeof path, "%s/opencl/%s", folder, names.at[i]);
        if (CHECK_OK(lm_file_map(path, &file)))
            CHECK(file.size > 64);
        lm_file_unmap(&file);
    }
    lm_names_free(&names);
}

static void bad_index(void)
{
    lm_chain chain;
    if (!CHECK_OK(lm_chain_open("opencl:0.0:strict=1", &chain)))
        return;
    lm_view x[] = {ramp(LM_F32, LM_SHAPE(5, 2), 0, 1), ramp(LM_I64, LM_SHAPE(3), 3, 1)}, y;
    CHECK_FAILS(lm_exec_once(&chain, LM_OP_GATHER, NULL, 2, x, 1, &y), LM_INPUT);
    CHECK(strstr(lm_message(), "Gather") && strstr(lm_message(), "index 5") && strstr(lm_message(), "size 5"));
    lm_view_set(&x[1], 2, -5);
    if (CHECK_OK(lm_exec_once(&chain, LM_OP_GATHER, NULL, 2, x, 1, &y))) {
        CHECK_NEAR(lm_view_get(&y, 0), 6, 0);
        CHECK_NEAR(lm_view_get(&y, 5), 1, 0);
        lm_buffer_unref(y.buf);
    }
    lm_buffer_unref(x[0].buf);
    lm_buffer_unref(x[1].buf);
    lm_chain_close(&chain);
}

/* A gather of an index from a vector, on the device. */
typedef struct gather {
    lm_device *dev;
    lm_kernel *kernel;
    lm_arg arg[3];
} gather;

static void gather_start(gather *g, lm_device *dev, double index)
{
    lm_view v[] = {ramp(LM_F32, LM_SHAPE(5), 0, 1), ramp(LM_I64, LM_SHAPE(1), index, 0),
                   ramp(LM_F32, LM_SHAPE(1), 0, 0)};
    const lm_attrs a = {0};
    *g = (gather){.dev = dev};
    for (int i = 0; i < 3; i++) {
        const size_t bytes = v[i].buf->bytes;
        if (CHECK_OK(dev->vt->alloc(dev, bytes, &g->arg[i].buf)))
            CHECK_OK(dev->vt->copy(dev, g->arg[i].buf, 0, v[i].buf, 0, bytes));
        lm_buffer_unref(v[i].buf);
        v[i].buf = NULL;
    }
    const lm_call call = {.op = LM_OP_GATHER, .a = &a, .nx = 2, .ny = 1, .x = v, .y = v + 2};
    CHECK_OK(dev->vt->bind(dev, &call, &g->kernel));
    CHECK_OK(dev->vt->launch(dev, g->kernel, g->arg, NULL));
}

static void gather_end(gather *g)
{
    g->kernel->free(g->kernel);
    for (int i = 0; i < 3; i++)
        lm_buffer_unref(g->arg[i].buf);
}

static void *sound_beside(void *device)
{
    gather g;
    gather_start(&g, device, 4);
    CHECK_OK(g.dev->vt->sync(g.dev));
    gather_end(&g);
    return NULL;
}

/* An index out of range is told to who launched it, not to who waits first. */
static void bad_index_beside(void)
{
    lm_chain chain;
    pthread_t thread;
    gather g;
    if (!CHECK_OK(lm_chain_open("opencl:0.0:strict=1", &chain)))
        return;
    gather_start(&g, chain.dev[0], 5);
    CHECK_INT(pthread_create(&thread, NULL, sound_beside, chain.dev[0]), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_FAILS(g.dev->vt->sync(g.dev), LM_INPUT);
    CHECK(strstr(lm_message(), "index 5") != NULL);
    CHECK_OK(g.dev->vt->sync(g.dev));
    gather_end(&g);
    lm_chain_close(&chain);
}

/* A strict chain runs on its device alone, but constants are computed ahead all the same. */
static void strict_constants(void)
{
    lm_chain chain;
    if (!CHECK_OK(lm_chain_open("opencl:0.0:strict=1", &chain)))
        return;
    CHECK_INT(chain.n, 1);
    lm_view x[] = {ramp(LM_F32, LM_SHAPE(5), 0, 1), ramp(LM_F32, LM_SHAPE(5), 3, 1)}, y;
    if (CHECK_OK(lm_eval(&chain, LM_OP_ADD, NULL, 2, x, 1, &y))) {
        CHECK_NEAR(lm_view_get(&y, 4), 11, 0);
        lm_buffer_unref(y.buf);
    }
    lm_buffer_unref(x[0].buf);
    lm_buffer_unref(x[1].buf);
    lm_chain_close(&chain);
}

static void device_lists(void)
{
    lm_chain chain;
    CHECK_FAILS(lm_chain_open("opencl:9.9", &chain), LM_DEVICE);
    CHECK(strstr(lm_message(), "there is opencl:0.0") != NULL);
    CHECK_FAILS(lm_chain_open("opencl:0.0:family=round", &chain), LM_USAGE);
    CHECK_FAILS(lm_chain_open("opencl:0.0:speed=1", &chain), LM_USAGE);
    if (CHECK_OK(lm_chain_open("opencl:9.9,cpu", &chain))) {
        CHECK_STR(chain.dev[0]->info.name, "cpu");
        lm_chain_close(&chain);
    }
    if (CHECK_OK(lm_chain_open("-opencl", &chain))) {
        CHECK(strncmp(chain.dev[0]->info.name, "opencl", 6) != 0);
        lm_chain_close(&chain);
    }
}

/* The kernels for GPUs run on a processor too, only slowly. */
static void both_families(void)
{
    float panels[40], tiles[40];
    gelu("opencl:0.0:family=panels", panels);
    gelu("opencl:0.0:family=tiles", tiles);
    CHECK(memcmp(panels, tiles, sizeof panels) == 0);
}

static void count_warnings(void *count, lm_log_level level, const char *text)
{
    *(int *)count += level <= LM_LOG_WARN && strstr(text, "ended with") != NULL;
}

static bool has_loader(void)
{
    lm_chain chain;
    const lm_status status = lm_chain_open("opencl", &chain);
    if (status == LM_OK)
        lm_chain_close(&chain);
    return status == LM_OK || !strstr(lm_message(), "no OpenCL loader");
}

/* The driver ends the process that asks it. Those who did not ask for OpenCL are not told of its drivers. */
static void crashing_driver(void)
{
    static const struct {
        const char *devices;
        int warnings;
    } list[] = {{"auto", 0}, {"cpu", 0}, {"opencl,cpu", 1}};
    lm_chain chain;
    CHECK_FAILS(lm_chain_open("opencl", &chain), LM_DEVICE);
    CHECK(strstr(lm_message(), "ended with") != NULL);
    for (size_t i = 0; i < LM_COUNT(list); i++) {
        int warnings = 0;
        lm_log_to(count_warnings, &warnings);
        if (CHECK_OK(lm_chain_open(list[i].devices, &chain))) {
            CHECK(strncmp(chain.dev[0]->info.name, "opencl", 6) != 0);
            lm_chain_close(&chain);
        }
        lm_log_to(NULL, NULL);
        CHECK_INT(warnings, list[i].warnings);
    }
}

int main(int argc, char **argv)
{
    lm_chain chain;
    if (!mkdtemp(folder) || lm_env_set(LM_ENV_CACHE_DIR, folder) != LM_OK)
        return 1;
    lm_log_level_set(LM_LOG_WARN);
    if (argc > 1 && strcmp(argv[1], "crash") == 0) {
        const bool able = has_loader();
        if (able)
            CASE(crashing_driver);
        test_remove(folder);
        if (!able)
            test_skip("there is no OpenCL loader");
        return test_end();
    }
    lm_out_gather(); /* before the helper process is there, as in the command */
    if (lm_chain_open("opencl:0.0", &chain) != LM_OK)
        test_skip("no OpenCL device here");
    const bool processor = chain.dev[0]->info.kind == LM_KIND_CPU;
    lm_chain_close(&chain);
    CASE(kept_beside_results);
    CASE(caches);
    CASE(bad_index);
    CASE(bad_index_beside);
    CASE(strict_constants);
    CASE(device_lists);
    if (processor)
        CASE(both_families);
    test_remove(folder);
    return test_end();
}
