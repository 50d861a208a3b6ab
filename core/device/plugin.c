/* Devices from shared objects. A plug-in links nothing of Limn: it exports one function and gets a table of
 * services. */
#include "core/device/registry.h"
#include "core/device/spec.h"

#if defined(LM_HAVE_PLUGINS)
#include <dlfcn.h>
#if defined(__ELF__)
#include <elf.h>
#endif
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/file.h"

static lm_status check(const char *file, const lm_backend *backend)
{
    LM_REQUIRE(backend, LM_DEVICE, "plug-in %s: not made for device interface %u; rebuild it with this Limn's headers",
               file, LM_BACKEND_ABI);
    LM_REQUIRE(backend->abi == LM_BACKEND_ABI, LM_DEVICE,
               "plug-in %s: made for device interface %u, this Limn has %u; rebuild it with this Limn's headers", file,
               backend->abi, LM_BACKEND_ABI);
    LM_REQUIRE(backend->name && backend->probe && backend->open, LM_DEVICE,
               "plug-in %s: its family of devices lacks a name, probe or open", file);
    LM_REQUIRE(lm_spec_is_family(backend->name), LM_DEVICE,
               "plug-in %s: '%s' cannot name a family of devices; use small letters, digits and '_'", file,
               backend->name);
    return LM_OK;
}

/* The absolute path: dlopen looks for a name without '/' elsewhere, and would wait for the other end of a pipe. */
static lm_status locate(const char *file, char path[PATH_MAX])
{
    struct stat about;
    if (!realpath(file, path) || stat(path, &about) != 0)
        return lm_fail(LM_DEVICE, "plug-in %s cannot be loaded: %s; correct or unset LIMN_PLUGINS", file,
                       strerror(errno));
    LM_REQUIRE(S_ISREG(about.st_mode), LM_DEVICE, "plug-in %s is no file; correct or unset LIMN_PLUGINS", file);
    return LM_OK;
}

#if defined(__ELF__)

#if UINTPTR_MAX > UINT32_MAX
typedef Elf64_Ehdr elf_header;
typedef Elf64_Phdr elf_segment;
enum { ELF_CLASS = ELFCLASS64 };
#else
typedef Elf32_Ehdr elf_header;
typedef Elf32_Phdr elf_segment;
enum { ELF_CLASS = ELFCLASS32 };
#endif
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
enum { ELF_ORDER = ELFDATA2MSB };
#else
enum { ELF_ORDER = ELFDATA2LSB };
#endif

/* What is missing in the object, NULL when all that the loader will map is there. */
static const char *missing(const lm_file *object)
{
    elf_header h;
    elf_segment s;
    if (object->size < sizeof h)
        return "it ends inside its header";
    memcpy(&h, object->bytes, sizeof h);
    if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
        return "it is no shared object";
    if (h.e_ident[EI_CLASS] != ELF_CLASS || h.e_ident[EI_DATA] != ELF_ORDER)
        return "it is made for another kind of processor";
    if (h.e_phnum && h.e_phentsize != sizeof s)
        return "its table of segments has entries of the wrong size";
    const void *table;
    if (lm_file_slice(object, h.e_phoff, (uint64_t)h.e_phnum * sizeof s, &table) != LM_OK)
        return "it ends before its table of segments";
    for (unsigned i = 0; i < h.e_phnum; i++) {
        const void *bytes;
        memcpy(&s, (const char *)table + i * sizeof s, sizeof s);
        if (s.p_type != PT_NULL && lm_file_slice(object, s.p_offset, s.p_filesz, &bytes) != LM_OK)
            return "it ends inside a segment";
    }
    return NULL;
}

/* The loader maps what the tables promise and touches it, which is a fatal signal where the file has been cut short. */
static lm_status whole(const char *file, const char *path)
{
    lm_file object;
    lm_status status = lm_file_map(path, &object);
    if (status == LM_INPUT)
        return lm_fail(LM_DEVICE, "plug-in %s; correct or unset LIMN_PLUGINS", lm_message());
    LM_TRY(status);
    const char *reason = missing(&object);
    lm_file_unmap(&object);
    LM_REQUIRE(!reason, LM_DEVICE, "plug-in %s cannot be loaded: %s; build or copy it anew, or unset LIMN_PLUGINS",
               file, reason);
    return LM_OK;
}

#else

static lm_status whole(const char *file, const char *path)
{
    (void)file, (void)path;
    return LM_OK;
}

#endif

lm_status lm_plugin_load(const char *file, void **object_out, const lm_backend **out)
{
    char path[PATH_MAX];
    LM_TRY(locate(file, path));
    LM_TRY(whole(file, path));
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        const char *reason = dlerror();
        return lm_fail(LM_DEVICE, "plug-in %s cannot be loaded: %s; correct or unset LIMN_PLUGINS", file,
                       reason ? reason : "no reason");
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
        status = lm_fail(
            LM_DEVICE,
            "plug-in %s: no function lm_backend_entry, so it is no plug-in for Limn; correct or unset LIMN_PLUGINS",
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
