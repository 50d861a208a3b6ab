/* embed TABLE OUT.c FILE...: writes a C source that defines `const lm_embedded TABLE[]` (core/base/embedded.h) with the
 * content of the files. Programs are kept without indentation and without lines that are comments as a whole, which
 * machines do not read; their lines keep their numbers. Runs on the machine that builds. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_program(const char *path)
{
    static const char *const ending[] = {".cl", ".css", ".h", ".js"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof ending / sizeof *ending; i++)
        if (strcmp(dot, ending[i]) == 0)
            return true;
    return false;
}

/* What a machine reads of a line; `inside` a comment of several lines from call to call. */
static char *essence(char *line, bool *inside)
{
    static char nothing[] = "\n";
    char *text = line + strspn(line, " \t");
    const size_t length = strcspn(text, "\n");
    const bool opens = !*inside && strncmp(text, "/*", 2) == 0;
    if (!*inside && !opens)
        return strncmp(text, "//", 2) == 0 ? nothing : text;
    const char *end = strstr(opens ? text + 2 : text, "*/");
    *inside = !end;
    return !end || end + 2 == text + length ? nothing : text;
}

static int put_file(FILE *out, const char *path, int number)
{
    static char line[1 << 16];
    FILE *in = fopen(path, "rb");
    long size = 0;
    bool inside = false;
    if (!in) {
        fprintf(stderr, "embed: cannot read %s\n", path);
        return 1;
    }
    fprintf(out, "static const _Alignas(16) unsigned char file%d[] = {", number);
    if (is_program(path)) {
        while (fgets(line, sizeof line, in))
            for (const char *c = essence(line, &inside); *c; c++, size++)
                fprintf(out, "%s%d,", size % 32 ? "" : "\n", *c & 255);
    } else {
        for (int c; (c = fgetc(in)) != EOF; size++)
            fprintf(out, "%s%d,", size % 32 ? "" : "\n", c);
    }
    fprintf(out, "\n0};\n");
    return ferror(in) | fclose(in);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: embed TABLE OUT.c FILE...\n");
        return 2;
    }
    FILE *out = fopen(argv[2], "w");
    if (!out) {
        fprintf(stderr, "embed: cannot write %s\n", argv[2]);
        return 1;
    }
    fprintf(out, "#include \"core/base/embedded.h\"\n\nextern const lm_embedded %s[];\n", argv[1]);
    for (int i = 3; i < argc; i++)
        if (put_file(out, argv[i], i))
            return 1;
    fprintf(out, "const lm_embedded %s[] = {\n", argv[1]);
    for (int i = 3; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        fprintf(out, "{\"%s\", file%d, sizeof file%d - 1},\n", slash ? slash + 1 : argv[i], i, i);
    }
    fprintf(out, "{0, 0, 0}};\n");
    return ferror(out) | fclose(out);
}
