/* limn/build.h: models made by calls. */
#include <limn/build.h>

#include <string.h>

#include "core/api/handle.h"
#include "core/base/mem.h"
#include "core/model/onnx_build.h"
#include "core/model/onnx_write.h"

struct limn_builder {
    onnx_build build;
    onnx_node *last; /* what attributes are added to */
};

enum { OPSET = 22 };

limn_status limn_builder_new(limn_builder **out)
{
    LM_REQUIRE(out, LM_USAGE, "limn_builder_new: a pointer is NULL");
    limn_builder *b;
    LM_NEW(b);
    onnx_build_start(&b->build, OPSET);
    *out = b;
    return LM_OK;
}

void limn_builder_free(limn_builder *b)
{
    if (!b)
        return;
    onnx_build_free(&b->build);
    lm_free(b);
}

/* The first failure is the builder's from then on. */
static lm_status refuse(limn_builder *b, lm_status status)
{
    if (b->build.status == LM_OK)
        b->build.status = status;
    return b->build.status;
}

#define LM_BUILD(b, condition, ...)                                                                                    \
    do {                                                                                                               \
        LM_REQUIRE(b, LM_USAGE, "the builder is NULL");                                                                \
        if (!(condition) && (b)->build.status == LM_OK)                                                                \
            return refuse(b, lm_fail(LM_USAGE, __VA_ARGS__));                                                          \
    } while (0)

static bool sound_port(const char *name, limn_dtype type, int rank)
{
    return name && *name && !strchr(name, ' ') && (unsigned)type < LM_DTYPES && rank >= -1 && rank <= LM_RANK;
}

static const int64_t any[LM_RANK] = {-1, -1, -1, -1, -1, -1, -1, -1};

limn_status limn_build_input(limn_builder *b, const char *name, limn_dtype type, int rank, const int64_t *dim)
{
    LM_BUILD(b, sound_port(name, type, rank), "input '%s': no name without blanks, element type or rank",
             name ? name : "");
    onnx_build_input(&b->build, name, type, rank, dim ? dim : any);
    return b->build.status;
}

limn_status limn_build_output(limn_builder *b, const char *name, limn_dtype type, int rank, const int64_t *dim)
{
    LM_BUILD(b, sound_port(name, type, rank), "output '%s': no name without blanks, element type or rank",
             name ? name : "");
    onnx_build_output(&b->build, name, type, rank, dim ? dim : any);
    return b->build.status;
}

limn_status limn_build_constant(limn_builder *b, const char *name, const limn_tensor *content)
{
    LM_BUILD(b, name && content, "a constant needs a name and a content");
    lm_view view;
    lm_status status = api_view(content, false, &view);
    if (status != LM_OK)
        return refuse(b, lm_context(status, "constant '%s'", name));
    onnx_build_const(&b->build, name, &view);
    lm_buffer_unref(view.buf);
    return b->build.status;
}

limn_status limn_build_op(limn_builder *b, const char *op, const char *inputs, const char *outputs)
{
    LM_BUILD(b, op && inputs && outputs, "an operator needs its name and the names of what it reads and makes");
    b->last = onnx_build_node(&b->build, op, inputs, outputs);
    return b->build.status;
}

limn_status limn_build_name(limn_builder *b, const char *node)
{
    LM_BUILD(b, b->last && node, "a name needs an operator before it");
    if (b->build.status != LM_OK)
        return b->build.status;
    const char *copy = lm_arena_strdup(&b->build.arena, node);
    if (!copy)
        return refuse(b, LM_MEMORY);
    b->last->name = copy;
    return LM_OK;
}

limn_status limn_build_int(limn_builder *b, const char *attribute, int64_t value)
{
    LM_BUILD(b, b->last && attribute, "an attribute needs a name, and an operator before it");
    onnx_build_attr_int(&b->build, b->last, attribute, value);
    return b->build.status;
}

limn_status limn_build_float(limn_builder *b, const char *attribute, float value)
{
    LM_BUILD(b, b->last && attribute, "an attribute needs a name, and an operator before it");
    onnx_build_attr_float(&b->build, b->last, attribute, value);
    return b->build.status;
}

limn_status limn_build_text(limn_builder *b, const char *attribute, const char *value)
{
    LM_BUILD(b, b->last && attribute && value, "an attribute needs a name and a text, and an operator before it");
    onnx_build_attr_text(&b->build, b->last, attribute, value);
    return b->build.status;
}

limn_status limn_build_ints(limn_builder *b, const char *attribute, const int64_t *values, size_t count)
{
    LM_BUILD(b, b->last && attribute && (values || !count), "an attribute needs a name, and an operator before it");
    onnx_build_attr_ints(&b->build, b->last, attribute, count, values);
    return b->build.status;
}

limn_status limn_build_save(limn_builder *b, const char *path)
{
    LM_BUILD(b, path, "a file needs a name");
    LM_TRY(b->build.status);
    return onnx_write_file(&b->build.model, path);
}

limn_status limn_build_open(limn_builder *b, limn_model **out)
{
    LM_BUILD(b, out, "limn_build_open: a pointer is NULL");
    LM_TRY(b->build.status);
    lm_str bytes = {0};
    lm_status status = onnx_write_model(&b->build.model, &bytes);
    size_t count = bytes.count;
    char *taken = status == LM_OK ? lm_str_take(&bytes) : NULL;
    lm_str_free(&bytes);
    if (status == LM_OK && !taken)
        status = LM_MEMORY;
    if (status == LM_OK)
        status = limn_model_open_bytes(taken, count, out);
    if (status == LM_OK)
        (*out)->bytes = taken;
    else
        lm_free(taken);
    return status;
}
