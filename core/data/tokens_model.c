/* Models that look words, or pieces of them, up in a list. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/data/tokens_inside.h"

static int64_t find(const lm_word_model *m, const char *text, size_t bytes)
{
    const lm_cell *c = lm_map_get(&m->id, text, bytes);
    return c ? c->num : -1;
}

/* The whole word as a token that is not known. */
static lm_status give_up(const lm_tokenizer *t, size_t count, lm_pieces *out)
{
    LM_REQUIRE(t->model.unknown >= 0, LM_INPUT, "%s: a word has no token, and the file names none for unknown words",
               t->name);
    return lm_vec_push(out, (lm_piece){t->model.unknown, 0, count});
}

static lm_status encode_word(const lm_tokenizer *t, const char *word, size_t count, lm_pieces *out)
{
    const int64_t id = find(&t->model, word, count);
    return id < 0 ? give_up(t, count, out) : lm_vec_push(out, (lm_piece){id, 0, count});
}

static size_t characters(const char *word, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += ((unsigned char)word[i] & 0xc0) != 0x80;
    return n;
}

/* The longest token that the word begins with from `begin` on; its end, or `begin` where there is none. */
static size_t longest(const lm_word_model *m, lm_str *buffer, size_t prefix, size_t begin, size_t count, int64_t *id)
{
    const char *at = buffer->text + prefix + begin;
    for (size_t end = count; end > begin; end--) {
        if (end < count && ((unsigned char)buffer->text[prefix + end] & 0xc0) == 0x80)
            continue;
        char kept[64]; /* the prefix is written in front of the piece, over what stands there, for the look-up */
        const size_t n = begin ? prefix : 0;
        memcpy(kept, at - n, n);
        memcpy(buffer->text + (at - n - buffer->text), m->prefix, n);
        *id = find(m, at - n, end - begin + n);
        memcpy(buffer->text + (at - n - buffer->text), kept, n);
        if (*id >= 0)
            return end;
    }
    return begin;
}

static lm_status encode_wordpiece(const lm_tokenizer *t, const char *word, size_t count, lm_pieces *out)
{
    const lm_word_model *m = &t->model;
    const size_t prefix = strlen(m->prefix), before = out->count;
    lm_str buffer = {0};
    lm_status status = LM_OK;
    bool known = (int64_t)characters(word, count) <= m->longest;
    lm_str_add(&buffer, m->prefix); /* room in front of the word */
    lm_str_add_bytes(&buffer, word, count);
    status = buffer.status;
    for (size_t begin = 0; begin < count && known && status == LM_OK;) {
        int64_t id = -1;
        const size_t end = longest(m, &buffer, prefix, begin, count, &id);
        known = end > begin;
        if (known)
            status = lm_vec_push(out, (lm_piece){id, begin, end});
        begin = end;
    }
    lm_str_free(&buffer);
    if (known || status != LM_OK)
        return status;
    out->count = before;
    return give_up(t, count, out);
}

/* Ids by token, and the unknown one's. */
static lm_status read_vocabulary(const cJSON *part, lm_word_model *m)
{
    const cJSON *vocab = cJSON_GetObjectItemCaseSensitive(part, "vocab"), *one;
    LM_REQUIRE(cJSON_IsObject(vocab), LM_INPUT, "its vocab is no object");
    cJSON_ArrayForEach (one, vocab) {
        LM_REQUIRE(cJSON_IsNumber(one) && one->valuedouble >= 0 && one->valuedouble < LM_MOST_IDS, LM_INPUT,
                   "the token '%.40s' has no number that can be one", one->string);
        LM_TRY(lm_map_put_num(&m->id, one->string, (int64_t)one->valuedouble));
    }
    const char *unknown = lm_member_text(part, "unk_token", NULL);
    m->unknown = unknown ? find(m, unknown, strlen(unknown)) : -1;
    return LM_OK;
}

static lm_status read_wordpiece(const cJSON *part, void *to)
{
    lm_word_model *m = &((lm_tokenizer *)to)->model;
    double most = 100;
    LM_TRY(read_vocabulary(part, m));
    LM_TRY(lm_member_copy(part, "continuing_subword_prefix", "##", &m->prefix));
    LM_REQUIRE(strlen(m->prefix) < 64, LM_UNSUPPORTED, "a prefix of 64 and more bytes is not supported");
    lm_member_number(part, "max_input_chars_per_word", &most);
    m->longest = (int64_t)fmin(fmax(most, 0), 1e9);
    m->encode = encode_wordpiece;
    return LM_OK;
}

static lm_status read_words(const cJSON *part, void *to)
{
    lm_tokenizer *t = to;
    t->model.encode = encode_word;
    return read_vocabulary(part, &t->model);
}

/* Tokens "<0x00>" to "<0xFF>". */
static void find_bytes(lm_word_model *m)
{
    for (int i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", i);
        m->byte[i] = find(m, name, 6);
    }
}

static lm_status read_pairs(const cJSON *part, void *to)
{
    lm_tokenizer *t = to;
    LM_TRY(read_vocabulary(part, &t->model));
    find_bytes(&t->model);
    return lm_bpe_read(part, t);
}

static lm_status read_unigram(const cJSON *part, void *to)
{
    lm_tokenizer *t = to;
    LM_TRY(lm_unigram_read(part, t));
    find_bytes(&t->model);
    return LM_OK;
}

lm_status lm_word_model_read(const cJSON *part, lm_tokenizer *t)
{
    static const lm_part_row rows[] = {
        {"WordPiece", read_wordpiece}, {"BPE", read_pairs}, {"WordLevel", read_words}, {"Unigram", read_unigram}};
    if (*lm_member_text(part, "type", "") || !cJSON_IsObject(part))
        return lm_part_read("model", rows, LM_COUNT(rows), part, t);
    /* old files do not say: merges tell byte pairs */
    const bool pairs = cJSON_HasObjectItem(part, "merges");
    return pairs ? read_pairs(part, t) : read_wordpiece(part, t);
}
