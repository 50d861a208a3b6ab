/* Tokenizers against what the library that wrote their files says: numbers and places of tokens on lines of many
 * scripts.
 *
 *     test_tokens FOLDER                    every NAME.want in it, for tokenizer NAME.json or NAME.txt and the lines in
 * lines test_tokens --print TOKENIZER LINES   "id:begin:end ..." for each line, for tools/gen/text_tokens.py
 */
#include "core/data/tokens.h"

#include "core/base/file.h"
#include "core/base/str.h"
#include "tests/unit/test.h"

static void say(const lm_tokens *tokens, lm_str *out)
{
    lm_str_clear(out);
    for (size_t i = 0; i < tokens->count; i++) {
        const lm_token *t = &tokens->at[i];
        lm_str_printf(out, "%s%lld:%lld:%lld", i ? " " : "", (long long)t->id, (long long)t->begin, (long long)t->end);
    }
}

/* The next line, without its end; false: there is none. */
static bool next_line(const lm_file *f, size_t *at, const char **line, size_t *count)
{
    if (*at >= f->size)
        return false;
    *line = (const char *)f->bytes + *at;
    const char *end = memchr(*line, '\n', f->size - *at);
    *count = end ? (size_t)(end - *line) : f->size - *at;
    *at += *count + 1;
    return true;
}

static int print(const char *tokenizer, const char *lines)
{
    lm_tokenizer *t = NULL;
    lm_file f;
    if (lm_tokenizer_read(tokenizer, &t) != LM_OK || lm_file_map(lines, &f) != LM_OK) {
        fprintf(stderr, "%s\n", lm_message());
        return 3;
    }
    lm_tokens tokens = {0};
    lm_str text = {0};
    size_t at = 0, count;
    for (const char *line; next_line(&f, &at, &line, &count);) {
        tokens.count = 0;
        if (lm_tokenizer_encode(t, line, count, NULL, 0, true, &tokens) == LM_OK)
            say(&tokens, &text);
        else
            lm_str_printf(&text, "%s", lm_message());
        puts(lm_str_text(&text));
    }
    lm_vec_free(&tokens);
    lm_str_free(&text);
    lm_tokenizer_free(t);
    lm_file_unmap(&f);
    return 0;
}

static const char *folder;

static bool map_part(const char *name, const char *ending, lm_file *out)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    return lm_file_map(path, out) == LM_OK;
}

static void compare(const char *name, const char *ending)
{
    char path[512];
    lm_tokenizer *t = NULL;
    lm_file lines, want;
    snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    if (!CHECK_OK(lm_tokenizer_read(path, &t)) || !CHECK(map_part("lines", "", &lines)) ||
        !CHECK(map_part(name, ".want", &want)))
        return;
    lm_tokens tokens = {0};
    lm_str got = {0};
    size_t at = 0, wanted = 0, count, n;
    int line_number = 1;
    const char *line, *answer;
    for (; next_line(&lines, &at, &line, &count); line_number++) {
        tokens.count = 0;
        if (!CHECK_OK(lm_tokenizer_encode(t, line, count, NULL, 0, true, &tokens)) ||
            !CHECK(next_line(&want, &wanted, &answer, &n)))
            break;
        say(&tokens, &got);
        if (!CHECK(got.count == n && (!n || memcmp(got.text, answer, n) == 0))) {
            printf("%s, line %d: %.*s\n got %s\nwant %.*s\n", name, line_number, (int)count, line, lm_str_text(&got),
                   (int)n, answer);
            break;
        }
    }
    CHECK(line_number > 20);
    lm_vec_free(&tokens);
    lm_str_free(&got);
    lm_tokenizer_free(t);
    lm_file_unmap(&lines);
    lm_file_unmap(&want);
}

static void matches_the_library(void)
{
    static const char *const names[][2] = {{"wordpiece", ".json"}, {"vocab", ".txt"},      {"bytes", ".json"},
                                           {"prefixed", ".json"},  {"metaspace", ".json"}, {"unigram", ".json"},
                                           {"parts", ".json"},     {"precompiled", ".json"}};
    for (size_t i = 0; i < LM_COUNT(names); i++)
        compare(names[i][0], names[i][1]);
}

static const char words[] =
    "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"[S]\":3,"
    "\"[P]\":4}},\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}%s}";

static lm_status parse_words(const char *more, lm_tokenizer **out)
{
    char text[2000];
    *out = NULL;
    snprintf(text, sizeof text, words, more);
    return lm_tokenizer_parse(text, strlen(text), "tokenizer.json", out);
}

static void encodes(const char *more, const char *text, const char *second, const char *want)
{
    lm_tokenizer *t;
    lm_tokens tokens = {0};
    lm_str got = {0};
    if (!CHECK_OK(parse_words(more, &t)))
        return;
    if (CHECK_OK(lm_tokenizer_encode(t, text, strlen(text), second, second ? strlen(second) : 0, true, &tokens))) {
        for (size_t i = 0; i < tokens.count; i++) {
            const lm_token *k = &tokens.at[i];
            lm_str_printf(&got, "%s%lld/%d%s%s", i ? " " : "", (long long)k->id, k->type, k->second ? "b" : "",
                          k->padding ? "-" : "");
        }
        if (!CHECK_STR(lm_str_text(&got), want))
            printf("of '%s' and '%s' with %s\n", text, second ? second : "", more);
    }
    lm_str_free(&got);
    lm_vec_free(&tokens);
    lm_tokenizer_free(t);
}

static void puts_pairs_together(void)
{
    const char *bert = ",\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[S]\",3],\"cls\":[\"a\",1]}";
    const char *cut = ",\"truncation\":{\"max_length\":7,\"strategy\":\"LongestFirst\",\"stride\":0},"
                      "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[S]\",3],\"cls\":[\"a\",1]}";
    const char *padded =
        ",\"padding\":{\"strategy\":{\"Fixed\":4},\"direction\":\"Left\",\"pad_id\":4,\"pad_type_id\":1}";
    encodes("", "a c b", NULL, "1/0 0/0 2/0");
    encodes("", "a", "b", "1/0 2/1b");
    encodes(bert, "b", NULL, "1/0 2/0 3/0");
    encodes(bert, "b", "b a", "1/0 2/0 3/0 2/1b 1/1b 3/1");
    encodes(cut, "b b b b b b b b", NULL, "1/0 2/0 2/0 2/0 2/0 2/0 3/0");
    encodes(cut, "b b b b b b b b", "a", "1/0 2/0 2/0 2/0 3/0 1/1b 3/1");
    encodes(padded, "a b", NULL, "4/1- 4/1- 1/0 2/0");
    encodes(padded, "a b a b a", NULL, "1/0 2/0 1/0 2/0 1/0");
}

/* What is said of a file that cannot be used. */
static void says(lm_status status, const char *text, const char *word)
{
    lm_tokenizer *t = NULL;
    CHECK_FAILS(lm_tokenizer_parse(text, strlen(text), "tokenizer.json", &t), status);
    if (!CHECK(strstr(lm_message(), word) && strstr(lm_message(), "tokenizer.json")))
        printf("of %s: %s, wanted %s\n", text, lm_message(), word);
    lm_tokenizer_free(t);
}

static void names_what_is_wrong(void)
{
    const struct {
        const char *more, *word;
    } parts[] = {
        {",\"normalizer\":{\"type\":\"Nmt\"}", "normalizer 'Nmt'"},
        {",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"UnicodeScripts\"}]}",
         "pre_tokenizer 'UnicodeScripts'"},
        {",\"post_processor\":{\"type\":\"Other\"}", "post_processor 'Other'"},
        {",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a(b)\\\\1\"},\"behavior\":\"Isolated\"}",
         "the escape"},
        {",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a*)*\"},\"behavior\":\"Isolated\"}",
         "repeating"}};
    char text[2000];
    for (size_t i = 0; i < LM_COUNT(parts); i++) {
        snprintf(text, sizeof text, "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}%s}", parts[i].more);
        says(LM_UNSUPPORTED, text, parts[i].word);
    }
    const struct {
        const char *map, *word;
    } maps[] = {{"AAEC*AAA", "no map in base 64"}, {"", "no map in base 64"}, {"/wAAAAAAAAA=", "a tree of 255"},
                {"BAAAAAAAAAD/", "no UTF-8"}};
    for (size_t i = 0; i < LM_COUNT(maps); i++) {
        snprintf(text, sizeof text, "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}},\"normalizer\":{\"type\":"
                 "\"Precompiled\",\"precompiled_charsmap\":\"%s\"}}", maps[i].map);
        says(LM_INPUT, text, maps[i].word);
    }
    says(LM_UNSUPPORTED, "{\"model\":{\"type\":\"Other\"}}", "model 'Other'");
    says(LM_INPUT, "{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[\"a b\"]}}", "merge 0");
    says(LM_INPUT, "{\"model\":", "no JSON");
    says(LM_INPUT, "{}", "no model");
    says(LM_INPUT, "", "empty");
    says(LM_INPUT, "some\nwords\n", "[UNK]");
    says(LM_INPUT, "\xff\xfe", "UTF-8");
    lm_tokenizer *t;
    lm_tokens tokens = {0};
    if (CHECK_OK(parse_words("", &t)))
        CHECK_FAILS(lm_tokenizer_encode(t, "a \xe4", 3, NULL, 0, true, &tokens), LM_INPUT);
    lm_tokenizer_free(t);
}

/* Memory that fails at any moment loses nothing. */
static void survives_without_memory(void)
{
    const char *more = ",\"normalizer\":{\"type\":\"NFKC\"},\"added_tokens\":[{\"id\":5,\"content\":\"<x>\"}]";
    const size_t before = lm_mem_count().live;
    bool done = false;
    for (uint64_t n = 1; !done && n < 2000; n++) {
        lm_tokenizer *t;
        lm_tokens tokens = {0};
        lm_mem_fail_at(n);
        lm_status status = parse_words(more, &t);
        if (status == LM_OK)
            status = lm_tokenizer_encode(t, "a \xc3\xa9<x>", 6, NULL, 0, true, &tokens);
        done = status == LM_OK;
        lm_mem_fail_at(0);
        lm_vec_free(&tokens);
        lm_tokenizer_free(t);
        if (!CHECK(lm_mem_count().live == before))
            return;
    }
    CHECK(done);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--print") == 0)
        return print(argv[2], argv[3]);
    folder = argc > 1 ? argv[1] : ".";
    CASE(matches_the_library);
    CASE(puts_pairs_together);
    CASE(names_what_is_wrong);
    CASE(survives_without_memory);
    return test_end();
}
