/* Where the axes of a picture lie in a model's input. */
#include <string.h>

#include "core/api/handle.h"
#include "input_inside.h"
#include "subject.h"

static bool is_channels(int64_t n)
{
    return n == 1 || n == 3;
}

/* Of [N,C,H,W] and [N,H,W,C]: the latter when the last axis looks like channels and axis 1 does not. */
static bool channels_last(const limn_port *p)
{
    return is_channels(p->dim[3]) && !is_channels(p->dim[1]);
}

/* The node's list of axes; NULL: it has none of three. */
static const int64_t *order_of(const onnx_node *n)
{
    for (size_t i = 0; i < n->n_attrs; i++)
        if (strcmp(n->attrs[i].name, "perm") == 0 && n->attrs[i].n_ints == 3)
            return n->attrs[i].ints;
    return NULL;
}

/* Which axis of such a node's input has the features or channels; -1: it does not say, and the axes stay as they are. */
static int feature_axis(const char *op)
{
    static const struct {
        const char *op;
        int axis;
    } rows[] = {{"Conv", 1},
                {"MaxPool", 1},
                {"AveragePool", 1},
                {"BatchNormalization", 1},
                {"InstanceNormalization", 1},
                {"LSTM", 2},
                {"GRU", 2},
                {"RNN", 2},
                {"MatMul", 2},
                {"LayerNormalization", 2}};
    for (size_t i = 0; i < LM_COUNT(rows); i++)
        if (strcmp(rows[i].op, op) == 0)
            return rows[i].axis;
    return -1;
}

/* Behind such a node there are others than the three axes. */
static bool changes_axes(const char *op)
{
    static const char *const ops[] = {"Shape",     "Size",   "Reshape",  "Flatten", "Squeeze",
                                      "Unsqueeze", "Gather", "GatherND", "ArgMax",  "ArgMin", "OneHot"};
    for (size_t i = 0; i < LM_COUNT(ops); i++)
        if (strcmp(ops[i], op) == 0)
            return true;
    return strncmp(op, "Reduce", 6) == 0;
}

/* Follow a value, whose axes are those of the input in the order `axes`, to the first node that tells them apart: 1
 * where the features come last, 0 where they do not, -1 where nothing tells. *steps are left for all ways together, of
 * which there may be very many. */
static int features_last(const onnx_graph *g, const char *value, const int axes[3], int *steps)
{
    int found = -1;
    for (size_t i = 0; i < g->n_nodes && *steps > 0 && found < 0; i++) {
        const onnx_node *n = &g->nodes[i];
        if (!n->n_inputs || strcmp(n->inputs[0], value) != 0 || !n->n_outputs || changes_axes(n->op_type))
            continue;
        --*steps;
        const int axis = feature_axis(n->op_type);
        const int64_t *order = strcmp(n->op_type, "Transpose") == 0 ? order_of(n) : NULL;
        int turned[3];
        for (int k = 0; k < 3; k++)
            turned[k] = order && order[k] >= 0 && order[k] < 3 ? axes[order[k]] : axes[k];
        found = axis >= 0 ? axes[axis] == 2 : features_last(g, n->outputs[0], turned, steps);
    }
    return found;
}

bool inputs_series_last(const inputs *in, const limn_model *m, const char *name)
{
    int steps = 64;
    const onnx_model *o = lm_model_onnx(m->model);
    if (in->layout != LAYOUT_AUTO || !o->graph)
        return in->layout == LAYOUT_NLC;
    return features_last(o->graph, name, (const int[3]){0, 1, 2}, &steps) == 1;
}

lm_status picture_axes_find(const limn_port *p, layout wanted, const char *source, picture_axes *out)
{
    LM_REQUIRE(wanted != LAYOUT_NLC, LM_USAGE, "--layout nlc: is for series; pictures are nchw or nhwc");
    const bool numbers = limn_dtype_size(p->type) > 0 && p->type != LIMN_BOOL && p->type != LIMN_DTYPES;
    bool fits = numbers;
    if (p->rank < 0 || p->rank == 4) {
        const bool last = wanted == LAYOUT_NHWC || (wanted == LAYOUT_AUTO && p->rank == 4 && channels_last(p));
        *out = last ? (picture_axes){3, 1, 2, true, true} : (picture_axes){1, 2, 3, false, true};
        fits &= p->rank < 0 || p->dim[out->channel] < 0 || is_channels(p->dim[out->channel]);
    } else if (p->rank == 3 && p->dim[0] == 3) {
        *out = (picture_axes){0, 1, 2, false, false};
    } else if (p->rank == 3 && p->dim[2] == 3 && p->dim[0] > 3) {
        *out = (picture_axes){2, 0, 1, true, false};
    } else if (p->rank == 3) {
        *out = (picture_axes){-1, 1, 2, false, true};
    } else {
        fits = false;
    }
    if (fits)
        return LM_OK;
    lm_str text = {0};
    port_text(p, &text);
    lm_fail(LM_INPUT,
            "%s: is a picture, but input '%s' takes %s, no picture of 1 or 3 channels; give it as .npy, .npz or .csv",
            source, p->name, lm_str_text(&text));
    lm_str_free(&text);
    return LM_INPUT;
}
