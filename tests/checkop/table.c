/* From rows to cases: reads the operand texts, multiplies the sweeps out, and varies one respect at a time. */
#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/checkop/harness.h"

const ck_rows *const ck_table[] = {&ck_rows_unary, &ck_rows_binary, &ck_rows_fused, &ck_rows_reduce, &ck_rows_product,
                                   &ck_rows_conv,  &ck_rows_pool,   &ck_rows_norm,   &ck_rows_move,
                                   &ck_rows_index, &ck_rows_resize, &ck_rows_learn,  &ck_rows_recurrent, NULL};

static const char *const layout_names[CK_LAYOUTS] = {"",       "unaligned", "strided", "negative", "zero",
                                                     "column", "nhwc",      "nhwcin",  "nhwcout"};
static const char *const value_names[CK_VALUES] = {"", "whole", "extremes", "special"};

/* --reduced: what a case may hold, so that an emulated machine gets through. */
enum { REDUCED_ELEMENTS = 4096 };

enum { SWEEP_LETTERS = 6, SWEEP_VALUES = 24 };
typedef struct sweep {
    int n;
    char letter[SWEEP_LETTERS];
    int count[SWEEP_LETTERS], at[SWEEP_LETTERS];
    int64_t value[SWEEP_LETTERS][SWEEP_VALUES];
} sweep;

static void die(const ck_row *row, const char *what, const char *text)
{
    fprintf(stderr, "checkop: row %s of %s: %s: %s\n", row->label, lm_ops[row->op].id, what, text);
    exit(2);
}

static void sweep_read(const ck_row *row, sweep *s)
{
    const char *p = row->sweep;
    *s = (sweep){0};
    while (p && *p) {
        while (*p == ' ')
            p++;
        if (s->n == SWEEP_LETTERS || !islower((unsigned char)p[0]) || p[1] != '=')
            die(row, "bad sweep", row->sweep);
        s->letter[s->n] = *p;
        p += 2;
        int count = 0;
        for (;;) {
            char *end;
            long long v = strtoll(p, &end, 10);
            if (end == p || count == SWEEP_VALUES)
                die(row, "bad sweep", row->sweep);
            s->value[s->n][count++] = v;
            p = end;
            if (*p != ',')
                break;
            p++;
        }
        s->count[s->n++] = count;
    }
}

static bool sweep_next(sweep *s)
{
    for (int i = s->n - 1; i >= 0; i--) {
        if (++s->at[i] < s->count[i])
            return true;
        s->at[i] = 0;
    }
    return false;
}

static int64_t sweep_get(const ck_row *row, const sweep *s, char letter)
{
    for (int i = 0; i < s->n; i++)
        if (s->letter[i] == letter)
            return s->value[i][s->at[i]];
    die(row, "letter without a sweep", row->sweep ? row->sweep : "");
    return 0;
}

static lm_dtype type_read(const char *text, size_t n)
{
    static const char *const short_names[LM_DTYPES] = {"f32", "f64", "f16", "bf16", "i8",  "i16", "i32",
                                                       "i64", "u8",  "u16", "u32",  "u64", "bool"};
    for (int t = 0; t < LM_DTYPES; t++)
        if (strlen(short_names[t]) == n && !memcmp(short_names[t], text, n))
            return (lm_dtype)t;
    return LM_DTYPES;
}

static const char *type_text(lm_dtype t)
{
    static const char *const text[LM_DTYPES] = {"f32", "f64", "f16", "bf16", "i8",  "i16", "i32",
                                                "i64", "u8",  "u16", "u32",  "u64", "bool"};
    return t < LM_DTYPES ? text[t] : "?";
}

/* "[type:]sizes[@fill]" */
static void operand_read(const ck_row *row, const char *text, const sweep *s, lm_dtype type, lm_type *out,
                         const char **fill)
{
    const char *at = strchr(text, '@'), *colon = strchr(text, ':');
    *out = (lm_type){.dt = type};
    *fill = at ? at + 1 : "";
    if (text[0] == '-') {
        out->sh.rank = LM_ABSENT;
        return;
    }
    if (colon && (!at || colon < at)) {
        out->dt = type_read(text, (size_t)(colon - text));
        if (out->dt == LM_DTYPES)
            die(row, "bad type", text);
        text = colon + 1;
    }
    while (*text && *text != '@') {
        if (out->sh.rank == LM_RANK)
            die(row, "rank over 8", text);
        char *end = (char *)text + 1;
        out->sh.dim[out->sh.rank++] =
            islower((unsigned char)*text) ? sweep_get(row, s, *text) : (int64_t)strtoll(text, &end, 10);
        text = end;
        if (*text == ',')
            text++;
        else if (*text && *text != '@')
            die(row, "bad operand", text);
    }
}

typedef struct walk {
    ck_visit fn;
    void *ctx;
    bool stop;
    int index; /* of the case within its row and op */
} walk;

static int64_t case_elements(const ck_case *c)
{
    int64_t n = 0;
    for (int i = 0; i < c->nx; i++)
        if (c->x[i].sh.rank != LM_ABSENT)
            n += lm_shape_count(&c->x[i].sh);
    return n;
}

static void case_name(ck_case *c, const sweep *s)
{
    char *p = c->name, *end = c->name + sizeof c->name;
    for (const char *id = lm_ops[c->op].id; *id && p + 1 < end; id++)
        *p++ = (char)tolower((unsigned char)*id);
    p += snprintf(p, (size_t)(end - p), ".%s", c->row->label);
    for (int i = 0; i < s->n; i++)
        p += snprintf(p, (size_t)(end - p), "%s%c%lld", i ? "" : ".", s->letter[i], (long long)s->value[i][s->at[i]]);
    if (c->type != c->row->type)
        p += snprintf(p, (size_t)(end - p), ".%s", type_text(c->type));
    if (c->layout != CK_ROW)
        p += snprintf(p, (size_t)(end - p), ".%s", layout_names[c->layout]);
    if (c->values != CK_NORMAL)
        p += snprintf(p, (size_t)(end - p), ".%s", value_names[c->values]);
    if (c->constant)
        p += snprintf(p, (size_t)(end - p), ".const");
    if (c->fused && c->ep.residual)
        p += snprintf(p, (size_t)(end - p), ".res");
    if (c->fused && c->ep.active)
        p += snprintf(p, (size_t)(end - p), ".%s", lm_ops[c->ep.act].id);
    if (c->fused && c->ep.sloped)
        p += snprintf(p, (size_t)(end - p), ".slope_%s", lm_ops[c->ep.slope.of].id);
    for (char *q = c->name; *q; q++)
        *q = (char)tolower((unsigned char)*q);
}

static void emit(walk *w, const ck_case *proto, const sweep *s)
{
    ck_case c = *proto;
    if (w->stop)
        return;
    bool image = false, window = false;
    for (int i = 0; i < c.nx; i++) {
        operand_read(c.row, c.row->x[i], s, c.type, &c.x[i], &c.fill[i]);
        image = image || c.x[i].sh.rank >= 3;
        window = window || !strcmp(c.fill[i], "window");
    }
    if ((c.layout >= CK_NHWC && !image) || (c.layout == CK_ZERO && window))
        return;
    case_name(&c, s);
    if (ck_opt.op && strcasecmp(ck_opt.op, lm_ops[c.op].id) && strcasecmp(ck_opt.op, lm_ops[c.op].name))
        return;
    if (ck_opt.glob && fnmatch(ck_opt.glob, c.name, 0))
        return;
    if (ck_opt.reduced && !ck_opt.glob) {
        /* Few variants per row, but each op keeps some of each kind: the choice rotates with the name. */
        bool plain = c.layout == CK_ROW && c.values == CK_NORMAL && !c.fused && c.type == c.row->type;
        uint64_t pick = ck_hash_text(c.name);
        if (case_elements(&c) > REDUCED_ELEMENTS || pick % (plain ? (s->n ? 6 : 2) : 12) > 0) {
            if (!(plain && w->index == 0 && case_elements(&c) <= REDUCED_ELEMENTS))
                return;
        }
    }
    w->index++;
    w->stop = !w->fn(&c, w->ctx);
}

static void emit_epilogues(walk *w, ck_case c, const sweep *s)
{
    static const struct {
        lm_opid act;
        lm_attr_act a;
        bool few;
    } acts[] = {{LM_OP_RELU, {0, 0}, true},          {LM_OP_CLIP, {0, 6}, true},
                {LM_OP_LEAKYRELU, {0.1f, 0}, false}, {LM_OP_SIGMOID, {0, 0}, false},
                {LM_OP_TANH, {0, 0}, false},         {LM_OP_GELU, {0, 0}, false},
                {LM_OP_GELU, {1, 0}, false},         {LM_OP_HARDSWISH, {0, 0}, false},
                {LM_OP_SWISH, {1, 0}, false},        {LM_OP_ELU, {1, 0}, false},
                {LM_OP_SOFTPLUS, {0, 0}, false},     {LM_OP_MISH, {0, 0}, false},
                {LM_OP_EXP, {0, 0}, false},          {LM_OP_HARDSIGMOID, {0.2f, 0.5f}, false},
                {LM_OP_ABS, {0, 0}, false},          {LM_OP_ERF, {0, 0}, false},
                {LM_OP_SQRT, {0, 0}, false}};
    bool few = !(c.row->flags & CK_EPILOGUES);
    if (!(c.row->flags & (CK_EPILOGUES | CK_FEW_EPILOGUES)))
        return;
    c.fused = true;
    c.ep = (lm_epilogue){.residual = true};
    emit(w, &c, s);
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        if (few && !acts[i].few)
            continue;
        c.ep = (lm_epilogue){.active = true, .act = acts[i].act, .attr = acts[i].a};
        emit(w, &c, s);
        c.ep.residual = true;
        if (acts[i].few || acts[i].act == LM_OP_SIGMOID)
            emit(w, &c, s);
    }
    static const lm_attr_actdx slopes[] = {{LM_OP_RELU, 0, 0}, {LM_OP_CLIP, 0, 1}, {LM_OP_GELU, 0, 0},
                                           {LM_OP_LEAKYRELU, 0.1f, 0}};
    for (size_t i = 0; i < (few ? 1 : sizeof slopes / sizeof slopes[0]); i++) {
        c.ep = (lm_epilogue){.sloped = true, .slope = slopes[i]};
        emit(w, &c, s);
        c.ep.residual = true;
        emit(w, &c, s);
        c.ep.active = true, c.ep.act = LM_OP_RELU;
        if (!i)
            emit(w, &c, s);
    }
}

/* The plain case and its neighbours, one respect apart. Where a row has constants, channels-last with packed constants
 * is a second centre, since that is what models run. */
static void emit_variants(walk *w, const ck_row *row, lm_opid op, const sweep *s)
{
    ck_case base = {.row = row, .op = op, .a = row->a, .type = row->type, .ny = row->ny ? row->ny : 1};
    while (base.nx < CK_X && row->x[base.nx])
        base.nx++;
    ck_case c = base;
    emit(w, &c, s);
    for (int t = 0; t < LM_DTYPES; t++)
        if ((row->types & CK_BIT(t)) && (lm_dtype)t != row->type) {
            c.type = (lm_dtype)t;
            emit(w, &c, s);
            if (row->values & CK_BIT(CK_EXTREMES)) {
                c.values = CK_EXTREMES;
                emit(w, &c, s);
            }
            c = base;
        }
    for (int l = 1; l < CK_LAYOUTS; l++)
        if (row->layouts & CK_BIT(l)) {
            c.layout = (ck_layout)l;
            emit(w, &c, s);
        }
    c = base;
    for (int v = 1; v < CK_VALUES; v++)
        if (row->values & CK_BIT(v)) {
            c.values = (ck_values)v;
            emit(w, &c, s);
            if (v == CK_SPECIAL && (row->layouts & CK_BIT(CK_NHWC)) && !row->constant) {
                c.layout = CK_NHWC;
                emit(w, &c, s);
                c.layout = base.layout;
            }
        }
    c = base;
    emit_epilogues(w, c, s);
    if (!row->constant)
        return;
    c.constant = row->constant;
    emit(w, &c, s);
    if (row->layouts & CK_BIT(CK_NHWC)) {
        c.layout = CK_NHWC;
        emit(w, &c, s);
        for (int v = 1; v < CK_VALUES; v++)
            if (row->values & CK_BIT(v)) {
                c.values = (ck_values)v;
                emit(w, &c, s);
            }
        c.values = CK_NORMAL;
    }
    emit_epilogues(w, c, s);
}

void ck_row_case(const ck_row *row, ck_case *out)
{
    const sweep none = {0};
    *out = (ck_case){.row = row, .op = row->op, .a = row->a, .type = row->type, .ny = row->ny ? row->ny : 1};
    for (; out->nx < CK_X && row->x[out->nx]; out->nx++)
        operand_read(row, row->x[out->nx], &none, out->type, &out->x[out->nx], &out->fill[out->nx]);
    case_name(out, &none);
}

void ck_each(ck_visit fn, void *ctx)
{
    walk w = {.fn = fn, .ctx = ctx};
    for (const ck_rows *const *table = ck_table; *table && !w.stop; table++)
        for (int r = 0; r < (*table)->n && !w.stop; r++) {
            const ck_row *row = &(*table)->at[r];
            const lm_opid one[] = {row->op, LM_OPS}, *op = row->ops ? row->ops : one;
            for (; *op != LM_OPS && !w.stop; op++) {
                sweep s;
                w.index = 0;
                sweep_read(row, &s);
                do
                    emit_variants(&w, row, *op, &s);
                while (!w.stop && sweep_next(&s));
            }
        }
}
