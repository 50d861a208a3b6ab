/* Packs weights into panels, as a constant's derived form or into the workspace of a launch. */
#include "backends/cpu/pack.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "backends/cpu/block.h"
#include "backends/cpu/depthwise.h"
#include "backends/cpu/recurrent.h"
#include "core/base/file.h"
#include "core/base/mem.h"

enum { FLAG_FLOATS = 16, LINE = 16 };

typedef float quad __attribute__((vector_size(16)));
typedef int32_t word __attribute__((vector_size(16)));

typedef struct job {
    const lm_stream *stream;
    const lm_pack *p;
    const float *w;
    float *out;
    atomic_bool infinite;
} job;

int64_t lm_pack_panel(const lm_pack *p)
{
    return p->taps * p->channels * p->nr;
}

bool lm_pack_size(const lm_pack *p, size_t *floats)
{
    size_t n = (size_t)lm_ceil_div(p->columns, p->nr);
    return lm_mul_size(n, (size_t)p->nr, &n) && lm_mul_size(n, (size_t)p->taps, &n) &&
           lm_mul_size(n, (size_t)p->channels, &n) && lm_mul_size(n, (size_t)p->parts, &n) &&
           lm_add_size(n, FLAG_FLOATS, floats) && *floats <= SIZE_MAX / 2 / sizeof(float);
}

static void spatial_taps(const lm_view *w, lm_pack *p, bool reverse)
{
    const int nd = w->sh.rank - 2;
    p->taps = 1;
    for (int k = 0; k < LM_SPATIAL; k++) {
        const int axis = k - (LM_SPATIAL - nd);
        p->tap_dim[k] = axis < 0 ? 1 : w->sh.dim[2 + axis];
        p->tap_step[k] = axis < 0 ? 0 : w->st[2 + axis];
        p->taps *= p->tap_dim[k];
        if (reverse && p->tap_dim[k] > 0) {
            p->first += (p->tap_dim[k] - 1) * p->tap_step[k];
            p->tap_step[k] = -p->tap_step[k];
        }
    }
}

void lm_pack_conv(const lm_view *w, int64_t groups, int64_t nr, lm_pack *p)
{
    *p = (lm_pack){.parts = groups, .nr = nr, .channels = w->sh.dim[1], .columns = w->sh.dim[0] / groups, .axes = 1};
    p->channel_step = w->st[1];
    p->column_step = w->st[0];
    p->part_dim[0] = groups;
    p->part_step[0] = p->columns * w->st[0];
    spatial_taps(w, p, false);
}

void lm_pack_conv_t(const lm_view *w, int64_t groups, int64_t nr, lm_pack *p)
{
    *p = (lm_pack){.parts = groups, .nr = nr, .channels = w->sh.dim[0] / groups, .columns = w->sh.dim[1], .axes = 1};
    p->channel_step = w->st[0];
    p->column_step = w->st[1];
    p->part_dim[0] = groups;
    p->part_step[0] = p->channels * w->st[0];
    spatial_taps(w, p, true);
}

void lm_pack_gemm(const lm_view *w, bool trans, int64_t nr, lm_pack *p)
{
    const int rank = w->sh.rank, k = trans ? rank - 1 : rank - 2, n = trans ? rank - 2 : rank - 1;
    /* no window of a matrix product reaches outside */
    *p = (lm_pack){.parts = 1, .taps = 1, .nr = nr, .tap_dim = {1, 1, 1}, .unchecked = true};
    if (rank == 1) {
        p->channels = w->sh.dim[0], p->columns = 1, p->channel_step = w->st[0];
        return;
    }
    p->channels = w->sh.dim[k], p->columns = w->sh.dim[n];
    p->channel_step = w->st[k], p->column_step = w->st[n];
    p->axes = rank - 2;
    for (int i = 0; i < rank - 2; i++) {
        p->part_dim[i] = w->sh.dim[i];
        p->part_step[i] = w->st[i];
        p->parts *= w->sh.dim[i];
    }
}

bool lm_pack_patches(const lm_view *w, int64_t nr, lm_pack *p)
{
    int64_t step = 1;
    bool dense = true;
    for (int i = w->sh.rank - 1; i >= 1; step *= w->sh.dim[i--])
        dense &= w->sh.dim[i] == 1 || w->st[i] == step;
    const lm_view matrix = {.sh = LM_SHAPE(w->sh.dim[0], step), .st = {w->st[0], 1}};
    lm_pack_gemm(&matrix, false, nr, p);
    return dense;
}

/* The offset of a mixed-radix index. */
static int64_t digits(int64_t index, int n, const int64_t *dim, const int64_t *step)
{
    int64_t off = 0;
    for (int i = n - 1; i >= 0; index /= dim[i--])
        off += index % dim[i] * step[i];
    return off;
}

void lm_turn_4x4(const float *from, int64_t from_step, float *to, int64_t to_step)
{
    quad a, b, c, d;
    memcpy(&a, from, sizeof a);
    memcpy(&b, from + from_step, sizeof b);
    memcpy(&c, from + 2 * from_step, sizeof c);
    memcpy(&d, from + 3 * from_step, sizeof d);
    const quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    a = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    b = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    c = __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5);
    d = __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7);
    memcpy(to, &a, sizeof a);
    memcpy(to + to_step, &b, sizeof b);
    memcpy(to + 2 * to_step, &c, sizeof c);
    memcpy(to + 3 * to_step, &d, sizeof d);
}

/* Weights may lie at any address. */
static inline void move(float *to, const float *from)
{
    memcpy(to, from, sizeof *to);
}

/* One tap of one panel: [channel][nr] from strided weights; `n` columns are there. */
static void pack_tap(const lm_stream *stream, const lm_pack *p, const float *w, int64_t n, float *out)
{
    const int64_t channels = p->channels, nr = p->nr;
    if (p->column_step == 1) {
        for (int64_t c = 0; c < channels; c++, out += nr, w += p->channel_step) {
            int64_t j = 0;
            for (; j + LINE <= n; j += LINE) /* rows are short: calls of memcpy would cost as much as the copying */
                memcpy(out + j, w + j, LINE * sizeof *out);
            for (; j < n; j++)
                move(&out[j], &w[j]);
        }
        return;
    }
    if (p->channel_step == 1) {
        stream->turn(out, nr, w, p->column_step, channels, n, false);
        return;
    }
    for (int64_t j = 0; j < n; j++)
        for (int64_t c = 0; c < channels; c++)
            move(&out[c * nr + j], &w[c * p->channel_step + j * p->column_step]);
}

/* Are the weights of a column one run, [channel][tap]? */
static bool has_runs(const lm_pack *p)
{
    int64_t step = 1;
    for (int k = LM_SPATIAL - 1; k >= 0; k--) {
        if (p->tap_dim[k] != 1 && p->tap_step[k] != step)
            return false;
        step *= p->tap_dim[k];
    }
    return step > 1 && (p->channels == 1 || p->channel_step == step);
}

/* All taps of a panel at once, so that each line of a run is read once; its rows are written whole. */
static void pack_runs(const lm_stream *stream, const lm_pack *p, const float *w, int64_t n, float *out)
{
    const int64_t run = p->channels * p->taps;
    _Alignas(LM_ALIGN) float turned[LINE][LM_TILE_NR];
    for (int64_t first = 0, c = 0, t = 0; first < run; first += LINE) {
        const int64_t count = run - first < LINE ? run - first : LINE;
        for (int64_t j = 0; j < n; j += LM_TILE_NR) {
            const int64_t wide = n - j < LM_TILE_NR ? n - j : LM_TILE_NR;
            int64_t row = c, tap = t;
            stream->turn(turned[0], LM_TILE_NR, w + j * p->column_step + first, p->column_step, count, wide, false);
            for (int64_t i = 0; i < count; i++) {
                memcpy(out + (tap * p->channels + row) * p->nr + j, turned[i], (size_t)wide * sizeof *out);
                row += ++tap == p->taps;
                tap = tap == p->taps ? 0 : tap;
            }
        }
        t += count;
        c += t / p->taps;
        t %= p->taps;
    }
}

static void transform(const lm_pack *p, float *v, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float w = v[i], pos = w < 0.0f ? 0.0f : w;
        switch (p->transform) {
        case LM_TF_ID: return;
        case LM_TF_POS: v[i] = pos; break;
        case LM_TF_NEG: v[i] = w > 0.0f ? 0.0f : w; break;
        case LM_TF_GAMMA: v[i] = w + p->gamma * pos; break;
        case LM_TF_SQUARE: v[i] = w * w; break;
        case LM_TF_ONE: v[i] = 1.0f; break;
        }
    }
}

static bool all_finite(const float *v, int64_t n)
{
    const int32_t exponent = 0x7f800000;
    word bad = {0};
    int64_t i = 0;
    for (word bits; i + 4 <= n; i += 4) {
        memcpy(&bits, v + i, sizeof bits);
        bad |= (bits & exponent) == exponent;
    }
    for (int32_t bits; i < n; i++) {
        memcpy(&bits, v + i, sizeof bits);
        bad[0] |= (bits & exponent) == exponent;
    }
    return !(bad[0] | bad[1] | bad[2] | bad[3]);
}

/* Where the weights of a panel begin, and how many columns there are. */
typedef struct place {
    int64_t off, columns;
} place;

static place panel_place(const lm_pack *p, int64_t index)
{
    const int64_t panels = lm_ceil_div(p->columns, p->nr), column = index % panels * p->nr, left = p->columns - column;
    return (place){p->first + digits(index / panels, p->axes, p->part_dim, p->part_step) + column * p->column_step,
                   left < p->nr ? left : p->nr};
}

/* A panel of n columns; whether it is known to be finite. */
static bool pack_panel(const lm_stream *stream, const lm_pack *p, const float *w, int64_t n, float *out)
{
    const int64_t tap_floats = p->channels * p->nr;
    if (n < p->nr)
        memset(out, 0, (size_t)(p->taps * tap_floats) * sizeof *out);
    const bool runs = has_runs(p);
    if (runs)
        pack_runs(stream, p, w, n, out);
    for (int64_t t = 0; t < p->taps && !runs; t++)
        pack_tap(stream, p, w + digits(t, LM_SPATIAL, p->tap_dim, p->tap_step), n, out + t * tap_floats);
    transform(p, out, lm_pack_panel(p));
    return !p->unchecked && all_finite(out, lm_pack_panel(p));
}

bool lm_pack_panels(const lm_cpu *cpu, const lm_pack *p, const float *w, int64_t first, int64_t count, float *out,
                    float *room)
{
    const lm_stream *stream = lm_cpu_stream(cpu->level);
    const int64_t panel = lm_pack_panel(p), run = p->channels * p->taps;
    const bool one_piece = p->column_step == run && (has_runs(p) || (p->taps == 1 && p->channel_step == 1));
    bool finite = true;
    for (int64_t i = first; i < first + count; i++, out += panel) {
        const place at = panel_place(p, i);
        const bool read = one_piece && lm_file_read(w + at.off, (size_t)(at.columns * run) * sizeof *w, room);
        finite &= pack_panel(stream, p, read ? room : w + at.off, at.columns, out);
    }
    return finite;
}

static void pack_task(void *ctx, int64_t index, int worker)
{
    job *j = ctx;
    (void)worker;
    const place at = panel_place(j->p, index);
    if (!pack_panel(j->stream, j->p, j->w + at.off, at.columns, j->out + index * lm_pack_panel(j->p)))
        atomic_store_explicit(&j->infinite, true, memory_order_relaxed);
}

void lm_pack_run(lm_cpu *cpu, const lm_pack *p, const float *w, float *out)
{
    job j = {lm_cpu_stream(cpu->level), p, w, out, p->unchecked};
    const int64_t panels = p->parts * lm_ceil_div(p->columns, p->nr);
    lm_pool_run(cpu->pool, panels, pack_task, &j);
    out[panels * lm_pack_panel(p)] = atomic_load(&j.infinite) ? 0.0f : 1.0f;
}

lm_status lm_cpu_pack(lm_cpu *cpu, const lm_view *w, const lm_want *want, lm_buffer **out)
{
    lm_pack p;
    size_t floats, bytes;
    LM_REQUIRE(w->dt == LM_F32, LM_UNSUPPORTED, "weights of type %s cannot be packed, only float32",
               lm_dtype_name(w->dt));
    if (want->pack == LM_CPU_PACK_GATES)
        return lm_gates_derive(cpu, w, want, out);
    switch (want->pack) {
    case LM_CPU_PACK_CONV: lm_pack_conv(w, want->p[1], want->p[0], &p); break;
    case LM_CPU_PACK_CONV_T: lm_pack_conv_t(w, want->p[1], want->p[0], &p); break;
    case LM_CPU_PACK_GEMM: lm_pack_gemm(w, want->p[1] != 0, want->p[0], &p); break;
    case LM_CPU_PACK_PATCHES: lm_pack_patches(w, want->p[0], &p); break;
    case LM_CPU_PACK_DEPTHWISE: lm_pack_depthwise(w, &p); break;
    default: return lm_fail(LM_UNSUPPORTED, "the cpu device has no packing number %u", (unsigned)want->pack);
    }
    p.transform = want->transform;
    p.gamma = want->gamma;
    LM_REQUIRE(lm_pack_size(&p, &floats) && lm_mul_size(floats, sizeof(float), &bytes), LM_MEMORY,
               "packed weights would not fit in memory");
    LM_TRY(lm_buffer_new(bytes, out));
    lm_pack_run(cpu, &p, lm_view_data(w), (*out)->host);
    return LM_OK;
}
