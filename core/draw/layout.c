/* From a graph to items in layers: every box as far down as the longest way to it, long edges cut into pieces. */
#include "core/draw/layout.h"

#include <string.h>

#include "core/draw/svg.h"

/* Of a character that begins with this byte, at 13 pixels, in one of the wider fonts that a viewer may have. */
static double letter_width(unsigned char c)
{
    return c >= 0xE3                    ? 13 /* ideographs are squares */
           : (c & 0xC0) == 0x80         ? 0  /* continues a character */
           : strchr("ijl.,:;|'()[] ", c) ? 4.6
           : strchr("ftr-/", c)         ? 5.4
           : strchr("mwMW@%", c)        ? 12.4
           : c >= 'A' && c <= 'Z'       ? 8.8
                                        : 7.7;
}

double draw_text_width(const char *text)
{
    double width = 0;
    for (; text && *text; text++)
        width += letter_width((unsigned char)*text);
    return width;
}

void draw_text_cut(const char *text, double width, lm_str *out)
{
    static const char dots[] = "\xe2\x80\xa6";
    const size_t bytes = strlen(text);
    const double room = width - letter_width('e');
    size_t head = 0, tail = bytes, begin = bytes;
    double used = 0;
    if (draw_text_width(text) <= width) {
        lm_str_add(out, text);
        return;
    }
    for (; used + letter_width((unsigned char)text[head]) <= 0.6 * room; head++)
        used += letter_width((unsigned char)text[head]);
    while (tail > head && used + letter_width((unsigned char)text[tail - 1]) <= room) {
        used += letter_width((unsigned char)text[--tail]);
        begin = ((unsigned char)text[tail] & 0xC0) == 0x80 ? begin : tail;
    }
    lm_str_add_bytes(out, text, head);
    lm_str_add(out, dots);
    lm_str_add(out, text + begin);
}

void draw_text_fitted(const char *text, double width, lm_str *out)
{
    lm_str cut = {0};
    draw_text_cut(text, width, &cut);
    draw_text(out, lm_str_text(&cut));
    out->status = out->status == LM_OK ? cut.status : out->status;
    lm_str_free(&cut);
}

void draw_headline(const char *text, double width, lm_str *out)
{
    const double plain = width / 1.1;
    if (draw_text_width(text) > plain) {
        lm_str_add(out, "<title>");
        draw_text(out, text);
        lm_str_add(out, "</title>");
    }
    draw_text_fitted(text ? text : "", plain, out);
}

static double box_width(const lm_sketch_node *n)
{
    double a = draw_text_width(n->title) * 1.1,
           b = draw_text_width(n->detail) * 0.82; /* bold at 12.5, and at 10.5 pixels */
    a += n->name && *n->name ? draw_text_width(n->name) * 0.97 + 5 : 0;
    double width = (a > b ? a : b) + 24;
    return width < 84 ? 84 : width;
}

/* The edges in the order of their ends, so that a pass over them meets every box after all that lead to it. */
static int *edges_by_end(const lm_sketch *s, lm_arena *arena)
{
    int *start = lm_arena_alloc(arena, (size_t)s->nodes + 2, sizeof *start);
    int *order = lm_arena_alloc(arena, (size_t)s->edges, sizeof *order);
    if (!start || !order)
        return NULL;
    for (int e = 0; e < s->edges; e++)
        start[s->edge[e].to + 2]++;
    for (int i = 0; i < s->nodes; i++)
        start[i + 1] += start[i];
    for (int e = 0; e < s->edges; e++)
        order[start[s->edge[e].to + 1]++] = e;
    return order;
}

/* As deep as the longest way to it; what nothing leads to stands right above its first consumer. */
static lm_status rank_boxes(const lm_sketch *s, draw_layout *l)
{
    int *order = edges_by_end(s, &l->arena);
    int *nearest = lm_arena_alloc(&l->arena, (size_t)s->nodes, sizeof *nearest);
    bool *fed = lm_arena_alloc(&l->arena, (size_t)s->nodes, sizeof *fed);
    if (!order || !nearest || !fed)
        return LM_MEMORY;
    for (int i = 0; i < s->edges; i++) {
        const lm_sketch_edge *e = &s->edge[order[i]];
        draw_item *from = &l->item.at[e->from], *to = &l->item.at[e->to];
        to->rank = to->rank > from->rank ? to->rank : from->rank + 1;
        fed[e->to] = true;
    }
    for (int i = 0; i < s->edges; i++) {
        const lm_sketch_edge *e = &s->edge[i];
        int rank = l->item.at[e->to].rank;
        nearest[e->from] = nearest[e->from] && nearest[e->from] < rank ? nearest[e->from] : rank;
    }
    for (int i = 0; i < s->nodes; i++) {
        if (!fed[i] && nearest[i])
            l->item.at[i].rank = nearest[i] - 1;
        l->ranks = l->item.at[i].rank >= l->ranks ? l->item.at[i].rank + 1 : l->ranks;
    }
    return LM_OK;
}

/* One item per layer that an edge crosses. */
static lm_status cut_edges(const lm_sketch *s, draw_layout *l)
{
    l->chain = lm_arena_alloc(&l->arena, (size_t)s->edges, sizeof *l->chain);
    if (!l->chain)
        return LM_MEMORY;
    for (int e = 0; e < s->edges; e++) {
        int from = s->edge[e].from, to = s->edge[e].to, first = l->item.at[from].rank;
        draw_chain *c = &l->chain[e];
        c->count = l->item.at[to].rank - first + 1;
        c->item = lm_arena_alloc(&l->arena, (size_t)c->count, sizeof *c->item);
        if (!c->item)
            return LM_MEMORY;
        c->item[0] = from;
        c->item[c->count - 1] = to;
        for (int i = 1; i + 1 < c->count; i++) {
            c->item[i] = (int)l->item.count;
            LM_TRY(lm_vec_push(&l->item, (draw_item){.rank = first + i}));
        }
    }
    return LM_OK;
}

static lm_status join_neighbours(const lm_sketch *s, draw_layout *l)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int e = 0; e < s->edges; e++)
            for (int i = 0; i + 1 < l->chain[e].count; i++) {
                int a = l->chain[e].item[i], b = l->chain[e].item[i + 1];
                draw_item *up = &l->item.at[a], *down = &l->item.at[b];
                if (pass) {
                    up->down[up->downs] = b;
                    down->up[down->ups] = a;
                }
                up->downs++;
                down->ups++;
            }
        for (size_t i = 0; !pass && i < l->item.count; i++) {
            draw_item *it = &l->item.at[i];
            it->up = lm_arena_alloc(&l->arena, (size_t)it->ups, sizeof *it->up);
            it->down = lm_arena_alloc(&l->arena, (size_t)it->downs, sizeof *it->down);
            if (!it->up || !it->down)
                return LM_MEMORY;
            it->ups = it->downs = 0;
        }
    }
    return LM_OK;
}

/* Into layers, at first in the order in which boxes are and edges leave them. */
static lm_status fill_ranks(draw_layout *l)
{
    l->rank = lm_arena_alloc(&l->arena, (size_t)l->ranks, sizeof *l->rank);
    if (!l->rank)
        return LM_MEMORY;
    for (size_t i = 0; i < l->item.count; i++)
        l->rank[l->item.at[i].rank].count++;
    for (int r = 0; r < l->ranks; r++) {
        l->rank[r].item = lm_arena_alloc(&l->arena, (size_t)l->rank[r].count, sizeof *l->rank[r].item);
        if (!l->rank[r].item)
            return LM_MEMORY;
        l->rank[r].count = 0;
    }
    for (size_t i = 0; i < l->item.count; i++) {
        draw_rank *r = &l->rank[l->item.at[i].rank];
        l->item.at[i].slot = r->count;
        r->item[r->count++] = (int)i;
    }
    return LM_OK;
}

lm_status draw_layout_make(const lm_sketch *s, draw_layout *l)
{
    for (int e = 0; e < s->edges; e++)
        LM_REQUIRE(s->edge[e].from >= 0 && s->edge[e].from < s->edge[e].to && s->edge[e].to < s->nodes, LM_USAGE,
                   "edge %d goes from %d to %d; a picture needs edges that go forward", e, s->edge[e].from,
                   s->edge[e].to);
    for (int i = 0; i < s->nodes; i++)
        LM_TRY(lm_vec_push(&l->item, (draw_item){.w = box_width(&s->node[i])}));
    LM_TRY(rank_boxes(s, l));
    LM_TRY(cut_edges(s, l));
    LM_TRY(join_neighbours(s, l));
    LM_TRY(fill_ranks(l));
    LM_TRY(draw_order(l));
    LM_TRY(draw_place(l));
    l->height = draw_top(l->ranks) - DRAW_GAP + DRAW_MARGIN;
    return LM_OK;
}

void draw_layout_free(draw_layout *l)
{
    lm_vec_free(&l->item);
    lm_arena_free(&l->arena);
}
