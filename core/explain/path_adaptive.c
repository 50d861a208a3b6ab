/* Adaptive quadrature along a path. Every forward pass tells F itself, so each interval knows by how much its
 * quadrature misses F's change. An interval has three nodes, its ends and its middle, and two rules over them: the
 * trapezoid rule on both halves, which suits the jumps of piecewise linear networks, and Simpson's, which suits
 * smooth ones; it takes the one that misses less. Halving an interval keeps its nodes. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/vec.h"
#include "core/explain/path.h"

enum { MOST_NODES = 8192, STALE_ROUNDS = 8 };
static const int64_t most_bytes = (int64_t)1 << 30; /* of gradients kept */
static const double narrowest = 0x1p-40;

typedef struct knot {
    double at, value, slope;
    lm_view term; /* of all sites, one behind the other */
} knot;

typedef struct piece {
    int a, m, b; /* knots */
    double residual, middle; /* the middle's weight, of the interval's length */
} piece;

typedef struct refinement {
    lm_path *p;
    int target;
    int64_t elements; /* of a knot's terms */
    size_t known;     /* knots before the sweep that runs */
    LM_VEC(knot) knot;
    LM_VEC(piece) piece;
} refinement;

static lm_status fill_knot(void *own, int64_t row, const lm_view *x)
{
    const refinement *r = own;
    lm_ends_point(r->p->ends, 0, r->knot.at[r->known + (size_t)row].at, x);
    return LM_OK;
}

static lm_status keep_knot(void *own, int64_t row, const lm_swept *s)
{
    refinement *r = own;
    knot *k = &r->knot.at[r->known + (size_t)row];
    const lm_shape sh = LM_SHAPE(r->elements);
    LM_TRY(lm_view_new(lm_study_type(r->p->t->study), &sh, &k->term));
    k->value = lm_task_value(r->p->t, &s->goal, r->target);
    int64_t at = 0;
    for (int i = 0; i < r->p->nsite; i++) {
        const bool flow = r->p->flow, inner = r->p->site != r->p->ends->site;
        const lm_view *gradient = &s->signal[i], *tangent = inner ? &s->tangent[i] : NULL;
        k->slope += lm_path_slope(r->p, i, gradient, tangent);
        for (int64_t e = 0, n = lm_shape_count(&gradient->sh); e < n; e++)
            lm_put(&k->term, at++, lm_at(gradient, e) * (flow ? lm_at(tangent, e) : 1));
    }
    return LM_OK;
}

/* Run the knots that have been added since `known`. */
static lm_status run_knots(refinement *r)
{
    lm_task *t = r->p->t;
    lm_view seed = *t->seeds;
    lm_sweep w;
    LM_TRY(lm_path_sweep(r->p, r->p->site != r->p->ends->site, &w));
    const int64_t n = lm_shape_count(&seed.sh) / t->targets;
    seed.off += (size_t)(r->target * n) * lm_dtype_size(seed.dt);
    seed.sh = LM_SHAPE(1, n);
    lm_strides_row(&seed.sh, seed.st);
    w.targets = 1;
    w.seed = &seed;
    w.rows = (int64_t)(r->knot.count - r->known);
    w.fill = fill_knot;
    w.absorb = keep_knot;
    w.own = r;
    LM_TRY(lm_task_sweep(t, &w));
    r->known = r->knot.count;
    return LM_OK;
}

static void judge(const refinement *r, piece *q)
{
    const knot *a = &r->knot.at[q->a], *m = &r->knot.at[q->m], *b = &r->knot.at[q->b];
    const double change = b->value - a->value, h = b->at - a->at;
    const double halves = fabs(change - h * (a->slope + 2 * m->slope + b->slope) / 4);
    const double simpson = fabs(change - h * (a->slope + 4 * m->slope + b->slope) / 6);
    q->middle = simpson < halves ? 2.0 / 3 : 0.5;
    q->residual = simpson < halves ? simpson : halves;
}

static lm_status add_knot(refinement *r, double at, int *out)
{
    *out = (int)r->knot.count;
    return lm_vec_push(&r->knot, (knot){.at = at});
}

static lm_status add_piece(refinement *r, int a, int b)
{
    piece q = {.a = a, .b = b};
    LM_TRY(add_knot(r, (r->knot.at[a].at + r->knot.at[b].at) / 2, &q.m));
    return lm_vec_push(&r->piece, q);
}

/* Largest residuals first; of equal ones, the older. */
static int by_residual(const void *a, const void *b)
{
    const piece *p = a, *q = b;
    if (p->residual != q->residual)
        return p->residual < q->residual ? 1 : -1;
    return (p->a > q->a) - (p->a < q->a);
}

static double total(const refinement *r)
{
    double sum = 0;
    for (size_t i = 0; i < r->piece.count; i++)
        sum += r->piece.at[i].residual;
    return sum;
}

/* What rounding may make of the change of F over an interval. */
static double rounding(const refinement *r)
{
    double largest = 0;
    for (size_t i = 0; i < r->knot.count; i++)
        largest = fmax(largest, fabs(r->knot.at[i].value));
    return 8 * largest * (lm_study_type(r->p->t->study) == LM_F64 ? DBL_EPSILON : FLT_EPSILON);
}

/* Halve, in one sweep, the largest intervals, as many as have to go for the others to be good enough, but none that is
 * small beside the largest: what comes of that may do. *more: whether anything was left to halve. */
static lm_status halve(refinement *r, double tol, bool *more)
{
    const size_t count = r->piece.count;
    const int64_t bytes = r->elements * (int64_t)lm_dtype_size(lm_study_type(r->p->t->study)) + 1;
    const double noise = rounding(r);
    double rest = total(r);
    *more = false;
    qsort(r->piece.at, count, sizeof *r->piece.at, by_residual);
    const double least = fmax(noise, r->piece.at[0].residual / 8);
    for (size_t i = 0; i < count && rest > tol && r->piece.at[i].residual > least; i++) {
        const piece q = r->piece.at[i];
        const int64_t knots = (int64_t)r->knot.count + 2;
        if (r->knot.at[q.b].at - r->knot.at[q.a].at < narrowest)
            continue;
        if (knots > MOST_NODES || knots > most_bytes / bytes)
            break;
        rest -= q.residual;
        *more = true;
        LM_TRY(add_piece(r, q.m, q.b));
        LM_TRY(add_knot(r, (r->knot.at[q.a].at + r->knot.at[q.m].at) / 2, &r->piece.at[i].m));
        r->piece.at[i].b = q.m;
    }
    if (!*more)
        return LM_OK;
    LM_TRY(run_knots(r));
    for (size_t i = 0; i < r->piece.count; i++)
        judge(r, &r->piece.at[i]);
    return LM_OK;
}

static lm_status refine(refinement *r, double tol)
{
    int first, middle, last, stale = 0;
    LM_TRY(add_knot(r, 0, &first));
    LM_TRY(add_knot(r, 0.5, &middle));
    LM_TRY(add_knot(r, 1, &last));
    LM_TRY(add_piece(r, first, middle));
    LM_TRY(add_piece(r, middle, last));
    LM_TRY(run_knots(r));
    judge(r, &r->piece.at[0]);
    judge(r, &r->piece.at[1]);
    bool more = true;
    /* what rounding makes of F does not shrink with the intervals: stop where halving has stopped to help */
    for (double best = total(r) - tol; more && stale < STALE_ROUNDS && total(r) > tol;) {
        LM_TRY(halve(r, tol, &more));
        const double excess = total(r) - tol;
        stale = excess < best ? 0 : stale + 1;
        best = excess < best ? excess : best;
    }
    return LM_OK;
}

/* Every knot's terms with what its intervals make of it. */
static lm_status add_up(refinement *r)
{
    double *weight = lm_calloc(r->knot.count, sizeof *weight);
    if (!weight)
        return LM_MEMORY;
    for (size_t i = 0; i < r->piece.count; i++) {
        const piece *q = &r->piece.at[i];
        const double h = r->p->scale * (r->knot.at[q->b].at - r->knot.at[q->a].at);
        weight[q->a] += h * (1 - q->middle) / 2;
        weight[q->m] += h * q->middle;
        weight[q->b] += h * (1 - q->middle) / 2;
    }
    const lm_path *p = r->p;
    for (size_t i = 0; i < r->knot.count; i++) {
        const lm_view *term = &r->knot.at[i].term;
        int64_t at = 0;
        for (int s = 0; s < p->nsite; s++) {
            double *sum = p->sum[s * p->t->targets + r->target];
            const int64_t n = p->count[s];
            for (int64_t e = 0; e < n; e++)
                sum[e] += weight[i] * lm_at(term, at + e);
            at += n;
        }
    }
    lm_free(weight);
    return LM_OK;
}

lm_status lm_path_adaptive(lm_path *p, const double *tol)
{
    for (int k = 0; k < p->t->targets; k++) {
        refinement r = {.p = p, .target = k};
        for (int s = 0; s < p->nsite; s++)
            r.elements += p->count[s];
        lm_status status = refine(&r, tol[k]);
        if (status == LM_OK)
            status = add_up(&r);
        p->residual[k] = total(&r);
        for (size_t i = 0; i < r.knot.count; i++)
            lm_buffer_unref(r.knot.at[i].term.buf);
        lm_vec_free(&r.knot);
        lm_vec_free(&r.piece);
        LM_TRY(status);
    }
    return LM_OK;
}
