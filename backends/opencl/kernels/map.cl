/* Pad, Tile and the gradients of Slice and Pad: one element of the result per work-item, bits of type T. */
kernel void map(const lm_cl_mapping p, global const T *x, ulong ox, global const T *value, ulong ov, global T *y,
                ulong oy)
{
    long rest = get_global_id(0), from = 0, to = 0;
    if (rest >= p.count)
        return;
    bool inside = true;
    for (int d = p.rank - 1; d >= 0; d--) {
        const long n = p.n[d];
        long i = rest % p.dim[d] - p.start[d];
        rest /= p.dim[d];
        to += (i + p.start[d]) * p.y[d];
        if (p.down[d] != 1) {
            inside = inside && i % p.down[d] == 0;
            i /= p.down[d];
        }
        if (p.way == LM_CL_REFLECT && n > 1) {
            const long period = 2 * (n - 1);
            i = ((i % period) + period) % period;
            i = i < n ? i : period - i;
        } else if (p.way == LM_CL_EDGE || (p.way == LM_CL_REFLECT && n == 1)) {
            i = clamp(i, 0L, n - 1);
        } else if (p.way == LM_CL_WRAP && n > 0) {
            i = ((i % n) + n) % n;
        }
        inside = inside && i >= 0 && i < n;
        from += i * p.x[d];
    }
    T v = 0;
    if (inside)
        v = LM_AT_CONST(global T, x, ox)[from];
    else if (p.valued)
        v = LM_AT_CONST(global T, value, ov)[0];
    LM_AT(global T, y, oy)[to] = v;
}
