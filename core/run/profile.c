/* Rows of a profile and their table. */
#include "core/run/profile.h"

#include <stdlib.h>
#include <time.h>

double lm_profile_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

lm_status lm_profile_add(lm_profile *p, const lm_profile_row *row, int *at)
{
    lm_profile_row copy = *row;
    copy.step = lm_arena_strdup(&p->arena, row->step);
    copy.kernel = lm_arena_strdup(&p->arena, row->kernel);
    copy.device = lm_arena_strdup(&p->arena, row->device);
    if (!copy.step || !copy.kernel || !copy.device)
        return LM_MEMORY;
    LM_TRY(lm_vec_push(&p->rows, copy));
    *at = (int)p->rows.count - 1;
    return LM_OK;
}

void lm_profile_time(lm_profile *p, int at, double seconds)
{
    p->rows.at[at].seconds += seconds;
    p->rows.at[at].launches++;
}

lm_profile_row lm_profile_total(const lm_profile *p)
{
    lm_profile_row sum = {0};
    for (size_t i = 0; i < p->rows.count; i++) {
        const lm_profile_row *r = &p->rows.at[i];
        sum.fallback |= r->fallback;
        sum.flops += r->flops * (double)r->launches;
        sum.bytes += r->bytes * (double)r->launches;
        sum.seconds += r->seconds;
        sum.launches += r->launches;
    }
    return sum;
}

static int slowest_first(const void *a, const void *b)
{
    const lm_profile_row *const *x = a, *const *y = b;
    double dx = (*x)->seconds, dy = (*y)->seconds;
    /* equal times keep the order of the run */
    return dx != dy ? (dx < dy) - (dx > dy) : (*x > *y) - (*x < *y);
}

/* Work per second in units of 1e9; 0 where no time was measured. */
static double rate(double work, const lm_profile_row *r)
{
    return r->seconds > 0 ? work * (double)r->launches / r->seconds * 1e-9 : 0;
}

lm_status lm_profile_print(const lm_profile *p, lm_str *out)
{
    lm_profile_row sum = lm_profile_total(p);
    const lm_profile_row **row = lm_malloc(p->rows.count, sizeof *row);
    if (!row)
        return LM_MEMORY;
    for (size_t i = 0; i < p->rows.count; i++)
        row[i] = &p->rows.at[i];
    qsort(row, p->rows.count, sizeof *row, slowest_first);
    lm_str_printf(out, "%9s %6s %9s %9s  %-10s %-40s %s\n", "ms", "%", "GFLOP/s", "GB/s", "device", "kernel", "step");
    for (size_t i = 0; i < p->rows.count; i++) {
        const lm_profile_row *r = row[i];
        double share = sum.seconds > 0 ? 100 * r->seconds / sum.seconds : 0;
        lm_str_printf(out, "%9.3f %6.1f %9.1f %9.1f  %-10s %-40s %s%s\n", r->seconds * 1e3, share, rate(r->flops, r),
                      rate(r->bytes, r), r->device, r->kernel, r->step, r->fallback ? " (fallback)" : "");
    }
    lm_free(row);
    return out->status;
}

void lm_profile_free(lm_profile *p)
{
    lm_vec_free(&p->rows);
    lm_arena_free(&p->arena);
}
