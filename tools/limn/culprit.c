/* Who made the NaN: when a result holds one, the layers behind it are looked at, in the order in which they run. */
#include <math.h>
#include <string.h>

#include "result.h"

#include "core/tensor/dtype.h"

/* Inner values fetched in one run: enough to be quick, few enough to fit into memory. */
enum { AT_ONCE = 24 };

/* NAN, INFINITY, or 0 when all its numbers are finite. */
static double first_bad(const limn_tensor *t)
{
    if (!lm_dtype_is_float(t->type))
        return 0;
    size_t n = limn_tensor_count(t), step = limn_dtype_size(t->type);
    double infinite = 0;
    for (size_t i = 0; i < n; i++) {
        double v = lm_load_f64(t->type, (const char *)t->data + i * step);
        if (isnan(v))
            return v;
        if (isinf(v))
            infinite = v;
    }
    return infinite;
}

/* Which layers from `first` on, at most AT_ONCE, give something that is not finite. A value that cannot be fetched
 * passes for what flows through it. */
static void look_at(limn_session *s, const limn_feed *feed, size_t feeds, const limn_layer *layer, size_t first,
                    size_t count, bool *bad)
{
    const char *name[AT_ONCE] = {0};
    limn_tensor y[AT_ONCE];
    for (size_t i = 0; i < count; i++)
        name[i] = layer[first + i].value;
    if (limn_session_run(s, feed, feeds, name, count, y) == LM_OK) {
        for (size_t i = 0; i < count; i++) {
            bad[first + i] = first_bad(&y[i]) != 0;
            limn_tensor_free(&y[i]);
        }
    } else if (count > 1) {
        look_at(s, feed, feeds, layer, first, count / 2, bad);
        look_at(s, feed, feeds, layer, first + count / 2, count - count / 2, bad);
    } else {
        for (int k = 0; k < layer[first].from_count; k++)
            bad[first] |= layer[first].from[k] >= 0 && bad[layer[first].from[k]];
    }
}

/* From a layer that is bad to the first one on the way there. An infinity elsewhere, as in the masks of attention, is
 * none of its doing. */
static size_t trace(const limn_layer *layer, const bool *bad, size_t at)
{
    for (int k = 0; k < layer[at].from_count; k++)
        if (layer[at].from[k] >= 0 && bad[layer[at].from[k]])
            return trace(layer, bad, (size_t)layer[at].from[k]);
    return at;
}

/* The layer that makes the value, or -1. */
static long maker_of(const limn_layer *layer, size_t n, const result *r, size_t bad_result)
{
    for (size_t i = n; i-- > 0;)
        if (strcmp(layer[i].value, r->name[bad_result]) == 0 ||
            (bad_result < r->outputs && layer[i].output == (int)bad_result))
            return (long)i;
    return -1;
}

static const char *name_of(double value)
{
    return isnan(value) ? "NaN" : "an infinity";
}

static lm_status blame(command *cmd, const result *r, size_t which, double value, const limn_layer *layer)
{
    const char *what = name_of(value);
    if (!layer)
        return lm_fail(LM_INPUT, "result '%s' holds %s; look at the weights and the input, or pass --allow-nan",
                       r->name[which], what);
    const char *name = *layer->name ? layer->name : layer->value;
    lm_str_add(&cmd->node, name);
    return lm_fail(LM_INPUT, "result '%s' holds %s, which first came out of node '%s' (%s); look at its input, or pass "
                             "--allow-nan", r->name[which], what, name, layer->op);
}

static lm_status find(command *cmd, const result *r, size_t which, double value, limn_session *s, const limn_feed *feed,
                      size_t feeds)
{
    limn_layer *layer;
    size_t n;
    for (size_t i = 0; i < feeds; i++) {
        const double given = first_bad(&feed[i].tensor);
        if (given != 0)
            return lm_fail(LM_INPUT, "result '%s' holds %s, and input '%s' holds %s; mend it, or pass --allow-nan",
                           r->name[which], name_of(value), feed[i].name, name_of(given));
    }
    if (limn_session_layers(s, feed, feeds, &layer, &n) != LM_OK)
        return blame(cmd, r, which, value, NULL);
    long at = maker_of(layer, n, r, which);
    bool *bad = at < 0 ? NULL : lm_calloc(n, sizeof *bad);
    if (bad) {
        size_t end = (size_t)at + 1;
        for (size_t i = 0; i < end; i += AT_ONCE)
            look_at(s, feed, feeds, layer, i, end - i < AT_ONCE ? end - i : AT_ONCE, bad);
        at = (long)trace(layer, bad, (size_t)at);
    }
    lm_status status = blame(cmd, r, which, value, bad ? &layer[at] : NULL);
    lm_free(bad);
    limn_layers_free(layer);
    return status;
}

lm_status result_check(command *cmd, const result *r, limn_session *s, const limn_feed *feed, size_t feeds)
{
    for (size_t i = 0; i < r->count; i++) {
        double value = first_bad(&r->tensor[i]);
        if (value != 0) /* which NaN is, too */
            return find(cmd, r, i, value, s, feed, feeds);
    }
    return LM_OK;
}
