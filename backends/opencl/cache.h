/* What is kept on disk from one start to the next: compiled programs, choices of tiles, what drivers answered.
 *
 * A file is named by key and kind. Its head says so again, and has the size and a hash of what follows; whatever does
 * not fit is ignored and written anew. Files take their names only when they are complete. These calls block on the
 * disk. */
#ifndef LM_CL_CACHE_H
#define LM_CL_CACHE_H

#include <stdbool.h>

#include "core/base/file.h"

/* Is there a folder that files can be added to? Makes it. */
bool lm_cl_cache_is_open(void);

/* What was kept, in a mapping of `file` that the caller ends; NULL: nothing was. `kind`: up to 7 letters. */
const void *lm_cl_cache_get(const char *kind, uint64_t key, lm_file *file, size_t *count);

/* LM_NO: no folder is named. */
lm_status lm_cl_cache_put(const char *kind, uint64_t key, const void *bytes, size_t count);

void lm_cl_cache_drop(const char *kind, uint64_t key);

#endif
