/* A text on its way to tokens. */
#include "core/data/tokens.h"

#include <string.h>

#include "core/data/tokens_inside.h"

/* A text as it came: where its characters begin. */
typedef struct source {
    const char *text;
    size_t count;
    uint32_t *number; /* of the character that a byte belongs to; one more than there are */
} source;

static lm_status number_characters(source *s)
{
    s->number = lm_malloc(s->count + 1, sizeof *s->number);
    if (!s->number)
        return LM_MEMORY;
    uint32_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        n += i && ((unsigned char)s->text[i] & 0xc0) != 0x80;
        s->number[i] = n;
    }
    s->number[s->count] = s->count ? n + 1 : 0;
    return LM_OK;
}

/* From bytes to characters; a place behind the text stays what it is. */
static void place(const source *s, lm_span from, lm_token *to)
{
    const bool inside = from.begin < s->count && from.end <= s->count;
    to->begin = inside ? s->number[from.begin] : from.begin;
    to->end = inside ? s->number[from.end] : from.end;
}

/* Apply a cut to all parts that are no tokens yet. */
typedef lm_status (*cut_fn)(const lm_tokenizer *t, const void *how, lm_text *text, lm_parts *out);

static lm_status cut_parts(const lm_tokenizer *t, cut_fn cut, const void *how, lm_parts *parts)
{
    lm_parts out = {0};
    lm_status status = LM_OK;
    for (size_t i = 0; i < parts->count && status == LM_OK; i++) {
        lm_part *p = &parts->at[i];
        if (p->id < 0) {
            status = cut(t, how, &p->text, &out);
            continue;
        }
        status = lm_vec_push(&out, *p);
        if (status == LM_OK)
            p->text = (lm_text){.count = 0};
    }
    lm_parts_free(parts);
    *parts = out;
    return status;
}

static lm_status cut_plain(const lm_tokenizer *t, const void *how, lm_text *text, lm_parts *out)
{
    (void)how;
    return lm_added_cut(t, false, text, out);
}

static lm_status cut_normalized(const lm_tokenizer *t, const void *how, lm_text *text, lm_parts *out)
{
    (void)how;
    LM_TRY(lm_stage_change(&t->normal, text));
    return lm_added_cut(t, true, text, out);
}

static lm_status cut_words(const lm_tokenizer *t, const void *how, lm_text *text, lm_parts *out)
{
    (void)t;
    const lm_stage *s = how;
    lm_founds found = {0};
    const size_t before = out->count;
    lm_status status = s->change ? s->change(s, text) : LM_OK;
    if (status == LM_OK)
        status = s->pattern ? lm_pattern_find(s->pattern, text, &found)
                 : s->is    ? lm_find_characters(text, s->is, &found)
                            : lm_found_add(&found, 0, text->count, false);
    if (status == LM_OK)
        status = lm_parts_cut(text, &found, s->cut, s->invert, out);
    for (size_t i = before; s->after && i < out->count && status == LM_OK; i++)
        status = s->after(&out->at[i].text);
    lm_vec_free(&found);
    return status;
}

static lm_status number_part(const lm_tokenizer *t, const source *s, const lm_part *part, lm_pieces *pieces,
                             lm_tokens *out)
{
    pieces->count = 0;
    if (part->id >= 0)
        LM_TRY(lm_vec_push(pieces, (lm_piece){part->id, 0, part->text.count}));
    else
        LM_TRY(t->model.encode(t, part->text.at, part->text.count, pieces));
    for (size_t i = 0; i < pieces->count; i++) {
        lm_token token = {.id = pieces->at[i].id};
        place(s, lm_text_span(&part->text, pieces->at[i].begin, pieces->at[i].end), &token);
        LM_TRY(lm_vec_push(out, token));
    }
    return LM_OK;
}

static lm_status run(const lm_tokenizer *t, const source *s, lm_parts *parts, lm_pieces *pieces, lm_tokens *out)
{
    lm_part all = {.id = -1};
    lm_status status = lm_text_from(s->text, s->count, &all.text);
    if (status == LM_OK)
        status = lm_vec_push(parts, all);
    if (status != LM_OK) {
        lm_text_free(&all.text);
        return status;
    }
    LM_TRY(cut_parts(t, cut_plain, NULL, parts));
    LM_TRY(cut_parts(t, cut_normalized, NULL, parts));
    for (size_t i = 0; i < t->split.count; i++)
        LM_TRY(cut_parts(t, cut_words, &t->split.at[i], parts));
    for (size_t i = 0; i < parts->count; i++)
        LM_TRY(number_part(t, s, &parts->at[i], pieces, out));
    return LM_OK;
}

static lm_status encode(const lm_tokenizer *t, const char *text, size_t count, lm_tokens *out)
{
    const size_t good = lm_utf8_check(text, count);
    LM_REQUIRE(good == count, LM_INPUT, "byte %zu of the text is no UTF-8; save it as UTF-8", good);
    LM_REQUIRE(count < UINT32_MAX / 8, LM_INPUT, "the text has %zu bytes; cut it", count);
    source s = {text, count, NULL};
    lm_parts parts = {0};
    lm_pieces pieces = {0};
    lm_status status = number_characters(&s);
    if (status == LM_OK)
        status = run(t, &s, &parts, &pieces, out);
    lm_parts_free(&parts);
    lm_vec_free(&pieces);
    lm_free(s.number);
    return status;
}

/* Blanks at the ends of a token are not what it stands for, but for the one that no text has. */
static void trim(const lm_tokenizer *t, lm_tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++) {
        lm_token *k = &tokens->at[i];
        const char *text = lm_tokenizer_text(t, k->id);
        int64_t left = 0, right = 0;
        bool leading = true;
        for (size_t n; *text; text += n) {
            const bool blank = lm_is_byte_space(lm_utf8_read(text, &n));
            leading &= blank;
            left += leading;
            right = blank ? right + 1 : 0;
        }
        if (left == 1 && t->prefixed && (i == 0 || k->begin == 0))
            left = 0;
        if (left)
            k->begin = k->begin + left < k->end ? k->begin + left : k->end;
        if (right && k->end >= right)
            k->end = k->end - right > k->begin ? k->end - right : k->begin;
    }
}

static void keep(const lm_tokenizer *t, lm_tokens *tokens, int64_t most)
{
    const size_t n = most > 0 ? (size_t)most : 0;
    if (tokens->count <= n)
        return;
    if (t->cut_left && n)
        memmove(tokens->at, tokens->at + (tokens->count - n), n * sizeof *tokens->at);
    tokens->count = n;
}

/* Both together get `most` tokens; the longer one is cut first. */
static lm_status truncate_pair(const lm_tokenizer *t, lm_tokens *a, lm_tokens *b, bool pair, int64_t most)
{
    const int64_t n1 = (int64_t)a->count, n2 = (int64_t)b->count, over = n1 + n2 - most;
    if (over <= 0)
        return LM_OK;
    if (t->cut_only) {
        lm_tokens *one = t->cut_only == 1 ? a : b;
        LM_REQUIRE((int64_t)one->count > over, LM_INPUT, "the %s text is too short to be cut to %lld tokens in all",
                   t->cut_only == 1 ? "first" : "second", (long long)t->most);
        keep(t, one, (int64_t)one->count - over);
        return LM_OK;
    }
    if (!pair) {
        keep(t, a, most);
        return LM_OK;
    }
    int64_t less = n1 < n2 ? n1 : n2;
    int64_t more = less > most ? less : most - less > less ? most - less : less;
    if (less + more > most) {
        less = most / 2;
        more = less + most % 2;
    }
    keep(t, a, n1 <= n2 ? less : more);
    keep(t, b, n1 <= n2 ? more : less);
    return LM_OK;
}

static lm_status append(const lm_tokens *part, uint8_t type, bool second, lm_tokens *out)
{
    for (size_t i = 0; i < part->count; i++) {
        lm_token k = part->at[i];
        k.type = type;
        k.second = second;
        LM_TRY(lm_vec_push(out, k));
    }
    return LM_OK;
}

static lm_status put_around(const lm_tokenizer *t, const lm_tokens part[2], bool pair, bool added, lm_tokens *out)
{
    const lm_template *form = pair ? &t->two : &t->one;
    if (!form->count) {
        LM_TRY(append(&part[0], 0, false, out));
        return append(&part[1], 1, true, out);
    }
    for (size_t i = 0; i < form->count; i++) {
        const lm_template_item *item = &form->at[i];
        if (item->id < 0)
            LM_TRY(append(&part[item->id == -2], item->type, item->id == -2, out));
        else if (added)
            LM_TRY(lm_vec_push(out, (lm_token){.id = item->id, .type = item->type, .added = true}));
    }
    return LM_OK;
}

static lm_status pad(const lm_tokenizer *t, size_t before, lm_tokens *out)
{
    const lm_token filler = {.id = t->padding, .type = t->padding_type, .added = true, .padding = true};
    const size_t have = out->count - before;
    while (out->count - before < (size_t)t->padded)
        LM_TRY(lm_vec_push(out, filler));
    const size_t fresh = out->count - before - have;
    if (t->pad_left && fresh) {
        memmove(out->at + before + fresh, out->at + before, have * sizeof *out->at);
        for (size_t i = 0; i < fresh; i++)
            out->at[before + i] = filler;
    }
    return LM_OK;
}

static int64_t count_added(const lm_template *form)
{
    int64_t n = 0;
    for (size_t i = 0; i < form->count; i++)
        n += form->at[i].id >= 0;
    return n;
}

lm_status lm_tokenizer_encode(const lm_tokenizer *t, const char *text, size_t count, const char *second,
                              size_t second_count, bool added, lm_tokens *out)
{
    lm_tokens part[2] = {{0}, {0}};
    const bool pair = second != NULL;
    const size_t before = out->count;
    lm_status status = encode(t, text, count, &part[0]);
    if (status == LM_OK && pair)
        status = encode(t, second, second_count, &part[1]);
    if (status == LM_OK && t->most >= 0) {
        const int64_t more = added ? count_added(pair ? &t->two : &t->one) : 0;
        status = truncate_pair(t, &part[0], &part[1], pair, t->most > more ? t->most - more : 0);
    }
    for (int i = 0; i < 2 && t->trims; i++)
        trim(t, &part[i]);
    if (status == LM_OK)
        status = put_around(t, part, pair, added, out);
    if (status == LM_OK && added && t->padding >= 0)
        status = pad(t, before, out);
    lm_vec_free(&part[0]);
    lm_vec_free(&part[1]);
    return status;
}

const char *lm_tokenizer_text(const lm_tokenizer *t, int64_t id)
{
    return id >= 0 && id < t->texts && t->text[id] ? t->text[id] : "";
}

int64_t lm_tokenizer_padding(const lm_tokenizer *t)
{
    return t->padding;
}
