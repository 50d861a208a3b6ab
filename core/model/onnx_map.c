/* The table of ONNX operators, sorted for lookup on first use. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/import.h"

#define LM_OP_NONE LM_OPS

static lm_onnx_row rows[] = {
#define LM_ONNX(domain, name, since, fn, op) {domain, #name, since, lm_import_##fn, LM_OP_##op},
#include "core/model/onnx_map.def"
#undef LM_ONNX
};

static int by_name(const lm_onnx_row *a, const char *domain, const char *name)
{
    int order = strcmp(a->name, name);
    return order ? order : strcmp(a->domain, domain);
}

static int compare(const void *pa, const void *pb)
{
    const lm_onnx_row *a = pa, *b = pb;
    int order = by_name(a, b->domain, b->name);
    return order ? order : a->since - b->since;
}

static void sort_rows(void)
{
    qsort(rows, LM_COUNT(rows), sizeof rows[0], compare);
}

const lm_onnx_row *lm_onnx_rows(int *n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, sort_rows);
    *n = (int)LM_COUNT(rows);
    return rows;
}

const lm_onnx_row *lm_onnx_find(const char *domain, const char *name, int64_t version)
{
    int n, low = 0;
    const lm_onnx_row *table = lm_onnx_rows(&n);
    const lm_onnx_row *found = NULL;
    /* the rows of one name stand together, oldest first: the last one that is not too new */
    for (int high = n; low < high;) {
        int middle = (low + high) / 2, order = by_name(&table[middle], domain, name);
        if (order < 0 || (order == 0 && table[middle].since <= version)) {
            found = order == 0 ? &table[middle] : NULL;
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return found;
}
