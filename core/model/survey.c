/* Everything that is wrong with a model at once: a build that goes on behind an operator that fails, whose results
 * become inputs of the graph under construction. Their types are what the file declares, or else those of the
 * operator's first operand: good enough to find out what else is not supported, too vague to blame shapes on. */
#include <string.h>

#include "core/model/builder.h"
#include "core/model/onnx_tensor.h"

struct lm_survey {
    LM_VEC(lm_fault) faults;
    lm_arena arena;
    lm_map guessed; /* lm_val, whose type or content is a guess */
    lm_map decided; /* lm_val, on whose way some fed content decided a shape */
};

/* Does the operator read one of these values? */
static bool reads(lm_builder *b, const onnx_node *n, const lm_map *values)
{
    for (size_t i = 0; i < n->n_inputs; i++) {
        lm_val v;
        if (n->inputs[i][0] && lm_build_lookup(b, n->inputs[i], &v) == LM_OK &&
            lm_map_get(values, &v, sizeof v))
            return true;
    }
    return false;
}

static bool declared(const lm_builder *b, const char *name, lm_type *out)
{
    const onnx_graph *g = b->scope->graph;
    for (size_t i = 0; g && i < g->n_value_infos; i++) {
        const onnx_type *t = &g->value_infos[i].type;
        int64_t dim[LM_RANK];
        if (strcmp(g->value_infos[i].name, name) != 0)
            continue;
        bool whole =
            t->kind == ONNX_TYPE_TENSOR && t->has_shape && t->n_dims <= LM_RANK && onnx_dtype(t->elem_type, &out->dt);
        for (size_t k = 0; whole && k < t->n_dims; k++) {
            whole = t->dims[k].kind == ONNX_DIM_VALUE && t->dims[k].value > 0;
            dim[k] = t->dims[k].value;
        }
        return whole && lm_shape_make((int)t->n_dims, dim, &out->sh) == LM_OK;
    }
    return false;
}

static lm_type guess(lm_builder *b, const onnx_node *n, const char *name)
{
    lm_type type = {.dt = LM_F32};
    lm_val v;
    if (declared(b, name, &type))
        return type;
    bool known = n->n_inputs && n->inputs[0][0] && lm_build_lookup(b, n->inputs[0], &v) == LM_OK && v != LM_NOVAL;
    return known ? lm_graph_value(b->b->graph, v)->type : (lm_type){.dt = LM_F32};
}

static lm_status mark(lm_map *values, lm_val v)
{
    return lm_map_put(values, &v, sizeof v, (lm_cell){.num = 1});
}

static lm_status stand_in(lm_builder *b, const onnx_node *n, const char *name, lm_val *v)
{
    lm_type type = guess(b, n, name);
    LM_TRY(lm_graph_input(b->b->graph, NULL, &type, v));
    LM_TRY(lm_vec_push(&b->b->fed, -1));
    LM_TRY(mark(&b->survey->guessed, *v));
    return lm_build_bind(b, name, *v);
}

static lm_status note(lm_survey *s, const onnx_node *n, const char *message, uint64_t by_value)
{
    lm_fault f = {n, lm_arena_strdup(&s->arena, message), by_value};
    for (size_t i = 0; i < s->faults.count; i++) /* a function or body may be met again and again */
        if (s->faults.at[i].node == n)
            return LM_OK;
    return f.reason ? lm_vec_push(&s->faults, f) : LM_MEMORY;
}

lm_status lm_survey_node(lm_builder *b, const onnx_node *n, lm_status status)
{
    bool over = status != LM_OK && b->met == LM_MET_MAX; /* nothing that follows can be built either */
    if (over || (status != LM_OK && status != LM_INPUT && status != LM_UNSUPPORTED))
        return status;
    lm_survey *s = b->survey;
    bool vague = reads(b, n, &s->guessed), chosen = b->decided || reads(b, n, &s->decided);
    /* what is not supported is not supported for other contents either, unless it is they that ask for it */
    bool excused = status == LM_UNSUPPORTED ? b->decided : chosen;
    lm_status noted = status == LM_OK ? LM_OK : note(s, n, lm_message(), excused ? b->b->by_value : 0);
    if (status == LM_INPUT && vague && noted == LM_OK && s->faults.count && s->faults.at[s->faults.count - 1].node == n)
        s->faults.count--;
    LM_TRY(noted);
    for (size_t i = 0; i < n->n_outputs; i++) {
        if (!n->outputs[i][0])
            continue;
        const lm_cell *made = lm_map_gets(&b->scope->names, n->outputs[i]);
        lm_val v = made ? (lm_val)made->num : LM_NOVAL;
        if (!made)
            LM_TRY(stand_in(b, n, n->outputs[i], &v));
        if (vague)
            LM_TRY(mark(&s->guessed, v));
        if (chosen)
            LM_TRY(mark(&s->decided, v));
    }
    return LM_OK;
}

lm_status lm_survey_open(lm_survey **out)
{
    lm_survey *s;
    LM_NEW(s);
    *out = s;
    return LM_OK;
}

const lm_fault *lm_survey_faults(const lm_survey *s, size_t *n)
{
    *n = s->faults.count;
    return s->faults.at;
}

void lm_survey_close(lm_survey *s)
{
    if (!s)
        return;
    lm_vec_free(&s->faults);
    lm_map_free(&s->guessed);
    lm_map_free(&s->decided);
    lm_arena_free(&s->arena);
    lm_free(s);
}
