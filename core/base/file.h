/* Files: mapped for reading, written so that a reader never sees half of one. These calls block on the disk. */
#ifndef LM_BASE_FILE_H
#define LM_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"
#include "core/base/vec.h"

/* A whole file, mapped read-only. Whoever shortens the file meanwhile faults the reader; nothing can prevent that. */
typedef struct lm_file {
    const uint8_t *bytes; /* never NULL when open */
    size_t size;
} lm_file;

/* LM_INPUT when the file is missing, a folder, or unreadable. */
lm_status lm_file_map(const char *path, lm_file *out);
void lm_file_unmap(lm_file *file); /* leaves {0}; fine for {0} */

/* Copy what lies at `mapped`, in a mapping of lm_file_map: through the file, since bytes that are wanted once cost less
 * so than their pages do. False, perhaps after some of it: they do not lie there, or cannot be had so. */
bool lm_file_read(const void *mapped, size_t bytes, void *to);

/* Where `bytes` bytes at `offset` lie; LM_INPUT when the file ends before. */
lm_status lm_file_slice(const lm_file *file, uint64_t offset, uint64_t bytes, const void **out);

/* Bytes of a mapping will not be read again soon: the memory of whole pages goes back to the system, which fetches them
 * from the file when they are read after all. Never for memory that is no read-only mapping: it would lose its
 * content. */
void lm_file_done(const void *bytes, size_t count);

/* Writing: everything goes to a temporary file beside `path`, which takes the name only in lm_out_commit. Where `path`
 * is a link, the file that it leads to is replaced and the link stays. What exists and is no plain file (a terminal, a
 * pipe, /dev/null) is written to directly. */
typedef struct lm_out {
    int fd;
    char *path, *temporary; /* no temporary: `path` itself is open */
    bool at_once;           /* not gathered, see below */
} lm_out;

lm_status lm_out_open(const char *path, lm_out *out);
lm_status lm_out_write(lm_out *out, const void *bytes, size_t count);
lm_status lm_out_skip(lm_out *out, uint64_t count); /* leave room, which is filled later; only in plain files */
lm_status lm_out_fill(lm_out *out, uint64_t offset, const void *bytes, size_t count);
lm_status lm_out_commit(lm_out *out); /* closes in any case; on failure `path` is as it was */
void lm_out_drop(lm_out *out);        /* give up; fine after commit */

/* All files or none: from lm_out_gather on, lm_out_commit of this thread closes a file and leaves it under its
 * temporary name until lm_out_commit_all, which ends the gathering; lm_out_drop_all removes what was gathered
 * instead. Files that are no results, such as a cache's, set `at_once`. */
void lm_out_gather(void);
lm_status lm_out_commit_all(void);
void lm_out_drop_all(void);

/* Remove all temporary files of this process; safe in a signal handler, which must end the process then. */
void lm_out_abandon_all(void);

/* Open, write, commit. LM_OUTPUT names the path and the system's reason. */
lm_status lm_file_write(const char *path, const void *bytes, size_t count);

/* Make a folder and its parents; fine when it exists. */
lm_status lm_dir_make(const char *path);

/* Names in a folder that end in `suffix` ("" for all), without "." and "..", sorted by byte value. */
typedef LM_VEC(char *) lm_names;
lm_status lm_dir_list(const char *path, const char *suffix, lm_names *out);
void lm_names_free(lm_names *names);

#endif
