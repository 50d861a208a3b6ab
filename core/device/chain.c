/* Which device runs a call: the one that LIMN_BACKEND asks for, then the host's own. */
#include "core/device/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/env.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/nearest.h"
#include "core/base/vec.h"
#include "core/device/registry.h"
#include "core/device/spec.h"

/* Who takes what the chosen device refuses, in this order. */
static const char *const hosts[] = {"cpu", "ref"};

typedef struct search {
    const lm_family *family;
    int families;
    const lm_spec *spec;
    bool failed;    /* a device that was wanted did not open */
    lm_str reasons; /* why the devices looked at so far cannot be used, "; " between them */
} search;

static const lm_family *find(const search *s, const char *name)
{
    for (int i = 0; i < s->families; i++)
        if (strcmp(s->family[i].backend->name, name) == 0)
            return &s->family[i];
    return NULL;
}

/* LM_USAGE, listing what exists. */
static lm_status unknown(const search *s, const char *name)
{
    const char *known[LM_FAMILIES_MAX + 1];
    size_t n = 0;
    lm_str all = {0}, near = {0};
    for (int i = -1; i < s->families && n < LM_COUNT(known); i++) {
        known[n] = i < 0 ? "auto" : s->family[i].backend->name;
        lm_str_printf(&all, "%s%s", n ? ", " : "", known[n]);
        n++;
    }
    bool any = lm_nearest(name, known, n, &near);
    lm_status status = lm_fail(LM_USAGE, "%s: unknown device%s%s; there are %s", name, any ? ", nearest: " : "",
                               lm_str_text(&near), lm_str_text(&all));
    lm_str_free(&all);
    lm_str_free(&near);
    return status;
}

/* Everything that can be wrong with the list itself, all of it before anything opens. */
static lm_status check_words(const search *s)
{
    for (int i = 0; i < s->spec->count; i++) {
        const lm_spec_word *word = &s->spec->word[i];
        if (!lm_spec_is_auto(word) && !find(s, word->name))
            return unknown(s, word->name);
    }
    for (int i = 0; i < s->spec->count; i++)
        if (s->spec->word[i].opts.count)
            LM_TRY(lm_family_check(find(s, s->spec->word[i].name), &s->spec->word[i].opts));
    return LM_OK;
}

static bool excluded(const lm_spec *spec, const char *device)
{
    for (int i = 0; i < spec->count; i++)
        if (spec->word[i].exclude && lm_spec_names(&spec->word[i], device))
            return true;
    return false;
}

/* An exclusion without a number spares the family even the look for devices, so it also gets around a broken driver. */
static bool family_excluded(const lm_spec *spec, const char *name)
{
    for (int i = 0; i < spec->count; i++)
        if (spec->word[i].exclude && !*spec->word[i].index && strcmp(spec->word[i].name, name) == 0)
            return true;
    return false;
}

/* May `auto` pick it? The reference is eligible when nothing else is left, since it is looked at last. */
static bool eligible(const lm_devinfo *info)
{
    return info->eligible || info->kind == LM_KIND_REFERENCE;
}

static void add_reason(search *s, const char *device, const char *reason)
{
    lm_str_printf(&s->reasons, "%s%s: %s", s->reasons.count ? "; " : "", device, reason);
}

/* Open the family's first device that `word` names (NULL: that is eligible) and that opens. LM_NO when there is none,
 * with the reasons added; failures that another device could not cure end the search. */
static lm_status open_from(search *s, const lm_family *f, const lm_spec_word *word, lm_device **out)
{
    const char *name = f->backend->name;
    if (family_excluded(s->spec, name)) {
        add_reason(s, name, "excluded");
        return LM_NO;
    }
    lm_devinfo *found = lm_malloc(LM_FAMILY_DEVICES, sizeof *found);
    if (!found)
        return LM_MEMORY;
    int n = 0, looked_at = 0;
    const lm_kv none = {0};
    lm_status status = lm_family_probe(f, found, &n), result = LM_NO;
    if (status == LM_DEVICE)
        lm_context(status, "leave it out with LIMN_BACKEND=-%s, or repair its driver", name);
    for (int i = 0; status == LM_OK && i < n; i++) {
        if (word ? !lm_spec_names(word, found[i].name) : !eligible(&found[i]))
            continue;
        looked_at++;
        if (excluded(s->spec, found[i].name)) {
            add_reason(s, found[i].name, "excluded");
            continue;
        }
        status = result = lm_family_open(f, i, word ? &word->opts : &none, out);
        if (status == LM_OK)
            break;
        if (status == LM_DEVICE || status == LM_UNSUPPORTED) {
            add_reason(s, found[i].name, lm_message());
            s->failed = true;
            status = LM_OK;
            result = LM_NO;
        } else {
            lm_context(status, "%s", found[i].name);
        }
    }
    if (status == LM_OK && !looked_at) {
        char text[LM_SPEC_TEXT];
        lm_str reason = {0};
        const bool trouble = !n && *lm_message();
        lm_str_add(&reason, trouble ? lm_message() : word || !n ? "this machine has none" : "none that auto picks");
        s->failed |= word && trouble;
        for (int i = 0; i < n; i++)
            lm_str_printf(&reason, "%s %s", i ? "," : "; there is", found[i].name);
        add_reason(s, word ? lm_spec_text(word, text) : name, lm_str_text(&reason));
        lm_str_free(&reason);
    }
    lm_free(found);
    return status != LM_OK ? status : result;
}

static int by_priority(const void *a, const void *b)
{
    const lm_family *const *fa = a, *const *fb = b;
    int pa = (*fa)->backend->priority, pb = (*fb)->backend->priority;
    /* equal priorities keep the registry's order */
    return pa != pb ? (pa < pb) - (pa > pb) : (*fa > *fb) - (*fa < *fb);
}

/* All families, the one that `auto` prefers first; lm_free the list. */
static const lm_family **ranked(const lm_family *family, int families)
{
    const lm_family **order = lm_malloc((size_t)families, sizeof *order);
    if (!order)
        return NULL;
    for (int i = 0; i < families; i++)
        order[i] = &family[i];
    qsort(order, (size_t)families, sizeof *order, by_priority);
    return order;
}

static lm_status open_auto(search *s, lm_device **out)
{
    const lm_family **order = ranked(s->family, s->families);
    if (!order)
        return LM_MEMORY;
    lm_status status = LM_NO;
    for (int i = 0; status == LM_NO && i < s->families; i++)
        status = open_from(s, order[i], NULL, out);
    lm_free(order);
    return status;
}

/* The devices of an item, which begins at word `first`: all of them or none. */
static lm_status open_item(search *s, int first, lm_chain *chain)
{
    lm_chain *at = chain;
    for (int i = first; i == first || (i < s->spec->count && s->spec->word[i].joined); i++) {
        const lm_spec_word *word = &s->spec->word[i];
        if (i > first) {
            LM_NEW(at->beside);
            at = at->beside;
        }
        LM_TRY(lm_spec_is_auto(word) ? open_auto(s, &at->dev[0])
                                     : open_from(s, find(s, word->name), word, &at->dev[0]));
        at->n = 1;
        at->strict = word->strict;
        at->share = word->share;
        at->compute = at->dev[0]->compute;
    }
    return LM_OK;
}

/* Besides `auto`, which it may end with. */
static bool only_excludes(const lm_spec *spec)
{
    for (int i = 0; i < spec->count; i++)
        if (!spec->word[i].exclude && (i == 0 || !lm_spec_is_auto(&spec->word[i])))
            return false;
    return true;
}

/* The devices that the list asks for. */
static lm_status open_first(search *s, lm_chain *chain)
{
    lm_status status = LM_NO;
    for (int i = 0; status == LM_NO && i < s->spec->count; i++) {
        if (s->spec->word[i].exclude || s->spec->word[i].joined)
            continue;
        status = open_item(s, i, chain);
        if (status == LM_NO)
            lm_chain_close(chain);
    }
    if (status == LM_NO)
        return lm_fail(LM_DEVICE, "%s: %s; see `limn devices`",
                       only_excludes(s->spec) ? "the device list excludes all that auto would pick"
                                              : "no device can be used",
                       lm_str_text(&s->reasons));
    return status;
}

/* Shares are fixed where speed must not decide who computes what, because that would show. */
static lm_status agree_on_shares(lm_chain *chain)
{
    bool fixed = false;
    for (const lm_chain *c = chain; c; c = c->beside) {
        LM_REQUIRE(c->compute == chain->compute, LM_USAGE,
                   "%s computes in %s, but %s in %s: they cannot share the rows of one result",
                   chain->dev[0]->info.name, lm_dtype_name(chain->compute), c->dev[0]->info.name,
                   lm_dtype_name(c->compute));
        fixed |= c->share > 0 || !c->dev[0]->info.exact;
    }
    for (lm_chain *c = chain; c && chain->beside; c = c->beside)
        c->share = c->share > 0 || !fixed ? c->share : 1;
    return LM_OK;
}

static bool of_family(const lm_device *device, const char *name)
{
    lm_spec_word word = {0};
    snprintf(word.name, sizeof word.name, "%s", name);
    return lm_spec_names(&word, device->info.name);
}

/* The list's own word for a host device, so that its options hold for the fallback too. */
static const lm_spec_word *word_for(const lm_spec *spec, const lm_spec_word *plain)
{
    for (int i = 0; i < spec->count; i++)
        if (!spec->word[i].exclude && lm_spec_names(&spec->word[i], plain->name))
            return &spec->word[i];
    return plain;
}

static lm_status open_fallbacks(search *s, lm_chain *chain)
{
    size_t next = 0;
    for (size_t i = 0; i < LM_COUNT(hosts); i++)
        if (of_family(chain->dev[0], hosts[i]))
            next = i + 1;
    for (; next < LM_COUNT(hosts); next++) {
        const lm_family *f = find(s, hosts[next]);
        if (!f || family_excluded(s->spec, hosts[next]))
            continue;
        lm_spec_word plain = {0};
        snprintf(plain.name, sizeof plain.name, "%s", hosts[next]);
        lm_status status = open_from(s, f, word_for(s->spec, &plain), &chain->dev[chain->n]);
        if (status == LM_NO)
            status = lm_fail(LM_DEVICE, "no device for what %s refuses: %s", chain->dev[0]->info.name,
                             lm_str_text(&s->reasons));
        LM_TRY(status);
        chain->n++;
    }
    return LM_OK;
}

/* A strict chain has one device, but where the host cannot read its memory, constants need another. */
static lm_status open_aside(search *s, lm_chain *chain)
{
    if (!chain->dev[0]->vt->map)
        return LM_OK;
    LM_TRY(open_fallbacks(s, chain));
    chain->aside = chain->n - 1;
    chain->n = 1;
    return LM_OK;
}

lm_status lm_chain_open(const char *spec, lm_chain *out)
{
    const char *list = spec ? spec : lm_env_text(LM_ENV_BACKEND);
    lm_spec parsed;
    LM_TRY(lm_spec_parse(list, &parsed));
    search s = {.spec = &parsed};
    lm_chain chain = {0};
    lm_status status;
    char name[64];
    LM_TRY_OUT(lm_families(&s.family, &s.families));
    LM_TRY_OUT(lm_spec_blame(check_words(&s), list));
    LM_TRY_OUT(open_first(&s, &chain));
    LM_TRY_OUT(lm_spec_blame(agree_on_shares(&chain), list));
    for (lm_chain *c = &chain; c; c = c->beside)
        LM_TRY_OUT(c->strict ? open_aside(&s, c) : open_fallbacks(&s, c));
    if (s.failed)
        lm_log(LM_LOG_WARN, "%s is used instead: %s", lm_chain_text(&chain, name, sizeof name),
               lm_str_text(&s.reasons));
    *out = chain;
out:
    if (status != LM_OK)
        lm_chain_close(&chain);
    lm_str_free(&s.reasons);
    lm_spec_free(&parsed);
    return status;
}

void lm_chain_close(lm_chain *chain)
{
    if (chain->beside)
        lm_chain_close(chain->beside);
    lm_free(chain->beside);
    chain->n += chain->aside;
    while (chain->n > 0) {
        lm_device *device = chain->dev[--chain->n];
        device->vt->close(device);
    }
    *chain = (lm_chain){0};
}

const char *lm_chain_text(const lm_chain *chain, char *text, size_t room)
{
    size_t at = 0;
    text[0] = '\0';
    for (const lm_chain *c = chain; c && at < room; c = c->beside) {
        const int more = snprintf(text + at, room - at, "%s%s", c == chain ? "" : "+", c->dev[0]->info.name);
        at += more > 0 ? (size_t)more : room;
    }
    return text;
}

lm_status lm_chain_bind(const lm_chain *chain, int from, const lm_call *call, int *at, lm_kernel **out)
{
    lm_status status = LM_UNSUPPORTED;
    for (int i = from; i < chain->n; i++) {
        lm_device *device = chain->dev[i];
        status = device->vt->bind(device, call, out);
        if (status == LM_OK) {
            *at = i;
            return LM_OK;
        }
        lm_context(status, "%s", device->info.name);
        if (status != LM_UNSUPPORTED)
            return status;
    }
    if (from >= chain->n)
        return lm_fail(status, "%s: no device is left to try", lm_ops[call->op].name);
    return chain->strict ? lm_context(status, "strict=1 allows no other device") : status;
}

/* Index of what `auto` picks among `list`, which is in the order of the families. */
static int pick(const lm_devinfo *list, const int *priority, int n)
{
    int best = -1;
    for (int i = 0; i < n; i++)
        if (eligible(&list[i]) && (best < 0 || priority[i] > priority[best]))
            best = i;
    return best;
}

lm_status lm_device_list(lm_devinfo **out, int *n, int *chosen)
{
    const lm_family *family;
    int families;
    LM_TRY(lm_families(&family, &families));
    LM_VEC(lm_devinfo) list = {0};
    LM_VEC(int) priority = {0};
    lm_status status = LM_OK;
    for (int i = 0; status == LM_OK && i < families; i++) {
        int found = 0;
        LM_TRY_OUT(lm_vec_reserve(&list, list.count + LM_FAMILY_DEVICES));
        LM_TRY_OUT(lm_family_probe(&family[i], list.at + list.count, &found));
        if (!found && *lm_message())
            lm_log(LM_LOG_WARN, "%s: %s", family[i].backend->name, lm_message());
        list.count += (size_t)found;
        for (int k = 0; k < found; k++)
            LM_TRY_OUT(lm_vec_push(&priority, family[i].backend->priority));
    }
    if (chosen)
        *chosen = pick(list.at, priority.at, (int)list.count);
    *out = list.at;
    *n = (int)list.count;
    list.at = NULL;
out:
    lm_vec_free(&priority);
    lm_vec_free(&list);
    return status;
}
