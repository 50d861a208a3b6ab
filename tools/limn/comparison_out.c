/* Comparisons as text, JSON and pictures. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comparison.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/draw/plot.h"
#include "core/draw/words_text.h"
#include "phrases.h"
#include "sheet.h"

enum { MOST_NUMBERS = 65536, MOST_TOLD = 20, NAME_WIDTH = 20, CELL = 7 };

/* The parts that all methods together give most weight; none where maps have no places with names. */
static int parts_of(const comparison *c, size_t sample, lm_part part[LM_PARTS])
{
    lm_finding f = *comparison_map(c, sample, 0);
    float *value = lm_malloc(c->elements, sizeof *value);
    int parts = 0;
    if (value && f.about != LM_ABOUT_OTHER) {
        for (size_t i = 0; i < c->elements; i++)
            value[i] = (float)c->consensus[sample * c->elements + i];
        f.value = value;
        f.positive = true;
        parts = lm_words_parts(explanation_language(c->e), &f, false, part);
    }
    lm_free(value);
    return parts;
}

/* "consensus: the upper left (31%)" */
static void add_consensus(const comparison *c, size_t sample, lm_str *out)
{
    lm_part part[LM_PARTS];
    const lm_language language = explanation_language(c->e);
    const int parts = parts_of(c, sample, part);
    if (!parts)
        return;
    say(out, language, c->samples > 1 ? SAY_CONSENSUS_OF : SAY_CONSENSUS,
        explanation_source(c->e, (int64_t)sample), NULL, NULL);
    for (int i = 0; i < parts; i++) {
        char share[WORDS_NUMBER];
        lm_str_add(out, words_text(language, i ? WORDS_COMMA : WORDS_SPACE));
        words_say(out, language, WORDS_PART, part[i].name, words_percent(language, part[i].share, share), NULL);
    }
    lm_str_char(out, '\n');
}

/* With two digits a small number must not become "-0.00". */
static double shown(double agreement)
{
    return fabs(agreement) < 0.005 ? 0 : agreement;
}

/* A matrix with methods by number, and behind its rows what the methods cost where `cost`. */
static void add_matrix(const comparison *c, const double *matrix, bool cost, lm_str *out)
{
    lm_str_printf(out, "%*s", NAME_WIDTH, "");
    for (size_t m = 0; m < c->methods; m++)
        lm_str_printf(out, "%*zu", CELL, m + 1);
    lm_str_printf(out, "%s\n", cost ? phrase(explanation_language(c->e), SAY_COSTS) : "");
    for (size_t m = 0; m < c->methods; m++) {
        char name[64];
        snprintf(name, sizeof name, "%2zu %s", m + 1, comparison_method(c, m));
        lm_str_printf(out, "%-*s", NAME_WIDTH, name);
        for (size_t k = 0; k < c->methods; k++)
            lm_str_printf(out, "%*.2f", CELL,
                          shown(matrix[m * c->methods + k])); /* "nan": a map that is the same everywhere */
        if (cost)
            lm_str_printf(out, c->cost[m].ms < 100 ? "  %10.4g%10.4g%10.3g" : "  %10.4g%10.4g%10.0f",
                          c->cost[m].forwards, c->cost[m].backwards, c->cost[m].ms);
        lm_str_char(out, '\n');
    }
    lm_str_char(out, '\n');
}

lm_status comparison_text(const comparison *c, command *cmd)
{
    lm_str *out = &cmd->out;
    const limn_attribution *a = limn_explanation_get(c->e->why, 0);
    const lm_language language = explanation_language(c->e);
    say(out, language, SAY_TARGET, a->target, NULL, NULL);
    if (a->target_label[0] && c->samples == 1)
        say(out, language, SAY_LABEL, a->target_label[0], NULL, NULL);
    say_numbers(out, language, SAY_NUMBERS, "%.0f", (double)c->elements, 0);
    lm_str_printf(out, "%s\n\n", c->samples > 1 ? phrase(language, SAY_MEANS) : "");
    bold(cmd, phrase(language, SAY_AGREEMENT));
    lm_str_char(out, '\n');
    add_matrix(c, c->agreement, true, out);
    bold(cmd, phrase(language, SAY_OF_SIZES));
    lm_str_char(out, '\n');
    add_matrix(c, c->of_sizes, false, out);
    for (size_t s = 0; s < c->samples && c->samples <= MOST_TOLD; s++)
        add_consensus(c, s, out);
    return out->status;
}

static void map_json(const comparison *c, const double *value, lm_json *j)
{
    const lm_finding *f = comparison_map(c, 0, 0);
    lm_json_array(j);
    for (int y = 0; y < f->height; y++) {
        if (f->height > 1)
            lm_json_array(j);
        for (int x = 0; x < f->width; x++)
            lm_json_number(j, value[y * f->width + x]);
        if (f->height > 1)
            lm_json_end_array(j);
    }
    lm_json_end_array(j);
}

static void maps_json(const comparison *c, const char *key, const double *value, lm_json *j)
{
    lm_json_key(j, key);
    if (c->elements > MOST_NUMBERS) {
        lm_json_null(j);
        return;
    }
    lm_json_array(j);
    for (size_t s = 0; s < c->samples; s++)
        map_json(c, value + s * c->elements, j);
    lm_json_end_array(j);
}

static void cost_json(const comparison *c, lm_json *j)
{
    lm_json_object(j);
    for (size_t m = 0; m < c->methods; m++) {
        lm_json_key(j, comparison_method(c, m));
        lm_json_object(j);
        lm_json_key(j, "forward");
        lm_json_number(j, c->cost[m].forwards);
        lm_json_key(j, "backward");
        lm_json_number(j, c->cost[m].backwards);
        lm_json_key(j, "ms");
        lm_json_number(j, c->cost[m].ms);
        lm_json_end_object(j);
    }
    lm_json_end_object(j);
}

static void matrix_json(const comparison *c, const char *key, const double *matrix, lm_json *j)
{
    lm_json_key(j, key);
    lm_json_array(j);
    for (size_t a = 0; a < c->methods; a++) {
        lm_json_array(j);
        for (size_t b = 0; b < c->methods; b++)
            lm_json_number(j, matrix[a * c->methods + b]);
        lm_json_end_array(j);
    }
    lm_json_end_array(j);
}

/* What the maps have in common, by sample. */
static void parts_json(const comparison *c, lm_json *j)
{
    lm_json_key(j, "consensus_parts");
    lm_json_array(j);
    for (size_t s = 0; s < c->samples; s++) {
        lm_part part[LM_PARTS];
        const int parts = parts_of(c, s, part);
        lm_json_array(j);
        for (int i = 0; i < parts; i++) {
            lm_json_object(j);
            lm_json_key(j, "name");
            lm_json_string(j, part[i].name);
            lm_json_key(j, "share");
            lm_json_number(j, part[i].share);
            lm_json_end_object(j);
        }
        lm_json_end_array(j);
    }
    lm_json_end_array(j);
}

lm_status comparison_json(const comparison *c, bool maps, lm_str *out)
{
    lm_json j;
    lm_json_start(&j, out);
    lm_json_object(&j);
    lm_json_key(&j, "methods");
    lm_json_array(&j);
    for (size_t m = 0; m < c->methods; m++)
        lm_json_string(&j, comparison_method(c, m));
    lm_json_end_array(&j);
    matrix_json(c, "rank_agreement", c->agreement, &j);
    matrix_json(c, "size_agreement", c->of_sizes, &j);
    lm_json_key(&j, "cost");
    cost_json(c, &j);
    lm_json_key(&j, "samples");
    lm_json_array(&j);
    for (size_t s = 0; s < c->samples; s++)
        lm_json_string(&j, explanation_source(c->e, (int64_t)s));
    lm_json_end_array(&j);
    lm_json_key(&j, "target");
    lm_json_string(&j, limn_explanation_get(c->e->why, 0)->target);
    parts_json(c, &j);
    if (maps) {
        maps_json(c, "consensus", c->consensus, &j);
        maps_json(c, "disagreement", c->disagreement, &j);
    }
    lm_json_end_object(&j);
    return lm_str_char(out, '\n');
}

/* Cells: the picture, a map for each method, consensus, disagreement. */
static lm_status set_row(const comparison *c, size_t sample, lm_heat *cell)
{
    const size_t columns = c->methods + 3;
    for (size_t i = 0; i < columns; i++) {
        const explanation_map *m = &c->finding[sample * c->methods + (i && i <= c->methods ? i - 1 : 0)].map;
        cell[i] = m->heat;
        cell[i].zoom = m->zoom;
    }
    cell[0].map = NULL;
    for (size_t i = c->methods + 1; i < columns; i++) {
        cell[i].map = (i == c->methods + 1 ? c->consensus : c->disagreement) + sample * c->elements;
        cell[i].positive = true;
        LM_TRY(lm_heat_range(cell[i].map, c->elements, 99.5, &cell[i].range));
    }
    return LM_OK;
}

static lm_status paint(const comparison *c, const char *path, lm_heat *cell, const char **column, const char **row)
{
    const size_t columns = c->methods + 3;
    const lm_language language = explanation_language(c->e);
    column[0] = phrase(language, SAY_PICTURE);
    column[c->methods + 1] = phrase(language, SAY_SHARED);
    column[c->methods + 2] = phrase(language, SAY_DISPUTED);
    for (size_t m = 0; m < c->methods; m++)
        column[m + 1] = comparison_method(c, m);
    for (size_t s = 0; s < c->samples; s++) {
        const char *source = explanation_source(c->e, (int64_t)s), *slash = strrchr(source, '/');
        row[s] = c->samples > 1 ? (slash ? slash + 1 : source) : NULL;
        LM_TRY(set_row(c, s, cell + s * columns));
    }
    const sheet s = {.columns = (int)columns, .rows = (int)c->samples, .column = column, .row = row, .cell = cell};
    return sheet_write(&s, path);
}

lm_status comparison_png(const comparison *c, const char *path)
{
    const size_t columns = c->methods + 3;
    for (size_t i = 0; i < c->samples * c->methods; i++)
        LM_REQUIRE(c->finding[i].is.about == LM_ABOUT_PICTURE, LM_USAGE,
                   "-o %s: %s is about no picture; give -o with .svg for the matrix of agreement, .json or .html", path,
                   comparison_method(c, i % c->methods));
    lm_heat *cell = lm_calloc(c->samples * columns, sizeof *cell);
    const char **column = lm_calloc(columns, sizeof *column), **row = lm_calloc(c->samples, sizeof *row);
    lm_status status = cell && column && row ? paint(c, path, cell, column, row) : LM_MEMORY;
    lm_free(cell);
    lm_free(column);
    lm_free(row);
    return status;
}

lm_status comparison_svg(const comparison *c, const char *path)
{
    lm_str svg = {0};
    const char **name = lm_calloc(c->methods, sizeof *name);
    for (size_t m = 0; name && m < c->methods; m++)
        name[m] = comparison_method(c, m);
    const lm_plot p = {.kind = LM_PLOT_HEAT,
                       .title = phrase(explanation_language(c->e), SAY_MATRIX),
                       .name = name,
                       .names = (int)c->methods,
                       .rows = (int)c->methods,
                       .cell = c->agreement,
                       .both_signs = true};
    lm_status status = name ? lm_plot_svg(&p, &svg) : LM_MEMORY;
    if (status == LM_OK)
        status = lm_file_write(path, lm_str_text(&svg), svg.count);
    lm_str_free(&svg);
    lm_free(name);
    return status;
}
