/* Letters of 5 x 7 pixels, and two rows below the line for those that reach there. */
#include "core/draw/letters.h"

#include <string.h>

enum { ROWS = 9, COLUMNS = 5 };

/* Rows from the top, five bits each, the highest on the left. */
static const struct {
    char letter;
    unsigned char row[ROWS];
} table[] = {
    {'a', {0, 0, 14, 1, 15, 17, 15}},     {'b', {16, 16, 30, 17, 17, 17, 30}}, {'c', {0, 0, 14, 17, 16, 17, 14}},
    {'d', {1, 1, 15, 17, 17, 17, 15}},    {'e', {0, 0, 14, 17, 31, 16, 14}},   {'f', {6, 9, 8, 28, 8, 8, 8}},
    {'g', {0, 0, 15, 17, 17, 17, 15, 1, 14}}, {'h', {16, 16, 30, 17, 17, 17, 17}}, {'i', {4, 0, 12, 4, 4, 4, 14}},
    {'j', {2, 0, 6, 2, 2, 2, 2, 18, 12}}, {'k', {16, 16, 18, 20, 24, 20, 18}}, {'l', {12, 4, 4, 4, 4, 4, 14}},
    {'m', {0, 0, 26, 21, 21, 21, 21}},    {'n', {0, 0, 30, 17, 17, 17, 17}},   {'o', {0, 0, 14, 17, 17, 17, 14}},
    {'p', {0, 0, 30, 17, 17, 17, 30, 16, 16}}, {'q', {0, 0, 15, 17, 17, 17, 15, 1, 1}},
    {'r', {0, 0, 22, 25, 16, 16, 16}},
    {'s', {0, 0, 15, 16, 14, 1, 30}},     {'t', {8, 8, 28, 8, 8, 9, 6}},       {'u', {0, 0, 17, 17, 17, 17, 15}},
    {'v', {0, 0, 17, 17, 17, 10, 4}},     {'w', {0, 0, 17, 21, 21, 21, 10}},   {'x', {0, 0, 17, 10, 4, 10, 17}},
    {'y', {0, 0, 17, 17, 17, 17, 15, 1, 14}}, {'z', {0, 0, 31, 2, 4, 8, 31}},      {'0', {14, 17, 19, 21, 25, 17, 14}},
    {'1', {4, 12, 4, 4, 4, 4, 14}},       {'2', {14, 17, 1, 2, 4, 8, 31}},     {'3', {31, 2, 4, 2, 1, 17, 14}},
    {'4', {2, 6, 10, 18, 31, 2, 2}},      {'5', {31, 16, 30, 1, 1, 17, 14}},   {'6', {6, 8, 16, 30, 17, 17, 14}},
    {'7', {31, 1, 2, 4, 8, 8, 8}},        {'8', {14, 17, 17, 14, 17, 17, 14}}, {'9', {14, 17, 17, 15, 1, 2, 12}},
    {'_', {0, 0, 0, 0, 0, 0, 31}},        {'+', {0, 4, 4, 31, 4, 4, 0}},       {'-', {0, 0, 0, 14, 0, 0, 0}},
    {'.', {0, 0, 0, 0, 0, 12, 12}},       {',', {0, 0, 0, 0, 0, 12, 4, 8}}, {':', {0, 12, 12, 0, 12, 12, 0}},
    {'%', {24, 25, 2, 4, 8, 19, 3}},      {'/', {0, 1, 2, 4, 8, 16, 0}},       {'(', {2, 4, 8, 8, 8, 4, 2}},
    {')', {8, 4, 2, 2, 2, 4, 8}},         {'=', {0, 0, 31, 0, 31, 0, 0}},      {'?', {14, 17, 1, 2, 4, 0, 4}},
    {'!', {4, 4, 4, 4, 4, 0, 4}},         {'<', {2, 4, 8, 16, 8, 4, 2}},       {'>', {8, 4, 2, 1, 2, 4, 8}},
    {'*', {0, 4, 21, 14, 21, 4, 0}},      {'#', {10, 10, 31, 10, 31, 10, 10}}, {'\'', {4, 4, 8, 0, 0, 0, 0}},
    {'[', {14, 8, 8, 8, 8, 8, 14}},       {']', {14, 2, 2, 2, 2, 2, 14}},      {' ', {0, 0, 0, 0, 0, 0, 0}},
};
static const unsigned char box[ROWS] = {31, 17, 17, 17, 17, 17, 31};

static const unsigned char *rows_of(char letter)
{
    const char small = letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].letter == small)
            return table[i].row;
    return box;
}

bool lm_letters_has(const char *text)
{
    bool all = true;
    for (; *text; text++)
        all &= *text == '\n' || rows_of(*text) != box;
    return all;
}

static void square(lm_canvas *to, int left, int top, int size, lm_rgb ink)
{
    for (int y = top < 0 ? 0 : top; y < top + size && y < to->height; y++)
        for (int x = left < 0 ? 0 : left; x < left + size && x < to->width; x++)
            lm_canvas_row(to, y)[x] = ink;
}

/* Bytes that continue a character of UTF-8 take no room. */
static int is_begin(char c)
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

void lm_letters_draw(const char *text, lm_rgb ink, int zoom, lm_canvas *to, int left, int top)
{
    int x = left;
    for (; *text; text++) {
        if (*text == '\n') {
            x = left;
            top += (LM_LETTER_HEIGHT + 2) * zoom;
            continue;
        }
        if (!is_begin(*text))
            continue;
        const unsigned char *row = rows_of(*text);
        for (int i = 0; i < ROWS * COLUMNS; i++)
            if (row[i / COLUMNS] >> (COLUMNS - 1 - i % COLUMNS) & 1)
                square(to, x + i % COLUMNS * zoom, top + i / COLUMNS * zoom, zoom, ink);
        x += LM_LETTER_WIDTH * zoom;
    }
}

int lm_letters_width(const char *text, int zoom)
{
    int most = 0, now = 0;
    for (; *text; text++) {
        now = *text == '\n' ? 0 : now + is_begin(*text);
        most = now > most ? now : most;
    }
    return most * LM_LETTER_WIDTH * zoom;
}

int lm_letters_height(const char *text, int zoom)
{
    int lines = 1;
    while ((text = strchr(text, '\n'))) {
        text++;
        lines++;
    }
    return (lines * (LM_LETTER_HEIGHT + 2) - 2) * zoom;
}
