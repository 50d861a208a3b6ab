/* Resampling: sines at other rates are the sines of those rates, what does not fit into the lower band is gone. */
#include "core/data/resample.h"

#include <math.h>

#include "tests/unit/test.h"

/* A sine of `hertz` on one channel, its double on the other. */
static lm_status sine(int rate, double hertz, int64_t frames, lm_view *out)
{
    const lm_shape sh = LM_SHAPE(2, frames);
    LM_TRY(lm_view_new(LM_F32, &sh, out));
    float *to = lm_view_data(out);
    for (int64_t i = 0; i < frames; i++) {
        to[i] = (float)(0.4 * sin(2 * M_PI * hertz * (double)i / rate));
        to[frames + i] = 2 * to[i];
    }
    return LM_OK;
}

/* The greatest difference from the sine at the new rate, or from silence, away from both ends. */
static double off_by(int from, int to, double hertz, bool silence)
{
    lm_view v, fresh;
    double most = 0;
    if (!CHECK_OK(sine(from, hertz, from / 4, &v)) || !CHECK_OK(lm_resample(&v, from, to, &fresh)))
        return INFINITY;
    const int64_t frames = fresh.sh.dim[1], edge = to / 40;
    CHECK_INT(fresh.sh.dim[0], 2);
    CHECK_INT(frames, ((int64_t)(from / 4) * to + from - 1) / from);
    const float *at = lm_view_data(&fresh);
    for (int64_t i = edge; i < frames - edge; i++) {
        const double want = silence ? 0 : 0.4 * sin(2 * M_PI * hertz * (double)i / to);
        most = fmax(most, fabs(at[i] - want));
        most = fmax(most, fabs(at[frames + i] - 2 * want));
    }
    lm_buffer_unref(v.buf);
    lm_buffer_unref(fresh.buf);
    return most;
}

static void keeps_what_fits(void)
{
    static const int rates[][2] = {{44100, 16000}, {48000, 16000}, {8000, 16000},  {16000, 44100},
                                   {22050, 16000}, {16000, 8000},  {44100, 44101}, {11025, 16001}};
    for (size_t i = 0; i < LM_COUNT(rates); i++) {
        const int from = rates[i][0], to = rates[i][1], lower = from < to ? from : to;
        static const double places[] = {0.01, 0.1, 0.3, 0.43};
        for (size_t k = 0; k < LM_COUNT(places); k++) {
            const double off = off_by(from, to, places[k] * lower, false);
            if (!CHECK(off < 8e-4))
                printf("%d to %d, %g of the rate: off by %g\n", from, to, places[k], off);
        }
    }
}

static void drops_what_does_not(void)
{
    static const int rates[][2] = {{44100, 16000}, {48000, 16000}, {16000, 8000}};
    static const double places[] = {0.502, 0.6, 0.9};
    for (size_t i = 0; i < LM_COUNT(rates); i++)
        for (size_t k = 0; k < LM_COUNT(places); k++) {
            const double off = off_by(rates[i][0], rates[i][1], places[k] * rates[i][1], true);
            if (!CHECK(off < 8e-5))
                printf("%d to %d, %g of the rate: %g is left\n", rates[i][0], rates[i][1], places[k], off);
        }
}

static void refuses_rates(void)
{
    lm_view v, fresh;
    if (!CHECK_OK(sine(100, 1, 10, &v)))
        return;
    CHECK_FAILS(lm_resample(&v, 0, 16000, &fresh), LM_INPUT);
    CHECK_FAILS(lm_resample(&v, 16000, 768001, &fresh), LM_INPUT);
    if (CHECK_OK(lm_resample(&v, 100, 1, &fresh))) {
        CHECK_INT(fresh.sh.dim[1], 1);
        lm_buffer_unref(fresh.buf);
    }
    lm_buffer_unref(v.buf);
}

static lm_status resample(void)
{
    lm_view v, fresh;
    LM_TRY(sine(160, 3, 40, &v));
    lm_status status = lm_resample(&v, 160, 100, &fresh);
    if (status == LM_OK)
        lm_buffer_unref(fresh.buf);
    lm_buffer_unref(v.buf);
    return status;
}

static void survives_every_allocation(void)
{
    CHECK(test_every_allocation(resample) >= 3);
}

int main(void)
{
    CASE(keeps_what_fits);
    CASE(drops_what_does_not);
    CASE(refuses_rates);
    CASE(survives_every_allocation);
    return test_end();
}
