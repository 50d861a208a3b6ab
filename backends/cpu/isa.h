/* Instruction levels of the cpu device, lowest first: what was compiled in, what this machine has, what LIMN_CPU allows. */
#ifndef LM_CPU_ISA_H
#define LM_CPU_ISA_H

#include <stdbool.h>

#include "core/base/status.h"

typedef enum lm_cpu_level { LM_CPU_SCALAR, LM_CPU_NEON, LM_CPU_AVX2, LM_CPU_AVX512, LM_CPU_LEVELS } lm_cpu_level;

const char *lm_cpu_level_name(lm_cpu_level level); /* "scalar", "neon", "avx2", "avx512" */

/* Compiled in and usable on this machine. Scalar always is. */
bool lm_cpu_level_usable(lm_cpu_level level);

/* The best usable level not above `cap` ("" or NULL: no cap). A level of another architecture is LM_USAGE; one above the
 * machine's is lowered silently (`limn env` shows the one in force). */
lm_status lm_cpu_level_choose(const char *cap, lm_cpu_level *out);

#endif
