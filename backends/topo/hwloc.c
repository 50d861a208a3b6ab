/* The machine as hwloc describes it, version 2 or 3: the only file that knows hwloc. */
#include "backends/topo/discover.h"

#ifdef LM_HAVE_HWLOC

#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

/* Plug-ins that open a driver only to list its devices. Of these only OpenCL's list is of use to Limn. */
static const char *const unwanted[] = {"cuda", "nvml", "rsmi", "levelzero", "gl"};

static bool is_kind(hwloc_obj_t device, bool compute)
{
#if HWLOC_API_VERSION >= 0x00030000
    return (device->attr->osdev.types & (compute ? HWLOC_OBJ_OSDEV_COPROC : HWLOC_OBJ_OSDEV_GPU)) != 0;
#else
    return device->attr->osdev.type == (compute ? HWLOC_OBJ_OSDEV_COPROC : HWLOC_OBJ_OSDEV_GPU);
#endif
}

/* Copy a text of any length into a field, cut if need be. */
static void copy_text(char *out, size_t room, const char *text)
{
    snprintf(out, room, "%s", text ? text : "");
}

static void copy_set(lm_cpuset *out, hwloc_const_bitmap_t set)
{
    memset(out, 0, sizeof *out);
    for (int cpu = 0; cpu < LM_CPUS; cpu++)
        if (hwloc_bitmap_isset(set, (unsigned)cpu))
            lm_cpuset_add(out, cpu);
}

/* The NUMA node nearest to an object, as a position in our list; -1 when all are equally near. */
static int node_of(hwloc_topology_t t, hwloc_obj_t object)
{
    int found = -1;
    while (object && !object->nodeset)
        object = object->parent;
    for (hwloc_obj_t node = NULL; object && (node = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, node));)
        if (hwloc_bitmap_isset(object->nodeset, node->os_index)) {
            if (found >= 0)
                return -1;
            found = (int)node->logical_index;
        }
    return found;
}

static lm_cache cache_of(hwloc_topology_t t, hwloc_obj_t processor, hwloc_obj_type_t type)
{
    hwloc_obj_t cache = hwloc_get_ancestor_obj_by_type(t, type, processor);
    if (!cache)
        return (lm_cache){0};
    int cores = hwloc_get_nbobjs_inside_cpuset_by_type(t, cache->cpuset, HWLOC_OBJ_CORE);
    return (lm_cache){(size_t)cache->attr->cache.size, hwloc_bitmap_weight(cache->cpuset), cores > 0 ? cores : 1};
}

/* hwloc numbers kinds of cores from the slowest up, where it knows. */
static int speed_of(hwloc_topology_t t, hwloc_obj_t core)
{
#if HWLOC_API_VERSION >= 0x00020400
    int kind = hwloc_cpukinds_get_by_cpuset(t, core->cpuset, 0), efficiency = -1;
    if (kind >= 0 && hwloc_cpukinds_get_info(t, (unsigned)kind, NULL, &efficiency, NULL, NULL, 0) == 0)
        return efficiency;
#endif
    (void)t;
    (void)core;
    return 0;
}

static void add_core(lm_topo *topo, hwloc_topology_t t, hwloc_obj_t object)
{
    static const hwloc_obj_type_t levels[LM_CACHES] = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE};
    lm_core core = {.first_cpu = topo->cpus, .speed = speed_of(t, object)};
    for (hwloc_obj_t processor = NULL;
         (processor = hwloc_get_next_obj_inside_cpuset_by_type(t, object->cpuset, HWLOC_OBJ_PU, processor));) {
        if (processor->os_index >= LM_CPUS)
            continue;
        for (int level = 0; level < LM_CACHES && core.cpus == 0; level++)
            core.cache[level] = cache_of(t, processor, levels[level]);
        topo->cpu[topo->cpus++] = (int)processor->os_index;
        core.cpus++;
    }
    if (core.cpus == 0)
        return;
    hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_PACKAGE, object);
    core.package = package ? (int)package->logical_index : 0;
    int node = node_of(t, object);
    core.node = node < 0 ? 0 : node;
    topo->core[topo->cores++] = core;
}

static void add_hardware(lm_topo *topo, hwloc_topology_t t)
{
    /* Some systems tell of processors but not of cores; each processor is a core then. */
    hwloc_obj_type_t type = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
    for (hwloc_obj_t core = NULL; (core = hwloc_get_next_obj_by_type(t, type, core));)
        add_core(topo, t, core);
    for (hwloc_obj_t node = NULL; (node = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, node));)
        topo->numa[topo->nodes++] = (lm_numa){(int)node->os_index, node->attr->numanode.local_memory,
                                              hwloc_bitmap_weight(node->cpuset)};
    hwloc_obj_t root = hwloc_get_root_obj(t), l1 = hwloc_get_obj_by_type(t, HWLOC_OBJ_L1CACHE, 0);
    hwloc_obj_t package = hwloc_get_obj_by_type(t, HWLOC_OBJ_PACKAGE, 0);
    topo->packages = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PACKAGE);
    topo->line = l1 ? l1->attr->cache.linesize : 0;
    topo->ram = root->total_memory;
    copy_set(&topo->allowed, hwloc_topology_get_allowed_cpuset(t));
    const char *model = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;
    copy_text(topo->model, sizeof topo->model, model ? model : hwloc_obj_get_info_by_name(root, "CPUModel"));
}

/* A number in an info, -1 when there is none. hwloc 3 writes units after some of them. */
static long long info_number(hwloc_obj_t device, const char *name)
{
    const char *text = hwloc_obj_get_info_by_name(device, name);
    char *end = NULL;
    long long number = text ? strtoll(text, &end, 10) : -1;
    return text && end != text ? number : -1;
}

static void copy_kind(char *out, size_t room, hwloc_obj_t device)
{
    static const char *const kinds[][2] = {{"GPU", "gpu"}, {"Accelerator", "accelerator"}, {"Custom", "custom"}};
    const char *told = hwloc_obj_get_info_by_name(device, "OpenCLDeviceType");
    const char *kind = is_kind(device, false) ? "gpu" : "unknown";
    for (size_t i = 0; told && i < LM_COUNT(kinds); i++)
        if (strcmp(told, kinds[i][0]) == 0)
            kind = kinds[i][1];
    copy_text(out, room, kind);
}

static lm_accel describe(hwloc_topology_t t, hwloc_obj_t device)
{
    lm_accel accel = {.platform = (int)info_number(device, "OpenCLPlatformIndex"),
                      .device = (int)info_number(device, "OpenCLPlatformDeviceIndex")};
    copy_text(accel.name, sizeof accel.name, device->name);
    copy_kind(accel.kind, sizeof accel.kind, device);
    copy_text(accel.vendor, sizeof accel.vendor, hwloc_obj_get_info_by_name(device, "GPUVendor"));
    copy_text(accel.model, sizeof accel.model, hwloc_obj_get_info_by_name(device, "GPUModel"));
    long long kib = info_number(device, "OpenCLGlobalMemorySize");
    accel.bytes = kib > 0 ? (uint64_t)kib << 10 : 0;
    hwloc_obj_t card = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_PCI_DEVICE, device);
    if (card)
        snprintf(accel.pci, sizeof accel.pci, "%04x:%02x:%02x.%01x", card->attr->pcidev.domain & 0xffff,
                 card->attr->pcidev.bus & 0xffu, card->attr->pcidev.dev & 0x1fu, card->attr->pcidev.func & 7u);
    hwloc_obj_t near = hwloc_get_non_io_ancestor_obj(t, device);
    accel.node = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE) > 1 ? node_of(t, near) : -1;
    copy_set(&accel.near, near->cpuset);
    return accel;
}

/* OpenCL's names are the ones Limn can use, so they come first; a card that has one is not listed again under the names
 * that other interfaces give it. */
static void add_devices(lm_topo *topo, hwloc_topology_t t)
{
    for (int pass = 0; pass < 3; pass++)
        for (hwloc_obj_t device = NULL; (device = hwloc_get_next_osdev(t, device));) {
            bool opencl = info_number(device, "OpenCLPlatformIndex") >= 0;
            bool wanted = pass == 0 ? opencl : pass == 1 ? is_kind(device, true) && !opencl : is_kind(device, false);
            if (!wanted)
                continue;
            lm_accel accel = describe(t, device);
            bool listed = false;
            for (int i = 0; i < topo->accels; i++)
                listed |= strcmp(topo->accel[i].name, accel.name) == 0 ||
                          (pass > 0 && *accel.pci && strcmp(topo->accel[i].pci, accel.pci) == 0);
            if (!listed)
                topo->accel[topo->accels++] = accel;
        }
}

static lm_status configure(hwloc_topology_t t, const char *xml, bool devices)
{
    unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED; /* the whole machine; `allowed` says what is ours */
    for (size_t i = 0; i < LM_COUNT(unwanted); i++)
        hwloc_topology_set_components(t, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, unwanted[i]);
    LM_REQUIRE(!xml || hwloc_topology_set_xml(t, xml) == 0, LM_INPUT,
               "%s cannot be read as a machine description (XML of hwloc)", xml);
    enum hwloc_type_filter_e io = devices ? HWLOC_TYPE_FILTER_KEEP_IMPORTANT : HWLOC_TYPE_FILTER_KEEP_NONE;
    LM_REQUIRE(hwloc_topology_set_flags(t, flags) == 0 && hwloc_topology_set_io_types_filter(t, io) == 0 &&
                   hwloc_topology_load(t) == 0,
               xml ? LM_INPUT : LM_DEVICE, "%s cannot be described by hwloc", xml ? xml : "this machine");
    LM_REQUIRE(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU) > 0, LM_INPUT, "%s has no processors", xml ? xml : "hwloc");
    return LM_OK;
}

lm_status lm_topo_from_hwloc(const char *xml, bool devices, lm_topo **out)
{
    hwloc_topology_t t;
    LM_REQUIRE(hwloc_topology_init(&t) == 0, LM_MEMORY, "hwloc cannot start");
    lm_topo *topo = NULL;
    lm_status status;
    LM_TRY_OUT(configure(t, xml, devices));
    int accels = devices ? hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_OS_DEVICE) : 0;
    LM_TRY_OUT(lm_topo_make(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU), hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE),
                            accels > 0 ? accels : 0, &topo));
    unsigned version = hwloc_get_api_version();
    snprintf(topo->source, sizeof topo->source, "hwloc (API %u.%u)", version >> 16, version >> 8 & 0xff);
    topo->here = hwloc_topology_is_thissystem(t) != 0;
    add_hardware(topo, t);
    if (devices)
        add_devices(topo, t);
    if (topo->here)
        lm_topo_add_process(topo, "");
    lm_topo_finish(topo);
    *out = topo;
out:
    hwloc_topology_destroy(t);
    return status;
}

lm_status lm_topo_load_xml(const char *path, lm_topo **out)
{
    return lm_topo_from_hwloc(path, true, out);
}

#endif
