/* Options to a question. The library reads no files, so those that options name are read here and go along by name. */
#include "question.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/base/file.h"
#include "core/data/npz.h"
#include "core/tensor/npy.h"

static bool ends_in(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n > m && strcasecmp(text + n - m, ending) == 0;
}

/* Keep an array under this name. Takes the view's buffer. */
static lm_status keep(question *q, const char *name, const lm_view *v)
{
    limn_feed file = {0};
    lm_status status = limn_tensor_new((limn_dtype)v->dt, v->sh.rank, v->sh.dim, &file.tensor);
    if (status == LM_OK) {
        memcpy(file.tensor.data, lm_view_data(v), (size_t)lm_shape_count(&v->sh) * lm_dtype_size(v->dt));
        file.name = lm_strdup(name);
        status = file.name ? lm_vec_push(&q->files, file) : LM_MEMORY;
        if (status != LM_OK) {
            lm_free((char *)file.name);
            limn_tensor_free(&file.tensor);
        }
    }
    lm_buffer_unref(v->buf);
    return status;
}

static lm_status read_npz(question *q, const char *path, const char *called)
{
    lm_npz *npz;
    lm_str name = {0};
    LM_TRY(lm_npz_open(path, &npz));
    lm_status status = LM_OK;
    for (int i = 0; i < lm_npz_count(npz) && status == LM_OK; i++) {
        lm_view v;
        status = lm_npz_read(npz, i, &v);
        name.count = 0;
        lm_str_printf(&name, "%s/%s", called, lm_npz_name(npz, i));
        if (status == LM_OK)
            status = keep(q, lm_str_text(&name), &v);
    }
    lm_str_free(&name);
    lm_npz_close(npz);
    return status;
}

/* A text file as its bytes. */
static lm_status read_text(question *q, const char *path, const char *called)
{
    lm_file file;
    lm_shape sh;
    lm_view v;
    LM_TRY(lm_file_map(path, &file));
    int64_t bytes = (int64_t)file.size;
    lm_status status = lm_shape_make(1, &bytes, &sh);
    if (status == LM_OK)
        status = lm_view_new(LM_U8, &sh, &v);
    if (status == LM_OK) {
        memcpy(lm_view_data(&v), file.bytes, file.size);
        status = keep(q, called, &v);
    }
    lm_file_unmap(&file);
    return status;
}

static bool is_file(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

/* Read what a word names, if it names a file. */
static lm_status take_file(question *q, const char *word)
{
    const char *path = *word == '@' ? word + 1 : word;
    lm_view v;
    for (size_t i = 0; i < q->files.count; i++)
        if (strcmp(q->files.at[i].name, word) == 0)
            return LM_OK;
    if (ends_in(path, ".npz"))
        return read_npz(q, path, word);
    if (ends_in(path, ".npy")) {
        LM_TRY(lm_npy_read(path, &v));
        return keep(q, word, &v);
    }
    return is_file(path) ? read_text(q, path, word) : LM_OK;
}

/* Arrays of the input's shape; what only looks like a file is none of the words that a baseline may be. */
static lm_status take_baseline(question *q, const char *word)
{
    const char *dot = strrchr(word, '.');
    const bool array = ends_in(word, ".npy") || ends_in(word, ".npz"), there = is_file(word);
    const bool named = strchr(word, '/') || (dot && strspn(dot + 1, "0123456789e-+") < strlen(dot + 1));
    if (inputs_have_form(word))
        return LM_OK; /* it is read once the model is known */
    LM_REQUIRE(array || there || !named, LM_INPUT, "--baseline %.199s: there is no such file; give one of numbers or one that "
               "could be the input, too", word);
    LM_REQUIRE(array || !there, LM_USAGE,
               "--baseline %.199s: no such file can be an input; give .npy or .npz, or a picture, a table, a sound or a text",
               word);
    return take_file(q, word);
}

/* What the model is fed with it, under the baseline's own name; of several inputs as an archive has them. */
static lm_status keep_inputs(question *q, const char *word, const inputs *in)
{
    lm_str name = {0};
    lm_status status = LM_OK;
    for (size_t i = 0; i < in->feeds && status == LM_OK; i++) {
        const limn_tensor *t = &in->feed[i].tensor;
        lm_shape sh;
        lm_buffer *wrapped;
        lm_str_clear(&name);
        lm_str_printf(&name, in->feeds > 1 ? "%s/%s" : "%s", word, in->feed[i].name);
        status = lm_shape_make(t->rank, t->dim, &sh);
        if (status == LM_OK)
            status = lm_buffer_wrap(t->data, limn_tensor_count(t) * limn_dtype_size(t->type), &wrapped);
        if (status == LM_OK) {
            const lm_view v = lm_view_row((lm_dtype)t->type, &sh, wrapped);
            status = keep(q, lm_str_text(&name), &v);
        }
    }
    lm_str_free(&name);
    return status;
}

lm_status question_baseline(const limn_model *m, const command *cmd, question *q)
{
    const char *word = cmd->option[OPT_baseline];
    if (!word || !inputs_have_form(word))
        return LM_OK;
    char *operand[] = {cmd->operand[0], (char *)word};
    command one = {.verb = cmd->verb, .operands = 2, .operand = operand};
    memcpy(one.option, cmd->option, sizeof one.option);
    one.option[OPT_text] = one.option[OPT_pair] = NULL;
    inputs in = {0};
    lm_status status = lm_context(inputs_read(m, &one, &in), "--baseline");
    if (status == LM_OK)
        status = keep_inputs(q, word, &in);
    inputs_free(&in);
    q->ask.file = q->files.at;
    q->ask.files = q->files.count;
    return status;
}

/* Every @file among the targets. */
static lm_status take_targets(question *q, const char *text)
{
    lm_str word = {0};
    lm_status status = LM_OK;
    for (const char *at = text; at && *at && status == LM_OK;) {
        size_t n = strcspn(at, ",");
        word.count = 0;
        status = lm_str_add_bytes(&word, at, n);
        if (status == LM_OK && *at == '@') {
            status = take_file(q, lm_str_text(&word));
            if (status == LM_OK && (!q->files.count || strcmp(q->files.at[q->files.count - 1].name, word.text) != 0))
                status = lm_fail(LM_INPUT, "--target %s: no .npy file of that name; give one with a class per sample", word.text);
        }
        at += n + (at[n] == ',');
    }
    lm_str_free(&word);
    return status;
}

static lm_status take_setting(question *q, const char *text)
{
    const char *equals = strchr(text, '=');
    LM_REQUIRE(equals && equals > text, LM_USAGE, "--set '%.99s': is no option; write --set key=value", text);
    lm_str key = {0};
    lm_str_add_bytes(&key, text, (size_t)(equals - text));
    char *own = key.status == LM_OK ? lm_strdup(lm_str_text(&key)) : NULL;
    lm_str_free(&key);
    if (!own)
        return LM_MEMORY;
    lm_status status = lm_vec_push(&q->texts, own);
    if (status != LM_OK) {
        lm_free(own);
        return status;
    }
    limn_setting setting = {own, equals + 1};
    LM_TRY(lm_vec_push(&q->settings, setting));
    return take_file(q, equals + 1);
}

lm_status question_read(const command *cmd, question *q)
{
    int64_t seed = 0;
    size_t at = 0;
    LM_TRY(whole_number(cmd, OPT_seed, 0, &seed));
    for (const char *text; (text = next_value(cmd, OPT_set, &at));)
        LM_TRY(take_setting(q, text));
    if (given(cmd, OPT_baseline))
        LM_TRY(take_baseline(q, cmd->option[OPT_baseline]));
    LM_TRY(take_targets(q, cmd->option[OPT_target]));
    if (given(cmd, OPT_labels))
        LM_TRY(labels_read(q->file_of_names = cmd->option[OPT_labels], &q->names));
    q->ask = (limn_question){
        .method = cmd->option[OPT_method],
        .target = cmd->option[OPT_target],
        .output = cmd->option[OPT_output],
        .input = cmd->option[OPT_input],
        .layer = cmd->option[OPT_layer],
        .baseline = cmd->option[OPT_baseline],
        .noise = cmd->option[OPT_noise],
        .compat = cmd->option[OPT_compat],
        .setting = q->settings.at,
        .settings = q->settings.count,
        .label = (const char *const *)q->names.at,
        .labels = q->names.count,
        .file = q->files.at,
        .files = q->files.count,
        .seed = (uint64_t)seed,
        .after_softmax = given(cmd, OPT_after_softmax),
    };
    return LM_OK;
}

lm_status question_labels(const limn_model *m, question *q)
{
    const char *file = q->names.count ? q->file_of_names : NULL;
    if (!file)
        LM_TRY(labels_of_model(m, &q->names));
    for (size_t i = 0; i < limn_model_output_count(m); i++) {
        const limn_port *p = limn_model_output(m, i);
        /* where none is named, scores go before labels and states */
        const bool other = p->type > LIMN_BF16 || (p->rank > 2 && limn_model_output_count(m) > 1);
        if (q->ask.output ? strcmp(q->ask.output, p->name) != 0 : i > 0 || other)
            continue;
        if (p->rank > 1 && p->dim[1] > 0 && (p->rank == 2 || p->dim[1] > 1)) /* a number that only a run tells passes */
            LM_TRY(labels_check(file, p->name, p->dim[1], &q->names));
    }
    q->ask.label = (const char *const *)q->names.at;
    q->ask.labels = q->names.count;
    return LM_OK;
}

/* Is it asked for a rule that keeps to the bounds of the input? */
static bool wants_bounds(const question *q)
{
    bool box = q->ask.method && strstr(q->ask.method, "deep_taylor") != NULL;
    for (size_t i = 0; i < q->settings.count; i++) {
        const limn_setting *s = &q->settings.at[i];
        if (strcmp(s->key, "low") == 0 || strcmp(s->key, "high") == 0)
            return false;
        const bool rules = strcmp(s->key, "rules") == 0;
        box |= rules && (strcmp(s->value, "gamma_box") == 0 || strcmp(s->value, "box_first") == 0 || is_file(s->value));
    }
    return box;
}

/* "-2.1:-2:-1.8": a byte of 0 or 255 in every channel, prepared; the lower or the higher of both. */
static lm_status add_bound(const inputs *in, const char *key, bool high, question *q)
{
    lm_str text = {0};
    for (int c = 0; c < in->channels; c++) {
        const lm_prep *p = &in->prep;
        const double black = (float)(-p->mean[c] / p->std[c]), white = (float)((255 * p->scale - p->mean[c]) / p->std[c]);
        lm_str_printf(&text, "%s%.9g", c ? ":" : "", (white > black) == high ? white : black);
    }
    char *own = lm_str_take(&text);
    if (!own || lm_vec_push(&q->texts, own) != LM_OK) {
        lm_free(own);
        return LM_MEMORY;
    }
    return lm_vec_push(&q->settings, (limn_setting){key, own});
}

lm_status question_bounds(const inputs *in, question *q)
{
    if (!in->prepared || !wants_bounds(q))
        return LM_OK;
    LM_TRY(add_bound(in, "low", false, q));
    LM_TRY(add_bound(in, "high", true, q));
    q->ask.setting = q->settings.at;
    q->ask.settings = q->settings.count;
    return LM_OK;
}

void question_free(question *q)
{
    for (size_t i = 0; i < q->files.count; i++) {
        lm_free((char *)q->files.at[i].name);
        limn_tensor_free(&q->files.at[i].tensor);
    }
    for (size_t i = 0; i < q->texts.count; i++)
        lm_free(q->texts.at[i]);
    lm_vec_free(&q->files);
    lm_vec_free(&q->texts);
    lm_vec_free(&q->settings);
    labels_free(&q->names);
}
