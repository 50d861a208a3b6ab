/* An adaptive Golomb-Rice code, which is near the best that maps of noise-like numbers allow and takes a dozen lines to
 * read in a browser. */
#include "core/draw/report_code.h"

#include <stdbool.h>
#include <stdlib.h>

enum { LONGEST = 24, PLAIN_BITS = 32, WIDEST = 31, FORGET = 64 };

typedef struct bits {
    lm_str *out;
    uint64_t held; /* the last `count` of its bits, which are less than 8 between calls */
    int count;
} bits;

/* At most 32 at once. */
static void put_bits(bits *b, uint32_t value, int count)
{
    b->held = b->held << count | value;
    for (b->count += count; b->count >= 8; b->count -= 8)
        lm_str_char(b->out, (char)(b->held >> (b->count - 8)));
}

/* Sum and count of the numbers before, recent ones more than old ones. */
typedef struct mean {
    uint64_t sum;
    uint32_t count;
} mean;

static void put_number(bits *b, mean *m, uint32_t u)
{
    int k = 0;
    while (k < WIDEST && (uint64_t)m->count << k < m->sum)
        k++;
    const uint32_t ones = u >> k;
    if (ones < LONGEST) {
        put_bits(b, (1u << ones) - 1, (int)ones);
        put_bits(b, 0, 1);
        put_bits(b, u & ((1u << k) - 1), k);
    } else {
        put_bits(b, (1u << LONGEST) - 1, LONGEST);
        put_bits(b, u, PLAIN_BITS);
    }
    m->sum += u;
    if (++m->count == FORGET) {
        m->sum /= 2;
        m->count /= 2;
    }
}

/* The median of three: an edge along either axis is followed. */
static int64_t expected(const int32_t *at, int x, int y, int width)
{
    const int64_t left = x ? at[-1] : 0, up = y ? at[-width] : 0, corner = x && y ? at[-width - 1] : 0;
    if (!y || !x)
        return left + up;
    const int64_t low = left < up ? left : up, high = left < up ? up : left, plane = left + up - corner;
    return plane < low ? low : plane > high ? high : plane;
}

static void pack(const int32_t *number, int width, int height, report_code code, lm_str *out)
{
    bits b = {.out = out};
    mean m = {4, 1};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const int32_t *at = number + (size_t)y * (size_t)width + (size_t)x;
            const int64_t v = code == REPORT_CHANGE ? *at - expected(at, x, y, width) : *at;
            put_number(&b, &m, (uint32_t)(code == REPORT_POSITIVE ? v : v < 0 ? -2 * v - 1 : 2 * v));
        }
    if (b.count)
        put_bits(&b, 0, 8 - b.count);
}

lm_status report_pack(const int32_t *number, int width, int height, report_code *code, lm_str *bytes)
{
    lm_str best = {0};
    bool positive = true;
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++)
        positive = positive && number[i] >= 0;
    lm_status status = LM_OK;
    for (int c = positive ? REPORT_POSITIVE : REPORT_SIGNED; c < REPORT_CODES && status == LM_OK; c++) {
        lm_str tried = {0};
        if (c == REPORT_POSITIVE && !positive)
            continue;
        pack(number, width, height, (report_code)c, &tried);
        status = tried.status;
        if (status == LM_OK && (!best.text || tried.count < best.count)) {
            const lm_str kept = best;
            best = tried;
            tried = kept;
            *code = (report_code)c;
        }
        lm_str_free(&tried);
    }
    if (status == LM_OK)
        status = lm_str_add_bytes(bytes, lm_str_text(&best), best.count);
    lm_str_free(&best);
    return status;
}

lm_status report_base64(const void *bytes, size_t count, lm_str *out)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *at = bytes;
    for (size_t i = 0; i < count; i += 3) {
        const size_t n = count - i < 3 ? count - i : 3;
        const uint32_t v = (uint32_t)at[i] << 16 | (n > 1 ? (uint32_t)at[i + 1] << 8 : 0) | (n > 2 ? at[i + 2] : 0);
        const char four[4] = {digit[v >> 18], digit[v >> 12 & 63], n > 1 ? digit[v >> 6 & 63] : '=',
                              n > 2 ? digit[v & 63] : '='};
        lm_str_add_bytes(out, four, 4);
    }
    return out->status;
}
