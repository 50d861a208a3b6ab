/* Comparisons as a report. */
#include <math.h>
#include <stdio.h>

#include "comparison.h"
#include "core/draw/report.h"

/* Tables of texts, and what they are made of. */
typedef struct page {
    const comparison *c;
    lm_arena arena;
    lm_report_table table[3];
} page;

static const char *const captions[LM_LANGUAGES][3] = {
    [LM_ENGLISH] = {"Rank agreement of the maps: Spearman's correlation",
                    "Rank agreement of their sizes: what counts, for or against", "Cost of each method"},
    [LM_CHINESE] = {"各热图的排序一致性：Spearman 相关系数", "绝对值的排序一致性：只看作用大小，不分支持或反对",
                    "每种方法的代价"}};

static const char *number(page *p, const char *format, double v)
{
    char text[32] = "";
    if (!isnan(v))
        snprintf(text, sizeof text, format, v);
    const char *kept = lm_arena_strdup(&p->arena, text);
    return kept ? kept : "";
}

static lm_status add_agreement(page *p, const char *caption, const double *matrix, lm_report_table *t)
{
    const comparison *c = p->c;
    const char **head = lm_arena_alloc(&p->arena, c->methods + 1, sizeof *head);
    const char **cell = lm_arena_alloc(&p->arena, c->methods * (c->methods + 1), sizeof *cell);
    if (!head || !cell)
        return LM_MEMORY;
    *t = (lm_report_table){
        .caption = caption, .columns = (int)c->methods + 1, .rows = (int)c->methods, .head = head, .cell = cell};
    head[0] = "";
    for (size_t m = 0; m < c->methods; m++) {
        head[m + 1] = comparison_method(c, m);
        *cell++ = comparison_method(c, m);
        for (size_t k = 0; k < c->methods; k++)
            *cell++ = number(p, "%.2f", fabs(matrix[m * c->methods + k]) < 0.005 ? 0 : matrix[m * c->methods + k]);
    }
    return LM_OK;
}

static lm_status add_cost(page *p, lm_report_table *t)
{
    static const char *const heads[LM_LANGUAGES][4] = {
        [LM_ENGLISH] = {"method", "forward passes", "backward passes", "ms alone"},
        [LM_CHINESE] = {"方法", "前向遍数", "反向遍数", "单独用时（毫秒）"}};
    const comparison *c = p->c;
    const char *const *head = heads[explanation_language(c->e)];
    const char **cell = lm_arena_alloc(&p->arena, c->methods * LM_COUNT(heads[0]), sizeof *cell);
    if (!cell)
        return LM_MEMORY;
    *t = (lm_report_table){.caption = captions[explanation_language(c->e)][2],
                           .columns = LM_COUNT(heads[0]),
                           .rows = (int)c->methods,
                           .head = head,
                           .cell = cell};
    for (size_t m = 0; m < c->methods; m++) {
        const comparison_cost *cost = &c->cost[m];
        *cell++ = comparison_method(c, m);
        *cell++ = number(p, "%.4g", cost->forwards);
        *cell++ = number(p, "%.4g", cost->backwards);
        *cell++ = number(p, cost->ms < 100 ? "%.3g" : "%.0f", cost->ms);
    }
    return LM_OK;
}

lm_status comparison_html(const comparison *c, const char *path)
{
    page p = {.c = c};
    const char *const *caption = captions[explanation_language(c->e)];
    lm_status status =
        add_agreement(&p, caption[0], c->agreement, &p.table[0]);
    if (status == LM_OK)
        status =
            add_agreement(&p, caption[1], c->of_sizes, &p.table[1]);
    if (status == LM_OK)
        status = add_cost(&p, &p.table[2]);
    if (status == LM_OK) {
        explanation e = *c->e;
        e.table = p.table;
        e.tables = LM_COUNT(p.table);
        status = explanation_html(&e, path);
    }
    lm_arena_free(&p.arena);
    return status;
}
