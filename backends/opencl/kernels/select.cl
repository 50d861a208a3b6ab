/* Trilu and OneHot: one element of the result per work-item. ArgMax, ArgMin, CumSum and TopK: a line per work-item. */

#define PLACE                                                                                                          \
    const long item = get_global_id(0);                                                                                \
    long rest = item, x = 0, y = 0, z = 0, last = 0, above = 0;                                                        \
    if (rest >= p.count)                                                                                               \
        return;                                                                                                        \
    for (int d = p.rank - 1; d >= 0; d--) {                                                                            \
        const long i = rest % p.dim[d];                                                                                \
        rest /= p.dim[d];                                                                                              \
        x += i * p.x[d], y += i * p.y[d], z += i * p.z[d];                                                             \
        last = d == p.axis ? i : last;                                                                                 \
        above = d == p.axis - 1 ? i : above;                                                                           \
    }

#ifdef TRILU
kernel void trilu(const lm_cl_select p, global const T *gx, ulong ox, global T *gy, ulong oy)
{
    PLACE
    const bool kept = p.upper ? last - above >= p.diagonal : last - above <= p.diagonal;
    LM_AT(global T, gy, oy)[y] = kept ? LM_AT_CONST(global T, gx, ox)[x] : 0;
}
#endif

#ifdef ONEHOT
/* An index outside of the axis is equal to no place on it. */
kernel void onehot(const lm_cl_select p, global const INDEX *gx, ulong ox, global const T *values, ulong ov,
                   global T *gy, ulong oy)
{
    PLACE
    long hot = LM_AT_CONST(global INDEX, gx, ox)[x];
    hot += hot < 0 ? p.n : 0;
    LM_AT(global T, gy, oy)[y] = LM_AT_CONST(global T, values, ov)[hot == last ? p.x_step : 0];
}
#endif

#ifdef ARG
/* The first NaN, or the first extreme; the last of them where that is wanted. */
kernel void arg(const lm_cl_select p, global const float *gx, ulong ox, global long *gy, ulong oy)
{
    PLACE
    global const float *line = LM_AT_CONST(global float, gx, ox) + x;
    float best = line[0];
    long place = 0;
    for (long i = 1; i < p.n; i++) {
        const float v = line[i * p.x_step];
        const bool equal = v == best || (v != v && best != best);
        const bool better = best == best && (v != v || (p.greatest ? v > best : v < best));
        if (better || (p.last && equal))
            place = i, best = v;
    }
    LM_AT(global long, gy, oy)[y] = place;
}
#endif

#ifdef CUMSUM
/* Integers wrap as unsigned ones (U) do. */
kernel void cumsum(const lm_cl_select p, global const T *gx, ulong ox, global T *gy, ulong oy)
{
    PLACE
    global const T *from = LM_AT_CONST(global T, gx, ox) + x;
    global T *to = LM_AT(global T, gy, oy) + y;
    U sum = 0;
    for (long i = 0; i < p.n; i++) {
        const long at = p.reverse ? p.n - 1 - i : i;
        const U before = sum;
        sum = sum + (U)from[at * p.x_step];
        to[at * p.y_step] = (T)(p.exclusive ? before : sum);
    }
}
#endif

#ifdef TOPK
/* Keys in the wanted order: a NaN above all numbers, both zeros equal. */
LM_VEC long lm_key(T x, int greatest)
{
#if REAL
    const int bits = as_int(x), size = bits & 0x7fffffff;
    const long key = size > 0x7f800000 ? 1L << 32 : bits < 0 ? -(long)size : (long)size;
#else
    const long key = (long)x;
#endif
    return greatest ? key : ~key;
}

/* Of equal keys the lower place is better. */
LM_VEC bool lm_worse(long2 a, long2 b) { return a.x != b.x ? a.x < b.x : a.y > b.y; }

/* Sift entry i down; the worst is on top. */
LM_VEC void lm_sift(global long2 *heap, long n, long i)
{
    const long2 e = heap[i];
    for (long child = 2 * i + 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && lm_worse(heap[child + 1], heap[child]))
            child++;
        if (!lm_worse(heap[child], e))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = e;
}

/* A heap of the best in scratch memory, taken apart from the worst on. */
kernel void topk(const lm_cl_select p, global const T *gx, ulong ox, global T *gy, ulong oy, global long *gz, ulong oz,
                 global long2 *scratch, ulong os)
{
    PLACE
    global const T *line = LM_AT_CONST(global T, gx, ox) + x;
    global long2 *heap = LM_AT(global long2, scratch, os) + item * p.best;
    for (long i = 0; i < p.n; i++) {
        const long2 e = (long2)(lm_key(line[i * p.x_step], p.greatest), i);
        if (i < p.best) {
            heap[i] = e;
            for (long top = p.best / 2; i == p.best - 1 && top-- > 0;)
                lm_sift(heap, p.best, top);
        } else if (lm_worse(heap[0], e)) {
            heap[0] = e;
            lm_sift(heap, p.best, 0);
        }
    }
    for (long left = p.best; left > 0;) {
        const long2 e = heap[0];
        heap[0] = heap[--left];
        lm_sift(heap, left, 0);
        if (p.values)
            LM_AT(global T, gy, oy)[y + left * p.y_step] = line[e.y * p.x_step];
        if (p.places)
            LM_AT(global long, gz, oz)[z + left * p.z_step] = e.y;
    }
}
#endif
