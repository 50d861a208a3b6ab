/* Elementwise calls: the loops around the kernels. */
#include "backends/cpu/elementwise.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1024, PART = 16384, WIDEST = 8 };

/* Work space of a thread for one operand. */
typedef struct side_block {
    _Alignas(64) char data[BLOCK * WIDEST];
    _Alignas(64) uint16_t half[BLOCK];
} side_block;

static bool is_half(lm_dtype dt)
{
    return dt == LM_F16 || dt == LM_BF16;
}

static void gather(char *to, const char *from, int64_t st, size_t size, int64_t n)
{
    switch (size) {
    case 1:
        for (int64_t i = 0; i < n; i++)
            to[i] = from[i * st];
        break;
    case 2:
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * 2, from + i * st, 2);
        break;
    case 4:
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * 4, from + i * st, 4);
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * 8, from + i * st, 8);
    }
}

static void scatter(char *to, const char *from, int64_t st, size_t size, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(to + i * st, from + i * (int64_t)size, size);
}

/* n operands from `p` on as the kernel wants them. */
static const void *read_side(const lm_ew_kernel *k, const lm_ew_side *s, const char *p, int64_t n, side_block *b)
{
    int64_t st = s->st[k->rank - 1];
    n = s->way == LM_WAY_ONE ? 1 : n;
    if (is_half(s->dt)) {
        const uint16_t *half = (const uint16_t *)p;
        if (s->way == LM_WAY_STRIDE) {
            gather((char *)b->half, p, st, s->size, n);
            half = b->half;
        }
        (s->dt == LM_F16 ? k->stream->from_f16 : k->stream->from_bf16)((float *)b->data, half, (size_t)n);
        return b->data;
    }
    if (s->way != LM_WAY_STRIDE)
        return p;
    gather(b->data, p, st, s->size, n);
    return b->data;
}

static void write_side(const lm_ew_kernel *k, char *p, int64_t n, side_block *b)
{
    const lm_ew_side *s = &k->y;
    const char *from = b->data;
    if (is_half(s->dt)) {
        uint16_t *half = s->way == LM_WAY_DIRECT ? (uint16_t *)p : b->half;
        (s->dt == LM_F16 ? k->stream->to_f16 : k->stream->to_bf16)(half, (const float *)b->data, (size_t)n);
        from = (const char *)b->half;
    }
    if (s->way == LM_WAY_STRIDE)
        scatter(p, from, s->st[k->rank - 1], s->size, n);
    else if (s->way == LM_WAY_STREAM)
        k->stream->stream_copy((float *)p, (const float *)b->data, (size_t)n);
}

/* One launch: the addresses and the first bad element of an integer kernel. */
typedef struct launch {
    const lm_ew_kernel *k;
    char *y;
    const char *x[LM_EW_INPUTS];
    atomic_flag lock;
    int64_t bad; /* in order of the loops; INT64_MAX when none */
    int64_t bad_value[2];
} launch;

static int64_t integer(lm_dtype dt, const void *p)
{
    switch (dt) {
    case LM_I64: return *(const int64_t *)p;
    case LM_I32: return *(const int32_t *)p;
    case LM_I8: return *(const int8_t *)p;
    default: return *(const uint8_t *)p;
    }
}

static void note_bad(launch *l, int64_t place, const lm_ew *e)
{
    while (atomic_flag_test_and_set(&l->lock))
        ;
    if (place + e->bad < l->bad) {
        l->bad = place + e->bad;
        for (int i = 0; i < 2 && i < l->k->nx; i++) {
            size_t size = l->k->x[i].size;
            int64_t at = e->one >> i & 1 ? 0 : e->bad;
            l->bad_value[i] = integer(l->k->x[i].dt, (const char *)e->x[i] + at * (int64_t)size);
        }
    }
    atomic_flag_clear(&l->lock);
}

static bool in_place(const lm_ew_kernel *k)
{
    bool direct = k->y.way != LM_WAY_STRIDE && !is_half(k->y.dt);
    for (int i = 0; i < k->nx; i++)
        direct = direct && k->x[i].way != LM_WAY_STRIDE && !is_half(k->x[i].dt);
    return direct;
}

static void call_fn(launch *l, lm_ew *e, int64_t place)
{
    e->bad = -1;
    l->k->fn(e);
    if (e->bad >= 0)
        note_bad(l, place, e);
}

/* Stores past the caches need an aligned place: what comes before the first cache line is stored as usual. */
static void run_in_place(launch *l, lm_ew *e, char *y, const char *const *x, int64_t n, int64_t place)
{
    const lm_ew_kernel *k = l->k;
    int64_t head = k->y.way == LM_WAY_STREAM ? (int64_t)(-(uintptr_t)y & 63) / (int64_t)k->y.size : 0;
    for (int64_t i = 0, m = head ? head : n; i < n; i += m, m = n - i) {
        m = m < n - i ? m : n - i;
        e->y = y + i * (int64_t)k->y.size;
        e->n = (size_t)m;
        e->past = k->y.way == LM_WAY_STREAM && i >= head;
        for (int j = 0; j < k->nx; j++)
            e->x[j] = x[j] + i * k->x[j].st[k->rank - 1];
        call_fn(l, e, place + i);
    }
}

/* n results at y from operands at x, `place` elements into the loops */
static void run(launch *l, char *y, const char *const *x, int64_t n, int64_t place)
{
    const lm_ew_kernel *k = l->k;
    lm_ew e = {.a = k->a, .b = k->b};
    for (int i = 0; i < k->nx; i++)
        e.one |= (unsigned)(k->x[i].way == LM_WAY_ONE) << i;
    if (in_place(k)) {
        run_in_place(l, &e, y, x, n, place);
        return;
    }
    side_block in[LM_EW_INPUTS], out;
    int64_t y_st = k->y.st[k->rank - 1], first = BLOCK;
    if (k->y.way == LM_WAY_STREAM) /* later blocks start on a cache line */
        first -= (int64_t)((uintptr_t)y & 63) / (int64_t)k->y.size;
    for (int64_t i = 0, m = first; i < n; i += m, m = BLOCK) {
        m = n - i < m ? n - i : m;
        for (int j = 0; j < k->nx; j++)
            e.x[j] = read_side(k, &k->x[j], x[j] + i * k->x[j].st[k->rank - 1], m, &in[j]);
        bool direct = k->y.way == LM_WAY_DIRECT && !is_half(k->y.dt);
        e.y = direct ? y + i * y_st : out.data;
        e.n = (size_t)m;
        call_fn(l, &e, place + i);
        if (!direct)
            write_side(k, y + i * y_st, m, &out);
    }
}

static void tile(void *ctx, int64_t number, int worker)
{
    launch *l = ctx;
    const lm_ew_kernel *k = l->k;
    (void)worker;
    int64_t from = number * k->per_tile, to = from + k->per_tile < k->units ? from + k->per_tile : k->units;
    for (int64_t u = from; u < to; u++) {
        int64_t row = u / k->parts, begin = u % k->parts * k->part, length = k->dim[k->rank - 1] - begin;
        char *y = l->y + begin * k->y.st[k->rank - 1];
        const char *x[LM_EW_INPUTS] = {0};
        for (int i = 0; i < k->nx; i++)
            x[i] = l->x[i] + begin * k->x[i].st[k->rank - 1];
        for (int d = k->rank - 2; d >= 0; d--) {
            int64_t at = row % k->dim[d];
            row /= k->dim[d];
            y += at * k->y.st[d];
            for (int i = 0; i < k->nx; i++)
                x[i] += at * k->x[i].st[d];
        }
        run(l, y, x, length < k->part ? length : k->part, u / k->parts * k->dim[k->rank - 1] + begin);
    }
    if (k->y.way == LM_WAY_STREAM)
        k->stream->stream_end();
}

static lm_status ew_run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const lm_ew_kernel *k = (const lm_ew_kernel *)kernel;
    (void)workspace;
    launch l = {.k = k, .y = p[k->nx], .lock = ATOMIC_FLAG_INIT, .bad = INT64_MAX};
    for (int i = 0; i < k->nx; i++)
        l.x[i] = p[i];
    lm_pool_run(cpu->pool, (k->units + k->per_tile - 1) / k->per_tile, tile, &l);
    LM_REQUIRE(l.bad == INT64_MAX, LM_INPUT, "%s of %s: %lld by %lld has no result; mask such elements out first",
               k->op, lm_dtype_name(k->x[0].dt), (long long)l.bad_value[0], (long long)l.bad_value[1]);
    return LM_OK;
}

/* Strides of a view in the axes of the result, 0 where it is broadcast. */
static void spread(lm_ew_side *s, const lm_view *v, const lm_shape *to)
{
    s->dt = v->dt;
    s->size = lm_dtype_size(v->dt);
    for (int d = 0; d < to->rank; d++) {
        int from = d - (to->rank - v->sh.rank);
        s->st[d] = from < 0 || v->sh.dim[from] == 1 ? 0 : v->st[from] * (int64_t)s->size;
    }
}

static void move_axis(lm_ew_kernel *k, int to, int from)
{
    k->dim[to] = k->dim[from];
    k->y.st[to] = k->y.st[from];
    for (int i = 0; i < k->nx; i++)
        k->x[i].st[to] = k->x[i].st[from];
}

static void swap_axes(lm_ew_kernel *k, int a, int b)
{
    lm_ew_kernel was = *k;
    move_axis(k, a, b);
    k->dim[b] = was.dim[a];
    k->y.st[b] = was.y.st[a];
    for (int i = 0; i < k->nx; i++)
        k->x[i].st[b] = was.x[i].st[a];
}

static bool merges(const lm_ew_kernel *k, int outer)
{
    bool ok = k->y.st[outer] == k->y.st[outer + 1] * k->dim[outer + 1];
    for (int i = 0; i < k->nx; i++)
        ok = ok && k->x[i].st[outer] == k->x[i].st[outer + 1] * k->dim[outer + 1];
    return ok;
}

/* Axes of size 1 go, the rest is put in order of the result's strides, neighbours merge. */
static void simplify(lm_ew_kernel *k)
{
    int n = 0;
    for (int d = 0; d < k->rank; d++)
        if (k->dim[d] != 1)
            move_axis(k, n++, d);
    k->rank = n;
    for (int i = 1; i < n; i++)
        for (int d = i; d > 0 && llabs(k->y.st[d - 1]) < llabs(k->y.st[d]); d--)
            swap_axes(k, d - 1, d);
    for (int d = n - 2; d >= 0; d--)
        if (merges(k, d)) {
            int64_t size = k->dim[d] * k->dim[d + 1];
            move_axis(k, d, d + 1);
            k->dim[d] = size;
            for (int e = d + 1; e + 1 < k->rank; e++)
                move_axis(k, e, e + 1);
            k->rank--;
        }
    if (k->rank == 0) {
        k->rank = 1;
        k->dim[0] = 1;
        k->y.st[0] = (int64_t)k->y.size;
        for (int i = 0; i < k->nx; i++)
            k->x[i].st[0] = (int64_t)k->x[i].size;
    }
}

/* Calls for a few elements each cost more than operands with gaps do. */
static void lengthen_runs(lm_ew_kernel *k)
{
    enum { SHORT = 8, LONG = 64 };
    const int last = k->rank - 1;
    if (last > 0 && k->dim[last] < SHORT && k->dim[last - 1] >= LONG)
        swap_axes(k, last - 1, last);
}

static lm_ew_way way_of(const lm_ew_side *s, int last, bool may_be_one)
{
    if (s->st[last] == (int64_t)s->size)
        return LM_WAY_DIRECT;
    return s->st[last] == 0 && may_be_one ? LM_WAY_ONE : LM_WAY_STRIDE;
}

const char *lm_ew_what(char text[LM_EW_WHAT], lm_opid op, lm_dtype dt)
{
    static const char *const short_name[LM_DTYPES] = {"f32", "f64", "f16", "bf16", "i8", "i16", "i32",
                                                      "i64", "u8",  "u16", "u32",  "u64", "bool"};
    snprintf(text, LM_EW_WHAT, "%s_%s", lm_ops[op].id, short_name[dt]);
    for (char *c = text; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return text;
}

lm_status lm_ew_bind(lm_cpu *cpu, const lm_call *call, lm_ew_fn fn, float a, float b, const char *what,
                     lm_kernel **out)
{
    LM_REQUIRE(fn, LM_UNSUPPORTED, "%s of %s has no kernel on cpu", lm_ops[call->op].name,
               lm_dtype_name(call->x[0].dt));
    lm_ew_kernel *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, ew_run, what, &k));
    const lm_view *y = &call->y[0];
    int64_t count = lm_shape_count(&y->sh);
    k->fn = fn, k->a = a, k->b = b;
    k->stream = lm_cpu_stream(cpu->level);
    k->op = lm_ops[call->op].name;
    k->nx = call->nx;
    k->rank = y->sh.rank;
    memcpy(k->dim, y->sh.dim, sizeof k->dim);
    spread(&k->y, y, &y->sh);
    double bytes = (double)count * (double)k->y.size;
    for (int i = 0; i < k->nx; i++) {
        spread(&k->x[i], &call->x[i], &y->sh);
        bytes += (double)lm_shape_count(&call->x[i].sh) * (double)k->x[i].size;
    }
    simplify(k);
    if (lm_ew_is_float(y->dt))
        lengthen_runs(k);
    int last = k->rank - 1;
    k->y.way = way_of(&k->y, last, false);
    for (int i = 0; i < k->nx; i++)
        k->x[i].way = way_of(&k->x[i], last, k->nx > 1);
    /* Operands and result together: of more than a cache holds, the first results are gone before anyone reads them. */
    bool large = cpu->topo && bytes > (double)cpu->topo->cache[LM_L3].bytes;
    if (large && k->y.way == LM_WAY_DIRECT && k->y.size == sizeof(float))
        k->y.way = LM_WAY_STREAM;

    int64_t length = k->dim[last];
    k->part = length < PART ? length : PART;
    k->parts = length ? (length + PART - 1) / PART : 0;
    k->units = count ? count / length * k->parts : 0;
    k->per_tile = length && length < PART ? PART / length : 1;
    k->k.base.bytes = bytes;
    k->k.base.flops = (double)count;
    *out = &k->k.base;
    return LM_OK;
}
