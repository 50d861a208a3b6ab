/* What is written must not take the place of what is read: every -o against every file that the command line names. */
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "input_inside.h"

static bool same(const struct stat *a, const char *path)
{
    struct stat b;
    return stat(path, &b) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

/* Does the word name this file: as it stands, behind "NAME=" or "@", or in front of ":12"? */
static bool names(const struct stat *file, const char *word)
{
    const char *equals = strchr(word, '='), *colon = strrchr(word, ':');
    if (same(file, word) || (equals && same(file, equals + 1)) || (*word == '@' && same(file, word + 1)))
        return true;
    lm_str front = {0};
    if (colon)
        lm_str_add_bytes(&front, word, (size_t)(colon - word));
    const char *path = lm_str_text(&front), *behind = strchr(path, '=');
    const bool found = same(file, path) || (behind && same(file, behind + 1));
    lm_str_free(&front);
    return found;
}

/* Is it one of the words of a list? */
static bool lists(const struct stat *file, const char *list)
{
    bool found = names(file, list);
    for (const char *at = list; *at && !found;) {
        const size_t n = strcspn(at, ",");
        lm_str word = {0};
        lm_str_add_bytes(&word, at, n);
        found = names(file, lm_str_text(&word));
        lm_str_free(&word);
        at += n + (at[n] == ',');
    }
    return found;
}

/* Is it a picture of the folder that the word names? All of them are read. */
static bool lies_in(const char *path, const char *word)
{
    const char *slash = strrchr(path, '/'), *equals = strchr(word, '=');
    struct stat folder;
    lm_str text = {0};
    lm_str_add_bytes(&text, slash ? path : ".", slash == path ? 1 : slash ? (size_t)(slash - path) : 1);
    const bool found = input_is_picture(path) && stat(lm_str_text(&text), &folder) == 0 &&
                       (same(&folder, word) || (equals && same(&folder, equals + 1)));
    lm_str_free(&text);
    return found;
}

static bool is_read(const command *cmd, const char *path)
{
    static const option_id files[] = {OPT_labels, OPT_tokenizer, OPT_baseline, OPT_target, OPT_set};
    struct stat file;
    if (stat(path, &file) != 0 || !S_ISREG(file.st_mode))
        return false;
    for (int i = 0; i < cmd->operands; i++)
        if (names(&file, cmd->operand[i]) || lies_in(path, cmd->operand[i]))
            return true;
    for (size_t k = 0; k < LM_COUNT(files); k++) {
        size_t at = 0;
        for (const char *value; (value = next_value(cmd, files[k], &at));)
            if (lists(&file, value))
                return true;
    }
    return false;
}

lm_status check_collisions(const command *cmd)
{
    size_t at = 0;
    for (const char *path; (path = next_value(cmd, OPT_out, &at));)
        LM_REQUIRE(!is_read(cmd, path), LM_USAGE, "-o %.199s: is also an input; choose another name", path);
    return LM_OK;
}
