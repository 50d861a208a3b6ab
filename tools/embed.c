/* embed TABLE OUT.c FILE...: writes a C source that defines `const lm_embedded TABLE[]` (core/base/embedded.h) with the
 * content of the files. Runs on the machine that builds. */
#include <stdio.h>
#include <string.h>

static int put_file(FILE *out, const char *path, int number)
{
    FILE *in = fopen(path, "rb");
    long size = 0;
    if (!in) {
        fprintf(stderr, "embed: cannot read %s\n", path);
        return 1;
    }
    fprintf(out, "static const _Alignas(16) unsigned char file%d[] = {", number);
    for (int c; (c = fgetc(in)) != EOF; size++)
        fprintf(out, "%s%d,", size % 32 ? "" : "\n", c);
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
