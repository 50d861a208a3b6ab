/* What makes two passes the same: everything but the numbers that they are fed with. */
#include <string.h>

#include "core/explain/pass.h"

static void add(lm_str *key, const void *bytes, size_t count)
{
    lm_str_add_bytes(key, bytes, count);
}

#define ADD(value) add(key, &(value), sizeof(value))

static void add_sites(lm_str *key, int n, const lm_site *site)
{
    ADD(n);
    for (int i = 0; i < n; i++)
        ADD(site[i].name);
}

/* By its content: sets that are read from files come and go. */
static void add_set(lm_str *key, const lm_ruleset *set)
{
    for (; set; set = set->base) {
        ADD(set);
        ADD(set->nrows);
        ADD(set->deflt);
        ADD(set->n_ref);
        ADD(set->nsig);
        ADD(set->canon);
        ADD(set->eps);
        for (int i = 0; i < set->nrows; i++) {
            const lm_row *r = &set->rows[i];
            const char *name = r->name ? r->name : "";
            ADD(r->match);
            ADD(r->key);
            ADD(r->rule);
            ADD(r->parts);
            ADD(r->cfg);
            add(key, name, strlen(name) + 1);
            if (r->own) {
                ADD(r->own->has);
                ADD(r->own->eps);
                ADD(r->own->gamma);
                ADD(r->own->alpha);
                ADD(r->own->beta);
                ADD(r->own->low);
                ADD(r->own->high);
            }
        }
    }
    add(key, "", 1);
}

static void add_options(lm_str *key, const lm_rule_options *o)
{
#define LM_RULE_OPTION(type, name, what) ADD(o->name);
#include "core/rules/options.def"
#undef LM_RULE_OPTION
}

static void add_bound(lm_str *key, const lm_view *v)
{
    const int32_t rank = v ? v->sh.rank : LM_ABSENT;
    ADD(rank);
    if (v)
        add(key, v->sh.dim, sizeof v->sh.dim);
}

lm_status lm_pass_key(const pass_wish *p, const study_build *b, lm_str *key)
{
    const lm_sweep *w = p->w;
    const bool filled = w->fill != NULL;
    add(key, b->key.text, b->key.count);
    add(key, b->contents, sizeof b->contents);
    ADD(p->rows);
    ADD(p->targets);
    ADD(p->forward);
    ADD(filled);
    ADD(w->goal.output);
    ADD(w->goal.after);
    ADD(w->goal.site.name);
    add_sites(key, w->ncut, w->cut);
    add_sites(key, p->forward ? w->nvalue : 0, w->value);
    add_sites(key, p->forward ? w->ntangent : 0, w->tangent);
    for (int i = 0; i < p->nwalk; i++) {
        const lm_walk *walk = &w->walk[p->walk[i]];
        const bool baseline = walk->baseline != NULL;
        add_set(key, walk->set);
        add_options(key, &walk->options);
        add_bound(key, walk->low);
        add_bound(key, walk->high);
        add_sites(key, walk->nsite, walk->site);
        ADD(walk->relevance);
        ADD(walk->trace);
        ADD(baseline);
    }
    return key->status;
}
