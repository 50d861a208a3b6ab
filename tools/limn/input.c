/* Words to files, files to arrays, arrays to the inputs that they are for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/nearest.h"
#include "core/data/npz.h"
#include "core/tensor/npy.h"
#include "input_inside.h"
#include "subject.h"

void input_list(const limn_model *m, lm_str *out)
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

lm_status input_keep(reader *r, size_t input, const char *source, lm_view *v)
{
    LM_TRY(input_fit(limn_model_input(r->m, input), source, v));
    piece p = {.input = input, .view = *v, .source = lm_strdup(source)};
    if (p.source && lm_vec_push(&r->pieces, p) == LM_OK)
        return LM_OK;
    lm_buffer_unref(v->buf);
    lm_free(p.source);
    return LM_MEMORY;
}

lm_status input_need_single(const reader *r, const char *source)
{
    if (r->single)
        return LM_OK;
    lm_str text = {0};
    input_list(r->m, &text);
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
            status = input_keep(r, input, path, &v);
        used++;
    }
    lm_npz_close(npz);
    if (status != LM_OK || used)
        return status;
    lm_str text = {0};
    input_list(r->m, &text);
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

static bool ends_in(const char *path, size_t bytes, const char *ending)
{
    size_t n = strlen(ending);
    return bytes >= n && strncasecmp(path + bytes - n, ending, n) == 0;
}

static bool is_table(const char *path, size_t bytes)
{
    return ends_in(path, bytes, ".csv");
}

static bool is_idx(const char *path, size_t bytes)
{
    return ends_in(path, bytes, "-ubyte") || ends_in(path, bytes, "-ubyte.gz") || ends_in(path, bytes, ".idx") ||
           ends_in(path, bytes, ".idx.gz");
}

static bool is_text(const char *path, size_t bytes)
{
    return bytes == strlen(path) && ends_in(path, bytes, ".txt");
}

static bool is_sound(const char *path, size_t bytes)
{
    return bytes == strlen(path) && ends_in(path, bytes, ".wav");
}

static bool is_picture(const char *path, size_t bytes)
{
    return input_is_picture(path) && bytes == strlen(path);
}

static bool is_folder(const char *path, size_t bytes)
{
    struct stat s;
    return bytes == strlen(path) && stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* Whose form cannot be told by the name is an array, or nothing that can be read. */
static lm_status check_ending(const char *path)
{
    static const char *const unread[] = {".bmp", ".gif", ".webp", ".tif", ".tiff", ".heic", ".mp3", ".flac", ".ogg"};
    for (size_t i = 0; i < LM_COUNT(unread); i++)
        LM_REQUIRE(!ends_in(path, strlen(path), unread[i]), LM_INPUT,
                   "%s: %s files are not read; turn it into .png or .jpg, or sound into .wav", path, unread[i]);
    return LM_OK;
}

static lm_status read_other(reader *r, const input_word *w)
{
    lm_view v;
    LM_TRY(check_ending(w->path));
    if (ends_in(w->path, strlen(w->path), ".npz") && !w->named)
        return read_npz(r, w->path);
    if (!w->named)
        LM_TRY(input_need_single(r, w->path));
    LM_TRY(read_array(r, w->path, &v));
    return input_keep(r, w->input, w->path, &v);
}

/* Forms of INPUT by the name; the first that fits. */
static const struct {
    bool (*is)(const char *path, size_t bytes);
    lm_status (*read)(reader *r, const input_word *w);
    bool rows; /* ":12" behind the name is a number in the file */
} forms[] = {{is_table, input_table, true},
             {is_idx, input_idx, true},
             {is_text, input_text_file, false},
             {is_sound, input_sound, false},
             {is_picture, input_picture, false},
             {is_folder, input_folder, false}};

/* The number behind a colon; LM_INPUT where there stands something else. */
static lm_status read_row(const char *path, const char *colon, int64_t *row)
{
    const bool number = colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1) && strlen(colon) <= 18;
    LM_REQUIRE(number, LM_INPUT, "%s: '%s' is no number of a row; they are counted from 0", path, colon + 1);
    *row = strtoll(colon + 1, NULL, 10);
    return LM_OK;
}

bool inputs_have_form(const char *word)
{
    const char *colon = strrchr(word, ':');
    const size_t all = strlen(word);
    for (size_t i = 0; i < LM_COUNT(forms); i++)
        if (forms[i].is(word, all) || (forms[i].rows && colon && forms[i].is(word, (size_t)(colon - word))))
            return true;
    return false;
}

static lm_status read_form(reader *r, input_word *w)
{
    const char *colon = strrchr(w->path, ':');
    const size_t all = strlen(w->path);
    for (size_t i = 0; i < LM_COUNT(forms); i++) {
        const bool part = forms[i].rows && colon && forms[i].is(w->path, (size_t)(colon - w->path));
        if (!part && !forms[i].is(w->path, all))
            continue;
        w->row = -1;
        if (part)
            LM_TRY(read_row(w->path, colon, &w->row));
        w->file = lm_strdup(w->path);
        if (!w->file)
            return LM_MEMORY;
        w->file[part ? (size_t)(colon - w->path) : all] = '\0';
        lm_status status = forms[i].read(r, w);
        lm_free(w->file);
        return status;
    }
    return read_other(r, w);
}

static lm_status read_word(reader *r, const char *word)
{
    const char *equals = strchr(word, '=');
    input_word w = {.path = word, .input = r->only, .row = -1};
    w.named = equals && find_input(r, word, (size_t)(equals - word), &w.input);
    if (w.named)
        w.path = equals + 1;
    else if (equals && access(word, F_OK) != 0) {
        lm_str text = {0};
        input_list(r->m, &text);
        lm_fail(LM_INPUT, "%.99s: the model has no input '%.*s'; it takes %s", word, (int)(equals - word), word,
                lm_str_text(&text));
        lm_str_free(&text);
        return LM_INPUT;
    }
    LM_REQUIRE(*w.path, LM_INPUT, "an input's name is empty; give a .npy, .npz, .csv, .png or .jpg file");
    return read_form(r, &w);
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
        int64_t rows = batch && !q->whole ? q->view.sh.dim[0] : 1, before = r->parts ? r->parts->at : 0;
        for (int64_t k = 0; k < rows; k++)
            LM_TRY(add_source(out, q->source, rows > 1 ? before + k : -1));
        if (!batch)
            break;
    }
    out->samples = (int64_t)out->source.count;
    return LM_OK;
}

static lm_status read_layout(const command *cmd, layout *out)
{
    static const char *const words[LAYOUTS] = {"auto", "nchw", "nhwc", "nlc"};
    const char *text = cmd->option[OPT_layout];
    for (int i = 0; text && i < LAYOUTS; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = (layout)i;
            return LM_OK;
        }
    LM_REQUIRE(!text, LM_USAGE, "--layout '%.99s': is none; give nchw, nhwc or nlc", text);
    return LM_OK;
}

static lm_status read_all(reader *r, char **words, int count, inputs *out)
{
    size_t required = 0;
    LM_TRY(read_layout(r->cmd, &out->layout));
    r->inputs = limn_model_input_count(r->m);
    for (size_t i = 0; i < r->inputs; i++)
        required += !limn_model_input(r->m, i)->optional;
    r->single = required == 1 || r->inputs == 1; /* what must be fed comes first */
    LM_REQUIRE(count == 0 || r->inputs, LM_INPUT, "%.99s: the model takes no input; leave it out", words[0]);
    const bool known = r->parts && r->parts->texts; /* what the words name was read with the first part */
    for (int i = 0; i < count && !known; i++)
        LM_TRY(read_word(r, words[i]));
    LM_TRY(input_texts_feed(r));
    out->feed = lm_calloc(r->inputs + 1, sizeof *out->feed);
    if (!out->feed)
        return LM_MEMORY;
    for (size_t i = 0; i < r->inputs; i++)
        LM_TRY(feed_one(r, i, out));
    if (required && !count && !r->pieces.count) {
        lm_str text = {0};
        input_list(r->m, &text);
        lm_fail(LM_INPUT, "the input is missing; the model takes %s, give such a .npy, .npz, .csv, .png or .jpg file",
                lm_str_text(&text));
        lm_str_free(&text);
        return LM_INPUT;
    }
    LM_TRY(check_samples(r, out));
    return name_samples(r, out);
}

static lm_status read_inputs(const limn_model *m, const command *cmd, input_parts *parts, inputs *out)
{
    input_texts *texts = parts && parts->texts ? parts->texts : lm_calloc(1, sizeof *texts);
    if (!texts)
        return LM_MEMORY;
    reader r = {.parts = parts, .m = m, .cmd = cmd, .out = out, .texts = texts};
    lm_status status = read_all(&r, cmd->operand + 1, cmd->operands - 1, out);
    for (size_t i = 0; i < r.pieces.count; i++) {
        lm_buffer_unref(r.pieces.at[i].view.buf);
        lm_free(r.pieces.at[i].source);
    }
    lm_vec_free(&r.pieces);
    if (!parts || parts->texts != texts)
        input_texts_free(texts);
    return status;
}

lm_status inputs_read(const limn_model *m, const command *cmd, inputs *out)
{
    return read_inputs(m, cmd, NULL, out);
}

lm_status inputs_read_part(const limn_model *m, const command *cmd, input_parts *parts, inputs *out, bool *more)
{
    LM_TRY(read_inputs(m, cmd, parts, out));
    parts->at += out->samples;
    *more = parts->at < parts->rows;
    return LM_OK;
}

void inputs_free(inputs *in)
{
    for (size_t i = 0; i < in->feeds; i++)
        limn_tensor_free(&in->feed[i].tensor);
    for (size_t i = 0; i < in->source.count; i++)
        lm_free(in->source.at[i]);
    for (size_t i = 0; i < in->picture.count; i++)
        lm_canvas_free(&in->picture.at[i].canvas);
    for (size_t i = 0; i < in->column.count; i++)
        lm_free(in->column.at[i]);
    lm_vec_free(&in->source);
    lm_vec_free(&in->picture);
    for (size_t i = 0; i < in->token.count; i++)
        lm_free(in->token.at[i]);
    lm_vec_free(&in->column);
    lm_vec_free(&in->token);
    lm_free(in->feed);
    *in = (inputs){0};
}

const char *inputs_token(const inputs *in, const char *name, int64_t sample, int64_t place)
{
    const int64_t at = sample * in->token_width + place;
    const bool there = in->token_width && place < in->token_width && at < (int64_t)in->token.count &&
                       strcmp(in->token_input, name) == 0;
    return there ? in->token.at[at] : NULL;
}

const lm_canvas *inputs_picture(const inputs *in, const limn_model *m, const char *name, int64_t sample)
{
    const lm_canvas *found = NULL;
    int64_t n = 0;
    for (size_t i = 0; i < in->picture.count; i++) {
        const input_view *v = &in->picture.at[i];
        if (strcmp(limn_model_input(m, v->input)->name, name) == 0 && n++ == sample)
            found = &v->canvas;
    }
    return n == in->samples ? found : NULL; /* arrays among the pictures: nobody knows which is which */
}
