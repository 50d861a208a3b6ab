/* Strided copies: every op that moves values without changing them is one or several of these. A copy is prepared once
 * from sizes and strides and then run on any addresses. It knows bytes, not types. */
#ifndef LM_CPU_COPY_H
#define LM_CPU_COPY_H

#include "backends/cpu/cpu.h"
#include "backends/cpu/kernels.h"

/* Tile splits each axis in two and a reshape refines two shapes, so a copy may have more axes than a view. */
enum { LM_COPY_AXES = 2 * LM_RANK };

/* One axis of the index space that both sides share; strides in elements. `from` may be 0 or negative, `to`
 * negative. */
typedef struct lm_copy_axis {
    int64_t n, to, from;
} lm_copy_axis;

/* The two innermost loops of a copy, strides in bytes. */
typedef struct lm_copy_plane {
    int64_t np, to_p, from_p;
    int64_t nq, to_q, from_q;
    int64_t size; /* bytes of an element; a short run of the caller's elements may count as one */
    bool stream;  /* the whole result is too large for the caches */
    const lm_stream *level; /* NULL until lm_copy_level */
} lm_copy_plane;

typedef void (*lm_copy_fn)(char *to, const char *from, const lm_copy_plane *g);

/* A prepared copy: outer axes around planes, planes cut into units, units grouped into tiles. The grid depends on sizes
 * and strides alone. A plain value: it may be copied and needs no freeing. */
typedef struct lm_copy {
    lm_copy_fn fn; /* a caller may put a function of its own here before the first tile */
    lm_copy_plane plane;
    int outer;
    lm_copy_axis axis[LM_COPY_AXES]; /* the outer ones, strides in bytes */
    int64_t to_off, from_off;        /* bytes: flipped axes start at their other end */
    int64_t step_p, parts_p, step_q, parts_q;
    int64_t units, per_tile, tiles;
    int64_t large; /* bytes of a result from which on caches do not hold it */
    int kind;  /* which plane function */
    bool same; /* both sides have one layout: nothing to do when the addresses agree */
} lm_copy;

/* Prepare a copy of elements of `size` bytes (1, 2, 4 or 8) over n <= LM_COPY_AXES axes in any order. */
void lm_copy_plan(lm_copy *c, size_t size, int n, const lm_copy_axis *axes);

/* Cut it anew, into tiles of about `bytes`, where the default (large tiles) would leave too few. */
void lm_copy_cut(lm_copy *c, int64_t bytes);

/* Let a prepared copy of elements of `size` bytes use the vectors of the device's level and its caches' size: where
 * that is faster, tiles are planned anew. Values and callers' own functions are not concerned. */
void lm_copy_level(lm_copy *c, size_t size, const lm_cpu *cpu);

/* Copy the part with number `tile`, 0 ... tiles - 1; `to` and `from` are the addresses of element [0,0,...]. */
void lm_copy_tile(const lm_copy *c, void *to, const void *from, int64_t tile);

/* All tiles on the pool; returns when done. Call it outside of tiles. */
void lm_copy_run(lm_pool *pool, const lm_copy *c, void *to, const void *from);

/* Copy between views of equal shape and element size in host memory, whatever their strides. */
lm_status lm_cpu_copy_view(lm_cpu *cpu, const lm_view *to, const lm_view *from);

/* A part of a result: `copy` from input `input` (LM_ZEROS: from zeros) of a call, starting `to`, `from` elements into
 * it. */
enum { LM_ZEROS = -1 };
typedef struct lm_piece {
    lm_copy copy;
    int input;
    int64_t first; /* number of the piece's first tile in its pass */
} lm_piece;

/* A kernel that is a list of pieces: the first `before` of them are written first, the rest after them. Pieces of one
 * pass must not overlap in the result. */
typedef struct lm_pieces {
    lm_cpu_kernel k;
    const lm_cpu *cpu;
    size_t size; /* of an element */
    int nx, room, n, before;
    lm_piece piece[];
} lm_pieces;

/* A kernel with room for `room` pieces that all end in y[0]. */
lm_status lm_pieces_new(lm_cpu *cpu, const lm_call *call, int room, const char *what, lm_pieces **out);

/* Add the copy of one box; offsets in elements from the first element of y[0] and of the input. */
void lm_pieces_add(lm_pieces *k, int input, int64_t to_off, int64_t from_off, int n, const lm_copy_axis *axes);

/* What is added from here on is written after what was added so far. At most once. */
void lm_pieces_pass(lm_pieces *k);

#endif
