/* Regular expressions of tokenizer files: what they find, and which are refused. */
#include "core/data/pattern.h"

#include "core/base/str.h"
#include "tests/unit/test.h"

/* Matches in brackets. */
static void finds(const char *expression, const char *text, const char *want)
{
    lm_pattern *p;
    lm_text t;
    lm_founds found = {0};
    lm_str got = {0};
    if (!CHECK_OK(lm_pattern_new(expression, &p)))
        return;
    if (CHECK_OK(lm_text_from(text, strlen(text), &t)) && CHECK_OK(lm_pattern_find(p, &t, &found))) {
        for (size_t i = 0; i < found.count; i++) {
            lm_str_add(&got, found.at[i].match ? "[" : "");
            lm_str_add_bytes(&got, text + found.at[i].begin, found.at[i].end - found.at[i].begin);
            lm_str_add(&got, found.at[i].match ? "]" : "");
        }
        if (!CHECK_STR(lm_str_text(&got), want))
            printf("of %s in %s\n", expression, text);
    }
    lm_str_free(&got);
    lm_vec_free(&found);
    lm_text_free(&t);
    lm_pattern_free(p);
}

static void finds_what_it_should(void)
{
    finds("a|bc", "abcab", "[a][bc][a]b");
    finds("[a-c]+", "xabcxcb", "x[abc]x[cb]");
    finds("[^a-c]", "abx-", "ab[x][-]");
    finds("a*b", "aaabab", "[aaab][ab]");
    finds("a{2}", "aaaaa", "[aa][aa]a");
    finds("a{2,3}", "aaaaaa", "[aaa][aaa]");
    finds("xa{0,2}y", "xyxayxaayxaaay", "[xy][xay][xaay]xaaay");
    finds("a{1,}b", "aaab", "[aaab]");
    finds("a+?b?", "aab", "[a][ab]");
    finds("(?:ab)+c", "ababcab", "[ababc]ab");
    finds("\\p{L}+|\\p{N}",
          "h\xc3\xa9"
          "1\xe6\x97\xa5",
          "[h\xc3\xa9][1][\xe6\x97\xa5]");
    finds("\\P{L}", "a1", "a[1]");
    finds("[^\\s\\p{L}]+", "a 1! b", "a [1!] b");
    finds("\\s+(?!\\S)|\\s+", "a   b ", "a[  ][ ]b[ ]");
    finds("(?i:'S|ab)", "'s AB aB", "['s] [AB] [aB]");
    finds("(?i)A[b-c]", "aB", "[aB]");
    finds("(?<=a)b", "abb", "a[b]b");
    finds("(?<!a)b", "abb", "ab[b]");
    finds("a++b|a", "aac", "[a][a]c");
    finds("(?>a|ab)c", "abcac", "abc[ac]");
    finds("^a|c$", "abc\nac", "[a]b[c]\n[a][c]");
    finds("\\ba", "a ba", "[a] ba");
    finds(".", "a\n", "[a]\n");
    finds("\\x41\\u00e9\\.", "A\xc3\xa9.", "[A\xc3\xa9.]");
    finds("[]a]", "]b", "[]]b");
    finds("[\\d_-]+", "1_-a", "[1_-]a");
}

static void refuses(lm_status status, const char *expression)
{
    lm_pattern *p;
    if (!CHECK_FAILS(lm_pattern_new(expression, &p), status) || !CHECK(strstr(lm_message(), "pattern") != NULL))
        printf("%s: %s\n", expression, lm_message());
}

static void refuses_what_it_cannot(void)
{
    static const char *const unsupported[] = {"(a)\\1",   "(a*)*",    "[a[b]]", "\\p{Nowhere}", "a{9999}",
                                              "(?<=a+)b", "(?P<n>a)", "[a&&b]", "(|a)+"},
                             *const malformed[] = {"(a", "a)", "[a", "*a", "a\\", "\\p{L", "+"};
    for (size_t i = 0; i < LM_COUNT(unsupported); i++)
        refuses(LM_UNSUPPORTED, unsupported[i]);
    for (size_t i = 0; i < LM_COUNT(malformed); i++)
        refuses(LM_INPUT, malformed[i]);
}

/* A search that would take ages is given up. */
static void gives_up(void)
{
    char text[64];
    lm_pattern *p;
    lm_text t;
    lm_founds found = {0};
    memset(text, 'a', sizeof text);
    if (!CHECK_OK(lm_pattern_new("(?:a+)+b", &p)) || !CHECK_OK(lm_text_from(text, sizeof text, &t)))
        return;
    CHECK_FAILS(lm_pattern_find(p, &t, &found), LM_UNSUPPORTED);
    lm_vec_free(&found);
    lm_text_free(&t);
    lm_pattern_free(p);
}

/* Normal forms, and where their characters come from. */
static void knows_origins(void)
{
    static const struct {
        const char *text;
        lm_form form;
        const char *want, *from; /* by character: begin-end, in bytes */
    } rows[] = {{"\xc3\xa9", LM_FORM_NFD, "e\xcc\x81", "0-2 0-2"},
                {"e\xcc\x81x", LM_FORM_NFC, "\xc3\xa9x", "0-1 3-4"},
                {"\xef\xac\x81", LM_FORM_NFKC, "fi", "0-3 0-3"},
                {"q\xcc\x87\xcc\xa3", LM_FORM_NFC, "q\xcc\xa3\xcc\x87", "0-1 1-3 3-5"},
                {"\xea\xb0\x81", LM_FORM_NFD, "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", "0-3 0-3 0-3"},
                {"\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", LM_FORM_NFC, "\xea\xb0\x81", "0-3"}};
    for (size_t i = 0; i < LM_COUNT(rows); i++) {
        lm_text t;
        lm_steps steps = {0};
        lm_str from = {0};
        if (!CHECK_OK(lm_text_from(rows[i].text, strlen(rows[i].text), &t)))
            return;
        CHECK_OK(lm_normal_form(t.at, t.count, rows[i].form, &steps));
        CHECK_OK(lm_text_steps(&t, &steps));
        CHECK(t.count == strlen(rows[i].want) && memcmp(t.at, rows[i].want, t.count) == 0);
        for (size_t k = 0, n; k < t.count; k += n) {
            lm_utf8_read(t.at + k, &n);
            lm_str_printf(&from, "%s%u-%u", k ? " " : "", t.from[k].begin, t.from[k].end);
        }
        CHECK_STR(lm_str_text(&from), rows[i].from);
        lm_str_free(&from);
        lm_vec_free(&steps);
        lm_text_free(&t);
    }
}

int main(void)
{
    CASE(finds_what_it_should);
    CASE(refuses_what_it_cannot);
    CASE(gives_up);
    CASE(knows_origins);
    return test_end();
}
