/* Importers of LSTM, GRU and RNN. */
#include "core/model/import_util.h"

#include <string.h>
#include <strings.h>

/* The functions by ONNX's names, which are read without regard to case. What a function does not take is not in
 * the lists `activation_alpha` and `activation_beta` either. */
static const struct {
    const char *name;
    lm_opid op;
    bool takes_alpha, takes_beta;
    float alpha, beta; /* when left out */
} functions[] = {
    {"Relu", LM_OP_RELU, false, false, 0, 0},
    {"Tanh", LM_OP_TANH, false, false, 1, 1},
    {"Sigmoid", LM_OP_SIGMOID, false, false, 0, 0},
    {"Affine", LM_OP_IDENTITY, true, true, 1, 0},
    {"LeakyRelu", LM_OP_LEAKYRELU, true, false, 0.01f, 0},
    {"ThresholdedRelu", LM_OP_THRESHOLDED, true, false, 1, 0},
    {"ScaledTanh", LM_OP_TANH, true, true, 1, 1},
    {"HardSigmoid", LM_OP_HARDSIGMOID, true, true, 0.2f, 0.5f},
    {"Elu", LM_OP_ELU, true, false, 1, 0},
    {"Softsign", LM_OP_SOFTSIGN, false, false, 0, 0},
    {"Softplus", LM_OP_SOFTPLUS, false, false, 0, 0},
};

/* Functions per direction, and their defaults. */
static const struct {
    lm_opid op;
    int functions;
    const char *name[3];
} defaults[] = {
    {LM_OP_RNN, 1, {"Tanh"}},
    {LM_OP_GRU, 2, {"Sigmoid", "Tanh"}},
    {LM_OP_LSTM, 3, {"Sigmoid", "Tanh", "Tanh"}},
};

static float next_of(const float *list, int n, int *used, float otherwise)
{
    return *used < n ? list[(*used)++] : otherwise;
}

static void read_functions(lm_import *im, int ways, lm_attr_recurrent *r)
{
    int alphas, betas, alpha_used = 0, beta_used = 0, each = 0;
    const char *const *usual = NULL;
    const float *alpha = lm_attr_float_list(im, "activation_alpha", &alphas);
    const float *beta = lm_attr_float_list(im, "activation_beta", &betas);
    const onnx_attr *names = lm_attr(im, "activations");
    for (size_t i = 0; i < LM_COUNT(defaults); i++)
        if (defaults[i].op == im->op) {
            each = defaults[i].functions;
            usual = defaults[i].name;
        }
    if (names && (names->type != ONNX_ATTR_STRINGS || names->n_strings != (size_t)(ways * each)))
        lm_import_fail(im, LM_INPUT, "activations names %zu functions; expected %d", names->n_strings, ways * each);
    for (int i = 0; i < ways * each && im->e.status == LM_OK; i++) {
        const char *name = names ? names->strings[i].text : usual[i % each];
        size_t f = 0;
        while (f < LM_COUNT(functions) && strcasecmp(functions[f].name, name) != 0)
            f++;
        if (f == LM_COUNT(functions)) {
            lm_import_fail(im, LM_UNSUPPORTED, "there is no activation '%s'", name);
            return;
        }
        int slot = 3 * (i / each) + i % each;
        r->act[slot] = (int32_t)functions[f].op;
        r->alpha[slot] = functions[f].alpha;
        r->beta[slot] = functions[f].beta;
        if (functions[f].takes_alpha)
            r->alpha[slot] = next_of(alpha, alphas, &alpha_used, functions[f].alpha);
        if (functions[f].takes_beta)
            r->beta[slot] = next_of(beta, betas, &beta_used, functions[f].beta);
    }
}

/* layout = 1 puts the batch first: [N,T,...] for x and y, [N,D,H] for the states. */
void lm_import_recurrent(lm_import *im)
{
    static const char *const ways[] = {"forward", "reverse", "bidirectional", NULL};
    lm_attrs a = {0};
    lm_emit *e = &im->e;
    lm_attr_recurrent *r = &a.recurrent;
    r->way = (lm_way)lm_attr_choice(im, "direction", LM_FORWARD, ways);
    r->clip = (float)lm_attr_float(im, "clip", 0);
    r->linear_before_reset = im->op == LM_OP_GRU && lm_attr_int(im, "linear_before_reset", 0) != 0;
    r->input_forget = im->op == LM_OP_LSTM && lm_attr_int(im, "input_forget", 0) != 0;
    bool batch_first = lm_attr_int(im, "layout", 0) != 0;
    int64_t hidden = lm_attr_int(im, "hidden_size", -1);
    read_functions(im, r->way == LM_BOTH ? 2 : 1, r);
    if (!lm_import_needs(im, 3) || !lm_import_ranked(im, 2, 3, 3))
        return;
    if (hidden >= 0 && hidden != lm_in_shape(im, 2)->dim[2])
        lm_import_fail(im, LM_INPUT, "hidden_size = %lld, but the weights have %lld units", (long long)hidden,
                       (long long)lm_in_shape(im, 2)->dim[2]);
    int most = im->op == LM_OP_LSTM ? 8 : 6, nx = 3;
    lm_val x[8] = {LM_NOVAL}, y[3];
    for (int i = 0; i < most; i++) {
        x[i] = lm_in(im, i);
        if (batch_first && x[i] != LM_NOVAL && (i == 0 || i == 5 || i == 6))
            x[i] = lm_import_ranked(im, i, 3, 3) ? lm_emit_swap(e, x[i], 0, 1) : LM_NOVAL;
        if (x[i] != LM_NOVAL)
            nx = i + 1 > nx ? i + 1 : nx;
    }
    int ny = lm_wants(im, 2) ? 3 : lm_wants(im, 1) ? 2 : 1;
    lm_emit_op(e, im->op, &a, nx, x, ny, y);
    for (int i = 0; i < ny; i++) {
        static const int32_t outside[] = {2, 0, 1, 3};
        if (batch_first && e->status == LM_OK)
            y[i] = i == 0 ? lm_emit_transpose(e, y[i], outside) : lm_emit_swap(e, y[i], 0, 1);
        im->y[i] = y[i];
    }
}
