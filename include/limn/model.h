/* limn/model.h - ONNX models: opening one, what it takes and gives, and what Limn cannot do with it.
 *
 * A model is opened once and may be used by any number of sessions (run.h) and threads. The file is mapped, not read:
 * it must not change while the model is open.
 *
 *     limn_model *model;
 *     if (limn_model_open("resnet18.onnx", NULL, &model) != LIMN_OK)
 *         return complain(limn_message());
 *     for (size_t i = 0; i < limn_model_input_count(model); i++)
 *         printf("%s\n", limn_model_input(model, i)->name);
 *     limn_model_free(model);
 */
#ifndef LIMN_MODEL_H
#define LIMN_MODEL_H

#include <limn/device.h>
#include <limn/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct limn_model limn_model;

/* An input or output as the model declares it. Texts live as long as the model. */
typedef struct limn_port {
    const char *name;
    limn_dtype type;                /* LIMN_DTYPES: no tensor of a type that Limn has */
    int rank;                       /* -1: any */
    int64_t dim[LIMN_RANK];         /* -1: any */
    const char *dim_name[LIMN_RANK]; /* of a free size, or NULL; equal names are equal sizes */
    int optional;                   /* 1: may be left out of what is fed */
} limn_port;

/* Open a file. Tensors that it keeps in other files must lie in its own folder, without links; `link_folder` (may be
 * NULL) is one more folder into which links may lead. LIMN_INPUT names the file and what is wrong with it. */
LIMN_API limn_status limn_model_open(const char *path, const char *link_folder, limn_model **out);

/* The same for a model in memory, which must stay as it is for as long as the model lives. */
LIMN_API limn_status limn_model_open_bytes(const void *bytes, size_t count, limn_model **out);

LIMN_API void limn_model_free(limn_model *model); /* NULL is fine; its sessions must be gone */

/* What must be fed comes first. NULL for a number that is too high. */
LIMN_API size_t limn_model_input_count(const limn_model *model);
LIMN_API const limn_port *limn_model_input(const limn_model *model, size_t i);
LIMN_API size_t limn_model_output_count(const limn_model *model);
LIMN_API const limn_port *limn_model_output(const limn_model *model, size_t i);

/* One thing that Limn cannot do, or can do forward only. */
typedef struct limn_problem {
    const char *node;     /* its name, "" when it has none */
    const char *op;       /* "Conv", "com.microsoft.BiasGelu" */
    const char *reason;
    int forward;          /* 1: the model cannot run; 0: no gradient passes here, unless it depends */
    int depends;          /* 1: on what an input holds that decides shapes; the contents tried do not fit */
} limn_problem;

/* Everything that stands in the way at once: operators that Limn lacks, those that ask for a type, an attribute or a shape
 * that it cannot do, or else what keeps gradients from the inputs. Behind an operator that fails the search goes on with a
 * guess of its results. *list holds *count entries and is the caller's (limn_problems_free). */
LIMN_API limn_status limn_model_check(limn_model *model, limn_device *device, limn_problem **list, size_t *count);
LIMN_API void limn_problems_free(limn_problem *list); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
