/* The reference run: the part of a graph between wrt and targets once more, on baselines. */
#ifndef LM_RULES_TWIN_H
#define LM_RULES_TWIN_H

#include "core/rules/path.h"
#include "core/rules/rule.h"

/* By value of the path's graph: its counterpart in the reference run; values that hang on no wrt are their own. `outer`
 * (may be NULL, `n_outer` values): counterparts that are known already. lm_free it. */
lm_status lm_twin_emit(lm_emit *e, const lm_path *path, const lm_backward *b, const lm_val *outer, size_t n_outer,
                       lm_val **out);

#endif
