/* Eager execution: layouts, constants, fallback between devices, expansion, doubles, profiles, failures. */
#include "core/run/exec.h"
#include "core/run/profile.h"
#include "tests/unit/test.h"
#include "tests/unit/toy.h"

static lm_chain ref, wide, mixed; /* ref, ref in doubles, a toy before ref */

static toy_device *the_toy(void)
{
    return toy(mixed.dev[0]);
}

static lm_view ramp(lm_dtype dt, lm_shape shape, double first, double step)
{
    lm_view v = {0};
    CHECK_OK(lm_view_new(dt, &shape, &v));
    for (int64_t i = 0, n = lm_shape_count(&shape); i < n; i++)
        lm_view_set(&v, i, first + step * (double)i);
    return v;
}

static void once(void)
{
    lm_view x = ramp(LM_F32, LM_SHAPE(2, 3), -2, 1), y;
    if (CHECK_OK(lm_exec_once(&ref, LM_OP_RELU, NULL, 1, &x, 1, &y))) {
        for (int i = 0; i < 6; i++)
            CHECK_NEAR(lm_view_get(&y, i), i > 2 ? i - 2 : 0, 0);
        CHECK(lm_view_is_row(&y));
        lm_buffer_unref(y.buf);
    }
    lm_buffer_unref(x.buf);
}

/* Inputs read backwards, repeated and from an odd address; the result in columns with gaps. */
static void any_layout(void)
{
    lm_view a = ramp(LM_F32, LM_SHAPE(40), 0, 1), b = ramp(LM_F32, LM_SHAPE(40), 100, 100);
    lm_view x[] = {a, b}, to = ramp(LM_F32, LM_SHAPE(3, 4), 0, 0);
    x[0].sh = x[1].sh = LM_SHAPE(3, 4);
    x[0].st[0] = -8;
    x[0].st[1] = 2;
    x[0].off = 21 * 4;
    x[1].st[0] = 1;
    x[1].st[1] = 0;
    x[1].off = 3 * 4;
    lm_view y = to;
    y.buf = NULL;
    y.off = 12;
    y.st[0] = 3;
    y.st[1] = 11;
    for (int way = 0; way < 3; way++) {
        const lm_chain *chain = way == 0 ? &ref : way == 1 ? &mixed : &wide;
        lm_call call = {.op = LM_OP_ADD, .nx = 2, .ny = 1, .x = x, .y = &y};
        lm_attrs none = {0};
        lm_exec *ex;
        call.a = &none;
        if (!CHECK_OK(lm_exec_open(chain, &call, &ex)))
            continue;
        CHECK_STR(lm_exec_kernel(ex), way == 1 ? "toy.Add" : "ref.Add");
        CHECK(lm_exec_facts(ex) != NULL);
        CHECK_INT(lm_exec_fallbacks(ex), 0);
        CHECK_OK(lm_exec_run(ex));
        CHECK_OK(lm_exec_fetch(ex, 0, &to));
        for (int i = 0; i < 12; i++)
            CHECK_NEAR(lm_view_get(&to, i), 21 - 8 * (i / 4) + 2 * (i % 4) + 100 * (4 + i / 4), 0);
        CHECK_FAILS(lm_exec_fetch(ex, 0, &a), LM_USAGE);
        CHECK(strstr(lm_message(), "[3,4]") && strstr(lm_message(), "[40]"));
        CHECK_FAILS(lm_exec_fetch(ex, 1, &to), LM_USAGE);
        lm_exec_close(ex);
    }
    lm_buffer_unref(a.buf);
    lm_buffer_unref(b.buf);
    lm_buffer_unref(to.buf);
}

static void constants_are_derived_once(void)
{
    lm_view x[] = {ramp(LM_F32, LM_SHAPE(2, 3), 1, 1), ramp(LM_F32, LM_SHAPE(3, 2), 1, 1)};
    lm_view y = ramp(LM_F32, LM_SHAPE(2, 2), 0, 0);
    lm_attrs a = {0};
    lm_call call = {.op = LM_OP_MATMUL, .a = &a, .nx = 2, .ny = 1, .x = x, .y = &y, .constant = 2};
    lm_exec *ex;
    int derives = the_toy()->derives;
    if (CHECK_OK(lm_exec_open(&mixed, &call, &ex))) {
        CHECK_STR(lm_exec_kernel(ex), "toy.MatMul");
        for (int i = 0; i < 3; i++)
            CHECK_OK(lm_exec_run(ex));
        CHECK_INT(the_toy()->derives, derives + 1);
        CHECK_OK(lm_exec_fetch(ex, 0, &y));
        CHECK_NEAR(lm_view_get(&y, 0), 22, 0);
        CHECK_NEAR(lm_view_get(&y, 3), 64, 0);
        /* inputs are read again by a run but not by a launch; the constant's form stays */
        lm_view_set(&x[0], 0, 11);
        lm_view_set(&x[1], 0, 99);
        CHECK_OK(lm_exec_launch(ex));
        CHECK_OK(lm_exec_fetch(ex, 0, &y));
        CHECK_NEAR(lm_view_get(&y, 0), 22, 0);
        CHECK_OK(lm_exec_run(ex));
        CHECK_OK(lm_exec_fetch(ex, 0, &y));
        CHECK_NEAR(lm_view_get(&y, 0), 32, 0);
        lm_exec_close(ex);
    }
    the_toy()->fail_derive = true;
    CHECK_FAILS(lm_exec_open(&mixed, &call, &ex), LM_DEVICE);
    the_toy()->fail_derive = false;
    lm_buffer_unref(x[0].buf);
    lm_buffer_unref(x[1].buf);
    lm_buffer_unref(y.buf);
    CHECK_INT(the_toy()->buffers, 0);
}

static void what_a_device_refuses_runs_on_the_next(void)
{
    lm_view x = ramp(LM_F32, LM_SHAPE(5), -2, 1), y = ramp(LM_F32, LM_SHAPE(5), 0, 0);
    lm_attrs a = {0};
    lm_call call = {.op = LM_OP_RELU, .a = &a, .nx = 1, .ny = 1, .x = &x, .y = &y};
    lm_exec *ex;
    if (CHECK_OK(lm_exec_open(&mixed, &call, &ex))) {
        CHECK_STR(lm_exec_kernel(ex), "ref.Relu");
        CHECK_INT(lm_exec_fallbacks(ex), 1);
        CHECK_OK(lm_exec_run(ex));
        CHECK_OK(lm_exec_fetch(ex, 0, &y));
        CHECK_NEAR(lm_view_get(&y, 4), 2, 0);
        lm_exec_close(ex);
    }
    lm_chain strict = mixed;
    strict.n = 1;
    strict.strict = true;
    CHECK_FAILS(lm_exec_open(&strict, &call, &ex), LM_UNSUPPORTED);
    CHECK(strstr(lm_message(), "toy") && strstr(lm_message(), "Relu"));
    lm_buffer_unref(x.buf);
    lm_buffer_unref(y.buf);
}

/* The squares run on the toy, the rest on ref: values travel both ways, and the bits are those of ref alone. */
static void expansions_cross_devices(void)
{
    lm_view x[] = {ramp(LM_F32, LM_SHAPE(3, 4), -1, 0.37), ramp(LM_F32, LM_SHAPE(4), 1, 0.5)}, y[2] = {0};
    lm_attrs a = {0};
    a.norm.axis = 1;
    a.norm.epsilon = 1e-5f;
    int launches = the_toy()->launches;
    CHECK_OK(lm_exec_once(&ref, LM_OP_RMSNORM, &a, 2, x, 1, &y[0]));
    lm_view out = lm_view_row(LM_F32, &x[0].sh, NULL);
    lm_call call = {.op = LM_OP_RMSNORM, .a = &a, .nx = 2, .ny = 1, .x = x, .y = &out, .constant = 2};
    lm_exec *ex;
    lm_profile profile = {0};
    if (CHECK_OK(lm_exec_open(&mixed, &call, &ex))) {
        CHECK_STR(lm_exec_kernel(ex), "RMSNormalization (7 steps)");
        CHECK(lm_exec_facts(ex) == NULL);
        CHECK_INT(lm_exec_fallbacks(ex), 6);
        CHECK_OK(lm_exec_run(ex));
        CHECK_INT(the_toy()->launches, launches + 1);
        CHECK_OK(lm_view_new(LM_F32, &out.sh, &y[1]));
        CHECK_OK(lm_exec_fetch(ex, 0, &y[1]));
        CHECK(memcmp(lm_view_data(&y[0]), lm_view_data(&y[1]), 48) == 0);
        CHECK_OK(lm_exec_record(ex, &profile));
        CHECK_OK(lm_exec_run(ex));
        CHECK_OK(lm_exec_run(ex));
        CHECK_OK(lm_exec_record(ex, NULL));
        CHECK_OK(lm_exec_run(ex));
        lm_exec_close(ex);
    }
    int kernels = 0, moves = 0, fallbacks = 0;
    for (size_t i = 0; i < profile.rows.count; i++) {
        const lm_profile_row *r = &profile.rows.at[i];
        CHECK_INT(r->launches, 2);
        kernels += strcmp(r->kernel, "move") != 0;
        moves += strcmp(r->kernel, "move") == 0;
        fallbacks += r->fallback;
        if (strcmp(r->kernel, "toy.Mul") == 0) {
            CHECK_STR(r->device, "toy");
            CHECK_STR(r->step, "Mul");
            CHECK_NEAR(r->seconds, 0.5, 0); /* what the device says, not the clock */
        }
    }
    CHECK_INT(kernels, 7);
    CHECK_INT(moves, 1);
    CHECK_INT(fallbacks, 6);
    CHECK(lm_profile_total(&profile).fallback);
    CHECK_INT(lm_profile_total(&profile).launches, 2 * profile.rows.count);
    lm_str text = {0};
    CHECK_OK(lm_profile_print(&profile, &text));
    CHECK(strstr(lm_str_text(&text), "toy.Mul") < strstr(lm_str_text(&text), "ref.ReduceMean"));
    lm_str_free(&text);
    lm_profile_free(&profile);
    for (int i = 0; i < 2; i++) {
        lm_buffer_unref(x[i].buf);
        lm_buffer_unref(y[i].buf);
    }
    CHECK_INT(the_toy()->buffers, 0);
}

/* The call is made in double and rounded once, when it is fetched; a cast to float32 stays double inside. */
static void doubles(void)
{
    lm_view x = ramp(LM_F64, LM_SHAPE(1), 1 + 0x1p-30, 0), y;
    lm_attrs to = {0};
    to.cast.to = LM_F32;
    lm_view out = lm_view_row(LM_F32, &x.sh, NULL);
    lm_call call = {.op = LM_OP_CAST, .a = &to, .nx = 1, .ny = 1, .x = &x, .y = &out};
    lm_exec *ex;
    if (CHECK_OK(lm_exec_open(&wide, &call, &ex))) {
        CHECK_NEAR(lm_exec_facts(ex)->bytes, 16, 0);
        CHECK_OK(lm_exec_run(ex));
        CHECK_OK(lm_view_new(LM_F32, &x.sh, &y));
        CHECK_OK(lm_exec_fetch(ex, 0, &y));
        CHECK_NEAR(lm_view_get(&y, 0), 1, 0);
        lm_buffer_unref(y.buf);
        lm_exec_close(ex);
    }
    lm_buffer_unref(x.buf);
}

/* A composite whose inner steps would round: the mean of squares of 4097 and a scale, to the last bit of the exact
 * result. */
static void constants_in_doubles(void)
{
    lm_view x[] = {ramp(LM_F32, LM_SHAPE(1, 2), 4097, 0), ramp(LM_F32, LM_SHAPE(2), 3, 0)}, y[2];
    lm_view out = lm_view_row(LM_F32, &x[0].sh, NULL);
    lm_attrs a = {0};
    a.norm.axis = 1;
    for (int c = 0; c < 2; c++) {
        lm_call call = {.op = LM_OP_RMSNORM, .a = &a, .nx = 2, .ny = 1, .x = x, .y = &out, .constant = 2};
        lm_exec *ex;
        CHECK_OK(lm_view_new(LM_F32, &out.sh, &y[c]));
        if (CHECK_OK(lm_exec_open(c ? &wide : &ref, &call, &ex))) {
            CHECK_OK(lm_exec_run(ex));
            CHECK_OK(lm_exec_fetch(ex, 0, &y[c]));
            lm_exec_close(ex);
        }
    }
    CHECK_NEAR(lm_view_get(&y[1], 0), 3, 0);
    CHECK_NEAR(lm_view_get(&y[0], 0), 3, 1e-6);
    for (int i = 0; i < 2; i++) {
        lm_buffer_unref(x[i].buf);
        lm_buffer_unref(y[i].buf);
    }
}

static void shapes_from_values(void)
{
    lm_view x = ramp(LM_F32, LM_SHAPE(2, 3), 0, 0), y;
    lm_view_set(&x, 4, 1);
    lm_view_set(&x, 5, -1);
    if (CHECK_OK(lm_exec_once(&ref, LM_OP_NONZERO, NULL, 1, &x, 1, &y))) {
        CHECK_INT(y.sh.dim[1], 2);
        CHECK_INT(lm_view_get_i64(&y, 0), 1);
        CHECK_INT(lm_view_get_i64(&y, 3), 2);
        lm_buffer_unref(y.buf);
    }
    const double range[] = {2, 9, 3};
    lm_view from[3];
    for (int i = 0; i < 3; i++) {
        from[i] = ramp(LM_F32, LM_SHAPE(1), range[i], 0);
        from[i].sh = (lm_shape){0};
    }
    for (int c = 0; c < 2; c++)
        if (CHECK_OK(lm_exec_once(c ? &wide : &ref, LM_OP_RANGE, NULL, 3, from, 1, &y))) {
            CHECK_INT(y.sh.dim[0], 3);
            CHECK_NEAR(lm_view_get(&y, 2), 8, 0);
            lm_buffer_unref(y.buf);
        }
    for (int i = 0; i < 3; i++)
        lm_buffer_unref(from[i].buf);
    lm_buffer_unref(x.buf);
}

static void nothing_at_all(void)
{
    lm_view x = ramp(LM_F32, LM_SHAPE(0, 3), 0, 0), y;
    const lm_chain *chain[] = {&ref, &wide, &mixed};
    for (int c = 0; c < 3; c++)
        if (CHECK_OK(lm_exec_once(chain[c], LM_OP_ADD, NULL, 2, (lm_view[]){x, x}, 1, &y))) {
            CHECK_INT(lm_shape_count(&y.sh), 0);
            lm_buffer_unref(y.buf);
        }
    lm_buffer_unref(x.buf);
}

static lm_attrs conv_attrs(void)
{
    lm_attrs a = {0};
    a.conv.nd = 1;
    a.conv.groups = 1;
    a.conv.kernel[0] = 3;
    a.conv.stride[0] = a.conv.dilation[0] = 1;
    a.conv.pad_lo[0] = a.conv.pad_hi[0] = 1;
    return a;
}

static void epilogue_with_residual(void)
{
    lm_view x[] = {ramp(LM_F32, LM_SHAPE(1, 1, 4), 1, 1), ramp(LM_F32, LM_SHAPE(1, 1, 3), 1, 0), lm_view_absent(),
                   ramp(LM_F32, LM_SHAPE(1, 1, 4), -8, 0)};
    lm_view y = ramp(LM_F32, LM_SHAPE(1, 1, 4), 0, 0);
    lm_attrs a = conv_attrs();
    lm_epilogue ep = {.residual = true, .active = true, .act = LM_OP_RELU};
    lm_call call = {.op = LM_OP_CONV, .a = &a, .ep = &ep, .nx = 4, .ny = 1, .x = x, .y = &y, .constant = 2};
    lm_exec *ex;
    if (CHECK_OK(lm_exec_open(&ref, &call, &ex))) {
        CHECK_OK(lm_exec_run(ex));
        CHECK_OK(lm_exec_fetch(ex, 0, &y));
        const double want[] = {0, 0, 1, 0};
        for (int i = 0; i < 4; i++)
            CHECK_NEAR(lm_view_get(&y, i), want[i], 0);
        lm_exec_close(ex);
    }
    for (int i = 0; i < 4; i++)
        lm_buffer_unref(x[i].buf);
    lm_buffer_unref(y.buf);
}

/* All that an epilogue can be, behind a composite that is expanded. */
static void epilogue_of_a_composite(void)
{
    lm_view one = ramp(LM_F32, LM_SHAPE(1), 1, 0), zero = ramp(LM_F32, LM_SHAPE(1), 0, 0);
    lm_view x[] = {ramp(LM_F32, LM_SHAPE(4, 1), -1, 1), one, zero, zero, one, ramp(LM_F32, LM_SHAPE(4, 1), 1, 0),
                   ramp(LM_F32, LM_SHAPE(4, 1), 2, -1)};
    lm_view y = ramp(LM_F32, LM_SHAPE(4, 1), 0, 0);
    lm_attrs a = {.norm = {.epsilon = 0}};
    lm_epilogue ep = {.residual = true, .active = true, .act = LM_OP_RELU, .sloped = true, .slope = {.of = LM_OP_RELU}};
    lm_call call = {.op = LM_OP_BATCHNORM, .a = &a, .ep = &ep, .nx = 7, .ny = 1, .x = x, .y = &y};
    lm_exec *ex;
    if (CHECK_OK(lm_exec_open(&ref, &call, &ex))) {
        CHECK_OK(lm_exec_run(ex));
        CHECK_OK(lm_exec_fetch(ex, 0, &y));
        const double want[] = {0, 1, 0, 0}; /* -1 0 1 2, + 1, where 2 1 0 -1 is above zero */
        for (int i = 0; i < 4; i++)
            CHECK_NEAR(lm_view_get(&y, i), want[i], 0);
        lm_exec_close(ex);
    }
    lm_buffer *own[] = {x[0].buf, one.buf, zero.buf, x[5].buf, x[6].buf, y.buf};
    for (size_t i = 0; i < LM_COUNT(own); i++)
        lm_buffer_unref(own[i]);
}

static void calls_that_make_no_sense(void)
{
    lm_view x[] = {ramp(LM_F32, LM_SHAPE(2, 3), 0, 1), ramp(LM_F32, LM_SHAPE(4), 0, 1)};
    lm_shape two = LM_SHAPE(2);
    lm_view y = lm_view_row(LM_F32, &two, NULL), none = y;
    lm_attrs a = {0};
    lm_exec *ex;
    lm_call call = {.op = LM_OP_ADD, .a = &a, .nx = 2, .ny = 1, .x = x, .y = &y};
    CHECK_FAILS(lm_exec_open(&ref, &call, &ex), LM_INPUT);
    CHECK(strstr(lm_message(), "Add") && strstr(lm_message(), "[2,3]") && strstr(lm_message(), "[4]"));
    call = (lm_call){.op = LM_OP_RELU, .a = &a, .nx = 1, .ny = 1, .x = x, .y = &y};
    CHECK_FAILS(lm_exec_open(&ref, &call, &ex), LM_INPUT);
    CHECK(strstr(lm_message(), "Relu") && strstr(lm_message(), "[2,3]") && strstr(lm_message(), "[2]"));
    call.x = &none;
    CHECK_FAILS(lm_exec_open(&ref, &call, &ex), LM_USAGE);
    CHECK(strstr(lm_message(), "Relu") && strstr(lm_message(), "input 0"));
    call.x = x;
    lm_view overlapping = lm_view_row(LM_F32, &x[0].sh, NULL);
    overlapping.st[0] = 2;
    call.y = &overlapping;
    CHECK_FAILS(lm_exec_open(&ref, &call, &ex), LM_USAGE);
    CHECK(strstr(lm_message(), "Relu") && strstr(lm_message(), "overlaps"));
    call.ny = 2;
    CHECK_FAILS(lm_exec_open(&ref, &call, &ex), LM_USAGE);
    call.op = LM_OPS;
    CHECK_FAILS(lm_exec_open(&ref, &call, &ex), LM_USAGE);
    lm_view outside = x[0];
    outside.off = 4;
    CHECK(lm_exec_once(&ref, LM_OP_RELU, NULL, 1, &outside, 1, &y) != LM_OK);
    CHECK(strstr(lm_message(), "Relu"));
    lm_buffer_unref(x[0].buf);
    lm_buffer_unref(x[1].buf);
}

static void failing_devices_are_named(void)
{
    lm_view x[] = {ramp(LM_F32, LM_SHAPE(4), 0, 1), ramp(LM_F32, LM_SHAPE(4), 0, 1)}, y;
    the_toy()->fail_sync = true;
    CHECK_FAILS(lm_exec_once(&mixed, LM_OP_ADD, NULL, 2, x, 1, &y), LM_DEVICE);
    CHECK(strstr(lm_message(), "toy"));
    the_toy()->fail_sync = false;
    the_toy()->fail_launch = true;
    CHECK_FAILS(lm_exec_once(&mixed, LM_OP_ADD, NULL, 2, x, 1, &y), LM_INPUT);
    CHECK(strstr(lm_message(), "Add") && strstr(lm_message(), "toy") && strstr(lm_message(), "element 3"));
    the_toy()->fail_launch = false;
    CHECK_INT(the_toy()->buffers, 0);
    lm_buffer_unref(x[0].buf);
    lm_buffer_unref(x[1].buf);
}

/* What the walks through failing allocations run; the operands stay. */
static lm_view walk_x[3];
static const lm_chain *walk_chain;
static lm_opid walk_op;
static int walk_ny;

static lm_status walk(void)
{
    lm_attrs a = {0};
    if (walk_op == LM_OP_CONV)
        a = conv_attrs();
    else
        a.norm.axis = 1;
    lm_view y[LM_OUT_MAX];
    LM_TRY(lm_exec_once(walk_chain, walk_op, &a, 3, walk_x, walk_ny, y));
    for (int i = 0; i < walk_ny; i++)
        lm_buffer_unref(y[i].buf);
    lm_type type[LM_OUT_MAX];
    lm_type x[] = {{walk_x[0].dt, walk_x[0].sh}, {walk_x[1].dt, walk_x[1].sh}, {walk_x[2].dt, walk_x[2].sh}};
    lm_shape_args args = {.op = walk_op, .a = &a, .nx = 3, .ny = walk_ny, .x = x};
    LM_TRY(lm_op_infer(&args, type));
    for (int i = 0; i < walk_ny; i++)
        y[i] = lm_view_row(type[i].dt, &type[i].sh, NULL);
    lm_call call = {.op = walk_op, .a = &a, .nx = 3, .ny = walk_ny, .x = walk_x, .y = y, .constant = 6};
    lm_exec *ex;
    LM_TRY(lm_exec_open(walk_chain, &call, &ex));
    lm_status status = lm_exec_run(ex);
    lm_exec_close(ex);
    return status;
}

static void survive_without_memory(void)
{
    const lm_chain *chain[] = {&ref, &wide, &mixed};
    for (int way = 0; way < 6; way++) {
        bool conv = way % 2;
        walk_chain = chain[way / 2];
        walk_op = conv ? LM_OP_CONV : LM_OP_LAYERNORM;
        walk_ny = conv ? 1 : 3;
        walk_x[0] = ramp(LM_F32, conv ? LM_SHAPE(1, 2, 5) : LM_SHAPE(3, 4), 0, 1);
        walk_x[1] = ramp(LM_F32, conv ? LM_SHAPE(2, 2, 3) : LM_SHAPE(4), 0, 1);
        walk_x[2] = ramp(LM_F32, conv ? LM_SHAPE(2) : LM_SHAPE(4), 0, 1);
        CHECK(test_every_allocation(walk) > 20);
        for (int i = 0; i < 3; i++)
            lm_buffer_unref(walk_x[i].buf);
        CHECK_INT(the_toy()->buffers, 0);
    }
}

int main(void)
{
    if (lm_chain_open("ref", &ref) != LM_OK || lm_chain_open("ref:type=f64", &wide) != LM_OK) {
        printf("%s\n", lm_message());
        return 1;
    }
    mixed = (lm_chain){.dev = {toy_open(), ref.dev[0]}, .n = 2, .compute = LM_F32};
    CASE(once);
    CASE(any_layout);
    CASE(constants_are_derived_once);
    CASE(what_a_device_refuses_runs_on_the_next);
    CASE(expansions_cross_devices);
    CASE(doubles);
    CASE(constants_in_doubles);
    CASE(shapes_from_values);
    CASE(nothing_at_all);
    CASE(epilogue_with_residual);
    CASE(epilogue_of_a_composite);
    CASE(calls_that_make_no_sense);
    CASE(failing_devices_are_named);
    CASE(survive_without_memory);
    mixed.dev[0]->vt->close(mixed.dev[0]);
    lm_chain_close(&ref);
    lm_chain_close(&wide);
    return test_end();
}
