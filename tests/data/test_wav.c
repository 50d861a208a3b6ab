/* Sound files: numbers of every width, chunks that do not matter, and files that are broken. */
#include "core/data/wav.h"

#include "core/base/str.h"
#include "tests/unit/test.h"

static void put(lm_str *s, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        lm_str_char(s, (char)(v >> 8 * i & 0xff));
}

static void chunk(lm_str *s, const char *name, uint32_t size)
{
    lm_str_add_bytes(s, name, 4);
    put(s, size, 4);
}

/* Everything before the numbers. */
static void head(lm_str *s, unsigned code, unsigned channels, unsigned bits, uint32_t bytes, bool extensible)
{
    lm_str_clear(s);
    chunk(s, "RIFF", 0);
    lm_str_add_bytes(s, "WAVE", 4);
    chunk(s, "LIST", 3); /* an odd chunk is filled up */
    lm_str_add_bytes(s, "abc\0", 4);
    chunk(s, "fmt ", extensible ? 40 : 16);
    put(s, extensible ? 0xfffe : code, 2);
    put(s, channels, 2);
    put(s, 16000, 4);
    put(s, 0, 6);
    put(s, bits, 2);
    for (int i = 16; extensible && i < 40; i += 2)
        put(s, i == 24 ? code : 0, 2);
    chunk(s, "data", bytes);
}

static void reads(const lm_str *s, const float *want, int channels, int frames)
{
    lm_view v;
    int rate;
    if (!CHECK_OK(lm_wav_parse(s->text, s->count, "x.wav", &v, &rate)))
        return;
    CHECK_INT(rate, 16000);
    if (CHECK(v.dt == LM_F32 && v.sh.rank == 2 && v.sh.dim[0] == channels && v.sh.dim[1] == frames))
        for (int i = 0; i < channels * frames; i++)
            CHECK_NEAR(((float *)lm_view_data(&v))[i], want[i], 1e-9);
    lm_buffer_unref(v.buf);
}

static void reads_all_widths(void)
{
    static const struct {
        unsigned code, bits;
        uint32_t low, half; /* -1 and 0.5 */
    } rows[] = {{1, 8, 0, 192},
                {1, 16, 0x8000, 0x4000},
                {1, 24, 0x800000, 0x400000},
                {1, 32, 0x80000000, 0x40000000},
                {3, 32, 0xbf800000, 0x3f000000}};
    for (size_t i = 0; i < LM_COUNT(rows); i++)
        for (int extensible = 0; extensible < 2; extensible++) {
            const int width = (int)rows[i].bits / 8;
            lm_str s = {0};
            head(&s, rows[i].code, 2, rows[i].bits, (uint32_t)width * 4, extensible);
            put(&s, rows[i].low, width);
            put(&s, rows[i].half, width);
            put(&s, rows[i].half, width);
            put(&s, rows[i].half, width);
            reads(&s, (const float[]){-1, 0.5f, 0.5f, 0.5f}, 2, 2);
            lm_str_free(&s);
        }
    lm_str s = {0};
    const double d = 0.25;
    head(&s, 3, 1, 64, 8, false);
    lm_str_add_bytes(&s, &d, sizeof d);
    reads(&s, (const float[]){0.25f}, 1, 1);
    lm_str_free(&s);
}

static void fails(lm_str *s, size_t count, lm_status status, const char *word)
{
    lm_view v;
    int rate;
    CHECK_FAILS(lm_wav_parse(s->text, count, "x.wav", &v, &rate), status);
    if (!CHECK(strstr(lm_message(), word) && strstr(lm_message(), "x.wav")))
        printf("%s; wanted %s\n", lm_message(), word);
}

static void refuses_what_is_broken(void)
{
    lm_str s = {0};
    head(&s, 1, 1, 16, 4, false);
    put(&s, 0, 4);
    fails(&s, s.count - 1, LM_INPUT, "ends before");
    fails(&s, 14, LM_INPUT, "no sound");
    fails(&s, 3, LM_INPUT, "no .wav");
    s.text[0] = 'X';
    fails(&s, s.count, LM_INPUT, "no .wav");
    head(&s, 6, 1, 8, 4, false);
    put(&s, 0, 4);
    fails(&s, s.count, LM_UNSUPPORTED, "format 6");
    head(&s, 1, 0, 16, 4, false);
    put(&s, 0, 4);
    fails(&s, s.count, LM_INPUT, "0 channels");
    head(&s, 1, 1, 16, 0, false);
    fails(&s, s.count, LM_INPUT, "no sound");
    head(&s, 1, 1, 16, UINT32_MAX, false);
    put(&s, 0x4000, 2);
    reads(&s, (const float[]){0.5f}, 1, 1);
    lm_str_free(&s);
}

int main(void)
{
    CASE(reads_all_widths);
    CASE(refuses_what_is_broken);
    return test_end();
}
