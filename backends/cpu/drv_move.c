/* Drivers of the ops that are views of their input: identity, reshape, transpose, expand, slice, tile. Each works out
 * from which strides of x its y can be read, and the copy engine does the rest. */
#include "backends/cpu/bind.h"
#include "backends/cpu/copy.h"
#include "core/base/mem.h"

static const uint64_t zeros[2];

typedef struct pieces_run {
    const lm_piece *piece;
    int n;
    void *const *p;
    void *y;
} pieces_run;

static const void *source(const pieces_run *r, const lm_piece *piece)
{
    return piece->input == LM_ZEROS ? (const void *)zeros : r->p[piece->input];
}

static void pieces_tile(void *ctx, int64_t tile, int worker)
{
    const pieces_run *r = ctx;
    (void)worker;
    int lo = 0, hi = r->n - 1;
    while (lo < hi) {
        int mid = (lo + hi + 1) / 2;
        if (r->piece[mid].first <= tile)
            lo = mid;
        else
            hi = mid - 1;
    }
    const lm_piece *piece = &r->piece[lo];
    lm_copy_tile(&piece->copy, r->y, source(r, piece), tile - piece->first);
}

static lm_status pieces_run_all(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const lm_pieces *k = (const lm_pieces *)kernel;
    (void)workspace;
    void *y = p[k->nx];
    for (int from = 0, to = k->before; from < k->n; from = to, to = k->n) {
        if (from == to)
            continue;
        const lm_piece *last = &k->piece[to - 1];
        pieces_run r = {k->piece + from, to - from, p, y};
        if (k->n == 1 && last->copy.same && y == source(&r, last))
            return LM_OK;
        lm_pool_run(cpu->pool, last->first + last->copy.tiles, pieces_tile, &r);
    }
    return LM_OK;
}

lm_status lm_pieces_new(lm_cpu *cpu, const lm_call *call, int room, const char *what, lm_pieces **out)
{
    lm_pieces *k;
    size_t bytes;
    LM_REQUIRE(lm_mul_size((size_t)room, sizeof k->piece[0], &bytes) && lm_add_size(bytes, sizeof *k, &bytes),
               LM_MEMORY, "%s: %d pieces do not fit in memory", lm_ops[call->op].name, room);
    LM_TRY(lm_cpu_kernel_new(cpu, call, bytes, pieces_run_all, what, &k));
    k->cpu = cpu;
    k->size = lm_dtype_size(call->y[0].dt);
    k->nx = call->nx;
    k->room = room;
    k->k.base.bytes = 2.0 * (double)lm_shape_count(&call->y[0].sh) * (double)k->size;
    *out = k;
    return LM_OK;
}

void lm_pieces_add(lm_pieces *k, int input, int64_t to_off, int64_t from_off, int n, const lm_copy_axis *axes)
{
    lm_piece *piece = &k->piece[k->n];
    lm_copy_plan(&piece->copy, k->size, n, axes);
    lm_copy_level(&piece->copy, k->size, k->cpu);
    if (piece->copy.tiles == 0)
        return;
    piece->copy.to_off += to_off * (int64_t)k->size;
    piece->copy.from_off += from_off * (int64_t)k->size;
    piece->copy.same = piece->copy.same && to_off == from_off;
    piece->input = input;
    piece->first = 0;
    if (k->n > k->before)
        piece->first = piece[-1].first + piece[-1].copy.tiles;
    k->n++;
}

void lm_pieces_pass(lm_pieces *k)
{
    k->before = k->n;
}

/* Two shapes with equal counts cut into axes that are parts of axes of both: row-major order runs through both alike.
 * False when their sizes do not nest, as for [4,6] and [6,4]. Axes of one row-major block are joined first, so that a
 * view without gaps nests with everything. */
typedef struct strided {
    int n;
    int64_t dim[LM_RANK], st[LM_RANK];
} strided;

static strided join_axes(const lm_view *v)
{
    strided s = {0};
    for (int i = 0; i < v->sh.rank; i++) {
        int64_t dim = v->sh.dim[i], st = v->st[i];
        if (dim == 1)
            continue;
        if (s.n > 0 && s.st[s.n - 1] == dim * st) {
            s.dim[s.n - 1] *= dim;
            s.st[s.n - 1] = st;
        } else {
            s.dim[s.n] = dim;
            s.st[s.n++] = st;
        }
    }
    return s;
}

static bool refine(const lm_view *to, const lm_view *from, int *n, lm_copy_axis *axes)
{
    strided a = join_axes(to), b = join_axes(from);
    int64_t st_a = 0, st_b = 0, left_a = 1, left_b = 1;
    int i = a.n, j = b.n;
    *n = 0;
    for (;;) {
        if (left_a == 1 && i > 0) {
            left_a = a.dim[--i];
            st_a = a.st[i];
        }
        if (left_b == 1 && j > 0) {
            left_b = b.dim[--j];
            st_b = b.st[j];
        }
        if (left_a == 1 && left_b == 1)
            return true;
        int64_t dim = left_a < left_b ? left_a : left_b;
        if (dim == 1 || left_a % dim || left_b % dim)
            return false;
        axes[(*n)++] = (lm_copy_axis){dim, st_a, st_b};
        left_a /= dim;
        left_b /= dim;
        st_a *= dim;
        st_b *= dim;
    }
}

/* A reshape whose two sides do not nest goes through a row-major copy in the workspace. */
typedef struct detour {
    lm_cpu_kernel k;
    lm_copy in, out;
} detour;

static lm_status run_detour(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const detour *k = (const detour *)kernel;
    lm_copy_run(cpu->pool, &k->in, workspace, p[0]);
    lm_copy_run(cpu->pool, &k->out, p[1], workspace);
    return LM_OK;
}

static lm_status bind_detour(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    detour *k;
    lm_copy_axis axes[LM_COPY_AXES];
    int n;
    size_t size = lm_dtype_size(y->dt), bytes;
    LM_REQUIRE(lm_mul_size((size_t)lm_shape_count(&y->sh), size, &bytes), LM_MEMORY, "%s: the result is too large",
               lm_ops[call->op].name);
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run_detour, "copy_twice", &k));
    lm_view row = lm_view_row(x->dt, &x->sh, NULL);
    refine(&row, x, &n, axes);
    lm_copy_plan(&k->in, size, n, axes);
    row = lm_view_row(y->dt, &y->sh, NULL);
    refine(y, &row, &n, axes);
    lm_copy_plan(&k->out, size, n, axes);
    k->k.base.workspace = bytes;
    k->k.base.bytes = 4.0 * (double)bytes;
    *out = &k->k.base;
    return LM_OK;
}

static void aligned_axes(const lm_view *y, const lm_view *x, lm_copy_axis *axes)
{
    int skip = y->sh.rank - x->sh.rank;
    for (int i = 0; i < y->sh.rank; i++) {
        bool spread = i < skip || x->sh.dim[i - skip] == 1;
        axes[i] = (lm_copy_axis){y->sh.dim[i], y->st[i], spread ? 0 : x->st[i - skip]};
    }
}

lm_status lm_cpu_bind_copy(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    const lm_attrs *a = call->a;
    lm_copy_axis axes[LM_COPY_AXES];
    int n = y->sh.rank;
    int64_t from = 0;
    switch (call->op) {
    case LM_OP_RESHAPE:
        if (lm_shape_count(&y->sh) == 0)
            aligned_axes(y, y, axes);
        else if (!refine(y, x, &n, axes))
            return bind_detour(cpu, call, out);
        break;
    case LM_OP_TRANSPOSE:
        for (int i = 0; i < n; i++)
            axes[i] = (lm_copy_axis){y->sh.dim[i], y->st[i], x->st[a->perm.perm[i]]};
        break;
    case LM_OP_SLICE:
        for (int i = 0; i < n; i++) {
            axes[i] = (lm_copy_axis){y->sh.dim[i], y->st[i], x->st[i] * a->slice.step[i]};
            from += a->slice.start[i] * x->st[i];
        }
        break;
    case LM_OP_IDENTITY:
    case LM_OP_BITCAST:
    case LM_OP_EXPAND:
        aligned_axes(y, x, axes);
        break;
    default:
        return lm_fail(LM_UNSUPPORTED, "%s is not a copy", lm_ops[call->op].name);
    }
    lm_pieces *k;
    LM_TRY(lm_pieces_new(cpu, call, 1, "copy", &k));
    k->k.base.loose = 1; /* bytes are copied, from wherever they lie */
    lm_pieces_add(k, 0, 0, from, n, axes);
    *out = &k->k.base;
    return LM_OK;
}

lm_status lm_cpu_bind_tile(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    lm_copy_axis axes[LM_COPY_AXES];
    int n = x->sh.rank;
    for (int i = 0; i < n; i++) {
        int64_t dim = x->sh.dim[i];
        axes[2 * i] = (lm_copy_axis){call->a->tile.reps[i], y->st[i] * dim, 0};
        axes[2 * i + 1] = (lm_copy_axis){dim, y->st[i], x->st[i]};
    }
    lm_pieces *k;
    LM_TRY(lm_pieces_new(cpu, call, 1, "tile", &k));
    lm_pieces_add(k, 0, 0, 0, 2 * n, axes);
    *out = &k->k.base;
    return LM_OK;
}
