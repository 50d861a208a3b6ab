/* Accelerators without hwloc: the cards that the PCI bus lists as displays or processing accelerators. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/topo/discover.h"
#include "core/base/vec.h"

#define DEVICES "/sys/bus/pci/devices"

static unsigned read_hex(const char *root, const char *address, const char *file)
{
    char text[LM_SYS_TEXT];
    return lm_sys_read(text, root, DEVICES "/%s/%s", address, file) ? (unsigned)strtoul(text, NULL, 16) : 0;
}

/* A name for the few vendors that make nearly all of them, the number for the rest. */
static void name_vendor(char *out, size_t room, unsigned vendor)
{
    static const struct {
        unsigned number;
        const char *name;
    } known[] = {{0x10de, "NVIDIA"}, {0x1002, "AMD"}, {0x8086, "Intel"}};
    for (size_t i = 0; i < LM_COUNT(known); i++)
        if (known[i].number == vendor) {
            snprintf(out, room, "%s", known[i].name);
            return;
        }
    snprintf(out, room, "PCI vendor %04x", vendor);
}

static void locate(lm_topo *topo, lm_accel *card, const char *root)
{
    char text[LM_SYS_TEXT];
    card->node = -1;
    if (lm_sys_read(text, root, DEVICES "/%s/numa_node", card->pci))
        for (int i = 0; i < topo->nodes; i++)
            if (topo->numa[i].id == atoi(text))
                card->node = i;
    if (!lm_sys_read(text, root, DEVICES "/%s/local_cpulist", card->pci) ||
        lm_cpuset_parse(text, &card->near) != LM_OK || lm_cpuset_count(&card->near) == 0)
        for (int i = 0; i < topo->cpus; i++)
            lm_cpuset_add(&card->near, topo->cpu[i]);
}

static int by_address(const void *a, const void *b)
{
    return strcmp(((const lm_accel *)a)->pci, ((const lm_accel *)b)->pci);
}

lm_status lm_topo_add_pci(lm_topo *topo, const char *root)
{
    /* the base class is the top byte of three */
    enum { DISPLAY = 0x03, ACCELERATOR = 0x12 };
    char path[512];
    snprintf(path, sizeof path, "%s" DEVICES, root);
    DIR *dir = opendir(path);
    if (!dir)
        return LM_OK;
    LM_VEC(lm_accel) cards = {0};
    lm_status status = LM_OK;
    for (struct dirent *entry; status == LM_OK && (entry = readdir(dir)) != NULL;) {
        lm_accel card = {.platform = -1, .device = -1};
        unsigned base = entry->d_name[0] == '.' ? 0 : read_hex(root, entry->d_name, "class") >> 16;
        if ((base != DISPLAY && base != ACCELERATOR) || strlen(entry->d_name) >= sizeof card.pci)
            continue;
        memcpy(card.pci, entry->d_name, strlen(entry->d_name));
        snprintf(card.kind, sizeof card.kind, "%s", base == DISPLAY ? "gpu" : "accelerator");
        name_vendor(card.vendor, sizeof card.vendor, read_hex(root, card.pci, "vendor"));
        snprintf(card.model, sizeof card.model, "PCI device %04x", read_hex(root, card.pci, "device"));
        locate(topo, &card, root);
        status = lm_vec_push(&cards, card);
    }
    closedir(dir);
    if (status != LM_OK) {
        lm_vec_free(&cards);
        return status;
    }
    if (cards.count)
        qsort(cards.at, cards.count, sizeof *cards.at, by_address);
    for (size_t i = 0; i < cards.count; i++)
        snprintf(cards.at[i].name, sizeof cards.at[i].name, "pci%zu", i);
    lm_free(topo->accel);
    topo->accel = cards.at;
    topo->accels = (int)cards.count;
    return LM_OK;
}
