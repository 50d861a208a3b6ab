/* A regular expression as a program of small steps. */
#ifndef LM_DATA_PATTERN_INSIDE_H
#define LM_DATA_PATTERN_INSIDE_H

#include "core/data/pattern.h"

typedef enum lm_pattern_op {
    STEP_CHAR,   /* this character: a */
    STEP_SET,    /* one of set a */
    STEP_ANY,    /* any but the end of a line; a: that too */
    STEP_SPLIT,  /* go on at a, and if that fails at b */
    STEP_JUMP,   /* go on at a */
    STEP_ATOMIC, /* what follows up to its STEP_END as one, then at a */
    STEP_LOOK,   /* does what follows up to its STEP_END match here, then at a; b: bits of LOOK */
    STEP_EDGE,   /* a: which */
    STEP_END
} lm_pattern_op;

enum { LOOK_NOT = 1, LOOK_BACK = 2 };
enum { EDGE_TEXT_BEGIN, EDGE_TEXT_END, EDGE_LINE_BEGIN, EDGE_LINE_END, EDGE_WORD, EDGE_NO_WORD };

/* Jumps are relative to the step itself, so that pieces of a program can be moved and copied. */
typedef struct lm_pattern_step {
    lm_pattern_op op;
    int a, b;
    int back;  /* STEP_LOOK behind: how many characters */
    bool fold; /* letters of either size */
} lm_pattern_step;

typedef enum lm_set_kind { SET_RANGE, SET_CATEGORY, SET_SPACE, SET_WORD } lm_set_kind;

typedef struct lm_set_item {
    lm_set_kind kind;
    bool not ;
    uint32_t low, high; /* of a range; low: the categories */
} lm_set_item;

typedef struct lm_set {
    size_t first, count; /* of items */
    bool not ;
} lm_set;

struct lm_pattern {
    LM_VEC(lm_pattern_step) step;
    LM_VEC(lm_set) set;
    LM_VEC(lm_set_item) item;
};

#endif
