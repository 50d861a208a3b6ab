/* Layers, inputs and outputs of a model as a sketch. */
#include "picture.h"

#include <string.h>

#include "core/base/arena.h"
#include "core/draw/sketch.h"

const char *layer_name(const limn_layer *y)
{
    return *y->module ? y->module : *y->name ? y->name : y->value;
}

lm_status layer_shape(const limn_layer *y, lm_str *out)
{
    if (y->rank == 0)
        return lm_str_add(out, "scalar");
    for (int i = 0; i < y->rank; i++)
        lm_str_printf(out, "%s%lld", i ? "x" : "", (long long)y->dim[i]);
    return out->status;
}

/* Colours by what a layer does to explanations. */
static const struct {
    const char *kinds, *name;
} colours[LM_SKETCH_COLOURS] = {
    {"", "input, output"},
    {"LINEAR BILINEAR", "linear"},
    {"ACT", "activation"},
    {"NORM", "norm"},
    {"SELECT REDUCE", "pool, reduce"},
    {"ADD", "add"},
    {"SOFTMAX", "softmax"},
    {"MOVE REGION LOSS UPDATE OTHER", "other"},
};

static int colour_of(const char *kind)
{
    for (int i = 1; i < LM_SKETCH_COLOURS; i++)
        if (strstr(colours[i].kinds, kind)) /* no kind is a part of another, but LINEAR of BILINEAR, which look alike */
            return i;
    return LM_SKETCH_COLOURS - 1;
}

typedef struct drawing {
    const subject *on;
    const model_layers *l;
    lm_arena arena;
    LM_VEC(lm_sketch_node) node;
    LM_VEC(lm_sketch_edge) edge;
    lm_str text; /* under construction */
    int inputs;
} drawing;

/* The text so far, kept for as long as the drawing. */
static const char *keep(drawing *d)
{
    const char *kept = d->text.status == LM_OK ? lm_arena_strdup(&d->arena, lm_str_text(&d->text)) : NULL;
    lm_str_clear(&d->text);
    return kept;
}

static lm_status add_port(drawing *d, const limn_port *p)
{
    port_text(p, &d->text);
    lm_sketch_node n = {.title = p->name, .detail = keep(d)};
    lm_str_printf(&d->text, "%s %s", p->name, n.detail ? n.detail : "");
    n.hint = keep(d);
    return n.detail && n.hint ? lm_vec_push(&d->node, n) : LM_MEMORY;
}

/* The last part of the module, which the frames around do not say; a number alone says too little. */
static const char *last_part(const char *module)
{
    const char *part = module + strlen(module);
    bool number = true;
    for (; part > module; part--) {
        if (part[-1] == '.' && !number)
            break;
        number &= part[-1] == '.' || (part[-1] >= '0' && part[-1] <= '9');
    }
    return part;
}

static lm_status add_layer(drawing *d, const limn_layer *y, size_t number)
{
    lm_sketch_node n = {.title = y->op, .name = last_part(y->module), .group = y->module, .colour = colour_of(y->kind),
                        .strong = y->suggested != 0};
    layer_shape(y, &d->text);
    n.detail = keep(d);
    lm_str_printf(&d->text, "#%zu %s %s\nvalue %s\n%s ", number, y->op, layer_name(y), y->value, limn_dtype_name(y->type));
    layer_shape(y, &d->text);
    if (y->parameters)
        lm_str_printf(&d->text, "\n%lld parameters", (long long)y->parameters);
    lm_str_add(&d->text, y->gradient ? "" : "\nno gradient comes here");
    lm_str_add(&d->text, y->suggested ? "\nauto: class-activation maps look here" : "");
    if (*y->name && strcmp(y->name, layer_name(y)) != 0)
        lm_str_printf(&d->text, "\nnode %s", y->name);
    n.hint = keep(d);
    if (!n.detail || !n.hint)
        return LM_MEMORY;
    int self = (int)d->node.count;
    LM_TRY(lm_vec_push(&d->node, n));
    for (int i = 0; i < y->from_count; i++) {
        int from = y->from[i] < 0 ? -1 - y->from[i] : d->inputs + y->from[i];
        if (from < self)
            LM_TRY(lm_vec_push(&d->edge, (lm_sketch_edge){from, self}));
    }
    return LM_OK;
}

static lm_status add_outputs(drawing *d)
{
    for (size_t i = 0; i < limn_model_output_count(d->on->model); i++) {
        for (size_t k = 0; k < d->l->count; k++)
            if (d->l->layer[k].output == (int)i)
                LM_TRY(lm_vec_push(&d->edge, (lm_sketch_edge){d->inputs + (int)k, (int)d->node.count}));
        LM_TRY(add_port(d, limn_model_output(d->on->model, i)));
    }
    return LM_OK;
}

static lm_status fill(drawing *d)
{
    d->inputs = (int)limn_model_input_count(d->on->model);
    for (int i = 0; i < d->inputs; i++)
        LM_TRY(add_port(d, limn_model_input(d->on->model, (size_t)i)));
    for (size_t i = 0; i < d->l->count; i++)
        LM_TRY(add_layer(d, &d->l->layer[i], i));
    return add_outputs(d);
}

lm_status draw_layers(const subject *on, const model_layers *l, bool page, lm_str *out)
{
    drawing d = {.on = on, .l = l};
    lm_status status = fill(&d);
    const char *slash = strrchr(on->file, '/');
    lm_sketch s = {.title = slash ? slash + 1 : on->file, .nodes = (int)d.node.count, .edges = (int)d.edge.count,
                   .node = d.node.at, .edge = d.edge.at};
    for (int i = 0; i < LM_SKETCH_COLOURS; i++)
        s.legend[i] = colours[i].name;
    if (status == LM_OK)
        status = page ? lm_sketch_html(&s, out) : lm_sketch_svg(&s, out);
    lm_vec_free(&d.node);
    lm_vec_free(&d.edge);
    lm_str_free(&d.text);
    lm_arena_free(&d.arena);
    return status;
}
