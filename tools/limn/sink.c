/* Where results go. */
#include "sink.h"

void sink_start(command *cmd, const char *path, sink_form form, int64_t rows, sink *out)
{
    *out = (sink){.path = path, .cmd = cmd, .form = form, .rows = rows, .file = {.fd = -1}};
}

static bool has_arrays(const sink *s)
{
    return s->form == SINK_NPY || s->form == SINK_NPZ;
}

static bool has_text(const sink *s)
{
    return s->form == SINK_JSON || s->form == SINK_TEXT;
}

lm_status sink_begin(sink *s)
{
    if (has_arrays(s))
        LM_TRY(arrays_open(s->path, s->form == SINK_NPZ, s->rows, &s->arrays));
    else if (has_text(s) && s->path)
        LM_TRY(lm_out_open(s->path, &s->file));
    s->begun = true;
    if (s->form == SINK_JSON)
        lm_json_start(&s->json, s->path ? &s->text : &s->cmd->out);
    return LM_OK;
}

lm_status sink_flush(sink *s)
{
    if (!s->path)
        return s->rows ? command_spill(s->cmd) : LM_OK;
    lm_status status = s->text.status;
    if (status == LM_OK)
        status = lm_out_write(&s->file, lm_str_text(&s->text), s->text.count);
    lm_str_clear(&s->text);
    return status;
}

lm_status sink_close(sink *s)
{
    lm_status status = has_text(s) ? sink_flush(s) : LM_OK;
    if (status == LM_OK && has_arrays(s))
        status = arrays_commit(&s->arrays);
    else if (status == LM_OK && has_text(s) && s->path)
        status = lm_out_commit(&s->file);
    sink_drop(s);
    return status;
}

void sink_drop(sink *s)
{
    if (s->begun && has_arrays(s))
        arrays_drop(&s->arrays);
    else if (s->begun && has_text(s))
        lm_out_drop(&s->file);
    lm_str_free(&s->text);
    s->begun = false;
}
