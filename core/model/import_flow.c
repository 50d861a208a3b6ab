/* Importers of If, Loop and Scan: branches are chosen and loops unrolled while the graph is built. */
#include "core/model/import_util.h"

#include <string.h>

#include "core/model/builder.h"
#include "core/model/onnx_tensor.h"

/* Nodes that one unrolled loop may add, and rounds that it may take. */
enum { UNROLL_MAX = 200000 };

static const onnx_graph *body_of(lm_import *im, const char *name)
{
    const onnx_attr *a = lm_attr(im, name);
    if (a && a->type == ONNX_ATTR_GRAPH && a->g)
        return a->g;
    lm_import_fail(im, LM_INPUT, "attribute '%s' is missing or is no graph", name);
    return NULL;
}

static lm_val *room_for(lm_import *im, size_t n)
{
    lm_val *at = lm_arena_alloc(&im->e.g->arena, n ? n : 1, sizeof *at);
    if (at)
        memset(at, 0, n * sizeof *at);
    else
        lm_import_fail(im, LM_MEMORY, "no room for %zu values", n);
    return at;
}

/* The one truth value that `v` holds, computed from the feeds if need be. */
static bool truth_of(lm_import *im, lm_val v, const char *what)
{
    const lm_view *content = NULL;
    if (im->e.status == LM_OK)
        im->e.status = lm_context(lm_build_content(im->builder, v, &content), "%s", what);
    if (im->e.status != LM_OK)
        return false;
    if (lm_shape_count(&content->sh) != 1) {
        lm_import_fail(im, LM_INPUT, "%s has %lld elements; expected one", what,
                       (long long)lm_shape_count(&content->sh));
        return false;
    }
    return lm_view_get(content, 0) != 0;
}

void lm_import_if(lm_import *im)
{
    if (!lm_import_needs(im, 1))
        return;
    bool holds = truth_of(im, lm_in(im, 0), "its condition");
    const onnx_graph *body = body_of(im, holds ? "then_branch" : "else_branch");
    if (im->e.status == LM_OK)
        lm_inline_body(im, body, -1, 0, NULL, im->ny, im->y);
}

/* The pieces that one output of a body makes, round by round. */
typedef struct pieces {
    lm_val *at;
    size_t count, room;
} pieces;

static void piece_add(lm_import *im, pieces *p, lm_val v)
{
    if (p->count == p->room) {
        size_t more = p->room ? 2 * p->room : 16;
        lm_val *at = room_for(im, more);
        if (!at)
            return;
        if (p->count)
            memcpy(at, p->at, p->count * sizeof *at);
        p->at = at;
        p->room = more;
    }
    p->at[p->count++] = v;
}

/* All pieces along a new axis, last first when `reversed`. Without a round the body's declaration says what they
 * would have been: sizes that it leaves open are 0. */
static lm_val pieces_join(lm_import *im, const pieces *p, const onnx_value_info *declared, int64_t axis, bool reversed)
{
    lm_emit *e = &im->e;
    lm_shape shape = {0};
    lm_dtype dt = LM_F32;
    if (e->status != LM_OK)
        return LM_NOVAL;
    if (p->count == 0) {
        const onnx_type *t = &declared->type;
        if (t->kind != ONNX_TYPE_TENSOR || !onnx_dtype(t->elem_type, &dt) || t->n_dims >= LM_RANK) {
            lm_import_fail(im, LM_UNSUPPORTED, "it takes no round, and its body does not say what '%s' would be",
                           declared->name);
            return LM_NOVAL;
        }
        shape.rank = (int)t->n_dims;
        for (int i = 0; i < shape.rank; i++)
            shape.dim[i] = t->dims[i].kind == ONNX_DIM_VALUE && t->dims[i].value > 0 ? t->dims[i].value : 0;
    } else {
        shape = *lm_emit_shape(e, p->at[0]);
    }
    if (shape.rank >= LM_RANK) {
        lm_import_fail(im, LM_UNSUPPORTED, "'%s' would have more than %d axes", declared->name, LM_RANK);
        return LM_NOVAL;
    }
    int at = lm_axis_of(im, axis, shape.rank + 1);
    lm_val *list = room_for(im, p->count);
    if (e->status != LM_OK)
        return LM_NOVAL;
    if (p->count == 0) {
        memmove(&shape.dim[at + 1], &shape.dim[at], (size_t)(shape.rank - at) * sizeof shape.dim[0]);
        shape.dim[at] = 0;
        shape.rank++;
        return lm_emit_full(e, dt, &shape, 0);
    }
    for (size_t i = 0; i < p->count; i++)
        list[reversed ? p->count - 1 - i : i] = lm_emit_unsqueeze(e, p->at[i], at);
    return lm_emit_concat(e, (int)p->count, list, at);
}

/* After a round: may as many more follow? `before`: nodes when the loop began; rounds < 0: not known. */
static void check_growth(lm_import *im, size_t before, int64_t done, int64_t rounds)
{
    double grown = (double)(im->e.g->nodes.count - before), each = grown / (double)done;
    double in_all = rounds < 0 ? grown : each * (double)rounds;
    if (in_all > UNROLL_MAX || (rounds > UNROLL_MAX && in_all > 0) || done > UNROLL_MAX)
        lm_import_fail(im, LM_UNSUPPORTED, "%lld rounds would unroll to more than %d nodes; give it fewer rounds",
                       (long long)(rounds < 0 ? done : rounds), UNROLL_MAX);
}

/* (trip count?, condition?, carried...) -> carried..., stacked outputs...; the body takes (round, condition,
 * carried...) and gives (condition, carried..., outputs...). */
void lm_import_loop(lm_import *im)
{
    const onnx_graph *body = body_of(im, "body");
    int64_t trips = lm_in_int(im, 0, INT64_MAX), done = 0;
    bool bounded = lm_in(im, 0) != LM_NOVAL, tested = lm_in(im, 1) != LM_NOVAL;
    if (im->e.status != LM_OK)
        return;
    int carried = im->nx > 2 ? im->nx - 2 : 0, outputs = (int)body->n_outputs - 1 - carried;
    if (outputs < 0 || im->ny > carried + outputs) {
        lm_import_fail(im, LM_INPUT, "%d values are carried, %d results wanted, but its body has %zu outputs", carried,
                       im->ny, body->n_outputs);
        return;
    }
    lm_val *args = room_for(im, (size_t)carried + 2), *y = room_for(im, body->n_outputs);
    pieces *p = lm_arena_alloc(&im->e.g->arena, (size_t)outputs + 1, sizeof *p);
    if (im->e.status != LM_OK || !p) {
        im->e.status = LM_MEMORY;
        return;
    }
    memset(p, 0, ((size_t)outputs + 1) * sizeof *p);
    for (int i = 0; i < carried; i++)
        args[2 + i] = lm_in(im, 2 + i);
    size_t before = im->e.g->nodes.count;
    bool goes_on = !tested || truth_of(im, lm_in(im, 1), "its condition");
    while (im->e.status == LM_OK && goes_on && done < trips) {
        args[0] = lm_emit_const(&im->e, LM_I64, (double)done);
        args[1] = lm_emit_const(&im->e, LM_BOOL, 1);
        lm_inline_body(im, body, done, carried + 2, args, (int)body->n_outputs, y);
        /* a loop that is given no condition runs by its trip count alone, unless it has none either */
        if (im->e.status == LM_OK && (tested || !bounded || !lm_graph_value(im->e.g, y[0])->constant))
            goes_on = truth_of(im, y[0], "its condition");
        memcpy(args + 2, y + 1, (size_t)carried * sizeof *args);
        for (int i = 0; i < outputs && im->e.status == LM_OK; i++)
            piece_add(im, &p[i], y[1 + carried + i]);
        done++;
        if (im->e.status == LM_OK)
            check_growth(im, before, done, tested || !bounded ? -1 : trips);
    }
    for (int i = 0; i < im->ny && im->e.status == LM_OK; i++)
        if (lm_wants(im, i))
            im->y[i] = i < carried ? args[2 + i]
                                   : pieces_join(im, &p[i - carried], &body->outputs[1 + i], 0, false);
}

/* What a Scan says, for all versions. */
typedef struct scan {
    const onnx_graph *body;
    int states, inputs, outputs;
    lm_val *state, *input; /* of this run */
    const int64_t *in_axis, *in_way, *out_axis, *out_way; /* NULL: all 0 */
} scan;

static int64_t of(const int64_t *list, int i)
{
    return list ? list[i] : 0;
}

/* Run the body over `rounds` positions of the inputs; state[] is replaced, outputs come back in y. */
static void scan_run(lm_import *im, scan *s, int64_t rounds, lm_val *y)
{
    lm_emit *e = &im->e;
    int n = s->states + s->inputs, most = s->states + s->outputs;
    lm_val *args = room_for(im, (size_t)n), *given = room_for(im, (size_t)most);
    pieces *p = lm_arena_alloc(&e->g->arena, (size_t)s->outputs + 1, sizeof *p);
    if (e->status != LM_OK || !p) {
        e->status = LM_MEMORY;
        return;
    }
    memset(p, 0, ((size_t)s->outputs + 1) * sizeof *p);
    size_t before = e->g->nodes.count;
    for (int64_t t = 0; t < rounds && e->status == LM_OK; t++) {
        memcpy(args, s->state, (size_t)s->states * sizeof *args);
        for (int i = 0; i < s->inputs && e->status == LM_OK; i++) {
            int axis = lm_axis_of(im, of(s->in_axis, i), lm_emit_shape(e, s->input[i])->rank);
            if (e->status == LM_OK)
                args[s->states + i] = lm_emit_pick(e, s->input[i], axis, of(s->in_way, i) ? rounds - 1 - t : t);
        }
        lm_inline_body(im, s->body, t, n, args, most, given);
        memcpy(s->state, given, (size_t)s->states * sizeof *given);
        for (int i = 0; i < s->outputs && e->status == LM_OK; i++)
            piece_add(im, &p[i], given[s->states + i]);
        if (e->status == LM_OK)
            check_growth(im, before, t + 1, rounds);
    }
    for (int i = 0; i < s->outputs && e->status == LM_OK; i++)
        y[i] = pieces_join(im, &p[i], &s->body->outputs[s->states + i], of(s->out_axis, i), of(s->out_way, i) != 0);
}

/* A list with one number per input or output; NULL when the attribute is left out. */
static const int64_t *per_port(lm_import *im, const char *name, int count)
{
    int n;
    const int64_t *list = lm_attr_int_list(im, name, &n);
    if (im->e.status == LM_OK && n >= 0 && n != count)
        lm_import_fail(im, LM_INPUT, "%s has %d numbers; expected %d", name, n, count);
    return n >= 0 ? list : NULL;
}

/* Split the operands from `first` on into states and scanned inputs. */
static bool scan_open(lm_import *im, scan *s, int first)
{
    *s = (scan){.body = body_of(im, "body")};
    int64_t inputs = lm_attr_int(im, "num_scan_inputs", 0);
    int n = im->nx - first;
    if (im->e.status != LM_OK)
        return false;
    if (inputs < 1 || inputs > n || s->body->n_outputs < (size_t)(n - inputs) ||
        (size_t)im->ny > s->body->n_outputs) {
        lm_import_fail(im, LM_INPUT, "num_scan_inputs = %lld of %d inputs, with %zu outputs of its body",
                       (long long)inputs, n, s->body->n_outputs);
        return false;
    }
    s->inputs = (int)inputs;
    s->states = n - s->inputs;
    s->outputs = (int)s->body->n_outputs - s->states;
    s->state = room_for(im, (size_t)s->states);
    s->input = room_for(im, (size_t)s->inputs);
    for (int i = 0; i < n && im->e.status == LM_OK; i++) {
        if (lm_in(im, first + i) == LM_NOVAL)
            lm_import_fail(im, LM_INPUT, "input %d is missing", first + i);
        else if (i < s->states)
            s->state[i] = lm_in(im, first + i);
        else
            s->input[i - s->states] = lm_in(im, first + i);
    }
    return im->e.status == LM_OK;
}

/* The length that all scanned inputs have in common; `lead` axes stand before those that the axis numbers count. */
static int64_t scan_length(lm_import *im, const scan *s, int lead)
{
    int64_t length = 0;
    for (int i = 0; i < s->inputs && im->e.status == LM_OK; i++) {
        const lm_shape *shape = lm_emit_shape(&im->e, s->input[i]);
        int axis = lead + lm_axis_of(im, of(s->in_axis, i), shape->rank - lead);
        if (im->e.status != LM_OK)
            return 0;
        if (i > 0 && shape->dim[axis] != length)
            lm_import_fail(im, LM_INPUT, "its inputs have lengths %lld and %lld", (long long)length,
                           (long long)shape->dim[axis]);
        length = shape->dim[axis];
    }
    return length;
}

/* (states..., scanned...) -> states..., stacked outputs... */
void lm_import_scan_9(lm_import *im)
{
    scan s;
    if (!scan_open(im, &s, 0))
        return;
    s.in_axis = per_port(im, "scan_input_axes", s.inputs);
    s.in_way = per_port(im, "scan_input_directions", s.inputs);
    s.out_axis = per_port(im, "scan_output_axes", s.outputs);
    s.out_way = per_port(im, "scan_output_directions", s.outputs);
    lm_val *y = room_for(im, (size_t)s.outputs);
    int64_t length = scan_length(im, &s, 0);
    if (im->e.status == LM_OK)
        scan_run(im, &s, length, y);
    for (int i = 0; i < im->ny && im->e.status == LM_OK; i++)
        im->y[i] = i < s.states ? s.state[i] : y[i - s.states];
}

/* Version 8 has a batch in front of everything, and (lengths?, states..., scanned...): samples run one by one, and
 * shorter ones are filled up with zeros. */
void lm_import_scan_8(lm_import *im)
{
    scan s;
    lm_emit *e = &im->e;
    const lm_view *lengths = lm_in_value(im, 0);
    if (!scan_open(im, &s, 1))
        return;
    s.in_way = per_port(im, "directions", s.inputs);
    int64_t most = scan_length(im, &s, 1), batch = lm_emit_shape(e, s.input[0])->dim[0];
    int n = s.states + s.outputs;
    lm_val *state = s.state, *input = s.input, *y = room_for(im, (size_t)s.outputs);
    lm_val *own = room_for(im, (size_t)s.states), *cut = room_for(im, (size_t)s.inputs);
    pieces *p = lm_arena_alloc(&e->g->arena, (size_t)n + 1, sizeof *p);
    if (e->status == LM_OK && lengths && lm_shape_count(&lengths->sh) != batch)
        lm_import_fail(im, LM_INPUT, "%lld lengths for %lld samples", (long long)lm_shape_count(&lengths->sh),
                       (long long)batch);
    if (e->status != LM_OK || !p || batch < 1) {
        lm_import_fail(im, p ? LM_UNSUPPORTED : LM_MEMORY, p ? "an empty batch" : "no room");
        return;
    }
    memset(p, 0, ((size_t)n + 1) * sizeof *p);
    for (int64_t b = 0; b < batch && e->status == LM_OK; b++) {
        int64_t length = lengths ? lm_view_get_i64(lengths, b) : most;
        if (length < 0 || length > most)
            lm_import_fail(im, LM_INPUT, "length %lld of a sample; expected 0 to %lld", (long long)length,
                           (long long)most);
        for (int i = 0; i < s.states; i++)
            own[i] = lm_emit_pick(e, state[i], 0, b);
        for (int i = 0; i < s.inputs; i++)
            cut[i] = lm_emit_slice(e, lm_emit_pick(e, input[i], 0, b), 0, 0, length);
        s.state = own;
        s.input = cut;
        if (e->status == LM_OK)
            scan_run(im, &s, length, y);
        for (int i = 0; i < n && e->status == LM_OK; i++) {
            lm_attrs pad = {0};
            pad.pad.hi[0] = most - length;
            bool fill = i >= s.states && length < most;
            lm_val v = i < s.states ? own[i] : y[i - s.states];
            piece_add(im, &p[i], fill ? lm_emit1(e, LM_OP_PAD, &pad, v) : v);
        }
    }
    for (int i = 0; i < im->ny && e->status == LM_OK; i++)
        im->y[i] = pieces_join(im, &p[i], &s.body->outputs[i], 0, false);
}
