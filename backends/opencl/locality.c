/* Where a device sits: told by hwloc or the PCI bus, shown by `limn devices`, and used to keep the threads near it that
 * feed it. */
#include "backends/opencl/opencl.h"

#include <CL/cl_ext.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "core/base/str.h"

/* Of extensions that not every CL/cl_ext.h knows. */
enum { BUS_KHR = 0x410F, TOPOLOGY_AMD = 0x4037, BUS_NV = 0x4008, SLOT_NV = 0x4009, DOMAIN_NV = 0x400A };

void lm_cl_pci_address(const lm_cl_api *api, cl_device_id id, char out[LM_CL_PCI])
{
    struct {
        cl_uint domain, bus, device, function;
    } khr;
    struct {
        cl_uint type;
        char unused[17];
        unsigned char bus, device, function;
    } amd;
    cl_uint bus, slot, domain = 0;
    *out = '\0';
    if (api->GetDeviceInfo(id, BUS_KHR, sizeof khr, &khr, NULL) == CL_SUCCESS)
        snprintf(out, LM_CL_PCI, "%04x:%02x:%02x.%x", khr.domain & 0xffff, khr.bus & 0xff, khr.device & 0x1f,
                 khr.function & 7);
    else if (api->GetDeviceInfo(id, TOPOLOGY_AMD, sizeof amd, &amd, NULL) == CL_SUCCESS && amd.type == 1)
        snprintf(out, LM_CL_PCI, "0000:%02x:%02x.%x", amd.bus, amd.device & 0x1fu, amd.function & 7u);
    else if (api->GetDeviceInfo(id, BUS_NV, sizeof bus, &bus, NULL) == CL_SUCCESS &&
             api->GetDeviceInfo(id, SLOT_NV, sizeof slot, &slot, NULL) == CL_SUCCESS) {
        api->GetDeviceInfo(id, DOMAIN_NV, sizeof domain, &domain, NULL);
        snprintf(out, LM_CL_PCI, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, slot >> 3 & 0x1f, slot & 7);
    }
}

/* The machine's description of a device: under the numbers of the loader, or at its PCI address. */
static const lm_accel *find(const lm_topo *topo, int platform, int device, const char *pci)
{
    const lm_accel *at_address = NULL;
    for (int i = 0; topo && i < topo->accels; i++) {
        const lm_accel *a = &topo->accel[i];
        if (a->platform == platform && a->device == device)
            return a;
        if (*pci && strcmp(a->pci, pci) == 0)
            at_address = a;
    }
    return at_address;
}

/* Only what the machine's processors are not all. */
static void print_near(const lm_topo *topo, const lm_accel *a, char *out, size_t room)
{
    bool all = true;
    lm_str cores = {0};
    for (int i = 0; i < topo->cpus; i++)
        all = all && lm_cpuset_has(&a->near, topo->cpu[i]);
    *out = '\0';
    if (!all && lm_cpuset_print(&a->near, &cores) == LM_OK && cores.count < room)
        snprintf(out, room, "%s", lm_str_text(&cores));
    lm_str_free(&cores);
}

void lm_cl_locate(const lm_topo *topo, const char *pci, lm_cl_found *f)
{
    const lm_accel *a = find(topo, f->platform, f->device, pci);
    lm_str text = {0};
    f->near[0] = '\0';
    if (a && a->node >= 0)
        lm_str_printf(&text, "NUMA node %d", topo->numa[a->node].id);
    if (*pci || (a && *a->pci))
        lm_str_printf(&text, "%sPCI %s", text.count ? ", " : "", *pci ? pci : a->pci);
    if (a)
        print_near(topo, a, f->near, sizeof f->near);
    if (*f->near)
        lm_str_printf(&text, "%snear %s", text.count ? ", " : "", f->near);
    if (f->info.kind == LM_KIND_CPU && !text.count)
        lm_str_add(&text, "the host's processors");
    snprintf(f->info.locality, sizeof f->info.locality, "%s", lm_str_text(&text));
    lm_str_free(&text);
}

bool lm_cl_near(const lm_cpuset *near, const lm_cpuset *own, lm_cpuset *out)
{
    for (size_t i = 0; i < LM_COUNT(out->word); i++)
        out->word[i] = near->word[i] & own->word[i];
    const int n = lm_cpuset_count(out);
    return n > 0 && n < lm_cpuset_count(own);
}

/* The kernel's masks are arrays of words, lowest processor first: the layout of lm_cpuset. */
#if defined(__linux__)
static bool get_mask(lm_cpuset *set)
{
    memset(set, 0, sizeof *set);
    return sched_getaffinity(0, sizeof *set, (cpu_set_t *)(void *)set) >= 0;
}

static void set_mask(const lm_cpuset *set)
{
    (void)!sched_setaffinity(0, sizeof *set, (const cpu_set_t *)(const void *)set);
}
#else
static bool get_mask(lm_cpuset *set)
{
    (void)set;
    return false;
}

static void set_mask(const lm_cpuset *set)
{
    (void)set;
}

static int sched_getcpu(void)
{
    return 0;
}
#endif

bool lm_cl_bind_near(const lm_cl *cl, lm_cpuset *own)
{
    lm_cpuset both;
    if (!cl->bound || !get_mask(own) || !lm_cl_near(&cl->near, own, &both))
        return false;
    set_mask(&both);
    return true;
}

void lm_cl_unbind(const lm_cpuset *own)
{
    set_mask(own);
}

void lm_cl_come_near(const lm_cl *cl)
{
    lm_cpuset own;
    if (cl->bound && !lm_cpuset_has(&cl->near, sched_getcpu()) && lm_cl_bind_near(cl, &own))
        set_mask(&own);
}
