/* What a test and the driver of shim_icd.c share, in whatever processes they run: which calls fail, and how often each
 * was made. A file that both map; the variable LIMN_TEST_SHIM names it. */
#ifndef LM_TEST_SHIM_H
#define LM_TEST_SHIM_H

#include <stdatomic.h>

/* Functions that return a status, those that return an object, and those that end one. */
#define SHIM_CALLS(X)                                                                                                  \
    X(BuildProgram)                                                                                                    \
    X(EnqueueNDRangeKernel)                                                                                            \
    X(EnqueueReadBuffer)                                                                                               \
    X(EnqueueWriteBuffer) X(EnqueueCopyBuffer) X(EnqueueUnmapMemObject) X(Finish) X(GetEventProfilingInfo)
#define SHIM_MAKES(X)                                                                                                  \
    X(CreateContext)                                                                                                   \
    X(CreateCommandQueue)                                                                                              \
    X(CreateBuffer) X(CreateProgramWithSource) X(CreateProgramWithBinary) X(CreateKernel) X(EnqueueMapBuffer)
#define SHIM_ENDS(X)                                                                                                   \
    X(ReleaseContext) X(ReleaseCommandQueue) X(ReleaseMemObject) X(ReleaseProgram) X(ReleaseKernel)

enum {
#define X(name) SHIM_##name,
    SHIM_CALLS(X) SHIM_MAKES(X) SHIM_ENDS(X)
#undef X
        SHIM_FUNCTIONS
};

/* In the place of a status: the process ends as by a broken driver, or stays in it for good. */
enum { SHIM_CRASH = 1, SHIM_HANG };

typedef enum shim_where { SHIM_ANYWHERE, SHIM_IN_TEST, SHIM_IN_CHILD } shim_where;

typedef struct shim_state {
    int test;                      /* the process of the test */
    atomic_int calls[SHIM_FUNCTIONS]; /* in the test's process, failed ones too */
    atomic_int live;               /* objects of the test's process that nobody ended */
    atomic_int stuck;              /* the process that hangs; 0: none does */
    atomic_int torn;               /* queues that ended while another thread was in a call */
    struct {
        atomic_int after, times, code; /* calls that still go well, calls that then fail, and how */
        shim_where where;
    } rule[SHIM_FUNCTIONS];
    unsigned long long memory; /* what the device says it has; 0: the truth */
    int apart;                 /* it says that its memory is its own */
} shim_state;

#endif
