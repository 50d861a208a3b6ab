/* What the programs here begin with. */
#ifndef LM_TEST_RULES_MAIN_H
#define LM_TEST_RULES_MAIN_H

#include "tests/unit/graph_run.h"

/* Run the cases with a chain of this device, or of those that LIMN_BACKEND names, open as long as they take. */
static inline int rules_main(const char *device, lm_chain *chain, void (*cases)(void))
{
    if (lm_chain_open(lm_env_is_set(LM_ENV_BACKEND) ? NULL : device, chain) != LM_OK) {
        printf("%s\n", lm_message());
        return 1;
    }
    int failed = graph_main(cases);
    lm_chain_close(chain);
    return failed;
}

#endif
