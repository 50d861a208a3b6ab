/* What the kernels of products share: what follows the sum. ACT and SLOPE, names of
 * ops, say what functions there are. */

/* From the sums to what is stored. */
LM_VEC lm_v16 lm_finish(const lm_cl_end *p, lm_v16 v, lm_v16 bias, lm_v16 r, lm_v16 point)
{
    v = v + bias;
    v = p->has & LM_CL_HAS_RESIDUAL ? v + r : v;
#ifdef ACT
    v = LM_CAT(fn_, ACT)(v, lm_v_set(p->act_a), lm_v_set(p->act_b));
#else
    v = p->has & LM_CL_HAS_RELU ? lm_v_relu(v) : v;
#endif
#ifdef SLOPE
    v = LM_CAT(dx_, SLOPE)(v, point, lm_v_set(p->slope_a), lm_v_set(p->slope_b));
#endif
    return v;
}
