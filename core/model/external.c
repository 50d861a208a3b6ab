/* A file is reached step by step from the model's folder, each step opened relative to the one before and never through
 * a link, and what was opened is looked at, not what a path said a moment ago. With ".." refused as text there is no
 * way out, on any POSIX system and without a window for a race. */
#include "core/model/external.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/model/sha1.h"

/* Folders on the way need not be readable, only passable, where the system can say so. */
#ifdef O_PATH
enum { STEP = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
#else
enum { STEP = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
#endif

typedef struct opened {
    lm_file file;
    char sha1[41]; /* "" until somebody asks */
} opened;

struct onnx_files {
    char *folder, *links;
    pthread_mutex_t lock;
    lm_map files; /* normalised location to opened */
};

/* What a tensor's entries say. */
typedef struct place {
    const char *location, *checksum; /* NULL: not there */
    uint64_t offset, length;
    bool has_length;
} place;

lm_status onnx_files_open(const char *folder, const char *allow_links, onnx_files **out)
{
    onnx_files *f;
    LM_NEW(f);
    pthread_mutex_init(&f->lock, NULL);
    f->folder = folder ? lm_strdup(folder) : NULL;
    f->links = allow_links ? lm_strdup(allow_links) : NULL;
    if ((folder && !f->folder) || (allow_links && !f->links)) {
        onnx_files_close(f);
        return LM_MEMORY;
    }
    *out = f;
    return LM_OK;
}

static void forget(opened *o)
{
    lm_file_unmap(&o->file);
    lm_free(o);
}

void onnx_files_close(onnx_files *files)
{
    if (!files)
        return;
    size_t at = 0;
    for (lm_map_entry *e; (e = lm_map_next(&files->files, &at));)
        forget(e->value.ptr);
    lm_map_free(&files->files);
    pthread_mutex_destroy(&files->lock);
    lm_free(files->folder);
    lm_free(files->links);
    lm_free(files);
}

static lm_status whole_number(const char *key, const char *text, uint64_t *out)
{
    uint64_t value = 0;
    bool good = text[0] != 0;
    for (const char *c = text; *c && good; c++)
        good = *c >= '0' && *c <= '9' && !__builtin_mul_overflow(value, 10, &value) &&
               !__builtin_add_overflow(value, (uint64_t)(*c - '0'), &value);
    LM_REQUIRE(good, LM_INPUT, "%s of external data is '%.40s', which is no number of bytes", key, text);
    *out = value;
    return LM_OK;
}

static lm_status read_place(const onnx_tensor *t, place *out)
{
    enum { LOCATION, OFFSET, LENGTH, CHECKSUM, BASEPATH, KEYS };
    static const char *const keys[KEYS] = {"location", "offset", "length", "checksum", "basepath"};
    const char *value[KEYS] = {NULL};
    for (size_t i = 0; i < t->n_externals; i++) {
        const char *key = t->externals[i].key;
        int k = 0;
        while (k < KEYS && strcmp(key, keys[k]) != 0)
            k++;
        LM_REQUIRE(k < KEYS, LM_INPUT,
                   "external data with the unknown key '%.40s'; there are location, offset, length, checksum, basepath",
                   key);
        LM_REQUIRE(!value[k], LM_INPUT, "external data with the key '%s' twice", key);
        value[k] = t->externals[i].value;
    }
    place p = {.location = value[LOCATION], .checksum = value[CHECKSUM], .has_length = value[LENGTH] != NULL};
    LM_REQUIRE(p.location && p.location[0], LM_INPUT, "external data without a location");
    if (value[OFFSET])
        LM_TRY(whole_number("offset", value[OFFSET], &p.offset));
    if (value[LENGTH])
        LM_TRY(whole_number("length", value[LENGTH], &p.length));
    *out = p;
    return LM_OK;
}

/* "a/b" of "./a//b"; LM_INPUT for a path that starts at the root or steps up. */
static lm_status normalise(const char *location, lm_str *out)
{
    LM_REQUIRE(location[0] != '/', LM_INPUT,
               "external data at '%.200s': the location must lie below the model's folder", location);
    for (const char *at = location; *at;) {
        size_t span = strcspn(at, "/");
        LM_REQUIRE(!(span == 2 && memcmp(at, "..", 2) == 0), LM_INPUT,
                   "external data at '%.200s': the location may not step up ('..')", location);
        if (span > 0 && !(span == 1 && *at == '.')) {
            if (out->count)
                lm_str_char(out, '/');
            lm_str_add_bytes(out, at, span);
        }
        at += span;
        at += strspn(at, "/");
    }
    LM_TRY(out->status);
    LM_REQUIRE(out->count, LM_INPUT, "external data at '%.200s': the location names no file", location);
    return LM_OK;
}

lm_status onnx_external_check(const onnx_tensor *t)
{
    place p;
    LM_TRY(read_place(t, &p));
    lm_str path = {0};
    lm_status status = normalise(p.location, &path);
    lm_str_free(&path);
    return status;
}

/* Open a normalised path below a folder without following a link. -1 with errno otherwise. */
static int open_below(const char *folder, const char *path)
{
    int dir = open(folder, STEP & ~O_NOFOLLOW);
    while (dir >= 0) {
        char name[NAME_MAX + 1];
        size_t span = strcspn(path, "/");
        bool last = path[span] == 0;
        int next = -1;
        if (span > NAME_MAX) {
            errno = ENAMETOOLONG;
        } else {
            memcpy(name, path, span);
            name[span] = 0;
            /* a pipe must not block us before we have seen that it is one */
            next = openat(dir, name, last ? O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC : STEP);
        }
        int reason = errno;
        struct stat about;
        if (next < 0 && reason == ENOTDIR && fstatat(dir, name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISLNK(about.st_mode))
            reason = ELOOP; /* so that both kinds of link are told apart from a file used as a folder */
        close(dir);
        errno = reason;
        if (last || next < 0)
            return next;
        dir = next;
        path += span + 1;
    }
    return -1;
}

/* Where links lead, when that is below the folder that the user named: opened from there, without a link. */
static lm_status open_linked(const onnx_files *f, const char *path, int *fd)
{
    char target[PATH_MAX], root[PATH_MAX];
    lm_str whole = {0};
    LM_TRY(lm_str_printf(&whole, "%s/%s", f->folder, path));
    bool found = realpath(whole.text, target) && realpath(f->links, root);
    lm_str_free(&whole);
    size_t length = !found || strcmp(root, "/") == 0 ? 0 : strlen(root);
    *fd = -1;
    if (found && strncmp(target, root, length) == 0 && target[length] == '/')
        *fd = open_below(root, target + length + 1);
    LM_REQUIRE(*fd >= 0, LM_INPUT, "external data at '%.200s' is reached through a link that leads out of %.200s", path,
               f->links);
    return LM_OK;
}

/* Map what is open, if it is what a model may refer to. */
static lm_status take(int fd, const char *path, bool may_be_linked, lm_file *out)
{
    static const uint8_t nothing[1];
    struct stat about;
    LM_REQUIRE(fstat(fd, &about) == 0, LM_INPUT, "external data at '%.200s': %s", path, strerror(errno));
    LM_REQUIRE(S_ISREG(about.st_mode), LM_INPUT, "external data at '%.200s' is no plain file", path);
    LM_REQUIRE(about.st_nlink <= 1 || may_be_linked, LM_INPUT,
               "external data at '%.200s' is a file with %lu hard links, so it may belong to something else; copy it, "
               "or allow links into its folder (--allow-links)",
               path, (unsigned long)about.st_nlink);
    LM_REQUIRE((uint64_t)about.st_size <= SIZE_MAX, LM_INPUT, "external data at '%.200s' is too large", path);
    lm_file file = {.bytes = nothing, .size = (size_t)about.st_size};
    if (file.size) {
        void *map = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
        LM_REQUIRE(map != MAP_FAILED, LM_INPUT, "external data at '%.200s': %s", path, strerror(errno));
        file.bytes = map;
    }
    *out = file;
    return LM_OK;
}

static lm_status map_file(const onnx_files *f, const char *path, lm_file *out)
{
    int fd = open_below(f->folder, path);
    struct stat about;
    bool linked = fd < 0 ? errno == ELOOP : fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_nlink > 1;
    if (linked && f->links) {
        if (fd >= 0)
            close(fd);
        LM_TRY(open_linked(f, path, &fd));
    }
    LM_REQUIRE(fd >= 0 || errno != ELOOP, LM_INPUT,
               "external data at '%.200s' is reached through a link; allow links into a folder with --allow-links",
               path);
    LM_REQUIRE(fd >= 0, LM_INPUT, "external data at '%.200s': %s", path, strerror(errno));
    lm_status status = take(fd, path, linked && f->links, out);
    close(fd);
    return status;
}

/* The file at a normalised path, opened before or now. */
static lm_status find(onnx_files *f, const char *path, opened **out)
{
    lm_cell *known = lm_map_gets(&f->files, path);
    if (known) {
        *out = known->ptr;
        return LM_OK;
    }
    opened *fresh;
    LM_NEW(fresh);
    lm_status status = map_file(f, path, &fresh->file);
    if (status == LM_OK)
        status = lm_map_put_ptr(&f->files, path, fresh);
    if (status == LM_OK)
        *out = fresh;
    else
        forget(fresh);
    return status;
}

static lm_status slice(opened *o, const place *p, const char *path, size_t want, lm_slice *out)
{
    const lm_file *file = &o->file;
    LM_REQUIRE(p->offset <= file->size && (!p->has_length || p->length <= file->size - p->offset), LM_INPUT,
               "external data at '%.200s': %llu bytes from %llu on are wanted, but the file has %zu", path,
               (unsigned long long)p->length, (unsigned long long)p->offset, file->size);
    uint64_t length = p->has_length ? p->length : file->size - p->offset;
    LM_REQUIRE(length == want, LM_INPUT, "external data at '%.200s': the elements take %zu bytes, but there are %llu",
               path, want, (unsigned long long)length);
    if (p->checksum) {
        if (!o->sha1[0])
            lm_sha1_hex(file->bytes, file->size, o->sha1);
        LM_REQUIRE(strcasecmp(p->checksum, o->sha1) == 0, LM_INPUT,
                   "external data at '%.200s': the checksum is %s, but should be %.40s", path, o->sha1, p->checksum);
    }
    *out = (lm_slice){file->bytes + p->offset, want};
    return LM_OK;
}

lm_status onnx_external(onnx_files *files, const onnx_tensor *t, size_t want, lm_slice *out)
{
    place p;
    LM_TRY(read_place(t, &p));
    LM_REQUIRE(files->folder, LM_INPUT, "external data at '%.200s', but the model did not come from a folder",
               p.location);
    lm_str path = {0};
    lm_status status = normalise(p.location, &path);
    if (status == LM_OK) {
        opened *o = NULL;
        pthread_mutex_lock(&files->lock);
        status = find(files, path.text, &o);
        if (status == LM_OK)
            status = slice(o, &p, path.text, want, out);
        pthread_mutex_unlock(&files->lock);
    }
    lm_str_free(&path);
    return status;
}
