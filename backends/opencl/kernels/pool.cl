/* Max, average and Lp pooling and gradients: a pixel of the result and SPAN channels per work-item. HOW says what
 * becomes of a window, as numbered in drv_pool.c. */
#define AVERAGE (HOW == 1)

LM_VEC lm_v16 lm_step(lm_v16 sum, lm_v16 x, float p)
{
#if HOW == 0
    return lm_v_max(sum, x);
#elif HOW == 1
    return sum + x;
#elif HOW == 2
    return sum + lm_v_abs(x);
#elif HOW == 3
    return sum + x * x;
#else
    return sum + lm_v_pow_abs(lm_v_abs(x), lm_v_set(p));
#endif
}

LM_VEC lm_v16 lm_root(lm_v16 sum, float p)
{
#if HOW == 3
    return lm_v_sqrt(sum);
#elif HOW == 4
    return lm_v_pow_abs(sum, lm_v_set(1.0f / p));
#else
    return sum;
#endif
}

/* Sample, first channel and place of this work-item among `size` pixels. */
#define PLACE(size)                                                                                                    \
    long rest = get_global_id(0), at[3];                                                                               \
    if (rest >= p.units)                                                                                               \
        return;                                                                                                        \
    const long head = rest % p.blocks * SPAN;                                                                          \
    rest /= p.blocks;                                                                                                  \
    for (int d = 2; d >= 0; d--) {                                                                                     \
        at[d] = rest % size[d];                                                                                        \
        rest /= size[d];                                                                                               \
    }                                                                                                                  \
    const long n = rest;

#define EACH_CHANNEL for (long c = head, left = p.c - c; c < head + SPAN && left > 0; c += LM_WIDTH, left -= LM_WIDTH)

/* Taps [first, end) of window o along an axis lie in the image. */
LM_VEC void lm_taps(const lm_cl_pool *p, int d, long o, long *first, long *end)
{
    const long start = o * p->stride[d] - p->pad[d], gap = p->dilation[d];
    *first = start >= 0 ? 0 : min((-start + gap - 1) / gap, p->kernel_[d]);
    const long room = p->in[d] - 1 - start;
    *end = clamp(room < 0 ? 0 : room / gap + 1, *first, p->kernel_[d]);
}

/* What the average of a window divides by. */
LM_VEC float lm_divisor(const lm_cl_pool *p, const long *o)
{
    float count = 1.0f; /* exact: kernels are small */
    for (int d = 0; d < 3; d++) {
        long first, end;
        lm_taps(p, d, o[d], &first, &end);
        if (p->count_pad) {
            const long room = p->in[d] + p->pad_hi[d] - 1 - (o[d] * p->stride[d] - p->pad[d]);
            first = 0;
            end = clamp(room < 0 ? 0 : room / p->dilation[d] + 1, 0L, p->kernel_[d]);
        }
        count *= end - first;
    }
    return count > 0 ? (float)count : 1.0f;
}

/* An element's number in its plane. */
LM_VEC long lm_number(const lm_cl_pool *p, const long *i)
{
    return p->column_major ? (i[2] * p->in[1] + i[1]) * p->in[0] + i[0] : (i[0] * p->in[1] + i[1]) * p->in[2] + i[2];
}

kernel void pool(const lm_cl_pool p, global const float *gx, ulong ox, global float *gy, ulong oy, global long *gi,
                 ulong oi)
{
    PLACE(p.out)
    long first[3], end[3];
    for (int d = 0; d < 3; d++)
        lm_taps(&p, d, at[d], &first[d], &end[d]);
    global const float *x = LM_AT_CONST(global float, gx, ox);
    EACH_CHANNEL {
        lm_v16 sum = lm_v_set(HOW ? 0.0f : -INFINITY);
#if PLACES
        long best = -1;
        float most = 0.0f;
#endif
        for (long z = first[0]; z < end[0]; z++)
            for (long v = first[1]; v < end[1]; v++)
                for (long u = first[2]; u < end[2]; u++) {
                    const long i[3] = {at[0] * p.stride[0] - p.pad[0] + z * p.dilation[0],
                                       at[1] * p.stride[1] - p.pad[1] + v * p.dilation[1],
                                       at[2] * p.stride[2] - p.pad[2] + u * p.dilation[2]};
                    const lm_v16 t = lm_read(x + lm_spot(p.image, n, c, i), p.image[1], left);
                    sum = lm_step(sum, t, p.power);
#if PLACES
                    if (best < 0 || t > most || (t != t && most == most)) {
                        most = t;
                        best = lm_number(&p, i);
                    }
#endif
                }
        if (AVERAGE)
            sum = sum / lm_divisor(&p, at);
        lm_write(LM_AT(global float, gy, oy) + lm_spot(p.pooled, n, c, at), p.pooled[1], left,
                 lm_root(sum, p.power));
#if PLACES
        LM_AT(global long, gi, oi)[lm_spot(p.index, n, c, at)] =
            best < 0 ? -1 : (n * p.c + c) * p.in[0] * p.in[1] * p.in[2] + best;
#endif
    }
}

/* Windows [lo, hi) may touch element i along an axis. */
LM_VEC void lm_touching(const lm_cl_pool *p, int d, long i, long *lo, long *hi)
{
    const long at = i + p->pad[d], reach = at - (p->kernel_[d] - 1) * p->dilation[d];
    *lo = reach <= 0 ? 0 : (reach + p->stride[d] - 1) / p->stride[d];
    *hi = min(at / p->stride[d] + 1, p->out[d]);
}

LM_VEC bool lm_touches(const lm_cl_pool *p, int d, long i, long o)
{
    return p->dilation[d] == 1 || (i + p->pad[d] - o * p->stride[d]) % p->dilation[d] == 0;
}

/* An element of the image adds up the signals of its windows in their order; with PLACES those whose index names it. */
kernel void pool_dx(const lm_cl_pool p, global const float *gs, ulong os, global const long *gi, ulong oi,
                    global float *gy, ulong oy)
{
    PLACE(p.in)
    long lo[3], hi[3];
    for (int d = 0; d < 3; d++)
        lm_touching(&p, d, at[d], &lo[d], &hi[d]);
    global const float *s = LM_AT_CONST(global float, gs, os);
    EACH_CHANNEL {
        lm_v16 sum = lm_v_zero();
#if PLACES
        const long name = (n * p.c + c) * p.in[0] * p.in[1] * p.in[2] + lm_number(&p, at);
#endif
        for (long z = lo[0]; z < hi[0]; z++) {
            if (!lm_touches(&p, 0, at[0], z))
                continue;
            for (long v = lo[1]; v < hi[1]; v++) {
                if (!lm_touches(&p, 1, at[1], v))
                    continue;
                for (long u = lo[2]; u < hi[2]; u++) {
                    if (!lm_touches(&p, 2, at[2], u))
                        continue;
                    const long o[3] = {z, v, u};
#if PLACES
                    if (LM_AT_CONST(global long, gi, oi)[lm_spot(p.index, n, c, o)] == name)
                        sum = sum + s[lm_spot(p.pooled, n, c, o)];
#else
                    sum = sum + lm_read(s + lm_spot(p.pooled, n, c, o), p.pooled[1], left) / lm_divisor(&p, o);
#endif
                }
            }
        }
        lm_write(LM_AT(global float, gy, oy) + lm_spot(p.image, n, c, at), p.image[1], left, sum);
    }
}

#if PLACES
/* Indices that no pooling made point out of their windows, where nobody looks for them. */
kernel void pool_dx_check(const lm_cl_pool p, global const long *gi, ulong oi, global int *flag)
{
    PLACE(p.out)
    const long size = p.in[0] * p.in[1] * p.in[2];
    EACH_CHANNEL {
        const long name = LM_AT_CONST(global long, gi, oi)[lm_spot(p.index, n, c, at)];
        long place = name - (n * p.c + c) * size;
        bool good = place >= 0 && place < size;
        for (int k = 0; k < 3; k++) {
            const int d = p.column_major ? k : 2 - k;
            long first, end;
            lm_taps(&p, d, at[d], &first, &end);
            const long tap = place % p.in[d] - (at[d] * p.stride[d] - p.pad[d]);
            good = good && tap % p.dilation[d] == 0 && tap >= first * p.dilation[d] && tap < end * p.dilation[d];
            place /= p.in[d];
        }
        if (name != -1 && !good)
            lm_raise(flag, p.op, name, (int)min(p.n * p.c * size, 0x7fffffffL));
    }
}
#endif
