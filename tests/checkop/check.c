/* check: every case on every lane. A lane must come within the op's tolerance of the truth; lanes of the cpu family
 * (and devices that call themselves exact) must give, bit for bit, what the scalar level gives on one thread with
 * row-major operands, without constants, one op after the other: levels, threads, layouts, packings and epilogues never
 * show. Nor does it show that a composite has a kernel of its own. */
#include <stdlib.h>
#include <string.h>

#include "tests/checkop/harness.h"

typedef struct subject {
    const ck_case *c;
    ck_tensor x[CK_X + CK_MORE];
    ck_call call;
    ck_truth truth;
    bool has_base; /* `base` is the scalar level's answer */
    ck_tensor base[CK_Y];
} subject;

static bool subject_make(const ck_case *c, subject *s, char why[CK_WHY])
{
    static char plain_fill[] = "";
    ck_case filled = *c;
    lm_type y[CK_Y];
    *s = (subject){.c = c};
    ck_inputs(c, s->x);
    s->call = (ck_call){
        .op = c->op, .a = &c->a, .nx = c->nx, .ny = c->ny, .x = s->x, .constant = c->constant, .layout = c->layout};
    if (ck_infer(&s->call, y) != LM_OK) {
        snprintf(why, CK_WHY, "no result shape: %s", lm_message());
        return false;
    }
    if (c->fused) {
        s->call.ep = &c->ep;
        for (int i = 0; i < lm_epilogue_inputs(&c->ep); i++) {
            const int at = s->call.nx++;
            filled.fill[at] = plain_fill;
            s->x[at] = ck_tensor_new(y[0].dt, &y[0].sh);
            ck_fill(&s->x[at], &filled, at);
        }
    }
    return ck_truth_make(c, s->x, &s->truth, why);
}

static bool same_as_base(const subject *s, const ck_tensor *y, char why[CK_WHY])
{
    char text[CK_WHY];
    for (int i = 0; i < s->c->ny; i++)
        if (!ck_same(&s->base[i], 0, &y[i], text)) {
            snprintf(why, CK_WHY, "output %d differs from %s's %.300s", i, ck_scalar.spec, text);
            return false;
        }
    return true;
}

/* Attributes that hold the result's shape follow the batch. */
static lm_attrs attrs_of_one(const ck_case *c)
{
    lm_attrs a = c->a;
    switch (lm_ops[c->op].attrs) {
    case LM_ATTR_resize: a.resize.size[0] = 1; break;
    case LM_ATTR_shape: a.shape.shape.dim[0] = 1; break;
    case LM_ATTR_slice: a.slice.size[0] = 1; break;
    default: break;
    }
    return a;
}

/* Sample by sample must be the same bits as all at once. Only the first output is compared: the flat index of a
 * pooling's winner counts through the whole batch. */
static bool split_check(const subject *s, const ck_lane *lane, const ck_tensor *whole, char why[CK_WHY])
{
    const ck_case *c = s->c;
    lm_attrs a = attrs_of_one(c);
    int64_t samples = whole->sh.rank ? whole->sh.dim[0] : 0;
    if (samples < 2 || (c->row->split & c->constant))
        return true;
    for (int64_t b = 0; b < samples; b++) {
        ck_tensor x[CK_X + CK_MORE], y[CK_Y];
        ck_call call = s->call;
        lm_status status;
        char text[CK_WHY];
        call.x = x;
        call.a = &a;
        call.layout =
            call.layout == CK_ZERO ? CK_ROW : call.layout; /* a sample of its own would repeat along another axis */
        for (int i = 0; i < call.nx; i++) {
            x[i] = s->x[i];
            if (!(c->row->split >> i & 1) && i < c->nx)
                continue;
            x[i].sh.dim[0] = 1;
            x[i].n /= samples;
            x[i].bytes += (size_t)(x[i].n * b) * lm_dtype_size(x[i].dt);
        }
        if (ck_run(&lane->chain, &call, y, &status, text) != CK_RAN) {
            snprintf(why, CK_WHY, "sample %lld alone: %.400s", (long long)b, text);
            return false;
        }
        bool good = ck_same(whole, b * (whole->n / samples), &y[0], text);
        ck_tensors_free(y, c->ny);
        if (!good) {
            snprintf(why, CK_WHY, "sample %lld alone differs from the batch at %.400s", (long long)b, text);
            return false;
        }
    }
    return true;
}

/* True when the case counts as passed on the lane; *refused when the device does not take it. */
static bool run_lane(const subject *s, const ck_lane *lane, bool *refused, char why[CK_WHY])
{
    const ck_case *c = s->c;
    ck_tensor y[CK_Y];
    lm_status status;
    ck_working(c->name, lane->spec);
    ck_outcome outcome = ck_run(&lane->chain, &s->call, y, &status, why);
    *refused = outcome == CK_REFUSED;
    if (outcome != CK_RAN)
        return false;
    bool good = true;
    for (int i = 0; i < c->ny && good; i++)
        good = ck_close(c, &s->truth, &y[i], i, why);
    if (good && lane->bits && s->has_base)
        good = same_as_base(s, y, why);
    if (good && c->row->split && lane->threads <= 1)
        good = split_check(s, lane, &y[0], why);
    ck_tensors_free(y, c->ny);
    return good;
}

/* What the cpu device answers to a call may not depend on level or threads: a level that hands an op to another device
 * gives other bits. */
static const char *family(const ck_lane *lane)
{
    return !strncmp(lane->device, "cpu", 3) ? "cpu" : lane->device;
}

/* The scalar level's own bits, against the order spelled out. */
static void check_order(const subject *s)
{
    ck_tensor y;
    char why[CK_WHY], text[CK_WHY];
    if (!s->has_base || !ck_ordered(s->c, s->x, &s->base[0].sh, &y))
        return;
    bool good = ck_same(&y, 0, &s->base[0], text);
    snprintf(why, sizeof why, "not the promised order of sums: %.400s", text);
    if (good)
        ck_pass();
    else
        ck_fail("check", s->c->name, &ck_scalar, why);
    ck_tensor_free(&y);
}

/* The scalar level's own bits, against the expansion: a composite with a kernel of its own must not show it. */
static void check_expansion(const subject *s)
{
    ck_tensor y[CK_Y];
    ck_call plain = s->call;
    lm_status status;
    char why[CK_WHY], text[CK_WHY];
    if (!s->has_base || !lm_ops[s->c->op].composite || s->c->fused)
        return;
    plain.layout = CK_ROW;
    plain.constant = 0;
    bool good = ck_run_expanded(&ck_scalar.chain, &plain, y, &status, text) == CK_RAN;
    snprintf(why, sizeof why, "its expansion: %.400s", text);
    for (int i = 0; good && i < s->c->ny; i++)
        if (!ck_same(&y[i], 0, &s->base[i], text)) {
            snprintf(why, sizeof why, "output %d is not what its expansion gives: %.400s", i, text);
            good = false;
        }
    if (status == LM_OK)
        ck_tensors_free(y, s->c->ny);
    if (good)
        ck_pass();
    else
        ck_fail("check", s->c->name, &ck_scalar, why);
}

/* Plain float32 cases per op: those that the cpu device was asked for, and those that it took. */
typedef struct coverage {
    int asked[LM_OPS], taken[LM_OPS];
} coverage;

static bool is_plain(const ck_case *c)
{
    return c->type == LM_F32 && c->layout == CK_ROW && c->values == CK_NORMAL && !c->constant && !c->fused;
}

static bool check_case(const ck_case *c, void *ctx)
{
    subject s;
    char why[CK_WHY], first[CK_WHY];
    const char *taken_by = NULL, *refused_by = NULL;
    coverage *covered = ctx;
    if (ck_opt.list) {
        printf("%s\n", c->name);
        return true;
    }
    ck_working(c->name, ck_oracle.spec);
    if (subject_make(c, &s, why)) {
        if (ck_scalar.spec[0]) {
            ck_call plain = s.call;
            lm_status status;
            plain.layout = CK_ROW;
            plain.constant = 0;
            ck_working(c->name, ck_scalar.spec);
            s.has_base = ck_run_unfused(&ck_scalar.chain, &plain, s.base, &status, first) == CK_RAN;
        }
        check_order(&s);
        check_expansion(&s);
        for (int i = 0; i < ck_lane_count; i++) {
            const ck_lane *lane = &ck_lane_list[i];
            bool refused, good = run_lane(&s, lane, &refused, why), cpu = !strcmp(family(lane), "cpu");
            if (refused && lane->reference && s.call.constant + (uint32_t)s.call.layout == 0 && !c->fused) {
                snprintf(why, CK_WHY, "the reference must take every op: %.400s", lm_message());
                refused = false;
            }
            if (cpu && is_plain(c)) {
                covered->asked[c->op]++;
                covered->taken[c->op] += !refused;
            }
            if (cpu && refused)
                refused_by = lane->spec;
            else if (cpu)
                taken_by = lane->spec;
            if (refused)
                ck_refusals++;
            else if (good)
                ck_pass();
            else
                ck_fail("check", c->name, lane, why);
            if (ck_opt.verbose)
                printf("%-8s %-28s %s\n", refused ? "refused" : good ? "ok" : "FAILED", lane->spec, c->name);
        }
        if (taken_by && refused_by) {
            snprintf(why, CK_WHY, "%.90s takes it, %.90s does not", taken_by, refused_by);
            ck_fail("check", c->name, NULL, why);
        }
    } else {
        snprintf(first, sizeof first, "the reference gives no answer: %.400s", why);
        ck_fail("check", c->name, NULL, first);
    }
    ck_tensors_free(s.x, CK_X + CK_MORE);
    ck_tensors_free(s.base, CK_Y);
    ck_truth_free(&s.truth);
    return true;
}

/* A row of the op table without a case is a hole in the net. */
static bool mark(const ck_case *c, void *seen)
{
    ((bool *)seen)[c->op] = true;
    return true;
}

void ck_check(void)
{
    if (!ck_opt.op && !ck_opt.glob && !ck_opt.list) {
        bool seen[LM_OPS] = {false};
        ck_each(mark, seen);
        for (int op = 0; op < LM_OPS; op++) {
            char why[CK_WHY];
            snprintf(why, sizeof why, "%s has no case in tests/checkop/cases_*.c", lm_ops[op].id);
            if (seen[op])
                ck_pass();
            else
                ck_fail("check", lm_ops[op].id, NULL, why);
        }
    }
    coverage covered = {0};
    ck_each(check_case, &covered);
    for (int op = 0; op < LM_OPS; op++) {
        /* Without a kernel on purpose: they make shapes, once. */
        bool spared = op == LM_OP_NONZERO || op == LM_OP_RANGE;
        if (!spared && covered.asked[op] && !covered.taken[op] && !ck_opt.glob)
            ck_fail("check", lm_ops[op].id, NULL, "the cpu device takes no plain float32 case of this op");
    }
}
