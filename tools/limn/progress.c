/* A bar with rate and time left. */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CELLS = 30 };

/* Seconds between two lines, and between two states of the bar. */
static const double LINE_EVERY = 10, BAR_EVERY = 0.1, SILENT = 1;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

progress progress_begin(const command *cmd, const char *things)
{
    const bool wanted = !given(cmd, OPT_quiet);
    return (progress){.things = wanted ? things : NULL, .begun = now(), .bar = wanted && isatty(STDERR_FILENO)};
}

/* "12 s", "3 min", "2 h" */
static void duration(double seconds, char text[32])
{
    if (seconds < 100)
        snprintf(text, 32, "%.0f s", seconds);
    else if (seconds < 6000)
        snprintf(text, 32, "%.0f min", seconds / 60);
    else
        snprintf(text, 32, "%.0f h", seconds / 3600);
}

void progress_tell(void *with, size_t done, size_t all)
{
    progress *p = with;
    const double at = now(), spent = at - p->begun;
    done += p->before;
    all = p->all ? p->all : all;
    if (!p->things || all < 2 || done >= all || spent < SILENT ||
        (p->told > 0 && at - p->told < (p->bar ? BAR_EVERY : LINE_EVERY)))
        return;
    p->told = at;
    const double rate = (double)done / spent;
    char left[32], bar[CELLS + 1];
    duration((double)(all - done) / rate, left);
    for (size_t i = 0; i < CELLS; i++)
        bar[i] = i * all < done * CELLS ? '#' : '.';
    bar[CELLS] = '\0';
    fprintf(stderr,
            p->bar ? "\r[%s] %zu of %zu %s, %.*f a second, %s left\033[K"
                   : "limn: %s%zu of %zu %s, %.*f a second, %s left\n",
            p->bar ? bar : "", done, all, p->things, rate < 10 ? 2 : 0, rate, left);
}

void progress_end(progress *p)
{
    if (p->bar && p->told > 0)
        fputs("\r\033[K", stderr);
}
