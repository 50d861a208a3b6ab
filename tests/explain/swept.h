/* Sweeps over small models: nets, what they are fed, and a record of all that comes out. */
#ifndef LM_TEST_EXPLAIN_SWEPT_H
#define LM_TEST_EXPLAIN_SWEPT_H

#include "tests/explain/small.h"

enum { ROOM = 1 << 18 };

/* What a sweep leaves, row after row. */
typedef struct record {
    const lm_sweep *w;
    const lm_view *base, *step; /* rows: base + row * step, by cut */
    int64_t rows, first; /* `first` is added to the number of a row */
    size_t bytes;  /* of all that came */
    uint8_t at[ROOM * 8];
    double goal[ROOM], signal[ROOM], value[ROOM], tangent[ROOM];
    int goals, signals, values, tangents;
} record;

static inline void keep(record *r, double *to, int *n, const lm_view *v)
{
    const size_t bytes = (size_t)lm_shape_count(&v->sh) * lm_dtype_size(v->dt);
    if (!CHECK(r->bytes + bytes <= sizeof r->at) || !CHECK(*n + lm_shape_count(&v->sh) <= ROOM))
        return;
    memcpy(r->at + r->bytes, lm_view_data(v), bytes);
    r->bytes += bytes;
    for (int64_t i = 0; i < lm_shape_count(&v->sh); i++)
        to[(*n)++] = lm_view_get(v, i);
}

static inline lm_status absorb(void *own, int64_t row, const lm_swept *got)
{
    record *r = own;
    const lm_sweep *w = r->w;
    CHECK_INT(row, r->rows++);
    keep(r, r->goal, &r->goals, &got->goal);
    for (int i = 0; i < w->nvalue; i++)
        keep(r, r->value, &r->values, &got->value[i]);
    for (int i = 0; i < w->ntangent; i++)
        keep(r, r->tangent, &r->tangents, &got->tangent[i]);
    for (int k = 0; k < w->nwalk; k++)
        for (int i = 0; i < w->walk[k].nsite; i++)
            for (int t = 0; t < w->targets; t++)
                keep(r, r->signal, &r->signals, lm_swept_signal(w, got, k, i, t));
    return LM_OK;
}

static inline lm_status fill(void *own, int64_t row, const lm_view *x)
{
    const record *r = own;
    for (int c = 0; c < r->w->ncut; c++)
        for (int64_t i = 0, n = lm_shape_count(&x[c].sh); i < n; i++)
            lm_view_set(&x[c], i, lm_view_get(&r->base[c], i) + (double)(r->first + row) * lm_view_get(&r->step[c], i));
    return LM_OK;
}

/* y = softmax(gemm(pool(relu(bn(conv(x)))) + a second way with tanh), x [n,2,6,6], three classes. */
static inline void conv_net(onnx_build *b, int64_t first)
{
    float w[54], v[81], s[3] = {1.1f, 0.7f, -0.9f}, o[3] = {0.1f, -0.2f, 0.3f}, m[3] = {0.05f, 0, -0.1f},
                        var[3] = {0.9f, 1.2f, 0.6f}, d[81];
    for (int i = 0; i < 81; i++) {
        v[i] = (float)(0.5 * small_number(i + 7));
        d[i] = (float)small_number(i + 200);
    }
    for (int i = 0; i < 54; i++)
        w[i] = (float)(0.6 * small_number(i + 90));
    onnx_build_start(b, 17);
    onnx_build_input(b, "x", LM_F32, 4, (int64_t[]){first, 2, 6, 6});
    onnx_build_floats(b, "w", 4, (int64_t[]){3, 2, 3, 3}, w);
    onnx_build_floats(b, "v", 4, (int64_t[]){3, 3, 3, 3}, v);
    onnx_build_floats(b, "s", 1, (int64_t[]){3}, s);
    onnx_build_floats(b, "o", 1, (int64_t[]){3}, o);
    onnx_build_floats(b, "m", 1, (int64_t[]){3}, m);
    onnx_build_floats(b, "var", 1, (int64_t[]){3}, var);
    onnx_build_floats(b, "d", 2, (int64_t[]){27, 3}, d);
    onnx_build_attr_ints(b, onnx_build_node(b, "Conv", "x w", "c"), "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_build_node(b, "BatchNormalization", "c s o m var", "n");
    onnx_build_node(b, "Relu", "n", "r");
    onnx_build_attr_ints(b, onnx_build_node(b, "Conv", "r v", "e"), "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_build_node(b, "Add", "e r", "a");
    onnx_build_node(b, "Tanh", "a", "t");
    onnx_node *pool = onnx_build_node(b, "MaxPool", "t", "p");
    onnx_build_attr_ints(b, pool, "kernel_shape", 2, (int64_t[]){2, 2});
    onnx_build_attr_ints(b, pool, "strides", 2, (int64_t[]){2, 2});
    onnx_build_node(b, "Flatten", "p", "f");
    onnx_build_node(b, "MatMul", "f d", "z");
    onnx_build_node(b, "Softmax", "z", "y");
    onnx_build_output(b, "y", LM_F32, 2, (int64_t[]){first, 3});
}

/* An embedding of five tokens, one head of attention with a norm, two classes at each place. */
static inline void token_net(onnx_build *b)
{
    float e[40], w[48], g[4] = {1, 0.8f, 1.2f, 0.9f}, o[4] = {0.1f, 0, -0.1f, 0.2f}, h[8];
    for (int i = 0; i < 40; i++)
        e[i] = (float)small_number(i);
    for (int i = 0; i < 48; i++)
        w[i] = (float)small_number(i + 50);
    for (int i = 0; i < 8; i++)
        h[i] = (float)small_number(i + 120);
    onnx_build_start(b, 17);
    onnx_build_input(b, "ids", LM_I64, 2, (int64_t[]){-1, 5});
    onnx_build_floats(b, "table", 2, (int64_t[]){10, 4}, e);
    onnx_build_floats(b, "wq", 2, (int64_t[]){4, 4}, w);
    onnx_build_floats(b, "wk", 2, (int64_t[]){4, 4}, w + 16);
    onnx_build_floats(b, "wv", 2, (int64_t[]){4, 4}, w + 32);
    onnx_build_floats(b, "g", 1, (int64_t[]){4}, g);
    onnx_build_floats(b, "o", 1, (int64_t[]){4}, o);
    onnx_build_floats(b, "h", 2, (int64_t[]){4, 2}, h);
    onnx_build_node(b, "Gather", "table ids", "x");
    onnx_build_node(b, "MatMul", "x wq", "q");
    onnx_build_node(b, "MatMul", "x wk", "k");
    onnx_build_node(b, "MatMul", "x wv", "v");
    onnx_build_attr_ints(b, onnx_build_node(b, "Transpose", "k", "kt"), "perm", 3, (int64_t[]){0, 2, 1});
    onnx_build_node(b, "MatMul", "q kt", "qk");
    onnx_build_node(b, "Softmax", "qk", "p");
    onnx_build_node(b, "MatMul", "p v", "pv");
    onnx_build_node(b, "Add", "pv x", "a");
    onnx_build_node(b, "LayerNormalization", "a g o", "l");
    onnx_build_node(b, "MatMul", "l h", "y");
    onnx_build_output(b, "y", LM_F32, 3, (int64_t[]){-1, 5, 2});
}

/* What most sweeps here have in common: targets are unit vectors, rows go from `base` in steps. */
typedef struct setup {
    small s;
    lm_view feed, base, step, seed, direction;
    lm_site site;
    lm_walk walk;
    lm_sweep w;
    record r;
} setup;

static inline lm_status numbers(lm_dtype dt, const lm_shape *sh, int64_t first, double scale, lm_view *out)
{
    LM_TRY(lm_view_new(dt, sh, out));
    for (int64_t i = 0, n = lm_shape_count(sh); i < n; i++)
        lm_view_set(out, i, lm_dtype_is_float(dt) ? scale * small_number(first + i) : (double)((first + 3 * i) % 10));
    return LM_OK;
}

/* `layer` NULL: at the input, or the embedding that stands for it. */
static inline lm_status start(setup *k, onnx_build *b, const char *device, const char *layer, int targets)
{
    lm_type goal, at;
    int n, space;
    int64_t rows;
    memset(k, 0, sizeof *k);
    LM_TRY(small_open(b, device, &k->s));
    const lm_port *port = lm_model_inputs(k->s.m, &n);
    lm_shape sh = {.rank = port->rank};
    for (int i = 0; i < sh.rank; i++)
        sh.dim[i] = port->dim[i] < 0 ? 1 : port->dim[i];
    LM_TRY(numbers(port->dt, &sh, 11, 1, &k->feed));
    k->w = (lm_sweep){.feed = &k->feed, .targets = targets, .rows = 1, .absorb = absorb, .own = &k->r};
    if (layer)
        LM_TRY(lm_study_layer(k->s.study, &k->feed, layer, &k->site));
    else if (lm_dtype_is_float(port->dt))
        LM_TRY(lm_study_port(k->s.study, 0, &k->site));
    else
        LM_TRY(lm_study_embedding(k->s.study, &k->feed, 0, &k->site, &rows));
    LM_TRY(lm_study_site_type(k->s.study, &k->feed, k->site, &at));
    LM_TRY(lm_study_goal(k->s.study, &k->feed, k->w.goal, &goal, &space));
    LM_TRY(numbers(at.dt, &at.sh, 3, 1, &k->base));
    LM_TRY(numbers(at.dt, &at.sh, 500, 0.1, &k->step));
    LM_TRY(numbers(at.dt, &at.sh, 900, 1, &k->direction));
    const lm_shape seeds = LM_SHAPE(targets, lm_shape_count(&goal.sh));
    LM_TRY(numbers(goal.dt, &seeds, 40, 1, &k->seed));
    k->walk = (lm_walk){.set = &lm_set_grad, .options = LM_RULE_OPTIONS_DEFAULT, .nsite = 1, .site = &k->site};
    k->w.seed = &k->seed;
    k->w.walk = &k->walk;
    k->w.nwalk = targets ? 1 : 0;
    k->w.cut = &k->site;
    k->r.w = &k->w;
    k->r.base = &k->base;
    k->r.step = &k->step;
    return LM_OK;
}

static inline void end(setup *k)
{
    lm_view *const all[] = {&k->feed, &k->base, &k->step, &k->seed, &k->direction};
    for (size_t i = 0; i < LM_COUNT(all); i++)
        lm_buffer_unref(all[i]->buf);
    small_close(&k->s);
}

static inline void again(setup *k)
{
    k->r.rows = 0;
    k->r.bytes = 0;
    k->r.goals = k->r.signals = k->r.values = k->r.tangents = 0;
}

static inline lm_status run(setup *k)
{
    again(k);
    return lm_sweep_run(k->s.study, &k->w);
}

static inline lm_status fill_rows(setup *k, int64_t rows)
{
    k->w.rows = rows;
    k->w.ncut = 1;
    k->w.fill = fill;
    return run(k);
}

/* Sum of seed times goal of a row. */
static inline double target_at(const setup *k, int64_t row, int t)
{
    const int64_t n = k->seed.sh.dim[1];
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += lm_view_get(&k->seed, t * n + i) * k->r.goal[row * n + i];
    return sum;
}

#endif
