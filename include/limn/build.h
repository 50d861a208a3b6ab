/* limn/build.h - making a model: operators of ONNX, one call each.
 *
 *     limn_builder *b;
 *     const int64_t any_by_4[] = {-1, 4};
 *     limn_builder_new(&b);
 *     limn_build_input(b, "x", LIMN_F32, 2, any_by_4);
 *     limn_build_constant(b, "w", &weights);            // [4,3]
 *     limn_build_op(b, "MatMul", "x w", "z");
 *     limn_build_op(b, "Softmax", "z", "p");
 *     limn_build_int(b, "axis", -1);                    // of the last operator
 *     limn_build_output(b, "p", LIMN_F32, 2, NULL);
 *     limn_build_save(b, "classifier.onnx");
 *     limn_builder_free(b);
 *
 * The first failure sticks: later calls do nothing and answer it again, so a program may look at the status of the last
 * call alone. Names must not hold blanks. Models are written for opset 22. */
#ifndef LIMN_BUILD_H
#define LIMN_BUILD_H

#include <limn/model.h>
#include <limn/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct limn_builder limn_builder;

LIMN_API limn_status limn_builder_new(limn_builder **out);
LIMN_API void limn_builder_free(limn_builder *b); /* NULL is fine */

/* Inputs and outputs; a size of -1 is free, `dim` NULL: all are. */
LIMN_API limn_status limn_build_input(limn_builder *b, const char *name, limn_dtype type, int rank, const int64_t *dim);
LIMN_API limn_status limn_build_output(limn_builder *b, const char *name, limn_dtype type, int rank,
                                       const int64_t *dim);

/* A weight; its content is copied. */
LIMN_API limn_status limn_build_constant(limn_builder *b, const char *name, const limn_tensor *content);

/* An operator of the default domain; the names of what it reads and makes are separated by blanks, "-" is an operand
 * left out. Its name and its attributes are added by the calls below before the next operator. */
LIMN_API limn_status limn_build_op(limn_builder *b, const char *op, const char *inputs, const char *outputs);
LIMN_API limn_status limn_build_name(limn_builder *b, const char *node); /* the operator's own name */
LIMN_API limn_status limn_build_int(limn_builder *b, const char *attribute, int64_t value);
LIMN_API limn_status limn_build_float(limn_builder *b, const char *attribute, float value);
LIMN_API limn_status limn_build_text(limn_builder *b, const char *attribute, const char *value);
LIMN_API limn_status limn_build_ints(limn_builder *b, const char *attribute, const int64_t *values, size_t count);

/* Write the model to a file, or open it as it is. The builder may be extended afterwards. */
LIMN_API limn_status limn_build_save(limn_builder *b, const char *path);
LIMN_API limn_status limn_build_open(limn_builder *b, limn_model **out);

#ifdef __cplusplus
}
#endif
#endif
