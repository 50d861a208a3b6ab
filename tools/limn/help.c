/* Everything that explains the command, from its two tables: usage texts, the manual page and bash completion. */
#include "command.h"

#include <string.h>

#include <limn/limn.h>

#include "core/base/env.h"

static bool shown(int verb)
{
    return verbs[verb].name[0] != '_';
}

static void option_line(lm_str *out, const option_row *o)
{
    lm_str left = {0};
    if (o->letter)
        lm_str_printf(&left, "-%c, ", o->letter);
    lm_str_printf(&left, "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
    lm_str_printf(out, "  %-20s  %s\n", lm_str_text(&left), o->help);
    lm_str_free(&left);
}

/* Does the option belong to this verb and not to all (VERBS: to all)? */
static bool own(const option_row *o, verb_id verb)
{
    return verb == VERBS ? o->verbs == EVERY : o->verbs != EVERY && (o->verbs >> verb & 1);
}

static int option_lines(lm_str *out, verb_id verb)
{
    int n = 0;
    for (int i = 0; i < OPTIONS; i++)
        if (own(&options[i], verb)) {
            option_line(out, &options[i]);
            n++;
        }
    return n;
}

/* For the manual page and the two verbs that show what a list comes to. */
static const char device_lists[] =
    "A device list (--backend, LIMN_BACKEND) is tried from left to right, and the first item that opens is used: auto; "
    "name[:number][:key=value...], such as cpu:threads=2; or -name, never this one. Exclusions alone mean: and otherwise auto. "
    "cpu takes isa=scalar|avx2|avx512|neon, threads=N and bind=0|1, ref takes type=f32|f64, and every name takes strict=1, which "
    "lets no other device help out. name+name[+...] are used at once: samples, steps of a path, draws of noise are split over "
    "them, what comes alone runs on the first, and the result says who ran how many rows. Where all are of class exact and "
    "agree to the bit, who is faster takes more and the result is that of one device; otherwise, or with split=N on a name, "
    "each gets a fixed share, N parts or 1. What a device has no kernel for runs on cpu, and what that lacks on ref.";

static const char inputs[] =
    "An INPUT is x.npy (a batch axis is added when it is missing; other number types are converted unless a value would be "
    "lost), x.npz with arrays called as the model's inputs, NAME=x.npy for the input of that name, rows.csv or rows.csv:12 for "
    "its row 12 (the first is 0), a .png or .jpg, a folder of them, images-idx3-ubyte:7, speech.wav, doc.txt or --text with "
    "--tokenizer, or - for a .npy on standard input. Several are stacked. Models without inputs take none. A model's metadata "
    "may say how it wants pictures (limn.prep, as --prep; preprocessor_config; Image.NominalPixelRange) and what its classes "
    "are called (labels, classes, class_names, names, id2label).";

/* `text` broken into lines of at most `width` bytes. */
static void wrapped(lm_str *out, const char *text, size_t width)
{
    while (*text) {
        size_t length = strlen(text);
        if (length > width)
            for (length = width; length > 1 && text[length] != ' '; length--)
                ;
        lm_str_printf(out, "%.*s\n", (int)length, text);
        text += length + strspn(text + length, " ");
    }
}

static void verb_help(verb_id id, lm_str *out)
{
    const verb_row *v = &verbs[id];
    lm_str_printf(out, "limn %s - %s\n\nusage: limn %s [options]%s%s\n", v->name, v->summary, v->name, *v->operands ? " " : "",
                  v->operands);
    lm_str mine = {0};
    if (option_lines(&mine, id))
        lm_str_printf(out, "\noptions:\n%s", mine.text);
    lm_str_free(&mine);
    lm_str_add(out, "\noptions of every verb:\n");
    option_lines(out, VERBS);
    const char *more = id == VERB_devices || id == VERB_env ? device_lists
                       : id == VERB_predict || id == VERB_explain || id == VERB_bench ? inputs
                                                                : "";
    if (*more) {
        lm_str_char(out, '\n');
        wrapped(out, more, 110);
    }
    lm_str_printf(out, "\nexample:\n  %s\n", v->example);
}

static const char exit_statuses[] =
    "0 done; 1 the answer is no; 2 wrong usage; 3 bad input; 4 not supported; 5 a named device is absent or failed; "
    "6 out of memory; 7 output cannot be written; 130 interrupted.";

lm_status command_help(verb_id id, lm_str *out)
{
    if (id < VERBS) {
        verb_help(id, out);
        return out->status;
    }
    lm_str_add(out, "limn - explains what a trained network saw\n\nusage: limn VERB [options]\n\nverbs:\n");
    for (int i = 0; i < VERBS; i++)
        if (shown(i))
            lm_str_printf(out, "  %-10s  %s\n", verbs[i].name, verbs[i].summary);
    lm_str_add(out, "\noptions of every verb:\n");
    option_lines(out, VERBS);
    lm_str_add(out, "\nexit status:\n");
    wrapped(out, exit_statuses, 110);
    lm_str_add(out, "\nlimn VERB --help shows a verb's own options and an example.\n");
    return out->status;
}

/* '-' and '\' mean something else to troff. */
static void troff(lm_str *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '-' || *text == '\\')
            lm_str_char(out, '\\');
        lm_str_char(out, *text);
    }
}

static void troff_options(lm_str *out, verb_id verb)
{
    for (int i = 0; i < OPTIONS; i++) {
        const option_row *o = &options[i];
        if (!own(o, verb))
            continue;
        lm_str_add(out, ".TP\n");
        if (o->letter)
            lm_str_printf(out, "\\fB\\-%c\\fR, ", o->letter);
        lm_str_printf(out, "\\fB\\-\\-%s\\fR%s", o->name, o->argument ? " \\fI" : "");
        if (o->argument)
            lm_str_printf(out, "%s\\fR", o->argument);
        lm_str_char(out, '\n');
        troff(out, o->help);
        lm_str_char(out, '\n');
    }
}

lm_status cmd_man(command *cmd)
{
    lm_str *out = &cmd->out;
    lm_str_printf(out, ".TH LIMN 1 \"\" \"limn %s\"\n.SH NAME\nlimn \\- explains what a trained network saw\n", limn_version());
    lm_str_add(out, ".SH SYNOPSIS\n.B limn\n\\fIVERB\\fR [\\fIoptions\\fR]\n.SH VERBS\n");
    for (int i = 0; i < VERBS; i++) {
        if (!shown(i))
            continue;
        lm_str_printf(out, ".SS %s", verbs[i].name);
        lm_str_printf(out, "%s%s\n", *verbs[i].operands ? " " : "", verbs[i].operands);
        troff(out, verbs[i].summary);
        lm_str_add(out, ".\n");
        troff_options(out, (verb_id)i);
        lm_str_add(out, ".PP\nExample: \\fB");
        troff(out, verbs[i].example);
        lm_str_add(out, "\\fR\n");
    }
    lm_str_add(out, ".SH INPUTS\n");
    troff(out, inputs);
    lm_str_add(out, "\n.SH OPTIONS\nEvery verb takes these.\n");
    troff_options(out, VERBS);
    lm_str_add(out, ".SH DEVICE LISTS\n");
    troff(out, device_lists);
    lm_str_add(out, "\n.SH ENVIRONMENT\n\\fBlimn env\\fR lists every variable, its value and what is in force.\n");
    for (int i = 0; i < LM_ENV_COUNT; i++) {
        const lm_env_row *row = lm_env_info((lm_env_id)i);
        lm_str_printf(out, ".TP\n\\fB%s\\fR\n", row->name);
        troff(out, row->help);
        lm_str_printf(out, "%s%s\n", *row->allowed ? ": " : "", row->allowed);
    }
    lm_str_printf(out, ".SH EXIT STATUS\n%s\n", exit_statuses);
    return out->status;
}

lm_status cmd_completion(command *cmd)
{
    lm_str *out = &cmd->out;
    lm_str_add(out, "_limn()\n{\n    local verb word all='");
    for (int i = 0; i < OPTIONS; i++)
        if (own(&options[i], VERBS))
            lm_str_printf(out, "--%s ", options[i].name);
    lm_str_add(out, "' verbs='");
    for (int i = 0; i < VERBS; i++)
        if (shown(i))
            lm_str_printf(out, "%s ", verbs[i].name);
    lm_str_add(out, "'\n    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
                    "        case $word in -*) ;; *) verb=$word; break ;; esac\n    done\n    case $verb in\n"
                    "    '') all=\"$verbs $all\" ;;\n");
    for (int v = 0; v < VERBS; v++) {
        if (!shown(v))
            continue;
        lm_str_printf(out, "    %s) all=\"$all", verbs[v].name);
        for (int i = 0; i < OPTIONS; i++)
            if (own(&options[i], (verb_id)v))
                lm_str_printf(out, " --%s", options[i].name);
        lm_str_add(out, "\" ;;\n");
    }
    lm_str_add(out, "    esac\n    COMPREPLY=()\n    case $verb,${COMP_WORDS[COMP_CWORD]} in\n"
                    "    ,* | *,-*) COMPREPLY=($(compgen -W \"$all\" -- \"${COMP_WORDS[COMP_CWORD]}\")) ;;\n    esac\n}\n"
                    "complete -o default -F _limn limn\n");
    return out->status;
}
