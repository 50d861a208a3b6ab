/* Drivers of pad, of its gradient and of slice's. Per axis a table says which element of the source every element of
 * the result takes (or none); the table falls into few stretches of constant step, and each combination of stretches is
 * one copy. */
#include "backends/cpu/bind.h"
#include "backends/cpu/copy.h"
#include "core/base/mem.h"

#include <string.h>

/* More pieces than this would be slower to manage than to copy element by element. */
enum { PIECES_MAX = 4096 };

/* `count` elements from `at` on are elements from, from + step ... of the source; from < 0: none are. */
typedef struct stretch {
    int64_t at, count, from, step;
} stretch;

typedef struct stretches {
    stretch *of[LM_RANK];
    int n[LM_RANK];
} stretches;

static int64_t modulo(int64_t a, int64_t n)
{
    int64_t r = a % n;
    return r < 0 ? r + n : r;
}

/* Where element i of a padded axis comes from; -1: the pad value. Unless the mode is constant n > 0. */
static int64_t padded_from(const lm_attr_pad *a, int axis, int64_t n, int64_t i)
{
    int64_t t = i - a->lo[axis];
    if (t >= 0 && t < n)
        return t;
    switch (a->mode) {
    case LM_PAD_REFLECT:
        if (n == 1)
            return 0;
        t = modulo(t, 2 * (n - 1));
        return t < n ? t : 2 * (n - 1) - t;
    case LM_PAD_EDGE:
        return t < 0 ? 0 : n - 1;
    case LM_PAD_WRAP:
        return modulo(t, n);
    default:
        return -1;
    }
}

static lm_status push(stretches *s, int axis, int *room, stretch part)
{
    if (s->n[axis] == *room) {
        int more = *room ? 2 * *room : 8;
        stretch *grown = lm_realloc(s->of[axis], (size_t)more, sizeof *grown);
        if (!grown)
            return LM_MEMORY;
        s->of[axis] = grown;
        *room = more;
    }
    s->of[axis][s->n[axis]++] = part;
    return LM_OK;
}

/* Cut an axis of `size` elements. Long axes are walked in jumps: within the source the step is 1, and outside of it
 * constant padding and edges are one stretch, so only mirrored parts are looked at one by one. */
static lm_status cut_axis(const lm_attr_pad *a, int axis, int64_t n, int64_t size, stretches *s)
{
    int room = 0;
    for (int64_t i = 0; i < size;) {
        int64_t t = i - a->lo[axis];
        stretch part = {i, 1, padded_from(a, axis, n, i), 0};
        if (t >= 0 && t < n) {
            part.count = n - t < size - i ? n - t : size - i;
            part.step = 1;
        } else if (part.from < 0 || a->mode == LM_PAD_EDGE) {
            part.count = t < 0 && -t < size - i ? -t : size - i;
        } else {
            int64_t next = i + 1 < size && t + 1 != 0 ? padded_from(a, axis, n, i + 1) : -1;
            part.step = next - part.from;
            if (next >= 0 && part.step >= -1 && part.step <= 1)
                while (i + part.count < size && t + part.count != 0 &&
                       padded_from(a, axis, n, i + part.count) == part.from + part.count * part.step)
                    part.count++;
            if (part.count == 1)
                part.step = 0;
        }
        LM_REQUIRE(s->n[axis] < PIECES_MAX, LM_UNSUPPORTED, "pad: axis %d repeats its input more than %d times", axis,
                   PIECES_MAX);
        LM_TRY(push(s, axis, &room, part));
        i += part.count;
    }
    return LM_OK;
}

static void free_stretches(stretches *s)
{
    for (int i = 0; i < LM_RANK; i++)
        lm_free(s->of[i]);
}

static lm_status cut_axes(const lm_attr_pad *a, const lm_shape *x, const lm_shape *y, stretches *s, int *pieces)
{
    int64_t n = 1;
    for (int i = 0; i < x->rank; i++) {
        LM_TRY(cut_axis(a, i, x->dim[i], y->dim[i], s));
        n *= s->n[i];
        LM_REQUIRE(n <= PIECES_MAX, LM_UNSUPPORTED, "pad: the padding falls into more than %d pieces", PIECES_MAX);
    }
    *pieces = (int)n;
    return LM_OK;
}

/* One copy per combination of stretches; where any of them has no source the copy is from `fill`. */
static lm_status bind_pieces(lm_cpu *cpu, const lm_call *call, const lm_attr_pad *a, int fill, const char *what,
                             lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    stretches s = {0};
    int n = 0, rank = x->sh.rank;
    lm_pieces *k = NULL;
    lm_status status;
    LM_TRY_OUT(cut_axes(a, &x->sh, &y->sh, &s, &n));
    LM_TRY_OUT(lm_pieces_new(cpu, call, n, what, &k));
    for (int piece = 0; piece < n; piece++) {
        lm_copy_axis axes[LM_RANK];
        int64_t to = 0, from = 0;
        bool none = false;
        for (int i = rank - 1, rest = piece; i >= 0; i--) {
            const stretch *part = &s.of[i][rest % s.n[i]];
            rest /= s.n[i];
            axes[i] = (lm_copy_axis){part->count, y->st[i], part->step * x->st[i]};
            to += part->at * y->st[i];
            from += part->from * x->st[i];
            none = none || part->from < 0;
        }
        if (none)
            for (int i = 0; i < rank; i++)
                axes[i].from = 0;
        lm_pieces_add(k, none ? fill : 0, to, none ? 0 : from, rank, axes);
    }
    *out = &k->k.base;
out:
    free_stretches(&s);
    return status;
}

lm_status lm_cpu_bind_pad(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    bool value = call->nx > 1 && lm_view_present(&call->x[1]);
    return bind_pieces(cpu, call, &call->a->pad, value ? 1 : LM_ZEROS, "pad", out);
}

lm_status lm_cpu_bind_slice_dx(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_attr_slice *a = &call->a->slice;
    const lm_view *x = &call->x[0], *y = &call->y[0];
    lm_attr_pad pad = {.mode = LM_PAD_CONSTANT};
    lm_copy_axis zeros[LM_RANK], axes[LM_RANK];
    int64_t to = 0;
    bool dense = true;
    for (int i = 0; i < y->sh.rank; i++) {
        int64_t n = x->sh.dim[i];
        pad.lo[i] = n == 0 ? 0 : a->start[i];
        pad.hi[i] = y->sh.dim[i] - n - pad.lo[i];
        dense = dense && (a->step[i] == 1 || n <= 1);
        zeros[i] = (lm_copy_axis){y->sh.dim[i], y->st[i], 0};
        axes[i] = (lm_copy_axis){n, y->st[i] * a->step[i], x->st[i]};
        to += a->start[i] * y->st[i];
    }
    if (dense)
        return bind_pieces(cpu, call, &pad, LM_ZEROS, "slice_dx", out);
    lm_pieces *k;
    LM_TRY(lm_pieces_new(cpu, call, 2, "slice_dx", &k));
    lm_pieces_add(k, LM_ZEROS, 0, 0, y->sh.rank, zeros);
    lm_pieces_pass(k);
    lm_pieces_add(k, 0, to, 0, y->sh.rank, axes);
    *out = &k->k.base;
    return LM_OK;
}

/* The gradient of a pad that repeats elements: every element of y sums, from +0 on and in row-major order of the
 * signal, all elements that were copied from it. A tile owns rows of y along its last axis. */
typedef struct pad_dx {
    lm_cpu_kernel k;
    int rank;
    int64_t dim[LM_RANK], from[LM_RANK], st_y[LM_RANK], st_x[LM_RANK];
    int64_t rows, per_tile;
    lm_attr_pad pad;
} pad_dx;

typedef struct pad_dx_run {
    const pad_dx *k;
    const float *x;
    float *y;
} pad_dx_run;

/* Add one row of the signal, whose elements were copied from this row of y. */
static void add_row(const pad_dx *k, float *y, const float *x)
{
    int last = k->rank - 1;
    int64_t n = k->dim[last], lo = k->pad.lo[last], st_y = k->st_y[last], st_x = k->st_x[last];
    for (int64_t i = 0; i < k->from[last];) {
        int64_t t = i - lo;
        if (t >= 0 && t < n) {
            int64_t count = n - t < k->from[last] - i ? n - t : k->from[last] - i;
            if (st_x == 1 && st_y == 1)
                for (int64_t j = 0; j < count; j++)
                    y[t + j] += x[i + j];
            else
                for (int64_t j = 0; j < count; j++)
                    y[(t + j) * st_y] += x[(i + j) * st_x];
            i += count;
        } else {
            int64_t at = padded_from(&k->pad, last, n, i);
            if (at >= 0)
                y[at * st_y] += x[i * st_x];
            i++;
        }
    }
}

/* Visit the signal's rows that came from row at[] of y in ascending order: a loop over each axis but the last. */
static void add_rows(const pad_dx *k, const int64_t *at, int axis, float *y, const float *x)
{
    if (axis == k->rank - 1) {
        add_row(k, y, x);
        return;
    }
    bool whole = k->pad.lo[axis] == 0 && k->pad.hi[axis] == 0;
    for (int64_t i = 0; i < k->from[axis]; i++) {
        if (whole)
            i = at[axis];
        if (padded_from(&k->pad, axis, k->dim[axis], i) == at[axis])
            add_rows(k, at, axis + 1, y, x + i * k->st_x[axis]);
        if (whole)
            return;
    }
}

static void pad_dx_tile(void *ctx, int64_t tile, int worker)
{
    const pad_dx_run *r = ctx;
    const pad_dx *k = r->k;
    (void)worker;
    int64_t end = (tile + 1) * k->per_tile < k->rows ? (tile + 1) * k->per_tile : k->rows;
    for (int64_t row = tile * k->per_tile; row < end; row++) {
        int64_t at[LM_RANK] = {0}, rest = row;
        float *y = r->y;
        for (int i = k->rank - 2; i >= 0; i--) {
            at[i] = rest % k->dim[i];
            rest /= k->dim[i];
            y += at[i] * k->st_y[i];
        }
        for (int64_t j = 0; j < k->dim[k->rank - 1]; j++)
            y[j * k->st_y[k->rank - 1]] = 0;
        add_rows(k, at, 0, y, r->x);
    }
}

static lm_status run_pad_dx(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const pad_dx *k = (const pad_dx *)kernel;
    (void)workspace;
    pad_dx_run r = {k, p[0], p[1]};
    lm_pool_run(cpu->pool, (k->rows + k->per_tile - 1) / k->per_tile, pad_dx_tile, &r);
    return LM_OK;
}

lm_status lm_cpu_bind_pad_dx(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0];
    const lm_attr_pad *a = &call->a->pad;
    if (a->mode == LM_PAD_CONSTANT || y->sh.rank == 0) {
        lm_attr_pad crop = {.mode = LM_PAD_CONSTANT};
        for (int i = 0; i < y->sh.rank; i++) {
            crop.lo[i] = -a->lo[i];
            crop.hi[i] = -a->hi[i];
        }
        return bind_pieces(cpu, call, &crop, LM_ZEROS, "pad_dx", out);
    }
    LM_REQUIRE(x->dt == LM_F32, LM_UNSUPPORTED, "pad_dx: no kernel for %s", lm_dtype_name(x->dt));
    pad_dx *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run_pad_dx, "pad_dx", &k));
    k->rank = y->sh.rank;
    k->pad = *a;
    k->rows = 1;
    for (int i = 0; i < k->rank; i++) {
        k->dim[i] = y->sh.dim[i];
        k->from[i] = x->sh.dim[i];
        k->st_y[i] = y->st[i];
        k->st_x[i] = x->st[i];
        if (i < k->rank - 1)
            k->rows *= k->dim[i];
    }
    if (lm_shape_count(&y->sh) == 0)
        k->rows = 0;
    int64_t last = k->dim[k->rank - 1];
    k->per_tile = last < 8192 ? 8192 / (last > 0 ? last : 1) : 1;
    k->k.base.bytes = 4.0 * (double)(lm_shape_count(&x->sh) + lm_shape_count(&y->sh));
    *out = &k->k.base;
    return LM_OK;
}
