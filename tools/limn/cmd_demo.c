/* limn demo: the main job with nothing given. */
#include <time.h>

#include "core/base/file.h"
#include "demo.h"

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static lm_status run(demo *d)
{
    size_t at = 0;
    next_value(d->cmd, OPT_out, &at);
    LM_REQUIRE(!next_value(d->cmd, OPT_out, &at), LM_USAGE, "-o: is given twice; name one folder");
    const double start = seconds_now();
    LM_TRY(lm_dir_make(d->folder)); /* first, so that nobody waits for a folder that cannot be written */
    LM_TRY(demo_draw(d));
    for (int n = 0; n < DEMO_NETWORKS; n++)
        LM_TRY(lm_context(demo_explain(d, &d->network[n]), "%s", d->network[n].name));
    d->seconds = seconds_now() - start;
    LM_TRY(demo_files(d));
    LM_TRY(demo_report(d));
    return given(d->cmd, OPT_json) ? demo_json(d) : demo_text(d);
}

lm_status cmd_demo(command *cmd)
{
    demo d = {
        .cmd = cmd,
        .folder = given(cmd, OPT_out) ? cmd->option[OPT_out] : "limn-demo",
        .network = {{.name = "honest", .file = "demo-honest.onnx"}, {.name = "cheat", .file = "demo-cheat.onnx"}}};
    lm_status status = run(&d);
    for (int n = 0; n < DEMO_NETWORKS; n++) {
        limn_explanation_free(d.network[n].why);
        activity_close(&d.network[n].inside);
        subject_close(&d.network[n].on);
    }
    for (int i = 0; d.picture && i < DEMO_PICTURES; i++)
        lm_canvas_free(&d.picture[i].canvas);
    lm_arena_free(&d.arena);
    return status;
}
