/* The rows of a sweep on all devices that share them: one lane each, with the passes and frames of its own study. */
#include "core/base/log.h"
#include "core/explain/sweep.h"

/* Rows that are computed wait in their frames for those before them, so that a device that is much faster than another
 * need not; in no more memory than this. */
enum { FRAMES_LEAST = 2 };
static const size_t waiting_bytes = (size_t)256 << 20;

typedef struct lanes {
    sweeping x[LM_LANES];
    lm_split split;
} lanes;

/* Sums at nodes are of one row at a time, and not in its frame. */
static bool has_trace(const lm_sweep *w)
{
    for (int i = 0; i < w->nwalk; i++)
        if (w->walk[i].trace)
            return true;
    return false;
}

/* As fast as it was, or all alike. */
static int64_t likely_rows(const lm_split *split, int lane)
{
    const double pace = split->shares->pace[lane], part = pace > 0 ? pace : 1 / (double)split->lanes;
    const int64_t rows = split->lanes == 1 ? split->rows : (int64_t)(part * (double)split->rows + 0.5);
    return rows > 0 ? rows : 1;
}

static lm_status open_lane(void *own, int lane)
{
    lanes *l = own;
    return lm_sweep_open(&l->x[lane]);
}

/* Of all groups, from earlier sweeps. */
static bool agreed(const sweeping *x)
{
    bool all = true;
    for (int g = 0; g < x->groups; g++)
        all &= x->group[g].one->agrees;
    return all;
}

static lm_status run_row(void *own, int lane)
{
    lanes *l = own;
    sweeping *x = &l->x[lane];
    return agreed(x) ? LM_OK : lm_sweep_alone(x, &x->single);
}

/* Devices of class exact give the same bits for most ops. Whether they do for this sweep shows by a row that all of them
 * compute; if not, who computes a row must not hang on how fast anybody is. */
static lm_status compare(lanes *l)
{
    const sweeping *first = &l->x[0];
    bool known = true;
    for (int i = 1; i < l->split.lanes; i++) {
        known &= agreed(&l->x[i]);
        for (int g = 0; g < l->x[i].groups; g++)
            l->split.fixed |= l->x[i].group[g].one->differs;
    }
    if (known || l->split.fixed || lm_split_alike(l->split.chain, l->split.lanes))
        return LM_OK;
    for (int i = 0; i < l->split.lanes; i++)
        LM_TRY(lm_sweep_fill(&l->x[i], &l->x[i].single, l->split.rows / 2, 0));
    LM_TRY(lm_split_each(l->split.chain, l->split.lanes, run_row, l));
    for (int i = 1; i < l->split.lanes; i++) {
        const sweeping *x = &l->x[i];
        const bool same = agreed(x) || lm_sweep_same(first, &first->single, 0, &x->single, 0);
        for (int g = 0; g < x->groups; g++) {
            x->group[g].one->agrees = same;
            x->group[g].one->differs = !same;
        }
        l->split.fixed |= !same;
        if (!same)
            lm_log(LM_LOG_INFO, "%s and %s differ in the last bits here, so rows are shared in fixed parts",
                   first->s->chain->dev[0]->info.name, x->s->chain->dev[0]->info.name);
    }
    return LM_OK;
}

/* A frame that nobody waits for: one of those there are, a new one where there is room, or the first to become free. */
static lm_status next_frame(lm_split *split, sweeping *x, sweep_frame **out)
{
    sweep_frame *oldest = x->frames;
    size_t count = 0, bytes = 0;
    for (sweep_frame *f = x->frames; f; f = f->next) {
        *out = f;
        if (lm_split_is_free(split, &f->part))
            return LM_OK;
        oldest = f->part.row[0] < oldest->part.row[0] ? f : oldest;
        bytes += f->bytes;
        count++;
    }
    const size_t budget = lm_sweep_budget(x) / 4, most = waiting_bytes < budget ? waiting_bytes : budget;
    *out = oldest;
    if (has_trace(x->w) || (count >= FRAMES_LEAST && bytes + oldest->bytes > most))
        return LM_OK;
    sweep_frame *fresh;
    LM_ARENA_NEW(&x->arena, fresh);
    const lm_status status = lm_sweep_frame(x, oldest->rows, &fresh->own, fresh);
    if (status != LM_OK)
        return status == LM_MEMORY ? LM_OK : status;
    fresh->next = x->frames;
    x->frames = *out = fresh;
    return LM_OK;
}

static lm_status run_lane(void *own, int lane)
{
    lanes *l = own;
    sweeping *x = &l->x[lane];
    for (;;) {
        sweep_frame *f;
        lm_status status = LM_OK;
        LM_TRY(next_frame(&l->split, x, &f));
        if (lm_split_take(&l->split, lane, f->rows, &f->part) == 0)
            return LM_OK;
        lm_split_enter(&l->split);
        for (int64_t i = 0; i < f->part.n && status == LM_OK; i++)
            status = lm_sweep_fill(x, f, f->part.row[i], i);
        lm_split_leave(&l->split);
        LM_TRY(status);
        LM_TRY(lm_sweep_compute(x, f));
        LM_TRY(lm_split_give(&l->split, lane, &f->part));
    }
}

static lm_status absorb_row(void *own, int lane, lm_part *part, int64_t at)
{
    lanes *l = own;
    return lm_sweep_absorb(&l->x[lane], (const sweep_frame *)part, at, part->row[at]);
}

static lm_status open_lanes(lanes *l, lm_study *s, lm_sweep *w, int count)
{
    lm_split *split = &l->split;
    *split = (lm_split){.chain = s->chain, .lanes = count, .rows = w->rows, .fixed = s->chain->share > 0,
                        .shares = &s->shares, .lane = run_lane, .absorb = absorb_row, .own = l};
    for (int i = 0; i < count; i++) {
        l->x[i] = (sweeping){.s = s, .w = w, .lanes = count, .rows = likely_rows(split, i)};
        if (s->beside)
            s->beside->open_attention = s->open_attention;
        s = s->beside;
    }
    return lm_split_each(split->chain, count, open_lane, l);
}

static void close_lanes(lanes *l)
{
    for (int i = 0; i < l->split.lanes; i++)
        lm_sweep_close(&l->x[i]);
}

static lm_status run(lanes *l, lm_study *s, lm_sweep *w)
{
    lm_split *split = &l->split;
    lm_status status = open_lanes(l, s, w, lm_split_pays(s->chain, w->rows) ? lm_split_lanes(s->chain) : 1);
    if (status == LM_MEMORY && split->lanes > 1 && !split->fixed) { /* the first device may do it alone */
        close_lanes(l);
        for (lm_study *at = s->beside; at; at = at->beside)
            lm_pass_make_room(at);
        status = open_lanes(l, s, w, 1);
    }
    LM_TRY(status);
    LM_TRY(split->lanes > 1 ? compare(l) : LM_OK);
    LM_TRY(lm_split_run(split));
    for (int i = 1; i < split->lanes; i++)
        LM_TRY(lm_pass_fallbacks(s, l->x[i].s));
    return LM_OK;
}

lm_status lm_sweep_run(lm_study *s, lm_sweep *w)
{
    lanes *l;
    LM_NEW(l);
    const lm_status status = run(l, s, w);
    close_lanes(l);
    lm_free(l);
    return status;
}
