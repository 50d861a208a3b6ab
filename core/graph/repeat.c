/* Following values that are equal blocks one behind the other along axis 0. */
#include "core/graph/repeat.h"

#include <string.h>

#include "core/graph/blocks.h"
#include "core/graph/emit_move.h"

/* What a value of the old graph is made of. */
typedef struct blocks {
    int64_t times; /* 0: nothing is known */
    lm_val one;    /* the block, in the new graph */
} blocks;

static const lm_shape *shape_of(const lm_rewrite *r, lm_val v)
{
    return &lm_graph_value(r->from, v)->type.sh;
}

static blocks *of(lm_rewrite *r, lm_val v)
{
    return (blocks *)r->own + v;
}

/* `times` copies of a block along axis 0. */
static lm_val repeated(lm_emit *e, lm_val one, int64_t times)
{
    if (e->status != LM_OK)
        return LM_NOVAL;
    const lm_shape block = *lm_emit_shape(e, one);
    lm_shape split = {.rank = block.rank + 1}, all = block;
    if (block.dim[0] == 1) {
        all.dim[0] = times;
        return lm_emit_expand(e, one, &all);
    }
    for (int i = 0; i < block.rank; i++)
        split.dim[i + 1] = block.dim[i];
    split.dim[0] = 1;
    one = lm_emit_reshape(e, one, &split);
    split.dim[0] = times;
    all.dim[0] *= times;
    return lm_emit_reshape(e, lm_emit_expand(e, one, &split), &all);
}

lm_block_role lm_block_role_of(const lm_graph *g, const lm_node *n, int i)
{
    const int rank = lm_graph_value(g, n->x[i])->type.sh.rank;
    if (lm_ops[n->op].reach == LM_REACH_SAME && lm_ops[n->op].cls != LM_CLASS_MOVE && n->op != LM_OP_BATCHNORM)
        return LM_BLOCKS_BROADCAST;
    switch (n->op) {
    case LM_OP_IDENTITY:
    case LM_OP_CAST:
        return LM_BLOCKS_KEEP;
    case LM_OP_CONV:
    case LM_OP_CONV_T:
    case LM_OP_MAXPOOL:
    case LM_OP_AVGPOOL:
    case LM_OP_GLOBAL_AVG:
    case LM_OP_GLOBAL_MAX:
    case LM_OP_BATCHNORM:
        return i == 0 ? LM_BLOCKS_KEEP : LM_BLOCKS_SERVE;
    case LM_OP_MATMUL:
        if (rank > 2 || (i == 2 && rank > 1))
            return LM_BLOCKS_BROADCAST;
        return i > 0 ? LM_BLOCKS_SERVE : n->a->matmul.ta ? LM_BLOCKS_MIX : LM_BLOCKS_KEEP;
    case LM_OP_SOFTMAX:
    case LM_OP_LOGSOFTMAX:
    case LM_OP_CONCAT:
        return n->a->axis.axis > 0 ? LM_BLOCKS_KEEP : LM_BLOCKS_MIX;
    case LM_OP_REDUCE_SUM:
    case LM_OP_REDUCE_MEAN:
    case LM_OP_REDUCE_MAX:
    case LM_OP_REDUCE_MIN:
    case LM_OP_REDUCE_SUMSQ:
        return n->a->reduce.axes & 1 ? LM_BLOCKS_MIX : LM_BLOCKS_KEEP;
    case LM_OP_TRANSPOSE:
        return n->a->perm.perm[0] == 0 ? LM_BLOCKS_KEEP : LM_BLOCKS_MIX;
    default:
        return LM_BLOCKS_MIX;
    }
}

/* How often all operands are repeated along the result's axis 0 that are not the same for all blocks; 0: they are
 * not. */
static int64_t times_of(lm_rewrite *r, const lm_node *n)
{
    const lm_shape *y = shape_of(r, n->y[0]);
    int64_t times = 0;
    for (int i = 0; i < n->nx; i++) {
        if (n->x[i] == LM_NOVAL)
            continue;
        const lm_shape *x = shape_of(r, n->x[i]);
        const int64_t known = of(r, n->x[i])->times;
        const lm_block_role does = lm_block_role_of(r->from, n, i);
        const bool stretched = does == LM_BLOCKS_BROADCAST && (x->rank < y->rank || x->dim[0] == 1);
        if (does == LM_BLOCKS_SERVE || stretched)
            continue;
        if (does == LM_BLOCKS_MIX || !known || (times && times != known) || x->rank < 1 || y->rank < 1)
            return 0;
        times = known;
    }
    return times;
}

/* The operand as it goes into one block. */
static lm_val operand(lm_rewrite *r, const lm_node *n, int i)
{
    const lm_block_role does = n->x[i] != LM_NOVAL ? lm_block_role_of(r->from, n, i) : LM_BLOCKS_SERVE;
    const bool whole = does == LM_BLOCKS_SERVE || shape_of(r, n->x[i])->rank < shape_of(r, n->y[0])->rank ||
                       !of(r, n->x[i])->times;
    return whole ? lm_rewrite_in(r, n->x[i]) : of(r, n->x[i])->one;
}

static void set(lm_rewrite *r, lm_val v, lm_val one, int64_t times)
{
    *of(r, v) = (blocks){times, one};
    r->map[v] = repeated(&r->e, one, times);
}

/* Indices of a max-pool's winners count through all blocks. */
static lm_val winners(lm_rewrite *r, const lm_node *n, lm_val one, int64_t times)
{
    lm_emit *e = &r->e;
    const int64_t size = lm_shape_count(shape_of(r, n->x[0])) / times;
    const lm_shape to = *shape_of(r, n->y[1]);
    lm_shape by_block = LM_SHAPE(times, lm_shape_count(&to) / times), block = LM_SHAPE(1, by_block.dim[1]);
    const lm_shape first = LM_SHAPE(times, 1);
    lm_view at;
    if (e->status == LM_OK)
        e->status = lm_view_new(LM_I64, &first, &at);
    if (e->status != LM_OK)
        return LM_NOVAL;
    for (int64_t i = 0; i < times; i++)
        ((int64_t *)lm_view_data(&at))[i] = i * size;
    lm_val start = lm_emit_content(e, &at);
    lm_buffer_unref(at.buf);
    return lm_emit_reshape(e, lm_emit1(e, LM_OP_ADD, NULL, lm_emit_reshape(e, one, &block), start), &to);
}

/* Windows without a pixel have the index -1, which does not move. */
static bool all_windows_full(const lm_node *n)
{
    for (int i = 0; i < n->a->pool.nd; i++)
        if (n->a->pool.dilation[i] > 1)
            return false;
    return true;
}

static bool apply_once(lm_rewrite *r, const lm_node *n)
{
    const int64_t times = times_of(r, n);
    lm_val near[8], y[LM_OUT_MAX];
    const bool indices = n->op == LM_OP_MAXPOOL && n->ny > 1 && r->live[n->y[1]];
    if (times < 2 || n->ep || n->nx > (int)LM_COUNT(near) || (n->ny > 1 && n->op != LM_OP_MAXPOOL) ||
        (indices && (!all_windows_full(n) || n->a->pool.column_major)))
        return false;
    for (int i = 0; i < n->nx; i++)
        near[i] = operand(r, n, i);
    const int ny = indices ? 2 : 1;
    const lm_node_desc d = {.op = n->op, .a = n->a, .nx = n->nx, .ny = ny, .x = near};
    lm_emit_node(&r->e, &d, y);
    if (indices)
        r->map[n->y[1]] = winners(r, n, y[1], times);
    set(r, n->y[0], y[0], times);
    return true;
}

/* A max-pool whose winners' indices somebody else asks for gives both at once. */
static bool pool_once(lm_rewrite *r, const lm_node *n)
{
    lm_val y[2];
    if (n->op != LM_OP_MAXPOOL || (n->ny > 1 && r->live[n->y[1]]))
        return false;
    for (const lm_use *u = lm_graph_value(r->from, n->x[0])->use; u; u = u->next) {
        const lm_node *other = u->node;
        if (other->op != LM_OP_MAXPOOL || other->ny < 2 || !r->live[other->y[1]] ||
            memcmp(other->a, n->a, lm_attr_size(n->op)) != 0)
            continue;
        lm_emit_op(&r->e, n->op, n->a, 1, &r->map[n->x[0]], 2, y);
        r->map[n->y[0]] = y[0];
        return true;
    }
    return false;
}

/* An Expand along axis 0 begins it. */
static bool begin(lm_rewrite *r, const lm_node *n)
{
    if (n->op != LM_OP_EXPAND)
        return false;
    const lm_shape *x = shape_of(r, n->x[0]), *y = shape_of(r, n->y[0]);
    if (x->rank != y->rank || x->rank == 0 || x->dim[0] != 1 || y->dim[0] < 2)
        return false;
    lm_shape block = *y;
    block.dim[0] = 1;
    lm_val one = lm_emit_expand(&r->e, lm_rewrite_in(r, n->x[0]), &block);
    set(r, n->y[0], one, y->dim[0]);
    return true;
}

/* Blocks stay whole as long as axis 0 is cut between them. */
static bool reshape(lm_rewrite *r, const lm_node *n)
{
    const int64_t times = n->op == LM_OP_RESHAPE ? of(r, n->x[0])->times : 0;
    lm_shape to = *shape_of(r, n->y[0]);
    if (times < 2 || to.rank == 0 || to.dim[0] % times != 0)
        return false;
    to.dim[0] /= times;
    set(r, n->y[0], lm_emit_reshape(&r->e, of(r, n->x[0])->one, &to), times);
    return true;
}

lm_status lm_once_for_all(const lm_graph *from, const lm_chain *fold, lm_graph **out, lm_val **map)
{
    static const lm_rewrite_rule rules[] = {begin, reshape, apply_once, pool_once, NULL};
    blocks *own = lm_calloc(from->values.count, sizeof *own);
    if (!own)
        return LM_MEMORY;
    lm_status status = lm_rewrite_graph(from, fold, rules, own, out, map);
    lm_free(own);
    return status;
}
