/* limn/run.h - running a model: feed inputs by name, fetch outputs or any inner value by name.
 *
 * A session belongs to one thread at a time and keeps what it learned about the shapes it has seen, so the second run
 * with the same shapes is much faster than the first. Sessions of one model share its weights.
 *
 *     limn_session *session;
 *     limn_feed feed = {"input", image};
 *     const char *fetch[] = {"logits"};
 *     limn_tensor logits;
 *     if (limn_session_open(model, device, &session) != LIMN_OK ||
 *         limn_session_run(session, &feed, 1, fetch, 1, &logits) != LIMN_OK)
 *         return complain(limn_message());
 *     use((const float *)logits.data);
 *     limn_tensor_free(&logits);
 *     limn_session_free(session);
 */
#ifndef LIMN_RUN_H
#define LIMN_RUN_H

#include <limn/device.h>
#include <limn/model.h>
#include <limn/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct limn_session limn_session;

/* `model` and `device` must outlive the session. */
LIMN_API limn_status limn_session_open(limn_model *model, limn_device *device, limn_session **out);
LIMN_API void limn_session_free(limn_session *session); /* NULL is fine */

typedef struct limn_feed {
    const char *name;
    limn_tensor tensor;
} limn_feed;

/* Run. result[i] is a fresh tensor (limn_tensor_free) for fetch[i]: an output or an inner value by its ONNX name, or a
 * layer as limn/model.h's summary and the command name them; fetch NULL: the first `results` outputs. A batch of N is
 * fine where the model was exported for 1. LIMN_INPUT: a feed does not fit, and the message shows what was expected. */
LIMN_API limn_status limn_session_run(limn_session *session, const limn_feed *feed, size_t feeds,
                                      const char *const *fetch, size_t results, limn_tensor *result);

/* Stop the run in progress soon, from any thread or a signal handler; it answers LIMN_INTERRUPTED. Where none is in
 * progress, the next one is stopped. */
LIMN_API void limn_session_cancel(limn_session *session);

/* How much one of several devices ("opencl:0.0+cpu") has done. */
typedef struct limn_share {
    char device[64];
    int exact;     /* 1: the same bits as `cpu` */
    uint64_t rows; /* samples of runs, and steps, draws and the like of explanations */
} limn_share;

/* Fill in what each device of the session has run since that was opened, at most `room` of them, in the order of their
 * list; hands back how many there are. *fixed (may be NULL) is 1 when some rows were shared in fixed parts and not by
 * speed. */
LIMN_API size_t limn_session_shares(const limn_session *session, limn_share *list, size_t room, int *fixed);

/* One layer of the model for the shapes fed. */
typedef struct limn_layer {
    const char *name;   /* of the node in the file */
    const char *module; /* "layer4.1.conv2": the path in the framework it comes from, "" when nothing tells */
    const char *op;     /* "Conv" */
    const char *kind;   /* how explanations treat it: "LINEAR", "ACT", "NORM" ... */
    const char *value;  /* the file's name of its first result, as limn_session_run fetches it */
    limn_dtype type;    /* of that result */
    int rank;
    int64_t dim[LIMN_RANK];
    int64_t parameters; /* weights used here for the first time */
    int gradient;       /* 1: a gradient passes from the outputs to here */
    int suggested;      /* 1: where class-activation maps look by default */
    const int *from;    /* numbers of the layers whose results it reads; -1 - i: input i of the model */
    int from_count;
    int output;         /* the first output of the model that it makes, or -1 */
} limn_layer;

/* The layers that matter for the outputs, in order of execution. `feed` says shapes; where the content decides nothing,
 * the tensors' `data` may be NULL; feeds 0: free sizes are taken as 1. The list is the caller's (limn_layers_free). */
LIMN_API limn_status limn_session_layers(limn_session *session, const limn_feed *feed, size_t feeds, limn_layer **list,
                                         size_t *count);
LIMN_API void limn_layers_free(limn_layer *list); /* NULL is fine */

/* The ONNX name of the value that is meant by the name of a value, node, module ("layer4.1.conv2", "features[-1]"), by
 * "Conv@-1", "#57", a glob or "auto", with ":in" or ":out" behind it. Feeds are as for limn_session_layers. *name is the
 * caller's (limn_text_free). LIMN_USAGE names the nearest that exist. */
LIMN_API limn_status limn_session_find(limn_session *session, const limn_feed *feed, size_t feeds, const char *layer,
                                       char **name);
LIMN_API void limn_text_free(char *text); /* NULL is fine */

/* Where the time went: one kernel at one place of the model, all its launches together. */
typedef struct limn_profile_row {
    const char *step;   /* the node's name */
    const char *kernel; /* "cpu.avx512.conv_f32_14x32+relu" */
    const char *device;
    int fallback;       /* 1: the chosen device has no kernel for it */
    double flops, bytes; /* of one launch; 0: unknown */
    double seconds;      /* of all launches */
    uint64_t launches;
} limn_profile_row;

/* The runs since timing was switched on or asked for last, slowest first; `on` says whether timing goes on, which makes
 * runs a little slower. *list is the caller's (limn_profile_free). */
LIMN_API limn_status limn_session_profile(limn_session *session, int on, limn_profile_row **list, size_t *count);
LIMN_API void limn_profile_free(limn_profile_row *list); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
