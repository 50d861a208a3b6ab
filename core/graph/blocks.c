/* Blocks of large values, one after the other: first it is settled which nodes are cut, then they are held back while
 * all others are copied, and come block by block behind the last of them. */
#include "core/graph/blocks.h"

#include "core/base/vec.h"
#include "core/graph/emit_move.h"

enum { OPERANDS = 8 };

typedef struct cutting {
    const lm_graph *g;
    int64_t times;
    size_t bytes;
    bool *live, *blocks, *cut; /* by value of g */
    size_t left;    /* cut nodes that have not been met */
    LM_VEC(const lm_node *) held;
    lm_val *part;   /* by value of g: of the block that is being made */
    lm_val *result; /* output by output, block by block */
} cutting;

static const lm_shape *shape_of(const lm_graph *g, lm_val v)
{
    return &lm_graph_value(g, v)->type.sh;
}

static size_t bytes_of(const lm_graph *g, lm_val v)
{
    const lm_type *t = &lm_graph_value(g, v)->type;
    return (size_t)lm_shape_count(&t->sh) * lm_dtype_size(t->dt);
}

static bool divides(const cutting *c, lm_val v)
{
    const lm_shape *s = shape_of(c->g, v);
    return s->rank > 0 && s->dim[0] >= c->times && s->dim[0] % c->times == 0;
}

/* An Expand that makes the blocks. */
static bool begins(const cutting *c, const lm_node *n)
{
    const lm_shape *x = shape_of(c->g, n->x[0]), *y = shape_of(c->g, n->y[0]);
    return n->op == LM_OP_EXPAND && x->rank == y->rank && x->rank > 0 && x->dim[0] == 1 && y->dim[0] == c->times;
}

static bool whole_axis(const lm_attr_slice *a, int64_t length)
{
    return a->start[0] == 0 && a->step[0] == 1 && a->size[0] == length;
}

static lm_block_role role_of(const cutting *c, const lm_node *n, int i)
{
    const lm_shape *x = shape_of(c->g, n->x[i]), *y = shape_of(c->g, n->y[0]);
    switch (n->op) {
    case LM_OP_RESHAPE: /* in row-major order blocks stay whole */
    case LM_OP_MAXPOOL_DX:
    case LM_OP_AVGPOOL_DX:
        return LM_BLOCKS_KEEP;
    case LM_OP_EXPAND:
        return x->rank == y->rank && x->rank > 0 && x->dim[0] == y->dim[0] ? LM_BLOCKS_KEEP : LM_BLOCKS_MIX;
    case LM_OP_SLICE:
    case LM_OP_SLICE_DX:
        return whole_axis(&n->a->slice, x->dim[0]) ? LM_BLOCKS_KEEP : LM_BLOCKS_MIX;
    case LM_OP_PAD:
        return i > 0 ? LM_BLOCKS_SERVE : n->a->pad.lo[0] || n->a->pad.hi[0] ? LM_BLOCKS_MIX : LM_BLOCKS_KEEP;
    default:
        return lm_block_role_of(c->g, n, i);
    }
}

/* Does this operand go in block by block? */
static bool goes_in_blocks(const cutting *c, const lm_node *n, int i)
{
    if (n->x[i] == LM_NOVAL || begins(c, n))
        return false;
    const lm_shape *x = shape_of(c->g, n->x[i]), *y = shape_of(c->g, n->y[0]);
    const lm_block_role role = role_of(c, n, i);
    return role == LM_BLOCKS_KEEP || (role == LM_BLOCKS_BROADCAST && x->rank == y->rank && x->rank > 0 &&
                                      x->dim[0] == y->dim[0]);
}

/* Are the results blocks, each made of those of the operands? */
static bool keeps_blocks(const cutting *c, const lm_node *n)
{
    bool any = begins(c, n);
    if (n->ep || n->nx > OPERANDS || (n->ny > 1 && n->op != LM_OP_MAXPOOL) || !divides(c, n->y[0]))
        return false;
    for (int i = 0; i < n->nx && !begins(c, n); i++) {
        if (n->x[i] == LM_NOVAL)
            continue;
        const bool in = goes_in_blocks(c, n, i);
        if (in ? !c->blocks[n->x[i]] : c->blocks[n->x[i]] || role_of(c, n, i) == LM_BLOCKS_MIX)
            return false;
        any |= in;
    }
    return any;
}

static bool takes_cut(const cutting *c, const lm_node *n)
{
    for (int i = 0; i < n->nx; i++)
        if (n->x[i] != LM_NOVAL && c->cut[n->x[i]])
            return true;
    return false;
}

/* False: somebody wants all blocks of a value that would be cut. Indices of winners are those in the block where a pool
 * has been cut, and in the whole where it has not. */
static bool settle(cutting *c)
{
    for (size_t k = 0; k < c->g->nodes.count; k++) {
        const lm_node *n = c->g->nodes.at[k];
        bool live = false;
        for (int i = 0; i < n->ny; i++)
            live |= c->live[n->y[i]];
        if (!live)
            continue;
        const bool keeps = keeps_blocks(c, n), takes = takes_cut(c, n);
        const bool cut = keeps && (takes || bytes_of(c->g, n->y[0]) > c->bytes);
        if ((takes && !cut) || (cut && n->op == LM_OP_MAXPOOL_DX && !c->cut[n->x[1]]))
            return false;
        for (int i = 0; i < n->ny; i++)
            c->blocks[n->y[i]] = keeps, c->cut[n->y[i]] = cut;
        c->left += cut;
    }
    for (size_t i = 0; i < c->g->outputs.count; i++) {
        const lm_node *n = lm_graph_value(c->g, c->g->outputs.at[i])->producer;
        if (n && n->op == LM_OP_MAXPOOL && n->y[0] != c->g->outputs.at[i] && c->cut[n->y[0]])
            return false;
    }
    return c->left > 0;
}

/* One block of an operand. */
static lm_val operand(lm_rewrite *r, cutting *c, const lm_node *n, int i, int64_t block)
{
    const lm_val v = n->x[i];
    if (v == LM_NOVAL || !goes_in_blocks(c, n, i))
        return v == LM_NOVAL ? v : lm_rewrite_in(r, v);
    if (c->cut[v])
        return c->part[v];
    const int64_t length = shape_of(c->g, v)->dim[0] / c->times;
    return lm_emit_slice(&r->e, r->map[v], 0, block * length, length);
}

static void emit_block(lm_rewrite *r, cutting *c, const lm_node *n, int64_t block)
{
    lm_val x[OPERANDS], y[LM_OUT_MAX];
    lm_attrs a = *n->a;
    if (n->op == LM_OP_RESHAPE || n->op == LM_OP_EXPAND)
        a.shape.shape.dim[0] /= c->times;
    if (n->op == LM_OP_SLICE || n->op == LM_OP_SLICE_DX)
        a.slice.size[0] /= c->times;
    for (int i = 0; i < n->nx; i++)
        x[i] = operand(r, c, n, i, block);
    r->e.scope = n->scope;
    r->e.name = n->name;
    const int ny = n->ny > 1 && r->live[n->y[1]] ? n->ny : 1;
    const lm_node_desc d = {.op = n->op, .a = &a, .nx = n->nx, .ny = ny, .x = x};
    lm_emit_node(&r->e, &d, y);
    for (int i = 0; i < ny && r->e.status == LM_OK; i++)
        c->part[n->y[i]] = y[i];
}

static void emit_all(lm_rewrite *r, cutting *c)
{
    const size_t outputs = c->g->outputs.count;
    for (int64_t block = 0; block < c->times && r->e.status == LM_OK; block++) {
        for (size_t k = 0; k < c->held.count && r->e.status == LM_OK; k++)
            emit_block(r, c, c->held.at[k], block);
        for (size_t i = 0; i < outputs; i++)
            c->result[i * (size_t)c->times + (size_t)block] = c->part[c->g->outputs.at[i]];
    }
    for (size_t i = 0; i < outputs && r->e.status == LM_OK; i++)
        if (c->cut[c->g->outputs.at[i]])
            r->map[c->g->outputs.at[i]] =
                lm_emit_concat(&r->e, (int)c->times, &c->result[i * (size_t)c->times], 0);
}

static bool hold_back(lm_rewrite *r, const lm_node *n)
{
    cutting *c = r->own;
    if (!c->cut[n->y[0]])
        return false;
    if (r->e.status == LM_OK)
        r->e.status = lm_vec_push(&c->held, n);
    if (--c->left == 0 && r->e.status == LM_OK)
        emit_all(r, c);
    return true;
}

lm_status lm_block_by_block(const lm_graph *from, const lm_chain *fold, lm_val seed, int64_t times, size_t bytes,
                            lm_graph **out)
{
    static const lm_rewrite_rule rules[] = {hold_back, NULL};
    const size_t values = from->values.count;
    cutting c = {.g = from, .times = times, .bytes = bytes};
    lm_status status = LM_OK;
    *out = NULL;
    c.blocks = lm_calloc(values, sizeof *c.blocks);
    c.cut = lm_calloc(values, sizeof *c.cut);
    c.part = lm_calloc(values, sizeof *c.part);
    c.result = lm_calloc(from->outputs.count * (size_t)times, sizeof *c.result);
    if (!c.blocks || !c.cut || !c.part || !c.result) {
        status = LM_MEMORY;
        goto out;
    }
    LM_TRY_OUT(lm_graph_live(from, &c.live));
    c.blocks[seed] = divides(&c, seed);
    if (settle(&c))
        LM_TRY_OUT(lm_rewrite_graph(from, fold, rules, &c, out, NULL));
out:
    lm_vec_free(&c.held);
    lm_free(c.live);
    lm_free(c.blocks);
    lm_free(c.cut);
    lm_free(c.part);
    lm_free(c.result);
    return status;
}
