/* Equal nodes and equal small constants are one: the keys they are found under. */
#include "core/graph/fold.h"

/* Constants of more bytes than this are not compared: weights differ, numbers and short vectors repeat. */
enum { SMALL = 64 };

static void put(lm_share_key *key, const void *bytes, size_t count)
{
    if (count > sizeof key->at - key->bytes) {
        key->bytes = SIZE_MAX;
        return;
    }
    memcpy(key->at + key->bytes, bytes, count);
    key->bytes += count;
}

static void put_number(lm_share_key *key, int32_t number)
{
    if (key->bytes != SIZE_MAX)
        put(key, &number, sizeof number);
}

/* Operands that may swap are put in order, so that a + b is b + a. */
static void put_operands(lm_share_key *key, const lm_node_desc *d)
{
    const bool swap = lm_ops[d->op].flags & LM_FLAG_COMMUTES && d->x[0] > d->x[1];
    for (int i = 0; i < d->nx; i++)
        put_number(key, d->x[swap && i < 2 ? 1 - i : i]);
}

void lm_share_node_key(const lm_node_desc *d, lm_share_key *key)
{
    key->bytes = 0;
    put_number(key, (int32_t)d->op);
    put_number(key, d->ny);
    put_number(key, d->nx);
    put_operands(key, d);
    if (d->ep) {
        put_number(key, d->ep->residual);
        put_number(key, d->ep->active ? (int32_t)d->ep->act : -1);
        if (key->bytes != SIZE_MAX)
            put(key, &d->ep->attr, sizeof d->ep->attr);
        put_number(key, d->ep->sloped);
        if (key->bytes != SIZE_MAX)
            put(key, &d->ep->slope, sizeof d->ep->slope);
    }
    if (key->bytes != SIZE_MAX)
        put(key, d->a, lm_attr_size(d->op));
    if (key->bytes == SIZE_MAX)
        key->bytes = 0;
}

void lm_share_constant_key(const lm_view *content, lm_share_key *key)
{
    key->bytes = 0;
    const size_t size = lm_dtype_size(content->dt);
    const int64_t count = lm_shape_count(&content->sh);
    if (count > SMALL || (size_t)count * size > SMALL)
        return;
    put_number(key, -1); /* no op has this number */
    put_number(key, (int32_t)content->dt);
    put_number(key, content->sh.rank);
    put(key, content->sh.dim, (size_t)content->sh.rank * sizeof content->sh.dim[0]);
    for (int64_t i = 0; i < count; i++)
        put(key, (const char *)lm_view_data(content) + lm_view_offset(content, i), size);
}

lm_val lm_share_find(const lm_graph *g, const lm_share_key *key)
{
    const lm_cell *known = key->bytes ? lm_map_get(&g->shared, key->at, key->bytes) : NULL;
    return known ? (lm_val)known->num : LM_NOVAL;
}

lm_status lm_share_put(lm_graph *g, const lm_share_key *key, lm_val v)
{
    if (!key->bytes || lm_share_find(g, key) != LM_NOVAL)
        return LM_OK;
    return lm_map_put(&g->shared, key->at, key->bytes, (lm_cell){.num = v});
}
