/* The order in which the operators of a graph can run. Files have to be sorted and mostly are; for those that are not,
 * an order is found once and kept with the model. */
#include <string.h>

#include "core/model/builder.h"

/* One list of operators: who makes which name, and how many names each operator still waits for. */
typedef struct sorter {
    const onnx_node *nodes;
    size_t n_nodes;
    lm_map maker;   /* name to position */
    int *waits;     /* by position */
    LM_VEC(int) edge_to, edge_next; /* for each maker, a chain of those who wait for it */
    int *first;     /* by position: its first edge + 1 */
    int *order;
    size_t sorted;
    bool forward;   /* no operator stands before one that it needs */
} sorter;

static lm_status wait_for(sorter *s, size_t reader, const char *name)
{
    const lm_cell *maker = name[0] ? lm_map_gets(&s->maker, name) : NULL;
    if (!maker)
        return LM_OK;
    int at = (int)maker->num;
    if ((size_t)at == reader) /* the output of a branch often has the name of the If that it is the output of */
        return LM_OK;
    s->forward = s->forward && (size_t)at < reader;
    LM_TRY(lm_vec_push(&s->edge_to, (int)reader));
    LM_TRY(lm_vec_push(&s->edge_next, s->first[at]));
    s->first[at] = (int)s->edge_to.count;
    s->waits[reader]++;
    return LM_OK;
}

/* Everything that an operator reads, the names that its bodies take from outside included. Names made inside a body
 * hide nothing here: waiting for too much is harmless, since an outer operator of that name would clash anyway. */
static lm_status wait_for_all(sorter *s, size_t reader, const onnx_node *n)
{
    for (size_t i = 0; i < n->n_inputs; i++)
        LM_TRY(wait_for(s, reader, n->inputs[i]));
    for (size_t a = 0; a < n->n_attrs; a++)
        for (size_t g = 0; g < n->attrs[a].n_graphs + (n->attrs[a].g != NULL); g++) {
            const onnx_graph *body = g < n->attrs[a].n_graphs ? &n->attrs[a].graphs[g] : n->attrs[a].g;
            for (size_t i = 0; i < body->n_nodes; i++)
                LM_TRY(wait_for_all(s, reader, &body->nodes[i]));
            for (size_t i = 0; i < body->n_outputs; i++)
                LM_TRY(wait_for(s, reader, body->outputs[i].name));
        }
    return LM_OK;
}

static lm_status connect(sorter *s)
{
    for (size_t i = 0; i < s->n_nodes; i++)
        for (size_t k = 0; k < s->nodes[i].n_outputs; k++) {
            const char *name = s->nodes[i].outputs[k];
            if (name[0])
                LM_TRY(lm_map_put_num(&s->maker, name, (int64_t)i));
        }
    s->forward = true;
    for (size_t i = 0; i < s->n_nodes; i++)
        LM_TRY(wait_for_all(s, i, &s->nodes[i]));
    return LM_OK;
}

/* Those that wait for nothing, in the file's order, then those that waited for them only. */
static lm_status sort(sorter *s)
{
    for (size_t i = 0; i < s->n_nodes; i++)
        if (s->waits[i] == 0)
            s->order[s->sorted++] = (int)i;
    for (size_t at = 0; at < s->sorted; at++)
        for (int e = s->first[s->order[at]]; e; e = s->edge_next.at[e - 1])
            if (--s->waits[s->edge_to.at[e - 1]] == 0)
                s->order[s->sorted++] = s->edge_to.at[e - 1];
    for (size_t i = 0; i < s->n_nodes; i++)
        LM_REQUIRE(s->waits[i] == 0, LM_INPUT, "operators wait for each other in a circle, among them '%s' (%s)",
                   s->nodes[i].name, s->nodes[i].op_type);
    return LM_OK;
}

static lm_status find_order(lm_model *m, sorter *s)
{
    s->waits = lm_calloc(s->n_nodes, sizeof *s->waits);
    s->first = lm_calloc(s->n_nodes, sizeof *s->first);
    if (!s->waits || !s->first)
        return LM_MEMORY;
    LM_TRY(connect(s));
    if (s->forward)
        return LM_OK;
    s->order = lm_arena_alloc(&m->arena, s->n_nodes, sizeof *s->order);
    return s->order ? sort(s) : LM_MEMORY;
}

lm_status lm_model_order(lm_model *m, const onnx_node *nodes, size_t n, const int **out)
{
    *out = NULL;
    if (n == 0)
        return LM_OK;
    pthread_mutex_lock(&m->lock);
    lm_status status = LM_OK;
    const lm_cell *known = lm_map_get(&m->orders, &nodes, sizeof nodes);
    if (known) {
        *out = known->ptr;
    } else {
        sorter s = {.nodes = nodes, .n_nodes = n};
        status = find_order(m, &s);
        if (status == LM_OK)
            status = lm_map_put(&m->orders, &nodes, sizeof nodes, (lm_cell){.ptr = s.order});
        if (status == LM_OK)
            *out = s.order;
        lm_map_free(&s.maker);
        lm_free(s.waits);
        lm_free(s.first);
        lm_vec_free(&s.edge_to);
        lm_vec_free(&s.edge_next);
    }
    pthread_mutex_unlock(&m->lock);
    return status;
}
