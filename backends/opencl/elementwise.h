/* Elementwise passes: one op, or several fused into one. */
#ifndef LM_CL_ELEMENTWISE_H
#define LM_CL_ELEMENTWISE_H

#include "backends/opencl/bind.h"
#include "backends/opencl/kernels/params.h"

/* How the kernel evaluates an op (kernels/elementwise.cl). */
typedef enum lm_cl_form {
    LM_CL_UNARY = 1,
    LM_CL_BINARY,
    LM_CL_DERIVATIVE,
    LM_CL_TEST,
    LM_CL_COMPARE,
    LM_CL_INTEGER1,
    LM_CL_INTEGER2,
    LM_CL_INTEGER3,
    LM_CL_FUSED
} lm_cl_form;

/* `text`: the op's name as formulas.cl has it, or the options that spell several steps. `dt`: of the operands, last of
 * the result. */
typedef struct lm_cl_formula {
    lm_cl_form form;
    const char *text;
    lm_dtype dt[LM_CL_SIDES];
    float act[LM_CL_STEPS][2];
} lm_cl_formula;

/* "f32": an element type in programs; NULL: none of theirs. */
extern const char *const lm_cl_types[LM_DTYPES];

/* A pass over `nx` operands that broadcast to the result, which comes last in `at`. */
lm_status lm_cl_add_elementwise(lm_cl_kernel *k, const lm_cl_formula *f, const lm_view *x, int nx, const lm_view *y,
                                const lm_cl_place *at);

#endif
