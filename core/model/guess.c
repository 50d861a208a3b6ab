/* Feeds made up for a model that nobody has fed yet: sizes that are free, and contents where they decide shapes. */
#include <stdio.h>
#include <string.h>

#include "core/model/check.h"

/* What a free size behind the first axis may be, in the order of trying: token and feature counts first, then
 * images. */
static const int64_t usual[] = {1, 8, 128, 224, 32, 64, 299, 256, 512};

/* What an input may hold whose content decides shapes: the first element, the second, and by how much the others grow.
 * Zeros are offsets; ones are scales and steps; counting gives axes; the last is a shape whose first size is free. */
static const struct filling {
    int first, second, step;
} fillings[] = {{0, 0, 0}, {1, 1, 0}, {0, 1, 1}, {-1, 1, 0}};

/* Builds that may be tried with other contents than zeros: three inputs in all ways, and the likelier ways of four. */
enum { FILLINGS_TRIED = 128 };

void lm_feeds_free(lm_feed *feed, int n)
{
    for (int i = 0; i < n; i++) {
        lm_buffer_unref(feed[i].buf);
        feed[i] = lm_view_absent();
    }
}

static lm_status make_up(const lm_port *p, int64_t size, lm_feed *feed)
{
    int64_t dim[LM_RANK] = {0};
    int rank = p->rank < 0 ? 2 : p->rank;
    for (int i = 0; i < rank; i++)
        dim[i] = p->rank >= 0 && p->dim[i] >= 0 ? p->dim[i] : i == 0 ? 1 : size;
    LM_TRY(lm_port_known(p));
    lm_shape sh;
    LM_TRY(lm_context(lm_shape_make(rank, dim, &sh), "input '%s'", p->name));
    LM_TRY(lm_view_new(p->dt, &sh, feed));
    memset(feed->buf->host, 0, feed->buf->bytes);
    return LM_OK;
}

/* Zeros for everything that must be fed. Nothing is left behind by a failure. */
static lm_status make_all(lm_model *m, int64_t size, lm_feed *feed)
{
    int n;
    const lm_port *port = lm_model_inputs(m, &n);
    lm_status status = LM_OK;
    for (int i = 0; i < n; i++)
        feed[i] = lm_view_absent();
    for (int i = 0; i < n && status == LM_OK; i++)
        if (!port[i].optional)
            status = make_up(&port[i], size, &feed[i]);
    if (status != LM_OK)
        lm_feeds_free(feed, n);
    return status;
}

static lm_status survey_at(lm_model *m, const lm_chain *fold, int64_t size, lm_survey **out)
{
    int n;
    lm_model_inputs(m, &n);
    lm_feed *feed = lm_calloc((size_t)n, sizeof *feed);
    lm_survey *s = NULL;
    lm_status status = feed ? lm_survey_open(&s) : LM_MEMORY;
    if (status == LM_OK)
        status = make_all(m, size, feed);
    if (status == LM_OK) {
        status = lm_model_survey(m, fold, feed, s);
        lm_feeds_free(feed, n);
    }
    lm_free(feed);
    if (status == LM_OK)
        *out = s;
    else
        lm_survey_close(s);
    return status;
}

lm_status lm_model_survey_sizes(lm_model *m, const lm_chain *fold, int64_t *size, lm_survey **out)
{
    lm_survey *s;
    size_t least = SIZE_MAX, n;
    *out = NULL;
    for (size_t k = 0; k < LM_COUNT(usual) && least > 0; k++) {
        lm_status status = survey_at(m, fold, usual[k], &s);
        if (status == LM_MEMORY) {
            lm_survey_close(*out);
            return status;
        }
        if (status == LM_UNSUPPORTED) /* at any size */
            break;
        if (status != LM_OK)
            continue;
        lm_survey_faults(s, &n);
        lm_survey *worse = n < least ? *out : s;
        if (n < least) {
            *out = s;
            *size = usual[k];
            least = n;
        }
        lm_survey_close(worse);
    }
    return LM_OK;
}

/* The ports whose contents all failures hang on, as in lm_built; 0 when some failure does not. */
static lm_status find_deciding(lm_model *m, const lm_chain *fold, int64_t *size, uint64_t *ports)
{
    lm_survey *s;
    size_t n = 0;
    LM_TRY(lm_model_survey_sizes(m, fold, size, &s));
    const lm_fault *fault = s ? lm_survey_faults(s, &n) : NULL;
    *ports = 0;
    for (size_t i = 0; i < n; i++)
        *ports |= fault[i].by_value;
    for (size_t i = 0; i < n; i++)
        if (!fault[i].by_value)
            *ports = 0;
    lm_survey_close(s);
    return LM_OK;
}

/* Fill the ports that decide in the way with this number, which has a digit for every one of them. What is left of it
 * when all are filled comes back: 0 unless all ways have been tried. */
static int fill(lm_feed *feed, int n, uint64_t ports, int number)
{
    for (int i = 0; i < n && i < 63; i++) {
        if (!(ports >> i & 1) || !lm_view_present(&feed[i]))
            continue;
        const struct filling *f = &fillings[number % (int)LM_COUNT(fillings)];
        number /= (int)LM_COUNT(fillings);
        for (int64_t k = 0, count = lm_shape_count(&feed[i].sh); k < count; k++)
            lm_view_set(&feed[i], k, k == 0 ? f->first : f->second + (double)(k - 1) * f->step);
    }
    return number;
}

/* Other contents where they decide. LM_NO: nothing helped. */
static lm_status try_contents(lm_model *m, const lm_chain *fold, lm_feed *feed, lm_built **out)
{
    int n;
    int64_t size;
    uint64_t ports;
    lm_model_inputs(m, &n);
    LM_TRY(find_deciding(m, fold, &size, &ports));
    for (int way = 1; ports && way < FILLINGS_TRIED; way++) {
        LM_TRY(make_all(m, size, feed));
        lm_status status = fill(feed, n, ports, way) ? LM_NO : lm_model_build(m, fold, feed, out);
        if (status == LM_OK)
            return LM_OK;
        lm_feeds_free(feed, n);
        if (status == LM_NO || status == LM_MEMORY)
            return status;
    }
    return LM_NO;
}

static bool has_free_size(const lm_port *p)
{
    for (int i = 1; i < p->rank; i++)
        if (p->dim[i] < 0)
            return true;
    return p->rank < 0;
}

lm_status lm_model_guess(lm_model *m, const lm_chain *fold, lm_feed *feed, lm_built **out)
{
    int n;
    const lm_port *port = lm_model_inputs(m, &n);
    char first[512] = "", node[256] = "";
    lm_status status = LM_INPUT, why = LM_OK;
    bool free_size = false;
    for (int i = 0; i < n; i++)
        free_size |= !port[i].optional && has_free_size(&port[i]);
    for (size_t k = 0; k < (free_size ? LM_COUNT(usual) : 1) && status == LM_INPUT; k++) {
        status = make_all(m, usual[k], feed);
        if (status == LM_OK) {
            status = lm_model_build(m, fold, feed, out);
            if (status == LM_OK)
                return LM_OK;
            lm_feeds_free(feed, n);
        }
        if (k == 0 || status != LM_INPUT) {
            why = status;
            snprintf(first, sizeof first, "%s", lm_message());
            snprintf(node, sizeof node, "%s", lm_blamed());
        }
    }
    if (why != LM_INPUT && why != LM_UNSUPPORTED)
        return why;
    status = try_contents(m, fold, feed, out);
    if (status != LM_NO)
        return status;
    lm_fail(why, "%s", first);
    lm_blame(node);
    return why;
}
