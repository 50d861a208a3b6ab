/* Names of the classes, from a file with one per line. */
#ifndef LIMN_LABELS_H
#define LIMN_LABELS_H

#include "core/base/str.h"

/* Starts as {0}; freed with labels_free in any case. */
typedef struct labels {
    char **at;
    size_t count;
    lm_str text; /* the file, with zeros at the ends of its lines */
} labels;

lm_status labels_read(const char *path, labels *out);
void labels_free(labels *l);

#endif
