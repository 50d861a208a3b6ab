/* Which samples and attributions share a picture file: a grid of all, or one file for each method, target or sample
 * that the name asks for. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/tensor/dtype.h"
#include "explanation_grid.h"
#include "explanation_map.h"
#include "explanation_panel.h"

/* `path` with {method}, {target} and {sample} filled in. */
static char *name_of(const explanation *e, const char *path, size_t column, int64_t sample)
{
    const limn_attribution *a = limn_explanation_get(e->why, column);
    const char *const words[] = {"{method}", "{target}", "{sample}"};
    lm_str out = {0};
    while (*path) {
        size_t w = 0;
        while (w < LM_COUNT(words) && strncmp(path, words[w], strlen(words[w])) != 0)
            w++;
        if (w == LM_COUNT(words)) {
            lm_str_char(&out, *path++);
            continue;
        }
        path += strlen(words[w]);
        if (w == 2)
            lm_str_printf(&out, "%lld", (long long)sample);
        else
            for (const char *c = w ? a->target : a->method; *c; c++)
                lm_str_char(&out, *c == '/' ? '_' : *c);
    }
    return lm_str_take(&out);
}

typedef struct plan {
    char **name; /* by sample, then attribution */
    bool *done;
    size_t columns;
    int64_t rows;
} plan;

static lm_status plan_make(const explanation *e, const char *path, plan *p)
{
    p->columns = limn_explanation_count(e->why);
    p->rows = e->samples;
    p->name = lm_calloc(p->columns * (size_t)p->rows, sizeof *p->name);
    p->done = lm_calloc(p->columns * (size_t)p->rows, sizeof *p->done);
    if (!p->name || !p->done)
        return LM_MEMORY;
    for (size_t i = 0; i < p->columns * (size_t)p->rows; i++) {
        p->name[i] = name_of(e, path, i % p->columns, (int64_t)(i / p->columns));
        if (!p->name[i])
            return LM_MEMORY;
    }
    return LM_OK;
}

/* The grid of the cells that have the name of cell `first`. */
static lm_status draw(const explanation *e, plan *p, size_t first, size_t *column, int64_t *row, grid_fn fn)
{
    explanation_grid g = {.column = column, .row = row};
    const char *name = p->name[first];
    for (size_t c = 0; c < p->columns; c++)
        if (strcmp(p->name[first / p->columns * p->columns + c], name) == 0)
            column[g.columns++] = c;
    for (int64_t r = 0; r < p->rows; r++)
        if (strcmp(p->name[(size_t)r * p->columns + first % p->columns], name) == 0)
            row[g.rows++] = r;
    for (size_t r = 0; r < g.rows; r++)
        for (size_t c = 0; c < g.columns; c++)
            p->done[(size_t)row[r] * p->columns + column[c]] = true;
    return fn(e, &g, name);
}

lm_status explanation_files(const explanation *e, const char *path, grid_fn fn)
{
    plan p = {0};
    lm_status status = plan_make(e, path, &p);
    size_t *column = lm_calloc(p.columns, sizeof *column);
    int64_t *row = lm_calloc((size_t)p.rows, sizeof *row);
    if (status == LM_OK && (!column || !row))
        status = LM_MEMORY;
    for (size_t i = 0; status == LM_OK && i < p.columns * (size_t)p.rows; i++)
        if (!p.done[i])
            status = draw(e, &p, i, column, row, fn);
    for (size_t i = 0; p.name && i < p.columns * (size_t)p.rows; i++)
        lm_free(p.name[i]);
    lm_free(p.name);
    lm_free(p.done);
    lm_free(column);
    lm_free(row);
    return status;
}

/* Is there a folder for the file that can be written to? */
static lm_status check_folder(const char *path)
{
    struct stat s;
    if (stat(path, &s) == 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode))
        return LM_OK; /* a pipe, a terminal */
    LM_REQUIRE(stat(path, &s) != 0 || !S_ISDIR(s.st_mode), LM_OUTPUT, "%s: is a folder; give the name of a file in it",
               path);
    const char *slash = strrchr(path, '/');
    lm_str folder = {0};
    lm_str_add_bytes(&folder, slash ? path : ".", slash ? (size_t)(slash - path) : 1);
    const char *name = slash == path ? "/" : lm_str_text(&folder);
    lm_status status = folder.status;
    if (status == LM_OK && !strchr(name, '{') && access(name, W_OK | X_OK) != 0)
        status = lm_fail(LM_OUTPUT, "%s: %s", path, strerror(errno));
    lm_str_free(&folder);
    return status;
}

/* Is this input, or are those of floats, or else all, what is explained? */
static bool is_explained(const explanation *e, const limn_feed *f, bool floats)
{
    const char *names = e->cmd->option[OPT_input];
    for (const char *at = names; at && *at;) {
        const size_t n = strcspn(at, ",");
        if (strlen(f->name) == n && memcmp(at, f->name, n) == 0)
            return true;
        at += n + (at[n] == ',');
    }
    return !names && (!floats || lm_dtype_is_float((lm_dtype)f->tensor.type));
}

/* Is axis 0 of the input of a length that no number of samples has? */
static bool has_no_samples(const limn_model *m, const limn_feed *f)
{
    for (size_t i = 0; i < limn_model_input_count(m); i++) {
        const limn_port *p = limn_model_input(m, i);
        if (strcmp(p->name, f->name) == 0)
            return p->rank > 0 && p->dim[0] > 1 && f->tensor.rank < LIMN_RANK;
    }
    return false;
}

static bool is_shown(const explanation *e, const limn_attribution *a, explanation_form form)
{
    return form == EXPLAIN_PNG ? explanation_is_drawn(e, a) : explanation_is_panel(e, a);
}

/* Can any input that is explained be shown in such a file? What a layer gives is not known yet. */
static bool can_show(const explanation *e, explanation_form form)
{
    bool floats = false, any = false;
    for (size_t i = 0; i < e->in->feeds; i++)
        floats |= lm_dtype_is_float((lm_dtype)e->in->feed[i].tensor.type);
    for (size_t i = 0; i < e->in->feeds; i++) {
        const limn_feed *f = &e->in->feed[i];
        limn_attribution a = {.method = "", .site = f->name, .values = f->tensor};
        if (is_explained(e, f, floats))
            any |= is_shown(e, &a, form);
        if (is_explained(e, f, floats) && has_no_samples(e->on->model, f)) { /* results get an axis for them */
            memmove(a.values.dim + 1, f->tensor.dim, (size_t)a.values.rank++ * sizeof *a.values.dim);
            a.values.dim[0] = 1;
            any |= is_shown(e, &a, form);
        }
    }
    return any || given(e->cmd, OPT_layer) || !e->in->feeds;
}

/* Do some of the methods, or others than these, tell of attention, which is one of tokens? */
static bool any_method(const char *methods, bool attention)
{
    static const char word[] = "attention";
    bool any = false;
    for (const char *at = methods; *at;) {
        any |= (strncmp(at, word, sizeof word - 1) == 0) == attention;
        at += strcspn(at, ",");
        at += *at == ',';
    }
    return any;
}

/* Is a matrix asked for, token by token? */
static bool wants_pairs(const command *cmd)
{
    size_t at = 0;
    for (const char *text; (text = next_value(cmd, OPT_set, &at));)
        if (strstr(text, "pairs=1"))
            return true;
    return false;
}

static int64_t count_words(const char *list)
{
    int64_t n = 1;
    for (const char *at = list; at && *at; at++)
        n += *at == ',';
    return n;
}

/* How many maps or panels one of the files holds at least: "all" and "top5" are more than one target. */
static int64_t least_cells(const explanation *e, const char *path)
{
    int64_t n = strstr(path, "{sample}") ? 1 : e->samples;
    n *= strstr(path, "{method}") ? 1 : count_words(e->cmd->option[OPT_method]);
    return n * (strstr(path, "{target}") ? 1 : count_words(e->cmd->option[OPT_target]));
}

lm_status explanation_file_check(const explanation *e, const char *path, explanation_form form)
{
    static const char *const shows[] = {"pictures [N,C,H,W] or [N,H,W,C] and series [N,C,T]",
                                        "tables [N,F], tokens [N,T] and series [N,C,T]"};
    const char *methods = e->cmd->option[OPT_method], *numbers = e->cmd->verb == VERB_compare ? ".json" : ".npz";
    const bool drawn = form == EXPLAIN_PNG || form == EXPLAIN_SVG;
    const int64_t cells = least_cells(e, path), most = form == EXPLAIN_PNG ? EXPLAIN_MAPS : EXPLAIN_PANELS;
    LM_TRY(check_folder(path));
    LM_REQUIRE(form != EXPLAIN_HTML || e->samples <= EXPLAIN_HTML_SAMPLES, LM_USAGE,
               "-o %s: there are %lld samples, and a page shows at most %d; give fewer, as in rows.csv:12, or use %s", path,
               (long long)e->samples, EXPLAIN_HTML_SAMPLES, numbers);
    LM_REQUIRE(form != EXPLAIN_PNG || !any_method(methods, true) || wants_pairs(e->cmd), LM_USAGE,
               "-o %s: attention is one number per token and no picture; use .svg or .npz, or --set pairs=1", path);
    LM_REQUIRE(!drawn || !any_method(methods, false) || can_show(e, form), LM_USAGE,
               "-o %s: such files show %s, and no input that is explained is one; use %s, or %s for anything", path,
               shows[form == EXPLAIN_SVG], form == EXPLAIN_SVG ? ".png" : ".svg", numbers);
    LM_REQUIRE(!drawn || cells <= most, LM_USAGE,
               "-o %s: %lld maps of %lld samples would share a picture, which shows at most %lld; give fewer samples, as in "
               "rows.csv:12, or use %s for the numbers%s",
               path, (long long)cells, (long long)e->samples, (long long)most, numbers,
               e->cmd->verb == VERB_explain ? ", or write {sample} into the name for a file of each" : "");
    return LM_OK;
}

lm_status explanation_files_check(const explanation *e)
{
    const char *methods = e->cmd->option[OPT_method], *targets = e->cmd->option[OPT_target];
    size_t at = 0;
    for (const char *path; (path = next_value(e->cmd, OPT_out, &at));) {
        explanation_form form;
        LM_TRY(explanation_form_of(path, &form));
        LM_REQUIRE(form != EXPLAIN_NPY || (!strchr(methods, ',') && !(targets && strchr(targets, ','))), LM_USAGE,
                   "-o %s: several methods or targets are asked for, and a .npy file holds one; use .npz", path);
        LM_TRY(explanation_file_check(e, path, form));
    }
    return LM_OK;
}
