/* Decision trees as tables, shared by the operators that hold them. */
#ifndef LM_MODEL_IMPORT_FOREST_H
#define LM_MODEL_IMPORT_FOREST_H

#include "core/model/import_util.h"

/* How a node decides, by ONNX's numbers: feature <= split and so on; MEMBER: the feature is in a set. */
typedef enum lm_forest_mode {
    LM_FOREST_LEQ,
    LM_FOREST_LT,
    LM_FOREST_GTE,
    LM_FOREST_GT,
    LM_FOREST_EQ,
    LM_FOREST_NEQ,
    LM_FOREST_MEMBER,
    LM_FOREST_MODES
} lm_forest_mode;

/* A forest as tables over places: first the `nodes` inner nodes, then the `leaves`, which lead to themselves. Arrays
 * are borrowed and outlive the import. */
typedef struct lm_forest {
    int nodes, leaves, roots;
    const int64_t *feature, *yes, *no, *yes_leaf, *no_leaf, *root, *target,
        *nan_yes; /* by node; yes_leaf: `yes` is a leaf */
    const lm_view *mode, *split, *weight, *members;
    int64_t features, targets;
    unsigned modes; /* bit m: some node decides by m */
    int depth;      /* most decisions from a root to a leaf; found by the walk */
} lm_forest;

/* The leaf, counted from 0, that every row of x [rows,features], of float type, reaches in every tree: int64
 * [rows,roots]. */
lm_val lm_forest_walk(lm_import *im, lm_forest *f, lm_val x);

#endif
