/* Who stands left of whom: every item near the middle of its neighbours, swept down and up, the best of all sweeps
 * kept. */
#include <stdlib.h>

#include "core/draw/layout.h"

enum { SWEEPS = 12 };

typedef struct wish {
    int item, slot;
    double centre;
} wish;

static int by_centre(const void *a, const void *b)
{
    const wish *x = a, *y = b;
    if (x->centre != y->centre)
        return x->centre < y->centre ? -1 : 1;
    return x->slot - y->slot; /* a sort that keeps the order of equals, whatever the library */
}

static double mean_slot(const draw_layout *l, const int *item, int n, double otherwise)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += l->item.at[item[i]].slot;
    return n ? sum / n : otherwise;
}

static void reorder(draw_layout *l, int rank, bool down, wish *room)
{
    draw_rank *r = &l->rank[rank];
    for (int i = 0; i < r->count; i++) {
        const draw_item *it = &l->item.at[r->item[i]];
        room[i] = (wish){r->item[i], i, mean_slot(l, down ? it->up : it->down, down ? it->ups : it->downs, i)};
    }
    qsort(room, (size_t)r->count, sizeof *room, by_centre);
    for (int i = 0; i < r->count; i++) {
        r->item[i] = room[i].item;
        l->item.at[room[i].item].slot = i;
    }
}

/* Crossings of the edges between a layer and the next: pairs whose ends are the other way round. */
static long count_crossings(const draw_layout *l, int rank)
{
    const draw_rank *r = &l->rank[rank];
    long crossings = 0;
    for (int i = 0; i < r->count; i++)
        for (int k = i + 1; k < r->count; k++) {
            const draw_item *a = &l->item.at[r->item[i]], *b = &l->item.at[r->item[k]];
            for (int p = 0; p < a->downs; p++)
                for (int q = 0; q < b->downs; q++)
                    crossings += l->item.at[a->down[p]].slot > l->item.at[b->down[q]].slot;
        }
    return crossings;
}

static long count_all(const draw_layout *l)
{
    long sum = 0;
    for (int r = 0; r + 1 < l->ranks; r++)
        sum += count_crossings(l, r);
    return sum;
}

static void restore(draw_layout *l, const int *slot)
{
    for (size_t i = 0; i < l->item.count; i++) {
        l->item.at[i].slot = slot[i];
        l->rank[l->item.at[i].rank].item[slot[i]] = (int)i;
    }
}

lm_status draw_order(draw_layout *l)
{
    int widest = 0;
    for (int r = 0; r < l->ranks; r++)
        widest = l->rank[r].count > widest ? l->rank[r].count : widest;
    wish *room = lm_arena_alloc(&l->arena, (size_t)widest, sizeof *room);
    int *best = lm_arena_alloc(&l->arena, l->item.count, sizeof *best);
    if (!room || !best)
        return LM_MEMORY;
    long least = -1;
    for (int sweep = 0; sweep <= SWEEPS && least != 0; sweep++) {
        for (int k = 0; sweep && k < l->ranks; k++)
            reorder(l, sweep % 2 ? k : l->ranks - 1 - k, sweep % 2, room);
        long crossings = count_all(l);
        if (least >= 0 && crossings >= least)
            continue;
        least = crossings;
        for (size_t i = 0; i < l->item.count; i++)
            best[i] = l->item.at[i].slot;
    }
    restore(l, best);
    return LM_OK;
}
