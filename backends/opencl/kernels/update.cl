/* Steps of optimisers, a parameter per work-item; the rate is a number in memory. Nothing is fused. */
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
