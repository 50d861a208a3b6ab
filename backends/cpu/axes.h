/* Short lists of axes with their strides in an input and a result: numbering the lines, rows or results of a call. */
#ifndef LM_CPU_AXES_H
#define LM_CPU_AXES_H

#include <stdint.h>
#include <stdlib.h>

typedef struct lm_axis {
    int64_t n, x, y; /* size; strides in bytes */
} lm_axis;

static inline int64_t lm_axes_count(const lm_axis *a, int n)
{
    int64_t p = 1;
    for (int i = 0; i < n; i++)
        p *= a[i].n;
    return p;
}

static inline int lm_axes_order(const void *a, const void *b)
{
    int64_t p = llabs(((const lm_axis *)a)->x), q = llabs(((const lm_axis *)b)->x);
    return (p < q) - (p > q);
}

/* Largest steps in x first. Only for axes whose order is free. */
static inline void lm_axes_sort(lm_axis *a, int n)
{
    qsort(a, (size_t)n, sizeof *a, lm_axes_order);
}

/* Axes of size 1 go, neighbours that step as one axis become one; at least one is left. Returns their number. */
static inline int lm_axes_merge(lm_axis *a, int n)
{
    int m = 0;
    for (int i = 0; i < n; i++) {
        if (a[i].n == 1)
            continue;
        if (m && a[m - 1].x == a[i].x * a[i].n && a[m - 1].y == a[i].y * a[i].n)
            a[m - 1] = (lm_axis){a[m - 1].n * a[i].n, a[i].x, a[i].y};
        else
            a[m++] = a[i];
    }
    if (m == 0)
        a[m++] = (lm_axis){1, 0, 0};
    return m;
}

/* Byte offset of flat index `flat` over the axes, the last one fastest, in x or in y. */
static inline int64_t lm_axes_x(const lm_axis *a, int n, int64_t flat)
{
    int64_t at = 0;
    for (int i = n - 1; i > 0; i--) {
        at += flat % a[i].n * a[i].x;
        flat /= a[i].n;
    }
    return n ? at + flat * a[0].x : at;
}

static inline int64_t lm_axes_y(const lm_axis *a, int n, int64_t flat)
{
    int64_t at = 0;
    for (int i = n - 1; i > 0; i--) {
        at += flat % a[i].n * a[i].y;
        flat /= a[i].n;
    }
    return n ? at + flat * a[0].y : at;
}

#endif
