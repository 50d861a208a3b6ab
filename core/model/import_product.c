/* Importers of matrix products. */
#include "core/model/import_util.h"

#include <string.h>

void lm_import_matmul(lm_import *im)
{
    lm_attrs a = {0};
    if (lm_import_needs(im, 2))
        im->y[0] = lm_emit1(&im->e, LM_OP_MATMUL, &a, lm_in(im, 0), lm_in(im, 1));
}

/* Before version 7 c stretched only where `broadcast` said so; the shapes that fit are the same. */
void lm_import_gemm(lm_import *im)
{
    lm_attrs a = {0};
    a.gemm.ta = lm_attr_int(im, "transA", 0) != 0;
    a.gemm.tb = lm_attr_int(im, "transB", 0) != 0;
    a.gemm.alpha = (float)lm_attr_float(im, "alpha", 1);
    a.gemm.beta = (float)lm_attr_float(im, "beta", 1);
    if (!lm_import_needs(im, 2))
        return;
    lm_val x[3] = {lm_in(im, 0), lm_in(im, 1), lm_in(im, 2)};
    im->y[0] = lm_emit_one(&im->e, LM_OP_GEMM, &a, x[2] == LM_NOVAL ? 2 : 3, x);
}

void lm_import_einsum(lm_import *im)
{
    lm_attrs a = {0};
    const char *equation = lm_attr_text(im, "equation", "");
    if (!lm_import_needs(im, im->nx > 0 ? im->nx : 1))
        return;
    if (strlen(equation) >= LM_EQUATION_BYTES) {
        lm_import_fail(im, LM_UNSUPPORTED, "the equation is longer than %d characters", LM_EQUATION_BYTES - 1);
        return;
    }
    strcpy(a.einsum.equation, equation);
    im->y[0] = lm_emit_one(&im->e, LM_OP_EINSUM, &a, im->nx, im->x);
}
