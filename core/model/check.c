/* Looking at a model before anybody feeds it. */
#include "core/model/check.h"

#include <stdio.h>
#include <string.h>

#include "core/base/str.h"
#include "core/model/import.h"

/* What a free size behind the first axis may be, in the order of trying: token and feature counts first, then
 * images. */
static const int64_t usual[] = {1, 8, 128, 224, 32, 64, 299, 256, 512};

void lm_feeds_free(lm_feed *feed, int n)
{
    for (int i = 0; i < n; i++) {
        lm_buffer_unref(feed[i].buf);
        feed[i] = lm_view_absent();
    }
}

static lm_status make_up(const lm_port *p, int64_t size, lm_feed *feed)
{
    int64_t dim[LM_RANK] = {0};
    int rank = p->rank < 0 ? 2 : p->rank;
    for (int i = 0; i < rank; i++)
        dim[i] = p->rank >= 0 && p->dim[i] >= 0 ? p->dim[i] : i == 0 ? 1 : size;
    LM_REQUIRE(p->dt != LM_DTYPES && p->info->type.kind == ONNX_TYPE_TENSOR, LM_UNSUPPORTED,
               "input '%s' is of a type that Limn does not have", p->name);
    lm_shape sh;
    LM_TRY(lm_context(lm_shape_make(rank, dim, &sh), "input '%s'", p->name));
    LM_TRY(lm_view_new(p->dt, &sh, feed));
    memset(feed->buf->host, 0, feed->buf->bytes);
    return LM_OK;
}

static bool has_free_size(const lm_port *p)
{
    for (int i = 1; i < p->rank; i++)
        if (p->dim[i] < 0)
            return true;
    return p->rank < 0;
}

lm_status lm_model_guess(lm_model *m, const lm_chain *fold, lm_feed *feed, lm_built **out)
{
    int n;
    const lm_port *port = lm_model_inputs(m, &n);
    char first[512] = "";
    lm_status status = LM_OK, why = LM_OK;
    bool free_size = false;
    for (int i = 0; i < n; i++)
        free_size |= !port[i].optional && has_free_size(&port[i]);
    for (size_t k = 0; k < (free_size ? LM_COUNT(usual) : 1); k++) {
        for (int i = 0; i < n; i++)
            feed[i] = lm_view_absent();
        status = LM_OK;
        for (int i = 0; i < n && status == LM_OK; i++)
            if (!port[i].optional)
                status = make_up(&port[i], usual[k], &feed[i]);
        if (status == LM_OK)
            status = lm_model_build(m, fold, feed, out);
        if (status == LM_OK)
            return LM_OK;
        lm_feeds_free(feed, n);
        if (k == 0) {
            why = status;
            snprintf(first, sizeof first, "%s", lm_message());
        }
        if (status != LM_INPUT)
            return status;
    }
    lm_message_set(first);
    return why;
}

static lm_status add(lm_problems *p, bool forward, const onnx_node *from, const char *node, const char *op,
                     const char *reason)
{
    lm_problem row = {.forward = forward, .from = from};
    row.node = lm_arena_strdup(&p->arena, node);
    row.op = lm_arena_strdup(&p->arena, op);
    row.reason = lm_arena_strdup(&p->arena, reason);
    return row.node && row.op && row.reason ? lm_vec_push(&p->at, row) : LM_MEMORY;
}

static bool is_function(const onnx_model *o, const onnx_node *n)
{
    for (size_t i = 0; i < o->n_functions; i++)
        if (strcmp(o->functions[i].name, n->op_type) == 0 && strcmp(o->functions[i].domain, n->domain) == 0 &&
            strcmp(o->functions[i].overload, n->overload) == 0)
            return true;
    return false;
}

/* Is it one of the operators that scan_node lists? */
static bool is_listed(const lm_problems *p, const onnx_node *n)
{
    for (size_t i = 0; i < p->at.count; i++)
        if (p->at.at[i].from == n)
            return true;
    return false;
}

static lm_status scan_node(const onnx_model *o, const onnx_opset *opset, size_t opsets, const onnx_node *n,
                           lm_problems *p)
{
    if (is_function(o, n))
        return LM_OK;
    const char *domain = strcmp(n->domain, "ai.onnx") ? n->domain : "";
    int64_t version = domain[0] ? INT64_MAX : 1;
    for (size_t i = 0; i < opsets; i++)
        if (strcmp(strcmp(opset[i].domain, "ai.onnx") ? opset[i].domain : "", domain) == 0)
            version = opset[i].version;
    if (lm_onnx_find(domain, n->op_type, version))
        return LM_OK;
    char op[160], reason[256];
    snprintf(op, sizeof op, "%s%s%s", domain, domain[0] ? "." : "", n->op_type);
    if (lm_onnx_find(domain, n->op_type, INT64_MAX))
        snprintf(reason, sizeof reason, "version %lld is older than any Limn knows; convert the model to a newer opset",
                 (long long)version);
    else
        snprintf(reason, sizeof reason, "Limn has no such operator");
    return add(p, true, n, n->name, op, reason);
}

static lm_status scan(const onnx_model *o, const onnx_opset *opset, size_t opsets, const onnx_node *nodes, size_t n,
                      lm_problems *p)
{
    for (size_t i = 0; i < n; i++) {
        LM_TRY(scan_node(o, opset, opsets, &nodes[i], p));
        for (size_t a = 0; a < nodes[i].n_attrs; a++) {
            const onnx_attr *attr = &nodes[i].attrs[a];
            for (size_t g = 0; g < attr->n_graphs; g++)
                LM_TRY(scan(o, opset, opsets, attr->graphs[g].nodes, attr->graphs[g].n_nodes, p));
            if (attr->g)
                LM_TRY(scan(o, opset, opsets, attr->g->nodes, attr->g->n_nodes, p));
        }
    }
    return LM_OK;
}

/* By value: some input of the graph goes into it. */
static bool *varies(const lm_graph *g)
{
    bool *from = lm_calloc(g->values.count, sizeof *from);
    for (size_t i = 0; from && i < g->inputs.count; i++)
        from[g->inputs.at[i]] = true;
    for (size_t i = 0; from && i < g->nodes.count; i++) {
        const lm_node *n = g->nodes.at[i];
        bool any = false;
        for (int k = 0; k < n->nx; k++)
            any |= from[n->x[k]];
        for (int k = 0; k < n->ny; k++)
            from[n->y[k]] = any;
    }
    return from;
}

static bool is_float(const lm_graph *g, lm_val v)
{
    return lm_dtype_is_float(lm_graph_value(g, v)->type.dt);
}

/* Rows looked up in a table by what is fed: for tokens this is where explanations end. */
static bool embeds(const lm_graph *g, const lm_node *n)
{
    return n->op == LM_OP_GATHER && lm_graph_value(g, n->x[0])->constant && is_float(g, n->x[0]) &&
           !is_float(g, n->x[1]);
}

bool *lm_gradient_reach(const lm_graph *g)
{
    bool *reach = lm_calloc(g->values.count, sizeof *reach), *from = varies(g);
    for (size_t i = 0; reach && from && i < g->outputs.count; i++)
        reach[g->outputs.at[i]] = from[g->outputs.at[i]] && is_float(g, g->outputs.at[i]);
    for (size_t i = g->nodes.count; reach && from && i-- > 0;) {
        const lm_node *n = g->nodes.at[i];
        bool any = false;
        for (int k = 0; k < n->ny; k++)
            any |= reach[n->y[k]];
        any = any && (lm_ops[n->op].grad == LM_GRAD_SMOOTH || lm_ops[n->op].grad == LM_GRAD_PIECE);
        for (int k = 0; any && k < n->nx; k++)
            reach[n->x[k]] |= from[n->x[k]] && is_float(g, n->x[k]);
    }
    lm_free(from);
    if (reach && from)
        return reach;
    lm_free(reach);
    return NULL;
}

/* If no gradient arrives at any float input or embedding, every op that stops one is named; a stopped side branch is no
 * problem. */
static lm_status check_gradient(const lm_built *b, lm_problems *p)
{
    const lm_graph *g = b->graph;
    bool *reach = lm_gradient_reach(g), *from = varies(g);
    lm_status status = reach && from ? LM_OK : LM_MEMORY;
    bool arrives = false;
    for (size_t i = 0; status == LM_OK && i < g->inputs.count; i++)
        arrives |= reach[g->inputs.at[i]];
    for (size_t i = 0; status == LM_OK && i < g->nodes.count; i++)
        arrives |= embeds(g, g->nodes.at[i]) && reach[g->nodes.at[i]->y[0]];
    for (size_t i = 0; status == LM_OK && !arrives && i < g->nodes.count; i++) {
        const lm_node *n = g->nodes.at[i];
        bool fed = false, stops = lm_ops[n->op].grad == LM_GRAD_ZERO || lm_ops[n->op].grad == LM_GRAD_OPAQUE;
        for (int k = 0; k < n->nx; k++)
            fed |= from[n->x[k]] && is_float(g, n->x[k]);
        if (fed && stops)
            status = add(p, false, NULL, n->name ? n->name : "", lm_ops[n->op].name,
                         lm_ops[n->op].grad == LM_GRAD_ZERO ? "its gradient is zero everywhere" : "it has no gradient");
    }
    if (status == LM_OK && !arrives && p->at.count == 0)
        status = add(p, false, NULL, "", "", "no output depends on a float input or an embedding of tokens");
    lm_free(reach);
    lm_free(from);
    return status;
}

/* Operators that fail, when free sizes are `size`. */
static lm_status survey(lm_model *m, const lm_chain *fold, int64_t size, lm_survey **out)
{
    int n;
    const lm_port *port = lm_model_inputs(m, &n);
    lm_feed *feed = lm_calloc((size_t)n, sizeof *feed);
    lm_survey *s = NULL;
    lm_status status = feed ? lm_survey_open(&s) : LM_MEMORY;
    for (int i = 0; i < n && status == LM_OK; i++) {
        feed[i] = lm_view_absent();
        if (!port[i].optional)
            status = make_up(&port[i], size, &feed[i]);
    }
    if (status == LM_OK)
        status = lm_model_survey(m, fold, feed, s);
    if (feed)
        lm_feeds_free(feed, n);
    lm_free(feed);
    if (status == LM_OK)
        *out = s;
    else
        lm_survey_close(s);
    return status;
}

/* Everything that fails, at the size at which least does. `why`: what is wrong where no operator is to blame. */
static lm_status add_faults(lm_model *m, const lm_chain *fold, const char *why, lm_problems *p)
{
    lm_survey *best = NULL, *s;
    size_t least = SIZE_MAX, n;
    for (size_t k = 0; k < LM_COUNT(usual) && least > 0; k++) {
        lm_status status = survey(m, fold, usual[k], &s);
        if (status == LM_MEMORY) {
            lm_survey_close(best);
            return status;
        }
        if (status != LM_OK)
            continue;
        lm_survey_faults(s, &n);
        lm_survey *worse = n < least ? best : s;
        best = n < least ? s : best;
        least = n < least ? n : least;
        lm_survey_close(worse);
    }
    const lm_fault *fault = best ? lm_survey_faults(best, &n) : NULL;
    lm_status status = LM_OK;
    for (size_t i = 0; fault && i < n && status == LM_OK; i++) {
        const onnx_node *node = fault[i].node;
        bool plain = !node->domain[0] || strcmp(node->domain, "ai.onnx") == 0;
        char op[160];
        snprintf(op, sizeof op, "%s%s%s", plain ? "" : node->domain, plain ? "" : ".", node->op_type);
        if (!is_listed(p, node))
            status = add(p, true, node, node->name, op, fault[i].reason);
    }
    lm_survey_close(best);
    return status == LM_OK && !p->at.count ? add(p, true, NULL, "", "", why) : status;
}

static lm_status check_build(lm_model *m, const lm_chain *fold, lm_problems *p)
{
    int n;
    char why[1024];
    lm_model_inputs(m, &n);
    lm_feed *feed = lm_calloc((size_t)n, sizeof *feed);
    if (!feed)
        return LM_MEMORY;
    lm_built *b = NULL;
    lm_status status = p->at.count ? LM_UNSUPPORTED : lm_model_guess(m, fold, feed, &b);
    snprintf(why, sizeof why, "%s", lm_message());
    if (status == LM_OK)
        status = check_gradient(b, p);
    else if (status != LM_MEMORY)
        status = add_faults(m, fold, why, p);
    if (b)
        lm_feeds_free(feed, n);
    lm_built_free(b);
    lm_free(feed);
    return status;
}

static lm_status check_all(lm_model *m, const lm_chain *fold, lm_problems *p)
{
    const onnx_model *o = lm_model_onnx(m);
    LM_TRY(scan(o, o->opsets, o->n_opsets, o->graph->nodes, o->graph->n_nodes, p));
    for (size_t i = 0; i < o->n_functions; i++) {
        const onnx_function *f = &o->functions[i];
        LM_TRY(scan(o, f->n_opsets ? f->opsets : o->opsets, f->n_opsets ? f->n_opsets : o->n_opsets, f->nodes,
                    f->n_nodes, p));
    }
    return check_build(m, fold, p);
}

lm_status lm_model_check(lm_model *m, const lm_chain *fold, lm_problems *out)
{
    lm_problems p = {0};
    lm_status status = check_all(m, fold, &p);
    if (status == LM_OK)
        *out = p;
    else
        lm_problems_free(&p);
    return status;
}

void lm_problems_free(lm_problems *p)
{
    lm_vec_free(&p->at);
    lm_arena_free(&p->arena);
}
