/* limn/device.h - the devices of this machine, and which of them does the work.
 *
 * A device is chosen by a text, the same that the variable LIMN_BACKEND and the option --backend take:
 *
 *     list = item[,item...]      tried from left to right; the first that opens is used
 *     item = auto                the best device of this machine
 *          | name[:number][:key=value...]        "cpu", "cpu:threads=4:isa=avx2", "ref:type=f64"
 *          | -name[:number]      never this one; exclusions alone mean "and otherwise auto"
 *          | name+name[+...]     work that comes in rows (samples, steps of a path, draws of noise) is split over all of
 *                                these; what comes alone runs on the first. All exact, and equal to the bit where they
 *                                are compared: the bits of one device, and who is faster takes more. Otherwise, and
 *                                where a name says split=N, shares are fixed: N parts each, 1 where it does not
 *
 * Every device is exact about what it was asked to do. What it has no kernel for runs on `cpu`, and what that lacks on
 * `ref`, the slow reference that runs everything; `strict=1` on a name turns this off. The options of the built-in
 * devices: `cpu` takes isa=scalar|avx2|avx512|neon (a cap), threads=N (at most 4 per processor are used) and bind=0|1
 * (tie threads to cores); `ref` takes type=f32|f64 (f64: compute everything in double). All words of a list are checked
 * before anything opens.
 *
 *     #include <limn/limn.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         limn_device *device;
 *         limn_device_info info;
 *         if (limn_device_open("cpu:threads=2", &device) != LIMN_OK) {
 *             fprintf(stderr, "%s\n", limn_message());
 *             return 1;
 *         }
 *         limn_device_describe(device, &info);
 *         printf("%s: %s, %d units, %s\n", info.name, info.product, info.units, info.levels);
 *         limn_device_free(device);
 *         return 0;
 *     }
 *
 * All functions may be called from any thread. */
#ifndef LIMN_DEVICE_H
#define LIMN_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include <limn/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum limn_device_kind {
    LIMN_KIND_CPU,
    LIMN_KIND_GPU,
    LIMN_KIND_ACCELERATOR,
    LIMN_KIND_REFERENCE
} limn_device_kind;

/* What is known about a device. Texts are UTF-8 and never NULL; "" where nothing is known. */
typedef struct limn_device_info {
    char name[64];     /* as limn_device_open takes it: "cpu", "opencl:0.1"; of several that were opened, "opencl:0.1+cpu" */
    char vendor[64];   /* who made it */
    char product[96];  /* what it calls itself */
    char driver[64];   /* through what it is used */
    char levels[64];   /* instruction levels, best last, blank-separated: "scalar avx2 avx512" */
    char locality[64]; /* where it sits in the machine */
    limn_device_kind kind;
    int units;         /* cores, threads or compute units */
    uint64_t memory;   /* bytes it can reach; 0 when unknown */
    int exact;         /* 1: the same bits as `cpu`; 0: close to it */
    int chosen;        /* 1: this is what `auto` picks on this machine */
} limn_device_info;

/* Every device there is, those of the plug-ins in LIMN_PLUGINS included (files, and folders of which every *.so is
 * loaded). *list holds *count entries and is the caller's, to be freed with limn_device_list_free. May wait for
 * drivers. LIMN_DEVICE when a plug-in cannot be used. */
LIMN_API limn_status limn_device_list(limn_device_info **list, size_t *count);
LIMN_API void limn_device_list_free(limn_device_info *list); /* NULL is fine */

/* "cpu", "gpu", "accelerator" or "reference"; "?" for a value that is none. */
LIMN_API const char *limn_device_kind_name(limn_device_kind kind);

/* An open device together with the ones that help it out. */
typedef struct limn_device limn_device;

/* Open by `list` (above); NULL means what LIMN_BACKEND says. LIMN_USAGE: the text makes no sense, or a word, option or
 * value in it is unknown. LIMN_DEVICE: no device of the list can be used. May wait for drivers. */
LIMN_API limn_status limn_device_open(const char *list, limn_device **out);

/* Fill `out`; `chosen` says 0 here. Of devices joined by '+' the first is described, with the units of all, and `exact`
 * when all are. LIMN_USAGE when a pointer is NULL. */
LIMN_API limn_status limn_device_describe(const limn_device *device, limn_device_info *out);

/* Wait for its work and close it. NULL is fine. */
LIMN_API void limn_device_free(limn_device *device);

#ifdef __cplusplus
}
#endif
#endif
