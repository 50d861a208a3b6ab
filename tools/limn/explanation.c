/* Explanations as files: the forms there are, and .npy and .npz. */
#include "explanation.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "core/base/file.h"
#include "core/data/npz.h"
#include "core/tensor/npy.h"
#include "explanation_grid.h"
#include "numbers.h"

static const char *const endings[EXPLAIN_FORMS] = {".npy", ".npz", ".json", ".png", ".svg", ".html"};

lm_status explanation_form_of(const char *path, explanation_form *out)
{
    const char *dot = strrchr(path, '.');
    for (int i = 0; i < EXPLAIN_FORMS; i++)
        if (dot && strcasecmp(dot, endings[i]) == 0) {
            *out = (explanation_form)i;
            return LM_OK;
        }
    return lm_fail(LM_USAGE, "-o: '%.199s' ends in none of .npy, .npz, .json, .png, .svg and .html; choose one", path);
}

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

static lm_status write_npy(const explanation *e, const char *path)
{
    size_t n = limn_explanation_count(e->why);
    lm_view v;
    LM_REQUIRE(n == 1, LM_USAGE, "-o %s: there are %zu results (methods x targets x inputs), and a .npy file holds one; use .npz",
               path, n);
    LM_TRY(view_of(limn_explanation_get(e->why, 0), &v));
    lm_status status = lm_npy_write(path, &v);
    lm_buffer_unref(v.buf);
    return status;
}

lm_status explanation_language_of(const command *cmd, lm_language *out)
{
    *out = LM_ENGLISH;
    return given(cmd, OPT_lang) ? lm_language_of(cmd->option[OPT_lang], out) : LM_OK;
}

lm_language explanation_language(const explanation *e)
{
    lm_language language;
    return explanation_language_of(e->cmd, &language) == LM_OK ? language : LM_ENGLISH;
}

const char *explanation_source(const explanation *e, int64_t sample)
{
    return e->in->samples == e->samples ? e->in->source.at[sample] : e->in->samples == 1 ? e->in->source.at[0] : "";
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

static lm_status add_maps(const explanation *e, lm_zip_out *zip)
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
            status = lm_npz_add(zip, lm_str_text(&key), &v);
            lm_buffer_unref(v.buf);
        }
    }
    lm_str_free(&key);
    return status;
}

/* By sample what one method and site say about each of their targets: [samples], or [samples, targets] of several. */
typedef struct facts {
    const explanation *e;
    int64_t samples;
    size_t targets;
    const limn_attribution **of; /* by target */
} facts;

static lm_status add_fact(const facts *f, lm_zip_out *zip, const char *name, lm_dtype type,
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
    lm_status status = lm_npz_add(zip, name, &v);
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
static const limn_attribution *telling(const explanation *e)
{
    for (size_t i = 0; i < limn_explanation_count(e->why); i++)
        if (!isnan(limn_explanation_get(e->why, i)->baseline_value[0]))
            return limn_explanation_get(e->why, i);
    return limn_explanation_get(e->why, 0);
}

static lm_status add_facts(const explanation *e, lm_zip_out *zip)
{
    const limn_attribution *like = telling(e);
    facts f = {.e = e, .samples = e->samples};
    f.of = lm_malloc(limn_explanation_count(e->why), sizeof *f.of);
    if (!f.of)
        return LM_MEMORY;
    for (size_t i = 0; i < limn_explanation_count(e->why); i++) {
        const limn_attribution *a = limn_explanation_get(e->why, i);
        if (strcmp(a->method, like->method) == 0 && strcmp(a->site, like->site) == 0)
            f.of[f.targets++] = a;
    }
    const lm_dtype real = like->values.type == LIMN_F64 ? LM_F64 : LM_F32;
    lm_status status = add_fact(&f, zip, "target_index", LM_I64, index_of);
    if (status == LM_OK)
        status = add_fact(&f, zip, "target_value", real, value_of);
    if (status == LM_OK)
        status = add_fact(&f, zip, "baseline_value", real, baseline_of);
    lm_free(f.of);
    return status;
}

static lm_status add_prediction(const explanation *e, lm_zip_out *zip)
{
    lm_view v;
    LM_TRY(numbers_view(limn_explanation_prediction(e->why), &v));
    lm_status status = lm_npz_add(zip, "prediction", &v);
    lm_buffer_unref(v.buf);
    return status;
}

static lm_status write_npz(const explanation *e, const char *path)
{
    lm_zip_out zip;
    LM_TRY(lm_zip_create(path, &zip));
    lm_status status = add_maps(e, &zip);
    if (status == LM_OK)
        status = add_prediction(e, &zip);
    if (status == LM_OK)
        status = add_facts(e, &zip);
    if (status == LM_OK)
        return lm_zip_commit(&zip);
    lm_zip_drop(&zip);
    return status;
}

static lm_status write_json(const explanation *e, const char *path)
{
    lm_str text = {0};
    lm_status status = explanation_json(e, &text);
    if (status == LM_OK)
        status = lm_file_write(path, lm_str_text(&text), text.count);
    lm_str_free(&text);
    return status;
}

static lm_status write_png(const explanation *e, const char *path)
{
    return explanation_files(e, path, explanation_png);
}

static lm_status write_svg(const explanation *e, const char *path)
{
    return explanation_files(e, path, explanation_svg);
}

lm_status explanation_write(const explanation *e, const char *path, explanation_form form)
{
    static lm_status (*const write[EXPLAIN_FORMS])(const explanation *, const char *) = {write_npy, write_npz, write_json,
                                                                                         write_png, write_svg,
                                                                                         explanation_html};
    return write[form](e, path);
}

lm_status explanation_check(const explanation *e)
{
    for (size_t i = 0; i < limn_explanation_count(e->why); i++) {
        const limn_attribution *a = limn_explanation_get(e->why, i);
        for (int64_t s = 0; s < e->samples; s++)
            LM_REQUIRE(isfinite(a->target_value[s]) && !isinf(a->baseline_value[s]), LM_INPUT,
                       "target %s is %g, and %g at the baseline of %s; choose another target or baseline, or pass "
                       "--allow-nan", a->target, a->target_value[s], a->baseline_value[s], a->method);
        for (size_t k = 0; k < limn_tensor_count(&a->values); k++) {
            double v = lm_load_f64(a->values.type, (const char *)a->values.data + k * limn_dtype_size(a->values.type));
            if (!isfinite(v))
                return lm_fail(LM_INPUT, "%s of target %s holds %s, although the prediction is finite: a derivative on the way "
                                         "back is not; try another method, or pass --allow-nan",
                               a->method, a->target, isnan(v) ? "NaN" : "an infinity");
        }
    }
    return LM_OK;
}
