/* The machine description: what follows from it, and its discovery from made-up and real system files. */
#include "tests/unit/test.h"

#include <unistd.h>

#include "backends/topo/discover.h"
#include "core/base/file.h"

static char root[64];

static void put(const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    char *slash = strrchr(whole, '/');
    *slash = '\0';
    CHECK_OK(lm_dir_make(whole));
    *slash = '/';
    CHECK_OK(lm_file_write(whole, text, strlen(text)));
}

static void put_cpu(int cpu, const char *file, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/%s", cpu, file);
    put(path, text);
}

static void put_cache(int cpu, int index, const char *level, const char *type, const char *size, const char *shared)
{
    const char *const file[][2] = {{"level", level},           {"type", type},
                                   {"size", size},             {"shared_cpu_list", shared},
                                   {"coherency_line_size", "128\n"}};
    for (size_t i = 0; i < LM_COUNT(file); i++) {
        char name[64];
        snprintf(name, sizeof name, "cache/index%d/%s", index, file[i][0]);
        put_cpu(cpu, name, file[i][1]);
    }
}

static void check_set(const lm_cpuset *set, const char *wanted)
{
    lm_str text = {0};
    lm_cpuset_print(set, &text);
    CHECK_STR(lm_str_text(&text), wanted);
    lm_str_free(&text);
}

static void cpusets(void)
{
    static const char *const same[] = {"", "0", "0-3", "0-3,8", "1,3,5", "63-64", "4095"};
    static const char *const bad[] = {"a", "3-1", "1-", "-1", "1,,2", "4096", "0-99999999999", "1 2", "0x3", "1;2"};
    lm_cpuset set;
    for (size_t i = 0; i < LM_COUNT(same); i++) {
        CHECK_OK(lm_cpuset_parse(same[i], &set));
        check_set(&set, same[i]);
    }
    CHECK_OK(lm_cpuset_parse("2,0-1,1\n", &set));
    check_set(&set, "0-2");
    CHECK_INT(lm_cpuset_count(&set), 3);
    CHECK(lm_cpuset_has(&set, 2) && !lm_cpuset_has(&set, 3));
    CHECK(!lm_cpuset_has(&set, -1) && !lm_cpuset_has(&set, 1 << 20));
    for (size_t i = 0; i < LM_COUNT(bad); i++)
        CHECK_FAILS(lm_cpuset_parse(bad[i], &set), LM_INPUT);
    check_set(&set, "0-2");
}

/* Two slow cores, two fast ones with two processors each; sizes that nobody should believe. */
static lm_topo *by_hand(void)
{
    lm_topo *topo = NULL;
    if (!CHECK_OK(lm_topo_make(6, 1, 0, &topo)))
        return NULL;
    static const int cpus[] = {4, 1, 5, 0, 2, 3}, first[] = {3, 1, 4, 5}, count[] = {1, 2, 1, 1};
    topo->cores = 3;
    topo->cpus = 5;
    memcpy(topo->cpu, cpus, sizeof cpus);
    for (int i = 0; i < 3; i++)
        topo->core[i] = (lm_core){.first_cpu = first[i], .cpus = count[i], .speed = i == 1 ? 1024 : 400};
    topo->core[1].cache[LM_L1D] = (lm_cache){7, 1, 1};
    topo->core[1].cache[LM_L2] = (lm_cache){(size_t)1 << 20, 2, 1};
    CHECK_OK(lm_cpuset_parse("0-5", &topo->allowed));
    lm_topo_finish(topo);
    return topo;
}

static void what_follows(void)
{
    lm_topo *topo = by_hand();
    int order[8];
    if (!topo)
        return;
    /* sorted by first processor: 0, {1, 5}, 2 */
    CHECK(topo->core[0].speed == 0 && topo->core[1].speed == 1 && topo->core[2].speed == 0);
    CHECK_INT(lm_topo_bind_order(topo, order, 8), 4);
    CHECK(order[0] == 1 && order[1] == 0 && order[2] == 2 && order[3] == 5);
    CHECK_INT(lm_topo_threads(topo), 3);
    CHECK_INT(topo->cache[LM_L1D].bytes, 32 << 10);
    CHECK_INT(topo->cache[LM_L2].bytes, 1 << 20);
    CHECK_INT(topo->cache[LM_L3].bytes, 2 << 20);
    CHECK_INT(topo->line, 64);
    topo->quota = 2.9;
    CHECK_INT(lm_topo_threads(topo), 2);
    topo->quota = 0.5;
    CHECK_INT(lm_topo_threads(topo), 1);
    topo->quota = 100;
    CHECK_INT(lm_topo_threads(topo), 3);
    CHECK_OK(lm_cpuset_parse("0,2", &topo->allowed));
    CHECK_INT(lm_topo_bind_order(topo, order, 8), 2);
    CHECK(order[0] == 0 && order[1] == 2);
    lm_topo_finish(topo); /* the fast core is out of reach: its cache sizes do not count */
    CHECK_INT(topo->cache[LM_L2].bytes, 512 << 10);
    lm_topo_free(topo);
    lm_topo_free(NULL);
}

/* A board: two slow cores, one fast core with two processors, one processor off line. */
static void put_board(void)
{
    put("/sys/devices/system/cpu/online", "0-1,3-4\n");
    put("/proc/meminfo", "MemTotal:        2048000 kB\nMemFree: 1 kB\n");
    put("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Made-up CPU\n\nmodel name\t: other\n");
    for (int cpu = 0; cpu < 5; cpu++) {
        put_cpu(cpu, "topology/core_cpus_list", cpu == 0 ? "0\n" : cpu == 1 ? "1-2\n" : "3-4\n");
        put_cpu(cpu, "topology/physical_package_id", cpu < 3 ? "7\n" : "9\n");
        put_cpu(cpu, "cpu_capacity", cpu < 3 ? "446\n" : "1024\n");
        put_cache(cpu, 0, "1\n", "Data\n", cpu < 3 ? "32K\n" : "64K\n", cpu == 0 ? "0\n" : cpu < 3 ? "1-2\n" : "3-4\n");
        put_cache(cpu, 1, "1\n", "Instruction\n", "16K\n", "0\n");
        put_cache(cpu, 2, "2\n", "Unified\n", cpu < 3 ? "512K\n" : "2M\n", cpu < 3 ? "0-2\n" : "3-4\n");
    }
    put("/sys/devices/system/node/online", "0-1\n");
    put("/sys/devices/system/node/node0/cpulist", "0-2\n");
    put("/sys/devices/system/node/node0/meminfo", "Node 0 MemTotal:  1024000 kB\n");
    put("/sys/devices/system/node/node1/cpulist", "3-4\n");
    put("/sys/devices/system/node/node1/meminfo", "Node 1 MemTotal:  512000 kB\n");
}

static void from_system_files(void)
{
    lm_topo *topo = NULL;
    put_board();
    if (!CHECK_OK(lm_topo_from_os(root, false, &topo)))
        return;
    CHECK_STR(topo->source, "sysfs");
    CHECK_STR(topo->model, "Made-up CPU");
    CHECK(!topo->here);
    CHECK_INT(topo->packages, 2);
    CHECK_INT(topo->cores, 3);
    CHECK_INT(topo->cpus, 4);
    CHECK_INT(topo->nodes, 2);
    CHECK_INT(topo->ram, (int64_t)2048000 << 10);
    CHECK_INT(topo->numa[1].bytes, (int64_t)512000 << 10);
    CHECK(topo->numa[0].cpus == 2 && topo->numa[1].cpus == 2);
    CHECK(topo->core[0].node == 0 && topo->core[2].node == 1 && topo->core[2].package == 1);
    CHECK(topo->core[0].speed == 0 && topo->core[1].speed == 0 && topo->core[2].speed == 1);
    CHECK(topo->core[1].cpus == 1 && topo->core[2].cpus == 2);
    CHECK_INT(topo->cache[LM_L1D].bytes, 64 << 10);
    CHECK_INT(topo->cache[LM_L2].bytes, 2 << 20);
    CHECK_INT(topo->core[0].cache[LM_L2].cpus, 2);
    CHECK_INT(topo->core[0].cache[LM_L2].cores, 2);
    CHECK_INT(topo->core[0].cache[LM_L3].bytes, 0);
    CHECK_INT(topo->line, 128);
    check_set(&topo->allowed, "0-1,3-4");
    CHECK(topo->quota == 0);
    int order[4];
    CHECK_INT(lm_topo_bind_order(topo, order, 4), 4);
    CHECK(order[0] == 3 && order[1] == 0 && order[2] == 1 && order[3] == 4);
    lm_topo_free(topo);
    test_remove(root);
}

static void kinds_without_capacity(void)
{
    lm_topo *topo = NULL;
    put("/sys/devices/system/cpu/online", "0-3");
    put("/sys/devices/cpu_core/cpus", "0-1\n");
    put("/sys/devices/cpu_atom/cpus", "2-3\n");
    for (int cpu = 0; cpu < 4; cpu++)
        put_cpu(cpu, "topology/thread_siblings_list", cpu < 2 ? "0-1" : cpu == 2 ? "2" : "3");
    if (CHECK_OK(lm_topo_from_os(root, false, &topo))) {
        CHECK_INT(topo->cores, 3);
        CHECK(topo->core[0].speed == 1 && topo->core[1].speed == 0 && topo->core[2].speed == 0);
        CHECK_INT(topo->nodes, 1);
        CHECK_INT(topo->cache[LM_L1D].bytes, 32 << 10);
    }
    lm_topo_free(topo);
    test_remove(root);
}

static void nothing_to_read(void)
{
    lm_topo *topo = NULL;
    CHECK_OK(lm_dir_make(root));
    if (CHECK_OK(lm_topo_from_os(root, true, &topo))) {
        CHECK_STR(topo->source, "defaults");
        CHECK(topo->cores >= 1 && topo->cores == topo->cpus && topo->packages == 1 && topo->nodes == 1);
        CHECK(topo->ram > 0 && topo->cache[LM_L2].bytes > 0 && topo->accels == 0);
        CHECK(lm_topo_threads(topo) >= 1);
    }
    lm_topo_free(topo);
    test_remove(root);
}

static double quota_with(const char *groups)
{
    lm_topo *topo = NULL;
    put("/proc/self/cgroup", groups);
    if (!CHECK_OK(lm_topo_from_os(root, false, &topo)))
        return -1;
    double quota = topo->quota;
    lm_topo_free(topo);
    return quota;
}

static void quotas(void)
{
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    CHECK(quota_with("0::/\n") == 0);
    put("/sys/fs/cgroup/a/cpu.max", "250000 100000\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    CHECK(quota_with("0::/a/b\n") == 2.5); /* the parent's limit holds */
    put("/sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
    CHECK(quota_with("0::/a/b\n") == 0.5);
    CHECK(quota_with("0::/a/gone\n") == 2.5);
    CHECK(quota_with("0::/gone/from/here\n") == 0);
    put("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "300000\n");
    put("/sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    CHECK(quota_with("5:cpuacct,cpu:/box\n1:name=systemd:/\n") == 3);
    CHECK(quota_with("5:cpu,cpuacct:/box\n0::/a\n") == 2.5);
    CHECK(quota_with("5:cpuset,cpuacct:/box\n0::/\n") == 0);
    CHECK(quota_with("nonsense\n::\n:\n5:cpu\n") == 0);
    test_remove(root);
}

static void put_card(const char *address, const char *class, const char *vendor, const char *node, const char *near)
{
    const char *const file[][2] = {{"class", class},    {"vendor", vendor},      {"device", "0x1234\n"},
                                   {"numa_node", node}, {"local_cpulist", near}};
    for (size_t i = 0; i < LM_COUNT(file); i++) {
        char path[256];
        snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/%s", address, file[i][0]);
        put(path, file[i][1]);
    }
}

static void cards(void)
{
    lm_topo *topo = NULL;
    put_board();
    put_card("0000:81:00.0", "0x030200\n", "0x10de\n", "1\n", "3-4\n");
    put_card("0000:02:00.0", "0x120000\n", "0xabcd\n", "-1\n", "\n");
    put_card("0000:00:1f.0", "0x060100\n", "0x8086\n", "0\n", "0\n");
    if (CHECK_OK(lm_topo_from_os(root, true, &topo)) && CHECK_INT(topo->accels, 2)) {
        CHECK_STR(topo->accel[0].pci, "0000:02:00.0");
        CHECK_STR(topo->accel[0].kind, "accelerator");
        CHECK_STR(topo->accel[0].vendor, "PCI vendor abcd");
        CHECK_INT(topo->accel[0].node, -1);
        check_set(&topo->accel[0].near, "0-1,3-4");
        CHECK_STR(topo->accel[1].kind, "gpu");
        CHECK_STR(topo->accel[1].vendor, "NVIDIA");
        CHECK(topo->accel[1].node == 1 && topo->accel[1].platform == -1);
        check_set(&topo->accel[1].near, "3-4");
    }
    lm_topo_free(topo);
    test_remove(root);
}

/* Where hwloc describes this machine, the system's files must say the same. */
static void two_sources_agree(void)
{
    lm_topo *a = NULL, *b = NULL;
    CHECK_OK(lm_topo_load_devices(&a)); /* asks hwloc where the build has it */
    CHECK_OK(lm_topo_from_os("", false, &b));
    if (a && b && a->here && strcmp(a->source, b->source) != 0 && strcmp(b->source, "sysfs") == 0) {
        CHECK_INT(a->packages, b->packages);
        CHECK_INT(a->nodes, b->nodes);
        CHECK_INT(a->cpus, b->cpus);
        CHECK(a->ram == b->ram && a->line == b->line && a->quota == b->quota);
        CHECK(memcmp(&a->allowed, &b->allowed, sizeof a->allowed) == 0);
        CHECK(memcmp(a->cache, b->cache, sizeof a->cache) == 0);
        CHECK_STR(a->model, b->model);
        for (int i = 0; CHECK_INT(a->cores, b->cores) && i < a->cores; i++) {
            const lm_core *x = &a->core[i], *y = &b->core[i];
            CHECK(x->package == y->package && x->node == y->node && x->speed == y->speed && x->cpus == y->cpus);
            CHECK(memcmp(x->cache, y->cache, sizeof x->cache) == 0);
            for (int k = 0; x->cpus == y->cpus && k < x->cpus; k++)
                CHECK_INT(a->cpu[x->first_cpu + k], b->cpu[y->first_cpu + k]);
        }
    }
    lm_topo_free(a);
    lm_topo_free(b);
}

static void this_machine(void)
{
    lm_topo *topo = NULL;
    if (!CHECK_OK(lm_topo_load(&topo)))
        return;
    int threads = lm_topo_threads(topo), usable = lm_cpuset_count(&topo->allowed);
    CHECK(threads >= 1 && threads <= usable && usable <= topo->cpus);
    CHECK_INT(lm_topo_bind_order(topo, NULL, 0), usable);
    CHECK(topo->ram > (64u << 20));
    lm_str text = {0};
    CHECK_OK(lm_topo_print(topo, &text));
    printf("%s", lm_str_text(&text));
    lm_str_free(&text);
    lm_topo_free(topo);
}

static lm_status load_files(void)
{
    lm_topo *topo = NULL;
    lm_str text = {0};
    lm_status status = lm_topo_from_os(root, true, &topo);
    if (status == LM_OK)
        status = lm_topo_print(topo, &text);
    lm_str_free(&text);
    lm_topo_free(topo);
    return status;
}

static void every_allocation_may_fail(void)
{
    put_board();
    put_card("0000:81:00.0", "0x030200\n", "0x10de\n", "1\n", "3-4\n");
    CHECK(test_every_allocation(load_files) > 6);
    test_remove(root);
}

int main(void)
{
    snprintf(root, sizeof root, "test_topo.XXXXXX");
    if (!mkdtemp(root))
        test_skip("no folder can be made here");
    CASE(cpusets);
    CASE(what_follows);
    CASE(from_system_files);
    CASE(kinds_without_capacity);
    CASE(nothing_to_read);
    CASE(quotas);
    CASE(cards);
    CASE(two_sources_agree);
    CASE(this_machine);
    CASE(every_allocation_may_fail);
    return test_end();
}
