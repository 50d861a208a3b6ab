/* A long table as INPUT, some rows at a time. */
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/base/mem.h"
#include "input_inside.h"

/* Rows of a part: enough that starting one costs nothing, and no more numbers than fit in a few megabytes. */
enum { MOST_ROWS = 1024, MOST_NUMBERS = 1 << 19 };

/* The path of the only INPUT, where that is a whole table; NULL otherwise. */
static const char *lone_table(const limn_model *m, const command *cmd)
{
    if (cmd->operands != 2 || given(cmd, OPT_text))
        return NULL;
    const char *word = cmd->operand[1], *equals = strchr(word, '=');
    for (size_t i = 0; equals && i < limn_model_input_count(m); i++) {
        const char *name = limn_model_input(m, i)->name;
        if (strlen(name) == (size_t)(equals - word) && memcmp(name, word, strlen(name)) == 0) {
            word = equals + 1;
            break;
        }
    }
    const size_t n = strlen(word);
    struct stat s;
    return n > 4 && strcasecmp(word + n - 4, ".csv") == 0 && stat(word, &s) == 0 && S_ISREG(s.st_mode) ? word : NULL;
}

static bool takes_any_rows(const limn_model *m)
{
    for (size_t i = 0; i < limn_model_input_count(m); i++) {
        const limn_port *p = limn_model_input(m, i);
        if (p->rank == 0 || (p->rank > 0 && p->dim[0] > 1))
            return false;
    }
    return true;
}

lm_status input_parts_open(const limn_model *m, const command *cmd, input_parts *out)
{
    const char *path = lone_table(m, cmd);
    *out = (input_parts){.rows = 0};
    if (!path || !takes_any_rows(m))
        return LM_OK;
    out->told = lm_calloc(limn_model_input_count(m), sizeof *out->told);
    if (!out->told)
        return LM_MEMORY;
    LM_TRY(lm_csv_parts_open(path, &(lm_csv_options){.missing = true}, &out->table));
    out->rows = lm_csv_parts_rows(out->table);
    const int columns = lm_csv_parts_columns(out->table);
    out->step = MOST_NUMBERS / (columns + 1) < MOST_ROWS ? MOST_NUMBERS / (columns + 1) + 2 : MOST_ROWS;
    while (out->rows > out->step && out->rows % out->step == 1)
        out->step++;
    if (out->rows <= out->step)
        input_parts_free(out);
    return LM_OK;
}

void input_parts_free(input_parts *parts)
{
    lm_csv_parts_free(parts->table);
    input_texts_free(parts->texts);
    lm_free(parts->told);
    *parts = (input_parts){.rows = 0};
}
