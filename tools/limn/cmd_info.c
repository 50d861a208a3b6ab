/* limn info: version, build and machine; with --ops the table of operators, with --methods that of methods. */
#include "info.h"

#include <stdio.h>

#include <limn/limn.h>

#include "core/device/chain.h"
#include "core/device/registry.h"
#include "core/ops/op.h"
#include "settings.h"
#if defined(LIMN_WITH_CPU)
#include "backends/cpu/bind.h"
#endif

static const char *reach_name(lm_reach reach)
{
    static const char *const names[] = {
        [LM_REACH_SAME] = "same", [LM_REACH_WINDOW] = "window", [LM_REACH_LAST] = "last axis",
        [LM_REACH_AXIS] = "axis", [LM_REACH_MOVE] = "move",     [LM_REACH_ALL] = "all",
    };
    return names[reach];
}

static const char *attrs_name(lm_attr_kind kind)
{
    static const char *const names[] = {
#define X(kind) #kind,
        LM_ATTR_KINDS(X)
#undef X
    };
    return names[kind];
}

/* Which built-in devices bring kernels for the op; their `bind` may still refuse a type or an attribute. */
static int with_kernels(lm_opid op, const char *names[2])
{
    int n = 0;
#if defined(LIMN_WITH_CPU)
    if (lm_cpu_binder(op))
        names[n++] = "cpu";
#endif
    if (!lm_ops[op].composite)
        names[n++] = "ref";
    return n;
}

static void ops_json(command *cmd)
{
    lm_json j;
    lm_json_start(&j, &cmd->out);
    lm_json_object(&j);
    lm_json_key(&j, "ops");
    lm_json_array(&j);
    for (int i = 0; i < LM_OPS; i++) {
        const lm_op_info *op = &lm_ops[i];
        const char *text[][2] = {{"id", op->id},
                                 {"name", op->name},
                                 {"class", lm_class_name(op->cls)},
                                 {"attributes", attrs_name(op->attrs)},
                                 {"region", reach_name(op->reach)},
                                 {"gradient", lm_gradstate_name(op->grad)}};
        lm_json_object(&j);
        for (size_t k = 0; k < LM_COUNT(text); k++) {
            lm_json_key(&j, text[k][0]);
            lm_json_string(&j, text[k][1]);
        }
        lm_json_key(&j, "inputs");
        lm_json_array(&j);
        lm_json_int(&j, op->min_in);
        if (op->max_in == LM_MANY)
            lm_json_null(&j);
        else
            lm_json_int(&j, op->max_in);
        lm_json_end_array(&j);
        lm_json_key(&j, "outputs");
        lm_json_int(&j, op->max_out);
        lm_json_key(&j, "composite");
        lm_json_bool(&j, op->composite);
        lm_json_key(&j, "devices");
        lm_json_array(&j);
        const char *device[2];
        int devices = with_kernels((lm_opid)i, device);
        for (int d = 0; d < devices; d++)
            lm_json_string(&j, device[d]);
        lm_json_end_array(&j);
        lm_json_end_object(&j);
    }
    lm_json_end_array(&j);
    lm_json_end_object(&j);
    lm_str_char(&cmd->out, '\n');
}

static void ops_table(command *cmd)
{
    static const int width[] = {27, 8, 6, 7, 9, 9, 9, 0};
    static const char *const head[] = {"operator", "class", "inputs", "outputs", "attrs", "region", "gradient", "kernels"};
    table_row(&cmd->out, width, head, LM_COUNT(head));
    for (int i = 0; i < LM_OPS; i++) {
        const lm_op_info *op = &lm_ops[i];
        char in[16], out[8];
        if (op->max_in == LM_MANY)
            snprintf(in, sizeof in, "%d...", op->min_in);
        else if (op->min_in == op->max_in)
            snprintf(in, sizeof in, "%d", op->min_in);
        else
            snprintf(in, sizeof in, "%d-%d", op->min_in, op->max_in);
        snprintf(out, sizeof out, "%d", op->max_out);
        lm_str who = {0};
        const char *device[2];
        int devices = with_kernels((lm_opid)i, device);
        for (int d = 0; d < devices; d++)
            lm_str_printf(&who, "%s%s", d ? " " : "", device[d]);
        if (op->composite)
            lm_str_printf(&who, "%s(made of other operators)", who.count ? " " : "");
        table_row(&cmd->out, width,
                  (const char *[]){op->name, lm_class_name(op->cls), in, out, attrs_name(op->attrs), reach_name(op->reach),
                                   lm_gradstate_name(op->grad), lm_str_text(&who)},
                  LM_COUNT(head));
        lm_str_free(&who);
    }
}

static lm_status families(lm_str *out)
{
    const lm_family *family;
    int n;
    LM_TRY(lm_families(&family, &n));
    for (int i = 0; i < n; i++) {
        lm_str_printf(out, "%s%s", i ? " " : "", family[i].backend->name);
        if (family[i].file)
            lm_str_printf(out, " (plug-in %s)", family[i].file);
    }
    return out->status;
}

static lm_status about(command *cmd, const settings *s)
{
#if defined(LM_HAVE_PLUGINS)
    const char *plugins = "yes";
#else
    const char *plugins = "no";
#endif
    const lm_topo *topo;
    LM_TRY(lm_machine(&topo));
    lm_str devices = {0}, machine = {0};
    lm_status status = families(&devices);
    if (status == LM_OK)
        status = lm_topo_print(topo, &machine);
    const char *fact[][2] = {{"version", limn_version()},
                             {"compiler", __VERSION__},
                             {"devices", lm_str_text(&devices)},
                             {"device", *s->device ? s->device : "nothing: no device can be used"},
                             {"plugins", plugins},
                             {"machine", lm_str_text(&machine)}};
    lm_json j;
    lm_json_start(&j, &cmd->out);
    if (status == LM_OK && given(cmd, OPT_json))
        lm_json_object(&j);
    for (size_t i = 0; status == LM_OK && i < LM_COUNT(fact); i++) {
        if (given(cmd, OPT_json)) {
            lm_json_key(&j, fact[i][0]);
            lm_json_string(&j, fact[i][1]);
        } else if (i + 1 < LM_COUNT(fact)) {
            lm_str_printf(&cmd->out, "%s: %s\n", fact[i][0], fact[i][1]);
        } else {
            lm_str_add(&cmd->out, fact[i][1]);
        }
    }
    if (status == LM_OK && given(cmd, OPT_json)) {
        lm_json_end_object(&j);
        lm_str_char(&cmd->out, '\n');
    }
    lm_str_free(&devices);
    lm_str_free(&machine);
    return status;
}

lm_status cmd_info(command *cmd)
{
    settings s = {0};
    if (given(cmd, OPT_methods)) {
        (given(cmd, OPT_json) ? info_methods_json : info_methods_table)(&cmd->out);
        return LM_OK;
    }
    lm_status status = settings_find(cmd, &s);
    if (status == LM_OK && !given(cmd, OPT_ops))
        status = about(cmd, &s);
    else if (status == LM_OK && given(cmd, OPT_json))
        ops_json(cmd);
    else if (status == LM_OK)
        ops_table(cmd);
    settings_free(&s);
    return status;
}
