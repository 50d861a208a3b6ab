/* Choosing the source of the machine description. */
#include "backends/topo/discover.h"
#include "core/base/mem.h"

#include <string.h>

lm_status lm_topo_make(int cpus, int nodes, int accels, lm_topo **out)
{
    lm_topo *topo;
    LM_NEW(topo);
    topo->core = lm_calloc((size_t)cpus, sizeof *topo->core);
    topo->cpu = lm_calloc((size_t)cpus, sizeof *topo->cpu);
    topo->numa = lm_calloc((size_t)nodes, sizeof *topo->numa);
    topo->accel = lm_calloc((size_t)accels, sizeof *topo->accel);
    if (!topo->core || !topo->cpu || !topo->numa || !topo->accel) {
        lm_topo_free(topo);
        return LM_MEMORY;
    }
    *out = topo;
    return LM_OK;
}

static lm_status load(bool devices, lm_topo **out)
{
    /* The system's files say as much about processors as hwloc, which reads the same, but loads its plug-ins first,
     * whoever asks: most of what starting a program would take. */
    if (!devices) {
        LM_TRY(lm_topo_from_os("", false, out));
        if (strcmp((*out)->source, "sysfs") == 0)
            return LM_OK;
        lm_topo_free(*out);
    }
#ifdef LM_HAVE_HWLOC
    lm_status status = lm_topo_from_hwloc(NULL, devices, out);
    if (status == LM_OK || status == LM_MEMORY)
        return status;
#endif
    return lm_topo_from_os("", devices, out);
}

lm_status lm_topo_load(lm_topo **out)
{
    return load(false, out);
}

lm_status lm_topo_load_devices(lm_topo **out)
{
    return load(true, out);
}

#ifndef LM_HAVE_HWLOC
lm_status lm_topo_load_xml(const char *path, lm_topo **out)
{
    (void)out;
    return lm_fail(LM_UNSUPPORTED, "%s: recorded machines need a build with hwloc (-Dhwloc=enabled)", path);
}
#endif
