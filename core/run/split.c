/* Lanes: threads, who takes which rows, and rows absorbed in order. */
#include "core/run/split.h"

#include <signal.h>
#include <string.h>

#include "core/base/fpu.h"
#include "core/base/mem.h"
#include "core/device/spec.h"
#include "core/run/profile.h"

_Static_assert((int)LM_LANES == (int)LM_SPEC_JOINED, "each device of a list has a lane");

/* A plan and packed weights of its own are what a lane costs before its first row. */
enum { ROWS_PER_LANE = 2 };

int lm_split_lanes(const lm_chain *chain)
{
    int lanes = 0;
    for (; chain; chain = chain->beside)
        lanes++;
    return lanes;
}

bool lm_split_pays(const lm_chain *chain, int64_t rows)
{
    return chain->beside && rows >= (int64_t)ROWS_PER_LANE * lm_split_lanes(chain);
}

bool lm_split_alike(const lm_chain *chain, int lanes)
{
    const lm_device *first = chain->dev[0];
    for (int i = 1; i < lanes; i++) {
        chain = chain->beside;
        const lm_device *d = chain->dev[0];
        if (d->vt != first->vt || strcmp(d->info.driver, first->info.driver) != 0 ||
            strcmp(d->info.product, first->info.product) != 0)
            return false;
    }
    return true;
}

typedef struct crew {
    lm_status (*each)(void *own, int lane);
    void *own;
    pthread_mutex_t lock;
    pthread_cond_t decided;
    bool go, stay;           /* all threads are there; one is not */
    lm_status status;        /* the first failure, and what it said */
    char *message, *blamed;
} crew;

typedef struct member {
    crew *crew;
    int lane;
    const char *device;
    pthread_t thread;
} member;

static void work(const member *m)
{
    crew *c = m->crew;
    const lm_fpu caller = lm_fpu_enter();
    const lm_status status = c->each(c->own, m->lane);
    lm_fpu_leave(caller);
    if (status == LM_OK)
        return;
    if (status != LM_INTERRUPTED)
        lm_context(status, "%s", m->device);
    pthread_mutex_lock(&c->lock);
    if (c->status == LM_OK) {
        c->status = status;
        c->message = lm_strdup(lm_message());
        c->blamed = lm_strdup(lm_blamed());
    }
    pthread_mutex_unlock(&c->lock);
}

static void *start(void *arg)
{
    crew *c = ((member *)arg)->crew;
    pthread_mutex_lock(&c->lock);
    while (!c->go && !c->stay)
        pthread_cond_wait(&c->decided, &c->lock);
    const bool go = c->go;
    pthread_mutex_unlock(&c->lock);
    if (go)
        work(arg);
    return NULL;
}

/* Signals are the caller's thread's alone. The number of threads that started. */
static int start_all(member *m, int lanes, int *error)
{
    sigset_t all, before;
    int started = 1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (*error = 0; started < lanes && !*error; started += !*error)
        *error = pthread_create(&m[started].thread, NULL, start, &m[started]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void run_all(crew *c, member *m, int lanes)
{
    int error;
    const int started = start_all(m, lanes, &error);
    pthread_mutex_lock(&c->lock);
    c->go = !error;
    c->stay = error != 0;
    pthread_cond_broadcast(&c->decided);
    pthread_mutex_unlock(&c->lock);
    if (c->go)
        work(&m[0]);
    for (int i = 1; i < started; i++)
        pthread_join(m[i].thread, NULL);
    if (error)
        c->status = lm_fail(LM_MEMORY, "%s: no thread can be started for it (%s); name one device only",
                            m[started].device, strerror(error));
    else if (c->status != LM_OK)
        lm_fail(c->status, "%s", c->message ? c->message : "out of memory");
    lm_blame(c->blamed && *c->blamed ? c->blamed : NULL);
}

lm_status lm_split_each(const lm_chain *chain, int lanes, lm_status (*each)(void *own, int lane), void *own)
{
    if (lanes == 1)
        return each(own, 0);
    crew c = {.each = each, .own = own};
    member m[LM_LANES];
    for (int i = 0; i < lanes; i++, chain = chain->beside)
        m[i] = (member){.crew = &c, .lane = i, .device = chain->dev[0]->info.name};
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.decided, NULL);
    run_all(&c, m, lanes);
    pthread_cond_destroy(&c.decided);
    pthread_mutex_destroy(&c.lock);
    lm_free(c.message);
    lm_free(c.blamed);
    return c.status;
}

static int64_t parts_of(const lm_chain *chain)
{
    return chain->share > 0 ? chain->share : 1;
}

/* Whose row it is by fixed shares: each lane's rows are spread as evenly as they can be, and row 0 is the first one's.
 * A function of the row and the shares alone. */
static int lane_of(const lm_chain *chain, int64_t row)
{
    int lane = 0;
    for (; chain->beside; chain = chain->beside, lane++) {
        int64_t all = 0;
        const int64_t own = parts_of(chain);
        for (const lm_chain *c = chain; c; c = c->beside)
            all += parts_of(c);
        /* rows are far below 2^63 / 1000, which is the largest share */
        const int64_t before = (row * own + all - 1) / all, after = ((row + 1) * own + all - 1) / all;
        if (after > before)
            return lane;
        row -= before;
    }
    return lane;
}

/* Rows a second; measured now, or else as it was before. False where any lane is unknown. */
static bool known_paces(const lm_split *s, double *pace)
{
    bool now = true, before = true;
    for (int i = 0; i < s->lanes; i++) {
        now &= s->gave[i] > 0 && s->busy[i] > 0;
        before &= s->shares->pace[i] > 0;
    }
    for (int i = 0; i < s->lanes && (now || before); i++)
        pace[i] = now ? (double)s->gave[i] / s->busy[i] : s->shares->pace[i];
    return now || before;
}

/* Would lanes that are faster be through with all that is left before this one with `n` rows? */
static bool is_late(const lm_split *s, int lane, int64_t n, int64_t left)
{
    double pace[LM_LANES], faster = 0, todo = (double)left;
    if (!known_paces(s, pace))
        return false;
    for (int i = 0; i < s->lanes; i++)
        if (!s->left[i] && pace[i] > pace[lane]) {
            faster += pace[i];
            todo += 0.5 * (double)n; /* of what it is at */
        }
    return faster > 0 && todo / faster < (double)n / pace[lane];
}

static int64_t choose(lm_split *s, int lane, int64_t most, int64_t *row)
{
    const bool fixed = s->fixed && s->lanes > 1;
    int64_t n = 0, *next = &s->next[fixed ? lane : 0];
    if (!fixed && is_late(s, lane, most < s->rows - *next ? most : s->rows - *next, s->rows - *next))
        return 0;
    for (; *next < s->rows && n < most; ++*next)
        if (!fixed || lane_of(s->chain, *next) == lane)
            row[n++] = *next;
    return n;
}

bool lm_split_is_free(lm_split *s, const lm_part *part)
{
    pthread_mutex_lock(&s->lock);
    const bool is_free = part->n == 0;
    pthread_mutex_unlock(&s->lock);
    return is_free;
}

int64_t lm_split_take(lm_split *s, int lane, int64_t most, lm_part *part)
{
    pthread_mutex_lock(&s->lock);
    while (part->n > 0 && !s->failed)
        pthread_cond_wait(&s->moved, &s->lock);
    const int64_t n = s->failed || s->left[lane] ? 0 : choose(s, lane, most, part->row);
    if (n > 0) {
        part->n = n;
        part->done = 0;
        part->lane = lane;
        part->since = lm_profile_now();
    }
    s->left[lane] = n == 0;
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* Absorb all rows whose turn it is. */
static lm_status absorb(lm_split *s)
{
    for (lm_part **at = &s->given; *at;) {
        lm_part *p = *at;
        if (p->row[p->done] != s->absorbed) {
            at = &p->next;
            continue;
        }
        LM_TRY(s->absorb(s->own, p->lane, p, p->done));
        s->absorbed++;
        if (++p->done == p->n) {
            *at = p->next;
            p->n = 0;
            pthread_cond_broadcast(&s->moved);
        }
        at = &s->given; /* the next row may be in any */
    }
    return LM_OK;
}

lm_status lm_split_give(lm_split *s, int lane, lm_part *part)
{
    pthread_mutex_lock(&s->lock);
    s->busy[lane] += lm_profile_now() - part->since;
    s->gave[lane] += part->n;
    part->next = s->given;
    s->given = part;
    const lm_status status = s->failed ? LM_OK : absorb(s);
    s->failed |= status != LM_OK;
    pthread_mutex_unlock(&s->lock);
    return status;
}

void lm_split_enter(lm_split *s)
{
    pthread_mutex_lock(&s->lock);
}

void lm_split_leave(lm_split *s)
{
    pthread_mutex_unlock(&s->lock);
}

static lm_status run_lane(void *own, int lane)
{
    lm_split *s = own;
    const lm_status status = s->lane(s->own, lane);
    pthread_mutex_lock(&s->lock);
    s->left[lane] = true;
    s->failed |= status != LM_OK;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    return status;
}

static void keep_shares(const lm_split *s)
{
    double pace[LM_LANES], all = 0;
    bool measured = true;
    s->shares->fixed |= s->fixed && s->lanes > 1;
    for (int i = 0; i < s->lanes; i++) {
        measured &= s->gave[i] > 0 && s->busy[i] > 0;
        pace[i] = measured ? (double)s->gave[i] / s->busy[i] : 0;
        all += pace[i];
        s->shares->rows[i] += s->gave[i];
    }
    for (int i = 0; i < s->lanes && s->lanes > 1; i++)
        if (measured)
            s->shares->pace[i] = pace[i] / all;
        else if (s->gave[i] == 0) /* what made it slow may be over: ask it again before long */
            s->shares->pace[i] *= 1.25;
}

lm_status lm_split_run(lm_split *s)
{
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->moved, NULL);
    const lm_status status = lm_split_each(s->chain, s->lanes, run_lane, s);
    keep_shares(s);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    return status;
}
