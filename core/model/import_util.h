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

/* Operators before version 7 broadcast in one direction only, from an axis on: operand `b`, which has the sizes of
 * `a`'s axes from `axis` on (-1: the last ones), gets axes of size 1 behind it. */
lm_val lm_import_align(lm_import *im, lm_val b, lm_val a, int64_t axis);

/* Run another importer on other operands, with the attributes of this node: its first result, LM_NOVAL after a
 * failure. */
lm_val lm_import_call(lm_import *im, lm_import_fn fn, lm_opid op, int nx, const lm_val *x);

/* A fresh tensor on the host to be filled with lm_view_set and passed to lm_constant. False after a failure. */
bool lm_import_table(lm_import *im, lm_dtype dt, const lm_shape *shape, lm_view *out);

/* The whole numbers 0, 1 ... n - 1 as int64. */
lm_val lm_import_counting(lm_import *im, int64_t n);

/* x with all axes of `to`, whose number of elements is the same; dims are given one by one. */
#define LM_IMPORT_RESHAPE(im, x, ...) lm_import_reshaped(im, x, LM_SHAPE(__VA_ARGS__))
lm_val lm_import_reshaped(lm_import *im, lm_val x, lm_shape to);

#endif
