/* Parsing of LIMN_BACKEND. */
#include "core/device/spec.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/vec.h"

typedef LM_VEC(lm_spec_word) words;

static bool is_name(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return length > 0 && length < LM_SPEC_NAME && text[length] == '\0';
}

static bool is_index(const char *text)
{
    for (;;) {
        size_t digits = strspn(text, "0123456789");
        if (!digits)
            return false;
        text += digits;
        if (*text != '.')
            return *text == '\0';
        text++;
    }
}

/* No option means anything without a value. */
static lm_status check_values(const lm_kv *opts)
{
    for (int i = 0; i < opts->count; i++)
        LM_REQUIRE(*opts->pair[i].value, LM_USAGE, "the value of '%.99s=' is missing; give one or leave the option out",
                   opts->pair[i].key);
    return LM_OK;
}

/* `strict` and `split` belong to the chain, not to the device. */
static lm_status take_own(lm_spec_word *word)
{
    int64_t share = 0;
    LM_TRY(lm_kv_bool(&word->opts, "strict", &word->strict));
    LM_TRY(lm_kv_int(&word->opts, "split", 1, LM_SPEC_SHARE, &share));
    word->share = (int)share;
    lm_pair *pair = (lm_pair *)word->opts.pair;
    int kept = 0;
    for (int i = 0; i < word->opts.count; i++)
        if (strcmp(pair[i].key, "strict") != 0 && strcmp(pair[i].key, "split") != 0)
            pair[kept++] = pair[i];
    word->opts.count = kept;
    return LM_OK;
}

/* name[:index][:key=value...]; `text` is cut up. */
static lm_status parse_word(char *text, lm_spec_word *word)
{
    char *rest = strchr(text, ':');
    if (rest)
        *rest++ = '\0';
    LM_REQUIRE(is_name(text), LM_USAGE,
               "'%.99s' is no device name; write auto or name[:number][:key=value...], separated by commas", text);
    snprintf(word->name, sizeof word->name, "%s", text);
    if (rest && !memchr(rest, '=', strcspn(rest, ":"))) {
        char *end = strchr(rest, ':');
        if (end)
            *end++ = '\0';
        LM_REQUIRE(is_index(rest) && strlen(rest) < LM_SPEC_INDEX, LM_USAGE,
                   "%s: '%.99s' is neither a device's number such as 0 or 0.1 nor key=value", text, rest);
        snprintf(word->index, sizeof word->index, "%s", rest);
        rest = end;
    }
    if (rest)
        LM_REQUIRE(*rest, LM_USAGE, "%s: an option key=value is missing after the ':'", text);
    LM_TRY(lm_context(lm_kv_parse(rest, &word->opts), "%s", text));
    LM_TRY(lm_context(check_values(&word->opts), "%s", text));
    return lm_context(take_own(word), "%s", text);
}

/* `alone`: no '+' before or after the word. */
static lm_status check_word(const lm_spec_word *word, bool alone)
{
    char text[LM_SPEC_TEXT];
    bool bare = !word->opts.count && !word->strict && !word->share;
    if (lm_spec_is_auto(word))
        LM_REQUIRE(bare && !*word->index && !word->exclude && alone, LM_USAGE,
                   "auto stands alone: it takes no number, no option, no '-' and no '+'");
    if (word->exclude)
        LM_REQUIRE(bare, LM_USAGE, "-%s: an exclusion takes no options", lm_spec_text(word, text));
    LM_REQUIRE(!word->share || !alone, LM_USAGE,
               "%s:split=%d: it has nothing to split with; join devices as in cpu:split=2+ref:split=1",
               lm_spec_text(word, text), word->share);
    return LM_OK;
}

/* [-]word[+word...]; `text` is cut up. */
static lm_status parse_item(char *text, words *list)
{
    bool exclude = *text == '-', joined = false;
    int count = 0;
    LM_REQUIRE(*text, LM_USAGE, "a device is missing where an item is empty; name one, or auto");
    for (char *at = text + exclude, *next; at; at = next) {
        next = strchr(at, '+');
        if (next)
            *next++ = '\0';
        LM_REQUIRE(!exclude || !next, LM_USAGE, "-%.99s: exclude one device at a time", at);
        LM_REQUIRE(*at || (!joined && !next), LM_USAGE,
                   "a device is missing before or after a '+'; join devices as in opencl:0.0+cpu");
        LM_REQUIRE(++count <= LM_SPEC_JOINED, LM_USAGE, "more than %d devices are joined by '+'", LM_SPEC_JOINED);
        LM_TRY(lm_vec_push(list, (lm_spec_word){.exclude = exclude, .joined = joined}));
        lm_spec_word *word = &list->at[list->count - 1];
        LM_TRY(parse_word(at, word));
        LM_TRY(check_word(word, !joined && !next));
        joined = true;
    }
    return LM_OK;
}

static lm_status parse_list(char *text, words *list)
{
    bool only_exclusions = true;
    for (char *item = text, *next; item; item = next) {
        next = strchr(item, ',');
        if (next)
            *next++ = '\0';
        only_exclusions &= *item == '-';
        LM_TRY(parse_item(item, list));
    }
    if (only_exclusions)
        LM_TRY(lm_vec_push(list, (lm_spec_word){.name = "auto"}));
    return LM_OK;
}

lm_status lm_spec_parse(const char *text, lm_spec *out)
{
    char *copy = lm_strdup(text);
    if (!copy)
        return LM_MEMORY;
    words list = {0};
    lm_status status = parse_list(copy, &list);
    lm_free(copy);
    lm_spec spec = {list.at, (int)list.count};
    if (status == LM_OK)
        *out = spec;
    else
        lm_spec_free(&spec);
    return lm_spec_blame(status, text);
}

lm_status lm_spec_blame(lm_status status, const char *text)
{
    return lm_context(status, "device list '%.99s%s'", text, strlen(text) > 99 ? "..." : "");
}

void lm_spec_free(lm_spec *spec)
{
    for (int i = 0; i < spec->count; i++)
        lm_kv_free(&spec->word[i].opts);
    lm_free(spec->word);
    *spec = (lm_spec){0};
}

bool lm_spec_is_family(const char *name)
{
    return is_name(name) && strcmp(name, "auto") != 0;
}

bool lm_spec_is_auto(const lm_spec_word *word)
{
    return strcmp(word->name, "auto") == 0;
}

bool lm_spec_names(const lm_spec_word *word, const char *device)
{
    size_t name = strlen(word->name);
    if (strncmp(device, word->name, name) != 0)
        return false;
    const char *index = device[name] == ':' ? device + name + 1 : "0";
    if (device[name] != ':' && device[name] != '\0')
        return false;
    return !*word->index || strcmp(word->index, index) == 0;
}

const char *lm_spec_text(const lm_spec_word *word, char text[LM_SPEC_TEXT])
{
    snprintf(text, LM_SPEC_TEXT, "%s%s%s", word->name, *word->index ? ":" : "", word->index);
    return text;
}
