/* The parts of a tokenizer. A text runs through them in this order: tokens that are taken as they are, normalizers, the
 * cuts into words, the model, which makes tokens of words, and what is put around them. */
#ifndef LM_DATA_TOKENS_INSIDE_H
#define LM_DATA_TOKENS_INSIDE_H

#include <cjson/cJSON.h>

#include "core/base/map.h"
#include "core/base/str.h"
#include "core/data/pattern.h"
#include "core/data/text.h"
#include "core/data/tokens.h"

/* No vocabulary is as large. */
enum { LM_MOST_IDS = 1 << 22 };

/* A stretch of the text on its way; id -1: it is no token yet. */
typedef struct lm_part {
    lm_text text;
    int64_t id;
} lm_part;
typedef LM_VEC(lm_part) lm_parts;
void lm_parts_free(lm_parts *parts);

/* What becomes of the matches that a text is cut at. */
typedef enum lm_cut { CUT_ISOLATED, CUT_REMOVED, CUT_WITH_PREVIOUS, CUT_WITH_NEXT, CUT_CONTIGUOUS, CUTS } lm_cut;

/* A normalizer, which only has `change`, or a pre-tokenizer. */
typedef struct lm_stage lm_stage;
struct lm_stage {
    lm_status (*change)(const lm_stage *, lm_text *); /* NULL: nothing */
    lm_pattern *pattern;                              /* where to cut; or ... */
    bool (*is)(uint32_t);                             /* ... at these characters; neither: nowhere */
    lm_cut cut;
    bool invert;                   /* what does not match counts as a match */
    lm_status (*after)(lm_text *); /* on every piece; NULL: nothing */
    unsigned flags;                /* of `change` */
    int form;
    char *string, *content;
    size_t units, bytes; /* of a map of characters, which is in `string`: of its tree, of its texts */
};
typedef LM_VEC(lm_stage) lm_stages;

/* A token of a model, and the bytes of the word that it stands for. */
typedef struct lm_piece {
    int64_t id;
    size_t begin, end;
} lm_piece;
typedef LM_VEC(lm_piece) lm_pieces;

/* A token that is found in the text itself. */
typedef struct lm_added_token {
    int64_t id;
    char *content;
    lm_text pattern; /* the content as it stands in the text that is searched */
    bool word, left, right, normalized;
} lm_added_token;

/* Of the form around texts: a text, or a token. */
typedef struct lm_template_item {
    int64_t id; /* -1: the first text, -2: the second */
    uint8_t type;
} lm_template_item;
typedef LM_VEC(lm_template_item) lm_template;

/* Byte-pair merges: a table with open addressing. */
typedef struct lm_merge {
    uint64_t pair; /* ids left << 32 | right, plus 1; 0: free */
    uint32_t rank, id;
} lm_merge;

typedef struct lm_word_model {
    lm_status (*encode)(const lm_tokenizer *, const char *word, size_t count, lm_pieces *out);
    lm_map id;               /* by token */
    int64_t unknown;         /* -1: none */
    char *prefix, *suffix;   /* of pieces inside a word, of the last; "" for none */
    int64_t longest;         /* WordPiece: characters of a word */
    bool bytes, fuse, whole; /* byte_fallback, fuse_unk, ignore_merges */
    int64_t byte[256];       /* tokens of bytes; -1: none */
    lm_merge *merge;
    size_t merges;         /* a power of two, or 0 */
    double *score, least;  /* Unigram: by id */
    size_t scores, widest; /* bytes of the longest token */
} lm_word_model;

struct lm_tokenizer {
    char *name; /* of the file */
    lm_stages normal, split;
    lm_word_model model;
    LM_VEC(lm_added_token) added;
    uint32_t first[2][8]; /* bits of bytes that added tokens begin with: plain, normalized */
    const char **text;    /* by id */
    int64_t texts;
    lm_template one, two; /* around a text, around a pair; empty: nothing */
    bool trims, prefixed; /* blanks belong to no token; but for the one that was put in front */
    int64_t most;         /* tokens; -1: as many as there are */
    bool cut_left;
    int cut_only;    /* of a pair: 1 the first, 2 the second; 0: the longer */
    int64_t padding; /* id; -1: none */
    uint8_t padding_type;
    int64_t padded; /* always to this length; 0: never */
    bool pad_left;
};

/* tokens_json.c: members of objects, with what counts where there is none. */
const char *lm_member_text(const cJSON *object, const char *key, const char *none);
bool lm_member_flag(const cJSON *object, const char *key, bool none);
lm_status lm_member_copy(const cJSON *object, const char *key, const char *none, char **out);
bool lm_member_number(const cJSON *object, const char *key, double *out);
bool lm_member_null(const cJSON *object, const char *key); /* null, or not there */

/* One row per part that a file may name. */
typedef struct lm_part_row {
    const char *type;
    lm_status (*read)(const cJSON *part, void *to);
} lm_part_row;
lm_status lm_part_read(const char *what, const lm_part_row *rows, size_t n, const cJSON *part, void *to);

/* tokens_normal.c, tokens_split.c, tokens_model.c, tokens_after.c, tokens_added.c */
lm_status lm_normal_read(const cJSON *part, lm_stages *out);
lm_status lm_split_read(const cJSON *part, lm_stages *out);
lm_status lm_charsmap_read(const cJSON *part, void *to); /* tokens_charsmap.c: an lm_part_row's */
lm_status lm_bert_normalizer(bool small, lm_stages *out);
lm_status lm_bert_split(lm_stages *out);
lm_status lm_stage_change(const lm_stages *stages, lm_text *t);
lm_status lm_stage_pattern(const cJSON *part, lm_pattern **out); /* of "pattern": {"String" or "Regex"} */
lm_status lm_bytes_as_characters(lm_text *t);
lm_status lm_parts_cut(lm_text *t, const lm_founds *found, lm_cut cut, bool invert, lm_parts *out);
lm_status lm_word_model_read(const cJSON *part, lm_tokenizer *t);
lm_status lm_after_read(const cJSON *part, lm_tokenizer *t);
lm_status lm_around(int64_t first, int64_t last, bool types, bool twice, lm_tokenizer *t);
lm_status lm_added_read(const cJSON *tokens, lm_tokenizer *t);
lm_status lm_added_cut(const lm_tokenizer *t, bool normalized, lm_text *text, lm_parts *out);
bool lm_is_byte_space(uint32_t c); /* a blank, as text and as a character that stands for a byte */

/* tokens_bpe.c, tokens_unigram.c */
lm_status lm_bpe_read(const cJSON *part, lm_tokenizer *t);
lm_status lm_unigram_read(const cJSON *part, lm_tokenizer *t);

#endif
