/* Words of the command line to a verb with options. */
#include "command.h"

#include <string.h>

#include "core/base/env.h"
#include "core/base/nearest.h"

const verb_row verbs[VERBS] = {
#define VERB(id, name, operands, summary, example) {name, operands, summary, example, cmd_##id},
#include "verbs.def"
#undef VERB
};

const option_row options[OPTIONS] = {
#define OPTION(id, name, letter, argument, verbs, help) {name, letter, argument, verbs, help},
#include "options.def"
#undef OPTION
};

/* What an unknown option is compared with. */
static const char *const flags[OPTIONS] = {
#define OPTION(id, name, ...) "--" name,
#include "options.def"
#undef OPTION
};

bool option_fits(option_id id, verb_id verb)
{
    return options[id].verbs == EVERY || (verb < VERBS && (options[id].verbs >> verb & 1));
}

/* `see` is " verb" or "". */
static lm_status unknown(const char *word, const char *what, const char *const *known, size_t count, const char *see)
{
    lm_str words = {0};
    bool near = lm_nearest(word, known, count, &words);
    if (!near)
        lm_list_words(known, count, &words);
    lm_status status = lm_fail(LM_USAGE, "%.99s: unknown %s, %s %s; see `limn%s --help`", *word ? word : "''", what,
                               near ? "nearest:" : "there is", lm_str_text(&words), see);
    lm_str_free(&words);
    return status;
}

static lm_status find_verb(const char *word, verb_id *out)
{
    const char *known[VERBS];
    size_t n = 0;
    for (int i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].name, word) == 0) {
            *out = (verb_id)i;
            return LM_OK;
        }
        if (verbs[i].name[0] != '_')
            known[n++] = verbs[i].name;
    }
    return unknown(word, "verb", known, n, "");
}

/* Is the word this option, with its value in the word behind? */
static bool takes_next(const option_row *o, const char *word)
{
    bool letter = o->letter && word[1] == o->letter && !word[2];
    return o->argument && word[0] == '-' && (letter || (word[1] == '-' && strcmp(word + 2, o->name) == 0));
}

/* The verb comes first or after global options; find it before the options, whose meaning depends on it. */
static lm_status choose_verb(int argc, char **argv, command *cmd)
{
    cmd->verb = VERBS;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "help") == 0) { /* `limn help`, `limn help explain` */
            cmd->option[OPT_help] = "1";
            continue;
        }
        if (argv[i][0] != '-')
            return find_verb(argv[i], &cmd->verb);
        for (int k = 0; k < OPTIONS; k++)
            if (takes_next(&options[k], argv[i])) {
                i++;
                break;
            }
    }
    return LM_OK;
}

/* The option that `word` ("--name", "--name=value", "-x") means; *value points behind the '=', or is NULL. */
static lm_status find_option(const char *word, const command *cmd, option_id *out, const char **value)
{
    const char *name = word[1] == '-' ? word + 2 : word + 1;
    size_t length = strcspn(name, "=");
    *value = name[length] ? name + length + 1 : NULL;
    const char *known[OPTIONS];
    size_t n = 0;
    for (int i = 0; i < OPTIONS; i++) {
        if (!option_fits((option_id)i, cmd->verb))
            continue;
        bool here = word[1] == '-' ? strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0
                                   : length == 1 && options[i].letter == *name;
        if (here) {
            *out = (option_id)i;
            return LM_OK;
        }
        known[n++] = flags[i];
    }
    lm_str bare = {0}, see = {0};
    lm_str_add_bytes(&bare, word, strcspn(word, "="));
    if (cmd->verb < VERBS)
        lm_str_printf(&see, " %s", verbs[cmd->verb].name);
    lm_status status = unknown(lm_str_text(&bare), "option", known, n, lm_str_text(&see));
    lm_str_free(&bare);
    lm_str_free(&see);
    return status;
}

/* -m a -m b is -m a,b, as it is for all options that take a list. */
static lm_status add_to_list(command *cmd, option_id id, const char *value)
{
    const char *takes = options[id].argument, *before = cmd->option[id];
    const size_t n = takes ? strlen(takes) : 0;
    const bool list = n > 4 && strcmp(takes + n - 4, ",...") == 0 && !strchr(takes, '=');
    cmd->option[id] = takes ? value : "1";
    if (!list || !before)
        return LM_OK;
    lm_str text = {0};
    lm_str_printf(&text, "%s,%s", before, value);
    char *both = lm_str_take(&text);
    if (!both || lm_vec_push(&cmd->lists, both) != LM_OK) {
        lm_free(both);
        return LM_MEMORY;
    }
    cmd->option[id] = both;
    return LM_OK;
}

lm_status command_parse(int argc, char **argv, command *cmd)
{
    LM_TRY(choose_verb(argc, argv, cmd));
    bool verb_seen = false, only_operands = false;
    cmd->operand = argv; /* the front of argv is free to hold them: an operand never moves up */
    for (int i = 0; i < argc; i++) {
        char *word = argv[i];
        if (only_operands || word[0] != '-' || !word[1]) {
            if (verb_seen)
                cmd->operand[cmd->operands++] = word;
            verb_seen = true;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_operands = true;
            continue;
        }
        option_id id = OPTIONS;
        const char *value = NULL;
        LM_TRY(find_option(word, cmd, &id, &value));
        const option_row *o = &options[id];
        LM_REQUIRE(o->argument || !value, LM_USAGE, "--%s: takes no value; leave out '=%.99s'", o->name, value);
        if (o->argument && !value) {
            LM_REQUIRE(i + 1 < argc, LM_USAGE, "--%s: its value is missing; write --%s %s", o->name, o->name, o->argument);
            value = argv[++i];
        }
        LM_TRY(add_to_list(cmd, id, value));
        LM_TRY(lm_vec_push(&cmd->uses, (option_use){id, o->argument ? value : "1"}));
    }
    return LM_OK;
}

const char *next_value(const command *cmd, option_id id, size_t *at)
{
    while (*at < cmd->uses.count) {
        const option_use *use = &cmd->uses.at[(*at)++];
        if (use->id == id)
            return use->value;
    }
    return NULL;
}

lm_status whole_number(const command *cmd, option_id id, int64_t least, int64_t *out)
{
    if (!given(cmd, id))
        return LM_OK;
    LM_REQUIRE(lm_parse_int(cmd->option[id], out) && *out >= least, LM_USAGE,
               "--%s: '%.99s' is no whole number from %d up; give one", options[id].name, cmd->option[id], (int)least);
    return LM_OK;
}
