/* Cases of the recurrent ops. */
#include "tests/checkop/harness.h"

#define SIGMOID LM_OP_SIGMOID
#define TANH LM_OP_TANH
/* f, g, h of both directions; the scales of tanh are 1 */
#define CELL(f, g, h) CELL_WITH(f, g, h, .clip = 0)
#define CELL_WITH(f, g, h, ...)                                                                                        \
    {.recurrent = {.act = {f, g, h, f, g, h}, .alpha = {1, 1, 1, 1, 1, 1}, .beta = {1, 1, 1, 1, 1, 1}, __VA_ARGS__}}
#define LSTM .op = LM_OP_LSTM
#define BACK .op = LM_OP_RECURRENT_DX
#define GRU .op = LM_OP_GRU
#define RNN .op = LM_OP_RNN

static const ck_row rows[] = {
    {LSTM, .label = "plain", .x = {"t,2,5", "1,28,5", "1,28,7", "1,56"}, .a = CELL(SIGMOID, TANH, TANH), .ny = 3,
     .sweep = "t=1,2,9", .constant = 14},
    {LSTM, .label = "both", .x = {"3,2,5", "2,12,5", "2,12,3", "2,24", "i32:2@idx4", "2,2,3", "2,2,3", "2,9"},
     .a = CELL_WITH(SIGMOID, TANH, TANH, .way = LM_BOTH), .ny = 3, .types = CK_FLOATS, .layouts = CK_PLAIN_LAYOUTS},
    {LSTM, .label = "clipped", .x = {"3,2,5", "1,12,5", "1,12,3"},
     .a = CELL_WITH(LM_OP_HARDSIGMOID, LM_OP_RELU, LM_OP_SOFTSIGN, .clip = 0.5f, .input_forget = true), .ny = 3},
    {LSTM, .label = "wide", .x = {"t,n,9", "1,280,9", "1,280,70", "1,560", "-", "1,n,70", "1,n,70"},
     .a = CELL(SIGMOID, TANH, TANH), .ny = 3, .sweep = "t=1,4 n=1,2,5,17", .values = CK_BIT(CK_SPECIAL), .constant = 14},
    {LSTM, .label = "ways", .x = {"3,n,9", "2,132,9", "2,132,33", "2,264"},
     .a = CELL_WITH(SIGMOID, TANH, TANH, .way = LM_BOTH), .ny = 3, .sweep = "n=1,5", .types = CK_FLOATS,
     .layouts = CK_PLAIN_LAYOUTS, .constant = 6},
    {LSTM, .label = "lengths", .x = {"4,5,9", "2,132,9", "2,132,33", "2,264", "i64:5@idx4", "2,5,33"},
     .a = CELL_WITH(SIGMOID, TANH, TANH, .way = LM_BOTH), .ny = 3, .constant = 22},
    {LSTM, .label = "forgetful", .x = {"3,2,9", "1,132,9", "1,132,33"},
     .a = CELL_WITH(SIGMOID, TANH, TANH, .way = LM_REVERSE, .input_forget = true), .ny = 3, .constant = 6},
    {LSTM, .label = "reverse", .x = {"4,2,5", "1,12,5", "1,12,3", "1,24", "-", "1,2,3", "1,2,3"},
     .a = CELL_WITH(SIGMOID, TANH, TANH, .way = LM_REVERSE), .ny = 3, .types = CK_BIT(LM_F64), .constant = 14},
    {LSTM, .label = "keeps", .x = {"t,n,9", "2,280,9", "2,280,70", "2,560", "-", "2,n,70"},
     .a = CELL_WITH(SIGMOID, TANH, TANH, .way = LM_BOTH), .ny = 4, .sweep = "t=1,4 n=1,2,17", .constant = 14},
    {LSTM, .label = "keeps_odd", .x = {"3,2,5", "1,12,5", "1,12,3", "-", "i32:2@idx4", "-", "-", "1,9"},
     .a = CELL_WITH(LM_OP_HARDSIGMOID, TANH, TANH, .input_forget = true), .ny = 4},
    {LSTM, .label = "keeps_ended", .x = {"3,2,9", "1,132,9", "1,132,33", "-", "i32:2@idx4"},
     .a = CELL(SIGMOID, TANH, TANH), .ny = 4},
    {BACK, .label = "plain", .x = {"1,28,7", "t,1,2,42", "t,1,2,7", "1,2,7", "1,2,7"}, .a = CELL(SIGMOID, TANH, TANH),
     .ny = 4, .sweep = "t=1,2,9", .types = CK_FLOATS, .layouts = CK_PLAIN_LAYOUTS, .constant = 1},
    {BACK, .label = "wide", .x = {"2,280,70", "t,2,n,420", "t,2,n,70", "2,n,70"},
     .a = CELL_WITH(SIGMOID, TANH, TANH, .way = LM_BOTH), .ny = 3, .sweep = "t=1,4 n=1,2,5,17", .constant = 1},
    {BACK, .label = "last", .x = {"1,512,128", "3,1,n,768", "-", "-", "1,n,128"},
     .a = CELL_WITH(SIGMOID, TANH, TANH, .way = LM_REVERSE), .ny = 2, .sweep = "n=1,9", .constant = 1},
    {BACK, .label = "shared", .x = {"1,99,33", "3,1,2,165", "3,1,10,33", "1,10,33"}, .a = CELL(SIGMOID, TANH, 0),
     .ny = 4, .constant = 1},
    {BACK, .label = "one_gate", .x = {"2,33,33", "t,2,3,99", "-", "2,3,33"},
     .a = CELL_WITH(SIGMOID, TANH, 0, .way = LM_BOTH), .ny = 4, .sweep = "t=1,4", .constant = 1},
    {GRU, .label = "plain", .x = {"t,2,5", "1,21,5", "1,21,7", "1,42"}, .a = CELL(SIGMOID, TANH, 0), .ny = 2,
     .sweep = "t=1,2,9", .constant = 14},
    {GRU, .label = "late", .x = {"3,2,5", "1,9,5", "1,9,3", "1,18", "-", "1,2,3"},
     .a = CELL_WITH(SIGMOID, TANH, 0, .way = LM_REVERSE, .linear_before_reset = true), .ny = 2, .types = CK_FLOATS},
    {GRU, .label = "both", .x = {"3,2,5", "2,9,5", "2,9,3", "2,18", "i32:2@idx4"},
     .a = CELL_WITH(SIGMOID, TANH, 0, .way = LM_BOTH), .ny = 2, .layouts = CK_PLAIN_LAYOUTS},
    {GRU, .label = "wide", .x = {"t,n,9", "1,210,9", "1,210,70", "1,420", "-", "1,n,70"},
     .a = CELL(SIGMOID, TANH, 0), .ny = 2, .sweep = "t=1,4 n=1,2,5,17", .values = CK_BIT(CK_SPECIAL), .constant = 14},
    {GRU, .label = "ways", .x = {"3,n,9", "2,99,9", "2,99,33", "2,198"},
     .a = CELL_WITH(SIGMOID, TANH, 0, .way = LM_BOTH), .ny = 2, .sweep = "n=1,5", .types = CK_FLOATS,
     .layouts = CK_PLAIN_LAYOUTS, .constant = 6},
    {GRU, .label = "late_wide", .x = {"t,n,9", "2,210,9", "2,210,70", "2,420", "-", "2,n,70"},
     .a = CELL_WITH(SIGMOID, TANH, 0, .way = LM_BOTH, .linear_before_reset = true), .ny = 2,
     .sweep = "t=1,4 n=1,2,5,17", .values = CK_BIT(CK_SPECIAL), .constant = 14},
    {GRU, .label = "late_lengths", .x = {"4,5,9", "1,99,9", "1,99,33", "-", "i32:5@idx4"},
     .a = CELL_WITH(SIGMOID, TANH, 0, .linear_before_reset = true), .ny = 2, .constant = 6},
    {RNN, .label = "plain", .x = {"t,2,5", "1,7,5", "1,7,7", "1,14"}, .a = CELL(TANH, 0, 0), .ny = 2,
     .sweep = "t=1,2,9", .constant = 14},
    {RNN, .label = "both", .x = {"3,2,5", "2,3,5", "2,3,3", "2,6", "i32:2@idx4", "2,2,3"},
     .a = CELL_WITH(TANH, 0, 0, .way = LM_BOTH), .ny = 2, .types = CK_FLOATS, .layouts = CK_PLAIN_LAYOUTS},
    {RNN, .label = "wide", .x = {"t,n,9", "1,70,9", "1,70,70", "1,140", "-", "1,n,70"},
     .a = CELL_WITH(TANH, 0, 0, .way = LM_REVERSE), .ny = 2, .sweep = "t=1,2 n=1,2,5,17", .values = CK_BIT(CK_SPECIAL),
     .constant = 14},
    {RNN, .label = "relu", .x = {"3,n,9", "2,33,9", "2,33,33", "2,66"},
     .a = CELL_WITH(LM_OP_RELU, 0, 0, .way = LM_BOTH), .ny = 2, .sweep = "n=1,5", .values = CK_BIT(CK_SPECIAL),
     .constant = 6},
    {RNN, .label = "empty", .x = {"0,2,5", "1,3,5", "1,3,3"}, .a = CELL(TANH, 0, 0), .ny = 2},
};

const ck_rows ck_rows_recurrent = CK_ROWS(rows);
