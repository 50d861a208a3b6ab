/* Edit distance and the choice of words worth showing. */
#include "core/base/nearest.h"

#include <ctype.h>
#include <string.h>

enum { LONGEST = 63, SHOWN = 3 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

int lm_word_distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    if (la > LONGEST || lb > LONGEST)
        return LONGEST;
    /* three rows of the usual table: the one being filled, the one before, and the one before that, for swaps */
    int row[3][LONGEST + 1];
    for (size_t j = 0; j <= lb; j++)
        row[0][j] = (int)j;
    for (size_t i = 1; i <= la; i++) {
        int *now = row[i % 3], *before = row[(i + 2) % 3], *older = row[(i + 1) % 3];
        int ca = tolower((unsigned char)a[i - 1]);
        now[0] = (int)i;
        for (size_t j = 1; j <= lb; j++) {
            int cb = tolower((unsigned char)b[j - 1]);
            now[j] = least(least(before[j], now[j - 1]) + 1, before[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) && cb == tolower((unsigned char)a[i - 2]))
                now[j] = least(now[j], older[j - 2] + 1);
        }
    }
    return row[la % 3][lb];
}

/* How far `word` is from `known`, 0 being best; over `limit` it is no likely slip. A word that was cut short counts. */
static int strangeness(const char *word, const char *known)
{
    size_t n = strlen(word);
    if (n >= 2 && strncmp(word, known, n) == 0)
        return 1;
    return lm_word_distance(word, known);
}

lm_status lm_list_words(const char *const *words, size_t count, lm_str *out)
{
    for (size_t i = 0; i < count; i++)
        lm_str_printf(out, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", words[i]);
    return out->status;
}

bool lm_nearest(const char *word, const char *const *known, size_t count, lm_str *out)
{
    int limit = 1 + (int)strlen(word) / 3;
    const char *best[SHOWN];
    int score[SHOWN];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        int s = strangeness(word, known[i]);
        if (s > limit || (n == SHOWN && s >= score[SHOWN - 1]))
            continue;
        size_t at = n < SHOWN ? n++ : SHOWN - 1;
        for (; at > 0 && score[at - 1] > s; at--) {
            best[at] = best[at - 1];
            score[at] = score[at - 1];
        }
        best[at] = known[i];
        score[at] = s;
    }
    lm_list_words(best, n, out);
    return n > 0;
}
