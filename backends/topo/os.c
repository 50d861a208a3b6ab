/* The machine as the system's own files describe it: Linux sysfs and procfs, and a plain guess where there are none
 * (emulators, sandboxes, other systems). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/topo/discover.h"
#include "core/base/mem.h"

#define CPUS "/sys/devices/system/cpu"
#define NODES "/sys/devices/system/node"

/* The set in CPUS/`name`, or in CPUS/cpu<cpu>/`name` when `cpu` is not negative. False when there is none, or it is
 * empty. */
static bool read_cpus(lm_cpuset *set, const char *root, int cpu, const char *name)
{
    char text[LM_SYS_TEXT];
    bool found = cpu < 0 ? lm_sys_read(text, root, CPUS "/%s", name)
                         : lm_sys_read(text, root, CPUS "/cpu%d/%s", cpu, name);
    return found && lm_cpuset_parse(text, set) == LM_OK && lm_cpuset_count(set) > 0;
}

static int read_cpu_int(const char *root, int cpu, const char *name, int missing)
{
    char text[LM_SYS_TEXT];
    return lm_sys_read(text, root, CPUS "/cpu%d/%s", cpu, name) ? atoi(text) : missing;
}

/* Which processors exist, and whether sysfs said so. */
static bool find_processors(lm_cpuset *online, const char *root)
{
    if (read_cpus(online, root, -1, "online"))
        return true;
    if (!*root && lm_sys_affinity(online))
        return false;
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    memset(online, 0, sizeof *online);
    for (int cpu = 0; cpu == 0 || (cpu < count && cpu < LM_CPUS); cpu++)
        lm_cpuset_add(online, cpu);
    return false;
}

/* Packages carry any numbers: the place of this one among those met so far. */
static int package_place(int raw, int *met, int *count)
{
    for (int i = 0; i < *count; i++)
        if (met[i] == raw)
            return i;
    met[*count] = raw;
    return (*count)++;
}

/* Intel names two kinds of cores by two folders; ARM gives each processor a capacity. */
static int speed_of(const char *root, int cpu)
{
    int capacity = read_cpu_int(root, cpu, "cpu_capacity", -1);
    if (capacity >= 0)
        return capacity;
    char text[LM_SYS_TEXT];
    lm_cpuset slow;
    bool hybrid = lm_sys_read(text, root, "/sys/devices/cpu_atom/cpus") && lm_cpuset_parse(text, &slow) == LM_OK;
    return hybrid && !lm_cpuset_has(&slow, cpu);
}

static lm_status find_cores(lm_topo *topo, const char *root, const lm_cpuset *online)
{
    int *packages = lm_calloc((size_t)lm_cpuset_count(online), sizeof *packages);
    if (!packages)
        return LM_MEMORY;
    lm_cpuset seen = {0};
    for (int cpu = 0; cpu < LM_CPUS; cpu++) {
        if (!lm_cpuset_has(online, cpu) || lm_cpuset_has(&seen, cpu))
            continue;
        lm_cpuset threads;
        if (!read_cpus(&threads, root, cpu, "topology/core_cpus_list") &&
            !read_cpus(&threads, root, cpu, "topology/thread_siblings_list"))
            memset(&threads, 0, sizeof threads);
        lm_cpuset_add(&threads, cpu);
        lm_core *core = &topo->core[topo->cores++];
        core->first_cpu = topo->cpus;
        for (int other = cpu; other < LM_CPUS; other++) {
            if (!lm_cpuset_has(&threads, other) || !lm_cpuset_has(online, other) || lm_cpuset_has(&seen, other))
                continue;
            lm_cpuset_add(&seen, other);
            topo->cpu[topo->cpus++] = other;
            core->cpus++;
        }
        core->package =
            package_place(read_cpu_int(root, cpu, "topology/physical_package_id", 0), packages, &topo->packages);
        core->speed = speed_of(root, cpu);
    }
    lm_free(packages);
    return LM_OK;
}

static size_t parse_kib(const char *text)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    int shift = *end == 'M' ? 20 : *end == 'G' ? 30 : 10;
    return number > (SIZE_MAX >> shift) ? 0 : (size_t)number << shift;
}

/* One of the caches that a core's first processor lists; false when there are no more. */
static bool read_cache(lm_topo *topo, lm_core *core, const char *root, int index)
{
    char text[LM_SYS_TEXT], name[64];
    int cpu = topo->cpu[core->first_cpu];
    if (!lm_sys_read(text, root, CPUS "/cpu%d/cache/index%d/type", cpu, index))
        return false;
    bool instructions = text[0] == 'I';
    snprintf(name, sizeof name, "cache/index%d/level", index);
    int level = read_cpu_int(root, cpu, name, 0);
    if (instructions || level < 1 || level > LM_CACHES)
        return true;
    lm_cache *cache = &core->cache[level - 1];
    if (lm_sys_read(text, root, CPUS "/cpu%d/cache/index%d/size", cpu, index))
        cache->bytes = parse_kib(text);
    snprintf(name, sizeof name, "cache/index%d/coherency_line_size", index);
    int line = read_cpu_int(root, cpu, name, 0);
    if (level == 1 && line > 0)
        topo->line = (size_t)line;
    lm_cpuset sharing;
    snprintf(name, sizeof name, "cache/index%d/shared_cpu_list", index);
    if (!read_cpus(&sharing, root, cpu, name)) {
        cache->cpus = core->cpus;
        cache->cores = 1;
        return true;
    }
    for (int i = 0; i < topo->cores; i++) {
        const lm_core *other = &topo->core[i];
        int cpus = 0;
        for (int k = 0; k < other->cpus; k++)
            cpus += lm_cpuset_has(&sharing, topo->cpu[other->first_cpu + k]);
        cache->cpus += cpus;
        cache->cores += cpus > 0;
    }
    return true;
}

/* Nodes with their processors; one node with everything where the system tells of none. */
static void find_nodes(lm_topo *topo, const char *root, const lm_cpuset *nodes)
{
    for (int id = 0; id < LM_CPUS; id++) {
        char text[LM_SYS_TEXT];
        if (!lm_cpuset_has(nodes, id))
            continue;
        lm_numa *node = &topo->numa[topo->nodes];
        node->id = id;
        if (lm_sys_read(text, root, NODES "/node%d/meminfo", id)) {
            const char *total = strstr(text, "MemTotal:");
            node->bytes = total ? strtoull(total + strlen("MemTotal:"), NULL, 10) << 10 : 0;
        }
        lm_cpuset cpus = {0};
        if (!lm_sys_read(text, root, NODES "/node%d/cpulist", id) || lm_cpuset_parse(text, &cpus) != LM_OK)
            memset(&cpus, 0, sizeof cpus);
        for (int i = 0; i < topo->cores; i++)
            if (lm_cpuset_has(&cpus, topo->cpu[topo->core[i].first_cpu]))
                topo->core[i].node = topo->nodes;
        for (int i = 0; i < topo->cpus; i++)
            node->cpus += lm_cpuset_has(&cpus, topo->cpu[i]);
        topo->nodes++;
    }
    if (!topo->nodes)
        topo->numa[topo->nodes++] = (lm_numa){.id = 0, .bytes = topo->ram, .cpus = topo->cpus};
}

static void find_model(lm_topo *topo, const char *root)
{
    char text[LM_SYS_TEXT];
    const char *at = NULL;
    if (lm_sys_read(text, root, "/proc/cpuinfo") && (at = strstr(text, "model name")) != NULL)
        at = strchr(at, ':');
    if (at)
        at += strspn(at, ": \t");
    else if (lm_sys_read(text, root, "/sys/firmware/devicetree/base/model"))
        at = text;
    if (at)
        snprintf(topo->model, sizeof topo->model, "%.*s", (int)strcspn(at, "\n"), at);
}

lm_status lm_topo_from_os(const char *root, bool devices, lm_topo **out)
{
    lm_cpuset online, nodes = {0};
    bool told = find_processors(&online, root);
    char text[LM_SYS_TEXT];
    if (!lm_sys_read(text, root, NODES "/online") || lm_cpuset_parse(text, &nodes) != LM_OK)
        memset(&nodes, 0, sizeof nodes);
    lm_topo *topo;
    LM_TRY(lm_topo_make(lm_cpuset_count(&online), lm_cpuset_count(&nodes) + 1, 0, &topo));
    snprintf(topo->source, sizeof topo->source, "%s", told ? "sysfs" : "defaults");
    topo->here = !*root;
    topo->allowed = online;
    lm_status status = find_cores(topo, root, &online);
    for (int i = 0; i < topo->cores; i++)
        for (int index = 0; read_cache(topo, &topo->core[i], root, index); index++) {
        }
    find_model(topo, root);
    lm_topo_add_process(topo, root);
    find_nodes(topo, root, &nodes);
    if (status == LM_OK && devices)
        status = lm_topo_add_pci(topo, root);
    if (status != LM_OK) {
        lm_topo_free(topo);
        return status;
    }
    lm_topo_finish(topo);
    *out = topo;
    return LM_OK;
}
