/* How far a long run has come, for whoever waits: on stderr, after the first second. */
#ifndef LIMN_PROGRESS_H
#define LIMN_PROGRESS_H

#include "command.h"

typedef struct progress {
    const char *things; /* that are counted; NULL: nobody wants to know */
    double begun, told; /* seconds */
    size_t before, all; /* of several runs: done before this one, in all; 0: this one is all */
    bool bar;           /* a line that is drawn over, on a terminal; otherwise a new line now and then */
} progress;

progress progress_begin(const command *cmd, const char *things);
void progress_tell(void *with, size_t done, size_t all); /* `with` is a progress */
void progress_end(progress *p);

#endif
