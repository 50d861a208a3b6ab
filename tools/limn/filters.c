/* Weights to pixels. */
#include "filters.h"

#include <math.h>
#include <string.h>

#include "core/api/handle.h"
#include "core/base/file.h"
#include "core/base/nearest.h"
#include "core/data/image.h"
#include "core/draw/heat.h"
#include "core/model/onnx_tensor.h"

enum { MOST_PIXELS = 1 << 24, ZOOM = 6, GAP = 2 };

static bool is_convolution(const onnx_node *n)
{
    return n->n_inputs > 1 && (strcmp(n->op_type, "Conv") == 0 || strcmp(n->op_type, "ConvTranspose") == 0);
}

static bool is_called(const onnx_node *n, const model_layers *l, const char *layer)
{
    if (!layer || strcmp(n->name ? n->name : "", layer) == 0 || strcmp(n->inputs[1], layer) == 0)
        return true;
    for (size_t i = 0; i < l->count; i++) {
        const limn_layer *y = &l->layer[i];
        const bool named = strcmp(y->module, layer) == 0 || strcmp(y->value, layer) == 0;
        if (named && n->n_outputs && strcmp(n->outputs[0], y->value) == 0)
            return true;
    }
    return false;
}

static const onnx_tensor *find_weights(const onnx_graph *g, const model_layers *l, const char *layer)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const onnx_node *n = &g->nodes[i];
        if (!is_convolution(n) || !is_called(n, l, layer))
            continue;
        for (size_t k = 0; k < g->n_initializers; k++)
            if (strcmp(g->initializers[k].name, n->inputs[1]) == 0)
                return &g->initializers[k];
    }
    return NULL;
}

static lm_status none(const onnx_graph *g, const char *layer)
{
    const char *known[8];
    size_t n = 0;
    for (size_t i = 0; i < g->n_nodes && n < LM_COUNT(known); i++)
        if (is_convolution(&g->nodes[i]) && g->nodes[i].name && *g->nodes[i].name)
            known[n++] = g->nodes[i].name;
    lm_str text = {0};
    lm_list_words(known, n, &text);
    lm_fail(LM_USAGE, "--layer %.99s: is no convolution with weights of its own; choose one such as %s",
            layer ? layer : "", n ? lm_str_text(&text) : "Conv (the model has none)");
    lm_str_free(&text);
    return LM_USAGE;
}

/* Weights [filters, channels, height, width]. */
typedef struct kernels {
    lm_view v;
    int filters, channels, height, width;
    double most;
} kernels;

static double weight(const kernels *k, int filter, int channel, int y, int x)
{
    return lm_view_get(&k->v, (((int64_t)filter * k->channels + channel) * k->height + y) * k->width + x);
}

static lm_rgb pixel(const kernels *k, int filter, int channel, int y, int x)
{
    uint8_t c[3];
    if (k->channels != 3)
        return lm_colour(LM_PALETTE_SIGNED, weight(k, filter, channel, y, x) / k->most);
    for (int i = 0; i < 3; i++)
        c[i] = (uint8_t)lround(127.5 * (1 + weight(k, filter, i, y, x) / k->most));
    return (lm_rgb){c[0], c[1], c[2]};
}

static void tile(const kernels *k, int filter, int channel, int left, int top, lm_canvas *c)
{
    for (int y = 0; y < k->height * ZOOM; y++)
        for (int x = 0; x < k->width * ZOOM; x++)
            lm_canvas_row(c, top + y)[left + x] = pixel(k, filter, channel, y / ZOOM, x / ZOOM);
}

static lm_status draw(const kernels *k, lm_canvas *c)
{
    const bool single = k->channels == 1 || k->channels == 3;
    const int columns = single ? (int)ceil(sqrt(k->filters)) : k->channels;
    const int rows = single ? (k->filters + columns - 1) / columns : k->filters;
    const int64_t wide = k->width * ZOOM + GAP, high = k->height * ZOOM + GAP;
    LM_REQUIRE(wide * columns * high * rows <= MOST_PIXELS, LM_USAGE,
               "%d filters of %d channels are more than anyone can look at; choose another --layer", k->filters,
               k->channels);
    LM_TRY(lm_canvas_new((int)(wide * columns) - GAP, (int)(high * rows) - GAP, (lm_rgb){255, 255, 255}, c));
    for (int f = 0; f < k->filters; f++)
        for (int i = 0; i < (single ? 1 : k->channels); i++)
            tile(k, f, i, (int)wide * (single ? f % columns : i), (int)high * (single ? f / columns : f), c);
    return LM_OK;
}

static lm_status encode(kernels *k, const char *path)
{
    lm_canvas c = {0};
    lm_str file = {0}, about = {0};
    const int64_t n = lm_shape_count(&k->v.sh);
    for (int64_t i = 0; i < n; i++)
        k->most = fmax(k->most, fabs(lm_view_get(&k->v, i)));
    k->most = k->most > 0 && isfinite(k->most) ? k->most : 1;
    lm_status status = lm_context(draw(k, &c), "-o %s", path);
    lm_str_printf(&about, "%d filters of %d x %d x %d weights, full colours at %.6g", k->filters, k->channels,
                  k->height, k->width, k->most);
    if (status == LM_OK)
        status = lm_png_encode_about(&c.at->r, c.width, c.height, lm_str_text(&about), &file);
    if (status == LM_OK)
        status = lm_file_write(path, lm_str_text(&file), file.count);
    lm_canvas_free(&c);
    lm_str_free(&file);
    lm_str_free(&about);
    return status;
}

lm_status filters_write(const subject *on, const model_layers *l, const char *layer, const char *path)
{
    const onnx_model *m = lm_model_onnx(on->model->model);
    const onnx_tensor *t = find_weights(m->graph, l, layer);
    kernels k = {.most = 0};
    if (!t)
        return none(m->graph, layer);
    LM_TRY(onnx_tensor_view(m, t, &k.v));
    const int64_t *d = k.v.sh.dim;
    const int rank = k.v.sh.rank;
    lm_status status = LM_OK;
    if (rank < 3 || rank > 4 || lm_shape_count(&k.v.sh) < 1 || lm_shape_count(&k.v.sh) > MOST_PIXELS)
        status =
            lm_fail(LM_USAGE, "-o %s: '%s' has no weights of one or two dimensions that could be drawn", path, t->name);
    if (status == LM_OK) {
        k.filters = (int)d[0];
        k.channels = (int)d[1];
        k.height = rank == 4 ? (int)d[2] : 1;
        k.width = (int)d[rank - 1];
        status = encode(&k, path);
    }
    lm_buffer_unref(k.v.buf);
    return status;
}
