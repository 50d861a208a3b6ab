/* limn/draw.h - explanations as pictures and pages.
 *
 *     #include <limn/limn.h>
 *     #include <stdio.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         limn_device *device = NULL;
 *         limn_model *model = NULL;
 *         limn_session *session = NULL;
 *         limn_explanation *why = NULL;
 *         limn_feed feed = {0};
 *         int status = argc == 4 ? limn_device_open(NULL, &device) : LIMN_USAGE;
 *         if (!status)
 *             status = limn_model_open(argv[1], NULL, &model);
 *         if (!status)
 *             status = limn_session_open(model, device, &session);
 *         if (!status)
 *             status = limn_tensor_load(argv[2], &feed.tensor);
 *         if (!status) {
 *             limn_question ask = {0};
 *             ask.method = "ig,gradcam";
 *             feed.name = limn_model_input(model, 0)->name;
 *             status = limn_explain(session, &feed, 1, &ask, &why);
 *         }
 *         if (!status) {
 *             limn_drawing how = {0};
 *             how.fed = &feed.tensor;
 *             status = limn_draw(why, &how, argv[3]);
 *         }
 *         if (status)
 *             fprintf(stderr, "%s\n", limn_message());
 *         limn_explanation_free(why);
 *         limn_tensor_free(&feed.tensor);
 *         limn_session_free(session);
 *         limn_model_free(model);
 *         limn_device_free(device);
 *         return status;
 *     }
 *
 * The command draws more: texts, series, layers, and the picture as it was in its file. */
#ifndef LIMN_DRAW_H
#define LIMN_DRAW_H

#include <limn/explain.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Start it as {0}. Everything is borrowed for the call. */
typedef struct limn_drawing {
    const limn_tensor *fed;    /* what was explained. Of pictures, maps lie over it, its numbers as shades from the
                                * least to the greatest; of tables, its numbers stand in the page. NULL: maps alone */
    const char *title;         /* of pages and bars */
    const char *const *column; /* names of the columns of a table */
    size_t columns;
    const char *const *label;  /* names of the classes */
    size_t labels;
    double percent;            /* of the numbers of a map, by size, that are not cut off; 0: 99.5 */
} limn_drawing;

/* Write a file, whose ending chooses what:
 *     .png   heat maps of pictures, values [N,C,H,W], or [N,H,W,C] with 1 or 3 channels; channels are summed up,
 *            those that tell sizes by the greatest. Rows are samples, columns results
 *     .svg   bars of tables, values [N,F], one below the other
 *     .html  a page with the maps or bars of all results, their numbers and certificates; it needs nothing from outside
 * `how` may be NULL. LIMN_USAGE: another ending, or nothing that this form can show; LIMN_UNSUPPORTED: .png in a build
 * without libpng; LIMN_OUTPUT: the file cannot be written. */
LIMN_API limn_status limn_draw(const limn_explanation *why, const limn_drawing *how, const char *path);

#ifdef __cplusplus
}
#endif
#endif
