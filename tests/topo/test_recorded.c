/* Replays the recorded machines and checks the plain description of each. The recordings lie beside this file, or in
 * the folder given as the first argument. */
#include "tests/unit/test.h"

#include "core/base/topo.h"

static char folder[512];

static lm_topo *load(const char *name)
{
    char path[600];
    lm_topo *topo = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK_OK(lm_topo_load_xml(path, &topo));
    return topo;
}

static void check_counts(const lm_topo *topo, int packages, int cores, int cpus, int nodes, int accels)
{
    CHECK_INT(topo->packages, packages);
    CHECK_INT(topo->cores, cores);
    CHECK_INT(topo->cpus, cpus);
    CHECK_INT(topo->nodes, nodes);
    CHECK_INT(topo->accels, accels);
    CHECK(!topo->here);
    CHECK(topo->quota == 0);
}

static void check_cache(const lm_cache *cache, size_t kib, int cpus, int cores)
{
    CHECK_INT(cache->bytes, kib << 10);
    CHECK_INT(cache->cpus, cpus);
    CHECK_INT(cache->cores, cores);
}

static void check_order(const lm_topo *topo, const char *wanted)
{
    int cpus[64];
    lm_str text = {0};
    int n = lm_topo_bind_order(topo, cpus, 64);
    for (int i = 0; i < n; i++)
        lm_str_printf(&text, i ? " %d" : "%d", cpus[i]);
    CHECK_STR(lm_str_text(&text), wanted);
    lm_str_free(&text);
}

static void check_set(const lm_cpuset *set, const char *wanted)
{
    lm_str text = {0};
    lm_cpuset_print(set, &text);
    CHECK_STR(lm_str_text(&text), wanted);
    lm_str_free(&text);
}

static void laptop(void)
{
    lm_topo *topo = load("laptop.xml");
    if (!topo)
        return;
    check_counts(topo, 1, 4, 8, 1, 1);
    check_cache(&topo->cache[LM_L1D], 48, 2, 1);
    check_cache(&topo->cache[LM_L2], 1280, 2, 1);
    check_cache(&topo->cache[LM_L3], 12288, 8, 4);
    CHECK_INT(topo->line, 64);
    CHECK_INT(topo->ram, (int64_t)16 << 30);
    CHECK_STR(topo->model, "Example Laptop CPU");
    check_order(topo, "0 1 2 3 4 5 6 7");
    CHECK_INT(lm_topo_threads(topo), 4);
    CHECK(lm_topo_core_of(topo, 6) == &topo->core[2]);
    CHECK(lm_topo_core_of(topo, 8) == NULL);
    if (topo->accels == 1) {
        const lm_accel *gpu = &topo->accel[0];
        CHECK_STR(gpu->name, "opencl0d0");
        CHECK_STR(gpu->kind, "gpu");
        CHECK_STR(gpu->vendor, "Example");
        CHECK_STR(gpu->model, "Fake GPU");
        CHECK_STR(gpu->pci, "");
        CHECK(gpu->platform == 0 && gpu->device == 0 && gpu->node == -1);
        CHECK_INT(gpu->bytes, (int64_t)8 << 30);
        check_set(&gpu->near, "0-7");
    }
    lm_topo_free(topo);
}

static void board(void)
{
    lm_topo *topo = load("board.xml");
    if (!topo)
        return;
    check_counts(topo, 1, 6, 6, 1, 0);
    check_cache(&topo->cache[LM_L1D], 64, 1, 1);
    check_cache(&topo->cache[LM_L2], 1024, 2, 2);
    check_cache(&topo->cache[LM_L3], 2048, 1, 1); /* there is none: the assumed size */
    for (int i = 0; i < 6; i++)
        CHECK_INT(topo->core[i].speed, i >= 4);
    check_cache(&topo->core[0].cache[LM_L2], 512, 4, 4);
    CHECK_INT(topo->core[0].cache[LM_L3].bytes, 0);
    check_order(topo, "4 5 0 1 2 3");
    CHECK_INT(lm_topo_threads(topo), 6);
    CHECK_STR(topo->model, "");
    lm_str text = {0};
    CHECK_OK(lm_topo_print(topo, &text));
    CHECK(strstr(lm_str_text(&text), "6 cores (4 + 2, slowest first)") != NULL);
    lm_str_free(&text);
    lm_topo_free(topo);
}

static void server(void)
{
    lm_topo *topo = load("server.xml");
    if (!topo)
        return;
    check_counts(topo, 2, 8, 16, 2, 2);
    check_cache(&topo->cache[LM_L3], 32768, 8, 4);
    CHECK_INT(topo->ram, (int64_t)128 << 30);
    CHECK_INT(topo->numa[1].bytes, (int64_t)64 << 30);
    CHECK_INT(topo->numa[1].cpus, 8);
    for (int i = 0; i < 8; i++) {
        CHECK_INT(topo->core[i].package, i / 4);
        CHECK_INT(topo->core[i].node, i / 4);
    }
    check_order(topo, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15");
    if (topo->accels == 2) {
        const lm_accel *gpu = &topo->accel[0], *fpga = &topo->accel[1];
        CHECK_STR(gpu->name, "opencl0d1"); /* not again as cuda0 and card1 */
        CHECK_STR(gpu->pci, "0000:81:00.0");
        CHECK_INT(gpu->node, 1);
        CHECK_INT(gpu->bytes, (int64_t)40 << 30);
        check_set(&gpu->near, "4-7,12-15");
        CHECK_STR(fpga->name, "opencl1d0");
        CHECK_STR(fpga->kind, "accelerator");
        CHECK(fpga->platform == 1 && fpga->node == -1);
        check_set(&fpga->near, "0-15");
    }
    lm_topo_free(topo);
}

static void container(void)
{
    lm_topo *topo = load("container.xml");
    if (!topo)
        return;
    check_counts(topo, 1, 4, 8, 1, 0);
    check_set(&topo->allowed, "2-3,5");
    CHECK_INT(lm_topo_threads(topo), 2);
    check_order(topo, "2 5 3");
    int two[2];
    CHECK_INT(lm_topo_bind_order(topo, two, 2), 3);
    CHECK(two[0] == 2 && two[1] == 5);
    lm_topo_free(topo);
}

static void bad_recordings(void)
{
    static const char *const texts[] = {"", "not xml", "<topology version=\"2.0\"></topology>",
                                        "<?xml version=\"1.0\"?><topology version=\"2.0\"><object type=\"Machine\"/>"};
    lm_topo *topo = NULL;
    CHECK_FAILS(lm_topo_load_xml("no-such-file.xml", &topo), LM_INPUT);
    CHECK(strstr(lm_message(), "no-such-file.xml") != NULL);
    for (size_t i = 0; i < LM_COUNT(texts); i++) {
        FILE *file = fopen("test_recorded.bad.xml", "w");
        if (!CHECK(file != NULL))
            return;
        fputs(texts[i], file);
        fclose(file);
        CHECK_FAILS(lm_topo_load_xml("test_recorded.bad.xml", &topo), LM_INPUT);
    }
    remove("test_recorded.bad.xml");
    CHECK(topo == NULL);
}

static lm_status load_and_print(void)
{
    char path[600];
    lm_topo *topo = NULL;
    lm_str text = {0};
    snprintf(path, sizeof path, "%s/server.xml", folder);
    lm_status status = lm_topo_load_xml(path, &topo);
    if (status == LM_OK)
        status = lm_topo_print(topo, &text);
    lm_str_free(&text);
    lm_topo_free(topo);
    return status;
}

static void every_allocation_may_fail(void)
{
    CHECK(test_every_allocation(load_and_print) > 5);
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(__FILE__, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".");
    if (argc > 1)
        snprintf(folder, sizeof folder, "%s", argv[1]);
    lm_topo *topo = NULL;
    if (lm_topo_load_xml("no-such-file.xml", &topo) == LM_UNSUPPORTED)
        test_skip("this build has no hwloc, which reads the recordings");
    CASE(laptop);
    CASE(board);
    CASE(server);
    CASE(container);
    CASE(bad_recordings);
    CASE(every_allocation_may_fail);
    return test_end();
}
