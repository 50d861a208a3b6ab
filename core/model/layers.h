/* The layers of a built model by the names that people use.
 *
 * A layer is an operator of the file that still matters: it was not folded away and reaches an output. Its module is
 * the dotted path that the framework knows it by, recovered from the scopes in node names
 * ("/layer4/layer4.1/conv2/Conv"), from the calls and loops around it ("blk1.sg", "loop.2.add"), from the metadata of
 * newer exporters, or from the names of its weights ("layer4.1.conv2.weight"). */
#ifndef LM_MODEL_LAYERS_H
#define LM_MODEL_LAYERS_H

#include "core/model/model.h"

typedef struct lm_layer_row {
    const lm_layer *layer;
    const char *module; /* "layer4.1.conv2"; "" when nothing tells */
    const char *alias;  /* another module whose weights it carries (a norm folded into the convolution before it); "" */
    lm_val in, out;     /* its first operand that is not constant (LM_NOVAL: none), and its first result that matters */
    const char *value;  /* what the file calls `out`, with the path around it */
    int *from;          /* rows whose results it reads, each once; ~i: input i of the graph */
    int n_from;
    int64_t parameters; /* elements of its weights, each counted once; folded ones where the result is used */
} lm_layer_row;

typedef struct lm_layers {
    const lm_built *built;
    LM_VEC(lm_layer_row) rows; /* in order of execution; the position is the number in "#57" */
    LM_VEC(lm_val) narrow;     /* values through which everything passes on its way to the first float output */
    lm_arena arena;
} lm_layers;

/* Borrows the build. Free with lm_layers_free. */
lm_status lm_layers_list(const lm_built *b, lm_layers *out);
void lm_layers_free(lm_layers *l);

/* Where a user points. Tried in this order: the exact name of a value, of a node; a module path (all layers below it;
 * `[i]` picks the child called i, else child number i, from the end when negative), or its end where one module alone
 * ends so; "Conv@-1" (a layer of that operator), "#57", a glob over modules and node names, "auto". ":in" and ":out"
 * (default) choose the value that goes into the first or comes out of the last layer meant. LM_USAGE names the nearest
 * that exist. */
typedef struct lm_layer_point {
    lm_val v;
    int row;          /* of the layer, -1: a value that no layer makes */
    bool folded;      /* the name is that of a module that the exporter merged with another, as `why` says */
    const char *why;  /* what was understood: "module layer4", "value 191", ...; in the layers' arena */
} lm_layer_point;
lm_status lm_layers_find(lm_layers *l, const char *text, lm_layer_point *out);

/* The layer that class-activation maps and summaries suggest: the last value with spatial axes larger than one through
 * which all goes; where attention comes after it, the tokens that go into the last attention instead; where there is
 * neither, the last value along one axis that a convolution made. LM_NOVAL: there is none. */
lm_val lm_layers_suggest(const lm_layers *l);

#endif
