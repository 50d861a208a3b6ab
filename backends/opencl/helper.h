/* What drivers may crash or hang at is done by another process: looking for devices, compiling programs.
 *
 * The helper is forked before this process opens the OpenCL loader, since drivers do not survive a fork. It only waits;
 * for a request it forks a worker, which serves until nothing more is asked. A worker that ends in any other way costs
 * the answer to that request, nothing else. */
#ifndef LM_CL_HELPER_H
#define LM_CL_HELPER_H

#include "backends/opencl/loader.h"

typedef enum lm_cl_task { LM_CL_PROBE, LM_CL_BUILD, LM_CL_TASKS } lm_cl_task;

enum { LM_CL_REQUEST = 4 << 10, LM_CL_REPLY = 32 << 10 }; /* bytes, at most */

/* Have `task` done for the request, both plain bytes; the result fills `reply`. What the worker's function fails with
 * is handed on. LM_UNSUPPORTED with `did` as the message's subject: the worker ended, and how. LM_NO: there is no
 * helper (it cannot be started once the loader is open), do it here. Blocks. */
lm_status lm_cl_ask(lm_cl_task task, const void *request, size_t bytes, const char *did, void *reply, size_t room);

/* Start the helper if it may be needed later; the loader calls it. */
void lm_cl_helper_start(void);

/* End it; it can be started again as long as the loader is not open. */
void lm_cl_helper_stop(void);

/* The tasks. */
lm_status lm_cl_probe_serve(const void *request, void *reply, size_t *bytes);
lm_status lm_cl_build_serve(const void *request, void *reply, size_t *bytes);

#endif
