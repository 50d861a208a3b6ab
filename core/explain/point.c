/* The sweep at the sample: what all methods ask of the model there, made once. */
#include <string.h>

#include "core/explain/question.h"

void lm_point_free(lm_point *p)
{
    lm_vec_free(&p->walk);
    lm_vec_free(&p->users);
    lm_vec_free(&p->value);
}

static bool same_options(const lm_rule_options *a, const lm_rule_options *b)
{
#define LM_RULE_OPTION(type, name, what)                                                                               \
    if (a->name != b->name)                                                                                            \
        return false;
#include "core/rules/options.def"
#undef LM_RULE_OPTION
    return true;
}

/* Views of nothing are equal; others are when their contents are. */
static bool same_view(const lm_view *a, const lm_view *b)
{
    if (!a || !b || a == b)
        return a == b;
    return a->dt == b->dt && lm_shape_equal(&a->sh, &b->sh) &&
           (lm_view_data(a) == lm_view_data(b) ||
            memcmp(lm_view_data(a), lm_view_data(b), (size_t)lm_shape_count(&a->sh) * lm_dtype_size(a->dt)) == 0);
}

static bool same_walk(const lm_walk *a, const lm_walk *b)
{
    bool same = a->set == b->set && (a->set == &lm_set_grad || same_options(&a->options, &b->options)) &&
                a->relevance == b->relevance && a->nsite == b->nsite && same_view(a->low, b->low) &&
                same_view(a->high, b->high) && !a->baseline == !b->baseline;
    for (int i = 0; same && i < a->nsite; i++)
        same = lm_site_equal(a->site[i], b->site[i]) && (!a->baseline || same_view(&a->baseline[i], &b->baseline[i]));
    return same;
}

lm_status lm_need_walk(lm_task *t, const lm_walk *walk, int *number)
{
    lm_point *p = t->point;
    lm_job *job = (lm_job *)t;
    size_t at = 0;
    while (at < p->walk.count && !same_walk(&p->walk.at[at], walk))
        at++;
    if (at == p->walk.count) {
        LM_TRY(lm_vec_push(&p->walk, *walk));
        LM_TRY(lm_vec_push(&p->users, 0));
    }
    LM_REQUIRE(at < LM_POINT_WALKS, LM_USAGE, "the methods need more than %d walks at once; ask in several questions",
               LM_POINT_WALKS);
    p->walk.at[at].trace |= walk->trace;
    p->users.at[at] += !job->walks[at];
    job->walks[at] = true;
    *number = (int)at;
    return LM_OK;
}

lm_status lm_need_value(lm_task *t, lm_site site, int *number)
{
    lm_point *p = t->point;
    size_t at = 0;
    while (at < p->value.count && !lm_site_equal(p->value.at[at], site))
        at++;
    if (at == p->value.count)
        LM_TRY(lm_vec_push(&p->value, site));
    *number = (int)at;
    return LM_OK;
}

static int signals_before(const lm_point *p, int walk)
{
    int n = 0;
    for (int i = 0; i < walk; i++)
        n += p->walk.at[i].nsite;
    return n;
}

const lm_view *lm_point_signal(const lm_task *t, int walk, int site, int target)
{
    const lm_point *p = t->point;
    return &p->swept.signal[(signals_before(p, walk) + site) * p->targets + target];
}

const lm_view *lm_point_value(const lm_task *t, int value)
{
    return &t->point->swept.value[value];
}

const lm_trace_sum *lm_point_trace(const lm_task *t, int walk, int target, int *n)
{
    const lm_swept *s = &t->point->swept;
    *n = s->trace && s->ntrace ? s->ntrace[walk] : 0;
    return *n ? s->trace[walk * t->point->targets + target] : NULL;
}

static lm_status keep_view(lm_arena *arena, const lm_view *from, lm_view *to)
{
    LM_TRY(lm_scratch(arena, from->dt, &from->sh, to));
    memcpy(lm_view_data(to), lm_view_data(from), (size_t)lm_shape_count(&from->sh) * lm_dtype_size(from->dt));
    return LM_OK;
}

static lm_status keep_views(lm_arena *arena, const lm_view *from, int n, const lm_view **out)
{
    lm_view *to = lm_arena_alloc(arena, (size_t)n, sizeof *to);
    if (!to)
        return LM_MEMORY;
    for (int i = 0; i < n; i++)
        LM_TRY(keep_view(arena, &from[i], &to[i]));
    *out = to;
    return LM_OK;
}

static lm_status keep_trace(lm_point *p, const lm_swept *r)
{
    size_t walks = p->walk.count;
    int *n = lm_arena_alloc(p->arena, walks, sizeof *n);
    const lm_trace_sum **rows = lm_arena_alloc(p->arena, walks * (size_t)p->targets, sizeof *rows);
    if (!n || !rows)
        return LM_MEMORY;
    for (size_t w = 0; r->trace && r->ntrace && w < walks; w++) {
        n[w] = p->walk.at[w].trace ? r->ntrace[w] : 0;
        for (int t = 0; n[w] && t < p->targets; t++) {
            size_t at = w * (size_t)p->targets + (size_t)t;
            rows[at] = lm_arena_copy(p->arena, r->trace[at], (size_t)n[w], sizeof **rows);
            if (!rows[at])
                return LM_MEMORY;
        }
    }
    p->swept.trace = rows;
    p->swept.ntrace = n;
    return LM_OK;
}

/* Keep a copy of what came of the one row. */
static lm_status keep(void *own, int64_t row, const lm_swept *r)
{
    lm_point *p = own;
    (void)row;
    LM_TRY(keep_view(p->arena, &r->goal, &p->swept.goal));
    LM_TRY(keep_views(p->arena, r->value, (int)p->value.count, &p->swept.value));
    LM_TRY(keep_views(p->arena, r->signal, signals_before(p, (int)p->walk.count) * p->targets, &p->swept.signal));
    return keep_trace(p, r);
}

static lm_sweep begin(lm_point *p, lm_task *t)
{
    lm_sweep w = lm_task_begin(t);
    p->targets = t->targets;
    w.nvalue = (int)p->value.count;
    w.value = p->value.at;
    w.nwalk = (int)p->walk.count;
    w.walk = p->walk.at;
    return w;
}

static lm_status aim(void *own, const lm_swept *early)
{
    const lm_point *p = own;
    return p->aim(p->own, early);
}

lm_status lm_point_run(lm_point *p, lm_task *t)
{
    lm_sweep w = begin(p, t);
    w.aim = p->aim ? aim : NULL;
    w.absorb = keep;
    w.own = p;
    LM_TRY(lm_sweep_run(t->study, &w));
    p->forwards = w.forwards;
    p->backwards = w.backwards;
    return LM_OK;
}

typedef struct row_user {
    lm_point *point;
    lm_status (*fill)(void *own, int64_t row, const lm_view *x);
    lm_status (*absorb)(void *own, int64_t row); /* NULL: keep a copy */
    void *own;
} row_user;

static lm_status fill_row(void *own, int64_t row, const lm_view *x)
{
    const row_user *u = own;
    return u->fill(u->own, row, x);
}

static lm_status lend_row(void *own, int64_t row, const lm_swept *r)
{
    const row_user *u = own;
    if (!u->absorb)
        return keep(u->point, row, r);
    u->point->swept = *r;
    return u->absorb(u->own, row);
}

lm_status lm_point_run_rows(lm_point *p, lm_task *t, int64_t rows,
                            lm_status (*fill)(void *own, int64_t row, const lm_view *x),
                            lm_status (*absorb)(void *own, int64_t row), void *own)
{
    row_user user = {p, fill, absorb, own};
    lm_sweep w = begin(p, t);
    w.ncut = t->ninput;
    w.cut = t->input;
    w.rows = rows;
    w.fill = fill_row;
    w.absorb = lend_row;
    w.own = &user;
    lm_status status = lm_sweep_run(t->study, &w);
    if (absorb)
        p->swept = (lm_swept){.ntrace = NULL};
    p->forwards = w.forwards;
    p->backwards = w.backwards;
    return status;
}

lm_view lm_row_of(const lm_view *rows, int64_t r, const lm_shape *sh)
{
    lm_view v = lm_view_row(rows->dt, sh, rows->buf);
    v.off = rows->off + (size_t)(r * lm_shape_count(sh)) * lm_dtype_size(rows->dt);
    return v;
}

static lm_status fill_forward(void *own, int64_t row, const lm_view *x)
{
    const lm_forward *f = own;
    for (int i = 0; i < f->ncut; i++) {
        lm_view from = lm_row_of(&f->at[i], row, &x[i].sh);
        memcpy(lm_view_data(&x[i]), lm_view_data(&from), (size_t)lm_shape_count(&x[i].sh) * lm_dtype_size(x[i].dt));
    }
    return LM_OK;
}

/* Put a row behind those that came before. */
static lm_status gather(lm_forward *f, const lm_view *from, const lm_shape *all, int64_t row, lm_view *to)
{
    if (row == 0)
        LM_TRY(lm_scratch(f->arena, from->dt, all, to));
    lm_view at = lm_row_of(to, row, &from->sh);
    memcpy(lm_view_data(&at), lm_view_data(from), (size_t)lm_shape_count(&from->sh) * lm_dtype_size(from->dt));
    return LM_OK;
}

static lm_status absorb_forward(void *own, int64_t row, const lm_swept *r)
{
    lm_forward *f = own;
    lm_shape all = r->goal.sh;
    if (f->rows > 1)
        all.dim[0] *= f->rows;
    return gather(f, &r->goal, &all, row, &f->goals);
}

lm_status lm_forward_run(lm_forward *f)
{
    lm_sweep w = {.feed = f->feed, .goal = f->goal, .ncut = f->ncut, .cut = f->cut, .rows = f->rows,
                  .fill = f->ncut ? fill_forward : NULL, .absorb = absorb_forward, .own = f, .cancel = f->cancel};
    LM_TRY(lm_sweep_run(f->study, &w));
    f->forwards = w.forwards;
    return LM_OK;
}
