/* One test at work: its model, and what its data sets hold. */
#ifndef LM_TEST_ONNX_ATTEMPT_H
#define LM_TEST_ONNX_ATTEMPT_H

#include "core/base/file.h"
#include "core/run/session.h"
#include "tests/onnx/suite.h"

/* One value of a data set, and what must outlive its view. */
typedef struct piece {
    lm_file file;
    lm_view view;
} piece;

typedef struct attempt {
    lm_model *model;
    lm_session *session;
    lm_arena arena;
    LM_VEC(piece) piece;
    LM_VEC(lm_named) feed;
} attempt;

/* Fill `feed` from a data set; forget it again. */
lm_status attempt_feed(attempt *a, const suite_test *t, int set);
void attempt_forget(attempt *a);
void attempt_close(attempt *a);

/* The last failure's message as the reason, without the model's path. */
void suite_reason(suite_test *t);

#endif
