/* Explanations of tables, token sequences and time series as panels. */
#include "explanation_panel.h"

#include <string.h>

#include "core/tensor/dtype.h"
#include "explanation_map.h"
#include "numbers.h"

/* A row of this many numbers without names is taken for a curve, not for a table. */
enum { SERIES_FROM = 65 };

/* What is needed of one input to draw attributions of it. */
typedef struct painter {
    const explanation *e;
    const limn_tensor *x; /* what was fed */
    lm_panel_kind kind;
    bool last; /* series: channels vary fastest */
    lm_arena *arena;
} painter;

static double number(const limn_tensor *t, size_t i)
{
    return lm_load_f64(t->type, (const char *)t->data + i * limn_dtype_size(t->type));
}

static bool choose(painter *p, const limn_attribution *a)
{
    const inputs *in = p->e->in;
    p->x = NULL;
    for (size_t i = 0; i < in->feeds; i++)
        if (strcmp(in->feed[i].name, a->site) == 0)
            p->x = &in->feed[i].tensor;
    const limn_tensor *x = p->x, *v = &a->values;
    bool fits =
        x && !a->layered && (v->rank == 2 || v->rank == 3) && v->dim[0] == p->e->samples && numbers_below(v, 1) > 0;
    const bool alike = fits && x->rank == v->rank && x->dim[1] == v->dim[1];
    if (fits && v->rank == 2 && !lm_dtype_is_float(x->type)) {
        p->kind = LM_PANEL_TOKENS;
        fits = alike;
    } else if (fits && v->rank == 2 && !alike) {
        p->kind = LM_PANEL_TOKENS; /* that the network made of a picture or a sound: they have numbers only */
        p->x = NULL;
    } else if (fits && v->rank == 2) {
        const bool named = in->column.count == (size_t)v->dim[1];
        p->kind = in->layout == LAYOUT_NLC || (!named && v->dim[1] >= SERIES_FROM) ? LM_PANEL_CURVE : LM_PANEL_BARS;
    } else if (fits) {
        p->kind = LM_PANEL_CURVE;
        p->last = inputs_series_last(in, p->e->on->model, a->site);
        fits = x->rank == 3 && inputs_picture(in, p->e->on->model, a->site, 0) == NULL;
    }
    return fits;
}

/* Columns by their names, tokens by what was read, or their numbers. */
static lm_status name_all(painter *p, const limn_attribution *a, int64_t sample, lm_panel *panel)
{
    const inputs *in = p->e->in;
    const char **name = lm_arena_alloc(p->arena, (size_t)panel->count, sizeof *name);
    if (!name)
        return LM_MEMORY;
    for (int i = 0; i < panel->count; i++) {
        const bool named = in->column.count == (size_t)panel->count && *in->column.at[i];
        const char *token = inputs_token(in, a->site, sample, i);
        lm_str text = {0};
        if (token)
            lm_str_add(&text, token);
        else if (p->kind == LM_PANEL_TOKENS && !p->x)
            lm_str_printf(&text, "%d", i);
        else if (p->kind == LM_PANEL_TOKENS)
            lm_str_printf(&text, "%.0f", number(p->x, (size_t)sample * (size_t)panel->count + (size_t)i));
        else if (named)
            lm_str_add(&text, in->column.at[i]);
        else
            lm_str_printf(&text, "%s[%d]", a->site, i);
        name[i] = text.status == LM_OK ? lm_arena_strdup(p->arena, lm_str_text(&text)) : NULL;
        lm_str_free(&text);
        if (!name[i])
            return LM_MEMORY;
    }
    panel->name = name;
    return LM_OK;
}

/* The numbers of one sample; attributions of series are summed over channels. */
static lm_status fill(painter *p, const limn_attribution *a, int64_t sample, lm_panel *panel)
{
    const limn_tensor *v = &a->values;
    const bool deep = v->rank == 3;
    const int channels = deep ? (int)v->dim[p->last ? 2 : 1] : 1, steps = (int)v->dim[deep && !p->last ? 2 : 1];
    const size_t first = (size_t)sample * numbers_below(v, 1), along = deep && p->last ? (size_t)channels : 1,
                 across = p->last ? 1 : (size_t)steps;
    double *value = lm_arena_alloc(p->arena, (size_t)steps, sizeof *value);
    double *curve = lm_arena_alloc(p->arena, (size_t)steps * (size_t)channels, sizeof *curve);
    double *part = lm_arena_alloc(p->arena, (size_t)steps * (size_t)channels, sizeof *part);
    if (!value || !curve || !part)
        return LM_MEMORY;
    for (int i = 0; i < steps; i++) {
        value[i] = 0;
        for (int c = 0; c < channels; c++) {
            const size_t at = first + (size_t)i * along + (size_t)c * across;
            part[c * steps + i] = number(v, at);
            value[i] += part[c * steps + i];
            if (p->kind != LM_PANEL_TOKENS)
                curve[c * steps + i] = number(p->x, at);
        }
    }
    panel->count = steps;
    panel->value = value;
    panel->series = channels;
    panel->curve = curve;
    panel->part = part;
    return p->kind == LM_PANEL_CURVE ? LM_OK : name_all(p, a, sample, panel);
}

bool explanation_is_panel(const explanation *e, const limn_attribution *a)
{
    painter p = {.e = e};
    return choose(&p, a);
}

lm_status explanation_panel(const explanation *e, const limn_attribution *a, int64_t sample, lm_arena *arena,
                            lm_panel *out)
{
    painter p = {.e = e, .arena = arena};
    LM_REQUIRE(choose(&p, a), LM_USAGE,
               "%s of '%s': is no table [N,F], no tokens [N,T] and no series [N,C,T] of an input, which .svg files are "
               "for; give -o with .png for pictures, .npz for anything",
               a->method, a->site);
    out->kind = p.kind;
    out->positive = explanation_is_size(a);
    return fill(&p, a, sample, out);
}
