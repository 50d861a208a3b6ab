/* table.c - the table of this level's streaming kernels. */
#include "backends/cpu/simd/kernel.h"

extern const lm_stream LM_NAME(lm_stream);

const lm_stream LM_NAME(lm_stream) = {
#define LM_DX(op)
#define LM_CONVERT(to, from)
#define LM_STREAM_FN(type, name, args) .name = LM_NAME(lm_##name),
#define LM_EW(op) .ew[LM_OP_##op] = LM_NAME(lm_ew_##op),
#include "backends/cpu/kernels.def"
#undef LM_EW
#undef LM_DX
#undef LM_CONVERT
#undef LM_STREAM_FN
#define LM_EW(op)
#define LM_DX(op) .dx[LM_OP_##op] = LM_NAME(lm_dx_##op),
#define LM_CONVERT(to, from) .convert[LM_##to][LM_##from] = LM_NAME(lm_convert_##to##_##from),
#define LM_STREAM_FN(type, name, args)
#include "backends/cpu/kernels.def"
};
