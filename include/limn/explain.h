/* limn/explain.h - why the network answered as it did: attribution maps, each with a certificate of how far it can be
 * trusted.
 *
 *     limn_feed feed = {"input", image};
 *     limn_question ask = {.method = "ig", .target = "top"};
 *     limn_explanation *why;
 *     if (limn_explain(session, &feed, 1, &ask, &why) != LIMN_OK)
 *         return complain(limn_message());
 *     const limn_attribution *map = limn_explanation_get(why, 0);
 *     draw((const float *)map->values.data, map->certificate[0].gap_rel);
 *     limn_explanation_free(why);
 *
 * Methods, their options and what they mean are listed by limn_method_get and by `limn info --methods`. Texts follow the
 * grammar of the command: `limn explain --help`. */
#ifndef LIMN_EXPLAIN_H
#define LIMN_EXPLAIN_H

#include <limn/run.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct limn_setting {
    const char *key, *value;
} limn_setting;

/* Start it as {0}: a NULL stands for what the command does without that option. */
typedef struct limn_question {
    const char *method;   /* one or several: "saliency,ig,gradcam" */
    const char *target;   /* "top" (default), "3", "top5", "all", "sum", "1-2", "label:cat", "0:4:*", several with commas */
    const char *output;   /* which of several outputs; default: the first of floats with two axes at most, else the first of
                           * floats, else the last */
    const char *input;    /* which inputs are explained; default: those of floats, or where there are none the tokens, at
                           * their embeddings. The others stay at their values */
    const char *layer;    /* stop here: a name, "layer4", "Conv@-1", "auto"; a parameter by its name in the file,
                           * "fc.weight", for gradients with respect to it */
    const char *baseline; /* "zero" (default), "mean", "min", "max", "blur:10", "noise", "value:0.5", "token:101", a file */
    const char *noise;    /* average over noise: "smoothgrad:samples=50,stdev=0.1" */
    const char *compat;   /* whose conventions: "limn" (default), "captum", "zennit", "innvestigate" ... */
    const limn_setting *setting; /* options of methods: {"steps", "100"} */
    size_t settings;
    const char *const *label; /* names of the classes, for "label:" and for reading results */
    size_t labels;
    const limn_feed *file; /* contents of files that the texts above name ("base.npy", "@targets.npy", the value of a setting;
                            * arrays of an .npz as "draws.npz/alpha"), by that name; nothing is read from disk */
    size_t files;
    uint64_t seed;
    uint64_t first;       /* number of the first sample fed, where many are explained in parts: what is random for a sample
                           * hangs on the seed and its number */
    int after_softmax;    /* 1: explain the output as it is; 0: what stands before a final softmax or sigmoid */
    void (*progress)(void *with, size_t done, size_t samples); /* called as samples are done; NULL: nobody wants to know */
    void *with;
    int unpredicted;      /* 1: the prediction is not asked for, which saves a run of a single sample */
} limn_question;

/* Sums of signals at one node, of one sample, for methods that conserve them. What came in went out to the operands, or was
 * kept by biases and stabilisers. */
typedef struct limn_conserved {
    const char *node, *op;
    double in, out, bias, stabiliser;
} limn_conserved;

/* How far one sample's result can be trusted. NAN: the number means nothing for this method. */
typedef struct limn_certificate {
    double gap_abs;  /* |sum of the attributions - what they should sum to| */
    double gap_rel;  /* over |target - target at the baseline| */
    double residual; /* what the quadrature may be off by, in units of the target: the sum over its intervals */
    double stderr_mean; /* of results that are means over samples: the mean standard error of their elements */
    const limn_conserved *conserved;
    size_t conserved_count;
    double forwards, backwards; /* cost in passes of one row; what results share is split evenly among them */
} limn_certificate;

typedef enum limn_space { LIMN_SPACE_RAW, LIMN_SPACE_LOGIT, LIMN_SPACE_PROBABILITY } limn_space;

/* What the numbers of a result tell of the target: what is above zero spoke for it and what is below against it; how much
 * each mattered, whatever its sign; or nothing, for they are values of the model itself. */
typedef enum limn_tells { LIMN_TELLS_SIDES, LIMN_TELLS_SIZES, LIMN_TELLS_VALUES } limn_tells;

/* One method, target and input (or layer), over all samples. Everything lives as long as the explanation. */
typedef struct limn_attribution {
    const char *method, *target; /* as asked; each class of "all", and of "top5" for one sample, by its number, otherwise
                                  * "top1" ... */
    const char *site;            /* the input, or the layer's value, by its ONNX name */
    int layered;                 /* 1: `site` is a layer's value */
    limn_space space;            /* what the target's number is */
    limn_tells tells;            /* what the values are */
    const char *options;         /* "steps=50 quadrature=gauss" */
    limn_tensor values;          /* [samples, ...]: float32, or float64 where the device computes in double */
    int added;                   /* 1: axis 0 was added, because axis 0 of the value itself is not the samples' */
    const int64_t *target_index; /* by sample; -1: a target of several elements */
    const char *const *target_label;  /* by sample; entries may be NULL */
    const double *target_value, *baseline_value; /* by sample; NAN where the method has no baseline */
    int compared;                /* 1: it has one, and a NAN in baseline_value is what the target is there */
    const limn_certificate *certificate; /* by sample */
} limn_attribution;

typedef struct limn_explanation limn_explanation;

/* Explain. Feeds are as for limn_session_run; a batch gives one result per sample. Several methods and targets share what
 * they have in common: ask for them in one call. LIMN_USAGE: an unknown word, with the nearest that exist;
 * LIMN_UNSUPPORTED: no gradient or no rule passes a node, which the message names, or samples are not what they are
 * alone, because the rows of a batch look at each other. */
LIMN_API limn_status limn_explain(limn_session *session, const limn_feed *feed, size_t feeds, const limn_question *ask,
                                  limn_explanation **out);
LIMN_API void limn_explanation_free(limn_explanation *why); /* NULL is fine */

/* How many samples were explained: axis 0 of all values. A model that takes no batch has one, whatever it is fed. */
LIMN_API size_t limn_explanation_samples(const limn_explanation *why);

/* Methods outermost, then targets, then inputs. NULL for a number that is too high. */
LIMN_API size_t limn_explanation_count(const limn_explanation *why);
LIMN_API const limn_attribution *limn_explanation_get(const limn_explanation *why, size_t i);

/* The output that was explained, as limn_session_run gives it for the same feeds (NULL where the question left it out), and
 * its name. */
LIMN_API const limn_tensor *limn_explanation_prediction(const limn_explanation *why);
LIMN_API const char *limn_explanation_output(const limn_explanation *why);

/* Kernels that the chosen device lacks and another one ran. */
LIMN_API const char *const *limn_explanation_fallbacks(const limn_explanation *why, size_t *count);

/* Seconds that it took. */
LIMN_API double limn_explanation_seconds(const limn_explanation *why);

typedef struct limn_method_option {
    const char *key, *usual, *values, *help; /* values: "gauss|left", "1 to 1000" */
} limn_method_option;

typedef struct limn_method {
    const char *id, *group, *help;
    const limn_method_option *option;
    size_t options;
} limn_method;

/* The table of methods; NULL for a number that is too high. */
LIMN_API const limn_method *limn_method_get(size_t i);

#ifdef __cplusplus
}
#endif
#endif
