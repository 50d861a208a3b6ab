/* Results as JSON, as tables and as lines of text. */
#include "result.h"

#include <string.h>
#include <strings.h>

#include "core/tensor/dtype.h"
#include "numbers.h"

static const char *const endings[FORMS] = {".npy", ".npz", ".json", ".csv"};

lm_status result_form_of(const char *path, result_form *out)
{
    const char *dot = strrchr(path, '.');
    for (int i = 0; i < FORMS; i++)
        if (dot && strcasecmp(dot, endings[i]) == 0) {
            *out = (result_form)i;
            return LM_OK;
        }
    return lm_fail(LM_USAGE, "-o: '%.199s' ends in none of .npy, .npz, .json and .csv; choose one", path);
}

/* Does axis 0 count the samples? */
static bool is_batch(const result *r, const limn_tensor *t)
{
    return t->rank > 0 && t->dim[0] == r->samples && !(r->alone && r->alone[t - r->tensor].data);
}

/* What sample s has of value i: a tensor, the first of its axes that is the sample's own, and its first element
 * there. */
static const limn_tensor *share_of(const result *r, size_t i, int64_t s, int *axis, size_t *first)
{
    const limn_tensor *t = &r->tensor[i], *own = r->alone ? &r->alone[(size_t)s * r->count + i] : NULL;
    if (own && own->data) {
        *axis = 0;
        *first = 0;
        return own;
    }
    *axis = is_batch(r, t);
    *first = *axis ? (size_t)s * numbers_below(t, *axis) : 0;
    return t;
}

/* How many vectors of classes the first output holds: only vectors have classes. */
static int64_t vectors(const result *r)
{
    const limn_tensor *t = r->tensor;
    if (!r->outputs || t->rank < 1 || t->rank > 2)
        return 0;
    return t->rank == 2 ? t->dim[0] : r->samples > 1 && is_batch(r, t) ? r->samples : 1;
}

/* The greatest `top` values of a vector; *n is 0 where there is none. */
static ranked *rank_vector(const result *r, int64_t vector, size_t *n)
{
    *n = 0;
    if (vector >= vectors(r))
        return NULL;
    const limn_tensor *t = &r->tensor[0];
    size_t classes = limn_tensor_count(t) / (size_t)vectors(r);
    return numbers_top(t, (size_t)vector * classes, classes, (size_t)r->top, n);
}

static void add_ranked(const result *r, lm_json *j, int64_t vector, bool numbered)
{
    size_t n;
    ranked *top = rank_vector(r, vector, &n);
    for (size_t i = 0; i < n; i++) {
        lm_json_object(j);
        if (numbered) {
            lm_json_key(j, "row");
            lm_json_int(j, vector);
        }
        lm_json_key(j, "index");
        lm_json_int(j, (int64_t)top[i].index);
        lm_json_key(j, "label");
        lm_json_string(j, top[i].index < r->labels ? r->label[top[i].index] : NULL);
        lm_json_key(j, "value");
        lm_json_number(j, top[i].value);
        lm_json_end_object(j);
    }
    lm_free(top);
}

/* The sample's own vector; all of them, by number, where a lone sample has several. */
static void add_top(const result *r, lm_json *j, int64_t sample)
{
    const int64_t all = vectors(r);
    lm_json_key(j, "top");
    lm_json_array(j);
    if (all == r->samples)
        add_ranked(r, j, sample, false);
    for (int64_t v = 0; all != 1 && r->samples == 1 && v < all; v++)
        add_ranked(r, j, v, true);
    lm_json_end_array(j);
}

void result_json(const result *r, lm_json *j)
{
    for (int64_t s = 0; s < r->samples; s++) {
        lm_json_object(j);
        lm_json_key(j, "source");
        lm_json_string(j, *r->source[s] ? r->source[s] : NULL);
        lm_json_key(j, "outputs");
        lm_json_object(j);
        for (size_t i = 0; i < r->count; i++) {
            int axis;
            size_t first;
            const limn_tensor *t = share_of(r, i, s, &axis, &first);
            lm_json_key(j, r->name[i]);
            numbers_json(j, t, axis, first);
        }
        lm_json_end_object(j);
        add_top(r, j, s);
        lm_json_end_object(j);
    }
}

void result_lines(const result *r, lm_str *out)
{
    for (int64_t v = 0, all = vectors(r); v < all; v++) {
        size_t n;
        ranked *top = rank_vector(r, v, &n);
        if ((all > 1 || r->many) && all == r->samples)
            lm_str_printf(out, "%s%s\n", v || r->follows ? "\n" : "", r->source[v]);
        else if (all > 1)
            lm_str_printf(out, "%s%s[%lld]\n", v ? "\n" : "", r->name[0], (long long)v);
        for (size_t i = 0; i < n; i++)
            lm_str_printf(out, "%zu\t%s\t%.9g\n", top[i].index, top[i].index < r->labels ? r->label[top[i].index] : "",
                          top[i].value);
        lm_free(top);
    }
}

/* "p[2]" for elements of vectors, "p[1,2]" beyond, "p" for one number; as in all tables, a comma needs quotes. */
static void column_name(lm_str *out, const char *name, const limn_tensor *t, int axis, size_t element)
{
    lm_str text = {0};
    lm_str_add(&text, name);
    for (int i = axis; i < t->rank; i++) {
        size_t below = numbers_below(t, i + 1);
        lm_str_printf(&text, "%c%zu%s", i == axis ? '[' : ',', element / below, i + 1 == t->rank ? "]" : "");
        element %= below;
    }
    bool quoted = strpbrk(lm_str_text(&text), ",\"\n\r") != NULL;
    lm_str_add(out, quoted ? "\"" : "");
    for (const char *c = lm_str_text(&text); *c; c++) {
        lm_str_char(out, *c);
        if (*c == '"')
            lm_str_char(out, '"');
    }
    lm_str_add(out, quoted ? "\"" : "");
    lm_str_free(&text);
}

/* Has every sample as many numbers of value i? Only then it has columns. */
static bool has_columns(const result *r, size_t i)
{
    for (int64_t s = 1; r->alone && r->alone[i].data && s < r->samples; s++) {
        const limn_tensor *own = &r->alone[(size_t)s * r->count + i];
        if (own->rank != r->alone[i].rank || memcmp(own->dim, r->alone[i].dim, sizeof own->dim) != 0)
            return false;
    }
    return true;
}

void result_csv(const result *r, bool names, lm_str *out)
{
    for (size_t i = 0; names && i < r->count; i++)
        if (!has_columns(r, i))
            lm_log(LM_LOG_WARN, ".csv: '%s' is of another shape for every sample and is left out; write .json",
                   r->name[i]);
    for (int64_t s = names ? -1 : 0; s < r->samples && out->status == LM_OK; s++) {
        bool more = false;
        for (size_t i = 0; i < r->count; i++) {
            int axis;
            size_t first;
            const limn_tensor *t = share_of(r, i, s < 0 ? 0 : s, &axis, &first);
            size_t n = has_columns(r, i) ? numbers_below(t, axis) : 0;
            for (size_t k = 0; k < n; k++) {
                const char *at = (const char *)t->data + (first + k) * limn_dtype_size(t->type);
                lm_str_add(out, more ? "," : "");
                more = true;
                if (s < 0)
                    column_name(out, r->name[i], t, axis, k);
                else if (lm_dtype_is_float(t->type) || t->type == LIMN_U64)
                    lm_str_printf(out, t->type == LIMN_F32 ? "%.9g" : "%.17g", lm_load_f64(t->type, at));
                else
                    lm_str_printf(out, "%lld", (long long)lm_load_i64(t->type, at));
            }
        }
        lm_str_char(out, '\n');
    }
}
