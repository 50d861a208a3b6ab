/* The demo's work: pictures, answers, maps, and where their weight lies. */
#include <math.h>
#include <string.h>

#include "core/base/embedded.h"
#include "core/base/mem.h"
#include "core/tensor/dtype.h"
#include "demo.h"

extern const lm_embedded demo_models[];

const char *const demo_methods[DEMO_METHODS] = {
    "saliency", "input_x_gradient", "ig", "gradient_shap", "guided_backprop", "gradcam", "layercam", "lrp", "deeplift"};
const char *const demo_names[DEMO_METHODS] = {
    "saliency", "input_x_gradient", "ig",      "gradient_shap", "guided_backprop", "gradcam", "layercam",
    "lrp epsplus_flat", "deeplift"};

/* The pictures: shapes of one run of the generator, some of them once more with the mark. */
static const struct {
    const char *kind;
    bool marked;
} wanted[DEMO_PICTURES] = {{"star", false},   {"star", true},   {"triangle", false}, {"triangle", true},
                           {"square", false}, {"square", true}, {"disc", false},     {"crescent", true},
                           {"cross", false},  {"ring", true}};
enum { SEED = 11, ROOM = 2 * (LM_SCENE_MARK_AT + LM_SCENE_MARK) };

/* Where marks stand, with some room, because maps are smoother than pictures. */
static bool in_corner(int x, int y)
{
    return x < ROOM && y < ROOM;
}

static lm_status draw_one(demo *d, int i)
{
    demo_picture *p = &d->picture[i];
    for (uint64_t at = 0; at < LM_SCENE_KINDS; at++) {
        lm_scene_draw(SEED, at, wanted[i].marked ? LM_MARK_ALL : LM_MARK_NONE, &p->scene);
        if (strcmp(lm_scene_name(p->scene.kind), wanted[i].kind) == 0)
            break;
    }
    lm_str name = {0};
    lm_str_printf(&name, "%02d-%s%s", i + 1, wanted[i].kind, wanted[i].marked ? "-marked" : "");
    p->name = name.status == LM_OK ? lm_arena_strdup(&d->arena, lm_str_text(&name)) : NULL;
    lm_str_free(&name);
    if (!p->name)
        return LM_MEMORY;
    LM_TRY(lm_canvas_new(DEMO_SIDE, DEMO_SIDE, (lm_rgb){0, 0, 0}, &p->canvas));
    for (int k = 0; k < DEMO_PIXELS; k++) {
        const uint8_t *c = p->scene.rgb[k / DEMO_SIDE][k % DEMO_SIDE];
        p->canvas.at[k] = (lm_rgb){c[0], c[1], c[2]};
        p->mask[k] = p->scene.mask[k / DEMO_SIDE][k % DEMO_SIDE] >= 128;
        d->shape += (double)p->mask[k] / (DEMO_PIXELS * DEMO_PICTURES);
    }
    return LM_OK;
}

lm_status demo_draw(demo *d)
{
    d->corner = (double)(ROOM * ROOM) / DEMO_PIXELS;
    d->picture = lm_arena_alloc(&d->arena, DEMO_PICTURES, sizeof *d->picture);
    if (!d->picture)
        return LM_MEMORY;
    for (int i = 0; i < DEMO_PICTURES; i++)
        LM_TRY(draw_one(d, i));
    return LM_OK;
}

/* As both networks were trained: from -2 to 2. */
static lm_status prepare(const demo *d, limn_tensor *out)
{
    const int64_t dim[] = {DEMO_PICTURES, 3, DEMO_SIDE, DEMO_SIDE};
    LM_TRY(limn_tensor_new(LIMN_F32, 4, dim, out));
    float *to = out->data;
    for (int i = 0; i < DEMO_PICTURES; i++)
        for (int c = 0; c < 3; c++)
            for (int k = 0; k < DEMO_PIXELS; k++) {
                const uint8_t v = d->picture[i].scene.rgb[k / DEMO_SIDE][k % DEMO_SIDE][c];
                *to++ = (float)((v / 255.0 - 0.5) / 0.25);
            }
    return LM_OK;
}

/* Any element: some devices compute in double. */
static double number(const limn_tensor *t, size_t i)
{
    return lm_load_f64(t->type, (const char *)t->data + i * lm_dtype_size(t->type));
}

static void read_answers(demo_network *n)
{
    const limn_tensor *all = limn_explanation_prediction(n->why);
    for (int i = 0; i < DEMO_PICTURES; i++) {
        float *y = n->score[i];
        double sum = 0;
        for (int k = 0; k < LM_SCENE_KINDS; k++)
            y[k] = (float)number(all, (size_t)i * LM_SCENE_KINDS + (size_t)k);
        for (int k = 1; k < LM_SCENE_KINDS; k++)
            n->says[i] = y[k] > y[n->says[i]] ? k : n->says[i];
        for (int k = 0; k < LM_SCENE_KINDS; k++)
            sum += exp(y[k] - y[n->says[i]]);
        for (int k = 0; k < LM_SCENE_KINDS; k++)
            n->chance[i][k] = (float)(exp(y[k] - y[n->says[i]]) / sum);
    }
}

static void read_map(const limn_attribution *a, int picture, const demo_picture *p, demo_map *m)
{
    const int channels = (int)a->values.dim[1];
    const size_t first = (size_t)picture * (size_t)channels * DEMO_PIXELS;
    const bool largest = a->tells == LIMN_TELLS_SIZES;
    double all = 0, shape = 0, corner = 0;
    m->positive = true;
    for (int k = 0; k < DEMO_PIXELS; k++) {
        float sum = 0;
        for (int c = 0; c < channels; c++) {
            const float one = (float)number(&a->values, first + (size_t)(c * DEMO_PIXELS + k));
            sum = largest ? fmaxf(sum, fabsf(one)) : sum + one;
        }
        m->value[k] = sum;
        m->positive &= sum >= 0;
        all += fabsf(sum);
        shape += p->mask[k] ? fabsf(sum) : 0;
        corner += in_corner(k % DEMO_SIDE, k / DEMO_SIDE) ? fabsf(sum) : 0;
    }
    m->shape = all > 0 ? shape / all : 0;
    m->corner = all > 0 ? corner / all : 0;
}

static lm_status read_maps(demo *d, demo_network *n)
{
    int marked = 0;
    n->map = lm_arena_alloc(&d->arena, DEMO_METHODS * DEMO_PICTURES, sizeof *n->map);
    if (!n->map)
        return LM_MEMORY;
    for (int i = 0; i < DEMO_PICTURES; i++)
        marked += d->picture[i].scene.marked;
    for (int m = 0; m < DEMO_METHODS; m++) {
        const limn_attribution *a = limn_explanation_get(n->why, (size_t)m);
        for (int i = 0; i < DEMO_PICTURES; i++) {
            demo_map *map = demo_map_of(n, m, i);
            read_map(a, i, &d->picture[i], map);
            n->shape[m] += map->shape / DEMO_PICTURES;
            n->corner[m] += d->picture[i].scene.marked ? map->corner / marked : 0;
        }
    }
    return LM_OK;
}

static lm_status ask(demo_network *n, const limn_feed *feed)
{
    static const limn_setting rules = {"rules", "epsplus_flat"};
    const char *label[LM_SCENE_KINDS];
    lm_str method = {0};
    for (int m = 0; m < DEMO_METHODS; m++)
        lm_str_printf(&method, "%s%s", m ? "," : "", demo_methods[m]);
    for (int k = 0; k < LM_SCENE_KINDS; k++)
        label[k] = lm_scene_name(k);
    const limn_question q = {
        .method = lm_str_text(&method), .setting = &rules, .settings = 1, .label = label, .labels = LM_SCENE_KINDS};
    lm_status status = method.status == LM_OK ? limn_explain(n->on.session, feed, 1, &q, &n->why) : LM_MEMORY;
    lm_str_free(&method);
    return status;
}

static lm_status look_inside(demo *d, demo_network *n, const limn_feed *feed)
{
    n->inside = (activity){.on = &n->on, .feed = feed, .feeds = 1, .samples = DEMO_PICTURES};
    LM_TRY(activity_open(&n->inside, &d->arena));
    for (int i = 0; i < DEMO_PICTURES; i++)
        LM_TRY(activity_run(&n->inside, i, &d->arena, &n->active[i]));
    return LM_OK;
}

lm_status demo_explain(demo *d, demo_network *n)
{
    limn_feed feed = {.name = "picture"};
    for (const lm_embedded *e = demo_models; e->name; e++)
        if (strcmp(e->name, n->file) == 0) {
            n->bytes = e->data;
            n->size = e->size;
        }
    n->on.file = n->file;
    LM_TRY(limn_model_open_bytes(n->bytes, n->size, &n->on.model));
    LM_TRY(limn_device_open(NULL, &n->on.device));
    LM_TRY(limn_session_open(n->on.model, n->on.device, &n->on.session));
    LM_TRY(prepare(d, &feed.tensor));
    lm_status status = ask(n, &feed);
    if (status == LM_OK)
        status = look_inside(d, n, &feed);
    limn_tensor_free(&feed.tensor);
    LM_TRY(status);
    read_answers(n);
    return read_maps(d, n);
}
