/* Pictures as INPUT: files, folders of them, and IDX files. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "core/base/file.h"
#include "core/data/idx.h"
#include "input_inside.h"

static const char *const endings[] = {".png", ".jpg", ".jpeg"};

bool input_is_picture(const char *path)
{
    const size_t n = strlen(path);
    for (size_t i = 0; i < LM_COUNT(endings); i++) {
        const size_t m = strlen(endings[i]);
        if (n > m && strcasecmp(path + n - m, endings[i]) == 0)
            return true;
    }
    return false;
}

/* Once for all pictures: how they are prepared. */
static lm_status decide(reader *r, const limn_port *p, const picture_axes *axes, const char *source)
{
    inputs *out = r->out;
    bool told;
    if (out->prepared)
        return LM_OK;
    LM_TRY(picture_prep(r, &out->prep, &told));
    const int64_t c = axes->channel < 0 || p->rank < 0 ? (axes->channel < 0 ? 1 : 3) : p->dim[axes->channel];
    out->channels = c == 1 ? 1 : 3;
    out->prepared = true;
    if (told || !lm_dtype_is_float(p->type))
        return LM_OK;
    out->prep.scale = 1 / 255.0;
    lm_log(LM_LOG_WARN,
           "%s: nothing says how the model wants its pictures, so they are stretched to its size and given as numbers "
           "from 0 to "
           "1; say it better with --prep, such as "
           "resize=256,crop=224,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225",
           source);
    return LM_OK;
}

/* Sizes that nobody gave are the model's, or the picture's where the model takes any. */
static lm_prep sized(const lm_prep *prep, const limn_port *p, const picture_axes *axes, const lm_image *image)
{
    lm_prep s = *prep;
    if (s.side || s.width || s.crop_width)
        return s;
    const int64_t w = p->rank < 0 ? -1 : p->dim[axes->width], h = p->rank < 0 ? -1 : p->dim[axes->height];
    s.width = w > 0 && w <= INT32_MAX ? (int)w : image->width;
    s.height = h > 0 && h <= INT32_MAX ? (int)h : image->height;
    return s;
}

static lm_status check_size(const limn_port *p, const picture_axes *axes, const char *source, int width, int height)
{
    if (p->rank < 0)
        return LM_OK;
    const int64_t w = p->dim[axes->width], h = p->dim[axes->height];
    LM_REQUIRE((w < 0 || w == width) && (h < 0 || h == height), LM_INPUT,
               "%s: is %d x %d pixels (width x height) after its preparation, but input '%s' takes %lld x %lld; change "
               "resize or "
               "crop of --prep",
               source, width, height, p->name, (long long)(w < 0 ? width : w), (long long)(h < 0 ? height : h));
    return LM_OK;
}

/* The prepared picture, but for its scale, for whoever draws on it. */
static lm_status keep_view(reader *r, size_t input, const lm_image *image)
{
    input_view v = {.input = input};
    LM_TRY(lm_canvas_new(image->width, image->height, (lm_rgb){0, 0, 0}, &v.canvas));
    const size_t n = (size_t)image->channels, pixels = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < pixels; i++) {
        uint8_t c[3];
        for (size_t k = 0; k < 3; k++)
            c[k] = (uint8_t)lround(fmin(fmax(image->at[i * n + (n == 3 ? k : 0)], 0), 255));
        v.canvas.at[i] = (lm_rgb){c[0], c[1], c[2]};
    }
    lm_status status = lm_vec_push(&r->out->picture, v);
    if (status != LM_OK)
        lm_canvas_free(&v.canvas);
    return status;
}

/* The shape of one picture as the input has its axes. */
static lm_status shape_of(const inputs *out, const picture_axes *axes, int width, int height, lm_shape *sh)
{
    int64_t dim[4] = {1, 1, 1, 1};
    const int rank = axes->batch ? (axes->channel < 0 ? 3 : 4) : 3;
    if (axes->channel >= 0)
        dim[axes->channel] = out->channels;
    dim[axes->height] = height;
    dim[axes->width] = width;
    return lm_shape_make(rank, dim, sh);
}

/* Takes the image's pixels in any case. */
static lm_status prepare(reader *r, size_t input, const char *source, lm_image *image, lm_view *out)
{
    const limn_port *p = limn_model_input(r->m, input);
    picture_axes axes;
    lm_shape sh;
    int width, height;
    LM_TRY(picture_axes_find(p, r->out->layout, source, &axes));
    LM_TRY(decide(r, p, &axes, source));
    const lm_prep prep = sized(&r->out->prep, p, &axes, image);
    lm_prep_size(&prep, image, &width, &height);
    LM_TRY(check_size(p, &axes, source, width, height));
    LM_TRY(shape_of(r->out, &axes, width, height, &sh));
    LM_TRY(lm_view_new(LM_F32, &sh, out));
    float *to = lm_view_data(out);
    lm_status status = lm_prep_apply(&prep, image, r->out->channels, axes.last, to);
    for (int64_t i = 0; status == LM_OK && !lm_dtype_is_float(p->type) && i < lm_shape_count(&sh); i++)
        to[i] = rintf(to[i]); /* such models take the bytes of pictures */
    if (status == LM_OK)
        status = keep_view(r, input, image);
    if (status != LM_OK)
        lm_buffer_unref(out->buf);
    return lm_context(status, "%s", source);
}

static lm_status keep_picture(reader *r, size_t input, const char *source, lm_image *image)
{
    lm_view v;
    lm_status status = prepare(r, input, source, image, &v);
    lm_image_free(image);
    return status == LM_OK ? input_keep(r, input, source, &v) : status;
}

static lm_status read_picture(reader *r, size_t input, const char *path)
{
    lm_image image;
    LM_TRY(lm_image_read(path, &image));
    return keep_picture(r, input, path, &image);
}

lm_status input_picture(reader *r, const input_word *w)
{
    if (!w->named)
        LM_TRY(input_need_single(r, w->path));
    return read_picture(r, w->input, w->path);
}

lm_status input_folder(reader *r, const input_word *w)
{
    lm_names names = {0};
    size_t found = 0;
    if (!w->named)
        LM_TRY(input_need_single(r, w->path));
    lm_status status = lm_dir_list(w->path, "", &names);
    for (size_t i = 0; i < names.count && status == LM_OK; i++) {
        if (!input_is_picture(names.at[i]))
            continue;
        lm_str path = {0};
        lm_str_add(&path, w->path);
        lm_str_printf(&path, "%s%s", path.count && path.text[path.count - 1] == '/' ? "" : "/", names.at[i]);
        status = path.status == LM_OK ? read_picture(r, w->input, lm_str_text(&path)) : path.status;
        lm_str_free(&path);
        found++;
    }
    lm_names_free(&names);
    if (status == LM_OK && !found)
        return lm_fail(LM_INPUT, "%s: the folder holds no .png, .jpg or .jpeg file; give one that does", w->path);
    return status;
}

/* Picture number i of bytes [n, h, w] or [n, h, w, 3]. */
static lm_status picture_of(const lm_view *all, int64_t i, const char *name, lm_image *out)
{
    const int channels = all->sh.rank == 4 ? (int)all->sh.dim[3] : 1;
    LM_TRY(lm_image_new(name, (double)all->sh.dim[2], (double)all->sh.dim[1], channels, out));
    const size_t n = (size_t)out->width * (size_t)out->height * (size_t)channels;
    const uint8_t *from = (const uint8_t *)lm_view_data(all) + (size_t)i * n;
    for (size_t k = 0; k < n; k++)
        out->at[k] = from[k];
    return LM_OK;
}

static lm_status keep_pictures(reader *r, const input_word *w, const lm_view *all)
{
    const int64_t n = all->sh.dim[0];
    LM_REQUIRE(n > 0 && w->row < n, LM_INPUT, "%s: the file has %lld pictures, counted from 0", w->path, (long long)n);
    for (int64_t i = w->row < 0 ? 0 : w->row; i < (w->row < 0 ? n : w->row + 1); i++) {
        lm_image image;
        lm_str source = {0};
        lm_str_printf(&source, "%s:%lld", w->file, (long long)i);
        lm_status status = source.status == LM_OK ? picture_of(all, i, w->file, &image) : LM_MEMORY;
        if (status == LM_OK)
            status = keep_picture(r, w->input, lm_str_text(&source), &image);
        lm_str_free(&source);
        LM_TRY(status);
    }
    return LM_OK;
}

lm_status input_idx(reader *r, const input_word *w)
{
    lm_view all;
    if (!w->named)
        LM_TRY(input_need_single(r, w->path));
    LM_TRY(lm_idx_read(w->file, &all));
    const bool pictures =
        all.dt == LM_U8 && (all.sh.rank == 3 || (all.sh.rank == 4 && (all.sh.dim[3] == 1 || all.sh.dim[3] == 3)));
    lm_status status = LM_OK;
    if (!pictures)
        status = lm_fail(LM_INPUT,
                         "%s: holds no pictures, which are bytes with 3 axes; give the file whose name has idx3 in it",
                         w->file);
    if (status == LM_OK)
        status = keep_pictures(r, w, &all);
    lm_buffer_unref(all.buf);
    return status;
}
