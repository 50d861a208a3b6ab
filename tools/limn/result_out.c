/* Results as .npy, .npz, .json and .csv files, at once or part by part. */
#include <string.h>

#include "numbers.h"
#include "result.h"

lm_status result_out_open(command *cmd, const char *path, int64_t rows, result_out *out)
{
    static const sink_form forms[FORMS] = {[FORM_NPY] = SINK_NPY, [FORM_NPZ] = SINK_NPZ, [FORM_JSON] = SINK_JSON,
                                           [FORM_CSV] = SINK_TEXT};
    *out = (result_out){.form = FORM_JSON};
    if (path)
        LM_TRY(result_form_of(path, &out->form));
    sink_start(cmd, path, forms[out->form], rows, &out->to);
    return LM_OK;
}

static lm_status begin(result_out *o)
{
    lm_json *j = &o->to.json;
    LM_TRY(sink_begin(&o->to));
    if (o->form != FORM_JSON)
        return LM_OK;
    lm_json_object(j);
    lm_json_key(j, "samples");
    lm_json_array(j);
    return LM_OK;
}

static lm_status add_arrays(result_out *o, const result *r)
{
    lm_status status = LM_OK;
    LM_REQUIRE(o->form == FORM_NPZ || r->outputs, LM_INPUT, "%s: the model has no output to write; use .npz",
               o->to.path);
    for (size_t i = 0; i < (o->form == FORM_NPY ? 1 : r->count) && status == LM_OK; i++) {
        lm_view v;
        LM_TRY(numbers_view(&r->tensor[i], &v));
        status = arrays_add(&o->to.arrays, r->name[i], &v);
        lm_buffer_unref(v.buf);
    }
    arrays_next_part(&o->to.arrays);
    return status;
}

/* Parts of texts may have other shapes than the first, which no array and no table can hold. */
static lm_status check_shapes(result_out *o, const result *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const limn_tensor *t = &r->tensor[i];
        if (!o->to.begun)
            LM_TRY(lm_vec_push(&o->like, (limn_tensor){.rank = t->rank}));
        limn_tensor *like = &o->like.at[i];
        if (!o->to.begun)
            memcpy(like->dim, t->dim, sizeof like->dim);
        const bool same = t->rank == like->rank && t->rank > 0 && t->dim[0] == r->samples &&
                          memcmp(t->dim + 1, like->dim + 1, (size_t)(t->rank - 1) * sizeof *t->dim) == 0;
        LM_REQUIRE(same || (o->form == FORM_NPY && i > 0), LM_INPUT,
                   "-o %s: the texts have different numbers of tokens and are run one by one, and '%s' has another shape "
                   "for each; use .json",
                   o->to.path, r->name[i]);
    }
    return LM_OK;
}

lm_status result_out_add(result_out *o, const result *r)
{
    const bool first = !o->to.begun;
    if (o->to.rows && o->form != FORM_JSON)
        LM_TRY(check_shapes(o, r));
    if (first)
        LM_TRY(begin(o));
    if (o->form <= FORM_NPZ)
        return add_arrays(o, r);
    if (o->form == FORM_JSON)
        result_json(r, &o->to.json);
    else
        result_csv(r, first, &o->to.text);
    return sink_flush(&o->to);
}

/* Who ran how many samples, where several devices did. */
static void add_run(const subject *on, lm_json *j)
{
    if (limn_session_shares(on->session, NULL, 0, NULL) < 2)
        return;
    lm_json_key(j, "run");
    lm_json_object(j);
    subject_shares_json(on, j);
    lm_json_end_object(j);
}

lm_status result_out_close(result_out *o, const subject *on)
{
    lm_json *j = &o->to.json;
    if (o->form == FORM_JSON) {
        lm_json_end_array(j);
        add_run(on, j);
        lm_json_end_object(j);
        lm_str_char(j->out, '\n');
    }
    lm_status status = sink_close(&o->to);
    result_out_drop(o);
    return status;
}

void result_out_drop(result_out *o)
{
    sink_drop(&o->to);
    lm_vec_free(&o->like);
}
