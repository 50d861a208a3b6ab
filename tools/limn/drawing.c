/* --draw sign=positive,clip=99,by=interpolated ... */
#include "drawing.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/nearest.h"

enum { MOST_WORDS = 5 };

/* Keys that take one of several words, by the numbers that these stand for. */
static const struct {
    const char *key;
    const char *word[MOST_WORDS];
} choices[] = {{"mode", {"overlay", "blend", "mask", "map"}},
               {"sign", {"signed", "positive", "negative", "absolute"}},
               {"upsample", {"nearest", "bilinear", "bicubic"}},
               {"by", {"rank", "interpolated"}},
               {"channels", {"sum", "each"}},
               {"bars", {"plain", "waterfall"}},
               {"colours", {"auto", "signed", "heat", "ink"}}};

static void choose(drawing *d, size_t key, int word)
{
    switch (key) {
    case 0:
        d->bare = word == LM_HEAT_MODES;
        d->mode = d->bare ? LM_HEAT_OVERLAY : (lm_heat_mode)word;
        break;
    case 1: d->sign = (drawing_sign)word; break;
    case 2: d->upsample = (lm_heat_filter)word; break;
    case 3: d->between = word == 1; break;
    case 4: d->each = word == 1; break;
    case 5: d->waterfall = word == 1; break;
    default: d->palette = word; break;
    }
}

static lm_status wrong(const char *part, size_t count, const char *const *words, size_t n)
{
    lm_str text = {0};
    while (n && !words[n - 1])
        n--;
    lm_list_words(words, n, &text);
    lm_fail(LM_USAGE, "--draw '%.*s': give %s", (int)count, part, lm_str_text(&text));
    lm_str_free(&text);
    return LM_USAGE;
}

static lm_status take_number(const char *part, size_t count, size_t key, double least, double most, double *out)
{
    char *end;
    *out = strtod(part + key + 1, &end);
    LM_REQUIRE(end == part + count && *out > least && *out <= most, LM_USAGE,
               "--draw '%.*s': give a number above %g, at most %g", (int)count, part, least, most);
    return LM_OK;
}

static lm_status take(drawing *d, const char *part, size_t count)
{
    static const char *const keys[] = {"mode", "sign",    "upsample", "by",     "channels",
                                       "bars", "colours", "clip",     "opacity"};
    const char *equals = memchr(part, '=', count);
    const size_t n = equals ? (size_t)(equals - part) : count;
    for (size_t i = 0; i < LM_COUNT(choices) && equals; i++) {
        if (strlen(choices[i].key) != n || memcmp(choices[i].key, part, n) != 0)
            continue;
        for (int w = 0; w < MOST_WORDS && choices[i].word[w]; w++)
            if (strlen(choices[i].word[w]) == count - n - 1 &&
                memcmp(choices[i].word[w], equals + 1, count - n - 1) == 0) {
                choose(d, i, w);
                return LM_OK;
            }
        return wrong(part, count, choices[i].word, MOST_WORDS);
    }
    if (equals && n == 4 && memcmp(part, "clip", 4) == 0)
        return take_number(part, count, n, 0, 100, &d->clip);
    if (equals && n == 7 && memcmp(part, "opacity", 7) == 0)
        return take_number(part, count, n, 0, 1, &d->opacity);
    return wrong(part, count, keys, LM_COUNT(keys));
}

/* Was the key of this part given before? */
static lm_status check_once(const char *text, const char *part, size_t count)
{
    const size_t key = strcspn(part, "=,");
    for (const char *at = text; at < part && key < count; at += strcspn(at, ",") + 1)
        LM_REQUIRE(strcspn(at, "=,") != key || memcmp(at, part, key) != 0, LM_USAGE,
                   "--draw '%.*s': gives %.*s a second time; give it once", (int)count, part, (int)key, part);
    return LM_OK;
}

lm_status drawing_read(const command *cmd, drawing *out)
{
    *out = (drawing){.clip = 99.5};
    for (const char *at = cmd->option[OPT_draw]; at && *at;) {
        const size_t n = strcspn(at, ",");
        LM_TRY(check_once(cmd->option[OPT_draw], at, n));
        LM_TRY(take(out, at, n));
        at += n + (at[n] == ',');
    }
    return LM_OK;
}

void drawing_text(const drawing *d, double range, lm_str *out)
{
    lm_str_printf(out, "range %.6g: %gth percentile of |value| %s; %s; %s", range, d->clip,
                  d->between ? "interpolated" : "by rank", choices[1].word[d->sign],
                  choices[0].word[d->bare ? (int)LM_HEAT_MODES : (int)d->mode]);
}
