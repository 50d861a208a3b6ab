/* A whole model for given feeds. */
#include <stdio.h>
#include <string.h>

#include "core/model/builder.h"

/* Sizes that free names have taken, and whether a feed fits its port. Axis 0 may be anything where the model says 1:
 * whether the rest of the model goes along shows when it is built. */
static lm_status check_feed(lm_map *params, const lm_port *p, const lm_feed *feed)
{
    char is[LM_SHAPE_TEXT];
    const char *text = lm_shape_text(&feed->sh, is);
    LM_TRY(lm_port_known(p));
    LM_REQUIRE(feed->dt == p->dt, LM_INPUT, "input '%s' takes %s, not %s", p->name, lm_dtype_name(p->dt),
               lm_dtype_name(feed->dt));
    LM_REQUIRE(p->rank < 0 || p->rank == feed->sh.rank, LM_INPUT, "input '%s' has %d axes, but %s is fed", p->name,
               p->rank, text);
    for (int i = 0; i < p->rank; i++) {
        int64_t dim = feed->sh.dim[i];
        LM_REQUIRE(p->dim[i] < 0 || p->dim[i] == dim || (i == 0 && p->dim[0] == 1), LM_INPUT,
                   "axis %d of input '%s' is %lld, but %s is fed", i, p->name, (long long)p->dim[i], text);
        if (!p->param[i])
            continue;
        const lm_cell *known = lm_map_gets(params, p->param[i]);
        LM_REQUIRE(!known || known->num == dim, LM_INPUT,
                   "axis %d of input '%s', %s, is %lld in another input, but %s is fed", i, p->name, p->param[i],
                   known ? (long long)known->num : 0, text);
        LM_TRY(lm_map_put_num(params, p->param[i], dim));
    }
    return LM_OK;
}

static lm_status bind_feeds(lm_builder *b)
{
    lm_map params = {0};
    lm_status status = LM_OK;
    for (int i = 0; i < b->m->n_inputs && status == LM_OK; i++) {
        const lm_port *p = &b->m->inputs[i];
        const lm_feed *feed = &b->feed[i];
        if (!lm_view_present(feed)) {
            if (!p->optional)
                status = lm_fail(LM_INPUT, "input '%s' is not fed", p->name);
            continue;
        }
        lm_type type = {feed->dt, feed->sh};
        lm_val v;
        status = check_feed(&params, p, feed);
        if (status == LM_OK)
            status = lm_graph_input(b->b->graph, p->name, &type, &v);
        if (status == LM_OK)
            status = lm_vec_push(&b->b->fed, i);
        if (status == LM_OK)
            status = lm_build_bind(b, p->name, v);
    }
    lm_map_free(&params);
    return status;
}

static lm_status build_all(lm_builder *b)
{
    const onnx_graph *g = b->m->onnx->graph;
    LM_TRY(bind_feeds(b));
    LM_TRY(lm_build_nodes(b, g->nodes, g->n_nodes));
    for (size_t i = 0; i < g->n_outputs; i++) {
        lm_val v;
        LM_TRY(lm_context(lm_build_lookup(b, g->outputs[i].name, &v), "output %zu", i));
        LM_REQUIRE(v != LM_NOVAL, LM_INPUT, "output '%s' has no value", g->outputs[i].name);
        LM_TRY(lm_graph_output(b->b->graph, v));
    }
    return LM_OK;
}

static lm_status build(lm_model *m, const lm_chain *fold, const lm_feed *feed, lm_survey *survey, lm_built **out)
{
    lm_built *built;
    LM_NEW(built);
    lm_builder b = {.m = m, .fold = fold, .feed = feed, .b = built, .survey = survey};
    lm_scope top = {.graph = m->onnx->graph, .opsets = m->onnx->opsets, .n_opsets = m->onnx->n_opsets, .path = ""};
    lm_status status = lm_graph_new(&built->graph);
    if (status == LM_OK) {
        status = lm_build_enter(&b, &top);
        if (status == LM_OK)
            status = build_all(&b);
        lm_build_leave(&b);
    }
    lm_graph_free(b.ahead);
    lm_vec_free(&b.ahead_of);
    if (status != LM_OK) {
        lm_built_free(built);
        return lm_context(status, "%s", m->onnx->path);
    }
    *out = built;
    return LM_OK;
}

lm_status lm_model_tell(lm_model *m, lm_log_level level, const char *text)
{
    lm_status status = LM_OK;
    pthread_mutex_lock(&m->lock);
    bool known = lm_map_gets(&m->told, text) != NULL;
    if (!known)
        status = lm_map_put_num(&m->told, text, 1);
    pthread_mutex_unlock(&m->lock);
    if (!known && status == LM_OK)
        lm_log(level, "%s: %s", m->onnx->path, text);
    return status;
}

lm_status lm_model_build(lm_model *m, const lm_chain *fold, const lm_feed *feed, lm_built **out)
{
    lm_built *built;
    LM_TRY(build(m, fold, feed, NULL, &built));
    lm_status status = LM_OK;
    for (size_t i = 0; i < built->notes.count && status == LM_OK; i++)
        status = lm_model_tell(m, built->notes.at[i].level, built->notes.at[i].text);
    if (status == LM_OK)
        *out = built;
    else
        lm_built_free(built);
    return status;
}

lm_status lm_model_survey(lm_model *m, const lm_chain *fold, const lm_feed *feed, lm_survey *s)
{
    lm_built *built = NULL;
    LM_TRY(build(m, fold, feed, s, &built));
    lm_built_free(built);
    return LM_OK;
}

void lm_built_free(lm_built *b)
{
    if (!b)
        return;
    lm_graph_free(b->graph);
    lm_vec_free(&b->fed);
    lm_map_free(&b->values);
    lm_vec_free(&b->layers);
    lm_vec_free(&b->weights);
    for (size_t i = 0; i < b->notes.count; i++)
        lm_free(b->notes.at[i].text);
    lm_vec_free(&b->notes);
    lm_free(b);
}
