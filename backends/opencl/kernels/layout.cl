/* Operands of products in the form that their kernels read. */
kernel void pack(const lm_cl_pack p, global const float *x, ulong ox, global float *y, ulong oy)
{
    long unit = get_global_id(0);
    if (unit >= p.units)
        return;
    x = LM_AT_CONST(global float, x, ox);
    y = LM_AT(global float, y, oy);
#if LM_PANELS
    /* all taps of a channel, which share lines of the cache */
    long c = unit % p.channels, rest = unit / p.channels, first = rest % p.panels * p.nr;
    x += c * p.channel_x + lm_place(p.part_dim, p.part_x, rest / p.panels) + first * p.column_x;
    y += (rest * p.tap_dim[0] * p.tap_dim[1] * p.tap_dim[2] * p.channels + c) * p.nr;
    for (long d = 0; d < p.tap_dim[0]; d++)
        for (long h = 0; h < p.tap_dim[1]; h++)
            for (long w = 0; w < p.tap_dim[2]; w++, y += p.channels * p.nr)
                for (long j = 0; j < p.nr; j++)
                    y[j] = first + j < p.columns
                               ? x[d * p.tap_x[0] + h * p.tap_x[1] + w * p.tap_x[2] + j * p.column_x]
                               : 0.0f;
#else
    long row = unit / p.nr, j = unit % p.nr;
    long c = row % p.channels, rest = row / p.channels, from = c * p.channel_x;
    for (int d = LM_CL_TAPS - 1; d >= 0; d--) {
        from += rest % p.tap_dim[d] * p.tap_x[d];
        rest /= p.tap_dim[d];
    }
    j += rest % p.panels * p.nr;
    from += lm_place(p.part_dim, p.part_x, rest / p.panels);
    y[unit] = j < p.columns ? x[from + j * p.column_x] : 0.0f;
#endif
}

/* One line of pixels per work-item on processors, one element elsewhere. */
kernel void border(const lm_cl_border p, global const float *x, ulong ox, global float *y, ulong oy)
{
    long unit = get_global_id(0);
    if (unit >= p.units)
        return;
    x = LM_AT_CONST(global float, x, ox);
    y = LM_AT(global float, y, oy);
#if LM_PANELS
    long rest = unit, from = 0;
    bool inside = true;
    for (int d = 2; d >= 0; d--) {
        long i = (d ? rest % p.out[d] : rest) - p.lo[d];
        rest /= p.out[d];
        inside = inside && i >= 0 && i < p.in[d];
        from += i * p.st[d];
    }
    y += unit * p.out[3] * p.pixel;
    for (long i = 0; i < p.out[3]; i++, y += p.pixel) {
        const long at = i - p.lo[3];
        if (!inside || at < 0 || at >= p.in[3]) {
            for (long c = 0; c < p.out[4]; c++)
                y[c] = 0.0f;
        } else if (p.st[4] == 1 && p.lo[4] == 0) {
            global const float *line = x + from + at * p.st[3];
            for (long c = 0; c < p.in[4]; c++)
                y[c] = line[c];
            for (long c = p.in[4]; c < p.out[4]; c++)
                y[c] = 0.0f;
        } else {
            global const float *line = x + from + at * p.st[3] - p.lo[4] * p.st[4];
            for (long c = 0; c < p.out[4]; c++)
                y[c] = c >= p.lo[4] && c < p.lo[4] + p.in[4] ? line[c * p.st[4]] : 0.0f;
        }
    }
#else
    long rest = unit, from = 0;
    bool inside = true;
    for (int d = 4; d >= 0; d--) {
        long i = (d ? rest % p.out[d] : rest) - p.lo[d];
        rest /= p.out[d];
        inside = inside && i >= 0 && i < p.in[d];
        from += i * p.st[d];
    }
    y[unit / p.out[4] * p.pixel + unit % p.out[4]] = inside ? x[from] : 0.0f;
#endif
}
