/* The picture itself. */
#include "core/draw/svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/draw/layout.h"

/* Bytes of the character at `text` if it is sound UTF-8 that XML allows, otherwise 0. */
static size_t sound(const unsigned char *t)
{
    if (t[0] < 0x80)
        return t[0] >= 0x20 && t[0] != 0x7F;
    size_t n = t[0] >= 0xF0 && t[0] <= 0xF4 ? 4 : t[0] >= 0xE0 && t[0] < 0xF0 ? 3 : t[0] >= 0xC2 && t[0] < 0xE0 ? 2 : 0;
    for (size_t i = 1; i < n; i++)
        if ((t[i] & 0xC0) != 0x80)
            return 0;
    bool surrogate = t[0] == 0xED && t[1] >= 0xA0;
    bool overlong = (t[0] == 0xE0 && t[1] < 0xA0) || (t[0] == 0xF0 && t[1] < 0x90);
    bool beyond = (t[0] == 0xF4 && t[1] >= 0x90) || (t[0] == 0xEF && t[1] == 0xBF && t[2] >= 0xBE);
    return surrogate || overlong || beyond ? 0 : n;
}

void draw_text(lm_str *out, const char *text)
{
    static const char *const names[][2] = {
        {"<", "&lt;"}, {">", "&gt;"}, {"&", "&amp;"}, {"\"", "&quot;"}, {"\n", "&#10;"}};
    while (text && *text) {
        bool done = false;
        for (size_t i = 0; i < LM_COUNT(names) && !done; i++)
            if (*text == names[i][0][0]) {
                lm_str_add(out, names[i][1]);
                done = true;
            }
        size_t n = done ? 1 : sound((const unsigned char *)text);
        if (!n)
            lm_str_char(out, '?');
        else if (!done)
            lm_str_add_bytes(out, text, n);
        text += n ? n : 1;
    }
}

/* Zeros at the end of what stands behind the point, and a point with nothing behind it. */
static void trim(char *number)
{
    size_t n = strlen(number);
    if (!strchr(number, '.'))
        return;
    while (number[n - 1] == '0')
        n--;
    number[number[n - 1] == '.' ? n - 1 : n] = '\0';
}

const char *draw_number(double v, int digits, char room[DRAW_NUMBER])
{
    if (!isfinite(v) || v == 0) {
        snprintf(room, DRAW_NUMBER, "%g", fabs(v) > 0 ? v : fabs(v)); /* no "-nan", no "-0" */
        return room;
    }
    snprintf(room, DRAW_NUMBER, "%.*e", digits - 1, v);
    char *power = strchr(room, 'e');
    const int tens = atoi(power + 1);
    if (tens >= -4 && tens < 9) {
        snprintf(room, DRAW_NUMBER, "%.*f", tens < digits ? digits - 1 - tens : 0, v);
        trim(room);
    } else {
        *power = '\0';
        trim(room);
        snprintf(room + strlen(room), DRAW_NUMBER - strlen(room), "e%d", tens);
    }
    return room;
}

static void edges(const lm_sketch *s, const draw_layout *l, lm_str *out)
{
    for (int e = 0; e < s->edges; e++) {
        const draw_chain *c = &l->chain[e];
        const draw_item *from = &l->item.at[c->item[0]];
        double x = from->x, y = draw_top(from->rank) + DRAW_BOX;
        lm_str_printf(out, "<path class=\"e\" fill=\"none\" stroke=\"#8896a3\" d=\"M%.1f %.1f", x, y);
        for (int i = 1; i < c->count; i++) {
            const draw_item *to = &l->item.at[c->item[i]];
            double below = draw_top(to->rank), end = i + 1 < c->count ? below : below - 5; /* the arrow's length */
            if (to->x == x)
                lm_str_printf(out, "V%.1f", end);
            else
                lm_str_printf(out, "C%.1f %.1f %.1f %.1f %.1f %.1f", x, y + DRAW_GAP * 0.6, to->x, end - DRAW_GAP * 0.6,
                              to->x, end);
            x = to->x;
            y = below + DRAW_BOX;
            if (i + 1 < c->count)
                lm_str_printf(out, "V%.1f", y);
        }
        lm_str_add(out, "\"/>\n");
    }
}

/* By day. Viewers that know no style sheets take these, and must not fill lines and frames. */
static const char *const fills[LM_SKETCH_COLOURS] = {"#f4f6f8", "#cfe3fb", "#d3f1d5", "#fdebc0",
                                                     "#e6d9fa", "#c9f0ee", "#fbd3d6", "#e3e7eb"};

static void boxes(const lm_sketch *s, const draw_layout *l, lm_str *out)
{
    for (int i = 0; i < s->nodes; i++) {
        const lm_sketch_node *n = &s->node[i];
        const draw_item *it = &l->item.at[i];
        double top = draw_top(it->rank);
        bool two = n->detail && *n->detail;
        lm_str_printf(out, "<g class=\"n c%d%s\"><title>", n->colour, n->strong ? " s" : "");
        draw_text(out, n->hint);
        lm_str_printf(out,
                      "</title><rect fill=\"%s\" stroke=\"#5d6b78\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                      "height=\"%d\" rx=\"6\"/>",
                      fills[n->colour], it->x - it->w / 2, top, it->w, DRAW_BOX);
        lm_str_printf(out, "<text class=\"t\" x=\"%.1f\" y=\"%.1f\">", it->x, top + (two ? 16 : 23));
        draw_text(out, n->title);
        if (n->name && *n->name) {
            lm_str_add(out, " <tspan class=\"m\">");
            draw_text(out, n->name);
            lm_str_add(out, "</tspan>");
        }
        if (two) {
            lm_str_printf(out, "</text><text class=\"d\" font-size=\"10.5\" x=\"%.1f\" y=\"%.1f\">", it->x, top + 30);
            draw_text(out, n->detail);
        }
        lm_str_add(out, "</text></g>\n");
    }
}

/* A frame around everything whose group begins with `path`. */
typedef struct frame {
    double left, right, top, bottom;
    int members;
} frame;

static bool belongs(const char *group, const char *path, size_t bytes)
{
    return group && strncmp(group, path, bytes) == 0 && (group[bytes] == '.' || group[bytes] == '\0');
}

static void grow(frame *f, const draw_item *it)
{
    double left = it->x - it->w / 2, right = it->x + it->w / 2, top = draw_top(it->rank), bottom = top + DRAW_BOX;
    f->left = !f->members || left < f->left ? left : f->left;
    f->right = !f->members || right > f->right ? right : f->right;
    f->top = !f->members || top < f->top ? top : f->top;
    f->bottom = !f->members || bottom > f->bottom ? bottom : f->bottom;
    f->members++;
}

/* Frames that would enclose a stranger are left out. */
static bool make_frame(const lm_sketch *s, const draw_layout *l, const char *path, size_t bytes, frame *f)
{
    *f = (frame){0};
    for (int i = 0; i < s->nodes; i++)
        if (belongs(s->node[i].group, path, bytes))
            grow(f, &l->item.at[i]);
    for (int i = 0; i < s->nodes && f->members > 1; i++) {
        const draw_item *it = &l->item.at[i];
        double top = draw_top(it->rank);
        if (!belongs(s->node[i].group, path, bytes) && it->x + it->w / 2 > f->left && it->x - it->w / 2 < f->right &&
            top + DRAW_BOX > f->top && top < f->bottom)
            return false;
    }
    return f->members > 1 && f->members < s->nodes;
}

/* Did an earlier box bring this frame already? */
static bool known(const lm_sketch *s, int before, const char *path, size_t bytes)
{
    for (int i = before; i-- > 0;)
        if (belongs(s->node[i].group, path, bytes))
            return true;
    return false;
}

enum { FRAME_DEPTH = 3, FRAME_STEP = 5 };

/* The answer is how far to the right they and their names reach. */
static double frames(const lm_sketch *s, const draw_layout *l, lm_str *out)
{
    double reach = 0;
    for (int depth = 1; depth <= FRAME_DEPTH; depth++)
        for (int i = 0; i < s->nodes; i++) {
            const char *group = s->node[i].group, *end = group;
            for (int k = 0; end && k < depth; k++)
                end = strchr(k ? end + 1 : end, '.');
            size_t bytes = end ? (size_t)(end - group) : 0;
            frame f;
            if (!bytes || known(s, i, group, bytes) || !make_frame(s, l, group, bytes, &f))
                continue;
            double pad = FRAME_STEP * (FRAME_DEPTH + 1 - depth);
            lm_str_printf(out,
                          "<rect class=\"f\" fill=\"none\" stroke=\"#94a3b8\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                          "height=\"%.1f\" rx=\"%d\"/>",
                          f.left - pad, f.top - pad * 0.8, f.right - f.left + 2 * pad, f.bottom - f.top + 1.6 * pad,
                          10 - 2 * depth);
            double x = f.right + FRAME_STEP * FRAME_DEPTH + 4;
            lm_str_printf(out, "<text class=\"g\" text-anchor=\"start\" x=\"%.1f\" y=\"%.1f\">", x,
                          f.top + (depth - 1) * 12 + 8.0);
            char name[96];
            snprintf(name, sizeof name, "%.*s", (int)bytes, group);
            double name_end = x + draw_text_width(name) * 0.85 + DRAW_MARGIN / 2.0;
            reach = name_end > reach ? name_end : reach;
            draw_text(out, name);
            lm_str_add(out, "</text>\n");
        }
    return reach;
}

static const char style[] =
    "<style>\n"
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu "
    "Sans',sans-serif;text-anchor:middle;fill:#1d2733}\n"
    ".t{font-size:12.5px;font-weight:600}.m{font-weight:400}.d{font-size:10.5px;fill:#46535f}\n"
    ".n.s rect{stroke:#c2410c;stroke-width:2.5}\n"
    ".e{stroke-width:1.3;marker-end:url(#a)}.f{fill:#64748b;fill-opacity:.06;stroke-dasharray:4 3}\n"
    ".g,.l{font-size:11px;text-anchor:start;fill:#64748b}.g{paint-order:stroke;stroke:#fff;stroke-width:4px}\n"
    "@media(prefers-color-scheme:dark){text{fill:#e3e7ec}.d{fill:#b6c0ca}.g,.l{fill:#9aa4b0}.n rect{stroke:#7c8a98}"
    ".n.s rect{stroke:#f0883e}.f{stroke:#64748b}.g{stroke:#12151a}.w{fill:#12151a}\n"
    ".c0 rect{fill:#22272e}.c1 rect{fill:#1d3a5f}.c2 rect{fill:#1c4526}.c3 rect{fill:#4d3d10}.c4 rect{fill:#40305e}"
    ".c5 rect{fill:#10494b}.c6 rect{fill:#5a2a30}.c7 rect{fill:#333b45}}\n"
    "</style>\n"
    "<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"2\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" "
    "orient=\"auto\">"
    "<path d=\"M0 0L8 4L0 8z\" fill=\"#8896a3\"/></marker></defs>\n";

/* In the margin at the top. */
static double legend(const lm_sketch *s, lm_str *out)
{
    double x = DRAW_MARGIN / 2.0;
    for (int i = 0; i < LM_SKETCH_COLOURS; i++) {
        bool used = false;
        for (int k = 0; k < s->nodes; k++)
            used |= s->node[k].colour == i;
        if (!used || !s->legend[i])
            continue;
        lm_str_printf(out,
                      "<g class=\"n c%d\"><rect fill=\"%s\" stroke=\"#5d6b78\" x=\"%.1f\" y=\"8\" width=\"14\" "
                      "height=\"12\" rx=\"3\"/></g>",
                      i, fills[i], x);
        lm_str_printf(out, "<text class=\"l\" text-anchor=\"start\" x=\"%.1f\" y=\"18\">", x + 19);
        draw_text(out, s->legend[i]);
        lm_str_add(out, "</text>\n");
        x += 19 + draw_text_width(s->legend[i]) * 0.85 + 18;
    }
    return x;
}

/* A graph that is narrower than its legend stands below the middle of it. */
static void centre(draw_layout *l, double width)
{
    const double shift = width > l->width ? (width - l->width) / 2 : 0;
    for (size_t i = 0; i < l->item.count; i++)
        l->item.at[i].x += shift;
    l->width += 2 * shift;
}

static lm_status draw(const lm_sketch *s, draw_layout *l, lm_str *out)
{
    LM_TRY(draw_layout_make(s, l));
    lm_str head = {0}, around = {0};
    const double least = legend(s, &head);
    centre(l, least);
    const double reach = frames(s, l, &around), width = fmax(fmax(l->width, reach), least);
    lm_str_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" "
                  "font-family=\"sans-serif\" font-size=\"12\" text-anchor=\"middle\">\n",
                  width, l->height, width, l->height);
    lm_str_add(out, "<title>");
    draw_text(out, s->title);
    lm_str_printf(out, "</title>\n%s<rect class=\"w\" fill=\"#fff\" width=\"100%%\" height=\"100%%\"/>\n%s%s", style,
                  lm_str_text(&head), lm_str_text(&around));
    lm_str_free(&head);
    lm_str_free(&around);
    edges(s, l, out);
    boxes(s, l, out);
    return lm_str_add(out, "</svg>\n");
}

lm_status lm_sketch_svg(const lm_sketch *s, lm_str *out)
{
    draw_layout l = {0};
    lm_status status = draw(s, &l, out);
    draw_layout_free(&l);
    return status;
}
