/* When steps have to run: what hangs on still inputs alone only when these change, what hangs on late ones at the
 * end. */
#include <limits.h>
#include <string.h>

#include "core/run/plan_parts.h"

/* Does any of these values move, or come late? */
static void gather(const lm_plan *p, const lm_val *v, int n, bool *moves, bool *late)
{
    for (int i = 0; i < n; i++) {
        *moves = *moves || p->values.at[v[i]].moves;
        *late = *late || p->values.at[v[i]].late;
    }
}

lm_status lm_plan_stages(lm_plan *p, const lm_plan_options *o)
{
    p->first_late = INT_MAX;
    for (size_t i = 0; i < p->model->inputs.count; i++) {
        plan_value *v = &p->values.at[p->input[i]];
        if (p->input[i] == LM_NOVAL)
            continue;
        v->moves = !(o && o->still && o->still[i]);
        v->late = o && o->late && o->late[i];
        p->any_still = p->any_still || !v->moves;
    }
    for (size_t i = 0; i < p->items.count; i++) {
        const plan_item *it = &p->items.at[i];
        bool moves = false, late = false;
        gather(p, it->x, it->nx, &moves, &late);
        for (int k = 0; k < it->ny; k++) {
            plan_value *y = &p->values.at[it->y[k]];
            y->moves = moves;
            y->late = late;
            y->made = (int)i;
        }
        if (late && (int)i < p->first_late)
            p->first_late = (int)i;
    }
    return LM_OK;
}

void lm_plan_hold(lm_plan *p)
{
    for (size_t i = 0; p->any_still && i < p->items.count; i++) {
        const plan_item *it = &p->items.at[i];
        for (int k = 0; k < it->nx; k++) {
            const plan_value *x = &p->values.at[it->x[k]];
            if (x->cell >= 0 && !x->moves && p->values.at[it->y[0]].moves)
                p->cells.at[x->cell].held = true;
        }
    }
    for (size_t i = 0; p->any_still && i < p->model->inputs.count; i++) {
        const plan_value *v = &p->values.at[p->input[i]];
        if (p->input[i] != LM_NOVAL && !v->moves && v->cell >= 0)
            p->cells.at[v->cell].held = true;
    }
    for (size_t i = 0; p->any_still && i < p->model->outputs.count; i++) {
        const plan_value *v = &p->values.at[p->output[i]];
        if (v->cell >= 0 && !v->moves)
            p->cells.at[v->cell].held = true;
    }
    for (size_t i = 0; i < p->cells.count; i++)
        if (p->cells.at[i].held)
            p->cells.at[i].last = INT_MAX;
}

lm_status lm_plan_unchanged(lm_plan *p, const lm_view *feed, bool *out)
{
    *out = p->any_still && p->warm;
    for (size_t i = 0; i < p->entries.count; i++) {
        plan_entry *e = &p->entries.at[i];
        const lm_view *f = &feed[e->input];
        if (p->values.at[e->value].moves)
            continue;
        const size_t bytes = (size_t)lm_shape_count(&f->sh) * lm_dtype_size(f->dt);
        lm_view kept = lm_view_row(f->dt, &f->sh, e->kept);
        if (e->kept && lm_view_is_row(f) && memcmp(lm_view_data(&kept), lm_view_data(f), bytes) == 0)
            continue;
        *out = false;
        if (!e->kept) {
            LM_TRY(lm_buffer_new(bytes ? bytes : 1, &e->kept));
            kept.buf = e->kept;
        }
        lm_plan_copy(&kept, f);
    }
    return LM_OK;
}
