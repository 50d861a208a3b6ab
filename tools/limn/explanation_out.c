/* Explanations as files: arrays and JSON, which may come part by part, and pictures and pages, which do not. */
#include <math.h>
#include <string.h>

#include "explanation.h"
#include "explanation_grid.h"
#include "numbers.h"

/* The values as the model has them: without an axis for samples that it does not know, where there is one of them. */
static lm_status view_of(const limn_attribution *a, lm_view *out)
{
    limn_tensor t = a->values;
    if (a->added && t.dim[0] == 1) {
        t.rank--;
        memmove(t.dim, t.dim + 1, (size_t)t.rank * sizeof *t.dim);
    }
    return numbers_view(&t, out);
}

static lm_status add_npy(const explanation *e, const char *path, arrays *to)
{
    size_t n = limn_explanation_count(e->why);
    lm_view v;
    LM_REQUIRE(n == 1, LM_USAGE,
               "-o %s: there are %zu results (methods x targets x inputs), and a .npy file holds one; use .npz", path, n);
    LM_TRY(view_of(limn_explanation_get(e->why, 0), &v));
    lm_status status = arrays_add(to, "", &v);
    lm_buffer_unref(v.buf);
    return status;
}

/* Are several inputs explained, so that keys have to name them? */
static bool several_sites(const explanation *e)
{
    const limn_attribution *first = limn_explanation_get(e->why, 0);
    for (size_t i = 1; i < limn_explanation_count(e->why); i++)
        if (strcmp(limn_explanation_get(e->why, i)->site, first->site) != 0 &&
            strcmp(limn_explanation_get(e->why, i)->method, first->method) == 0)
            return true;
    return false;
}

/* Is result i one that came before, because its target was asked twice ("top,1")? */
static bool came_before(const explanation *e, size_t i)
{
    const limn_attribution *a = limn_explanation_get(e->why, i);
    for (size_t k = 0; k < i; k++) {
        const limn_attribution *b = limn_explanation_get(e->why, k);
        if (strcmp(a->method, b->method) == 0 && strcmp(a->target, b->target) == 0 && strcmp(a->site, b->site) == 0)
            return true;
    }
    return false;
}

/* Part of a key: '/' would look like another part. */
static void add_part(lm_str *key, const char *part)
{
    lm_str_add(key, key->count ? "/" : "");
    for (; *part; part++)
        lm_str_char(key, *part == '/' ? '_' : *part);
}

static lm_status add_maps(const explanation *e, arrays *to)
{
    const bool several = several_sites(e);
    lm_str key = {0};
    lm_status status = LM_OK;
    for (size_t i = 0; i < limn_explanation_count(e->why) && status == LM_OK; i++) {
        const limn_attribution *a = limn_explanation_get(e->why, i);
        lm_view v;
        key.count = 0;
        add_part(&key, a->method);
        add_part(&key, a->target);
        if (several)
            add_part(&key, a->site);
        if (came_before(e, i))
            continue;
        status = view_of(a, &v);
        if (status == LM_OK) {
            status = arrays_add(to, lm_str_text(&key), &v);
            lm_buffer_unref(v.buf);
        }
    }
    lm_str_free(&key);
    return status;
}

/* By sample what one method and site say about each of their targets: [samples], or [samples, targets] of several. */
typedef struct facts {
    int64_t samples;
    size_t targets;
    const limn_attribution **of; /* by target */
} facts;

static lm_status add_fact(const facts *f, arrays *to, const char *name, lm_dtype type,
                          double (*get)(const limn_attribution *, int64_t sample))
{
    lm_shape sh;
    lm_view v;
    const int64_t dim[] = {f->samples, (int64_t)f->targets};
    LM_TRY(lm_shape_make(f->targets > 1 ? 2 : 1, dim, &sh));
    LM_TRY(lm_view_new(type, &sh, &v));
    for (int64_t s = 0; s < f->samples; s++)
        for (size_t t = 0; t < f->targets; t++)
            lm_view_set(&v, s * (int64_t)f->targets + (int64_t)t, get(f->of[t], s));
    lm_status status = arrays_add(to, name, &v);
    lm_buffer_unref(v.buf);
    return status;
}

static double index_of(const limn_attribution *a, int64_t sample)
{
    return (double)a->target_index[sample];
}

static double value_of(const limn_attribution *a, int64_t sample)
{
    return a->target_value[sample];
}

static double baseline_of(const limn_attribution *a, int64_t sample)
{
    return a->baseline_value[sample];
}

/* Of the first method that compares with a baseline, if one does. */
static size_t telling(const explanation *e)
{
    for (size_t i = 0; i < limn_explanation_count(e->why); i++)
        if (!isnan(limn_explanation_get(e->why, i)->baseline_value[0]))
            return i;
    return 0;
}

static lm_status add_facts(const explanation *e, const limn_attribution *like, arrays *to)
{
    facts f = {.samples = e->samples};
    f.of = lm_malloc(limn_explanation_count(e->why), sizeof *f.of);
    if (!f.of)
        return LM_MEMORY;
    for (size_t i = 0; i < limn_explanation_count(e->why); i++) {
        const limn_attribution *a = limn_explanation_get(e->why, i);
        if (strcmp(a->method, like->method) == 0 && strcmp(a->site, like->site) == 0)
            f.of[f.targets++] = a;
    }
    const lm_dtype real = like->values.type == LIMN_F64 ? LM_F64 : LM_F32;
    lm_status status = add_fact(&f, to, "target_index", LM_I64, index_of);
    if (status == LM_OK)
        status = add_fact(&f, to, "target_value", real, value_of);
    if (status == LM_OK)
        status = add_fact(&f, to, "baseline_value", real, baseline_of);
    lm_free(f.of);
    return status;
}

static lm_status add_prediction(const explanation *e, arrays *to)
{
    lm_view v;
    LM_TRY(numbers_view(limn_explanation_prediction(e->why), &v));
    lm_status status = arrays_add(to, "prediction", &v);
    lm_buffer_unref(v.buf);
    return status;
}

static lm_status add_npz(explanation_out *o, const explanation *e)
{
    LM_TRY(add_maps(e, &o->to.arrays));
    LM_TRY(add_prediction(e, &o->to.arrays));
    return add_facts(e, limn_explanation_get(e->why, o->telling), &o->to.arrays);
}

lm_status explanation_out_open(command *cmd, const char *path, int64_t rows, explanation_out *out)
{
    *out = (explanation_out){.form = EXPLAIN_JSON};
    if (path)
        LM_TRY(explanation_form_of(path, &out->form));
    static const sink_form forms[EXPLAIN_FORMS] = {
        [EXPLAIN_NPY] = SINK_NPY,   [EXPLAIN_NPZ] = SINK_NPZ,   [EXPLAIN_JSON] = SINK_JSON,
        [EXPLAIN_PNG] = SINK_OTHER, [EXPLAIN_SVG] = SINK_OTHER, [EXPLAIN_HTML] = SINK_OTHER};
    sink_start(cmd, path, forms[out->form], rows, &out->to);
    return LM_OK;
}

static lm_status begin(explanation_out *o, const explanation *e)
{
    LM_TRY(sink_begin(&o->to));
    o->telling = telling(e);
    return o->form == EXPLAIN_JSON ? explanation_json_begin(e, &o->to.json) : LM_OK;
}

lm_status explanation_out_add(explanation_out *o, const explanation *e)
{
    if (!o->to.begun)
        LM_TRY(begin(o, e));
    switch (o->form) {
    case EXPLAIN_JSON: LM_TRY(explanation_json_samples(e, &o->to.json)); return sink_flush(&o->to);
    case EXPLAIN_PNG: return explanation_files(e, o->to.path, explanation_png);
    case EXPLAIN_SVG: return explanation_files(e, o->to.path, explanation_svg);
    case EXPLAIN_HTML: return explanation_html(e, o->to.path);
    default: break;
    }
    LM_TRY(o->form == EXPLAIN_NPY ? add_npy(e, o->to.path, &o->to.arrays) : add_npz(o, e));
    arrays_next_part(&o->to.arrays);
    return LM_OK;
}

lm_status explanation_out_close(explanation_out *o, const explanation *last)
{
    lm_status status = o->form == EXPLAIN_JSON ? explanation_json_end(last, &o->to.json) : LM_OK;
    if (status == LM_OK)
        return sink_close(&o->to);
    explanation_out_drop(o);
    return status;
}

void explanation_out_drop(explanation_out *o)
{
    sink_drop(&o->to);
}
