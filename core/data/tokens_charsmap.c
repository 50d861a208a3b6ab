/* The normalizer that SentencePiece makes: a map from short strings of bytes to the texts that stand for them, as a
 * tree in a double array. It comes from a file, so every step is checked against its bounds. */
#include <string.h>

#include "core/data/tokens_inside.h"

/* Clusters of characters from this many bytes on are looked up character by character. */
enum { LONG = 6 };

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Base 64 to bytes in place of a copy; the answer is their number, SIZE_MAX for what is no such text. */
static size_t decode(char *text)
{
    size_t n = 0, bits = 0;
    uint32_t held = 0;
    const char *at = text;
    for (; *at && *at != '='; at++) {
        const int digit = digit_of(*at);
        if (digit < 0)
            return SIZE_MAX;
        held = held << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            text[n++] = (char)(held >> bits & 255);
        }
    }
    return at[strspn(at, "=")] ? SIZE_MAX : n;
}

static uint32_t unit(const lm_stage *s, size_t i)
{
    const unsigned char *at = (const unsigned char *)s->string + 4 + 4 * i;
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static size_t below(uint32_t u)
{
    return (size_t)(u >> 10) << ((u & 1u << 9) >> 6);
}

/* The text for the shortest string of the map that `key` begins with; NULL: there is none. */
static const char *find(const lm_stage *s, const char *key, size_t count)
{
    const char *texts = s->string + 4 + 4 * s->units;
    size_t node = below(unit(s, 0));
    for (size_t i = 0; i < count && key[i]; i++) {
        const uint32_t c = (unsigned char)key[i];
        node ^= c;
        if (node >= s->units)
            return NULL;
        const uint32_t u = unit(s, node);
        if ((u & (1u << 31 | 0xff)) != c)
            return NULL;
        node ^= below(u);
        if (!(u >> 8 & 1))
            continue;
        const size_t at = node < s->units ? unit(s, node) & ~(1u << 31) : SIZE_MAX;
        return at < s->bytes && ((unsigned char)texts[at] & 0xc0) != 0x80 ? texts + at : NULL;
    }
    return NULL;
}

static int characters(const char *text, size_t count)
{
    int n = 0;
    for (size_t i = 0; i < count; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

/* `old` becomes `fresh`: what is longer is new, what is shorter takes the rest along with its last character. */
static lm_status replace(const char *old, size_t count, const char *fresh, lm_steps *out)
{
    const size_t bytes = strlen(fresh);
    const int had = characters(old, count), has = characters(fresh, bytes);
    int k = 0;
    for (size_t i = 0, n; i < bytes; i += n, k++)
        LM_TRY(lm_vec_push(out, (lm_step){lm_utf8_read(fresh + i, &n), k >= had}));
    if (has < had && out->count)
        out->at[out->count - 1].change += has - had;
    return LM_OK;
}

static lm_status add_cluster(const lm_stage *s, const char *at, size_t count, lm_steps *out)
{
    const char *whole = count < LONG ? find(s, at, count) : NULL;
    if (whole)
        return replace(at, count, whole, out);
    for (size_t i = 0, n; i < count; i += n) {
        const uint32_t c = lm_utf8_read(at + i, &n);
        const char *text = find(s, at + i, n);
        LM_TRY(text ? replace(at + i, n, text, out) : lm_vec_push(out, (lm_step){c, 0}));
    }
    return LM_OK;
}

static lm_status change(const lm_stage *s, lm_text *t)
{
    lm_steps steps = {0};
    lm_status status = LM_OK;
    for (size_t i = 0, n; i < t->count && status == LM_OK; i += n) {
        n = lm_utf8_cluster(t->at + i, t->count - i);
        status = add_cluster(s, t->at + i, n, &steps);
    }
    if (status == LM_OK)
        status = lm_text_steps(t, &steps);
    lm_vec_free(&steps);
    return status;
}

lm_status lm_charsmap_read(const cJSON *part, void *to)
{
    lm_stages *stages = to;
    LM_TRY(lm_vec_push(stages, (lm_stage){.change = change}));
    lm_stage *s = &stages->at[stages->count - 1];
    LM_TRY(lm_member_copy(part, "precompiled_charsmap", "", &s->string));
    const size_t n = decode(s->string);
    LM_REQUIRE(n != SIZE_MAX && n >= 8, LM_INPUT, "its precompiled_charsmap is no map in base 64");
    s->string[n] = '\0'; /* the last text may have no end, but ends here: base 64 is longer than what it says */
    const size_t tree = (unsigned char)s->string[0] | (size_t)(unsigned char)s->string[1] << 8 |
                        (size_t)(unsigned char)s->string[2] << 16 | (size_t)(unsigned char)s->string[3] << 24;
    LM_REQUIRE(tree % 4 == 0 && tree >= 4 && tree <= n - 4, LM_INPUT,
               "its precompiled_charsmap has %zu bytes and a tree of %zu", n, tree);
    s->units = tree / 4;
    s->bytes = n - 4 - tree;
    LM_REQUIRE(lm_utf8_check(s->string + 4 + tree, s->bytes) == s->bytes, LM_INPUT,
               "its precompiled_charsmap has texts that are no UTF-8");
    return LM_OK;
}
