/* FIPS 180-4, section 6.1. */
#include "core/model/sha1.h"

#include <stdint.h>
#include <string.h>

static uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static void add_block(uint32_t state[5], const uint8_t block[64])
{
    uint32_t w[80], s[5];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 80; i++) {
        static const uint32_t constant[4] = {0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6};
        uint32_t parity = s[1] ^ s[2] ^ s[3], choose = (s[1] & s[2]) | (~s[1] & s[3]);
        uint32_t majority = (s[1] & s[2]) | (s[1] & s[3]) | (s[2] & s[3]);
        uint32_t mix = i < 20 ? choose : i >= 40 && i < 60 ? majority : parity;
        uint32_t fresh = rotate(s[0], 5) + mix + s[4] + constant[i / 20] + w[i];
        s[4] = s[3];
        s[3] = s[2];
        s[2] = rotate(s[1], 30);
        s[1] = s[0];
        s[0] = fresh;
    }
    for (int i = 0; i < 5; i++)
        state[i] += s[i];
}

void lm_sha1_hex(const void *bytes, size_t count, char hex[41])
{
    uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    const uint8_t *at = bytes;
    size_t left = count;
    for (; left >= 64; left -= 64, at += 64)
        add_block(state, at);
    /* the rest, a one bit, zeros, and the length in bits */
    uint8_t tail[128] = {0};
    size_t tail_bytes = left < 56 ? 64 : 128;
    if (left)
        memcpy(tail, at, left);
    tail[left] = 0x80;
    for (int i = 0; i < 8; i++)
        tail[tail_bytes - 1 - (size_t)i] = (uint8_t)((uint64_t)count * 8 >> (8 * i));
    add_block(state, tail);
    if (tail_bytes == 128)
        add_block(state, tail + 64);
    for (int i = 0; i < 40; i++)
        hex[i] = "0123456789abcdef"[state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    hex[40] = 0;
}
