/* The ONNX backend suite: what its folders hold, how hard each test is, and what Limn makes of it. */
#ifndef LM_TEST_ONNX_SUITE_H
#define LM_TEST_ONNX_SUITE_H

#include "core/base/arena.h"
#include "core/device/chain.h"
#include "core/model/proto.h"
#include "core/tensor/tensor.h"

typedef enum outcome { PASS, WRONG, UNSUPPORTED, FAILED, OUTCOMES } outcome;

/* How hard a test is follows from its model alone; see tier.c. The nine whole networks stand apart. */
enum { TIER_1 = 1, TIER_2, TIER_3, TIER_LIGHT, TIERS };

typedef struct suite_test {
    const char *name;   /* "test_abs" */
    const char *folder; /* that holds test_data_set_N; of a whole network: NULL */
    const char *model;
    const char *answer; /* of a whole network: the file of its one output */
    double rtol, atol;
    int tier;
    const char *op; /* what it is about: the only operator in it, or "(several)" */
    outcome outcome;
    char reason[512];
} suite_test;

typedef struct suite {
    lm_arena arena;
    LM_VEC(suite_test) test;
} suite;

/* find.c: every test below a folder, groups in a fixed order, names sorted; tier and op are looked up. LM_INPUT when
 * there is none. */
lm_status suite_find(const char *folder, suite *out);
suite_test *suite_lookup(const suite *s, const char *name); /* NULL when there is none */
void suite_free(suite *s);

/* tier.c */
int suite_tier(const char *name, const onnx_model *m);

/* run.c: sets outcome and reason. */
void suite_run(suite_test *t, const lm_chain *chain, bool plain);

/* gradient.c: compare the gradient of the model's outputs with differences. False when the test is not about
 * gradients: tier 3, no float in or out, an op that is flat everywhere, nothing
 * fed or nothing finite. PASS, WRONG, or else no gradient was given. */
bool suite_gradient(suite_test *t, const lm_chain *chain);

/* compare.c: LM_OK when the answer is right; LM_NO, with a message that says where and by how much it is off. Integers
 * and truth values must be equal; floats pass when |got - wanted| <= atol + rtol * |wanted|; NaN equals NaN, an
 * infinity itself. */
lm_status suite_compare(const lm_view *got, const lm_view *wanted, double rtol, double atol);

#endif
