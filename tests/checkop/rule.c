/* rule: the gradient of every op, as the backward walk emits it, against central differences in double. */
#include "core/base/mem.h"
#include "tests/checkop/harness.h"
#include "tests/rules/probe.h"

/* Cases of more elements say nothing new, and each takes some twenty runs of the reference. */
enum { MOST_ELEMENTS = 10000 };

static bool compared[LM_OPS];

/* A graph of one node over the case's operands; `feed` borrows them. */
static lm_status one_node(const ck_case *c, lm_emit *e)
{
    lm_val x[CK_X], y[CK_Y];
    for (int i = 0; i < c->nx; i++) {
        x[i] = LM_NOVAL;
        if (c->x[i].sh.rank != LM_ABSENT)
            LM_TRY(lm_graph_input(e->g, NULL, &c->x[i], &x[i]));
    }
    lm_emit_op(e, c->op, &c->a, c->nx, x, c->ny, y);
    for (int i = 0; i < c->ny && e->status == LM_OK; i++)
        e->status = lm_graph_output(e->g, y[i]);
    return e->status;
}

static bool rule_holds(const ck_case *c, probe_outcome *got, char why[CK_WHY])
{
    ck_tensor x[CK_X] = {0};
    lm_view feed[CK_X];
    lm_buffer *wrap[CK_X] = {0};
    lm_emit e = {0};
    int n = 0;
    ck_inputs(c, x);
    lm_status status = lm_graph_new(&e.g);
    for (int i = 0; i < c->nx && status == LM_OK; i++)
        if (x[i].sh.rank != LM_ABSENT) {
            status = lm_buffer_wrap(x[i].bytes, (size_t)x[i].n * lm_dtype_size(x[i].dt), &wrap[n]);
            feed[n] = ck_tensor_view(&x[i], wrap[n]);
            n++;
        }
    if (status == LM_OK)
        status = one_node(c, &e);
    probe_outcome out = PROBE_REFUSED;
    if (status == LM_OK)
        out = probe_gradient(&ck_oracle.chain, e.g, feed, ck_opt.seed, why);
    else
        snprintf(why, CK_WHY, "%s", lm_message());
    *got = out;
    for (int i = 0; i < n; i++)
        lm_buffer_unref(wrap[i]);
    lm_graph_free(e.g);
    ck_tensors_free(x, c->nx);
    return out != PROBE_WRONG && out != PROBE_REFUSED;
}

/* Layouts, values and further types do not matter here. What needs the content of an operand has no graph of its own. */
static bool rule_case(const ck_case *c, void *ctx)
{
    char why[CK_WHY] = "";
    probe_outcome got = PROBE_NOTHING;
    int64_t elements = 0;
    (void)ctx;
    for (int i = 0; i < c->nx; i++)
        elements += c->x[i].sh.rank == LM_ABSENT ? 0 : lm_shape_count(&c->x[i].sh);
    const lm_gradstate state = lm_ops[c->op].grad;
    if (c->layout != CK_ROW || c->values != CK_NORMAL || c->constant || c->fused || c->type != c->row->type ||
        !lm_dtype_is_float(c->type) || state == LM_GRAD_OPAQUE || state == LM_GRAD_ZERO ||
        elements > MOST_ELEMENTS)
        return true;
    ck_working(c->name, "ref");
    const bool good = rule_holds(c, &got, why);
    if (!good)
        ck_fail("rule", c->name, NULL, why);
    else if (got == PROBE_KINKS && ck_opt.verbose)
        printf("rule %s: kinks everywhere\n", c->name);
    else if (got == PROBE_GOOD) {
        compared[c->op] = true;
        ck_pass();
    }
    return true;
}

/* Every op that has a derivative must have been compared somewhere. */
static void all_seen(void)
{
    for (int op = 0; op < LM_OPS; op++)
        if (!compared[op] && (lm_ops[op].grad == LM_GRAD_SMOOTH || lm_ops[op].grad == LM_GRAD_PIECE))
            ck_fail("rule", lm_ops[op].name, NULL, "no case of this op compares its derivative with anything");
}

void ck_rule(void)
{
    ck_each(rule_case, NULL);
    if (!ck_opt.op && !ck_opt.glob && !ck_opt.reduced)
        all_seen();
}
