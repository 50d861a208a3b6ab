/* The levels' tables of streaming kernels, as far as they are compiled in. */
#include "backends/cpu/kernels.h"

#include <stddef.h>

extern const lm_stream lm_stream_scalar, lm_stream_neon, lm_stream_avx2, lm_stream_avx512;

const lm_stream *lm_cpu_stream(lm_cpu_level level)
{
    static const lm_stream *const table[LM_CPU_LEVELS] = {
        [LM_CPU_SCALAR] = &lm_stream_scalar,
#ifdef LM_HAVE_NEON
        [LM_CPU_NEON] = &lm_stream_neon,
#endif
#ifdef LM_HAVE_AVX2
        [LM_CPU_AVX2] = &lm_stream_avx2,
#endif
#ifdef LM_HAVE_AVX512
        [LM_CPU_AVX512] = &lm_stream_avx512,
#endif
    };
    return table[level];
}
