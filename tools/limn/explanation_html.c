/* Explanations as a report. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "activity.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/data/image.h"
#include "core/draw/report.h"
#include "core/tensor/dtype.h"
#include "explanation_finding.h"
#include "numbers.h"
#include "phrases.h"

/* Of more samples the activations are left out; more than that make no page that anyone reads. */
enum { TOP = 5, FACTS = 16, MOST_ACTIVE = 64 };

/* A report and everything that it points at. */
typedef struct writer {
    const explanation *e;
    lm_language language;
    lm_arena arena;
    lm_report report;
    lm_report_section section;
    explanation_finding *finding; /* by sample, then result */
    activity layers;
    lm_report_fact fact[FACTS];
    lm_str text; /* under construction */
} writer;

/* The text so far, for as long as the writer. */
static const char *keep(writer *w)
{
    const char *kept = w->text.status == LM_OK ? lm_arena_strdup(&w->arena, lm_str_text(&w->text)) : "";
    lm_str_clear(&w->text);
    return kept ? kept : "";
}

static int feed_of(const explanation *e, const char *name)
{
    for (size_t i = 0; i < e->in->feeds; i++)
        if (strcmp(e->in->feed[i].name, name) == 0)
            return (int)i;
    return 0;
}

static lm_status add_flows(writer *w, const limn_certificate *c, lm_report_result *r)
{
    lm_report_flow *flow = lm_arena_alloc(&w->arena, c->conserved_count, sizeof *flow);
    if (!flow)
        return LM_MEMORY;
    for (size_t i = 0; i < c->conserved_count; i++) {
        const limn_conserved *k = &c->conserved[i];
        flow[i] = (lm_report_flow){k->node, k->in, k->out, k->bias, k->stabiliser};
    }
    r->flow = flow;
    r->flows = (int)c->conserved_count;
    return LM_OK;
}

static lm_status add_result(writer *w, int64_t sample, size_t number, lm_report_result *r)
{
    static const char *const space[] = {NULL, "logit", "probability"};
    const limn_attribution *a = limn_explanation_get(w->e->why, number);
    const limn_certificate *c = &a->certificate[sample];
    explanation_finding *f = &w->finding[(size_t)sample * limn_explanation_count(w->e->why) + number];
    LM_TRY(explanation_finding_make(w->e, a, sample, f));
    *r = (lm_report_result){.method = a->method,
                            .target = a->target,
                            .options = a->options,
                            .site = a->site,
                            .space = space[a->space],
                            .input = a->layered ? 0 : feed_of(w->e, a->site),
                            .finding = f->is,
                            .least = NAN,
                            .most = NAN,
                            .forwards = c->forwards,
                            .backwards = c->backwards};
    LM_TRY(explanation_target(w->e, a, sample, &w->arena, &r->explained));
    const size_t count = numbers_below(&a->values, 1), first = (size_t)sample * count;
    for (size_t i = first; i < first + count; i++) {
        const double v =
            lm_load_f64(a->values.type, (const char *)a->values.data + i * limn_dtype_size(a->values.type));
        r->sum += v;
        r->least = fmin(r->least, v);
        r->most = fmax(r->most, v);
    }
    return add_flows(w, c, r);
}

/* What a result lies over or beside is told by its finding. */
static void add_input(const explanation_finding *f, lm_report_input *in)
{
    in->about = f->is.about;
    if (f->is.about == LM_ABOUT_PICTURE) {
        in->picture = f->map.heat.under;
    } else if (f->is.about != LM_ABOUT_OTHER) {
        in->count = f->panel.count;
        in->label = f->panel.name;
        in->number = f->is.about == LM_ABOUT_TOKENS ? NULL : f->panel.curve;
        in->series = f->panel.series;
    }
}

static lm_status add_sample(writer *w, int64_t sample, lm_report_sample *s)
{
    const explanation *e = w->e;
    const size_t results = limn_explanation_count(e->why), feeds = e->in->feeds ? e->in->feeds : 1;
    lm_report_result *result = lm_arena_alloc(&w->arena, results, sizeof *result);
    lm_report_input *input = lm_arena_alloc(&w->arena, feeds, sizeof *input);
    explanation_answers answers;
    if (!result || !input)
        return LM_MEMORY;
    for (size_t i = 0; i < e->in->feeds; i++)
        input[i].name = e->in->feed[i].name;
    LM_TRY(explanation_answer(e, sample, TOP, &w->arena, &answers));
    for (size_t i = 0; i < results; i++) {
        LM_TRY(add_result(w, sample, i, &result[i]));
        add_input(&w->finding[(size_t)sample * results + i], &input[result[i].input]);
    }
    *s = (lm_report_sample){.source = explanation_source(e, sample),
                            .input = input,
                            .inputs = (int)feeds,
                            .top = answers.at,
                            .tops = answers.count,
                            .result = result,
                            .results = (int)results,
                            .note = answers.softmax ? phrase(w->language, SAY_SOFTMAX) : NULL};
    return e->samples > MOST_ACTIVE ? LM_OK : activity_run(&w->layers, sample, &w->arena, &s->activity);
}

static lm_status add_model(writer *w)
{
    const char *file = w->e->on->file, *slash = strrchr(file, '/');
    char hex[65];
    lm_file map;
    LM_TRY(lm_file_map(file, &map));
    lm_sha256_hex(map.bytes, map.size, hex);
    lm_file_unmap(&map);
    w->section.name = slash ? slash + 1 : file;
    w->section.sha256 = lm_arena_strdup(&w->arena, hex);
    w->layers = (activity){.on = w->e->on, .feed = w->e->in->feed, .feeds = w->e->in->feeds, .samples = w->e->samples};
    LM_TRY(activity_open(&w->layers, &w->arena));
    w->section.layer = w->layers.told;
    w->section.layers = (int)w->layers.all.count;
    w->section.graph = w->layers.graph;
    return w->section.sha256 ? LM_OK : LM_MEMORY;
}

static void add_fact(writer *w, phrase_id name, const char *value)
{
    if (w->report.facts < FACTS && *value)
        w->fact[w->report.facts++] = (lm_report_fact){phrase(w->language, name), value};
}

static lm_status add_run(writer *w)
{
    const explanation *e = w->e;
    const limn_question *ask = &e->asked->ask;
    limn_device_info device;
    time_t now = time(NULL);
    struct tm t;
    char date[40] = "";
    size_t fallbacks;
    const char *const *fallback = limn_explanation_fallbacks(e->why, &fallbacks);
    LM_TRY(limn_device_describe(e->on->device, &device));
    if (gmtime_r(&now, &t))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &t);
    LM_TRY(say_devices(&w->text, explanation_language(e), e->on->session));
    lm_str_printf(&w->text, ", %d × %s", device.units,
                  strrchr(device.levels, ' ') ? strrchr(device.levels, ' ') + 1 : device.levels);
    add_fact(w, SAY_DEVICE, keep(w));
    add_fact(w, SAY_COMPAT, ask->compat ? ask->compat : "limn");
    lm_str_printf(&w->text, "%llu", (unsigned long long)ask->seed);
    add_fact(w, SAY_SEED, keep(w));
    for (size_t i = 0; i < fallbacks; i++)
        lm_str_printf(&w->text, "%s%s", i ? ", " : "", fallback[i]);
    add_fact(w, SAY_FALLBACKS, keep(w));
    const double seconds = limn_explanation_seconds(e->why);
    const double shown = seconds < 1 ? 1e3 * seconds : seconds;
    lm_str_printf(&w->text, shown < 9.95 ? "%.1f %s" : "%.0f %s", shown, seconds < 1 ? "ms" : "s");
    add_fact(w, SAY_TIME, keep(w));
    lm_str_add(&w->text, "Limn ");
    lm_str_add(&w->text, limn_version());
    add_fact(w, SAY_VERSION, keep(w));
    lm_str_add(&w->text, date);
    add_fact(w, SAY_DATE, keep(w));
    w->report.fact = w->fact;
    return w->text.status;
}

/* The page's title and its first paragraph. */
static lm_status add_question(writer *w)
{
    const explanation *e = w->e;
    const limn_question *ask = &e->asked->ask;
    const char *source = explanation_source(e, 0), *name = w->section.name;
    say(&w->text, w->language, SAY_TITLE, name, NULL, NULL);
    w->report.title = keep(w);
    lm_str_printf(&w->text, "%lld", (long long)e->samples);
    const char *count = keep(w);
    if (e->samples > 1)
        say(&w->text, w->language, SAY_ASKED_MANY, name, count, NULL);
    else
        say(&w->text, w->language, SAY_ASKED_ONE, name, *source ? source : "-", NULL);
    lm_str methods = {0};
    for (const char *c = ask->method; *c; c++) {
        lm_str_char(&methods, *c);
        lm_str_add(&methods, *c == ',' && c[1] != ' ' ? " " : "");
    }
    say(&w->text, w->language, SAY_ASKED_WHY, ask->target ? ask->target : "top", lm_str_text(&methods), NULL);
    lm_str_free(&methods);
    if (ask->baseline)
        say(&w->text, w->language, SAY_ASKED_BASELINE, ask->baseline, NULL, NULL);
    if (ask->layer)
        say(&w->text, w->language, SAY_ASKED_LAYER, ask->layer, NULL, NULL);
    if (ask->noise)
        say(&w->text, w->language, SAY_ASKED_NOISE, ask->noise, NULL, NULL);
    bool values = false, sizes = false, sides = false;
    for (size_t i = 0; i < (size_t)e->samples * limn_explanation_count(e->why); i++)
        *(w->finding[i].is.neutral    ? &values
          : w->finding[i].is.positive ? &sizes
                                      : &sides) = true;
    if (sizes || sides)
        say(&w->text, w->language,
            sizes && sides ? SAY_HOW_TO_READ_BOTH
            : sides        ? SAY_HOW_TO_READ
                           : SAY_HOW_TO_READ_SIZES,
            NULL, NULL, NULL);
    if (values)
        say(&w->text, w->language, SAY_HOW_TO_READ_VALUES, NULL, NULL, NULL);
    w->report.asked = keep(w);
    return w->text.status;
}

static lm_status fill(writer *w)
{
    const size_t samples = (size_t)w->e->samples;
    lm_report_sample *sample = lm_arena_alloc(&w->arena, samples, sizeof *sample);
    w->finding = lm_calloc(samples * limn_explanation_count(w->e->why), sizeof *w->finding);
    if (!sample || !w->finding)
        return LM_MEMORY;
    LM_TRY(add_model(w));
    for (size_t s = 0; s < samples; s++)
        LM_TRY(add_sample(w, (int64_t)s, &sample[s]));
    w->section.sample = sample;
    w->section.samples = (int)samples;
    w->report.section = &w->section;
    w->report.sections = 1;
    w->report.table = w->e->table;
    w->report.tables = w->e->tables;
    w->report.language = w->language;
    w->report.command = lm_str_text(&w->e->cmd->line);
#ifdef LM_HAVE_PNG
    w->report.png = lm_png_encode;
#endif
    LM_TRY(add_question(w));
    return add_run(w);
}

lm_status explanation_html(const explanation *e, const char *path)
{
    writer w = {.e = e, .language = explanation_language(e)};
    lm_str page = {0};
    lm_status status = fill(&w);
    if (status == LM_OK)
        status = lm_report_html(&w.report, &page);
    if (status == LM_OK)
        status = lm_file_write(path, lm_str_text(&page), page.count);
    for (size_t i = 0; w.finding && i < (size_t)e->samples * limn_explanation_count(e->why); i++)
        explanation_finding_free(&w.finding[i]);
    lm_free(w.finding);
    activity_close(&w.layers);
    lm_str_free(&w.text);
    lm_str_free(&page);
    lm_arena_free(&w.arena);
    return status;
}
