/* The tree's own files as the style tests see them. */
#ifndef STYLE_SOURCE_H
#define STYLE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct source {
    char *path; /* from the top of the tree: "core/base/mem.c" */
    char *text; /* as written */
    char *code; /* the same with comments and the insides of string literals blanked, line by line */
    size_t bytes;
    int lines;
    bool c; /* ends in .c, .h or .def */
} source;

typedef struct tree {
    source *at;
    size_t count;
} tree;

/* Everything below backends, core, include, tests and tools. False, with a line printed, when that cannot be read. */
bool tree_load(const char *top, tree *out);
void tree_free(tree *t);

bool begins(const char *text, const char *start);
bool ends(const char *text, const char *end);

/* The line, counted from 1, that `at` (inside s->text or s->code) stands on. */
int line_of(const char *text, const char *at);

/* The next place in `code` from `at` on where `name(` is called: no letter, digit, '_', '.' or '>' before it. NULL at
 * the end. */
const char *next_call(const char *code, const char *at, const char *name);

#endif
