/* Ops whose results' size hangs on values; the plan's size came from them, and other values are told. Bits of type T. */
#ifdef NONZERO
#define START                                                                                                          \
    const long part = get_global_id(0), begin = part * p.part, end = min(begin + p.part, p.count);                     \
    if (part >= p.parts)                                                                                               \
        return;

LM_VEC bool lm_is_set(const lm_cl_values *p, global const T *x, long number)
{
    long at = 0;
    for (int d = p->rank - 1; d >= 0; d--) {
        at += number % p->dim[d] * p->x[d];
        number /= p->dim[d];
    }
    return (x[at] & (T)p->mask) != 0;
}

/* How many elements of each part count; then, by one work-item, how many do before it; then where they are. */
kernel void nonzero_count(const lm_cl_values p, global const T *gx, ulong ox, global long *gfirst, ulong ofirst)
{
    START
    long n = 0;
    for (long i = begin; i < end; i++)
        n += lm_is_set(&p, LM_AT_CONST(global T, gx, ox), i);
    LM_AT(global long, gfirst, ofirst)[part] = n;
}

kernel void nonzero_join(const lm_cl_values p, global long *gfirst, ulong ofirst, global int *flag)
{
    global long *first = LM_AT(global long, gfirst, ofirst);
    long sum = 0;
    if (get_global_id(0) > 0)
        return;
    for (long i = 0; i < p.parts; i++) {
        const long n = first[i];
        first[i] = sum;
        sum += n;
    }
    if (sum != p.found)
        lm_raise(flag, p.op, sum, (int)p.found);
}

kernel void nonzero_place(const lm_cl_values p, global const T *gx, ulong ox, global const long *gfirst, ulong ofirst,
                          global long *gy, ulong oy)
{
    START
    global long *y = LM_AT(global long, gy, oy);
    long to = LM_AT_CONST(global long, gfirst, ofirst)[part];
    for (long i = begin; i < end && to < p.found; i++) {
        if (!lm_is_set(&p, LM_AT_CONST(global T, gx, ox), i))
            continue;
        long rest = i;
        for (int d = p.rank - 1; d >= 0; d--) {
            y[d * p.y_axis + to * p.y_step] = rest % p.dim[d];
            rest /= p.dim[d];
        }
        to++;
    }
}
#else
/* start + i * delta: floats in double, rounded once; integers wrap. */
kernel void range(const lm_cl_values p, global const T *gs, ulong os, global const T *gl, ulong ol, global const T *gd,
                  ulong od, global T *gy, ulong oy, global int *flag)
{
    const long i = get_global_id(0);
    const T start = *LM_AT_CONST(global T, gs, os), limit = *LM_AT_CONST(global T, gl, ol);
    const T delta = *LM_AT_CONST(global T, gd, od);
#if REAL
    const double steps = ceil(((double)limit - (double)start) / (double)delta);
    const long n = steps > 0 ? steps < 0x1p62 ? (long)steps : 1L << 62 : 0;
    const T v = (T)((double)start + (double)i * (double)delta);
#else
    const bool up = delta > 0;
    const ulong far = up ? (ulong)limit - (ulong)start : (ulong)start - (ulong)limit;
    const ulong step = up ? (ulong)delta : 0 - (ulong)delta;
    const long n = up == (limit > start) && limit != start && step ? (long)((far - 1) / step + 1) : 0;
    const T v = (T)((ulong)start + (ulong)i * (ulong)delta);
#endif
    if (i == 0 && n != p.count)
        lm_raise(flag, p.op, n, (int)p.count);
    if (i < p.count)
        LM_AT(global T, gy, oy)[i * p.y_step] = v;
}
#endif
