/* Is this the answer? */
#include <inttypes.h>
#include <math.h>

#include "tests/onnx/suite.h"

/* How many times over what is allowed a float is off; at most 1 passes. */
static double excess(double got, double wanted, double rtol, double atol)
{
    if (got == wanted || (isnan(got) && isnan(wanted)))
        return 0;
    if (!isfinite(got) || !isfinite(wanted))
        return INFINITY;
    return fabs(got - wanted) / (atol + rtol * fabs(wanted));
}

lm_status suite_compare(const lm_view *got, const lm_view *wanted, double rtol, double atol)
{
    char a[LM_SHAPE_TEXT], b[LM_SHAPE_TEXT];
    LM_REQUIRE(got->dt == wanted->dt, LM_NO, "has type %s, wanted %s", lm_dtype_name(got->dt),
               lm_dtype_name(wanted->dt));
    LM_REQUIRE(lm_shape_equal(&got->sh, &wanted->sh), LM_NO, "has shape %s, wanted %s", lm_shape_text(&got->sh, a),
               lm_shape_text(&wanted->sh, b));
    int64_t count = lm_shape_count(&got->sh), off = 0, at = 0;
    double worst = 0;
    for (int64_t i = 0; i < count; i++) {
        double over = 0;
        if (lm_dtype_is_float(got->dt))
            over = excess(lm_view_get(got, i), lm_view_get(wanted, i), rtol, atol);
        else if (lm_view_get_i64(got, i) != lm_view_get_i64(wanted, i))
            over = INFINITY;
        off += over > 1;
        if (over > worst) {
            worst = over;
            at = i;
        }
    }
    if (!off)
        return LM_OK;
    if (lm_dtype_is_float(got->dt))
        return lm_fail(LM_NO,
                       "%" PRId64 " of %" PRId64 " are off, %" PRId64 " worst: %.9g, wanted %.9g, %.3g times what "
                       "is allowed",
                       off, count, at, lm_view_get(got, at), lm_view_get(wanted, at), worst);
    return lm_fail(LM_NO, "%" PRId64 " of %" PRId64 " are off, %" PRId64 " first: %" PRId64 ", wanted %" PRId64, off,
                   count, at, lm_view_get_i64(got, at), lm_view_get_i64(wanted, at));
}
