/* limn summary: the layers of a model as a table, as JSON, and as a drawing. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/file.h"
#include "filters.h"

/* A table has no more room for a name. */
enum { NAME_WIDTH = 44 };

static const char *const endings[] = {".html", ".svg", ".json", ".png"};
enum { PAGE, DRAWING, LIST, FILTERS };

static int ending_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (int i = 0; i < (int)LM_COUNT(endings); i++)
        if (dot && strcasecmp(dot, endings[i]) == 0)
            return i;
    return -1;
}

static lm_status check_files(const command *cmd)
{
    size_t at = 0;
    for (const char *path; (path = next_value(cmd, OPT_out, &at));)
        LM_REQUIRE(ending_of(path) >= 0, LM_USAGE, "-o: '%.199s' ends in none of .html, .svg, .json and .png; choose one",
                   path);
    return LM_OK;
}

/* "11,689,512" */
static const char *grouped(int64_t value, char text[32])
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)value), at = 0;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

static int64_t count_parameters(const model_layers *l)
{
    int64_t sum = 0;
    for (size_t i = 0; i < l->count; i++)
        sum += l->layer[i].parameters;
    return sum;
}

static int width_of(int width, const char *text)
{
    int n = (int)strlen(text);
    return n > NAME_WIDTH ? NAME_WIDTH : n > width ? n : width;
}

/* The end of a long name tells more than its beginning. */
static const char *shortened(const char *text, char room[NAME_WIDTH + 4])
{
    size_t n = strlen(text);
    if (n <= NAME_WIDTH)
        return text;
    snprintf(room, NAME_WIDTH + 4, "...%s", text + n - NAME_WIDTH + 3);
    return room;
}

static void port_lines(const limn_model *m, lm_str *out)
{
    for (int outputs = 0; outputs < 2; outputs++) {
        size_t n = outputs ? limn_model_output_count(m) : limn_model_input_count(m);
        for (size_t i = 0; i < n; i++) {
            const limn_port *p = outputs ? limn_model_output(m, i) : limn_model_input(m, i);
            lm_str_printf(out, "%s  %s  ", outputs ? "output" : "input ", p->name);
            port_text(p, out);
            lm_str_add(out, p->optional ? "  (may be left out)\n" : "\n");
        }
    }
}

static void as_table(command *cmd, const subject *on, const model_layers *l)
{
    static const char *const head[] = {"#", "layer", "op", "output shape", "parameters", "gradient"};
    enum { COLUMNS = LM_COUNT(head) };
    int width[COLUMNS] = {4, 5, 2, 12, 12, 8}, total = 0;
    lm_str *out = &cmd->out, shape = {0};
    for (size_t i = 0; i < l->count; i++) {
        width[1] = width_of(width[1], layer_name(&l->layer[i]));
        width[2] = width_of(width[2], l->layer[i].op);
        lm_str_clear(&shape);
        layer_shape(&l->layer[i], &shape);
        width[3] = width_of(width[3], lm_str_text(&shape));
    }
    for (int i = 0; i < COLUMNS; i++)
        total += width[i] + 2;
    char line[256];
    memset(line, '-', sizeof line);
    line[(size_t)total < sizeof line ? (size_t)total : sizeof line - 1] = '\0';
    lm_str_add(out, "model   ");
    bold(cmd, on->file);
    lm_str_char(out, '\n');
    port_lines(on->model, out);
    lm_str_char(out, '\n');
    table_row(out, width, head, COLUMNS);
    lm_str_printf(out, "%s\n", line);
    bool marked = false;
    for (size_t i = 0; i < l->count; i++) {
        const limn_layer *y = &l->layer[i];
        char number[24], grouping[32], parameters[48], room[NAME_WIDTH + 4];
        lm_str_clear(&shape);
        layer_shape(y, &shape);
        snprintf(number, sizeof number, "%zu", i);
        snprintf(parameters, sizeof parameters, "%*s", width[4], grouped(y->parameters, grouping));
        table_row(out, width,
                  (const char *[]){number, shortened(layer_name(y), room), y->op, lm_str_text(&shape), parameters,
                                   y->suggested ? "yes  <- auto" : y->gradient ? "yes" : "no"},
                  COLUMNS);
        marked |= y->suggested != 0;
    }
    char sum[32];
    int64_t parameters = count_parameters(l);
    lm_str_printf(out, "%s\n%zu layer%s, %s parameters (%.2f MiB as float32)\n", line, l->count,
                  l->count == 1 ? "" : "s", grouped(parameters, sum), (double)parameters * 4 / (1 << 20));
    if (l->guessed)
        lm_str_add(out, "shapes are for one sample; other free sizes are guessed\n");
    if (marked)
        lm_str_add(out, "auto: where class-activation maps look unless told otherwise\n");
    lm_str_free(&shape);
}

static void add_layer(lm_json *j, const limn_layer *y, size_t number)
{
    const char *text[][2] = {{"name", y->name}, {"module", y->module}, {"op", y->op},
                             {"kind", y->kind}, {"value", y->value},   {"type", limn_dtype_name(y->type)}};
    lm_json_object(j);
    lm_json_key(j, "index");
    lm_json_int(j, (int64_t)number);
    for (size_t k = 0; k < LM_COUNT(text); k++) {
        lm_json_key(j, text[k][0]);
        lm_json_string(j, text[k][1]);
    }
    lm_json_key(j, "shape");
    lm_json_array(j);
    for (int k = 0; k < y->rank; k++)
        lm_json_int(j, y->dim[k]);
    lm_json_end_array(j);
    lm_json_key(j, "parameters");
    lm_json_int(j, y->parameters);
    lm_json_key(j, "gradient");
    lm_json_bool(j, y->gradient);
    lm_json_key(j, "suggested");
    lm_json_bool(j, y->suggested);
    lm_json_key(j, "from"); /* numbers of layers, -1 - i for input i */
    lm_json_array(j);
    for (int k = 0; k < y->from_count; k++)
        lm_json_int(j, y->from[k]);
    lm_json_end_array(j);
    lm_json_end_object(j);
}

static void as_json(const subject *on, const model_layers *l, lm_str *out)
{
    lm_json j;
    lm_json_start(&j, out);
    lm_json_object(&j);
    lm_json_key(&j, "model");
    lm_json_string(&j, on->file);
    lm_json_key(&j, "inputs");
    lm_json_array(&j);
    for (size_t i = 0; i < limn_model_input_count(on->model); i++)
        port_json(&j, limn_model_input(on->model, i));
    lm_json_end_array(&j);
    lm_json_key(&j, "outputs");
    lm_json_array(&j);
    for (size_t i = 0; i < limn_model_output_count(on->model); i++)
        port_json(&j, limn_model_output(on->model, i));
    lm_json_end_array(&j);
    lm_json_key(&j, "parameters");
    lm_json_int(&j, count_parameters(l));
    lm_json_key(&j, "layers");
    lm_json_array(&j);
    for (size_t i = 0; i < l->count; i++)
        add_layer(&j, &l->layer[i], i);
    lm_json_end_array(&j);
    lm_json_end_object(&j);
    lm_str_char(out, '\n');
}

static lm_status write_file(const command *cmd, const char *path, const subject *on, const model_layers *l)
{
    lm_str text = {0};
    int ending = ending_of(path);
    if (ending == FILTERS)
        return filters_write(on, l, cmd->option[OPT_layer], path);
    lm_status status = LM_OK;
    if (ending == LIST)
        as_json(on, l, &text);
    else
        status = draw_layers(on, l, ending == PAGE, &text);
    if (status == LM_OK)
        status = text.status;
    if (status == LM_OK)
        status = lm_file_write(path, lm_str_text(&text), text.count);
    lm_str_free(&text);
    return status;
}

static lm_status run(command *cmd, subject *on, model_layers *l)
{
    LM_TRY(check_files(cmd));
    LM_TRY(subject_open(cmd, on));
    LM_REQUIRE(cmd->operands == 1, LM_USAGE, "takes one model, not also '%.99s'; leave it out", cmd->operand[1]);
    LM_TRY(limn_session_layers(on->session, NULL, 0, &l->layer, &l->count));
    for (size_t i = 0; i < limn_model_input_count(on->model); i++)
        for (int k = 0; k < limn_model_input(on->model, i)->rank; k++)
            l->guessed |= limn_model_input(on->model, i)->dim[k] < 0;
    size_t at = 0;
    bool filters = false;
    for (const char *path; (path = next_value(cmd, OPT_out, &at));) {
        LM_TRY(write_file(cmd, path, on, l));
        filters |= ending_of(path) == FILTERS;
    }
    if (given(cmd, OPT_layer) && !filters)
        lm_log(LM_LOG_WARN, "--layer: has no effect, for no filters are drawn; add -o FILE.png");
    if (given(cmd, OPT_json))
        as_json(on, l, &cmd->out);
    else
        as_table(cmd, on, l);
    return LM_OK;
}

lm_status cmd_summary(command *cmd)
{
    subject on = {0};
    model_layers l = {0};
    lm_status status = run(cmd, &on, &l);
    limn_layers_free(l.layer);
    subject_close(&on);
    return status;
}
