/* Looking at a model that nobody has fed: made-up contents, what is excused by them, what is told of it, and types that
 * no tensor here has. */
#include "tests/model/sample.h"

#include "core/base/log.h"
#include "core/model/check.h"
#include "core/run/session.h"
#include "tests/unit/test.h"

static lm_chain chain;

/* An open model over its own bytes. */
typedef struct opened {
    lm_str bytes;
    lm_model *model;
} opened;

static bool open_it(onnx_build *b, opened *o)
{
    const onnx_open_options options = {.name = "m.onnx"};
    *o = (opened){0};
    return CHECK_OK(onnx_build_end(b, &o->bytes)) &&
           CHECK_OK(lm_model_open_bytes(o->bytes.text, o->bytes.count, &options, &o->model));
}

static void close_it(opened *o)
{
    lm_model_close(o->model);
    lm_str_free(&o->bytes);
}

static void start(onnx_build *b)
{
    *b = (onnx_build){0};
    onnx_build_start(b, 17);
    onnx_build_input(b, "x", LM_F32, 2, (int64_t[]){1, 4});
}

static bool can_be_guessed(lm_model *m)
{
    lm_feed feed[8];
    lm_built *built;
    int n;
    lm_model_inputs(m, &n);
    lm_status status = lm_model_guess(m, &chain, feed, &built);
    if (status != LM_OK)
        return false;
    lm_feeds_free(feed, n);
    lm_built_free(built);
    return true;
}

/* Reports what is asked of the only problem; the model goes. */
static void check_one(onnx_build *b, bool forward, bool depends, const char *says)
{
    opened o;
    lm_problems p;
    if (open_it(b, &o) && CHECK_OK(lm_model_check(o.model, &chain, &p))) {
        if (CHECK_INT(p.at.count, 1)) {
            CHECK(p.at.at[0].forward == forward && p.at.at[0].depends == depends);
            if (!CHECK(strstr(p.at.at[0].reason, says) != NULL))
                printf("%s\n", p.at.at[0].reason);
        }
        CHECK(forward || !can_be_guessed(o.model) || !depends);
        lm_problems_free(&p);
    }
    close_it(&o);
}

/* Zeros are no scales, no steps and no two axes; something else is tried, every input by itself. */
static void contents_are_made_up(void)
{
    for (int kind = 0; kind < 3; kind++) {
        onnx_build b;
        start(&b);
        if (kind == 0) {
            onnx_build_input(&b, "scales", LM_F32, 1, (int64_t[]){2});
            onnx_build_node(&b, "Resize", "x - scales", "y");
        } else if (kind == 1) {
            onnx_build_input(&b, "starts", LM_I64, 1, (int64_t[]){2});
            onnx_build_input(&b, "ends", LM_I64, 1, (int64_t[]){2});
            onnx_build_input(&b, "axes", LM_I64, 1, (int64_t[]){2});
            onnx_build_input(&b, "steps", LM_I64, 1, (int64_t[]){2});
            onnx_build_node(&b, "Slice", "x starts ends axes steps", "y");
        } else {
            onnx_build_input(&b, "shape", LM_I64, 1, (int64_t[]){3});
            onnx_build_node(&b, "Reshape", "x shape", "y");
        }
        onnx_build_output(&b, "y", LM_F32, -1, NULL);
        opened o;
        lm_problems p;
        if (open_it(&b, &o) && CHECK_OK(lm_model_check(o.model, &chain, &p))) {
            CHECK_INT(p.at.count, 0);
            lm_problems_free(&p);
        }
        CHECK(can_be_guessed(o.model));
        close_it(&o);
    }
}

/* Pieces that must add up are not found by trying. */
static void what_contents_decide_is_no_fault(void)
{
    onnx_build b;
    start(&b);
    onnx_build_input(&b, "sizes", LM_I64, 1, (int64_t[]){3});
    onnx_node *split = onnx_build_node(&b, "Split", "x sizes", "p q r");
    onnx_build_attr_int(&b, split, "axis", 1);
    onnx_build_node(&b, "Add", "p q", "y"); /* hangs on them too, but is not met */
    onnx_build_output(&b, "y", LM_F32, -1, NULL);
    check_one(&b, false, true, "depends on what input 'sizes' holds; with zeros: ");
}

/* An input that decides something excuses nobody who has nothing to do with it. */
static void other_faults_are_faults(void)
{
    onnx_build b;
    start(&b);
    onnx_build_input(&b, "shape", LM_I64, 1, (int64_t[]){1});
    onnx_build_floats(&b, "w", 2, (int64_t[]){3, 1}, (float[]){1, 2, 3});
    onnx_build_attr_int(&b, onnx_build_node(&b, "ConstantOfShape", "shape", "z"), "unheard", 1);
    onnx_build_node(&b, "MatMul", "x w", "y");
    onnx_build_output(&b, "y", LM_F32, -1, NULL);
    onnx_build_output(&b, "z", LM_F32, -1, NULL);
    check_one(&b, true, false, "MatMul");
}

static int heard;
static char last[512];

static void hear(void *ctx, lm_log_level level, const char *line)
{
    (void)ctx;
    heard += level == LM_LOG_WARN;
    snprintf(last, sizeof last, "%s", line);
}

static void build_for(lm_model *m, int64_t rows)
{
    lm_shape s = LM_SHAPE(rows, 4);
    lm_feed x = lm_view_row(LM_F32, &s, NULL);
    lm_built *built = NULL;
    CHECK_OK(lm_model_build(m, &chain, &x, &built));
    lm_built_free(built);
}

/* A warning that a build makes is told once of a model, however often it is built. */
static void notes_are_told_once(void)
{
    onnx_build b;
    start(&b);
    onnx_build_ints(&b, "on", 0, NULL, (int64_t[]){1});
    onnx_build_attr_int(&b, onnx_build_node(&b, "Cast", "on", "training"), "to", ONNX_BOOL);
    onnx_build_node(&b, "Dropout", "x - training", "t");
    onnx_build_node(&b, "Dropout", "t - training", "y");
    onnx_build_output(&b, "y", LM_F32, -1, NULL);
    opened o;
    heard = 0;
    lm_log_to(hear, NULL);
    lm_log_level_set(LM_LOG_WARN);
    if (open_it(&b, &o)) {
        build_for(o.model, 1);
        CHECK_INT(heard, 1);
        CHECK(strstr(last, "m.onnx") && strstr(last, "Dropout in training mode"));
        build_for(o.model, 2);
        CHECK_INT(heard, 1);
    }
    lm_log_level_set(LM_LOG_OFF);
    lm_log_to(NULL, NULL);
    close_it(&o);
}

/* The labels of a classifier, of which one is chosen: their numbers are answered, and said. */
static void texts_are_numbered(void)
{
    static const char *const words[] = {"ant", "bee", "cow", "dog"};
    onnx_build b;
    lm_str list = {0};
    start(&b);
    onnx_build_opset(&b, "ai.onnx.ml", 1);
    onnx_tensor *t = onnx_build_ints(&b, "classes", 1, (int64_t[]){4}, (int64_t[]){0, 0, 0, 0});
    for (size_t i = 0; i < LM_COUNT(words); i++)
        lm_pb_put_bytes(&list, 6, words[i], strlen(words[i]));
    t->data_type = ONNX_STRING;
    t->has_raw = 0;
    t->raw = (lm_slice){0};
    t->typed = (lm_slice){(const uint8_t *)list.text, list.count};
    onnx_build_attr_int(&b, onnx_build_node(&b, "ArgMax", "x", "at"), "axis", 1);
    onnx_build_node(&b, "ArrayFeatureExtractor", "classes at", "label")->domain = "ai.onnx.ml";
    onnx_build_output(&b, "label", LM_I64, -1, NULL)->type.elem_type = ONNX_STRING;
    opened o;
    lm_session *s = NULL;
    lm_view x, y = lm_view_absent();
    lm_shape shape = LM_SHAPE(1, 4);
    lm_log_to(hear, NULL);
    lm_log_level_set(LM_LOG_WARN);
    if (open_it(&b, &o) && CHECK_OK(lm_view_new(LM_F32, &shape, &x))) {
        memcpy(lm_view_data(&x), (float[]){0, 1, 3, 2}, 4 * sizeof(float));
        if (CHECK_OK(lm_session_open(o.model, &chain, NULL, &s)) &&
            CHECK_OK(lm_session_run(s, &(lm_named){"x", x}, 1, NULL, 1, &y, NULL)))
            CHECK_INT(lm_view_get_i64(&y, 0), 2);
        CHECK(strstr(last, "2 'cow'") != NULL);
        lm_buffer_unref(y.buf);
        lm_buffer_unref(x.buf);
    }
    lm_log_level_set(LM_LOG_OFF);
    lm_log_to(NULL, NULL);
    lm_session_close(s);
    close_it(&o);
    lm_str_free(&list);
}

/* Whatever is fed to an input of texts, the type is what is wrong. */
static void inputs_of_texts_are_named(void)
{
    onnx_build b = {0};
    onnx_build_start(&b, 17);
    onnx_build_input(&b, "x", LM_F32, 1, (int64_t[]){1})->type.elem_type = ONNX_STRING;
    onnx_build_node(&b, "Identity", "x", "y");
    onnx_build_output(&b, "y", LM_F32, -1, NULL);
    opened o;
    lm_session *s = NULL;
    lm_shape shape = LM_SHAPE(1, 4);
    lm_view y, x = lm_view_row(LM_F32, &shape, NULL);
    if (open_it(&b, &o) && CHECK_OK(lm_session_open(o.model, &chain, NULL, &s))) {
        CHECK_FAILS(lm_session_run(s, &(lm_named){"x", x}, 1, NULL, 1, &y, NULL), LM_UNSUPPORTED);
        CHECK(strstr(lm_message(), "'x'") && strstr(lm_message(), "strings are not supported"));
    }
    CHECK(!can_be_guessed(o.model) && strstr(lm_message(), "strings are not supported"));
    lm_session_close(s);
    close_it(&o);
}

int main(void)
{
    if (lm_chain_open("cpu", &chain) != LM_OK && lm_chain_open("ref", &chain) != LM_OK) {
        printf("%s\n", lm_message());
        return 1;
    }
    CASE(contents_are_made_up);
    CASE(what_contents_decide_is_no_fault);
    CASE(other_faults_are_faults);
    CASE(notes_are_told_once);
    CASE(texts_are_numbered);
    CASE(inputs_of_texts_are_named);
    lm_chain_close(&chain);
    return test_end();
}
