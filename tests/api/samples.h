/* Small models made through the public interface, for the tests of the interface and of the command. Public headers
 * only. */
#ifndef LIMN_TEST_SAMPLES_H
#define LIMN_TEST_SAMPLES_H

#include <limn/limn.h>

/* weights[i] = a small number that depends on i and `salt`. */
static inline void sample_fill(float *to, size_t n, int salt)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (float)((int)((i * 7 + (size_t)salt * 13) % 11) - 5) / 8;
}

static inline void sample_weight(limn_builder *b, const char *name, int rank, const int64_t *dim, int salt)
{
    limn_tensor t;
    if (limn_tensor_new(LIMN_F32, rank, dim, &t) != LIMN_OK)
        return;
    sample_fill((float *)t.data, limn_tensor_count(&t), salt);
    limn_build_constant(b, name, &t);
    limn_tensor_free(&t);
}

/* x[batch,4] -> Gemm, Relu, Gemm, Softmax -> p[batch,3]; a batch of -1 is free. */
static inline void sample_mlp(limn_builder *b, int64_t batch)
{
    const int64_t w1[] = {4, 5}, b1[] = {5}, w2[] = {5, 3}, b2[] = {3}, x[] = {batch, 4}, p[] = {batch, 3};
    limn_build_input(b, "x", LIMN_F32, 2, x);
    sample_weight(b, "fc1.weight", 2, w1, 1);
    sample_weight(b, "fc1.bias", 1, b1, 2);
    sample_weight(b, "fc2.weight", 2, w2, 3);
    sample_weight(b, "fc2.bias", 1, b2, 4);
    limn_build_op(b, "Gemm", "x fc1.weight fc1.bias", "h");
    limn_build_name(b, "/fc1/Gemm");
    limn_build_op(b, "Relu", "h", "r");
    limn_build_name(b, "/act/Relu");
    limn_build_op(b, "Gemm", "r fc2.weight fc2.bias", "z");
    limn_build_name(b, "/fc2/Gemm");
    limn_build_op(b, "Softmax", "z", "p");
    limn_build_name(b, "/Softmax");
    limn_build_int(b, "axis", -1);
    limn_build_output(b, "p", LIMN_F32, 2, p);
}

/* image[1,3,8,8] -> Conv, Relu, Conv, Add, Relu, GlobalAveragePool, Flatten, Gemm -> logits[1,4] */
static inline void sample_cnn(limn_builder *b)
{
    const int64_t x[] = {1, 3, 8, 8}, w1[] = {6, 3, 3, 3}, w2[] = {6, 6, 3, 3}, w3[] = {6, 4}, pads[] = {1, 1, 1, 1};
    limn_build_input(b, "image", LIMN_F32, 4, x);
    sample_weight(b, "layer1.0.conv1.weight", 4, w1, 1);
    sample_weight(b, "layer1.0.conv2.weight", 4, w2, 2);
    sample_weight(b, "fc.weight", 2, w3, 3);
    limn_build_op(b, "Conv", "image layer1.0.conv1.weight", "c1");
    limn_build_name(b, "/layer1/layer1.0/conv1/Conv");
    limn_build_ints(b, "pads", pads, 4);
    limn_build_op(b, "Relu", "c1", "r1");
    limn_build_name(b, "/layer1/layer1.0/relu/Relu");
    limn_build_op(b, "Conv", "r1 layer1.0.conv2.weight", "c2");
    limn_build_name(b, "/layer1/layer1.0/conv2/Conv");
    limn_build_ints(b, "pads", pads, 4);
    limn_build_op(b, "Add", "c2 r1", "s");
    limn_build_name(b, "/layer1/layer1.0/Add");
    limn_build_op(b, "Relu", "s", "r2");
    limn_build_name(b, "/layer1/layer1.0/relu_1/Relu");
    limn_build_op(b, "GlobalAveragePool", "r2", "g");
    limn_build_name(b, "/avgpool/GlobalAveragePool");
    limn_build_op(b, "Flatten", "g", "f");
    limn_build_name(b, "/Flatten");
    limn_build_op(b, "Gemm", "f fc.weight", "logits");
    limn_build_name(b, "/fc/Gemm");
    limn_build_output(b, "logits", LIMN_F32, 2, NULL);
}

/* x[n,4], any n. */
static inline void sample_mlp_free(limn_builder *b)
{
    sample_mlp(b, -1);
}

/* A model of these on devices of its own. */
typedef struct sample {
    limn_builder *builder;
    limn_model *model;
    limn_device *device;
    limn_session *session;
} sample;

/* In any case to be closed. */
static inline limn_status sample_open(const char *devices, void (*build)(limn_builder *), sample *out)
{
    *out = (sample){0};
    limn_status status = limn_builder_new(&out->builder);
    if (status == LIMN_OK) {
        build(out->builder);
        status = limn_build_open(out->builder, &out->model);
    }
    if (status == LIMN_OK)
        status = limn_device_open(devices, &out->device);
    return status == LIMN_OK ? limn_session_open(out->model, out->device, &out->session) : status;
}

static inline void sample_close(sample *s)
{
    limn_session_free(s->session);
    limn_device_free(s->device);
    limn_model_free(s->model);
    limn_builder_free(s->builder);
}

#endif
