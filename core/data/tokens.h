/* Texts as the numbers that language models take, by the tokenizer file that came with the model: a Hugging Face
 * tokenizer.json (WordPiece, byte-pair, word and unigram models), or BERT's vocab.txt. In builds with cJSON and
 * utf8proc; LM_UNSUPPORTED in others. */
#ifndef LM_DATA_TOKENS_H
#define LM_DATA_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/vec.h"

typedef struct lm_tokenizer lm_tokenizer;

typedef struct lm_token {
    int64_t id;
    int64_t begin, end; /* characters begin ... end - 1 of its text; equal where it stands for none */
    uint8_t type;       /* what token_type_ids says */
    bool second;        /* of the second text of a pair */
    bool added;         /* by the model's form: it stands for no text */
    bool padding;
} lm_token;
typedef LM_VEC(lm_token) lm_tokens;

/* LM_UNSUPPORTED names the first part of the file that is not known, and those that are; LM_INPUT what is malformed. */
lm_status lm_tokenizer_read(const char *path, lm_tokenizer **out);
lm_status lm_tokenizer_parse(const void *bytes, size_t count, const char *name, lm_tokenizer **out);
void lm_tokenizer_free(lm_tokenizer *t); /* NULL is fine */

/* The tokens of a text, or of a pair of texts (`second` is not NULL), appended to *out: cut off as the file says, and
 * with `added` the tokens that it puts around texts, and its padding. LM_INPUT for bytes that are no UTF-8. */
lm_status lm_tokenizer_encode(const lm_tokenizer *t, const char *text, size_t count, const char *second,
                              size_t second_count, bool added, lm_tokens *out);

const char *lm_tokenizer_text(const lm_tokenizer *t, int64_t id); /* "" where there is none */

/* What fills short texts up; -1: nothing does. */
int64_t lm_tokenizer_padding(const lm_tokenizer *t);

#endif
