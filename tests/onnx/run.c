/* One test: feed what its data sets hold, and compare what comes back. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/model/onnx_tensor.h"
#include "core/run/session.h"
#include "tests/onnx/attempt.h"

static lm_status load(attempt *a, const char *path, const onnx_value_info *about, lm_view *out)
{
    static const char *const kinds[] = {
        [ONNX_TYPE_SEQUENCE] = "a sequence", [ONNX_TYPE_MAP] = "a map", [ONNX_TYPE_OPAQUE] = "opaque",
        [ONNX_TYPE_SPARSE] = "a sparse tensor", [ONNX_TYPE_OPTIONAL] = "optional"};
    LM_REQUIRE(about->type.kind == ONNX_TYPE_TENSOR || about->type.kind == ONNX_TYPE_NONE, LM_UNSUPPORTED,
               "'%s' is %s; sessions take and give tensors", about->name, kinds[about->type.kind]);
    piece p = {.view = lm_view_absent()};
    LM_TRY(lm_file_map(path, &p.file));
    onnx_tensor *t;
    lm_status status = onnx_tensor_parse(p.file.bytes, p.file.size, path, &a->arena, &t);
    if (status == LM_OK)
        status = onnx_tensor_view(NULL, t, &p.view);
    if (status == LM_OK && lm_vec_push(&a->piece, p) == LM_OK) {
        *out = p.view;
        if (about->type.elem_type == ONNX_BFLOAT16 && out->dt == LM_U16) /* so release 1.12 wrote them */
            out->dt = LM_BF16;
        return LM_OK;
    }
    if (status == LM_OK)
        lm_buffer_unref(p.view.buf);
    lm_file_unmap(&p.file);
    return status == LM_OK ? LM_MEMORY : status;
}

/* The k-th file of a kind ("input", "output") in a data set; false when there is none. */
static bool data_path(const suite_test *t, int set, const char *kind, size_t k, char path[1024])
{
    snprintf(path, 1024, "%s/test_data_set_%d/%s_%zu.pb", t->folder, set, kind, k);
    return access(path, F_OK) == 0;
}

static bool is_initializer(const onnx_graph *g, const char *name)
{
    for (size_t i = 0; i < g->n_initializers; i++)
        if (strcmp(g->initializers[i].name, name) == 0)
            return true;
    return false;
}

/* Files count the inputs in the graph's order; where there are fewer files than inputs, those that initialisers stand
 * behind have none. */
lm_status attempt_feed(attempt *a, const suite_test *t, int set)
{
    const onnx_graph *g = lm_model_onnx(a->model)->graph;
    char path[1024];
    size_t files = 0, k = 0;
    while (data_path(t, set, "input", files, path))
        files++;
    for (size_t i = 0; i < g->n_inputs && k < files; i++) {
        if (files < g->n_inputs && is_initializer(g, g->inputs[i].name))
            continue;
        data_path(t, set, "input", k++, path);
        lm_named feed = {.name = g->inputs[i].name};
        LM_TRY(load(a, path, &g->inputs[i], &feed.view));
        LM_TRY(lm_vec_push(&a->feed, feed));
    }
    return LM_OK;
}

/* The whole networks are fed with 0, 1/n ... (n-1)/n. */
static lm_status feed_ramp(attempt *a)
{
    int inputs;
    const lm_port *port = lm_model_inputs(a->model, &inputs);
    LM_REQUIRE(inputs > 0 && port->rank >= 0 && port->dt == LM_F32, LM_INPUT, "the network has no float input");
    lm_shape sh;
    LM_TRY(lm_shape_make(port->rank, port->dim, &sh));
    piece p = {0};
    LM_TRY(lm_view_new(LM_F32, &sh, &p.view));
    if (lm_vec_push(&a->piece, p) != LM_OK) {
        lm_buffer_unref(p.view.buf);
        return LM_MEMORY;
    }
    int64_t n = lm_shape_count(&sh);
    float *x = lm_view_data(&p.view);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)i / (float)n;
    return lm_vec_push(&a->feed, (lm_named){port->name, p.view});
}

static lm_status compare_outputs(attempt *a, const suite_test *t, int set, const lm_view *y)
{
    const onnx_graph *g = lm_model_onnx(a->model)->graph;
    char path[1024];
    for (size_t k = 0; k < g->n_outputs; k++) {
        if (t->answer)
            snprintf(path, sizeof path, "%s", t->answer);
        else
            data_path(t, set, "output", k, path);
        lm_view wanted;
        lm_status loaded = load(a, path, &g->outputs[k], &wanted);
        if (loaded == LM_UNSUPPORTED) /* which the session had to find out */
            return lm_fail(LM_NO, "output '%s' is a %s tensor instead of what only %s can hold", g->outputs[k].name,
                           lm_dtype_name(y[k].dt), path);
        LM_TRY(loaded);
        LM_TRY(lm_context(suite_compare(&y[k], &wanted, t->rtol, t->atol), "output '%s'", g->outputs[k].name));
    }
    if (!t->answer && data_path(t, set, "output", g->n_outputs, path))
        return lm_fail(LM_NO, "%zu outputs, but there are files for more", g->n_outputs);
    return LM_OK;
}

void attempt_forget(attempt *a)
{
    for (size_t i = 0; i < a->piece.count; i++) {
        lm_buffer_unref(a->piece.at[i].view.buf);
        lm_file_unmap(&a->piece.at[i].file);
    }
    a->piece.count = a->feed.count = 0;
}

static lm_status run_set(attempt *a, const suite_test *t, int set)
{
    lm_view y[64];
    int outputs;
    lm_model_outputs(a->model, &outputs);
    LM_REQUIRE(outputs <= (int)LM_COUNT(y), LM_UNSUPPORTED, "%d outputs", outputs);
    LM_TRY(t->folder ? attempt_feed(a, t, set) : feed_ramp(a));
    LM_TRY(lm_session_run(a->session, a->feed.at, (int)a->feed.count, NULL, outputs, y, NULL));
    lm_status status = compare_outputs(a, t, set, y);
    for (int i = 0; i < outputs; i++)
        lm_buffer_unref(y[i].buf);
    return status;
}

static lm_status run_all(attempt *a, const suite_test *t, const lm_chain *chain, bool plain)
{
    const lm_session_options options = {.plain = plain};
    LM_TRY(lm_model_open(t->model, NULL, &a->model));
    LM_TRY(lm_session_open(a->model, chain, &options, &a->session));
    char path[1024];
    int set = 0;
    do {
        lm_status status = run_set(a, t, set++);
        attempt_forget(a);
        LM_TRY(status);
    } while (t->folder && data_path(t, set, "output", 0, path));
    return LM_OK;
}

void attempt_close(attempt *a)
{
    attempt_forget(a);
    lm_session_close(a->session);
    lm_model_close(a->model);
    lm_vec_free(&a->piece);
    lm_vec_free(&a->feed);
    lm_arena_free(&a->arena);
}

void suite_reason(suite_test *t)
{
    const char *why = lm_message();
    size_t file = strlen(t->model);
    if (strncmp(why, t->model, file) == 0 && strncmp(why + file, ": ", 2) == 0)
        why += file + 2;
    snprintf(t->reason, sizeof t->reason, "%s", why);
}

/* Bytes that are held afterwards; a device keeps what it compiles, so that a second attempt tells what is lost. */
static size_t attempt_all(suite_test *t, const lm_chain *chain, bool plain)
{
    attempt a = {0};
    const size_t before = lm_mem_count().live;
    const lm_status status = run_all(&a, t, chain, plain);
    t->outcome = status == LM_OK ? PASS : status == LM_NO ? WRONG : status == LM_UNSUPPORTED ? UNSUPPORTED : FAILED;
    if (status != LM_OK)
        suite_reason(t);
    attempt_close(&a);
    const size_t after = lm_mem_count().live;
    return after > before ? after - before : 0;
}

void suite_run(suite_test *t, const lm_chain *chain, bool plain)
{
    size_t held = attempt_all(t, chain, plain);
    if (held && t->outcome == PASS)
        held = attempt_all(t, chain, plain);
    if (held && t->outcome == PASS) {
        t->outcome = FAILED;
        snprintf(t->reason, sizeof t->reason, "%zu bytes are held after the model was closed", held);
    }
}
