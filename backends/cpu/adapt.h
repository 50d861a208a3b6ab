/* Calls that a driver refuses for the form of their operands: other strides, float16 storage. */
#ifndef LM_CPU_ADAPT_H
#define LM_CPU_ADAPT_H

#include "backends/cpu/cpu.h"

/* After `bind` refused `call`: bind it for float32 and dense operands, with copies into and out of the workspace around it.
 * Sums and roundings happen in the same places, so the bits are those of dense operands. LM_UNSUPPORTED, with the
 * driver's own message, when it refuses that too or nothing can be adapted. */
lm_status lm_cpu_bind_adapted(lm_cpu *cpu, const lm_call *call, lm_cpu_bind_fn bind, lm_kernel **out);

#endif
