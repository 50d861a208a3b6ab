/* limn/device.h: devices as the outside sees them. */
#include <limn/device.h>

#include <stdio.h>

#include "core/api/handle.h"
#include "core/base/env.h"
#include "core/base/mem.h"

static void describe(const lm_devinfo *from, bool chosen, limn_device_info *to)
{
    *to = (limn_device_info){
        .kind = (limn_device_kind)from->kind,
        .units = from->units,
        .memory = from->memory,
        .exact = from->exact,
        .chosen = chosen,
    };
    snprintf(to->name, sizeof to->name, "%s", from->name);
    snprintf(to->vendor, sizeof to->vendor, "%s", from->vendor);
    snprintf(to->product, sizeof to->product, "%s", from->product);
    snprintf(to->driver, sizeof to->driver, "%s", from->driver);
    snprintf(to->levels, sizeof to->levels, "%s", from->levels);
    snprintf(to->locality, sizeof to->locality, "%s", from->locality);
}

limn_status limn_device_list(limn_device_info **list, size_t *count)
{
    LM_REQUIRE(list && count, LM_USAGE, "limn_device_list: a pointer is NULL; give room for both results");
    lm_devinfo *found;
    int n, chosen;
    LM_TRY(lm_device_list(&found, &n, &chosen));
    limn_device_info *shown = lm_malloc((size_t)n, sizeof *shown);
    for (int i = 0; shown && i < n; i++)
        describe(&found[i], i == chosen, &shown[i]);
    lm_free(found);
    if (!shown)
        return LM_MEMORY;
    *list = shown;
    *count = (size_t)n;
    return LM_OK;
}

void limn_device_list_free(limn_device_info *list)
{
    lm_free(list);
}

const char *limn_device_kind_name(limn_device_kind kind)
{
    static const char *const names[] = {
        [LIMN_KIND_CPU] = "cpu",
        [LIMN_KIND_GPU] = "gpu",
        [LIMN_KIND_ACCELERATOR] = "accelerator",
        [LIMN_KIND_REFERENCE] = "reference",
    };
    return (size_t)kind < LM_COUNT(names) ? names[kind] : "?";
}

/* A program that uses the library is held to LIMN_MEM as the command is. */
static lm_status keep_budget(void)
{
    uint64_t bytes = 0;
    LM_TRY(lm_env_size(LM_ENV_MEM, &bytes));
    if (bytes)
        lm_mem_cap(bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes);
    return LM_OK;
}

limn_status limn_device_open(const char *list, limn_device **out)
{
    LM_REQUIRE(out, LM_USAGE, "limn_device_open: no room is given for the device");
    LM_TRY(keep_budget());
    limn_device *device;
    LM_NEW(device);
    lm_status status = lm_chain_open(list, &device->chain);
    if (status != LM_OK) {
        lm_free(device);
        return status;
    }
    *out = device;
    return LM_OK;
}

limn_status limn_device_describe(const limn_device *device, limn_device_info *out)
{
    LM_REQUIRE(device && out, LM_USAGE, "limn_device_describe: %s is NULL", device ? "the result" : "the device");
    const lm_chain *first = &device->chain;
    describe(&first->dev[0]->info, false, out);
    lm_chain_text(first, out->name, sizeof out->name);
    for (const lm_chain *c = first->beside; c; c = c->beside) {
        out->units += c->dev[0]->info.units;
        out->exact = out->exact && c->dev[0]->info.exact;
    }
    return LM_OK;
}

void limn_device_free(limn_device *device)
{
    if (!device)
        return;
    lm_chain_close(&device->chain);
    lm_free(device);
}
