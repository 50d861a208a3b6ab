/* Cases of elementwise ops fused into one, which devices without a kernel for it run step by step. */
#include "tests/checkop/harness.h"

/* Operands of steps: number n of the call, the result of step n. */
#define X(n) n
#define V(n) (LM_FUSED_IN + n)
#define STEP(op_, ...) {.op = LM_OP_##op_, .x = {__VA_ARGS__}}
#define WITH(op_, a_, b_, ...) {.op = LM_OP_##op_, .x = {__VA_ARGS__}, .a = a_, .b = b_}
#define SLOPE(of_, a_, ...) {.op = LM_OP_ACT_DX, .of = LM_OP_##of_, .x = {__VA_ARGS__}, .a = a_}
#define FUSED(n_, ...) {.fused = {.n = n_, .step = {__VA_ARGS__}}}

static const ck_row rows[] = {
    {.op = LM_OP_FUSED, .label = "gate", .x = {"2,5,3,7"}, .a = FUSED(2, STEP(SIGMOID, X(0)), STEP(MUL, X(0), V(0))),
     .layouts = CK_IMAGE_LAYOUTS, .values = CK_BIT(CK_SPECIAL) | CK_BIT(CK_WHOLE), .split = 1},
    {.op = LM_OP_FUSED, .label = "len", .x = {"n", ""}, .a = FUSED(2, STEP(SUB, X(0), X(1)), STEP(RELU, V(0))),
     .sweep = "n=0,1,15,16,17,257,5000"},
    {.op = LM_OP_FUSED, .label = "spread", .x = {"2,5,3,7", "5,1,1", "5,1,1", "7", ""},
     .a = FUSED(5, STEP(MUL, X(0), X(1)), STEP(ADD, V(0), X(2)), WITH(CLIP, -1, 6, V(1)), STEP(MUL, V(2), X(3)),
                STEP(DIV, V(3), X(4))),
     .layouts = CK_IMAGE_LAYOUTS, .values = CK_BIT(CK_SPECIAL), .constant = 6, .split = 1},
    {.op = LM_OP_FUSED, .label = "slopes", .x = {"3,33", "3,33", "33"},
     .a = FUSED(4, SLOPE(GELU, 0, X(0), X(1)), STEP(MUL, V(0), X(2)), SLOPE(LEAKYRELU, 0.25f, V(1), X(1)),
                STEP(NEG, V(2))),
     .layouts = CK_PLAIN_LAYOUTS, .values = CK_BIT(CK_SPECIAL)},
    {.op = LM_OP_FUSED, .label = "choice", .x = {"bool:3,33", "3,33", "3,33", "33"},
     .a = FUSED(5, STEP(ADD, X(1), X(2)), STEP(GREATER, X(1), X(3)), STEP(DIV, X(2), V(0)),
                STEP(WHERE, V(1), V(2), X(1)), STEP(WHERE, X(0), V(3), X(3))),
     .layouts = CK_PLAIN_LAYOUTS, .values = CK_BIT(CK_SPECIAL) | CK_BIT(CK_WHOLE)},
    {.op = LM_OP_FUSED, .label = "truth", .x = {"4,17", "17"},
     .a = FUSED(3, STEP(ABS, X(0)), STEP(MAX, V(0), X(1)), STEP(ISNAN, V(1))), .layouts = CK_PLAIN_LAYOUTS,
     .values = CK_BIT(CK_SPECIAL)},
    {.op = LM_OP_FUSED, .label = "longest", .x = {"2,19", "19", "19", "2,1", "", "2,19"},
     .a = FUSED(12, STEP(ADD, X(0), X(1)), STEP(TANH, V(0)), STEP(MUL, V(1), X(2)), STEP(MAX, V(2), X(3)),
                STEP(SUB, V(3), X(4)), STEP(EXP, V(4)), STEP(ADD, V(5), X(5)), STEP(ABS, V(6)), STEP(SQRT, V(7)),
                STEP(MIN, V(8), X(0)), STEP(FLOOR, V(9)), STEP(MUL, V(10), V(1)))},
};

const ck_rows ck_rows_fused = CK_ROWS(rows);
