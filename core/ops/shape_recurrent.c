/* Shape rule of the recurrent ops. */
#include "core/ops/shape_rules.h"

/* Rows per hidden unit in the weights: one for each gate. */
static int gates(lm_opid op)
{
    return op == LM_OP_LSTM ? 4 : op == LM_OP_GRU ? 3 : 1;
}

static lm_status check_functions(const lm_shape_args *args)
{
    const lm_attr_recurrent *a = &args->a->recurrent;
    LM_TRY(lm_rule_range(args, "direction", (int64_t)a->way, LM_FORWARD, LM_BOTH));
    for (int i = 0; i < (a->way == LM_BOTH ? 6 : 3); i++)
        LM_RULE(a->act[i] >= 0 && a->act[i] < LM_OPS && lm_op_is_unary((lm_opid)a->act[i]) &&
                    lm_ops[a->act[i]].grad != LM_GRAD_OPAQUE,
                "op number %d is no activation", a->act[i]);
    LM_RULE(a->clip >= 0, "clip = %g; expected 0 (none) or more", (double)a->clip);
    return LM_OK;
}

/* (x [T,N,I], w [D,G*H,I], r [D,G*H,H], bias [D,2*G*H]?, lengths [N]?, h [D,N,H]?, and for LSTM c [D,N,H]?,
 * peepholes [D,3*H]?) -> y [T,D,N,H], last h [D,N,H], last c [D,N,H], and of LSTM what its gradient needs of every
 * step, [T,D,N,5*H]: the gates behind their functions in the order of the weights, then c. */
lm_status lm_shape_recurrent(const lm_shape_args *args, lm_type *y)
{
    const lm_shape *x = &args->x[0].sh, *r = &args->x[2].sh;
    LM_TRY(check_functions(args));
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    for (int i = 1; i < args->nx; i++)
        LM_RULE(i == 4 || !lm_rule_has(args, i) || args->x[i].dt == args->x[0].dt, "input %d has type %s; expected %s",
                i, lm_dtype_name(args->x[i].dt), lm_dtype_name(args->x[0].dt));
    LM_RULE(x->rank == 3 && r->rank == 3, "inputs 0 and 2 have shapes %s and %s; expected [steps,batch,inputs] and "
            "[directions,gates*hidden,hidden]", LM_TEXT(*x), LM_TEXT(*r));
    int64_t ways = args->a->recurrent.way == LM_BOTH ? 2 : 1, hidden = r->dim[2], rows, both;
    LM_RULE(lm_mul_i64(hidden, gates(args->op) + 1, &rows) && lm_mul_i64(rows, 2, &both), "too many hidden units");
    rows -= hidden;
    both = 2 * rows;
    lm_shape state = LM_SHAPE(ways, x->dim[1], hidden);
    LM_TRY(lm_rule_shape(args, 1, LM_SHAPE(ways, rows, x->dim[2]), "[directions,gates*hidden,inputs]"));
    LM_TRY(lm_rule_shape(args, 2, LM_SHAPE(ways, rows, hidden), "[directions,gates*hidden,hidden]"));
    if (lm_rule_has(args, 3))
        LM_TRY(lm_rule_shape(args, 3, LM_SHAPE(ways, both), "two biases per gate and hidden unit"));
    if (lm_rule_has(args, 4)) {
        LM_TRY(lm_rule_type(args, 4, LM_SET_INDEX));
        LM_TRY(lm_rule_shape(args, 4, LM_SHAPE(x->dim[1]), "one length per sample"));
    }
    for (int i = 5; i < 7; i++)
        if (lm_rule_has(args, i))
            LM_TRY(lm_rule_shape(args, i, state, "[directions,batch,hidden]"));
    if (lm_rule_has(args, 7))
        LM_TRY(lm_rule_shape(args, 7, LM_SHAPE(ways, 3 * hidden), "three peepholes per hidden unit"));
    y[0] = (lm_type){args->x[0].dt, LM_SHAPE(x->dim[0], ways, x->dim[1], hidden)};
    y[1] = y[2] = (lm_type){args->x[0].dt, state};
    if (args->op == LM_OP_LSTM)
        y[3] = (lm_type){args->x[0].dt, LM_SHAPE(x->dim[0], ways, x->dim[1], rows + hidden)};
    return LM_OK;
}

/* (r [D,G*H,H], slopes [T,D,N,(2+G)*H], signals at y [T,D,B,H]?, last h [D,B,H]?, last c [D,B,H]?) -> signals at what
 * goes into the gates [T,D,B,G*H], at h and at c [D,B,H], at the cells [T,D,B,H]. B is N, or a multiple of it. */
lm_status lm_shape_recurrent_dx(const lm_shape_args *args, lm_type *y)
{
    const lm_shape *r = &args->x[0].sh, *slopes = &args->x[1].sh;
    const lm_way way = args->a->recurrent.way;
    LM_TRY(lm_rule_range(args, "direction", (int64_t)way, LM_FORWARD, LM_BOTH));
    LM_TRY(lm_rule_type(args, 0, LM_SET_FLOAT));
    for (int i = 1; i < args->nx; i++)
        LM_RULE(!lm_rule_has(args, i) || args->x[i].dt == args->x[0].dt, "input %d has type %s; expected %s", i,
                lm_dtype_name(args->x[i].dt), lm_dtype_name(args->x[0].dt));
    LM_RULE(r->rank == 3 && slopes->rank == 4 && slopes->dim[0] > 0 && slopes->dim[2] > 0 && r->dim[2] > 0,
            "inputs 0 and 1 have shapes %s and %s; expected [directions,gates*hidden,hidden] and "
            "[steps,directions,batch,(2+gates)*hidden]", LM_TEXT(*r), LM_TEXT(*slopes));
    int64_t ways = way == LM_BOTH ? 2 : 1, hidden = r->dim[2], count = r->dim[1] / hidden, batch = slopes->dim[2], rows;
    LM_RULE(count >= 1 && count <= 4 && r->dim[1] % hidden == 0, "input 0 has shape %s; expected one to four gates",
            LM_TEXT(*r));
    LM_RULE(lm_mul_i64(hidden, count + 2, &rows), "too many hidden units");
    LM_TRY(lm_rule_shape(args, 0, LM_SHAPE(ways, r->dim[1], hidden), "[directions,gates*hidden,hidden]"));
    LM_TRY(lm_rule_shape(args, 1, LM_SHAPE(slopes->dim[0], ways, batch, rows), "a slope per gate and two more"));
    for (int i = args->nx - 1; i >= 2; i--)
        if (lm_rule_has(args, i) && args->x[i].sh.rank >= 3)
            batch = args->x[i].sh.dim[i == 2 ? 2 : 1];
    LM_RULE(batch % slopes->dim[2] == 0, "signals of %lld samples for slopes of %lld", (long long)batch,
            (long long)slopes->dim[2]);
    const lm_shape steps = LM_SHAPE(slopes->dim[0], ways, batch, hidden), state = LM_SHAPE(ways, batch, hidden);
    for (int i = 2; i < args->nx; i++)
        if (lm_rule_has(args, i))
            LM_TRY(lm_rule_shape(args, i, i == 2 ? steps : state,
                                 i == 2 ? "[steps,directions,batch,hidden]" : "[directions,batch,hidden]"));
    y[0] = (lm_type){args->x[0].dt, LM_SHAPE(slopes->dim[0], ways, batch, r->dim[1])};
    y[1] = y[2] = (lm_type){args->x[0].dt, state};
    y[3] = (lm_type){args->x[0].dt, steps};
    return LM_OK;
}
