/* The strided copy engine. A copy is reduced to as few axes as its strides allow, its two innermost loops become one of
 * four plane functions (runs, fill, transpose, anything), and the rest is an odometer around them. */
#include "backends/cpu/copy.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLE 1
#endif
#endif

#define INLINE static inline __attribute__((always_inline))

/* Results from STREAM_BYTES on are not expected to be in a cache when they are read again, unless the caches are
 * known. */
enum { PLANE_BYTES = 64 << 10, TILE_BYTES = 128 << 10, STREAM_BYTES = 8 << 20, LINE = 64, LEAST_RUN = 256 };

INLINE void move(char *to, const char *from, size_t size)
{
    memcpy(to, from, size);
}

/* Any strides. */
INLINE void plane_any(char *restrict to, const char *restrict from, const lm_copy_plane *g, size_t size)
{
    for (int64_t p = 0; p < g->np; p++) {
        char *t = to + p * g->to_p;
        const char *f = from + p * g->from_p;
        for (int64_t q = 0; q < g->nq; q++)
            move(t + q * g->to_q, f + q * g->from_q, size);
    }
}

/* Both sides contiguous along q. */
INLINE void plane_runs(char *restrict to, const char *restrict from, const lm_copy_plane *g, size_t size)
{
    size_t run = (size_t)g->nq * size;
    for (int64_t p = 0; p < g->np; p++) {
        char *t = to + p * g->to_p;
        const char *f = from + p * g->from_p;
        if (run >= LINE)
            memcpy(t, f, run);
        else
            for (size_t i = 0; i < run; i += size)
                move(t + i, f + i, size);
    }
}

/* One value for a whole contiguous row. */
INLINE void plane_fill(char *restrict to, const char *restrict from, const lm_copy_plane *g, size_t size)
{
    int64_t run = g->nq * (int64_t)size;
    char value[16], zero[16] = {0};
    for (int64_t p = 0; p < g->np; p++) {
        char *t = to + p * g->to_p;
        move(value, from + p * g->from_p, size);
        if (memcmp(value, zero, size) == 0)
            memset(t, 0, (size_t)run);
        else
            for (int64_t i = 0; i < run; i += (int64_t)size)
                move(t + i, value, size);
    }
}

#ifdef HAVE_SHUFFLE
typedef uint8_t lanes __attribute__((vector_size(16)));
typedef uint16_t lanes_2 __attribute__((vector_size(16)));
typedef uint32_t lanes_4 __attribute__((vector_size(16)));
typedef uint64_t lanes_8 __attribute__((vector_size(16)));

/* Elements of a and b in turn: of their first halves, or of their second. */
INLINE lanes zip(lanes a, lanes b, bool second, size_t size)
{
    switch (size) {
    case 1:
        return second ? __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
                      : __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    case 2:
        return second ? (lanes)__builtin_shufflevector((lanes_2)a, (lanes_2)b, 4, 12, 5, 13, 6, 14, 7, 15)
                      : (lanes)__builtin_shufflevector((lanes_2)a, (lanes_2)b, 0, 8, 1, 9, 2, 10, 3, 11);
    case 4:
        return second ? (lanes)__builtin_shufflevector((lanes_4)a, (lanes_4)b, 2, 6, 3, 7)
                      : (lanes)__builtin_shufflevector((lanes_4)a, (lanes_4)b, 0, 4, 1, 5);
    default:
        return second ? (lanes)__builtin_shufflevector((lanes_8)a, (lanes_8)b, 1, 3)
                      : (lanes)__builtin_shufflevector((lanes_8)a, (lanes_8)b, 0, 2);
    }
}

/* Zip each of the first half of the rows with the one half a square below. */
INLINE void zip_rows(lanes *restrict to, const lanes *restrict from, int side, size_t size)
{
    for (int i = 0; i < side / 2; i++) {
        to[2 * i] = zip(from[i], from[i + side / 2], false, size);
        to[2 * i + 1] = zip(from[i], from[i + side / 2], true, size);
    }
}

/* Transpose a square whose side is one vector: rows are zipped once per bit of the side. Written out stage by stage,
 * since compilers keep the rows in registers only then. */
INLINE void turn_square(char *restrict to, int64_t to_p, const char *restrict from, int64_t from_q, size_t size)
{
    const int side = 16 / (int)size;
    lanes a[16], b[16];
    for (int i = 0; i < side; i++)
        memcpy(&a[i], from + i * from_q, sizeof a[i]);
    if (side >= 4) {
        zip_rows(b, a, side, size);
        zip_rows(a, b, side, size);
    }
    if (side == 16) {
        zip_rows(b, a, side, size);
        zip_rows(a, b, side, size);
    } else if (side == 2 || side == 8) {
        zip_rows(b, a, side, size);
    }
    const lanes *done = side == 2 || side == 8 ? b : a;
    for (int i = 0; i < side; i++)
        memcpy(to + i * to_p, &done[i], sizeof done[i]);
}
#else
INLINE void turn_square(char *restrict to, int64_t to_p, const char *restrict from, int64_t from_q, size_t size)
{
    const int side = 16 / (int)size;
    for (int p = 0; p < side; p++)
        for (int q = 0; q < side; q++)
            move(to + p * to_p + q * (int64_t)size, from + q * from_q + p * (int64_t)size, size);
}
#endif

/* Write a line past the caches, so that it need not be read first, where that is possible. */
INLINE void put_line(char *to, const char *line)
{
#ifdef __SSE2__
    if ((uintptr_t)to % 16 == 0) {
        for (int i = 0; i < LINE; i += 16)
            _mm_stream_si128((__m128i *)(void *)(to + i), _mm_load_si128((const __m128i *)(const void *)(line + i)));
        return;
    }
#endif
    memcpy(to, line, LINE);
}

/* Stores past the caches are seen by other threads in order from here on. */
INLINE void end_stream(bool stream)
{
#ifdef __SSE2__
    if (stream)
        _mm_sfence();
#endif
    (void)stream;
}

/* A block of a cache line each way. Lines are read whole into a buffer first: rows a power of two apart share so few
 * places in the first cache that a second visit would miss. `ahead`: bytes along p to the block that will be wanted
 * soon. */
INLINE void turn_block(char *restrict to, const char *restrict from, const lm_copy_plane *g, int64_t ahead, size_t size)
{
    const int side = LINE / (int)size, square = 16 / (int)size;
    _Alignas(LINE) char line[64][LINE], turned[64][LINE];
    for (int q = 0; q < side; q++) {
        memcpy(line[q], from + q * g->from_q, LINE);
        __builtin_prefetch(from + q * g->from_q + ahead, 0, 3);
    }
    if (!g->stream) {
        for (int p = 0; p < side; p += square)
            for (int q = 0; q < side; q += square)
                turn_square(to + p * g->to_p + q * (int64_t)size, g->to_p, &line[q][p * (int)size], LINE, size);
        return;
    }
    for (int p = 0; p < side; p += square)
        for (int q = 0; q < side; q += square)
            turn_square(&turned[p][q * (int)size], LINE, &line[q][p * (int)size], LINE, size);
    for (int p = 0; p < side; p++)
        put_line(to + p * g->to_p, turned[p]);
}

/* `to` contiguous along q, `from` along p. */
INLINE void plane_turn(char *restrict to, const char *restrict from, const lm_copy_plane *g, size_t size)
{
    const int64_t side = LINE / (int64_t)size, bytes = (int64_t)size;
    int64_t np = g->np - g->np % side, nq = g->nq - g->nq % side;
    for (int64_t p = 0; p < np; p += side)
        for (int64_t q = 0; q < nq; q += side)
            turn_block(to + p * g->to_p + q * bytes, from + q * g->from_q + p * bytes, g, LINE, size);
    end_stream(g->stream);
    for (int64_t p = 0; p < g->np; p++)
        for (int64_t q = p < np ? nq : 0; q < g->nq; q++)
            move(to + p * g->to_p + q * bytes, from + q * g->from_q + p * bytes, size);
}

/* A transpose with a short side of `few` elements (images of three channels): whole rows, both sides streaming. */
INLINE void plane_thin_q(char *restrict to, const char *restrict from, const lm_copy_plane *g, size_t size, int few)
{
    for (int64_t p = 0; p < g->np; p++)
        for (int q = 0; q < few; q++)
            move(to + p * g->to_p + q * (int64_t)size, from + q * g->from_q + p * (int64_t)size, size);
}

INLINE void plane_thin_p(char *restrict to, const char *restrict from, const lm_copy_plane *g, size_t size, int few)
{
    for (int64_t q = 0; q < g->nq; q++)
        for (int p = 0; p < few; p++)
            move(to + p * g->to_p + q * (int64_t)size, from + q * g->from_q + p * (int64_t)size, size);
}

INLINE void plane_thin(char *to, const char *from, const lm_copy_plane *g, size_t size)
{
    switch (g->nq < g->np ? (int)g->nq : -(int)g->np) {
    case 2: plane_thin_q(to, from, g, size, 2); break;
    case 3: plane_thin_q(to, from, g, size, 3); break;
    case -2: plane_thin_p(to, from, g, size, 2); break;
    case -3: plane_thin_p(to, from, g, size, 3); break;
    default: plane_any(to, from, g, size); break;
    }
}

/* One function per kind and element size: any_1, any_2 ... turn_16. */
#define SIZES(X, kind) X(kind, 1) X(kind, 2) X(kind, 4) X(kind, 8) X(kind, 16)
#define INSTANCE(kind, size)                                                                                           \
    static void kind##_##size(char *to, const char *from, const lm_copy_plane *g)                                      \
    {                                                                                                                  \
        plane_##kind(to, from, g, size);                                                                               \
    }
SIZES(INSTANCE, any)
SIZES(INSTANCE, runs)
SIZES(INSTANCE, fill)
SIZES(INSTANCE, thin)
SIZES(INSTANCE, turn)

typedef enum plane_kind { ANY, RUNS, FILL, THIN, TURN, KINDS } plane_kind;

/* By kind and the logarithm of the element size. */
static const lm_copy_fn plane_fn[KINDS][5] = {
    {any_1, any_2, any_4, any_8, any_16},       {runs_1, runs_2, runs_4, runs_8, runs_16},
    {fill_1, fill_2, fill_4, fill_8, fill_16},  {thin_1, thin_2, thin_4, thin_8, thin_16},
    {turn_1, turn_2, turn_4, turn_8, turn_16},
};

/* The level's own: transposes of four bytes, and runs past the caches. */
static void turn_level(char *to, const char *from, const lm_copy_plane *g)
{
    const int64_t size = sizeof(float);
    const bool past = g->stream && (uintptr_t)to % LINE == 0 && g->to_p % LINE == 0;
    g->level->turn((float *)to, g->to_p / size, (const float *)from, g->from_q / size, g->np, g->nq, past);
}

static void runs_level(char *to, const char *from, const lm_copy_plane *g)
{
    for (int64_t p = 0; p < g->np; p++)
        g->level->stream_copy((float *)(to + p * g->to_p), (const float *)(from + p * g->from_p),
                              (size_t)(g->nq * g->size) / sizeof(float));
}

static int log2_size(int64_t size)
{
    int log = 0;
    while ((int64_t)1 << log < size)
        log++;
    return log;
}

/* Axes of size 1 go, strides become bytes and rising in the result, axes are sorted by the result's stride, and
 * neighbours that both sides walk through as one are joined. Returns how many are left. */
static int simplify(lm_copy *c, int64_t size, int n, const lm_copy_axis *axes)
{
    lm_copy_axis *out = c->axis;
    int m = 0;
    for (int i = 0; i < n; i++) {
        lm_copy_axis a = {axes[i].n, axes[i].to * size, axes[i].from * size};
        if (a.n == 1)
            continue;
        if (a.to < 0) {
            c->to_off += (a.n - 1) * a.to;
            c->from_off += (a.n - 1) * a.from;
            a.to = -a.to;
            a.from = -a.from;
        }
        int at = m++;
        for (; at > 0 && out[at - 1].to < a.to; at--)
            out[at] = out[at - 1];
        out[at] = a;
    }
    int left = 0;
    for (int i = 0; i < m; i++) {
        lm_copy_axis *last = &out[left - 1];
        if (left > 0 && last->to == out[i].n * out[i].to && last->from == out[i].n * out[i].from)
            *last = (lm_copy_axis){last->n * out[i].n, out[i].to, out[i].from};
        else
            out[left++] = out[i];
    }
    return left;
}

/* Take axis i out of the outer ones. */
static lm_copy_axis take(lm_copy *c, int i)
{
    lm_copy_axis a = c->axis[i];
    memmove(&c->axis[i], &c->axis[i + 1], (size_t)(c->outer - 1 - i) * sizeof a);
    c->outer--;
    return a;
}

static plane_kind choose_plane(lm_copy *c, int64_t size)
{
    lm_copy_axis q = {1, size, size}, p = {1, 0, 0};
    if (c->outer > 0)
        q = take(c, c->outer - 1);
    plane_kind kind = ANY;
    int at = c->outer - 1;
    if (q.to == size && q.from == size) {
        kind = RUNS;
    } else if (q.to == size && q.from == 0) {
        kind = FILL;
    } else if (q.to == size) {
        for (int i = 0; i < c->outer; i++)
            if (c->axis[i].from == size) {
                at = i;
                kind = q.n < 4 || c->axis[i].n < 4 ? THIN : TURN;
            }
    }
    if (at >= 0)
        p = take(c, at);
    c->plane = (lm_copy_plane){p.n, p.to, p.from, q.n, q.to, q.from, size, false, NULL};
    return kind;
}

static int64_t at_least_one(int64_t x)
{
    return x > 1 ? x : 1;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void lm_copy_plan(lm_copy *c, size_t size_, int n, const lm_copy_axis *axes)
{
    int64_t size = (int64_t)size_;
    memset(c, 0, sizeof *c);
    c->same = true;
    c->large = STREAM_BYTES;
    for (int i = 0; i < n; i++) {
        c->same = c->same && (axes[i].to == axes[i].from || axes[i].n == 1);
        if (axes[i].n == 0)
            return;
    }
    c->outer = simplify(c, size, n, axes);
    /* a run of a few elements that makes a power of two is one larger element */
    while (c->outer > 0) {
        const lm_copy_axis *q = &c->axis[c->outer - 1];
        int64_t run = q->n * size;
        if (q->to != size || q->from != size || q->n > 16 || run > 16 || (run & (run - 1)))
            break;
        size = run;
        c->outer--;
    }
    c->kind = choose_plane(c, size);
    c->fn = plane_fn[c->kind][log2_size(size)];
    lm_copy_cut(c, TILE_BYTES);
}

/* Walk around the runs in the order they are read in: memory answers readers late who come out of order, while writers
 * past the caches need not wait. */
static void order_by_source(lm_copy *c)
{
    lm_copy_plane *g = &c->plane;
    c->axis[c->outer++] = (lm_copy_axis){g->np, g->to_p, g->from_p};
    for (int i = 1; i < c->outer; i++) {
        const lm_copy_axis a = c->axis[i];
        int at = i;
        for (; at > 0 && llabs(c->axis[at - 1].from) < llabs(a.from); at--)
            c->axis[at] = c->axis[at - 1];
        c->axis[at] = a;
    }
    const lm_copy_axis p = take(c, c->outer - 1);
    g->np = p.n;
    g->to_p = p.to;
    g->from_p = p.from;
}

void lm_copy_level(lm_copy *c, size_t size, const lm_cpu *cpu)
{
    const lm_copy_plane *g = &c->plane;
    const bool floats = size == sizeof(float) && g->size % (int64_t)sizeof(float) == 0 && c->tiles > 0;
    if (!floats || cpu->level == LM_CPU_SCALAR) /* which has nothing wider than the squares here */
        return;
    if (cpu->topo)
        c->large = (int64_t)cpu->topo->cache[LM_L3].bytes;
    lm_copy_cut(c, TILE_BYTES);
    if (c->kind == TURN && g->size == (int64_t)sizeof(float)) {
        c->fn = turn_level;
    } else if (c->kind == RUNS && g->stream && g->nq * g->size >= LEAST_RUN) {
        c->fn = runs_level;
        order_by_source(c);
    } else {
        return;
    }
    c->plane.level = lm_cpu_stream(cpu->level);
    lm_copy_cut(c, TILE_BYTES);
}

/* A part of a transpose is one stripe along its longer side: of a large one far enough that what 16 rows share of
 * memory's pages pays off, of a small one less, since every thread wants some. Where both sides are long it is what the
 * level walks through in blocks. */
static void cut_turn(lm_copy *c, int64_t limit)
{
    enum { STRIPE = 16, LONG = 16384, BOTH = 128, PART_P = 2048, PART_Q = 256 };
    const lm_copy_plane *g = &c->plane;
    if (g->stream && g->np >= BOTH && g->nq >= BOTH) {
        c->step_p = smaller(g->np, PART_P);
        c->step_q = smaller(g->nq, PART_Q);
        return;
    }
    const bool along_q = g->nq >= g->np;
    int64_t *along = along_q ? &c->step_q : &c->step_p, *across = along_q ? &c->step_p : &c->step_q;
    *across = smaller(along_q ? g->np : g->nq, STRIPE);
    *along = g->stream ? LONG : at_least_one(limit / *across / STRIPE) * STRIPE;
    *along = smaller(*along, along_q ? g->nq : g->np);
}

void lm_copy_cut(lm_copy *c, int64_t bytes)
{
    const lm_copy_plane *g = &c->plane;
    if (g->np == 0)
        return;
    int64_t limit = at_least_one(smaller(bytes, PLANE_BYTES) / g->size), outer = 1;
    for (int i = 0; i < c->outer; i++)
        outer *= c->axis[i].n;
    c->plane.stream = outer * g->np * g->nq * g->size >= c->large;
    if (g->level && c->kind == TURN) {
        cut_turn(c, limit);
    } else if (c->kind == TURN) {
        c->step_q = smaller(g->nq, at_least_one(limit / 256));
        c->step_p = smaller(g->np, 256);
    } else if (c->kind == THIN && g->np < 4) {
        c->step_p = g->np;
        c->step_q = smaller(g->nq, at_least_one(limit / g->np));
    } else {
        c->step_q = smaller(g->nq, limit);
        c->step_p = smaller(g->np, at_least_one(limit / c->step_q));
    }
    c->parts_q = (g->nq + c->step_q - 1) / c->step_q;
    c->parts_p = (g->np + c->step_p - 1) / c->step_p;
    c->units = outer * c->parts_p * c->parts_q;
    c->per_tile = at_least_one(bytes / (c->step_p * c->step_q * g->size));
    c->tiles = (c->units + c->per_tile - 1) / c->per_tile;
}

void lm_copy_tile(const lm_copy *c, void *to, const void *from, int64_t tile)
{
    int64_t unit = tile * c->per_tile, end = smaller(unit + c->per_tile, c->units), rest = unit, at[LM_COPY_AXES];
    int64_t t = c->to_off, f = c->from_off;
    int64_t q = rest % c->parts_q, p = rest / c->parts_q % c->parts_p;
    rest /= c->parts_q * c->parts_p;
    for (int i = c->outer - 1; i >= 0; i--) {
        at[i] = rest % c->axis[i].n;
        rest /= c->axis[i].n;
        t += at[i] * c->axis[i].to;
        f += at[i] * c->axis[i].from;
    }
    lm_copy_plane g = c->plane;
    while (unit++ < end) {
        int64_t p0 = p * c->step_p, q0 = q * c->step_q;
        g.np = smaller(c->step_p, c->plane.np - p0);
        g.nq = smaller(c->step_q, c->plane.nq - q0);
        c->fn((char *)to + t + p0 * g.to_p + q0 * g.to_q, (const char *)from + f + p0 * g.from_p + q0 * g.from_q, &g);
        if (++q < c->parts_q)
            continue;
        q = 0;
        if (++p < c->parts_p)
            continue;
        p = 0;
        for (int i = c->outer - 1; i >= 0; i--) {
            t += c->axis[i].to;
            f += c->axis[i].from;
            if (++at[i] < c->axis[i].n)
                break;
            t -= at[i] * c->axis[i].to;
            f -= at[i] * c->axis[i].from;
            at[i] = 0;
        }
    }
    if (g.stream && g.level)
        g.level->stream_end();
}

typedef struct copy_run {
    const lm_copy *c;
    void *to;
    const void *from;
} copy_run;

static void run_tile(void *ctx, int64_t tile, int worker)
{
    const copy_run *r = ctx;
    (void)worker;
    lm_copy_tile(r->c, r->to, r->from, tile);
}

void lm_copy_run(lm_pool *pool, const lm_copy *c, void *to, const void *from)
{
    if (c->tiles == 0 || (c->same && to == from))
        return;
    copy_run r = {c, to, from};
    lm_pool_run(pool, c->tiles, run_tile, &r);
}

lm_status lm_cpu_copy_view(lm_cpu *cpu, const lm_view *to, const lm_view *from)
{
    char a[LM_SHAPE_TEXT], b[LM_SHAPE_TEXT];
    size_t size = lm_dtype_size(to->dt);
    LM_REQUIRE(lm_shape_equal(&to->sh, &from->sh) && size == lm_dtype_size(from->dt), LM_INPUT,
               "copy: cannot copy %s %s to %s %s", lm_dtype_name(from->dt), lm_shape_text(&from->sh, a),
               lm_dtype_name(to->dt), lm_shape_text(&to->sh, b));
    lm_copy_axis axes[LM_RANK];
    for (int i = 0; i < to->sh.rank; i++)
        axes[i] = (lm_copy_axis){to->sh.dim[i], to->st[i], from->st[i]};
    lm_copy c;
    lm_copy_plan(&c, size, to->sh.rank, axes);
    lm_copy_level(&c, size, cpu);
    lm_copy_run(cpu->pool, &c, lm_view_data(to), lm_view_data(from));
    return LM_OK;
}
