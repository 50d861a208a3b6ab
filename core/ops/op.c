/* The op table as data, and the one entrance to the shape rules. */
#include "core/ops/op.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "core/ops/shape_rules.h"

/* The words that the table's rows use. */
enum {
    MANY = LM_MANY,
    INPLACE = LM_FLAG_INPLACE,
    GRADY = LM_FLAG_GRADY,
    EPILOGUE = LM_FLAG_EPILOGUE,
    COMMUTES = LM_FLAG_COMMUTES
};

/* MATCH(composite, none) is 1 and MATCH(composite, conv) is 0, because of these names only those below exist; they
 * shift a 1 into second place. */
#define composite_none ~, 1
#define elementwise_unary ~, 1
#define SECOND(first, second, ...) second
#define SECOND_OF(...) SECOND(__VA_ARGS__, 0, 0)
#define MATCH(what, word) SECOND_OF(what##_##word)

const lm_op_info lm_ops[LM_OPS] = {
#define LM_OP(id_, name_, class_, in0, in1, out, attrs_, shape_, kernel, expand, region, grad_, flags_)                \
    [LM_OP_##id_] = {.id = #id_,                                                                                       \
                     .name = name_,                                                                                    \
                     .cls = LM_CLASS_##class_,                                                                         \
                     .min_in = in0,                                                                                    \
                     .max_in = in1,                                                                                    \
                     .max_out = out,                                                                                   \
                     .attrs = LM_ATTR_##attrs_,                                                                        \
                     .composite = MATCH(composite, kernel),                                                            \
                     .reach = LM_REACH_##region,                                                                       \
                     .grad = LM_GRAD_##grad_,                                                                          \
                     .flags = flags_,                                                                                  \
                     .shape = lm_shape_##shape_},
#include "core/ops/ops.def"
#undef LM_OP
};

/* One-operand elementwise ops are those of the family `unary`. */
static const bool unary[LM_OPS] = {
#define LM_OP(id, name, class_, in0, in1, out, attrs, shape, kernel, ...) [LM_OP_##id] = MATCH(elementwise, kernel),
#include "core/ops/ops.def"
#undef LM_OP
};

bool lm_op_is_unary(lm_opid op)
{
    return (unsigned)op < LM_OPS && unary[op];
}

const char *lm_class_name(lm_class c)
{
    static const char *const names[] = {
#define X(name) #name,
        LM_CLASSES(X)
#undef X
    };
    return (unsigned)c < LM_COUNT(names) ? names[c] : "?";
}

const char *lm_gradstate_name(lm_gradstate g)
{
    static const char *const names[] = {"smooth", "piecewise", "zero", "opaque"};
    return (unsigned)g < LM_COUNT(names) ? names[g] : "?";
}

bool lm_op_find(const char *name, lm_opid *out)
{
    for (int i = 0; i < LM_OPS; i++)
        if (strcmp(lm_ops[i].name, name) == 0 || strcasecmp(lm_ops[i].id, name) == 0) {
            *out = (lm_opid)i;
            return true;
        }
    return false;
}

static lm_status check_inputs(const lm_shape_args *args)
{
    const lm_op_info *op = &lm_ops[args->op];
    LM_REQUIRE(args->nx >= op->min_in && (op->max_in == LM_MANY || args->nx <= op->max_in), LM_INPUT,
               "%s: %d inputs; it takes %d to %d", op->name, args->nx, op->min_in,
               op->max_in == LM_MANY ? args->nx : op->max_in);
    LM_REQUIRE(args->ny >= 1 && args->ny <= op->max_out, LM_INPUT, "%s: %d results asked for; it has 1 to %d",
               op->name, args->ny, op->max_out);
    LM_REQUIRE(args->a || op->attrs == LM_ATTR_none, LM_INPUT, "%s: its attributes are missing", op->name);
    for (int i = 0; i < args->nx; i++) {
        const lm_type *x = &args->x[i];
        if (x->sh.rank == LM_ABSENT && i >= op->min_in)
            continue;
        LM_REQUIRE(x->sh.rank != LM_ABSENT, LM_INPUT, "%s: input %d is missing", op->name, i);
        LM_REQUIRE((unsigned)x->dt < LM_DTYPES, LM_INPUT, "%s: input %d has the unknown element type %d", op->name, i,
                   (int)x->dt);
        LM_TRY(lm_context(lm_shape_check(&x->sh, NULL), "%s: input %d", op->name, i));
    }
    return LM_OK;
}

lm_status lm_op_infer(const lm_shape_args *args, lm_type *y)
{
    LM_REQUIRE((unsigned)args->op < LM_OPS, LM_INPUT, "op number %d does not exist", (int)args->op);
    LM_TRY(check_inputs(args));
    lm_type result[LM_OUT_MAX] = {0};
    LM_TRY(lm_ops[args->op].shape(args, result));
    for (int i = 0; i < args->ny; i++)
        LM_TRY(lm_context(lm_shape_check(&result[i].sh, NULL), "%s: result %d of input %s", lm_ops[args->op].name, i,
                          LM_TEXT(args->x[0].sh)));
    for (int i = 0; i < args->ny; i++)
        y[i] = result[i];
    return LM_OK;
}

static_assert(sizeof(lm_attrs) == sizeof((lm_attrs){0}.all), "lm_attrs.all must be as long as the longest kind");
