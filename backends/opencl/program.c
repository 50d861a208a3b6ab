/* Programs: sources built in or read from LIMN_CL_DIR, compiled once, binaries kept on disk. */
#include <stdio.h>
#include <string.h>

#include "backends/opencl/cache.h"
#include "backends/opencl/helper.h"
#include "backends/opencl/opencl.h"
#include "core/base/embedded.h"
#include "core/base/env.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

extern const lm_embedded lm_cl_sources[];

static const char kind[] = "clbin"; /* of cache files */

/* Without what only the host's compiler includes. */
static lm_status add_text(lm_str *out, const char *text, size_t size)
{
    static const char include[] = "#include";
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t line = end ? (size_t)(end + 1 - text) - at : size - at;
        bool skip = line > sizeof include && strncmp(text + at, include, sizeof include - 1) == 0;
        LM_TRY(lm_str_add_bytes(out, skip ? "\n" : text + at, skip ? 1 : line));
        at += line;
    }
    return LM_OK;
}

/* What `embed -p` packed. */
static lm_status unpack(const lm_embedded *e, lm_str *out)
{
    enum { LEAST = 3, LONG = 15 };
    const unsigned char *at = e->data, *end = at + e->size;
    while (at < end) {
        unsigned flags = *at++;
        for (int i = 0; i < 8 && at < end; i++, flags >>= 1) {
            if (!(flags & 1)) {
                LM_TRY(lm_str_char(out, (char)*at++));
                continue;
            }
            const size_t back = at[0] | (size_t)(at[1] & 15) << 8;
            size_t n = (size_t)(at[1] >> 4) + LEAST;
            at += 2;
            for (n += n == LONG + LEAST ? *at++ : 0u; n > 0; n--)
                LM_TRY(lm_str_char(out, out->text[out->count - back]));
        }
    }
    return LM_OK;
}

static lm_status add_packed(lm_str *text, const lm_embedded *e)
{
    lm_str plain = {0};
    lm_status status = unpack(e, &plain);
    if (status == LM_OK)
        status = add_text(text, lm_str_text(&plain), plain.count);
    lm_str_free(&plain);
    return status;
}

/* From the folder that LIMN_CL_DIR names if it has the file, otherwise what is built in. */
static lm_status add_file(const char *name, size_t length, uint64_t *key, lm_str *text)
{
    const char *folder = lm_env_text(LM_ENV_CL_DIR);
    if (*folder) {
        lm_str path = {0};
        lm_file file;
        lm_status status = lm_str_printf(&path, "%s/%.*s", folder, (int)length, name);
        bool there = status == LM_OK && lm_file_map(path.text, &file) == LM_OK;
        lm_str_free(&path);
        LM_TRY(status);
        if (there) {
            *key = lm_hash(file.bytes, file.size, *key);
            status = text ? add_text(text, (const char *)file.bytes, file.size) : LM_OK;
            lm_file_unmap(&file);
            return status;
        }
    }
    for (const lm_embedded *e = lm_cl_sources; e->name; e++)
        if (strlen(e->name) == length && strncmp(e->name, name, length) == 0) {
            *key = lm_hash(e->data, e->size, *key);
            return text ? add_packed(text, e) : LM_OK;
        }
    return lm_fail(LM_DEVICE, "there is no OpenCL source %.*s", (int)length, name);
}

/* What a binary is kept under; the program's text, too, unless `text` is NULL. */
static lm_status assemble(const lm_cl *cl, const char *source, const char *options, uint64_t *key, lm_str *text)
{
    *key = lm_hash(cl->key, strlen(cl->key), lm_hash(options, strlen(options), 0));
    LM_TRY(add_file("params.h", 8, key, text));
    LM_TRY(add_file("common.cl", 9, key, text));
    for (const char *at = source; *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        LM_TRY(add_file(at, length, key, text));
        at += length;
    }
    return LM_OK;
}

/* The program that was kept, or NULL. */
static cl_program from_cache(lm_cl *cl, uint64_t key, const char *options)
{
    lm_file file;
    size_t bytes;
    cl_program program = NULL;
    cl_int loaded, code;
    const unsigned char *binary = lm_cl_cache_get(kind, key, &file, &bytes);
    if (!binary)
        return NULL;
    program = cl->api->CreateProgramWithBinary(cl->context, 1, &cl->id, &bytes, &binary, &loaded, &code);
    if (code == CL_SUCCESS && loaded == CL_SUCCESS)
        code = cl->api->BuildProgram(program, 1, &cl->id, options, NULL, NULL);
    if (code != CL_SUCCESS || loaded != CL_SUCCESS) {
        lm_log(LM_LOG_INFO, "%s refuses a compiled program (%s); it is compiled again", cl->dev.info.name,
               lm_cl_error(code != CL_SUCCESS ? code : loaded));
        if (program)
            cl->api->ReleaseProgram(program);
        program = NULL;
    }
    lm_file_unmap(&file);
    return program;
}

/* A cache that cannot be written costs time, nothing else. */
static void to_cache(lm_cl *cl, uint64_t key, cl_program program)
{
    size_t bytes = 0;
    if (cl->api->GetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) != CL_SUCCESS || !bytes)
        return;
    unsigned char *binary = lm_malloc(bytes, 1);
    if (binary && cl->api->GetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        lm_cl_cache_put(kind, key, binary, bytes);
    lm_free(binary);
}

static lm_status build_failed(lm_cl *cl, cl_program program, const char *source, const char *options, cl_int code)
{
    char log[768] = "";
    size_t bytes = 0;
    cl->api->GetProgramBuildInfo(program, cl->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes);
    char *all = bytes ? lm_calloc(bytes + 1, 1) : NULL;
    if (all && cl->api->GetProgramBuildInfo(program, cl->id, CL_PROGRAM_BUILD_LOG, bytes, all, NULL) == CL_SUCCESS) {
        const char *first = strstr(all, "error");
        lm_one_line(log, sizeof log, first ? first : all);
    }
    lm_free(all);
    /* the host takes over */
    return lm_fail(LM_UNSUPPORTED, "%s does not compile %s (%s) with %s: %s", cl->dev.info.name, source,
                   lm_cl_error(code), options, log);
}

static lm_status compile(lm_cl *cl, const char *source, const char *text, const char *options, cl_program *out)
{
    cl_int code;
    cl_program program = cl->api->CreateProgramWithSource(cl->context, 1, &text, NULL, &code);
    LM_TRY(lm_cl_status(code, source));
    code = cl->api->BuildProgram(program, 1, &cl->id, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        lm_status status = build_failed(cl, program, source, options, code);
        cl->api->ReleaseProgram(program);
        return status;
    }
    *out = program;
    return LM_OK;
}

/* What the helper needs to know to compile a program. */
typedef struct order {
    lm_cl_found found;
    int panels;
    char source[512], options[2048];
} order;

/* Compilers may crash, so the helper compiles first, and leaves the binary in the cache. LM_NO: it cannot. */
static lm_status have_compiled(lm_cl *cl, const char *source, const char *options)
{
    order o = {.found = cl->found, .panels = cl->panels};
    char did[96 + sizeof o.source];
    const int a = snprintf(o.source, sizeof o.source, "%s", source);
    const int b = snprintf(o.options, sizeof o.options, "%s", options);
    if (!cl->cached || a >= (int)sizeof o.source || b >= (int)sizeof o.options)
        return LM_NO;
    snprintf(did, sizeof did, "%s: the compiler of %s", cl->dev.info.name, o.source);
    return lm_cl_ask(LM_CL_BUILD, &o, sizeof o, did, NULL, 0);
}

static lm_status make(lm_cl *cl, const char *source, const char *options, cl_program *out)
{
    lm_str text = {0}, all = {0};
    lm_status status;
    uint64_t key;
    LM_TRY_OUT(lm_str_printf(&all, "%s %s", cl->options, options));
    LM_TRY_OUT(assemble(cl, source, all.text, &key, NULL)); /* texts are not looked at where binaries are there */
    *out = from_cache(cl, key, all.text);
    if (*out)
        goto out;
    status = have_compiled(cl, source, options);
    if (status != LM_OK && status != LM_NO)
        goto out;
    if (status == LM_OK)
        *out = from_cache(cl, key, all.text);
    if (status == LM_OK && !*out) /* the folder takes nothing: the helper is of no use */
        cl->cached = false;
    status = LM_OK;
    if (!*out) {
        LM_TRY_OUT(assemble(cl, source, all.text, &key, &text));
        LM_TRY_OUT(compile(cl, source, text.text, all.text, out));
        to_cache(cl, key, *out);
    }
out:
    lm_str_free(&text);
    lm_str_free(&all);
    return status;
}

/* In the helper. Devices stay open from one order to the next. */
lm_status lm_cl_build_serve(const void *request, void *reply, size_t *bytes)
{
    static lm_cl *cl;
    order o;
    cl_program program;
    (void)reply;
    *bytes = 0;
    memcpy(&o, request, sizeof o);
    if (cl && (strcmp(cl->dev.info.name, o.found.info.name) != 0 || cl->panels != o.panels)) {
        cl->dev.vt->close(&cl->dev);
        cl = NULL;
    }
    if (!cl && lm_cl_open(&o.found, o.panels, &cl) != LM_OK)
        return LM_NO; /* as a device that one process may have: who asks compiles */
    LM_TRY(make(cl, o.source, o.options, &program));
    cl->api->ReleaseProgram(program);
    return LM_OK;
}

/* Said once; what needs the program goes to the host. */
static void grumble(lm_cl *cl)
{
    lm_log(cl->grumbled ? LM_LOG_INFO : LM_LOG_WARN, "%s%s", lm_message(),
           cl->grumbled ? "" : "; what needs it runs on the host");
    cl->grumbled = true;
}

lm_status lm_cl_program(lm_cl *cl, const char *source, const char *options, cl_program *out)
{
    lm_str key = {0};
    lm_status status;
    LM_TRY_OUT(lm_str_printf(&key, "%s|%s", source, options));
    lm_cell *known = lm_map_gets(&cl->programs, key.text);
    if (known) {
        *out = known->ptr;
        status = *out ? LM_OK : lm_fail(LM_UNSUPPORTED, "%s did not compile %s", cl->dev.info.name, source);
        goto out;
    }
    *out = NULL;
    status = make(cl, source, options, out);
    if (status == LM_UNSUPPORTED)
        grumble(cl);
    if (status == LM_OK || status == LM_UNSUPPORTED) {
        lm_status kept = lm_map_put_ptr(&cl->programs, key.text, *out);
        if (status == LM_OK && kept != LM_OK)
            cl->api->ReleaseProgram(*out);
        status = status == LM_OK ? kept : status;
    }
out:
    lm_str_free(&key);
    return status;
}

void lm_cl_programs_free(lm_cl *cl)
{
    size_t at = 0;
    for (lm_map_entry *e; (e = lm_map_next(&cl->programs, &at));)
        if (e->value.ptr)
            cl->api->ReleaseProgram(e->value.ptr);
    lm_map_free(&cl->programs);
}
