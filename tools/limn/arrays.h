/* Arrays as .npy and .npz files, at once or part by part: of a long table the first axis grows while little memory is
 * taken. */
#ifndef LIMN_ARRAYS_H
#define LIMN_ARRAYS_H

#include "core/data/zip.h"
#include "core/tensor/tensor.h"

typedef struct arrays {
    bool archive; /* .npz */
    int64_t rows; /* of axis 0 in all parts; 0: the first part is all there is */
    bool more;    /* a part was written */
    size_t next;  /* array of this part */
    lm_out file;
    lm_zip_out zip;
    LM_VEC(lm_zip_room) room; /* by array */
} arrays;

lm_status arrays_open(const char *path, bool archive, int64_t rows, arrays *out);

/* Of every part the same arrays in the same order; a .npy file has one. */
lm_status arrays_add(arrays *a, const char *name, const lm_view *v);
void arrays_next_part(arrays *a);

lm_status arrays_commit(arrays *a); /* closes in any case */
void arrays_drop(arrays *a);        /* give up; fine after commit */

/* Can rows come part by part into a file of this name? A pipe is written from its start to its end. */
bool arrays_can_grow(const char *path);

#endif
