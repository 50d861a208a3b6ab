/* What a run of the suite comes to: tables, and the lists of tests that must pass. */
#ifndef LM_TEST_ONNX_REPORT_H
#define LM_TEST_ONNX_REPORT_H

#include "tests/onnx/suite.h"

/* A test that was run; the others of the suite were not asked for. */
typedef LM_VEC(suite_test *) suite_runs;

void report_tiers(const suite_runs *runs);
void report_ops(const suite_runs *runs);

/* Tests whose wrong answer is no fault of ours; NULL for all others. */
const char *report_excuse(const suite_test *t);

/* The release a suite of so many tests belongs to: "1.22"; NULL for others. */
const char *report_release(size_t tests);

/* Prints every listed test that was run and is refused or fails, and, when all were run, those that are not in the
 * suite; *lost is how many. Wrong answers without an excuse are not among them: a run reports those anyway. Lines of
 * the list: a name, or empty, or a comment after '#'. */
lm_status report_lost(const char *list, const suite *s, const suite_runs *runs, int *lost);

/* Write the list of those that passed. */
lm_status report_write(const char *path, const suite_runs *runs);

#endif
