/* How attention carries tokens from layer to layer. A is the mean over heads of one layer's probabilities, [T, T]: rows
 * are the tokens that look, columns those that are looked at.
 *
 *   attention_raw        A of one layer
 *   attention_rollout    the product of (A + I) / 2, rows scaled to sum to one, later layers on the left
 *   attention_relevance  the product of I + mean over heads of (gradient of A times A, cut off at zero), later layers
 *                        on the left: what R becomes that starts as I and grows by each layer's term times R
 *
 * A result is the row of the read-out token, or all rows. A row times a product is a row times one factor after the
 * other, so a single row costs T^2 per layer, and has the same bits as among all. */
#include <string.h>

#include "core/explain/method.h"

typedef struct flow {
    int layers;
    const lm_site *site;
    int *value;  /* numbers at the point, by layer */
    int walk;    /* to all of them */
    int64_t tokens;
} flow;

/* [1, heads, T, T] or [heads, T, T]. More axes than one in front of the last two: windows, or groups of heads. */
static lm_status check_layer(lm_task *t, lm_site site, flow *f)
{
    lm_type type;
    char text[LM_SHAPE_TEXT];
    LM_TRY(lm_study_site_type(t->study, t->feed, site, &type));
    const int rank = type.sh.rank;
    const int64_t *dim = type.sh.dim;
    int wide = 0;
    for (int k = 0; k < rank - 2; k++)
        wide += dim[k] > 1;
    lm_shape_text(&type.sh, text);
    LM_REQUIRE(wide <= 1 && (rank < 4 || dim[0] == 1), LM_UNSUPPORTED,
               "attention '%s' is %s, one per window: tokens of different windows never meet in it; use attnlrp or "
               "gradcam",
               site.name, text);
    LM_REQUIRE(dim[rank - 1] == dim[rank - 2], LM_UNSUPPORTED,
               "attention '%s' is %s: what looks is not what is looked at, so layers cannot be chained; use attnlrp",
               site.name, text);
    LM_REQUIRE(!f->tokens || f->tokens == dim[rank - 1], LM_UNSUPPORTED,
               "attention '%s' is %s, others before it have %lld tokens, so layers cannot be chained; use attnlrp",
               site.name, text, (long long)f->tokens);
    f->tokens = dim[rank - 1];
    return LM_OK;
}

/* All attention layers, or the one that the setting `layer` names: its number, from the end where that is negative. */
static lm_status find_layers(lm_task *t, bool one, flow **out)
{
    lm_site *list = NULL;
    int n = 0;
    flow *f;
    LM_ARENA_NEW(t->arena, f);
    LM_TRY(lm_study_attention(t->study, t->feed, &list, &n));
    f->site = n ? lm_arena_copy(t->arena, list, (size_t)n, sizeof *list) : NULL;
    lm_free(list);
    LM_REQUIRE(n, LM_UNSUPPORTED, "the model has no attention: no softmax over scores that weighs values");
    if (!f->site)
        return LM_MEMORY;
    f->layers = n;
    if (one) {
        int64_t at = lm_task_whole(t, "layer");
        LM_REQUIRE(at >= -n && at < n, LM_USAGE, "there is no attention layer %lld; there are 0 ... %d, or -1 ... %d",
                   (long long)at, n - 1, -n);
        f->site += at < 0 ? at + n : at;
        f->layers = 1;
    }
    for (int i = 0; i < f->layers; i++)
        LM_TRY(check_layer(t, f->site[i], f));
    int64_t token = lm_task_whole(t, "token");
    LM_REQUIRE(token >= -f->tokens && token < f->tokens, LM_USAGE,
               "there is no token %lld to read out; there are 0 ... %lld, or -1 ... %lld",
               (long long)token, (long long)f->tokens - 1, (long long)-f->tokens);
    t->own = *out = f;
    return LM_OK;
}

static lm_status need_values(lm_task *t, flow *f)
{
    f->value = lm_arena_alloc(t->arena, (size_t)f->layers, sizeof *f->value);
    if (!f->value)
        return LM_MEMORY;
    for (int i = 0; i < f->layers; i++)
        LM_TRY(lm_need_value(t, f->site[i], &f->value[i]));
    return LM_OK;
}

lm_status lm_need_attention_rollout(lm_task *t)
{
    flow *f;
    LM_TRY(find_layers(t, false, &f));
    return need_values(t, f);
}

lm_status lm_need_attention_raw(lm_task *t)
{
    flow *f;
    LM_TRY(find_layers(t, true, &f));
    return need_values(t, f);
}

lm_status lm_need_attention_relevance(lm_task *t)
{
    flow *f;
    LM_TRY(find_layers(t, false, &f));
    LM_TRY(need_values(t, f));
    lm_walk walk = {.set = &lm_set_grad, .options = LM_RULE_OPTIONS_DEFAULT, .nsite = f->layers, .site = f->site};
    return lm_need_walk(t, &walk, &f->walk);
}

/* Mean over heads of the probabilities, or of their positive products with the gradient. */
static void mean_heads(const lm_view *a, const lm_view *g, int64_t tokens, double *out)
{
    const int64_t square = tokens * tokens, heads = lm_shape_count(&a->sh) / square;
    memset(out, 0, (size_t)square * sizeof *out);
    for (int64_t h = 0; h < heads; h++)
        for (int64_t e = 0; e < square; e++) {
            double x = lm_at(a, h * square + e) * (g ? lm_at(g, h * square + e) : 1);
            out[e] += g && x < 0 ? 0 : x;
        }
    for (int64_t e = 0; e < square; e++)
        out[e] /= (double)heads;
}

/* The factor of layer i for one target, [T, T]. */
typedef void (*factor_fn)(lm_task *t, int i, int target, double *out);

static void factor_raw(lm_task *t, int i, int target, double *out)
{
    const flow *f = t->own;
    (void)target;
    mean_heads(lm_point_value(t, f->value[i]), NULL, f->tokens, out);
}

static void factor_rollout(lm_task *t, int i, int target, double *out)
{
    const int64_t n = ((const flow *)t->own)->tokens;
    factor_raw(t, i, target, out);
    for (int64_t r = 0; r < n; r++) {
        double *row = out + r * n, sum = 0;
        row[r] += 1;
        for (int64_t c = 0; c < n; c++)
            sum += row[c] /= 2;
        for (int64_t c = 0; c < n; c++)
            row[c] /= sum;
    }
}

static void factor_relevance(lm_task *t, int i, int target, double *out)
{
    const flow *f = t->own;
    mean_heads(lm_point_value(t, f->value[i]), lm_point_signal(t, f->walk, i, target), f->tokens, out);
    for (int64_t r = 0; r < f->tokens; r++)
        out[r * f->tokens + r] += 1;
}

/* x times m for a row x. */
static void row_times(int64_t n, const double *x, const double *m, double *out)
{
    memset(out, 0, (size_t)n * sizeof *out);
    for (int64_t r = 0; r < n; r++)
        for (int64_t c = 0; c < n; c++)
            out[c] += x[r] * m[r * n + c];
}

/* Rows first ... first + rows of the product of all factors. `rows` and `next`: [rows, T], `factor`: [T, T]. */
static void chain(lm_task *t, factor_fn make, int target, int64_t first, int64_t rows, double *out, double *next,
                  double *factor)
{
    const flow *f = t->own;
    const int64_t n = f->tokens;
    for (int i = f->layers; i-- > 0;) {
        make(t, i, target, factor);
        if (i == f->layers - 1) {
            memcpy(out, factor + first * n, (size_t)(rows * n) * sizeof *out);
            continue;
        }
        for (int64_t r = 0; r < rows; r++)
            row_times(n, out + r * n, factor, next + r * n);
        memcpy(out, next, (size_t)(rows * n) * sizeof *out);
    }
}

static lm_status run_flow(lm_task *t, factor_fn make, int targets)
{
    const flow *f = t->own;
    const int64_t n = f->tokens, token = lm_task_whole(t, "token");
    const bool pairs = lm_task_flag(t, "pairs");
    const int64_t first = pairs ? 0 : token < 0 ? token + n : token, rows = pairs ? n : 1;
    const lm_shape sh = pairs ? LM_SHAPE(1, n, n) : LM_SHAPE(1, n);
    double *work = lm_malloc((size_t)n, (size_t)(n + 2 * rows) * sizeof *work);
    if (!work)
        return LM_MEMORY;
    double *factor = work, *out = work + n * n, *next = out + rows * n;
    lm_status status = LM_OK;
    for (int k = 0; status == LM_OK && k < targets; k++) {
        chain(t, make, k, first, rows, out, next, factor);
        for (int s = 0; status == LM_OK && s < t->nsite; s++) {
            lm_result *r;
            status = lm_task_result(t, s, k, &sh, &r);
            if (status == LM_OK)
                memcpy(r->at, out, (size_t)(rows * n) * sizeof *out);
        }
    }
    lm_free(work);
    return status;
}

lm_status lm_run_attention_rollout(lm_task *t)
{
    return run_flow(t, factor_rollout, 1);
}

lm_status lm_run_attention_raw(lm_task *t)
{
    return run_flow(t, factor_raw, 1);
}

lm_status lm_run_attention_relevance(lm_task *t)
{
    return run_flow(t, factor_relevance, t->targets);
}
