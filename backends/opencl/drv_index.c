/* The gather and scatter families but Gather itself, and the gradient of Gather. */
#include <stdio.h>

#include "backends/opencl/bind.h"
#include "backends/opencl/kernels/params.h"
#include "backends/opencl/kernels/index_params.h"

/* What a bound call is made of: addresses out of its indices, and elements that move. */
typedef struct work {
    lm_cl_kernel *k;
    const lm_call *call;
    lm_cl_addresses a;
    lm_cl_moves m;
    size_t offsets; /* in scratch */
} work;

const char *lm_cl_bits(lm_dtype dt)
{
    const size_t size = lm_dtype_size(dt);
    return size == 1 ? "uchar" : size == 2 ? "ushort" : size == 4 ? "uint" : "ulong";
}

static lm_status start(work *w, lm_cl *cl, const lm_call *call, const char *what)
{
    const lm_view *index = &call->x[1];
    LM_REQUIRE((index->dt == LM_I32 || index->dt == LM_I64) && call->x[0].dt == call->y[0].dt, LM_UNSUPPORTED,
               "%s with indices of %s has no kernel on opencl", lm_ops[call->op].name, lm_dtype_name(index->dt));
    w->call = call;
    w->a.op = (int)call->op;
    w->m.count = 1;
    return lm_cl_kernel_new(cl, call, what, &w->k);
}

static void add_axis(work *w, int64_t dim, int64_t to, int64_t from, int64_t number)
{
    lm_cl_moves *m = &w->m;
    m->dim[m->rank] = dim;
    m->to[m->rank] = to, m->from[m->rank] = from, m->number[m->rank++] = number;
    m->count *= dim;
}

static void coordinate(work *w, const lm_view *into, int axis)
{
    w->a.size[w->a.depth] = into->sh.dim[axis];
    w->a.step[w->a.depth++] = into->st[axis];
}

/* The axes of indices that number addresses: the first `n`. */
static void number_addresses(work *w, int n)
{
    const lm_view *index = &w->call->x[1];
    w->a.rank = n;
    w->a.count = 1;
    for (int i = 0; i < n; i++) {
        w->a.dim[i] = index->sh.dim[i], w->a.index[i] = index->st[i];
        w->a.count *= index->sh.dim[i];
    }
}

static lm_status add_addresses(work *w)
{
    lm_cl_pass *pass;
    LM_TRY(lm_cl_scratch(w->k, w->a.count, sizeof(int64_t), &w->offsets));
    LM_TRY(lm_cl_pass_add(w->k, "index_params.h index.cl", w->call->x[1].dt == LM_I32 ? "-DINDEX=int" : "-DINDEX=long",
                          "addresses", &w->a, sizeof w->a, &pass));
    lm_cl_pass_operand(pass, 1, 0);
    lm_cl_pass_operand(pass, LM_CL_SCRATCH, w->offsets);
    pass->checks = true;
    lm_cl_pass_line(w->k, pass, w->a.count, 0);
    return LM_OK;
}

/* Into how many shares the places of updates go: a GPU wants many work-items, and reads of addresses cost it little. */
static int64_t shares_of(const work *w)
{
    enum { FEW = 256, WANTED = 8192, MOST = 256 };
    const lm_cl *cl = w->k->cl;
    const int64_t wanted = cl->panels ? cl->dev.info.units : WANTED, shares = wanted / (w->m.count ? w->m.count : 1);
    return w->m.n < FEW || shares < 2 ? 1 : shares < MOST ? shares : MOST;
}

static lm_status add_moves(work *w, const char *function, const char *options, int from, int to)
{
    lm_cl_pass *pass;
    const bool puts = function[0] == 'p';
    w->m.shares = puts ? shares_of(w) : 1;
    w->m.divisor = w->m.shares > 1 ? UINT64_MAX / (uint64_t)w->m.shares + 1 : 1;
    LM_TRY(lm_cl_pass_add(w->k, "index_params.h index.cl", options, function, &w->m, sizeof w->m, &pass));
    if (from >= 0) {
        lm_cl_pass_operand(pass, from, 0);
        lm_cl_pass_operand(pass, LM_CL_SCRATCH, w->offsets);
    }
    lm_cl_pass_operand(pass, to, 0);
    const bool idle = puts && w->m.n == 0;
    lm_cl_pass_line(w->k, pass, idle ? 0 : w->m.count * w->m.shares, w->k->cl->panels && w->m.shares == 1 ? 16 : 0);
    return LM_OK;
}

static lm_status take(work *w)
{
    char options[48];
    snprintf(options, sizeof options, "-DT=%s -DMODE=0", lm_cl_bits(w->call->x[0].dt));
    LM_TRY(add_addresses(w));
    return add_moves(w, "take", options, 0, 2);
}

/* What combines updates of this type in this way; false: nothing. */
static bool put_options(lm_dtype dt, lm_scatter_mode mode, char options[64])
{
    static const int number[] = {[LM_SCATTER_SET] = 0, [LM_SCATTER_ADD] = 1, [LM_SCATTER_MUL] = 2,
                                 [LM_SCATTER_MAX] = 3, [LM_SCATTER_MIN] = 4};
    const char *type = mode == LM_SCATTER_SET ? lm_cl_bits(dt)
                       : dt == LM_F32         ? "float"
                       : dt == LM_I32         ? "int"
                       : dt == LM_I64         ? "long"
                                              : NULL;
    if (!type)
        return false;
    snprintf(options, 64, "-DT=%s -DU=%s%s -DREAL=%d -DMODE=%d", type,
             mode == LM_SCATTER_SET || dt == LM_F32 ? "" : "u", type, dt == LM_F32, number[mode]);
    return true;
}

static lm_status put(work *w, lm_scatter_mode mode, int from, int to)
{
    char options[64];
    LM_REQUIRE(put_options(w->call->y[0].dt, mode, options), LM_UNSUPPORTED,
               "%s: no kernel on opencl that combines %s", lm_ops[w->call->op].name,
               lm_dtype_name(w->call->y[0].dt));
    LM_TRY(add_addresses(w));
    return add_moves(w, "put", options, from, to);
}

/* Of every element of `indices` an address of its own, whose other coordinates are its own place. */
static void address_elements(work *w, const lm_view *into, int axis)
{
    number_addresses(w, w->call->x[1].sh.rank);
    for (int i = 0; i < w->a.rank; i++)
        w->a.base[i] = i == axis ? 0 : into->st[i];
    coordinate(w, into, axis);
}

lm_status lm_cl_bind_gather_elements(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_view *y = &call->y[0];
    int64_t number[LM_RANK];
    work w = {0};
    LM_TRY(start(&w, cl, call, "gather_elements"));
    address_elements(&w, &call->x[0], call->a->index.axis);
    lm_strides_row(&y->sh, number);
    for (int i = 0; i < y->sh.rank; i++)
        add_axis(&w, y->sh.dim[i], y->st[i], 0, number[i]);
    return lm_cl_bound(w.k, take(&w), out);
}

lm_status lm_cl_bind_gather_nd(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *index = &call->x[1], *y = &call->y[0];
    const int batch = call->a->index.batch, tuples = index->sh.rank - 1, depth = (int)index->sh.dim[tuples];
    int64_t number[LM_RANK];
    work w = {0};
    LM_TRY(start(&w, cl, call, "gather_nd"));
    number_addresses(&w, tuples);
    w.a.tuple = index->st[tuples];
    for (int i = 0; i < batch; i++)
        w.a.base[i] = x->st[i];
    for (int i = 0; i < depth; i++)
        coordinate(&w, x, batch + i);
    lm_shape leading = index->sh;
    leading.rank = tuples;
    lm_strides_row(&leading, number);
    for (int i = 0; i < y->sh.rank; i++)
        add_axis(&w, y->sh.dim[i], y->st[i], i < tuples ? 0 : x->st[batch + depth + i - tuples],
                 i < tuples ? number[i] : 0);
    return lm_cl_bound(w.k, take(&w), out);
}

static lm_status scatter(work *w)
{
    const lm_call *call = w->call;
    LM_TRY(lm_cl_add_copy(w->k, &call->x[0], (lm_cl_place){0, 0}, &call->y[0], (lm_cl_place){call->nx, 0}));
    return put(w, call->a->index.mode, 2, call->nx);
}

lm_status lm_cl_bind_scatter_elements(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_view *index = &call->x[1], *updates = &call->x[2];
    const int axis = call->a->index.axis;
    int64_t number[LM_RANK];
    work w = {0};
    LM_TRY(start(&w, cl, call, "scatter_elements"));
    address_elements(&w, &call->y[0], axis);
    lm_strides_row(&index->sh, number);
    for (int i = 0; i < index->sh.rank; i++)
        if (i != axis)
            add_axis(&w, index->sh.dim[i], 0, updates->st[i], number[i]);
    w.m.n = w.m.loop_dim[0] = index->sh.dim[axis];
    w.m.loop_from[0] = updates->st[axis];
    w.m.loop_rank = 1;
    w.m.number_step = number[axis];
    return lm_cl_bound(w.k, scatter(&w), out);
}

/* All addresses of all work-items, in the order of their numbers; the updates have their axes from `axis` on. */
static void visit_all(work *w, const lm_view *updates, int axis)
{
    w->m.loop_rank = w->a.rank;
    w->m.n = w->a.count;
    w->m.number_step = 1;
    for (int i = 0; i < w->a.rank; i++)
        w->m.loop_dim[i] = w->a.dim[i], w->m.loop_from[i] = updates->st[axis + i];
}

lm_status lm_cl_bind_scatter_nd(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_view *index = &call->x[1], *updates = &call->x[2], *y = &call->y[0];
    const int tuples = index->sh.rank - 1, depth = (int)index->sh.dim[tuples];
    work w = {0};
    LM_TRY(start(&w, cl, call, "scatter_nd"));
    number_addresses(&w, tuples);
    w.a.tuple = index->st[tuples];
    for (int i = 0; i < depth; i++)
        coordinate(&w, y, i);
    for (int i = depth; i < y->sh.rank; i++)
        add_axis(&w, y->sh.dim[i], y->st[i], updates->st[tuples + i - depth], 0);
    visit_all(&w, updates, 0);
    return lm_cl_bound(w.k, scatter(&w), out);
}

/* Zeros, then the signal's slices in ascending order. */
static lm_status gather_dx(work *w)
{
    const lm_view *y = &w->call->y[0];
    work all = {.k = w->k, .call = w->call, .m = {.count = 1}};
    for (int i = 0; i < y->sh.rank; i++)
        add_axis(&all, y->sh.dim[i], y->st[i], 0, 0);
    LM_TRY(add_moves(&all, "clear", "-DT=uint -DMODE=0", -1, 2));
    return put(w, LM_SCATTER_ADD, 0, 2);
}

lm_status lm_cl_bind_gather_dx(lm_cl *cl, const lm_call *call, lm_kernel **out)
{
    const lm_view *s = &call->x[0], *y = &call->y[0];
    const int axis = call->a->shape.axis, deep = call->x[1].sh.rank;
    work w = {0};
    LM_REQUIRE(s->dt == LM_F32, LM_UNSUPPORTED, "%s: no kernel on opencl for %s", lm_ops[call->op].name,
               lm_dtype_name(s->dt));
    LM_TRY(start(&w, cl, call, "gather_dx_f32"));
    number_addresses(&w, deep);
    coordinate(&w, y, axis);
    for (int i = 0; i < y->sh.rank; i++)
        if (i != axis)
            add_axis(&w, y->sh.dim[i], y->st[i], s->st[i < axis ? i : i + deep - 1], 0);
    visit_all(&w, s, axis);
    return lm_cl_bound(w.k, gather_dx(&w), out);
}
