/* What stands behind the opaque handles of include/limn. */
#ifndef LM_API_HANDLE_H
#define LM_API_HANDLE_H

#include <limn/device.h>

#include "core/device/chain.h"

struct limn_device {
    lm_chain chain;
};

#endif
