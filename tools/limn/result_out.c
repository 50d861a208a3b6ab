/* Results as .npy, .npz, .json and .csv files, at once or part by part. */
#include <string.h>

#include "numbers.h"
#include "result.h"

lm_status result_out_open(command *cmd, const char *path, int64_t rows, result_out *out)
{
    *out = (result_out){.path = path, .cmd = cmd, .form = FORM_JSON, .rows = rows, .file = {.fd = -1}};
    return path ? result_form_of(path, &out->form) : LM_OK;
}

/* Files are opened with the first result in hand, so that a run that fails touches none. */
static lm_status begin(result_out *o)
{
    if (o->form <= FORM_NPZ)
        LM_TRY(arrays_open(o->path, o->form == FORM_NPZ, o->rows, &o->arrays));
    else if (o->path)
        LM_TRY(lm_out_open(o->path, &o->file));
    o->begun = true;
    if (o->form != FORM_JSON)
        return LM_OK;
    lm_json_start(&o->json, o->path ? &o->text : &o->cmd->out);
    lm_json_object(&o->json);
    lm_json_key(&o->json, "samples");
    lm_json_array(&o->json);
    return LM_OK;
}

static lm_status flush(result_out *o)
{
    if (!o->path)
        return o->rows ? command_spill(o->cmd) : LM_OK;
    lm_status status = o->text.status;
    if (status == LM_OK)
        status = lm_out_write(&o->file, lm_str_text(&o->text), o->text.count);
    lm_str_clear(&o->text);
    return status;
}

static lm_status add_arrays(result_out *o, const result *r)
{
    lm_status status = LM_OK;
    LM_REQUIRE(o->form == FORM_NPZ || r->outputs, LM_INPUT, "%s: the model has no output to write; use .npz", o->path);
    for (size_t i = 0; i < (o->form == FORM_NPY ? 1 : r->count) && status == LM_OK; i++) {
        lm_view v;
        LM_TRY(numbers_view(&r->tensor[i], &v));
        status = arrays_add(&o->arrays, r->name[i], &v);
        lm_buffer_unref(v.buf);
    }
    arrays_next_part(&o->arrays);
    return status;
}

/* Parts of texts may have other shapes than the first, which no array and no table can hold. */
static lm_status check_shapes(result_out *o, const result *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const limn_tensor *t = &r->tensor[i];
        if (!o->begun)
            LM_TRY(lm_vec_push(&o->like, (limn_tensor){.rank = t->rank}));
        limn_tensor *like = &o->like.at[i];
        if (!o->begun)
            memcpy(like->dim, t->dim, sizeof like->dim);
        const bool same = t->rank == like->rank && t->rank > 0 && t->dim[0] == r->samples &&
                          memcmp(t->dim + 1, like->dim + 1, (size_t)(t->rank - 1) * sizeof *t->dim) == 0;
        LM_REQUIRE(same || (o->form == FORM_NPY && i > 0), LM_INPUT,
                   "-o %s: the texts have different numbers of tokens and are run one by one, and '%s' has another shape "
                   "for each; use .json",
                   o->path, r->name[i]);
    }
    return LM_OK;
}

lm_status result_out_add(result_out *o, const result *r)
{
    const bool first = !o->begun;
    if (o->rows && o->form != FORM_JSON)
        LM_TRY(check_shapes(o, r));
    if (first)
        LM_TRY(begin(o));
    if (o->form <= FORM_NPZ)
        return add_arrays(o, r);
    if (o->form == FORM_JSON)
        result_json(r, &o->json);
    else
        result_csv(r, first, &o->text);
    return flush(o);
}

lm_status result_out_close(result_out *o)
{
    lm_status status = LM_OK;
    if (o->form == FORM_JSON) {
        lm_json_end_array(&o->json);
        lm_json_end_object(&o->json);
        lm_str_char(o->json.out, '\n');
        status = flush(o);
    }
    if (status == LM_OK && o->path)
        status = o->form <= FORM_NPZ ? arrays_commit(&o->arrays) : lm_out_commit(&o->file);
    result_out_drop(o);
    return status;
}

void result_out_drop(result_out *o)
{
    if (o->begun && o->form <= FORM_NPZ)
        arrays_drop(&o->arrays);
    else if (o->begun)
        lm_out_drop(&o->file);
    lm_str_free(&o->text);
    lm_vec_free(&o->like);
    o->begun = false;
}
