/* Passes of products. */
#include "backends/opencl/product.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

/* Columns that a tile of the local-memory kernels is a multiple of. */
enum { TILE_COLUMNS = 64 };

int64_t lm_cl_panel(const lm_cl *cl)
{
    return cl->panels ? 2 * cl->lanes : TILE_COLUMNS;
}

/* Axes [first, end) of v as digits, merged where they step as one; the last digit is the fastest. */
static bool digits(const lm_view *v, int first, int end, int64_t dim[LM_CL_DIGITS], int64_t step[LM_CL_DIGITS])
{
    int n = LM_CL_DIGITS;
    for (int i = 0; i < LM_CL_DIGITS; i++)
        dim[i] = 1, step[i] = 0;
    for (int i = end - 1; i >= first; i--) {
        if (v->sh.dim[i] == 1)
            continue;
        if (n < LM_CL_DIGITS && v->st[i] == step[n] * dim[n]) {
            dim[n] *= v->sh.dim[i];
            continue;
        }
        if (n == 0)
            return false;
        dim[--n] = v->sh.dim[i];
        step[n] = v->st[i];
    }
    return true;
}

/* The packing of a constant or an operand; `floats` of all of it. */
static lm_status plan_pack(uint32_t kind, const lm_view *v, int64_t nr, int64_t param, lm_cl_pack *out, int64_t *floats)
{
    lm_cl_pack p = {.nr = nr, .part_dim = {1, 1, 1, 1}, .tap_dim = {1, 1, 1}};
    const int r = v->sh.rank;
    if (kind == LM_CL_PACK_MATRIX) {
        const int k = r == 1 ? 0 : r - (param ? 1 : 2), n = param ? r - 2 : r - 1;
        p.channels = v->sh.dim[k], p.channel_x = v->st[k];
        p.columns = r == 1 ? 1 : v->sh.dim[n], p.column_x = r == 1 ? 0 : v->st[n];
        LM_REQUIRE(digits(v, 0, r - 2, p.part_dim, p.part_x), LM_UNSUPPORTED, "batches with more than %d strides",
                   LM_CL_DIGITS);
    } else if (kind == LM_CL_PACK_DEPTHWISE) {
        /* [C, 1, taps]: channels are columns */
        p.columns = v->sh.dim[0], p.column_x = v->st[0], p.channels = 1;
    } else if (kind == LM_CL_PACK_PATCHES) {
        /* [C, M, taps]: all of a window's results are columns */
        p.channels = v->sh.dim[0], p.channel_x = v->st[0], p.columns = 1, p.column_x = 1;
        for (int i = 1; i < r; i++)
            p.columns *= v->sh.dim[i];
    } else {
        /* [M, C/groups, taps] or, transposed, [C, M/groups, taps] */
        const bool turned = kind == LM_CL_PACK_CONV_T;
        const int64_t groups = param, first = v->sh.dim[0] / groups;
        p.part_dim[LM_CL_DIGITS - 1] = groups, p.part_x[LM_CL_DIGITS - 1] = first * v->st[0];
        p.columns = turned ? v->sh.dim[1] : first, p.column_x = v->st[turned ? 1 : 0];
        p.channels = turned ? first : v->sh.dim[1], p.channel_x = v->st[turned ? 0 : 1];
    }
    for (int i = 2; i < r && kind != LM_CL_PACK_MATRIX && kind != LM_CL_PACK_PATCHES; i++) {
        p.tap_dim[LM_CL_TAPS - r + i] = v->sh.dim[i];
        p.tap_x[LM_CL_TAPS - r + i] = v->st[i];
    }
    p.panels = (p.columns + nr - 1) / nr;
    int64_t rows = p.panels * p.channels;
    for (int i = 0; i < LM_CL_TAPS; i++)
        LM_REQUIRE(lm_mul_i64(rows, p.tap_dim[i], &rows), LM_MEMORY, "packed weights would not fit in memory");
    for (int i = 0; i < LM_CL_DIGITS; i++)
        LM_REQUIRE(lm_mul_i64(rows, p.part_dim[i], &rows), LM_MEMORY, "packed weights would not fit in memory");
    LM_REQUIRE(lm_mul_i64(rows, nr, floats), LM_MEMORY, "packed weights would not fit in memory");
    p.units = rows;
    *out = p;
    return LM_OK;
}

static lm_status add_pack(lm_cl_kernel *k, const lm_cl_pack *pack, lm_cl_place from, lm_cl_place to)
{
    lm_cl_pack p = *pack;
    lm_cl_pass *pass;
    p.units = k->cl->panels ? p.units / (p.tap_dim[0] * p.tap_dim[1] * p.tap_dim[2]) : p.units * p.nr;
    LM_TRY(lm_cl_pass_add(k, "layout.cl", "", "pack", &p, sizeof p, &pass));
    lm_cl_pass_operand(pass, from.operand, from.off);
    lm_cl_pass_operand(pass, to.operand, to.off);
    lm_cl_pass_line(k, pass, p.units, 0);
    return LM_OK;
}

lm_status lm_cl_derive(lm_device *dev, const lm_view *constant, const lm_want *want, lm_buffer **out)
{
    lm_cl *cl = (lm_cl *)dev;
    lm_cl_pack pack;
    int64_t floats;
    size_t off = 0;
    lm_buffer *raw = NULL, *packed = NULL;
    lm_cl_kernel *k = NULL;
    lm_status status;
    LM_REQUIRE(want->transform == LM_TF_ID && want->pack, LM_DEVICE, "%s has no packing %u", dev->info.name,
               want->pack);
    const size_t bytes = (size_t)lm_shape_count(&constant->sh) * lm_dtype_size(constant->dt);
    LM_TRY(plan_pack(want->pack, constant, want->p[0], want->p[1], &pack, &floats));
    LM_TRY_OUT(lm_cl_borrow(dev, constant, bytes, &raw, &off));
    LM_TRY_OUT((uint64_t)floats > SIZE_MAX / sizeof(float)
                   ? lm_fail(LM_MEMORY, "packed weights would not fit in memory") : LM_OK);
    LM_TRY_OUT(lm_cl_alloc(dev, (size_t)floats * sizeof(float), &packed));
    LM_TRY_OUT(lm_cl_kernel_new(cl, NULL, "pack", &k));
    LM_TRY_OUT(add_pack(k, &pack, (lm_cl_place){0, 0}, (lm_cl_place){1, 0}));
    const lm_arg arg[] = {{raw, off}, {packed, 0}};
    LM_TRY_OUT(lm_cl_run_now(k, arg, NULL));
    *out = packed;
    packed = NULL;
out:
    if (k)
        k->base.free(&k->base);
    lm_buffer_unref(packed);
    lm_buffer_unref(raw);
    return status;
}

lm_status lm_cl_product_start(lm_cl *cl, const lm_call *call, const char *what, lm_cl_maker *m)
{
    const lm_epilogue *e = call->ep;
    const char *name = lm_ops[call->op].name;
    const int own = call->nx - lm_epilogue_inputs(e);
    *m = (lm_cl_maker){.call = call, .bias = -1, .residual = -1, .slope = -1, .a = {0, 0}, .b = {1, 0}};
    for (int i = 0; i < call->nx; i++)
        LM_REQUIRE(!lm_view_present(&call->x[i]) || call->x[i].dt == LM_F32, LM_UNSUPPORTED,
                   "%s: input %d is %s; only float32", name, i, lm_dtype_name(call->x[i].dt));
    LM_REQUIRE(call->y[0].dt == LM_F32, LM_UNSUPPORTED, "%s: only float32", name);
    if (own == 3 && lm_view_present(&call->x[2])) {
        LM_REQUIRE(call->x[2].sh.rank == 1, LM_UNSUPPORTED, "%s: the bias must be a vector", name);
        m->bias = 2;
        m->p.bias_column = call->x[2].sh.dim[0] == 1 ? 0 : call->x[2].st[0];
    }
    if (e && e->residual)
        m->residual = own;
    if (e && e->sloped)
        m->slope = call->nx - 1;
    for (int i = own; i < call->nx; i++)
        LM_REQUIRE(lm_shape_equal(&call->x[i].sh, &call->y[0].sh), LM_UNSUPPORTED, "%s: an operand of another shape",
                   name);
    if (e && e->active) {
        LM_REQUIRE(lm_op_is_unary(e->act), LM_UNSUPPORTED, "%s: no tile ends in %s", name, lm_ops[e->act].name);
        m->p.end.act_a = e->attr.a, m->p.end.act_b = e->attr.b;
    }
    if (e && e->sloped)
        m->p.end.slope_a = e->slope.a, m->p.end.slope_b = e->slope.b;
    m->p.chain = LM_CL_CHAIN;
    for (int i = 0; i < LM_CL_DIGITS; i++)
        m->p.row_dim[i] = m->p.part_dim[i] = 1;
    for (int i = 0; i < LM_CL_TAPS; i++)
        m->p.tap_dim[i] = 1;
    LM_TRY(lm_cl_kernel_new(cl, call, what, &m->k));
    const size_t used = m->tile_at = strlen(m->k->name);
    snprintf(m->k->name + used, sizeof m->k->name - used, "%s%s%s%s%s", m->bias < 0 ? "" : "+bias",
             m->residual < 0 ? "" : "+res", e && e->active ? "+" : "", e && e->active ? lm_ops[e->act].id : "",
             m->slope < 0 ? "" : "+slope");
    for (char *c = m->k->name + used; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return LM_OK;
}

lm_status lm_cl_product_weights(lm_cl_maker *m, uint32_t kind, int64_t param, lm_cl_pack *pack)
{
    lm_cl_kernel *k = m->k;
    const int64_t nr = kind == LM_CL_PACK_DEPTHWISE ? k->cl->lanes : lm_cl_panel(k->cl);
    int64_t floats;
    LM_TRY(plan_pack(kind, &m->call->x[1], nr, param, pack, &floats));
    m->p.columns = pack->columns;
    m->p.b_step = nr;
    m->p.b_panel = floats;
    for (int i = 0; i < LM_CL_DIGITS; i++)
        m->p.b_panel /= pack->part_dim[i] ? pack->part_dim[i] : 1;
    m->p.b_panel /= pack->panels ? pack->panels : 1;
    if (m->call->constant >> 1 & 1) {
        lm_want *want = &k->base.want[k->base.nwant++];
        memset(want, 0, sizeof *want);
        want->input = 1;
        want->pack = kind;
        want->p[0] = nr;
        want->p[1] = param;
        return LM_OK;
    }
    lm_cl_place to = {LM_CL_SCRATCH, 0};
    LM_TRY(lm_cl_scratch(k, floats, sizeof(float), &to.off));
    LM_TRY(add_pack(k, pack, (lm_cl_place){1, 0}, to));
    m->b = to;
    return LM_OK;
}

/* Copies that are mostly padding are not worth their memory beyond so many numbers. */
enum { SPARSE = 16, SMALL = 1 << 20 };

lm_status lm_cl_product_border(lm_cl_maker *m, lm_cl_place from, const lm_cl_border *border, lm_cl_place *out)
{
    lm_cl_kernel *k = m->k;
    lm_cl_border b = *border;
    lm_cl_pass *pass;
    lm_cl_place to = {LM_CL_SCRATCH, 0};
    int64_t pixels = 1, within = 1, most;
    bool fits = true;
    for (int i = 0; i < 4; i++) {
        fits = fits && lm_mul_i64(pixels, b.out[i], &pixels);
        within *= b.in[i];
    }
    fits = fits && lm_mul_i64(pixels, b.pixel, &most);
    LM_REQUIRE(fits && (most < SMALL || pixels / SPARSE <= within), LM_UNSUPPORTED, "%s: almost all is padding",
               k->name);
    LM_TRY(lm_cl_scratch(k, pixels * b.pixel, sizeof(float), &to.off));
    b.units = k->cl->panels ? b.out[3] ? pixels / b.out[3] : 0 : pixels * b.out[4];
    LM_TRY(lm_cl_pass_add(k, "layout.cl", "", "border", &b, sizeof b, &pass));
    lm_cl_pass_operand(pass, from.operand, from.off);
    lm_cl_pass_operand(pass, to.operand, to.off);
    lm_cl_pass_line(k, pass, b.units, 0);
    *out = to;
    return LM_OK;
}

/* Work-items of a unit at least, so that none waits for another one's last. */
enum { ITEMS_PER_UNIT = 12 };

static int64_t min3(int64_t a, int64_t b, int64_t c)
{
    const int64_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* How many tiles a work-item makes: rows first, so that a panel is read often while it is near. */
static void set_block(const lm_cl *cl, const lm_cl_choice *choice, lm_cl_product *p, int64_t tiles, int64_t panels,
                      int64_t parts)
{
    int64_t most = tiles * panels * parts / ((int64_t)cl->dev.info.units * ITEMS_PER_UNIT);
    most = most < 1 ? 1 : most;
    p->block_tiles = min3(most, tiles, choice->down);
    most /= p->block_tiles;
    p->block_panels = min3(most, panels, choice->across);
}

/* Rows of a tile: as many as the choice says, fewer where that wastes less. */
static int tile_rows(int rows_at_most, int64_t rows)
{
    static const int list[] = {10, 7, 4, 3, 1};
    int best = rows_at_most;
    double least = (double)((rows + best - 1) / best) * (best + 1.0);
    for (size_t i = 0; i < LM_COUNT(list); i++) {
        double cost = (double)((rows + list[i] - 1) / list[i]) * (list[i] + 1.0);
        if (list[i] < rows_at_most && cost < least)
            least = cost, best = list[i];
    }
    return best;
}

static lm_status option(char *text, size_t room, const char *format, const char *value)
{
    size_t used = strlen(text);
    int n = snprintf(text + used, room - used, format, value);
    return n >= 0 && (size_t)n < room - used ? LM_OK : lm_fail(LM_UNSUPPORTED, "options are too long");
}

int lm_cl_product_has(const lm_cl_maker *m)
{
    const lm_epilogue *e = m->call->ep;
    return (m->bias < 0 ? 0 : LM_CL_HAS_BIAS) | (m->residual < 0 ? 0 : LM_CL_HAS_RESIDUAL) |
           (m->slope < 0 ? 0 : LM_CL_HAS_SLOPE) | (e && e->active && e->act == LM_OP_RELU ? LM_CL_HAS_RELU : 0);
}

void lm_cl_product_operands(const lm_cl_maker *m, lm_cl_pass *pass)
{
    const int y = m->call->nx;
    lm_cl_pass_operand(pass, m->a.operand, m->a.off);
    lm_cl_pass_operand(pass, m->b.operand, m->b.off);
    lm_cl_pass_operand(pass, m->bias < 0 ? y : m->bias, 0);
    lm_cl_pass_operand(pass, m->residual < 0 ? y : m->residual, 0);
    lm_cl_pass_operand(pass, m->slope < 0 ? y : m->slope, 0);
    lm_cl_pass_operand(pass, m->y.operand ? m->y.operand : y, m->y.off);
}

/* "opencl.panel.conv_f32+relu" becomes "opencl.panel.conv_f32_14x32+relu". */
static void name_tile(lm_cl_maker *m, int64_t rows, int64_t columns)
{
    char tile[24], *at = m->k->name + m->tile_at;
    const size_t n = (size_t)snprintf(tile, sizeof tile, "_%dx%d", (int)rows, (int)columns);
    if (m->tile_at && m->tile_at + strlen(at) + n < sizeof m->k->name) {
        memmove(at + n, at, strlen(at) + 1);
        memcpy(at, tile, n);
    }
    m->tile_at = 0;
}

lm_status lm_cl_product_pass(lm_cl_maker *m)
{
    lm_cl_kernel *k = m->k;
    const lm_cl *cl = k->cl;
    const lm_epilogue *e = m->call->ep;
    lm_cl_product *p = &m->p;
    char options[256], files[128];
    lm_cl_pass *pass;
    int64_t parts = 1, terms = p->channels;
    for (int i = 0; i < LM_CL_DIGITS; i++)
        parts *= p->part_dim[i];
    for (int i = 0; i < LM_CL_TAPS; i++)
        terms *= p->tap_dim[i];
    k->base.flops += 2.0 * (double)p->rows * (double)p->columns * (double)parts * (double)terms;
    int64_t reach = 0; /* tiles count elements of a in 32 bits */
    for (int i = 0; i < LM_CL_DIGITS; i++)
        reach += (p->row_dim[i] - 1) * p->row_a[i];
    LM_REQUIRE(cl->panels || reach < INT32_MAX, LM_UNSUPPORTED, "%s: an operand of %lld elements is too much", k->name,
               (long long)reach);
    const lm_cl_choice *choice = &cl->choice[lm_cl_class(p->rows, p->columns, terms, m->across)];
    const int mr = cl->panels ? tile_rows(choice->rows, p->rows) : 1;
    const int64_t tiles = (p->rows + mr - 1) / mr;
    const int64_t panels = (p->columns + lm_cl_panel(cl) - 1) / lm_cl_panel(cl);
    /* tiles of 128 by 128 where there are enough of them for all units */
    const bool large = (p->rows + 127) / 128 * ((p->columns + 127) / 128) * parts >= 2 * cl->dev.info.units;
    const int64_t usual = large ? 128 : 64;
    const int64_t bm = choice->rows ? choice->rows : usual, bn = choice->down ? choice->down : usual;
    if (cl->panels)
        set_block(cl, choice, p, tiles, panels, parts);
    if (cl->panels)
        snprintf(options, sizeof options, "-DMR=%d -DACROSS=%d", mr, m->across);
    else
        snprintf(options, sizeof options, "-DBM=%d -DBN=%d -DALONG=%d -DCHAINED=%d", (int)bm, (int)bn,
                 !m->across && p->a_step == 1, terms > p->chain || p->restart);
    name_tile(m, cl->panels ? mr : bm, cl->panels ? lm_cl_panel(cl) : bn);
    p->end.has = lm_cl_product_has(m);
    const bool named = e && e->active && !(p->end.has & LM_CL_HAS_RELU); /* relu needs no program of its own */
    LM_TRY(option(options, sizeof options, named ? " -DACT=%s" : "%s", named ? lm_ops[e->act].id : ""));
    LM_TRY(option(options, sizeof options, e && e->sloped ? " -DSLOPE=%s" : "%s",
                  e && e->sloped ? lm_ops[e->slope.of].id : ""));
    /* compilers take their time over functions that nobody calls */
    snprintf(files, sizeof files, "%sproduct.cl %s", named || (e && e->sloped) ? LM_CL_FORMULAS : "",
             cl->panels ? "product_panels.cl" : "product_tiles.cl");
    LM_TRY(lm_cl_pass_add(k, files, options, "product", p, sizeof *p, &pass));
    lm_cl_product_operands(m, pass);
    if (cl->panels) {
        pass->rank = 3;
        pass->global[0] = (size_t)((tiles + p->block_tiles - 1) / p->block_tiles);
        pass->global[1] = (size_t)((panels + p->block_panels - 1) / p->block_panels);
        pass->global[2] = (size_t)parts;
        pass->local[0] = pass->local[1] = pass->local[2] = 1;
    } else {
        pass->rank = 2;
        pass->local[0] = 256, pass->local[1] = 1;
        pass->global[0] = (size_t)((p->rows + bm - 1) / bm * ((p->columns + bn - 1) / bn)) * pass->local[0];
        pass->global[1] = (size_t)parts;
    }
    return LM_OK;
}
