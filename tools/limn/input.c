/* Words to files, files to arrays, arrays to the inputs that they are for. */
#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/nearest.h"
#include "core/data/csv.h"
#include "core/data/npz.h"
#include "core/tensor/npy.h"
#include "subject.h"

/* An array, and where it is from. */
typedef struct piece {
    size_t input;
    lm_view view;
    char *source;
} piece;

typedef struct reader {
    const limn_model *m;
    const char *leave_out;
    size_t inputs;  /* of the model */
    size_t only;    /* the input that arrays without a name are for */
    bool single;    /* there is one such input */
    bool piped;     /* standard input was read */
    LM_VEC(piece) pieces;
} reader;

/* "x float32[1,3], mask bool[n]" */
static void list_inputs(const limn_model *m, lm_str *out)
{
    for (size_t i = 0; i < limn_model_input_count(m); i++) {
        const limn_port *p = limn_model_input(m, i);
        lm_str_printf(out, "%s%s ", i ? ", " : "", p->name);
        port_text(p, out);
    }
}

static bool find_input(const reader *r, const char *name, size_t bytes, size_t *out)
{
    for (size_t i = 0; i < r->inputs; i++) {
        const char *known = limn_model_input(r->m, i)->name;
        if (strlen(known) == bytes && memcmp(known, name, bytes) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* Takes the view's buffer. */
static lm_status keep(reader *r, size_t input, const char *source, lm_view *v)
{
    LM_TRY(input_fit(limn_model_input(r->m, input), source, v));
    piece p = {input, *v, lm_strdup(source)};
    if (p.source && lm_vec_push(&r->pieces, p) == LM_OK)
        return LM_OK;
    lm_buffer_unref(v->buf);
    lm_free(p.source);
    return LM_MEMORY;
}

static lm_status need_single(const reader *r, const char *source)
{
    if (r->single)
        return LM_OK;
    lm_str text = {0};
    list_inputs(r->m, &text);
    lm_fail(LM_INPUT, "%s: which input is it for? The model takes %s; write NAME=%s or give a .npz file", source,
            lm_str_text(&text), source);
    lm_str_free(&text);
    return LM_INPUT;
}

static lm_status read_npz(reader *r, const char *path)
{
    lm_npz *npz;
    LM_TRY(lm_npz_open(path, &npz));
    lm_status status = LM_OK;
    int used = 0, n = lm_npz_count(npz);
    for (int i = 0; i < n && status == LM_OK; i++) {
        const char *name = lm_npz_name(npz, i);
        size_t input = r->only;
        lm_view v;
        if (!find_input(r, name, strlen(name), &input)) {
            bool taken = n == 1 && r->single;
            lm_log(LM_LOG_WARN, "%s: array '%s' is no input of the model and is %s%s", path, name,
                   taken ? "taken for its only one, " : "not used", taken ? limn_model_input(r->m, input)->name : "");
            if (!taken)
                continue;
        }
        status = lm_npz_read(npz, i, &v);
        if (status == LM_OK)
            status = keep(r, input, path, &v);
        used++;
    }
    lm_npz_close(npz);
    if (status != LM_OK || used)
        return status;
    lm_str text = {0};
    list_inputs(r->m, &text);
    lm_fail(LM_INPUT, "%s: none of its arrays is called as an input; the model takes %s", path, lm_str_text(&text));
    lm_str_free(&text);
    return LM_INPUT;
}

/* Standard input to its end. */
static lm_status read_pipe(lm_str *out)
{
    char block[65536];
    for (ssize_t n; (n = read(STDIN_FILENO, block, sizeof block)) != 0;) {
        LM_REQUIRE(n > 0, LM_INPUT, "standard input cannot be read; pipe a .npy file into it");
        LM_TRY(lm_str_add_bytes(out, block, (size_t)n));
    }
    return LM_OK;
}

static lm_status read_array(reader *r, const char *path, lm_view *v)
{
    if (strcmp(path, "-") != 0)
        return lm_npy_read(path, v);
    LM_REQUIRE(!r->piped, LM_USAGE, "-: standard input can be read only once; name files");
    r->piped = true;
    lm_str bytes = {0};
    lm_status status = read_pipe(&bytes);
    if (status == LM_OK)
        status = lm_npy_parse(lm_str_text(&bytes), bytes.count, "standard input", v);
    lm_str_free(&bytes);
    return status;
}

/* The rows of a table, without the columns of `skip`. */
static lm_status keep_rows(reader *r, const lm_csv *csv, const char *source, size_t input, int64_t row,
                           const bool *skip)
{
    const limn_port *p = limn_model_input(r->m, input);
    lm_view v;
    int64_t width = 1, rows = row < 0 ? lm_csv_rows(csv) : 1;
    bool known = p->rank > 1;
    for (int i = 1; i < p->rank; i++) {
        known &= p->dim[i] >= 0;
        width *= p->dim[i] >= 0 ? p->dim[i] : 1;
    }
    LM_TRY(lm_csv_numbers(csv, row < 0 ? 0 : row, rows, skip, &v));
    if (known && v.sh.dim[1] != width) {
        long long have = (long long)v.sh.dim[1];
        lm_buffer_unref(v.buf);
        return lm_fail(LM_INPUT,
                       "%s: it has %lld columns, but input '%s' takes %lld; leave one out with --label COLUMN or give "
                       "others",
                       source, have, p->name, (long long)width);
    }
    if (p->rank > 2 && known) {
        int64_t dim[LM_RANK];
        memcpy(dim, p->dim, sizeof dim);
        dim[0] = rows;
        lm_shape sh;
        lm_status status = lm_shape_make(p->rank, dim, &sh);
        if (status != LM_OK) {
            lm_buffer_unref(v.buf);
            return status;
        }
        v = lm_view_row(v.dt, &sh, v.buf);
    }
    return keep(r, input, source, &v);
}

/* One input: all columns. Several: the columns that are called like them. */
static lm_status keep_table(reader *r, const lm_csv *csv, const char *source, size_t input, bool named, int64_t row,
                            bool *skip)
{
    int label = r->leave_out ? lm_csv_find(csv, r->leave_out) : -1, columns = lm_csv_columns(csv);
    LM_REQUIRE(!r->leave_out || label >= 0, LM_USAGE, "--label: %s has no column '%s'; see its first line", source,
               r->leave_out);
    if (named || r->single) {
        if (label >= 0)
            skip[label] = true;
        return keep_rows(r, csv, source, input, row, skip);
    }
    for (size_t i = 0; i < r->inputs; i++) {
        const limn_port *p = limn_model_input(r->m, i);
        int column = lm_csv_find(csv, p->name);
        if (column < 0 && p->optional)
            continue;
        LM_REQUIRE(column >= 0, LM_INPUT, "%s: it has no column '%s' for the model's input of that name; add it",
                   source, p->name);
        for (int c = 0; c < columns; c++)
            skip[c] = c != column;
        LM_TRY(keep_rows(r, csv, source, i, row, skip));
    }
    return LM_OK;
}

static lm_status read_table(reader *r, const char *path, const char *source, size_t input, bool named, int64_t row)
{
    lm_csv *csv;
    LM_TRY(lm_csv_read(path, NULL, &csv));
    bool *skip = lm_calloc((size_t)lm_csv_columns(csv), sizeof *skip);
    lm_status status = skip ? LM_OK : LM_MEMORY;
    if (status == LM_OK && row >= lm_csv_rows(csv))
        status = lm_fail(LM_INPUT, "%s: the table has %lld rows; give 0 to %lld", source, (long long)lm_csv_rows(csv),
                         (long long)lm_csv_rows(csv) - 1);
    if (status == LM_OK)
        status = keep_table(r, csv, source, input, named, row, skip);
    lm_free(skip);
    lm_csv_free(csv);
    return status;
}

static bool ends_in(const char *path, size_t bytes, const char *ending)
{
    size_t n = strlen(ending);
    return bytes >= n && strncasecmp(path + bytes - n, ending, n) == 0;
}

/* "rows.csv" or "rows.csv:12": how long the path is, and the row; -1: all; -2: what stands there is no number of a
 * row. */
static bool is_table(const char *text, size_t *bytes, int64_t *row)
{
    const char *colon = strrchr(text, ':');
    *row = -1;
    *bytes = strlen(text);
    if (ends_in(text, *bytes, ".csv"))
        return true;
    if (!colon || !ends_in(text, (size_t)(colon - text), ".csv"))
        return false;
    *bytes = (size_t)(colon - text);
    bool number = colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1) && strlen(colon) <= 18;
    *row = number ? strtoll(colon + 1, NULL, 10) : -2;
    return true;
}

static lm_status read_word(reader *r, const char *word)
{
    static const char *const pictures[] = {".png", ".jpg", ".jpeg"};
    const char *equals = strchr(word, '='), *path = word;
    size_t input = r->only, bytes;
    int64_t row;
    bool named = equals && find_input(r, word, (size_t)(equals - word), &input);
    if (named)
        path = equals + 1;
    else if (equals && access(word, F_OK) != 0) {
        lm_str text = {0};
        list_inputs(r->m, &text);
        lm_fail(LM_INPUT, "%.99s: the model has no input '%.*s'; it takes %s", word, (int)(equals - word), word,
                lm_str_text(&text));
        lm_str_free(&text);
        return LM_INPUT;
    }
    LM_REQUIRE(*path, LM_INPUT, "an input's name is empty; give a .npy, .npz or .csv file");
    if (is_table(path, &bytes, &row) && access(path, F_OK) != 0) {
        LM_REQUIRE(row >= -1, LM_INPUT, "%s: '%s' is no number of a row; they are counted from 0", path,
                   path + bytes + 1);
    }
    if (is_table(path, &bytes, &row)) {
        char *file = lm_strdup(path);
        if (!file)
            return LM_MEMORY;
        file[bytes] = '\0';
        lm_status status = read_table(r, file, path, input, named, row);
        lm_free(file);
        return status;
    }
    for (size_t i = 0; i < LM_COUNT(pictures); i++)
        LM_REQUIRE(!ends_in(path, strlen(path), pictures[i]) || access(path, F_OK) != 0, LM_UNSUPPORTED,
                   "%s: pictures are not read; give their numbers as .npy, .npz or .csv", path);
    if (ends_in(path, strlen(path), ".npz") && !named)
        return read_npz(r, path);
    lm_view v;
    if (!named)
        LM_TRY(need_single(r, path));
    LM_TRY(read_array(r, path, &v));
    return keep(r, input, path, &v);
}

/* All pieces of an input as its feed. */
static lm_status feed_one(const reader *r, size_t input, inputs *out)
{
    LM_VEC(lm_view) part = {0};
    lm_status status = LM_OK;
    for (size_t i = 0; i < r->pieces.count && status == LM_OK; i++)
        if (r->pieces.at[i].input == input)
            status = lm_vec_push(&part, r->pieces.at[i].view);
    const char *name = limn_model_input(r->m, input)->name;
    lm_view all = {0};
    if (status == LM_OK && part.count == 1) {
        all = part.at[0];
        lm_buffer_ref(all.buf);
    } else if (status == LM_OK && part.count) {
        status = input_stack(name, part.at, part.count, &all);
    }
    if (status == LM_OK && all.buf) {
        limn_feed *f = &out->feed[out->feeds++];
        *f = (limn_feed){name, {.type = all.dt, .rank = all.sh.rank, .data = lm_malloc(all.buf->bytes, 1)}};
        memcpy(f->tensor.dim, all.sh.dim, sizeof f->tensor.dim);
        if (!f->tensor.data)
            status = LM_MEMORY;
        else if (all.buf->bytes)
            memcpy(f->tensor.data, lm_view_data(&all), (size_t)lm_shape_count(&all.sh) * lm_dtype_size(all.dt));
    }
    lm_buffer_unref(all.buf);
    lm_vec_free(&part);
    return status;
}

static lm_status add_source(inputs *out, const char *file, int64_t row)
{
    lm_str text = {0};
    lm_str_add(&text, file);
    if (row >= 0)
        lm_str_printf(&text, ":%lld", (long long)row);
    char *taken = lm_str_take(&text);
    if (taken && lm_vec_push(&out->source, taken) == LM_OK)
        return LM_OK;
    lm_free(taken);
    return LM_MEMORY;
}

static bool is_batch(const limn_port *p, const limn_tensor *t)
{
    return t->rank > 0 && (p->rank < 0 || p->dim[0] < 0 || p->dim[0] == 1);
}

static size_t count_pieces(const reader *r, size_t input)
{
    size_t n = 0;
    for (size_t i = 0; i < r->pieces.count; i++)
        n += r->pieces.at[i].input == input;
    return n;
}

/* Samples put together from several files leave no doubt how many there are, so every input must have as many. */
static lm_status check_samples(const reader *r, const inputs *in)
{
    for (size_t a = 0; a < in->feeds; a++) {
        size_t input = 0, other = 0;
        const limn_feed *f = &in->feed[a];
        find_input(r, f->name, strlen(f->name), &input);
        if (count_pieces(r, input) < 2 || !is_batch(limn_model_input(r->m, input), &f->tensor))
            continue;
        for (size_t b = 0; b < in->feeds; b++) {
            const limn_feed *g = &in->feed[b];
            find_input(r, g->name, strlen(g->name), &other);
            LM_REQUIRE(
                !is_batch(limn_model_input(r->m, other), &g->tensor) || g->tensor.dim[0] == f->tensor.dim[0], LM_INPUT,
                "input '%s' is given %zu times and has %lld samples, but input '%s' has %lld; give as many of each",
                f->name, count_pieces(r, input), (long long)f->tensor.dim[0], g->name, (long long)g->tensor.dim[0]);
        }
    }
    return LM_OK;
}

/* What the samples are called: as the pieces of the first input that is fed. */
static lm_status name_samples(const reader *r, inputs *out)
{
    out->samples = 1;
    if (!out->feeds)
        return add_source(out, "", -1);
    size_t first = 0;
    find_input(r, out->feed[0].name, strlen(out->feed[0].name), &first);
    const limn_port *p = limn_model_input(r->m, first);
    const limn_tensor *t = &out->feed[0].tensor;
    bool batch = is_batch(p, t);
    for (size_t i = 0; i < r->pieces.count; i++) {
        const piece *q = &r->pieces.at[i];
        if (q->input != first)
            continue;
        int64_t rows = batch ? q->view.sh.dim[0] : 1;
        for (int64_t k = 0; k < rows; k++)
            LM_TRY(add_source(out, q->source, rows > 1 ? k : -1));
        if (!batch)
            break;
    }
    out->samples = (int64_t)out->source.count;
    return LM_OK;
}

static lm_status read_all(reader *r, char **words, int count, inputs *out)
{
    size_t required = 0;
    r->inputs = limn_model_input_count(r->m);
    for (size_t i = 0; i < r->inputs; i++)
        required += !limn_model_input(r->m, i)->optional;
    r->single = required == 1 || r->inputs == 1; /* what must be fed comes first */
    LM_REQUIRE(count == 0 || r->inputs, LM_INPUT, "%.99s: the model takes no input; leave it out", words[0]);
    for (int i = 0; i < count; i++)
        LM_TRY(read_word(r, words[i]));
    out->feed = lm_calloc(r->inputs + 1, sizeof *out->feed);
    if (!out->feed)
        return LM_MEMORY;
    for (size_t i = 0; i < r->inputs; i++)
        LM_TRY(feed_one(r, i, out));
    if (required && !count) {
        lm_str text = {0};
        list_inputs(r->m, &text);
        lm_fail(LM_INPUT, "the input is missing; the model takes %s, give such a .npy, .npz or .csv file",
                lm_str_text(&text));
        lm_str_free(&text);
        return LM_INPUT;
    }
    LM_TRY(check_samples(r, out));
    return name_samples(r, out);
}

lm_status inputs_read(const limn_model *m, char **words, int count, const char *leave_out, inputs *out)
{
    reader r = {.m = m, .leave_out = leave_out};
    lm_status status = read_all(&r, words, count, out);
    for (size_t i = 0; i < r.pieces.count; i++) {
        lm_buffer_unref(r.pieces.at[i].view.buf);
        lm_free(r.pieces.at[i].source);
    }
    lm_vec_free(&r.pieces);
    return status;
}

void inputs_free(inputs *in)
{
    for (size_t i = 0; i < in->feeds; i++)
        limn_tensor_free(&in->feed[i].tensor);
    for (size_t i = 0; i < in->source.count; i++)
        lm_free(in->source.at[i]);
    lm_vec_free(&in->source);
    lm_free(in->feed);
    *in = (inputs){0};
}
