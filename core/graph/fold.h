/* What an emitter that may compute (lm_emit.fold) does before it appends a node. */
#ifndef LM_GRAPH_FOLD_H
#define LM_GRAPH_FOLD_H

#include "core/graph/emit.h"

/* simplify.c: the value that the op would only repeat, or that a cheaper op gives with the same bits; LM_NOVAL when
 * there is none. d->a is not NULL; `type` is the result's. */
lm_val lm_simplify(lm_emit *e, const lm_node_desc *d, const lm_type *type);

/* fold.c: compute the op where all its operands are constants. False, with y untouched, when it has to stay a node;
 * true also after a failure, which is the emitter's then. */
bool lm_fold(lm_emit *e, const lm_node_desc *d, const lm_type *type, lm_val *y);

/* share.c: the bytes under which a graph finds a node or a small constant again. bytes 0: not to be found. */
typedef struct lm_share_key {
    size_t bytes;
    uint8_t at[1024];
} lm_share_key;

void lm_share_node_key(const lm_node_desc *d, lm_share_key *key);
void lm_share_constant_key(const lm_view *content, lm_share_key *key);

/* First result of the node, or the constant; LM_NOVAL. */
lm_val lm_share_find(const lm_graph *g, const lm_share_key *key);

/* Remember, unless something is there already. */
lm_status lm_share_put(lm_graph *g, const lm_share_key *key, lm_val v);

#endif
