/* What the kernels that walk through time share: weights of LSTM, GRU and RNN in the form that they read, room in the
 * workspace, and how many workers a step is worth. */
#ifndef LM_CPU_RECURRENT_H
#define LM_CPU_RECURRENT_H

#include "backends/cpu/pack.h"

/* Weights [ways, gates * hidden, K] as panels [way][phase][block][gate][k][nr]: a block is nr neighbouring hidden units,
 * the last one filled up with zeros, and the gates of a block stand together, so that whoever computes a block reads one
 * stretch of memory. The first phase holds the first `first` gates, a second one the rest. Behind the panels stands the
 * flag of pack.h, for the last panels only. */
typedef struct lm_gates {
    int64_t ways, gates, first, hidden, channels, nr;
} lm_gates;

lm_gates lm_gates_of(const lm_view *w, int64_t gates, int64_t first, int64_t nr);

/* Floats of it all; false when that is more than can be addressed. */
bool lm_gates_size(const lm_gates *g, size_t *floats);
void lm_gates_pack(lm_cpu *cpu, const lm_gates *g, const lm_view *w, const float *from, float *out);

/* The device's `derive` for LM_CPU_PACK_GATES: p = {nr, gates, first}. */
lm_status lm_gates_derive(lm_cpu *cpu, const lm_view *w, const lm_want *want, lm_buffer **out);

/* Room for count * each more floats in a kernel's workspace; *at in bytes, as lm_walk_space takes it. */
lm_status lm_walk_reserve(lm_cpu_kernel *k, int64_t count, int64_t each, int64_t *at);

static inline float *lm_walk_space(void *workspace, int64_t at)
{
    return (float *)(void *)((char *)workspace + at);
}

/* Rows of n floats between dense memory and memory with gaps; `from` NULL: zeros. */
void lm_walk_rows(float *to, int64_t to_pitch, const float *from, int64_t from_pitch, int64_t rows, int64_t n);

/* Left out, or float32 in row-major order. */
bool lm_walk_dense(const lm_view *v);

/* Among how many workers to divide rounds that read `bytes` of weights (times samples) in `units` blocks. */
int lm_walk_tiles(const lm_cpu *cpu, double bytes, int64_t units);

#endif
