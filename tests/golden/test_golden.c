/* Explanations beside what other tools say: the cases of MANIFEST, on the reference device in double and on the cpu
 * device. The argument is the folder of MANIFEST, which tools/gen/explain_golden.py writes. */
#include <limn/limn.h>

#include "core/data/npz.h"
#include "tests/unit/test.h"

/* What float32 may be off by, as a part of the map's size. */
static const double single_tolerance = 1e-4;

enum { SETTINGS = 8, DEVICES = 2 };
static const char *device_name[DEVICES] = {"ref:type=f64", "cpu"};

typedef struct row {
    char id[64], net[32], method[32], compat[32], target[16], layer[32];
    double tolerance;
    char text[128]; /* key=value ... */
} row;

/* One network: its file of arrays, and a session per device. */
typedef struct net {
    char name[32];
    lm_npz *npz;
    limn_model *model;
    limn_session *session[DEVICES];
} net;

static const char *folder;
static limn_device *device[DEVICES];
static net open_net;

static bool good(limn_status status)
{
    return test_status((lm_status)status, LM_OK, __FILE__, __LINE__, "status");
}

static void close_net(void)
{
    for (int d = 0; d < DEVICES; d++)
        limn_session_free(open_net.session[d]);
    limn_model_free(open_net.model);
    lm_npz_close(open_net.npz);
    open_net = (net){0};
}

static bool use_net(const char *name)
{
    char path[512];
    if (strcmp(open_net.name, name) == 0)
        return true;
    close_net();
    snprintf(path, sizeof path, "%s/%s.npz", folder, name);
    if (!CHECK_OK(lm_npz_open(path, &open_net.npz)))
        return false;
    snprintf(path, sizeof path, "%s/%s.onnx", folder, name);
    if (!good(limn_model_open(path, NULL, &open_net.model)))
        return false;
    for (int d = 0; d < DEVICES; d++)
        if (!good(limn_session_open(open_net.model, device[d], &open_net.session[d])))
            return false;
    snprintf(open_net.name, sizeof open_net.name, "%s", name);
    return true;
}

static bool read_array(const char *name, lm_view *out)
{
    int i = lm_npz_find(open_net.npz, name);
    return test_check(i >= 0, __FILE__, __LINE__, name) && CHECK_OK(lm_npz_read(open_net.npz, i, out));
}

static limn_tensor tensor_of(const lm_view *v)
{
    limn_tensor t = {(limn_dtype)v->dt, v->sh.rank, {0}, lm_view_data(v)};
    for (int i = 0; i < v->sh.rank; i++)
        t.dim[i] = v->sh.dim[i];
    return t;
}

static double number(const limn_tensor *t, size_t i)
{
    return t->type == LIMN_F64 ? ((const double *)t->data)[i] : (double)((const float *)t->data)[i];
}

/* |got - wanted| / |wanted|, both as vectors; infinite when the shapes differ. */
static double distance(const limn_tensor *got, const limn_tensor *wanted)
{
    double off = 0, all = 0;
    bool same = got->rank == wanted->rank;
    for (int i = 0; same && i < got->rank; i++)
        same = got->dim[i] == wanted->dim[i];
    if (!same)
        return INFINITY;
    for (size_t i = 0, n = limn_tensor_count(got); i < n; i++) {
        const double w = number(wanted, i), d = number(got, i) - w;
        off += d * d;
        all += w * w;
    }
    return sqrt(off / all);
}

/* Split "key=value key=value" in place. */
static size_t settings_of(char *text, limn_setting *setting)
{
    size_t n = 0;
    for (char *word = strtok(text, " "); word && n < SETTINGS - 2; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        if (!value)
            break;
        *value = 0;
        setting[n++] = (limn_setting){word, value + 1};
    }
    return n;
}

static void compare(const row *r, const limn_question *ask, const lm_view *samples, const lm_view *wanted)
{
    const limn_feed feed = {"input", tensor_of(samples)};
    const limn_tensor map = tensor_of(wanted);
    for (int d = 0; d < DEVICES; d++) {
        const double may = d == 0 ? r->tolerance : fmax(r->tolerance, single_tolerance);
        limn_explanation *why = NULL;
        if (!good(limn_explain(open_net.session[d], &feed, 1, ask, &why)))
            continue;
        CHECK_INT(limn_explanation_count(why), 1);
        const double off = distance(&limn_explanation_get(why, 0)->values, &map);
        if (!CHECK(off <= may))
            printf("%s on %s: off by %.3g, may be %.0e\n", r->id, device_name[d], off, may);
        limn_explanation_free(why);
    }
}

static row current;

static void run_row(void)
{
    limn_setting setting[SETTINGS];
    limn_feed file[3];
    lm_view samples = {0}, wanted = {0}, drawn[3] = {{0}};
    static const char *const names[] = {"base", "alpha", "index"}, *const files[] = {
        "base.npy", "draws.npz/alpha", "draws.npz/index"};
    char text[sizeof current.text];
    snprintf(text, sizeof text, "%s", current.text);
    if (!use_net(current.net) || !read_array("input", &samples) || !read_array(current.id, &wanted))
        goto out;
    limn_question ask = {.method = current.method, .target = current.target, .compat = current.compat,
                         .layer = strcmp(current.layer, "-") ? current.layer : NULL, .setting = setting};
    ask.settings = settings_of(text, setting);
    if (strcmp(current.method, "gradient_shap") == 0) {
        for (int i = 0; i < 3; i++) {
            if (!read_array(names[i], &drawn[i]))
                goto out;
            file[i] = (limn_feed){files[i], tensor_of(&drawn[i])};
        }
        setting[ask.settings++] = (limn_setting){"draws", "draws.npz"};
        setting[ask.settings++] = (limn_setting){"samples", "20"};
        ask.baseline = "base.npy";
        ask.file = file;
        ask.files = 3;
    }
    compare(&current, &ask, &samples, &wanted);
out:
    for (int i = 0; i < 3; i++)
        lm_buffer_unref(drawn[i].buf);
    lm_buffer_unref(samples.buf);
    lm_buffer_unref(wanted.buf);
}

int main(int argc, char **argv)
{
    char path[512], line[512];
    bool table = false;
    if (argc != 2 && argc != 3)
        return 2;
    folder = argv[1];
    if (argc == 3)
        device_name[1] = argv[2];
    snprintf(path, sizeof path, "%s/MANIFEST", folder);
    FILE *manifest = fopen(path, "r");
    if (!manifest)
        return 2;
    for (int d = 0; d < DEVICES; d++)
        if (limn_device_open(device_name[d], &device[d]) != LIMN_OK)
            return 2;
    while (fgets(line, sizeof line, manifest)) {
        row r = {.text = ""};
        line[strcspn(line, "\n")] = 0;
        if (table && sscanf(line, "%63s %31s %31s %31s %15s %31s %lf %127[^\n]", r.id, r.net, r.method, r.compat,
                            r.target, r.layer, &r.tolerance, r.text) >= 7) {
            current = r;
            test_case(r.id, run_row);
        }
        table |= strncmp(line, "case ", 5) == 0;
    }
    fclose(manifest);
    close_net();
    for (int d = 0; d < DEVICES; d++)
        limn_device_free(device[d]);
    return test_passed + test_failed > 0 ? test_end() : 2;
}
