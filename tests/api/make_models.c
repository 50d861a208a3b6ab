/* Writes the models that the tests of the command run: make_models FOLDER. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/api/samples.h"

static const int64_t any_by_3[] = {-1, 3};

static void mlp(limn_builder *b)
{
    sample_mlp(b, -1);
}

/* Exported for a batch of one. */
static void mlp1(limn_builder *b)
{
    sample_mlp(b, 1);
}

/* NaN for negative numbers, infinity for 0; the nodes that make them have names. */
static void logarithm(limn_builder *b)
{
    limn_build_input(b, "x", LIMN_F32, 2, any_by_3);
    limn_build_op(b, "Sigmoid", "x", "s");
    limn_build_name(b, "side");
    limn_build_op(b, "Log", "x", "l");
    limn_build_name(b, "culprit");
    limn_build_op(b, "Mul", "l s", "y");
    limn_build_name(b, "victim");
    limn_build_output(b, "y", LIMN_F32, 2, NULL);
}

/* Labels that do not exclude each other: their probabilities add up to anything. */
static void several_labels(limn_builder *b)
{
    limn_build_input(b, "x", LIMN_F32, 2, any_by_3);
    limn_build_op(b, "Mul", "x x", "logits");
    limn_build_op(b, "Sigmoid", "logits", "y");
    limn_build_output(b, "y", LIMN_F32, 2, NULL);
}

/* Finite everywhere, but infinitely steep at 0; what stands on both sides of that has finite derivatives of its own. */
static void square_root(limn_builder *b)
{
    limn_build_input(b, "x", LIMN_F32, 2, any_by_3);
    limn_build_op(b, "Mul", "x x", "r");
    limn_build_name(b, "victim");
    limn_build_op(b, "Sqrt", "r", "s");
    limn_build_name(b, "root");
    limn_build_op(b, "Sigmoid", "s", "g");
    limn_build_name(b, "innocent");
    limn_build_op(b, "Add", "g s", "y");
    limn_build_output(b, "y", LIMN_F32, 2, NULL);
}

static const int64_t any_by_any[] = {-1, -1};

/* Tokens [N,T] of twelve to three classes, by the mean of their rows. */
static void mean_of_tokens(limn_builder *b, const char *ids)
{
    const int64_t table[] = {12, 4}, dense[] = {4, 3};
    char inputs[64];
    sample_weight(b, "table", 2, table, 1);
    sample_weight(b, "w", 2, dense, 2);
    snprintf(inputs, sizeof inputs, "table %s", ids);
    limn_build_op(b, "Gather", inputs, "rows");
    limn_build_op(b, "Transpose", "rows", "columns");
    limn_build_ints(b, "perm", (const int64_t[]){0, 2, 1}, 3);
    limn_build_op(b, "GlobalAveragePool", "columns", "mean");
    limn_build_op(b, "Flatten", "mean", "flat");
    limn_build_op(b, "MatMul", "flat w", "y");
    limn_build_output(b, "y", LIMN_F32, 2, NULL);
}

static void tokens(limn_builder *b)
{
    limn_build_input(b, "ids", LIMN_I64, 2, any_by_any);
    mean_of_tokens(b, "ids");
}

/* Tokens of one text: [T], or just eight. */
static void line_of(limn_builder *b, int64_t length)
{
    const int64_t table[] = {12, 4}, dense[] = {4, 3};
    int64_t first = 0;
    const limn_tensor axis = {.type = LIMN_I64, .rank = 1, .dim = {1}, .data = &first};
    sample_weight(b, "table", 2, table, 1);
    sample_weight(b, "w", 2, dense, 2);
    limn_build_constant(b, "axis", &axis);
    limn_build_input(b, "ids", LIMN_I64, 1, &length);
    limn_build_op(b, "Gather", "table ids", "rows");
    limn_build_op(b, "ReduceSum", "rows axis", "sum");
    limn_build_op(b, "MatMul", "sum w", "y");
    limn_build_output(b, "y", LIMN_F32, 2, NULL);
}

static void line(limn_builder *b)
{
    line_of(b, -1);
}

static void line8(limn_builder *b)
{
    line_of(b, 8);
}

/* A table's columns by their names. */
static void columns(limn_builder *b)
{
    const int64_t column[] = {-1, 1};
    limn_build_input(b, "a", LIMN_F32, 2, column);
    limn_build_input(b, "b", LIMN_F32, 2, column);
    limn_build_op(b, "Add", "a b", "y");
    limn_build_output(b, "y", LIMN_F32, 2, NULL);
}

/* As BERT has them; mask and types are outputs, too, so that one can see what they were. */
static void masked_tokens(limn_builder *b)
{
    limn_build_input(b, "input_ids", LIMN_I64, 2, any_by_any);
    limn_build_input(b, "attention_mask", LIMN_I64, 2, any_by_any);
    limn_build_input(b, "token_type_ids", LIMN_I64, 2, any_by_any);
    mean_of_tokens(b, "input_ids");
    limn_build_op(b, "Identity", "input_ids", "ids");
    limn_build_op(b, "Identity", "attention_mask", "mask");
    limn_build_op(b, "Identity", "token_type_ids", "types");
    limn_build_output(b, "ids", LIMN_I64, 2, NULL);
    limn_build_output(b, "mask", LIMN_I64, 2, NULL);
    limn_build_output(b, "types", LIMN_I64, 2, NULL);
}

/* Sound [N,1,T] of any length. */
static void sound(limn_builder *b)
{
    const int64_t any[] = {-1, 1, -1}, kernel[] = {3, 1, 5};
    limn_build_input(b, "x", LIMN_F32, 3, any);
    sample_weight(b, "k", 3, kernel, 3);
    limn_build_op(b, "Conv", "x k", "c");
    limn_build_op(b, "Relu", "c", "r");
    limn_build_op(b, "GlobalAveragePool", "r", "g");
    limn_build_op(b, "Flatten", "g", "y");
    limn_build_output(b, "y", LIMN_F32, 2, NULL);
}

static void no_inputs(limn_builder *b)
{
    const int64_t dim[] = {2, 3};
    sample_weight(b, "w", 2, dim, 1);
    limn_build_op(b, "Relu", "w", "y");
    limn_build_output(b, "y", LIMN_F32, 2, dim);
}

static void unknown_ops(limn_builder *b)
{
    limn_build_input(b, "x", LIMN_F32, 2, any_by_3);
    limn_build_op(b, "Frobnicate", "x", "h");
    limn_build_name(b, "first");
    limn_build_op(b, "Defenestrate", "h", "y");
    limn_build_name(b, "second");
    limn_build_output(b, "y", LIMN_F32, 2, NULL);
}

/* Runs, but no gradient gets through. */
static void steps(limn_builder *b)
{
    limn_build_input(b, "x", LIMN_F32, 2, any_by_3);
    limn_build_op(b, "Relu", "x", "r");
    limn_build_name(b, "ramp");
    limn_build_op(b, "Floor", "r", "y");
    limn_build_name(b, "stairs");
    limn_build_output(b, "y", LIMN_F32, 2, NULL);
}

/* Two inputs of two types, two outputs. */
static void two(limn_builder *b)
{
    const int64_t table[] = {5, 3};
    const int64_t any[] = {-1};
    sample_weight(b, "table", 2, table, 1);
    limn_build_input(b, "ids", LIMN_I64, 1, any);
    limn_build_input(b, "bias", LIMN_F32, 2, any_by_3);
    limn_build_op(b, "Gather", "table ids", "rows");
    limn_build_op(b, "Add", "rows bias", "sum");
    limn_build_op(b, "ArgMax", "sum", "best");
    limn_build_int(b, "axis", 1);
    limn_build_int(b, "keepdims", 0);
    limn_build_output(b, "sum", LIMN_F32, 2, NULL);
    limn_build_output(b, "best", LIMN_I64, 1, NULL);
}

/* An inner value whose axis 0 does not count the samples. */
static void turned(limn_builder *b)
{
    const int64_t x[] = {-1, 4}, perm[] = {1, 0};
    limn_build_input(b, "x", LIMN_F32, 2, x);
    limn_build_op(b, "Transpose", "x", "turned");
    limn_build_ints(b, "perm", perm, 2);
    limn_build_op(b, "Relu", "turned", "r");
    limn_build_op(b, "Transpose", "r", "back");
    limn_build_ints(b, "perm", perm, 2);
    limn_build_op(b, "Softmax", "back", "p");
    limn_build_output(b, "p", LIMN_F32, 2, NULL);
}

/* Gives an image. */
static void map(limn_builder *b)
{
    const int64_t x[] = {1, 3, 8, 8};
    limn_build_input(b, "image", LIMN_F32, 4, x);
    limn_build_op(b, "Relu", "image", "y");
    limn_build_output(b, "y", LIMN_F32, 4, x);
}

/* Takes pictures with their channels last. */
static void channels_last(limn_builder *b)
{
    const int64_t x[] = {-1, 8, 8, 3}, perm[] = {0, 3, 1, 2}, w[] = {4, 3, 3, 3};
    limn_build_input(b, "x", LIMN_F32, 4, x);
    limn_build_op(b, "Transpose", "x", "t");
    limn_build_ints(b, "perm", perm, 4);
    sample_weight(b, "w", 4, w, 1);
    limn_build_op(b, "Conv", "t w", "c");
    limn_build_op(b, "Relu", "c", "r");
    limn_build_op(b, "GlobalAveragePool", "r", "g");
    limn_build_op(b, "Flatten", "g", "y");
    limn_build_output(b, "y", LIMN_F32, 2, NULL);
}

/* Three steps of any number of samples. */
static void recurrent(limn_builder *b)
{
    const int64_t x[] = {3, -1, 2}, w[] = {1, 12, 2}, r[] = {1, 12, 4};
    limn_build_input(b, "x", LIMN_F32, 3, x);
    sample_weight(b, "w", 3, w, 1);
    sample_weight(b, "r", 3, r, 2);
    limn_build_op(b, "GRU", "x w r", "states");
    limn_build_int(b, "hidden_size", 4);
    limn_build_output(b, "states", LIMN_F32, 4, NULL);
}

/* Known operators that ask for too much, one behind the other, and one that would do were it not for them. */
static void faults(limn_builder *b)
{
    const int64_t x[] = {1, 4, 2, 2};
    limn_build_input(b, "x", LIMN_F32, 4, x);
    limn_build_op(b, "Cast", "x", "a");
    limn_build_name(b, "type");
    limn_build_int(b, "to", 14);
    limn_build_op(b, "Relu", "a", "r");
    limn_build_name(b, "innocent");
    limn_build_op(b, "DepthToSpace", "r", "d");
    limn_build_name(b, "word");
    limn_build_int(b, "blocksize", 2);
    limn_build_text(b, "mode", "SIDEWAYS");
    limn_build_op(b, "Softmax", "x", "s");
    limn_build_name(b, "axis");
    limn_build_int(b, "axis", 7);
    limn_build_op(b, "Frobnicate", "s", "f");
    limn_build_name(b, "missing");
    limn_build_op(b, "Add", "d f", "y");
    limn_build_name(b, "sum");
    limn_build_output(b, "y", LIMN_F32, 4, NULL);
}

/* Takes seconds: for interrupting it. */
static void slow(limn_builder *b)
{
    const int64_t dim[] = {2048, 2048};
    char from[16] = "x", to[16];
    limn_build_input(b, "x", LIMN_F32, 2, dim);
    for (int i = 0; i < 400; i++) {
        snprintf(to, sizeof to, "y%d", i);
        char both[40];
        snprintf(both, sizeof both, "%s %s", from, from);
        limn_build_op(b, "MatMul", both, to);
        snprintf(from, sizeof from, "%s", to);
    }
    limn_build_output(b, "y399", LIMN_F32, 2, NULL);
}

static int save_numbers(const char *folder, const char *name, limn_dtype type, int rank, const int64_t *dim, int salt)
{
    char path[4096];
    limn_tensor t;
    if (limn_tensor_new(type, rank, dim, &t) != LIMN_OK)
        return 1;
    if (type == LIMN_F32)
        sample_fill((float *)t.data, limn_tensor_count(&t), salt);
    for (size_t i = 0; type == LIMN_F64 && i < limn_tensor_count(&t); i++)
        ((double *)t.data)[i] = 0.5 * (double)i;
    for (size_t i = 0; type == LIMN_I64 && i < limn_tensor_count(&t); i++)
        ((int64_t *)t.data)[i] = (int64_t)i + (salt ? INT64_C(1) << 60 | 1 : 0);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int failed = limn_tensor_save(path, &t) != LIMN_OK;
    limn_tensor_free(&t);
    return failed;
}

static int save_inputs(const char *folder)
{
    const int64_t batch[] = {2, 4}, one[] = {4}, three[] = {3}, ids[] = {3}, bias[] = {3, 3}, image[] = {3, 8, 8};
    const int64_t big[] = {2048, 2048}, cube[] = {2, 2, 2}, row[] = {1, 4}, one_each[] = {3, 1, 2},
                  two_each[] = {3, 2, 2};
    return save_numbers(folder, "batch.npy", LIMN_F32, 2, batch, 1) |
           save_numbers(folder, "one.npy", LIMN_F32, 1, one, 2) |
           save_numbers(folder, "double.npy", LIMN_F64, 1, one, 0) |
           save_numbers(folder, "long.npy", LIMN_I64, 1, one, 0) |
           save_numbers(folder, "three.npy", LIMN_F32, 1, three, 1) |
           save_numbers(folder, "ids.npy", LIMN_I64, 1, ids, 0) |
           save_numbers(folder, "bias.npy", LIMN_F32, 2, bias, 3) |
           save_numbers(folder, "image.npy", LIMN_F32, 3, image, 4) |
           save_numbers(folder, "big.npy", LIMN_F32, 2, big, 5) |
           save_numbers(folder, "cube.npy", LIMN_F32, 3, cube, 6) |
           save_numbers(folder, "row1.npy", LIMN_F32, 2, row, 4) | /* what batch.npy has in row 1 */
           save_numbers(folder, "rnn1.npy", LIMN_F32, 3, one_each, 1) |
           save_numbers(folder, "rnn2.npy", LIMN_F32, 3, two_each, 1) |
           save_numbers(folder, "huge.npy", LIMN_I64, 1, one, 1);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *file;
        void (*fill)(limn_builder *);
    } models[] = {{"mlp.onnx", mlp},        {"mlp1.onnx", mlp1},   {"cnn.onnx", sample_cnn}, {"log.onnx", logarithm},
                  {"root.onnx", square_root}, {"several.onnx", several_labels},
                  {"none.onnx", no_inputs}, {"ops.onnx", unknown_ops}, {"steps.onnx", steps}, {"two.onnx", two},
                  {"slow.onnx", slow},      {"turned.onnx", turned},   {"map.onnx", map},     {"rnn.onnx", recurrent},
                  {"faults.onnx", faults},  {"nhwc.onnx", channels_last}, {"tokens.onnx", tokens},
                  {"masked.onnx", masked_tokens}, {"sound.onnx", sound},   {"line.onnx", line},
                  {"line8.onnx", line8},    {"columns.onnx", columns}};
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        char path[4096];
        limn_builder *b;
        snprintf(path, sizeof path, "%s/%s", argv[1], models[i].file);
        if (limn_builder_new(&b) != LIMN_OK)
            return 1;
        models[i].fill(b);
        int failed = limn_build_save(b, path) != LIMN_OK;
        limn_builder_free(b);
        if (failed) {
            fprintf(stderr, "%s: %s\n", path, limn_message());
            return 1;
        }
    }
    return save_inputs(argv[1]);
}
