/* How far left or right: every item wants to stand where its neighbours are; a layer as a whole gets the positions that
 * are nearest to these wishes, by the sum of squares, with nobody overlapping. */
#include <math.h>

#include "core/draw/layout.h"

enum { ROUNDS = 160 };

/* Items that have been pushed together and move as one. */
typedef struct block {
    double sum, weight; /* of the wishes, each with its place in the block taken off */
    int first;          /* item of the layer */
} block;

/* Straight long edges look best, so bends hold on to each other. */
static double pull(const draw_item *a, const draw_item *b)
{
    return a->w == 0 && b->w == 0 ? 8 : a->w == 0 || b->w == 0 ? 2 : 1;
}

/* Squares alone would spread every step over the whole way, so that nothing stands straight: `straight` weighs far
 * neighbours down, which gathers the steps in few places. */
static void add_wishes(const draw_layout *l, const draw_item *it, const int *item, int n, bool straight, double *sum,
                       double *weight)
{
    for (int i = 0; i < n; i++) {
        const draw_item *other = &l->item.at[item[i]];
        double w = pull(it, other);
        if (straight)
            w /= 1 + fabs(it->x - other->x) / 4;
        *sum += w * other->x;
        *weight += w;
    }
}

static double distance(const draw_item *a, const draw_item *b)
{
    double between = a->w == 0 && b->w == 0 ? DRAW_BETWEEN / 2.0 : DRAW_BETWEEN;
    return (a->w + b->w) / 2 + between;
}

/* The least-squares positions of a layer: neighbouring blocks that would overlap are merged. `offset` and `room` have a
 * layer's size. */
static void settle(draw_layout *l, const draw_rank *r, bool up, bool down, bool straight, double *offset, block *room)
{
    int blocks = 0;
    for (int i = 0; i < r->count; i++) {
        const draw_item *it = &l->item.at[r->item[i]];
        double sum = 0, weight = 0;
        offset[i] = i ? offset[i - 1] + distance(&l->item.at[r->item[i - 1]], it) : 0;
        if (up)
            add_wishes(l, it, it->up, it->ups, straight, &sum, &weight);
        if (down)
            add_wishes(l, it, it->down, it->downs, straight, &sum, &weight);
        if (weight == 0) {
            weight = 0.05;
            sum = weight * it->x;
        }
        room[blocks++] = (block){sum - weight * offset[i], weight, i};
        for (block *b = &room[blocks - 1]; blocks > 1 && b[-1].sum / b[-1].weight > b->sum / b->weight; b--, blocks--) {
            b[-1].sum += b->sum;
            b[-1].weight += b->weight;
        }
    }
    for (int b = 0; b < blocks; b++)
        for (int i = room[b].first; i < (b + 1 < blocks ? room[b + 1].first : r->count); i++)
            l->item.at[r->item[i]].x = room[b].sum / room[b].weight + offset[i];
}

/* Move everything so that it begins at the margin. */
static void frame(draw_layout *l)
{
    double left = 0, right = 0;
    for (size_t i = 0; i < l->item.count; i++) {
        const draw_item *it = &l->item.at[i];
        left = i == 0 || it->x - it->w / 2 < left ? it->x - it->w / 2 : left;
        right = i == 0 || it->x + it->w / 2 > right ? it->x + it->w / 2 : right;
    }
    for (size_t i = 0; i < l->item.count; i++)
        l->item.at[i].x += DRAW_MARGIN - left;
    l->width = right - left + 2 * DRAW_MARGIN;
}

lm_status draw_place(draw_layout *l)
{
    int widest = 0;
    for (int r = 0; r < l->ranks; r++)
        widest = l->rank[r].count > widest ? l->rank[r].count : widest;
    double *offset = lm_arena_alloc(&l->arena, (size_t)widest, sizeof *offset);
    block *room = lm_arena_alloc(&l->arena, (size_t)widest, sizeof *room);
    if (!offset || !room)
        return LM_MEMORY;
    for (int round = 0; round < ROUNDS; round++) {
        bool both = round >= ROUNDS / 2, down = round % 2 == 0;
        for (int k = 0; k < l->ranks; k++)
            settle(l, &l->rank[down ? k : l->ranks - 1 - k], both || down, both || !down, both, offset, room);
    }
    frame(l);
    return LM_OK;
}
