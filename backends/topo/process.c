/* What the running system grants this process: memory, processors, time; and reading the files that tell. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/topo/discover.h"

bool lm_sys_read(char text[LM_SYS_TEXT], const char *root, const char *format, ...)
{
    char path[512];
    int used = snprintf(path, sizeof path, "%s", root);
    if (used < 0 || used >= (int)sizeof path)
        return false;
    va_list args;
    va_start(args, format);
    int more = vsnprintf(path + used, sizeof path - (size_t)used, format, args);
    va_end(args);
    if (more < 0 || more >= (int)sizeof path - used)
        return false;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t count = fread(text, 1, LM_SYS_TEXT - 1, file);
    fclose(file);
    while (count > 0 && (text[count - 1] == '\n' || text[count - 1] == '\0'))
        count--;
    text[count] = '\0';
    return true;
}

bool lm_sys_affinity(lm_cpuset *set)
{
    memset(set, 0, sizeof *set);
#if defined(__linux__)
    /* The kernel's format is an array of words, lowest processor first: ours, on every machine Limn runs on. */
    return sched_getaffinity(0, sizeof *set, (cpu_set_t *)(void *)set) == 0 && lm_cpuset_count(set) > 0;
#else
    return false;
#endif
}

static uint64_t memory_bytes(const char *root)
{
    char text[LM_SYS_TEXT];
    const char *total = lm_sys_read(text, root, "/proc/meminfo") ? strstr(text, "MemTotal:") : NULL;
    if (total)
        return (uint64_t)strtoull(total + strlen("MemTotal:"), NULL, 10) << 10;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

/* Processors granted by the group at `path` itself, 0 when it sets no limit. */
static double group_quota(const char *root, const char *path, bool unified)
{
    char text[LM_SYS_TEXT];
    double quota = 0, period = 0;
    if (unified) {
        if (!lm_sys_read(text, root, "/sys/fs/cgroup%s/cpu.max", path) || sscanf(text, "%lf %lf", &quota, &period) != 2)
            return 0; /* "max 100000" has no number first */
    } else {
        if (!lm_sys_read(text, root, "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", path))
            return 0;
        quota = strtod(text, NULL);
        if (lm_sys_read(text, root, "/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", path))
            period = strtod(text, NULL);
    }
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* The tightest limit on the way from the group up to the root. The path may not exist in here (a container sees its own
 * group as the root): missing files set no limit. */
static double tightest_quota(const char *root, char *path, bool unified)
{
    double least = 0;
    for (;;) {
        char *slash = strrchr(path, '/');
        if (slash && !slash[1])
            *slash = '\0'; /* "/" itself: the root's files lie right below the mount point */
        double quota = group_quota(root, path, unified);
        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
        slash = strrchr(path, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Whether the comma list names the processor-time controller of the older control groups. */
static bool has_cpu(const char *list, size_t length)
{
    for (size_t at = 0; at < length; at += 1 + strcspn(list + at, ",:"))
        if (strncmp(list + at, "cpu,", 4) == 0 || strncmp(list + at, "cpu:", 4) == 0)
            return true;
    return false;
}

static double find_quota(const char *root)
{
    char text[LM_SYS_TEXT];
    double least = 0;
    if (!lm_sys_read(text, root, "/proc/self/cgroup"))
        return 0;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        /* number:controllers:path, with no controllers for the unified hierarchy */
        char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            continue;
        bool unified = path == list + 1;
        if (!unified && !has_cpu(list + 1, (size_t)(path - list - 1)))
            continue;
        double quota = tightest_quota(root, path + 1, unified);
        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
    }
    return least;
}

void lm_topo_add_process(lm_topo *topo, const char *root)
{
    topo->ram = memory_bytes(root);
    topo->quota = find_quota(root);
    lm_cpuset mask;
    if (*root || !lm_sys_affinity(&mask))
        return;
    lm_cpuset both = topo->allowed;
    for (size_t i = 0; i < LM_COUNT(both.word); i++)
        both.word[i] &= mask.word[i];
    /* A mask with none of the processors found would leave nothing to run on: believe the mask less. */
    if (lm_cpuset_count(&both) > 0)
        topo->allowed = both;
}
