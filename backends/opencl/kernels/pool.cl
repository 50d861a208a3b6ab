/* Max, average and Lp pooling and gradients: a run of pixels of the result's last axis and SPAN channels per
 * work-item. HOW says what becomes of a window, as numbered in drv_pool.c. With PLACES there are indices. */
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

/* Sample, first channel, first place and end of the run of this work-item among `size` pixels. */
#define PLACE(size)                                                                                                    \
    long rest = get_global_id(0), at[3];                                                                               \
    if (rest >= p.units)                                                                                               \
        return;                                                                                                        \
    const long head = rest % p.blocks * SPAN, runs = (size[2] + p.run - 1) / p.run;                                    \
    rest /= p.blocks;                                                                                                  \
    at[2] = rest % runs * p.run;                                                                                       \
    const long past = min(at[2] + p.run, size[2]);                                                                     \
    rest /= runs;                                                                                                      \
    at[1] = rest % size[1];                                                                                            \
    rest /= size[1];                                                                                                   \
    at[0] = rest % size[0];                                                                                            \
    const long n = rest / size[0];

#define EACH_PIXEL for (; at[2] < past; at[2]++)
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

/* Where tap `tap` of window o lies, in the image and in its plane. */
LM_VEC void lm_tap(const lm_cl_pool *p, const long *o, const long *tap, long *i)
{
    for (int d = 0; d < 3; d++)
        i[d] = o[d] * p->stride[d] - p->pad[d] + tap[d] * p->dilation[d];
}

LM_VEC long lm_number(const lm_cl_pool *p, const long *i)
{
    return i[0] * p->place[0] + i[1] * p->place[1] + i[2] * p->place[2];
}

#define EACH_TAP                                                                                                       \
    for (long tap[3] = {first[0]}; tap[0] < end[0]; tap[0]++)                                                          \
        for (tap[1] = first[1]; tap[1] < end[1]; tap[1]++)                                                             \
            for (tap[2] = first[2]; tap[2] < end[2]; tap[2]++)

#if PLACES
#if LM_WIDTH == 1
typedef long lm_names;
#else
typedef LM_CAT(long, LM_WIDTH) lm_names;
#endif

/* What the first element of the plane of this channel and the next ones is called. */
LM_VEC lm_names lm_planes(const lm_cl_pool *p, long n, long c)
{
    long part[LM_WIDTH];
    for (int j = 0; j < LM_WIDTH; j++)
        part[j] = (n * p->c + c + j) * p->in[0] * p->in[1] * p->in[2];
    return LM_LOADV(part);
}

LM_VEC lm_names lm_names_read(global const long *i, long step, long left)
{
    long part[LM_WIDTH];
    if (step == 1 && left >= LM_WIDTH)
        return LM_LOADV(i);
    for (int j = 0; j < LM_WIDTH; j++)
        part[j] = j < left ? i[j * step] : -1;
    return LM_LOADV(part);
}

LM_VEC void lm_names_write(global long *i, long step, long left, lm_names v)
{
    long part[LM_WIDTH];
    if (step == 1 && left >= LM_WIDTH) {
        LM_STOREV(v, i);
        return;
    }
    LM_STOREV(v, part);
    for (int j = 0; j < LM_WIDTH && j < left; j++)
        i[j * step] = part[j];
}
#endif

kernel void pool(const lm_cl_pool p, global const float *gx, ulong ox, global float *gy, ulong oy, global long *gi,
                 ulong oi)
{
    PLACE(p.out)
    long first[3], end[3];
    for (int d = 0; d < 2; d++)
        lm_taps(&p, d, at[d], &first[d], &end[d]);
    global const float *x = LM_AT_CONST(global float, gx, ox);
    EACH_PIXEL {
        lm_taps(&p, 2, at[2], &first[2], &end[2]);
        const float divisor = AVERAGE ? lm_divisor(&p, at) : 1.0f;
        EACH_CHANNEL {
            lm_v16 sum = lm_v_set(HOW ? 0.0f : -INFINITY);
#if PLACES
            lm_vi16 best = lm_i_set(-1);
            lm_v16 most = lm_v_zero();
#endif
            EACH_TAP {
                long i[3];
                lm_tap(&p, at, tap, i);
                const lm_v16 t = lm_read(x + lm_spot(p.image, n, c, i), p.image[1], left);
                sum = lm_step(sum, t, p.power);
#if PLACES
                const lm_vi16 take = (best < 0) | (t > most) | ((t != t) & (most == most));
                most = take ? t : most;
                best = take ? lm_i_set((int)lm_number(&p, i)) : best;
#endif
            }
            if (AVERAGE)
                sum = sum / divisor;
            lm_write(LM_AT(global float, gy, oy) + lm_spot(p.pooled, n, c, at), p.pooled[1], left,
                     lm_root(sum, p.power));
#if PLACES
            const lm_names place = LM_TO(long, best);
            lm_names_write(LM_AT(global long, gi, oi) + lm_spot(p.index, n, c, at), p.index[1], left,
                           place < 0 ? place : place + lm_planes(&p, n, c));
#endif
        }
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
    for (int d = 0; d < 2; d++)
        lm_touching(&p, d, at[d], &lo[d], &hi[d]);
    global const float *s = LM_AT_CONST(global float, gs, os);
    EACH_PIXEL {
        lm_touching(&p, 2, at[2], &lo[2], &hi[2]);
        EACH_CHANNEL {
            lm_v16 sum = lm_v_zero();
#if PLACES
            const lm_names name = lm_planes(&p, n, c) + lm_number(&p, at);
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
                        const lm_v16 t = lm_read(s + lm_spot(p.pooled, n, c, o), p.pooled[1], left);
#if PLACES
                        const lm_names its = lm_names_read(
                            LM_AT_CONST(global long, gi, oi) + lm_spot(p.index, n, c, o), p.index[1], left);
                        sum = sum + (LM_TO(int, its == name) ? t : lm_v_zero());
#else
                        sum = sum + t / lm_divisor(&p, o);
#endif
                    }
                }
            }
            lm_write(LM_AT(global float, gy, oy) + lm_spot(p.image, n, c, at), p.image[1], left, sum);
        }
    }
}

#if PLACES
/* Indices that no pooling made point out of their windows, where nobody looks for them. */
kernel void pool_dx_check(const lm_cl_pool p, global const long *gi, ulong oi, global int *flag)
{
    PLACE(p.out)
    long first[3], end[3];
    for (int d = 0; d < 2; d++)
        lm_taps(&p, d, at[d], &first[d], &end[d]);
    EACH_PIXEL {
        lm_taps(&p, 2, at[2], &first[2], &end[2]);
        EACH_CHANNEL {
            const lm_names name =
                lm_names_read(LM_AT_CONST(global long, gi, oi) + lm_spot(p.index, n, c, at), p.index[1], left);
            const lm_names place = name - lm_planes(&p, n, c);
            lm_names bad = name != -1;
            EACH_TAP {
                long i[3];
                lm_tap(&p, at, tap, i);
                bad = bad & (place != lm_number(&p, i));
            }
            if (!lm_m_any(bad))
                continue;
            long part[LM_WIDTH], worst = -1;
            LM_STOREV(bad ? name : (lm_names)(-1), part);
            for (int j = 0; j < LM_WIDTH; j++)
                worst = worst == -1 ? part[j] : worst;
            lm_raise(flag, p.op, worst, (int)min(p.n * p.c * p.in[0] * p.in[1] * p.in[2], 0x7fffffffL));
        }
    }
}
#endif
