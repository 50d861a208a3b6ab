/* checkop: does every device compute what the op table says, and always the same bits? See README.md. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/checkop/harness.h"

typedef struct mode {
    const char *name, *help;
    void (*run)(void);
    bool in_all, counts;
} mode;

static const mode modes[] = {
    {"check", "each device, level and thread number against the reference and each other", ck_check, true, true},
    {"bad", "wrong data and wrong calls are answered by a status that names the trouble", ck_bad, true, true},
    {"grad", "gradient ops against their forward ops, in double", ck_grad, true, true},
    {"rule", "the derivative of every op, as backward walks emit it, in double", ck_rule, true, true},
    {"support", "which device takes which op", ck_support, false, false},
    {"bench", "time and throughput per kernel", ck_bench, false, false},
};

static void usage(FILE *to)
{
    fprintf(to, "usage: checkop [MODE] [OPTION...]\n\nmodes (without one: check, bad, grad and rule)\n");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        fprintf(to, "  %-8s %s\n", modes[i].name, modes[i].help);
    fprintf(to,
            "\n  --op OP        one op, by id or name\n  --case GLOB    cases whose name matches\n"
            "  --device SPEC  one device, as LIMN_BACKEND takes it\n  --level ISA    one instruction level\n"
            "  --threads N    one number of threads\n  --seed N       other data (default 1)\n"
            "  --reduced      few and small cases, for emulators\n"
            "  --tight        no guard zones, for memory checkers\n  --list         names of the cases, nothing run\n"
            "  --json         bench: as JSON\n  -v             every case and lane\n");
}

static bool parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"op", required_argument, NULL, 'o'},      {"case", required_argument, NULL, 'c'},
        {"device", required_argument, NULL, 'd'},  {"level", required_argument, NULL, 'l'},
        {"threads", required_argument, NULL, 't'}, {"seed", required_argument, NULL, 's'},
        {"reduced", no_argument, NULL, 'r'},       {"tight", no_argument, NULL, 'T'},
        {"list", no_argument, NULL, 'L'},          {"json", no_argument, NULL, 'j'},
        {"verbose", no_argument, NULL, 'v'},       {"help", no_argument, NULL, 'h'},
        {0}};
    int c;
    while ((c = getopt_long(argc, argv, "vh", options, NULL)) != -1)
        switch (c) {
        case 'o': ck_opt.op = optarg; break;
        case 'c': ck_opt.glob = optarg; break;
        case 'd': ck_opt.device = optarg; break;
        case 'l': ck_opt.level = optarg; break;
        case 't': ck_opt.threads = atoi(optarg); break;
        case 's': ck_opt.seed = strtoull(optarg, NULL, 0); break;
        case 'r': ck_opt.reduced = true; break;
        case 'T': ck_opt.tight = true; break;
        case 'L': ck_opt.list = true; break;
        case 'j': ck_opt.json = true; break;
        case 'v': ck_opt.verbose = true; break;
        case 'h': usage(stdout); exit(0);
        default: usage(stderr); return false;
        }
    if (ck_opt.op) {
        lm_opid op;
        if (!lm_op_find(ck_opt.op, &op)) {
            fprintf(stderr, "checkop: no op is called %s\n", ck_opt.op);
            return false;
        }
        ck_opt.op = lm_ops[op].id;
    }
    return true;
}

/* A trap is a failure with a replay line like any other; what was going on stands in ck_now. */
static void trapped(int signal)
{
    char text[2 * CK_NAME];
    ck_trap(signal);
    int n = snprintf(text, sizeof text, "checkop check --case '%s' --device %s --seed %llu\n    trapped by signal %d\n",
                     ck_now.name, ck_now.spec, (unsigned long long)ck_opt.seed, signal);
    if (write(STDOUT_FILENO, text, (size_t)n) < 0)
        _exit(3);
    _exit(1);
}

int main(int argc, char **argv)
{
    const mode *one = NULL;
    signal(SIGFPE, trapped);
    signal(SIGSEGV, trapped);
    signal(SIGBUS, trapped);
    signal(SIGILL, trapped);
    if (!parse(argc, argv))
        return 2;
    for (size_t i = 0; optind < argc && i < sizeof modes / sizeof modes[0]; i++)
        if (!strcmp(argv[optind], modes[i].name))
            one = &modes[i];
    if (optind < argc && (!one || optind + 1 < argc)) {
        usage(stderr);
        return 2;
    }
    if (ck_opt.list) {
        ck_check();
        return 0;
    }
    if (!ck_lanes_open(one && one->run == ck_bench)) {
        ck_lanes_close();
        return 2;
    }
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (one ? one == &modes[i] : modes[i].in_all)
            modes[i].run();
    ck_lanes_close();
    if (one && !one->counts)
        return 0;
    if (ck_refusals)
        printf("%ld not taken by the device\n", ck_refusals);
    if (!ck_passed && !ck_failed && !ck_refusals)
        printf("no case matches\n");
    printf("%ld passed, %ld failed\n", ck_passed, ck_failed);
    return ck_failed || (!ck_passed && !ck_refusals) ? 1 : 0;
}
