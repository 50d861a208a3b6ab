/* The growing string. */
#include "core/base/str.h"

#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

/* Room for `more` bytes and a final zero. */
static lm_status make_room(lm_str *str, size_t more)
{
    if (str->status != LM_OK)
        return str->status;
    size_t need;
    if (!lm_add_size(str->count, more, &need) || !lm_add_size(need, 1, &need))
        return str->status = lm_fail(LM_MEMORY, "a text of %zu and %zu bytes more is too long", str->count, more);
    if (need <= str->room)
        return LM_OK;
    size_t room = str->room < 64 ? 64 : str->room + str->room / 2;
    if (room < need)
        room = need;
    char *text = lm_realloc(str->text, room, 1);
    if (!text)
        return str->status = LM_MEMORY;
    str->text = text;
    str->room = room;
    return LM_OK;
}

lm_status lm_str_add_bytes(lm_str *str, const void *bytes, size_t count)
{
    LM_TRY(make_room(str, count));
    if (count)
        memcpy(str->text + str->count, bytes, count);
    str->count += count;
    str->text[str->count] = '\0';
    return LM_OK;
}

lm_status lm_str_add(lm_str *str, const char *text)
{
    return lm_str_add_bytes(str, text, strlen(text));
}

lm_status lm_str_char(lm_str *str, char c)
{
    return lm_str_add_bytes(str, &c, 1);
}

lm_status lm_str_vprintf(lm_str *str, const char *format, va_list args)
{
    if (str->status != LM_OK)
        return str->status;
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        return str->status = lm_fail(LM_USAGE, "a text cannot be formatted with '%s'", format);
    LM_TRY(make_room(str, (size_t)length));
    vsnprintf(str->text + str->count, (size_t)length + 1, format, args);
    str->count += (size_t)length;
    return LM_OK;
}

lm_status lm_str_printf(lm_str *str, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    lm_status status = lm_str_vprintf(str, format, args);
    va_end(args);
    return status;
}

const char *lm_str_text(const lm_str *str)
{
    return str->text ? str->text : "";
}

char *lm_str_take(lm_str *str)
{
    lm_str_add_bytes(str, "", 0); /* an empty string still needs its zero byte */
    if (str->status != LM_OK)
        return NULL;
    char *text = str->text;
    *str = (lm_str){0};
    return text;
}

void lm_str_clear(lm_str *str)
{
    str->count = 0;
    str->status = LM_OK;
    if (str->text)
        str->text[0] = '\0';
}

void lm_str_free(lm_str *str)
{
    lm_free(str->text);
    *str = (lm_str){0};
}
