/* Any bytes as a .npy file, a .npz file, a table, an IDX file, a picture, a sound, a tokenizer, a pattern and a text:
 * read or refused with a message, and nothing is kept. The first byte says which; without it a mutator would have to
 * hit the formats' first bytes. */
#include <stdlib.h>
#include <string.h>

#include "core/data/csv.h"
#include "core/data/idx.h"
#include "core/data/image.h"
#include "core/data/npz.h"
#include "core/data/tokens.h"
#include "core/data/wav.h"
#ifdef LM_HAVE_TOKENS
#include "core/data/pattern.h"
#endif
#include "core/tensor/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep_nothing(lm_status status, lm_view v)
{
    if (status == LM_OK)
        lm_buffer_unref(v.buf);
    else if (!*lm_message())
        abort();
}

static void read_npy(const uint8_t *data, size_t size)
{
    lm_view v = {0};
    keep_nothing(lm_npy_parse(data, size, "x.npy", &v), v);
}

static void read_npz(const uint8_t *data, size_t size)
{
    lm_npz *npz;
    if (lm_npz_open_bytes(data, size, "x.npz", &npz) != LM_OK)
        return;
    for (int i = 0; i < lm_npz_count(npz); i++) {
        lm_view v = {0};
        keep_nothing(lm_npz_read(npz, i, &v), v);
    }
    lm_npz_close(npz);
}

static void read_csv(const uint8_t *data, size_t size)
{
    lm_csv *csv;
    lm_view v = {0};
    if (lm_csv_parse(data, size, "x.csv", NULL, &csv) != LM_OK)
        return;
    keep_nothing(lm_csv_numbers(csv, 0, lm_csv_rows(csv), NULL, &v), v);
    lm_csv_free(csv);
}

static void read_idx(const uint8_t *data, size_t size)
{
    lm_view v = {0};
    keep_nothing(lm_idx_parse(data, size, "x-idx3-ubyte", &v), v);
}

static void read_image(const uint8_t *data, size_t size)
{
    lm_image image = {0};
    if (lm_image_decode(data, size, "x.png", &image) == LM_OK)
        lm_image_free(&image);
    else if (!*lm_message())
        abort();
}

static void read_wav(const uint8_t *data, size_t size)
{
    lm_view v = {0};
    int rate;
    keep_nothing(lm_wav_parse(data, size, "x.wav", &v, &rate), v);
}

static void encode(const lm_tokenizer *t, const char *text, size_t count)
{
    lm_tokens tokens = {0};
    if (lm_tokenizer_encode(t, text, count, NULL, 0, true, &tokens) == LM_OK) {
        for (size_t i = 0; i < tokens.count; i++)
            if (!lm_tokenizer_text(t, tokens.at[i].id))
                abort();
    } else if (!*lm_message()) {
        abort();
    }
    lm_vec_free(&tokens);
}

static void read_tokenizer(const uint8_t *data, size_t size)
{
    static const char text[] = "A l\xc3\xb6ng  text, 12 [MASK] \xe6\x97\xa5\xf0\x9f\x99\x82 it's";
    lm_tokenizer *t;
    if (lm_tokenizer_parse(data, size, "tokenizer.json", &t) != LM_OK)
        return;
    encode(t, text, sizeof text - 1);
    lm_tokenizer_free(t);
}

#ifdef LM_HAVE_TOKENS
/* Up to the first line's end a regular expression, behind it a text. */
static void read_pattern(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    const size_t n = end ? (size_t)(end - data) : 0;
    char expression[256];
    lm_pattern *p;
    if (!end || n >= sizeof expression || memchr(data, 0, n) || lm_utf8_check((const char *)data, n) < n)
        return;
    memcpy(expression, data, n);
    expression[n] = '\0';
    if (lm_pattern_new(expression, &p) != LM_OK)
        return;
    const char *text = (const char *)end + 1;
    size_t count = lm_utf8_check(text, size - n - 1);
    lm_text t;
    lm_founds found = {0};
    if (lm_text_from(text, count < 200 ? count : 0, &t) == LM_OK && lm_pattern_find(p, &t, &found) == LM_OK)
        for (size_t i = 0, at = 0; i < found.count; at = found.at[i++].end)
            if (found.at[i].begin != at || found.at[i].end > t.count)
                abort();
    lm_vec_free(&found);
    lm_text_free(&t);
    lm_pattern_free(p);
}
#else
static void read_pattern(const uint8_t *data, size_t size)
{
    (void)data;
    (void)size;
}
#endif

/* Texts for a tokenizer that has something of everything. */
static void read_text(const uint8_t *data, size_t size)
{
    static const char file[] =
        "{\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"fuse_unk\":true,\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"ab\":"
        "3},"
        "\"merges\":[\"a b\"]},\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKC\"},{\"type\":"
        "\"BertNormalizer\"},{\"type\":\"Strip\"}]},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{"
        "\"type\":"
        "\"Metaspace\"},{\"type\":\"Digits\"},{\"type\":\"ByteLevel\"}]},\"post_processor\":{\"type\":\"ByteLevel\"},"
        "\"added_tokens\":[{\"id\":4,\"content\":\"<x>\",\"lstrip\":true,\"rstrip\":true,\"single_word\":true}]}";
    lm_tokenizer *t;
    if (lm_tokenizer_parse(file, sizeof file - 1, "tokenizer.json", &t) != LM_OK)
        return;
    encode(t, (const char *)data, size);
    lm_tokenizer_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const read[])(const uint8_t *, size_t) = {
        read_npy, read_npz, read_csv, read_idx, read_image, read_wav, read_tokenizer, read_pattern, read_text};
    if (!size)
        return 0;
    size_t before = lm_mem_count().live;
    lm_mem_cap((size_t)64 << 20);
    read[*data % LM_COUNT(read)](data + 1, size - 1);
    if (lm_mem_count().live != before)
        abort();
    return 0;
}
