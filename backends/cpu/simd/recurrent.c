/* recurrent.c - what follows the products in a step of LSTM, GRU and RNN, for one sample. Every step rounds like the
 * elementwise op of the same meaning, so the bits are those of the op written out in such ops. */
#include "backends/cpu/simd/kernel.h"

/* Up to 16 neighbouring units: `i` is the first, `left` says how many there are, gate k lies k * c->width floats behind x
 * and p. */
typedef struct units {
    const float *x, *p;
    size_t i, left;
} units;

#define CELL(name, gates)                                                                                             \
    void LM_NAME(lm_##name)(const lm_cell *c)                                                                         \
    {                                                                                                                 \
        const size_t block = (gates) * c->width;                                                                      \
        const float *x = c->x, *p = c->p;                                                                             \
        for (size_t first = 0; first < c->n; first += c->width, x += block, p += block)                               \
            for (size_t j = 0; j < c->width && first + j < c->n; j += 16) {                                           \
                size_t here = c->width - j, all = c->n - first - j;                                                   \
                name##_units(c, (units){x + j, p + j, first + j, here < all ? here : all});                           \
            }                                                                                                         \
    }

LM_VEC lm_v16 input_of(const lm_cell *c, units u, size_t gate) { return lm_v_load_left(u.x + gate * c->width, u.left); }
LM_VEC lm_v16 product_of(const lm_cell *c, units u, size_t gate)
{
    return lm_v_load_left(u.p + gate * c->width, u.left);
}
LM_VEC lm_v16 sum_of(const lm_cell *c, units u, size_t gate)
{
    return lm_v_add(input_of(c, u, gate), product_of(c, u, gate));
}
LM_VEC lm_v16 complement(lm_v16 v) { return lm_v_sub(lm_v_set(1.0f), v); }

LM_VEC void next_state(const lm_cell *c, units u, lm_v16 h)
{
    lm_v_store_left(c->next + u.i, h, u.left);
    if (c->y)
        lm_v_store_left(c->y + u.i, h, u.left);
}

LM_VEC void rnn_cell_units(const lm_cell *c, units u)
{
    lm_v16 v = sum_of(c, u, 0);
    next_state(c, u, c->relu ? lm_v_relu(v) : lm_v_tanh(v));
}

/* Gates: input, output, forget, cell. */
LM_VEC void lstm_cell_units(const lm_cell *c, units u)
{
    lm_v16 in = lm_v_sigmoid(sum_of(c, u, 0)), old = lm_v_load_left(c->memory + u.i, u.left);
    lm_v16 forget = c->input_forget ? complement(in) : lm_v_sigmoid(sum_of(c, u, 2));
    lm_v16 now = lm_v_tanh(sum_of(c, u, 3));
    lm_v16 memory = lm_v_add(lm_v_mul(forget, old), lm_v_mul(in, now));
    lm_v16 out = lm_v_sigmoid(sum_of(c, u, 1));
    lm_v_store_left(c->memory + u.i, memory, u.left);
    next_state(c, u, lm_v_mul(out, lm_v_tanh(memory)));
    if (c->saved) {
        float *to = c->saved + u.i;
        lm_v_store_left(to, in, u.left);
        lm_v_store_left(to + c->apart, out, u.left);
        lm_v_store_left(to + 2 * c->apart, forget, u.left);
        lm_v_store_left(to + 3 * c->apart, now, u.left);
        lm_v_store_left(to + 4 * c->apart, memory, u.left);
    }
}

/* Back through a cell by its slopes. Of four gates the second one stands between cell and state. */
void LM_NAME(lm_recurrent_cell_dx)(const lm_cell_dx *c)
{
    for (size_t i = 0; i < c->n; i += 16) {
        const size_t left = c->n - i;
        const float *slope = c->slopes + i;
        lm_v16 keep = lm_v_load_left(slope, left), show = lm_v_load_left(slope + c->apart, left);
        lm_v16 h = lm_v_load_left(c->h + i, left);
        if (c->from_y)
            h = lm_v_add(h, lm_v_load_left(c->from_y + i, left));
        lm_v16 cell = lm_v_add(lm_v_load_left(c->memory + i, left), lm_v_mul(h, show));
        if (c->at)
            lm_v_store_left(c->at + i, cell, left);
        for (size_t k = 0; k < c->count; k++) {
            lm_v16 own = lm_v_load_left(slope + (2 + k) * c->apart, left);
            lm_v16 s = lm_v_mul(c->count == 4 && k == 1 ? h : cell, own);
            lm_v_store_left(c->gates + k * c->apart + i, s, left);
            if (c->out)
                lm_v_store_left(c->out + k * c->apart + i, s, left);
        }
        lm_v_store_left(c->memory + i, lm_v_mul(cell, keep), left);
    }
}

LM_VEC void gru_mix(const lm_cell *c, units u, lm_v16 update, lm_v16 input, lm_v16 kept)
{
    lm_v16 now = lm_v_tanh(lm_v_add(input, kept)), old = lm_v_load_left(c->last + u.i, u.left);
    next_state(c, u, lm_v_add(lm_v_mul(complement(update), now), lm_v_mul(update, old)));
}

/* Gates: update, reset, hidden; the reset applies to the product. */
LM_VEC void gru_cell_units(const lm_cell *c, units u)
{
    lm_v16 update = lm_v_sigmoid(sum_of(c, u, 0)), reset = lm_v_sigmoid(sum_of(c, u, 1));
    gru_mix(c, u, update, input_of(c, u, 2), lm_v_mul(reset, product_of(c, u, 2)));
}

/* The same where the reset applies to the state, ahead of the hidden gate's product: update and reset ... */
LM_VEC void gru_gates_units(const lm_cell *c, units u)
{
    lm_v_store_left(c->update + u.i, lm_v_sigmoid(sum_of(c, u, 0)), u.left);
    lm_v16 reset = lm_v_sigmoid(sum_of(c, u, 1));
    lm_v_store_left(c->kept + u.i, lm_v_mul(reset, lm_v_load_left(c->last + u.i, u.left)), u.left);
}

/* ... and the hidden gate. */
LM_VEC void gru_state_units(const lm_cell *c, units u)
{
    gru_mix(c, u, lm_v_load_left(c->update + u.i, u.left), input_of(c, u, 0), product_of(c, u, 0));
}

CELL(rnn_cell, 1)
CELL(lstm_cell, 4)
CELL(gru_cell, 3)
CELL(gru_gates, 2)
CELL(gru_state, 1)
