/* The gather and scatter families: indices become checked offsets once, then elements move. Where several updates meet,
 * one work-item applies them in ascending order; where few would have to do all, each looks at all addresses and keeps
 * to its share of the places. */

#ifdef INDEX
/* An index out of range raises the flag and counts as 0. */
kernel void addresses(const lm_cl_addresses p, global const INDEX *index, ulong oi, global long *offset, ulong oo,
                      global int *flag)
{
    const long number = get_global_id(0);
    long rest = number, at = 0, to = 0;
    if (number >= p.count)
        return;
    for (int d = p.rank - 1; d >= 0; d--) {
        const long i = rest % p.dim[d];
        rest /= p.dim[d];
        at += i * p.index[d], to += i * p.base[d];
    }
    global const INDEX *tuple = LM_AT_CONST(global INDEX, index, oi) + at;
    for (int j = 0; j < p.depth; j++) {
        const long n = p.size[j];
        long i = tuple[j * p.tuple];
        if (i < -n || i >= n) {
            lm_raise(flag, p.op, i, (int)min(n, 0x7fffffffL));
            i = 0;
        }
        to += (i < 0 ? i + n : i) * p.step[j];
    }
    LM_AT(global long, offset, oo)[number] = to;
}
#endif

#ifdef T
/* Where this work-item writes, reads, and the number of its first address. */
#define PLACE                                                                                                          \
    const long share = get_global_id(0) / p.count;                                                                     \
    long rest = get_global_id(0) - share * p.count, to = 0, from = 0, number = 0;                                      \
    if (share >= p.shares)                                                                                             \
        return;                                                                                                        \
    for (int d = p.rank - 1; d >= 0; d--) {                                                                            \
        const long i = rest % p.dim[d];                                                                                \
        rest /= p.dim[d];                                                                                              \
        to += i * p.to[d], from += i * p.from[d], number += i * p.number[d];                                           \
    }

kernel void take(const lm_cl_moves p, global const T *x, ulong ox, global const long *offset, ulong oo, global T *y,
                 ulong oy)
{
    PLACE
    LM_AT(global T, y, oy)[to] = LM_AT_CONST(global T, x, ox)[from + LM_AT_CONST(global long, offset, oo)[number]];
}

kernel void clear(const lm_cl_moves p, global T *y, ulong oy)
{
    PLACE
    LM_AT(global T, y, oy)[to] = 0;
}

/* NaN wins, and +0 counts as more than -0. Integers wrap as unsigned ones (U) do. */
LM_VEC T lm_met(T a, T b)
{
#if MODE == 1
    return (T)((U)a + (U)b);
#elif MODE == 2
    return (T)((U)a * (U)b);
#elif MODE > 2 && REAL
    if (a != a || b != b)
        return a != a ? a : b;
    return (MODE == 3 ? a > b : a < b) || (a == b && (as_int(a) < 0) == (MODE == 4)) ? a : b;
#elif MODE > 2
    return (MODE == 3 ? a > b : a < b) ? a : b;
#else
    return b;
#endif
}

kernel void put(const lm_cl_moves p, global const T *x, ulong ox, global const long *offset, ulong oo, global T *y,
                ulong oy)
{
    PLACE
    global const T *source = LM_AT_CONST(global T, x, ox) + from;
    global const long *address = LM_AT_CONST(global long, offset, oo) + number;
    global T *target = LM_AT(global T, y, oy) + to;
    for (long j = 0; j < p.n; j++) {
        long left = j, at = 0;
        for (int d = p.loop_rank - 1; d >= 0; d--) {
            at += left % p.loop_dim[d] * p.loop_from[d];
            left /= p.loop_dim[d];
        }
        const long spot = address[j * p.number_step];
        if (p.shares > 1 && (ulong)spot * 0x9e3779b97f4a7c15UL / p.divisor != share)
            continue;
        target[spot] = lm_met(target[spot], source[at]);
    }
}
#endif
