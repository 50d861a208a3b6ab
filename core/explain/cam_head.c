/* Does a model end as class activation maps were made for: global averages over positions, then dense layers? */
#include "core/explain/cam.h"

/* The only operand that is not constant; LM_NOVAL where there are several. */
static lm_val only_operand(const lm_graph *g, const lm_node *n)
{
    lm_val only = LM_NOVAL;
    for (int i = 0; i < n->nx; i++) {
        if (n->x[i] == LM_NOVAL || lm_cam_constant(g, n->x[i]))
            continue;
        if (only != LM_NOVAL)
            return LM_NOVAL;
        only = n->x[i];
    }
    return only;
}

static bool is_last(lm_opid op)
{
    return op == LM_OP_SOFTMAX || op == LM_OP_LOGSOFTMAX || op == LM_OP_SIGMOID;
}

/* Does the node average its operand over all positions? The global pool of a window as large as the map counts. */
static bool averages(const lm_graph *g, const lm_node *n)
{
    const lm_shape *x = &lm_graph_value(g, n->x[0])->type.sh, *y = &lm_graph_value(g, n->y[0])->type.sh;
    if (n->op == LM_OP_REDUCE_MEAN) {
        /* the batch and one more axis stay */
        int kept = 0;
        for (int k = 1; k < x->rank; k++)
            kept += !(n->a->reduce.axes >> k & 1);
        return kept == 1 && !(n->a->reduce.axes & 1);
    }
    if (n->op != LM_OP_GLOBAL_AVG && n->op != LM_OP_AVGPOOL)
        return false;
    for (int k = 2; k < y->rank; k++)
        if (y->dim[k] != 1)
            return false;
    return true;
}

static bool is_dense(const lm_node *n)
{
    return n->op == LM_OP_MATMUL || n->op == LM_OP_GEMM || n->op == LM_OP_ADD || n->op == LM_OP_SUB ||
           n->op == LM_OP_CONV; /* a convolution of one pixel is one too */
}

/* Walk from the target to the layer. *stop: the node where another kind of head begins, NULL: a part is lacking. */
static bool is_head(const lm_graph *g, lm_val from, lm_val layer, bool after, const lm_node **stop)
{
    bool averaged = false, dense = false;
    for (lm_val v = from; v != layer; v = only_operand(g, *stop)) {
        const lm_node *n = *stop = lm_graph_value(g, v)->producer;
        lm_val x = n ? only_operand(g, n) : LM_NOVAL;
        if (x == LM_NOVAL)
            return false;
        if (lm_ops[n->op].cls == LM_CLASS_MOVE || (!after && !dense && is_last(n->op)))
            continue;
        if (averages(g, n) && !averaged)
            averaged = true;
        else if (is_dense(n) && !averaged)
            dense = true;
        else
            return false;
    }
    *stop = NULL;
    return averaged && dense;
}

lm_status lm_cam_head(lm_task *t, lm_site layer)
{
    const lm_built *b;
    LM_TRY(lm_study_built(t->study, t->feed, &b));
    const lm_cell *cell = lm_map_gets(&b->values, layer.name);
    const lm_node *stop = NULL;
    if (cell && (size_t)t->goal.output < b->graph->outputs.count &&
        is_head(b->graph, b->graph->outputs.at[t->goal.output], (lm_val)cell->num, t->goal.after, &stop))
        return LM_OK;
    const char *op = stop ? lm_ops[stop->op].name : "no such part", *name = stop && stop->name ? stop->name : "";
    return lm_fail(LM_UNSUPPORTED,
                   "behind layer '%s' there must be its global average, then dense layers and nothing else, but there "
                   "is %s %s; use gradcam, or name the layer before the average",
                   layer.name, op, name);
}
