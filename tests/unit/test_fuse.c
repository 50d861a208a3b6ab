/* Elementwise calls that a device takes as one: which become one, and that results stay what they were. */
#include "tests/unit/graph_run.h"

#include "core/run/plan.h"
#include "tests/unit/toy.h"

/* A toy that also takes sums and products fused, of up to three operands. */
typedef struct fused_kernel {
    toy_kernel toy;
    lm_attr_fused a;
} fused_kernel;

static const lm_device_vt *plain;
static lm_chain chain;

static lm_status bind(lm_device *d, const lm_call *call, lm_kernel **out)
{
    if (call->op != LM_OP_FUSED)
        return plain->bind(d, call, out);
    LM_REQUIRE(call->nx < TOY_VIEWS, LM_UNSUPPORTED, "toy: %d operands", call->nx);
    fused_kernel *k;
    LM_NEW(k);
    k->a = call->a->fused;
    k->toy.op = call->op;
    k->toy.nx = call->nx;
    memcpy(k->toy.view, call->x, (size_t)call->nx * sizeof *call->x);
    k->toy.view[call->nx] = call->y[0];
    k->toy.base = (lm_kernel){.name = "toy.fused", .workspace = 100, .free = toy_free};
    *out = &k->toy.base;
    return LM_OK;
}

static double at(const fused_kernel *k, const lm_arg *arg, const float *made, int number, int64_t i)
{
    return number < LM_FUSED_IN ? toy_element(&k->toy.view[number], &arg[number], i)
                                : (double)made[number - LM_FUSED_IN];
}

static void compute(const fused_kernel *k, const lm_arg *arg)
{
    const lm_view *y = &k->toy.view[k->toy.nx];
    float made[LM_FUSED_STEPS];
    for (int64_t i = 0, n = lm_shape_count(&y->sh); i < n; i++) {
        for (int s = 0; s < k->a.n; s++) {
            const lm_fused_step *step = &k->a.step[s];
            const double a = at(k, arg, made, step->x[0], i), b = at(k, arg, made, step->x[1], i);
            made[s] = (float)(step->op == LM_OP_ADD ? a + b : a * b);
        }
        toy_store(y, &arg[k->toy.nx], i, (double)made[k->a.n - 1]);
    }
}

/* Launches are done at once, each alone. */
static lm_status launch(lm_device *d, const lm_kernel *kernel, const lm_arg *arg, lm_buffer *workspace)
{
    LM_TRY(plain->launch(d, kernel, arg, workspace));
    if (((const toy_kernel *)(const void *)kernel)->op != LM_OP_FUSED)
        return plain->sync(d);
    compute((const fused_kernel *)(const void *)kernel, arg);
    toy(d)->pending = 0;
    return LM_OK;
}

/* How many launches a graph takes; its result must be that of the cpu device. */
static int launches(lm_emit *e, lm_val y, int inputs)
{
    lm_view x[4], want, got;
    lm_plan *p[2] = {NULL};
    const lm_chain *on[] = {&cpu, &chain};
    const lm_shape shape = LM_SHAPE(3, 5);
    lm_plan_facts facts = {0};
    CHECK_OK(lm_graph_output(e->g, y));
    for (int i = 0; i < inputs; i++)
        x[i] = noise_view(i, LM_F32, LM_SHAPE(3, 5));
    CHECK_OK(lm_view_new(LM_F32, &shape, &want));
    CHECK_OK(lm_view_new(LM_F32, &shape, &got));
    lm_derived_cache *cache = NULL;
    CHECK_OK(lm_derived_open(&cache));
    for (int i = 0; i < 2; i++)
        if (CHECK_OK(lm_plan_open(on[i], cache, e->g, NULL, &p[i])))
            CHECK_OK(lm_plan_run(p[i], x, i ? &got : &want, NULL));
    if (p[1])
        facts = lm_plan_describe(p[1]);
    for (int64_t i = 0; i < 15; i++)
        CHECK(lm_view_get(&got, i) == lm_view_get(&want, i));
    CHECK_INT(facts.fallbacks, 0);
    lm_plan_close(p[0]);
    lm_plan_close(p[1]);
    lm_derived_close(cache);
    lm_buffer_unref(want.buf);
    lm_buffer_unref(got.buf);
    for (int i = 0; i < inputs; i++)
        lm_buffer_unref(x[i].buf);
    lm_graph_free(e->g);
    return facts.launches;
}

static void all_of_a_row_become_one(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(3, 5)), y = floats(&e, LM_SHAPE(3, 5));
    lm_val a = lm_emit1(&e, LM_OP_ADD, NULL, lm_emit1(&e, LM_OP_MUL, NULL, x, y), x);
    CHECK_INT(launches(&e, lm_emit1(&e, LM_OP_ADD, NULL, lm_emit1(&e, LM_OP_MUL, NULL, a, a), y), 2), 1);
}

static void branches_join(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(3, 5)), y = floats(&e, LM_SHAPE(3, 5)), z = floats(&e, LM_SHAPE(3, 5));
    lm_val a = lm_emit1(&e, LM_OP_MUL, NULL, x, y), b = lm_emit1(&e, LM_OP_ADD, NULL, y, z);
    CHECK_INT(launches(&e, lm_emit1(&e, LM_OP_MUL, NULL, a, b), 3), 1);
}

/* What several calls read is written once. */
static void shared_values_stay(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(3, 5)), y = floats(&e, LM_SHAPE(3, 5));
    lm_val a = lm_emit1(&e, LM_OP_ADD, NULL, x, y);
    lm_val b = lm_emit1(&e, LM_OP_MUL, NULL, a, x), c = lm_emit1(&e, LM_OP_MUL, NULL, a, y);
    CHECK_INT(launches(&e, lm_emit1(&e, LM_OP_ADD, NULL, b, c), 2), 2);
}

/* More than the device takes: the part that it does take is one. */
static void refused_ones_shrink(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(3, 5)), y = floats(&e, LM_SHAPE(3, 5)), z = floats(&e, LM_SHAPE(3, 5));
    lm_val w = floats(&e, LM_SHAPE(3, 5));
    lm_val a = lm_emit1(&e, LM_OP_ADD, NULL, lm_emit1(&e, LM_OP_MUL, NULL, x, y), z);
    CHECK_INT(launches(&e, lm_emit1(&e, LM_OP_MUL, NULL, a, w), 4), 2);
}

/* Twenty steps do not fit one. */
static void long_rows_are_cut(void)
{
    lm_emit e = begin(NULL);
    lm_val x = floats(&e, LM_SHAPE(3, 5)), y = floats(&e, LM_SHAPE(3, 5)), v = x;
    for (int i = 0; i < 20; i++)
        v = lm_emit1(&e, i % 2 ? LM_OP_MUL : LM_OP_ADD, NULL, v, y);
    CHECK_INT(launches(&e, v, 2), 2);
}

int main(void)
{
    static lm_device_vt vt;
    lm_chain ref;
    if (lm_chain_open("cpu", &cpu) != LM_OK || lm_chain_open("ref", &ref) != LM_OK) {
        printf("%s\n", lm_message());
        return 1;
    }
    chain = (lm_chain){.dev = {toy_open(), ref.dev[0]}, .n = 2, .compute = LM_F32};
    plain = chain.dev[0]->vt;
    vt = *plain;
    vt.bind = bind;
    vt.launch = launch;
    chain.dev[0]->vt = &vt;
    CASE(all_of_a_row_become_one);
    CASE(branches_join);
    CASE(shared_values_stay);
    CASE(refused_ones_shrink);
    CASE(long_rows_are_cut);
    vt.close(chain.dev[0]);
    lm_chain_close(&ref);
    lm_chain_close(&cpu);
    return test_end();
}
