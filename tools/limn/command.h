/* What the verbs of the command share: the options as given, the text of the result, and how both are shown. A result
 * is gathered in memory and written at the end, so that stdout stays empty when a verb fails. */
#ifndef LIMN_COMMAND_H
#define LIMN_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/status.h"
#include "core/base/str.h"
#include "core/base/vec.h"

typedef enum option_id {
#define OPTION(id, ...) OPT_##id,
#include "options.def"
#undef OPTION
    OPTIONS
} option_id;

typedef enum verb_id {
#define VERB(id, ...) VERB_##id,
#include "verbs.def"
#undef VERB
    VERBS
} verb_id;

/* Sets of verbs. */
#define IN(verb) (1u << VERB_##verb)
#define EVERY UINT32_MAX

typedef struct option_row {
    const char *name;
    char letter;
    const char *argument;
    uint32_t verbs;
    const char *help;
} option_row;

typedef struct option_use {
    option_id id;
    const char *value;
} option_use;

typedef struct command {
    verb_id verb;                /* VERBS: none was given */
    const char *option[OPTIONS]; /* as written last, lists with commas; "1" for a switch; NULL when not given */
    LM_VEC(option_use) uses;     /* all of them, in order */
    LM_VEC(char *) lists;        /* what those of one list became together */
    int operands;
    char **operand;
    lm_str line; /* the words as they were typed, quoted for a shell where they need it */
    bool colour; /* stdout is a terminal that wants it */
    lm_str out;  /* what goes to stdout */
    FILE *spilled; /* what goes there before; NULL: nothing */
    lm_str node; /* of the model, that a failure is about; told with --json */
} command;

typedef struct verb_row {
    const char *name, *operands, *summary, *example;
    lm_status (*run)(command *);
} verb_row;

extern const verb_row verbs[VERBS];
extern const option_row options[OPTIONS];

#define VERB(id, ...) lm_status cmd_##id(command *);
#include "verbs.def"
#undef VERB

/* Take apart the words after the program's name. LM_USAGE names the word and the nearest that exist. */
lm_status command_parse(int argc, char **argv, command *cmd);

/* Does this verb (VERBS: the bare command) take the option? */
bool option_fits(option_id id, verb_id verb);

/* LM_USAGE when a file of -o is one that is read, too. */
lm_status check_collisions(const command *cmd);

/* The usage text of a verb, or of the whole command for VERBS. */
lm_status command_help(verb_id verb, lm_str *out);

/* What is reported where LIMN_LOG says nothing: a person sits in front of the command, other than of the library. */
static const lm_log_level COMMAND_LOG = LM_LOG_WARN;

static inline bool given(const command *cmd, option_id id)
{
    return cmd->option[id] != NULL;
}

/* The next value of an option that may be repeated, from use *at on, which moves behind it; NULL: there are no more. */
const char *next_value(const command *cmd, option_id id, size_t *at);

/* The value of a numeric option into *out, which stays as it is when the option is not given. LM_USAGE below `least`. */
lm_status whole_number(const command *cmd, option_id id, int64_t least, int64_t *out);

/* A line of a table: cells of the given widths, the last one free. Wide characters count as their bytes. */
void table_row(lm_str *out, const int *width, const char *const *cell, int cells);

/* Put the text so far by, in a file without a name, so that a long one takes no memory. LM_OUTPUT: there is no room. */
lm_status command_spill(command *cmd);

/* To stdout: all that was said; some bytes. */
lm_status command_say(command *cmd);
lm_status command_write(const char *text, size_t count);

/* `text` in bold on a terminal with colour, bare otherwise. */
void bold(command *cmd, const char *text);

#endif
