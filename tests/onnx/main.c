/* Runs the ONNX backend suite, as it was published, in one process; README.md tells the options. */
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/env.h"
#include "tests/onnx/report.h"

static const char debian[] = "/usr/share/libonnx-testdata/data";

typedef struct options {
    const char *folder, *only, *lists, *write, *backend;
    int tier, limit;
    bool list, verbose, by_op, plain, gradient;
} options;

/* For the handler: who is running, as a line that can be written as it stands. */
static char current[300];
static struct sigaction former[64];

/* Says which test it was. Sanitizers then get their turn. */
static void on_signal(int number)
{
    static const char *const what[] = {[SIGALRM] = ": no answer in time", [SIGSEGV] = ": segmentation fault",
                                       [SIGBUS] = ": bus error", [SIGFPE] = ": arithmetic trap",
                                       [SIGILL] = ": illegal instruction", [SIGABRT] = ": aborted"};
    bool said = write(STDOUT_FILENO, current, strlen(current)) >= 0;
    said = write(STDOUT_FILENO, what[number], strlen(what[number])) >= 0 && said;
    said = write(STDOUT_FILENO, "\n0 passed, 1 failed\n", 20) >= 0 && said;
    if (number == SIGALRM || !said || former[number].sa_handler == SIG_DFL)
        _exit(1);
    sigaction(number, &former[number], NULL);
}

static void catch_signals(void)
{
    static const int caught[] = {SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    static char stack[1 << 16];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    for (size_t i = 0; i < LM_COUNT(caught); i++)
        sigaction(caught[i], &act, &former[caught[i]]);
}

static bool asked_for(const options *o, const suite_test *t)
{
    return (!o->tier || t->tier == o->tier) && (!o->only || fnmatch(o->only, t->name, 0) == 0);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Runs what was asked for. Returns how many answers were wrong without an excuse. */
static int run(const options *o, suite *s, const lm_chain *chain, suite_runs *runs)
{
    static const char *const outcomes[] = {"pass", "wrong", "unsupported", "error"};
    int wrong = 0;
    catch_signals();
    for (size_t i = 0; i < s->test.count; i++) {
        suite_test *t = &s->test.at[i];
        if (!asked_for(o, t))
            continue;
        snprintf(current, sizeof current, "FAILED %s", t->name);
        alarm((unsigned)o->limit);
        double start = seconds();
        bool ran = true;
        if (o->gradient)
            ran = suite_gradient(t, chain);
        else
            suite_run(t, chain, o->plain);
        double took = seconds() - start;
        alarm(0);
        if (!ran || lm_vec_push(runs, t) != LM_OK)
            continue;
        const char *excuse = t->outcome == WRONG && !o->gradient ? report_excuse(t) : NULL;
        wrong += t->outcome == WRONG && !excuse;
        if ((t->outcome == WRONG && !excuse) || o->verbose)
            printf("%s: %s%s%s%s%s\n", t->name, outcomes[t->outcome], *t->reason ? ": " : "", t->reason,
                   excuse ? "; " : "", excuse ? excuse : "");
        if (o->verbose && took > 1)
            printf("%s: took %.1f s\n", t->name, took);
    }
    return wrong;
}

static int list_tests(const options *o, const suite *s)
{
    for (size_t i = 0; i < s->test.count; i++)
        if (asked_for(o, &s->test.at[i]))
            printf("%d %-24s %s\n", s->test.at[i].tier, s->test.at[i].op, s->test.at[i].name);
    return 0;
}

/* Compare with the list of the release, or write it. Returns how many tests were lost, -1 after a failure. */
static int judge(const options *o, const suite *s, const suite_runs *runs)
{
    int lost = 0;
    if (o->write)
        return report_write(o->write, runs) == LM_OK ? 0 : -1;
    const char *release = report_release(s->test.count);
    if (o->lists && !release)
        printf("no list belongs to a suite of %zu tests: what passes is not compared with anything\n", s->test.count);
    if (!o->lists || !release)
        return 0;
    char list[1024];
    snprintf(list, sizeof list, "%s/passing-%s.txt", o->lists, release);
    bool all = runs->count == s->test.count;
    return report_lost(list, s, runs, &lost) == LM_OK || !all ? lost : -1;
}

/* How many gradients are missing from what must be there when the whole of release 1.22 is asked for. */
static int few(const options *o, const suite *s, int passed)
{
    enum { BAR = 1200 };
    const char *release = report_release(s->test.count);
    const bool whole = release && strcmp(release, "1.22") == 0 && !o->only && !o->tier;
    if (whole && passed < BAR)
        printf("FAILED: %d gradients, fewer than %d\n", passed, BAR);
    return whole && passed < BAR ? BAR - passed : 0;
}

static int run_suite(const options *o)
{
    suite s;
    lm_chain chain;
    if (suite_find(o->folder, &s) != LM_OK) {
        fprintf(stderr, "onnx-suite: %s\n", lm_message());
        return 2;
    }
    if (o->list) {
        list_tests(o, &s);
        suite_free(&s);
        return 0;
    }
    if (lm_chain_open(o->backend, &chain) != LM_OK) {
        fprintf(stderr, "onnx-suite: %s\n", lm_message());
        suite_free(&s);
        return 2;
    }
    suite_runs runs = {0};
    double start = seconds();
    int wrong = run(o, &s, &chain, &runs), passed = 0;
    double took = seconds() - start;
    lm_chain_close(&chain);
    for (size_t i = 0; i < runs.count; i++)
        passed += runs.at[i]->outcome == PASS;
    if (o->by_op)
        report_ops(&runs);
    report_tiers(&runs);
    printf("%zu of %zu tests of %s in %.1f s\n", runs.count, s.test.count, o->folder, took);
    int lost = o->gradient ? few(o, &s, passed) : judge(o, &s, &runs);
    if (lost < 0)
        printf("FAILED: %s\n", lm_message());
    int failed = lost < 0 ? wrong + 1 : wrong + lost;
    printf("%d passed, %d failed\n", passed, failed);
    lm_vec_free(&runs);
    suite_free(&s);
    return failed ? 1 : 0;
}

/* LIMN_ONNX_SUITE, else the argument, else where Debian puts an older copy; NULL when there is none. */
static const char *choose_folder(const char *argument)
{
    const char *set = lm_env_text(LM_ENV_ONNX_SUITE);
    if (*set)
        return set;
    if (argument && *argument)
        return argument;
    struct stat about;
    return stat(debian, &about) == 0 ? debian : NULL;
}

static void usage(FILE *to)
{
    fprintf(to, "usage: onnx-suite [--list] [--only GLOB] [--tier 1|2|3|4] [--by-op] [-v] [--plain] [--gradient]\n"
                "                  [--backend SPEC] [--limit SECONDS] [--lists FOLDER] [--write-pass FILE] [SUITE]\n");
}

int main(int argc, char **argv)
{
    enum { LIST = 256, ONLY, TIER, BY_OP, PLAIN, BACKEND, LIMIT, LISTS, WRITE, GRADIENT };
    static const struct option known[] = {
        {"list", no_argument, NULL, LIST},         {"only", required_argument, NULL, ONLY},
        {"tier", required_argument, NULL, TIER},   {"by-op", no_argument, NULL, BY_OP},
        {"plain", no_argument, NULL, PLAIN},       {"backend", required_argument, NULL, BACKEND},
        {"limit", required_argument, NULL, LIMIT}, {"lists", required_argument, NULL, LISTS},
        {"gradient", no_argument, NULL, GRADIENT},
        {"help", no_argument, NULL, 'h'},          {"write-pass", required_argument, NULL, WRITE},
        {0}};
    options o = {.limit = 30};
    for (int c; (c = getopt_long(argc, argv, "hv", known, NULL)) != -1;) {
        switch (c) {
        case LIST: o.list = true; break;
        case ONLY: o.only = optarg; break;
        case TIER: o.tier = atoi(optarg); break;
        case BY_OP: o.by_op = true; break;
        case PLAIN: o.plain = true; break;
        case GRADIENT: o.gradient = true; break;
        case BACKEND: o.backend = optarg; break;
        case LIMIT: o.limit = atoi(optarg); break;
        case LISTS: o.lists = optarg; break;
        case WRITE: o.write = optarg; break;
        case 'v': o.verbose = true; break;
        case 'h': usage(stdout); return 0;
        default: usage(stderr); return 2;
        }
    }
    if (o.write && (o.only || o.tier)) {
        fprintf(stderr, "onnx-suite: --write-pass needs the whole suite; leave out --only and --tier\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* a crash must not take lines with it */
    o.folder = choose_folder(optind < argc ? argv[optind] : NULL);
    if (!o.folder) {
        printf("skipped: no suite; set LIMN_ONNX_SUITE or -Donnx_suite=, or install libonnx-testdata\n"
               "0 passed, 0 failed\n");
        return 77;
    }
    return run_suite(&o);
}
