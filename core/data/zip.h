/* ZIP archives, as far as .npz files need them: stored and deflated entries, sizes over 4 GiB, no encryption, one
 * volume. The list at the end of the archive is what counts; local headers only say where the bytes begin. */
#ifndef LM_DATA_ZIP_H
#define LM_DATA_ZIP_H

#include "core/base/arena.h"
#include "core/base/file.h"
#include "core/base/str.h"

typedef struct lm_zip_entry {
    const char *name;   /* without zero bytes; no two are equal */
    uint64_t offset;    /* of its local header */
    uint64_t packed;    /* bytes in the archive */
    uint64_t size;      /* bytes of the content, as the archive claims */
    uint32_t crc;
    uint16_t method;    /* 0 stored, 8 deflated */
    uint16_t flags;
} lm_zip_entry;

/* Starts as {0}; freed with lm_zip_close. */
typedef struct lm_zip {
    const uint8_t *bytes;
    size_t count;
    const char *name; /* for messages */
    lm_arena arena;
    LM_VEC(lm_zip_entry) entry;
} lm_zip;

/* Read the list. `bytes` and `name` outlive the archive. LM_INPUT for what is no archive, is cut off, or contradicts
 * itself. */
lm_status lm_zip_open(const void *bytes, size_t count, const char *name, lm_zip *out);
void lm_zip_close(lm_zip *zip);

/* The content of an entry, checked against its checksum. A stored one lies in the archive (*owned = NULL), an unpacked
 * one in *owned (lm_free it). LM_UNSUPPORTED for other methods, for encryption, and for deflated entries in a build
 * without zlib. */
lm_status lm_zip_content(const lm_zip *zip, const lm_zip_entry *entry, const uint8_t **bytes, size_t *count,
                         void **owned);

/* Writing: entries are stored and dated 1980-01-01, so equal contents give equal files. */
typedef struct lm_zip_out {
    lm_out out;
    lm_str list;      /* of the entries written so far, as it will stand at the end */
    uint64_t at;      /* bytes written */
    uint64_t entries;
    uint64_t wide_from; /* sizes and offsets from here on take the 64-bit form; tests set it low */
} lm_zip_out;

lm_status lm_zip_create(const char *path, lm_zip_out *out);

/* One entry whose content comes in two pieces. */
lm_status lm_zip_add(lm_zip_out *zip, const char *name, const void *head, size_t head_count, const void *body,
                     size_t body_count);

/* Room for an entry whose content comes piece by piece, between others; all of it before lm_zip_commit. Only in plain
 * files. */
typedef struct lm_zip_room {
    uint64_t header, at, left; /* in the file: the entry's header, where the next piece goes; bytes still to come */
    size_t listed;             /* of its row in the list */
    uint32_t crc;              /* so far */
} lm_zip_room;

lm_status lm_zip_reserve(lm_zip_out *zip, const char *name, uint64_t size, lm_zip_room *out);
lm_status lm_zip_fill(lm_zip_out *zip, lm_zip_room *room, const void *bytes, size_t count);

lm_status lm_zip_commit(lm_zip_out *zip); /* closes in any case */
void lm_zip_drop(lm_zip_out *zip);        /* give up; fine after commit */

/* The checksum of ZIP; chain by passing the former result, beginning with 0. */
uint32_t lm_crc32(uint32_t crc, const void *bytes, size_t count);

#endif
