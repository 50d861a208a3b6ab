/* Explanations of tables, token sequences and time series as SVG files. */
#include <math.h>
#include <stdio.h>

#include "core/base/file.h"
#include "drawing.h"
#include "explanation_grid.h"
#include "explanation_panel.h"
#include "phrases.h"

static lm_status add_title(const explanation *e, const limn_attribution *a, int64_t sample, lm_arena *arena,
                           lm_panel *panel)
{
    lm_str text = {0};
    if (e->samples > 1)
        lm_str_printf(&text, "%s: ", explanation_source(e, sample));
    const lm_language language = explanation_language(e);
    char index[32];
    snprintf(index, sizeof index, "%lld", (long long)a->target_index[sample]);
    const bool labelled = a->target_label[sample] != NULL;
    say(&text, language, labelled ? SAY_RESULT_LABEL : a->target_index[sample] >= 0 ? SAY_RESULT_CLASS : SAY_RESULT,
        a->method, a->target, labelled ? a->target_label[sample] : index);
    const double value = a->target_value[sample];
    lm_str_printf(&text, "%s%.4g", phrase(language, SAY_COMMA), isnan(value) ? fabs(value) : value);
    panel->language = language;
    panel->title = text.status == LM_OK ? lm_arena_strdup(arena, lm_str_text(&text)) : NULL;
    lm_str_free(&text);
    return panel->title ? LM_OK : LM_MEMORY;
}

/* Where the values add up from: the baseline, or what they leave of the value explained. */
static double start_of(const limn_attribution *a, int64_t sample, const lm_panel *panel)
{
    double sum = 0;
    for (int i = 0; i < panel->count; i++)
        sum += isnan(panel->value[i]) ? 0 : panel->value[i];
    return isnan(a->baseline_value[sample]) ? a->target_value[sample] - sum : a->baseline_value[sample];
}

static lm_status fill_all(const explanation *e, const explanation_grid *g, lm_arena *arena, lm_panel *panel)
{
    drawing how;
    LM_TRY(drawing_read(e->cmd, &how));
    for (size_t r = 0; r < g->rows; r++)
        for (size_t c = 0; c < g->columns; c++, panel++) {
            const limn_attribution *a = limn_explanation_get(e->why, g->column[c]);
            LM_TRY(explanation_panel(e, a, g->row[r], arena, panel));
            panel->waterfall = how.waterfall;
            panel->from = start_of(a, g->row[r], panel);
            panel->to = a->target_value[g->row[r]];
            panel->unexplained = isnan(a->baseline_value[g->row[r]]);
            LM_TRY(add_title(e, a, g->row[r], arena, panel));
        }
    return LM_OK;
}

lm_status explanation_svg(const explanation *e, const explanation_grid *g, const char *path)
{
    lm_arena arena = {0};
    LM_REQUIRE(g->rows * g->columns <= EXPLAIN_PANELS, LM_USAGE,
               "-o %s: %zu x %zu panels would share a picture, which shows at most %d; write {sample}, {method} or {target} "
               "in its name to get several, or give one row as in rows.csv:12",
               path, g->rows, g->columns, EXPLAIN_PANELS);
    lm_str text = {0};
    lm_panel *panel = lm_calloc(g->rows * g->columns, sizeof *panel);
    lm_status status = panel ? fill_all(e, g, &arena, panel) : LM_MEMORY;
    if (status == LM_OK)
        status = lm_panels_svg(panel, g->rows * g->columns, &text);
    if (status == LM_OK)
        status = lm_file_write(path, lm_str_text(&text), text.count);
    lm_free(panel);
    lm_str_free(&text);
    lm_arena_free(&arena);
    return status;
}
