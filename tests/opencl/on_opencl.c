/* Run a test of another suite with an OpenCL device in the place of its own choice. Skipped where there is none.
 *
 *     on_opencl PROGRAM [ARG...] */
#include <unistd.h>

#include "core/device/chain.h"
#include "tests/unit/test.h"

static char device[] = "opencl:0.0";

int main(int argc, char **argv)
{
    lm_chain chain;
    if (argc < 2)
        return 2;
    if (lm_chain_open(device, &chain) != LM_OK)
        test_skip(lm_message());
    lm_chain_close(&chain);
    if (setenv("LIMN_BACKEND", device, 1) == 0)
        execv(argv[1], argv + 1);
    perror(argv[1]);
    return 2;
}
