/* NumPy's .npz files: arrays by name, an archive of .npy files. */
#ifndef LM_DATA_NPZ_H
#define LM_DATA_NPZ_H

#include "core/data/zip.h"
#include "core/tensor/tensor.h"

typedef struct lm_npz lm_npz;

/* Map a file and read its list; the arrays are read one by one. LM_INPUT when it is no archive or holds no array. */
lm_status lm_npz_open(const char *path, lm_npz **out);
lm_status lm_npz_open_bytes(const void *bytes, size_t count, const char *name, lm_npz **out); /* `bytes` outlive it */
void lm_npz_close(lm_npz *npz); /* NULL is fine */

/* Names are those that were given to numpy.savez, in the archive's order. */
int lm_npz_count(const lm_npz *npz);
const char *lm_npz_name(const lm_npz *npz, int i); /* borrowed */
int lm_npz_find(const lm_npz *npz, const char *name); /* -1: not there */

/* A fresh row-major host tensor, as lm_npy_parse gives it. Thread-safe. */
lm_status lm_npz_read(const lm_npz *npz, int i, lm_view *out);

/* Writing: lm_zip_create, then this for each array, then lm_zip_commit. */
lm_status lm_npz_add(lm_zip_out *zip, const char *name, const lm_view *v);

#endif
