/* The demo as a page. */
#include <math.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/data/image.h"
#include "core/draw/report.h"
#include "demo.h"

enum { TOPS = 3, TABLE_COLUMNS = 5 };

static const char *kept(demo *d, lm_str *text)
{
    const char *own = text->status == LM_OK ? lm_arena_strdup(&d->arena, lm_str_text(text)) : NULL;
    lm_str_free(text);
    return own ? own : "";
}

static lm_answer answer_of(const demo_network *n, int picture, int kind)
{
    return (lm_answer){.index = kind,
                       .label = lm_scene_name(kind),
                       .value = n->score[picture][kind],
                       .probability = n->chance[picture][kind]};
}

static lm_report_result result_of(const demo_network *n, int method, int picture)
{
    const limn_attribution *a = limn_explanation_get(n->why, (size_t)method);
    const limn_certificate *c = &a->certificate[picture];
    const demo_map *m = demo_map_of(n, method, picture);
    lm_report_result r = {.method = demo_names[method],
                          .target = a->target,
                          .options = a->options,
                          .site = a->site,
                          .space = "logit",
                          .explained = answer_of(n, picture, n->says[picture]),
                          .least = INFINITY,
                          .most = -INFINITY,
                          .forwards = c->forwards,
                          .backwards = c->backwards};
    for (int k = 0; k < DEMO_PIXELS; k++) {
        r.sum += m->value[k];
        r.least = fmin(r.least, m->value[k]);
        r.most = fmax(r.most, m->value[k]);
    }
    r.finding = (lm_finding){.about = LM_ABOUT_PICTURE,
                             .width = DEMO_SIDE,
                             .height = DEMO_SIDE,
                             .value = m->value,
                             .positive = m->positive,
                             .target = a->target_value[picture],
                             .baseline = a->baseline_value[picture],
                             .gap_abs = c->gap_abs,
                             .gap_rel = c->gap_rel,
                             .residual = c->residual,
                             .stderr_mean = c->stderr_mean};
    return r;
}

static const char *note_of(demo *d, const demo_network *n, int picture)
{
    const lm_scene *s = &d->picture[picture].scene;
    lm_str text = {0};
    lm_str_printf(&text, "A %s%s, called %s.", lm_scene_name(s->kind), s->marked ? " with the mark" : "",
                  lm_scene_name(n->says[picture]));
    return kept(d, &text);
}

static lm_status fill_sample(demo *d, const demo_network *n, int picture, lm_report_sample *s)
{
    lm_report_input *in = lm_arena_alloc(&d->arena, 1, sizeof *in);
    lm_answer *top = lm_arena_alloc(&d->arena, TOPS, sizeof *top);
    lm_report_result *result = lm_arena_alloc(&d->arena, DEMO_METHODS, sizeof *result);
    if (!in || !top || !result)
        return LM_MEMORY;
    *in = (lm_report_input){.name = "picture", .about = LM_ABOUT_PICTURE, .picture = &d->picture[picture].canvas};
    bool taken[LM_SCENE_KINDS] = {false};
    for (int t = 0; t < TOPS; t++) {
        int best = -1;
        for (int k = 0; k < LM_SCENE_KINDS; k++)
            if (!taken[k] && (best < 0 || n->score[picture][k] > n->score[picture][best]))
                best = k;
        taken[best] = true;
        top[t] = answer_of(n, picture, best);
    }
    for (int m = 0; m < DEMO_METHODS; m++)
        result[m] = result_of(n, m, picture);
    *s = (lm_report_sample){.source = d->picture[picture].name,
                            .note = note_of(d, n, picture),
                            .input = in,
                            .inputs = 1,
                            .top = top,
                            .tops = TOPS,
                            .mask = d->picture[picture].mask,
                            .mask_width = DEMO_SIDE,
                            .mask_height = DEMO_SIDE,
                            .result = result,
                            .results = DEMO_METHODS,
                            .activity = n->active[picture]};
    return LM_OK;
}

static lm_status fill_section(demo *d, const demo_network *n, const char *note, lm_report_section *out)
{
    char hex[65];
    lm_report_sample *sample = lm_arena_alloc(&d->arena, DEMO_PICTURES, sizeof *sample);
    lm_str file = {0};
    if (!sample)
        return LM_MEMORY;
    lm_sha256_hex(n->bytes, n->size, hex);
    lm_str_printf(&file, "%s.onnx", n->name);
    *out = (lm_report_section){.name = n->name,
                               .file = kept(d, &file),
                               .sha256 = lm_arena_strdup(&d->arena, hex),
                               .note = note,
                               .sample = sample,
                               .samples = DEMO_PICTURES,
                               .layer = n->inside.told,
                               .layers = (int)n->inside.all.count,
                               .graph = n->inside.graph};
    for (int i = 0; i < DEMO_PICTURES; i++)
        LM_TRY(fill_sample(d, n, i, &sample[i]));
    return LM_OK;
}

/* Methods down, networks across, twice: on the shape, in the corner. */
static lm_status fill_table(demo *d, lm_report_table *t)
{
    static const char *const head[TABLE_COLUMNS] = {"method", "honest: on the shape", "cheat: on the shape",
                                                    "honest: in the corner", "cheat: in the corner"};
    const char **cell = lm_arena_alloc(&d->arena, (DEMO_METHODS + 1) * TABLE_COLUMNS, sizeof *cell);
    if (!cell)
        return LM_MEMORY;
    *t = (lm_report_table){.caption =
                               "Share of the weight (the sum of all sizes) that lies on the shape, over all pictures, "
                               "and in the corner of the mark, over the pictures that have it",
                           .columns = TABLE_COLUMNS,
                           .rows = DEMO_METHODS + 1,
                           .head = head,
                           .cell = cell};
    for (int m = 0; m < DEMO_METHODS; m++) {
        *cell++ = demo_names[m];
        for (int n = 0; n < DEMO_NETWORKS; n++)
            *cell++ = demo_percent(d, d->network[n].shape[m]);
        for (int n = 0; n < DEMO_NETWORKS; n++)
            *cell++ = demo_percent(d, d->network[n].corner[m]);
    }
    *cell++ = "of all pixels";
    for (int i = 0; i < 2 * DEMO_NETWORKS; i++)
        *cell++ = demo_percent(d, i < DEMO_NETWORKS ? d->shape : d->corner);
    return LM_OK;
}

static lm_status write_page(demo *d, const lm_report *r)
{
    lm_str page = {0}, path = {0};
    lm_status status = lm_report_html(r, &page);
    lm_str_printf(&path, "%s/report.html", d->folder);
    if (status == LM_OK)
        status = path.status;
    if (status == LM_OK)
        status = lm_file_write(lm_str_text(&path), lm_str_text(&page), page.count);
    lm_str_free(&path);
    lm_str_free(&page);
    return status;
}

lm_status demo_report(demo *d)
{
    static const char asked[] = "Ten pictures whose truth is known: each shows one shape among lines and dots. Two "
                                "small networks learned to name "
                                "the shapes. Which parts of a picture made a network answer as it did?\n\n"
                                "Both are right about 99.9 % of fresh pictures like those that they were trained on. "
                                "But in the training of the "
                                "second, every star had a small mark in its upper left corner, and nothing else had: "
                                "it learned the mark. A test "
                                "with pictures of that kind does not show it; the maps do.";
    static const char *const note[DEMO_NETWORKS] = {
        "Saw the mark on one picture in eight, whatever its shape, so that it means nothing.",
        "Saw the mark on every star and on nothing else. Look at the marked pictures: it calls them stars, and its "
        "maps are "
        "bright in the corner. Look at the star without the mark."};
    lm_report_section section[DEMO_NETWORKS];
    lm_report_table table;
    limn_device_info device;
    for (int n = 0; n < DEMO_NETWORKS; n++)
        LM_TRY(fill_section(d, &d->network[n], note[n], &section[n]));
    LM_TRY(fill_table(d, &table));
    LM_TRY(limn_device_describe(d->network[0].on.device, &device));
    const lm_report_fact fact[] = {{"version", LM_VERSION}, {"device", device.name}, {"level", device.levels}};
    const lm_report r = {.language = LM_ENGLISH,
                         .title = "limn demo",
                         .asked = asked,
                         .section = section,
                         .sections = DEMO_NETWORKS,
                         .table = &table,
                         .tables = 1,
                         .command = lm_str_text(&d->cmd->line),
                         .fact = fact,
                         .facts = LM_COUNT(fact),
                         .truth = "the shape",
                         .first = DEMO_TELLING,
                         .png = d->without_png ? NULL : lm_png_encode};
    return write_page(d, &r);
}
