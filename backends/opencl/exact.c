/* Does a device round as the cpu device does? It must say that it has subnormals, round-to-nearest and correctly
 * rounded division and square roots, and then give the host's bits for hard cases of all of them. */
#include <math.h>
#include <string.h>

#include "backends/opencl/opencl.h"
#include "core/base/mem.h"
#include "core/base/rng.h"

enum { CASES = 4096, RESULTS = 5 };

static const char source[] = "#pragma OPENCL FP_CONTRACT OFF\n"
                             "kernel void probe(global const float *x, global float *y)\n"
                             "{\n"
                             "    size_t i = get_global_id(0);\n"
                             "    float a = x[3 * i], b = x[3 * i + 1], c = x[3 * i + 2];\n"
                             "    y[5 * i] = fma(a, b, c);\n"
                             "    y[5 * i + 1] = a * b + c;\n"
                             "    y[5 * i + 2] = a / b;\n"
                             "    y[5 * i + 3] = sqrt(fabs(a));\n"
                             "    y[5 * i + 4] = a - b;\n"
                             "}\n";

static float from_bits(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float f;
    memcpy(&f, &low, sizeof f);
    return f;
}

/* Number n of a sequence, as a float in [1, 2). */
static float one_to_two(uint64_t n)
{
    return from_bits((lm_rng_u64(0x0e9ac7, n) & 0x007fffff) | 0x3f800000);
}

/* Triples whose products nearly cancel, results among the subnormals, and anything at all. */
static void fill(float *x)
{
    for (uint64_t i = 0; i < CASES; i++) {
        const uint64_t any[3] = {lm_rng_u64(1, i), lm_rng_u64(2, i), lm_rng_u64(3, i)};
        float a = one_to_two(2 * i), b = one_to_two(2 * i + 1), c = -a * b;
        if (i % 4 == 1)
            a *= 0x1p-70f, b *= 0x1p-70f, c = from_bits(any[2] & 0x80ffffff);
        else if (i % 4 == 2)
            c *= 0x1p-20f;
        else if (i % 4 == 3)
            a = from_bits(any[0]), b = from_bits(any[1]), c = from_bits(any[2]);
        x[3 * i] = a, x[3 * i + 1] = b, x[3 * i + 2] = c;
    }
}

static bool same(float a, float b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static bool agrees(const float *x, const float *y)
{
    for (int i = 0; i < CASES; i++) {
        const float a = x[3 * i], b = x[3 * i + 1], c = x[3 * i + 2], product = a * b;
        const float want[RESULTS] = {fmaf(a, b, c), product + c, a / b, sqrtf(fabsf(a)), a - b};
        for (int k = 0; k < RESULTS; k++)
            if (!same(want[k], y[RESULTS * i + k]))
                return false;
    }
    return true;
}

static bool run(const lm_cl_api *api, cl_context context, cl_device_id id, float *x, float *y)
{
    const char *text = source;
    const size_t cases = CASES, in = 3 * CASES * sizeof *x, out = RESULTS * CASES * sizeof *y;
    cl_int code[5] = {0};
    cl_command_queue queue = api->CreateCommandQueue(context, id, 0, &code[0]);
    cl_mem a = api->CreateBuffer(context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, in, x, &code[1]);
    cl_mem b = api->CreateBuffer(context, CL_MEM_READ_WRITE, out, NULL, &code[2]);
    cl_program program = api->CreateProgramWithSource(context, 1, &text, NULL, &code[3]);
    cl_kernel kernel = NULL;
    bool good = !code[0] && !code[1] && !code[2] && !code[3];
    good =
        good && !api->BuildProgram(program, 1, &id, "-cl-std=CL1.2 -cl-fp32-correctly-rounded-divide-sqrt", NULL, NULL);
    if (good)
        kernel = api->CreateKernel(program, "probe", &code[4]);
    good = good && !code[4] && !api->SetKernelArg(kernel, 0, sizeof a, &a) &&
           !api->SetKernelArg(kernel, 1, sizeof b, &b) &&
           !api->EnqueueNDRangeKernel(queue, kernel, 1, NULL, &cases, NULL, 0, NULL, NULL) &&
           !api->EnqueueReadBuffer(queue, b, CL_TRUE, 0, out, y, 0, NULL, NULL);
    if (kernel)
        api->ReleaseKernel(kernel);
    if (program)
        api->ReleaseProgram(program);
    if (b)
        api->ReleaseMemObject(b);
    if (a)
        api->ReleaseMemObject(a);
    if (queue)
        api->ReleaseCommandQueue(queue);
    return good;
}

bool lm_cl_exact_device(const lm_cl_api *api, cl_platform_id platform, cl_device_id id)
{
    const cl_device_fp_config needed =
        CL_FP_DENORM | CL_FP_INF_NAN | CL_FP_ROUND_TO_NEAREST | CL_FP_FMA | CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT;
    cl_device_fp_config has = 0;
    api->GetDeviceInfo(id, CL_DEVICE_SINGLE_FP_CONFIG, sizeof has, &has, NULL);
    if ((has & needed) != needed)
        return false;
    cl_int code;
    cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)platform, 0};
    cl_context context = api->CreateContext(properties, 1, &id, NULL, NULL, &code);
    if (code != CL_SUCCESS)
        return false;
    float *x = lm_malloc(3 * CASES, sizeof *x), *y = lm_malloc(RESULTS * CASES, sizeof *y);
    bool exact = x && y;
    if (exact) {
        fill(x);
        exact = run(api, context, id, x, y) && agrees(x, y);
    }
    lm_free(x);
    lm_free(y);
    api->ReleaseContext(context);
    return exact;
}
