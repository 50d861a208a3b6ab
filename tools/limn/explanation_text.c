/* Explanations as a few lines of text. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/draw/words_text.h"
#include "core/tensor/dtype.h"
#include "explanation_finding.h"
#include "numbers.h"
#include "phrases.h"

enum { SHOWN = 5, BAR = 24 };

/* "0,2,7" */
static void indices(const limn_tensor *t, int axis, size_t index, lm_str *out)
{
    index %= numbers_below(t, axis);
    for (int i = axis; i < t->rank; i++) {
        const size_t below = numbers_below(t, i + 1);
        lm_str_printf(out, "%s%zu", i > axis ? "," : "", index / below);
        index %= below;
    }
}

/* "row 2, column 7"; of channels that were not put together with the channel before. */
static void name_place(const limn_tensor *t, lm_language language, size_t index, lm_str *out)
{
    char first[32], second[32];
    const size_t width = numbers_below(t, t->rank - 1), below = numbers_below(t, 2);
    snprintf(first, sizeof first, "%zu", index / below);
    if (t->dim[1] > 1)
        say(out, language, SAY_CHANNEL, first, NULL, NULL);
    if (t->rank == 4) {
        snprintf(first, sizeof first, "%zu", index % below / width);
        snprintf(second, sizeof second, "%zu", index % width);
        say(out, language, SAY_PIXEL, first, second, NULL);
    } else {
        lm_str text = {0};
        indices(t, 2, index, &text);
        say(out, language, SAY_PLACE, lm_str_text(&text), NULL, NULL);
        lm_str_free(&text);
    }
}

/* "x[0,2,7]", or the column's name where a table was given, or the token where a text was. */
static void place(const explanation *e, const limn_attribution *a, int64_t sample, size_t index, lm_str *out)
{
    const limn_tensor *t = &a->values;
    const inputs *in = e->in;
    const bool of_input = !a->layered || explanation_is_cast(a), places = t->rank > 2 && explanation_has_places(a);
    const limn_feed *f = of_input ? explanation_below(e, a) : NULL;
    const char *site = f ? f->name : a->site;
    const bool line = t->rank == 2 || (places && t->rank == 3 && t->dim[1] == 1);
    const char *token = of_input && line ? inputs_token(in, site, sample, (int64_t)index) : NULL;
    if (token) {
        lm_str_add(out, token);
    } else if (of_input && t->rank == 2 && in->column.count == numbers_below(t, 1) && *in->column.at[index]) {
        lm_str_add(out, in->column.at[index]);
    } else if (places) {
        name_place(t, explanation_language(e), index, out);
    } else {
        lm_str_printf(out, "%s[", site);
        indices(t, 1, index, out);
        lm_str_char(out, ']');
    }
}

/* A bar from the middle to the left or right, as long as the share of the greatest. */
static void bar(double share, char text[2 * BAR + 2])
{
    int cells = (int)lround(fabs(share) * BAR);
    for (int i = 0; i < 2 * BAR + 1; i++) {
        int from_middle = i - BAR;
        bool on = share < 0 ? from_middle < 0 && -from_middle <= cells : from_middle > 0 && from_middle <= cells;
        text[i] = from_middle == 0 ? '|' : on ? (share < 0 ? '-' : '+') : ' ';
    }
    text[2 * BAR + 1] = '\0';
}

/* The elements that count most, with bars. */
static lm_status strongest(const explanation *e, const limn_attribution *a, int64_t sample, lm_str *out)
{
    const size_t count = numbers_below(&a->values, 1), first = (size_t)sample * count;
    size_t n;
    limn_tensor size;
    LM_TRY(limn_tensor_new(LIMN_F64, 1, (const int64_t[]){(int64_t)count}, &size));
    for (size_t i = 0; i < count; i++)
        ((double *)size.data)[i] = fabs(
            lm_load_f64(a->values.type, (const char *)a->values.data + (first + i) * limn_dtype_size(a->values.type)));
    ranked *top = numbers_top(&size, 0, count, SHOWN, &n);
    for (size_t i = 0; top && i < n && top[0].value > 0; i++) {
        const size_t at = first + top[i].index;
        const double v =
            lm_load_f64(a->values.type, (const char *)a->values.data + at * limn_dtype_size(a->values.type));
        char line[2 * BAR + 2];
        lm_str name = {0};
        place(e, a, sample, top[i].index, &name);
        bar(v / top[0].value, line);
        lm_str_printf(out, "    %s  %-20s  %.6g\n", line, lm_str_text(&name), v);
        lm_str_free(&name);
    }
    limn_tensor_free(&size);
    if (!top)
        return LM_MEMORY;
    lm_free(top);
    return LM_OK;
}

/* "sum 1, off by 0.004 (0.1 %) from what it should be; 100 forward and 50 backward passes" */
static void trust(const explanation *e, const limn_attribution *a, int64_t sample, double sum, lm_str *out)
{
    const limn_certificate *c = &a->certificate[sample];
    const lm_language language = explanation_language(e);
    lm_str_add(out, "    ");
    say_numbers(out, language, SAY_SUM, "%.6g", sum, 0);
    if (!isnan(c->gap_abs))
        say_numbers(out, language, SAY_OFF_BY, "%.3g", c->gap_abs, 100 * c->gap_rel);
    if (!isnan(c->residual))
        say_numbers(out, language, SAY_RESIDUAL, "%.3g", c->residual, 0);
    if (!isnan(c->stderr_mean))
        say_numbers(out, language, SAY_STDERR, "%.3g", c->stderr_mean, 0);
    char forward[WORDS_NUMBER], backward[WORDS_NUMBER];
    say(out, language, SAY_PASSES, words_number(round(100 * c->forwards) / 100, forward),
        words_number(round(100 * c->backwards) / 100, backward), NULL);
    lm_str_char(out, '\n');
}

static double sum_of(const limn_attribution *a, int64_t sample)
{
    const size_t count = numbers_below(&a->values, 1), first = (size_t)sample * count;
    double sum = 0;
    for (size_t i = first; i < first + count; i++)
        sum += lm_load_f64(a->values.type, (const char *)a->values.data + i * limn_dtype_size(a->values.type));
    return sum;
}

static lm_status target_name(const limn_attribution *a, int64_t sample, lm_language language, lm_str *out)
{
    lm_str_add(out, a->target);
    char index[32];
    snprintf(index, sizeof index, "%lld", (long long)a->target_index[sample]);
    if (a->target_index[sample] >= 0 && strcmp(index, a->target) != 0)
        lm_str_printf(out, " = %s", index);
    if (a->target_label[sample] && strcmp(a->target_label[sample], a->target) != 0)
        say(out, language, SAY_LABEL, a->target_label[sample], NULL, NULL);
    return out->status;
}

/* "ig of target top = 1 (dog): 0.3 (logit), of output y, 0.1 at the baseline, at input x" */
static lm_status headline(const explanation *e, const limn_attribution *a, int64_t sample, command *cmd)
{
    static const phrase_id space[] = {PHRASES, SAY_LOGIT, SAY_PROBABILITY};
    const lm_language language = explanation_language(e);
    lm_str *out = &cmd->out, method = {0}, target = {0};
    lm_str_printf(&method, "%s%s%s", cmd->colour ? "\033[1m" : "", a->method, cmd->colour ? "\033[0m" : "");
    target_name(a, sample, language, &target);
    say(out, language, SAY_RESULT, lm_str_text(&method), lm_str_text(&target), NULL);
    const double value = a->target_value[sample];
    lm_str_printf(out, "%s%.6g", phrase(language, SAY_COLON), isnan(value) ? fabs(value) : value);
    if (space[a->space] != PHRASES)
        lm_str_add(out, phrase(language, space[a->space]));
    if (limn_model_output_count(e->on->model) > 1 || !explanation_has_classes(e))
        say(out, language, SAY_OF_OUTPUT, limn_explanation_output(e->why), NULL, NULL);
    if (!isnan(a->baseline_value[sample]))
        say_numbers(out, language, SAY_AT_BASELINE, "%.6g", a->baseline_value[sample], 0);
    say(out, language, a->layered ? SAY_AT_LAYER : SAY_AT_INPUT, a->site, NULL, NULL);
    if (explanation_is_cast(a) && explanation_below(e, a))
        say(out, language, SAY_SHOWN_ON, explanation_below(e, a)->name, NULL, NULL);
    lm_str_free(&method);
    lm_str_free(&target);
    return lm_str_char(out, '\n');
}

/* Bytes of the next piece of a text that no line ends within, and its columns: a word, or one of the wide characters,
 * between which a line may end anywhere. */
static size_t piece(const char *text, int *columns)
{
    enum { WIDE = 0xE3 }; /* first bytes from here on: CJK and its punctuation */
    const unsigned char *t = (const unsigned char *)text;
    size_t n = t[0] >= 0xF0 ? 4 : t[0] >= WIDE ? 3 : 0;
    *columns = 2;
    if (n)
        return n;
    for (*columns = 0; t[n] && t[n] != ' ' && t[n] < WIDE; n++)
        *columns += (t[n] & 0xC0) != 0x80;
    return n;
}

/* The same in words, in lines that fit a terminal. */
static lm_status words(const explanation *e, const limn_attribution *a, int64_t sample, lm_str *out)
{
    enum { LINE = 96 };
    lm_str text = {0};
    lm_status status = explanation_words(e, a, sample, &text);
    int column = 0;
    for (const char *at = lm_str_text(&text); status == LM_OK && *at;) {
        const bool blank = *at == ' ';
        int wide;
        const size_t bytes = piece(at += blank, &wide);
        if (!column || column + blank + wide > LINE) {
            lm_str_add(out, column ? "\n    " : "    ");
            column = 4;
        } else if (blank) {
            lm_str_char(out, ' ');
            column++;
        }
        lm_str_add_bytes(out, at, bytes);
        column += wide;
        at += bytes;
    }
    lm_str_add(out, "\n");
    lm_str_free(&text);
    return status == LM_OK ? out->status : status;
}

lm_status explanation_text(const explanation *e, command *cmd)
{
    lm_str *out = &cmd->out;
    for (int64_t s = 0; s < e->samples; s++) {
        if (e->samples > 1 || e->many) {
            bold(cmd, *explanation_source(e, s) ? explanation_source(e, s) : phrase(explanation_language(e), SAY_SAMPLE));
            lm_str_char(out, '\n');
        }
        for (size_t i = 0; i < limn_explanation_count(e->why); i++) {
            const limn_attribution *a = limn_explanation_get(e->why, i);
            LM_TRY(headline(e, a, s, cmd));
            LM_TRY(explanation_show(e, a, s, cmd));
            LM_TRY(explanation_is_unreadable(a, s) ? LM_OK : strongest(e, a, s, out));
            trust(e, a, s, sum_of(a, s), out);
            LM_TRY(words(e, a, s, out));
        }
    }
    return out->status;
}

lm_status explanation_text_end(const explanation *e, command *cmd)
{
    lm_str on = {0};
    if (limn_session_shares(e->on->session, NULL, 0, NULL) <= 1)
        return LM_OK;
    lm_status status = say_devices(&on, explanation_language(e), e->on->session);
    if (status == LM_OK)
        say(&cmd->out, explanation_language(e), SAY_ON, lm_str_text(&on), NULL, NULL);
    lm_str_char(&cmd->out, '\n');
    lm_str_free(&on);
    return status;
}
