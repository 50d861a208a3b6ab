/* Which values of a graph depend on given ones in a way that a signal can follow back. */
#ifndef LM_RULES_PATH_H
#define LM_RULES_PATH_H

#include "core/graph/graph.h"

enum {
    LM_ON_PATH = 1,     /* depends on a wrt value, or is one */
    LM_PATH_WRT = 2,
    LM_BEHIND_PRODUCT = 4 /* a convolution or matrix product stands between wrt and here */
};

typedef struct lm_path {
    const lm_graph *g;
    size_t values, nodes; /* how many the graph had when it was looked at */
    int32_t first;        /* no node before this one is on the path */
    uint8_t *mark;        /* by value: LM_ON_PATH ... */
} lm_path;

/* Floats only: a signal never goes through integers. Ops that are flat everywhere end a path; those without a derivative
 * do not, so that whoever comes to one can say so. `outer` (may be NULL): a path that this one begins in the middle of. */
lm_status lm_path_find(const lm_graph *g, int nwrt, const lm_val *wrt, const lm_path *outer, lm_path *out);
void lm_path_free(lm_path *path);

static inline bool lm_on_path(const lm_path *path, lm_val v)
{
    return (size_t)v < path->values && (path->mark[v] & LM_ON_PATH);
}

/* A node without a derivative on the way from wrt to `target`, when the target is on no path; NULL when there is none:
 * the target does not depend on wrt, or only through ops that are flat everywhere. `flat`: those count too, and so does
 * what makes whole numbers, so that there is one wherever the target depends on wrt. */
lm_status lm_path_cut(const lm_path *path, int nwrt, const lm_val *wrt, lm_val target, bool flat, const lm_node **out);

#endif
