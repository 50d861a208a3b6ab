/* After a weight gradient of a convolution: a signal that is infinite or NaN made NaN of the zeros around the image,
 * which are no terms of the sum. Such sums are made again without them, in the same order. Zeros meet every channel of
 * the image alike, so the first one tells for all. A channel of the signal (r) per work-item. */
LM_VEC float lm_sum_inside(const lm_cl_depthwise *p, global const float *x, global const float *s, const long *tap)
{
    float sum = 0.0f;
    for (long n = 0; n < p->n; n++) {
        float chain = 0.0f;
        long at[3], left = LM_CL_CHAIN;
        for (at[0] = 0; at[0] < p->out[0]; at[0]++)
            for (at[1] = 0; at[1] < p->out[1]; at[1]++)
                for (at[2] = 0; at[2] < p->out[2]; at[2]++, left--) {
                    bool inside = true;
                    long from = n * p->x[0];
                    for (int d = 0; d < 3; d++) {
                        const long i = at[d] * p->stride[d] + tap[d] * p->dilation[d] - p->pad[d];
                        inside = inside && i >= 0 && i < p->in[d];
                        from += i * p->x[2 + d];
                    }
                    if (left == 0) {
                        sum += chain;
                        chain = 0.0f;
                        left = LM_CL_CHAIN;
                    }
                    if (inside)
                        chain = fma(x[from], s[lm_spot(p->r, n, 0, at)], chain);
                }
        sum += chain;
    }
    return sum + 0.0f;
}

kernel void without_padding(const lm_cl_depthwise p, global const float *gx, ulong ox, global const float *gs, ulong os,
                            global float *gy, ulong oy)
{
    const long m = get_global_id(0);
    long tap[3];
    if (m >= p.units)
        return;
    global const float *x = LM_AT_CONST(global float, gx, ox) + m / p.blocks * p.c * p.x[1];
    global const float *s = LM_AT_CONST(global float, gs, os) + m * p.r[1];
    for (tap[0] = 0; tap[0] < p.kernel_[0]; tap[0]++)
        for (tap[1] = 0; tap[1] < p.kernel_[1]; tap[1]++)
            for (tap[2] = 0; tap[2] < p.kernel_[2]; tap[2]++) {
                global float *y = LM_AT(global float, gy, oy) + lm_spot(p.y, m, 0, tap);
                for (long c = 0; c < p.c && y[c * p.y[1]] != y[c * p.y[1]]; c++)
                    y[c * p.y[1]] = lm_sum_inside(&p, x + c * p.x[1], s, tap);
            }
}
