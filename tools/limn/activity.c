/* Runs a model once more, for what is inside. */
#include "activity.h"

#include <math.h>
#include <string.h>

#include "core/tensor/dtype.h"
#include "numbers.h"

/* The rows of all feeds that are one sample's; false where they cannot be told apart. */
static bool cut(const activity *l, int64_t sample, limn_feed *one)
{
    for (size_t i = 0; i < l->feeds; i++) {
        limn_tensor *t = &one[i].tensor;
        one[i] = l->feed[i];
        if (l->samples == 1)
            continue;
        if (t->rank < 1 || t->dim[0] != l->samples)
            return false;
        t->data = (char *)t->data + (size_t)sample * numbers_below(t, 1) * limn_dtype_size(t->type);
        t->dim[0] = 1;
    }
    return true;
}

/* Shapes are those of one sample, where the model takes one. */
static lm_status list_layers(activity *l)
{
    limn_feed *one = lm_calloc(l->feeds, sizeof *one);
    if (!one)
        return LM_MEMORY;
    lm_status status = LM_INPUT;
    if (cut(l, 0, one))
        status = limn_session_layers(l->on->session, one, l->feeds, &l->all.layer, &l->all.count);
    if (status == LM_INPUT || status == LM_UNSUPPORTED)
        status = limn_session_layers(l->on->session, l->feed, l->feeds, &l->all.layer, &l->all.count);
    lm_free(one);
    return status;
}

lm_status activity_open(activity *l, lm_arena *arena)
{
    lm_str svg = {0}, shape = {0};
    LM_TRY(list_layers(l));
    l->told = lm_arena_alloc(arena, l->all.count, sizeof *l->told);
    lm_status status = l->told ? draw_layers(l->on, &l->all, false, &svg) : LM_MEMORY;
    if (status == LM_OK && !(l->graph = lm_arena_strdup(arena, lm_str_text(&svg))))
        status = LM_MEMORY;
    for (size_t i = 0; i < l->all.count && status == LM_OK; i++) {
        const limn_layer *y = &l->all.layer[i];
        lm_str_clear(&shape);
        layer_shape(y, &shape);
        l->told[i] =
            (lm_report_layer){layer_name(y), y->op, lm_arena_strdup(arena, lm_str_text(&shape)), y->parameters};
        status = l->told[i].shape ? LM_OK : LM_MEMORY;
    }
    lm_str_free(&svg);
    lm_str_free(&shape);
    return status;
}

void activity_close(activity *l)
{
    limn_layers_free(l->all.layer);
    *l = (activity){.on = NULL};
}

static lm_report_activity look(const limn_tensor *t)
{
    lm_report_activity a = {0, NAN, 0, NAN, 0};
    const size_t n = limn_tensor_count(t), size = limn_dtype_size(t->type);
    double squares = 0, sum = 0;
    size_t zeros = 0;
    if (!lm_dtype_is_float(t->type) || !n)
        return (lm_report_activity){NAN, NAN, NAN, NAN, NAN};
    for (size_t i = 0; i < n; i++) {
        const double v = lm_load_f64(t->type, (const char *)t->data + i * size);
        squares += v * v;
        sum += v;
        zeros += v == 0;
        a.least = fmin(a.least, v);
        a.most = fmax(a.most, v);
    }
    a.norm = sqrt(squares);
    a.mean = sum / (double)n;
    a.zeros = (double)zeros / (double)n;
    return a;
}

lm_status activity_run(const activity *l, int64_t sample, lm_arena *arena, const lm_report_activity **out)
{
    const size_t n = l->all.count;
    limn_feed *one = lm_calloc(l->feeds, sizeof *one);
    const char **fetch = lm_calloc(n, sizeof *fetch);
    limn_tensor *result = lm_calloc(n, sizeof *result);
    lm_report_activity *a = lm_arena_alloc(arena, n, sizeof *a);
    lm_status status = one && fetch && result && a ? LM_OK : LM_MEMORY;
    *out = NULL;
    for (size_t i = 0; i < n && status == LM_OK; i++)
        fetch[i] = l->all.layer[i].value;
    if (status == LM_OK && n && cut(l, sample, one)) {
        status = limn_session_run(l->on->session, one, l->feeds, fetch, n, result);
        for (size_t i = 0; i < n && status == LM_OK; i++)
            a[i] = look(&result[i]);
        *out = status == LM_OK ? a : NULL;
        if (status == LM_UNSUPPORTED || status == LM_INPUT) {
            lm_log(LM_LOG_WARN, "nothing is told of layers: %s", lm_message());
            status = LM_OK;
        }
    }
    for (size_t i = 0; result && i < n; i++)
        limn_tensor_free(&result[i]);
    lm_free(result);
    lm_free(fetch);
    lm_free(one);
    return status;
}
