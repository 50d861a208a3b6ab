/* Products on processors: a work-item makes a block of tiles, each of MR rows and two vectors of columns, chain by
 * chain: one chain of all its tiles at a time, so that the operands' part of it stays in near caches. The sums of a
 * chain live in registers; terms of a row are read one by one where they lie, those of b as vectors of a panel. With
 * ACROSS, rows are neighbours in memory and terms a step apart. */
#define NR (2 * LM_LANES)

/* What is done for each row, written out: compilers keep named sums in registers, arrays of them in memory. */
#define ROWS_1(X) X(0)
#define ROWS_3(X) ROWS_1(X) X(1) X(2)
#define ROWS_4(X) ROWS_3(X) X(3)
#define ROWS_6(X) ROWS_4(X) X(4) X(5)
#define ROWS_7(X) ROWS_6(X) X(6)
#define ROWS_10(X) ROWS_7(X) X(7) X(8) X(9)
#define ROWS_12(X) ROWS_10(X) X(10) X(11)
#define ROWS_14(X) ROWS_12(X) X(12) X(13)
#define ROWS LM_CAT(ROWS_, MR)
#if ACROSS
#define ROW(i) a0[off + i]
#else
#define ROW(i) a##i[off]
#endif
#define BEGIN(i)                                                                                                       \
    global const float *a##i = x + a_at[i];                                                                            \
    lm_v16 c##i = lm_v_zero(), d##i = lm_v_zero();
#define STEP(i)                                                                                                        \
    s = (lm_v16)(ROW(i));                                                                                              \
    c##i = fma(s, b0, c##i);                                                                                           \
    d##i = fma(s, b1, d##i);
#define TERM                                                                                                           \
    {                                                                                                                  \
        lm_v16 b0 = LM_LOADV(b), b1 = LM_LOADV(b + LM_LANES), s;                                                       \
        ROWS(STEP)                                                                                                     \
    }
#define FIRST(i) sum[2 * i] = c##i, sum[2 * i + 1] = d##i;
#define ADD(i) sum[2 * i] += c##i, sum[2 * i + 1] += d##i;

/* The term that is next. */
typedef struct lm_walk {
    long z, v, u, c;
} lm_walk;

/* One chain of one tile: from its first term to its last, added to `sum` unless it is the first. */
LM_VEC lm_walk lm_chain(const lm_cl_product *p, lm_walk w, global const float *x, const long *a_at,
                        global const float *panel, bool first, lm_v16 *sum)
{
    long left = p->chain;
    ROWS(BEGIN)
    while (left > 0 && w.z < p->tap_dim[0]) {
        long n = min(p->channels - w.c, left);
        long off = w.z * p->tap_a[0] + w.v * p->tap_a[1] + w.u * p->tap_a[2] + w.c * p->a_step;
        global const float *b = panel + w.z * p->tap_b[0] + w.v * p->tap_b[1] + w.u * p->tap_b[2] + w.c * p->b_step;
        w.c += n;
        left -= n;
#if ACROSS
        for (; n > 0; n--, off += p->a_step, b += p->b_step)
            TERM
#else
        for (; n >= 4; n -= 4) {
            TERM off++, b += NR;
            TERM off++, b += NR;
            TERM off++, b += NR;
            TERM off++, b += NR;
        }
        for (; n > 0; n--, off++, b += NR)
            TERM
#endif
        if (w.c < p->channels)
            continue;
        w.c = 0;
        if (++w.u < p->tap_dim[2])
            continue;
        w.u = 0;
        if (++w.v < p->tap_dim[1])
            continue;
        w.v = 0;
        w.z++;
        left = p->restart ? 0 : left;
    }
    if (first) {
        ROWS(FIRST)
    } else {
        ROWS(ADD)
    }
    return w;
}

/* Where the rows of a block lie: operand, result, residual, slope. Rows past the end repeat the last one and are not
 * stored. */
enum { ROW_A, ROW_Y, ROW_R, ROW_P, ROW_KINDS };
typedef struct lm_rows {
    long at[ROW_KINDS][LM_CL_BLOCK_TILES * MR];
} lm_rows;

LM_VEC void lm_rows_find(const LM_LONG *dim, const LM_LONG *step, long row, int n, int real, long *at)
{
    long digit[LM_CL_DIGITS], here = 0;
    for (int d = LM_CL_DIGITS - 1; d >= 0; d--) {
        digit[d] = d ? row % dim[d] : row;
        row /= dim[d];
        here += digit[d] * step[d];
    }
    for (int i = 0; i < n; i++) {
        at[i] = here;
        if (i + 1 >= real)
            continue;
        here += step[LM_CL_DIGITS - 1];
        if (++digit[LM_CL_DIGITS - 1] < dim[LM_CL_DIGITS - 1])
            continue;
        for (int d = LM_CL_DIGITS - 1; d > 0 && digit[d] == dim[d]; d--) {
            here += step[d - 1] - dim[d] * step[d];
            digit[d] = 0;
            digit[d - 1]++;
        }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void product(const lm_cl_product p, global const float *ga, ulong oa, global const float *gb, ulong ob,
                    global const float *gbias, ulong obias, global const float *gr, ulong ores,
                    global const float *gp, ulong opoint, global float *gy, ulong oy)
{
    const long part = get_global_id(2), row0 = get_global_id(0) * p.block_tiles * MR;
    const long panel0 = get_global_id(1) * p.block_panels;
    const int tiles = (int)min(p.block_tiles, (p.rows - row0 + MR - 1) / MR);
    const int panels = (int)min(p.block_panels, (p.columns + NR - 1) / NR - panel0);
    global const float *x = LM_AT_CONST(global float, ga, oa) + p.a0 + lm_place(p.part_dim, p.part_a, part);
    global const float *w = LM_AT_CONST(global float, gb, ob) + p.b0 + lm_place(p.part_dim, p.part_b, part) +
                            panel0 * p.b_panel;
    lm_v16 sum[LM_CL_BLOCK_PANELS * LM_CL_BLOCK_TILES * 2 * MR];
    lm_rows at;
    const bool residual = p.end.has & LM_CL_HAS_RESIDUAL, slope = p.end.has & LM_CL_HAS_SLOPE;
    const int rows = (int)min((long)tiles * MR, p.rows - row0);
    lm_rows_find(p.row_dim, p.row_a, row0, tiles * MR, rows, at.at[ROW_A]);
    lm_rows_find(p.row_dim, p.row_y, row0, tiles * MR, rows, at.at[ROW_Y]);
    if (residual)
        lm_rows_find(p.row_dim, p.row_r, row0, tiles * MR, rows, at.at[ROW_R]);
    if (slope)
        lm_rows_find(p.row_dim, p.row_p, row0, tiles * MR, rows, at.at[ROW_P]);
    lm_walk here = {p.tap_dim[1] && p.tap_dim[2] ? 0 : p.tap_dim[0], 0, 0, 0}, next = here;
    bool first = true;
    do {
        for (int j = 0; j < panels; j++)
            for (int i = 0; i < tiles; i++)
                next = lm_chain(&p, here, x, &at.at[ROW_A][i * MR], w + j * p.b_panel, first,
                                sum + (j * LM_CL_BLOCK_TILES + i) * 2 * MR);
        here = next;
        first = false;
    } while (here.z < p.tap_dim[0]);

    const long column = panel0 * NR;
    global float *y = LM_AT(global float, gy, oy) + p.y0 + lm_place(p.part_dim, p.part_y, part) + column * p.y_column;
    gr = LM_AT_CONST(global float, gr, ores) + p.r0 + lm_place(p.part_dim, p.part_r, part) + column * p.r_column;
    gp = LM_AT_CONST(global float, gp, opoint) + p.p0 + lm_place(p.part_dim, p.part_p, part) + column * p.p_column;
    gbias = LM_AT_CONST(global float, gbias, obias) + lm_place(p.part_dim, p.part_bias, part);
    gbias += column * p.bias_column;
    lm_v16 bias[2 * LM_CL_BLOCK_PANELS], r = lm_v_zero(), point = lm_v_zero();
    const int vectors = (int)min(2L * panels, (p.columns - column + LM_LANES - 1) / LM_LANES);
    for (int j = 0; j < vectors; j++)
        bias[j] = lm_v_zero();
    if (p.end.has & LM_CL_HAS_BIAS)
        for (int j = 0; j < vectors; j++) {
            const long from = j * LM_LANES;
            bias[j] = lm_read(gbias + from * p.bias_column, p.bias_column, p.columns - column - from) + 0.0f;
        }
    for (int i = 0; i < rows; i++) {
        const lm_v16 *v = sum + i * 2;
        for (int j = 0; j < vectors; j++) {
            const long from = j * LM_LANES, n = p.columns - column - from;
            if (residual)
                r = lm_read(gr + at.at[ROW_R][i] + from * p.r_column, p.r_column, n);
            if (slope)
                point = lm_read(gp + at.at[ROW_P][i] + from * p.p_column, p.p_column, n);
            lm_write(y + at.at[ROW_Y][i] + from * p.y_column, p.y_column, n,
                     lm_finish(&p.end, v[j / 2 * LM_CL_BLOCK_TILES * MR * 2 + j % 2], bias[j], r, point));
        }
    }
}
