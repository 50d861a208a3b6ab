/* What the probe tells besides the drivers' own words: where devices sit, on a recorded machine (the file of the first
 * argument), which processors the threads that feed them keep to, and how long an answer holds. */
#include <sched.h>
#include <stdio.h>

#include "backends/opencl/opencl.h"
#include "core/base/env.h"
#include "core/base/file.h"
#include "tests/unit/test.h"

static const char *recording;

static lm_cl_found place(const lm_topo *topo, int platform, int device, const char *pci, lm_device_kind kind)
{
    lm_cl_found f = {.platform = platform, .device = device, .info.kind = kind};
    lm_cl_locate(topo, pci, &f);
    return f;
}

static void places(void)
{
    lm_topo *topo = NULL;
    if (!CHECK_OK(lm_topo_load_xml(recording, &topo)))
        return;
    lm_cl_found f = place(topo, 0, 1, "", LM_KIND_GPU);
    CHECK_STR(f.info.locality, "NUMA node 1, PCI 0000:81:00.0, near 4-7,12-15");
    CHECK_STR(f.near, "4-7,12-15");
    f = place(topo, 7, 0, "0000:81:00.0", LM_KIND_GPU); /* other numbers, the same slot */
    CHECK_STR(f.info.locality, "NUMA node 1, PCI 0000:81:00.0, near 4-7,12-15");
    f = place(topo, 1, 0, "", LM_KIND_ACCELERATOR); /* near all processors */
    CHECK_STR(f.near, "");
    f = place(topo, 7, 0, "0000:42:00.0", LM_KIND_GPU);
    CHECK_STR(f.info.locality, "PCI 0000:42:00.0");
    f = place(NULL, 0, 0, "", LM_KIND_CPU);
    CHECK_STR(f.info.locality, "the host's processors");
    lm_topo_free(topo);
}

static void check_near(const char *near, const char *own, const char *wanted)
{
    lm_cpuset a, b, both;
    lm_str text = {0};
    CHECK_OK(lm_cpuset_parse(near, &a));
    CHECK_OK(lm_cpuset_parse(own, &b));
    if (lm_cl_near(&a, &b, &both))
        lm_cpuset_print(&both, &text);
    CHECK_STR(lm_str_text(&text), wanted);
    lm_str_free(&text);
}

static void choices(void)
{
    check_near("4-7,12-15", "0-15", "4-7,12-15");
    check_near("4-7,12-15", "0-4", "4");
    check_near("4-7,12-15", "0-3", ""); /* none: stay */
    check_near("4-7,12-15", "5-6", ""); /* all: nothing to do */
}

/* A thread is tied while a driver starts, and only then. */
static void binding(void)
{
    lm_cl *cl = calloc(1, sizeof *cl);
    lm_cpuset own, tied, after;
    memset(&own, 0, sizeof own);
    memset(&tied, 0, sizeof tied);
    if (!cl || sched_getaffinity(0, sizeof own, (cpu_set_t *)(void *)&own) < 0 || lm_cpuset_count(&own) < 2) {
        free(cl);
        return;
    }
    memset(&after, 0, sizeof after);
    int first = 0;
    while (!lm_cpuset_has(&own, first))
        first++;
    lm_cpuset_add(&cl->near, first);
    cl->bound = true;
    CHECK(lm_cl_bind_near(cl, &own));
    CHECK(sched_getaffinity(0, sizeof tied, (cpu_set_t *)(void *)&tied) >= 0 && sched_getcpu() == first);
    lm_cl_unbind(&own);
    lm_cl_come_near(cl);
    CHECK(sched_getaffinity(0, sizeof after, (cpu_set_t *)(void *)&after) >= 0);
    CHECK_INT(lm_cpuset_count(&after), lm_cpuset_count(&own));
    free(cl);
}

static void write_text(const char *path, const char *text)
{
    CHECK_OK(lm_file_write(path, text, strlen(text)));
}

static uint64_t key_of(bool wanted)
{
    uint64_t key = 0;
    bool any = !wanted;
    CHECK_OK(lm_cl_fingerprint(&key, &any));
    CHECK(any == wanted);
    return key;
}

/* The probe's answer goes with the drivers, the files that name them, and the variables that name those. */
static void fingerprints(void)
{
    char folder[] = "/tmp/limn-probe-XXXXXX", icd[64], driver[64];
    if (!CHECK(mkdtemp(folder) != NULL))
        return;
    snprintf(icd, sizeof icd, "%s/a.icd", folder);
    snprintf(driver, sizeof driver, "%s/driver.so", folder);
    CHECK_OK(lm_env_set(LM_ENV_ICD_VENDORS, folder));
    const uint64_t empty = key_of(false);
    write_text(icd, driver);
    const uint64_t named = key_of(true);
    CHECK(named != empty && named == key_of(true));
    write_text(driver, "one");
    const uint64_t there = key_of(true);
    CHECK(there != named);
    write_text(driver, "another");
    const uint64_t other = key_of(true);
    CHECK(other != there);
    CHECK_OK(lm_env_set(LM_ENV_ICD_VENDORS, driver));
    const uint64_t alone = key_of(true);
    CHECK(alone != other);
    CHECK_OK(lm_env_set(LM_ENV_ICD_FILENAMES, icd));
    const uint64_t further = key_of(true);
    CHECK(further != alone);
    CHECK_OK(lm_env_set(LM_ENV_CUDA_DEVICES, "1"));
    CHECK(key_of(true) != further);
    lm_env_reset();
    test_remove(folder);
}

int main(int argc, char **argv)
{
    recording = argc > 1 ? argv[1] : "server.xml";
    lm_topo *topo = NULL;
    if (lm_topo_load_xml(recording, &topo) == LM_UNSUPPORTED)
        test_skip("this build does without hwloc");
    lm_topo_free(topo);
    CASE(places);
    CASE(choices);
    CASE(fingerprints);
    CASE(binding);
    return test_end();
}
