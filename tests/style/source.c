/* Reads the tree and takes comments and strings out of C. */
#include "tests/style/source.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

bool ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

int line_of(const char *text, const char *at)
{
    int line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

const char *next_call(const char *code, const char *at, const char *name)
{
    size_t length = strlen(name);
    while ((at = strstr(at, name))) {
        char before = at == code ? ' ' : at[-1];
        const char *after = at + length;
        while (*after == ' ')
            after++;
        if (!isalnum((unsigned char)before) && !strchr("_.>", before) && *after == '(')
            return at;
        at += length;
    }
    return NULL;
}

/* Blank out what is no code, keeping newlines, so that offsets stay comparable. */
static void strip(char *code)
{
    enum { CODE, LINE, BLOCK, STRING, LETTER } in = CODE;
    for (char *c = code; *c; c++) {
        if (in == CODE) {
            if (c[0] == '/' && c[1] == '/')
                in = LINE;
            else if (c[0] == '/' && c[1] == '*') {
                in = BLOCK;
                *c++ = ' ';
            } else if (*c == '"')
                in = STRING;
            else if (*c == '\'')
                in = LETTER;
            if (in == LINE || in == BLOCK)
                *c = ' ';
            continue;
        }
        bool over = (in == LINE && *c == '\n') || (in == STRING && *c == '"') || (in == LETTER && *c == '\'');
        if (in == BLOCK && c[0] == '*' && c[1] == '/') {
            *c++ = ' ';
            *c = ' ';
            over = true;
        }
        if ((in == STRING || in == LETTER) && *c == '\\' && c[1] && c[1] != '\n')
            *c++ = ' ';
        if (!over && *c != '\n')
            *c = ' ';
        if (over)
            in = CODE;
    }
}

static bool load_file(const char *top, const char *path, tree *out)
{
    char full[4096];
    snprintf(full, sizeof full, "%s/%s", top, path);
    FILE *f = fopen(full, "rb");
    struct stat facts;
    if (!f || fstat(fileno(f), &facts) != 0) {
        printf("%s cannot be read\n", full);
        if (f)
            fclose(f);
        return false;
    }
    source s = {.path = strdup(path),
                .bytes = (size_t)facts.st_size,
                .c = ends(path, ".c") || ends(path, ".h") || ends(path, ".def")};
    s.text = calloc(1, s.bytes + 1);
    bool good = s.path && s.text && fread(s.text, 1, s.bytes, f) == s.bytes;
    fclose(f);
    s.code = good ? malloc(s.bytes + 1) : NULL;
    source *more = s.code ? realloc(out->at, (out->count + 1) * sizeof s) : NULL;
    if (!more) {
        free(s.path);
        free(s.text);
        free(s.code);
        return false;
    }
    memcpy(s.code, s.text, s.bytes + 1);
    if (s.c)
        strip(s.code);
    s.lines = line_of(s.text, s.text + s.bytes) - 1;
    out->at = more;
    out->at[out->count++] = s;
    return true;
}

static bool load_folder(const char *top, const char *path, tree *out)
{
    char full[4096];
    snprintf(full, sizeof full, "%s/%s", top, path);
    DIR *dir = opendir(full);
    if (!dir) {
        printf("%s cannot be listed\n", full);
        return false;
    }
    bool good = true;
    for (struct dirent *e; good && (e = readdir(dir));) {
        char below[2048];
        struct stat facts;
        if (e->d_name[0] == '.')
            continue;
        snprintf(below, sizeof below, "%.1000s/%.1000s", path, e->d_name);
        snprintf(full, sizeof full, "%.2000s/%s", top, below);
        if (lstat(full, &facts) != 0 || S_ISLNK(facts.st_mode))
            continue;
        good = S_ISDIR(facts.st_mode) ? load_folder(top, below, out) : load_file(top, below, out);
    }
    closedir(dir);
    return good;
}

bool tree_load(const char *top, tree *out)
{
    static const char *const folders[] = {"backends", "core", "include", "tests", "tools"};
    *out = (tree){0};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (!load_folder(top, folders[i], out))
            return false;
    return true;
}

void tree_free(tree *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->at[i].path);
        free(t->at[i].text);
        free(t->at[i].code);
    }
    free(t->at);
}
