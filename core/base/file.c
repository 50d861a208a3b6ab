/* Mapping, atomic writing, listing. */
#include "core/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/str.h"

/* Large files stay open beside their mapping, some of them at a time. */
enum { OPEN_BYTES = 1 << 20, OPEN_FILES = 16 };

static struct {
    pthread_mutex_t lock;
    struct {
        lm_file file; /* size 0: nothing is here */
        int fd;
    } at[OPEN_FILES];
} still_open = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool keep_open(const lm_file *file, int fd)
{
    bool kept = false;
    if (file->size < OPEN_BYTES)
        return false;
    pthread_mutex_lock(&still_open.lock);
    for (size_t i = 0; i < OPEN_FILES && !kept; i++) {
        kept = !still_open.at[i].file.size;
        if (kept) {
            still_open.at[i].file = *file;
            still_open.at[i].fd = fd;
        }
    }
    pthread_mutex_unlock(&still_open.lock);
    return kept;
}

/* What is to be closed; -1: nothing. */
static int forget_open(const lm_file *file)
{
    int fd = -1;
    pthread_mutex_lock(&still_open.lock);
    for (size_t i = 0; i < OPEN_FILES && file->size && fd < 0; i++)
        if (still_open.at[i].file.size && still_open.at[i].file.bytes == file->bytes) {
            still_open.at[i].file = (lm_file){0};
            fd = still_open.at[i].fd;
        }
    pthread_mutex_unlock(&still_open.lock);
    return fd;
}

lm_status lm_file_map(const char *path, lm_file *out)
{
    static const uint8_t nothing[1];
    /* a pipe must not block us before we have seen that it is one */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    LM_REQUIRE(fd >= 0, LM_INPUT, "%s: %s", path, strerror(errno));
    struct stat about;
    lm_status status = LM_OK;
    lm_file file = {.bytes = nothing};
    if (fstat(fd, &about) != 0)
        status = lm_fail(LM_INPUT, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(about.st_mode))
        status = lm_fail(LM_INPUT, "%s is not a plain file", path);
    else if ((uint64_t)about.st_size > SIZE_MAX)
        status = lm_fail(LM_INPUT, "%s is too large for this machine's addresses", path);
    if (status == LM_OK && about.st_size > 0) {
        file.size = (size_t)about.st_size;
        void *map = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED)
            status = lm_fail(errno == ENOMEM ? LM_MEMORY : LM_INPUT, "%s: %s", path, strerror(errno));
        else
            file.bytes = map;
    }
    if (status != LM_OK || !keep_open(&file, fd))
        close(fd);
    if (status == LM_OK)
        *out = file;
    return status;
}

void lm_file_unmap(lm_file *file)
{
    const int fd = forget_open(file);
    if (fd >= 0)
        close(fd);
    if (file->size)
        munmap((void *)file->bytes, file->size);
    *file = (lm_file){0};
}

bool lm_file_read(const void *mapped, size_t bytes, void *to)
{
    const uintptr_t from = (uintptr_t)mapped;
    size_t off = 0;
    int fd = -1;
    pthread_mutex_lock(&still_open.lock);
    for (size_t i = 0; i < LM_COUNT(still_open.at) && fd < 0; i++) {
        const lm_file *f = &still_open.at[i].file;
        off = from - (uintptr_t)f->bytes;
        if (f->size && off < f->size && bytes <= f->size - off)
            fd = still_open.at[i].fd;
    }
    pthread_mutex_unlock(&still_open.lock);
    for (char *p = to; fd >= 0 && bytes > 0;) {
        const ssize_t got = pread(fd, p, bytes, (off_t)off);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        off += (size_t)got;
        bytes -= (size_t)got;
    }
    return fd >= 0;
}

lm_status lm_file_slice(const lm_file *file, uint64_t offset, uint64_t bytes, const void **out)
{
    LM_REQUIRE(offset <= file->size && bytes <= file->size - offset, LM_INPUT,
               "%llu bytes at offset %llu are wanted, but the file ends at %zu", (unsigned long long)bytes,
               (unsigned long long)offset, file->size);
    *out = file->bytes + offset;
    return LM_OK;
}

void lm_file_done(const void *bytes, size_t count)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)bytes + page - 1) / page * page;
    const uintptr_t to = ((uintptr_t)bytes + count) / page * page;
    if (from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

static bool is_special(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode);
}

/* Temporary files that exist now, for a program that is about to be ended; more than there is room for stay
 * unnoticed. */
static _Atomic(char *) in_progress[16];

static void note_temporary(char *path)
{
    for (size_t i = 0; path && i < LM_COUNT(in_progress); i++) {
        char *none = NULL;
        if (atomic_compare_exchange_strong(&in_progress[i], &none, path))
            return;
    }
}

static void forget_temporary(char *path)
{
    for (size_t i = 0; path && i < LM_COUNT(in_progress); i++) {
        char *same = path;
        if (atomic_compare_exchange_strong(&in_progress[i], &same, NULL))
            return;
    }
}

void lm_out_abandon_all(void)
{
    for (size_t i = 0; i < LM_COUNT(in_progress); i++) {
        const char *path = atomic_load(&in_progress[i]);
        if (path)
            unlink(path);
    }
}

/* Where links lead; the last one's target need not exist. */
static lm_status follow_links(const char *path, char **out)
{
    enum { LINKS = 40 }; /* as many as the system follows */
    char target[PATH_MAX];
    char *at = lm_strdup(path);
    for (int i = 0; at && i < LINKS; i++) {
        ssize_t count = readlink(at, target, sizeof target - 1);
        if (count < 0) {
            *out = at;
            return LM_OK;
        }
        target[count] = '\0';
        const char *slash = *target == '/' ? NULL : strrchr(at, '/');
        lm_str next = {0};
        if (slash)
            lm_str_add_bytes(&next, at, (size_t)(slash - at) + 1);
        lm_str_add(&next, target);
        lm_free(at);
        at = lm_str_take(&next);
        lm_str_free(&next);
    }
    bool circle = at != NULL;
    lm_free(at);
    return circle ? lm_fail(LM_OUTPUT, "%s: %s", path, strerror(ELOOP)) : LM_MEMORY;
}

/* A fresh file beside the path, readable by whom the program's mask allows; a name that is taken is passed over. */
static lm_status make_temporary(lm_out *out)
{
    static atomic_uint made;
    do {
        lm_str name = {0};
        lm_str_printf(&name, "%s.%ld-%u.tmp", out->path, (long)getpid(), atomic_fetch_add(&made, 1));
        lm_free(out->temporary);
        out->temporary = lm_str_take(&name);
        lm_str_free(&name);
        if (!out->temporary)
            return LM_MEMORY;
        out->fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (out->fd < 0 && errno == EEXIST);
    return LM_OK;
}

lm_status lm_out_open(const char *path, lm_out *out)
{
    lm_out fresh = {.fd = -1};
    LM_TRY(follow_links(path, &fresh.path));
    lm_status status = LM_OK;
    if (is_special(path))
        fresh.fd = open(path, O_WRONLY | O_CLOEXEC);
    else
        status = make_temporary(&fresh);
    if (status == LM_OK && fresh.fd < 0)
        status = lm_fail(LM_OUTPUT, "%s: %s", path, strerror(errno));
    if (status != LM_OK) {
        lm_free(fresh.path);
        lm_free(fresh.temporary);
        return status;
    }
    note_temporary(fresh.temporary);
    *out = fresh;
    return LM_OK;
}

lm_status lm_out_write(lm_out *out, const void *bytes, size_t count)
{
    const char *p = bytes;
    while (count > 0) {
        ssize_t written = write(out->fd, p, count);
        if (written < 0 && errno == EINTR)
            continue;
        LM_REQUIRE(written >= 0, LM_OUTPUT, "%s: %s", out->path, strerror(errno));
        p += written;
        count -= (size_t)written;
    }
    return LM_OK;
}

lm_status lm_out_skip(lm_out *out, uint64_t count)
{
    LM_REQUIRE(count <= INT64_MAX && lseek(out->fd, (off_t)count, SEEK_CUR) >= 0, LM_OUTPUT, "%s: %s", out->path,
               strerror(errno));
    return LM_OK;
}

lm_status lm_out_fill(lm_out *out, uint64_t offset, const void *bytes, size_t count)
{
    const char *p = bytes;
    while (count > 0) {
        ssize_t written = pwrite(out->fd, p, count, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        LM_REQUIRE(written >= 0, LM_OUTPUT, "%s: %s", out->path, strerror(errno));
        p += written;
        offset += (uint64_t)written;
        count -= (size_t)written;
    }
    return LM_OK;
}

/* Files that are written and wait for their names. */
static _Thread_local struct {
    bool on;
    LM_VEC(lm_out) files;
} gathered;

/* Forget, removing the temporary file unless it got its final name. */
static void finish(lm_out *out, bool named)
{
    if (!named && out->temporary)
        unlink(out->temporary);
    forget_temporary(out->temporary);
    lm_free(out->path);
    lm_free(out->temporary);
    *out = (lm_out){.fd = -1};
}

lm_status lm_out_commit(lm_out *out)
{
    lm_status status = LM_OK;
    if (close(out->fd) != 0)
        status = lm_fail(LM_OUTPUT, "%s: %s", out->path, strerror(errno));
    out->fd = -1;
    if (status == LM_OK && out->temporary && gathered.on && !out->at_once) {
        status = lm_vec_push(&gathered.files, *out);
        if (status == LM_OK)
            *out = (lm_out){.fd = -1};
    } else if (status == LM_OK && out->temporary && rename(out->temporary, out->path) != 0) {
        status = lm_fail(LM_OUTPUT, "%s: %s", out->path, strerror(errno));
    }
    finish(out, status == LM_OK);
    return status;
}

void lm_out_gather(void)
{
    gathered.on = true;
}

static lm_status end_gathering(bool keep)
{
    lm_status status = LM_OK;
    for (size_t i = 0; i < gathered.files.count; i++) {
        lm_out *out = &gathered.files.at[i];
        bool named = keep && status == LM_OK && rename(out->temporary, out->path) == 0;
        if (keep && status == LM_OK && !named)
            status = lm_fail(LM_OUTPUT, "%s: %s", out->path, strerror(errno));
        finish(out, named);
    }
    lm_vec_free(&gathered.files);
    gathered.on = false;
    return status;
}

lm_status lm_out_commit_all(void)
{
    return end_gathering(true);
}

void lm_out_drop_all(void)
{
    end_gathering(false);
}

void lm_out_drop(lm_out *out)
{
    if (out->fd < 0)
        return;
    close(out->fd);
    finish(out, false);
}

lm_status lm_file_write(const char *path, const void *bytes, size_t count)
{
    lm_out out;
    LM_TRY(lm_out_open(path, &out));
    lm_status status = lm_out_write(&out, bytes, count);
    if (status == LM_OK)
        return lm_out_commit(&out);
    lm_out_drop(&out);
    return status;
}

lm_status lm_dir_make(const char *path)
{
    char *copy = lm_strdup(path);
    if (!copy)
        return LM_MEMORY;
    lm_status status = LM_OK;
    /* every prefix that ends before a slash, then the whole */
    for (char *at = copy; status == LM_OK && *at;) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        char cut = *at;
        *at = '\0';
        struct stat about;
        const int reason = mkdir(copy, 0777) != 0 ? errno : 0;
        if (reason && (stat(copy, &about) != 0 || !S_ISDIR(about.st_mode)))
            status = lm_fail(LM_OUTPUT, "the folder %s cannot be made: %s", copy, strerror(reason));
        *at = cut;
    }
    lm_free(copy);
    return status;
}

static bool ends_in(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);
    return length >= tail && memcmp(name + length - tail, suffix, tail) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

lm_status lm_dir_list(const char *path, const char *suffix, lm_names *out)
{
    DIR *dir = opendir(path);
    LM_REQUIRE(dir, LM_INPUT, "%s: %s", path, strerror(errno));
    lm_names names = {0};
    lm_status status = LM_OK;
    while (status == LM_OK) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry && errno)
            status = lm_fail(LM_INPUT, "%s: %s", path, strerror(errno));
        if (!entry)
            break;
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || !ends_in(name, suffix))
            continue;
        char *copy = lm_strdup(name);
        status = copy ? lm_vec_push(&names, copy) : LM_MEMORY;
        if (status != LM_OK)
            lm_free(copy);
    }
    closedir(dir);
    if (status != LM_OK) {
        lm_names_free(&names);
        return status;
    }
    if (names.count)
        qsort(names.at, names.count, sizeof *names.at, by_name);
    *out = names;
    return LM_OK;
}

void lm_names_free(lm_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        lm_free(names->at[i]);
    lm_vec_free(names);
}
