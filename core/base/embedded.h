/* Files that are built into a library or the command: a table that tools/embed.c writes at build time. */
#ifndef LM_EMBEDDED_H
#define LM_EMBEDDED_H

#include <stddef.h>

/* Tables end with a row whose name is NULL. */
typedef struct lm_embedded {
    const char *name;          /* the file's name without its folder */
    const unsigned char *data; /* `size` bytes, aligned to 16, and a NUL after them that makes text a string */
    size_t size;
} lm_embedded;

#endif
