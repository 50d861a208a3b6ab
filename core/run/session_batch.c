/* Several samples for a model that says 1. Whether the whole batch may run at once is found out, not guessed: the model
 * must build for it, every result must have grown along axis 0 and nowhere else, and the first and the last sample must
 * give, bit for bit, what they give alone. Otherwise samples run one by one. */
#include <string.h>

#include "core/run/plan_copy.h"
#include "core/run/session_parts.h"

void lm_session_pick(const lm_session *s, const lm_feed *feed, const bool *many, int64_t i, int64_t count, lm_feed *one)
{
    int n;
    lm_model_inputs(s->m, &n);
    for (int k = 0; k < n; k++) {
        one[k] = feed[k];
        if (!many[k])
            continue;
        one[k].sh.dim[0] = count;
        one[k].off = (size_t)((int64_t)one[k].off + i * one[k].st[0] * (int64_t)lm_dtype_size(one[k].dt));
    }
}

static void release(lm_view *y, int n)
{
    for (int i = 0; i < n; i++) {
        lm_buffer_unref(y[i].buf);
        y[i].buf = NULL;
    }
}

/* The shape of n results joined along axis 0; results without axes get one. An axis 0 that is longer than one sample is
 * time or something else, and joining along it would mix that with samples. */
static lm_status joined_shape(const lm_shape *one, int64_t n, lm_shape *out)
{
    char text[LM_SHAPE_TEXT];
    int64_t dim[LM_RANK] = {1};
    LM_REQUIRE(one->rank == 0 || one->dim[0] == 1, LM_INPUT,
               "a result of shape %s for one sample has no axis 0 for samples; run the samples one by one",
               lm_shape_text(one, text));
    for (int i = 0; i < one->rank; i++)
        dim[i] = one->dim[i];
    dim[0] = n;
    return lm_shape_make(one->rank ? one->rank : 1, dim, out);
}

/* Put sample i's results `one` into the joined ones, which the first sample makes. */
static lm_status join(const session_fetch *f, const lm_view *one, int64_t i, int64_t n, lm_view *y)
{
    char a[LM_SHAPE_TEXT], b[LM_SHAPE_TEXT];
    for (int k = 0; k < f->n; k++) {
        lm_shape whole;
        LM_TRY(joined_shape(&one[k].sh, n, &whole));
        if (!y[k].buf)
            LM_TRY(lm_view_new(one[k].dt, &whole, &y[k]));
        LM_REQUIRE(lm_shape_equal(&whole, &y[k].sh), LM_INPUT,
                   "result %d of sample %lld has shape %s, but %s when all are joined; run the samples one by one", k,
                   (long long)i, lm_shape_text(&one[k].sh, a), lm_shape_text(&y[k].sh, b));
        size_t bytes = (size_t)lm_shape_count(&one[k].sh) * lm_dtype_size(one[k].dt);
        memcpy((char *)lm_view_data(&y[k]) + (size_t)i * bytes, lm_view_data(&one[k]), bytes);
    }
    return LM_OK;
}

static lm_status run_one(lm_session *s, const lm_feed *one, const session_fetch *f, lm_view *y,
                         const lm_plan_run_options *options)
{
    session_plan *p;
    LM_TRY(lm_session_get(s, one, f, options, &p));
    return lm_session_run_plan(s, p, one, f, y, options);
}

static lm_status loop(lm_session *s, const lm_feed *feed, const bool *many, int64_t n, const session_fetch *f,
                      lm_feed *one, lm_view *part, lm_view *y, const lm_plan_run_options *options)
{
    lm_status status = LM_OK;
    for (int64_t i = 0; i < n && status == LM_OK; i++) {
        lm_session_pick(s, feed, many, i, 1, one);
        status = lm_context(run_one(s, one, f, part, options), "sample %lld of %lld", (long long)i + 1, (long long)n);
        if (status == LM_OK) {
            status = join(f, part, i, n, y);
            release(part, f->n);
        }
    }
    if (status != LM_OK)
        release(y, f->n);
    return status;
}

/* Do all wanted results of the batch have n times the axis 0 of one sample's? */
static bool grown(const session_plan *whole, const session_plan *single, int64_t n)
{
    const lm_graph *a = whole->ready->graph, *b = single->ready->graph;
    for (size_t i = 0; i < a->outputs.count; i++) {
        lm_shape want, one = lm_graph_value(b, b->outputs.at[i])->type.sh;
        if (one.rank == 0 || joined_shape(&one, n, &want) != LM_OK ||
            !lm_shape_equal(&want, &lm_graph_value(a, a->outputs.at[i])->type.sh))
            return false;
    }
    return true;
}

/* Is sample i of the joined results y what `one` says? */
static bool agrees(const session_fetch *f, const lm_view *y, const lm_view *one, int64_t i)
{
    for (int k = 0; k < f->n; k++) {
        size_t bytes = (size_t)lm_shape_count(&one[k].sh) * lm_dtype_size(one[k].dt);
        if (memcmp((const char *)lm_view_data(&y[k]) + (size_t)i * bytes, lm_view_data(&one[k]), bytes) != 0)
            return false;
    }
    return true;
}

/* The outputs that are wanted, as bits. Those past the 64th are never proven. */
static uint64_t wanted(const session_fetch *f)
{
    uint64_t bits = 0;
    for (int i = 0; i < f->n; i++)
        bits |= f->output[i] < 64 ? UINT64_C(1) << f->output[i] : 0;
    return bits;
}

static bool is_proven(const session_plan *whole, const session_fetch *f)
{
    for (int i = 0; i < f->n; i++)
        if (f->output[i] >= 64 || !(whole->proven >> f->output[i] & 1))
            return false;
    return true;
}

/* Compare the first and the last sample with runs of their own; where they disagree, single->loop is set. Samples that
 * are alike prove nothing for others: then the question stays open. */
static lm_status verify(lm_session *s, session_plan *whole, session_plan *single, const lm_feed *feed, const bool *many,
                        int64_t n, const session_fetch *f, lm_feed *one, lm_view *part, const lm_view *y,
                        const lm_plan_run_options *options)
{
    bool differ = false;
    for (int end = 0; end < 2; end++) {
        int64_t i = end ? n - 1 : 0;
        lm_session_pick(s, feed, many, i, 1, one);
        LM_TRY(run_one(s, one, f, part, options));
        bool same = agrees(f, y, part, i);
        differ = differ || (end == 0 && !agrees(f, y, part, n - 1));
        release(part, f->n);
        if (!same) {
            single->loop = true;
            return LM_OK;
        }
    }
    whole->proven |= differ ? wanted(f) : 0;
    return LM_OK;
}

static lm_status run_batch(lm_session *s, const lm_feed *feed, const bool *many, int64_t n, const session_fetch *f,
                           lm_feed *one, lm_view *part, lm_view *y, const lm_plan_run_options *options)
{
    session_plan *single, *whole;
    lm_session_pick(s, feed, many, 0, 1, one);
    LM_TRY(lm_session_get(s, one, f, options, &single));
    if (single->loop)
        return loop(s, feed, many, n, f, one, part, y, options);
    lm_status status = lm_session_get(s, feed, f, options, &whole);
    if (status == LM_INPUT || status == LM_UNSUPPORTED || (status == LM_OK && !grown(whole, single, n))) {
        single->loop = true;
        return loop(s, feed, many, n, f, one, part, y, options);
    }
    LM_TRY(status);
    LM_TRY(lm_session_run_plan(s, whole, feed, f, y, options));
    if (is_proven(whole, f))
        return LM_OK;
    status = verify(s, whole, single, feed, many, n, f, one, part, y, options);
    if (status == LM_OK && !single->loop)
        return LM_OK;
    release(y, f->n);
    return status == LM_OK ? loop(s, feed, many, n, f, one, part, y, options) : status;
}

lm_status lm_session_run_batch(lm_session *s, const lm_feed *feed, const bool *many, int64_t n,
                               const session_fetch *fetch, lm_view *y, const lm_plan_run_options *options)
{
    int ports;
    lm_model_inputs(s->m, &ports);
    lm_feed *one = lm_calloc((size_t)ports + 1, sizeof *one);
    lm_view *part = lm_calloc((size_t)fetch->n + 1, sizeof *part);
    lm_status status = one && part ? run_batch(s, feed, many, n, fetch, one, part, y, options) : LM_MEMORY;
    lm_free(one);
    lm_free(part);
    return status;
}
