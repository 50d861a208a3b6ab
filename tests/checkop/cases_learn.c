/* Cases of the losses and the optimiser steps. */
#include "tests/checkop/harness.h"

#define LIST(name, ...) static const lm_opid name[] = {__VA_ARGS__, LM_OPS}
LIST(classes, LM_OP_LOSS_NLL, LM_OP_LOSS_CE);
LIST(pairs, LM_OP_LOSS_MSE, LM_OP_LOSS_BCE);

#define LOSS(...) {.loss = {__VA_ARGS__}}
#define UPDATE(...) {.update = {__VA_ARGS__}}

static const ck_row rows[] = {
    {.ops = pairs, .label = "mean", .x = {"5,7@prob", "5,7@prob"}, .a = LOSS(.reduction = LM_LOSS_MEAN),
     .types = CK_FLOATS, .layouts = CK_PLAIN_LAYOUTS},
    {.ops = pairs, .label = "sum", .x = {"5,7@prob", "5,7@prob"}, .a = LOSS(.reduction = LM_LOSS_SUM)},
    {.ops = pairs, .label = "none", .x = {"5,7@prob", "5,7@prob"}, .a = LOSS(.reduction = LM_LOSS_NONE), .split = 3},
    {.ops = classes, .label = "mean", .x = {"6,11", "i64:6@class11"}, .a = LOSS(.reduction = LM_LOSS_MEAN),
     .types = CK_FLOATS,
     .layouts = CK_PLAIN_LAYOUTS},
    {.ops = classes, .label = "sum", .x = {"6,11", "i32:6@class11"}, .a = LOSS(.reduction = LM_LOSS_SUM)},
    {.ops = classes, .label = "none", .x = {"6,11", "i64:6@class11"}, .a = LOSS(.reduction = LM_LOSS_NONE),
     .split = 3},
    {.ops = classes, .label = "weights", .x = {"6,11", "i64:6@class11", "11@pos"},
     .a = LOSS(.reduction = LM_LOSS_MEAN)},
    {.ops = classes, .label = "image", .x = {"2,5,3,4", "i64:2,3,4@class5"}, .a = LOSS(.reduction = LM_LOSS_MEAN)},
    {.ops = classes, .label = "ignore", .x = {"6,11", "i64:6@=3;-100;10;0;-100;7", "11@pos"},
     .a = LOSS(.reduction = LM_LOSS_MEAN, .has_ignore = true, .ignore = -100)},
    {.ops = classes, .label = "ignore_none", .x = {"6,11", "i64:6@=3;2;10;0;2;7"},
     .a = LOSS(.reduction = LM_LOSS_NONE, .has_ignore = true, .ignore = 2)},
    {.op = LM_OP_LOSS_CE, .label = "logprob", .x = {"6,11", "i64:6@class11"}, .a = LOSS(.reduction = LM_LOSS_MEAN),
     .ny = 2},
    {.op = LM_OP_SGD, .label = "plain", .x = {"3,37", "3,37", "@=0.1"}, .a = UPDATE(.decay = 0.01f),
     .types = CK_FLOATS, .layouts = CK_PLAIN_LAYOUTS},
    {.op = LM_OP_SGD, .label = "len", .x = {"n", "n", "@=0.1"}, .a = UPDATE(.decay = 0),
     .sweep = "n=0,1,15,16,17,257"},
    {.op = LM_OP_MOMENTUM, .label = "plain", .x = {"3,37", "3,37", "@=0.1", "3,37"}, .a = UPDATE(.momentum = 0.9f,
     .decay = 0.01f), .ny = 2,
     .types = CK_FLOATS, .layouts = CK_PLAIN_LAYOUTS},
    {.op = LM_OP_MOMENTUM, .label = "nesterov", .x = {"n", "n", "@=0.1", "n"}, .a = UPDATE(.momentum = 0.9f,
     .nesterov = true), .ny = 2, .sweep = "n=1,16,33"},
    {.op = LM_OP_ADAM, .label = "plain", .x = {"3,37", "3,37", "@=0.01", "3,37", "3,37@pos", "i64:@=3"},
     .a = UPDATE(.beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f), .ny = 3, .types = CK_FLOATS,
     .layouts = CK_PLAIN_LAYOUTS},
    {.op = LM_OP_ADAM, .label = "decay", .x = {"n", "n", "@=0.01", "n", "n@pos", "@=1"},
     .a = UPDATE(.beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-6f, .decay = 0.01f), .ny = 3,
     .sweep = "n=1,15,16,17,257"},
};

const ck_rows ck_rows_learn = CK_ROWS(rows);
