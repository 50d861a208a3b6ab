/* Resampling by a windowed sinc: each output frame is a weighted sum of the input frames around its moment, and the
 * weights depend only on where between two input frames that moment lies. Of these phases there are `to` over the
 * greatest common divisor of both rates, often few enough to be computed once. */
#include "core/data/resample.h"

#include <math.h>

#include "core/base/mem.h"

/* Zeros of the sinc on either side: they say how sharp the edge of the band is. */
enum { ZEROS = 64, KEPT = 1 << 21 };

static const double EDGE = 0.935; /* of the lower rate's half: the middle of the slope from all to nothing */

typedef struct filter {
    double band;         /* of the input's half rate */
    int64_t up, down;    /* output frame i lies at input frame i * down / up */
    int64_t reach, taps; /* input frames before and behind; in all */
    double *weight;      /* [phases][taps] where all are kept, otherwise of the last one */
    bool kept;
} filter;

static int64_t divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Four cosines: the strongest side lobe is 92 dB below the main one. */
static double window(double t) /* -1 ... 1 */
{
    if (fabs(t) >= 1)
        return 0;
    const double c = cos(M_PI * t);
    return 0.35875 + 0.48829 * c + 0.14128 * (2 * c * c - 1) + 0.01168 * (4 * c * c * c - 3 * c);
}

/* The weights of frames floor(t) - reach + 1 ... of a moment t with this fraction; they add up to one, so silence and
 * steady values stay what they are. */
static void weigh(const filter *f, double fraction, double *to)
{
    double sum = 0;
    for (int64_t k = 0; k < f->taps; k++) {
        const double x = (double)(k - f->reach + 1) - fraction, a = M_PI * f->band * x;
        to[k] = (a == 0 ? 1 : sin(a) / a) * window(x / (double)f->reach);
        sum += to[k];
    }
    for (int64_t k = 0; k < f->taps; k++)
        to[k] /= sum;
}

static lm_status make(int from, int to, filter *f)
{
    const int64_t common = divisor(from, to);
    const double lower = from > to ? (double)to / from : 1;
    *f = (filter){.band = EDGE * lower, .up = to / common, .down = from / common};
    f->reach = (int64_t)ceil(ZEROS / lower);
    f->taps = 2 * f->reach;
    f->kept = f->up <= KEPT / f->taps;
    f->weight = lm_malloc((size_t)(f->kept ? f->up : 1) * (size_t)f->taps, sizeof *f->weight);
    if (!f->weight)
        return LM_MEMORY;
    for (int64_t i = 0; f->kept && i < f->up; i++)
        weigh(f, (double)i / (double)f->up, f->weight + i * f->taps);
    return LM_OK;
}

static void run(const filter *f, const float *from, int64_t count, int64_t i, int64_t channels, int64_t frames,
                float *to)
{
    const int64_t at = i * f->down / f->up, phase = i * f->down % f->up;
    const double *weight = f->weight + (f->kept ? phase * f->taps : 0);
    if (!f->kept)
        weigh(f, (double)phase / (double)f->up, f->weight);
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0;
        for (int64_t k = 0; k < f->taps; k++) {
            const int64_t frame = at - f->reach + 1 + k;
            if (frame >= 0 && frame < count)
                sum += weight[k] * (double)from[c * count + frame];
        }
        to[c * frames + i] = (float)sum;
    }
}

lm_status lm_resample(const lm_view *v, int from, int to, lm_view *out)
{
    filter f;
    lm_shape sh;
    LM_REQUIRE(from > 0 && to > 0 && from <= LM_RATE_MOST && to <= LM_RATE_MOST, LM_INPUT,
               "sound of %d frames a second cannot be given at %d; rates go from 1 to %d", from, to, (int)LM_RATE_MOST);
    const int64_t channels = v->sh.dim[0], count = v->sh.dim[1];
    LM_REQUIRE(count < INT64_MAX / LM_RATE_MOST - 1, LM_MEMORY, "%lld frames are too many to resample", (long long)count);
    const int64_t frames = (count * to + from - 1) / from, dim[2] = {channels, frames};
    LM_TRY(lm_shape_make(2, dim, &sh));
    LM_TRY(lm_view_new(LM_F32, &sh, out));
    lm_status status = make(from, to, &f);
    for (int64_t i = 0; status == LM_OK && i < frames; i++)
        run(&f, lm_view_data(v), count, i, channels, frames, lm_view_data(out));
    lm_free(f.weight);
    if (status != LM_OK)
        lm_buffer_unref(out->buf);
    return status;
}
