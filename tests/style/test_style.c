/* What reviewers would otherwise have to look for: who may include whom, who may call what, and how long things get.
 * The argument is the top of the tree. */
#include "tests/style/source.h"
#include "tests/unit/test.h"

static tree all;

/* Print where and why, and count it as a failed check. */
static void blame(const source *s, const char *at, const char *why, const char *what, int length)
{
    char line[512];
    snprintf(line, sizeof line, "%s: %.*s", why, length, what);
    test_check(false, s->path, at ? line_of(s->text, at) : 1, line);
}

/* THE INCLUDE RULE. Files below `folder` may include their own folder and those listed; the first row that fits counts.
 * A quoted name without a slash is a neighbour. */
#define LOW "core/base/ core/tensor/ limn/status.h limn/types.h "
#define DEVICE LOW "core/ops/ core/device/ "
static const struct {
    const char *folder, *may;
} rules[] = {
    {"include/limn/", ""},
    {"core/base/", "limn/status.h limn/types.h"},
    {"core/tensor/", LOW},
    {"core/ops/", LOW},
    {"core/device/", DEVICE},
    {"core/graph/", DEVICE},
    {"core/run/", DEVICE "core/graph/ core/model/"},
    {"core/rules/", LOW "core/ops/ core/graph/"},
    {"core/model/", DEVICE "core/graph/"},
    {"core/explain/", DEVICE "core/graph/ core/run/ core/rules/ core/model/"},
    {"core/train/", DEVICE "core/graph/ core/run/ core/rules/ core/model/"},
    {"core/measure/", DEVICE "core/graph/ core/run/ core/rules/ core/model/ core/explain/ core/train/"},
    {"core/draw/", LOW},
    {"core/data/", LOW},
    {"core/dist/", LOW},
    {"core/api/", "limn/ core/"},
    {"backends/topo/", "core/base/"},
    {"backends/", DEVICE},
    {"tools/", "limn/ core/"},
    {"tests/", "limn/ core/ backends/ tests/"},
};

/* One way into the cpu device from the side: the command shows its kernels and measures its peak. */
static const struct {
    const char *file, *may;
} include_exceptions[] = {
    {"tools/limn/cmd_info.c", "backends/cpu/bind.h"},
    {"tools/limn/cmd_bench.c", "backends/cpu/peak.h"},
};

/* Libraries that appear in one folder only, so that each can be compiled out. */
static const struct {
    const char *header, *folder;
} libraries[] = {
    {"hwloc", "backends/topo/"},  {"CL/", "backends/opencl/ tests/opencl/"},
    {"png.h", "core/data/"},      {"jpeglib.h", "core/data/"},
    {"mpi.h", "tools/mpi/"},      {"dlfcn.h", "core/device/plugin.c backends/opencl/loader.c tests/opencl/shim_icd.c"},
    {"zlib.h", "core/data/"},
};

static bool listed(const char *list, const char *name, size_t length)
{
    while (*list) {
        size_t span = strcspn(list, " ");
        bool folder = span && list[span - 1] == '/';
        if ((folder ? length > span : length == span) && strncmp(list, name, span) == 0)
            return true;
        list += span + strspn(list + span, " ");
    }
    return false;
}

/* "core/base/" of "core/base/x.h", "backends/cpu/" of "backends/cpu/avx2/x.h". */
static size_t own_folder(const char *path)
{
    const char *first = strchr(path, '/'), *second = first ? strchr(first + 1, '/') : NULL;
    return second ? (size_t)(second + 1 - path) : 0;
}

static bool project_header(const char *name)
{
    return begins(name, "core/") || begins(name, "backends/") || begins(name, "tools/") || begins(name, "tests/") ||
           begins(name, "limn/");
}

static bool may_include(const source *s, const char *name, size_t length)
{
    size_t own = own_folder(s->path);
    if (own && length > own && strncmp(name, s->path, own) == 0)
        return true;
    if (begins(s->path, "include/limn/"))
        return begins(name, "limn/");
    for (size_t i = 0; i < LM_COUNT(include_exceptions); i++)
        if (strcmp(s->path, include_exceptions[i].file) == 0 && listed(include_exceptions[i].may, name, length))
            return true;
    for (size_t i = 0; i < LM_COUNT(rules); i++)
        if (begins(s->path, rules[i].folder))
            return listed(rules[i].may, name, length);
    return false;
}

static void includes(void)
{
    int seen = 0;
    for (size_t i = 0; i < all.count; i++) {
        const source *s = &all.at[i];
        for (const char *at = s->text; s->c && at; at = strchr(at, '\n')) {
            at += *at == '\n';
            const char *name = at;
            if (!begins(name, "#include ") || (name[9] != '"' && name[9] != '<'))
                continue;
            name += 10;
            size_t length = strcspn(name, "\">\n");
            seen++;
            if (project_header(name)) {
                if (!may_include(s, name, length))
                    blame(s, at, "includes against the rule of the levels", name, (int)length);
                continue;
            }
            if (memchr(name, '/', length) && name[-1] == '"')
                blame(s, at, "write the path from the top of the tree", name, (int)length);
            for (size_t k = 0; k < LM_COUNT(libraries); k++)
                if (begins(name, libraries[k].header) && !listed(libraries[k].folder, s->path, strlen(s->path)))
                    blame(s, at, "belongs into one other folder", name, (int)length);
        }
    }
    CHECK(seen > 100);
}

/* Calls that only some files may make. */
static const struct {
    const char *name, *below, *allowed, *why;
} calls[] = {
    {"getenv", "core/ backends/ include/ tools/", "core/base/env.c", "only env.c reads the environment"},
    {"secure_getenv", "core/ backends/ include/ tools/", "", "only env.c reads the environment"},
    {"abort", "core/ backends/ include/", "", "a library does not end the program"},
    {"exit", "core/ backends/ include/", "", "a library does not end the program"},
    {"_exit", "core/ backends/ include/", "backends/opencl/helper.c", "a library does not end the program"},
    {"printf", "core/ backends/ include/", "", "a library does not print"},
    {"fprintf", "core/ backends/ include/", "", "a library does not print"},
    {"vprintf", "core/ backends/ include/", "", "a library does not print"},
    {"puts", "core/ backends/ include/", "", "a library does not print"},
    {"putchar", "core/ backends/ include/", "", "a library does not print"},
    {"perror", "core/ backends/ include/", "", "a library does not print"},
    {"malloc", "core/ backends/ include/", "core/base/mem.c", "memory comes from mem.h"},
    {"calloc", "core/ backends/ include/", "core/base/mem.c", "memory comes from mem.h"},
    {"realloc", "core/ backends/ include/", "core/base/mem.c", "memory comes from mem.h"},
    {"aligned_alloc", "core/ backends/ include/", "core/base/mem.c", "memory comes from mem.h"},
    {"posix_memalign", "core/ backends/ include/", "core/base/mem.c", "memory comes from mem.h"},
    {"strdup", "core/ backends/ include/", "", "memory comes from mem.h"},
    {"strndup", "core/ backends/ include/", "", "memory comes from mem.h"},
    {"asprintf", "core/ backends/ include/", "", "memory comes from mem.h"},
    {"free", "core/ backends/ include/", "core/base/mem.c", "memory goes back through mem.h"},
    {"gets", "core/ backends/ include/ tools/ tests/", "", "no bound"},
    {"sprintf", "core/ backends/ include/ tools/ tests/", "", "no bound"},
    {"alloca", "core/ backends/ include/ tools/ tests/", "", "no bound"},
};

static void forbidden_calls(void)
{
    for (size_t i = 0; i < all.count; i++) {
        const source *s = &all.at[i];
        for (size_t k = 0; s->c && k < LM_COUNT(calls); k++) {
            if (!listed(calls[k].below, s->path, strlen(s->path)) || strcmp(s->path, calls[k].allowed) == 0)
                continue;
            for (const char *at = s->code; (at = next_call(s->code, at, calls[k].name)); at++)
                blame(s, s->text + (at - s->code), calls[k].why, calls[k].name, (int)strlen(calls[k].name));
        }
    }
}

/* Longer than the budget, with the reason why that is right. */
static const struct {
    const char *path, *reason;
} long_files[] = {
    {"core/ops/ops.def", "one table, a row per op"},
};

static bool may_be_long(const char *path)
{
    for (size_t i = 0; i < LM_COUNT(long_files); i++)
        if (strcmp(path, long_files[i].path) == 0)
            return true;
    return false;
}

static void file_lengths(void)
{
    enum { C_LINES = 600, H_LINES = 300, BYTES = 1 << 20 };
    for (size_t i = 0; i < all.count; i++) {
        const source *s = &all.at[i];
        char lines[32];
        snprintf(lines, sizeof lines, "%d lines", s->lines);
        if (s->bytes > BYTES)
            blame(s, NULL, "over a megabyte", "", 0);
        if (s->c && !may_be_long(s->path) && s->lines > (ends(s->path, ".h") ? H_LINES : C_LINES))
            blame(s, NULL, "holds two subjects by its length", lines, (int)strlen(lines));
    }
}

/* A function's body stands between a '{' and a '}' in the first column. */
static void function_lengths(void)
{
    enum { LINES = 80 };
    int seen = 0;
    for (size_t i = 0; i < all.count; i++) {
        const source *s = &all.at[i];
        const char *open = NULL;
        for (const char *at = s->code; s->c && at; at = strchr(at, '\n')) {
            at += *at == '\n';
            if (at[0] == '{')
                open = at;
            if (at[0] != '}' || !open)
                continue;
            int lines = line_of(open, at);
            seen++;
            if (lines > LINES)
                blame(s, s->text + (open - s->code), "does more than one thing by its length", "function", 8);
            open = NULL;
        }
    }
    CHECK(seen > 300);
}

/* Files that wait for somebody to wrap their lines; shrink this list, do not grow it. */
static const char unwrapped[] =
    "backends/cpu/ core/api/ core/data/ core/explain/ core/graph/ core/rules/ include/limn/ "
    "tests/checkop/ tests/explain/ tests/rules/ tools/limn/";

/* Characters of a line: bytes that do not go on with one that began before. */
static int columns(const char *line)
{
    int n = 0;
    for (; *line && *line != '\n'; line++)
        n += ((unsigned char)*line & 0xC0) != 0x80;
    return n;
}

/* As .editorconfig says; tables may have wide rows. */
static void line_lengths(void)
{
    enum { COLUMNS = 120 };
    for (size_t i = 0; i < all.count; i++) {
        const source *s = &all.at[i];
        if (!s->c || ends(s->path, ".def") || listed(unwrapped, s->path, strlen(s->path)))
            continue;
        for (const char *at = s->text; at && *at; at = strchr(at, '\n')) {
            at += *at == '\n';
            char text[32];
            snprintf(text, sizeof text, "%d columns", columns(at));
            if (columns(at) > COLUMNS)
                blame(s, at, "is wider than a line may be", text, (int)strlen(text));
        }
    }
}

static void lines_and_words(void)
{
    static const char *const words[] = {"TO" "DO", "FIX" "ME", "XX" "X:"};
    for (size_t i = 0; i < all.count; i++) {
        const source *s = &all.at[i];
        for (const char *at = s->text; s->c && *at; at++) {
            if (*at == '\t' || *at == '\r')
                blame(s, at, "holds a tab or a carriage return", "", 0);
            if (*at == '\n' && at > s->text && at[-1] == ' ')
                blame(s, at, "blanks at the end of a line", "", 0);
        }
        for (size_t k = 0; s->c && k < LM_COUNT(words); k++)
            for (const char *at = s->text; (at = strstr(at, words[k])); at++)
                blame(s, at, "finish it or leave it out", words[k], (int)strlen(words[k]));
    }
}

/* The checks themselves must be able to fail. */
static void finds_faults(void)
{
    char code[] = "int f(void) { return x->free(1) + lm_free(2) + a.free(3) + free (4); }";
    CHECK(next_call(code, code, "free") == strstr(code, "free (4)"));
    CHECK(next_call(code, code, "malloc") == NULL);
    source low = {.path = (char *)"core/base/x.c"}, ref = {.path = (char *)"backends/ref/x.c"};
    CHECK(may_include(&low, "core/base/mem.h", 15) && !may_include(&low, "core/tensor/shape.h", 19));
    CHECK(may_include(&ref, "backends/ref/ref.h", 18) && !may_include(&ref, "backends/cpu/cpu.h", 18));
    CHECK(columns("") == 0 && columns("caf\xc3\xa9\nmore") == 4);
    CHECK(may_include(&ref, "core/ops/op.h", 13) && !may_include(&ref, "core/run/exec.h", 15));
}

int main(int argc, char **argv)
{
    if (argc < 2 || !tree_load(argv[1], &all))
        return 1;
    CASE(finds_faults);
    CASE(includes);
    CASE(forbidden_calls);
    CASE(file_lengths);
    CASE(function_lengths);
    CASE(line_lengths);
    CASE(lines_and_words);
    tree_free(&all);
    return test_end();
}
