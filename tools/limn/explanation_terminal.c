/* Explanations in a terminal: maps, where every character is two pixels, one above the other, and texts on colours. */
#include <math.h>

#include "core/tensor/dtype.h"
#include "explanation_map.h"

enum { COLUMNS = 64, TEXT_COLUMNS = 96 };

/* What a pixel of a smaller picture shows: the mean of those that it stands for. */
static lm_rgb mean_of(const lm_canvas *c, int x, int y, int width, int height)
{
    const int left = (int)((int64_t)x * c->width / width), right = (int)(((int64_t)x + 1) * c->width / width);
    const int top = (int)((int64_t)y * c->height / height), bottom = (int)(((int64_t)y + 1) * c->height / height);
    int64_t sum[3] = {0}, n = 0;
    for (int j = top; j < (bottom > top ? bottom : top + 1); j++)
        for (int i = left; i < (right > left ? right : left + 1); i++, n++) {
            const lm_rgb p = lm_canvas_row(c, j)[i];
            sum[0] += p.r;
            sum[1] += p.g;
            sum[2] += p.b;
        }
    return (lm_rgb){(uint8_t)(sum[0] / n), (uint8_t)(sum[1] / n), (uint8_t)(sum[2] / n)};
}

static void blocks(const lm_canvas *c, lm_str *out)
{
    const int width = c->width < COLUMNS ? c->width : COLUMNS;
    const int height = (int)fmax(1, lround((double)c->height * width / c->width));
    for (int y = 0; y < height; y += 2) {
        lm_str_add(out, "    ");
        for (int x = 0; x < width; x++) {
            const lm_rgb a = mean_of(c, x, y, width, height),
                         b = mean_of(c, x, y + 1 < height ? y + 1 : y, width, height);
            lm_str_printf(out, "\033[38;2;%d;%d;%dm\033[48;2;%d;%d;%dm\xe2\x96\x80", a.r, a.g, a.b, b.r, b.g, b.b);
        }
        lm_str_add(out, "\033[0m\n");
    }
}

static int columns_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* A text whose tokens stand on colours: red ones speak for the target, blue ones against it. */
static lm_status strip(const explanation *e, const limn_attribution *a, int64_t sample, lm_str *out)
{
    const int64_t n = a->values.dim[1];
    const bool positive = explanation_is_size(a);
    double most = 0;
    int column = 0;
    const char *at = (const char *)a->values.data + (size_t)(sample * n) * limn_dtype_size(a->values.type);
    const size_t size = limn_dtype_size(a->values.type);
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(lm_load_f64(a->values.type, at + (size_t)i * size)));
    for (int64_t i = 0; i < n; i++) {
        const double t = most > 0 ? lm_load_f64(a->values.type, at + (size_t)i * size) / most : 0;
        const lm_rgb c = lm_colour_ground(positive, t);
        const char *token = inputs_token(e->in, a->site, sample, i);
        const int wide = columns_of(token) + 1;
        if (column == 0 || column + wide > TEXT_COLUMNS) {
            lm_str_add(out, column ? "\n    " : "    ");
            column = 4;
        }
        column += wide;
        lm_str_printf(out, "\033[48;2;%d;%d;%dm\033[38;5;%dm%s\033[0m ", c.r, c.g, c.b, fabs(t) > 0.6 && !positive ? 15 : 16, token);
    }
    return lm_str_char(out, '\n');
}

lm_status explanation_show(const explanation *e, const limn_attribution *a, int64_t sample, command *cmd)
{
    explanation_map m = {.value = NULL};
    lm_canvas c = {0};
    if (cmd->colour && !a->layered && a->values.rank == 2 && inputs_token(e->in, a->site, sample, a->values.dim[1] - 1))
        return strip(e, a, sample, &cmd->out);
    if (!cmd->colour || !explanation_is_map(e, a))
        return LM_OK;
    lm_status status = explanation_map_make(e, a, sample, &m);
    if (status == LM_OK)
        status = lm_canvas_new(m.heat.width, m.heat.height, (lm_rgb){0, 0, 0}, &c);
    if (status == LM_OK) {
        lm_heat_draw(&m.heat, &c, 0, 0);
        blocks(&c, &cmd->out);
    }
    lm_canvas_free(&c);
    explanation_map_free(&m);
    return status == LM_OK ? cmd->out.status : status;
}
