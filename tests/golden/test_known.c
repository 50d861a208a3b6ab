/* Explanations whose answer can be worked out by hand, of networks of a few neurons, on the reference device in double
 * and on the cpu device. */
#include <limn/limn.h>

#include "tests/unit/test.h"

enum { DEVICES = 2, MOST = 32 };
static const char *const device_name[DEVICES] = {"ref:type=f64", "cpu"};
static limn_device *device[DEVICES];

#define SIZES(...) (sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}
#define NUMBERS(...) (const double[]){__VA_ARGS__}
#define SET(...)                                                                                                       \
    .setting = (const limn_setting[]){__VA_ARGS__},                                                                    \
    .settings = sizeof((limn_setting[]){__VA_ARGS__}) / sizeof(limn_setting)

static void constant(limn_builder *b, const char *name, size_t rank, const int64_t *dim, const double *value)
{
    limn_tensor t;
    limn_tensor_new(LIMN_F32, (int)rank, dim, &t);
    for (size_t i = 0; i < limn_tensor_count(&t); i++)
        ((float *)t.data)[i] = (float)value[i];
    limn_build_constant(b, name, &t);
    limn_tensor_free(&t);
}

static void all(limn_builder *b, const char *name, size_t rank, const int64_t *dim, double value)
{
    double many[MOST];
    for (int i = 0; i < MOST; i++)
        many[i] = value;
    constant(b, name, rank, dim, many);
}

static void rows(limn_builder *b, const char *name, int64_t wide)
{
    limn_build_input(b, name, LIMN_F32, 2, (const int64_t[]){-1, wide});
}

/* h = relu(sums of lin0 + b), b = (-10, 1, 1, 1); y = sum of h - 1, and that + 2. lin0 is x. */
static void sums(limn_builder *b)
{
    rows(b, "x", 3);
    constant(b, "one", SIZES(3, 3), NUMBERS(1, 0, 0, 0, 1, 0, 0, 0, 1));
    all(b, "w", SIZES(3, 4), 1);
    constant(b, "b", SIZES(4), NUMBERS(-10, 1, 1, 1));
    all(b, "v", SIZES(4, 2), 1);
    constant(b, "c", SIZES(2), NUMBERS(-1, 1));
    limn_build_op(b, "MatMul", "x one", "lin0");
    limn_build_op(b, "MatMul", "lin0 w", "xw");
    limn_build_op(b, "Add", "xw b", "z");
    limn_build_op(b, "Relu", "z", "h");
    limn_build_op(b, "MatMul", "h v", "hv");
    limn_build_op(b, "Add", "hv c", "y");
}

/* relu(relu(a) - 1 - relu(b)) */
static void late(limn_builder *b)
{
    rows(b, "a", 1);
    rows(b, "b", 1);
    all(b, "one", SIZES(1), 1);
    limn_build_op(b, "Relu", "a", "ra");
    limn_build_op(b, "Relu", "b", "rb");
    limn_build_op(b, "Sub", "ra one", "less");
    limn_build_op(b, "Sub", "less rb", "d");
    limn_build_op(b, "Relu", "d", "y");
}

/* relu(relu(a - 1) - relu(b)): for inputs that are not negative the same function */
static void early(limn_builder *b)
{
    rows(b, "a", 1);
    rows(b, "b", 1);
    all(b, "one", SIZES(1), 1);
    limn_build_op(b, "Sub", "a one", "less");
    limn_build_op(b, "Relu", "less", "ra");
    limn_build_op(b, "Relu", "b", "rb");
    limn_build_op(b, "Sub", "ra rb", "d");
    limn_build_op(b, "Relu", "d", "y");
}

/* Two windows of ones over a 4x4 image, and four equal outputs. */
static void windows(limn_builder *b)
{
    double v[32];
    for (int i = 0; i < 32; i++)
        v[i] = i / 4 < 5 ? 1 : -1;
    limn_build_input(b, "x", LIMN_F32, 4, (const int64_t[]){-1, 1, 4, 4});
    all(b, "w", SIZES(2, 1, 3, 3), 1);
    constant(b, "b", SIZES(2), NUMBERS(-50, -75));
    constant(b, "v", SIZES(8, 4), v);
    limn_build_op(b, "Conv", "x w b", "conv");
    limn_build_op(b, "Relu", "conv", "relu");
    limn_build_op(b, "Flatten", "relu", "flat");
    limn_build_op(b, "MatMul", "flat v", "fv");
    limn_build_op(b, "Relu", "fv", "y");
}

static void two_layers(limn_builder *b, double corner)
{
    rows(b, "x", 3);
    constant(b, "w1", SIZES(3, 3), NUMBERS(corner, 2, 2, 2, 2, 2, 2, 2, 2));
    all(b, "w2", SIZES(3, 1), 3);
    limn_build_op(b, "MatMul", "x w1", "z");
    limn_build_name(b, "lower");
    limn_build_op(b, "Relu", "z", "h");
    limn_build_op(b, "MatMul", "h w2", "y");
}

static void positive(limn_builder *b)
{
    two_layers(b, 2);
}

static void mixed(limn_builder *b)
{
    two_layers(b, -2);
}

/* 5 (sum of x) + x */
static void residual(limn_builder *b)
{
    rows(b, "x", 2);
    all(b, "w", SIZES(2, 2), 5);
    limn_build_op(b, "MatMul", "x w", "xw");
    limn_build_op(b, "Add", "xw x", "y");
}

/* 2 relu(x1) + 2 relu(x2 - 1.5) */
static void hinges(limn_builder *b)
{
    rows(b, "x", 2);
    constant(b, "c", SIZES(2), NUMBERS(0, 1.5));
    all(b, "w", SIZES(2, 1), 2);
    limn_build_op(b, "Sub", "x c", "d");
    limn_build_op(b, "Relu", "d", "h");
    limn_build_op(b, "MatMul", "h w", "y");
}

static void cube(limn_builder *b)
{
    rows(b, "x", 1);
    limn_build_op(b, "Mul", "x x", "xx");
    limn_build_op(b, "Mul", "xx x", "y");
}

/* 2 x1 x1 + x2 x2 */
static void bowl(limn_builder *b)
{
    rows(b, "x", 2);
    constant(b, "w", SIZES(2, 1), NUMBERS(2, 1));
    limn_build_op(b, "Mul", "x x", "xx");
    limn_build_op(b, "MatMul", "xx w", "y");
}

/* 5 x1 + x2 x2 + sin x3 */
static void curves(limn_builder *b)
{
    rows(b, "x", 3);
    constant(b, "w1", SIZES(3, 1), NUMBERS(5, 0, 0));
    constant(b, "w2", SIZES(3, 1), NUMBERS(0, 1, 0));
    constant(b, "w3", SIZES(3, 1), NUMBERS(0, 0, 1));
    limn_build_op(b, "Mul", "x x", "xx");
    limn_build_op(b, "Sin", "x", "sine");
    limn_build_op(b, "MatMul", "x w1", "t1");
    limn_build_op(b, "MatMul", "xx w2", "t2");
    limn_build_op(b, "MatMul", "sine w3", "t3");
    limn_build_op(b, "Add", "t1 t2", "t");
    limn_build_op(b, "Add", "t t3", "y");
}

static void identity(limn_builder *b)
{
    rows(b, "x", 3);
    limn_build_op(b, "Identity", "x", "y");
}

/* 2 x1 - 3 x2 + x3 + 4 */
static void plane(limn_builder *b)
{
    rows(b, "x", 3);
    constant(b, "w", SIZES(3, 1), NUMBERS(2, -3, 1));
    all(b, "b", SIZES(1), 4);
    limn_build_op(b, "MatMul", "x w", "xw");
    limn_build_op(b, "Add", "xw b", "y");
}

/* One question and its answer: the maps of all explained inputs, one behind the other. */
typedef struct known {
    const char *name;
    void (*build)(limn_builder *b);
    const double *x; /* of the inputs, one behind the other; one sample */
    limn_question ask;
    int count;
    const double *wanted;
    double tolerance; /* of the largest element; 0: 1e-6 in double, 1e-5 in float32 */
} known;

#define ANSWER(...) .count = (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), .wanted = NUMBERS(__VA_ARGS__)
#define IMAGE NUMBERS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#define BIG NUMBERS(20, 50, 30)
#define MIDDLE NUMBERS(0, 100, 0)
/* Ten middles are exact where the only kink of a path lies at a tenth of it. */
#define TENTHS SET({"quadrature", "middle"}, {"steps", "10"})
#define MAP_SIZE {"upsample", "none"}, {"relu", "0"}

static float from[3] = {0.5F, 1, 1};
static const limn_feed from_file = {"from.npy", {LIMN_F32, 2, {1, 3}, from}};
static char lower_ab[] = "lower: ab alpha=2 beta=1\n*: eps\n";
static const limn_feed rules_file = {"ab.rules", {LIMN_U8, 1, {sizeof lower_ab - 1}, lower_ab}};

static const known table[] = {
    {"ig, late", late, NUMBERS(3, 1), {.method = "ig"}, ANSWER(1.5, -0.5)},
    {"ig, early", early, NUMBERS(3, 1), {.method = "ig"}, ANSWER(1.5, -0.5)},
    {"ig, not multiplied", late, NUMBERS(3, 1), {.method = "ig", SET({"multiply", "0"})}, ANSWER(0.5, -0.5)},
    {"ig, sums", sums, BIG, {.method = "ig", .target = "0", TENTHS}, ANSWER(78, 195, 117)},
    {"ig, adaptive", sums, BIG, {.method = "ig", .target = "0", SET({"quadrature", "adaptive"}, {"tol", "1e-3"})},
     ANSWER(78, 195, 117), 1e-4},
    {"conductance, lin0", sums, MIDDLE, {.method = "conductance", .target = "0", .layer = "lin0", TENTHS},
     ANSWER(0, 390, 0)},
    {"conductance, before", sums, MIDDLE, {.method = "conductance", .target = "0", .layer = "z", TENTHS},
     ANSWER(90, 100, 100, 100)},
    {"conductance, relu", sums, MIDDLE, {.method = "conductance", .target = "0", .layer = "h", TENTHS},
     ANSWER(90, 100, 100, 100)},
    {"conductance, output", sums, MIDDLE, {.method = "conductance", .target = "0", .layer = "y", TENTHS},
     ANSWER(390, 0)},
    {"gradient_x_activation, lin0", sums, MIDDLE, {.method = "gradient_x_activation", .target = "0", .layer = "lin0"},
     ANSWER(0, 400, 0)},
    {"gradient_x_activation, before", sums, MIDDLE, {.method = "gradient_x_activation", .target = "0", .layer = "z"},
     ANSWER(90, 101, 101, 101)},
    {"gradient_x_activation, output", sums, MIDDLE, {.method = "gradient_x_activation", .target = "0", .layer = "y"},
     ANSWER(392, 0)},
    {"saliency, windows", windows, IMAGE, {.method = "saliency", .target = "0", SET({"abs", "0"})},
     ANSWER(0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0)},
    {"lrp, windows", windows, IMAGE, {.method = "lrp", .target = "0"},
     ANSWER(0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 0, 0, 0)},
    {"gradcam, conv", windows, IMAGE, {.method = "gradcam", .target = "0", .layer = "conv", SET(MAP_SIZE)},
     ANSWER(11.25, 13.5, 20.25, 22.5)},
    {"gradcam, relu", windows, IMAGE, {.method = "gradcam", .target = "0", .layer = "relu", SET(MAP_SIZE)},
     ANSWER(0, 4, 28, 32.5)},
    {"hirescam", windows, IMAGE, {.method = "hirescam", .target = "0", .layer = "conv", SET(MAP_SIZE)},
     ANSWER(0, 4, 25, 25)},
    {"layercam", windows, IMAGE, {.method = "layercam", .target = "0", .layer = "conv", SET(MAP_SIZE)},
     ANSWER(0, 4, 31, 40)},
    {"lrp, positive", positive, NUMBERS(1, 2, 3), {.method = "lrp"}, ANSWER(18, 36, 54)},
    {"input_x_gradient, positive", positive, NUMBERS(1, 2, 3), {.method = "input_x_gradient"}, ANSWER(18, 36, 54)},
    {"lrp, ab below", mixed, NUMBERS(1, 2, 3),
     {.method = "lrp", SET({"rules", "ab.rules"}), .file = &rules_file, .files = 1}, ANSWER(0, 67.2, 100.8)},
    {"lrp, ab everywhere", mixed, NUMBERS(1, 2, 3), {.method = "lrp", SET({"rules", "ab_all"})},
     ANSWER(0, 134.4, 201.6)},
    {"lrp, residual", residual, NUMBERS(2, 3), {.method = "lrp", .target = "1"}, ANSWER(10, 18)},
    {"deeplift, hinges", hinges, NUMBERS(1, 2), {.method = "deeplift"}, ANSWER(2, 1)},
    {"deeplift, multipliers", hinges, NUMBERS(1, 2), {.method = "deeplift", SET({"multiply", "0"})}, ANSWER(2, 0.5)},
    {"left", cube, NUMBERS(1), {.method = "ig", SET({"quadrature", "left"}, {"steps", "3"})}, ANSWER(5.0 / 9)},
    {"right", cube, NUMBERS(1), {.method = "ig", SET({"quadrature", "right"}, {"steps", "3"})}, ANSWER(14.0 / 9)},
    {"middle", cube, NUMBERS(1), {.method = "ig", SET({"quadrature", "middle"}, {"steps", "3"})}, ANSWER(35.0 / 36)},
    {"trapezoid", cube, NUMBERS(1), {.method = "ig", SET({"quadrature", "trapezoid"}, {"steps", "3"})}, ANSWER(1.125)},
    {"gauss", cube, NUMBERS(1), {.method = "ig", SET({"steps", "2"})}, ANSWER(1)},
    {"guided_ig", bowl, NUMBERS(3, 3), {.method = "guided_ig"}, ANSWER(18, 9), 0.01},
    {"ig, curves", curves, NUMBERS(1, 2, 3), {.method = "ig", .baseline = "from.npy", .file = &from_file, .files = 1},
     ANSWER(2.5, 3, -0.7003509767480291)},
    {"ig, identity", identity, NUMBERS(4, -5, 6), {.method = "ig", .target = "sum"}, ANSWER(4, -5, 6)},
    {"smoothgrad, identity", identity, NUMBERS(4, -5, 6),
     {.method = "saliency", .target = "sum", .noise = "smoothgrad:samples=8,stdev=0.1"}, ANSWER(1, 1, 1)},
    {"gradient, plane", plane, NUMBERS(4, -5, 6), {.method = "saliency", SET({"abs", "0"})}, ANSWER(2, -3, 1)},
    {"ig, plane", plane, NUMBERS(4, -5, 6), {.method = "ig", .baseline = "value:1"}, ANSWER(6, 18, 5)},
    {"deeplift, plane", plane, NUMBERS(4, -5, 6), {.method = "deeplift", .baseline = "value:1"}, ANSWER(6, 18, 5)},
};

static double number(const limn_tensor *t, size_t i)
{
    return t->type == LIMN_F64 ? ((const double *)t->data)[i] : (double)((const float *)t->data)[i];
}

/* The maps against the answer, element by element. */
static void compare(const known *k, const limn_explanation *why, double may)
{
    double size = 0;
    int n = 0;
    for (int i = 0; i < k->count; i++)
        size = fmax(size, fabs(k->wanted[i]));
    for (size_t a = 0; a < limn_explanation_count(why); a++) {
        const limn_tensor *map = &limn_explanation_get(why, a)->values;
        for (size_t i = 0; i < limn_tensor_count(map); i++, n++)
            if (n < k->count && !CHECK_NEAR(number(map, i), k->wanted[n], may * size))
                printf("%s: element %d\n", k->name, n);
    }
    CHECK_INT(n, k->count);
}

static const known *current;

/* Feeds of one sample with the sizes that the model declares. */
static size_t fill(const limn_model *model, const double *x, limn_feed *feed)
{
    const size_t inputs = limn_model_input_count(model);
    for (size_t i = 0; i < inputs; i++) {
        const limn_port *port = limn_model_input(model, i);
        int64_t dim[LIMN_RANK];
        for (int d = 0; d < port->rank; d++)
            dim[d] = port->dim[d] < 0 ? 1 : port->dim[d];
        feed[i].name = port->name;
        limn_tensor_new(LIMN_F32, port->rank, dim, &feed[i].tensor);
        for (size_t j = 0; j < limn_tensor_count(&feed[i].tensor); j++)
            ((float *)feed[i].tensor.data)[j] = (float)*x++;
    }
    return inputs;
}

static void run(void)
{
    enum { INPUTS = 2 };
    const known *k = current;
    limn_feed feed[INPUTS] = {{0}};
    limn_builder *b = NULL;
    limn_model *model = NULL;
    limn_builder_new(&b);
    k->build(b);
    limn_build_output(b, "y", LIMN_F32, 2, NULL);
    if (!CHECK_OK((lm_status)limn_build_open(b, &model))) {
        limn_builder_free(b);
        return;
    }
    const size_t feeds = fill(model, k->x, feed);
    for (int d = 0; d < DEVICES; d++) {
        limn_session *session = NULL;
        limn_explanation *why = NULL;
        CHECK_OK((lm_status)limn_session_open(model, device[d], &session));
        if (CHECK_OK((lm_status)limn_explain(session, feed, feeds, &k->ask, &why)))
            compare(k, why, k->tolerance > 0 ? k->tolerance : d == 0 ? 1e-6 : 1e-5);
        limn_explanation_free(why);
        limn_session_free(session);
    }
    for (size_t i = 0; i < feeds; i++)
        limn_tensor_free(&feed[i].tensor);
    limn_model_free(model);
    limn_builder_free(b);
}

/* What stands in a certificate: 392 - 2, met by the sum. */
static void certificate(void)
{
    float x[] = {20, 50, 30};
    const limn_feed feed = {"x", {LIMN_F32, 2, {1, 3}, x}};
    const limn_question ask = {.method = "ig", .target = "0", TENTHS};
    limn_builder *b = NULL;
    limn_model *model = NULL;
    limn_session *session = NULL;
    limn_explanation *why = NULL;
    limn_builder_new(&b);
    sums(b);
    limn_build_output(b, "y", LIMN_F32, 2, NULL);
    if (CHECK_OK((lm_status)limn_build_open(b, &model)) &&
        CHECK_OK((lm_status)limn_session_open(model, device[0], &session)) &&
        CHECK_OK((lm_status)limn_explain(session, &feed, 1, &ask, &why))) {
        const limn_attribution *map = limn_explanation_get(why, 0);
        CHECK_NEAR(map->target_value[0], 392, 1e-9);
        CHECK_NEAR(map->baseline_value[0], 2, 1e-9);
        CHECK_NEAR(map->certificate[0].gap_abs, 0, 1e-9);
        CHECK_INT(map->target_index[0], 0);
    }
    limn_explanation_free(why);
    limn_session_free(session);
    limn_model_free(model);
    limn_builder_free(b);
}

int main(void)
{
    for (int d = 0; d < DEVICES; d++)
        if (limn_device_open(device_name[d], &device[d]) != LIMN_OK)
            return 2;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        current = &table[i];
        test_case(current->name, run);
    }
    CASE(certificate);
    for (int d = 0; d < DEVICES; d++)
        limn_device_free(device[d]);
    return test_end();
}
