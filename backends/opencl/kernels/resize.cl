/* Resize and its gradient: an element of the result, or LM_WIDTH neighbours along the lane, per work-item. A table holds
 * of every resized axis where each position's taps begin, then the taps, an index and a weight each. */

/* Of axis d: what position `at` takes. */
LM_VEC global const long *lm_first(const lm_cl_resize *p, global const long *table, int d, long at, long *count)
{
    global const long *first = table + p->table[d] + at;
    *count = first[1] - first[0];
    return table + p->taps[d] + 2 * first[0];
}

kernel void resize(const lm_cl_resize p, global const TYPE *gx, ulong ox, global const long *gtable, ulong otable,
                   global TYPE *gy, ulong oy)
{
    long rest = get_global_id(0), from = 0, to = 0;
    if (rest >= p.count)
        return;
    const long lane = rest % p.blocks * LM_WIDTH, left = p.lanes - lane;
    rest /= p.blocks;
    global const long *table = LM_AT_CONST(global long, gtable, otable), *tap[LM_CL_RANK];
    long count[LM_CL_RANK];
    bool inside = true;
    for (int d = p.rank - 1; d >= 0; d--) {
        const long i = rest % p.dim[d];
        rest /= p.dim[d];
        to += i * p.y[d];
        if (d < p.resized) {
            tap[d] = lm_first(&p, table, d, i, &count[d]);
            inside = inside && count[d] > 0;
        } else {
            from += i * p.x[d];
        }
    }
    global const TYPE *x = LM_AT_CONST(global TYPE, gx, ox) + from + lane * p.lane_x;
    global TYPE *y = LM_AT(global TYPE, gy, oy) + to + lane * p.lane_y;
#if NEAREST
    for (int d = 0; inside && d < p.resized; d++)
        x += tap[d][0] * p.x[d];
    *y = inside ? *x : (TYPE)p.outside;
#else
    lm_v16 sum[LM_CL_RANK];
    long at[LM_CL_RANK];
    const int last = p.resized - 1;
    for (int d = 0; d <= last; d++)
        at[d] = 0, sum[d] = lm_v_zero();
    for (int d = inside ? 0 : -1; d >= 0;) {
        /* the chain along the last axis at the others' taps, then a term of the chain before for each that has ended */
        long off = 0;
        for (d = 0; d < last; d++)
            off += tap[d][2 * at[d]] * p.x[d];
        lm_v16 v = lm_v_zero();
        for (long j = 0; j < count[last]; j++)
            v = fma(lm_v_set(as_float((int)tap[last][2 * j + 1])),
                    lm_read(x + off + tap[last][2 * j] * p.x[last], p.lane_x, left), v);
        for (d = last - 1; d >= 0; d--) {
            sum[d] = fma(lm_v_set(as_float((int)tap[d][2 * at[d] + 1])), v, sum[d]);
            if (++at[d] < count[d])
                break;
            v = sum[d];
            at[d] = 0, sum[d] = lm_v_zero();
        }
        if (d < 0)
            lm_write(y, p.lane_y, left, v);
    }
    if (!inside)
        lm_write(y, p.lane_y, left, lm_v_set(as_float((int)p.outside)));
#endif
}
