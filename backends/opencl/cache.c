/* Files of the cache folder. */
#include "backends/opencl/cache.h"

#include <string.h>
#include <unistd.h>

#include "core/base/env.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/str.h"

typedef struct head {
    char kind[8];
    uint64_t key, check, count; /* check: of what follows */
} head;

static head head_of(const char *kind, uint64_t key, const void *bytes, size_t count)
{
    head h = {.key = key, .check = lm_hash(bytes, count, key), .count = count};
    memcpy(h.kind, kind, strlen(kind));
    return h;
}

static lm_status folder(lm_str *path)
{
    LM_TRY(lm_env_cache_dir(path));
    return lm_str_add(path, "/opencl");
}

static lm_status path_of(const char *kind, uint64_t key, lm_str *path)
{
    LM_TRY(folder(path));
    return lm_str_printf(path, "/%016llx.%s", (unsigned long long)key, kind);
}

static lm_status make_folder(void)
{
    lm_str path = {0};
    lm_status status = folder(&path);
    if (status == LM_OK)
        status = lm_dir_make(path.text);
    if (status == LM_OK && access(path.text, W_OK) != 0)
        status = LM_NO;
    lm_str_free(&path);
    return status;
}

bool lm_cl_cache_is_open(void)
{
    return make_folder() == LM_OK;
}

const void *lm_cl_cache_get(const char *kind, uint64_t key, lm_file *file, size_t *count)
{
    lm_str path = {0};
    const void *bytes = NULL;
    *file = (lm_file){0};
    if (path_of(kind, key, &path) == LM_OK && lm_file_map(path.text, file) == LM_OK) {
        *count = file->size - sizeof(head);
        if (file->size >= sizeof(head)) {
            const head h = head_of(kind, key, file->bytes + sizeof h, *count);
            bytes = memcmp(file->bytes, &h, sizeof h) == 0 ? file->bytes + sizeof h : NULL;
        }
        if (!bytes)
            lm_log(LM_LOG_INFO, "%s is damaged and ignored", path.text);
    }
    if (!bytes)
        lm_file_unmap(file);
    lm_str_free(&path);
    return bytes;
}

lm_status lm_cl_cache_put(const char *kind, uint64_t key, const void *bytes, size_t count)
{
    lm_str path = {0};
    lm_out out = {.fd = -1};
    const head h = head_of(kind, key, bytes, count);
    lm_status status;
    LM_TRY_OUT(make_folder());
    LM_TRY_OUT(path_of(kind, key, &path));
    LM_TRY_OUT(lm_out_open(path.text, &out));
    out.at_once = true;
    LM_TRY_OUT(lm_out_write(&out, &h, sizeof h));
    LM_TRY_OUT(lm_out_write(&out, bytes, count));
    LM_TRY_OUT(lm_out_commit(&out));
out:
    lm_out_drop(&out);
    lm_str_free(&path);
    return status;
}

void lm_cl_cache_drop(const char *kind, uint64_t key)
{
    lm_str path = {0};
    if (path_of(kind, key, &path) == LM_OK)
        unlink(path.text);
    lm_str_free(&path);
}
