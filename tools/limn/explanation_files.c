/* Which samples and attributions share a picture file: a grid of all, or one file for each method, target or sample
 * that the name asks for. */
#include <string.h>

#include "explanation_grid.h"

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
