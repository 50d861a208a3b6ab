/* Which instruction levels this build and this machine have. */
#include "backends/cpu/isa.h"

#include "core/base/mem.h"

#include <string.h>
#if defined(__arm__) && defined(__linux__)
#include <sys/auxv.h>
#endif

static const char *const names[LM_CPU_LEVELS] = {"scalar", "neon", "avx2", "avx512"};

const char *lm_cpu_level_name(lm_cpu_level level)
{
    return (unsigned)level < LM_CPU_LEVELS ? names[level] : "?";
}

static bool machine_has(lm_cpu_level level)
{
    switch (level) {
    case LM_CPU_SCALAR: return true;
#if defined(__x86_64__) || defined(__i386__)
    /* Every processor with AVX2 has F16C, which clang 14 cannot be asked about. */
    case LM_CPU_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case LM_CPU_AVX512: return machine_has(LM_CPU_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
    case LM_CPU_NEON: return true;
#elif defined(__arm__) && defined(__linux__)
    case LM_CPU_NEON: {
        /* NEON alone does not promise fused multiply-add; VFPv4 does. */
        const unsigned long neon = 1ul << 12, vfpv4 = 1ul << 16;
        return (getauxval(AT_HWCAP) & (neon | vfpv4)) == (neon | vfpv4);
    }
#endif
    default: return false;
    }
}

static bool compiled_in(lm_cpu_level level)
{
    switch (level) {
    case LM_CPU_SCALAR: return true;
#ifdef LM_HAVE_NEON
    case LM_CPU_NEON: return true;
#endif
#ifdef LM_HAVE_AVX2
    case LM_CPU_AVX2: return true;
#endif
#ifdef LM_HAVE_AVX512
    case LM_CPU_AVX512: return true;
#endif
    default: return false;
    }
}

bool lm_cpu_level_usable(lm_cpu_level level)
{
    return compiled_in(level) && machine_has(level);
}

/* Words for instructions that no build of this architecture could ever run are mistakes, not caps. */
static bool of_this_architecture(lm_cpu_level level)
{
#if defined(__x86_64__) || defined(__i386__)
    return level != LM_CPU_NEON;
#elif defined(__aarch64__) || defined(__arm__)
    return level <= LM_CPU_NEON;
#else
    return level == LM_CPU_SCALAR;
#endif
}

lm_status lm_cpu_level_choose(const char *cap, lm_cpu_level *out)
{
    lm_cpu_level most = LM_CPU_LEVELS - 1;
    if (cap && *cap) {
        int i = 0;
        while (i < LM_CPU_LEVELS && strcmp(cap, names[i]) != 0)
            i++;
        LM_REQUIRE(i < LM_CPU_LEVELS, LM_USAGE, "unknown instruction level '%s'; there are scalar, avx2, avx512 and neon", cap);
        most = (lm_cpu_level)i;
        LM_REQUIRE(of_this_architecture(most), LM_USAGE, "instruction level '%s' belongs to another architecture", cap);
    }
    while (!lm_cpu_level_usable(most))
        most--;
    *out = most;
    return LM_OK;
}
