/* Prepares and runs a launch of a bound product. */
#include "backends/cpu/product.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backends/cpu/block.h"
#include "backends/cpu/depthwise.h"
#include "backends/cpu/passing.h"
#include "core/base/mem.h"

lm_status lm_product_reserve(lm_product *p, size_t count, size_t size, int64_t *at)
{
    size_t bytes, end;
    LM_REQUIRE(lm_mul_size(count, size, &bytes) && lm_add_size(bytes, LM_ALIGN - 1, &bytes) &&
                   lm_add_size(p->k.base.workspace, bytes & ~(size_t)(LM_ALIGN - 1), &end) && end < SIZE_MAX / 2,
               LM_MEMORY, "the workspace of %s would not fit in memory", p->k.name);
    *at = (int64_t)p->k.base.workspace;
    p->k.base.workspace = end;
    return LM_OK;
}

static void *space(void *workspace, int64_t at)
{
    return (char *)workspace + at;
}

/* Bias padded to whole panels; + 0 turns -0 into +0. */
static void spread_bias(const lm_product *p, const float *bias, float *out)
{
    const int64_t width = p->bias_width;
    for (int64_t part = 0; part < p->bias_parts; part++)
        for (int64_t j = 0; j < width; j++)
            out[part * width + j] =
                bias && j < p->g.columns ? bias[(part * p->g.columns + j) * p->bias_step] + 0.0f : 0.0f;
}

static void run_tiles(lm_cpu *cpu, const lm_product *p, const lm_igemm_args *a)
{
    if (p->passing || p->passing_depth)
        lm_passing_run(cpu, p, a);
    else
        lm_igemm_run(cpu, &p->g, a);
}

/* An operand, or NULL, in the kernel's layout. */
static const float *brought(lm_cpu *cpu, const lm_relayout *r, const void *from, void *workspace)
{
    if (r->at == LM_NO_SPACE)
        return from;
    lm_copy_run(cpu->pool, &r->copy, space(workspace, r->at), from);
    return space(workspace, r->at);
}

static lm_status run(lm_cpu *cpu, const lm_cpu_kernel *k, void *const *arg, void *workspace)
{
    const lm_product *p = (const lm_product *)k;
    const lm_igemm *g = &p->g;
    lm_igemm_args a = {.b = arg[1], .y = arg[k->nargs - 1], .space = workspace,
                       .ending = p->ending};
    if (!g->tasks)
        return LM_OK;
    memset(space(workspace, p->zero_at), 0, (size_t)p->zeros * sizeof(float));
    a.zero = space(workspace, p->zero_at);
    spread_bias(p, p->bias < 0 ? NULL : arg[p->bias], space(workspace, p->bias_at));
    a.bias = space(workspace, p->bias_at);
    const bool passing = p->passing || p->passing_depth;
    if (!p->packed && !passing) {
        lm_pack_run(cpu, &p->pack, arg[1], space(workspace, p->pack_at));
        a.b = space(workspace, p->pack_at);
    }
    a.finite = !passing && a.b[p->pack.parts * g->panels * g->panel] != 0.0f;
    a.x = brought(cpu, &p->x, arg[0], workspace);
    a.res = brought(cpu, &p->residual, p->res < 0 ? NULL : arg[p->res], workspace);
    a.point = brought(cpu, &p->point, p->slope < 0 ? NULL : arg[p->slope], workspace);
    if (p->y.at != LM_NO_SPACE)
        a.y = space(workspace, p->y.at);
    p->engine(cpu, p, &a);
    if (p->y.at != LM_NO_SPACE)
        lm_copy_run(cpu->pool, &p->y.copy, arg[k->nargs - 1], space(workspace, p->y.at));
    return LM_OK;
}

lm_status lm_product_new(lm_cpu *cpu, const lm_call *call, const char *what, int64_t passes, int64_t taps,
                         int64_t parts, lm_product **out)
{
    const int64_t limit = 1 << 22;
    LM_REQUIRE(passes < limit && taps < limit && parts < limit, LM_UNSUPPORTED,
               "%s: %lld passes, %lld taps, %lld parts are too many", what, (long long)passes, (long long)taps,
               (long long)parts);
    const size_t head = (sizeof(lm_product) + 63) & ~(size_t)63;
    lm_product *p;
    LM_TRY(lm_cpu_kernel_new(cpu, call,
                             head + (size_t)passes * sizeof(lm_pass) + (size_t)taps * sizeof(lm_tap) +
                                 (size_t)parts * sizeof(lm_part),
                             run, what, &p));
    p->g.pass = (lm_pass *)((char *)p + head);
    p->g.tap = (lm_tap *)(p->g.pass + passes);
    p->g.part = (lm_part *)(p->g.tap + taps);
    p->g.npass = (int)passes;
    p->g.nparts = parts;
    p->g.set = lm_tiles_of(cpu->level);
    p->g.lo = -INFINITY, p->g.hi = INFINITY;
    p->bias = p->res = p->slope = -1;
    p->bias_parts = 1;
    p->engine = run_tiles;
    p->x.at = p->y.at = p->residual.at = p->point.at = LM_NO_SPACE;
    *out = p;
    return LM_OK;
}

lm_status lm_product_epilogue(lm_cpu *cpu, lm_product *p, const lm_call *call)
{
    const lm_epilogue *e = call->ep;
    const lm_stream *stream = lm_cpu_stream(cpu->level);
    const char *name = lm_ops[call->op].name;
    const int own = call->nx - lm_epilogue_inputs(e);
    LM_REQUIRE(own >= 2 && own <= 3, LM_INPUT, "%s: %d inputs", name, call->nx);
    if (own == 3 && lm_view_present(&call->x[2])) {
        const lm_view *b = &call->x[2];
        LM_REQUIRE(b->dt == LM_F32 && b->sh.rank == 1, LM_UNSUPPORTED, "%s: the bias must be a float32 vector",
                   name);
        p->bias = 2;
        p->bias_step = b->sh.dim[0] == 1 ? 0 : b->st[0];
    }
    if (e && e->residual)
        p->res = own;
    if (e && e->sloped) {
        p->slope = call->nx - 1;
        p->ending.slope = e->slope.of >= 0 && e->slope.of < LM_OPS ? stream->dx[e->slope.of] : NULL;
        p->ending.slope_a = e->slope.a, p->ending.slope_b = e->slope.b;
        LM_REQUIRE(p->ending.slope, LM_UNSUPPORTED, "%s: no tile ends in a slope of this kind", name);
        p->ending.mask = e->slope.of == LM_OP_RELU;
    }
    if (!e || !e->active)
        return LM_OK;
    if (e->act == LM_OP_RELU) {
        p->g.lo = 0.0f;
        return LM_OK;
    }
    /* An upper limit of 0, or a lower of -0, needs finer rules for signs than the tile's. */
    if (e->act == LM_OP_CLIP && !(e->attr.a == 0.0f && signbit(e->attr.a)) && e->attr.b != 0.0f &&
        e->attr.a <= e->attr.b) {
        p->g.lo = e->attr.a, p->g.hi = e->attr.b;
        return LM_OK;
    }
    p->ending.act = stream->ew[e->act];
    p->ending.mask = false;
    p->ending.act_a = e->attr.a, p->ending.act_b = e->attr.b;
    LM_REQUIRE(p->ending.act && lm_op_is_unary(e->act), LM_UNSUPPORTED, "%s: no tile ends in %s", name,
               lm_ops[e->act].name);
    return LM_OK;
}

lm_status lm_product_relayout(lm_product *p, const lm_view *v, const int64_t *st, size_t count, bool out,
                              lm_relayout *r)
{
    lm_copy_axis axis[LM_RANK];
    for (int i = 0; i < v->sh.rank; i++)
        axis[i] = (lm_copy_axis){v->sh.dim[i], out ? v->st[i] : st[i], out ? st[i] : v->st[i]};
    lm_copy_plan(&r->copy, sizeof(float), v->sh.rank, axis);
    return lm_product_reserve(p, count, sizeof(float), &r->at);
}

static lm_status operand(lm_product *p, const lm_call *call, int input, const int64_t *st, lm_relayout *to)
{
    if (input < 0)
        return LM_OK;
    const lm_view *r = &call->x[input], *y = &call->y[0];
    LM_REQUIRE(r->dt == LM_F32 && lm_shape_equal(&r->sh, &y->sh), LM_UNSUPPORTED,
               "%s: the epilogue's operands must be float32 of the result's shape", lm_ops[call->op].name);
    bool same = true;
    size_t span = 1; /* a copy has the gaps of st too */
    for (int i = 0; i < y->sh.rank; i++) {
        same &= r->st[i] == st[i] || y->sh.dim[i] == 1;
        if (y->sh.dim[i] > 1)
            span += (size_t)st[i] * (size_t)(y->sh.dim[i] - 1);
    }
    return same ? LM_OK : lm_product_relayout(p, r, st, span, false, to);
}

lm_status lm_product_operands(lm_product *p, const lm_call *call, const int64_t *st)
{
    LM_TRY(operand(p, call, p->res, st, &p->residual));
    return operand(p, call, p->slope, st, &p->point);
}

static void append_lower(char *name, size_t size, const char *before, const char *id)
{
    size_t used = strlen(name);
    used += (size_t)snprintf(name + used, size - used, "%s", before);
    for (; *id && used + 1 < size; id++, used++)
        name[used] = (char)(*id >= 'A' && *id <= 'Z' ? *id + 32 : *id);
    if (used < size)
        name[used] = 0;
}

lm_status lm_product_finish(lm_cpu *cpu, lm_product *p, const lm_call *call, uint32_t packing, int64_t param,
                            const char *what)
{
    lm_igemm *g = &p->g;
    size_t floats;
    g->panel = lm_pack_panel(&p->pack);
    g->columns = p->pack.columns;
    LM_REQUIRE(lm_pack_size(&p->pack, &floats), LM_MEMORY, "%s: packed weights would not fit in memory", what);
    g->panels = lm_ceil_div(g->columns, p->pack.nr);
    if (packing == LM_CPU_PACK_DEPTHWISE)
        lm_depthwise_plan(p);
    else
        lm_igemm_plan(g, cpu->topo);
    p->zeros = packing == LM_CPU_PACK_DEPTHWISE ? g->columns : g->channels;
    p->bias_width = g->panels * p->pack.nr;
    LM_TRY(lm_product_reserve(p, (size_t)p->zeros, sizeof(float), &p->zero_at));
    LM_TRY(lm_product_reserve(p, (size_t)(p->bias_parts * p->bias_width), sizeof(float), &p->bias_at));
    p->packed = call->constant >> 1 & 1;
    if (p->packed) {
        lm_want *want = &p->k.base.want[p->k.base.nwant++];
        memset(want, 0, sizeof *want);
        want->input = 1;
        want->pack = packing;
        want->p[0] = p->pack.nr;
        want->p[1] = param;
    } else {
        p->k.base.loose |= 2; /* packing reads weights from wherever they lie */
        if (p->engine == run_tiles)
            LM_TRY(lm_passing_plan(cpu, p, &call->x[1]));
        else
            LM_TRY(lm_product_reserve(p, floats, sizeof(float), &p->pack_at));
    }
    double pixels = 0;
    for (int i = 0; i < g->npass; i++)
        pixels += (double)(g->samples * g->pass[i].out[0] * g->pass[i].out[1] * g->pass[i].out[2]) * g->pass[i].ntap;
    p->k.base.flops = 2.0 * pixels * (double)g->channels * (double)g->columns * (double)g->nparts;
    p->k.base.bytes = 4.0 * (double)(lm_shape_count(&call->x[0].sh) + lm_shape_count(&call->x[1].sh) +
                                     lm_shape_count(&call->y[0].sh) * (1 + lm_epilogue_inputs(call->ep)));
    char tile[16] = "";
    if (p->engine == run_tiles)
        snprintf(tile, sizeof tile, "_%dx%d", g->set->mr, g->set->nr);
    snprintf(p->k.name, sizeof p->k.name, "cpu.%s.%s_f32%s%s%s%s", lm_cpu_level_name(cpu->level), what, tile,
             p->bias >= 0 ? "+bias" : "", p->res >= 0 ? "+res" : "", call->ep && call->ep->active ? "+" : "");
    if (call->ep && call->ep->active)
        append_lower(p->k.name, sizeof p->k.name, "", lm_ops[call->ep->act].id);
    if (p->slope >= 0)
        append_lower(p->k.name, sizeof p->k.name, "+slope_", lm_ops[call->ep->slope.of].id);
    return LM_OK;
}
