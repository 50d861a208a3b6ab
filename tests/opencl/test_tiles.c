/* Products on OpenCL: the bits of the cpu device (where the device is exact) for shapes that do not fit tiles, whatever
 * tiles are chosen; choices that `tune` keeps are found again, damaged and foreign ones are not. Skipped where there is
 * no device. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/opencl/opencl.h"
#include "core/base/env.h"
#include "core/base/file.h"
#include "core/device/chain.h"
#include "core/run/exec.h"
#include "tests/unit/test.h"

static char folder[] = "/tmp/limn-tiles-XXXXXX";
static lm_chain device, host;

static lm_view noise(lm_shape shape, unsigned seed)
{
    lm_view v = {0};
    CHECK_OK(lm_view_new(LM_F32, &shape, &v));
    for (int64_t i = 0, n = lm_shape_count(&shape); i < n; i++)
        lm_view_set(&v, i, (double)((((unsigned)i + seed) * 2654435761u >> 9) % 4001) / 1000 - 2);
    return v;
}

/* The same call on both devices. */
static void compare(const char *what, lm_opid op, const lm_attrs *a, lm_view x[2])
{
    lm_view y[2];
    if (!CHECK_OK(lm_exec_once(&host, op, a, 2, x, 1, &y[0])))
        return;
    if (CHECK_OK(lm_exec_once(&device, op, a, 2, x, 1, &y[1]))) {
        const int64_t n = lm_shape_count(&y[0].sh);
        int64_t wrong = 0;
        CHECK_INT(n, lm_shape_count(&y[1].sh));
        for (int64_t i = 0; i < n; i++) {
            const double p = lm_view_get(&y[0], i), q = lm_view_get(&y[1], i);
            wrong += device.dev[0]->info.exact ? p != q : !(fabs(p - q) <= 1e-3 * (1 + fabs(p)));
        }
        if (!CHECK(wrong == 0))
            printf("%s: %lld of %lld elements\n", what, (long long)wrong, (long long)n);
        lm_buffer_unref(y[1].buf);
    }
    lm_buffer_unref(y[0].buf);
}

static void matrices(void)
{
    static const int64_t sizes[][3] = {{131, 300, 70}, {1, 513, 33}, {29, 64, 257}, {300, 17, 3}, {5, 1, 1}};
    lm_attrs a;
    memset(&a, 0, sizeof a);
    for (size_t i = 0; i < LM_COUNT(sizes); i++) {
        char what[64];
        const int64_t *s = sizes[i];
        lm_view x[] = {noise(LM_SHAPE(s[0], s[1]), 1), noise(LM_SHAPE(s[1], s[2]), 7)};
        snprintf(what, sizeof what, "%lld x %lld x %lld", (long long)s[0], (long long)s[1], (long long)s[2]);
        compare(what, LM_OP_MATMUL, &a, x);
        lm_buffer_unref(x[0].buf);
        lm_buffer_unref(x[1].buf);
    }
}

/* The gradient of an image of three channels, with stride: few results per pixel. */
static void thin(void)
{
    lm_attrs a;
    memset(&a, 0, sizeof a);
    a.conv.nd = 2, a.conv.groups = 1;
    for (int i = 0; i < 2; i++) {
        a.conv.kernel[i] = 7, a.conv.stride[i] = 2, a.conv.dilation[i] = 1;
        a.conv.pad_lo[i] = a.conv.pad_hi[i] = 3, a.conv.size[i] = i ? 75 : 21;
    }
    lm_view x[] = {noise(LM_SHAPE(2, 20, 11, 38), 3), noise(LM_SHAPE(20, 3, 7, 7), 5)};
    compare("thin", LM_OP_CONV_T, &a, x);
    lm_buffer_unref(x[0].buf);
    lm_buffer_unref(x[1].buf);
}

static void any_choice(void)
{
    static const lm_cl_choice some[] = {{14, 8, 4}, {12, 2, 3}, {4, 1, 1}};
    static const lm_cl_choice local[] = {{64, 64, 0}, {128, 64, 0}};
    lm_cl *cl = (lm_cl *)device.dev[0];
    for (size_t i = 0; i < (cl->panels ? LM_COUNT(some) : LM_COUNT(local)); i++) {
        for (int class = 0; class < LM_CL_CLASSES; class++)
            cl->choice[class] = cl->panels ? some[i] : local[i];
        matrices();
    }
    lm_cl_choose(cl);
}

static bool same_choices(const lm_cl_choice *choice)
{
    lm_chain again;
    if (!CHECK_OK(lm_chain_open("opencl:0.0", &again)))
        return false;
    const bool same = memcmp(((lm_cl *)again.dev[0])->choice, choice, sizeof(lm_cl_choice[LM_CL_CLASSES])) == 0;
    lm_chain_close(&again);
    return same;
}

static void kept(void)
{
    lm_cl *cl = (lm_cl *)device.dev[0];
    lm_cl_choice usual[LM_CL_CLASSES], tuned[LM_CL_CLASSES];
    lm_names names = {0};
    char path[300];
    lm_file file;
    memcpy(usual, cl->choice, sizeof usual);
    cl->choice[0] = cl->panels ? (lm_cl_choice){14, 2, 2} : (lm_cl_choice){64, 64, 0};
    memcpy(tuned, cl->choice, sizeof tuned);
    CHECK_OK(lm_cl_keep(cl));
    lm_cl_choose(cl);
    CHECK(memcmp(cl->choice, tuned, sizeof tuned) == 0);
    CHECK(same_choices(tuned));
    snprintf(path, sizeof path, "%s/opencl", folder);
    CHECK_OK(lm_dir_list(path, ".tune", &names));
    if (!CHECK_INT(names.count, 1) || !CHECK_OK((snprintf(path, sizeof path, "%s/opencl/%s", folder, names.at[0]),
                                                 lm_file_map(path, &file))))
        return;
    unsigned char whole[1024];
    const size_t size = file.size;
    CHECK(size < sizeof whole);
    memcpy(whole, file.bytes, size);
    lm_file_unmap(&file);
    for (size_t at = 0; at < size; at += 7) { /* a byte of the head, of the key, of a choice, ... */
        whole[at] ^= 0x10;
        CHECK_OK(lm_file_write(path, whole, size));
        lm_cl_choose(cl);
        CHECK(memcmp(cl->choice, usual, sizeof usual) == 0);
        whole[at] ^= 0x10;
    }
    CHECK_OK(lm_file_write(path, whole, size / 2));
    CHECK(same_choices(usual));
    CHECK_OK(lm_file_write(path, whole, size));
    CHECK(same_choices(tuned));
    CHECK(unlink(path) == 0);
    lm_cl_choose(cl);
    lm_names_free(&names);
}

static void measured(void)
{
    lm_cl *cl = (lm_cl *)device.dev[0];
    CHECK_OK(cl->dev.vt->tune(&cl->dev));
    CHECK(same_choices(cl->choice));
    matrices();
}

int main(int argc, char **argv)
{
    if (!mkdtemp(folder) || lm_env_set(LM_ENV_CACHE_DIR, folder) != LM_OK)
        return 1;
    if (lm_chain_open("opencl:0.0:strict=1", &device) != LM_OK)
        test_skip("no OpenCL device here");
    if (lm_chain_open("cpu", &host) != LM_OK)
        return 1;
    CASE(matrices);
    CASE(thin);
    CASE(any_choice);
    CASE(kept);
    if (argc > 1 && strcmp(argv[1], "tune") == 0) /* takes a while */
        CASE(measured);
    lm_chain_close(&device);
    lm_chain_close(&host);
    test_remove(folder);
    return test_end();
}
