/* Heat maps over pictures as PNG files. */
#include <math.h>

#include "core/base/file.h"
#include "core/data/image.h"
#include "explanation_grid.h"
#include "explanation_map.h"

enum { MOST_PIXELS = 1 << 27, GAP = 8 };

static const lm_rgb white = {255, 255, 255};

/* Where the cells of a grid stand, from what they need. */
typedef struct sheet {
    explanation_map *map; /* by cell */
    int *left, *top;      /* by column and row, one more than there are */
} sheet;

static lm_status arrange(const explanation *e, const explanation_grid *g, sheet *s)
{
    s->map = lm_calloc(g->rows * g->columns, sizeof *s->map);
    s->left = lm_calloc(g->columns + 1, sizeof *s->left);
    s->top = lm_calloc(g->rows + 1, sizeof *s->top);
    if (!s->map || !s->left || !s->top)
        return LM_MEMORY;
    for (size_t r = 0; r < g->rows; r++)
        for (size_t c = 0; c < g->columns; c++) {
            explanation_map *m = &s->map[r * g->columns + c];
            LM_TRY(explanation_map_make(e, limn_explanation_get(e->why, g->column[c]), g->row[r], m));
            m->heat.zoom = m->zoom;
            s->left[c + 1] = (int)fmax(s->left[c + 1], m->heat.width * m->zoom);
            s->top[r + 1] = (int)fmax(s->top[r + 1], m->heat.height * m->zoom);
        }
    return LM_OK;
}

/* From sizes to places. */
static int64_t stack(int *at, size_t n)
{
    int64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        const int size = at[i + 1];
        at[i] = (int)end;
        end += size + GAP;
        if (end > INT32_MAX)
            return INT32_MAX;
    }
    return end - GAP;
}

static lm_status paint(const explanation_grid *g, const sheet *s, const char *path)
{
    int *left = s->left, *top = s->top;
    lm_canvas c = {0};
    lm_str file = {0};
    const int64_t width = stack(left, g->columns), height = stack(top, g->rows);
    LM_REQUIRE(width * height <= MOST_PIXELS, LM_USAGE,
               "-o %s: %zu x %zu maps in one picture are more than anyone can look at; write {sample}, "
               "{method} or {target} in its name to get several",
               path, g->rows, g->columns);
    LM_TRY(lm_context(lm_canvas_new((int)width, (int)height, white, &c), "-o %s", path));
    for (size_t i = 0; i < g->rows * g->columns; i++)
        lm_heat_draw(&s->map[i].heat, &c, left[i % g->columns], top[i / g->columns]);
    lm_str about = {0};
    for (size_t i = 0; i < g->rows * g->columns; i++) {
        lm_str_add(&about, i ? "\n" : "");
        drawing_text(&s->map[i].how, s->map[i].heat.range, &about);
    }
    lm_status status =
        lm_context(lm_png_encode_about(&c.at->r, c.width, c.height, lm_str_text(&about), &file), "-o %s", path);
    lm_str_free(&about);
    lm_canvas_free(&c);
    if (status == LM_OK)
        status = lm_file_write(path, lm_str_text(&file), file.count);
    lm_str_free(&file);
    return status;
}

lm_status explanation_png(const explanation *e, const explanation_grid *g, const char *path)
{
    sheet s = {0};
    lm_status status = arrange(e, g, &s);
    if (status == LM_OK)
        status = paint(g, &s, path);
    for (size_t i = 0; s.map && i < g->rows * g->columns; i++)
        explanation_map_free(&s.map[i]);
    lm_free(s.map);
    lm_free(s.left);
    lm_free(s.top);
    return status;
}
