/* Texts as INPUT: --text and .txt files, as the tokenizer of --tokenizer numbers them. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/file.h"
#include "input_inside.h"
#include "subject.h"

/* As much of a text as an error may repeat, in bytes that end with a character. */
static int told(const char *text)
{
    int n = (int)strnlen(text, 60);
    while (text[n] && n && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* What an input of a language model is for. */
typedef enum role { ROLE_TOKENS, ROLE_MASK, ROLE_TYPES, ROLE_PLACES, ROLES } role;

/* The texts of a command line on their way to the inputs of the model. */
typedef struct writer {
    reader *r;
    int64_t input[ROLES]; /* -1: the model has none */
    int64_t width;        /* of all */
    size_t first, end;    /* texts of this part */
} writer;

static lm_status add_text(reader *r, const char *source, const char *text, size_t count, int64_t input)
{
    input_text t = {.source = lm_strdup(source), .text = lm_malloc(count + 1, 1), .count = count, .input = input};
    lm_status status = t.source && t.text ? lm_vec_push(&r->texts->all, t) : LM_MEMORY;
    if (status != LM_OK) {
        lm_free(t.source);
        lm_free(t.text);
        return status;
    }
    memcpy(t.text, text, count);
    t.text[count] = '\0';
    return LM_OK;
}

/* The end of the last line is the file's, not the text's. */
lm_status input_text_file(reader *r, const input_word *w)
{
    lm_file f;
    LM_TRY(lm_file_map(w->path, &f));
    const char *text = (const char *)f.bytes;
    size_t n = f.size, begin = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    n -= n > begin && text[n - 1] == '\n';
    n -= n > begin && text[n - 1] == '\r';
    lm_status status = n > begin ? add_text(r, w->path, text + begin, n - begin, w->named ? (int64_t)w->input : -1)
                                 : lm_fail(LM_INPUT, "%s: is empty; give a text", w->path);
    lm_file_unmap(&f);
    return status;
}

static bool has(const char *name, const char *word)
{
    return strcasestr(name, word) != NULL;
}

static role role_of(const char *name)
{
    return has(name, "mask")                           ? ROLE_MASK
           : has(name, "type") || has(name, "segment") ? ROLE_TYPES
           : has(name, "position")                     ? ROLE_PLACES
                                                       : ROLE_TOKENS;
}

static bool takes_text(const limn_port *p)
{
    return p->type != LIMN_DTYPES && limn_dtype_size(p->type) > 0 && (p->rank < 0 || p->rank == 1 || p->rank == 2);
}

/* Which input gets what: by their names, and the tokens by `named` where the user said it. */
static lm_status cast(writer *w, int64_t named)
{
    const limn_model *m = w->r->m;
    size_t candidates = 0;
    for (int k = 0; k < ROLES; k++)
        w->input[k] = -1;
    for (size_t i = 0; i < w->r->inputs; i++) {
        const limn_port *p = limn_model_input(m, i);
        const role k = (int64_t)i == named ? ROLE_TOKENS : role_of(p->name);
        const bool other = named >= 0 ? (int64_t)i != named : lm_dtype_is_float(p->type);
        if (!takes_text(p) || (k != ROLE_TOKENS && p->optional) || (k == ROLE_TOKENS && other))
            continue;
        const bool better = k == ROLE_TOKENS && has(p->name, "input_ids");
        candidates += k == ROLE_TOKENS && !p->optional;
        if (w->input[k] < 0 || better)
            w->input[k] = (int64_t)i;
        if (better && k == ROLE_TOKENS)
            named = (int64_t)i;
    }
    if (w->input[ROLE_TOKENS] >= 0 && (candidates < 2 || named >= 0))
        return LM_OK;
    lm_str text = {0};
    const char *source = w->r->texts->all.at[0].source;
    input_list(m, &text);
    if (candidates)
        lm_fail(LM_INPUT,
                "%.*s: which input takes the tokens [N,T]? The model takes %s; write NAME=doc.txt, or give a .npy or "
                ".npz file",
                told(source), source, lm_str_text(&text));
    else
        lm_fail(LM_INPUT,
                "%.*s: is a text, but no input takes tokens, which are whole numbers [N,T]; the model takes %s: give such "
                "a file, or write NAME=doc.txt where tokens go in as other numbers",
                told(source), source, lm_str_text(&text));
    lm_str_free(&text);
    return LM_INPUT;
}

/* Tokens for all texts. */
static lm_status encode(const command *cmd, input_texts *texts)
{
    size_t pairs = 0, at = 0;
    const size_t n = texts->all.count;
    for (size_t k = 0; next_value(cmd, OPT_pair, &k);)
        pairs++;
    LM_REQUIRE(pairs == 0 || pairs == n, LM_USAGE, "--pair: there are %zu for %zu texts; give one for each", pairs, n);
    for (size_t i = 0; i < n; i++) {
        input_text *t = &texts->all.at[i];
        t->second = pairs ? next_value(cmd, OPT_pair, &at) : NULL;
        LM_TRY(lm_context(lm_tokenizer_encode(texts->tokenizer, t->text, t->count, t->second,
                                              t->second ? strlen(t->second) : 0, true, &t->tokens),
                          "%.*s", told(t->source), t->source));
        LM_REQUIRE(t->tokens.count > 0, LM_INPUT, "%.*s: has no tokens; give a longer text", told(t->source),
                   t->source);
    }
    return LM_OK;
}

static bool was_given(const reader *r, int64_t input)
{
    for (size_t i = 0; i < r->pieces.count; i++)
        if ((int64_t)r->pieces.at[i].input == input)
            return true;
    return false;
}

/* Can each text be a part of its own? Not beside arrays, which have a row for each. */
static bool can_part(const writer *w)
{
    return w->r->parts && !w->r->pieces.count;
}

static int64_t fixed_width(const writer *w)
{
    const limn_port *p = limn_model_input(w->r->m, (size_t)w->input[ROLE_TOKENS]);
    return p->rank > 0 ? p->dim[p->rank - 1] : -1;
}

/* Texts that cannot share a batch are read one by one, each with its own length unless the model has a fixed one. */
static void choose_one(writer *w)
{
    input_parts *parts = w->r->parts;
    const input_texts *texts = parts->texts = w->r->texts;
    parts->rows = (int64_t)texts->all.count;
    parts->step = 1;
    w->first = (size_t)parts->at;
    w->end = w->first + 1;
    w->width = fixed_width(w) >= 0 ? fixed_width(w) : (int64_t)texts->all.at[w->first].tokens.count;
}

/* Texts of unequal length are filled up where the model takes a mask that says so, or can only take one length. */
static lm_status choose_width(writer *w)
{
    const input_texts *texts = w->r->texts;
    const limn_port *p = limn_model_input(w->r->m, (size_t)w->input[ROLE_TOKENS]);
    const int64_t fixed = fixed_width(w);
    size_t least = SIZE_MAX, most = 0, longest = 0;
    for (size_t i = 0; i < texts->all.count; i++) {
        const size_t n = texts->all.at[i].tokens.count;
        longest = n > most ? i : longest;
        most = n > most ? n : most;
        least = n < least ? n : least;
    }
    const char *source = texts->all.at[longest].source;
    LM_REQUIRE(fixed < 0 || most <= (size_t)fixed, LM_INPUT,
               "%.*s: has %zu tokens, but input '%s' takes %lld; shorten it, or set truncation in the tokenizer's file",
               told(source), source, most, p->name, (long long)fixed);
    w->width = fixed >= 0 ? fixed : (int64_t)most;
    w->end = texts->all.count;
    const bool equal = least == (size_t)w->width, alone = p->rank == 1 && w->end > 1;
    const bool mask = w->input[ROLE_MASK] >= 0;
    const bool one = can_part(w) && (alone || (!equal && fixed < 0 && !mask));
    if (one)
        choose_one(w);
    if ((equal && (one || !alone)) || (one && fixed < 0))
        return LM_OK;
    char count[64];
    snprintf(count, sizeof count, "%zu%s", least, least < most ? " to " : "");
    if (least < most)
        snprintf(count + strlen(count), sizeof count - strlen(count), "%zu", most);
    LM_REQUIRE(fixed >= 0 || mask, LM_INPUT,
               "the texts have %s tokens, and the model takes no mask, so they cannot share a batch; give them one by one",
               count);
    LM_REQUIRE(lm_tokenizer_padding(texts->tokenizer) >= 0, LM_INPUT,
               "the texts have %s tokens, input '%s' takes %lld, and the tokenizer has none to fill up with; give longer "
               "texts, or set padding in its file",
               count, p->name, (long long)w->width);
    if (!mask)
        lm_log(LM_LOG_WARN, "the model takes no mask, so it takes what fills short texts up for text");
    return LM_OK;
}

/* What the input of this role says of place i. */
static int64_t number(const writer *w, const lm_tokens *of, role k, int64_t i)
{
    const bool there = i < (int64_t)of->count;
    switch (k) {
    case ROLE_TOKENS: return there ? of->at[i].id : lm_tokenizer_padding(w->r->texts->tokenizer);
    case ROLE_MASK: return there && !of->at[i].padding;
    case ROLE_TYPES: return there ? of->at[i].type : 0;
    default: return i;
    }
}

static lm_status keep(writer *w, size_t text, role k)
{
    const limn_port *p = limn_model_input(w->r->m, (size_t)w->input[k]);
    const int64_t dim[2] = {p->rank == 1 ? w->width : 1, w->width};
    lm_shape sh;
    lm_view v;
    LM_TRY(lm_shape_make(p->rank == 1 ? 1 : 2, dim, &sh));
    LM_TRY(lm_view_new(LM_I64, &sh, &v));
    int64_t *to = lm_view_data(&v);
    for (int64_t i = 0; i < w->width; i++)
        to[i] = number(w, &w->r->texts->all.at[text].tokens, k, i);
    LM_TRY(input_keep(w->r, (size_t)w->input[k], w->r->texts->all.at[text].source, &v));
    w->r->pieces.at[w->r->pieces.count - 1].whole = p->rank == 1;
    return LM_OK;
}

/* What people are shown for a token: the text that it stands for, or its own name. */
static lm_status name_token(writer *w, const input_text *t, const lm_token *k)
{
    const char *text = k->second ? t->second : t->text;
    size_t begin = 0, end = 0;
    int64_t at = -1;
    for (size_t i = 0; k->begin < k->end && text[i]; i++) {
        at += ((unsigned char)text[i] & 0xc0) != 0x80;
        begin += at < k->begin;
        end += at < k->end;
    }
    lm_str out = {0};
    if (end > begin)
        lm_str_add_bytes(&out, text + begin, end - begin);
    else
        lm_str_add(&out, lm_tokenizer_text(w->r->texts->tokenizer, k->id));
    const size_t room = 4 * out.count + 1; /* ends of lines and their like are written as \\n */
    char *name = out.status == LM_OK ? lm_malloc(room, 1) : NULL;
    if (name)
        lm_one_line(name, room, lm_str_text(&out));
    lm_str_free(&out);
    if (name && lm_vec_push(&w->r->out->token, name) == LM_OK)
        return LM_OK;
    lm_free(name);
    return LM_MEMORY;
}

static lm_status name_tokens(writer *w)
{
    inputs *out = w->r->out;
    const lm_token filler = {.id = lm_tokenizer_padding(w->r->texts->tokenizer)};
    out->token_input = limn_model_input(w->r->m, (size_t)w->input[ROLE_TOKENS])->name;
    out->token_width = w->width;
    for (size_t i = w->first; i < w->end; i++) {
        const input_text *t = &w->r->texts->all.at[i];
        for (int64_t k = 0; k < w->width; k++)
            LM_TRY(name_token(w, t, k < (int64_t)t->tokens.count ? &t->tokens.at[k] : &filler));
    }
    return LM_OK;
}

static lm_status read_tokens(const command *cmd, input_texts *texts)
{
    const char *file = cmd->option[OPT_tokenizer], *source = texts->all.at[0].source;
    LM_REQUIRE(file, LM_USAGE,
               "%.*s: texts need --tokenizer FILE, the tokenizer.json or vocab.txt that came with the model",
               told(source), source);
    LM_TRY(lm_tokenizer_read(file, &texts->tokenizer));
    return encode(cmd, texts);
}

static lm_status write_all(writer *w)
{
    reader *r = w->r;
    LM_TRY(cast(w, r->texts->all.at[0].input));
    if (r->texts->tokenizer) {
        choose_one(w);
    } else {
        LM_TRY(read_tokens(r->cmd, r->texts));
        LM_TRY(choose_width(w));
    }
    bool given[ROLES];
    for (int k = 0; k < ROLES; k++)
        given[k] = w->input[k] < 0 || was_given(r, w->input[k]);
    for (size_t i = w->first; i < w->end; i++)
        for (int k = 0; k < ROLES; k++)
            if (!given[k])
                LM_TRY(keep(w, i, (role)k));
    return name_tokens(w);
}

lm_status input_texts_feed(reader *r)
{
    writer w = {.r = r};
    size_t at = 0;
    for (const char *text; !r->texts->tokenizer && (text = next_value(r->cmd, OPT_text, &at));) {
        LM_REQUIRE(*text, LM_USAGE, "--text: is empty; give some text");
        LM_TRY(add_text(r, text, text, strlen(text), -1));
    }
    LM_REQUIRE(r->texts->all.count || !given(r->cmd, OPT_pair), LM_USAGE,
               "--pair: there is no text to pair it with; add --text");
    return r->texts->all.count ? write_all(&w) : LM_OK;
}

void input_texts_free(input_texts *texts)
{
    if (!texts)
        return;
    for (size_t i = 0; i < texts->all.count; i++) {
        lm_free(texts->all.at[i].source);
        lm_free(texts->all.at[i].text);
        lm_vec_free(&texts->all.at[i].tokens);
    }
    lm_vec_free(&texts->all);
    lm_tokenizer_free(texts->tokenizer);
    lm_free(texts);
}
