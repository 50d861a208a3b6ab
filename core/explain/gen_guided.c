/* Guided integrated gradients (Kapishnikov and others, 2021): from the baseline to the input, where at each step
 * only those features move that the target is least sensitive to, as far as the distance to the input has to shrink;
 * none may run ahead of the straight path, or lag behind it, by more than max_dist. Along that path gradients are
 * summed by the trapezoid rule. */
#include <math.h>

#include "core/explain/path.h"

/* Features of all sites, one behind the other. */
typedef struct guide {
    lm_task *t;
    const lm_ends *ends;
    int target;
    int64_t n;
    double *x, *x0;    /* ends of the path */
    double *way;       /* how far a feature has come: 0 at the baseline, 1 at the input */
    double *gradient, *before; /* here and a step before */
    double *moved;     /* by the last step */
    double *size;      /* room for sorting */
    double *sum;
    double value, residual;
} guide;

static lm_status fill_here(void *own, int64_t row, const lm_view *x)
{
    const guide *g = own;
    int64_t at = 0;
    (void)row;
    for (int i = 0; i < g->ends->n; i++)
        for (int64_t e = 0, n = lm_ends_count(g->ends, i); e < n; e++, at++)
            lm_put(&x[i], e, (1 - g->way[at]) * g->x0[at] + g->way[at] * g->x[at]);
    return LM_OK;
}

static lm_status keep_gradient(void *own, int64_t row, const lm_swept *r)
{
    guide *g = own;
    int64_t at = 0;
    (void)row;
    for (int i = 0; i < g->ends->n; i++)
        for (int64_t e = 0, n = lm_ends_count(g->ends, i); e < n; e++)
            g->gradient[at++] = lm_at(&r->signal[i], e);
    g->value = lm_task_value(g->t, &r->goal, g->target);
    return LM_OK;
}

static lm_status look(guide *g)
{
    lm_view seed = *g->t->seeds;
    const int64_t n = lm_shape_count(&seed.sh) / g->t->targets;
    const lm_walk back = {.set = &lm_set_grad, .options = LM_RULE_OPTIONS_DEFAULT, .nsite = g->ends->n,
                          .site = g->ends->site};
    seed.off += (size_t)(g->target * n) * lm_dtype_size(seed.dt);
    seed.sh = LM_SHAPE(1, n);
    lm_strides_row(&seed.sh, seed.st);
    lm_sweep w = lm_task_begin(g->t);
    w.targets = 1;
    w.seed = &seed;
    w.ncut = g->ends->n;
    w.cut = g->ends->site;
    w.nwalk = 1;
    w.walk = &back;
    w.fill = fill_here;
    w.absorb = keep_gradient;
    w.own = g;
    return lm_task_sweep(g->t, &w);
}

/* The k-th smallest of n numbers, k from 0; they are put into another order. */
static double pick(double *v, int64_t n, int64_t k)
{
    for (int64_t low = 0, high = n - 1; low < high;) {
        const double pivot = v[low + (high - low) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                const double keep = v[i];
                v[i++] = v[j];
                v[j--] = keep;
            }
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            break;
    }
    return v[k];
}

/* How much the target hangs on a feature; what is no number hangs least. */
static double sensitivity(const guide *g, int64_t e)
{
    return isnan(g->gradient[e]) ? 0 : fabs(g->gradient[e]);
}

/* The sensitivity up to which features may move: that below which `fraction` of all lie, where those that cannot
 * move count as the most sensitive ones. */
static double threshold(const guide *g, double fraction, double most)
{
    int64_t count = 0, k = (int64_t)(fraction * (double)(g->n - 1));
    for (int64_t e = 0; e < g->n; e++)
        if (g->way[e] < most)
            g->size[count++] = sensitivity(g, e);
    return k < count ? pick(g->size, count, k) : (double)INFINITY;
}

/* What is left of the way: the sum of |x - here|, or of what features below the threshold may still go. */
static double distance(const guide *g, double to, double limit)
{
    double sum = 0;
    for (int64_t e = 0; e < g->n; e++)
        if (g->way[e] < to && sensitivity(g, e) <= limit)
            sum += (to - g->way[e]) * fabs(g->x[e] - g->x0[e]);
    return sum;
}

/* Move until `left` is left of the way. */
static void move(guide *g, double part, double fraction, double slack, double left, double tiny)
{
    const double least = fmax(part - slack, 0), most = fmin(part + slack, 1);
    for (int64_t e = 0; e < g->n; e++)
        g->way[e] = g->x[e] == g->x0[e] ? most : fmax(g->way[e], least);
    for (double share = 2; share > 1;) {
        const double excess = distance(g, 1, INFINITY) - left;
        if (!(excess > tiny))
            return;
        const double limit = threshold(g, fraction, most), reach = distance(g, most, limit);
        int64_t movable = 0;
        share = reach > 0 ? excess / reach : 2;
        for (int64_t e = 0; e < g->n; e++)
            if (g->way[e] < most && sensitivity(g, e) <= limit) {
                g->way[e] = share > 1 ? most : g->way[e] + share * (most - g->way[e]);
                movable++;
            }
        if (movable == 0)
            return;
    }
}

/* The last step's part of the sum, now that the gradient at its end is known. */
static void add_move(guide *g, double before)
{
    double sum = 0;
    for (int64_t e = 0; e < g->n; e++) {
        const double part = g->moved[e] * (g->x[e] - g->x0[e]) * (g->before[e] + g->gradient[e]) / 2;
        g->sum[e] += part;
        sum += part;
    }
    g->residual += fabs(g->value - before - sum);
}

static lm_status follow(guide *g)
{
    lm_task *t = g->t;
    const int64_t steps = lm_task_whole(t, "steps");
    const double fraction = lm_task_number(t, "fraction"), slack = lm_task_number(t, "max_dist");
    for (int64_t e = 0; e < g->n; e++)
        g->way[e] = g->sum[e] = 0;
    g->residual = 0;
    const double whole = distance(g, 1, INFINITY);
    LM_TRY(look(g));
    for (int64_t s = 1; s <= steps; s++) {
        const double before = g->value, part = (double)s / (double)steps;
        for (int64_t e = 0; e < g->n; e++) {
            g->before[e] = g->gradient[e];
            g->moved[e] = -g->way[e];
        }
        move(g, part, fraction, slack, whole * (1 - part), whole * 1e-12);
        for (int64_t e = 0; e < g->n; e++) {
            g->way[e] = s == steps ? 1 : g->way[e];
            g->moved[e] += g->way[e];
        }
        LM_TRY(look(g));
        add_move(g, before);
    }
    return LM_OK;
}

static lm_status guide_open(lm_task *t, const lm_ends *ends, guide *out)
{
    *out = (guide){.t = t, .ends = ends};
    for (int i = 0; i < ends->n; i++)
        out->n += lm_ends_count(ends, i);
    double **const rooms[] = {&out->x,     &out->x0,   &out->way, &out->gradient, &out->before,
                              &out->moved, &out->size, &out->sum};
    for (size_t i = 0; i < LM_COUNT(rooms); i++)
        if (!(*rooms[i] = lm_arena_alloc(t->arena, (size_t)out->n, sizeof(double))))
            return LM_MEMORY;
    int64_t at = 0;
    for (int i = 0; i < ends->n; i++) {
        const lm_view x0 = lm_ends_baseline(ends, i, 0);
        for (int64_t e = 0, n = lm_ends_count(ends, i); e < n; e++, at++) {
            out->x[at] = lm_at(&ends->x[i], e);
            out->x0[at] = lm_at(&x0, e);
        }
    }
    return LM_OK;
}

lm_status lm_run_guided_ig(lm_task *t)
{
    lm_ends ends;
    guide g;
    LM_TRY(lm_ends_find(t, &ends));
    LM_TRY(guide_open(t, &ends, &g));
    for (g.target = 0; g.target < t->targets; g.target++) {
        int64_t at = 0;
        LM_TRY(follow(&g));
        for (int i = 0; i < ends.n; i++) {
            lm_result *r;
            LM_TRY(lm_task_result(t, i, g.target, &ends.x[i].sh, &r));
            for (int64_t e = 0, n = lm_ends_count(&ends, i); e < n; e++)
                r->at[e] = g.sum[at++];
            r->certificate.residual = g.residual;
        }
    }
    return LM_OK;
}
