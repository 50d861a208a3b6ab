/* Reductions, softmax, layer norm and their like. Sixteen lanes take the elements of a line in turn: on processors one
 * work-item with a vector of sixteen, elsewhere sixteen work-items; programs are built with LM_WIDTH 16 or 1. */
#define LANES 16

#if LM_WIDTH == 16
#define LANE 0
LM_VEC lm_vi16 lm_first(long left)
{
    const int16 number = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return number < (int16)((int)min(left, 16L));
}
LM_VEC lm_v16 lm_fetch(global const float *x, long i, long step, long left)
{
    float part[LANES];
    if (step == 1 && left >= LANES)
        return vload16(0, x + i);
    for (int j = 0; j < LANES; j++)
        part[j] = j < left ? x[(i + j) * step] : 0.0f;
    return vload16(0, part);
}
LM_VEC void lm_put(global float *y, long i, long step, long left, lm_v16 v)
{
    float part[LANES];
    if (step == 1 && left >= LANES) {
        vstore16(v, 0, y + i);
        return;
    }
    vstore16(v, 0, part);
    for (int j = 0; j < LANES && j < left; j++)
        y[(i + j) * step] = part[j];
}
#define FOLD(name, op)                                                                                                 \
    LM_VEC float name(lm_v16 v, local float *space)                                                                    \
    {                                                                                                                  \
        float l[LANES];                                                                                                \
        vstore16(v, 0, l);                                                                                             \
        for (int half_ = LANES / 2; half_ > 0; half_ /= 2)                                                             \
            for (int j = 0; j < half_; j++) {                                                                          \
                const float a = l[j], b = l[j + half_];                                                                \
                l[j] = op;                                                                                             \
            }                                                                                                          \
        return l[0];                                                                                                   \
    }
LM_VEC float lm_one(lm_v16 v) { return v.s0; }
#else
#define LANE ((int)get_local_id(0) % LANES)
LM_VEC int lm_first(long left) { return LANE < left; }
LM_VEC float lm_fetch(global const float *x, long i, long step, long left)
{
    return LANE < left ? x[(i + LANE) * step] : 0.0f;
}
LM_VEC void lm_put(global float *y, long i, long step, long left, float v)
{
    if (LANE < left)
        y[(i + LANE) * step] = v;
}
#define FOLD(name, op)                                                                                                 \
    LM_VEC float name(float v, local float *space)                                                                     \
    {                                                                                                                  \
        local float *l = space + get_local_id(0) / LANES * LANES;                                                      \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
        l[LANE] = v;                                                                                                   \
        for (int half_ = LANES / 2; half_ > 0; half_ /= 2) {                                                           \
            barrier(CLK_LOCAL_MEM_FENCE);                                                                              \
            if (LANE < half_) {                                                                                        \
                const float a = l[LANE], b = l[LANE + half_];                                                          \
                l[LANE] = op;                                                                                          \
            }                                                                                                          \
        }                                                                                                              \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
        return l[0];                                                                                                   \
    }
LM_VEC float lm_one(float v) { return v; }
#endif

/* Of two floats, as the vectors' forms do. */
LM_VEC float lm_max_one(float x, float y)
{
    float m = x < y ? y : x;
    m = x == y ? as_float(as_int(x) & as_int(y)) : m;
    return y != y ? y : m;
}
LM_VEC float lm_min_one(float x, float y)
{
    float m = y < x ? y : x;
    m = x == y ? as_float(as_int(x) | as_int(y)) : m;
    return y != y ? y : m;
}
FOLD(lm_fold_add, a + b)
FOLD(lm_fold_mul, a *b)
FOLD(lm_fold_max, lm_max_one(a, b))
FOLD(lm_fold_min, lm_min_one(a, b))
FOLD(lm_fold_greater, a > b ? a : b)

/* The line of this work-item; past the end the last one, whose results are not stored. */
#define LINE_BEGIN                                                                                                     \
    local float space[256];                                                                                            \
    const long number = LM_WIDTH == 16 ? get_global_id(0) : get_global_id(0) / LANES;                                  \
    const bool mine = number < p.lines;                                                                                \
    long rest = mine ? number : p.lines - 1, at_a = 0, at_b = 0, at_y = 0;                                             \
    for (int d = p.rank - 1; d >= 0; d--) {                                                                            \
        const long i = rest % p.dim[d];                                                                                \
        rest /= p.dim[d];                                                                                              \
        at_a += i * p.a[d], at_b += i * p.b[d], at_y += i * p.y[d];                                                    \
    }

LM_VEC lm_v16 lm_neutral(int kind)
{
    return lm_v_set(kind == LM_CL_MAX ? -INFINITY : kind == LM_CL_MIN ? INFINITY : kind == LM_CL_PROD ? 1.0f : 0.0f);
}

LM_VEC lm_v16 lm_enter(int kind, lm_v16 lane, lm_v16 x, lm_v16 shift)
{
    switch (kind) {
    case LM_CL_ABS: return lane + lm_v_abs(x);
    case LM_CL_SQUARE: return fma(x, x, lane);
    case LM_CL_PROD: return lane * x;
    case LM_CL_MAX: return lm_v_max(lane, x);
    case LM_CL_MIN: return lm_v_min(lane, x);
    case LM_CL_EXP: return lane + lm_v_exp(x - shift);
    default: return lane + x;
    }
}

LM_VEC float lm_fold(int kind, lm_v16 lane, local float *space)
{
    switch (kind) {
    case LM_CL_PROD: return lm_fold_mul(lane, space);
    case LM_CL_MAX: return lm_fold_max(lane, space);
    case LM_CL_MIN: return lm_fold_min(lane, space);
    default: return lm_fold_add(lane, space);
    }
}

/* Sixteen elements of a line whose elements have several digits. */
LM_VEC lm_v16 lm_fetch_far(const lm_cl_lines *p, global const float *x, long i, long left)
{
    if (p->red_dim[0] == 1 && p->red_dim[1] == 1 && p->red_dim[2] == 1)
        return lm_fetch(x, i, p->red_a[3], left);
#if LM_WIDTH == 16
    float part[LANES];
    for (int j = 0; j < LANES; j++)
        part[j] = j < left ? x[lm_place(p->red_dim, p->red_a, i + j)] : 0.0f;
    return vload16(0, part);
#else
    return LANE < left ? x[lm_place(p->red_dim, p->red_a, i + LANE)] : 0.0f;
#endif
}

LM_VEC float lm_reduce_line(const lm_cl_lines *p, global const float *x, float shift_of_all, int kind,
                            local float *space)
{
    const lm_v16 shift = lm_v_set(shift_of_all);
    float all = 0.0f;
    for (long begin = 0; begin < p->n || begin == 0; begin += p->chunk) {
        const long end = min(begin + p->chunk, p->n);
        lm_v16 lane = lm_neutral(kind);
        for (long i = begin; i < end; i += LANES) {
            const lm_v16 next = lm_enter(kind, lane, lm_fetch_far(p, x, i, end - i), shift);
            lane = lm_first(end - i) ? next : lane;
        }
        const float part = lm_fold(kind, lane, space);
        if (begin == 0)
            all = part;
        else
            all = kind == LM_CL_PROD ? all * part : kind == LM_CL_MAX ? lm_max_one(all, part)
                : kind == LM_CL_MIN ? lm_min_one(all, part) : all + part;
        if (p->chunk == 0)
            break;
    }
    return all;
}

kernel void reduce(const lm_cl_lines p, global const float *ga, ulong oa, global float *gy, ulong oy)
{
    LINE_BEGIN
    global const float *x = LM_AT_CONST(global float, ga, oa) + at_a;
    float shift = 0.0f;
    if (p.kind == LM_CL_EXP) {
        shift = lm_reduce_line(&p, x, 0.0f, LM_CL_MAX, space);
        shift = isinf(shift) ? 0.0f : shift;
    }
    float v = lm_reduce_line(&p, x, shift, p.kind, space);
    if (p.finish == LM_CL_MEAN)
        v = v / (float)p.n;
    else if (p.finish == LM_CL_ROOT)
        v = sqrt(v);
    else if (p.finish == LM_CL_LOG)
        v = lm_one(lm_v_log(lm_v_set(v)));
    else if (p.finish == LM_CL_LOG_SHIFT)
        v = lm_one(lm_v_log(lm_v_set(v))) + shift;
    if (mine && LANE == 0)
        LM_AT(global float, gy, oy)[at_y] = v;
}

kernel void softmax(const lm_cl_lines p, global const float *ga, ulong oa, global float *gy, ulong oy)
{
    LINE_BEGIN
    global const float *x = LM_AT_CONST(global float, ga, oa) + at_a;
    global float *y = LM_AT(global float, gy, oy) + at_y;
    lm_v16 best = lm_v_set(-INFINITY);
    for (long i = 0; i < p.n; i += LANES) {
        const lm_v16 v = lm_v_greater(lm_fetch(x, i, p.a_step, p.n - i), best);
        best = lm_first(p.n - i) ? v : best;
    }
    const lm_v16 top = lm_v_set(lm_fold_greater(best, space));
    float sum = 0.0f;
    for (long begin = 0; begin < p.n; begin += p.chunk) {
        const long end = min(begin + p.chunk, p.n);
        lm_v16 lane = lm_v_zero();
        for (long i = begin; i < end; i += LANES) {
            const lm_v16 e = lm_v_exp_weight(lm_fetch(x, i, p.a_step, end - i) - top);
            lane = lm_first(end - i) ? lane + e : lane;
            if (!p.log && mine)
                lm_put(y, i, p.y_step, end - i, e);
        }
        sum += lm_fold_add(lane, space);
    }
    const lm_v16 scale = p.log ? lm_v_log(lm_v_set(sum)) : lm_v_set(1.0f / sum);
    for (long i = 0; i < p.n && mine; i += LANES) {
        const lm_v16 v = p.log ? lm_fetch(x, i, p.a_step, p.n - i) - top - scale
                               : lm_fetch(y, i, p.y_step, p.n - i) * scale;
        lm_put(y, i, p.y_step, p.n - i, v);
    }
}

/* softmax: p (s - sum s p); logarithm: s - exp(p) sum s */
kernel void softmax_dx(const lm_cl_lines p, global const float *ga, ulong oa, global const float *gb, ulong ob,
                       global float *gy, ulong oy)
{
    LINE_BEGIN
    global const float *s = LM_AT_CONST(global float, ga, oa) + at_a, *f = LM_AT_CONST(global float, gb, ob) + at_b;
    global float *y = LM_AT(global float, gy, oy) + at_y;
    float total = 0.0f;
    for (long begin = 0; begin < p.n; begin += p.chunk) {
        const long end = min(begin + p.chunk, p.n);
        lm_v16 lane = lm_v_zero();
        for (long i = begin; i < end; i += LANES) {
            const lm_v16 a = lm_fetch(s, i, p.a_step, end - i);
            const lm_v16 v = p.log ? a : a * lm_fetch(f, i, p.b_step, end - i);
            lane = lm_first(end - i) ? lane + v : lane;
        }
        total += lm_fold_add(lane, space);
    }
    const lm_v16 sum = lm_v_set(total);
    for (long i = 0; i < p.n && mine; i += LANES) {
        const lm_v16 a = lm_fetch(s, i, p.a_step, p.n - i), b = lm_fetch(f, i, p.b_step, p.n - i);
        lm_put(y, i, p.y_step, p.n - i, p.log ? lm_v_fnma(lm_v_exp(b), sum, a) : b * (a - sum));
    }
}

LM_VEC float lm_mean_of(const lm_cl_lines *p, global const float *x, float mean, bool square, local float *space)
{
    const lm_v16 m = lm_v_set(mean);
    float all = 0.0f;
    for (long begin = 0; begin < p->n; begin += p->chunk) {
        const long end = min(begin + p->chunk, p->n);
        lm_v16 lane = lm_v_zero();
        for (long i = begin; i < end; i += LANES) {
            const lm_v16 v = lm_fetch(x, i, 1, end - i) - m;
            lane = lm_first(end - i) ? lane + (square ? v * v : v) : lane;
        }
        all += lm_fold_add(lane, space);
    }
    return all / (float)p->n;
}

/* Layer norm, and with RMS the form that does not centre. */
kernel void layernorm(const lm_cl_lines p, global const float *ga, ulong oa, global const float *gscale, ulong oscale,
                      global const float *gbias, ulong obias, global float *gy, ulong oy,
                      global float *gmean, ulong omean, global float *ginverse, ulong oinverse)
{
    LINE_BEGIN
    global const float *x = LM_AT_CONST(global float, ga, oa) + at_a;
    global const float *scale = LM_AT_CONST(global float, gscale, oscale);
    global const float *bias = LM_AT_CONST(global float, gbias, obias);
    global float *y = LM_AT(global float, gy, oy) + at_y;
    const float mean = p.kind ? 0.0f : lm_mean_of(&p, x, 0.0f, false, space);
    const float inverse = 1.0f / sqrt(lm_mean_of(&p, x, mean, true, space) + p.epsilon);
    const lm_v16 m = lm_v_set(mean), k = lm_v_set(inverse);
    for (long i = 0; i < p.n && mine; i += LANES) {
        const long left = p.n - i;
        lm_v16 v = (lm_fetch(x, i, 1, left) - m) * k;
        if (p.has & 1)
            v = v * lm_fetch(scale, i, 1, left);
        if (p.has & 2)
            v = v + lm_fetch(bias, i, 1, left);
        lm_put(y, i, 1, left, v);
    }
    if (mine && LANE == 0 && p.means)
        LM_AT(global float, gmean, omean)[number] = mean;
    if (mine && LANE == 0 && p.inverses)
        LM_AT(global float, ginverse, oinverse)[number] = inverse;
}
