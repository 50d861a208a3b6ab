/* bad: wrong data in tensors is refused by every device while it runs, wrong calls are refused before: each time by a
 * status and a message with the op's name and the value or the argument at fault. Nothing traps, nothing is touched
 * outside. */
#include <string.h>

#include "core/run/exec.h"
#include "tests/checkop/harness.h"

typedef struct bad_row {
    ck_row row;
    const char *word; /* the message holds this and the op's name */
} bad_row;

#define X(...) .x = {__VA_ARGS__}

/* Fine to bind, wrong once the values are seen. OneHot is not here, because an index outside its depth has a meaning: all
 * `off` (cases_index.c has such rows). */
static const bad_row data_rows[] = {
    {{.op = LM_OP_GATHER, .label = "high", X("11,5", "i64:3@=0;11;2"), .a = {.index = {.axis = 0}}}, "11"},
    {{.op = LM_OP_GATHER, .label = "low", X("11,5", "i64:3@=0;-12;2"), .a = {.index = {.axis = 0}}}, "-12"},
    {{.op = LM_OP_GATHER, .label = "i32", X("4,9", "i32:2,2@=0;1;9;3"), .a = {.index = {.axis = 1}}}, "9"},
    {{.op = LM_OP_GATHER, .label = "far", X("4,9", "i64:1@=4611686018427387904"), .a = {.index = {.axis = 0}}},
     "4611686018427387904"},
    {{.op = LM_OP_GATHER, .label = "nothing", X("0,9", "i64:1@=0"), .a = {.index = {.axis = 0}}}, "0"},
    {{.op = LM_OP_GATHER_DX,
      .label = "high",
      X("3,5", "i64:3@=0;4;2"),
      .a = {.shape = {.axis = 0, .shape = {.rank = 2, .dim = {4, 5}}}}},
     "4"},
    {{.op = LM_OP_GATHERELEMENTS, .label = "high", X("3,5", "i64:2,5@=0;1;3"), .a = {.index = {.axis = 0}}}, "3"},
    {{.op = LM_OP_GATHERND, .label = "high", X("3,5", "i64:2,2@=0;1;2;5"), .a = {.index = {.batch = 0}}}, "5"},
    {{.op = LM_OP_SCATTERELEMENTS, .label = "low", X("3,5", "i64:2,5@=0;1;-4", "2,5"), .a = {.index = {.axis = 0}}},
     "-4"},
    {{.op = LM_OP_SCATTERELEMENTS,
      .label = "add",
      X("3,5", "i64:2,5@=0;1;7", "2,5"),
      .a = {.index = {.mode = LM_SCATTER_ADD}}},
     "7"},
    {{.op = LM_OP_SCATTERND, .label = "high", X("3,5", "i64:2,1@=0;3", "2,5"), .a = {.index = {.axis = 0}}}, "3"},
    {{.op = LM_OP_MAXPOOL_DX,
      .label = "high",
      X("1,1,1,1", "i64:1,1,1,1@=4"),
      .a = {.pool = {.nd = 2, .kernel = {2, 2}, .stride = {2, 2}, .dilation = {1, 1}, .size = {2, 2}}}},
     "4"},
    {{.op = LM_OP_LOSS_NLL, .label = "class", X("3,5", "i64:3@=0;5;2"), .a = {.loss = {.reduction = LM_LOSS_SUM}}},
     "5"},
    {{.op = LM_OP_LOSS_CE, .label = "class", X("3,5", "i64:3@=0;-1;2"), .a = {.loss = {.reduction = LM_LOSS_SUM}}},
     "-1"},
    {{.op = LM_OP_DIV, .label = "zero", X("6", "6@=1;2;0"), .type = LM_I32}, "0"},
    {{.op = LM_OP_DIV, .label = "zero64", X("6", "@=0"), .type = LM_I64}, "0"},
    {{.op = LM_OP_DIV, .label = "zero8", X("6", "6@=1;0"), .type = LM_U8}, "0"},
    {{.op = LM_OP_DIV, .label = "min", X("2@=5;-2147483648", "2@=2;-1"), .type = LM_I32}, "-2147483648"},
    {{.op = LM_OP_DIV, .label = "min64", X("2@=5;-9223372036854775808", "2@=2;-1"), .type = LM_I64},
     "-9223372036854775808"},
    {{.op = LM_OP_MOD, .label = "zero", X("6", "6@=1;2;0"), .type = LM_I32}, "0"},
    {{.op = LM_OP_MOD, .label = "fmod_zero", X("6", "6@=1;2;0"), .a = {.act = {1, 0}}, .type = LM_I64}, "0"},
    {{.op = LM_OP_SHIFT, .label = "wide8", X("3", "3@=1;8;2"), .type = LM_U8}, "8"},
    {{.op = LM_OP_SHIFT, .label = "wide32", X("3", "3@=1;2;40"), .a = {.act = {1, 0}}, .type = LM_U32}, "40"},
    {{.op = LM_OP_SHIFT, .label = "wide64", X("3", "3@=64"), .type = LM_U64}, "64"},
};

/* Refused by the shape rule. */
static const bad_row call_rows[] = {
    {{.op = LM_OP_ADD, .label = "shapes", X("3,4", "3,5")}, "3,5"},
    {{.op = LM_OP_ADD, .label = "types", X("3", "f64:3")}, "float64"},
    {{.op = LM_OP_ADD, .label = "one_input", X("3")}, "1 inputs"},
    {{.op = LM_OP_ADD, .label = "three_inputs", X("3", "3", "3")}, "3 inputs"},
    {{.op = LM_OP_ADD, .label = "outputs", X("3", "3"), .ny = 2}, "2 results"},
    {{.op = LM_OP_ADD, .label = "missing", X("3", "-")}, "input 1"},
    {{.op = LM_OP_RELU, .label = "negative_size", X("3,-4")}, "-4"},
    {{.op = LM_OP_ADD, .label = "overflow", X("3037000500,1", "1,3037000500")}, "3037000500"},
    {{.op = LM_OP_RELU, .label = "overflow", X("2147483648,2147483648,4")}, "2147483648"},
    {{.op = LM_OP_RELU, .label = "bool", X("bool:3")}, "bool"},
    {{.op = LM_OP_AND, .label = "floats", X("3", "3")}, "float32"},
    {{.op = LM_OP_SHIFT, .label = "signed", X("3", "3"), .type = LM_I32}, "int32"},
    {{.op = LM_OP_EXP, .label = "ints", X("3"), .type = LM_I32}, "int32"},
    {{.op = LM_OP_WHERE, .label = "condition", X("3", "3", "3")}, "float32"},
    {{.op = LM_OP_CAST, .label = "type", X("3"), .a = {.cast = {(lm_dtype)77}}}, "77"},
    {{.op = LM_OP_ACT_DX, .label = "of", X("3", "3"), .a = {.actdx = {LM_OP_ADD, 0, 0}}}, "elementwise"},
    {{.op = LM_OP_ACT_DX, .label = "shape", X("3", "4"), .a = {.actdx = {LM_OP_RELU, 0, 0}}}, "[4]"},
    {{.op = LM_OP_REDUCE_SUM, .label = "axes", X("3,4"), .a = {.reduce = {.axes = 8}}}, "0x8"},
    {{.op = LM_OP_ARGMAX, .label = "axis", X("3,4"), .a = {.axis = {.axis = 2}}}, "axis"},
    {{.op = LM_OP_ARGMAX, .label = "empty", X("3,0"), .a = {.axis = {.axis = 1}}}, "[3,0]"},
    {{.op = LM_OP_SOFTMAX, .label = "axis", X("3,4"), .a = {.axis = {.axis = -1}}}, "axis"},
    {{.op = LM_OP_MATMUL, .label = "inner", X("3,4", "5,6")}, "[5,6]"},
    {{.op = LM_OP_MATMUL, .label = "scalar", X("", "5")}, "[]"},
    {{.op = LM_OP_MATMUL, .label = "batch", X("2,3,4", "3,4,5")}, "[2,3,4]"},
    {{.op = LM_OP_MATMUL, .label = "bias", X("3,4", "4,5", "4")}, "[4]"},
    {{.op = LM_OP_GEMM, .label = "rank", X("3,4,5", "5,6"), .a = {.gemm = {.alpha = 1}}}, "[3,4,5]"},
    {{.op = LM_OP_CONV,
      .label = "channels",
      X("1,5,7,7", "9,4,3,3"),
      .a = {.conv = {.nd = 2, .groups = 1, .kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}}}},
     "[9,4,3,3]"},
    {{.op = LM_OP_CONV,
      .label = "groups",
      X("1,5,7,7", "9,2,3,3"),
      .a = {.conv = {.nd = 2, .groups = 2, .kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}}}},
     "groups"},
    {{.op = LM_OP_CONV,
      .label = "stride",
      X("1,4,7,7", "9,4,3,3"),
      .a = {.conv = {.nd = 2, .groups = 1, .kernel = {3, 3}, .stride = {0, 1}, .dilation = {1, 1}}}},
     "stride"},
    {{.op = LM_OP_CONV,
      .label = "rank",
      X("1,4,7", "9,4,3,3"),
      .a = {.conv = {.nd = 2, .groups = 1, .kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}}}},
     "rank"},
    {{.op = LM_OP_CONV,
      .label = "too_large",
      X("1,4,2,2", "9,4,3,3"),
      .a = {.conv = {.nd = 2, .groups = 1, .kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}}}},
     ""},
    {{.op = LM_OP_CONV_T,
      .label = "size",
      X("1,4,7,7", "4,9,3,3"),
      .a = {.conv = {.nd = 2, .groups = 1, .kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}, .size = {5, 5}}}},
     "size"},
    {{.op = LM_OP_CONV_DW,
      .label = "batch",
      X("1,4,7,7", "2,9,5,5"),
      .a = {.conv = {.nd = 2, .groups = 1, .kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}}}},
     "[2,9,5,5]"},
    {{.op = LM_OP_EINSUM, .label = "equation", X("3,4"), .a = {.einsum = {"i?->i"}}}, "?"},
    {{.op = LM_OP_EINSUM, .label = "sizes", X("3,4", "5,6"), .a = {.einsum = {"ij,jk->ik"}}}, "ij,jk->ik"},
    {{.op = LM_OP_MAXPOOL,
      .label = "kernel",
      X("1,2,5,5"),
      .a = {.pool = {.nd = 2, .kernel = {0, 2}, .stride = {1, 1}, .dilation = {1, 1}}}},
     "kernel"},
    {{.op = LM_OP_MAXPOOL_DX,
      .label = "size",
      X("1,2,5,5", "i64:1,2,5,5"),
      .a = {.pool = {.nd = 2, .kernel = {2, 2}, .stride = {2, 2}, .dilation = {1, 1}, .size = {5, 5}}}},
     "size"},
    {{.op = LM_OP_BATCHNORM, .label = "scale", X("2,5,3", "4", "5", "5", "5"), .a = {.norm = {.axis = 1}}}, "[4]"},
    {{.op = LM_OP_GROUPNORM, .label = "groups", X("2,5,3", "5", "5"), .a = {.norm = {.groups = 2}}}, "groups"},
    {{.op = LM_OP_LAYERNORM, .label = "scale", X("2,5", "4"), .a = {.norm = {.axis = 1}}}, "[4]"},
    {{.op = LM_OP_RESHAPE, .label = "count", X("2,5"), .a = {.shape = {.shape = {.rank = 2, .dim = {3, 4}}}}}, "[3,4]"},
    {{.op = LM_OP_RESHAPE, .label = "overflow", X("2,5"), .a = {.shape = {.shape = {.rank = 3, .dim = {4294967296, 4294967296, 4}}}}},
     "4294967296"},
    {{.op = LM_OP_RESHAPE, .label = "rank", X("1"), .a = {.shape = {.shape = {.rank = 9, .dim = {1, 1, 1, 1, 1, 1, 1, 1}}}}}, "9"},
    {{.op = LM_OP_TRANSPOSE, .label = "twice", X("2,5"), .a = {.perm = {{0, 0}}}}, "perm"},
    {{.op = LM_OP_EXPAND, .label = "shape", X("2,5"), .a = {.shape = {.shape = {.rank = 2, .dim = {3, 5}}}}}, "[3,5]"},
    {{.op = LM_OP_SLICE, .label = "end", X("5"), .a = {.slice = {.start = {2}, .step = {2}, .size = {3}}}}, "5"},
    {{.op = LM_OP_SLICE, .label = "step", X("5"), .a = {.slice = {.start = {2}, .step = {0}, .size = {1}}}}, "step"},
    {{.op = LM_OP_PAD, .label = "negative", X("5"), .a = {.pad = {.lo = {-3}, .hi = {-3}}}}, "-3"},
    {{.op = LM_OP_PAD, .label = "overflow", X("5"), .a = {.pad = {.lo = {INT64_MAX}, .hi = {INT64_MAX}}}}, "overflow"},
    {{.op = LM_OP_CONCAT, .label = "shape", X("2,5", "3,5"), .a = {.axis = {.axis = 1}}}, "[3,5]"},
    {{.op = LM_OP_TILE, .label = "negative", X("2"), .a = {.tile = {{-1}}}}, "-1"},
    {{.op = LM_OP_TILE, .label = "overflow", X("2147483648"), .a = {.tile = {{4294967296}}}}, "4294967296"},
    {{.op = LM_OP_DEPTHTOSPACE, .label = "channels", X("1,6,2,2"), .a = {.block = {.size = 2}}}, "[1,6,2,2]"},
    {{.op = LM_OP_GATHER, .label = "index_type", X("5,3", "2"), .a = {.index = {.axis = 0}}}, "float32"},
    {{.op = LM_OP_GATHER, .label = "axis", X("5,3", "i64:2"), .a = {.index = {.axis = 2}}}, "axis"},
    {{.op = LM_OP_SCATTERELEMENTS, .label = "updates", X("5,3", "i64:2,3", "3,3"), .a = {.index = {.axis = 0}}},
     "[3,3]"},
    {{.op = LM_OP_ONEHOT, .label = "depth", X("i64:2", "2"), .a = {.onehot = {.depth = -1}}}, "-1"},
    {{.op = LM_OP_TOPK, .label = "k", X("2,5"), .a = {.topk = {.axis = 1, .k = 6}}, .ny = 2}, "6"},
    {{.op = LM_OP_RANGE, .label = "delta", X("@=1", "@=5", "@=0")}, "delta"},
    {{.op = LM_OP_RESIZE, .label = "scale", X("1,2,3"), .a = {.resize = {.size = {1, 2, 6}, .scale = {1, 1, 0}}}},
     "scale"},
    {{.op = LM_OP_ATTENTION, .label = "key", X("1,2,5,8", "1,2,5,7", "1,2,5,8")}, "[1,2,5,7]"},
    {{.op = LM_OP_LOSS_MSE, .label = "truth", X("5,3", "5,4"), .a = {.loss = {.reduction = LM_LOSS_SUM}}}, "[5,4]"},
    {{.op = LM_OP_ADAM, .label = "rate", X("5", "5", "2", "5", "5", "1"), .ny = 3}, "[2]"},
};

static bool wanted(const ck_case *c)
{
    const char *glob = ck_opt.glob;
    return (!ck_opt.op || !strcmp(ck_opt.op, lm_ops[c->op].id)) && (!glob || !strcmp(glob, c->name));
}

static bool refused_well(const ck_case *c, lm_status status, const char *word, char why[CK_WHY])
{
    char message[CK_WHY];
    snprintf(message, sizeof message, "%s", lm_message());
    if (status == LM_INPUT && strstr(message, lm_ops[c->op].name) && strstr(message, word))
        return true;
    snprintf(why, CK_WHY, "want LM_INPUT with '%s' and '%s', got %s: %.300s", lm_ops[c->op].name, word,
             limn_status_name(status), status == LM_OK ? "" : message);
    return false;
}

static void report(bool good, const ck_case *c, const ck_lane *lane, const char *why)
{
    if (good)
        ck_pass();
    else
        ck_fail("bad", c->name, lane, why);
}

static void check_data(const bad_row *bad)
{
    ck_case c;
    ck_tensor x[CK_X], y[CK_Y];
    ck_row_case(&bad->row, &c);
    if (!wanted(&c))
        return;
    ck_inputs(&c, x);
    ck_call call = {.op = c.op, .a = &c.a, .nx = c.nx, .ny = c.ny, .x = x};
    for (int i = 0; i < ck_lane_count; i++) {
        char why[CK_WHY];
        lm_status status;
        ck_working(c.name, ck_lane_list[i].spec);
        ck_outcome outcome = ck_run(&ck_lane_list[i].chain, &call, y, &status, why);
        if (outcome == CK_REFUSED) {
            ck_refusals++;
            continue;
        }
        report(refused_well(&c, status, bad->word, why), &c, &ck_lane_list[i], why);
        if (outcome == CK_RAN)
            ck_tensors_free(y, c.ny);
    }
    ck_tensors_free(x, c.nx);
}

static void check_call(const bad_row *bad)
{
    ck_case c;
    lm_type y[CK_Y];
    char why[CK_WHY];
    double number[3] = {0};
    ck_tensor small[3];
    const lm_view *value[CK_X] = {0};
    lm_view view[3];
    lm_buffer *wrap[3] = {0};
    ck_row_case(&bad->row, &c);
    if (!wanted(&c))
        return;
    /* Range looks at its inputs' values; the others' shapes may be too large to exist. */
    for (int i = 0; i < c.nx && c.op == LM_OP_RANGE; i++) {
        small[i] = (ck_tensor){.dt = c.x[i].dt, .sh = c.x[i].sh, .n = 1, .bytes = (unsigned char *)&number[i]};
        ck_fill(&small[i], &c, i);
        if (lm_buffer_wrap(&number[i], sizeof number[i], &wrap[i]) == LM_OK) {
            view[i] = lm_view_row(c.x[i].dt, &c.x[i].sh, wrap[i]);
            value[i] = &view[i];
        }
    }
    lm_shape_args args = {.op = c.op, .a = &c.a, .nx = c.nx, .ny = c.ny, .x = c.x, .value = value};
    lm_status status = lm_op_infer(&args, y);
    report(refused_well(&c, status, bad->word, why), &c, NULL, why);
    for (int i = 0; i < 3; i++)
        lm_buffer_unref(wrap[i]);
}

/* Calls of lm_exec_open that no shape rule can see: a sound Add with one thing broken. */
typedef struct broken {
    const char *what;
    void (*twist)(lm_call *call, lm_view *v);
} broken;

static void twist_input_buffer(lm_call *call, lm_view *v)
{
    (void)call;
    v[1].buf = NULL;
}

static void twist_inputs(lm_call *call, lm_view *v)
{
    (void)v;
    call->nx = 1;
}

static void twist_outputs(lm_call *call, lm_view *v)
{
    (void)v;
    call->ny = 0;
}

static void twist_result_shape(lm_call *call, lm_view *v)
{
    (void)call;
    v[2].sh = LM_SHAPE(3, 5);
}

static void twist_result_type(lm_call *call, lm_view *v)
{
    (void)call;
    v[2].dt = LM_I32;
}

static void twist_op(lm_call *call, lm_view *v)
{
    (void)v;
    call->op = (lm_opid)LM_OPS;
}

static void twist_outside(lm_call *call, lm_view *v)
{
    (void)call;
    v[0].st[0] = 1000;
}

static void twist_offset(lm_call *call, lm_view *v)
{
    (void)call;
    v[0].off = 40;
}

static void twist_rank(lm_call *call, lm_view *v)
{
    (void)call;
    v[0].sh.rank = LM_RANK + 1;
}

static void twist_negative(lm_call *call, lm_view *v)
{
    (void)call;
    v[0].sh.dim[0] = -3;
}

static void twist_overlap(lm_call *call, lm_view *v)
{
    (void)call;
    v[2].st[0] = 0;
}

static const broken twists[] = {
    {"input without a buffer", twist_input_buffer},
    {"one input", twist_inputs},
    {"no output", twist_outputs},
    {"result of another shape", twist_result_shape},
    {"result of another type", twist_result_type},
    {"unknown op", twist_op},
    {"strides out of the buffer", twist_outside},
    {"offset out of the buffer", twist_offset},
    {"rank 9", twist_rank},
    {"negative size", twist_negative},
    {"output that overlaps itself", twist_overlap},
};

static void check_twist(const ck_lane *lane, const broken *b)
{
    float room[12] = {0};
    lm_shape sh = LM_SHAPE(3, 4);
    lm_buffer *buf = NULL;
    lm_attrs a = {0};
    lm_exec *exec = NULL;
    char why[CK_WHY];
    if (lm_buffer_wrap(room, sizeof room, &buf) != LM_OK)
        return;
    lm_view v[3] = {lm_view_row(LM_F32, &sh, buf), lm_view_row(LM_F32, &sh, buf), lm_view_row(LM_F32, &sh, NULL)};
    lm_call call = {.op = LM_OP_ADD, .a = &a, .nx = 2, .ny = 1, .x = v, .y = v + 2};
    b->twist(&call, v);
    lm_status status = lm_exec_open(&lane->chain, &call, &exec);
    snprintf(why, sizeof why, "%s: lm_exec_open answers %s: %.300s", b->what, limn_status_name(status),
             status ? lm_message() : "");
    if (status != LM_OK && lm_message()[0])
        ck_pass();
    else
        ck_fail("bad", "calls", lane, why);
    if (status == LM_OK)
        lm_exec_close(exec);
    lm_buffer_unref(buf);
}

void ck_bad(void)
{
    for (size_t i = 0; i < sizeof data_rows / sizeof data_rows[0]; i++)
        check_data(&data_rows[i]);
    for (size_t i = 0; i < sizeof call_rows / sizeof call_rows[0]; i++)
        check_call(&call_rows[i]);
    if ((ck_opt.op && strcmp(ck_opt.op, "ADD")) || (ck_opt.glob && strcmp(ck_opt.glob, "calls")))
        return;
    for (int i = 0; i < ck_lane_count; i++)
        for (size_t t = 0; t < sizeof twists / sizeof twists[0]; t++)
            check_twist(&ck_lane_list[i], &twists[t]);
}
