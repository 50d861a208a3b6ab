/* From what a user types to a value of the graph. */
#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/nearest.h"
#include "core/model/layers.h"

/* The text without ":in" or ":out", and which of the two it was. */
typedef struct query {
    lm_layers *l;
    char *text;
    bool in;
    lm_layer_point *out;
} query;

static lm_status explain(query *q, const char *format, ...) LM_PRINTF(2, 3);
static lm_status explain(query *q, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    q->out->why = lm_arena_strdup(&q->l->arena, text);
    return q->out->why ? LM_OK : LM_MEMORY;
}

static int row_of(const lm_layers *l, lm_val v)
{
    for (size_t i = 0; i < l->rows.count; i++)
        for (int k = 0; k < l->rows.at[i].layer->ny; k++)
            if (l->rows.at[i].layer->y[k] == v)
                return (int)i;
    return -1;
}

/* Every try answers true when it understood the text; `status` then says how it went. */
typedef bool (*attempt)(query *q, lm_status *status);

static lm_status take_rows(query *q, int first, int last)
{
    q->out->row = q->in ? first : last;
    q->out->v = q->in ? q->l->rows.at[first].in : q->l->rows.at[last].out;
    LM_REQUIRE(q->out->v != LM_NOVAL, LM_USAGE, "layer '%s': nothing that varies goes into it", q->text);
    return LM_OK;
}

static bool try_value(query *q, lm_status *status)
{
    const lm_cell *cell = lm_map_gets(&q->l->built->values, q->text);
    if (!cell || cell->num == LM_NOVAL)
        return false;
    lm_val v = (lm_val)cell->num;
    int row = row_of(q->l, v);
    if (row >= 0 && q->in) {
        *status = take_rows(q, row, row);
    } else {
        q->out->v = v;
        q->out->row = row;
    }
    if (*status == LM_OK)
        *status = explain(q, "value %s", q->text);
    return true;
}

static bool try_node(query *q, lm_status *status)
{
    for (size_t i = 0; i < q->l->rows.count; i++)
        if (strcmp(q->l->rows.at[i].layer->node->name, q->text) == 0) {
            *status = take_rows(q, (int)i, (int)i);
            if (*status == LM_OK)
                *status = explain(q, "node %s", q->text);
            return true;
        }
    return false;
}

/* Is `module` this path, or below it? */
static bool below(const char *module, const char *path, size_t bytes)
{
    return strncmp(module, path, bytes) == 0 && (module[bytes] == 0 || module[bytes] == '.');
}

/* The child that a layer belongs to, below a path: "18" of "features.18.conv" below "features". */
static size_t child_of(const char *module, size_t bytes, const char **child)
{
    *child = module + bytes + (bytes > 0);
    return module[bytes] ? strcspn(*child, ".") : 0;
}

/* The children of `path`, in order of execution, each once; what is behind a child's name is the rest of a module's. */
typedef LM_VEC(const char *) children;

static lm_status list_children(const lm_layers *l, const char *path, children *out)
{
    size_t bytes = strlen(path);
    for (size_t i = 0; i < l->rows.count; i++) {
        const char *module = l->rows.at[i].module, *child;
        if (bytes && !below(module, path, bytes))
            continue;
        size_t n = child_of(module, bytes, &child);
        bool known = n == 0;
        for (size_t k = 0; k < out->count && !known; k++)
            known = strncmp(out->at[k], child, n) == 0 && (out->at[k][n] == '.' || out->at[k][n] == 0);
        if (!known)
            LM_TRY(lm_vec_push(out, child));
    }
    return LM_OK;
}

/* The name of the child that [index] means below `path`: the one that is called so, as in a sequence some of whose
 * members leave no trace in the file; where none is called by a number, or from the end, by position. */
static bool pick_child(const lm_layers *l, const char *path, long index, char *out, size_t room)
{
    children all = {0};
    long at = -1;
    bool numbers = false;
    if (list_children(l, path, &all) != LM_OK)
        all.count = 0;
    for (size_t i = 0; i < all.count; i++) {
        char *end;
        long number = strtol(all.at[i], &end, 10);
        bool is_number = end > all.at[i] && (*end == '.' || *end == 0);
        numbers |= is_number;
        if (is_number && number == index)
            at = (long)i;
    }
    if (index < 0)
        at = (long)all.count + index;
    else if (!numbers)
        at = index;
    bool found = at >= 0 && at < (long)all.count;
    if (found)
        snprintf(out, room, "%.*s", (int)strcspn(all.at[at], "."), all.at[at]);
    lm_vec_free(&all);
    return found;
}

/* "features[-1].conv" with every [i] replaced by the child's name; false when there is none or the text is
 * malformed. */
static bool plain_path(const lm_layers *l, const char *text, char *path, size_t room)
{
    size_t count = 0;
    path[0] = 0;
    for (const char *at = text; *at;) {
        char child[128];
        if (*at == '[') {
            char *end;
            long index = strtol(at + 1, &end, 10);
            if (end == at + 1 || *end != ']' || !pick_child(l, path, index, child, sizeof child))
                return false;
            at = end + 1;
        } else {
            size_t n = strcspn(at, "[.");
            if (n == 0 || n >= sizeof child)
                return false;
            snprintf(child, sizeof child, "%.*s", (int)n, at);
            at += n;
        }
        at += *at == '.';
        int added = snprintf(path + count, room - count, "%s%s", count ? "." : "", child);
        if (added < 0 || (size_t)added >= room - count)
            return false;
        count += (size_t)added;
    }
    return count > 0;
}

static bool take_module(query *q, const char *text, lm_status *status)
{
    char path[512];
    if (!plain_path(q->l, text, path, sizeof path))
        return false;
    size_t bytes = strlen(path);
    for (int alias = 0; alias < 2; alias++) {
        int first = -1, last = -1;
        for (size_t i = 0; i < q->l->rows.count; i++) {
            const lm_layer_row *r = &q->l->rows.at[i];
            if (!below(alias ? r->alias : r->module, path, bytes))
                continue;
            first = first < 0 ? (int)i : first;
            last = (int)i;
        }
        if (first < 0)
            continue;
        *status = take_rows(q, first, last);
        q->out->folded = alias;
        if (*status == LM_OK && alias)
            *status = explain(q, "module %s, which the exporter folded with %s", path, q->l->rows.at[last].module);
        else if (*status == LM_OK)
            *status = explain(q, "module %s", path);
        return true;
    }
    return false;
}

/* The one module whose path ends in the text, whatever is around it: "conv1_relu" of
 * "StatefulPartitionedCall.model.conv1_relu". */
static bool take_ending(query *q, lm_status *status)
{
    char path[512] = "";
    size_t n = strlen(q->text), found = 0;
    for (size_t i = 0; n && i < q->l->rows.count; i++) {
        const char *module = q->l->rows.at[i].module;
        for (const char *at = strchr(module, '.'); at; at = strchr(at + 1, '.')) {
            size_t bytes = (size_t)(at - module) + 1 + n;
            if (!below(at + 1, q->text, n) || bytes >= sizeof path || (bytes == found && !memcmp(path, module, bytes)))
                continue;
            if (found)
                return false;
            memcpy(path, module, bytes);
            found = bytes;
        }
    }
    return found && take_module(q, path, status);
}

/* Users often write the name of their variable in front, "model.layer4", and leave out what exporters put there. */
static bool try_module(query *q, lm_status *status)
{
    static const char *const variables[] = {"model.", "module.", "net.", "network.", "self."};
    if (take_module(q, q->text, status))
        return true;
    for (size_t i = 0; i < LM_COUNT(variables); i++)
        if (strncmp(q->text, variables[i], strlen(variables[i])) == 0 &&
            take_module(q, q->text + strlen(variables[i]), status))
            return true;
    return take_ending(q, status);
}

/* Of a name with a path in front, the last part may be all that a user wrote. */
static int distance(const char *text, const char *name)
{
    const char *dot = strrchr(name, '.');
    int whole = lm_word_distance(text, name), last = dot ? lm_word_distance(text, dot + 1) : whole;
    return last < whole ? last : whole;
}

/* "did you mean a, b or c": likely slips, or else the nearest however far they are. */
static void suggest(const char *text, const children *known, lm_str *out)
{
    enum { SHOWN = 3 };
    const char *best[SHOWN + 1];
    int score[SHOWN + 1];
    size_t n = 0;
    lm_str near = {0};
    if (!lm_nearest(text, known->at, known->count, &near)) {
        for (size_t i = 0; i < known->count; i++) {
            int s = distance(text, known->at[i]);
            size_t at = n;
            for (; at > 0 && score[at - 1] > s; at--) {
                best[at] = best[at - 1];
                score[at] = score[at - 1];
            }
            best[at] = known->at[i];
            score[at] = s;
            n += n < SHOWN;
        }
        lm_list_words(best, n, &near);
    }
    lm_str_printf(out, "%s%s", near.count ? "did you mean " : "`limn summary` lists them", lm_str_text(&near));
    lm_str_free(&near);
}

/* No layer is of that operator, or not so many. */
static lm_status wrong_operator(const query *q, const char *op, long count)
{
    if (count)
        return lm_fail(LM_USAGE, "layer '%s': the model has %ld layers of that operator; `limn summary` lists them",
                       q->text, count);
    children ops = {0};
    lm_str near = {0};
    lm_status status = LM_OK;
    for (size_t i = 0; i < q->l->rows.count && status == LM_OK; i++) {
        bool known = false;
        for (size_t k = 0; k < ops.count; k++)
            known |= strcmp(ops.at[k], q->l->rows.at[i].layer->node->op_type) == 0;
        if (!known)
            status = lm_vec_push(&ops, q->l->rows.at[i].layer->node->op_type);
    }
    suggest(op, &ops, &near);
    lm_vec_free(&ops);
    lm_fail(LM_USAGE, "layer '%s': the model has no layer of operator '%s'; %s", q->text, op, lm_str_text(&near));
    lm_str_free(&near);
    return LM_USAGE;
}

static bool try_operator(query *q, lm_status *status)
{
    char *at = strchr(q->text, '@'), *end;
    if (!at || !at[1])
        return false;
    long index = strtol(at + 1, &end, 10);
    if (*end)
        return false;
    long count = 0, wanted;
    size_t bytes = (size_t)(at - q->text);
    for (int pass = 0; pass < 2; pass++) {
        wanted = index < 0 ? count + index : index;
        long seen = 0;
        for (size_t i = 0; i < q->l->rows.count; i++) {
            const char *op = q->l->rows.at[i].layer->node->op_type;
            if (strlen(op) != bytes || strncasecmp(op, q->text, bytes) != 0)
                continue;
            if (pass && seen == wanted) {
                *status = take_rows(q, (int)i, (int)i);
                if (*status == LM_OK)
                    *status = explain(q, "%s number %ld of %ld", op, wanted, count);
                return true;
            }
            seen++;
        }
        count = seen;
    }
    *at = 0;
    char *op = lm_arena_strdup(&q->l->arena, q->text);
    *at = '@';
    *status = op ? wrong_operator(q, op, count) : LM_MEMORY;
    return true;
}

static bool try_number(query *q, lm_status *status)
{
    char *end;
    bool negative = q->text[0] == '#' && q->text[1] == '-';
    if (q->text[0] != '#' || !isdigit((unsigned char)q->text[1 + negative]))
        return false;
    unsigned long at = strtoul(q->text + 1 + negative, &end, 10);
    if (*end)
        return false;
    if (negative || at >= q->l->rows.count) {
        *status = lm_fail(LM_USAGE, "layer '%s': the model has %zu layers, #0 to #%zu; `limn summary` lists them",
                          q->text, q->l->rows.count, q->l->rows.count - !!q->l->rows.count);
        return true;
    }
    *status = take_rows(q, (int)at, (int)at);
    if (*status == LM_OK)
        *status = explain(q, "layer %lu", at);
    return true;
}

static bool try_glob(query *q, lm_status *status)
{
    int first = -1, last = -1;
    if (!strpbrk(q->text, "*?["))
        return false;
    for (size_t i = 0; i < q->l->rows.count; i++) {
        const lm_layer_row *r = &q->l->rows.at[i];
        if (fnmatch(q->text, r->module, 0) != 0 && fnmatch(q->text, r->layer->node->name, 0) != 0)
            continue;
        first = first < 0 ? (int)i : first;
        last = (int)i;
    }
    if (first < 0)
        return false;
    *status = take_rows(q, first, last);
    if (*status == LM_OK)
        *status = explain(q, "the %s of the layers that match %s", q->in ? "first" : "last", q->text);
    return true;
}

static bool try_auto(query *q, lm_status *status)
{
    if (strcmp(q->text, "auto") != 0)
        return false;
    q->out->v = lm_layers_suggest(q->l);
    if (q->out->v == LM_NOVAL) {
        *status =
            lm_fail(LM_USAGE, "layer 'auto': no value with spatial axes lies on all ways to the output; name a layer "
                              "(`limn summary` lists them)");
        return true;
    }
    q->out->row = row_of(q->l, q->out->v);
    *status = explain(q, "the last value with spatial axes on all ways to the output");
    return true;
}

/* All names of layers: modules, what they are in, and nodes without one; each once, or nearly. */
static lm_status list_names(const query *q, children *out)
{
    const char *last = "";
    for (size_t i = 0; i < q->l->rows.count; i++) {
        const lm_layer_row *r = &q->l->rows.at[i];
        if (!r->module[0]) {
            if (r->layer->node->name[0])
                LM_TRY(lm_vec_push(out, r->layer->node->name));
            continue;
        }
        for (size_t bytes = 0; bytes == 0 || r->module[bytes];) {
            bytes += bytes > 0;
            bytes += strcspn(r->module + bytes, ".");
            if (below(last, r->module, bytes))
                continue;
            char *name = lm_arena_alloc(&q->l->arena, bytes + 1, 1);
            if (!name)
                return LM_MEMORY;
            memcpy(name, r->module, bytes);
            LM_TRY(lm_vec_push(out, name));
        }
        last = r->module;
    }
    return LM_OK;
}

static lm_status unknown(const query *q)
{
    children names = {0};
    lm_str near = {0};
    if (list_names(q, &names) != LM_OK)
        names.count = 0;
    suggest(q->text, &names, &near);
    lm_status status = lm_fail(LM_USAGE, "the model has no layer '%s'; %s", q->text, lm_str_text(&near));
    lm_vec_free(&names);
    lm_str_free(&near);
    return status;
}

lm_status lm_layers_find(lm_layers *l, const char *text, lm_layer_point *out)
{
    static const attempt attempts[] = {try_value, try_node, try_module, try_operator, try_number, try_glob, try_auto};
    LM_REQUIRE(*text, LM_USAGE, "a layer's name is empty; `limn summary` lists them");
    lm_layer_point point = {.row = -1};
    query q = {.l = l, .out = &point, .text = lm_arena_strdup(&l->arena, text)};
    if (!q.text)
        return LM_MEMORY;
    /* names may hold colons themselves, so the whole text is tried before its ending is taken for a side */
    for (int sided = 0; sided < 2; sided++) {
        char *colon = strrchr(q.text, ':');
        if (sided) {
            bool in = colon && strcmp(colon, ":in") == 0;
            if (!in && !(colon && strcmp(colon, ":out") == 0))
                break;
            *colon = 0;
            q.in = in;
        }
        for (size_t i = 0; i < LM_COUNT(attempts); i++) {
            lm_status status = LM_OK;
            if (!attempts[i](&q, &status))
                continue;
            if (status == LM_OK)
                *out = point;
            return status;
        }
    }
    return unknown(&q);
}
