/* Positions and channels of a layer's value, and maps over them as results. */
#include "core/explain/cam.h"

#include <math.h>
#include <string.h>

/* Weights are a transpose, a cast, a square root away from what the file holds, not more: `depth` keeps this cheap. */
static bool is_made(const lm_graph *g, lm_val v, int depth)
{
    const lm_value *x = lm_graph_value(g, v);
    bool made = x->producer && depth > 0;
    for (int i = 0; made && i < x->producer->nx; i++)
        made = x->producer->x[i] == LM_NOVAL || is_made(g, x->producer->x[i], depth - 1);
    return made || x->constant;
}

bool lm_cam_constant(const lm_graph *g, lm_val v)
{
    enum { DEPTH = 6 };
    return is_made(g, v, DEPTH);
}

static bool same_shape(const lm_graph *g, lm_val a, lm_val b)
{
    return lm_shape_equal(&lm_graph_value(g, a)->type.sh, &lm_graph_value(g, b)->type.sh);
}

/* A search through the graph for an op that knows where its channels are. `left` bounds it: residual nets have more
 * paths than anybody could walk. */
typedef struct search {
    const lm_graph *g;
    int left;
} search;

static int last_axis(const search *s, lm_val v)
{
    return lm_graph_value(s->g, v)->type.sh.rank - 1;
}

/* Where operand x of a node has its channels, as far as the op says; -1: it does not. */
static int told(const search *s, const lm_node *n, lm_val x)
{
    switch (n->op) {
    case LM_OP_CONV:
    case LM_OP_CONV_T:
    case LM_OP_MAXPOOL:
    case LM_OP_AVGPOOL:
    case LM_OP_LPPOOL:
    case LM_OP_GLOBAL_AVG:
    case LM_OP_GLOBAL_MAX:
    case LM_OP_BATCHNORM:
    case LM_OP_INSTANCENORM:
    case LM_OP_GROUPNORM:
    case LM_OP_LRN:
        return x == n->x[0] || x == n->y[0] ? 1 : -1;
    case LM_OP_LAYERNORM:
    case LM_OP_RMSNORM:
        return last_axis(s, x);
    case LM_OP_MATMUL:
        return x != n->x[1] && lm_cam_constant(s->g, n->x[1]) ? last_axis(s, x) : -1;
    default:
        return -1;
    }
}

/* Does the op leave elements where they are? */
static bool stays(const search *s, const lm_node *n, lm_val x)
{
    bool along = lm_ops[n->op].reach == LM_REACH_SAME || n->op == LM_OP_CONCAT || n->op == LM_OP_PAD ||
                 n->op == LM_OP_SLICE || n->op == LM_OP_RESIZE;
    return along && lm_graph_value(s->g, x)->type.sh.rank == lm_graph_value(s->g, n->y[0])->type.sh.rank;
}

static int behind(search *s, lm_val v);

static int before(search *s, lm_val v)
{
    const lm_node *n = lm_graph_value(s->g, v)->producer;
    int axis = n ? told(s, n, v) : -1;
    if (!n || axis >= 0 || s->left-- <= 0)
        return axis;
    if (n->op == LM_OP_TRANSPOSE) {
        axis = before(s, n->x[0]);
        for (int k = 0; axis >= 0 && k <= last_axis(s, v); k++)
            if (n->a->perm.perm[k] == axis)
                return k;
        return -1;
    }
    for (int i = 0; axis < 0 && i < n->nx; i++)
        if (n->x[i] != LM_NOVAL && !lm_cam_constant(s->g, n->x[i]) && stays(s, n, n->x[i]))
            axis = before(s, n->x[i]);
    return axis;
}

static int behind(search *s, lm_val v)
{
    int axis = -1;
    for (const lm_use *u = lm_graph_value(s->g, v)->use; u && axis < 0 && s->left-- > 0; u = u->next) {
        const lm_node *n = u->node;
        axis = told(s, n, v);
        if (axis >= 0)
            return axis;
        if (n->op == LM_OP_TRANSPOSE) {
            axis = behind(s, n->y[0]);
            if (axis >= 0)
                axis = n->a->perm.perm[axis];
        } else if (stays(s, n, v) && (same_shape(s->g, v, n->y[0]) || lm_ops[n->op].reach != LM_REACH_SAME)) {
            axis = behind(s, n->y[0]);
        }
    }
    return axis;
}

int lm_cam_channels(const lm_graph *g, lm_val v)
{
    search back = {g, 200}, on = {g, 200};
    int axis = before(&back, v);
    return axis >= 0 ? axis : behind(&on, v);
}

const char *lm_cam_name(const lm_built *b, lm_val v)
{
    size_t at = 0;
    for (lm_map_entry *e; (e = lm_map_next(&b->values, &at));)
        if ((lm_val)e->value.num == v)
            return e->key;
    return NULL;
}

/* The value behind a site and its type. */
static lm_status look_up(lm_task *t, lm_site site, const lm_built **b, lm_val *v, lm_type *type)
{
    LM_TRY(lm_study_built(t->study, t->feed, b));
    LM_TRY(lm_study_site_type(t->study, t->feed, site, type));
    const lm_cell *cell = lm_map_gets(&(*b)->values, site.name);
    *v = cell ? (lm_val)cell->num : LM_NOVAL;
    return LM_OK;
}

/* All axes but the first and that of channels (-1: none) are positions. False where an axis of channels parts them. */
static bool take_axes(const lm_shape *sh, int axis, lm_field *f)
{
    int nd = sh->rank - 1 - (axis > 0);
    *f = (lm_field){.nd = nd, .positions = 1, .channels = axis > 0 ? sh->dim[axis] : 1, .sh = *sh};
    if (nd < 1 || nd > LM_UPSAMPLE_AXES || sh->dim[0] != 1 || (axis > 1 && axis != sh->rank - 1))
        return false;
    for (int k = 1, n = 0; k < sh->rank; k++)
        if (k != axis) {
            f->size[n++] = sh->dim[k];
            f->positions *= sh->dim[k];
        }
    bool last = axis == sh->rank - 1 && axis > 1;
    f->channel_step = last ? 1 : f->positions;
    f->position_step = last ? f->channels : 1;
    return f->positions > 0 && f->channels > 0;
}

/* Small and less than the others: the colours of an image whose model says nothing. */
static int guess_colours(const lm_shape *sh)
{
    int last = sh->rank - 1;
    return sh->dim[1] > 4 && sh->dim[last] <= 4 ? last : 1;
}

lm_status lm_cam_input(lm_task *t, lm_site site, int nd, lm_field *out)
{
    const lm_built *b;
    lm_val v;
    lm_type type;
    LM_TRY(look_up(t, site, &b, &v, &type));
    int axis = -1;
    if (type.sh.rank == nd + 2) {
        axis = v == LM_NOVAL ? -1 : lm_cam_channels(b->graph, v);
        if (axis <= 0)
            axis = nd == 1 ? 2 : guess_colours(&type.sh);
    }
    if (type.sh.rank < nd + 1 || type.sh.rank > nd + 2 || !take_axes(&type.sh, axis, out))
        *out = (lm_field){.sh = type.sh};
    return LM_OK;
}

lm_status lm_cam_base(lm_task *t, lm_site site, const lm_field *layer, int *number, lm_field *out)
{
    *number = -1;
    for (int i = 0; i < t->ninput; i++) {
        lm_field f;
        LM_TRY(lm_cam_input(t, t->input[i], layer->nd, &f));
        if (f.nd && (*number < 0 || lm_site_equal(t->input[i], site))) {
            *number = i;
            *out = f;
        }
    }
    LM_REQUIRE(*number >= 0, LM_UNSUPPORTED, "no input has %d axes of positions as the layer has; set upsample=none",
               layer->nd);
    return LM_OK;
}

/* Do h x w tokens cut an image of this size into patches of one shape? */
static bool cuts(const lm_field *image, int64_t h, int64_t w)
{
    return h > 0 && w > 0 && image->size[0] % h == 0 && image->size[1] % w == 0 &&
           image->size[0] / h == image->size[1] / w;
}

/* The grid of `n` patches of an image; false when there is none of its proportions. */
static bool grid_of(const lm_field *image, int64_t n, bool exact, int64_t size[2])
{
    for (int64_t h = 1; h <= n; h++) {
        if (n % h)
            continue;
        size[0] = h;
        size[1] = n / h;
        if (exact ? cuts(image, h, n / h) : h == n / h || h * image->size[1] == n / h * image->size[0])
            return true;
    }
    return false;
}

/* Tokens [1,T,D] of an image: patches behind some in front. Grids of square patches are looked for first; what has just
 * the image's proportions, or is a square, only without a token or with one in front. */
static bool take_patches(const lm_field *image, lm_field *f)
{
    enum { MOST_IN_FRONT = 8 };
    for (int exact = 1; exact >= 0; exact--)
        for (int64_t front = 0; front <= (exact ? MOST_IN_FRONT : 1) && front < f->positions; front++) {
            int64_t size[2];
            if (!grid_of(image, f->positions - front, exact, size) || size[0] * size[1] < 2)
                continue;
            f->first = front * f->position_step;
            f->positions -= front;
            f->nd = 2;
            f->size[0] = size[0];
            f->size[1] = size[1];
            return true;
        }
    return false;
}

lm_status lm_cam_field(lm_task *t, lm_site site, lm_field *out)
{
    const lm_built *b;
    lm_val v;
    lm_type type;
    LM_TRY(look_up(t, site, &b, &v, &type));
    int axis = v == LM_NOVAL ? -1 : lm_cam_channels(b->graph, v);
    if (axis <= 0)
        axis = type.sh.rank == 3 ? 2 : 1;
    if (type.sh.rank < 3 || !take_axes(&type.sh, axis, out)) {
        *out = (lm_field){.sh = type.sh};
        return LM_OK;
    }
    for (int i = 0; type.sh.rank == 3 && axis == 2 && i < t->ninput; i++) {
        lm_field image;
        LM_TRY(lm_cam_input(t, t->input[i], 2, &image));
        if (!image.nd || image.sh.rank != 4)
            continue;
        if (!take_patches(&image, out))
            *out = (lm_field){.sh = type.sh};
        break;
    }
    return LM_OK;
}

lm_status lm_cam_need(lm_task *t, lm_cam **out)
{
    char text[LM_SHAPE_TEXT];
    lm_cam *own;
    LM_ARENA_NEW(t->arena, own);
    LM_TRY(lm_cam_field(t, t->layer, &own->field));
    LM_REQUIRE(own->field.nd, LM_UNSUPPORTED,
               "layer '%s' is %s, where no axes stand for places of the input; name a convolution's result, or a layer "
               "of tokens, with --layer",
               t->layer.name, lm_shape_text(&own->field.sh, text));
    LM_TRY(lm_need_value(t, t->layer, &own->value));
    t->own = *out = own;
    return LM_OK;
}

void lm_cam_read(const lm_field *f, const lm_view *v, int64_t channel, double *out)
{
    for (int64_t p = 0; p < f->positions; p++)
        out[p] = lm_at(v, f->first + channel * f->channel_step + p * f->position_step);
}

lm_status lm_cam_result(lm_task *t, int site, int target, const lm_field *layer, int planes, double *map)
{
    static const lm_upsampling how[] = {LM_UPSAMPLE_BILINEAR, LM_UPSAMPLE_NEAREST};
    lm_field to = *layer;
    int word = lm_task_word(t, "upsample"), number;
    bool resize = word < (int)LM_COUNT(how);
    if (resize)
        LM_TRY(lm_cam_base(t, t->site[site], layer, &number, &to));
    if (lm_task_flag(t, "relu"))
        for (int64_t i = 0; i < planes * layer->positions; i++)
            map[i] = map[i] < 0 ? 0 : map[i];
    int64_t dim[2 + LM_UPSAMPLE_AXES] = {1, planes};
    memcpy(dim + 2, to.size, (size_t)to.nd * sizeof *dim);
    lm_shape sh;
    lm_result *r;
    LM_TRY(lm_shape_make(2 + to.nd, dim, &sh));
    LM_TRY(lm_task_result(t, site, target, &sh, &r));
    for (int k = 0; k < planes; k++) {
        const double *plane = map + k * layer->positions;
        double *at = r->at + k * to.positions;
        if (resize)
            LM_TRY(lm_upsample(how[word < 0 ? 0 : word], layer->nd, layer->size, to.size, plane, at));
        else
            memcpy(at, plane, (size_t)layer->positions * sizeof *at);
    }
    return LM_OK;
}
