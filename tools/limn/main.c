/* The command `limn`: parses, sets what the options say, runs one verb, and turns its status into words and an exit. */
#include "command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <limn/limn.h>

#include "core/base/env.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"

static void report(void *quiet, lm_log_level level, const char *line)
{
    if (*(const bool *)quiet && level > LM_LOG_ERROR)
        return;
    fprintf(stderr, "limn: %s: %s\n", level == LM_LOG_WARN ? "warning" : lm_log_name(level), line);
}

static void interrupted(int signal_number)
{
    lm_out_abandon_all();
    _exit(128 + signal_number); /* LIMN_INTERRUPTED for SIGINT */
}

/* A mapped file that another program cuts short is found out only where its end is missing. */
static void cut_short(int signal_number, siginfo_t *why, void *context)
{
    static const char text[] = "limn: error: a file was cut short while it was read; leave it alone and try again\n";
    (void)context;
    if (why->si_code != BUS_ADRERR) {
        signal(signal_number, SIG_DFL);
        return;
    }
    lm_out_abandon_all();
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(LIMN_INPUT);
}

void table_row(lm_str *out, const int *width, const char *const *cell, int cells)
{
    for (int i = 0; i < cells; i++)
        lm_str_printf(out, "%-*s%s", i + 1 < cells ? width[i] : 0, cell[i], i + 1 < cells ? "  " : "\n");
}

void bold(command *cmd, const char *text)
{
    lm_str_printf(&cmd->out, "%s%s%s", cmd->colour ? "\033[1m" : "", text, cmd->colour ? "\033[0m" : "");
}

/* Is it a verb by which people find out what is wrong with their settings? Those it must not fail over itself. */
static bool diagnoses(verb_id verb)
{
    return verb == VERB_env || verb == VERB_info;
}

/* Options that stand for a variable beat it. */
static lm_status apply_options(const command *cmd)
{
    static const struct {
        option_id option;
        lm_env_id variable;
    } pairs[] = {{OPT_backend, LM_ENV_BACKEND}, {OPT_threads, LM_ENV_THREADS}, {OPT_mem, LM_ENV_MEM}};
    for (size_t i = 0; i < LM_COUNT(pairs); i++) {
        const char *value = cmd->option[pairs[i].option];
        char option[32];
        snprintf(option, sizeof option, "--%s", options[pairs[i].option].name);
        if (value && !*value)
            return lm_fail(LM_USAGE, "%s: its value is empty; leave the option out or give one", option);
        if (value)
            LM_TRY(lm_env_option(pairs[i].variable, option, value));
    }
    return LM_OK;
}

static lm_status apply(const command *cmd)
{
    int64_t seed = 0;
    LM_TRY(apply_options(cmd));
    LM_TRY(whole_number(cmd, OPT_seed, 0, &seed));
    if (given(cmd, OPT_verbose))
        LM_TRY(lm_env_set(LM_ENV_LOG, "info"));
    lm_log_level_set(COMMAND_LOG);
    lm_status logging = lm_env_is_set(LM_ENV_LOG) ? lm_log_from_env() : LM_OK;
    if (diagnoses(cmd->verb))
        return LM_OK; /* nor does LIMN_MEM bind them, so that they can tell of one that is too small */
    LM_TRY(logging);
    LM_TRY(lm_env_check());
    uint64_t bytes = 0;
    LM_TRY(lm_env_size(LM_ENV_MEM, &bytes));
    lm_mem_cap(bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes);
    return LM_OK;
}

static lm_status run(command *cmd)
{
    if (given(cmd, OPT_help))
        return command_help(cmd->verb, &cmd->out);
    if (given(cmd, OPT_version))
        return lm_str_printf(&cmd->out, "limn %s\n", limn_version());
    LM_REQUIRE(cmd->verb < VERBS, LM_USAGE, "limn: no verb is given; try `limn devices`, `limn --help` shows all");
    const verb_row *v = &verbs[cmd->verb];
    if (!*v->operands)
        LM_REQUIRE(!cmd->operands, LM_USAGE, "%s: does not know what to do with '%.99s'; leave it out", v->name, cmd->operand[0]);
    LM_TRY(apply(cmd));
    LM_TRY(check_collisions(cmd));
    lm_out_gather();
    lm_status status = v->run(cmd);
    if (status == LM_OK || status == LM_NO) {
        lm_status named = lm_out_commit_all();
        status = named == LM_OK ? status : named;
    } else {
        lm_out_drop_all();
    }
    return lm_context(status, "%s", v->name);
}

/* What to do about a failure whose message does not say it. */
static const char *advice(lm_status status, verb_id verb)
{
    static const char *const help[VERBS + 1] = {
#define VERB(id, name, ...) "see `limn " name " --help`",
#include "verbs.def"
#undef VERB
        "see `limn --help`"};
    switch (status) {
    case LM_USAGE: return strstr(lm_message(), "device list") ? "see `limn devices --help`"
                        : strstr(lm_message(), "option ") ? "see `limn info --methods`" : help[verb];
    case LM_DEVICE: return "see `limn devices`";
    case LM_MEMORY: return "free some memory or raise --mem";
    case LM_UNSUPPORTED: return "see `limn info --ops`";
    case LM_OUTPUT: return "give another place";
    default: return "check what was given";
    }
}

/* `json`: on stdout, too, which can be written to. */
static void complain(bool json, lm_status status, const command *cmd)
{
    const char *node = *lm_str_text(&cmd->node) ? lm_str_text(&cmd->node) : lm_blamed();
    if (given(cmd, OPT_tokenizer) && status == LM_INPUT && strstr(lm_message(), "out of range for a"))
        lm_fail(status, "%s; the tokenizer may be that of another model", lm_message());
    const char *message = *lm_message() ? lm_message() : limn_status_name(status);
    const bool said = strstr(message, "; ") && !(status == LM_USAGE && strstr(message, "device list"));
    const char *does = said ? "" : advice(status, cmd->verb);
    fprintf(stderr, "limn: error: %s%s%s\n", message, *does ? "; " : "", does);
    if (!json)
        return;
    lm_str text = {0};
    lm_json j;
    lm_json_start(&j, &text);
    lm_json_object(&j);
    lm_json_key(&j, "error");
    lm_json_object(&j);
    lm_json_key(&j, "status");
    lm_json_int(&j, status);
    lm_json_key(&j, "message");
    lm_json_string(&j, message);
    lm_json_key(&j, "node");
    lm_json_string(&j, *node ? node : NULL);
    lm_json_end_object(&j);
    lm_json_end_object(&j);
    lm_str_char(&text, '\n');
    command_write(lm_str_text(&text), text.count);
    lm_str_free(&text);
}

/* A failure is told as JSON wherever the word stands, also behind the one that is wrong. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

/* The words as a shell takes them again. */
static void keep_line(int argc, char **argv, lm_str *out)
{
    for (int i = 0; i < argc; i++) {
        const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./,:@%";
        lm_str_add(out, i ? " " : "");
        if (*argv[i] && !argv[i][strspn(argv[i], plain)]) {
            lm_str_add(out, argv[i]);
            continue;
        }
        lm_str_char(out, '\'');
        for (const char *c = argv[i]; *c; c++)
            if (*c == '\'')
                lm_str_add(out, "'\\''");
            else
                lm_str_char(out, *c);
        lm_str_char(out, '\'');
    }
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of the write, like a full disk */
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (signal(ends[i], interrupted) == SIG_IGN && ends[i] == SIGHUP)
            signal(SIGHUP, SIG_IGN); /* as nohup wants it */
    const struct sigaction torn = {.sa_sigaction = cut_short, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &torn, NULL);
    command cmd = {.verb = VERBS};
    bool json = asks_for_json(argc - 1, argv + 1);
    lm_str_add(&cmd.line, "limn ");
    keep_line(argc - 1, argv + 1, &cmd.line);
    lm_status status = command_parse(argc - 1, argv + 1, &cmd);
    bool quiet = given(&cmd, OPT_quiet);
    lm_log_to(report, &quiet);
    cmd.colour = isatty(STDOUT_FILENO) && !given(&cmd, OPT_json) && !lm_env_flag(LM_ENV_NO_COLOR);
    if (status == LM_OK)
        status = run(&cmd);
    bool answered = status == LM_OK || status == LM_NO; /* no is an answer, too */
    lm_status written = answered ? cmd.out.status : LM_OK;
    if (answered && written == LM_OK)
        written = command_say(&cmd);
    if (written != LM_OK)
        status = written;
    if (status != LM_OK && status != LM_NO)
        complain(json && written == LM_OK && cmd.out.status == LM_OK, status, &cmd);
    lm_str_free(&cmd.out);
    if (cmd.spilled)
        fclose(cmd.spilled);
    lm_str_free(&cmd.node);
    lm_str_free(&cmd.line);
    lm_vec_free(&cmd.uses);
    for (size_t i = 0; i < cmd.lists.count; i++)
        lm_free(cmd.lists.at[i]);
    lm_vec_free(&cmd.lists);
    lm_env_reset();
    return (int)status;
}
