/* Text with its origin. */
#include "core/data/text.h"

#include <string.h>

static lm_status reserve(lm_text *t, size_t n)
{
    if (n <= t->room)
        return LM_OK;
    size_t room = t->room + t->room / 2 + 64;
    room = room < n ? n : room;
    char *at = lm_realloc(t->at, room, 1);
    if (!at)
        return LM_MEMORY;
    t->at = at;
    lm_span *from = lm_realloc(t->from, room, sizeof *from);
    if (!from)
        return LM_MEMORY;
    t->from = from;
    t->room = room;
    return LM_OK;
}

lm_status lm_text_from(const char *bytes, size_t count, lm_text *out)
{
    *out = (lm_text){.count = 0};
    LM_TRY(reserve(out, count));
    for (size_t i = 0, n; i < count; i += n) {
        lm_utf8_read(bytes + i, &n);
        for (size_t k = i; k < i + n; k++) {
            out->at[k] = bytes[k];
            out->from[k] = (lm_span){(uint32_t)i, (uint32_t)(i + n)};
        }
    }
    out->count = count;
    return LM_OK;
}

lm_status lm_text_part(const lm_text *t, size_t begin, size_t end, lm_text *out)
{
    *out = (lm_text){.origin = begin < end ? t->from[begin].begin : t->origin};
    return lm_text_push_range(out, t, begin, end);
}

void lm_text_free(lm_text *t)
{
    lm_free(t->at);
    lm_free(t->from);
    *t = (lm_text){.count = 0};
}

void lm_text_replace(lm_text *t, lm_text *by)
{
    by->origin = t->origin;
    lm_text_free(t);
    *t = *by;
    *by = (lm_text){.count = 0};
}

lm_status lm_text_push(lm_text *t, uint32_t c, lm_span from)
{
    LM_TRY(reserve(t, t->count + 4));
    const size_t n = lm_utf8_write(c, t->at + t->count);
    for (size_t k = 0; k < n; k++)
        t->from[t->count + k] = from;
    t->count += n;
    return LM_OK;
}

lm_status lm_text_push_range(lm_text *t, const lm_text *of, size_t begin, size_t end)
{
    const size_t n = end - begin;
    LM_TRY(reserve(t, t->count + n));
    if (n) {
        memcpy(t->at + t->count, of->at + begin, n);
        memcpy(t->from + t->count, of->from + begin, n * sizeof *t->from);
    }
    t->count += n;
    return LM_OK;
}

lm_status lm_text_push_string(lm_text *t, const char *string, lm_span from)
{
    for (size_t n; *string; string += n)
        LM_TRY(lm_text_push(t, lm_utf8_read(string, &n), from));
    return LM_OK;
}

lm_status lm_text_prepend(lm_text *t, const char *string)
{
    lm_text out = {.count = 0};
    if (!t->count)
        return LM_OK;
    lm_status status = lm_text_push_string(&out, string, t->from[0]);
    if (status == LM_OK)
        status = lm_text_push_range(&out, t, 0, t->count);
    if (status == LM_OK)
        lm_text_replace(t, &out);
    lm_text_free(&out);
    return status;
}

lm_status lm_text_steps(lm_text *t, const lm_steps *steps)
{
    lm_text out = {.count = 0};
    lm_status status = LM_OK;
    size_t at = 0, bytes; /* behind what the steps so far stand for */
    for (size_t i = 0; i < steps->count && status == LM_OK; i++) {
        const lm_step *s = &steps->at[i];
        const bool fresh = s->change > 0;
        const lm_span nowhere = {t->origin, t->origin};
        const lm_span from = fresh ? (at ? t->from[at - 1] : nowhere) : at < t->count ? t->from[at] : nowhere;
        for (int k = fresh ? 1 : s->change; k <= 0 && at < t->count; k++) {
            lm_utf8_read(t->at + at, &bytes);
            at += bytes;
        }
        status = lm_text_push(&out, s->c, from);
    }
    if (status == LM_OK)
        lm_text_replace(t, &out);
    lm_text_free(&out);
    return status;
}

lm_span lm_text_span(const lm_text *t, size_t begin, size_t end)
{
    if (begin >= end || end > t->count)
        return (lm_span){t->origin + (uint32_t)begin, t->origin + (uint32_t)begin};
    return (lm_span){t->from[begin].begin, t->from[end - 1].end};
}

bool lm_text_starts(const lm_text *t, const char *string)
{
    const size_t n = strlen(string);
    return t->count >= n && memcmp(t->at, string, n) == 0;
}

lm_status lm_found_add(lm_founds *f, size_t begin, size_t end, bool match)
{
    const size_t done = f->count ? f->at[f->count - 1].end : 0;
    if (done < begin)
        LM_TRY(lm_vec_push(f, (lm_found){done, begin, false}));
    return begin < end || match ? lm_vec_push(f, (lm_found){begin, end, match}) : LM_OK;
}

lm_status lm_find_characters(const lm_text *t, bool (*is)(uint32_t), lm_founds *out)
{
    for (size_t i = 0, n; i < t->count; i += n)
        if (is(lm_utf8_read(t->at + i, &n)))
            LM_TRY(lm_found_add(out, i, i + n, true));
    return lm_found_add(out, t->count, t->count, false);
}
