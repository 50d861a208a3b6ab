/* A small test harness. A test program holds cases and runs them from main:
 *
 *     static void adds(void) { CHECK(1 + 1 == 2); }
 *     int main(void) { CASE(adds); return test_end(); }
 *
 * A case fails when any of its checks does; every failed check prints file, line and values. The last line of output is
 * "N passed, N failed". Exit status: 0, 1 when a case failed, 77 after test_skip. */
#ifndef LM_TEST_H
#define LM_TEST_H

#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/status.h"

static int test_passed, test_failed, test_errors;

#define CHECK(condition) test_check((condition), __FILE__, __LINE__, #condition)
#define CHECK_OK(status) test_status((status), LM_OK, __FILE__, __LINE__, #status)
#define CHECK_FAILS(status, wanted) test_status((status), (wanted), __FILE__, __LINE__, #status)
#define CHECK_INT(a, b) test_int((int64_t)(a), (int64_t)(b), __FILE__, __LINE__, #a " = " #b)
#define CHECK_STR(a, b) test_str((a), (b), __FILE__, __LINE__, #a)
#define CHECK_NEAR(a, b, tolerance) test_near((a), (b), (tolerance), __FILE__, __LINE__, #a)
#define CASE(function) test_case(#function, function)

static inline bool test_check(bool good, const char *file, int line, const char *what)
{
    if (!good) {
        test_errors++;
        printf("%s:%d: failed: %s\n", file, line, what);
    }
    return good;
}

static inline bool test_status(lm_status got, lm_status wanted, const char *file, int line, const char *what)
{
    if (got == wanted)
        return true;
    printf("%s: got \"%s\", wanted \"%s\"; message: %s\n", what, limn_status_name(got), limn_status_name(wanted),
           lm_message());
    return test_check(false, file, line, what);
}

static inline bool test_int(int64_t a, int64_t b, const char *file, int line, const char *what)
{
    if (a != b)
        printf("got %" PRId64 ", wanted %" PRId64 "\n", a, b);
    return test_check(a == b, file, line, what);
}

static inline bool test_str(const char *a, const char *b, const char *file, int line, const char *what)
{
    bool same = a && b && strcmp(a, b) == 0;
    if (!same)
        printf("got    \"%s\"\nwanted \"%s\"\n", a ? a : "(null)", b ? b : "(null)");
    return test_check(same, file, line, what);
}

static inline bool test_near(double a, double b, double tolerance, const char *file, int line, const char *what)
{
    bool near = fabs(a - b) <= tolerance;
    if (!near)
        printf("got %.17g, wanted %.17g within %g\n", a, b, tolerance);
    return test_check(near, file, line, what);
}

static inline void test_case(const char *name, void (*run)(void))
{
    test_errors = 0;
    run();
    if (test_errors)
        printf("FAILED %s\n", name);
    *(test_errors ? &test_failed : &test_passed) += 1;
}

static inline int test_end(void)
{
    printf("%d passed, %d failed\n", test_passed, test_failed);
    return test_failed ? 1 : 0;
}

/* Leave before any case has run, because this machine or build cannot run them. */
static inline _Noreturn void test_skip(const char *why)
{
    printf("skipped: %s\n0 passed, 0 failed\n", why);
    exit(77);
}

static inline int test_remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about, (void)kind, (void)place;
    return remove(path);
}

/* Remove a folder and what is in it. */
static inline void test_remove(const char *folder)
{
    nftw(folder, test_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Let every allocation of a scenario fail in turn: it must report LM_MEMORY, hold nothing afterwards, and succeed once
 * no allocation fails. Returns how many allocations there were, -1 after a failed check. */
static inline int test_every_allocation(lm_status (*scenario)(void))
{
    for (int n = 1; n < 100000; n++) {
        size_t before = lm_mem_count().live;
        lm_mem_fail_at((uint64_t)n);
        lm_status status = scenario();
        lm_mem_fail_at(0);
        if (!CHECK_INT(lm_mem_count().live, before)) {
            printf("allocation %d\n", n);
            return -1;
        }
        if (status == LM_OK)
            return n - 1;
        if (!CHECK_FAILS(status, LM_MEMORY)) {
            printf("allocation %d\n", n);
            return -1;
        }
    }
    CHECK(!"the scenario ends");
    return -1;
}

#endif
