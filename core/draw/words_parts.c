/* Which parts of a finding stand out: cells of a grid that lie side by side, columns, tokens, stretches of time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/draw/words_text.h"

/* A grid of at most 7 x 7 cells over a picture, or of 16 over a series; columns and tokens are cells themselves. */
enum { SIDE = 7, STRETCHES = 16, CELLS = SIDE * SIDE, MOST_CELLS = 6 };

typedef struct cells {
    int across, down;
    double net[CELLS], size[CELLS]; /* sum of the numbers, and of their sizes */
    double all;                     /* of all sizes */
} cells;

/* Of values that speak for nothing only the size counts. */
static double sound(const lm_finding *f, float v)
{
    return !isfinite(v) ? 0 : f->neutral ? fabs((double)v) : (double)v;
}

static void count_cells(const lm_finding *f, cells *c)
{
    const bool picture = f->about == LM_ABOUT_PICTURE;
    const int most = picture ? SIDE : STRETCHES;
    *c = (cells){.across = f->width < most ? f->width : most,
                 .down = !picture           ? 1
                         : f->height < most ? f->height
                                            : most};
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++) {
            const int64_t row = (int64_t)y * c->down / f->height, column = (int64_t)x * c->across / f->width;
            const double v = sound(f, f->value[(size_t)y * (size_t)f->width + (size_t)x]);
            const size_t i = (size_t)(row * c->across + column);
            c->net[i] += v;
            c->size[i] += fabs(v);
            c->all += fabs(v);
        }
}

/* The cells that speak most, until they hold half of what all of that sign hold. */
static int choose_cells(const cells *c, double sign, int chosen[MOST_CELLS])
{
    bool taken[CELLS] = {false};
    double whole = 0, held = 0;
    int n = 0;
    for (int i = 0; i < c->across * c->down; i++)
        whole += fmax(sign * c->net[i], 0);
    while (n < MOST_CELLS && held < whole / 2) {
        int best = -1;
        for (int i = 0; i < c->across * c->down; i++)
            if (!taken[i] && sign * c->net[i] > 0 && (best < 0 || sign * c->net[i] > sign * c->net[best]))
                best = i;
        if (best < 0)
            break;
        taken[best] = true;
        held += sign * c->net[best];
        chosen[n++] = best;
    }
    return n;
}

static bool touch(const cells *c, int a, int b)
{
    return abs(a % c->across - b % c->across) <= 1 && abs(a / c->across - b / c->across) <= 1;
}

/* Where the middle of some cells of a picture is, in words: thirds along both axes, and corners. */
static words_phrase place(const cells *c, const int *cell, const int *group, int n, int wanted)
{
    static const words_phrase corner[] = {WORDS_CORNER_UPPER_LEFT, WORDS_CORNER_UPPER_RIGHT, WORDS_CORNER_LOWER_LEFT,
                                          WORDS_CORNER_LOWER_RIGHT};
    double x = 0, y = 0, weight = 0;
    for (int i = 0; i < n; i++)
        if (group[i] == wanted) {
            const double w = c->size[cell[i]];
            x += w * (cell[i] % c->across + 0.5) / c->across;
            y += w * (cell[i] / c->across + 0.5) / c->down;
            weight += w;
        }
    x /= weight;
    y /= weight;
    const double edge = 1.1 / SIDE;
    if ((x < edge || x > 1 - edge) && (y < edge || y > 1 - edge))
        return corner[(y > 0.5) * 2 + (x > 0.5)];
    const int column = x < 2.0 / 6 ? 0 : x > 4.0 / 6 ? 2 : 1, row = y < 2.0 / 6 ? 0 : y > 4.0 / 6 ? 2 : 1;
    return (words_phrase)(WORDS_UPPER_LEFT + row * 3 + column);
}

/* Add to a part of that name, or make it. */
static int put(lm_part *part, int n, int room, const char *name, double value, double share)
{
    for (int i = 0; i < n; i++)
        if (strcmp(part[i].name, name) == 0) {
            part[i].value += value;
            part[i].share += share;
            return n;
        }
    if (n == room)
        return n;
    snprintf(part[n].name, sizeof part[n].name, "%s", name);
    part[n].value = value;
    part[n].share = share;
    return n + 1;
}

static void name_steps(lm_language language, const lm_finding *f, int first, int last, int across, lm_str *name)
{
    char from[WORDS_NUMBER], to[WORDS_NUMBER];
    snprintf(from, sizeof from, "%lld", (long long)(((int64_t)first * f->width + across - 1) / across));
    snprintf(to, sizeof to, "%lld", (long long)((((int64_t)last + 1) * f->width + across - 1) / across - 1));
    words_say(name, language, strcmp(from, to) == 0 ? WORDS_STEP : WORDS_STEPS, from, to, NULL);
}

/* Cells that touch are one part. */
static int merge_cells(lm_language language, const lm_finding *f, const cells *c, const int *cell, int n, lm_part *part)
{
    int group[MOST_CELLS], parts = 0;
    for (int i = 0; i < n; i++)
        group[i] = i;
    for (int pass = 0; pass < n; pass++)
        for (int i = 0; i < n; i++)
            for (int k = 0; k < n; k++)
                if (touch(c, cell[i], cell[k]) && group[k] < group[i])
                    group[i] = group[k];
    for (int g = 0; g < n; g++) {
        double value = 0, size = 0;
        int first = c->across, last = 0;
        for (int i = 0; i < n; i++)
            if (group[i] == g) {
                value += c->net[cell[i]];
                size += c->size[cell[i]];
                first = cell[i] < first ? cell[i] : first;
                last = cell[i] > last ? cell[i] : last;
            }
        if (size == 0)
            continue;
        lm_str name = {0};
        if (f->about == LM_ABOUT_PICTURE)
            lm_str_add(&name, words_text(language, place(c, cell, group, n, g)));
        else
            name_steps(language, f, first, last, c->across, &name);
        parts = put(part, parts, MOST_CELLS, lm_str_text(&name), value, size / c->all);
        lm_str_free(&name);
    }
    return parts;
}

/* Cut between characters. */
static void add_cut(lm_str *out, const char *text)
{
    enum { BYTES = 40 };
    size_t n = 0;
    while (text[n] && (n < BYTES || ((unsigned char)text[n] & 0xC0) == 0x80) && n < 2 * BYTES)
        n++;
    lm_str_add_bytes(out, text, n);
    lm_str_add(out, text[n] ? "…" : "");
}

static void name_element(lm_language language, const lm_finding *f, int i, lm_str *name)
{
    char number[WORDS_NUMBER];
    const char *given = f->name ? f->name[i] : NULL;
    lm_str cut = {0};
    snprintf(number, sizeof number, "%d", i);
    if (given && f->about == LM_ABOUT_TOKENS && strcmp(given, number) == 0)
        given = NULL;
    add_cut(&cut, given ? given : "");
    if (f->about == LM_ABOUT_TOKENS)
        words_say(name, language, given ? WORDS_TOKEN_TEXT : WORDS_TOKEN, given ? lm_str_text(&cut) : number, number,
                  NULL);
    else if (given && *given)
        lm_str_add(name, lm_str_text(&cut));
    else
        words_say(name, language, WORDS_COLUMN, number, NULL, NULL);
    lm_str_free(&cut);
}

/* The strongest columns or tokens. */
static int elements(lm_language language, const lm_finding *f, double sign, lm_part *part)
{
    int chosen[LM_PARTS], n = 0;
    double all = 0;
    for (int i = 0; i < f->width; i++)
        all += fabs(sound(f, f->value[i]));
    while (n < LM_PARTS) {
        int best = -1;
        for (int i = 0; i < f->width; i++) {
            bool taken = sign * sound(f, f->value[i]) <= 0;
            for (int k = 0; k < n; k++)
                taken |= chosen[k] == i;
            if (!taken && (best < 0 || sign * sound(f, f->value[i]) > sign * sound(f, f->value[best])))
                best = i;
        }
        if (best < 0)
            break;
        lm_str name = {0};
        name_element(language, f, best, &name);
        chosen[n] = best;
        snprintf(part[n].name, sizeof part[n].name, "%s", lm_str_text(&name));
        part[n].value = f->value[best];
        part[n++].share = fabs((double)f->value[best]) / all;
        lm_str_free(&name);
    }
    return n;
}

static int largest_first(const void *a, const void *b)
{
    const double x = ((const lm_part *)a)->share, y = ((const lm_part *)b)->share;
    return (x < y) - (x > y);
}

static bool is_told(const lm_finding *f)
{
    return f->value && !f->unreadable && f->width > 0 && f->height > 0 && f->about != LM_ABOUT_OTHER && !f->tiled;
}

int lm_words_parts(lm_language language, const lm_finding *f, bool against, lm_part part[LM_PARTS])
{
    const double sign = against ? -1 : 1;
    int n = 0;
    lm_part found[MOST_CELLS];
    if (!is_told(f))
        return 0;
    if (f->about == LM_ABOUT_COLUMNS || f->about == LM_ABOUT_TOKENS) {
        n = elements(language, f, sign, found);
    } else {
        cells c;
        int chosen[MOST_CELLS];
        count_cells(f, &c);
        n = merge_cells(language, f, &c, chosen, choose_cells(&c, sign, chosen), found);
    }
    qsort(found, (size_t)n, sizeof *found, largest_first);
    n = n < LM_PARTS ? n : LM_PARTS;
    memcpy(part, found, (size_t)n * sizeof *part);
    return n;
}

void lm_words_regions(const lm_finding *f, double share[LM_REGIONS], int *across, int *down)
{
    cells c;
    count_cells(f, &c);
    *across = c.across;
    *down = c.down;
    for (int i = 0; i < c.across * c.down; i++)
        share[i] = c.all > 0 ? copysign(c.size[i] / c.all, c.net[i]) : 0;
}

/* The largest cell, where it holds a good deal more than its share, was not chosen for what it comes to, and nothing as
 * large goes by its name already. */
bool lm_words_torn_part(lm_language language, const lm_finding *f, lm_part *out)
{
    static const double much = 0.1; /* of all sizes, and twice what an even spread would give */
    cells c;
    int chosen[MOST_CELLS], largest = 0;
    if (!is_told(f) || f->positive || f->neutral || f->about == LM_ABOUT_COLUMNS || f->about == LM_ABOUT_TOKENS)
        return false;
    count_cells(f, &c);
    for (int i = 1; i < c.across * c.down; i++)
        largest = c.size[i] > c.size[largest] ? i : largest;
    if (c.all <= 0 || c.size[largest] < c.all * fmax(much, 2.0 / (c.across * c.down)))
        return false;
    for (int sign = -1; sign <= 1; sign += 2)
        for (int i = choose_cells(&c, sign, chosen); i-- > 0;)
            if (chosen[i] == largest)
                return false;
    if (merge_cells(language, f, &c, &largest, 1, out) != 1)
        return false;
    for (int against = 0; against < 2; against++) {
        lm_part part[LM_PARTS];
        for (int i = lm_words_parts(language, f, against, part); i-- > 0;)
            if (strcmp(part[i].name, out->name) == 0 && part[i].share >= out->share)
                return false;
    }
    return true;
}
