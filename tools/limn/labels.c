/* One label per line. */
#include "labels.h"

#include <string.h>

#include "core/base/file.h"
#include "core/base/mem.h"

/* Cut the text at the ends of its lines. */
static void cut_lines(labels *l)
{
    for (char *line = l->text.text; line && *line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        size_t bytes = strlen(line);
        if (bytes && line[bytes - 1] == '\r')
            line[bytes - 1] = '\0';
        l->at[l->count++] = line;
        line = end ? end + 1 : NULL;
    }
}

lm_status labels_read(const char *path, labels *out)
{
    lm_file file;
    LM_TRY(lm_file_map(path, &file));
    lm_status status = lm_str_add_bytes(&out->text, file.bytes, file.size);
    lm_file_unmap(&file);
    LM_TRY(status);
    LM_REQUIRE(out->text.count && !memchr(out->text.text, 0, out->text.count), LM_INPUT,
               "%s: no text with one label per line; give such a file", path);
    size_t lines = 1;
    for (const char *c = out->text.text; (c = strchr(c, '\n')); c++)
        lines++;
    out->at = lm_malloc(lines, sizeof *out->at);
    if (!out->at)
        return LM_MEMORY;
    cut_lines(out);
    return LM_OK;
}

void labels_free(labels *l)
{
    lm_free(l->at);
    lm_str_free(&l->text);
    *l = (labels){0};
}
