/* Attention that a file has as one operator, taken apart in the graph that a study works on, so that what tokens look
 * at is a value with a name. Done when somebody first asks for such values: whole operators run faster. */
#include "core/explain/pass.h"
#include "core/graph/expand.h"
#include "core/graph/rewrite.h"

typedef struct opening {
    int count;
    lm_val *found; /* by number: probabilities in the new graph */
} opening;

/* The probabilities [batch, heads, queries, keys] from the result of an expansion. */
static lm_val weights_of(const lm_graph *g, lm_val y)
{
    const lm_node *n = lm_graph_value(g, y)->producer;
    while (n && n->op == LM_OP_RESHAPE)
        n = lm_graph_value(g, n->x[0])->producer;
    if (!n || n->op != LM_OP_MATMUL)
        return LM_NOVAL;
    const lm_node *moved = lm_graph_value(g, n->x[0])->producer;
    return moved && moved->op == LM_OP_RESHAPE ? moved->x[0] : n->x[0];
}

static bool open_attention(lm_rewrite *r, const lm_node *n)
{
    opening *own = r->own;
    lm_val x[4], y = LM_NOVAL;
    if (n->op != LM_OP_ATTENTION)
        return false;
    for (int i = 0; i < n->nx; i++)
        x[i] = n->x[i] == LM_NOVAL ? LM_NOVAL : lm_rewrite_in(r, n->x[i]);
    const lm_composite c = {.op = n->op, .a = n->a, .nx = n->nx, .ny = 1, .x = x, .y = &y};
    if (r->e.status == LM_OK && lm_expand(&r->e, &c) == LM_OK) {
        r->map[n->y[0]] = y;
        own->found[own->count++] = weights_of(r->e.g, y);
    }
    return true;
}

lm_status lm_study_attention_name(lm_study *s, int number, const char **out)
{
    lm_str text = {0};
    lm_str_printf(&text, "attention %d: probabilities", number);
    lm_status status = text.status == LM_OK ? lm_study_intern(s, lm_str_text(&text), out) : text.status;
    lm_str_free(&text);
    return status;
}

/* From values of the built graph to those that `map` leads to from the graph of the build. */
static void lead_on(study_build *b, const lm_val *map)
{
    const size_t n = b->built->graph->values.count;
    for (size_t v = 0; b->map && v < n; v++)
        b->map[v] = map[b->map[v]];
}

lm_status lm_study_open_attention(lm_study *s, study_build *b)
{
    static const lm_rewrite_rule rules[] = {open_attention, NULL};
    const lm_graph *from = study_graph(b);
    lm_graph *to = NULL;
    lm_val *map = NULL;
    opening own = {.found = lm_calloc(from->nodes.count + 1, sizeof(lm_val))};
    if (!own.found)
        return LM_MEMORY;
    lm_status status = lm_rewrite_graph(from, s->chain, rules, &own, &to, &map);
    for (int i = 0; i < own.count && status == LM_OK; i++) {
        const char *name;
        status = lm_study_attention_name(s, i, &name);
        if (status == LM_OK && own.found[i] != LM_NOVAL)
            status = lm_map_put_num(&b->opened, name, own.found[i]);
    }
    lm_free(own.found);
    if (status != LM_OK) {
        lm_graph_free(to);
        lm_free(map);
        return status;
    }
    lead_on(b, map);
    if (b->map)
        lm_free(map);
    else
        b->map = map;
    lm_graph_free(b->wide);
    b->wide = to;
    return LM_OK;
}
