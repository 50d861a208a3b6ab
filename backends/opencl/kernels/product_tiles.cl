/* Products on GPUs: a group of 256 work-items makes a tile of BM rows and BN columns (64 or 128) through local memory,
 * DEPTH terms at a time; the next terms are fetched while these are used. A work-item has quads of 4 by 4 results.
 * ALONG: terms of a row are neighbours in memory. CHAINED: there are more terms than one chain takes. */
#define DEPTH 16
#define ITEMS 256
#define QM (BM / 64)
#define QN (BN / 64)
#define LOADS_A (BM * DEPTH / ITEMS)
#define LOADS_B (BN * DEPTH / ITEMS)
#define PANEL 64

/* Where the next terms are: up to DEPTH of one tap. */
typedef struct lm_walk {
    int z, v, u, c, n;
    long left; /* terms until the chain ends */
    bool cut;  /* it ended with the terms before these */
} lm_walk;

LM_VEC void lm_walk_here(const lm_cl_product *p, lm_walk *w)
{
    w->n = (int)min(min((long)DEPTH, p->channels - w->c), w->left);
}

/* False at the end. */
LM_VEC bool lm_walk_on(const lm_cl_product *p, lm_walk *w)
{
    w->cut = w->left == w->n;
    w->left = w->cut ? p->chain : w->left - w->n;
    w->c += w->n;
    if (w->c == p->channels) {
        w->c = 0;
        if (++w->u == p->tap_dim[2]) {
            w->u = 0;
            if (++w->v == p->tap_dim[1]) {
                w->v = 0;
                ++w->z;
                w->cut = w->cut || p->restart;
                w->left = p->restart ? p->chain : w->left;
            }
        }
    }
    if (w->z == p->tap_dim[0])
        return false;
    lm_walk_here(p, w);
    return true;
}

LM_VEC long lm_tap(const LM_LONG *step, const lm_walk *w)
{
    return w->z * step[0] + w->v * step[1] + w->u * step[2];
}

__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
kernel void product(const lm_cl_product p, global const float *ga, ulong oa, global const float *gb, ulong ob,
                    global const float *gbias, ulong obias, global const float *gr, ulong ores,
                    global const float *gp, ulong opoint, global float *gy, ulong oy)
{
    local float4 as[DEPTH][BM / 4 + 1], bs[DEPTH][BN / 4];
    const int id = get_local_id(0), tx = id % 16, ty = id / 16;
    const long part = get_global_id(1), wide = (p.columns + BN - 1) / BN;
    const long row0 = get_group_id(0) / wide * BM, column0 = get_group_id(0) % wide * BN;
    global const float *x = LM_AT_CONST(global float, ga, oa) + p.a0 + lm_place(p.part_dim, p.part_a, part);
    global const float *w = LM_AT_CONST(global float, gb, ob) + p.b0 + lm_place(p.part_dim, p.part_b, part);

    int a_at[LOADS_A];
    float fa[LOADS_A], fb[LOADS_B];
#if ALONG
    const int ak = id % DEPTH, ar = id / DEPTH, ar_step = ITEMS / DEPTH, ak_step = 0;
#else
    const int ak = id / BM, ar = id % BM, ar_step = 0, ak_step = ITEMS / BM;
#endif
#pragma unroll
    for (int i = 0; i < LOADS_A; i++) /* rows past the end repeat the last one and are not stored */
        a_at[i] = (int)lm_place(p.row_dim, p.row_a, min(row0 + ar + i * ar_step, p.rows - 1));
    const int bk = id / BN, bj = id % BN, bk_step = ITEMS / BN;
    const bool b_in = column0 + bj < p.columns;
    w += (column0 + bj) / PANEL * p.b_panel + bj % PANEL;

    float acc[4 * QM][4 * QN];
#if CHAINED
    float sum[4 * QM][4 * QN];
    bool many = false;
#endif
#pragma unroll
    for (int i = 0; i < 4 * QM; i++)
#pragma unroll
        for (int j = 0; j < 4 * QN; j++)
            acc[i][j] = 0.0f;

    lm_walk here = {0, 0, 0, 0, 0, p.chain, false};
    bool more = p.tap_dim[0] > 0 && p.tap_dim[1] > 0 && p.tap_dim[2] > 0 && p.channels > 0;
    if (more)
        lm_walk_here(&p, &here);
#define FETCH                                                                                                          \
    {                                                                                                                  \
        global const float *a = x + lm_tap(p.tap_a, &here) + here.c * p.a_step;                                        \
        global const float *b = w + lm_tap(p.tap_b, &here) + here.c * p.b_step;                                        \
        _Pragma("unroll") for (int i = 0; i < LOADS_A; i++)                                                            \
        {                                                                                                              \
            const int k = ak + i * ak_step;                                                                            \
            fa[i] = k < here.n ? a[a_at[i] + k * p.a_step] : 0.0f;                                                     \
        }                                                                                                              \
        _Pragma("unroll") for (int i = 0; i < LOADS_B; i++)                                                            \
        {                                                                                                              \
            const int k = bk + i * bk_step;                                                                            \
            fb[i] = b_in && k < here.n ? b[k * p.b_step] : 0.0f;                                                       \
        }                                                                                                              \
    }
    if (more)
        FETCH
    while (more) {
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int i = 0; i < LOADS_A; i++)
            ((local float *)as[ak + i * ak_step])[ar + i * ar_step] = fa[i];
#pragma unroll
        for (int i = 0; i < LOADS_B; i++)
            ((local float *)bs[bk + i * bk_step])[bj] = fb[i];
        barrier(CLK_LOCAL_MEM_FENCE);
        more = lm_walk_on(&p, &here);
        if (more)
            FETCH
#pragma unroll
        for (int k = 0; k < DEPTH; k++) {
            float a[4 * QM], b[4 * QN];
#pragma unroll
            for (int q = 0; q < QM; q++) {
                const float4 v = as[k][q * 16 + ty];
                a[4 * q] = v.x, a[4 * q + 1] = v.y, a[4 * q + 2] = v.z, a[4 * q + 3] = v.w;
            }
#pragma unroll
            for (int q = 0; q < QN; q++) {
                const float4 v = bs[k][q * 16 + tx];
                b[4 * q] = v.x, b[4 * q + 1] = v.y, b[4 * q + 2] = v.z, b[4 * q + 3] = v.w;
            }
#pragma unroll
            for (int i = 0; i < 4 * QM; i++)
#pragma unroll
                for (int j = 0; j < 4 * QN; j++)
                    acc[i][j] = fma(a[i], b[j], acc[i][j]);
        }
#if CHAINED
        if (here.cut || !more) {
#pragma unroll
            for (int i = 0; i < 4 * QM; i++)
#pragma unroll
                for (int j = 0; j < 4 * QN; j++) {
                    sum[i][j] = many ? sum[i][j] + acc[i][j] : acc[i][j];
                    acc[i][j] = more ? 0.0f : sum[i][j];
                }
            many = true;
        }
#endif
    }

    global float *y = LM_AT(global float, gy, oy) + p.y0 + lm_place(p.part_dim, p.part_y, part);
    gr = LM_AT_CONST(global float, gr, ores) + p.r0 + lm_place(p.part_dim, p.part_r, part);
    gp = LM_AT_CONST(global float, gp, opoint) + p.p0 + lm_place(p.part_dim, p.part_p, part);
    gbias = LM_AT_CONST(global float, gbias, obias) + lm_place(p.part_dim, p.part_bias, part);
#pragma unroll
    for (int i = 0; i < 4 * QM; i++) {
        const long row = row0 + i / 4 * 64 + ty * 4 + i % 4;
        if (row >= p.rows)
            continue;
        const long y_at = lm_place(p.row_dim, p.row_y, row);
        const long r_at = p.end.has & LM_CL_HAS_RESIDUAL ? lm_place(p.row_dim, p.row_r, row) : 0;
        const long p_at = p.end.has & LM_CL_HAS_SLOPE ? lm_place(p.row_dim, p.row_p, row) : 0;
#pragma unroll
        for (int j = 0; j < 4 * QN; j++) {
            const long column = column0 + j / 4 * 64 + tx * 4 + j % 4;
            if (column >= p.columns)
                continue;
            const float bias = p.end.has & LM_CL_HAS_BIAS ? gbias[column * p.bias_column] + 0.0f : 0.0f;
            const float r = p.end.has & LM_CL_HAS_RESIDUAL ? gr[r_at + column * p.r_column] : 0.0f;
            const float point = p.end.has & LM_CL_HAS_SLOPE ? gp[p_at + column * p.p_column] : 0.0f;
            y[y_at + column * p.y_column] = lm_finish(&p.end, acc[i][j], bias, r, point);
        }
    }
}
