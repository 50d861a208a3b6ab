/* checkop from the inside: what a row of the case table says, what a case is, and the steps every mode is made of.
 *
 * A ROW names an op, its attributes and its operands, and masks of what to vary (types, memory layouts, values,
 * constants, epilogues). Each row stands for a bundle of CASES: the plain one, and others that differ from it in one
 * respect each. A LANE is an open device with its options. `check` runs every case on every lane. */
#ifndef CHECKOP_HARNESS_H
#define CHECKOP_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/device/chain.h"
#include "core/ops/op.h"

enum { CK_X = 8, CK_MORE = 2, CK_Y = LM_OUT_MAX, CK_LANES = 48, CK_NAME = 128, CK_WHY = 512 };

/* How the operands lie in memory. Bits of ck_row.layouts; the plain row-major layout is always there. */
typedef enum ck_layout {
    CK_ROW,
    CK_UNALIGNED, /* every operand starts one element past an aligned address */
    CK_STRIDED,   /* gaps between elements of the last axis and behind every axis */
    CK_NEGATIVE,  /* inputs run backwards along every axis; outputs have gaps */
    CK_ZERO,      /* inputs repeat along their first axis that is longer than 1, by stride 0 */
    CK_COLUMN,    /* first axis fastest */
    CK_NHWC,      /* channels last, where the rank is 3 or more */
    CK_NHWC_IN,
    CK_NHWC_OUT,
    CK_LAYOUTS
} ck_layout;

/* What numbers the operands hold. Bits of ck_row.values; CK_NORMAL is always there. */
typedef enum ck_values {
    CK_NORMAL,   /* normal deviates; integers of one or two digits */
    CK_WHOLE,    /* small integers: sums of products are exact, so every bit must be right */
    CK_EXTREMES, /* exponents over the type's whole range; integers at the type's bounds */
    CK_SPECIAL,  /* NaN, infinities, subnormals and -0 among normal deviates */
    CK_VALUES
} ck_values;

#define CK_BIT(n) (1u << (n))
#define CK_FLOATS (CK_BIT(LM_F64) | CK_BIT(LM_F16) | CK_BIT(LM_BF16))
#define CK_SIGNED (CK_BIT(LM_I8) | CK_BIT(LM_I16) | CK_BIT(LM_I32) | CK_BIT(LM_I64))
#define CK_UNSIGNED (CK_BIT(LM_U8) | CK_BIT(LM_U16) | CK_BIT(LM_U32) | CK_BIT(LM_U64))
#define CK_INTS (CK_SIGNED | CK_UNSIGNED)
#define CK_ALL_TYPES (CK_BIT(LM_DTYPES) - 1)
#define CK_ALL_LAYOUTS (CK_BIT(CK_LAYOUTS) - 1)
#define CK_PLAIN_LAYOUTS (CK_BIT(CK_UNALIGNED) | CK_BIT(CK_STRIDED) | CK_BIT(CK_NEGATIVE) | CK_BIT(CK_ZERO))
#define CK_IMAGE_LAYOUTS (CK_PLAIN_LAYOUTS | CK_BIT(CK_NHWC) | CK_BIT(CK_NHWC_IN) | CK_BIT(CK_NHWC_OUT))
#define CK_ALL_VALUES (CK_BIT(CK_VALUES) - 1)

enum {
    CK_EPILOGUES = 1,    /* also with residual, with each activation, with both, and with slopes */
    CK_FEW_EPILOGUES = 2 /* also with residual, relu, clip, residual + relu, and the slope of relu */
};

/* An operand is written as "[type:]size,size,...[@fill]": `f32:2,3`, `i64:4@idx7`, `` (empty: a scalar). Without a type
 * it has the case's type. A size may be a letter that `sweep` gives values to: "m=1,5,6 k=3,64" makes every
 * combination. "-" is an input left out. Fills are listed in data.c. */
typedef struct ck_row {
    lm_opid op;
    const lm_opid *ops; /* instead of `op`: the row holds for each of these, up to LM_OPS */
    const char *label;  /* unique among the rows of an op */
    const char *x[CK_X];
    lm_attrs a;
    int ny; /* 0 means 1 */
    const char *sweep;
    lm_dtype type;     /* of the plain case: LM_F32 unless said */
    uint32_t types;    /* further types, bits of lm_dtype */
    uint32_t layouts;  /* further layouts */
    uint32_t values;   /* further values */
    uint32_t constant; /* inputs that are constants in further cases */
    uint32_t split;    /* inputs cut along axis 0 when samples are run one by one; 0: the op joins samples */
    uint32_t flags;
} ck_row;

typedef struct ck_rows {
    const ck_row *at;
    int n;
} ck_rows;

#define CK_ROWS(array)                                                                                                 \
    {                                                                                                                  \
        array, (int)(sizeof(array) / sizeof((array)[0]))                                                               \
    }

extern const ck_rows ck_rows_unary, ck_rows_binary, ck_rows_fused, ck_rows_reduce, ck_rows_product, ck_rows_conv,
    ck_rows_pool, ck_rows_norm, ck_rows_recurrent, ck_rows_move, ck_rows_index, ck_rows_resize, ck_rows_learn;
extern const ck_rows *const ck_table[];

/* One op call to be made: types and shapes resolved, nothing placed in memory yet. */
typedef struct ck_case {
    const ck_row *row;
    char name[CK_NAME];
    lm_opid op;
    lm_attrs a;
    lm_epilogue ep;
    bool fused; /* `ep` counts */
    lm_dtype type;
    ck_layout layout;
    ck_values values;
    uint32_t constant;
    int nx, ny; /* nx without the epilogue's operands, up to CK_MORE */
    lm_type x[CK_X + CK_MORE];
    const char *fill[CK_X + CK_MORE];
} ck_case;

/* Call `fn` for every case that passes the filters, in table order, until it returns false. */
typedef bool (*ck_visit)(const ck_case *c, void *ctx);
void ck_each(ck_visit fn, void *ctx);

/* The plain case of one row. */
void ck_row_case(const ck_row *row, ck_case *out);

/* A dense row-major host tensor. */
typedef struct ck_tensor {
    lm_dtype dt;
    lm_shape sh;
    int64_t n;
    unsigned char *bytes;
} ck_tensor;

ck_tensor ck_tensor_new(lm_dtype dt, const lm_shape *sh);
ck_tensor ck_tensor_cast(const ck_tensor *t, lm_dtype dt);
void ck_tensor_free(ck_tensor *t);
double ck_get(const ck_tensor *t, int64_t i);
void ck_set(ck_tensor *t, int64_t i, double value);
lm_view ck_tensor_view(const ck_tensor *t, lm_buffer *wrap);

/* Nearest value of a type, ties to even, from a double; and the distance to the next one. */
double ck_round(lm_dtype dt, double value);
double ck_ulp(lm_dtype dt, double value);

/* The operand's content: a pure function of (seed, case name, operand). */
void ck_fill(ck_tensor *t, const ck_case *c, int operand);

/* All operands of a case; those left out have rank LM_ABSENT. */
void ck_inputs(const ck_case *c, ck_tensor x[CK_X]);
void ck_tensors_free(ck_tensor *t, int n);
uint64_t ck_hash(uint64_t seed, uint64_t index);
uint64_t ck_hash_text(const char *text);

typedef struct ck_lane {
    char spec[96];   /* what lm_chain_open took */
    char device[96]; /* the same without the threads */
    lm_chain chain;
    int threads;
    bool bits; /* must give the same bits as the scalar level */
    bool reference;
} ck_lane;

typedef enum ck_outcome { CK_RAN, CK_REFUSED, CK_BROKEN } ck_outcome;

/* Operands of one run. Sizes and types follow from x and y; `y` is allocated by ck_run. */
typedef struct ck_call {
    lm_opid op;
    const lm_attrs *a;
    const lm_epilogue *ep; /* NULL: none */
    int nx, ny;
    const ck_tensor *x; /* rank LM_ABSENT: left out */
    uint32_t constant;
    ck_layout layout;
    bool dry; /* bind only; no results */
} ck_call;

/* Place the operands with guard zones, bind, launch, verify that nothing but the outputs' elements changed, and return
 * the outputs dense. On CK_BROKEN `why` says what went wrong and `status` what the library answered. */
ck_outcome ck_run(const lm_chain *chain, const ck_call *call, ck_tensor *y, lm_status *status, char why[CK_WHY]);

/* Result types of a call, by the op table. */
lm_status ck_infer(const ck_call *call, lm_type *y);

/* The op, then the residual's Add, then the activation, then its slope, each on its own. */
ck_outcome ck_run_unfused(const lm_chain *chain, const ck_call *call, ck_tensor *y, lm_status *status,
                          char why[CK_WHY]);

/* A composite op by op, whether or not the device would take it whole. */
ck_outcome ck_run_expanded(const lm_chain *chain, const ck_call *call, ck_tensor *y, lm_status *status,
                           char why[CK_WHY]);

/* What is right: the reference device in double (or in the call's own types for ops that only move or decide), and for
 * sums the size of what was added up. */
typedef struct ck_truth {
    ck_tensor y[CK_Y], size[CK_Y]; /* size[i].bytes NULL: not needed */
    double scale[CK_Y];            /* largest finite magnitude of y[i] */
    int64_t length;                /* terms per sum */
    double reach;                  /* largest finite magnitude of the inputs */
} ck_truth;

bool ck_truth_make(const ck_case *c, const ck_tensor *x, ck_truth *out, char why[CK_WHY]);
void ck_truth_free(ck_truth *t);

/* First element that lies outside the tolerance of the op, as text in `why`; true when none does. */
bool ck_close(const ck_case *c, const ck_truth *truth, const ck_tensor *y, int output, char why[CK_WHY]);

/* The result in the order of sums that is promised, for the ops whose order order.c spells out; false for others. */
bool ck_ordered(const ck_case *c, const ck_tensor *x, const lm_shape *sh, ck_tensor *y);

/* Bit for bit; NaNs are all alike. `b` may hold only part of `a`, from element `from` on. */
bool ck_same(const ck_tensor *a, int64_t from, const ck_tensor *b, char why[CK_WHY]);

typedef struct ck_options {
    const char *op, *glob, *device, *level;
    int threads; /* 0: 1, 2, 3 and 7 */
    uint64_t seed;
    bool reduced, tight, list, verbose, json;
} ck_options;

extern ck_options ck_opt;

/* The reference, which never is a lane of its own, and the lanes that the options name. */
bool ck_lanes_open(bool for_bench);
void ck_lanes_close(void);
extern ck_lane ck_lane_list[CK_LANES];
extern int ck_lane_count;
extern ck_lane ck_oracle; /* ref */
extern ck_lane ck_scalar; /* cpu:isa=scalar:threads=1; spec "" when this build has no cpu device */

/* The case and lane at work, for the message of a trap. */
extern struct ck_now {
    char name[CK_NAME], spec[96];
} ck_now;
void ck_trap(int signal); /* does not return where the run can go on */
void ck_working(const char *name, const char *spec);

/* Counting and reporting. */
extern long ck_passed, ck_failed, ck_refusals;
void ck_pass(void);
void ck_fail(const char *mode, const char *name, const ck_lane *lane, const char *why);

/* The modes. */
void ck_check(void);
void ck_bad(void);
void ck_grad(void);
void ck_rule(void);
void ck_support(void);
void ck_bench(void);

#endif
