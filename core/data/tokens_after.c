/* What is put around texts: [CLS] and [SEP] and their like. */
#include <string.h>

#include "core/data/tokens_inside.h"

static lm_status add(lm_template *to, int64_t id, double type)
{
    LM_REQUIRE(type >= 0 && type <= UINT8_MAX, LM_INPUT, "a type_id is not from 0 to 255");
    return lm_vec_push(to, (lm_template_item){id, (uint8_t)type});
}

static lm_status add_special(const cJSON *special, const cJSON *list, double type, lm_template *to)
{
    const char *name = lm_member_text(special, "id", "");
    const cJSON *ids = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(list, name), "ids"), *one;
    LM_REQUIRE(cJSON_IsArray(ids), LM_INPUT, "its special token '%.40s' is not in special_tokens", name);
    cJSON_ArrayForEach (one, ids) {
        LM_REQUIRE(cJSON_IsNumber(one) && one->valuedouble >= 0 && one->valuedouble < LM_MOST_IDS, LM_INPUT,
                   "its special token '%.40s' has no number that can be one", name);
        LM_TRY(add(to, (int64_t)one->valuedouble, type));
    }
    return LM_OK;
}

static lm_status read_items(const cJSON *part, const char *key, lm_template *to)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(part, "special_tokens"), *one;
    to->count = 0;
    cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive(part, key)) {
        const cJSON *sequence = cJSON_GetObjectItemCaseSensitive(one, "Sequence"),
                    *special = cJSON_GetObjectItemCaseSensitive(one, "SpecialToken");
        double type = 0;
        lm_member_number(sequence ? sequence : special, "type_id", &type);
        if (special)
            LM_TRY(add_special(special, list, type, to));
        else
            LM_TRY(add(to, strcmp(lm_member_text(sequence, "id", "A"), "B") == 0 ? -2 : -1, type));
    }
    return LM_OK;
}

static lm_status read_template(const cJSON *part, void *to)
{
    lm_tokenizer *t = to;
    LM_TRY(read_items(part, "single", &t->one));
    return read_items(part, "pair", &t->two);
}

lm_status lm_around(int64_t first, int64_t last, bool types, bool twice, lm_tokenizer *t)
{
    const double second = types ? 1 : 0;
    t->one.count = t->two.count = 0;
    LM_TRY(add(&t->one, first, 0));
    LM_TRY(add(&t->one, -1, 0));
    LM_TRY(add(&t->one, last, 0));
    for (size_t i = 0; i < t->one.count; i++)
        LM_TRY(lm_vec_push(&t->two, t->one.at[i]));
    if (twice)
        LM_TRY(add(&t->two, last, 0));
    LM_TRY(add(&t->two, -2, second));
    return add(&t->two, last, second);
}

/* ["[SEP]", 102] */
static lm_status read_end(const cJSON *part, const char *key, int64_t *id)
{
    const cJSON *number = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(part, key), 1);
    LM_REQUIRE(cJSON_IsNumber(number) && number->valuedouble >= 0 && number->valuedouble < LM_MOST_IDS, LM_INPUT,
               "its %s is no pair of a token and its number", key);
    *id = (int64_t)number->valuedouble;
    return LM_OK;
}

static lm_status read_bert(const cJSON *part, void *to)
{
    int64_t cls = 0, sep = 0;
    LM_TRY(read_end(part, "cls", &cls));
    LM_TRY(read_end(part, "sep", &sep));
    return lm_around(cls, sep, true, false, to);
}

static lm_status read_bytes(const cJSON *part, void *to)
{
    lm_tokenizer *t = to;
    t->trims = lm_member_flag(part, "trim_offsets", true);
    t->prefixed = lm_member_flag(part, "add_prefix_space", true);
    return LM_OK;
}

static lm_status read_roberta(const cJSON *part, void *to)
{
    int64_t cls = 0, sep = 0;
    LM_TRY(read_end(part, "cls", &cls));
    LM_TRY(read_end(part, "sep", &sep));
    LM_TRY(read_bytes(part, to));
    return lm_around(cls, sep, false, true, to);
}

static lm_status read_sequence(const cJSON *part, void *to)
{
    const cJSON *one;
    cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive(part, "processors"))
        LM_TRY(lm_after_read(one, to));
    return LM_OK;
}

lm_status lm_after_read(const cJSON *part, lm_tokenizer *t)
{
    static const lm_part_row rows[] = {{"BertProcessing", read_bert},
                                       {"RobertaProcessing", read_roberta},
                                       {"TemplateProcessing", read_template},
                                       {"ByteLevel", read_bytes},
                                       {"Sequence", read_sequence}};
    return lm_part_read("post_processor", rows, LM_COUNT(rows), part, t);
}
