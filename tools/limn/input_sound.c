/* Sound as INPUT. */
#include <string.h>

#include "core/data/resample.h"
#include "core/data/wav.h"
#include "input_inside.h"
#include "subject.h"

/* Where an input has channels and time; channel -1: it has none, and all are mixed. */
typedef struct sound_axes {
    int channel, time;
} sound_axes;

static lm_status find_axes(const reader *r, const limn_port *p, const char *source, sound_axes *out)
{
    const bool last = r->out->layout == LAYOUT_NLC;
    *out = p->rank < 0 || p->rank == 2 ? (sound_axes){-1, 1}
           : p->rank == 1              ? (sound_axes){-1, 0}
                                       : (sound_axes){last ? 2 : 1, last ? 1 : 2};
    if (p->rank <= 3 && p->rank != 0 && lm_dtype_is_float(p->type))
        return LM_OK;
    lm_str text = {0};
    port_text(p, &text);
    lm_fail(LM_INPUT, "%s: is sound, but input '%s' takes %s and not float [N,T], [N,1,T] or [N,C,T]; give it as .npy",
            source, p->name, lm_str_text(&text));
    lm_str_free(&text);
    return LM_INPUT;
}

static float at(const lm_view *v, int64_t channel, int64_t i)
{
    return ((const float *)lm_view_data(v))[channel * v->sh.dim[1] + i];
}

static float mixed(const lm_view *v, int64_t i)
{
    double sum = 0;
    for (int64_t c = 0; c < v->sh.dim[0]; c++)
        sum += at(v, c, i);
    return (float)(sum / (double)v->sh.dim[0]);
}

/* The sound as the input has its axes. */
static lm_status arrange(const reader *r, const limn_port *p, const char *source, const lm_view *v, lm_view *out)
{
    sound_axes axes;
    lm_shape sh;
    LM_TRY(find_axes(r, p, source, &axes));
    const int64_t channels = v->sh.dim[0], frames = v->sh.dim[1];
    const int64_t asked = axes.channel < 0 ? 1 : p->dim[axes.channel] < 0 ? channels : p->dim[axes.channel];
    const int64_t length = p->rank < 0 ? -1 : p->dim[axes.time];
    LM_REQUIRE(asked == 1 || asked == channels, LM_INPUT, "%s: has %lld channels, but input '%s' takes %lld", source,
               (long long)channels, p->name, (long long)asked);
    LM_REQUIRE(length < 0 || length == frames, LM_INPUT,
               "%s: has %lld frames, but input '%s' takes %lld; cut it or make it longer", source, (long long)frames,
               p->name, (long long)length);
    int64_t dim[3] = {1, 1, 1};
    dim[axes.time] = frames;
    if (axes.channel >= 0)
        dim[axes.channel] = asked;
    LM_TRY(lm_shape_make(p->rank < 0 ? 2 : p->rank, dim, &sh));
    LM_TRY(lm_view_new(LM_F32, &sh, out));
    float *to = lm_view_data(out);
    const bool last = axes.channel > axes.time;
    for (int64_t i = 0; i < frames; i++)
        for (int64_t c = 0; c < asked; c++)
            to[last ? i * asked + c : c * frames + i] = asked == 1 ? mixed(v, i) : at(v, c, i);
    return LM_OK;
}

/* At the rate that --prep or the model's metadata asks for; where nobody says one, sound is taken as it is. */
static lm_status as_wanted(const reader *r, const char *path, int rate, lm_view *v)
{
    lm_prep prep;
    bool told;
    lm_view fresh;
    LM_TRY(picture_prep(r, &prep, &told));
    if (!prep.rate || prep.rate == rate)
        return LM_OK;
    LM_TRY(lm_context(lm_resample(v, rate, prep.rate, &fresh), "%s", path));
    lm_log(LM_LOG_INFO, "%s: resampled to %d frames a second, as the model wants it", path, prep.rate);
    lm_buffer_unref(v->buf);
    *v = fresh;
    return LM_OK;
}

lm_status input_sound(reader *r, const input_word *w)
{
    lm_view v, arranged;
    int rate;
    if (!w->named)
        LM_TRY(input_need_single(r, w->path));
    LM_TRY(lm_wav_read(w->path, &v, &rate));
    lm_log(LM_LOG_INFO, "%s: %lld frames, %d a second, %lld channels", w->path, (long long)v.sh.dim[1], rate,
           (long long)v.sh.dim[0]);
    lm_status status = as_wanted(r, w->path, rate, &v);
    if (status == LM_OK)
        status = arrange(r, limn_model_input(r->m, w->input), w->path, &v, &arranged);
    lm_buffer_unref(v.buf);
    return status == LM_OK ? input_keep(r, w->input, w->path, &arranged) : status;
}
