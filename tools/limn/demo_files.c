/* What the demo leaves in its folder beside the page. */
#include <string.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/image.h"
#include "core/draw/plot.h"
#include "demo.h"
#include "sheet.h"

enum { ZOOM = 2 };

/* The text for as long as the demo; NULL when memory is short. */
static const char *kept(demo *d, lm_str *text)
{
    const char *own = text->status == LM_OK ? lm_arena_strdup(&d->arena, lm_str_text(text)) : NULL;
    lm_str_free(text);
    return own;
}

/* "FOLDER/name", for as long as the demo. */
static const char *in_folder(demo *d, const char *name, const char *ending)
{
    lm_str path = {0};
    lm_str_printf(&path, "%s/%s%s", d->folder, name, ending);
    return kept(d, &path);
}

static lm_status write_pictures(demo *d)
{
    for (int i = 0; i < DEMO_PICTURES; i++) {
        const lm_canvas *c = &d->picture[i].canvas;
        const char *path = in_folder(d, d->picture[i].name, ".png");
        lm_str file = {0};
        lm_status status = path ? lm_png_encode(&c->at->r, c->width, c->height, &file) : LM_MEMORY;
        if (status == LM_OK)
            status = lm_file_write(path, lm_str_text(&file), file.count);
        lm_str_free(&file);
        LM_TRY(status);
    }
    return LM_OK;
}

/* A column of a sheet: the pictures, or what a method says of one network's answers. */
typedef struct shown {
    const demo_network *n;
    int method;
} shown;

static lm_status set_cell(const demo *d, shown what, int picture, lm_heat *h)
{
    *h = (lm_heat){.width = DEMO_SIDE, .height = DEMO_SIDE, .under = &d->picture[picture].canvas, .zoom = ZOOM};
    if (!what.n)
        return LM_OK;
    const demo_map *m = demo_map_of(what.n, what.method, picture);
    double *value = lm_malloc(DEMO_PIXELS, sizeof *value);
    if (!value)
        return LM_MEMORY;
    for (int k = 0; k < DEMO_PIXELS; k++)
        value[k] = m->value[k];
    h->map = value;
    h->positive = m->positive;
    return lm_heat_range(value, DEMO_PIXELS, 99.5, &h->range);
}

/* "star,\nmarked\n\ncheat says\ndisc 97 %" */
static const char *row_title(demo *d, const demo_network *const *n, int networks, int picture)
{
    const demo_picture *p = &d->picture[picture];
    lm_str text = {0};
    lm_str_printf(&text, "%s%s", lm_scene_name(p->scene.kind), p->scene.marked ? ",\nmarked" : "");
    for (int i = 0; i < networks; i++)
        lm_str_printf(&text, "\n\n%s says\n%s\n%s", n[i]->name, lm_scene_name(n[i]->says[picture]),
                      demo_percent(d, n[i]->chance[picture][n[i]->says[picture]]));
    return kept(d, &text);
}

static lm_status fill_sheet(demo *d, const shown *what, const int *picture, sheet *s, lm_heat *cell)
{
    const demo_network *network[DEMO_NETWORKS];
    int networks = 0;
    const char **column = lm_arena_alloc(&d->arena, (size_t)s->columns, sizeof *column);
    const char **row = lm_arena_alloc(&d->arena, (size_t)s->rows, sizeof *row);
    if (!column || !row)
        return LM_MEMORY;
    for (int i = 0; i < s->columns; i++) {
        lm_str text = {0};
        if (what[i].n)
            lm_str_printf(&text, "%s:\n%s", what[i].n->name, demo_names[what[i].method]);
        column[i] = what[i].n ? kept(d, &text) : "picture";
        if (what[i].n && (!networks || network[networks - 1] != what[i].n))
            network[networks++] = what[i].n;
    }
    for (int i = 0; i < s->rows; i++)
        row[i] = row_title(d, network, networks, picture[i]);
    for (int i = 0; i < s->rows * s->columns; i++)
        LM_TRY(set_cell(d, what[i % s->columns], picture[i / s->columns], &cell[i]));
    s->column = column;
    s->row = row;
    return LM_OK;
}

/* `what` holds all columns of one network together. */
static lm_status write_sheet(demo *d, const char *name, const shown *what, int columns, const int *picture, int rows)
{
    sheet s = {.columns = columns, .rows = rows};
    const char *path = in_folder(d, name, ".png");
    lm_heat *cell = lm_calloc((size_t)(columns * rows), sizeof *cell);
    s.cell = cell;
    lm_status status = cell && path ? fill_sheet(d, what, picture, &s, cell) : LM_MEMORY;
    if (status == LM_OK)
        status = sheet_write(&s, path);
    for (int i = 0; cell && i < columns * rows; i++)
        lm_free((double *)cell[i].map);
    lm_free(cell);
    return status;
}

/* All pictures and methods by network, and a few that are enough to see what is wrong with one of them. */
static lm_status write_sheets(demo *d)
{
    static const int marked[] = {1, 3}; /* the star and the triangle with the mark */
    enum { GRADCAM = 5, LRP = 7 };
    const shown few[] = {
        {NULL, 0}, {&d->network[0], LRP}, {&d->network[0], GRADCAM}, {&d->network[1], LRP}, {&d->network[1], GRADCAM}};
    for (int n = 0; n < DEMO_NETWORKS; n++) {
        shown all[DEMO_METHODS + 1] = {{NULL, 0}};
        int picture[DEMO_PICTURES];
        for (int m = 0; m < DEMO_METHODS; m++)
            all[m + 1] = (shown){&d->network[n], m};
        for (int i = 0; i < DEMO_PICTURES; i++)
            picture[i] = i;
        LM_TRY(write_sheet(d, d->network[n].name, all, LM_COUNT(all), picture, DEMO_PICTURES));
    }
    return write_sheet(d, "overview", few, LM_COUNT(few), marked, LM_COUNT(marked));
}

static lm_status write_chart(demo *d, const char *name, const char *title, bool corner)
{
    lm_plot_series series[DEMO_NETWORKS + 1];
    double by_chance[DEMO_METHODS];
    for (int n = 0; n < DEMO_NETWORKS; n++)
        series[n] = (lm_plot_series){.name = d->network[n].name,
                                     .y = corner ? d->network[n].corner : d->network[n].shape,
                                     .count = DEMO_METHODS};
    for (int m = 0; m < DEMO_METHODS; m++)
        by_chance[m] = corner ? d->corner : d->shape;
    series[DEMO_NETWORKS] = (lm_plot_series){.name = "share of the pixels", .y = by_chance, .count = DEMO_METHODS};
    const lm_plot p = {.kind = LM_PLOT_BAR,
                       .title = title,
                       .y = "share of the weight",
                       .series = series,
                       .series_count = DEMO_NETWORKS + 1,
                       .name = demo_names,
                       .names = DEMO_METHODS};
    lm_str svg = {0};
    const char *path = in_folder(d, name, ".svg");
    lm_status status = path ? lm_plot_svg(&p, &svg) : LM_MEMORY;
    if (status == LM_OK)
        status = lm_file_write(path, lm_str_text(&svg), svg.count);
    lm_str_free(&svg);
    return status;
}

lm_status demo_files(demo *d)
{
    for (int n = 0; n < DEMO_NETWORKS; n++) {
        const char *path = in_folder(d, d->network[n].name, ".onnx");
        if (!path)
            return LM_MEMORY;
        LM_TRY(lm_file_write(path, d->network[n].bytes, d->network[n].size));
    }
    LM_TRY(write_chart(d, "on-the-shape", "Weight on the shape, ten pictures", false));
    LM_TRY(write_chart(d, "in-the-corner", "Weight in the corner of the mark, marked pictures", true));
    lm_status status = write_pictures(d);
    d->without_png = status == LM_UNSUPPORTED;
    if (d->without_png)
        return LM_OK;
    LM_TRY(status);
    return write_sheets(d);
}
