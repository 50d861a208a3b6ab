/* Cases of softmax, its gradients, the normalisations and attention. */
#include "tests/checkop/harness.h"

#define LIST(name, ...) static const lm_opid name[] = {__VA_ARGS__, LM_OPS}
LIST(softmaxes, LM_OP_SOFTMAX, LM_OP_LOGSOFTMAX);
LIST(gradients, LM_OP_SOFTMAX_DX, LM_OP_LOGSOFTMAX_DX);
LIST(layers, LM_OP_LAYERNORM);

#define AXIS(n) {.axis = {.axis = n}}
#define NORM(...) {.norm = {.epsilon = 1e-5f, __VA_ARGS__}}
#define ATTENTION .op = LM_OP_ATTENTION

static const ck_row rows[] = {
    {.ops = softmaxes, .label = "last", .x = {"3,n"}, .a = AXIS(1),
     .sweep = "n=1,2,7,8,15,16,17,31,32,33,128,257,1009", .split = 1},
    {.ops = softmaxes, .label = "image", .x = {"2,5,3,7"}, .a = AXIS(1), .types = CK_FLOATS,
     .layouts = CK_ALL_LAYOUTS,
     .values = CK_ALL_VALUES, .split = 1},
    {.ops = softmaxes, .label = "space", .x = {"2,5,3,19"}, .a = AXIS(3), .layouts = CK_ALL_LAYOUTS,
     .values = CK_BIT(CK_SPECIAL), .split = 1},
    {.ops = softmaxes, .label = "middle", .x = {"2,17,9"}, .a = AXIS(1), .layouts = CK_IMAGE_LAYOUTS, .split = 1},
    {.ops = softmaxes, .label = "first", .x = {"17,9"}, .a = AXIS(0), .layouts = CK_PLAIN_LAYOUTS},
    {.ops = softmaxes, .label = "far", .x = {"5,33@big"}, .a = AXIS(1), .types = CK_FLOATS},
    {.ops = softmaxes, .label = "equal", .x = {"3,17@const"}, .a = AXIS(1)},
    {.ops = softmaxes, .label = "empty", .x = {"0,5"}, .a = AXIS(1)},
    {.ops = softmaxes, .label = "long", .x = {"65537"}, .a = AXIS(0)},
    {.ops = gradients, .label = "last", .x = {"3,n", "3,n"}, .a = AXIS(1), .sweep = "n=1,2,15,16,17,33,257",
     .split = 3},
    {.ops = gradients, .label = "image", .x = {"2,5,3,7", "2,5,3,7@prob"}, .a = AXIS(1), .types = CK_FLOATS,
     .layouts = CK_ALL_LAYOUTS, .values = CK_BIT(CK_WHOLE), .split = 3},
    {.ops = gradients, .label = "middle", .x = {"2,17,9", "2,17,9@prob"}, .a = AXIS(1), .layouts = CK_IMAGE_LAYOUTS,
     .split = 3},
    {.op = LM_OP_HARDMAX, .label = "last", .x = {"5,n"}, .a = AXIS(1), .sweep = "n=1,16,17",
     .values = CK_BIT(CK_WHOLE)},
    {.op = LM_OP_HARDMAX, .label = "image", .x = {"2,5,3,7"}, .a = AXIS(1), .types = CK_FLOATS,
     .layouts = CK_IMAGE_LAYOUTS, .split = 1},

    {.op = LM_OP_BATCHNORM, .label = "image", .x = {"2,19,3,7", "19", "19", "19", "19@pos"}, .a = NORM(.axis = 1),
     .types = CK_FLOATS,
     .layouts = CK_ALL_LAYOUTS, .constant = 30, .split = 1},
    {.op = LM_OP_BATCHNORM, .label = "flat", .x = {"5,17", "17", "17", "17", "17@pos"}, .a = NORM(.axis = 1),
     .constant = 30, .split = 1},
    {.ops = layers, .label = "last", .x = {"3,n", "n", "n"}, .a = NORM(.axis = 1),
     .sweep = "n=1,2,15,16,17,33,128,257,768", .constant = 6, .split = 1},
    {.ops = layers, .label = "tokens", .x = {"2,5,37", "37", "37"}, .a = NORM(.axis = 2), .ny = 3, .types = CK_FLOATS,
     .layouts = CK_IMAGE_LAYOUTS, .values = CK_BIT(CK_WHOLE) | CK_BIT(CK_SPECIAL), .constant = 6, .split = 1},
    {.ops = layers, .label = "two_axes", .x = {"3,4,9", "4,9", "4,9"}, .a = NORM(.axis = 1), .split = 1},
    {.ops = layers, .label = "nobias", .x = {"3,4,9", "9"}, .a = NORM(.axis = 2), .split = 1},
    {.op = LM_OP_RMSNORM, .label = "last", .x = {"3,n", "n"}, .a = NORM(.axis = 1), .sweep = "n=1,15,16,17,257",
     .constant = 2, .split = 1},
    {.op = LM_OP_RMSNORM, .label = "tokens", .x = {"2,5,37", "37"}, .a = NORM(.axis = 2), .types = CK_FLOATS,
     .layouts = CK_IMAGE_LAYOUTS,
     .constant = 2, .split = 1},
    {.op = LM_OP_INSTANCENORM, .label = "image", .x = {"2,5,4,7", "5", "5"}, .a = NORM(.axis = 1), .types = CK_FLOATS,
     .layouts = CK_IMAGE_LAYOUTS, .constant = 6, .split = 1},
    {.op = LM_OP_GROUPNORM, .label = "image", .x = {"2,12,4,7", "12", "12"}, .a = NORM(.groups = 3),
     .types = CK_FLOATS,
     .layouts = CK_IMAGE_LAYOUTS, .constant = 6, .split = 1},
    {.op = LM_OP_GROUPNORM, .label = "one", .x = {"2,6,5", "6", "6"}, .a = NORM(.groups = 1), .split = 1},
    {.op = LM_OP_LPNORM, .label = "l2", .x = {"2,5,7"}, .a = NORM(.axis = 2, .p = 2), .types = CK_FLOATS,
     .layouts = CK_IMAGE_LAYOUTS, .split = 1},
    {.op = LM_OP_LPNORM, .label = "l1", .x = {"2,5,7"}, .a = NORM(.axis = 1, .p = 1), .split = 1},
    {.op = LM_OP_MVN, .label = "image", .x = {"2,5,4,7"}, .a = {.reduce = {.axes = 13, .keepdims = true}},
     .layouts = CK_IMAGE_LAYOUTS,
     .types = CK_FLOATS},
    {.op = LM_OP_LRN, .label = "image", .x = {"2,9,4,5"}, .a = {.norm = {.size = 5, .alpha = 1e-2f, .beta = 0.75f,
     .bias = 1}},
     .types = CK_FLOATS, .layouts = CK_IMAGE_LAYOUTS, .split = 1},
    {.op = LM_OP_LRN, .label = "even", .x = {"1,7,3"}, .a = {.norm = {.size = 4, .alpha = 0.5f, .beta = 0.5f,
     .bias = 2}}},

    {ATTENTION, .label = "plain", .x = {"2,3,5,8", "2,3,7,8", "2,3,7,6"}, .a = {.attention = {.scale = 0}},
     .types = CK_FLOATS,
     .layouts = CK_IMAGE_LAYOUTS, .split = 7},
    {ATTENTION, .label = "mask", .x = {"2,3,5,8", "2,3,5,8", "2,3,5,8", "5,5"}, .a = {.attention = {.scale = 0.5f}},
     .split = 7},
    {ATTENTION, .label = "causal", .x = {"1,2,9,16", "1,2,9,16", "1,2,9,17"}, .a = {.attention = {.causal = true}}},
    {ATTENTION, .label = "softcap", .x = {"1,2,5,8", "1,2,5,8", "1,2,5,8"}, .a = {.attention = {.softcap = 2}}},
};

const ck_rows ck_rows_norm = CK_ROWS(rows);
