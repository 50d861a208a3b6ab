/* Characters, by the tables of utf8proc. */
#include "core/data/unicode.h"

#include <string.h>
#include <utf8proc.h>

uint32_t lm_utf8_read(const char *text, size_t *bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    *bytes = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    switch (*bytes) {
    case 1: return s[0];
    case 2: return (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu);
    case 3: return (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    default: return (s[0] & 0x07u) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 | (s[3] & 0x3fu);
    }
}

size_t lm_utf8_write(uint32_t c, char *to)
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)to);
}

size_t lm_utf8_check(const char *text, size_t count)
{
    size_t at = 0;
    while (at < count) {
        utf8proc_int32_t c;
        const utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(count - at), &c);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    return at;
}

size_t lm_utf8_cluster(const char *text, size_t count)
{
    utf8proc_int32_t state = 0;
    size_t at = 0, bytes;
    uint32_t before = 0;
    while (at < count) {
        const uint32_t c = lm_utf8_read(text + at, &bytes);
        if (at && utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)c, &state))
            break;
        before = c;
        at += bytes;
    }
    return at;
}

uint32_t lm_category(uint32_t c)
{
    return 1u << (unsigned)utf8proc_category((utf8proc_int32_t)c);
}

uint32_t lm_category_named(const char *name, size_t bytes)
{
    /* in the order of utf8proc's numbers */
    static const char names[] = "CnLuLlLtLmLoMnMcMeNdNlNoPcPdPsPePiPfPoSmScSkSoZsZlZpCcCfCsCo";
    uint32_t set = 0;
    for (size_t i = 0; i < sizeof names / 2; i++)
        if ((bytes == 1 || bytes == 2) && memcmp(names + 2 * i, name, bytes) == 0)
            set |= 1u << i;
    return set;
}

bool lm_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 0x85 || (lm_category(c) & lm_category_named("Z", 1)) != 0;
}

bool lm_is_punctuation(uint32_t c)
{
    const bool ascii = (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
    return ascii || (lm_category(c) & LM_PUNCTUATION) != 0;
}

/* Letters by their use that are symbols by their category: letters in circles and squares. */
static bool in_circle(uint32_t c)
{
    return (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) || (c >= 0x1f150 && c <= 0x1f169) ||
           (c >= 0x1f170 && c <= 0x1f189);
}

bool lm_is_word(uint32_t c)
{
    return (lm_category(c) & (LM_LETTER | LM_MARK | LM_DIGIT | LM_LETTER_NUMBER | LM_CONNECTOR)) != 0 || in_circle(c);
}

uint32_t lm_small_letter(uint32_t c)
{
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

uint32_t lm_letter_fold(uint32_t c)
{
    utf8proc_int32_t to[4];
    int boundary = 0;
    const utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, to, 4, UTF8PROC_CASEFOLD, &boundary);
    return n == 1 ? (uint32_t)to[0] : c;
}

static int class_of(uint32_t c)
{
    return utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
}

/* Marks that follow a character, by their classes; equal ones keep their order. */
static void sort_marks(lm_step *at, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && class_of(at[k].c) && class_of(at[k - 1].c) > class_of(at[k].c); k--) {
            const lm_step kept = at[k];
            at[k] = at[k - 1];
            at[k - 1] = kept;
        }
}

static lm_status take_apart(const char *text, size_t count, bool compatible, lm_steps *out)
{
    enum { MOST = 32 };
    const int options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
    size_t marks = 0, bytes; /* since the last character of class 0 */
    for (size_t i = 0; i < count; i += bytes) {
        utf8proc_int32_t to[MOST];
        int boundary = 0;
        const uint32_t c = lm_utf8_read(text + i, &bytes);
        utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, to, MOST, options, &boundary);
        if (n <= 0 || n > MOST) {
            to[0] = (utf8proc_int32_t)c;
            n = 1;
        }
        for (utf8proc_ssize_t k = 0; k < n; k++) {
            LM_TRY(lm_vec_push(out, (lm_step){(uint32_t)to[k], k > 0}));
            if (class_of((uint32_t)to[k])) {
                marks++;
                continue;
            }
            sort_marks(out->at + (out->count - 1 - marks), marks);
            marks = 0;
        }
    }
    sort_marks(out->at + (out->count - marks), marks);
    return LM_OK;
}

/* The character that two make together; 0: none. */
static uint32_t compose(uint32_t a, uint32_t b)
{
    utf8proc_int32_t pair[2] = {(utf8proc_int32_t)a, (utf8proc_int32_t)b};
    return utf8proc_normalize_utf32(pair, 2, UTF8PROC_STABLE | UTF8PROC_COMPOSE) == 1 ? (uint32_t)pair[0] : 0;
}

/* In place: what stands on a character melts into it unless something of the same or a higher class stands between. */
static void put_together(lm_steps *s)
{
    size_t to = 0, base = SIZE_MAX;
    int last = -1; /* class of the last mark that stayed on the base; -1: none */
    for (size_t i = 0; i < s->count; i++) {
        const lm_step step = s->at[i];
        const int class = class_of(step.c);
        const uint32_t one = base != SIZE_MAX && last < class ? compose(s->at[base].c, step.c) : 0;
        if (one) {
            s->at[base].c = one;
            s->at[base].change += step.change - 1;
            continue;
        }
        if (class == 0) {
            base = to;
            last = -1;
        } else if (base != SIZE_MAX) {
            last = class;
        }
        s->at[to++] = step;
    }
    s->count = to;
}

lm_status lm_normal_form(const char *text, size_t count, lm_form form, lm_steps *out)
{
    LM_TRY(take_apart(text, count, form == LM_FORM_NFKC || form == LM_FORM_NFKD, out));
    if (form == LM_FORM_NFC || form == LM_FORM_NFKC)
        put_together(out);
    return LM_OK;
}
