/* Steps of optimisers, a parameter per work-item; the rate is a number in memory. Nothing is fused. */
#ifndef ADAM
kernel void sgd(const lm_cl_update p, global const float *w, ulong ow, global const float *g, ulong og,
                global const float *rate, ulong orate, global float *y, ulong oy)
{
    const long i = get_global_id(0);
    if (i >= p.n)
        return;
    const float old = LM_AT_CONST(global float, w, ow)[i], step = *LM_AT_CONST(global float, rate, orate);
    LM_AT(global float, y, oy)[i] = old - step * (LM_AT_CONST(global float, g, og)[i] + p.decay * old);
}

kernel void momentum(const lm_cl_update p, global const float *w, ulong ow, global const float *g, ulong og,
                     global const float *rate, ulong orate, global const float *v, ulong ov, global float *y, ulong oy,
                     global float *v_new, ulong on)
{
    const long i = get_global_id(0);
    if (i >= p.n)
        return;
    const float old = LM_AT_CONST(global float, w, ow)[i], step = *LM_AT_CONST(global float, rate, orate);
    const float slope = LM_AT_CONST(global float, g, og)[i] + p.decay * old;
    const float speed = p.momentum * LM_AT_CONST(global float, v, ov)[i] + slope;
    LM_AT(global float, y, oy)[i] = old - step * (p.nesterov ? slope + p.momentum * speed : speed);
    LM_AT(global float, v_new, on)[i] = speed;
}
#else
/* By squaring, as the cpu device does. */
LM_VEC double lm_power(double base, long n)
{
    double all = 1;
    for (; n > 0; n >>= 1, base *= base)
        all = n & 1 ? all * base : all;
    return all;
}

/* The rate of this step, by one work-item. */
kernel void adam_rate(const lm_cl_update p, global const float *rate, ulong orate, global const float *step,
                      ulong ostep, global float *now, ulong onow)
{
    const float r = *LM_AT_CONST(global float, rate, orate), t = *LM_AT_CONST(global float, step, ostep);
    float v = r;
    if (t > 0 && get_global_id(0) == 0) {
        const long n = t < 0x1p62f ? (long)t : 1L << 62;
        v = (float)((double)r * sqrt(1 - lm_power((double)p.beta2, n)) / (1 - lm_power((double)p.beta1, n)));
    }
    if (get_global_id(0) == 0)
        *LM_AT(global float, now, onow) = v;
}

kernel void adam(const lm_cl_update p, global const float *w, ulong ow, global const float *g, ulong og,
                 global const float *rate, ulong orate, global const float *m, ulong om, global const float *v,
                 ulong ov, global float *y, ulong oy, global float *m_new, ulong omn, global float *v_new, ulong ovn)
{
    const long i = get_global_id(0);
    if (i >= p.n)
        return;
    const float old = LM_AT_CONST(global float, w, ow)[i], step = *LM_AT_CONST(global float, rate, orate);
    const float slope = LM_AT_CONST(global float, g, og)[i] + p.decay * old;
    const float c1 = 1.0f - p.beta1, c2 = 1.0f - p.beta2;
    const float mean = p.beta1 * LM_AT_CONST(global float, m, om)[i] + c1 * slope;
    const float power = p.beta2 * LM_AT_CONST(global float, v, ov)[i] + c2 * slope * slope;
    LM_AT(global float, y, oy)[i] = old - step * mean / (sqrt(power) + p.epsilon);
    LM_AT(global float, m_new, omn)[i] = mean;
    LM_AT(global float, v_new, ovn)[i] = power;
}
#endif
