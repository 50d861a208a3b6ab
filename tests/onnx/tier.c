/* The tier of a test, from the operators and element types in its model, inner graphs and functions included:
 *   1  operators of the list, element types float, double, int32, int64, bool
 *   2  any operators but those of tier 3, all integer types of 8 bits and more
 *   3  the rest: small floats and integers, texts, sequences, optionals, random numbers, training */
#include <stdlib.h>
#include <string.h>

#include "tests/onnx/suite.h"

/* Sorted by byte value. */
static const char *const tier_1_ops[] = {
    "Abs", "Add", "And", "ArgMax", "ArgMin", "ArrayFeatureExtractor", "Attention", "AveragePool", "BatchNormalization",
    "Binarizer", "Cast", "CastLike", "Ceil", "Celu", "Clip", "Concat", "Constant", "ConstantOfShape", "Conv",
    "ConvTranspose", "Cos", "CumSum", "DepthToSpace", "Div", "Dropout", "Einsum", "Elu", "Equal", "Erf", "Exp",
    "Expand", "Flatten", "Floor", "GRU", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm", "GlobalAveragePool",
    "GlobalMaxPool", "Greater", "GreaterOrEqual", "GroupNormalization", "HardSigmoid", "HardSwish", "Identity",
    "InstanceNormalization", "IsNaN", "LRN", "LSTM", "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual", "Log",
    "LogSoftmax", "LpNormalization", "MatMul", "Max", "MaxPool", "Mean", "MeanVarianceNormalization", "Min", "Mish",
    "Mod", "Mul", "Neg", "NonZero", "Not", "OneHot", "Or", "PRelu", "Pad", "Pow", "RMSNormalization", "RNN", "Range",
    "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
    "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Resize", "RotaryEmbedding", "Round", "Scatter",
    "ScatterElements", "ScatterND", "Selu", "Shape", "Sigmoid", "Sign", "Sin", "Size", "Slice", "Softmax", "Softplus",
    "Softsign", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Swish", "Tanh", "ThresholdedRelu", "Tile",
    "TopK", "Transpose", "TreeEnsemble", "Trilu", "Unsqueeze", "Upsample", "Where", "Xor",
};

/* Random, or about texts, sequences and optionals. */
static const char *const tier_3_ops[] = {
    "Bernoulli", "ConcatFromSequence", "ImageDecoder", "LabelEncoder", "Multinomial", "Optional", "OptionalGetElement",
    "OptionalHasElement", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "RegexFullMatch",
    "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength",
    "SequenceMap", "SplitToSequence", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer",
};

/* These draw random numbers, which only their inputs' contents say. */
static const char *const random_tests[] = {
    "test_training_dropout", "test_training_dropout_default", "test_training_dropout_default_mask",
    "test_training_dropout_mask",
};

static int by_text(const void *key, const void *row)
{
    return strcmp(key, *(const char *const *)row);
}

static bool in_list(const char *text, const char *const *list, size_t count)
{
    return bsearch(text, list, count, sizeof *list, by_text) != NULL;
}

static void raise(int *tier, int least)
{
    if (*tier < least)
        *tier = least;
}

static void see_elements(int *tier, int32_t type)
{
    switch (type) {
    case ONNX_FLOAT: case ONNX_DOUBLE: case ONNX_INT32: case ONNX_INT64: case ONNX_BOOL:
        return;
    case ONNX_UINT8: case ONNX_INT8: case ONNX_UINT16: case ONNX_INT16: case ONNX_UINT32: case ONNX_UINT64:
        raise(tier, TIER_2);
        return;
    default:
        raise(tier, TIER_3);
    }
}

static void see_values(int *tier, const onnx_value_info *value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (value[i].type.kind == ONNX_TYPE_TENSOR)
            see_elements(tier, value[i].type.elem_type);
        else if (value[i].type.kind != ONNX_TYPE_NONE)
            raise(tier, TIER_3);
}

static void see_graph(int *tier, const onnx_graph *g);

static void see_nodes(int *tier, const onnx_node *node, size_t count)
{
    for (; count > 0; node++, count--) {
        if (strncmp(node->domain, "ai.onnx.preview", 15) == 0 || strncmp(node->domain, "ai.onnx.training", 16) == 0 ||
            in_list(node->op_type, tier_3_ops, LM_COUNT(tier_3_ops)))
            raise(tier, TIER_3);
        if (!in_list(node->op_type, tier_1_ops, LM_COUNT(tier_1_ops)))
            raise(tier, TIER_2);
        /* the trees of ai.onnx.ml hold tables of small numbers that nothing computes with */
        bool tables = strcmp(node->domain, "ai.onnx.ml") == 0;
        for (size_t i = 0; i < node->n_attrs; i++) {
            const onnx_attr *a = &node->attrs[i];
            if (a->type == ONNX_ATTR_TENSOR && a->t && !(tables && a->t->data_type == ONNX_UINT8))
                see_elements(tier, a->t->data_type);
            if (a->type == ONNX_ATTR_GRAPH && a->g)
                see_graph(tier, a->g);
            for (size_t k = 0; k < a->n_graphs; k++)
                see_graph(tier, &a->graphs[k]);
        }
    }
}

static void see_graph(int *tier, const onnx_graph *g)
{
    see_values(tier, g->inputs, g->n_inputs);
    see_values(tier, g->outputs, g->n_outputs);
    see_values(tier, g->value_infos, g->n_value_infos);
    for (size_t i = 0; i < g->n_initializers; i++)
        see_elements(tier, g->initializers[i].data_type);
    see_nodes(tier, g->nodes, g->n_nodes);
}

int suite_tier(const char *name, const onnx_model *m)
{
    int tier = TIER_1;
    if (in_list(name, random_tests, LM_COUNT(random_tests)))
        return TIER_3;
    see_graph(&tier, m->graph);
    for (size_t i = 0; i < m->n_functions; i++)
        see_nodes(&tier, m->functions[i].nodes, m->functions[i].n_nodes);
    return tier;
}
