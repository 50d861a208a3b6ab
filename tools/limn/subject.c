/* Opening what a verb works on. */
#include "subject.h"

#include <string.h>

#include "core/api/handle.h"

lm_status subject_open(const command *cmd, subject *out)
{
    LM_REQUIRE(cmd->operands > 0, LM_USAGE, "the model is missing; write limn %s FILE.onnx", verbs[cmd->verb].name);
    out->file = cmd->operand[0];
    LM_TRY(limn_model_open(out->file, cmd->option[OPT_allow_links], &out->model));
    LM_TRY(limn_device_open(NULL, &out->device));
    return limn_session_open(out->model, out->device, &out->session);
}

void subject_close(subject *s)
{
    limn_session_free(s->session);
    limn_device_free(s->device);
    limn_model_free(s->model);
    *s = (subject){0};
}

enum { DEVICES = 16 };

void subject_shares_json(const subject *s, lm_json *j)
{
    limn_share share[DEVICES];
    int fixed;
    size_t n = limn_session_shares(s->session, share, DEVICES, &fixed);
    if (n < 2)
        return;
    lm_json_key(j, "split");
    lm_json_string(j, fixed ? "fixed" : "speed");
    lm_json_key(j, "shares");
    lm_json_array(j);
    for (size_t i = 0; i < n && i < DEVICES; i++) {
        lm_json_object(j);
        lm_json_key(j, "device");
        lm_json_string(j, share[i].device);
        lm_json_key(j, "class");
        lm_json_string(j, share[i].exact ? "exact" : "close");
        lm_json_key(j, "rows");
        lm_json_int(j, (int64_t)share[i].rows);
        lm_json_end_object(j);
    }
    lm_json_end_array(j);
}

const char *model_metadata(const limn_model *m, const char *key)
{
    const onnx_model *o = lm_model_onnx(m->model);
    for (size_t i = 0; i < o->n_metadata; i++)
        if (strcmp(o->metadata[i].key, key) == 0)
            return o->metadata[i].value;
    return NULL;
}

lm_status port_text(const limn_port *p, lm_str *out)
{
    lm_str_add(out, p->type == LIMN_DTYPES ? "no tensor" : limn_dtype_name(p->type));
    if (p->rank < 0)
        return lm_str_add(out, " of any shape");
    lm_str_char(out, '[');
    for (int i = 0; i < p->rank; i++) {
        lm_str_add(out, i ? "," : "");
        if (p->dim[i] >= 0)
            lm_str_printf(out, "%lld", (long long)p->dim[i]);
        else
            lm_str_add(out, p->dim_name[i] ? p->dim_name[i] : "?");
    }
    return lm_str_char(out, ']');
}

void port_json(lm_json *j, const limn_port *p)
{
    lm_json_object(j);
    lm_json_key(j, "name");
    lm_json_string(j, p->name);
    lm_json_key(j, "type");
    lm_json_string(j, p->type == LIMN_DTYPES ? NULL : limn_dtype_name(p->type));
    lm_json_key(j, "shape");
    if (p->rank < 0)
        lm_json_null(j);
    else
        lm_json_array(j);
    for (int i = 0; i < p->rank; i++) {
        if (p->dim[i] >= 0)
            lm_json_int(j, p->dim[i]);
        else
            lm_json_string(j, p->dim_name[i]);
    }
    if (p->rank >= 0)
        lm_json_end_array(j);
    lm_json_key(j, "optional");
    lm_json_bool(j, p->optional);
    lm_json_end_object(j);
}
