/* Pictures and pages as a program outside makes them, and the example of limn/draw.h as it stands there:
 * test_draw MODEL EXAMPLE, with a network that takes pictures of 64 x 64. */
#include <limn/limn.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/api/samples.h"

static int failed;
static char folder[] = "/tmp/limn-draw-XXXXXX";

static int check(int good, int line, const char *what)
{
    if (!good) {
        failed++;
        printf("line %d: failed: %s; message: %s\n", line, what, limn_message());
    }
    return good;
}
#define CHECK(condition) check((condition) != 0, __LINE__, #condition)

static const char *at(const char *name)
{
    static char path[8][128];
    static int next;
    char *to = path[next++ % 8];
    snprintf(to, sizeof path[0], "%s/%s", folder, name);
    return to;
}

/* A file's content, ended by a zero; freed by the caller. */
static char *content(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc(1 << 22);
    *size = file ? fread(text, 1, (1 << 22) - 1, file) : 0;
    text[*size] = 0;
    if (file)
        fclose(file);
    return text;
}

static int holds(const char *path, const char *part)
{
    size_t size;
    char *text = content(path, &size);
    const int found = strstr(text, part) != NULL;
    free(text);
    return found;
}

static int same(const char *a, const char *b)
{
    size_t n, m;
    char *x = content(a, &n), *y = content(b, &m);
    const int equal = n > 0 && n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return equal;
}

/* Width and height of a PNG file. */
static int is_png(const char *path, unsigned width, unsigned height)
{
    size_t size;
    unsigned char *b = (unsigned char *)content(path, &size);
    const int good = size > 24 && memcmp(b, "\x89PNG", 4) == 0 && b[18] * 256u + b[19] == width &&
                     b[22] * 256u + b[23] == height;
    free(b);
    return good;
}

static void draw_pictures(limn_session *session, limn_feed *feed)
{
    limn_explanation *why;
    limn_question ask = {.method = "ig,gradcam,saliency"};
    limn_drawing how = {.fed = &feed->tensor, .title = "Two <pictures>"};
    if (!CHECK(limn_explain(session, feed, 1, &ask, &why) == LIMN_OK))
        return;
    limn_status status = limn_draw(why, &how, at("a.png"));
    if (status != LIMN_UNSUPPORTED) {
        CHECK(status == LIMN_OK);
        CHECK(is_png(at("a.png"), 3 * 256 + 2 * 8, 2 * 256 + 8));
        CHECK(limn_draw(why, &how, at("b.png")) == LIMN_OK && same(at("a.png"), at("b.png")));
        CHECK(limn_draw(why, NULL, at("b.png")) == LIMN_OK && !same(at("a.png"), at("b.png")));
    }
    CHECK(limn_draw(why, &how, at("a.html")) == LIMN_OK);
    CHECK(holds(at("a.html"), "Two &lt;pictures&gt;") && !holds(at("a.html"), "Two <pictures>"));
    CHECK(holds(at("a.html"), "gradcam") && holds(at("a.html"), "</html>"));
    CHECK(limn_draw(why, &how, at("a.svg")) == LIMN_USAGE && strstr(limn_message(), "no table"));
    CHECK(limn_draw(why, &how, at("a.jpg")) == LIMN_USAGE && strstr(limn_message(), ".html"));
    CHECK(limn_draw(why, &how, at("missing/a.html")) == LIMN_OUTPUT);
    CHECK(limn_draw(NULL, &how, at("a.html")) == LIMN_USAGE);
    limn_explanation_free(why);
}

static void draw_tables(limn_device *device)
{
    static const char *const column[] = {"height", "width", "age", "we & ight"};
    limn_builder *b;
    limn_model *model = NULL;
    limn_session *session = NULL;
    limn_explanation *why = NULL;
    float x[2 * 4];
    if (!CHECK(limn_builder_new(&b) == LIMN_OK))
        return;
    sample_mlp(b, -1);
    sample_fill(x, 8, 3);
    limn_feed feed = {"x", {LIMN_F32, 2, {2, 4}, x}};
    const limn_question ask = {.method = "ig,input_x_gradient"};
    const limn_drawing how = {.fed = &feed.tensor, .column = column, .columns = 4};
    if (CHECK(limn_build_open(b, &model) == LIMN_OK) && CHECK(limn_session_open(model, device, &session) == LIMN_OK) &&
        CHECK(limn_explain(session, &feed, 1, &ask, &why) == LIMN_OK)) {
        CHECK(limn_draw(why, &how, at("t.svg")) == LIMN_OK && holds(at("t.svg"), "we &amp; ight"));
        CHECK(limn_draw(why, &how, at("t.html")) == LIMN_OK && holds(at("t.html"), "we &amp; ight"));
        CHECK(limn_draw(why, &how, at("t.png")) == LIMN_USAGE);
    }
    limn_explanation_free(why);
    limn_session_free(session);
    limn_model_free(model);
    limn_builder_free(b);
}

static void run_example(const char *program, const char *file, const limn_tensor *picture)
{
    const char *emulator = getenv("MESON_EXE_WRAPPER"); /* what meson runs programs of other machines with */
    char line[2048];
    CHECK(limn_tensor_save(at("x.npy"), picture) == LIMN_OK);
    snprintf(line, sizeof line, "%s '%s' '%s' '%s' '%s'", emulator ? emulator : "", program, file, at("x.npy"),
             at("example.html"));
    const int status = system(line);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(holds(at("example.html"), "gradcam"));
}

int main(int argc, char **argv)
{
    limn_device *device = NULL;
    limn_model *model = NULL;
    limn_session *session = NULL;
    limn_feed feed = {.name = "picture"};
    if (argc != 3 || !mkdtemp(folder))
        return 2;
    if (CHECK(limn_device_open(NULL, &device) == LIMN_OK) && CHECK(limn_model_open(argv[1], NULL, &model) == LIMN_OK) &&
        CHECK(limn_session_open(model, device, &session) == LIMN_OK) &&
        CHECK(limn_tensor_new(LIMN_F32, 4, (const int64_t[]){2, 3, 64, 64}, &feed.tensor) == LIMN_OK)) {
        sample_fill(feed.tensor.data, limn_tensor_count(&feed.tensor), 7);
        draw_pictures(session, &feed);
        draw_tables(device);
        run_example(argv[2], argv[1], &feed.tensor);
    }
    limn_tensor_free(&feed.tensor);
    limn_session_free(session);
    limn_model_free(model);
    limn_device_free(device);
    char line[160];
    snprintf(line, sizeof line, "rm -rf '%s'", folder);
    if (system(line) != 0)
        failed++;
    printf("%d passed, %d failed\n", failed ? 0 : 1, failed);
    return failed != 0;
}
