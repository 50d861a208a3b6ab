/* Attention as one kernel: a tile of query rows meets all keys, its rows of scores become weights where they lie in the
 * cache, and meet all values. Chains, softmax and the order of scale, cap and masks are those of the expansion
 * (expand_product.c), so the bits are, too: a row of scores is kept whole, nothing is rescaled on the way.
 *
 * Keys and values are packed per head, as many heads at a time as a cache holds. Queries and results whose rows have
 * gaps, or push each other out of the cache, pass through a tile's scratch, so operands may have any strides. Heads
 * that share keys are rows of one product. */
#include "backends/cpu/bind.h"
#include "backends/cpu/block.h"
#include "backends/cpu/pack.h"
#include "core/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Multiply-adds that a task should have, and bytes of packed keys and values that a round should. */
#define TASK_WORK 1e6
enum { ROUND_BYTES = 512 << 10, LINE = 16 };

enum { Q, K, V, MASK, AXES = 4 };

typedef struct attention {
    lm_cpu_kernel k;
    const lm_stream *stream;
    const lm_tile_set *set;
    int64_t samples, heads, groups, length, keys, width, out; /* groups: heads of keys; out: width of a value */
    int64_t rows, tiles;                                      /* of a group */
    int64_t q_st[AXES], y_st[AXES], mask_st[AXES];            /* floats */
    float scale, cap;
    bool causal, masked, guarded; /* guarded: a query that sees no key has no weights, otherwise they are NaN */
    bool copy_q, copy_y;
    lm_pack key, value;           /* of all groups */
    int64_t round, per_task;      /* groups: whole samples, or some of one; tiles */
    /* The workspace: offsets in bytes, sizes in floats. A worker's part holds a tile's queries, scores, results and a
     * row of the mask. */
    size_t key_at, value_at, zero_at, work_at, work;
    int64_t score_row, out_row;
} attention;

typedef struct launch {
    const attention *k;
    const float *q, *mask, *key, *value, *zero; /* key and value: packed, from group `first` on */
    float *y, *work;
    int64_t first, tiles; /* of this round */
    bool finite;          /* no NaN or infinity among the values */
} launch;

/* Query rows of a tile; position[i] counts along the sequence. */
typedef struct tile_rows {
    int n;
    int64_t reach; /* keys that some row may see */
    int64_t position[LM_TILE_MR];
    const float *q[LM_TILE_MR], *mask[LM_TILE_MR];
    float *score[LM_TILE_MR], *y[LM_TILE_MR], *out[LM_TILE_MR]; /* out: y or its stand-in in the scratch */
} tile_rows;

static void copy_row(float *to, int64_t to_step, const float *from, int64_t from_step, int64_t n)
{
    if (to_step == 1 && from_step == 1)
        memcpy(to, from, (size_t)n * sizeof *to);
    else
        for (int64_t i = 0; i < n; i++)
            to[i * to_step] = from[i * from_step];
}

static void find_rows(const launch *l, int64_t tile, float *work, tile_rows *r)
{
    const attention *k = l->k;
    const int64_t group = l->first + tile / k->tiles, sample = group / k->groups, share = k->heads / k->groups;
    const int64_t first = tile % k->tiles * k->rows / k->tiles, end = (tile % k->tiles + 1) * k->rows / k->tiles;
    float *score = work + k->set->mr * k->width, *out = score + k->set->mr * k->score_row;
    r->n = (int)(end - first);
    r->reach = k->causal ? 0 : k->keys;
    int64_t head = group % k->groups * share + first / k->length, at = first % k->length;
    for (int i = 0; i < r->n; i++, at++) {
        if (at == k->length)
            at = 0, head++;
        r->position[i] = at;
        r->q[i] = l->q + sample * k->q_st[0] + head * k->q_st[1] + at * k->q_st[2];
        r->y[i] = l->y + sample * k->y_st[0] + head * k->y_st[1] + at * k->y_st[2];
        if (k->masked)
            r->mask[i] = l->mask + sample * k->mask_st[0] + head * k->mask_st[1] + at * k->mask_st[2];
        r->score[i] = score + i * k->score_row;
        r->out[i] = k->copy_y ? out + i * k->out_row : r->y[i];
        const int64_t seen = at + 1 < k->keys ? at + 1 : k->keys;
        r->reach = r->reach < seen ? seen : r->reach;
    }
}

/* Rows a of length `depth` times the panels that hold the first `columns` columns. Whole panels are written. */
static void multiply(const launch *l, const float *const *a, float *const *c, int rows, const float *b, int64_t depth,
                     int64_t panel, int64_t columns)
{
    const lm_tile_set *set = l->k->set;
    const lm_tile_kernel *kernels = set->row[rows];
    const lm_span span = {.len = depth};
    const uintptr_t near = (uintptr_t)c[0];
    lm_tile tile = {.span = &span, .nspan = 1, .a = a, .b_panel = panel, .b_step = set->nr,
                    .c = c, .bias = l->zero, .x_ahead = near, .y_ahead = near, .between = LM_CHAIN - 1,
                    .last = true};
    const int64_t panels = lm_ceil_div(columns, set->nr);
    int np = LM_TILE_NP;
    for (int64_t p = 0; p < panels; p += np) {
        while (np > panels - p || !kernels[np])
            np--;
        const bool half = kernels[0] && columns - p * set->nr <= set->nr / 2;
        tile.b = b + p * panel;
        tile.col = p * set->nr;
        kernels[half ? 0 : np](&tile);
    }
}

static void cap_row(const attention *k, float *x, size_t n)
{
    lm_ew e = {.y = x, .x = {x, &k->cap}, .n = n, .one = 2, .bad = -1};
    k->stream->ew[LM_OP_DIV](&e);
    k->stream->ew[LM_OP_TANH](&(lm_ew){.y = x, .x = {x}, .n = n, .bad = -1});
    k->stream->ew[LM_OP_MUL](&e);
}

static bool is_blind(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != -INFINITY)
            return false;
    return true;
}

static void fetch(const float *row, int64_t step, int64_t n)
{
    for (int64_t i = 0; i < n && step == 1; i += LINE)
        __builtin_prefetch(row + i);
}

/* Ask for the rows that are touched next, a few at a time: the i-th result and what the i-th query of the next tile
 * reads. They lie apart, so processors do not see them coming. */
static void fetch_row(const attention *k, const tile_rows *r, const tile_rows *next, int i)
{
    fetch(r->y[i], k->y_st[3], k->out);
    if (i >= next->n)
        return;
    fetch(next->q[i], k->q_st[3], k->width);
    if (k->masked && k->mask_st[2] != 0)
        fetch(next->mask[i], k->mask_st[3], k->keys);
}

/* Products become weights: scale, cap, causal mask, mask, softmax. `spread`: room for a row of the mask. */
static void weigh(const attention *k, const tile_rows *r, const tile_rows *next, float *spread)
{
    bool blind[LM_TILE_MR] = {false};
    const bool apart = k->causal || k->cap > 0;
    for (int i = 0; i < r->n; i++) {
        fetch_row(k, r, next, i);
        float *x = r->score[i];
        const float *mask = k->masked ? r->mask[i] : NULL;
        const int64_t seen = k->causal && r->position[i] < k->keys ? r->position[i] + 1 : k->keys;
        if (mask && k->mask_st[3] != 1) {
            copy_row(spread, 1, mask, k->mask_st[3], k->keys);
            mask = spread;
        }
        k->stream->scores_row(x, apart ? NULL : mask, (size_t)seen, k->scale);
        if (k->cap > 0)
            cap_row(k, x, (size_t)seen);
        for (int64_t j = seen; j < k->keys; j++)
            x[j] = -INFINITY;
        if (apart && mask)
            k->stream->scores_row(x, mask, (size_t)k->keys, 1.0f);
        blind[i] = k->guarded && is_blind(x, k->keys);
    }
    k->stream->softmax_rows(r->score[0], r->score[0], k->score_row, (size_t)r->n, NULL, (size_t)k->keys, false, false);
    for (int i = 0; i < r->n; i++)
        if (blind[i])
            memset(r->score[i], 0, (size_t)k->keys * sizeof(float));
}

static void run_tile(const launch *l, int64_t tile, tile_rows *r, const tile_rows *next, float *work)
{
    const attention *k = l->k;
    const int64_t group = tile / k->tiles, key_panel = lm_pack_panel(&k->key), value_panel = lm_pack_panel(&k->value);
    for (int i = 0; i < r->n && k->copy_q; i++) {
        copy_row(work + i * k->width, 1, r->q[i], k->q_st[3], k->width);
        r->q[i] = work + i * k->width;
    }
    const float *key = l->key + group * lm_ceil_div(k->keys, k->set->nr) * key_panel;
    const float *value = l->value + group * lm_ceil_div(k->out, k->set->nr) * value_panel;
    multiply(l, r->q, r->score, r->n, key, k->width, key_panel, r->reach);
    weigh(k, r, next, work + k->set->mr * (k->width + k->score_row + k->out_row));
    /* Keys that no row sees have weight 0, or the row is NaN anyway. */
    const int64_t depth = l->finite ? r->reach : k->keys;
    multiply(l, (const float *const *)r->score, r->out, r->n, value, depth, value_panel, k->out);
    for (int i = 0; i < r->n && k->copy_y; i++)
        copy_row(r->y[i], k->y_st[3], r->out[i], 1, k->out);
}

static void task(void *ctx, int64_t index, int worker)
{
    const launch *l = ctx;
    const attention *k = l->k;
    const int64_t last = (index + 1) * k->per_task < l->tiles ? (index + 1) * k->per_task - 1 : l->tiles - 1;
    float *work = l->work + (size_t)worker * k->work;
    tile_rows r[2];
    find_rows(l, index * k->per_task, work, &r[0]);
    for (int64_t t = index * k->per_task, i = 0; t <= last; t++, i ^= 1) {
        r[i ^ 1].n = 0;
        if (t < last)
            find_rows(l, t + 1, work, &r[i ^ 1]);
        run_tile(l, t, &r[i], &r[i ^ 1], work);
    }
}

static lm_status run(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const attention *k = (const attention *)kernel;
    const lm_pack *packs[] = {&k->key, &k->value};
    char *space = workspace;
    float *packed[] = {(float *)(space + k->key_at), (float *)(space + k->value_at)};
    memset(space + k->zero_at, 0, LM_TILE_COLS * sizeof(float));
    launch l = {.k = k, .q = p[Q], .key = packed[0], .value = packed[1], .zero = (float *)(space + k->zero_at),
                .y = p[k->k.nargs - 1], .work = (float *)(space + k->work_at)};
    l.mask = k->masked ? p[MASK] : NULL;
    int64_t count;
    for (const int64_t all = k->samples * k->groups; l.first < all; l.first += count) {
        const int64_t sample = l.first / k->groups, group = l.first % k->groups;
        const int64_t left = k->round < k->groups ? k->groups - group : all - l.first;
        count = k->round < left ? k->round : left;
        for (int i = 0; i < 2; i++) {
            lm_pack pack = *packs[i];
            pack.parts = count;
            pack.part_dim[0] = lm_ceil_div(count, k->groups);
            pack.part_dim[1] = count / pack.part_dim[0];
            const int64_t at = sample * pack.part_step[0] + group * pack.part_step[1];
            lm_pack_run(cpu, &pack, (const float *)p[K + i] + at, packed[i]);
        }
        l.finite = l.value[count * lm_ceil_div(k->out, k->set->nr) * lm_pack_panel(&k->value)] != 0.0f;
        l.tiles = count * k->tiles;
        lm_pool_run(cpu->pool, lm_ceil_div(l.tiles, k->per_task), task, &l);
    }
    return LM_OK;
}

/* The expansion's question: can this mask hide all keys from a query? Not one that is known and hides none. */
static bool may_blind(const lm_call *call)
{
    const lm_view *mask = &call->x[MASK];
    if (!(call->constant >> MASK & 1) || !mask->buf || !lm_view_is_row(mask))
        return true;
    for (int64_t i = 0, n = lm_shape_count(&mask->sh); i < n; i++) {
        float value; /* at any address */
        memcpy(&value, (const float *)lm_view_data(mask) + i, sizeof value);
        if (value == -INFINITY)
            return true;
    }
    return false;
}

static bool reserve(attention *k, size_t count, size_t *at)
{
    size_t bytes;
    *at = k->k.base.workspace;
    return lm_mul_size(count, sizeof(float), &bytes) && lm_add_size(bytes, LM_ALIGN - 1, &bytes) &&
           lm_add_size(*at, bytes & ~(size_t)(LM_ALIGN - 1), &k->k.base.workspace) &&
           k->k.base.workspace < SIZE_MAX / 2;
}

/* Rounds, tasks and the workspace. The grid depends on shapes alone. */
static lm_status plan(lm_cpu *cpu, attention *k, const lm_call *call)
{
    const int64_t nr = k->set->nr, mr = k->set->mr;
    lm_pack_gemm(&call->x[K], true, nr, &k->key);
    lm_pack_gemm(&call->x[V], false, nr, &k->value);
    k->value.unchecked = !k->causal;
    k->rows = k->heads / k->groups * k->length;
    k->tiles = lm_ceil_div(k->rows, mr);
    const double fit = ROUND_BYTES / (sizeof(float) * (double)k->keys * (double)(k->width + k->out));
    const int64_t all = k->samples * k->groups, most = fit < 1 ? 1 : fit > (double)all ? all : (int64_t)fit;
    k->round = most < k->groups ? lm_even_piece(k->groups, most) : most / k->groups * k->groups;
    const double work = (double)mr * (double)k->keys * (double)(k->width + k->out);
    k->per_task = 1 + (int64_t)(TASK_WORK / work);
    k->score_row = lm_ceil_div(k->keys, nr) * nr + LM_ROW_GAP;
    k->out_row = lm_ceil_div(k->out, nr) * nr;

    lm_pack keys = k->key, values = k->value;
    keys.parts = values.parts = k->round;
    const size_t row = (size_t)k->width + (size_t)k->score_row + (size_t)k->out_row;
    size_t key_floats, value_floats, scratch;
    k->work = (size_t)lm_ceil_div((int64_t)row * mr + k->keys, LM_ROW_GAP) * LM_ROW_GAP;
    LM_REQUIRE(lm_pack_size(&keys, &key_floats) && lm_pack_size(&values, &value_floats) &&
                   lm_mul_size(k->work, (size_t)lm_pool_threads(cpu->pool), &scratch) &&
                   reserve(k, key_floats, &k->key_at) && reserve(k, value_floats, &k->value_at) &&
                   reserve(k, LM_TILE_COLS, &k->zero_at) && reserve(k, scratch, &k->work_at),
               LM_MEMORY, "%s: the workspace for %lld keys would not fit in memory", lm_ops[call->op].name,
               (long long)k->keys);
    return LM_OK;
}

static void describe(lm_cpu *cpu, attention *k, const lm_call *call)
{
    double elements = (double)lm_shape_count(&call->y[0].sh);
    for (int i = 0; i < call->nx; i++)
        elements += lm_view_present(&call->x[i]) ? (double)lm_shape_count(&call->x[i].sh) : 0;
    k->k.base.bytes = sizeof(float) * elements;
    k->k.base.flops = 2.0 * (double)k->samples * (double)k->heads * (double)k->length * (double)k->keys *
                      (double)(k->width + k->out);
    snprintf(k->k.name, sizeof k->k.name, "cpu.%s.attention_f32_%dx%d%s%s%s", lm_cpu_level_name(cpu->level), k->set->mr,
             k->set->nr, k->causal ? "+causal" : "", k->masked ? "+mask" : "", k->cap > 0 ? "+cap" : "");
}

lm_status lm_cpu_bind_attention(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *q = &call->x[Q], *v = &call->x[V], *y = &call->y[0];
    const lm_attr_attention *a = &call->a->attention;
    const bool masked = call->nx > MASK && lm_view_present(&call->x[MASK]);
    bool ok = y->dt == LM_F32 && lm_shape_count(&y->sh) > 0 && q->sh.dim[3] > 0 && v->sh.dim[2] > 0;
    for (int i = 0; i < (masked ? 4 : 3); i++)
        ok = ok && call->x[i].dt == LM_F32;
    LM_REQUIRE(ok, LM_UNSUPPORTED, "%s of %s has no kernel of its own on cpu, or nothing to do", lm_ops[call->op].name,
               lm_dtype_name(q->dt));
    attention *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run, "attention_f32", &k));
    k->stream = lm_cpu_stream(cpu->level);
    k->set = lm_tiles_of(cpu->level);
    k->samples = q->sh.dim[0], k->heads = q->sh.dim[1], k->length = q->sh.dim[2], k->width = q->sh.dim[3];
    k->groups = v->sh.dim[1], k->keys = v->sh.dim[2], k->out = v->sh.dim[3];
    memcpy(k->q_st, q->st, sizeof k->q_st);
    memcpy(k->y_st, y->st, sizeof k->y_st);
    k->masked = masked;
    for (int i = 0, rank = masked ? call->x[MASK].sh.rank : 0; i < rank; i++)
        k->mask_st[AXES - rank + i] = call->x[MASK].sh.dim[i] > 1 ? call->x[MASK].st[i] : 0;
    k->guarded = masked && may_blind(call);
    k->copy_q = q->st[3] != 1 || lm_rows_alias(cpu->topo, k->set, k->length, q->st[2]);
    k->copy_y = y->st[3] != 1 || k->out % k->set->nr != 0;
    k->scale = a->scale != 0 ? a->scale : (float)(1 / sqrt((double)k->width));
    k->cap = a->softcap, k->causal = a->causal;
    lm_status status = plan(cpu, k, call);
    if (status != LM_OK) {
        k->k.base.free(&k->k.base);
        return status;
    }
    describe(cpu, k, call);
    *out = &k->k.base;
    return LM_OK;
}
