/* Products on processors: a work-item is a tile of MR rows and two vectors of columns. Sums live in registers; terms
 * of a row are read one by one where they lie, those of b as vectors of a panel. With ACROSS, rows are neighbours in
 * memory and terms a step apart. */
#define NR (2 * LM_LANES)

/* What is done for each row, written out: compilers keep named sums in registers, arrays of them in memory. */
#if MR == 1
#define ROWS(X) X(0)
#elif MR == 4
#define ROWS(X) X(0) X(1) X(2) X(3)
#elif MR == 6
#define ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5)
#elif MR == 7
#define ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6)
#elif MR == 10
#define ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)
#else
#define ROWS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13)
#endif
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
#define CUT(i)                                                                                                         \
    sum[i][0] = many ? sum[i][0] + c##i : c##i;                                                                        \
    sum[i][1] = many ? sum[i][1] + d##i : d##i;                                                                        \
    c##i = d##i = lm_v_zero();
#define END(i)                                                                                                         \
    sum[i][0] = many ? sum[i][0] + c##i : c##i;                                                                        \
    sum[i][1] = many ? sum[i][1] + d##i : d##i;

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void product(const lm_cl_product p, global const float *ga, ulong oa, global const float *gb, ulong ob,
                    global const float *gbias, ulong obias, global const float *gr, ulong ores,
                    global const float *gp, ulong opoint, global float *gy, ulong oy)
{
    const long part = get_global_id(2), row0 = get_global_id(0) * MR, column = get_global_id(1) * NR;
    global const float *x = LM_AT_CONST(global float, ga, oa) + p.a0 + lm_place(p.part_dim, p.part_a, part);
    global const float *w = LM_AT_CONST(global float, gb, ob) + p.b0 + lm_place(p.part_dim, p.part_b, part) +
                            get_global_id(1) * p.b_panel;
    long digit[LM_CL_DIGITS], rest = row0;
    for (int d = LM_CL_DIGITS - 1; d >= 0; d--) {
        digit[d] = d ? rest % p.row_dim[d] : rest;
        rest /= p.row_dim[d];
    }
    long a_at[MR], y_at[MR], r_at[MR], p_at[MR];
    for (int i = 0; i < MR; i++) { /* rows past the end repeat the last one and are not stored */
        a_at[i] = digit[0] * p.row_a[0] + digit[1] * p.row_a[1] + digit[2] * p.row_a[2] + digit[3] * p.row_a[3];
        y_at[i] = digit[0] * p.row_y[0] + digit[1] * p.row_y[1] + digit[2] * p.row_y[2] + digit[3] * p.row_y[3];
        r_at[i] = digit[0] * p.row_r[0] + digit[1] * p.row_r[1] + digit[2] * p.row_r[2] + digit[3] * p.row_r[3];
        p_at[i] = digit[0] * p.row_p[0] + digit[1] * p.row_p[1] + digit[2] * p.row_p[2] + digit[3] * p.row_p[3];
        if (row0 + i + 1 < p.rows)
            for (int d = LM_CL_DIGITS - 1; d >= 0; d--) {
                if (++digit[d] < p.row_dim[d] || d == 0)
                    break;
                digit[d] = 0;
            }
    }
    lm_v16 sum[MR][2];
    ROWS(BEGIN)
    long left = p.chain;
    bool many = false;
    for (long z = 0; z < p.tap_dim[0]; z++) {
        for (long v = 0; v < p.tap_dim[1]; v++)
            for (long u = 0; u < p.tap_dim[2]; u++) {
                long off = z * p.tap_a[0] + v * p.tap_a[1] + u * p.tap_a[2];
                global const float *b = w + z * p.tap_b[0] + v * p.tap_b[1] + u * p.tap_b[2];
                for (long c = 0; c < p.channels;) {
                    long n = min(p.channels - c, left);
                    c += n;
                    left -= n;
#if ACROSS
                    for (; n > 0; n--, off += p.a_step, b += p.b_step)
                        TERM
#else
                    for (; n >= 4; n -= 4) {
                        TERM off++, b += p.b_step;
                        TERM off++, b += p.b_step;
                        TERM off++, b += p.b_step;
                        TERM off++, b += p.b_step;
                    }
                    for (; n > 0; n--, off++, b += p.b_step)
                        TERM
#endif
                    if (left > 0)
                        continue;
                    ROWS(CUT)
                    left = p.chain;
                    many = true;
                }
            }
        if (p.restart && left < p.chain) {
            ROWS(CUT)
            left = p.chain;
            many = true;
        }
    }
    if (!many || left < p.chain) {
        ROWS(END)
    }

    global float *y = LM_AT(global float, gy, oy) + p.y0 + lm_place(p.part_dim, p.part_y, part) + column * p.y_column;
    const bool residual = p.end.has & LM_CL_HAS_RESIDUAL, slope = p.end.has & LM_CL_HAS_SLOPE;
    gr = LM_AT_CONST(global float, gr, ores) + p.r0 + lm_place(p.part_dim, p.part_r, part) + column * p.r_column;
    gp = LM_AT_CONST(global float, gp, opoint) + p.p0 + lm_place(p.part_dim, p.part_p, part) + column * p.p_column;
    for (int j = 0; j < 2; j++) {
        const long at = j * LM_LANES, n = p.columns - column - at;
        if (n <= 0)
            break;
        lm_v16 bias = lm_v_zero(), r = lm_v_zero(), point = lm_v_zero();
        if (p.end.has & LM_CL_HAS_BIAS)
            bias = lm_read(LM_AT_CONST(global float, gbias, obias) + lm_place(p.part_dim, p.part_bias, part) +
                                  (column + at) * p.bias_column, p.bias_column, n) + 0.0f;
        for (int i = 0; i < MR && row0 + i < p.rows; i++) {
            if (residual)
                r = lm_read(gr + r_at[i] + at * p.r_column, p.r_column, n);
            if (slope)
                point = lm_read(gp + p_at[i] + at * p.p_column, p.p_column, n);
            lm_v16 v = lm_finish(&p.end, sum[i][j], bias, r, point);
            lm_write(y + y_at[i] + at * p.y_column, p.y_column, n, v);
        }
    }
}
