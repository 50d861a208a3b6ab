/* limn info --methods: the table of methods and their options. */
#include "info.h"

#include <limn/limn.h>

static void option_json(lm_json *j, const limn_method_option *o)
{
    const char *const text[][2] = {{"key", o->key}, {"default", o->usual}, {"values", o->values}, {"help", o->help}};
    lm_json_object(j);
    for (size_t i = 0; i < LM_COUNT(text); i++) {
        lm_json_key(j, text[i][0]);
        lm_json_string(j, text[i][1]);
    }
    lm_json_end_object(j);
}

void info_methods_json(lm_str *out)
{
    lm_json j;
    lm_json_start(&j, out);
    lm_json_object(&j);
    lm_json_key(&j, "methods");
    lm_json_array(&j);
    const limn_method *m;
    for (size_t i = 0; (m = limn_method_get(i)); i++) {
        const char *const text[][2] = {{"id", m->id}, {"group", m->group}, {"help", m->help}};
        lm_json_object(&j);
        for (size_t k = 0; k < LM_COUNT(text); k++) {
            lm_json_key(&j, text[k][0]);
            lm_json_string(&j, text[k][1]);
        }
        lm_json_key(&j, "options");
        lm_json_array(&j);
        for (size_t k = 0; k < m->options; k++)
            option_json(&j, &m->option[k]);
        lm_json_end_array(&j);
        lm_json_end_object(&j);
    }
    lm_json_end_array(&j);
    lm_json_end_object(&j);
    lm_str_char(out, '\n');
}

void info_methods_table(lm_str *out)
{
    static const int width[] = {20, 18, 0};
    table_row(out, width, (const char *[]){"method", "group", "what it shows"}, 3);
    const limn_method *m;
    for (size_t i = 0; (m = limn_method_get(i)); i++) {
        table_row(out, width, (const char *[]){m->id, m->group, m->help}, 3);
        for (size_t k = 0; k < m->options; k++) {
            const limn_method_option *o = &m->option[k];
            lm_str cell = {0};
            lm_str_printf(&cell, "%s=%s", o->key, o->usual);
            lm_str_printf(out, "    %-34s  %s%s%s\n", lm_str_text(&cell), o->help, *o->values ? ": " : "", o->values);
            lm_str_free(&cell);
        }
    }
}
