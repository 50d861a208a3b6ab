/* Packs the weights of recurrent ops, gates of a block of hidden units side by side. */
#include "backends/cpu/block.h"
#include "backends/cpu/recurrent.h"
#include "core/base/mem.h"

lm_gates lm_gates_of(const lm_view *w, int64_t gates, int64_t first, int64_t nr)
{
    return (lm_gates){.ways = w->sh.dim[0], .gates = gates, .first = first, .hidden = w->sh.dim[1] / gates,
                      .channels = w->sh.dim[2], .nr = nr};
}

/* One panel for each block and gate. */
bool lm_gates_size(const lm_gates *g, size_t *floats)
{
    const lm_pack all = {.parts = g->ways * g->gates, .taps = 1, .channels = g->channels, .columns = g->hidden,
                         .nr = g->nr};
    return lm_pack_size(&all, floats);
}

/* Panels of `columns` units each for `blocks` blocks of `gates` gates; hands back where they end. */
static float *pack_blocks(lm_cpu *cpu, const lm_gates *g, const lm_view *w, const float *from, int64_t blocks,
                          int64_t gates, int64_t columns, float *out)
{
    lm_pack p = {.parts = blocks * gates, .taps = 1, .channels = g->channels, .columns = columns, .nr = g->nr,
                 .channel_step = w->st[2], .column_step = w->st[1], .axes = 2, .part_dim = {blocks, gates},
                 .part_step = {g->nr * w->st[1], g->hidden * w->st[1]}, .tap_dim = {1, 1, 1}};
    if (blocks > 0 && columns > 0)
        lm_pack_run(cpu, &p, from, out);
    return out + p.parts * lm_pack_panel(&p);
}

void lm_gates_pack(lm_cpu *cpu, const lm_gates *g, const lm_view *w, const float *from, float *out)
{
    const int64_t whole = g->hidden / g->nr, rest = g->hidden % g->nr;
    for (int64_t way = 0; way < g->ways; way++)
        for (int64_t gate = 0, n; gate < g->gates; gate += n) {
            n = gate < g->first ? g->first : g->gates - gate;
            const float *at = from + way * w->st[0] + gate * g->hidden * w->st[1];
            out = pack_blocks(cpu, g, w, at, whole, n, g->nr, out);
            out = pack_blocks(cpu, g, w, at + whole * g->nr * w->st[1], rest > 0, n, rest, out);
        }
}

lm_status lm_gates_derive(lm_cpu *cpu, const lm_view *w, const lm_want *want, lm_buffer **out)
{
    const lm_gates g = lm_gates_of(w, want->p[1], want->p[2], want->p[0]);
    size_t floats, bytes;
    LM_REQUIRE(lm_gates_size(&g, &floats) && lm_mul_size(floats, sizeof(float), &bytes), LM_MEMORY,
               "packed weights would not fit in memory");
    LM_TRY(lm_buffer_new(bytes, out));
    lm_gates_pack(cpu, &g, w, lm_view_data(w), (*out)->host);
    return LM_OK;
}
