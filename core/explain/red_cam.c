/* Class-activation maps that read the layer's activation A and the target's gradient G there, [channels, positions]:
 * one forward, and one walk that ends at the layer.
 *
 *   cam            sum_c w_c A_c, w the dense layer's weights behind the global average: the sum of G over positions
 *   gradcam        w_c the mean of G over positions (tokens that stand for no patch do not count)
 *   gradcam++      w_c = sum_p alpha relu(G), alpha = G^2 / (2 G^2 + sum_p(A) G^3). The paper's weights carry
 *                  exp(target) too, a factor common to the whole map; it is left out, as it overflows
 *   xgradcam       w_c = sum_p G A / sum_p A; 0 where A sums to nothing
 *   layercam       sum_c relu(G) A
 *   hirescam       sum_c G A
 *   eigencam       A as a matrix of positions x channels, not centred, on its first right singular vector
 *   eigengradcam   the same of G A
 *   guided_gradcam guided backpropagation times gradcam's map at the input's size */
#include <math.h>
#include <string.h>

#include "core/explain/cam.h"
#include "core/explain/eigen.h"
#include "core/explain/question.h"

static lm_status need_signals(lm_task *t, const lm_ruleset *set, int n, const lm_site *sites, int *number)
{
    lm_walk walk = {.set = set, .options = lm_compat_rules(t->compat), .nsite = n};
    walk.site = lm_arena_copy(t->arena, sites, (size_t)n, sizeof *sites);
    return walk.site ? lm_need_walk(t, &walk, number) : LM_MEMORY;
}

lm_status lm_need_activation(lm_task *t)
{
    lm_cam *own;
    return lm_cam_need(t, &own);
}

lm_status lm_need_gradcam(lm_task *t)
{
    lm_cam *own;
    LM_TRY(lm_cam_need(t, &own));
    return need_signals(t, &lm_set_grad, 1, &t->layer, &own->walk);
}

lm_status lm_need_cam(lm_task *t)
{
    LM_TRY(lm_cam_head(t, t->layer));
    return lm_need_gradcam(t);
}

lm_status lm_need_guided_gradcam(lm_task *t)
{
    LM_TRY(lm_need_gradcam(t));
    lm_cam *own = t->own;
    return need_signals(t, &lm_set_guided, t->ninput, t->input, &own->guided);
}

static double total(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t p = 0; p < n; p++)
        sum += x[p];
    return sum;
}

static void add_weighted(double weight, const double *a, int64_t n, double *map)
{
    for (int64_t p = 0; p < n; p++)
        map[p] += weight * a[p];
}

/* One channel's part of the map. */
typedef void (*channel_part)(const double *a, const double *g, int64_t n, double *map);

static void add_cam(const double *a, const double *g, int64_t n, double *map)
{
    add_weighted(total(g, n), a, n, map);
}

static void add_gradcam(const double *a, const double *g, int64_t n, double *map)
{
    add_weighted(total(g, n) / (double)n, a, n, map);
}

static void add_gradcampp(const double *a, const double *g, int64_t n, double *map)
{
    double sum = total(a, n), weight = 0;
    for (int64_t p = 0; p < n; p++) {
        double below = 2 + sum * g[p]; /* the quotient, less the squares of G above and below */
        if (g[p] > 0 && below != 0)
            weight += g[p] / below;
    }
    add_weighted(weight, a, n, map);
}

static void add_xgradcam(const double *a, const double *g, int64_t n, double *map)
{
    double sum = total(a, n), both = 0;
    for (int64_t p = 0; p < n; p++)
        both += g[p] * a[p];
    if (sum != 0)
        add_weighted(both / sum, a, n, map);
}

static void add_layercam(const double *a, const double *g, int64_t n, double *map)
{
    for (int64_t p = 0; p < n; p++)
        map[p] += g[p] < 0 ? 0 : g[p] * a[p];
}

static void add_hirescam(const double *a, const double *g, int64_t n, double *map)
{
    for (int64_t p = 0; p < n; p++)
        map[p] += g[p] * a[p];
}

/* The map of one target: [planes, positions], planes 1 or, unsummed, the channels. lm_free it. */
static lm_status make_map(lm_task *t, int target, channel_part add, bool sum, double **out)
{
    const lm_cam *own = t->own;
    const lm_field *f = &own->field;
    int64_t n = f->positions, planes = sum ? 1 : f->channels;
    const lm_view *a = lm_point_value(t, own->value), *g = lm_point_signal(t, own->walk, 0, target);
    double *map = lm_calloc((size_t)planes, (size_t)n * sizeof *map), *row = lm_malloc((size_t)n, 2 * sizeof *row);
    if (!map || !row) {
        lm_free(row);
        lm_free(map);
        return LM_MEMORY;
    }
    for (int64_t c = 0; c < f->channels; c++) {
        lm_cam_read(f, a, c, row);
        lm_cam_read(f, g, c, row + n);
        add(row, row + n, n, map + (sum ? 0 : c * n));
    }
    lm_free(row);
    *out = map;
    return LM_OK;
}

static lm_status run_channels(lm_task *t, channel_part add, bool sum)
{
    const lm_cam *own = t->own;
    lm_status status = LM_OK;
    for (int k = 0; status == LM_OK && k < t->targets; k++) {
        double *map = NULL;
        status = make_map(t, k, add, sum, &map);
        for (int s = 0; status == LM_OK && s < t->nsite; s++)
            status = lm_cam_result(t, s, k, &own->field, sum ? 1 : (int)own->field.channels, map);
        lm_free(map);
    }
    return status;
}

lm_status lm_run_cam(lm_task *t)
{
    return run_channels(t, add_cam, true);
}

lm_status lm_run_gradcam(lm_task *t)
{
    return run_channels(t, add_gradcam, !lm_task_flag(t, "channels"));
}

lm_status lm_run_gradcampp(lm_task *t)
{
    return run_channels(t, add_gradcampp, true);
}

lm_status lm_run_xgradcam(lm_task *t)
{
    return run_channels(t, add_xgradcam, true);
}

lm_status lm_run_layercam(lm_task *t)
{
    return run_channels(t, add_layercam, true);
}

lm_status lm_run_hirescam(lm_task *t)
{
    return run_channels(t, add_hirescam, true);
}

/* The principal component of the activation, times the gradient where there is one. */
static lm_status run_eigen(lm_task *t, int target, bool gradient)
{
    const lm_cam *own = t->own;
    const lm_field *f = &own->field;
    const lm_view *a = lm_point_value(t, own->value), *g = gradient ? lm_point_signal(t, own->walk, 0, target) : NULL;
    int64_t n = f->positions;
    double *matrix = lm_malloc((size_t)f->channels, (size_t)n * sizeof *matrix);
    double *map = lm_malloc((size_t)n, sizeof *map);
    lm_status status = matrix && map ? LM_OK : LM_MEMORY;
    for (int64_t c = 0; status == LM_OK && c < f->channels; c++) {
        double *row = matrix + c * n;
        lm_cam_read(f, a, c, row);
        if (gradient)
            lm_cam_read(f, g, c, map);
        for (int64_t p = 0; gradient && p < n; p++)
            row[p] *= map[p];
    }
    if (status == LM_OK)
        status = lm_eigen_component(f->channels, n, matrix, map);
    for (int s = 0; status == LM_OK && s < t->nsite; s++)
        status = lm_cam_result(t, s, target, f, 1, map);
    lm_free(map);
    lm_free(matrix);
    return status;
}

lm_status lm_run_eigencam(lm_task *t)
{
    return run_eigen(t, 0, false);
}

lm_status lm_run_eigengradcam(lm_task *t)
{
    for (int k = 0; k < t->targets; k++)
        LM_TRY(run_eigen(t, k, true));
    return LM_OK;
}

/* Multiply the guided signal at input `number` with the map that lm_cam_result left. */
static lm_status guide(lm_task *t, int site, int target, double *map)
{
    const lm_cam *own = t->own;
    lm_field f;
    int number;
    LM_TRY(lm_cam_result(t, site, target, &own->field, 1, map));
    LM_TRY(lm_cam_base(t, t->site[site], &own->field, &number, &f));
    const lm_view *s = lm_point_signal(t, own->guided, number, target);
    const double *small = t->result[site * t->targets + target].at;
    lm_result *r;
    LM_TRY(lm_task_result(t, site, target, &f.sh, &r));
    for (int64_t c = 0; c < f.channels; c++)
        for (int64_t p = 0; p < f.positions; p++) {
            int64_t i = f.first + c * f.channel_step + p * f.position_step;
            r->at[i] = lm_at(s, i) * small[p];
        }
    return LM_OK;
}

lm_status lm_run_guided_gradcam(lm_task *t)
{
    lm_status status = LM_OK;
    for (int k = 0; status == LM_OK && k < t->targets; k++) {
        double *map = NULL;
        status = make_map(t, k, add_gradcam, true, &map);
        for (int s = 0; status == LM_OK && s < t->nsite; s++)
            status = guide(t, s, k, map);
        lm_free(map);
    }
    return status;
}
