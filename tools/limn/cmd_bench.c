/* limn bench: how fast the kernels or a model run, and how near that is to what the machine can do, measured in the same run. */
#include "command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "bench_model.h"
#include "core/base/env.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/nearest.h"
#include "core/base/vec.h"
#include "core/run/exec.h"
#if defined(LIMN_WITH_CPU)
#include "backends/cpu/peak.h"
#endif

enum { WARM = 3, PASSES = 2, LEVELS = 8 };

typedef struct peak {
    const char *level;
    int threads;
    double gflops;
    bool again; /* measured a second time, because a kernel was faster */
} peak;

typedef struct row {
    const char *name;
    char kernel[80], shape[64], device[64];
    int threads;
    double seconds, flops, bytes;
    int peak;            /* that its arithmetic is compared with; -1: none */
    double yard_seconds; /* of a streaming loop of the same traffic; 0: not measured */
} row;

typedef struct bench {
    command *cmd;
    const char *only;
    char *methods;  /* ways to explain the model, cut at their commas as they are taken; NULL: run it forward */
    int64_t repeat; /* 0: as many as fill the time */
    uint64_t seed;
    peak peaks[PASSES * LEVELS];
    int npeaks;
    LM_VEC(row) rows;
} bench;

static void progress(const bench *b, const char *what)
{
    if (isatty(STDERR_FILENO) && !given(b->cmd, OPT_quiet))
        fprintf(stderr, "\r\033[K%s", what);
}

/* Is `name` in the comma list (NULL: everything is)? */
static bool wanted(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at && *at; at += *at == ',') {
        size_t span = strcspn(at, ",");
        if (span == length && memcmp(at, name, length) == 0)
            return true;
        at += span;
    }
    return !list;
}

/* How much of the yardstick a row reaches; 0: there is nothing to compare with. */
static double fraction(const bench *b, const row *r)
{
    if (r->yard_seconds > 0)
        return r->yard_seconds / r->seconds;
    return r->peak < 0 ? 0 : r->flops / r->seconds * 1e-9 / b->peaks[r->peak].gflops;
}

#if defined(LIMN_WITH_CPU)

static bool level_named(const char *name, lm_cpu_level *out)
{
    for (int i = 0; i < LM_CPU_LEVELS; i++) {
        *out = (lm_cpu_level)i;
        if (strcmp(lm_cpu_level_name(*out), name) == 0)
            return true;
    }
    return false;
}

/* The better of what was measured before and what is measured now. */
static lm_status raise_peak(const lm_topo *topo, peak *p)
{
    lm_cpu_level level;
    double gflops = 0;
    if (level_named(p->level, &level))
        LM_TRY(lm_cpu_peak_gflops(topo, level, p->threads, &gflops));
    if (gflops > p->gflops)
        p->gflops = gflops;
    return LM_OK;
}

static bool is_calibrated(const bench *b, int threads)
{
    for (int i = 0; i < b->npeaks; i++)
        if (b->peaks[i].threads == threads)
            return true;
    return false;
}

static lm_status calibrate(bench *b, const lm_topo *topo, int threads)
{
    if (is_calibrated(b, threads))
        return LM_OK;
    for (int level = 0; level < LM_CPU_LEVELS; level++) {
        if (!lm_cpu_level_usable((lm_cpu_level)level))
            continue;
        peak *p = &b->peaks[b->npeaks++];
        *p = (peak){.level = lm_cpu_level_name((lm_cpu_level)level), .threads = threads};
        LM_TRY(raise_peak(topo, p));
    }
    return LM_OK;
}

static lm_status stream(const lm_topo *topo, const char *level, int threads, const bench_call *call, double *seconds)
{
    size_t in, out;
    bench_call_traffic(call, &in, &out);
    lm_cpu_level found;
    return level_named(level, &found) ? lm_cpu_stream_seconds(topo, found, threads, in, out, seconds) : LM_OK;
}

#else

static lm_status raise_peak(const lm_topo *topo, peak *p)
{
    (void)topo, (void)p;
    return LM_OK;
}

static lm_status calibrate(bench *b, const lm_topo *topo, int threads)
{
    (void)b, (void)topo, (void)threads;
    return LM_OK;
}

static lm_status stream(const lm_topo *topo, const char *level, int threads, const bench_call *call, double *seconds)
{
    (void)topo, (void)level, (void)threads, (void)call, (void)seconds;
    return LM_OK;
}

#endif

/* Warm up, then the median of the timed launches. */
static lm_status time_launches(lm_exec *ex, int64_t repeat, double *middle)
{
    const double budget = 0.05;
    LM_TRY(lm_exec_run(ex)); /* copies the operands in; the others only launch */
    double start = now();
    for (int i = 1; i < WARM; i++)
        LM_TRY(lm_exec_launch(ex));
    if (!repeat) {
        double once = (now() - start) / (WARM - 1);
        repeat = once > 0 ? (int64_t)(budget / once) : 1000;
        repeat = repeat < 3 ? 3 : repeat > 1000 ? 1000 : repeat;
    }
    double *seconds = lm_malloc((size_t)repeat, sizeof *seconds);
    if (!seconds)
        return LM_MEMORY;
    lm_status status = LM_OK;
    for (int64_t i = 0; status == LM_OK && i < repeat; i++) {
        start = now();
        status = lm_exec_launch(ex);
        seconds[i] = now() - start;
    }
    if (status == LM_OK)
        *middle = median(seconds, repeat);
    lm_free(seconds);
    return status;
}

/* "avx2" of a kernel called "cpu.avx2.gemm_8x16"; "" of any other. */
static void level_of(const char *kernel, char level[16])
{
    *level = '\0';
    if (strncmp(kernel, "cpu.", 4) == 0)
        snprintf(level, 16, "%.*s", (int)strcspn(kernel + 4, "."), kernel + 4);
}

/* The peak that the row's arithmetic is compared with: of the same level and number of threads. */
static lm_status compare_peak(bench *b, const char *level, const lm_topo *topo, row *r)
{
    for (int i = 0; i < b->npeaks && r->peak < 0; i++)
        if (b->peaks[i].threads == r->threads && strcmp(b->peaks[i].level, level) == 0)
            r->peak = i;
    if (fraction(b, r) > 1 && !b->peaks[r->peak].again) {
        b->peaks[r->peak].again = true;
        return raise_peak(topo, &b->peaks[r->peak]);
    }
    return LM_OK;
}

/* Find the row's yardstick. A kernel that beats it makes it doubtful, so then it is measured once more. */
static lm_status compare(bench *b, const bench_case *c, const bench_call *call, const lm_topo *topo, row *r)
{
    char level[16];
    level_of(r->kernel, level);
    if (!*level)
        return LM_OK;
    if (c->streams) {
        LM_TRY(stream(topo, level, r->threads, call, &r->yard_seconds));
        if (fraction(b, r) > 1) {
            double first = r->yard_seconds;
            LM_TRY(stream(topo, level, r->threads, call, &r->yard_seconds));
            if (first < r->yard_seconds)
                r->yard_seconds = first;
        }
        return LM_OK;
    }
    return compare_peak(b, level, topo, r);
}

static lm_status time_case(bench *b, const lm_chain *chain, const bench_case *c)
{
    bench_call call;
    lm_exec *ex = NULL;
    row r = {.name = c->name, .threads = chain->dev[0]->info.units, .peak = -1};
    const lm_topo *topo;
    lm_status status = bench_call_make(c, b->seed, &call);
    if (status != LM_OK)
        goto out;
    LM_TRY_OUT(lm_machine(&topo));
    LM_TRY_OUT(lm_exec_open(chain, &call.call, &ex));
    LM_TRY_OUT(time_launches(ex, b->repeat, &r.seconds));
    snprintf(r.kernel, sizeof r.kernel, "%s", lm_exec_kernel(ex));
    snprintf(r.shape, sizeof r.shape, "%s", call.shape);
    snprintf(r.device, sizeof r.device, "%s", chain->dev[0]->info.name);
    size_t in, out;
    bench_call_traffic(&call, &in, &out);
    const lm_kernel *facts = lm_exec_facts(ex);
    r.flops = facts ? facts->flops : 0;
    r.bytes = facts && facts->bytes > 0 ? facts->bytes : (double)in + (double)out;
    LM_TRY_OUT(compare(b, c, &call, topo, &r));
    status = lm_vec_push(&b->rows, r);
out:
    lm_exec_close(ex);
    bench_call_drop(&call);
    return lm_context(status, "%s", c->name);
}

/* All cases on the device with `threads` threads (NULL: as it is set); *units: how many it has. */
static lm_status pass(bench *b, const char *threads, int skip, int *units)
{
    const lm_topo *topo;
    LM_TRY(lm_machine(&topo));
    if (threads)
        LM_TRY(lm_env_set(LM_ENV_THREADS, threads));
    lm_chain chain;
    lm_status status = lm_chain_open(NULL, &chain);
    if (threads)
        LM_TRY(lm_env_set(LM_ENV_THREADS, NULL));
    LM_TRY(status);
    *units = chain.dev[0]->info.units;
    bool run = *units != skip;
    if (run && chain.dev[0]->info.kind == LM_KIND_CPU) {
        progress(b, "calibrating");
        status = calibrate(b, topo, *units);
    }
    for (int i = 0; run && status == LM_OK && i < bench_case_count; i++) {
        if (!wanted(b->only, bench_cases[i].name))
            continue;
        progress(b, bench_cases[i].name);
        status = time_case(b, &chain, &bench_cases[i]);
    }
    progress(b, "");
    lm_chain_close(&chain);
    return status;
}

static void number(lm_json *j, const char *key, double value, bool known)
{
    lm_json_key(j, key);
    if (known)
        lm_json_number(j, value);
    else
        lm_json_null(j);
}

static void peaks_json(const bench *b, lm_json *j)
{
    lm_json_key(j, "peak");
    lm_json_object(j);
    for (int i = 0; i < b->npeaks; i++) {
        const char *level = b->peaks[i].level;
        bool seen = false;
        for (int k = 0; k < i; k++)
            seen |= strcmp(b->peaks[k].level, level) == 0;
        if (seen)
            continue;
        lm_json_key(j, level);
        lm_json_object(j);
        for (int k = i; k < b->npeaks; k++) {
            char threads[16];
            snprintf(threads, sizeof threads, "%d", b->peaks[k].threads);
            if (strcmp(b->peaks[k].level, level) == 0)
                number(j, threads, b->peaks[k].gflops, true);
        }
        lm_json_end_object(j);
    }
    lm_json_end_object(j);
}

/* Nothing beats the machine: such a row says that its yardstick fell short, which the table alone would not. */
static void warn_of_doubtful_rows(const bench *b)
{
    for (size_t i = 0; i < b->rows.count; i++) {
        const row *r = &b->rows.at[i];
        if (fraction(b, r) > 1)
            lm_log(LM_LOG_WARN, "%s %s, %d thread%s: %.1f %% of a yardstick measured twice; other work may have slowed that, "
                   "run it again on a quiet machine", r->name, r->shape, r->threads, r->threads == 1 ? "" : "s",
                   100 * fraction(b, r));
    }
}

static void as_json(bench *b)
{
    lm_json j;
    lm_json_start(&j, &b->cmd->out);
    lm_json_object(&j);
    peaks_json(b, &j);
    lm_json_key(&j, "rows");
    lm_json_array(&j);
    for (size_t i = 0; i < b->rows.count; i++) {
        const row *r = &b->rows.at[i];
        const char *text[][2] = {{"name", r->name}, {"kernel", r->kernel}, {"shape", r->shape}, {"device", r->device}};
        lm_json_object(&j);
        for (size_t k = 0; k < LM_COUNT(text); k++) {
            lm_json_key(&j, text[k][0]);
            lm_json_string(&j, text[k][1]);
        }
        lm_json_key(&j, "threads");
        lm_json_int(&j, r->threads);
        number(&j, "ms", r->seconds * 1e3, true);
        number(&j, "gflops", r->flops / r->seconds * 1e-9, r->flops > 0);
        number(&j, "gbps", r->bytes / r->seconds * 1e-9, true);
        number(&j, "peak_fraction", fraction(b, r), fraction(b, r) > 0);
        lm_json_key(&j, "yardstick");
        if (r->yard_seconds > 0) {
            lm_json_object(&j);
            lm_json_key(&j, "name");
            lm_json_string(&j, "stream");
            number(&j, "ms", r->yard_seconds * 1e3, true);
            lm_json_end_object(&j);
        } else {
            lm_json_null(&j);
        }
        lm_json_end_object(&j);
    }
    lm_json_end_array(&j);
    lm_json_end_object(&j);
    lm_str_char(&b->cmd->out, '\n');
}

static void as_table(bench *b)
{
    static const int width[] = {11, 28, 7, 9, 8, 7, 11, 0};
    static const char *const head[] = {"name", "shape", "threads", "ms", "GFLOP/s", "GB/s", "of the peak", "kernel"};
    lm_str *out = &b->cmd->out;
    for (int i = 0; i < b->npeaks; i++)
        lm_str_printf(out, "peak %s, %d thread%s: %.1f GFLOP/s\n", b->peaks[i].level, b->peaks[i].threads,
                      b->peaks[i].threads == 1 ? "" : "s", b->peaks[i].gflops);
    table_row(out, width, head, LM_COUNT(head));
    for (size_t i = 0; i < b->rows.count; i++) {
        const row *r = &b->rows.at[i];
        char threads[16], ms[16], gflops[16] = "-", gbps[16], reached[32] = "-";
        snprintf(threads, sizeof threads, "%d", r->threads);
        snprintf(ms, sizeof ms, "%.3f", r->seconds * 1e3);
        snprintf(gbps, sizeof gbps, "%.1f", r->bytes / r->seconds * 1e-9);
        if (r->flops > 0)
            snprintf(gflops, sizeof gflops, "%.1f", r->flops / r->seconds * 1e-9);
        if (fraction(b, r) > 0)
            snprintf(reached, sizeof reached, "%.0f %% %s", 100 * fraction(b, r), r->yard_seconds > 0 ? "stream" : "fma");
        table_row(out, width, (const char *[]){r->name, r->shape, threads, ms, gflops, gbps, reached, r->kernel}, LM_COUNT(head));
    }
}

static lm_status check_only(const char *only)
{
    const char *known[32];
    size_t n = 0;
    for (int i = 0; i < bench_case_count; i++)
        if (!n || strcmp(known[n - 1], bench_cases[i].name) != 0)
            known[n++] = bench_cases[i].name;
    for (const char *at = only; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)strcspn(at, ","), at);
        bool found = false;
        for (size_t i = 0; i < n; i++)
            found |= strcmp(known[i], word) == 0;
        if (found)
            continue;
        lm_str words = {0};
        lm_list_words(known, n, &words);
        lm_fail(LM_USAGE, "--only: unknown kernel '%s'; give %s", word, lm_str_text(&words));
        lm_str_free(&words);
        return LM_USAGE;
    }
    return LM_OK;
}

/* A model instead of the kernels: a row for running it forward, or for one method of explaining it. */
static lm_status time_model(bench *b, const char *method, model_time *t)
{
    row r = {.peak = -1};
    const lm_topo *topo;
    char level[16];
    LM_TRY(lm_machine(&topo));
    progress(b, method ? method : "running");
    LM_TRY(model_time_take(b->cmd, method, b->seed, b->repeat, t));
    r.name = method ? method : "forward";
    r.threads = t->device.units;
    r.seconds = t->seconds;
    r.flops = t->flops;
    r.bytes = t->bytes;
    snprintf(r.kernel, sizeof r.kernel, "%zu kernels", t->steps);
    snprintf(r.shape, sizeof r.shape, "%s", t->shape);
    snprintf(r.device, sizeof r.device, "%s", t->device.name);
    level_of(t->steps ? t->profile[0].kernel : "", level);
    if (*level) {
        progress(b, "calibrating");
        LM_TRY(calibrate(b, topo, r.threads));
        LM_TRY(compare_peak(b, level, topo, &r));
    }
    progress(b, "");
    return lm_vec_push(&b->rows, r);
}

/* A row per method, or the one for running forward. */
static lm_status bench_model(bench *b)
{
    const bool profile = given(b->cmd, OPT_verbose) && !given(b->cmd, OPT_json);
    lm_str steps = {0};
    lm_status status = LM_OK;
    LM_REQUIRE(!b->only, LM_USAGE, "--only: chooses kernels, not models; leave it out");
    for (char *method = b->methods; status == LM_OK;) {
        model_time t = {0};
        char *end = method ? strchr(method, ',') : NULL;
        if (end)
            *end = '\0';
        status = time_model(b, method, &t);
        if (status == LM_OK && profile)
            model_time_table(&t, &steps);
        model_time_free(&t);
        if (!end)
            break;
        method = end + 1;
    }
    if (status == LM_OK) {
        warn_of_doubtful_rows(b);
        (given(b->cmd, OPT_json) ? as_json : as_table)(b);
        lm_str_add(&b->cmd->out, lm_str_text(&steps));
    }
    lm_str_free(&steps);
    return status;
}

/* Let the device find out which tiles suit it, for this run and every later one. */
static lm_status tune(const bench *b)
{
    lm_chain chain;
    LM_TRY(lm_chain_open(NULL, &chain));
    lm_device *device = chain.dev[0];
    lm_status status = LM_OK;
    progress(b, "tuning");
    if (device->vt->tune)
        status = lm_context(device->vt->tune(device), "%s", device->info.name);
    else
        lm_log(LM_LOG_WARN, "%s has nothing to tune", device->info.name);
    progress(b, "");
    lm_chain_close(&chain);
    return status;
}

static lm_status run(bench *b)
{
    int64_t seed = 0;
    int one = 0, all = 0;
    LM_TRY(whole_number(b->cmd, OPT_repeat, 1, &b->repeat));
    LM_TRY(whole_number(b->cmd, OPT_seed, 0, &seed));
    LM_TRY(check_only(b->only));
    b->seed = (uint64_t)seed;
    LM_REQUIRE(!b->methods || b->cmd->operands, LM_USAGE, "--method: explains a model; name one");
    if (given(b->cmd, OPT_tune))
        LM_TRY(tune(b));
    if (b->cmd->operands)
        return bench_model(b);
    /* One thread and all of them, unless somebody said how many. */
    if (!lm_env_is_set(LM_ENV_THREADS))
        LM_TRY(pass(b, "1", 0, &one));
    LM_TRY(pass(b, NULL, one, &all));
    warn_of_doubtful_rows(b);
    if (given(b->cmd, OPT_json))
        as_json(b);
    else
        as_table(b);
    return LM_OK;
}

lm_status cmd_bench(command *cmd)
{
    bench b = {.cmd = cmd, .only = cmd->option[OPT_only]};
    if (given(cmd, OPT_method) && !(b.methods = lm_strdup(cmd->option[OPT_method])))
        return LM_MEMORY;
    lm_status status = run(&b);
    lm_vec_free(&b.rows);
    lm_free(b.methods);
    return status;
}
