/* Pre-tokenizers: where a text is cut into words. */
#include <string.h>

#include "core/data/tokens_inside.h"

void lm_parts_free(lm_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++)
        lm_text_free(&parts->at[i].text);
    lm_vec_free(parts);
}

static lm_status push(lm_parts *out, const lm_text *t, size_t begin, size_t end)
{
    lm_part part = {.id = -1};
    if (begin == end)
        return LM_OK;
    lm_status status = lm_text_part(t, begin, end, &part.text);
    if (status == LM_OK)
        status = lm_vec_push(out, part);
    if (status != LM_OK)
        lm_text_free(&part.text);
    return status;
}

/* Neighbours that become one piece, from left to right: does the second join the first? */
static bool joins(const lm_founds *f, size_t i, lm_cut cut, bool invert)
{
    const bool first = f->at[i].match != invert, second = f->at[i + 1].match != invert;
    switch (cut) {
    case CUT_WITH_PREVIOUS: return second && !first;
    case CUT_WITH_NEXT: return first && !second;
    case CUT_CONTIGUOUS: return first == second;
    default: return false;
    }
}

lm_status lm_parts_cut(lm_text *t, const lm_founds *found, lm_cut cut, bool invert, lm_parts *out)
{
    for (size_t i = 0; i < found->count; i++) {
        const size_t begin = found->at[i].begin;
        const bool match = found->at[i].match != invert;
        while (i + 1 < found->count && joins(found, i, cut, invert))
            i++;
        if (cut != CUT_REMOVED || !match)
            LM_TRY(push(out, t, begin, found->at[i].end));
    }
    return LM_OK;
}

/* Characters that stand for bytes: those that can be seen stand for themselves, the others for characters from 256 on.
 */
static uint32_t byte_character(unsigned char byte)
{
    const bool seen = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    if (seen)
        return byte;
    return 256u + (byte <= 32 ? byte : byte <= 160 ? byte - 127u + 33u : 67u);
}

bool lm_is_byte_space(uint32_t c)
{
    return c == byte_character(' ') || lm_is_space(c);
}

lm_status lm_bytes_as_characters(lm_text *t)
{
    lm_text out = {.count = 0};
    lm_status status = LM_OK;
    for (size_t i = 0; i < t->count && status == LM_OK; i++)
        status = lm_text_push(&out, byte_character((unsigned char)t->at[i]), t->from[i]);
    if (status == LM_OK)
        lm_text_replace(t, &out);
    lm_text_free(&out);
    return status;
}

static lm_status put_blank(const lm_stage *s, lm_text *t)
{
    (void)s;
    return lm_text_starts(t, " ") ? LM_OK : lm_text_prepend(t, " ");
}

enum { ALWAYS = 1, FIRST = 2 };

/* Blanks become the sign `string`, and one is put in front. */
static lm_status put_sign(const lm_stage *s, lm_text *t)
{
    lm_text out = {.count = 0};
    lm_status status = LM_OK;
    for (size_t i = 0; i < t->count && status == LM_OK; i++)
        status =
            t->at[i] == ' ' ? lm_text_push_string(&out, s->string, t->from[i]) : lm_text_push_range(&out, t, i, i + 1);
    if (status == LM_OK)
        lm_text_replace(t, &out);
    lm_text_free(&out);
    LM_TRY(status);
    const bool wanted = s->flags & ALWAYS || (s->flags & FIRST && t->origin == 0);
    return wanted && !lm_text_starts(t, s->string) ? lm_text_prepend(t, s->string) : LM_OK;
}

static lm_status add(void *to, lm_stage stage)
{
    lm_stages *stages = to;
    return lm_vec_push(stages, stage);
}

static lm_stage *last(void *to)
{
    lm_stages *stages = to;
    return &stages->at[stages->count - 1];
}

lm_status lm_bert_split(lm_stages *out)
{
    LM_TRY(add(out, (lm_stage){.is = lm_is_space, .cut = CUT_REMOVED}));
    return add(out, (lm_stage){.is = lm_is_punctuation});
}

static lm_status read_bert(const cJSON *part, void *to)
{
    (void)part;
    return lm_bert_split(to);
}

static lm_status read_words(const cJSON *part, void *to)
{
    (void)part;
    LM_TRY(add(to, (lm_stage){.cut = CUT_REMOVED, .invert = true}));
    return lm_pattern_new("[\\w\\x{200c}\\x{200d}]+|[^\\w\\s\\x{200c}\\x{200d}]+", &last(to)->pattern);
}

static lm_status read_blanks(const cJSON *part, void *to)
{
    (void)part;
    return add(to, (lm_stage){.is = lm_is_space, .cut = CUT_REMOVED});
}

static lm_status read_bytes(const cJSON *part, void *to)
{
    LM_TRY(add(to, (lm_stage){.change = lm_member_flag(part, "add_prefix_space", true) ? put_blank : NULL,
                              .after = lm_bytes_as_characters}));
    if (!lm_member_flag(part, "use_regex", true))
        return LM_OK;
    return lm_pattern_new("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
                          &last(to)->pattern);
}

static lm_status read_sign(const cJSON *part, void *to)
{
    const char *scheme = lm_member_text(part, "prepend_scheme", NULL);
    if (!scheme)
        scheme = lm_member_flag(part, "add_prefix_space", true) ? "always" : "never";
    const unsigned flags = strcmp(scheme, "always") == 0 ? ALWAYS : strcmp(scheme, "first") == 0 ? FIRST : 0;
    LM_REQUIRE(flags || strcmp(scheme, "never") == 0, LM_UNSUPPORTED, "prepend_scheme '%.40s' is not supported",
               scheme);
    LM_TRY(add(to, (lm_stage){.change = put_sign, .cut = CUT_WITH_NEXT, .flags = flags}));
    LM_TRY(lm_member_copy(part, "replacement", "\xe2\x96\x81", &last(to)->string));
    LM_REQUIRE(*last(to)->string, LM_INPUT, "its replacement is empty");
    return lm_member_flag(part, "split", true) ? lm_pattern_literal(last(to)->string, &last(to)->pattern) : LM_OK;
}

static lm_status read_cut(const cJSON *part, const char *none, lm_cut *out)
{
    static const char *const words[CUTS] = {"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext",
                                            "Contiguous"};
    const char *word = lm_member_text(part, "behavior", none);
    for (int i = 0; i < CUTS; i++)
        if (strcmp(words[i], word) == 0) {
            *out = (lm_cut)i;
            return LM_OK;
        }
    return lm_fail(LM_UNSUPPORTED, "behavior '%.40s' is not supported", word);
}

static lm_status read_punctuation(const cJSON *part, void *to)
{
    LM_TRY(add(to, (lm_stage){.is = lm_is_punctuation}));
    return read_cut(part, "Isolated", &last(to)->cut);
}

static bool is_number(uint32_t c)
{
    return (lm_category(c) & LM_NUMBER) != 0;
}

static lm_status read_digits(const cJSON *part, void *to)
{
    const bool each = lm_member_flag(part, "individual_digits", false);
    return add(to, (lm_stage){.is = is_number, .cut = each ? CUT_ISOLATED : CUT_CONTIGUOUS});
}

static lm_status read_split(const cJSON *part, void *to)
{
    LM_TRY(add(to, (lm_stage){.invert = lm_member_flag(part, "invert", false)}));
    LM_TRY(read_cut(part, "", &last(to)->cut));
    return lm_stage_pattern(part, &last(to)->pattern);
}

static lm_status read_delimiter(const cJSON *part, void *to)
{
    LM_TRY(add(to, (lm_stage){.cut = CUT_REMOVED}));
    return lm_pattern_literal(lm_member_text(part, "delimiter", " "), &last(to)->pattern);
}

static lm_status read_sequence(const cJSON *part, void *to)
{
    const cJSON *one;
    cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive(part, "pretokenizers"))
        LM_TRY(lm_split_read(one, to));
    return LM_OK;
}

lm_status lm_split_read(const cJSON *part, lm_stages *out)
{
    static const lm_part_row rows[] = {
        {"BertPreTokenizer", read_bert}, {"Whitespace", read_words}, {"WhitespaceSplit", read_blanks},
        {"ByteLevel", read_bytes},       {"Metaspace", read_sign},   {"Punctuation", read_punctuation},
        {"Digits", read_digits},         {"Split", read_split},      {"CharDelimiterSplit", read_delimiter},
        {"Sequence", read_sequence}};
    return lm_part_read("pre_tokenizer", rows, LM_COUNT(rows), part, out);
}
