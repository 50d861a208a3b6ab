/* Classes with numbers or names, and scores made into what a model answers, as the ai.onnx.ml operators have them. */
#ifndef LM_MODEL_IMPORT_CLASSES_H
#define LM_MODEL_IMPORT_CLASSES_H

#include "core/model/import_util.h"

typedef enum lm_after {
    LM_AFTER_NONE,
    LM_AFTER_SOFTMAX,
    LM_AFTER_LOGISTIC,
    LM_AFTER_SOFTMAX_ZERO,
    LM_AFTER_PROBIT
} lm_after;

/* Attribute post_transform. */
lm_after lm_import_after(lm_import *im);

/* Scores [rows,n] after it. */
lm_val lm_after_scores(lm_import *im, lm_val scores, lm_after after);

/* Number of classes that the labels name; 0 when there are none. */
int lm_label_count(lm_import *im);

/* The label of class number `at`, int64 of any shape. Names are no tensors here: the number is the answer then, and a
 * note says what it means. */
lm_val lm_label_of(lm_import *im, lm_val at);

/* 0, 1, 2 ... in place of a list of texts, with such a note. */
lm_val lm_numbers_of(lm_import *im, const onnx_tensor *texts);

/* Results 0 and 1 of a classifier: the label of the largest of the scores [rows,n], and the scores after the
 * transform. */
void lm_classify(lm_import *im, lm_val scores, lm_after after);

/* The same for one score [rows,1] that decides between two classes, of which the second one wins above `border`.
 * `share`: the score is that class's part of 1, otherwise it speaks for that class and against the other. A logistic
 * transform makes parts of any score. */
void lm_classify_two(lm_import *im, lm_val score, double border, bool share, lm_after after);

#endif
