/* Sheets of maps. */
#include "sheet.h"

#include "core/base/file.h"
#include "core/data/image.h"
#include "core/draw/letters.h"

enum { GAP = 6, TITLE_GAP = 4, MOST_PIXELS = 1 << 27 };
static const lm_rgb paper = {255, 255, 255}, ink = {40, 44, 50};

static const char *title(const char *const *of, int i)
{
    return of && of[i] ? of[i] : "";
}

/* Room for cells and titles, and the size of all. */
typedef struct room {
    int cell_width, cell_height, left, top;
} room;

static room measure(const sheet *s)
{
    room r = {0};
    for (int i = 0; i < s->columns * s->rows; i++) {
        const lm_heat *h = &s->cell[i];
        r.cell_width = h->width * h->zoom > r.cell_width ? h->width * h->zoom : r.cell_width;
        r.cell_height = h->height * h->zoom > r.cell_height ? h->height * h->zoom : r.cell_height;
    }
    for (int c = 0; c < s->columns; c++) {
        const char *text = title(s->column, c);
        const int height = *text ? lm_letters_height(text, 1) + 2 * TITLE_GAP : 0, width = lm_letters_width(text, 1);
        r.top = height > r.top ? height : r.top;
        r.cell_width = width > r.cell_width ? width : r.cell_width;
    }
    for (int i = 0; i < s->rows; i++) {
        const char *text = title(s->row, i);
        const int width = *text ? lm_letters_width(text, 1) + 2 * TITLE_GAP : 0;
        r.left = width > r.left ? width : r.left;
    }
    return r;
}

/* A picture at a whole multiple of its size. */
static void draw_picture(const lm_heat *h, lm_canvas *to, int left, int top)
{
    for (int y = 0; h->under && y < h->height * h->zoom; y++)
        for (int x = 0; x < h->width * h->zoom; x++)
            lm_canvas_row(to, top + y)[left + x] = lm_canvas_row(
                h->under, y * h->under->height / (h->height * h->zoom))[x * h->under->width / (h->width * h->zoom)];
}

static void draw(const sheet *s, const room *r, lm_canvas *c)
{
    for (int i = 0; i < s->columns; i++)
        lm_letters_draw(title(s->column, i), ink, 1, c, r->left + i * (r->cell_width + GAP), TITLE_GAP);
    for (int y = 0; y < s->rows; y++) {
        const int top = r->top + y * (r->cell_height + GAP);
        lm_letters_draw(title(s->row, y), ink, 1, c, TITLE_GAP, top + TITLE_GAP);
        for (int x = 0; x < s->columns; x++) {
            const lm_heat *h = &s->cell[y * s->columns + x];
            const int left = r->left + x * (r->cell_width + GAP);
            if (h->map)
                lm_heat_draw(h, c, left, top);
            else
                draw_picture(h, c, left, top);
        }
    }
}

lm_status sheet_write(const sheet *s, const char *path)
{
    const room r = measure(s);
    const int64_t width = r.left + (int64_t)s->columns * (r.cell_width + GAP) - GAP,
                  height = r.top + (int64_t)s->rows * (r.cell_height + GAP) - GAP;
    lm_canvas c = {0};
    lm_str file = {0};
    LM_REQUIRE(width < INT32_MAX && height < INT32_MAX && width * height <= MOST_PIXELS, LM_USAGE,
               "-o %s: %d x %d maps make %lld x %lld pixels, and a picture has at most %d; write {sample}, {method} or {target} "
               "in its name to get several",
               path, s->rows, s->columns, (long long)width, (long long)height, MOST_PIXELS);
    LM_TRY(lm_context(lm_canvas_new((int)width, (int)height, paper, &c), "%s", path));
    draw(s, &r, &c);
    lm_status status = lm_context(lm_png_encode_about(&c.at->r, c.width, c.height, s->about, &file), "%s", path);
    lm_canvas_free(&c);
    if (status == LM_OK)
        status = lm_file_write(path, lm_str_text(&file), file.count);
    lm_str_free(&file);
    return status;
}
