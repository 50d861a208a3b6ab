/* limn/tensor.h - arrays of numbers, and the .npy files that hold them.
 *
 * A limn_tensor is a plain description of memory: type, sizes, and where the numbers lie, the last axis varying
 * fastest, without gaps. Limn never keeps a tensor that it is handed longer than the call.
 *
 *     float pixels[1 * 3 * 224 * 224];
 *     limn_tensor image = {LIMN_F32, 4, {1, 3, 224, 224}, pixels};
 *
 * Tensors that Limn hands out are the caller's, to be given back with limn_tensor_free. */
#ifndef LIMN_TENSOR_H
#define LIMN_TENSOR_H

#include <limn/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rank 0 is one number; a size of 0 is legal. */
typedef struct limn_tensor {
    limn_dtype type;
    int rank;
    int64_t dim[LIMN_RANK];
    void *data;
} limn_tensor;

/* Fresh memory of that type and shape, all zero. LIMN_INPUT: no type, rank or size to be had; LIMN_MEMORY. */
LIMN_API limn_status limn_tensor_new(limn_dtype type, int rank, const int64_t *dim, limn_tensor *out);

/* Give back what limn_tensor_new, limn_tensor_load or a run handed out; the tensor is {0} then. Fine for {0} and
 * NULL. */
LIMN_API void limn_tensor_free(limn_tensor *tensor);

/* How many numbers it has; 0 for NULL. */
LIMN_API size_t limn_tensor_count(const limn_tensor *tensor);

/* Read a .npy file, of any order, as a tensor. LIMN_INPUT names the file and what is wrong with it. */
LIMN_API limn_status limn_tensor_load(const char *path, limn_tensor *out);

/* Write a .npy file; nobody ever sees half of it. LIMN_OUTPUT names the file. */
LIMN_API limn_status limn_tensor_save(const char *path, const limn_tensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
