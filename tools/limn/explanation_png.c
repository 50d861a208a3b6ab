/* Heat maps over pictures as PNG files. */
#include <stdio.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/mem.h"
#include "core/draw/letters.h"
#include "explanation_grid.h"
#include "explanation_map.h"
#include "phrases.h"
#include "sheet.h"

/* What a file is made of; [rows][columns] where not told otherwise. */
typedef struct painting {
    explanation_map *map;
    lm_heat *cell;
    const char **column, **row; /* titles */
    lm_arena arena;
} painting;

static const char *kept(painting *p, lm_str *text)
{
    const char *own = text->status == LM_OK ? lm_arena_strdup(&p->arena, lm_str_text(text)) : NULL;
    lm_str_free(text);
    return own;
}

/* "gradcam" and, where there are several, the target: its label or number if all samples have the same. */
static const char *column_title(const explanation *e, const explanation_grid *g, size_t column, painting *p)
{
    const limn_attribution *a = limn_explanation_get(e->why, g->column[column]);
    const int64_t index = a->target_index[g->row[0]];
    bool same = index >= 0;
    for (size_t r = 1; r < g->rows; r++)
        same = same && a->target_index[g->row[r]] == index;
    lm_str text = {0};
    lm_str_add(&text, a->method);
    if (same && a->target_label[g->row[0]] && lm_letters_has(a->target_label[g->row[0]]))
        lm_str_printf(&text, "\n%s", a->target_label[g->row[0]]);
    else if (same) {
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)index);
        lm_str_char(&text, '\n');
        say(&text, explanation_language(e), SAY_CLASS, number, NULL, NULL);
    } else
        lm_str_printf(&text, "\n%s", a->target);
    return kept(p, &text);
}

/* The name of the file, or the number of the sample where letters are missing. */
static const char *row_title(const explanation *e, int64_t sample, painting *p)
{
    const char *source = explanation_source(e, sample), *slash = strrchr(source, '/');
    lm_str text = {0};
    if (lm_letters_has(slash ? slash + 1 : source))
        lm_str_add(&text, slash ? slash + 1 : source);
    else
        lm_str_printf(&text, "#%lld", (long long)sample);
    return kept(p, &text);
}

static lm_status fill(const explanation *e, const explanation_grid *g, painting *p)
{
    const size_t cells = g->rows * g->columns;
    p->map = lm_calloc(cells, sizeof *p->map);
    p->cell = lm_arena_alloc(&p->arena, cells, sizeof *p->cell);
    p->column = lm_arena_alloc(&p->arena, g->columns, sizeof *p->column);
    p->row = lm_arena_alloc(&p->arena, g->rows, sizeof *p->row);
    if (!p->map || !p->cell || !p->column || !p->row)
        return LM_MEMORY;
    for (size_t i = 0; i < cells; i++) {
        explanation_map *m = &p->map[i];
        m->numbered = true;
        LM_TRY(explanation_map_make(e, limn_explanation_get(e->why, g->column[i % g->columns]),
                                    g->row[i / g->columns], m));
        p->cell[i] = m->heat;
        p->cell[i].zoom = m->zoom;
    }
    for (size_t c = 0; c < g->columns; c++) {
        p->column[c] = cells > 1 ? column_title(e, g, c, p) : NULL;
        if (cells > 1 && !p->column[c])
            return LM_MEMORY;
    }
    for (size_t r = 0; r < g->rows; r++) {
        p->row[r] = g->rows > 1 ? row_title(e, g->row[r], p) : NULL;
        if (g->rows > 1 && !p->row[r])
            return LM_MEMORY;
    }
    return LM_OK;
}

lm_status explanation_png(const explanation *e, const explanation_grid *g, const char *path)
{
    painting p = {0};
    lm_str about = {0};
    lm_status status = fill(e, g, &p);
    for (size_t i = 0; status == LM_OK && i < g->rows * g->columns; i++) {
        lm_str_add(&about, i ? "\n" : "");
        drawing_text(&p.map[i].how, p.map[i].heat.range, &about);
    }
    const sheet s = {.columns = (int)g->columns,
                     .rows = (int)g->rows,
                     .column = p.column,
                     .row = p.row,
                     .cell = p.cell,
                     .about = lm_str_text(&about)};
    if (status == LM_OK)
        status = sheet_write(&s, path);
    for (size_t i = 0; p.map && i < g->rows * g->columns; i++)
        explanation_map_free(&p.map[i]);
    lm_free(p.map);
    lm_str_free(&about);
    lm_arena_free(&p.arena);
    return status;
}
