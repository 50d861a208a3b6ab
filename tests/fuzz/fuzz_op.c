/* Any op over any shapes, types and attributes: the shape rule answers with sound types or a message; what it accepts
 * runs on every device without a trap, and nothing is leaked. Contents are small whole numbers, good as indices too. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/run/exec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUTS = 6, ELEMENTS = 4096 };

/* Reads the fuzzer's bytes; zeros when they have run out. */
typedef struct reader {
    const uint8_t *at, *end;
} reader;

static uint8_t byte(reader *r)
{
    return r->at < r->end ? *r->at++ : 0;
}

/* Mostly small, sometimes huge: both ends of a range are where rules break. */
static int64_t number(reader *r)
{
    uint8_t b = byte(r);
    if (b < 200)
        return (int64_t)(b % 25) - 4;
    uint64_t wide = 0;
    for (int i = 0; i < 8; i++)
        wide = wide << 8 | byte(r);
    return b < 230 ? (int64_t)wide : b & 1 ? INT64_MAX : INT64_MIN;
}

/* Attributes are filled as numbers of their own width; bool must hold 0 or 1. */
static void fill(void *at, size_t count, size_t width, reader *r)
{
    for (size_t i = 0; i < count; i++) {
        int64_t v = number(r);
        int32_t v32 = (int32_t)v;
        memcpy((char *)at + i * width, width == 8 ? (void *)&v : (void *)&v32, width);
    }
}

#define FIELD(kind, member, width)                                                                                     \
    {                                                                                                                  \
        LM_ATTR_##kind, offsetof(lm_attr_##kind, member), sizeof((lm_attr_##kind){0}.member), width                    \
    }
static const struct {
    lm_attr_kind kind;
    size_t offset, bytes, width; /* width 1: bool; 4: int; 8: int64; 5: float */
} fields[] = {
    FIELD(act, a, 5), FIELD(act, b, 5), FIELD(actdx, of, 4), FIELD(actdx, a, 5), FIELD(actdx, b, 5), FIELD(cast, to, 4),
    FIELD(reduce, axes, 4), FIELD(reduce, keepdims, 1), FIELD(axis, axis, 4), FIELD(axis, keepdims, 1),
    FIELD(axis, last, 1), FIELD(axis, exclusive, 1), FIELD(axis, reverse, 1), FIELD(topk, axis, 4),
    FIELD(topk, largest, 1), FIELD(topk, sorted, 1), FIELD(topk, k, 8), FIELD(matmul, ta, 1), FIELD(matmul, tb, 1),
    FIELD(gemm, ta, 1), FIELD(gemm, tb, 1), FIELD(gemm, alpha, 5), FIELD(gemm, beta, 5), FIELD(conv, nd, 4),
    FIELD(conv, groups, 4), FIELD(conv, kernel, 8), FIELD(conv, stride, 8), FIELD(conv, dilation, 8),
    FIELD(conv, pad_lo, 8), FIELD(conv, pad_hi, 8), FIELD(conv, size, 8), FIELD(pool, nd, 4), FIELD(pool, p, 4),
    FIELD(pool, kernel, 8), FIELD(pool, stride, 8), FIELD(pool, dilation, 8), FIELD(pool, pad_lo, 8),
    FIELD(pool, pad_hi, 8), FIELD(pool, size, 8), FIELD(pool, ceil, 1), FIELD(pool, count_pad, 1),
    FIELD(pool, column_major, 1), FIELD(norm, axis, 4), FIELD(norm, groups, 4), FIELD(norm, p, 4), FIELD(norm, size, 8),
    FIELD(norm, epsilon, 5), FIELD(norm, alpha, 5), FIELD(norm, beta, 5), FIELD(norm, bias, 5),
    FIELD(shape, shape.rank, 4), FIELD(shape, shape.dim, 8), FIELD(shape, axis, 4), FIELD(perm, perm, 4),
    FIELD(slice, start, 8), FIELD(slice, step, 8), FIELD(slice, size, 8), FIELD(pad, lo, 8), FIELD(pad, hi, 8),
    FIELD(pad, mode, 4), FIELD(tile, reps, 8), FIELD(trilu, k, 8), FIELD(trilu, upper, 1), FIELD(onehot, axis, 4),
    FIELD(onehot, depth, 8), FIELD(block, size, 8), FIELD(block, crd, 1), FIELD(index, axis, 4), FIELD(index, batch, 4),
    FIELD(index, mode, 4), FIELD(resize, mode, 4), FIELD(resize, coord, 4), FIELD(resize, nearest, 4),
    FIELD(resize, antialias, 1), FIELD(resize, exclude_outside, 1), FIELD(resize, cubic_a, 5),
    FIELD(resize, extrapolation, 5), FIELD(resize, size, 8), FIELD(resize, scale, 9), FIELD(resize, roi_lo, 9),
    FIELD(resize, roi_hi, 9), FIELD(einsum, equation, 2), FIELD(attention, scale, 5), FIELD(attention, softcap, 5),
    FIELD(attention, causal, 1), FIELD(loss, reduction, 4), FIELD(loss, has_ignore, 1), FIELD(loss, ignore, 8),
    FIELD(update, momentum, 5), FIELD(update, beta1, 5), FIELD(update, beta2, 5), FIELD(update, epsilon, 5),
    FIELD(update, decay, 5), FIELD(update, nesterov, 1),
};

static void read_attrs(reader *r, lm_attr_kind kind, lm_attrs *a)
{
    for (size_t f = 0; f < LM_COUNT(fields); f++) {
        if (fields[f].kind != kind)
            continue;
        char *at = (char *)a + fields[f].offset;
        switch (fields[f].width) {
        case 1: *(bool *)at = byte(r) & 1; break;
        case 2:
            for (size_t i = 0; i + 1 < fields[f].bytes; i++)
                at[i] = "ijkab,->. "[byte(r) % 10];
            at[byte(r) % fields[f].bytes] = 0;
            break;
        case 5: *(float *)at = (float)number(r) / 4; break;
        case 9:
            for (size_t i = 0; i < LM_RANK; i++)
                ((double *)at)[i] = (double)number(r) / 4;
            break;
        default: fill(at, fields[f].bytes / fields[f].width, fields[f].width, r);
        }
    }
}

static int64_t read_type(reader *r, lm_type *t)
{
    *t = (lm_type){.dt = (lm_dtype)(byte(r) % (2 * LM_DTYPES))};
    if ((int)t->dt >= LM_DTYPES)
        t->dt = LM_F32;
    t->sh.rank = byte(r) % 6;
    int64_t count = 1;
    for (int i = 0; i < t->sh.rank; i++)
        count *= t->sh.dim[i] = byte(r) % 9;
    return count;
}

static const lm_chain *device(int which)
{
    static lm_chain chain[2];
    static const char *const spec[2] = {"ref", "cpu:threads=2"};
    if (!chain[which].n && lm_chain_open(spec[which], &chain[which]) != LM_OK)
        abort();
    return &chain[which];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reader r = {data, data + size};
    lm_opid op = (lm_opid)(byte(&r) % LM_OPS);
    lm_attrs a;
    memset(&a, 0, sizeof a);
    int nx = byte(&r) % (INPUTS + 1), ny = 1 + byte(&r) % LM_OUT_MAX;
    read_attrs(&r, lm_ops[op].attrs, &a);

    const lm_chain *chain[2] = {device(0), device(1)};
    size_t before = lm_mem_count().live;
    lm_view x[INPUTS] = {0};
    lm_type type[INPUTS], result[LM_OUT_MAX];
    const lm_view *value[INPUTS];
    for (int i = 0; i < nx; i++) {
        int64_t count = read_type(&r, &type[i]);
        if (count > ELEMENTS || lm_view_new(type[i].dt, &type[i].sh, &x[i]) != LM_OK)
            goto out;
        for (int64_t k = 0; k < count; k++)
            lm_view_set(&x[i], k,
                        type[i].dt == LM_BOOL ? byte(&r) & 1
                                              : byte(&r) % 12 - (lm_dtype_is_unsigned(type[i].dt) ? 0 : 3));
        value[i] = &x[i];
    }

    lm_shape_args args = {op, &a, nx, ny, type, value};
    if (lm_op_infer(&args, result) != LM_OK) {
        if (!*lm_message())
            abort();
        goto out;
    }
    for (int i = 0; i < ny; i++) {
        int64_t count;
        if (lm_shape_check(&result[i].sh, &count) != LM_OK)
            abort();
        if (count > ELEMENTS)
            goto out;
    }
    for (int d = 0; d < 2; d++) {
        lm_view y[LM_OUT_MAX];
        if (lm_exec_once(chain[d], op, &a, nx, x, ny, y) == LM_OK)
            for (int i = 0; i < ny; i++)
                lm_buffer_unref(y[i].buf);
        else if (!*lm_message())
            abort();
    }
out:
    for (int i = 0; i < nx; i++)
        lm_buffer_unref(x[i].buf);
    if (lm_mem_count().live != before)
        abort();
    return 0;
}
