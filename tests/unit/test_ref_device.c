/* The reference device itself: any strides and storage, options, buffers, epilogues, memory running out. */
#include "tests/unit/ref_call.h"

/* Any strides in, any strides out, half storage, and one rounding. */
static void strides_and_storage(void)
{
    IN(LM_F16, LM_SHAPE(3), 1, 1, 1);
    IN(LM_F16, LM_SHAPE(3), 0x1p-11, 0x1p-10, 0x1.8p-10);
    run(LM_OP_ADD, 1);
    OUT(0, 1, 1 + 0x1p-10, 1 + 0x1p-9);
    drop(y, 1);
    x[0].off += 4; /* the first one backwards */
    x[0].st[0] = -1;
    lm_view_set(&x[0], 0, 5);
    CHECK_OK(lm_view_new(LM_F16, &x[0].sh, &y[0]));
    y[0].off = 4;
    y[0].st[0] = -1;
    CHECK_OK(bind_and_launch(LM_OP_SUB, NULL, 1));
    OUT(0, 5, 1 - 0x1p-10, 1 - 0x1.8p-10);
    y[0].off = 2;
    CHECK_FAILS(bind_and_launch(LM_OP_SUB, NULL, 1), LM_INPUT);
    CHECK(strstr(lm_message(), "Sub: result 0") != NULL);
    y[0].sh.dim[0] = 2;
    CHECK_FAILS(bind_and_launch(LM_OP_SUB, NULL, 1), LM_INPUT);
    CHECK(strstr(lm_message(), "[2]") && strstr(lm_message(), "[3]"));
    next();
    input(LM_F32, LM_SHAPE(2, 0), NULL, 0);
    run(LM_OP_EXP, 1);
    CHECK_INT(lm_shape_count(&y[0].sh), 0);
    next();
}

static void opening(void)
{
    lm_devinfo info;
    int n;
    lm_device *d;
    lm_kv kv;
    CHECK_OK(lm_backend_ref.probe(NULL, &info, 1, &n));
    CHECK_INT(n, 1);
    CHECK_STR(info.name, "ref");
    CHECK(!info.eligible);
    CHECK_OK(lm_kv_parse("type=f64:strict=1", &kv));
    CHECK_OK(lm_backend_ref.open(NULL, 0, &kv, &d));
    CHECK_INT(d->compute, LM_F64);
    d->vt->close(d);
    lm_kv_free(&kv);
    CHECK_OK(lm_kv_parse("type=f16", &kv));
    CHECK_FAILS(lm_backend_ref.open(NULL, 0, &kv, &d), LM_USAGE);
    lm_kv_free(&kv);
    CHECK_OK(lm_kv_parse("threads=2", &kv));
    CHECK_FAILS(lm_backend_ref.open(NULL, 0, &kv, &d), LM_USAGE);
    CHECK(strstr(lm_message(), "threads") && strstr(lm_message(), "type"));
    lm_kv_free(&kv);
    CHECK_FAILS(lm_backend_ref.open(NULL, 1, NULL, &d), LM_DEVICE);
    IN(LM_F32, LM_SHAPE(1, 1), 1);
    IN(LM_F32, LM_SHAPE(1, 1), 1);
    CHECK_FAILS(compute(LM_OP_GEMM, NULL, 1), LM_UNSUPPORTED);
    next();
}

static void epilogues_are_checked(void)
{
    lm_epilogue ep = {.active = true, .act = LM_OP_NOT};
    IN(LM_F32, LM_SHAPE(1, 1), 1);
    IN(LM_F32, LM_SHAPE(1, 2), 1, 2);
    CHECK_FAILS(compute(LM_OP_MATMUL, &ep, 1), LM_INPUT);
    CHECK(strstr(lm_message(), "MatMul: Not") != NULL);
    drop(y, 1);
    ep.act = LM_OP_ISNAN;
    CHECK_FAILS(compute(LM_OP_MATMUL, &ep, 1), LM_INPUT);
    drop(y, 1);
    ep.act = LM_OP_ADD;
    CHECK_FAILS(compute(LM_OP_MATMUL, &ep, 1), LM_INPUT);
    drop(y, 1);
    ep = (lm_epilogue){.residual = true};
    IN(LM_F32, LM_SHAPE(2), 1, 2);
    CHECK_FAILS(compute(LM_OP_MATMUL, &ep, 1), LM_INPUT);
    CHECK(strstr(lm_message(), "residual has shape [2]") != NULL);
    drop(y, 1);
    ep = (lm_epilogue){.sloped = true, .slope = {.of = LM_OP_RELU}};
    CHECK_FAILS(compute(LM_OP_MATMUL, &ep, 1), LM_INPUT);
    CHECK(strstr(lm_message(), "slope's operand has shape [2]") != NULL);
    next();
    ep = (lm_epilogue){.active = true, .act = LM_OP_RELU};
    IN(LM_F32, LM_SHAPE(1), 1);
    CHECK_FAILS(compute(LM_OP_EXP, &ep, 1), LM_INPUT);
    next();
    /* a result of unknown size must still have the right type and rank */
    IN(LM_F32, LM_SHAPE(1), 1);
    CHECK_OK(lm_view_new(LM_I64, &(lm_shape){0}, &y[0]));
    CHECK_FAILS(bind_and_launch(LM_OP_NONZERO, NULL, 1), LM_INPUT);
    next();
}

static void buffers(void)
{
    lm_buffer *a, *b, *squares;
    CHECK_OK(ref->vt->alloc(ref, 8, &a));
    CHECK_OK(ref->vt->alloc(ref, 8, &b));
    memset(a->host, 7, 8);
    CHECK_OK(ref->vt->copy(ref, b, 4, a, 0, 4));
    CHECK_INT(((char *)b->host)[7], 7);
    CHECK_FAILS(ref->vt->copy(ref, b, 5, a, 0, 4), LM_INPUT);
    CHECK_FAILS(ref->vt->copy(ref, b, 0, a, SIZE_MAX, 4), LM_INPUT);
    lm_buffer_unref(a);
    lm_buffer_unref(b);
    IN(LM_F32, LM_SHAPE(2), -3, 4);
    lm_want want = {.transform = LM_TF_SQUARE};
    CHECK_OK(ref->vt->derive(ref, &x[0], &want, &squares));
    CHECK(((float *)squares->host)[0] == 9 && ((float *)squares->host)[1] == 16);
    lm_buffer_unref(squares);
    want.pack = 1;
    CHECK_FAILS(ref->vt->derive(ref, &x[0], &want, &squares), LM_UNSUPPORTED);
    next();
}

static lm_status one_pool(void)
{
    attrs.pool = (lm_attr_pool){.nd = 1, .kernel = {2}, .stride = {1}, .dilation = {1}};
    x[0] = (lm_view){0};
    lm_shape s = LM_SHAPE(1, 1, 4);
    LM_TRY(lm_view_new(LM_F32, &s, &x[0]));
    memset(x[0].buf->host, 0, 16);
    nx = 1;
    lm_status status = compute(LM_OP_MAXPOOL, NULL, 2);
    next();
    return status;
}

static void no_memory(void)
{
    CHECK(test_every_allocation(one_pool) > 6);
}

static void cases(void)
{
    CASE(strides_and_storage);
    CASE(opening);
    CASE(epilogues_are_checked);
    CASE(buffers);
    CASE(no_memory);
}

int main(void)
{
    return with_ref(cases);
}
