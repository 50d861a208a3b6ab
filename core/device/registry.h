/* The families of devices: those built in, and those that plug-ins bring. */
#ifndef LM_DEVICE_REGISTRY_H
#define LM_DEVICE_REGISTRY_H

#include "core/device/backend.h"

/* Lives until the process ends; a plug-in's file is never unloaded, since its devices may outlive any caller. */
typedef struct lm_family {
    const lm_backend *backend;
    const char *file;       /* of the plug-in; NULL: built in */
    uint64_t volume, inode; /* which file that is, by whatever path */
} lm_family;

/* The most families, and the most devices of one family that are looked at. */
enum { LM_FAMILIES_MAX = 64, LM_FAMILY_DEVICES = 32 };

/* All families: the build's, then plug-ins in the order of LIMN_PLUGINS; a folder in it stands for its *.so. Files that
 * are not loaded yet are loaded now, each once by whatever path; one that cannot be is LM_DEVICE, naming file and
 * reason, and leaves nothing behind. */
lm_status lm_families(const lm_family **out, int *n);

/* The family's `check`, `probe` and `open` with their results checked, so that a careless plug-in cannot take the
 * process down. Messages name the family or the plug-in's file. */
lm_status lm_family_check(const lm_family *, const lm_kv *opts);
lm_status lm_family_probe(const lm_family *, lm_devinfo out[LM_FAMILY_DEVICES], int *n);
lm_status lm_family_open(const lm_family *, int index, const lm_kv *opts, lm_device **out);

/* Load one shared object and ask it for its family. LM_DEVICE names file and reason, and nothing stays loaded. */
lm_status lm_plugin_load(const char *file, void **object, const lm_backend **out);
void lm_plugin_unload(void *object);

#endif
