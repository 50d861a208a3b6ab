/* Values of several samples that ran together, told apart: axis 0 counts the samples of most values, but not of the
 * steps of a sequence, the windows of an image or a mean over all. */
#include <string.h>

#include "result.h"

#include "core/base/mem.h"

/* Does the model leave open, or say 1, how long axis 0 of this input is? */
static bool takes_batches(const limn_model *m, const char *name)
{
    for (size_t i = 0; i < limn_model_input_count(m); i++) {
        const limn_port *p = limn_model_input(m, i);
        if (strcmp(p->name, name) == 0)
            return p->rank < 0 || (p->rank > 0 && (p->dim[0] < 0 || p->dim[0] == 1));
    }
    return false;
}

/* Sample s of the feeds: rows of those whose axis 0 counts the samples, all of the others. Borrows their memory. */
static void pick(const limn_model *m, const limn_feed *feed, size_t feeds, int64_t samples, int64_t s, limn_feed *one)
{
    for (size_t i = 0; i < feeds; i++) {
        limn_tensor *t = &one[i].tensor;
        one[i] = feed[i];
        if (t->rank == 0 || t->dim[0] != samples || !takes_batches(m, feed[i].name))
            continue;
        t->dim[0] = 1;
        t->data = (char *)t->data + (size_t)s * limn_tensor_count(t) * limn_dtype_size(t->type);
    }
}

/* The same bits, also of what is no number. */
static bool same_row(const limn_tensor *whole, const limn_tensor *one, int64_t row)
{
    const size_t bytes = limn_tensor_count(one) * limn_dtype_size(one->type);
    return whole->type == one->type && memcmp((const char *)whole->data + (size_t)row * bytes, one->data, bytes) == 0;
}

/* Is `one` what a sample has of `whole`? */
static bool is_row(const limn_tensor *whole, const limn_tensor *one, int64_t samples)
{
    return whole->rank == one->rank && one->rank > 0 && one->dim[0] == 1 && whole->dim[0] == samples &&
           memcmp(whole->dim + 1, one->dim + 1, (size_t)(one->rank - 1) * sizeof *one->dim) == 0;
}

static lm_status run_all(result *r, const subject *on, const limn_feed *feed, size_t feeds, limn_feed *one)
{
    for (int64_t s = 0; s < r->samples; s++) {
        limn_tensor *share = &r->alone[(size_t)s * r->count];
        pick(on->model, feed, feeds, r->samples, s, one);
        LM_TRY(limn_session_run(on->session, one, feeds, (const char *const *)r->name, r->count, share));
        bool rows = true;
        for (size_t i = 0; i < r->count; i++) {
            bool row = is_row(&r->tensor[i], &share[i], r->samples);
            rows &= row;
            if (row)
                limn_tensor_free(&share[i]);
        }
        if (rows) /* then those of the other samples are, too */
            return LM_OK;
    }
    return LM_OK;
}

/* Sample s alone against its rows. */
static lm_status is_alone_the_same(const result *r, const subject *on, const limn_feed *feed, size_t feeds, int64_t s,
                                   bool *yes)
{
    limn_feed *one = lm_malloc(feeds, sizeof *one);
    limn_tensor *alone = lm_calloc(r->count, sizeof *alone);
    lm_status status = one && alone ? LM_OK : LM_MEMORY;
    if (status == LM_OK) {
        pick(on->model, feed, feeds, r->samples, s, one);
        status = limn_session_run(on->session, one, feeds, (const char *const *)r->name, r->count, alone);
    }
    for (size_t i = 0; status == LM_OK && i < r->count; i++)
        *yes = *yes && is_row(&r->tensor[i], &alone[i], r->samples) && same_row(&r->tensor[i], &alone[i], s);
    for (size_t i = 0; alone && i < r->count; i++)
        limn_tensor_free(&alone[i]);
    lm_free(alone);
    lm_free(one);
    return status;
}

lm_status result_goes_by_rows(const result *r, const subject *on, const limn_feed *feed, size_t feeds, bool *yes)
{
    *yes = true;
    for (size_t i = 0; i < r->count; i++)
        *yes = *yes && r->tensor[i].rank > 0 && r->tensor[i].dim[0] == r->samples;
    if (*yes)
        LM_TRY(is_alone_the_same(r, on, feed, feeds, 0, yes));
    return *yes ? is_alone_the_same(r, on, feed, feeds, r->samples - 1, yes) : LM_OK;
}

lm_status result_share(result *r, const subject *on, const limn_feed *feed, size_t feeds)
{
    bool plain = true; /* vectors, one per sample, that no step of a sequence can be taken for */
    for (size_t i = 0; i < r->count; i++)
        plain &= r->tensor[i].rank > 0 && r->tensor[i].rank <= 2 && r->tensor[i].dim[0] == r->samples;
    if (r->samples < 2 || plain || !feeds)
        return LM_OK;
    r->alone = lm_calloc((size_t)r->samples * r->count, sizeof *r->alone);
    limn_feed *one = lm_malloc(feeds, sizeof *one);
    lm_status status = r->alone && one ? run_all(r, on, feed, feeds, one) : LM_MEMORY;
    lm_free(one);
    if (status == LM_OK || status == LM_MEMORY || status == LM_INTERRUPTED)
        return status;
    lm_log(LM_LOG_WARN, "a sample by itself cannot be run, so what has no row per sample is given whole (%s)",
           lm_message());
    result_free_shares(r);
    return LM_OK;
}

void result_free_shares(result *r)
{
    for (size_t i = 0; r->alone && i < (size_t)r->samples * r->count; i++)
        limn_tensor_free(&r->alone[i]);
    lm_free(r->alone);
    r->alone = NULL;
}
