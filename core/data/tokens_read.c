/* Reading tokenizer files. */
#include <pthread.h>
#include <string.h>

#include "core/base/file.h"
#include "core/data/tokens_inside.h"

static void *give(size_t bytes)
{
    return lm_malloc(bytes, 1);
}

static void use_our_memory(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = give, .free_fn = lm_free});
}

static lm_status read_truncation(const cJSON *part, lm_tokenizer *t)
{
    double most = -1;
    if (!cJSON_IsObject(part))
        return LM_OK;
    const char *strategy = lm_member_text(part, "strategy", "LongestFirst");
    t->cut_only = strcmp(strategy, "OnlyFirst") == 0 ? 1 : strcmp(strategy, "OnlySecond") == 0 ? 2 : 0;
    LM_REQUIRE(lm_member_number(part, "max_length", &most) && most >= 0 && most <= INT32_MAX, LM_INPUT,
               "its truncation has no max_length");
    t->most = (int64_t)most;
    t->cut_left = strcmp(lm_member_text(part, "direction", "Right"), "Left") == 0;
    return LM_OK;
}

static lm_status read_padding(const cJSON *part, lm_tokenizer *t)
{
    static const char *const names[] = {"[PAD]", "<pad>", "<|endoftext|>"};
    double id = -1, type = 0, length = 0;
    for (size_t i = 0; i < LM_COUNT(names) && t->padding < 0; i++) {
        const lm_cell *known = lm_map_gets(&t->model.id, names[i]);
        t->padding = known ? known->num : -1;
        for (size_t k = 0; k < t->added.count && t->padding < 0; k++)
            t->padding = strcmp(t->added.at[k].content, names[i]) == 0 ? t->added.at[k].id : -1;
    }
    if (!cJSON_IsObject(part))
        return LM_OK;
    lm_member_number(cJSON_GetObjectItemCaseSensitive(part, "strategy"), "Fixed", &length);
    lm_member_number(part, "pad_type_id", &type);
    LM_REQUIRE(lm_member_number(part, "pad_id", &id) && id >= 0 && id < LM_MOST_IDS && length >= 0 &&
                   length <= INT32_MAX && type >= 0 && type <= UINT8_MAX,
               LM_INPUT, "its padding has numbers that cannot be");
    t->padding = (int64_t)id;
    t->padding_type = (uint8_t)type;
    t->padded = (int64_t)length;
    t->pad_left = strcmp(lm_member_text(part, "direction", "Right"), "Left") == 0;
    return LM_OK;
}

/* Texts by number, borrowed from the maps and lists that have them. */
static lm_status number_texts(lm_tokenizer *t)
{
    size_t at = 0;
    for (lm_map_entry *e; (e = lm_map_next(&t->model.id, &at));)
        t->texts = e->value.num >= t->texts ? e->value.num + 1 : t->texts;
    for (size_t i = 0; i < t->added.count; i++)
        t->texts = t->added.at[i].id >= t->texts ? t->added.at[i].id + 1 : t->texts;
    t->text = lm_calloc((size_t)t->texts + 1, sizeof *t->text);
    if (!t->text)
        return LM_MEMORY;
    at = 0;
    for (lm_map_entry *e; (e = lm_map_next(&t->model.id, &at));)
        t->text[e->value.num] = e->key;
    for (size_t i = 0; i < t->added.count; i++)
        t->text[t->added.at[i].id] = t->added.at[i].content;
    return LM_OK;
}

static lm_status read_parts(const cJSON *root, lm_tokenizer *t)
{
    LM_REQUIRE(
        cJSON_IsObject(root) && cJSON_HasObjectItem(root, "model"), LM_INPUT,
        "it is no tokenizer.json: it has no model; give the tokenizer.json or vocab.txt that came with the model");
    LM_TRY(lm_word_model_read(cJSON_GetObjectItemCaseSensitive(root, "model"), t));
    if (!lm_member_null(root, "normalizer"))
        LM_TRY(lm_normal_read(cJSON_GetObjectItemCaseSensitive(root, "normalizer"), &t->normal));
    if (!lm_member_null(root, "pre_tokenizer"))
        LM_TRY(lm_split_read(cJSON_GetObjectItemCaseSensitive(root, "pre_tokenizer"), &t->split));
    if (!lm_member_null(root, "post_processor"))
        LM_TRY(lm_after_read(cJSON_GetObjectItemCaseSensitive(root, "post_processor"), t));
    LM_TRY(lm_added_read(cJSON_GetObjectItemCaseSensitive(root, "added_tokens"), t));
    LM_TRY(read_truncation(cJSON_GetObjectItemCaseSensitive(root, "truncation"), t));
    return read_padding(cJSON_GetObjectItemCaseSensitive(root, "padding"), t);
}

static lm_status read_json(const char *text, size_t count, lm_tokenizer *t)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, use_our_memory);
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(text, count, &end, false);
    if (!root)
        return lm_fail(LM_INPUT, "it is no JSON from byte %zu on; fetch it again", end ? (size_t)(end - text) : 0);
    lm_status status = read_parts(root, t);
    cJSON_Delete(root);
    return status;
}

static int64_t number_of(const lm_tokenizer *t, const char *token)
{
    const lm_cell *c = lm_map_gets(&t->model.id, token);
    return c ? c->num : -1;
}

static bool is_special(const char *text, size_t bytes)
{
    return bytes > 2 && text[0] == '[' && text[bytes - 1] == ']';
}

/* A capital letter that has a small one. */
static bool has_capital(const char *text, size_t bytes)
{
    for (size_t i = 0, n; i < bytes; i += n) {
        const uint32_t c = lm_utf8_read(text + i, &n);
        if (lm_category(c) & LM_UPPER && lm_small_letter(c) != c)
            return true;
    }
    return false;
}

/* The tokens in square brackets that BERT has. */
static lm_status add_special(lm_tokenizer *t)
{
    static const char *const names[] = {"[UNK]", "[SEP]", "[CLS]", "[PAD]", "[MASK]"};
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < LM_COUNT(names) && list; i++) {
        if (number_of(t, names[i]) < 0)
            continue;
        cJSON *one = cJSON_CreateObject();
        if (!one || !cJSON_AddItemToArray(list, one) ||
            !cJSON_AddNumberToObject(one, "id", (double)number_of(t, names[i])) ||
            !cJSON_AddStringToObject(one, "content", names[i]) || !cJSON_AddTrueToObject(one, "special")) {
            cJSON_Delete(list);
            return LM_MEMORY;
        }
    }
    lm_status status = list ? lm_added_read(list, t) : LM_MEMORY;
    cJSON_Delete(list);
    return status;
}

/* BERT's list, one token a line. A list without capital letters was made of small ones. */
static lm_status read_list(const char *text, size_t count, lm_tokenizer *t)
{
    static const char settings[] = "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}";
    bool capitals = false;
    int64_t id = 0;
    LM_TRY(read_json(settings, sizeof settings - 1, t));
    for (const char *line = text, *end = text + count; line < end; id++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line)), *next = stop ? stop + 1 : end;
        stop = stop ? stop : end;
        while (stop > line && strchr(" \t\r", stop[-1]))
            stop--;
        const size_t n = (size_t)(stop - line);
        LM_REQUIRE(!memchr(line, 0, n) && id < LM_MOST_IDS, LM_INPUT, "line %lld is no token", (long long)id + 1);
        LM_TRY(lm_map_put(&t->model.id, line, n, (lm_cell){.num = id}));
        capitals |= !is_special(line, n) && has_capital(line, n);
        line = next;
    }
    t->model.unknown = number_of(t, "[UNK]");
    LM_REQUIRE(
        t->model.unknown >= 0, LM_INPUT,
        "it is no vocab.txt of BERT: it has no line [UNK]; give the tokenizer.json or vocab.txt that came with the "
        "model");
    LM_TRY(lm_bert_normalizer(!capitals, &t->normal));
    LM_TRY(lm_bert_split(&t->split));
    if (number_of(t, "[CLS]") >= 0 && number_of(t, "[SEP]") >= 0)
        LM_TRY(lm_around(number_of(t, "[CLS]"), number_of(t, "[SEP]"), true, false, t));
    t->padding = number_of(t, "[PAD]");
    return add_special(t);
}

static lm_status parse(lm_tokenizer *t, const char *text, size_t count, const char *name)
{
    t->name = lm_strdup(name);
    if (!t->name)
        return LM_MEMORY;
    t->most = t->padding = -1;
    t->model.unknown = -1;
    LM_REQUIRE(count > 0, LM_INPUT, "is empty");
    const size_t bad = lm_utf8_check(text, count);
    LM_REQUIRE(bad == count, LM_INPUT,
               "byte %zu is no UTF-8; give the tokenizer.json or vocab.txt that came with the model", bad);
    const size_t blank = strspn(text, " \t\r\n");
    LM_TRY(text[blank] == '{' ? read_json(text, count, t) : read_list(text, count, t));
    return number_texts(t);
}

lm_status lm_tokenizer_parse(const void *bytes, size_t count, const char *name, lm_tokenizer **out)
{
    lm_tokenizer *t;
    LM_NEW(t);
    char *text = lm_malloc(count + 1, 1); /* closed by a zero byte, for the functions on strings */
    lm_status status = LM_MEMORY;
    if (text) {
        if (count)
            memcpy(text, bytes, count);
        text[count] = '\0';
        status = lm_context(parse(t, text, count, name), "%s", name);
    }
    lm_free(text);
    if (status == LM_OK)
        *out = t;
    else
        lm_tokenizer_free(t);
    return status;
}

lm_status lm_tokenizer_read(const char *path, lm_tokenizer **out)
{
    lm_file file;
    LM_TRY(lm_file_map(path, &file));
    lm_status status = lm_tokenizer_parse(file.bytes, file.size, path, out);
    lm_file_unmap(&file);
    return status;
}

static void free_stages(lm_stages *stages)
{
    for (size_t i = 0; i < stages->count; i++) {
        lm_pattern_free(stages->at[i].pattern);
        lm_free(stages->at[i].string);
        lm_free(stages->at[i].content);
    }
    lm_vec_free(stages);
}

void lm_tokenizer_free(lm_tokenizer *t)
{
    if (!t)
        return;
    free_stages(&t->normal);
    free_stages(&t->split);
    for (size_t i = 0; i < t->added.count; i++) {
        lm_free(t->added.at[i].content);
        lm_text_free(&t->added.at[i].pattern);
    }
    lm_vec_free(&t->added);
    lm_vec_free(&t->one);
    lm_vec_free(&t->two);
    lm_map_free(&t->model.id);
    lm_free(t->model.prefix);
    lm_free(t->model.suffix);
    lm_free(t->model.merge);
    lm_free(t->model.score);
    lm_free(t->text);
    lm_free(t->name);
    lm_free(t);
}
