/* The choice of devices: the grammar of LIMN_BACKEND, fallback, and plug-ins that behave and that do not. The first
 * argument is the folder with the plug-ins, one per fault of sample.c. */
#include "tests/unit/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "core/base/env.h"
#include "core/device/registry.h"
#include "core/device/spec.h"
#include "core/run/exec.h"

static const char *folder;

/* Does the last message hold all these words? */
static void says(const char *first, const char *second)
{
    bool good = strstr(lm_message(), first) && (!second || strstr(lm_message(), second));
    if (!CHECK(good))
        printf("message: %s\nwanted: %s, %s\n", lm_message(), first, second ? second : "");
}

static void plugins(const char *name)
{
    char path[4096];
    if (name)
        snprintf(path, sizeof path, "%s/%s.so", folder, name);
    CHECK_OK(lm_env_set(LM_ENV_PLUGINS, name ? path : NULL));
}

static void spec_words(void)
{
    lm_spec s;
    CHECK_OK(lm_spec_parse("cpu:threads=2:strict=1,-opencl:0.1,auto", &s));
    if (CHECK_INT(s.count, 3)) {
        CHECK_STR(s.word[0].name, "cpu");
        CHECK_STR(s.word[0].index, "");
        CHECK(s.word[0].strict && !s.word[0].exclude);
        CHECK_INT(s.word[0].opts.count, 1);
        CHECK_STR(lm_kv_get(&s.word[0].opts, "threads"), "2");
        CHECK(s.word[1].exclude);
        CHECK_STR(s.word[1].index, "0.1");
        CHECK(lm_spec_names(&s.word[1], "opencl:0.1") && !lm_spec_names(&s.word[1], "opencl:0.10"));
        CHECK(lm_spec_names(&s.word[0], "cpu") && !lm_spec_names(&s.word[0], "cpu2"));
        CHECK(lm_spec_is_auto(&s.word[2]));
    }
    lm_spec_free(&s);
    CHECK_OK(lm_spec_parse("-opencl", &s));
    CHECK_INT(s.count, 2);
    CHECK(lm_spec_is_auto(&s.word[1]));
    lm_spec_free(&s);
    CHECK_OK(lm_spec_parse("opencl:0.0:a=1+cpu", &s));
    CHECK_INT(s.count, 2);
    CHECK(!s.word[0].joined && s.word[1].joined);
    lm_spec_free(&s);
    CHECK_OK(lm_spec_parse("cpu:split=3:threads=1+ref:strict=1:split=1000,cpu+ref", &s));
    if (CHECK_INT(s.count, 4)) {
        CHECK_INT(s.word[0].share, 3);
        CHECK_INT(s.word[0].opts.count, 1);
        CHECK_INT(s.word[1].share, 1000);
        CHECK(s.word[1].strict && !s.word[1].opts.count);
        CHECK(!s.word[2].joined && s.word[3].joined && !s.word[3].share);
    }
    lm_spec_free(&s);
}

static void spec_nonsense(void)
{
    static const char *const wrong[] = {
        "",          ",",        "cpu,",     "cpu:",     "cpu:x",        "cpu:0.",      "cpu:threads", "cpu:=2",
        "CPU",       "-",        "--cpu",    "-cpu:a=1", "-a+b",         "auto:0",      "auto:a=1",    "-auto",
        "auto+cpu",  "cpu+auto", "cpu+",     "+cpu",     "cpu:strict=2", "cpu:a=1:a=2", " cpu",        "cpu:0:1",
        "cpu:a=1:0", "cpu:0:",   "cpu::a=1", "cpu:isa=", "cpu:a=1:b=",   "ref,cpu:a=",
        "+",         "cpu++ref", "cpu+,ref", "cpu+-ref", "cpu:split=1",  "cpu:split=0+ref", "cpu:split=x+ref",
        "cpu:split=1001+ref", "cpu:split=1:split=2+ref", "-cpu:split=1", "a+a+a+a+a+a+a+a+a", "auto:split=1",
        "cpu:split=+ref"};
    for (size_t i = 0; i < LM_COUNT(wrong); i++) {
        lm_spec s;
        if (!CHECK_FAILS(lm_spec_parse(wrong[i], &s), LM_USAGE))
            printf("text '%s'\n", wrong[i]);
    }
}

static lm_status parse_once(void)
{
    lm_spec s;
    LM_TRY(lm_spec_parse("cpu:threads=2:strict=1,-opencl:0.1,ref:type=f64+cpu", &s));
    lm_spec_free(&s);
    return LM_OK;
}

static void spec_memory(void)
{
    CHECK(test_every_allocation(parse_once) > 0);
}

/* Names of the chain's devices, blank-separated. */
static const char *opened(const char *spec)
{
    static char names[256];
    lm_chain c;
    *names = '\0';
    if (!CHECK_OK(lm_chain_open(spec, &c)))
        return "";
    for (int i = 0; i < c.n; i++) {
        strcat(names, i ? " " : "");
        strcat(names, c.dev[i]->info.name);
    }
    lm_chain_close(&c);
    CHECK_INT(c.n, 0);
    return names;
}

static void order(void)
{
    CHECK_STR(opened("auto"), "cpu ref");
    CHECK_STR(opened("cpu"), "cpu ref");
    CHECK_STR(opened("cpu:0"), "cpu ref");
    CHECK_STR(opened("ref"), "ref");
    CHECK_STR(opened("ref,cpu"), "ref");
    CHECK_STR(opened("-cpu"), "ref");
    CHECK_STR(opened("-ref"), "cpu");
    CHECK_STR(opened("cpu:7,ref"), "ref");
    CHECK_STR(opened("cpu:7,auto"), "cpu ref");
    CHECK_STR(opened("cpu:strict=1"), "cpu");
    CHECK_STR(opened(NULL), "cpu ref");
    CHECK_STR(opened("ref:7+cpu,cpu"), "cpu ref");
}

/* Devices beside each other: all or none, each with its own hosts, and with shares where speed may not decide. */
static void beside(void)
{
    lm_chain c;
    char text[64];
    CHECK_OK(lm_chain_open("cpu:threads=1+cpu:threads=2:strict=1", &c));
    CHECK_STR(lm_chain_text(&c, text, sizeof text), "cpu+cpu");
    if (CHECK(c.beside != NULL)) {
        CHECK_INT(c.dev[0]->info.units, 1);
        CHECK_INT(c.n, 2);
        CHECK_INT(c.beside->n, 1);
        CHECK(c.beside->strict && !c.beside->beside);
        CHECK(!c.share && !c.beside->share);
    }
    lm_chain_close(&c);
    CHECK_OK(lm_chain_open("cpu+ref", &c));
    CHECK(c.share == 1 && c.beside && c.beside->share == 1);
    lm_chain_close(&c);
    CHECK_OK(lm_chain_open("cpu+cpu:split=7", &c));
    CHECK(c.share == 1 && c.beside && c.beside->share == 7);
    CHECK_STR(lm_chain_text(&c, text, 6), "cpu+c");
    lm_chain_close(&c);
}

static lm_status open_both(void)
{
    lm_chain c;
    LM_TRY(lm_chain_open("cpu:threads=1+ref:split=2", &c));
    lm_chain_close(&c);
    return LM_OK;
}

static void refusals(void)
{
    lm_chain c;
    CHECK_FAILS(lm_chain_open("cpi", &c), LM_USAGE);
    says("nearest: cpu", "auto, cpu, ");
    CHECK_FAILS(lm_chain_open("cpu,opencx", &c), LM_USAGE);
    CHECK_FAILS(lm_chain_open("cpu:7", &c), LM_DEVICE);
    says("cpu:7", NULL);
    CHECK_FAILS(lm_chain_open("cpu,-cpu", &c), LM_DEVICE);
    CHECK_FAILS(lm_chain_open("cpu:7+ref", &c), LM_DEVICE);
    says("cpu:7", NULL);
    CHECK_FAILS(lm_chain_open("ref+cpu:7", &c), LM_DEVICE);
    CHECK_FAILS(lm_chain_open("-ref,cpu+ref", &c), LM_DEVICE);
    says("ref: excluded", NULL);
    CHECK_FAILS(lm_chain_open("cpu+ref:type=f64", &c), LM_USAGE);
    says("float32", "float64");
    CHECK_FAILS(lm_chain_open("cpu:colour=red", &c), LM_USAGE);
    says("colour", "threads");
    CHECK_FAILS(lm_chain_open("cpu:threads=0", &c), LM_USAGE);
    CHECK_FAILS(lm_chain_open("cpu:isa=z80", &c), LM_USAGE);
    CHECK_FAILS(lm_chain_open("ref:type=f16", &c), LM_USAGE);
    CHECK_STR(lm_message(), "device list 'ref:type=f16': ref: type=f16: give one of f32|f64");
    CHECK_FAILS(lm_chain_open("cpu:splot=2+ref", &c), LM_USAGE);
    says("device list 'cpu:splot=2+ref'", "|strict|split");
}

/* Also the words behind the one that opens are read, since the machine may need them tomorrow. */
static void later_words_are_checked(void)
{
    static const struct {
        const char *spec, *first, *second;
    } wrong[] = {{"ref,cpu:nope=1", "cpu has no option 'nope'", "isa|threads|bind"},
                 {"ref,cpu:isa=z80", "z80", "avx2"},
                 {"ref,cpu:threads=0", "cpu: threads=0", NULL},
                 {"ref,cpu:bind=2", "cpu: bind=2", NULL},
                 {"cpu,ref:type=f16", "ref: type=f16", "f32|f64"},
                 {"cpu:7,ref:nope=1", "ref has no option 'nope'", "type"},
                 {"cpu:nope=1+ref", "nope", NULL}};
    for (size_t i = 0; i < LM_COUNT(wrong); i++) {
        lm_chain c;
        if (CHECK_FAILS(lm_chain_open(wrong[i].spec, &c), LM_USAGE))
            says(wrong[i].first, wrong[i].second);
    }
    CHECK_STR(opened("ref,cpu:isa=scalar:threads=1:bind=0"), "ref");
}

/* What an open device says of itself is what it does, not what the machine could do. */
static void options_show(void)
{
    lm_chain c;
    CHECK_OK(lm_chain_open("cpu:isa=scalar:threads=1", &c));
    CHECK_STR(c.dev[0]->info.levels, "scalar");
    CHECK_INT(c.dev[0]->info.units, 1);
    lm_chain_close(&c);
    const lm_topo *topo;
    CHECK_OK(lm_machine(&topo));
    int most = 4 * lm_cpuset_count(&topo->allowed);
    CHECK_OK(lm_chain_open("cpu:threads=4096", &c));
    CHECK_INT(c.dev[0]->info.units, most < 4096 ? most : 4096);
    lm_chain_close(&c);
    CHECK_FAILS(lm_chain_open("cpu:threads=4097", &c), LM_USAGE);
}

static lm_status open_once(void)
{
    lm_chain c;
    LM_TRY(lm_chain_open("cpu:threads=2", &c));
    lm_chain_close(&c);
    return LM_OK;
}

static void chain_memory(void)
{
    CHECK(test_every_allocation(open_once) > 0);
    CHECK(test_every_allocation(open_both) > 0);
}

static void options_reach_the_fallback(void)
{
    lm_chain c;
    plugins("NONE");
    CHECK_OK(lm_chain_open("none,cpu:threads=1", &c));
    CHECK_STR(c.dev[0]->info.name, "none");
    CHECK_STR(c.dev[1]->info.name, "cpu");
    CHECK_INT(c.dev[1]->info.units, 1);
    lm_chain_close(&c);
    plugins(NULL);
}

static void listed(void)
{
    lm_devinfo *list;
    int n, chosen;
    plugins("NONE");
    CHECK_OK(lm_device_list(&list, &n, &chosen));
    CHECK(n >= 3);
    CHECK_STR(list[chosen].name, "cpu");
    CHECK_STR(list[n - 1].name, "none");
    lm_free(list);
    plugins(NULL);
}

/* A call of one op over n floats 0.5, -1.5, 2.5, ... */
typedef struct sum {
    lm_attrs a;
    lm_view x[2], y;
    lm_call call;
} sum;

static lm_status sum_make(sum *s, lm_opid op, int64_t n)
{
    memset(s, 0, sizeof *s);
    lm_shape sh = LM_SHAPE(n);
    s->call = (lm_call){.op = op, .a = &s->a, .nx = lm_ops[op].min_in, .ny = 1, .x = s->x, .y = &s->y};
    for (int k = 0; k < s->call.nx; k++) {
        LM_TRY(lm_view_new(LM_F32, &sh, &s->x[k]));
        for (int64_t i = 0; i < n; i++)
            lm_view_set(&s->x[k], i, (i % 2 ? -1 : 1) * ((double)i + 0.5));
    }
    s->y = lm_view_row(LM_F32, &sh, NULL);
    return LM_OK;
}

static void sum_drop(sum *s)
{
    for (int k = 0; k < s->call.nx; k++)
        lm_buffer_unref(s->x[k].buf);
}

static void plugin_computes(void)
{
    lm_chain c;
    lm_exec *ex;
    sum s;
    lm_view out;
    lm_shape sh = LM_SHAPE(9);
    plugins("NONE");
    CHECK_OK(lm_chain_open("none", &c));
    CHECK_OK(sum_make(&s, LM_OP_ADD, 9));
    CHECK_OK(lm_view_new(LM_F32, &sh, &out));
    if (CHECK_OK(lm_exec_open(&c, &s.call, &ex))) {
        CHECK_STR(lm_exec_kernel(ex), "none.add");
        CHECK_INT(lm_exec_fallbacks(ex), 0);
        CHECK_OK(lm_exec_run(ex));
        CHECK_OK(lm_exec_fetch(ex, 0, &out));
        for (int64_t i = 0; i < 9; i++)
            CHECK_NEAR(lm_view_get(&out, i), 2 * lm_view_get(&s.x[0], i), 0);
        lm_exec_close(ex);
    }
    lm_buffer_unref(out.buf);
    sum_drop(&s);
    lm_chain_close(&c);
    plugins(NULL);
}

static void refused_ops_fall_back(void)
{
    lm_chain c;
    lm_exec *ex;
    sum s;
    plugins("NONE");
    CHECK_OK(sum_make(&s, LM_OP_EXP, 5));
    CHECK_OK(lm_chain_open("none", &c));
    if (CHECK_OK(lm_exec_open(&c, &s.call, &ex))) {
        CHECK(lm_exec_fallbacks(ex) > 0);
        CHECK_OK(lm_exec_run(ex));
        lm_exec_close(ex);
    }
    lm_chain_close(&c);
    CHECK_OK(lm_chain_open("none:strict=1", &c));
    CHECK_FAILS(lm_exec_open(&c, &s.call, &ex), LM_UNSUPPORTED);
    says("strict=1", NULL);
    lm_chain_close(&c);
    sum_drop(&s);
    plugins(NULL);
}

static void plugin_options(void)
{
    lm_chain c;
    lm_exec *ex;
    sum s;
    plugins("NONE");
    CHECK_FAILS(lm_chain_open("none:colour=red", &c), LM_USAGE);
    says("colour", "memory");
    CHECK_FAILS(lm_chain_open("cpu,none:colour=red", &c), LM_USAGE);
    says("colour", "memory");
    CHECK_FAILS(lm_chain_open("cpu,none:memory=much", &c), LM_USAGE);
    says("memory=much", ".so");
    CHECK_OK(lm_chain_open("none:memory=64", &c));
    CHECK_OK(sum_make(&s, LM_OP_RELU, 1000));
    CHECK_FAILS(lm_exec_open(&c, &s.call, &ex), LM_MEMORY);
    sum_drop(&s);
    lm_chain_close(&c);
    plugins(NULL);
}

/* Plug-ins that are refused when they are loaded: every use of devices fails until LIMN_PLUGINS is corrected. */
static void refused_at_load(void)
{
    static const struct {
        const char *name, *reason;
    } bad[] = {{"OTHER_ABI", "device interface"}, {"DECLINES", "device interface"}, {"TAKEN_NAME", "'cpu' already"},
               {"missing", "cannot be loaded"}, {"nothing", "lm_backend_entry"}};
    for (size_t i = 0; i < LM_COUNT(bad); i++) {
        lm_chain c;
        plugins(bad[i].name);
        size_t before = lm_mem_count().live;
        CHECK_FAILS(lm_chain_open("cpu", &c), LM_DEVICE);
        says(bad[i].name, bad[i].reason);
        CHECK_INT(lm_mem_count().live, before);
    }
    plugins(NULL);
    CHECK_STR(opened("cpu"), "cpu ref");
}

/* A copy of the first `bytes` bytes of a file; false when it has no more. */
static bool copy_part(const char *from, const char *to, size_t bytes)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    char *held = malloc(bytes + 1);
    size_t there = in && out && held ? fread(held, 1, bytes + 1, in) : 0;
    size_t kept = there < bytes ? there : bytes;
    bool good = there && fwrite(held, 1, kept, out) == kept;
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    free(held);
    return good && there > bytes;
}

/* A plug-in that has been cut short is refused wherever the cut is; the loader would die of it. What is cut behind the
 * last segment still loads, and then this one declines. */
static void cut_short(void)
{
    char from[4096], place[] = "/tmp/limn-cut-XXXXXX", to[64];
    snprintf(from, sizeof from, "%s/%s.so", folder, "DECLINES");
    if (!CHECK(mkdtemp(place) != NULL))
        return;
    snprintf(to, sizeof to, "%s/cut.so", place);
    CHECK_OK(lm_env_set(LM_ENV_PLUGINS, to));
    size_t refused = 0;
    for (size_t bytes = 1; copy_part(from, to, bytes); bytes += bytes < 1500 ? 7 : 509) {
        lm_chain c;
        size_t before = lm_mem_count().live;
        if (!CHECK_FAILS(lm_chain_open("cpu", &c), LM_DEVICE))
            break;
        CHECK_INT(lm_mem_count().live, before);
        if (strstr(lm_message(), "device interface"))
            continue;
        refused++;
        says("cut.so", "it ends ");
    }
    CHECK(refused > 200);
    plugins(NULL);
    test_remove(place);
}

static void nonsense_as_plugin(void)
{
    static const char *const text[] = {
        "", "x", "#!/bin/sh\n", "\177ELF",
        "\177ELF and no more of the kind, but as long as a header would be, and some more of it"};
    char place[] = "/tmp/limn-odd-XXXXXX", to[64];
    if (!CHECK(mkdtemp(place) != NULL))
        return;
    snprintf(to, sizeof to, "%s/odd.so", place);
    CHECK_OK(lm_env_set(LM_ENV_PLUGINS, to));
    for (size_t i = 0; i < LM_COUNT(text); i++) {
        FILE *out = fopen(to, "wb");
        lm_chain c;
        CHECK(out && fputs(text[i], out) >= 0 && fclose(out) == 0);
        CHECK_FAILS(lm_chain_open("cpu", &c), LM_DEVICE);
        says("odd.so", "LIMN_PLUGINS");
    }
    plugins(NULL);
    test_remove(place);
}

/* One file is one plug-in, by whatever path; a folder stands for its *.so. */
static void by_several_paths(void)
{
    char place[] = "/tmp/limn-paths-XXXXXX", link[64], file[4096], list[8400];
    int n = 0, again = 0;
    lm_devinfo *devices;
    if (!CHECK(mkdtemp(place) != NULL))
        return;
    plugins("NONE");
    if (CHECK_OK(lm_device_list(&devices, &n, NULL)))
        lm_free(devices);
    snprintf(file, sizeof file, "%s/%s.so", folder, "NONE");
    snprintf(link, sizeof link, "%s/other.so", place);
    CHECK(symlink(file, link) == 0);
    snprintf(list, sizeof list, "%s/./NONE.so:%s:%s", folder, link, place);
    CHECK_OK(lm_env_set(LM_ENV_PLUGINS, list));
    if (CHECK_OK(lm_device_list(&devices, &again, NULL)))
        lm_free(devices);
    CHECK_INT(again, n);
    plugins(NULL);
    test_remove(place);
}

static void unreadable_folder(void)
{
    char place[] = "/tmp/limn-shut-XXXXXX";
    lm_chain c;
    if (!CHECK(mkdtemp(place) != NULL))
        return;
    CHECK(chmod(place, 0) == 0);
    bool root = geteuid() == 0; /* may read anything */
    if (!root || CHECK(seteuid(65534) == 0)) {
        CHECK_OK(lm_env_set(LM_ENV_PLUGINS, place));
        CHECK_FAILS(lm_chain_open("cpu", &c), LM_DEVICE);
        says("plug-in folder /tmp/limn-shut-", "LIMN_PLUGINS");
    }
    if (root)
        CHECK(seteuid(0) == 0);
    plugins(NULL);
    test_remove(place);
}

/* Plug-ins that load and fail when they are used; other devices keep working. */
static void refused_at_open(void)
{
    static const struct {
        const char *name, *spec, *reason;
    } bad[] = {{"PROBE_FAILS", "probe_fails", "does not answer"},
               {"PROBE_BOASTS", "probe_boasts", "33 devices"},
               {"OPEN_FAILS", "open_fails", "firmware"},
               {"OPEN_LIES", "open_lies", "without a device"}};
    for (size_t i = 0; i < LM_COUNT(bad); i++) {
        lm_chain c;
        plugins(bad[i].name);
        CHECK_STR(opened("cpu"), "cpu ref"); /* loads it, so that what stays loaded is counted */
        size_t before = lm_mem_count().live;
        CHECK_FAILS(lm_chain_open(bad[i].spec, &c), LM_DEVICE);
        says(bad[i].reason, ".so");
        CHECK_INT(lm_mem_count().live, before);
    }
    plugins(NULL);
}

/* Open, run twice and fetch; the first failure. */
static lm_status use(const char *spec)
{
    lm_chain c;
    lm_exec *ex = NULL;
    sum s;
    lm_shape sh = LM_SHAPE(8);
    lm_view out = {0};
    LM_TRY(lm_chain_open(spec, &c));
    lm_status status = sum_make(&s, LM_OP_RELU, 8);
    if (status == LM_OK)
        status = lm_view_new(LM_F32, &sh, &out);
    if (status == LM_OK)
        status = lm_exec_open(&c, &s.call, &ex);
    for (int i = 0; i < 2 && status == LM_OK; i++) {
        status = lm_exec_run(ex);
        if (status == LM_OK)
            status = lm_exec_fetch(ex, 0, &out);
    }
    lm_exec_close(ex);
    lm_buffer_unref(out.buf);
    sum_drop(&s);
    lm_chain_close(&c);
    return status;
}

static void fails_in_use(void)
{
    static const struct {
        const char *name, *spec, *reason;
        lm_status status;
    } bad[] = {{"NO_MEMORY", "no_memory", "do not fit", LM_MEMORY},
               {"LAUNCH_FAILS", "launch_fails", "element 4 of 8", LM_DEVICE},
               {"LATE_FAILURE", "late_failure", "memory fault", LM_DEVICE},
               {"VANISHES", "vanishes", "vanished", LM_DEVICE}};
    for (size_t i = 0; i < LM_COUNT(bad); i++) {
        plugins(bad[i].name);
        CHECK_STR(opened("cpu"), "cpu ref");
        size_t before = lm_mem_count().live;
        CHECK_FAILS(use(bad[i].spec), bad[i].status);
        says(bad[i].reason, NULL);
        CHECK_INT(lm_mem_count().live, before);
    }
    plugins(NULL);
}

static lm_status use_sample(void)
{
    return use("none");
}

static void plugin_memory(void)
{
    plugins("NONE");
    CHECK(test_every_allocation(use_sample) > 0);
    plugins(NULL);
}

int main(int argc, char **argv)
{
    CASE(spec_words);
    CASE(spec_nonsense);
    CASE(spec_memory);
    CASE(order);
    CASE(beside);
    CASE(refusals);
    CASE(later_words_are_checked);
    CASE(options_show);
    CASE(chain_memory);
    if (argc < 2) /* a build that cannot load plug-ins */
        return test_end();
    folder = argv[1];
    CASE(options_reach_the_fallback);
    CASE(listed);
    CASE(plugin_computes);
    CASE(refused_ops_fall_back);
    CASE(plugin_options);
    CASE(refused_at_load);
    CASE(cut_short);
    CASE(nonsense_as_plugin);
    CASE(by_several_paths);
    CASE(unreadable_folder);
    CASE(refused_at_open);
    CASE(fails_in_use);
    CASE(plugin_memory);
    lm_env_reset();
    return test_end();
}
