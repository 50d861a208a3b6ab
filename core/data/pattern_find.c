/* Searching with regular expressions: the program is followed, and where it fails the last choice is taken back. */
#include "core/data/pattern_inside.h"

/* Steps that one match may take: far more than any that goes forward. */
enum { PATIENCE = 1 << 24 };

/* A place to go back to. */
typedef struct choice {
    size_t step, at;
} choice;

typedef struct search {
    const lm_pattern *p;
    const lm_text *t;
    LM_VEC(choice) open;
    int64_t left; /* steps */
} search;

static bool in_item(const lm_set_item *i, uint32_t c)
{
    switch (i->kind) {
    case SET_RANGE: return i->low <= c && c <= i->high;
    case SET_CATEGORY: return (lm_category(c) & i->low) != 0;
    case SET_SPACE: return lm_is_space(c);
    default: return lm_is_word(c);
    }
}

static bool in_set(const lm_pattern *p, const lm_set *s, uint32_t c)
{
    for (size_t i = 0; i < s->count; i++)
        if (in_item(&p->item.at[s->first + i], c) != p->item.at[s->first + i].not )
            return !s->not ;
    return s->not ;
}

static bool folded_in_set(const lm_pattern *p, const lm_set *s, uint32_t c)
{
    const uint32_t small = lm_letter_fold(c), capital = small >= 'a' && small <= 'z' ? small - 32 : small;
    return in_set(p, s, c) || in_set(p, s, small) || in_set(p, s, capital);
}

static bool takes(const lm_pattern *p, const lm_pattern_step *s, uint32_t c)
{
    switch (s->op) {
    case STEP_CHAR: return s->fold ? lm_letter_fold(c) == lm_letter_fold((uint32_t)s->a) : c == (uint32_t)s->a;
    case STEP_SET: return s->fold ? folded_in_set(p, &p->set.at[s->a], c) : in_set(p, &p->set.at[s->a], c);
    default: return s->a || c != '\n';
    }
}

/* The beginning of the character before. */
static size_t before(const lm_text *t, size_t at)
{
    do
        at--;
    while (((unsigned char)t->at[at] & 0xc0) == 0x80);
    return at;
}

static bool word_at(const lm_text *t, size_t at, bool ahead)
{
    size_t n;
    if (ahead ? at == t->count : at == 0)
        return false;
    return lm_is_word(lm_utf8_read(t->at + (ahead ? at : before(t, at)), &n));
}

static bool at_edge(const lm_text *t, int edge, size_t at)
{
    switch (edge) {
    case EDGE_TEXT_BEGIN: return at == 0;
    case EDGE_TEXT_END: return at == t->count;
    case EDGE_LINE_BEGIN: return at == 0 || (t->at[at - 1] == '\n' && at < t->count);
    case EDGE_LINE_END: return at == t->count || t->at[at] == '\n';
    default: return (word_at(t, at, false) != word_at(t, at, true)) == (edge == EDGE_WORD);
    }
}

static lm_status run(search *s, size_t step, size_t at, bool *found, size_t *end);

/* A part of the program by itself: looked at, or taken as one. */
static lm_status run_part(search *s, size_t step, size_t *at, bool *holds)
{
    const lm_pattern_step *i = &s->p->step.at[step];
    size_t from = *at, end = 0;
    bool found = false, room = true;
    if (i->op == STEP_LOOK && i->b & LOOK_BACK)
        for (int k = 0; k < i->back && room; k++) {
            room = from > 0;
            from = room ? before(s->t, from) : 0;
        }
    if (room)
        LM_TRY(run(s, step + 1, from, &found, &end));
    if (i->op == STEP_LOOK) {
        *holds = found != ((i->b & LOOK_NOT) != 0);
        return LM_OK;
    }
    *holds = found;
    *at = found ? end : *at;
    return LM_OK;
}

/* From a step to its STEP_END. */
static lm_status run(search *s, size_t step, size_t at, bool *found, size_t *end)
{
    const size_t base = s->open.count;
    *found = false;
    for (;;) {
        const lm_pattern_step *i = &s->p->step.at[step];
        bool holds = true;
        LM_REQUIRE(--s->left > 0, LM_UNSUPPORTED,
                   "a pattern of the tokenizer finds no end in this text; shorten the text");
        if (i->op <= STEP_ANY) {
            size_t n = 0;
            holds = at < s->t->count && takes(s->p, i, lm_utf8_read(s->t->at + at, &n));
            at += holds ? n : 0;
            step++;
        } else if (i->op == STEP_SPLIT) {
            LM_TRY(lm_vec_push(&s->open, (choice){(size_t)((int64_t)step + i->b), at}));
            step = (size_t)((int64_t)step + i->a);
        } else if (i->op == STEP_JUMP) {
            step = (size_t)((int64_t)step + i->a);
        } else if (i->op == STEP_EDGE) {
            holds = at_edge(s->t, i->a, at);
            step++;
        } else if (i->op == STEP_END) {
            *found = true;
            *end = at;
            s->open.count = base;
            return LM_OK;
        } else {
            LM_TRY(run_part(s, step, &at, &holds));
            step = (size_t)((int64_t)step + i->a);
        }
        if (holds)
            continue;
        if (s->open.count == base)
            return LM_OK;
        const choice c = s->open.at[--s->open.count];
        step = c.step;
        at = c.at;
    }
}

static lm_status find_all(search *s, lm_founds *out)
{
    const lm_text *t = s->t;
    size_t n;
    for (size_t at = 0; at < t->count;) {
        bool found;
        size_t end = at;
        s->left = PATIENCE;
        LM_TRY(run(s, 0, at, &found, &end));
        if (found)
            LM_TRY(lm_found_add(out, at, end, true));
        lm_utf8_read(t->at + at, &n);
        at = end > at ? end : at + n;
    }
    return lm_found_add(out, t->count, t->count, false);
}

lm_status lm_pattern_find(const lm_pattern *p, const lm_text *t, lm_founds *out)
{
    search s = {.p = p, .t = t};
    lm_status status = find_all(&s, out);
    lm_vec_free(&s.open);
    return status;
}
