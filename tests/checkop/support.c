/* support: how many of an op's cases each device has a kernel for. "all", "-" for none, or how many of them; composites
 * that run op by op count as none, since no kernel of theirs exists. */
#include <stdlib.h>
#include <string.h>

#include "tests/checkop/harness.h"

typedef struct tally {
    int cases[LM_OPS], taken[LM_OPS][CK_LANES];
} tally;

static bool count(const ck_case *c, void *ctx)
{
    tally *t = ctx;
    ck_tensor x[CK_X + CK_MORE];
    if (c->fused)
        return true;
    ck_inputs(c, x);
    ck_call call = {.op = c->op,
                    .a = &c->a,
                    .nx = c->nx,
                    .ny = c->ny,
                    .x = x,
                    .constant = c->constant,
                    .layout = c->layout,
                    .dry = true};
    t->cases[c->op]++;
    for (int i = 0; i < ck_lane_count; i++) {
        ck_tensor y[CK_Y];
        lm_status status;
        char why[CK_WHY];
        ck_working(c->name, ck_lane_list[i].spec);
        if (ck_lane_list[i].threads <= 1)
            t->taken[c->op][i] += ck_run(&ck_lane_list[i].chain, &call, y, &status, why) == CK_RAN;
    }
    ck_tensors_free(x, c->nx);
    return true;
}

void ck_support(void)
{
    tally *t = calloc(1, sizeof *t);
    if (!t)
        return;
    ck_each(count, t);
    printf("%-18s %6s", "op", "cases");
    for (int i = 0; i < ck_lane_count; i++)
        if (ck_lane_list[i].threads <= 1)
            printf("  %-16s", ck_lane_list[i].device);
    printf("\n");
    for (int op = 0; op < LM_OPS; op++) {
        if (!t->cases[op])
            continue;
        printf("%-18s %6d", lm_ops[op].id, t->cases[op]);
        for (int i = 0; i < ck_lane_count; i++) {
            char text[16];
            if (ck_lane_list[i].threads > 1)
                continue;
            snprintf(text, sizeof text, "%d", t->taken[op][i]);
            printf("  %-16s", t->taken[op][i] == t->cases[op] ? "all" : t->taken[op][i] ? text : "-");
        }
        printf("%s\n", lm_ops[op].composite ? "  composite" : "");
    }
    free(t);
}
