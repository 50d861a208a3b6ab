/* What the importers share beyond import.h. */
#ifndef LM_MODEL_IMPORT_UTIL_H
#define LM_MODEL_IMPORT_UTIL_H

#include "core/graph/emit_move.h"
#include "core/model/import.h"

/* The first n operands are there. False, with the failure recorded, when one is not or after an earlier failure. */
bool lm_import_needs(lm_import *im, int n);

/* The same for operand i alone, whose rank must lie in [least, most]. */
bool lm_import_ranked(lm_import *im, int i, int least, int most);

/* Attribute or operand `input` (< 0: the attribute only) as a set of axes of a tensor of rank `rank`; *n as lm_in_ints
 * has it. An axis given twice is LM_INPUT. */
bool lm_import_axes(lm_import *im, int input, const char *name, int rank, uint32_t *axes, int *n);

/* An attribute that is one of the words, as lm_attr_choice, for versions that take only the first `count` of them. */
int lm_import_word(lm_import *im, const char *name, int otherwise, const char *const *words, int count);

/* Operators before version 7 broadcast in one direction only, from an axis on: operand `b`, which has the sizes of `a`'s
 * axes from `axis` on (-1: the last ones), gets axes of size 1 behind it. */
lm_val lm_import_align(lm_import *im, lm_val b, lm_val a, int64_t axis);

#endif
