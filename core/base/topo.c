/* What follows from a machine description, however it was found. */
#include "core/base/topo.h"

#include <limits.h>

#include "core/base/mem.h"

/* What a level holds when nobody tells, and what is believed. */
static const struct {
    size_t assumed, least, most;
} cache_sense[LM_CACHES] = {
    [LM_L1D] = {32 << 10, 4 << 10, 4 << 20},
    [LM_L2] = {512 << 10, 32 << 10, 512 << 20},
    [LM_L3] = {2 << 20, 128 << 10, (size_t)2 << 30},
};

enum { ASSUMED_LINE = 64, LEAST_LINE = 16, MOST_LINE = 1024 };

void lm_topo_free(lm_topo *topo)
{
    if (!topo)
        return;
    lm_free(topo->core);
    lm_free(topo->cpu);
    lm_free(topo->numa);
    lm_free(topo->accel);
    lm_free(topo);
}

/* Logical processors of a core that may be used. */
static int usable(const lm_topo *topo, const lm_core *core)
{
    int n = 0;
    for (int i = 0; i < core->cpus; i++)
        n += lm_cpuset_has(&topo->allowed, topo->cpu[core->first_cpu + i]);
    return n;
}

/* By insertion: discovery hands them over nearly sorted, and topo->cpu keeps its positions. */
static void sort_cores(lm_topo *topo)
{
    for (int i = 1; i < topo->cores; i++) {
        lm_core core = topo->core[i];
        int at = i;
        for (; at > 0 && topo->cpu[topo->core[at - 1].first_cpu] > topo->cpu[core.first_cpu]; at--)
            topo->core[at] = topo->core[at - 1];
        topo->core[at] = core;
    }
}

/* A description may use any scale for "fast": make the speeds 0, 1, 2, ... in place, from the slowest up. A rank never
 * exceeds the value it replaces, so values not yet ranked stay above all ranks given out. */
static void rank_speeds(lm_topo *topo)
{
    for (int i = 0; i < topo->cores; i++)
        if (topo->core[i].speed < 0)
            topo->core[i].speed = 0;
    for (int rank = 0;; rank++) {
        int next = INT_MAX;
        for (int i = 0; i < topo->cores; i++)
            if (topo->core[i].speed >= rank && topo->core[i].speed < next)
                next = topo->core[i].speed;
        if (next == INT_MAX)
            return;
        for (int i = 0; i < topo->cores; i++)
            if (topo->core[i].speed == next)
                topo->core[i].speed = rank;
    }
}

static bool believable(const lm_cache *cache, int level)
{
    return cache->bytes >= cache_sense[level].least && cache->bytes <= cache_sense[level].most;
}

static void choose_caches(lm_topo *topo)
{
    int fastest = 0;
    for (int i = 0; i < topo->cores; i++)
        if (usable(topo, &topo->core[i]) && topo->core[i].speed > fastest)
            fastest = topo->core[i].speed;
    for (int level = 0; level < LM_CACHES; level++) {
        lm_cache *chosen = &topo->cache[level];
        *chosen = (lm_cache){0};
        for (int i = 0; i < topo->cores; i++) {
            const lm_core *core = &topo->core[i];
            const lm_cache *cache = &core->cache[level];
            if (core->speed == fastest && usable(topo, core) && believable(cache, level) &&
                (!chosen->bytes || cache->bytes < chosen->bytes))
                *chosen = *cache;
        }
        if (!chosen->bytes)
            *chosen = (lm_cache){cache_sense[level].assumed, 1, 1};
        if (chosen->cpus < 1)
            chosen->cpus = 1;
        if (chosen->cores < 1)
            chosen->cores = 1;
    }
}

void lm_topo_finish(lm_topo *topo)
{
    sort_cores(topo);
    rank_speeds(topo);
    choose_caches(topo);
    if (topo->line < LEAST_LINE || topo->line > MOST_LINE || (topo->line & (topo->line - 1)))
        topo->line = ASSUMED_LINE;
    if (topo->packages < 1)
        topo->packages = 1;
}

int lm_topo_threads(const lm_topo *topo)
{
    int threads = 0;
    for (int i = 0; i < topo->cores; i++)
        threads += usable(topo, &topo->core[i]) > 0;
    if (topo->quota > 0 && threads > topo->quota)
        threads = (int)topo->quota;
    return threads < 1 ? 1 : threads;
}

int lm_topo_bind_order(const lm_topo *topo, int *cpus, int cap)
{
    int fastest = 0, most = 0, n = 0;
    for (int i = 0; i < topo->cores; i++) {
        if (topo->core[i].speed > fastest)
            fastest = topo->core[i].speed;
        if (topo->core[i].cpus > most)
            most = topo->core[i].cpus;
    }
    /* `turn`: the how-manieth usable processor of its core */
    for (int turn = 0; turn < most; turn++)
        for (int speed = fastest; speed >= 0; speed--)
            for (int i = 0; i < topo->cores; i++) {
                const lm_core *core = &topo->core[i];
                int left = turn;
                for (int k = 0; k < core->cpus && core->speed == speed; k++) {
                    int cpu = topo->cpu[core->first_cpu + k];
                    if (!lm_cpuset_has(&topo->allowed, cpu) || left-- > 0)
                        continue;
                    if (n < cap)
                        cpus[n] = cpu;
                    n++;
                    break;
                }
            }
    return n;
}

const lm_core *lm_topo_core_of(const lm_topo *topo, int cpu)
{
    for (int i = 0; i < topo->cores; i++)
        for (int k = 0; k < topo->core[i].cpus; k++)
            if (topo->cpu[topo->core[i].first_cpu + k] == cpu)
                return &topo->core[i];
    return NULL;
}

static void print_bytes(uint64_t bytes, lm_str *out)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    double value = (double)bytes;
    for (; value >= 1024 && unit + 1 < LM_COUNT(units); unit++)
        value /= 1024;
    lm_str_printf(out, value == (double)(uint64_t)value ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* "4 cores" or "2 fast and 6 slow cores" would need names for three kinds too, so: "8 cores (2 + 6)", slowest first. */
static void print_cores(const lm_topo *topo, lm_str *out)
{
    lm_str_printf(out, "%d package%s, %d core%s", topo->packages, topo->packages == 1 ? "" : "s", topo->cores,
                  topo->cores == 1 ? "" : "s");
    int kinds = 0;
    for (int i = 0; i < topo->cores; i++)
        if (topo->core[i].speed >= kinds)
            kinds = topo->core[i].speed + 1;
    for (int kind = 0; kinds > 1 && kind < kinds; kind++) {
        int n = 0;
        for (int i = 0; i < topo->cores; i++)
            n += topo->core[i].speed == kind;
        lm_str_printf(out, "%s%d%s", kind ? " + " : " (", n, kind == kinds - 1 ? ", slowest first)" : "");
    }
    lm_str_printf(out, ", %d processor%s", topo->cpus, topo->cpus == 1 ? "" : "s");
}

lm_status lm_topo_print(const lm_topo *topo, lm_str *out)
{
    static const char *const levels[LM_CACHES] = {"L1d", "L2", "L3"};
    lm_str_printf(out, "processor: %s\ncores: ", *topo->model ? topo->model : "unknown");
    print_cores(topo, out);
    lm_str_add(out, "\ncaches:");
    for (int level = 0; level < LM_CACHES; level++) {
        lm_str_printf(out, "%s %s ", level ? "," : "", levels[level]);
        print_bytes(topo->cache[level].bytes, out);
        if (topo->cache[level].cores > 1)
            lm_str_printf(out, " for %d cores", topo->cache[level].cores);
    }
    lm_str_printf(out, ", line %zu B\nmemory: ", topo->line);
    print_bytes(topo->ram, out);
    lm_str_printf(out, ", %d NUMA node%s\nusable: %d of %d processors (", topo->nodes, topo->nodes == 1 ? "" : "s",
                  lm_cpuset_count(&topo->allowed), topo->cpus);
    lm_cpuset_print(&topo->allowed, out);
    lm_str_add(out, ")");
    if (topo->quota > 0)
        lm_str_printf(out, ", time for %.3g", topo->quota);
    lm_str_printf(out, ", %d threads by default\n", lm_topo_threads(topo));
    for (int i = 0; i < topo->accels; i++) {
        const lm_accel *accel = &topo->accel[i];
        lm_str_printf(out, "accelerator: %s, %s, %s %s, ", accel->name, accel->kind, accel->vendor, accel->model);
        print_bytes(accel->bytes, out);
        if (*accel->pci)
            lm_str_printf(out, ", PCI %s", accel->pci);
        if (accel->node >= 0)
            lm_str_printf(out, ", near NUMA node %d", topo->numa[accel->node].id);
        lm_str_add(out, "\n");
    }
    lm_str_printf(out, "described by: %s\n", topo->source);
    return out->status;
}

/* A processor number and where it ends; -1 when there is none below LM_CPUS. */
static int cpu_number(const char *text, const char **end)
{
    int number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && number < LM_CPUS; at++)
        number = number * 10 + (*at - '0');
    *end = at;
    return at == text || number >= LM_CPUS ? -1 : number;
}

lm_status lm_cpuset_parse(const char *text, lm_cpuset *out)
{
    lm_cpuset set = {0};
    const char *at = text;
    while (*at && *at != '\n') {
        int first = cpu_number(at, &at), last = first;
        if (first >= 0 && *at == '-')
            last = cpu_number(at + 1, &at);
        LM_REQUIRE(first >= 0 && last >= first && (!*at || *at == ',' || *at == '\n'), LM_INPUT,
                   "'%s' is no list of processors below %d, such as 0-3,8", text, LM_CPUS);
        for (int cpu = first; cpu <= last; cpu++)
            lm_cpuset_add(&set, cpu);
        if (*at == ',')
            at++;
    }
    *out = set;
    return LM_OK;
}

lm_status lm_cpuset_print(const lm_cpuset *set, lm_str *out)
{
    const char *comma = "";
    for (int cpu = 0; cpu < LM_CPUS; cpu++) {
        if (!lm_cpuset_has(set, cpu))
            continue;
        int last = cpu;
        while (lm_cpuset_has(set, last + 1))
            last++;
        lm_str_printf(out, last > cpu ? "%s%d-%d" : "%s%d", comma, cpu, last);
        comma = ",";
        cpu = last;
    }
    return out->status;
}

int lm_cpuset_count(const lm_cpuset *set)
{
    int n = 0;
    for (size_t i = 0; i < LM_COUNT(set->word); i++)
        n += __builtin_popcountll(set->word[i]);
    return n;
}
