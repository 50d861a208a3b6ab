/* In place of the tokenizers, in builds without cJSON or utf8proc. */
#include "core/data/tokens.h"

lm_status lm_tokenizer_read(const char *path, lm_tokenizer **out)
{
    return lm_tokenizer_parse(NULL, 0, path, out);
}

lm_status lm_tokenizer_parse(const void *bytes, size_t count, const char *name, lm_tokenizer **out)
{
    (void)bytes;
    (void)count;
    *out = NULL;
    return lm_fail(LM_UNSUPPORTED,
                   "%s: this build has no tokenizers; build it with cJSON and utf8proc, or give the numbers of "
                   "the tokens as .npy",
                   name);
}

void lm_tokenizer_free(lm_tokenizer *t)
{
    (void)t;
}

lm_status lm_tokenizer_encode(const lm_tokenizer *t, const char *text, size_t count, const char *second,
                              size_t second_count, bool added, lm_tokens *out)
{
    (void)t;
    (void)text;
    (void)count;
    (void)second;
    (void)second_count;
    (void)added;
    (void)out;
    return lm_fail(LM_UNSUPPORTED, "this build has no tokenizers");
}

const char *lm_tokenizer_text(const lm_tokenizer *t, int64_t id)
{
    (void)t;
    (void)id;
    return "";
}

int64_t lm_tokenizer_padding(const lm_tokenizer *t)
{
    (void)t;
    return -1;
}
