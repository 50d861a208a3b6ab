/* Lanes and the count: which devices, levels and thread numbers take part, and how a failure is reported. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/mem.h"
#include "tests/checkop/harness.h"

ck_options ck_opt = {.seed = 1};
ck_lane ck_lane_list[CK_LANES], ck_oracle, ck_scalar;
int ck_lane_count;
long ck_passed, ck_failed, ck_refusals;
struct ck_now ck_now;

void ck_working(const char *name, const char *spec)
{
    snprintf(ck_now.name, sizeof ck_now.name, "%s", name);
    snprintf(ck_now.spec, sizeof ck_now.spec, "%s", spec);
}

static bool lane_open(ck_lane *lane, const char *device, int threads, bool bits)
{
    *lane = (ck_lane){.threads = threads, .bits = bits};
    snprintf(lane->device, sizeof lane->device, "%s", device);
    if (threads)
        snprintf(lane->spec, sizeof lane->spec, "%s:threads=%d", device, threads);
    else
        snprintf(lane->spec, sizeof lane->spec, "%s", device);
    if (lm_chain_open(lane->spec, &lane->chain) != LM_OK) {
        fprintf(stderr, "checkop: cannot open %s: %s\n", lane->spec, lm_message());
        lane->spec[0] = 0;
        return false;
    }
    lane->reference = lane->chain.dev[0]->info.kind == LM_KIND_REFERENCE;
    return true;
}

static bool lane_add(const char *device, int threads, bool bits)
{
    if (ck_lane_count == CK_LANES || !lane_open(&ck_lane_list[ck_lane_count], device, threads, bits))
        return false;
    ck_lane_count++;
    return true;
}

static bool is_cpu(const char *device)
{
    return !strncmp(device, "cpu", 3) && (!device[3] || device[3] == ':');
}

/* Every thread number for a device of the cpu family; other devices have no such option. */
static bool add_threads(const char *device, bool for_bench)
{
    static const int all[] = {1, 2, 3, 7};
    bool good = true;
    if (!is_cpu(device))
        return lane_add(device, 0, false);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        bool skip = for_bench ? all[i] > 2 : ck_opt.reduced && all[i] != 1 && all[i] != 3;
        if (ck_opt.threads ? i == 0 : !skip)
            good = lane_add(device, ck_opt.threads ? ck_opt.threads : all[i], true) && good;
    }
    return good;
}

static bool add_levels(const lm_devinfo *info, bool for_bench)
{
    char levels[sizeof info->levels], *rest = levels, *level, device[96];
    bool good = true;
    snprintf(levels, sizeof levels, "%s", info->levels);
    while ((level = strsep(&rest, " "))) {
        if (!*level || (ck_opt.level && strcasecmp(level, ck_opt.level)))
            continue;
        snprintf(device, sizeof device, "%s:isa=%s", info->name, level);
        good = add_threads(device, for_bench) && good;
    }
    return good;
}

bool ck_lanes_open(bool for_bench)
{
    lm_devinfo *list = NULL;
    int n = 0;
    bool cpu = false, good = true;
    if (!lane_open(&ck_oracle, "ref", 0, false))
        return false;
    if (lm_device_list(&list, &n, NULL) != LM_OK) {
        fprintf(stderr, "checkop: cannot list devices: %s\n", lm_message());
        return false;
    }
    for (int i = 0; i < n; i++)
        cpu = cpu || is_cpu(list[i].name);
    if (cpu)
        good = lane_open(&ck_scalar, "cpu:isa=scalar", 1, true);
    if (ck_opt.device && is_cpu(ck_opt.device) && !strchr(ck_opt.device, ':')) {
        for (int i = 0; i < n; i++)
            if (!strcmp(list[i].name, ck_opt.device))
                good = add_levels(&list[i], for_bench) && good;
    } else if (ck_opt.device)
        good = add_threads(ck_opt.device, for_bench) && good;
    for (int i = 0; i < n && !ck_opt.device; i++) {
        if (ck_opt.level && !is_cpu(list[i].name))
            continue;
        good = (is_cpu(list[i].name) ? add_levels(&list[i], for_bench) : lane_add(list[i].name, 0, false)) && good;
    }
    for (int i = 0; i < ck_lane_count; i++)
        if (ck_lane_list[i].chain.dev[0]->info.exact && ck_scalar.spec[0])
            ck_lane_list[i].bits = true;
    lm_free(list);
    if (!ck_lane_count)
        fprintf(stderr, "checkop: no device to check\n");
    return good && ck_lane_count > 0;
}

void ck_lanes_close(void)
{
    for (int i = 0; i < ck_lane_count; i++)
        lm_chain_close(&ck_lane_list[i].chain);
    ck_lane_count = 0;
    if (ck_scalar.spec[0])
        lm_chain_close(&ck_scalar.chain);
    if (ck_oracle.spec[0])
        lm_chain_close(&ck_oracle.chain);
    ck_scalar.spec[0] = ck_oracle.spec[0] = 0;
}

void ck_pass(void)
{
    ck_passed++;
}

void ck_fail(const char *mode, const char *name, const ck_lane *lane, const char *why)
{
    ck_failed++;
    printf("checkop %s --case '%s'", mode, name);
    if (lane)
        printf(" --device %s", lane->device);
    if (lane && lane->threads)
        printf(" --threads %d", lane->threads);
    printf(" --seed %llu\n    %s\n", (unsigned long long)ck_opt.seed, why);
    fflush(stdout);
}
