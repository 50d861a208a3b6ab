/* Attributes of ops: plain structs without pointers, so that equal attributes are equal bytes (nodes are compared and
 * hashed that way). Clear one with `= {0}` before filling it. Axes are non-negative by the time a call is bound, and
 * everything that ONNX passes as a shape-like input (Reshape, Slice, Pad ...) has become a number in here. */
#ifndef LM_OPS_ATTRS_H
#define LM_OPS_ATTRS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/tensor/dtype.h"
#include "core/tensor/shape.h"

/* Spatial axes of convolution and pooling. */
#define LM_SPATIAL 3

typedef struct lm_attr_none {
    uint8_t unused;
} lm_attr_none;

/* Elementwise functions with parameters: alpha and beta of ONNX where the op has them; clip: lo, hi; gelu: a != 0 is
 * the tanh form; swish: a = alpha; shrink: a = lambd, b = bias; mod: a != 0 is C's fmod; shift: a != 0 is left;
 * isinf: a != 0 passes over -Inf, b != 0 over +Inf. */
typedef struct lm_attr_act {
    float a, b;
} lm_attr_act;

/* ACT_DX: the derivative of which elementwise op (an lm_opid), with its parameters. */
typedef struct lm_attr_actdx {
    int32_t of;
    float a, b;
} lm_attr_actdx;

typedef struct lm_attr_cast {
    lm_dtype to;
} lm_attr_cast;

/* Reductions: bit k of `axes` set = axis k is reduced. */
typedef struct lm_attr_reduce {
    uint32_t axes;
    bool keepdims;
} lm_attr_reduce;

/* Ops along one axis: softmax, concat, gather, argmax (keepdims, last), cumsum (exclusive, reverse). */
typedef struct lm_attr_axis {
    int32_t axis;
    bool keepdims, last, exclusive, reverse;
} lm_attr_axis;

typedef struct lm_attr_topk {
    int32_t axis;
    bool largest, sorted;
    int64_t k;
} lm_attr_topk;

/* Last two axes of a / b swapped before the product. */
typedef struct lm_attr_matmul {
    bool ta, tb;
} lm_attr_matmul;

/* Gemm: y = alpha * op(a) op(b) + beta * c. */
typedef struct lm_attr_gemm {
    bool ta, tb;
    float alpha, beta;
} lm_attr_gemm;

/* Convolution over `nd` spatial axes; weights [M, C/groups, k...]. `size` is the spatial size of the result for the
 * transposed direction (CONV_T), whose formula does not fix it; unused elsewhere. */
typedef struct lm_attr_conv {
    int32_t nd, groups;
    int64_t kernel[LM_SPATIAL], stride[LM_SPATIAL], dilation[LM_SPATIAL];
    int64_t pad_lo[LM_SPATIAL], pad_hi[LM_SPATIAL];
    int64_t size[LM_SPATIAL];
} lm_attr_conv;

/* Pooling. `size` is the input's spatial size for the gradient ops. `p` is LpPool's exponent. */
typedef struct lm_attr_pool {
    int32_t nd, p;
    int64_t kernel[LM_SPATIAL], stride[LM_SPATIAL], dilation[LM_SPATIAL];
    int64_t pad_lo[LM_SPATIAL], pad_hi[LM_SPATIAL];
    int64_t size[LM_SPATIAL];
    bool ceil, count_pad, column_major;
} lm_attr_pool;

/* Normalisations. `axis`: first normalised axis (layer, RMS), the axis of LpNorm; `groups`: GroupNorm; `p`: LpNorm and
 * the global Lp pool; size, alpha, beta, bias: LRN. */
typedef struct lm_attr_norm {
    int32_t axis, groups, p;
    int64_t size;
    float epsilon, alpha, beta, bias;
} lm_attr_norm;

/* A full shape: reshape, expand, and the gradient ops whose result's shape nothing else tells. `axis` for gather_dx. */
typedef struct lm_attr_shape {
    lm_shape shape;
    int32_t axis;
} lm_attr_shape;

typedef struct lm_attr_perm {
    int32_t perm[LM_RANK];
} lm_attr_perm;

/* Element i of axis k of the result is element start[k] + i*step[k] of the input; `size` counts the result's elements.
 * For SLICE_DX `size` is the shape of the full (input's) side. */
typedef struct lm_attr_slice {
    int64_t start[LM_RANK], step[LM_RANK], size[LM_RANK];
} lm_attr_slice;

typedef enum lm_pad_mode { LM_PAD_CONSTANT, LM_PAD_REFLECT, LM_PAD_EDGE, LM_PAD_WRAP } lm_pad_mode;

/* Negative pads crop. */
typedef struct lm_attr_pad {
    int64_t lo[LM_RANK], hi[LM_RANK];
    lm_pad_mode mode;
} lm_attr_pad;

typedef struct lm_attr_tile {
    int64_t reps[LM_RANK];
} lm_attr_tile;

typedef struct lm_attr_trilu {
    int64_t k;
    bool upper;
} lm_attr_trilu;

typedef struct lm_attr_onehot {
    int32_t axis;
    int64_t depth;
} lm_attr_onehot;

/* DepthToSpace and SpaceToDepth; `crd`: ONNX's mode of that name, otherwise DCR. */
typedef struct lm_attr_block {
    int64_t size;
    bool crd;
} lm_attr_block;

typedef enum lm_scatter_mode {
    LM_SCATTER_SET,
    LM_SCATTER_ADD,
    LM_SCATTER_MUL,
    LM_SCATTER_MAX,
    LM_SCATTER_MIN
} lm_scatter_mode;

/* Gather / scatter families; `batch`: leading axes shared by data and indices (GatherND). */
typedef struct lm_attr_index {
    int32_t axis, batch;
    lm_scatter_mode mode;
} lm_attr_index;

typedef enum lm_resize_mode { LM_RESIZE_NEAREST, LM_RESIZE_LINEAR, LM_RESIZE_CUBIC } lm_resize_mode;
typedef enum lm_resize_coord {
    LM_COORD_HALF_PIXEL,
    LM_COORD_HALF_PIXEL_SYMMETRIC,
    LM_COORD_PYTORCH_HALF_PIXEL,
    LM_COORD_ALIGN_CORNERS,
    LM_COORD_ASYMMETRIC,
    LM_COORD_CROP
} lm_resize_coord;
typedef enum lm_resize_near { LM_NEAR_PREFER_FLOOR, LM_NEAR_PREFER_CEIL, LM_NEAR_FLOOR, LM_NEAR_CEIL } lm_resize_near;

/* `scale` is output/input per axis as the model states it (1 on untouched axes); `size` is the result's shape for
 * RESIZE and the input's for RESIZE_DX; roi in normalised coordinates, for LM_COORD_CROP. */
typedef struct lm_attr_resize {
    lm_resize_mode mode;
    lm_resize_coord coord;
    lm_resize_near nearest;
    bool antialias, exclude_outside;
    float cubic_a, extrapolation;
    int64_t size[LM_RANK];
    double scale[LM_RANK], roi_lo[LM_RANK], roi_hi[LM_RANK];
} lm_attr_resize;

enum { LM_EQUATION_BYTES = 96 };
typedef struct lm_attr_einsum {
    char equation[LM_EQUATION_BYTES];
} lm_attr_einsum;

/* Scaled dot-product attention on [batch, heads, length, width]; scale 0 means 1/sqrt(width). */
typedef struct lm_attr_attention {
    float scale, softcap;
    bool causal;
} lm_attr_attention;

typedef enum lm_way { LM_FORWARD, LM_REVERSE, LM_BOTH } lm_way;

/* LSTM, GRU and RNN. Functions f, g, h of the first direction, then of the second, as lm_opids of elementwise ops with
 * their parameters; tanh means alpha * tanh(beta * x) and Identity alpha * x + beta. RNN has f only, GRU f and g.
 * `clip` bounds what goes into a function; 0: it does not. */
typedef struct lm_attr_recurrent {
    lm_way way;
    bool linear_before_reset, input_forget;
    float clip;
    int32_t act[6];
    float alpha[6], beta[6];
} lm_attr_recurrent;

typedef enum lm_loss_reduction { LM_LOSS_MEAN, LM_LOSS_SUM, LM_LOSS_NONE } lm_loss_reduction;

typedef struct lm_attr_loss {
    lm_loss_reduction reduction;
    bool has_ignore;
    int64_t ignore;
} lm_attr_loss;

/* Optimiser steps; rate and step count are inputs, so that a schedule needs no new plan. */
typedef struct lm_attr_update {
    float momentum, beta1, beta2, epsilon, decay;
    bool nesterov;
} lm_attr_update;

/* FUSED: elementwise ops one behind the other, on float32 and truth values. Operand number k of a step is one of the
 * call's where k < LM_FUSED_IN, otherwise the result of step k - LM_FUSED_IN; the last step's result is the call's.
 * `op` and `of` are lm_opids; a, b and of are what the op's own attributes say. */
enum { LM_FUSED_IN = 6, LM_FUSED_STEPS = 12 };
typedef struct lm_fused_step {
    int16_t op, of;
    int8_t x[4];
    float a, b;
} lm_fused_step;

typedef struct lm_attr_fused {
    int32_t n;
    lm_fused_step step[LM_FUSED_STEPS];
} lm_attr_fused;

/* The kind of a union is the op's `attrs` column. */
#define LM_ATTR_KINDS(X)                                                                                               \
    X(none)                                                                                                            \
    X(act) X(actdx) X(cast) X(reduce) X(axis) X(topk) X(matmul) X(gemm) X(conv) X(pool) X(norm) X(shape) X(perm)       \
        X(slice) X(pad) X(tile) X(trilu) X(onehot) X(block) X(index) X(resize) X(einsum) X(attention) X(recurrent)     \
            X(loss) X(update) X(fused)

/* `all` comes first and is the whole union, so that `= {0}` clears every byte of it. */
typedef union lm_attrs {
    char all[sizeof(lm_attr_resize)];
#define X(kind) lm_attr_##kind kind;
    LM_ATTR_KINDS(X)
#undef X
} lm_attrs;

typedef enum lm_attr_kind {
#define X(kind) LM_ATTR_##kind,
    LM_ATTR_KINDS(X)
#undef X
} lm_attr_kind;

#endif
