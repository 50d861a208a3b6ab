/* Attributions of pictures as maps: channels put together, the picture below found or made. */
#include "explanation_map.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/tensor/dtype.h"
#include "numbers.h"

enum { LEAST_SIDE = 224, MOST_SIDE = 4096, SERIES_SIDE = 1200, SERIES_LOW = 8 };

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

/* Of [N,C,T], or [N,T,C] where --layout or the model says so, time runs to the right; of [N,T,T] tokens attend to those
 * below them. */
static bool find_series(const explanation *e, const limn_attribution *a, int64_t sample, plane *p)
{
    const limn_tensor *t = &a->values;
    const int64_t *d = t->dim;
    const bool last = inputs_series_last(e->in, e->on->model, a->site);
    if (t->rank != 3 || d[0] != e->samples || d[1] < 1 || d[2] < 1 || d[1] > 1 << 20 || d[2] > 1 << 20)
        return false;
    *p = (plane){.width = (int)d[last ? 1 : 2], .height = (int)d[last ? 2 : 1], .channels = 1};
    p->right = last ? (size_t)d[2] : 1;
    p->down = last ? 1 : (size_t)d[2];
    p->first = (size_t)sample * numbers_below(t, 1);
    return true;
}

static double at(const limn_tensor *t, const plane *p, int y, int x, int c)
{
    const size_t i = p->first + (size_t)y * p->down + (size_t)x * p->right + (size_t)c * p->channel;
    return lm_load_f64(t->type, (const char *)t->data + i * limn_dtype_size(t->type));
}

const limn_feed *explanation_below(const explanation *e, const limn_attribution *a)
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
    const limn_feed *f = explanation_below(e, a);
    plane p;
    return find_plane(e, &a->values, f && inputs_picture(e->in, e->on->model, f->name, 0), 0, &p);
}

bool explanation_is_drawn(const explanation *e, const limn_attribution *a)
{
    plane p;
    return explanation_is_map(e, a) || find_series(e, a, 0, &p);
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
    const limn_feed *f = explanation_below(e, a);
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

static bool is_activation_map(const limn_attribution *a)
{
    const limn_method *m;
    for (size_t i = 0; (m = limn_method_get(i)); i++)
        if (strcmp(m->id, a->method) == 0)
            return strcmp(m->group, "class activation") == 0;
    return false;
}

bool explanation_is_cast(const limn_attribution *a)
{
    return a->layered && is_activation_map(a) && !strstr(a->options, "upsample=none");
}

bool explanation_has_places(const limn_attribution *a)
{
    return strcmp(a->method, "guided_gradcam") != 0 &&
           (is_activation_map(a) || strcmp(a->method, "fullgrad") == 0 || strcmp(a->method, "xrai") == 0);
}

bool explanation_is_size(const limn_attribution *a)
{
    return a->tells == LIMN_TELLS_SIZES;
}

/* Is no number of the attribution, over all samples, below zero? Then all its maps get the colours for that. */
static bool is_positive(const limn_attribution *a)
{
    for (size_t i = 0; i < limn_tensor_count(&a->values); i++)
        if (lm_load_f64(a->values.type, (const char *)a->values.data + i * limn_dtype_size(a->values.type)) < 0)
            return false;
    return true;
}

/* Channels put together. */
static void add_channels(const limn_attribution *a, const plane *p, double *to)
{
    const bool size = a->tells == LIMN_TELLS_SIZES;
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++, to++) {
            *to = 0;
            for (int c = 0; c < p->channels; c++) {
                const double v = at(&a->values, p, y, x, c);
                *to = size ? fmax(*to, fabs(v)) : *to + v;
            }
        }
}

static void choose_sign(double *v, size_t n, drawing_sign sign)
{
    for (size_t i = 0; i < n && sign != SIGN_BOTH; i++)
        if (!isnan(v[i]))
            v[i] = sign == SIGN_ABSOLUTE ? fabs(v[i]) : fmax(sign == SIGN_NEGATIVE ? -v[i] : v[i], 0);
}

/* Every channel by itself, from left to right and from top to bottom, with a gap between, or room for its number. */
static lm_status side_by_side(const limn_attribution *a, const plane *p, explanation_map *m)
{
    const lm_tiles t = lm_tiles_fit(p->channels, p->width, p->height, m->numbered, LEAST_SIDE, &m->zoom);
    int64_t width, height;
    lm_tiles_size(&t, &width, &height);
    LM_REQUIRE(width <= 1 << 14 && height <= 1 << 14, LM_USAGE,
               "--draw channels=each: %d channels of %d x %d make %lld x %lld pixels, and a map has at most %d on a side",
               p->channels, p->width, p->height, (long long)width, (long long)height, 1 << 14);
    m->heat.width = (int)width;
    m->heat.height = (int)height;
    m->heat.under = NULL;
    m->heat.tiles = t;
    m->value = lm_malloc((size_t)(width * height), sizeof *m->value);
    if (!m->value)
        return LM_MEMORY;
    m->heat.map = m->value;
    for (int64_t i = 0; i < width * height; i++)
        m->value[i] = NAN;
    for (int c = 0; c < p->channels; c++) {
        int left, top;
        lm_tiles_place(&t, c, &left, &top);
        for (int y = 0; y < p->height; y++)
            for (int x = 0; x < p->width; x++)
                m->value[(top + y) * width + left + x] = at(&a->values, p, y, x, c);
    }
    choose_sign(m->value, (size_t)(width * height), m->how.sign);
    return LM_OK;
}

/* Long series: as many neighbours in time are summed up as make it fit a screen. */
static void shorten(double *v, plane *p)
{
    const int by = (p->width + SERIES_SIDE - 1) / SERIES_SIDE, width = (p->width + by - 1) / by;
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < width; x++) {
            double sum = 0;
            for (int i = x * by; i < p->width && i < (x + 1) * by; i++)
                sum += v[(int64_t)y * p->width + i];
            v[(int64_t)y * width + x] = sum;
        }
    p->width = width;
}

/* A map of a layer is coarser than the picture below it: both get the picture's size. */
static lm_status put_together(const limn_attribution *a, plane *p, bool series, explanation_map *m)
{
    const lm_canvas *under = m->heat.under;
    double *small = lm_malloc((size_t)p->width * (size_t)p->height, sizeof *small);
    if (!small)
        return LM_MEMORY;
    add_channels(a, p, small);
    if (series)
        shorten(small, p);
    const int thin = p->width / p->height / SERIES_LOW; /* long series get rows that can be seen */
    const bool larger = under && (under->width > p->width || under->height > p->height), coarse = larger || thin > 1;
    m->heat.width = larger ? under->width : p->width;
    m->heat.height = larger ? under->height : thin > 1 ? p->height * thin : p->height;
    const size_t n = (size_t)m->heat.width * (size_t)m->heat.height;
    m->value = coarse ? lm_malloc(n, sizeof *m->value) : small;
    m->heat.map = m->value;
    lm_status status = m->value ? LM_OK : LM_MEMORY;
    if (status == LM_OK && coarse)
        status = lm_heat_enlarge(small, p->width, p->height, m->how.upsample, m->value, m->heat.width, m->heat.height);
    if (coarse)
        lm_free(small);
    if (status == LM_OK)
        choose_sign(m->value, n, m->how.sign);
    return status;
}

lm_status explanation_map_make(const explanation *e, const limn_attribution *a, int64_t sample, explanation_map *m)
{
    plane p;
    const limn_feed *f = explanation_below(e, a);
    LM_TRY(drawing_read(e->cmd, &m->how));
    const bool picture = find_plane(e, &a->values, f && inputs_picture(e->in, e->on->model, f->name, 0), sample, &p);
    LM_REQUIRE(
        picture || find_series(e, a, sample, &p), LM_USAGE,
        "%s of '%s': is no picture [N,C,H,W] or [N,H,W,C] and no series [N,C,T], which .png files are for; give -o "
        "with .svg for tables and tokens, .npz for anything",
        a->method, a->site);
    if (picture)
        LM_TRY(find_under(e, a, sample, m));
    LM_TRY(m->how.each && p.channels > 1 ? side_by_side(a, &p, m) : put_together(a, &p, !picture, m));
    const int w = m->heat.width, h = m->heat.height, shorter = w < h ? w : h, longer = w < h ? h : w;
    const bool tiled = m->heat.tiles.count > 0;
    m->zoom = tiled ? m->zoom : (LEAST_SIDE + shorter - 1) / shorter;
    while (!tiled && m->zoom > 1 && longer > (picture ? MOST_SIDE : SERIES_SIDE) / m->zoom)
        m->zoom--;
    m->heat.positive = m->how.sign != SIGN_BOTH || is_positive(a) || explanation_is_size(a);
    m->heat.mode = m->how.mode;
    m->heat.opacity = m->how.opacity;
    m->heat.palette = m->how.palette;
    if (m->how.bare)
        m->heat.under = NULL;
    const size_t n = (size_t)w * (size_t)h;
    return m->how.between ? lm_heat_range_between(m->value, n, m->how.clip, &m->heat.range)
                          : lm_heat_range(m->value, n, m->how.clip, &m->heat.range);
}

void explanation_map_free(explanation_map *m)
{
    lm_free(m->value);
    lm_canvas_free(&m->own);
    *m = (explanation_map){.value = NULL};
}
