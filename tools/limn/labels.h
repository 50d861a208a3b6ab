/* Names of the classes, from a file or from what the model says about itself. */
#ifndef LIMN_LABELS_H
#define LIMN_LABELS_H

#include <limn/limn.h>

#include "core/base/str.h"

/* Starts as {0}; freed with labels_free in any case. */
typedef struct labels {
    char **at; /* "" where a class has no name */
    size_t count;
    lm_str text; /* what the names were cut out of */
} labels;

/* A label per line, ["cat", "dog"], {"0": "cat", "1": "dog"} or {"cat": 0, "dog": 1}. */
lm_status labels_read(const char *path, labels *out);

/* The same from the model's metadata, under labels, classes, class_names, names or id2label, where also commas may
 * stand between them; none, with a warning where it cannot be read, is LM_OK. */
lm_status labels_of_model(const limn_model *m, labels *out);

/* As many as there are classes: LM_INPUT for those of a file that the user gave, for others (`file` NULL) a warning, and
 * none are left. */
lm_status labels_check(const char *file, const char *output, int64_t classes, labels *l);

void labels_free(labels *l);

#endif
