/* The machine in plain words: cores, caches, memory, accelerators, and how much of it this process may use.
 * Nothing here knows who found it out; discovery lives in backends/topo. All fields may be read freely; a loaded
 * description never changes, so any number of threads may share it. */
#ifndef LM_BASE_TOPO_H
#define LM_BASE_TOPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/str.h"

/* Logical processors with a higher number than this are left alone. */
#define LM_CPUS 4096

typedef struct lm_cpuset {
    uint64_t word[LM_CPUS / 64];
} lm_cpuset;

enum { LM_L1D, LM_L2, LM_L3, LM_CACHES };

/* One data or unified cache, and how many logical processors and cores share it. */
typedef struct lm_cache {
    size_t bytes;
    int cpus, cores;
} lm_cache;

typedef struct lm_core {
    int package;               /* 0 ... packages - 1 */
    int node;                  /* index into `numa` */
    int speed;                 /* 0 for the slowest kind of core in this machine; all 0 where there is one kind */
    int first_cpu, cpus;       /* its logical processors: topo->cpu[first_cpu] ... [first_cpu + cpus - 1] */
    lm_cache cache[LM_CACHES]; /* bytes = 0 where the machine has no such level or does not tell */
} lm_core;

typedef struct lm_numa {
    int id;         /* the system's number for it */
    uint64_t bytes; /* what the system attributes to the node; hot-plugged memory may be missing, so never sum this */
    int cpus;       /* logical processors in it */
} lm_numa;

/* A device with its own memory or compute units, as far as the system tells without opening it. */
typedef struct lm_accel {
    char name[32];  /* "opencl0d0", "cuda0", ... */
    char kind[16];  /* "gpu", "accelerator", "custom" or "unknown" */
    char vendor[64];
    char model[64];
    int platform, device; /* raw positions in the OpenCL loader's lists, -1 when it is no OpenCL device */
    char pci[16];         /* "0000:01:00.0", or "" */
    uint64_t bytes;       /* its memory, 0 when unknown */
    int node;             /* index of the nearest NUMA node, -1 when nothing is nearer */
    lm_cpuset near;       /* logical processors next to it; all of them when unknown */
} lm_accel;

typedef struct lm_topo {
    char source[32]; /* who described it: "hwloc (API 2.8)", "sysfs", "defaults" */
    char model[96];  /* of the processor, "" when unknown */
    bool here;       /* false for a recording of another machine: nothing may be bound by it */
    int packages, cores, cpus, nodes, accels;
    lm_core *core; /* sorted by their first logical processor */
    int *cpu;      /* system numbers of the logical processors, core by core */
    lm_numa *numa;
    lm_accel *accel;
    /* What a kernel may count on: for each level the smallest among the fastest usable cores. Levels that are missing
     * or implausible hold 32 KiB, 512 KiB and 2 MiB, so no size here is ever 0. */
    lm_cache cache[LM_CACHES];
    size_t line;       /* bytes of a cache line */
    uint64_t ram;      /* bytes of main memory */
    lm_cpuset allowed; /* the affinity mask, cut to the processors that exist */
    double quota;      /* processors' worth of time the control group grants, 0 when unlimited */
} lm_topo;

/* Describe this machine: by the system's own files where it has them, by hwloc otherwise. Blocks on about a millisecond
 * of file reads, opens no device and lists no accelerators. Free with lm_topo_free. */
lm_status lm_topo_load(lm_topo **out);

/* The same with accelerators. This looks at every bus and lets hwloc open the OpenCL loader if its plug-in is there,
 * which may take tens of milliseconds, hundreds the first time. */
lm_status lm_topo_load_devices(lm_topo **out);

/* Describe the machine recorded in an hwloc XML file, accelerators included. LM_UNSUPPORTED in a build without
 * hwloc. */
lm_status lm_topo_load_xml(const char *path, lm_topo **out);

void lm_topo_free(lm_topo *topo); /* NULL is fine */

/* Threads to use when nobody says: cores with a usable processor, at most the quota (rounded to whole processors,
 * never below 1). */
int lm_topo_threads(const lm_topo *topo);

/* The order in which to bind threads: one processor of each core first, fastest cores first, then the cores' further
 * processors. Writes at most `cap` system numbers, all in `allowed`, and returns how many there are in all. */
int lm_topo_bind_order(const lm_topo *topo, int *cpus, int cap);

/* The core that holds a processor, NULL when the description has none. */
const lm_core *lm_topo_core_of(const lm_topo *topo, int cpu);

/* A few lines for people, or the bare facts that tests compare. */
lm_status lm_topo_print(const lm_topo *topo, lm_str *out);

/* Called once by whoever discovered the fields above: sorts cores, fills `cache` and anything left at 0. */
void lm_topo_finish(lm_topo *topo);

/* "0-3,8" and back. Parsing stops with LM_INPUT at anything else, at a number over LM_CPUS and at a falling range. */
lm_status lm_cpuset_parse(const char *text, lm_cpuset *out);
lm_status lm_cpuset_print(const lm_cpuset *set, lm_str *out);
int lm_cpuset_count(const lm_cpuset *set);

static inline bool lm_cpuset_has(const lm_cpuset *set, int cpu)
{
    return cpu >= 0 && cpu < LM_CPUS && (set->word[cpu / 64] >> (cpu % 64) & 1);
}

static inline void lm_cpuset_add(lm_cpuset *set, int cpu)
{
    if (cpu >= 0 && cpu < LM_CPUS)
        set->word[cpu / 64] |= (uint64_t)1 << (cpu % 64);
}

#endif
