/* embed [-p] TABLE OUT.c FILE...: writes a C source that defines `const lm_embedded TABLE[]` (core/base/embedded.h)
 * with the content of the files. Programs are kept without indentation and without lines that are comments as a whole,
 * which machines do not read; their lines keep their numbers. Runs on the machine that builds.
 *
 * -p packs the files: a byte of flags, lowest first, then what they announce: 0, a byte as it is; 1, two bytes, low
 * first: how far back to look (12 bits), and how much to copy from there, less PACK_LEAST (4 bits; 15: and what a third
 * byte says). */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PACK_LEAST = 3, PACK_LONG = 15, PACK_MOST = PACK_LEAST + PACK_LONG + 255, PACK_FAR = 4095 };

static unsigned char content[1 << 20];

/* From each byte of the content on: how many to announce together, from how far back, and the bits of all that is
 * left. */
static struct {
    long count, back, bits;
} best[sizeof content + 1];

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

/* The file's content, or of a program what machines read; -1: it cannot be read. */
static long read_file(const char *path)
{
    static char line[1 << 16];
    FILE *in = fopen(path, "rb");
    size_t size = 0;
    bool inside = false;
    if (!in)
        return -1;
    if (is_program(path))
        while (fgets(line, sizeof line, in) && size + sizeof line < sizeof content) {
            const char *text = essence(line, &inside);
            memcpy(content + size, text, strlen(text));
            size += strlen(text);
        }
    else
        size = fread(content, 1, sizeof content, in);
    const bool whole = fgetc(in) == EOF && !ferror(in);
    fclose(in);
    return whole ? (long)size : -1;
}

static void put(FILE *out, unsigned byte, long *count)
{
    fprintf(out, "%s%u,", (*count)++ % 32 ? "" : "\n", byte);
}

/* The longest piece before `at` that comes again there: its length, and how far back it is. */
static long find_before(long at, long size, long *back)
{
    long longest = 0;
    for (long from = at > PACK_FAR ? at - PACK_FAR : 0; from < at; from++) {
        long n = 0;
        while (n < PACK_MOST && at + n < size && content[from + n] == content[at + n])
            n++;
        if (n >= longest) {
            longest = n;
            *back = at - from;
        }
    }
    return longest;
}

/* What takes the fewest bits, from the end on. */
static void choose(long size)
{
    best[size].bits = 0;
    for (long at = size - 1; at >= 0; at--) {
        const long longest = find_before(at, size, &best[at].back);
        best[at].count = 1;
        best[at].bits = best[at + 1].bits + 9;
        for (long n = PACK_LEAST; n <= longest; n++) {
            const long bits = best[at + n].bits + (n < PACK_LEAST + PACK_LONG ? 17 : 25);
            if (bits < best[at].bits) {
                best[at].count = n;
                best[at].bits = bits;
            }
        }
    }
}

static void put_packed(FILE *out, long size)
{
    long count = 0;
    choose(size);
    for (long at = 0; at < size;) {
        unsigned char items[8 * 3];
        unsigned flags = 0;
        int used = 0;
        for (int i = 0; i < 8 && at < size; i++) {
            const long n = best[at].count, more = n - PACK_LEAST, back = best[at].back;
            if (n == 1) {
                items[used++] = content[at++];
                continue;
            }
            flags |= 1u << i;
            items[used++] = (unsigned char)(back & 255);
            items[used++] = (unsigned char)(back >> 8 | (more < PACK_LONG ? more : PACK_LONG) << 4);
            if (more >= PACK_LONG)
                items[used++] = (unsigned char)(more - PACK_LONG);
            at += n;
        }
        put(out, flags, &count);
        for (int i = 0; i < used; i++)
            put(out, items[i], &count);
    }
}

static int put_file(FILE *out, const char *path, int number, bool packed)
{
    const long size = read_file(path);
    long count = 0;
    if (size < 0) {
        fprintf(stderr, "embed: cannot read %s\n", path);
        return 1;
    }
    fprintf(out, "static const _Alignas(16) unsigned char file%d[] = {", number);
    if (packed)
        put_packed(out, size);
    else
        for (long i = 0; i < size; i++)
            put(out, content[i], &count);
    fprintf(out, "\n0};\n");
    return 0;
}

int main(int argc, char **argv)
{
    const bool packed = argc > 1 && strcmp(argv[1], "-p") == 0;
    argc -= packed;
    argv += packed;
    if (argc < 4) {
        fprintf(stderr, "usage: embed [-p] TABLE OUT.c FILE...\n");
        return 2;
    }
    FILE *out = fopen(argv[2], "w");
    if (!out) {
        fprintf(stderr, "embed: cannot write %s\n", argv[2]);
        return 1;
    }
    fprintf(out, "#include \"core/base/embedded.h\"\n\nextern const lm_embedded %s[];\n", argv[1]);
    for (int i = 3; i < argc; i++)
        if (put_file(out, argv[i], i, packed))
            return 1;
    fprintf(out, "const lm_embedded %s[] = {\n", argv[1]);
    for (int i = 3; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        fprintf(out, "{\"%s\", file%d, sizeof file%d - 1},\n", slash ? slash + 1 : argv[i], i, i);
    }
    fprintf(out, "{0, 0, 0}};\n");
    return ferror(out) | fclose(out);
}
