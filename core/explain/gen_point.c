/* Methods that live on one walk at the sample: gradients and relevance, read in different ways. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/str.h"
#include "core/explain/blur.h"
#include "core/explain/question.h"

/* What `need` keeps for `run`. */
typedef struct point_own {
    int walk;       /* -1: none */
    int value;      /* of the layer; -1: nobody asked for it */
    lm_view *start; /* by site: its value in the reference run; NULL: there is none */
} point_own;

static lm_status own_new(lm_task *t, point_own **out)
{
    LM_ARENA_NEW(t->arena, *out);
    (*out)->walk = (*out)->value = -1;
    t->own = *out;
    return LM_OK;
}

static lm_status need_walk(lm_task *t, lm_walk *w)
{
    point_own *own;
    LM_TRY(own_new(t, &own));
    w->nsite = t->nsite;
    w->site = t->site;
    return lm_need_walk(t, w, &own->walk);
}

static lm_status need_value(lm_task *t)
{
    point_own *own = t->own;
    return t->layered ? lm_need_value(t, t->layer, &own->value) : LM_OK;
}

lm_status lm_need_gradient(lm_task *t)
{
    lm_walk w = {.set = &lm_set_grad, .options = lm_compat_rules("limn")};
    return need_walk(t, &w);
}

lm_status lm_need_gradient_value(lm_task *t)
{
    LM_TRY(lm_need_gradient(t));
    return need_value(t);
}

lm_status lm_need_value_only(lm_task *t)
{
    point_own *own;
    LM_TRY(own_new(t, &own));
    return need_value(t);
}

lm_status lm_need_deconv(lm_task *t)
{
    lm_walk w = {.set = &lm_set_deconv, .options = lm_compat_rules(t->compat)};
    return need_walk(t, &w);
}

lm_status lm_need_guided(lm_task *t)
{
    lm_walk w = {.set = &lm_set_guided, .options = lm_compat_rules(t->compat)};
    w.options.relu6 = lm_task_flag(t, "relu6");
    return need_walk(t, &w);
}

lm_status lm_need_smooth(lm_task *t)
{
    lm_walk w = {.set = &lm_set_smooth, .options = lm_compat_rules(t->compat)};
    w.options.smooth = lm_task_number(t, "beta");
    return need_walk(t, &w);
}

/* The axis along which bounds are given: the channels of an image, otherwise axis 1. */
static int bound_axis(const lm_shape *sh)
{
    lm_image im;
    if (lm_image_find(sh, "the input", &im) == LM_OK && im.last)
        return sh->rank - 1;
    return sh->rank > 1 ? 1 : 0;
}

/* "-2.1" or "-2.1:-2.0:-1.8": a view that broadcasts to the first input; NULL where the option is empty. */
static lm_status read_bound(lm_task *t, const char *key, const lm_view **out)
{
    const char *text = lm_task_text(t, key);
    lm_shape sh = t->x[0].sh;
    int axis = bound_axis(&sh);
    int64_t channels = sh.rank ? sh.dim[axis] : 1, n = 1;
    lm_view *v;
    *out = NULL;
    if (!*text)
        return LM_OK;
    for (const char *at = text; (at = strchr(at, ':')); at++)
        n++;
    LM_REQUIRE(n == 1 || n == channels, LM_USAGE,
               "option %s=%s: gives %lld numbers; the input has %lld channels: give one, or "
               "%lld with colons between",
               key, text, (long long)n, (long long)channels, (long long)channels);
    for (int i = 0; i < sh.rank; i++)
        sh.dim[i] = i == axis ? n : 1;
    LM_ARENA_NEW(t->arena, v);
    LM_TRY(lm_scratch(t->arena, t->x[0].dt, &sh, v));
    for (int64_t i = 0; i < n; i++) {
        char *end;
        double number = strtod(text, &end);
        LM_REQUIRE(end != text && (*end == ':' || *end == '\0') && isfinite(number), LM_USAGE,
                   "option %s: '%s' is no number; write one, or one per channel with colons between", key, text);
        lm_put(v, i, number);
        text = end + (*end == ':');
    }
    *out = v;
    return LM_OK;
}

static lm_status check_order(const lm_view *low, const lm_view *high)
{
    const int64_t lows = lm_shape_count(&low->sh), highs = lm_shape_count(&high->sh);
    for (int64_t i = 0; i < lows || i < highs; i++) {
        const double from = lm_at(low, lows > 1 ? i : 0), to = lm_at(high, highs > 1 ? i : 0);
        LM_REQUIRE(from <= to, LM_USAGE, "option low=%g: lies above high=%g; write the smaller one as low", from, to);
    }
    return LM_OK;
}

/* Both bounds; an error where they are needed and one is missing. */
static lm_status read_bounds(lm_task *t, const char *needed_by, lm_walk *w)
{
    if (t->layered)
        return LM_OK; /* the walk ends before the first layer */
    LM_TRY(read_bound(t, "low", &w->low));
    LM_TRY(read_bound(t, "high", &w->high));
    LM_REQUIRE(
        !needed_by || (w->low && w->high), LM_USAGE,
        "rules '%s': need the bounds of the input; give --set low=-2.1 --set high=2.6, or a number per channel "
        "(-2.1:-2:-1.8)",
        needed_by);
    return w->low && w->high ? check_order(w->low, w->high) : LM_OK;
}

static lm_status need_relevance(lm_task *t, lm_walk *w)
{
    w->relevance = true;
    w->trace = true;
    return need_walk(t, w);
}

/* The rule set that the option names: one of those that come with Limn, or from a file. */
static lm_status find_rules(lm_task *t, const char *text, const lm_ruleset **out)
{
    lm_str name = {0}, known = {0};
    lm_status status = lm_str_printf(&name, "lrp_%s", text);
    *out = status == LM_OK ? lm_set_find(lm_str_text(&name)) : NULL;
    if (status == LM_OK && !*out)
        status = lm_question_rules(t->question, text, out);
    if (status == LM_OK && !*out) {
        for (const lm_ruleset *const *s = lm_sets; *s; s++)
            if (strncmp((*s)->name, "lrp_", 4) == 0)
                lm_str_printf(&known, "%s%s", known.count ? ", " : "", (*s)->name + 4);
        status = lm_fail(LM_USAGE, "rules '%s': no set and no file of that name; choose %s", text,
                         lm_str_text(&known));
    }
    lm_str_free(&name);
    lm_str_free(&known);
    return status;
}

lm_status lm_need_lrp(lm_task *t)
{
    const char *rules = lm_task_text(t, "rules");
    lm_walk w = {.options = lm_compat_rules(t->compat)};
    LM_TRY(find_rules(t, rules, &w.set));
    w.options.eps = lm_task_number(t, "eps");
    w.options.gamma = lm_task_number(t, "gamma");
    w.options.alpha = lm_task_number(t, "alpha");
    w.options.beta = lm_task_number(t, "beta");
    LM_REQUIRE(fabs(w.options.alpha - w.options.beta - 1) < 1e-6, LM_USAGE,
               "alpha=%g and beta=%g: alpha - beta must be 1, or relevance is not conserved", w.options.alpha,
               w.options.beta);
    bool box = strcmp(rules, "gamma_box") == 0 || strcmp(rules, "box_first") == 0;
    LM_TRY(read_bounds(t, box ? rules : NULL, &w));
    return need_relevance(t, &w);
}

lm_status lm_need_deep_taylor(lm_task *t)
{
    lm_walk w = {.options = lm_compat_rules(t->compat)};
    LM_TRY(read_bounds(t, NULL, &w));
    w.set = w.low && w.high ? &lm_set_deep_taylor_box : &lm_set_deep_taylor;
    return need_relevance(t, &w);
}

lm_status lm_need_excitation(lm_task *t)
{
    lm_walk w = {.set = &lm_set_excitation, .options = lm_compat_rules(t->compat), .trace = true};
    return need_walk(t, &w);
}

lm_status lm_need_attnlrp(lm_task *t)
{
    lm_walk w = {.set = &lm_set_attn_lrp, .options = lm_set_options(&lm_set_attn_lrp, lm_compat_rules(t->compat))};
    return need_relevance(t, &w);
}

lm_status lm_need_deeplift(lm_task *t)
{
    bool reveal = lm_task_word(t, "rule") == 1;
    lm_walk w = {.set = reveal ? &lm_set_deeplift_revealcancel : &lm_set_deeplift,
                 .options = lm_compat_rules(t->compat)};
    lm_view *start = lm_arena_alloc(t->arena, (size_t)t->nsite, sizeof *start);
    if (!start)
        return LM_MEMORY;
    for (int i = 0; i < t->nsite && !t->layered; i++)
        start[i] = t->x0[i];
    if (t->layered)
        LM_TRY(lm_task_layer_start(t, &start[0]));
    w.baseline = start;
    LM_TRY(need_walk(t, &w));
    ((point_own *)t->own)->start = start;
    return need_value(t);
}

/* How the numbers of a walk become results. */
typedef enum readout { READ_SIGNAL, READ_SIZE, READ_TIMES_VALUE, READ_TIMES_CHANGE, READ_VALUE } readout;

/* to[e] = element e of a dense view */
static void read_dense(const lm_view *v, int64_t n, double *to)
{
    const float *from = lm_view_data(v);
    if (v->dt == LM_F64)
        memcpy(to, lm_view_data(v), (size_t)n * sizeof *to);
    else
        for (int64_t e = 0; e < n; e++)
            to[e] = (double)from[e];
}

/* What a signal is multiplied with, the same for all targets; NULL: nothing. */
static lm_status read_factor(lm_task *t, readout how, const lm_view *x, const lm_view *x0, double **out)
{
    const int64_t n = lm_shape_count(&x->sh);
    *out = NULL;
    if (how != READ_TIMES_VALUE && how != READ_TIMES_CHANGE)
        return LM_OK;
    *out = lm_arena_alloc(t->arena, (size_t)n, sizeof **out);
    if (!*out)
        return LM_MEMORY;
    read_dense(x, n, *out);
    for (int64_t e = 0; e < n && how == READ_TIMES_CHANGE; e++)
        (*out)[e] -= lm_at(x0, e);
    return LM_OK;
}

static lm_status keep_trace(lm_task *t, const point_own *own, int target, lm_certificate *c)
{
    const lm_trace_sum *rows = lm_point_trace(t, own->walk, target, &c->ntrace);
    if (!c->ntrace)
        return LM_OK;
    c->trace = lm_arena_copy(t->arena, rows, (size_t)c->ntrace, sizeof *rows);
    return c->trace ? LM_OK : LM_MEMORY;
}

static lm_status read_all(lm_task *t, readout how)
{
    const point_own *own = t->own;
    for (int i = 0; i < t->nsite; i++) {
        double *factor = NULL;
        for (int target = 0; target < t->targets; target++) {
            const lm_view *s = own->walk >= 0 ? lm_point_signal(t, own->walk, i, target) : NULL;
            const lm_view *x = own->value >= 0 ? lm_point_value(t, own->value) : t->layered ? s : &t->x[i];
            const int64_t n = lm_shape_count(&x->sh);
            lm_result *r;
            if (target == 0)
                LM_TRY(read_factor(t, how, x, own->start ? &own->start[i] : NULL, &factor));
            LM_TRY(lm_task_result(t, i, target, &x->sh, &r));
            read_dense(how == READ_VALUE ? x : s, n, r->at);
            for (int64_t e = 0; e < n && how == READ_SIZE; e++)
                r->at[e] = fabs(r->at[e]);
            for (int64_t e = 0; e < n && factor; e++)
                r->at[e] *= factor[e];
            if (own->walk >= 0)
                LM_TRY(keep_trace(t, own, target, &r->certificate));
        }
    }
    return LM_OK;
}

lm_status lm_run_signal(lm_task *t)
{
    return read_all(t, READ_SIGNAL);
}

lm_status lm_run_saliency(lm_task *t)
{
    return read_all(t, lm_task_flag(t, "abs") ? READ_SIZE : READ_SIGNAL);
}

lm_status lm_run_times_value(lm_task *t)
{
    return read_all(t, READ_TIMES_VALUE);
}

lm_status lm_run_value(lm_task *t)
{
    return read_all(t, READ_VALUE);
}

lm_status lm_run_deeplift(lm_task *t)
{
    return read_all(t, lm_task_flag(t, "multiply") ? READ_TIMES_CHANGE : READ_SIGNAL);
}
