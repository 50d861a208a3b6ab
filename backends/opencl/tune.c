/* Which tiles products use: what suits the kind of device, or, for each class of shapes, what was fastest when `tune`
 * tried them, which is kept in the cache folder. Choices never change results. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "backends/opencl/cache.h"
#include "backends/opencl/product.h"
#include "core/base/embedded.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

extern const lm_embedded lm_cl_sources[];

/* Raise it when classes or choices change their meaning. */
enum { FORMAT = 1, TRIALS = 5 };
static const char kind[] = "tune"; /* of cache files */

/* On processors: the most rows of a tile, tiles of a work-item down and across. On GPUs: rows and columns of a group's
 * tile; 0: as the shape suggests. The first of each list is used where nothing was measured. */
static const lm_cl_choice wide[] = {{14, 8, 4}, {14, 4, 4}, {14, 8, 1}, {14, 2, 2}, {12, 8, 4}, {10, 8, 4}};
static const lm_cl_choice narrow[] = {{6, 8, 4}, {6, 4, 4}, {6, 8, 1}, {6, 2, 2}, {4, 8, 4}};
static const lm_cl_choice local[] = {{0, 0, 0}, {64, 64, 0}, {128, 64, 0}, {64, 128, 0}, {128, 128, 0}};

static const lm_cl_choice *candidates(const lm_cl *cl, int *n)
{
    *n = !cl->panels ? (int)LM_COUNT(local) : cl->lanes == 16 ? (int)LM_COUNT(wide) : (int)LM_COUNT(narrow);
    return !cl->panels ? local : cl->lanes == 16 ? wide : narrow;
}

/* Shapes that behave alike: by terms, rows and columns, few or many, and by how the first operand lies. */
enum { FEW_TERMS = LM_CL_CHAIN, FEW_ROWS = 256, FEW_COLUMNS = 128 };

int lm_cl_class(int64_t rows, int64_t columns, int64_t terms, bool across)
{
    return (terms > FEW_TERMS) | (rows > FEW_ROWS) << 1 | (columns > FEW_COLUMNS) << 2 | across << 3;
}

/* Kernels, device, driver, platform, options of builds. */
static uint64_t key_of(const lm_cl *cl)
{
    uint64_t key = FORMAT + (uint64_t)cl->panels * 16;
    for (const lm_embedded *e = lm_cl_sources; e->name; e++)
        if (strncmp(e->name, "product", 7) == 0)
            key = lm_hash(e->data, e->size, key);
    key = lm_hash(cl->options, strlen(cl->options), key);
    return lm_hash(cl->key, strlen(cl->key), key);
}

static bool is_candidate(const lm_cl *cl, const lm_cl_choice *c)
{
    int n;
    const lm_cl_choice *list = candidates(cl, &n);
    for (int i = 0; i < n; i++)
        if (memcmp(&list[i], c, sizeof *c) == 0)
            return true;
    return false;
}

void lm_cl_choose(lm_cl *cl)
{
    int n;
    lm_file file;
    size_t bytes = 0;
    const lm_cl_choice *kept = lm_cl_cache_get(kind, key_of(cl), &file, &bytes);
    bool good = kept && bytes == sizeof cl->choice;
    for (int i = 0; good && i < LM_CL_CLASSES; i++)
        good = is_candidate(cl, &kept[i]);
    for (int i = 0; i < LM_CL_CLASSES; i++)
        cl->choice[i] = good ? kept[i] : candidates(cl, &n)[0];
    lm_file_unmap(&file);
}

lm_status lm_cl_keep(const lm_cl *cl)
{
    const lm_status status = lm_cl_cache_put(kind, key_of(cl), cl->choice, sizeof cl->choice);
    return status == LM_NO ? lm_fail(LM_DEVICE, "there is no cache folder to keep choices in; set LIMN_CACHE_DIR")
                           : status;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A product of a class, its operands on the device. */
typedef struct trial {
    lm_call call;
    lm_attrs a;
    lm_view x[2], y;
    lm_arg arg[3];
} trial;

static lm_status make_trial(lm_device *dev, int class, trial *t)
{
    const int64_t k = class & 1 ? 4 * FEW_TERMS : FEW_TERMS / 4, m = class & 2 ? 8 * FEW_ROWS : FEW_ROWS / 4;
    const int64_t n = class & 4 ? 4 * FEW_COLUMNS : FEW_COLUMNS / 2;
    const bool across = class >> 3;
    memset(t, 0, sizeof *t);
    t->call = (lm_call){.op = across ? LM_OP_CONV_DW : LM_OP_MATMUL, .a = &t->a, .x = t->x, .y = &t->y};
    t->call.nx = 2, t->call.ny = 1;
    const lm_shape flat[] = {LM_SHAPE(m, k), LM_SHAPE(k, n), LM_SHAPE(m, n)};
    const lm_shape images[] = {LM_SHAPE(1, m, 1, k), LM_SHAPE(1, n, 1, k), LM_SHAPE(n, m, 1, 1)};
    const lm_shape *sh = across ? images : flat;
    lm_view *v[] = {&t->x[0], &t->x[1], &t->y};
    if (across) {
        t->a.conv.nd = 2, t->a.conv.groups = 1;
        for (int i = 0; i < 2; i++)
            t->a.conv.kernel[i] = t->a.conv.stride[i] = t->a.conv.dilation[i] = 1;
        t->a.conv.size[0] = 1, t->a.conv.size[1] = k;
    }
    for (int i = 0; i < 3; i++) {
        const size_t bytes = (size_t)lm_shape_count(&sh[i]) * sizeof(float);
        lm_buffer *zeros;
        *v[i] = across && i < 2 ? lm_view_nhwc(LM_F32, &sh[i], NULL) : lm_view_row(LM_F32, &sh[i], NULL);
        LM_TRY(lm_cl_alloc(dev, bytes, &t->arg[i].buf));
        LM_TRY(lm_buffer_new(bytes, &zeros));
        memset(zeros->host, 0, bytes);
        lm_status status = lm_cl_copy(dev, t->arg[i].buf, 0, zeros, 0, bytes);
        lm_buffer_unref(zeros);
        LM_TRY(status);
    }
    return LM_OK;
}

/* The least of some launches, after one that compiles. */
static lm_status time_trial(lm_device *dev, const trial *t, double *least)
{
    lm_kernel *k;
    lm_buffer *scratch = NULL;
    lm_status status;
    LM_TRY(dev->vt->bind(dev, &t->call, &k));
    if (k->workspace)
        LM_TRY_OUT(lm_cl_alloc(dev, k->workspace, &scratch));
    for (int i = 0; i <= TRIALS; i++) {
        const double start = seconds();
        LM_TRY_OUT(dev->vt->launch(dev, k, t->arg, scratch));
        LM_TRY_OUT(dev->vt->sync(dev));
        const double took = seconds() - start;
        *least = i <= 1 || took < *least ? took : *least;
    }
    status = LM_OK;
out:
    lm_buffer_unref(scratch);
    k->free(k);
    return status;
}

static lm_status tune_class(lm_cl *cl, int class)
{
    int n;
    const lm_cl_choice *list = candidates(cl, &n);
    trial t;
    double best = 0, took = 0;
    lm_cl_choice winner = list[0];
    lm_status status;
    LM_TRY_OUT(make_trial(&cl->dev, class, &t));
    for (int i = 0; i < n; i++) {
        cl->choice[class] = list[i];
        status = time_trial(&cl->dev, &t, &took);
        if (status == LM_UNSUPPORTED && i > 0) /* more than the device has room for */
            continue;
        LM_TRY_OUT(status);
        if (i == 0 || took < best)
            best = took, winner = list[i];
    }
    status = LM_OK;
out:
    cl->choice[class] = winner;
    for (int i = 0; i < 3; i++)
        lm_buffer_unref(t.arg[i].buf);
    return status;
}

lm_status lm_cl_tune(lm_device *dev)
{
    lm_cl *cl = (lm_cl *)dev;
    for (int class = 0; class < LM_CL_CLASSES; class++)
        LM_TRY(tune_class(cl, class));
    return lm_cl_keep(cl);
}
