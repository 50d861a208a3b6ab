/* Tokens that are found in the text itself, before it is cut into words: [MASK], <s> and their like. */
#include <string.h>

#include "core/data/tokens_inside.h"

static lm_status keep(const cJSON *one, lm_tokenizer *t)
{
    double id = -1;
    lm_added_token a = {.word = lm_member_flag(one, "single_word", false),
                        .left = lm_member_flag(one, "lstrip", false),
                        .right = lm_member_flag(one, "rstrip", false)};
    a.normalized = lm_member_flag(one, "normalized", !lm_member_flag(one, "special", false));
    LM_REQUIRE(lm_member_number(one, "id", &id) && id >= 0 && id < LM_MOST_IDS, LM_INPUT,
               "an added token has no number that can be one");
    const char *content = lm_member_text(one, "content", "");
    const lm_cell *known = lm_map_gets(&t->model.id, content); /* the model's number counts */
    a.id = known ? known->num : (int64_t)id;
    LM_TRY(lm_member_copy(one, "content", "", &a.content));
    lm_status status = lm_vec_push(&t->added, a);
    if (status != LM_OK)
        lm_free(a.content);
    return status;
}

lm_status lm_added_read(const cJSON *tokens, lm_tokenizer *t)
{
    const cJSON *one;
    cJSON_ArrayForEach (one, tokens)
        if (*lm_member_text(one, "content", ""))
            LM_TRY(keep(one, t));
    for (size_t i = 0; i < t->added.count; i++) {
        lm_added_token *a = &t->added.at[i];
        LM_TRY(lm_text_from(a->content, strlen(a->content), &a->pattern));
        if (a->normalized)
            LM_TRY(lm_stage_change(&t->normal, &a->pattern));
        if (a->pattern.count) {
            const unsigned char c = (unsigned char)a->pattern.at[0];
            t->first[a->normalized][c / 32] |= 1u << c % 32;
        }
    }
    return LM_OK;
}

/* The longest token at this place; NULL: none. */
static const lm_added_token *token_at(const lm_tokenizer *t, bool normalized, const lm_text *text, size_t at)
{
    const unsigned char c = (unsigned char)text->at[at];
    const lm_added_token *found = NULL;
    if (!(t->first[normalized][c / 32] >> c % 32 & 1))
        return NULL;
    for (size_t i = 0; i < t->added.count; i++) {
        const lm_added_token *a = &t->added.at[i];
        const size_t n = a->pattern.count;
        if (a->normalized == normalized && n && n <= text->count - at && memcmp(a->pattern.at, text->at + at, n) == 0 &&
            (!found || n > found->pattern.count))
            found = a;
    }
    return found;
}

static size_t before(const lm_text *t, size_t at)
{
    do
        at--;
    while (((unsigned char)t->at[at] & 0xc0) == 0x80);
    return at;
}

static bool in_word(const lm_text *t, size_t begin, size_t end)
{
    size_t n;
    const bool left = begin > 0 && lm_is_word(lm_utf8_read(t->at + before(t, begin), &n));
    return left || (end < t->count && lm_is_word(lm_utf8_read(t->at + end, &n)));
}

/* A token takes blanks beside it along where it says so. */
static void take_blanks(const lm_added_token *a, const lm_text *t, size_t done, size_t *begin, size_t *end)
{
    size_t n;
    while (a->left && *begin > done && lm_is_space(lm_utf8_read(t->at + before(t, *begin), &n)))
        *begin = before(t, *begin);
    while (a->right && *end < t->count && lm_is_space(lm_utf8_read(t->at + *end, &n)))
        *end += n;
}

static lm_status push(lm_parts *out, const lm_text *t, size_t begin, size_t end, int64_t id)
{
    lm_part part = {.id = id};
    if (begin >= end)
        return LM_OK;
    lm_status status = lm_text_part(t, begin, end, &part.text);
    if (status == LM_OK)
        status = lm_vec_push(out, part);
    if (status != LM_OK)
        lm_text_free(&part.text);
    return status;
}

lm_status lm_added_cut(const lm_tokenizer *t, bool normalized, lm_text *text, lm_parts *out)
{
    size_t done = 0;
    for (size_t at = 0; at < text->count;) {
        const lm_added_token *a = token_at(t, normalized, text, at);
        if (!a) {
            at++;
            continue;
        }
        size_t begin = at, end = at + a->pattern.count;
        at = end;
        if (begin < done || (a->word && in_word(text, begin, end)))
            continue;
        take_blanks(a, text, done, &begin, &end);
        LM_TRY(push(out, text, done, begin, -1));
        LM_TRY(push(out, text, begin, end, a->id));
        done = end;
    }
    return push(out, text, done, text->count, -1);
}
