/* The samples of one run on all devices of a chain: blocks of them, each run by the session of one device. */
#include <string.h>

#include "core/base/log.h"
#include "core/run/session_parts.h"

/* Enough for who is faster to take more. */
enum { BLOCKS_PER_LANE = 4 };

typedef struct block {
    lm_part part; /* first: a part's address is its block's */
    int64_t number;
    struct block *next;
    lm_view y[]; /* by wanted value; given back when it is joined */
} block;

typedef struct job {
    lm_session *lane[LM_LANES];
    block *blocks[LM_LANES];
    const lm_feed *feed;
    const bool *many;
    int ports;
    int64_t n, size; /* samples, of all and of a block; the last block begins where it still has so many */
    const session_fetch *fetch;
    const lm_plan_run_options *options;
    lm_view *y;
    lm_view *alone[LM_LANES]; /* what a sample gives, by wanted value */
    lm_split split; /* its rows are blocks */
    lm_shares paces;
} job;

static int64_t first_of(const job *j, int64_t number)
{
    const int64_t first = number * j->size, last = j->n - j->size;
    return first < last ? first : last;
}

/* A profile is one thread's. */
static lm_plan_run_options options_of(const job *j, int lane)
{
    lm_plan_run_options o = j->options ? *j->options : (lm_plan_run_options){0};
    o.profile = lane ? NULL : o.profile;
    return o;
}

static lm_status run_block(const job *j, int lane, int64_t first, int64_t count, lm_view *y)
{
    lm_session *s = j->lane[lane];
    const lm_plan_run_options options = options_of(j, lane);
    lm_feed *feed = lm_calloc((size_t)j->ports + 1, sizeof *feed);
    if (!feed)
        return LM_MEMORY;
    lm_session_pick(s, j->feed, j->many, first, count, feed);
    lm_status status;
    session_plan *p;
    if (count > 1) {
        status = lm_session_run_batch(s, feed, j->many, count, j->fetch, y, &options);
    } else {
        status = lm_session_get(s, feed, j->fetch, &options, &p);
        if (status == LM_OK)
            status = lm_session_run_plan(s, p, feed, j->fetch, y, &options);
    }
    lm_free(feed);
    return lm_context(status, "samples %lld to %lld of %lld", (long long)first + 1, (long long)(first + count),
                      (long long)j->n);
}

static lm_status run_lane(void *own, int lane)
{
    job *j = own;
    for (;;) {
        block *b = lm_calloc(1, sizeof *b + (size_t)j->fetch->n * sizeof *b->y);
        if (!b)
            return LM_MEMORY;
        b->part.row = &b->number;
        b->next = j->blocks[lane];
        j->blocks[lane] = b;
        if (lm_split_take(&j->split, lane, 1, &b->part) == 0)
            return LM_OK;
        LM_TRY(run_block(j, lane, first_of(j, b->number), j->size, b->y));
        LM_TRY(lm_split_give(&j->split, lane, &b->part));
    }
}

static void release(lm_view *y, int n)
{
    for (int i = 0; i < n; i++) {
        lm_buffer_unref(y[i].buf);
        y[i].buf = NULL;
    }
}

/* Put a block's results where they belong; the first block makes the room. */
static lm_status join(void *own, int lane, lm_part *part, int64_t at)
{
    job *j = own;
    block *b = (block *)part;
    (void)at;
    for (int i = 0; i < j->fetch->n; i++) {
        const lm_view *from = &b->y[i];
        char text[LM_SHAPE_TEXT], was[LM_SHAPE_TEXT];
        lm_shape all;
        int64_t dim[LM_RANK] = {1};
        memcpy(dim, from->sh.dim, (size_t)from->sh.rank * sizeof *dim);
        const bool samples = from->sh.rank == 0 ? j->size == 1 : dim[0] == j->size;
        LM_REQUIRE(samples, LM_INPUT,
                   "a result of shape %s for %lld samples has no axis 0 for samples; run the samples one by one",
                   lm_shape_text(&from->sh, text), (long long)j->size);
        dim[0] = j->n;
        LM_TRY(lm_shape_make(from->sh.rank ? from->sh.rank : 1, dim, &all));
        if (!j->y[i].buf)
            LM_TRY(lm_view_new(from->dt, &all, &j->y[i]));
        LM_REQUIRE(lm_shape_equal(&all, &j->y[i].sh), LM_INPUT,
                   "result %d has shape %s, but %s for samples before; run the samples one by one", i,
                   lm_shape_text(&all, text), lm_shape_text(&j->y[i].sh, was));
        const size_t bytes = (size_t)lm_shape_count(&from->sh) * lm_dtype_size(from->dt);
        memcpy((char *)lm_view_data(&j->y[i]) + (size_t)first_of(j, b->number) * (bytes / (size_t)j->size),
               lm_view_data(from), bytes);
    }
    const int64_t fresh = j->n - b->number * j->size;
    j->lane[0]->shares.rows[lane] += fresh < j->size ? fresh : j->size;
    release(b->y, j->fetch->n);
    return LM_OK;
}

/* The sample in the middle, alone. */
static lm_status run_alone(void *own, int lane)
{
    job *j = own;
    j->alone[lane] = lm_calloc((size_t)j->fetch->n + 1, sizeof **j->alone);
    if (!j->alone[lane])
        return LM_MEMORY;
    return run_block(j, lane, j->n / 2, 1, j->alone[lane]);
}

static bool same(const session_fetch *f, const lm_view *a, const lm_view *b)
{
    for (int i = 0; i < f->n; i++)
        if (!lm_shape_equal(&a[i].sh, &b[i].sh) ||
            memcmp(lm_view_data(&a[i]), lm_view_data(&b[i]),
                   (size_t)lm_shape_count(&a[i].sh) * lm_dtype_size(a[i].dt)) != 0)
            return false;
    return true;
}

/* Devices of class exact give the same bits for most ops; whether they do here shows by a sample that all of them
 * run. */
static lm_status compare(job *j)
{
    if (j->split.fixed || lm_split_alike(j->split.chain, j->split.lanes))
        return LM_OK;
    const lm_status status = lm_split_each(j->split.chain, j->split.lanes, run_alone, j);
    for (int i = 1; i < j->split.lanes && status == LM_OK; i++)
        if (!same(j->fetch, j->alone[0], j->alone[i])) {
            j->split.fixed = true;
            lm_log(LM_LOG_INFO, "%s and %s differ in the last bits here, so samples are shared in fixed parts",
                   j->lane[0]->chain->dev[0]->info.name, j->lane[i]->chain->dev[0]->info.name);
        }
    for (int i = 0; i < j->split.lanes; i++) {
        if (j->alone[i])
            release(j->alone[i], j->fetch->n);
        lm_free(j->alone[i]);
    }
    return status;
}

lm_status lm_session_run_split(lm_session *s, const lm_feed *feed, const bool *many, int64_t n,
                               const session_fetch *fetch, lm_view *y, const lm_plan_run_options *options)
{
    job j = {.feed = feed, .many = many, .n = n, .fetch = fetch, .options = options, .y = y};
    const int lanes = lm_split_lanes(s->chain);
    int64_t blocks = (int64_t)lanes * BLOCKS_PER_LANE, parts = 0;
    for (const lm_chain *c = s->chain; c; c = c->beside)
        parts += c->share;
    blocks = blocks < parts ? parts : blocks; /* so that fixed shares come out */
    lm_model_inputs(s->m, &j.ports);
    j.size = n / blocks < 1 ? 1 : n / blocks;
    j.split = (lm_split){.chain = s->chain, .lanes = lanes, .rows = (n + j.size - 1) / j.size,
                         .fixed = s->chain->share > 0, .shares = &j.paces, .lane = run_lane, .absorb = join, .own = &j};
    memcpy(j.paces.pace, s->shares.pace, sizeof j.paces.pace);
    for (int i = 0; i < lanes; i++)
        j.lane[i] = i ? j.lane[i - 1]->beside : s;
    lm_status status = compare(&j);
    if (status == LM_OK)
        status = lm_split_run(&j.split);
    memcpy(s->shares.pace, j.paces.pace, sizeof j.paces.pace);
    s->shares.fixed |= j.paces.fixed;
    for (int i = 0; i < lanes; i++)
        for (block *b = j.blocks[i], *next; b; b = next) {
            next = b->next;
            release(b->y, fetch->n);
            lm_free(b);
        }
    if (status != LM_OK)
        release(y, fetch->n);
    return status;
}
