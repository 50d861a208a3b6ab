/* Normalizers: what is done to a text before it is cut. */
#include <string.h>

#include "core/data/tokens_inside.h"

enum { CLEAN = 1, CHINESE = 2, ACCENTS = 4, SMALL = 8, LEFT = 16, RIGHT = 32 };

/* What a function makes of each character: up to three, the first of them in its place; none drops it. */
typedef int (*each_fn)(uint32_t c, uint32_t to[3]);

static lm_status each(lm_text *t, each_fn fn)
{
    lm_text out = {.count = 0};
    lm_status status = LM_OK;
    uint32_t to[3];
    for (size_t i = 0, n; i < t->count && status == LM_OK; i += n) {
        const int made = fn(lm_utf8_read(t->at + i, &n), to);
        for (int k = 0; k < made && status == LM_OK; k++)
            status = lm_text_push(&out, to[k], t->from[i]);
    }
    if (status == LM_OK)
        lm_text_replace(t, &out);
    lm_text_free(&out);
    return status;
}

static int clean(uint32_t c, uint32_t *to)
{
    const bool line = c == '\t' || c == '\n' || c == '\r';
    to[0] = lm_is_space(c) ? ' ' : c;
    return line || (c && c != 0xfffd && !(lm_category(c) & (LM_CONTROL | LM_FORMAT | LM_PRIVATE)));
}

static int chinese(uint32_t c, uint32_t *to)
{
    static const uint32_t ranges[][2] = {{0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},  {0x20000, 0x2a6df},
                                         {0x2a700, 0x2b81f}, {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f}};
    to[0] = c;
    for (size_t i = 0; i < LM_COUNT(ranges); i++)
        if (ranges[i][0] <= c && c <= ranges[i][1]) {
            to[0] = to[2] = ' ';
            to[1] = c;
            return 3;
        }
    return 1;
}

static int small(uint32_t c, uint32_t *to)
{
    to[0] = lm_small_letter(c);
    to[1] = 0x307;
    if (c == 0x130) /* a dotted I becomes i and a dot */
        to[0] = 'i';
    return c == 0x130 ? 2 : 1;
}

static int no_nonspacing(uint32_t c, uint32_t *to)
{
    to[0] = c;
    return !(lm_category(c) & LM_NONSPACING);
}

static int no_marks(uint32_t c, uint32_t *to)
{
    to[0] = c;
    return !(lm_category(c) & LM_MARK);
}

static lm_status normal_form(lm_text *t, lm_form form)
{
    lm_steps steps = {0};
    lm_status status = lm_normal_form(t->at, t->count, form, &steps);
    if (status == LM_OK)
        status = lm_text_steps(t, &steps);
    lm_vec_free(&steps);
    return status;
}

static lm_status do_bert(const lm_stage *s, lm_text *t)
{
    if (s->flags & CLEAN)
        LM_TRY(each(t, clean));
    if (s->flags & CHINESE)
        LM_TRY(each(t, chinese));
    if (s->flags & ACCENTS) {
        LM_TRY(normal_form(t, LM_FORM_NFD));
        LM_TRY(each(t, no_nonspacing));
    }
    return s->flags & SMALL ? each(t, small) : LM_OK;
}

static lm_status do_form(const lm_stage *s, lm_text *t)
{
    return normal_form(t, (lm_form)s->form);
}

static lm_status do_small(const lm_stage *s, lm_text *t)
{
    (void)s;
    return each(t, small);
}

static lm_status do_accents(const lm_stage *s, lm_text *t)
{
    (void)s;
    return each(t, no_marks);
}

static lm_status do_strip(const lm_stage *s, lm_text *t)
{
    size_t begin = 0, end = t->count, n;
    while (s->flags & LEFT && begin < end && lm_is_space(lm_utf8_read(t->at + begin, &n)))
        begin += n;
    while (s->flags & RIGHT && end > begin) {
        size_t last = end - 1;
        while (((unsigned char)t->at[last] & 0xc0) == 0x80)
            last--;
        if (!lm_is_space(lm_utf8_read(t->at + last, &n)))
            break;
        end = last;
    }
    lm_text out = {.count = 0};
    lm_status status = lm_text_push_range(&out, t, begin, end);
    if (status == LM_OK)
        lm_text_replace(t, &out);
    lm_text_free(&out);
    return status;
}

static lm_status do_prepend(const lm_stage *s, lm_text *t)
{
    return lm_text_prepend(t, s->string);
}

/* What stands for a match comes from the match's last character. */
static lm_status do_replace(const lm_stage *s, lm_text *t)
{
    lm_founds found = {0};
    lm_text out = {.count = 0};
    lm_status status = lm_pattern_find(s->pattern, t, &found);
    for (size_t i = 0; i < found.count && status == LM_OK; i++) {
        const lm_found *f = &found.at[i];
        if (f->match)
            status =
                lm_text_push_string(&out, s->content, f->end ? t->from[f->end - 1] : (lm_span){t->origin, t->origin});
        else
            status = lm_text_push_range(&out, t, f->begin, f->end);
    }
    if (status == LM_OK)
        lm_text_replace(t, &out);
    lm_text_free(&out);
    lm_vec_free(&found);
    return status;
}

static lm_status do_bytes(const lm_stage *s, lm_text *t)
{
    (void)s;
    return lm_bytes_as_characters(t);
}

static lm_status add(void *to, lm_stage stage)
{
    lm_stages *stages = to;
    return lm_vec_push(stages, stage);
}

lm_status lm_bert_normalizer(bool lower, lm_stages *out)
{
    return add(out, (lm_stage){.change = do_bert, .flags = CLEAN | CHINESE | (lower ? ACCENTS | SMALL : 0)});
}

static lm_status read_bert(const cJSON *part, void *to)
{
    const bool lower = lm_member_flag(part, "lowercase", true);
    const unsigned flags = (lm_member_flag(part, "clean_text", true) ? CLEAN : 0) |
                           (lm_member_flag(part, "handle_chinese_chars", true) ? CHINESE : 0) |
                           (lm_member_flag(part, "strip_accents", lower) ? ACCENTS : 0) | (lower ? SMALL : 0);
    return add(to, (lm_stage){.change = do_bert, .flags = flags});
}

static lm_status read_nfc(const cJSON *part, void *to)
{
    (void)part;
    return add(to, (lm_stage){.change = do_form, .form = LM_FORM_NFC});
}

static lm_status read_nfd(const cJSON *part, void *to)
{
    (void)part;
    return add(to, (lm_stage){.change = do_form, .form = LM_FORM_NFD});
}

static lm_status read_nfkc(const cJSON *part, void *to)
{
    (void)part;
    return add(to, (lm_stage){.change = do_form, .form = LM_FORM_NFKC});
}

static lm_status read_nfkd(const cJSON *part, void *to)
{
    (void)part;
    return add(to, (lm_stage){.change = do_form, .form = LM_FORM_NFKD});
}

static lm_status read_small(const cJSON *part, void *to)
{
    (void)part;
    return add(to, (lm_stage){.change = do_small});
}

static lm_status read_accents(const cJSON *part, void *to)
{
    (void)part;
    return add(to, (lm_stage){.change = do_accents});
}

static lm_status read_bytes(const cJSON *part, void *to)
{
    (void)part;
    return add(to, (lm_stage){.change = do_bytes});
}

static lm_status read_strip(const cJSON *part, void *to)
{
    return add(to, (lm_stage){.change = do_strip,
                              .flags = (lm_member_flag(part, "strip_left", true) ? LEFT : 0) |
                                       (lm_member_flag(part, "strip_right", true) ? RIGHT : 0)});
}

static lm_status read_prepend(const cJSON *part, void *to)
{
    LM_TRY(add(to, (lm_stage){.change = do_prepend}));
    lm_stages *stages = to;
    return lm_member_copy(part, "prepend", "", &stages->at[stages->count - 1].string);
}

static lm_status read_replace(const cJSON *part, void *to)
{
    LM_TRY(add(to, (lm_stage){.change = do_replace}));
    lm_stages *stages = to;
    lm_stage *s = &stages->at[stages->count - 1];
    LM_TRY(lm_member_copy(part, "content", "", &s->content));
    return lm_stage_pattern(part, &s->pattern);
}

static lm_status read_sequence(const cJSON *part, void *to)
{
    const cJSON *one;
    cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive(part, "normalizers"))
        LM_TRY(lm_normal_read(one, to));
    return LM_OK;
}

lm_status lm_normal_read(const cJSON *part, lm_stages *out)
{
    static const lm_part_row rows[] = {{"BertNormalizer", read_bert},
                                       {"NFC", read_nfc},
                                       {"NFD", read_nfd},
                                       {"NFKC", read_nfkc},
                                       {"NFKD", read_nfkd},
                                       {"Lowercase", read_small},
                                       {"StripAccents", read_accents},
                                       {"Strip", read_strip},
                                       {"Prepend", read_prepend},
                                       {"Replace", read_replace},
                                       {"ByteLevel", read_bytes},
                                       {"Precompiled", lm_charsmap_read},
                                       {"Sequence", read_sequence}};
    return lm_part_read("normalizer", rows, LM_COUNT(rows), part, out);
}

lm_status lm_stage_change(const lm_stages *stages, lm_text *t)
{
    for (size_t i = 0; i < stages->count; i++)
        if (stages->at[i].change)
            LM_TRY(stages->at[i].change(&stages->at[i], t));
    return LM_OK;
}

lm_status lm_stage_pattern(const cJSON *part, lm_pattern **out)
{
    const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(part, "pattern");
    const char *string = lm_member_text(pattern, "String", NULL), *expression = lm_member_text(pattern, "Regex", NULL);
    LM_REQUIRE(string || expression, LM_INPUT, "it has no pattern");
    return string ? lm_pattern_literal(string, out) : lm_pattern_new(expression, out);
}
