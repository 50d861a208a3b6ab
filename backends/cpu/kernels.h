/* The streaming kernels of the cpu device: what one looks like, and the table of a level's. Written once in simd/, over
 * simd/vec.h, and compiled once per level; a driver picks its function at bind time, so no loop dispatches. */
#ifndef LM_CPU_KERNELS_H
#define LM_CPU_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/cpu/isa.h"
#include "core/ops/op.h"

enum { LM_EW_INPUTS = 4 };

/* One run of an elementwise kernel: n results at y, contiguous. x[i] holds n contiguous operands, or one for all
 * when bit i of `one` is set (never for kernels of one operand). a and b are the op's parameters. Kernels of integers
 * that can fail leave the first failing index in `bad`, which starts at -1, and go on with 0 as the result. `past` asks
 * for stores past the caches; y, of floats, is then aligned to 64 bytes. */
typedef struct lm_ew {
    void *y;
    const void *x[LM_EW_INPUTS];
    size_t n;
    unsigned one;
    bool past;
    float a, b;
    int64_t bad;
} lm_ew;

typedef void (*lm_ew_fn)(lm_ew *e);

/* Reductions as lane arithmetic: how a value enters a lane. The order is fixed: element i of the flattened reduced axes
 * goes to lane i mod 16, lanes fold 8-4-2-1; past LM_RED_LONG elements, chunks of LM_RED_CHUNK are reduced alone and
 * joined in index order. */
typedef enum lm_red {
    LM_RED_SUM,
    LM_RED_ABS,
    LM_RED_SQUARE,
    LM_RED_PROD,
    LM_RED_MAX,
    LM_RED_MIN,
    LM_RED_EXP, /* sum of exp(x - shift) */
    LM_REDS
} lm_red;
typedef enum lm_finish { LM_FINISH_NONE, LM_FINISH_MEAN, LM_FINISH_ROOT, LM_FINISH_LOG, LM_FINISH_LOG_SHIFT } lm_finish;
enum { LM_RED_LANES = 16, LM_RED_LONG = 65536, LM_RED_CHUNK = 16384, LM_RED_WIDE = 256 };

/* A run of an optimiser step: weights, gradient and state of n parameters, contiguous; a result may be its own operand.
 * `rate` is final: Adam's correction for the first steps is in it. m is the velocity of momentum. */
typedef struct lm_update {
    lm_attr_update a;
    float rate;
    size_t n;
    const float *w, *g, *m, *v;
    float *w_new, *m_new, *v_new;
} lm_update;

/* A step of a recurrent op for n hidden units of one sample. x and p hold what inputs and state contribute, the gates of
 * `width` units side by side, then the next ones': [unit / width][gate][width]. */
typedef struct lm_cell {
    size_t n, width;
    const float *x, *p;
    const float *last; /* the state before the step */
    float *next, *y;   /* the state after it; y: once more, or NULL */
    float *memory;     /* LSTM: what its cells hold, updated */
    float *update;     /* GRU in two halves: the update gate, and the state times the reset gate */
    float *kept;
    float *saved;      /* LSTM: gates and cell for the way back, each `apart` floats behind the one before; or NULL */
    size_t apart;
    bool input_forget, relu;
} lm_cell;

/* A step back through a recurrent op for n hidden units of one sample. What there is one of per gate lies `apart`
 * floats behind that of the gate before. */
typedef struct lm_cell_dx {
    size_t n, apart, count;  /* count: of gates */
    const float *slopes;     /* of the cell before, of the state, of the gates */
    const float *h, *from_y; /* signals at the state, from the step behind and from the result; from_y may be NULL */
    float *memory;           /* the signal at the cell, of the step before afterwards */
    float *gates, *out;      /* signals at the gates; out: once more, or NULL */
    float *at;               /* the signal at the cell, or NULL */
} lm_cell_dx;

#define LM_EW(op)
#define LM_DX(op)
#define LM_CONVERT(to, from)
#define LM_STREAM_FN(type, name, args) type(*name) args;
typedef struct lm_stream {
    lm_ew_fn ew[LM_OPS], dx[LM_OPS];
    lm_ew_fn convert[LM_DTYPES][LM_DTYPES]; /* [to][from] */
#include "backends/cpu/kernels.def"
} lm_stream;
#undef LM_EW
#undef LM_DX
#undef LM_CONVERT
#undef LM_STREAM_FN

/* The table of a level that is compiled in; NULL for another. */
const lm_stream *lm_cpu_stream(lm_cpu_level level);

#endif
