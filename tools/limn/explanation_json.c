/* Explanations as JSON. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/tensor/dtype.h"
#include "explanation.h"
#include "numbers.h"

enum { TOP = 5 };

static void add_text(lm_json *j, const char *key, const char *text)
{
    lm_json_key(j, key);
    lm_json_string(j, text);
}

static void add_number(lm_json *j, const char *key, double number)
{
    lm_json_key(j, key);
    lm_json_number(j, number);
}

static void add_index(lm_json *j, const char *key, int64_t index)
{
    lm_json_key(j, key);
    if (index >= 0)
        lm_json_int(j, index);
    else
        lm_json_null(j);
}

static lm_status add_model(const explanation *e, lm_json *j)
{
    char hex[65];
    lm_file file;
    LM_TRY(lm_file_map(e->on->file, &file));
    lm_sha256_hex(file.bytes, file.size, hex);
    lm_file_unmap(&file);
    lm_json_key(j, "model");
    lm_json_object(j);
    add_text(j, "file", e->on->file);
    add_text(j, "sha256", hex);
    lm_json_end_object(j);
    return LM_OK;
}

static const char *label_of(const explanation *e, size_t index)
{
    return index < e->asked->names.count ? e->asked->names.at[index] : NULL;
}

static void add_ranked(const explanation *e, lm_json *j, const ranked *r)
{
    add_index(j, "index", (int64_t)r->index);
    add_text(j, "label", label_of(e, r->index));
    add_number(j, "value", r->value);
}

static lm_status add_prediction(const explanation *e, lm_json *j, int64_t sample)
{
    const limn_tensor *y = limn_explanation_prediction(e->why);
    const int axis = y->rank > 0 && y->dim[0] == e->samples;
    size_t count = numbers_below(y, axis), n = 0;
    ranked *top = NULL;
    int wide = 0;
    for (int i = axis; i < y->rank; i++)
        wide += y->dim[i] > 1;
    if (wide <= 1) { /* only vectors have classes */
        top = numbers_top(y, axis ? (size_t)sample * count : 0, count, TOP, &n);
        if (!top)
            return LM_MEMORY;
    }
    lm_json_key(j, "prediction");
    lm_json_object(j);
    add_text(j, "output", limn_explanation_output(e->why));
    if (n) {
        add_ranked(e, j, top);
    } else {
        add_index(j, "index", -1);
        add_text(j, "label", NULL);
        add_number(j, "value", NAN);
    }
    lm_json_key(j, "top");
    lm_json_array(j);
    for (size_t i = 0; i < n; i++) {
        lm_json_object(j);
        add_ranked(e, j, &top[i]);
        lm_json_end_object(j);
    }
    lm_json_end_array(j);
    lm_json_end_object(j);
    lm_free(top);
    return LM_OK;
}

static void add_certificate(const explanation *e, lm_json *j, const limn_certificate *c)
{
    size_t fallbacks;
    const char *const *fallback = limn_explanation_fallbacks(e->why, &fallbacks);
    lm_json_key(j, "certificate");
    lm_json_object(j);
    lm_json_key(j, "completeness");
    lm_json_object(j);
    add_number(j, "gap_abs", c->gap_abs);
    add_number(j, "gap_rel", c->gap_rel);
    lm_json_end_object(j);
    lm_json_key(j, "conservation");
    lm_json_array(j);
    for (size_t i = 0; i < c->conserved_count; i++) {
        const limn_conserved *row = &c->conserved[i];
        lm_json_object(j);
        add_text(j, "node", row->node);
        add_number(j, "in", row->in);
        add_number(j, "out", row->out);
        add_number(j, "bias", row->bias);
        add_number(j, "stabiliser", row->stabiliser);
        lm_json_end_object(j);
    }
    lm_json_end_array(j);
    add_number(j, "residual", c->residual);
    add_number(j, "stderr", c->stderr_mean);
    lm_json_key(j, "fallbacks");
    lm_json_array(j);
    for (size_t i = 0; i < fallbacks; i++)
        lm_json_string(j, fallback[i]);
    lm_json_end_array(j);
    add_number(j, "cost_forward", c->forwards);
    add_number(j, "cost_backward", c->backwards);
    lm_json_end_object(j);
}

/* Sum, least and greatest of one sample's values. */
static void add_extent(lm_json *j, const limn_tensor *t, size_t first, size_t count)
{
    double sum = 0, least = NAN, most = NAN;
    for (size_t i = first; i < first + count; i++) {
        double v = lm_load_f64(t->type, (const char *)t->data + i * limn_dtype_size(t->type));
        sum += v;
        least = fmin(least, v);
        most = fmax(most, v);
    }
    add_number(j, "sum", sum);
    add_number(j, "min", least);
    add_number(j, "max", most);
}

static void add_result(const explanation *e, lm_json *j, const limn_attribution *a, int64_t sample)
{
    static const char *const space[] = {"raw", "logit", "probability"};
    const size_t count = numbers_below(&a->values, 1), first = (size_t)sample * count;
    lm_json_object(j);
    add_text(j, "method", a->method);
    add_text(j, "target", a->target);
    add_index(j, "target_index", a->target_index[sample]);
    add_text(j, "target_label", a->target_label[sample]);
    add_text(j, "space", space[a->space]);
    add_text(j, "layer", a->layered ? a->site : NULL);
    add_text(j, "input", a->layered ? NULL : a->site);
    add_text(j, "options", a->options);
    lm_json_key(j, "shape");
    lm_json_array(j);
    for (int i = 1; i < a->values.rank; i++)
        lm_json_int(j, a->values.dim[i]);
    lm_json_end_array(j);
    add_extent(j, &a->values, first, count);
    add_number(j, "target_value", a->target_value[sample]);
    add_number(j, "baseline_value", a->baseline_value[sample]);
    add_certificate(e, j, &a->certificate[sample]);
    lm_json_key(j, "values");
    numbers_json(j, &a->values, 1, first);
    lm_json_end_object(j);
}

/* What may differ between equal runs. */
static lm_status add_run(const explanation *e, lm_json *j)
{
    limn_device_info device;
    char date[32] = "";
    time_t now = time(NULL);
    struct tm t;
    LM_TRY(limn_device_describe(e->on->device, &device));
    if (gmtime_r(&now, &t))
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &t);
    lm_json_key(j, "run");
    lm_json_object(j);
    add_text(j, "device", device.name);
    lm_json_key(j, "threads");
    lm_json_int(j, device.units);
    subject_shares_json(e->on, j);
    add_number(j, "wall_ms", 1e3 * e->seconds);
    add_text(j, "command", lm_str_text(&e->cmd->line));
    add_text(j, "date", date);
    lm_json_end_object(j);
    return LM_OK;
}

static lm_status add_sample(const explanation *e, lm_json *j, int64_t sample)
{
    const char *source = explanation_source(e, sample);
    lm_json_object(j);
    add_text(j, "source", *source ? source : NULL);
    LM_TRY(add_prediction(e, j, sample));
    lm_json_key(j, "results");
    lm_json_array(j);
    for (size_t i = 0; i < limn_explanation_count(e->why); i++)
        add_result(e, j, limn_explanation_get(e->why, i), sample);
    lm_json_end_array(j);
    lm_json_end_object(j);
    return LM_OK;
}

lm_status explanation_json_begin(const explanation *e, lm_json *j)
{
    const limn_question *ask = &e->asked->ask;
    lm_json_object(j);
    lm_json_key(j, "schema");
    lm_json_int(j, 1);
    add_text(j, "limn", limn_version());
    LM_TRY(add_model(e, j));
    add_text(j, "compat", ask->compat ? ask->compat : "limn");
    lm_json_key(j, "seed");
    lm_json_int(j, (int64_t)ask->seed);
    lm_json_key(j, "samples");
    lm_json_array(j);
    return j->out->status;
}

lm_status explanation_json_samples(const explanation *e, lm_json *j)
{
    for (int64_t s = 0; s < e->samples; s++)
        LM_TRY(add_sample(e, j, s));
    return j->out->status;
}

lm_status explanation_json_end(const explanation *e, lm_json *j)
{
    lm_json_end_array(j);
    LM_TRY(add_run(e, j));
    lm_json_end_object(j);
    return lm_str_char(j->out, '\n');
}
