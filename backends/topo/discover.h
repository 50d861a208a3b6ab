/* Between the parts of discovery. Both sources, hwloc and the system's own files, fill the same description. */
#ifndef LM_TOPO_DISCOVER_H
#define LM_TOPO_DISCOVER_H

#include "core/base/topo.h"

/* An empty description with room for so many of each; the counts start at 0. */
lm_status lm_topo_make(int cpus, int nodes, int accels, lm_topo **out);

/* Read the files below `root` ("" for the running system; tests give a copy of a few of them). */
lm_status lm_topo_from_os(const char *root, bool devices, lm_topo **out);

/* Ask hwloc, about this machine or, unless `xml` is NULL, about a recorded one. Only in builds with hwloc. */
lm_status lm_topo_from_hwloc(const char *xml, bool devices, lm_topo **out);

/* Add what belongs to the running system rather than to the hardware: main memory, the control group's quota and, where
 * `root` is "", this process's affinity mask, which cuts `allowed`. */
void lm_topo_add_process(lm_topo *topo, const char *root);

/* Replace the accelerators by the display and accelerator cards on the PCI bus below `root`. Call after the nodes are
 * known. */
lm_status lm_topo_add_pci(lm_topo *topo, const char *root);

/* The text of a short file, cut to LM_SYS_TEXT - 1 bytes, without final newlines; false when it cannot be read. The
 * path is `root` and then the formatted text. */
enum { LM_SYS_TEXT = 8192 };
bool lm_sys_read(char text[LM_SYS_TEXT], const char *root, const char *format, ...) LM_PRINTF(3, 4);

/* This thread's affinity mask; false where the system has no such thing. */
bool lm_sys_affinity(lm_cpuset *set);

#endif
