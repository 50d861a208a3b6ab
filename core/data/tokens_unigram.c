/* Unigram: of all ways to put a word together from tokens the one with the highest sum of their scores. */
#include <math.h>
#include <string.h>

#include "core/data/tokens_inside.h"

/* The best way to this place ends with the token from `begin` on. */
typedef struct best {
    double score;
    size_t begin;
    int64_t id;
    bool any;
} best;

static void offer(best *at, double score, size_t begin, int64_t id)
{
    if (!at->any || score > at->score)
        *at = (best){score, begin, id, true};
}

static lm_status search(const lm_tokenizer *t, const char *word, size_t count, best *at)
{
    enum { PENALTY = 10 }; /* below the rarest token */
    const lm_word_model *m = &t->model;
    for (size_t i = 0, n; i < count; i += n) {
        bool single = false;
        lm_utf8_read(word + i, &n);
        const size_t most = m->widest < count - i ? m->widest : count - i;
        for (size_t k = 1; k <= most; k++) {
            const lm_cell *id = lm_map_get(&m->id, word + i, k);
            if (!id)
                continue;
            offer(&at[i + k], m->score[id->num] + at[i].score, i, id->num);
            single |= k == n;
        }
        LM_REQUIRE(single || m->unknown >= 0, LM_INPUT,
                   "%s: a character has no token, and the file names none for unknown ones", t->name);
        if (!single)
            offer(&at[i + n], m->least - PENALTY + at[i].score, i, m->unknown);
    }
    return LM_OK;
}

static lm_status add(const lm_tokenizer *t, const char *word, size_t begin, size_t end, lm_pieces *out)
{
    const lm_word_model *m = &t->model;
    const lm_cell *id = lm_map_get(&m->id, word + begin, end - begin);
    bool bytes = m->bytes && !id;
    for (size_t i = begin; i < end && bytes; i++)
        bytes = m->byte[(unsigned char)word[i]] >= 0;
    if (!bytes)
        return lm_vec_push(out, (lm_piece){id ? id->num : m->unknown, begin, end});
    for (size_t i = begin; i < end; i++)
        LM_TRY(lm_vec_push(out, (lm_piece){m->byte[(unsigned char)word[i]], begin, end}));
    return LM_OK;
}

/* From the end to the beginning, the beginnings in `from`; neighbours that are not known become one. */
static lm_status encode(const lm_tokenizer *t, const char *word, size_t count, lm_pieces *out)
{
    best *at = lm_calloc(count + 1, sizeof *at);
    LM_VEC(size_t) from = {0};
    lm_status status = at ? search(t, word, count, at) : LM_MEMORY;
    for (size_t end = count; end > 0 && status == LM_OK;) {
        size_t begin = at[end].begin;
        while (at[end].id == t->model.unknown && begin > 0 && at[begin].id == t->model.unknown)
            begin = at[begin].begin;
        status = lm_vec_push(&from, begin);
        end = begin;
    }
    for (size_t i = from.count; i-- > 0 && status == LM_OK;)
        status = add(t, word, from.at[i], i ? from.at[i - 1] : count, out);
    lm_vec_free(&from);
    lm_free(at);
    return status;
}

lm_status lm_unigram_read(const cJSON *part, lm_tokenizer *t)
{
    lm_word_model *m = &t->model;
    const cJSON *vocab = cJSON_GetObjectItemCaseSensitive(part, "vocab"), *one;
    double unknown = -1;
    LM_REQUIRE(cJSON_IsArray(vocab), LM_INPUT, "its vocab is no list");
    m->scores = (size_t)cJSON_GetArraySize(vocab);
    m->score = lm_calloc(m->scores + 1, sizeof *m->score);
    if (!m->score)
        return LM_MEMORY;
    int64_t id = 0;
    cJSON_ArrayForEach (one, vocab) {
        const cJSON *token = cJSON_GetArrayItem(one, 0), *score = cJSON_GetArrayItem(one, 1);
        LM_REQUIRE(cJSON_IsString(token) && cJSON_IsNumber(score) && isfinite(score->valuedouble), LM_INPUT,
                   "token %lld is no pair of text and score", (long long)id);
        const size_t bytes = strlen(token->valuestring);
        m->widest = bytes > m->widest ? bytes : m->widest;
        m->least = fmin(m->least, score->valuedouble);
        m->score[id] = score->valuedouble;
        LM_TRY(lm_map_put_num(&m->id, token->valuestring, id++));
    }
    lm_member_number(part, "unk_id", &unknown);
    m->unknown = unknown >= 0 && unknown < (double)m->scores ? (int64_t)unknown : -1;
    m->bytes = lm_member_flag(part, "byte_fallback", false);
    m->encode = encode;
    return LM_OK;
}
