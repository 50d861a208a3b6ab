/* Reading .wav files: a list of chunks, each with four letters and a size; "fmt " says what the numbers in "data" are.
 */
#include "core/data/wav.h"

#include <string.h>

#include "core/base/file.h"
#include "core/base/mem.h"

enum { PCM = 1, FLOATS = 3, EXTENSIBLE = 0xfffe, MOST_CHANNELS = 256 };

typedef struct sound {
    unsigned code, channels, bits;
    uint32_t rate;
    const uint8_t *data;
    size_t bytes;
} sound;

static uint32_t get(const uint8_t *at, int bytes)
{
    uint32_t v = 0;
    for (int i = bytes; i-- > 0;)
        v = v << 8 | at[i];
    return v;
}

static lm_status read_format(const uint8_t *at, size_t size, const char *name, sound *s)
{
    LM_REQUIRE(size >= 16, LM_INPUT, "%s: its description of the sound is cut off", name);
    s->code = get(at, 2);
    s->channels = get(at + 2, 2);
    s->rate = get(at + 4, 4);
    s->bits = get(at + 14, 2);
    if (s->code == EXTENSIBLE) {
        LM_REQUIRE(size >= 26, LM_INPUT, "%s: its description of the sound is cut off", name);
        s->code = get(at + 24, 2);
    }
    const bool whole = s->code == PCM && (s->bits == 8 || s->bits == 16 || s->bits == 24 || s->bits == 32);
    LM_REQUIRE(whole || (s->code == FLOATS && (s->bits == 32 || s->bits == 64)), LM_UNSUPPORTED,
               "%s: holds sound of format %u with %u bits; save it as PCM of 8 to 32 bits, or as floats", name, s->code,
               s->bits);
    LM_REQUIRE(s->channels >= 1 && s->channels <= MOST_CHANNELS, LM_INPUT, "%s: has %u channels", name, s->channels);
    return LM_OK;
}

static lm_status find_chunks(const uint8_t *bytes, size_t count, const char *name, sound *s)
{
    LM_REQUIRE(count >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WAVE", 4) == 0, LM_INPUT,
               "%s: is no .wav file", name);
    for (size_t at = 12; count - at >= 8;) {
        const uint8_t *body = bytes + at + 8;
        size_t size = get(bytes + at + 4, 4);
        const size_t left = count - at - 8;
        const bool data = memcmp(bytes + at, "data", 4) == 0;
        if (data && size == UINT32_MAX) /* of a recorder that did not know yet */
            size = left;
        LM_REQUIRE(size <= left, LM_INPUT, "%s: the file ends before its sound does; fetch it again", name);
        if (memcmp(bytes + at, "fmt ", 4) == 0)
            LM_TRY(read_format(body, size, name, s));
        if (data) {
            s->data = body;
            s->bytes = size;
            break;
        }
        if (size + size % 2 > left)
            break;
        at += 8 + size + size % 2;
    }
    LM_REQUIRE(s->data && s->bits, LM_INPUT, "%s: has no sound in it", name);
    return LM_OK;
}

static float number(const sound *s, const uint8_t *at)
{
    float f;
    double d;
    if (s->code == FLOATS && s->bits == 64) {
        memcpy(&d, at, sizeof d);
        return (float)d;
    }
    if (s->code == FLOATS) {
        memcpy(&f, at, sizeof f);
        return f;
    }
    if (s->bits == 8)
        return (float)((at[0] - 128) / 128.0);
    const uint32_t high = get(at, (int)s->bits / 8) << (32 - s->bits); /* the sign where int32 has it */
    return (float)((int32_t)high / 2147483648.0);
}

lm_status lm_wav_parse(const void *bytes, size_t count, const char *name, lm_view *out, int *rate)
{
    sound s = {.data = NULL};
    lm_shape sh;
    LM_TRY(find_chunks(bytes, count, name, &s));
    const size_t width = s.bits / 8, frames = s.bytes / (width * s.channels);
    LM_REQUIRE(frames > 0, LM_INPUT, "%s: has no sound in it", name);
    const int64_t dim[2] = {s.channels, (int64_t)frames};
    LM_TRY(lm_shape_make(2, dim, &sh));
    LM_TRY(lm_view_new(LM_F32, &sh, out));
    float *to = lm_view_data(out);
    for (size_t i = 0; i < frames; i++)
        for (size_t c = 0; c < s.channels; c++)
            to[c * frames + i] = number(&s, s.data + (i * s.channels + c) * width);
    *rate = s.rate <= INT32_MAX ? (int)s.rate : 0;
    return LM_OK;
}

lm_status lm_wav_read(const char *path, lm_view *out, int *rate)
{
    lm_file file;
    LM_TRY(lm_file_map(path, &file));
    lm_status status = lm_wav_parse(file.bytes, file.size, path, out, rate);
    lm_file_unmap(&file);
    return status;
}
