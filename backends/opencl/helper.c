/* The helper process: one socket pair that keeps records apart. The helper holds the same end as its worker and reads
 * nothing itself, so it can tell of a worker that died. */
#include "backends/opencl/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/mem.h"

enum { IDLE_MS = 10000, LOOK_MS = 100, TEXT = 1024 };

static const struct {
    lm_status (*serve)(const void *request, void *reply, size_t *bytes);
    unsigned seconds; /* after which a driver hangs */
    bool once;        /* the worker goes afterwards, and gives its drivers' memory back */
} tasks[LM_CL_TASKS] = {
    [LM_CL_PROBE] = {lm_cl_probe_serve, 60, true},
    [LM_CL_BUILD] = {lm_cl_build_serve, 300, false},
};

typedef struct request {
    int task;
    _Alignas(16) unsigned char bytes[LM_CL_REQUEST];
} request;

typedef struct reply {
    int status; /* of the task, if `ended` is not set */
    int ended;  /* what waitpid says of a worker that died */
    bool died;
    size_t size;
    char message[TEXT];
    _Alignas(16) unsigned char bytes[LM_CL_REPLY];
} reply;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int line = -1; /* our end */
static bool inside;
static bool kept; /* the loader asked for it */

static bool is_waiting(int fd, int milliseconds)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do
        n = poll(&p, 1, milliseconds);
    while (n < 0 && errno == EINTR);
    return n > 0 && (p.revents & POLLIN);
}

static ssize_t receive(int fd, void *to, size_t room)
{
    ssize_t n;
    do
        n = recv(fd, to, room, 0);
    while (n < 0 && errno == EINTR);
    return n;
}

/* A driver that calls exit: without the program's own handlers and buffers, and as a failure. */
static void leave(void)
{
    _exit(1);
}

static _Noreturn void work(int fd)
{
    static request in;
    static reply out;
    inside = true;
    atexit(leave);
    lm_log_level_set(LM_LOG_OFF);
    while (is_waiting(fd, IDLE_MS) && receive(fd, &in, sizeof in) > 0) {
        memset(&out, 0, offsetof(reply, bytes));
        alarm(tasks[in.task].seconds);
        out.status = tasks[in.task].serve(in.bytes, out.bytes, &out.size);
        alarm(0);
        snprintf(out.message, sizeof out.message, "%s", lm_message());
        if (send(fd, &out, offsetof(reply, bytes) + out.size, MSG_NOSIGNAL) < 0 || tasks[in.task].once)
            break;
    }
    _exit(0);
}

static void close_all_but(int fd)
{
    const long end = sysconf(_SC_OPEN_MAX);
#if defined(__linux__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
    if ((fd <= 3 || close_range(3, (unsigned)fd - 1, 0) == 0) && close_range((unsigned)fd + 1, ~0u, 0) == 0)
        return;
#endif
#endif
    for (int i = 3; i < (end > 0 && end < 65536 ? (int)end : 65536); i++)
        if (i != fd)
            close(i);
}

/* Is there nobody any more who would read an answer? Waits a little to see. */
static bool is_deserted(int fd)
{
    struct pollfd p = {.fd = fd};
    return poll(&p, 1, LOOK_MS) > 0 && (p.revents & (POLLHUP | POLLERR));
}

/* How the worker ended; it is made to where the program has gone, whatever its driver is busy with. */
static int wait_for(pid_t worker, int fd)
{
    int ended = 0;
    pid_t done = 0;
    while (done == 0 || (done < 0 && errno == EINTR)) {
        const bool deserted = is_deserted(fd);
        if (deserted)
            kill(worker, SIGKILL);
        done = waitpid(worker, &ended, deserted ? 0 : WNOHANG);
    }
    return ended;
}

/* Nothing of the program that was forked may stay open or be stopped for us. */
static _Noreturn void serve(int fd)
{
    static reply sorry;
    sorry.died = true;
    close_all_but(fd);
    signal(SIGINT, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* alarm must get through */
    for (char first; is_waiting(fd, -1) && recv(fd, &first, 1, MSG_PEEK) > 0;) {
        const pid_t worker = fork();
        if (worker == 0)
            work(fd);
        sorry.ended = 0;
        if (worker < 0)
            recv(fd, &first, 1, 0); /* the whole record */
        else
            sorry.ended = wait_for(worker, fd);
        const bool well = worker > 0 && WIFEXITED(sorry.ended) && WEXITSTATUS(sorry.ended) == 0;
        if (!well && send(fd, &sorry, offsetof(reply, bytes), MSG_NOSIGNAL) < 0)
            break;
    }
    _exit(0);
}

static void start(void)
{
    int end[2];
    if (line >= 0 || lm_cl_is_open() || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, end) != 0)
        return;
    for (int i = 0; i < 2; i++) /* not where a program without them has its standard streams */
        if (end[i] < 3) {
            const int up = fcntl(end[i], F_DUPFD_CLOEXEC, 3);
            close(end[i]);
            end[i] = up;
        }
    /* no child of the program, which may wait for all that it has */
    const pid_t between = end[0] < 0 || end[1] < 0 ? -1 : fork();
    if (between == 0) {
        if (fork() == 0)
            serve(end[1]);
        _exit(0);
    }
    while (between > 0 && waitpid(between, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(end[1]);
    if (between > 0)
        line = end[0];
    else
        close(end[0]);
}

static void stop(void)
{
    if (line < 0)
        return;
    shutdown(line, SHUT_RDWR); /* a process that the program forked may hold it, too */
    close(line);
    line = -1;
}

/* The worker's lock is a copy of one that its parent held. */
void lm_cl_helper_start(void)
{
    if (inside)
        return;
    pthread_mutex_lock(&lock);
    kept = true;
    start();
    pthread_mutex_unlock(&lock);
}

void lm_cl_helper_stop(void)
{
    pthread_mutex_lock(&lock);
    if (!kept)
        stop();
    pthread_mutex_unlock(&lock);
}

static lm_status judge(const reply *r, ssize_t n, const char *did, void *out, size_t room)
{
    LM_REQUIRE(n >= (ssize_t)offsetof(reply, bytes), LM_NO, "the helper process for OpenCL has gone");
    if (r->died)
        return lm_fail(LM_UNSUPPORTED, "%s ended with %s %d", did, WIFSIGNALED(r->ended) ? "signal" : "status",
                       WIFSIGNALED(r->ended) ? WTERMSIG(r->ended) : WEXITSTATUS(r->ended));
    if (r->status != LM_OK)
        return lm_fail((lm_status)r->status, "%s", r->message);
    LM_REQUIRE(r->size == room, LM_NO, "the helper process for OpenCL answers %zu bytes, not %zu", r->size, room);
    if (room)
        memcpy(out, r->bytes, room);
    return LM_OK;
}

lm_status lm_cl_ask(lm_cl_task task, const void *question, size_t bytes, const char *did, void *out, size_t room)
{
    reply *r;
    request *q;
    LM_REQUIRE(!inside && bytes <= sizeof q->bytes && room <= sizeof r->bytes, LM_NO, "no helper for OpenCL");
    r = lm_malloc(1, sizeof *r);
    q = lm_calloc(1, sizeof *q);
    lm_status status = r && q ? LM_NO : LM_MEMORY;
    pthread_mutex_lock(&lock);
    start();
    if (line >= 0 && status == LM_NO) {
        while (recv(line, r, sizeof *r, MSG_DONTWAIT) > 0) /* of a worker that died when nothing was asked */
            continue;
        q->task = task;
        memcpy(q->bytes, question, bytes);
        ssize_t n = send(line, q, offsetof(request, bytes) + bytes, MSG_NOSIGNAL);
        n = n < 0 ? n : receive(line, r, sizeof *r);
        status = judge(r, n, did, out, room);
        if (n <= 0)
            stop();
    } else if (status == LM_NO)
        status = lm_fail(LM_NO, "no helper process for OpenCL can be started");
    pthread_mutex_unlock(&lock);
    lm_free(q);
    lm_free(r);
    return status;
}
