/* Picture files of explanations: rows are samples, columns are methods x targets. */
#ifndef LIMN_EXPLANATION_GRID_H
#define LIMN_EXPLANATION_GRID_H

#include "explanation.h"

typedef struct explanation_grid {
    size_t *column; /* attributions */
    int64_t *row;   /* samples */
    size_t columns, rows;
} explanation_grid;

typedef lm_status (*grid_fn)(const explanation *e, const explanation_grid *g, const char *path);

/* The most panels of a .svg file, and maps of a .png file, that anyone could look at. */
enum { EXPLAIN_PANELS = 1000, EXPLAIN_MAPS = 2500 };

/* explanation_files.c: before anything is explained (`why` is NULL): what certainly cannot be written is refused, of all
 * files, or of one. */
lm_status explanation_files_check(const explanation *e);
lm_status explanation_file_check(const explanation *e, const char *path, explanation_form form);

/* explanation_files.c: call `fn` for every file that `path` stands for: {method}, {target} and {sample} (its number) in
 * it make one for each. */
lm_status explanation_files(const explanation *e, const char *path, grid_fn fn);

/* explanation_png.c, explanation_svg.c */
lm_status explanation_png(const explanation *e, const explanation_grid *g, const char *path);
lm_status explanation_svg(const explanation *e, const explanation_grid *g, const char *path);

#endif
