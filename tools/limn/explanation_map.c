/* Attributions of pictures as maps: channels put together, the picture below found or made. */
#include "explanation_map.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/tensor/dtype.h"
#include "numbers.h"

enum { LEAST_SIDE = 224, MOST_SIDE = 4096 };

/* How one sample of a tensor is a picture: numbers between neighbours along each axis. */
typedef struct plane {
    int width, height, channels;
    size_t first, right, down, channel;
} plane;

static bool is_channels(int64_t n)
{
    return n == 1 || n == 3;
}

/* Axes from `at` on are channels, rows, columns, or with `last` rows, columns, channels. */
static void set_plane(const limn_tensor *t, int at, bool last, plane *p)
{
    const int64_t *d = t->dim + at;
    *p = (plane){.channels = (int)d[last ? 2 : 0], .height = (int)d[last ? 0 : 1], .width = (int)d[last ? 1 : 2]};
    p->right = last ? (size_t)p->channels : 1;
    p->down = p->right * (size_t)p->width;
    p->channel = last ? 1 : p->down * (size_t)p->height;
}

/* false: it is no picture. `known`: the input it belongs to is one, whatever its axes look like. */
static bool find_plane(const explanation *e, const limn_tensor *t, bool known, int64_t sample, plane *p)
{
    const layout wanted = e->in->layout;
    const int64_t *d = t->dim;
    for (int i = 0; i < t->rank; i++)
        if (d[i] < 1 || d[i] > 1 << 20)
            return false;
    if (t->rank == 4) {
        const bool last = wanted == LAYOUT_NHWC ? d[1] != 1 || d[3] == 1 : !is_channels(d[1]) && is_channels(d[3]);
        set_plane(t, 1, wanted != LAYOUT_NCHW && last, p);
    } else if (t->rank == 3 && known && e->samples == 1 && d[0] == 3) {
        set_plane(t, 0, false, p);
        return true;
    } else if (t->rank == 3 && known && e->samples == 1 && d[2] == 3 && d[0] > 3) {
        set_plane(t, 0, true, p);
        return true;
    } else if (t->rank == 3 && known) {
        *p = (plane){(int)d[2], (int)d[1], 1, 0, 1, (size_t)d[2], 0};
    } else {
        return false;
    }
    p->first = (size_t)sample * numbers_below(t, 1);
    return true;
}

static double at(const limn_tensor *t, const plane *p, int y, int x, int c)
{
    const size_t i = p->first + (size_t)y * p->down + (size_t)x * p->right + (size_t)c * p->channel;
    return lm_load_f64(t->type, (const char *)t->data + i * limn_dtype_size(t->type));
}

/* The input that pictures of this attribution lie over: its own, or the first that pictures were read for. */
static const limn_feed *below(const explanation *e, const limn_attribution *a)
{
    const char *name = a->site;
    if (a->layered && e->in->picture.count)
        name = limn_model_input(e->on->model, e->in->picture.at[0].input)->name;
    else if (a->layered && e->in->feeds)
        name = e->in->feed[0].name;
    for (size_t i = 0; i < e->in->feeds; i++)
        if (strcmp(e->in->feed[i].name, name) == 0)
            return &e->in->feed[i];
    return NULL;
}

bool explanation_is_map(const explanation *e, const limn_attribution *a)
{
    const limn_feed *f = below(e, a);
    plane p;
    return find_plane(e, &a->values, f && inputs_picture(e->in, e->on->model, f->name, 0), 0, &p);
}

/* The numbers of an input from the least to the greatest as shades. */
static lm_status shade(const limn_tensor *t, const plane *p, lm_canvas *out)
{
    double least = INFINITY, most = -INFINITY;
    LM_TRY(lm_canvas_new(p->width, p->height, (lm_rgb){0, 0, 0}, out));
    for (int pass = 0; pass < 2; pass++)
        for (int y = 0; y < p->height; y++)
            for (int x = 0; x < p->width; x++) {
                uint8_t rgb[3];
                for (int c = 0; c < p->channels; c++) {
                    const double v = at(t, p, y, x, c);
                    if (pass == 0 && isfinite(v)) {
                        least = fmin(least, v);
                        most = fmax(most, v);
                    }
                }
                for (int c = 0; c < 3 && pass; c++) {
                    const double v = at(t, p, y, x, p->channels == 3 ? c : 0);
                    rgb[c] = most > least && isfinite(v) ? (uint8_t)lround(255 * (v - least) / (most - least)) : 127;
                }
                if (pass)
                    lm_canvas_row(out, y)[x] = (lm_rgb){rgb[0], rgb[1], rgb[2]};
            }
    return LM_OK;
}

static lm_status find_under(const explanation *e, const limn_attribution *a, int64_t sample, explanation_map *m)
{
    const limn_feed *f = below(e, a);
    plane p;
    if (!f)
        return LM_OK;
    m->heat.under = inputs_picture(e->in, e->on->model, f->name, sample);
    if (m->heat.under || !find_plane(e, &f->tensor, false, sample, &p))
        return LM_OK;
    LM_TRY(shade(&f->tensor, &p, &m->own));
    m->heat.under = &m->own;
    return LM_OK;
}

/* Is no number of the attribution, over all samples, below zero? Then all its maps get the colours for that. */
static bool is_positive(const limn_attribution *a)
{
    for (size_t i = 0; i < limn_tensor_count(&a->values); i++)
        if (lm_load_f64(a->values.type, (const char *)a->values.data + i * limn_dtype_size(a->values.type)) < 0)
            return false;
    return true;
}

/* A map of a layer is coarser than the picture below it: both get the picture's size. */
static lm_status put_together(const limn_attribution *a, const plane *p, explanation_map *m)
{
    const lm_canvas *under = m->heat.under;
    const bool coarse = under && (under->width > p->width || under->height > p->height);
    const bool size = strcmp(a->method, "saliency") == 0;
    m->heat.width = coarse ? under->width : p->width;
    m->heat.height = coarse ? under->height : p->height;
    m->value = lm_calloc((size_t)m->heat.width * (size_t)m->heat.height, sizeof *m->value);
    if (!m->value)
        return LM_MEMORY;
    m->heat.map = m->value;
    double *to = m->value;
    for (int y = 0; y < m->heat.height; y++)
        for (int x = 0; x < m->heat.width; x++, to++)
            for (int c = 0; c < p->channels; c++) {
                const double v = at(&a->values, p, (int)((int64_t)y * p->height / m->heat.height),
                                    (int)((int64_t)x * p->width / m->heat.width), c);
                *to = size ? fmax(*to, fabs(v)) : *to + v;
            }
    return LM_OK;
}

lm_status explanation_map_make(const explanation *e, const limn_attribution *a, int64_t sample, explanation_map *m)
{
    plane p;
    const limn_feed *f = below(e, a);
    LM_REQUIRE(find_plane(e, &a->values, f && inputs_picture(e->in, e->on->model, f->name, 0), sample, &p), LM_USAGE,
               "%s of '%s': is no picture, [N,C,H,W] or [N,H,W,C], which .png files are for; give -o with .svg for "
               "tables, tokens "
               "and series, .npz for anything",
               a->method, a->site);
    LM_TRY(find_under(e, a, sample, m));
    LM_TRY(put_together(a, &p, m));
    const int w = m->heat.width, h = m->heat.height, shorter = w < h ? w : h, longer = w < h ? h : w;
    m->zoom = (LEAST_SIDE + shorter - 1) / shorter;
    while (m->zoom > 1 && longer > MOST_SIDE / m->zoom)
        m->zoom--;
    m->heat.positive = is_positive(a) || strcmp(a->method, "saliency") == 0;
    return lm_heat_range(m->value, (size_t)w * (size_t)h, 99.5, &m->heat.range);
}

void explanation_map_free(explanation_map *m)
{
    lm_free(m->value);
    lm_canvas_free(&m->own);
    *m = (explanation_map){.value = NULL};
}
