/* Depthwise convolution, and with TURNED its transpose: a block of channels of some pixels of a row per work-item. What
 * lies outside of the image counts as 0. */

/* The element of the image that tap t of result o reads along an axis, -1: none. Turned, taps that fall between signals
 * read none either. */
LM_VEC long lm_source(const lm_cl_depthwise *p, int d, long o, long t)
{
#if TURNED
    const long at = o + p->pad[d] - t * p->dilation[d], i = at / p->stride[d];
    return at >= 0 && at % p->stride[d] == 0 && i < p->in[d] ? i : -1;
#else
    const long i = o * p->stride[d] - p->pad[d] + t * p->dilation[d];
    return i < p->in[d] ? max(i, -1L) : -1;
#endif
}

#if TURNED
#define TAPS(t, n) for (long t = n - 1; t >= 0; t--)
#else
#define TAPS(t, n) for (long t = 0; t < n; t++)
#endif

kernel void depthwise(const lm_cl_depthwise p, global const float *gx, ulong ox, global const float *gw, ulong ow,
                      global const float *gbias, ulong obias, global const float *gr, ulong ores,
                      global const float *gp, ulong opoint, global float *gy, ulong oy)
{
    long rest = get_global_id(0), at[3];
    if (rest >= p.units)
        return;
    const long c = rest % p.blocks * LM_WIDTH, left = p.c - c, runs = (p.out[2] + p.run - 1) / p.run;
    rest /= p.blocks;
    const long first = rest % runs * p.run, end = min(first + p.run, p.out[2]);
    rest /= runs;
    at[1] = rest % p.out[1];
    rest /= p.out[1];
    at[0] = rest % p.out[0];
    const long n = rest / p.out[0], taps = p.kernel_[0] * p.kernel_[1] * p.kernel_[2];
    global const float *x = LM_AT_CONST(global float, gx, ox) + n * p.x[0] + c * p.x[1];
    global const float *w = LM_AT_CONST(global float, gw, ow) + c / LM_WIDTH * LM_WIDTH * taps;
    lm_v16 bias = lm_v_zero(), r = lm_v_zero(), point = lm_v_zero();
    if (p.end.has & LM_CL_HAS_BIAS)
        bias = lm_read(LM_AT_CONST(global float, gbias, obias) + c * p.bias_column, p.bias_column, left) + 0.0f;
    for (at[2] = first; at[2] < end; at[2]++) {
        lm_v16 sum = lm_v_zero();
        TAPS(z, p.kernel_[0]) {
            const long iz = lm_source(&p, 0, at[0], z);
            TAPS(v, p.kernel_[1]) {
                const long iy = lm_source(&p, 1, at[1], v);
                TAPS(u, p.kernel_[2]) {
                    const long ix = lm_source(&p, 2, at[2], u);
                    const lm_v16 f = LM_LOADV(w + ((z * p.kernel_[1] + v) * p.kernel_[2] + u) * LM_WIDTH);
                    lm_v16 s = lm_v_zero();
                    if (iz >= 0 && iy >= 0 && ix >= 0)
                        s = lm_read(x + iz * p.x[2] + iy * p.x[3] + ix * p.x[4], p.x[1], left);
                    sum = fma(s, f, sum);
                }
            }
        }
        if (p.end.has & LM_CL_HAS_RESIDUAL)
            r = lm_read(LM_AT_CONST(global float, gr, ores) + lm_spot(p.r, n, c, at), p.r[1], left);
        if (p.end.has & LM_CL_HAS_SLOPE)
            point = lm_read(LM_AT_CONST(global float, gp, opoint) + lm_spot(p.p, n, c, at), p.p[1], left);
        sum = lm_finish(&p.end, sum, bias, r, point);
        lm_write(LM_AT(global float, gy, oy) + lm_spot(p.y, n, c, at), p.y[1], left, sum);
    }
}
