/* The tests of a folder that is laid out as the ONNX project's: GROUP/TEST/model.onnx beside its data sets, and
 * real/TEST/data.json, which points at a network in light/. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "tests/onnx/suite.h"

static const char *const groups[] = {"simple", "pytorch-operator", "pytorch-converted", "node"};

static char *join(suite *s, const char *a, const char *b, const char *c, const char *d)
{
    lm_str text = {0};
    lm_str_printf(&text, "%s%s%s%s", a, b, c, d);
    char *kept = lm_arena_strdup(&s->arena, lm_str_text(&text));
    lm_str_free(&text);
    return kept;
}

/* Tests whose wanted values are themselves further from the truth than the suite allows. */
static double allowed(const char *name)
{
    static const struct {
        const char *begins;
        double atol;
    } rows[] = {{"test_dft_inverse", 1e-6}}; /* zeros that were computed in float32 as 2e-7 */
    for (size_t i = 0; i < LM_COUNT(rows); i++)
        if (strncmp(name, rows[i].begins, strlen(rows[i].begins)) == 0)
            return rows[i].atol;
    return 1e-7;
}

/* Adds the test when its model is there; a model that does not open is left for the run to tell. */
static lm_status add(suite *s, suite_test t)
{
    if (!t.name || !t.model)
        return LM_MEMORY;
    if (access(t.model, R_OK) != 0)
        return LM_OK;
    onnx_model *m;
    t.op = "(several)";
    if (!t.tier)
        t.tier = TIER_3;
    if (onnx_model_open(t.model, NULL, &m) == LM_OK) {
        if (t.tier != TIER_LIGHT)
            t.tier = suite_tier(t.name, m);
        if (m->graph->n_nodes == 1)
            t.op = lm_arena_strdup(&s->arena, m->graph->nodes[0].op_type);
        onnx_model_close(m);
    }
    return t.op ? lm_vec_push(&s->test, t) : LM_MEMORY;
}

static lm_status add_group(suite *s, const char *folder, const char *group)
{
    char *path = join(s, folder, "/", group, "");
    lm_names names = {0};
    if (!path || lm_dir_list(path, "", &names) != LM_OK)
        return path ? LM_OK : LM_MEMORY;
    lm_status status = LM_OK;
    for (size_t i = 0; status == LM_OK && i < names.count; i++) {
        char *test = join(s, path, "/", names.at[i], "");
        status = !test ? LM_MEMORY
                       : add(s, (suite_test){.name = lm_arena_strdup(&s->arena, names.at[i]),
                                             .folder = test,
                                             .rtol = 1e-3,
                                             .atol = allowed(names.at[i]),
                                             .model = join(s, test, "/model.onnx", "", "")});
    }
    lm_names_free(&names);
    return status;
}

/* The number after "key": in a data.json, which holds nothing nested. */
static double number_of(const char *json, const char *key, double otherwise)
{
    const char *at = strstr(json, key);
    at = at ? strchr(at, ':') : NULL;
    return at ? strtod(at + 1, NULL) : otherwise;
}

static lm_status add_network(suite *s, const char *folder, const char *name)
{
    char json[1024] = "";
    const char *path = join(s, folder, "/real/", name, "/data.json");
    FILE *in = path ? fopen(path, "r") : NULL;
    if (!in)
        return path ? LM_OK : LM_MEMORY;
    json[fread(json, 1, sizeof json - 1, in)] = 0;
    fclose(in);
    const char *network = name + (strncmp(name, "test_", 5) == 0 ? 5 : 0);
    return add(s, (suite_test){.name = lm_arena_strdup(&s->arena, name), .tier = TIER_LIGHT,
                               .model = join(s, folder, "/light/light_", network, ".onnx"),
                               .answer = join(s, folder, "/light/light_", network, "_output_0.pb"),
                               .rtol = number_of(json, "\"rtol\"", 1e-3), .atol = number_of(json, "\"atol\"", 1e-7)});
}

static lm_status add_networks(suite *s, const char *folder)
{
    char *path = join(s, folder, "/real", "", "");
    lm_names names = {0};
    if (!path || lm_dir_list(path, "", &names) != LM_OK)
        return path ? LM_OK : LM_MEMORY;
    lm_status status = LM_OK;
    for (size_t i = 0; status == LM_OK && i < names.count; i++)
        status = add_network(s, folder, names.at[i]);
    lm_names_free(&names);
    return status;
}

/* A function's body tests the function: test_x_expanded and test_x_expanded_ver18 are about what test_x is about. */
static void name_expanded(suite *s)
{
    for (size_t i = 0; i < s->test.count; i++) {
        suite_test *t = &s->test.at[i];
        const char *cut = strstr(t->name, "_expanded");
        char base[256];
        if (!cut || (size_t)(cut - t->name) >= sizeof base)
            continue;
        snprintf(base, sizeof base, "%.*s", (int)(cut - t->name), t->name);
        const suite_test *of = suite_lookup(s, base);
        if (of)
            t->op = of->op;
    }
}

lm_status suite_find(const char *folder, suite *out)
{
    suite s = {0};
    lm_status status = LM_OK;
    for (size_t g = 0; status == LM_OK && g < LM_COUNT(groups); g++)
        status = add_group(&s, folder, groups[g]);
    if (status == LM_OK)
        status = add_networks(&s, folder);
    if (status == LM_OK && !s.test.count)
        status = lm_fail(LM_INPUT, "%s holds no tests; it should hold folders such as node/test_abs", folder);
    if (status != LM_OK) {
        suite_free(&s);
        return status;
    }
    name_expanded(&s);
    *out = s;
    return LM_OK;
}

suite_test *suite_lookup(const suite *s, const char *name)
{
    for (size_t i = 0; i < s->test.count; i++)
        if (strcmp(s->test.at[i].name, name) == 0)
            return &s->test.at[i];
    return NULL;
}

void suite_free(suite *s)
{
    lm_vec_free(&s->test);
    lm_arena_free(&s->arena);
}
