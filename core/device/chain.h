/* From a LIMN_BACKEND text to open devices.
 *
 *     spec = item[,item...]   item = auto | [-]word[+word...]   word = name[:index][:key=value...]
 *
 * Items are tried from left to right and the first that opens is used; without `auto` nothing else is tried (LM_DEVICE
 * when none opens); a list of exclusions alone means "list,auto". Unknown words, keys and values are LM_USAGE with a
 * list of what exists. `strict=1` on a word turns every fallback into LM_UNSUPPORTED.
 *
 * Devices joined by '+' all open, and split work that comes in rows (run/split.h); what comes alone runs on the first.
 * Where all are of class exact, and equal to the bit where they are compared, who is faster takes more; otherwise, and
 * where a word says split=N, shares are fixed, N parts (or 1) to each. */
#ifndef LM_DEVICE_CHAIN_H
#define LM_DEVICE_CHAIN_H

#include "core/device/backend.h"

/* What a call is offered to, in order: the chosen device, then `cpu`, then `ref` (each once; `ref` always last). */
enum { LM_CHAIN_MAX = 4 };
typedef struct lm_chain {
    lm_device *dev[LM_CHAIN_MAX];
    int n;
    bool strict;
    int aside; /* devices behind those n that compute constants ahead of a strict run, and nothing else */
    lm_dtype compute; /* of dev[0] */
    int share;               /* of rows that are split: parts of all; 0: as fast as it is */
    struct lm_chain *beside; /* the next device to split with, with its own hosts; NULL: none */
} lm_chain;

/* Open the devices of `spec` (NULL: LIMN_BACKEND). Loads the plug-ins of LIMN_PLUGINS on first use. May block on
 * drivers. */
lm_status lm_chain_open(const char *spec, lm_chain *out);
void lm_chain_close(lm_chain *);

/* "cpu", or "opencl:0.0+cpu", cut to fit. */
const char *lm_chain_text(const lm_chain *, char *text, size_t room);

/* Every device there is, over all backends and plug-ins; *out from lm_malloc. `chosen` (may be NULL): index `auto`
 * picks. */
lm_status lm_device_list(lm_devinfo **out, int *n, int *chosen);

/* Offer `call` to the chain from position `from` on; *at is the device that took it. LM_UNSUPPORTED when none does,
 * with the last device's message. */
lm_status lm_chain_bind(const lm_chain *, int from, const lm_call *call, int *at, lm_kernel **out);

/* The machine the process runs on; loaded once, never freed. */
lm_status lm_machine(const lm_topo **out);

#endif
