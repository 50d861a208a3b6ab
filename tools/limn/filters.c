/* Weights to pixels. */
#include "filters.h"

#include <math.h>
#include <string.h>

#include "core/api/handle.h"
#include "core/base/file.h"
#include "core/base/nearest.h"
#include "core/data/image.h"
#include "core/draw/tiles.h"
#include "core/model/onnx_tensor.h"

enum { MOST_PIXELS = 1 << 24, ZOOM = 6, GAP = 2 };

static bool is_convolution(const onnx_node *n)
{
    return n->n_inputs > 1 && (strcmp(n->op_type, "Conv") == 0 || strcmp(n->op_type, "ConvTranspose") == 0);
}

static bool same_shape(const limn_layer *a, const limn_layer *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0;
}

/* The convolution that makes the value, or the last one whose result it is, activated, normalised and the like, which
 * keeps its shape; NULL: there is none. */
static const onnx_node *behind(const onnx_graph *g, const model_layers *l, const char *value)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        if (is_convolution(&g->nodes[i]) && g->nodes[i].n_outputs && strcmp(g->nodes[i].outputs[0], value) == 0)
            return &g->nodes[i];
    for (size_t i = 0; i < l->count; i++) {
        const limn_layer *y = &l->layer[i], *before = NULL;
        for (int k = 0; k < y->from_count; k++)
            if (y->from[k] >= 0 && (!before || before < &l->layer[y->from[k]]))
                before = &l->layer[y->from[k]];
        if (strcmp(y->value, value) == 0)
            return before && before < y && same_shape(before, y) ? behind(g, l, before->value) : NULL;
    }
    return NULL;
}

static const onnx_tensor *weights_of(const onnx_graph *g, const onnx_node *convolution)
{
    for (size_t i = 0; convolution && i < g->n_initializers; i++)
        if (strcmp(g->initializers[i].name, convolution->inputs[1]) == 0)
            return &g->initializers[i];
    return NULL;
}

/* The convolution that is meant by a layer, or by its weights; NULL: the first with weights of its own. */
static lm_status find_convolution(const subject *on, const onnx_graph *g, const model_layers *l, const char *layer,
                                  const onnx_node **out)
{
    char *value;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const onnx_tensor *weights = is_convolution(&g->nodes[i]) ? weights_of(g, &g->nodes[i]) : NULL;
        if (weights && (!layer || strcmp(weights->name, layer) == 0)) {
            *out = &g->nodes[i];
            return LM_OK;
        }
    }
    *out = NULL;
    if (!layer)
        return LM_OK;
    LM_TRY(limn_session_find(on->session, NULL, 0, layer, &value));
    *out = behind(g, l, value);
    limn_text_free(value);
    return LM_OK;
}

static lm_status none(const onnx_graph *g, const char *layer)
{
    const char *known[8];
    size_t n = 0;
    LM_REQUIRE(layer, LM_USAGE, "-o .png draws filters, and no convolution of the model has weights of its own; choose .svg");
    for (size_t i = 0; i < g->n_nodes && n < LM_COUNT(known); i++)
        if (is_convolution(&g->nodes[i]) && g->nodes[i].name && *g->nodes[i].name)
            known[n++] = g->nodes[i].name;
    lm_str text = {0};
    lm_list_words(known, n, &text);
    lm_fail(LM_USAGE, "--layer %.99s: is no convolution with weights of its own; choose one such as %s", layer,
            n ? lm_str_text(&text) : "Conv (the model has none)");
    lm_str_free(&text);
    return LM_USAGE;
}

/* Weights [filters, channels, height, width]. */
typedef struct kernels {
    const char *name;
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

/* Filters below their numbers, or one in each row with its channels from left to right, and numbers at the margins. */
static lm_status draw(const kernels *k, lm_canvas *c)
{
    const bool single = k->channels == 1 || k->channels == 3;
    const int wide = k->width * ZOOM, high = k->height * ZOOM, number = lm_tiles_rule_width(k->filters);
    const int left = single ? 0 : number, top = single ? 0 : LM_TILES_RULE_HEIGHT;
    const lm_tiles t = {.count = single ? k->filters : k->filters * k->channels,
                        .columns = single ? (int)ceil(sqrt(k->filters)) : k->channels,
                        .width = wide,
                        .height = high,
                        .between = single && number > wide + GAP ? number - wide : GAP,
                        .above = single ? LM_TILES_RULE_HEIGHT : GAP};
    int64_t width, height;
    lm_tiles_size(&t, &width, &height);
    LM_REQUIRE((left + width) * (top + height) <= MOST_PIXELS, LM_USAGE,
               "%d filters of %d channels make %lld x %lld pixels, and such a picture has at most %d; choose another --layer",
               k->filters, k->channels, (long long)(left + width), (long long)(top + height), MOST_PIXELS);
    LM_TRY(lm_canvas_new((int)(left + width), (int)(top + height), (lm_rgb){255, 255, 255}, c));
    for (int i = 0; i < t.count; i++) {
        int x, y;
        lm_tiles_place(&t, i, &x, &y);
        tile(k, single ? i : i / k->channels, single ? 0 : i % k->channels, left + x, top + y, c);
    }
    if (single) {
        lm_tiles_number(&t, 1, c, 0, 0);
    } else {
        lm_tiles_rule(k->channels, wide + GAP, false, c, left, 0);
        lm_tiles_rule(k->filters, high + GAP, true, c, left, top + GAP + (high - LM_TILES_RULE_HEIGHT) / 2 + 1);
    }
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
    lm_str_printf(&about, "%s: %d filters of %d x %d x %d weights, full colours at %.6g", k->name, k->filters,
                  k->channels, k->height, k->width, k->most);
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
    const onnx_node *convolution;
    LM_TRY(find_convolution(on, m->graph, l, layer, &convolution));
    const onnx_tensor *t = weights_of(m->graph, convolution);
    if (!t)
        return none(m->graph, layer);
    kernels k = {.name = convolution->name && *convolution->name ? convolution->name : t->name};
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
