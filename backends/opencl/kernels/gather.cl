/* Gather: one element of the result per work-item, bits of type T, indices of type INDEX. An index out of range raises
 * the flag and reads element 0. */
kernel void gather(const lm_cl_gather p, global const T *x, ulong ox, global const INDEX *at, ulong oat,
                   global T *y, ulong oy, global int *flag)
{
    long rest = get_global_id(0), from = 0, to = 0, number = 0;
    if (rest >= p.count)
        return;
    for (int d = p.rank - 1; d >= 0; d--) {
        const long i = rest % p.dim[d];
        rest /= p.dim[d];
        from += i * p.x[d], to += i * p.y[d], number += i * p.index[d];
    }
    long i = LM_AT_CONST(global INDEX, at, oat)[number];
    if (i < -p.size || i >= p.size) {
        lm_raise(flag, p.op, i, (int)min(p.size, 0x7fffffffL));
        i = 0;
    }
    LM_AT(global T, y, oy)[to] = LM_AT_CONST(global T, x, ox)[from + (i < 0 ? i + p.size : i) * p.step];
}
