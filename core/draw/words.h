/* Explanations in words: one short paragraph that says what was predicted, what spoke for and against it, and how far
 * the numbers can be trusted. */
#ifndef LM_DRAW_WORDS_H
#define LM_DRAW_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

typedef enum lm_language { LM_ENGLISH, LM_CHINESE, LM_LANGUAGES } lm_language;

/* From "en" or "zh"; LM_USAGE lists them. */
lm_status lm_language_of(const char *code, lm_language *out);
const char *lm_language_code(lm_language language);

/* A class and what the model says of it. */
typedef struct lm_answer {
    int64_t index;      /* -1: the target is made of several elements, which the label says */
    const char *label;  /* NULL: it has no name */
    double value;       /* as the model gives it; NAN: unknown */
    double probability; /* NAN: nothing tells */
} lm_answer;

/* What the numbers of a finding belong to. */
typedef enum lm_about { LM_ABOUT_PICTURE, LM_ABOUT_COLUMNS, LM_ABOUT_TOKENS, LM_ABOUT_SERIES, LM_ABOUT_OTHER } lm_about;

/* What one method says about one sample and target. Texts are UTF-8 and borrowed, as are the numbers. NAN: the number
 * means nothing here. */
typedef struct lm_finding {
    lm_about about;
    int width, height;  /* of pictures; otherwise height is 1, and width how many columns, tokens or steps there are */
    const float *value; /* [height][width]; above 0 speaks for the target, below against it */
    const char *const *name; /* by column or token; NULL: they have none */
    bool positive;           /* the method tells sizes only: nothing speaks against */
    bool neutral;            /* the values are the model's own: they speak for nothing */
    bool unreadable;         /* some number is not finite: nothing can be told of any */
    bool tiled;              /* channels of a picture side by side: where in it something lies says nothing */
    double target, baseline; /* the number explained, for the sample and where the method began */
    double gap_abs, gap_rel; /* by how much the values miss the sum that they should have */
    double residual;         /* what an integration may be off by */
    double stderr_mean; /* of methods that draw samples: mean standard error of a value before channels are summed */
} lm_finding;

/* A part of a finding that stands out: neighbouring cells of a 7 x 7 grid, a column, a token, or a stretch of a series.
 */
typedef struct lm_part {
    char name[96]; /* "upper left", "petal width", in the language asked for */
    double value;  /* sum of its numbers */
    double share;  /* of the sum of all sizes, from 0 to 1 */
} lm_part;

enum { LM_PARTS = 4 };

/* The parts that speak most for the target, or against it, largest share first; the answer is how many there are. */
int lm_words_parts(lm_language language, const lm_finding *f, bool against, lm_part part[LM_PARTS]);

/* The part that holds most where for and against cancel, so that neither list above need have it: is there one? */
bool lm_words_torn_part(lm_language language, const lm_finding *f, lm_part *out);

/* The cells of a picture that its parts are made of, at most 7 x 7: each one's share of the sum of all sizes, negative
 * where against prevails. */
enum { LM_REGIONS = 49 };
void lm_words_regions(const lm_finding *f, double share[LM_REGIONS], int *across, int *down);

/* Append what a target of several elements is, "2-3" or "sum", as its answer's label; nothing where the text is
 * another. `label` names the first `labels` of `classes`. */
lm_status lm_words_target(lm_language language, const char *target, const char *const *label, size_t labels,
                          int64_t classes, lm_str *out);

/* Append the paragraph, which is made of both below. `predicted` is the model's first answer (NULL: it has no classes),
 * `explained` the target. Sentences are put behind what is there already. */
lm_status lm_words_add(lm_language language, const lm_answer *predicted, const lm_answer *explained,
                       const lm_finding *f, lm_str *out);

/* Append the name of a class: "cat", "class 3". */
void lm_words_name(lm_language language, const lm_answer *a, lm_str *out);

/* What was predicted, and how surely. */
lm_status lm_words_answer(lm_language language, const lm_answer *predicted, lm_str *out);

/* What spoke for and against the target, which is named where it is not what was predicted, and how far that can be
 * trusted. */
lm_status lm_words_finding(lm_language language, const lm_answer *predicted, const lm_answer *explained,
                           const lm_finding *f, lm_str *out);

/* Append only the last part of it: how far the numbers can be trusted. */
lm_status lm_words_trust(lm_language language, const lm_finding *f, lm_str *out);

#endif
