/* Devices from shared objects. A plug-in links nothing of Limn: it exports one function and gets a table of services. */
#include "core/device/registry.h"
#include "core/device/spec.h"

#if defined(LM_HAVE_PLUGINS)
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static lm_status check(const char *file, const lm_backend *backend)
{
    LM_REQUIRE(backend, LM_DEVICE, "plug-in %s: not made for device interface %u; rebuild it with this Limn's headers", file,
               LM_BACKEND_ABI);
    LM_REQUIRE(backend->abi == LM_BACKEND_ABI, LM_DEVICE,
               "plug-in %s: made for device interface %u, this Limn has %u; rebuild it with this Limn's headers", file,
               backend->abi, LM_BACKEND_ABI);
    LM_REQUIRE(backend->name && backend->probe && backend->open, LM_DEVICE,
               "plug-in %s: its family of devices lacks a name, probe or open", file);
    LM_REQUIRE(lm_spec_is_family(backend->name), LM_DEVICE,
               "plug-in %s: '%s' cannot name a family of devices; use small letters, digits and '_'", file, backend->name);
    return LM_OK;
}

/* The absolute path: dlopen looks for a name without '/' elsewhere, and would wait for the other end of a pipe. */
static lm_status locate(const char *file, char path[PATH_MAX])
{
    struct stat about;
    if (!realpath(file, path) || stat(path, &about) != 0)
        return lm_fail(LM_DEVICE, "plug-in %s cannot be loaded: %s; mend or unset LIMN_PLUGINS", file, strerror(errno));
    LM_REQUIRE(S_ISREG(about.st_mode), LM_DEVICE, "plug-in %s is no file; mend or unset LIMN_PLUGINS", file);
    return LM_OK;
}

lm_status lm_plugin_load(const char *file, void **object_out, const lm_backend **out)
{
    char path[PATH_MAX];
    LM_TRY(locate(file, path));
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        const char *reason = dlerror();
        return lm_fail(LM_DEVICE, "plug-in %s cannot be loaded: %s; mend or unset LIMN_PLUGINS", file, reason ? reason : "no reason");
    }
    lm_status status;
    lm_backend_entry_fn entry;
    void *symbol = dlsym(object, "lm_backend_entry");
    if (symbol) {
        memcpy(&entry, &symbol, sizeof entry); /* ISO C has no conversion from object to function pointer */
        const lm_backend *backend = entry(LM_BACKEND_ABI);
        status = check(file, backend);
        if (status == LM_OK) {
            *object_out = object;
            *out = backend;
            return LM_OK;
        }
    } else {
        status = lm_fail(LM_DEVICE, "plug-in %s: no function lm_backend_entry, so it is no plug-in for Limn; mend or unset LIMN_PLUGINS",
                         file);
    }
    dlclose(object);
    return status;
}

void lm_plugin_unload(void *object)
{
    dlclose(object);
}

#else

lm_status lm_plugin_load(const char *file, void **object_out, const lm_backend **out)
{
    (void)object_out, (void)out;
    return lm_fail(LM_UNSUPPORTED, "plug-in %s: this build of Limn cannot load any; unset LIMN_PLUGINS", file);
}

void lm_plugin_unload(void *object)
{
    (void)object;
}

#endif
