/* Driver of top-k. Every element becomes a key, an integer in the wanted order (a NaN above all numbers, both zeros
 * equal); a heap holds the best k of a line. Equal keys: the lower index is better, so the result is one whatever the
 * input's order. */
#include "backends/cpu/bind.h"
#include "backends/cpu/index.h"
#include "core/base/mem.h"

#include <string.h>

typedef struct entry {
    int64_t key, at; /* better: larger key, then lower `at` */
} entry;

typedef struct topk {
    lm_cpu_kernel k;
    lm_dtype type;
    bool largest, values, indices;
    lm_rows rows; /* lines; st: of x, of values, of indices */
    int64_t size, n, best, x_st, y_st, index_st;
} topk;

typedef struct topk_run {
    const topk *k;
    const char *x;
    char *y;
    int64_t *index;
    entry *scratch; /* `best` entries per worker */
} topk_run;

static bool worse(const entry *a, const entry *b)
{
    return a->key != b->key ? a->key < b->key : a->at > b->at;
}

/* Sift entry i down; the worst is on top. */
static void sift(entry *heap, int64_t n, int64_t i)
{
    entry e = heap[i];
    for (int64_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && worse(&heap[child + 1], &heap[child]))
            child++;
        if (!worse(&heap[child], &e))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = e;
}

static int64_t key_of(const topk *k, const char *x)
{
    int64_t key;
    if (k->type == LM_F32) {
        int32_t bits;
        memcpy(&bits, x, sizeof bits);
        uint32_t size = (uint32_t)bits & 0x7fffffff;
        key = size > 0x7f800000 ? (int64_t)1 << 32 : bits < 0 ? -(int64_t)size : (int64_t)size;
    } else {
        key = lm_load_i64(k->type, x);
    }
    return k->largest ? key : ~key;
}

static void topk_tile(void *ctx, int64_t line, int worker)
{
    const topk_run *r = ctx;
    const topk *k = r->k;
    entry *heap = r->scratch + (int64_t)worker * k->best;
    int64_t off[3], n = k->best;
    lm_rows_at(&k->rows, line, off);
    const char *x = r->x + off[0] * k->size;
    for (int64_t i = 0; i < k->n; i++) {
        entry e = {key_of(k, x + i * k->x_st * k->size), i};
        if (i < n) {
            heap[i] = e;
            for (int64_t top = n / 2; i == n - 1 && top-- > 0;)
                sift(heap, n, top);
        } else if (worse(&heap[0], &e)) {
            heap[0] = e;
            sift(heap, n, 0);
        }
    }
    for (int64_t left = n; left > 0;) {
        entry e = heap[0];
        heap[0] = heap[--left];
        sift(heap, left, 0);
        if (k->values)
            memcpy(r->y + (off[1] + left * k->y_st) * k->size, x + e.at * k->x_st * k->size, (size_t)k->size);
        if (k->indices)
            r->index[off[2] + left * k->index_st] = e.at;
    }
}

static lm_status run_topk(lm_cpu *cpu, const lm_cpu_kernel *kernel, void *const *p, void *workspace)
{
    const topk *k = (const topk *)kernel;
    topk_run r = {k, p[0], p[1], k->indices ? p[2] : NULL, workspace};
    if (k->best > 0)
        lm_pool_run(cpu->pool, k->rows.count, topk_tile, &r);
    return LM_OK;
}

lm_status lm_cpu_bind_topk(lm_cpu *cpu, const lm_call *call, lm_kernel **out)
{
    const lm_view *x = &call->x[0], *y = &call->y[0], *index = &call->y[1];
    const lm_attr_topk *a = &call->a->topk;
    bool indices = call->ny > 1 && lm_view_present(index);
    size_t workspace;
    LM_REQUIRE(x->dt == LM_F32 || (lm_dtype_is_int(x->dt) && x->dt != LM_U64), LM_UNSUPPORTED, "%s: no kernel for %s",
               lm_ops[call->op].name, lm_dtype_name(x->dt));
    LM_REQUIRE(lm_mul_size((size_t)a->k, sizeof(entry) * (size_t)lm_pool_threads(cpu->pool), &workspace), LM_MEMORY,
               "%s: k = %lld is too large", lm_ops[call->op].name, (long long)a->k);
    topk *k;
    LM_TRY(lm_cpu_kernel_new(cpu, call, sizeof *k, run_topk, "topk", &k));
    k->type = x->dt;
    k->largest = a->largest;
    k->values = lm_view_present(y);
    k->indices = indices;
    k->rows.count = 1;
    for (int i = 0; i < x->sh.rank; i++)
        if (i != a->axis)
            lm_rows_add(&k->rows, x->sh.dim[i], x->st[i], y->st[i], indices ? index->st[i] : 0);
    k->size = (int64_t)lm_dtype_size(x->dt);
    k->n = x->sh.dim[a->axis];
    k->best = a->k;
    k->x_st = x->st[a->axis];
    k->y_st = y->st[a->axis];
    k->index_st = indices ? index->st[a->axis] : 0;
    k->k.base.workspace = workspace;
    k->k.base.bytes = (double)lm_shape_count(&x->sh) * (double)k->size;
    *out = &k->k.base;
    return LM_OK;
}
