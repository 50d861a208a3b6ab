/* Names of classes: lines, or JSON. */
#include "labels.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "subject.h"

enum { MOST_LABELS = 1 << 20 };

/* Cut the text at `ends`. */
static lm_status cut(labels *l, const char *ends)
{
    size_t pieces = 1;
    for (const char *c = l->text.text; (c = strpbrk(c, ends)); c++)
        pieces++;
    l->at = lm_malloc(pieces, sizeof *l->at);
    if (!l->at)
        return LM_MEMORY;
    for (char *line = l->text.text; line && *line;) {
        char *end = strpbrk(line, ends);
        if (end)
            *end = '\0';
        size_t bytes = strlen(line);
        if (bytes && line[bytes - 1] == '\r')
            line[bytes - 1] = '\0';
        l->at[l->count++] = line;
        line = end ? end + 1 : NULL;
        while (line && *ends == ',' && *line == ' ')
            line++;
    }
    return LM_OK;
}

/* Four digits, or -1. */
static int hex4(const char *at)
{
    char digits[5] = {0};
    memcpy(digits, at, strnlen(at, 4));
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? (int)strtol(digits, NULL, 16) : -1;
}

/* "\u00e9" behind its backslash as UTF-8; *at moves behind it. */
static char *put_escape(char *to, char **at)
{
    static const char from[] = "nrtbf", plain[] = "\n\r\t\b\f";
    const char *known = strchr(from, **at);
    int c = **at == 'u' ? hex4(*at + 1) : -1;
    if (c < 0) {
        *to++ = known && **at ? plain[known - from] : **at;
        ++*at;
        return to;
    }
    *at += 5;
    const int low = c >= 0xd800 && c < 0xdc00 && (*at)[0] == '\\' && (*at)[1] == 'u' ? hex4(*at + 2) : -1;
    if (low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        *at += 6;
    }
    const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const int lead[] = {0, 0xc0, 0xe0, 0xf0};
    *to++ = (char)(lead[more] | c >> 6 * more);
    for (int i = more; i-- > 0;)
        *to++ = (char)(0x80 | (c >> 6 * i & 0x3f));
    return to;
}

/* A name in quotes, or a number, closed by a zero byte in its place; NULL: there is none. */
static char *take_word(char **at, bool *quoted)
{
    *at += strspn(*at, " \t\r\n");
    char *word = *at, *to = word;
    *quoted = *word == '"' || *word == '\'';
    if (!*quoted) {
        *at += strspn(*at, "0123456789");
        return *at > word ? word : NULL;
    }
    const char quote = *word;
    for (++*at; **at && **at != quote;)
        if (**at == '\\' && (*at)[1]) {
            ++*at;
            to = put_escape(to, at);
        } else {
            *to++ = *(*at)++;
        }
    if (**at != quote)
        return NULL;
    ++*at;
    *to = '\0';
    return word;
}

static bool put(labels *l, size_t *room, size_t index, char *name)
{
    static char none[] = "";
    if (index >= MOST_LABELS)
        return false;
    if (index >= *room) {
        const size_t fresh = index + index / 2 + 64;
        char **at = lm_realloc(l->at, fresh, sizeof *at);
        if (!at)
            return false;
        l->at = at;
        *room = fresh;
    }
    while (l->count <= index)
        l->at[l->count++] = none;
    l->at[index] = name;
    return true;
}

/* [a, b], or {number: name} or {name: number}. */
static bool read_json(labels *l)
{
    char *at = l->text.text + strspn(l->text.text, " \t\r\n");
    const bool list = *at == '[';
    const char close = list ? ']' : '}';
    size_t room = 0;
    for (at++; at += strspn(at, " \t\r\n,"), *at && *at != close;) {
        bool quoted, also;
        char *word = take_word(&at, &quoted), *other = word;
        if (!word)
            return false;
        if (list) {
            if (!quoted || !put(l, &room, l->count, word))
                return false;
            continue;
        }
        at += strspn(at, " \t\r\n");
        if (*at++ != ':')
            return false;
        other = take_word(&at, &also);
        const bool swapped = other && !also;
        const char *number = swapped ? other : word;
        const size_t digits = number ? strspn(number, "0123456789") : 0;
        if (!other || !digits || digits > 7 || !put(l, &room, strtoul(number, NULL, 10), swapped ? word : other))
            return false;
    }
    return *at == close && l->count > 0;
}

static bool is_json(const char *text)
{
    const char c = text[strspn(text, " \t\r\n")];
    return c == '[' || c == '{';
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
    if (!is_json(out->text.text))
        return cut(out, "\n");
    LM_REQUIRE(read_json(out), LM_INPUT,
               "%s: is no list of labels; give one label per line, [\"cat\", \"dog\"] or {\"0\": \"cat\"}", path);
    return LM_OK;
}

lm_status labels_of_model(const limn_model *m, labels *out)
{
    static const char *const keys[] = {"labels", "classes", "class_names", "id2label", "names"};
    const char *text = NULL, *key = NULL;
    for (size_t i = 0; i < LM_COUNT(keys) && !text; i++) {
        key = keys[i];
        text = model_metadata(m, key);
    }
    if (!text || !*text)
        return LM_OK;
    LM_TRY(lm_str_add(&out->text, text));
    if (!is_json(text))
        return cut(out, strchr(text, '\n') ? "\n" : ",");
    if (read_json(out))
        return LM_OK;
    lm_log(LM_LOG_WARN, "the model's metadata '%s' is no list of labels and is not used; give --labels", key);
    labels_free(out);
    return LM_OK;
}

lm_status labels_check(const char *file, const char *output, int64_t classes, labels *l)
{
    if (!l->count || (int64_t)l->count == classes)
        return LM_OK;
    const char *many = l->count == 1 ? "" : "s", *es = classes == 1 ? "" : "es";
    LM_REQUIRE(!file, LM_INPUT, "--labels: %s has %zu label%s, but output '%s' has %lld class%s; give one for each",
               file, l->count, many, output, (long long)classes, es);
    lm_log(LM_LOG_WARN, "the model's metadata has %zu label%s, but output '%s' has %lld class%s; they are not used",
           l->count, many, output, (long long)classes, es);
    labels_free(l);
    return LM_OK;
}

void labels_free(labels *l)
{
    lm_free(l->at);
    lm_str_free(&l->text);
    *l = (labels){0};
}
