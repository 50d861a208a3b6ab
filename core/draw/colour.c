/* Palettes as paths through a perceptual colour space, walked at even speed. */
#include "core/draw/colour.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* OKLab to linear light; false where a screen has no such colour. */
static bool to_linear(double lightness, double a, double b, double out[3])
{
    const double l = lightness + 0.3963377774 * a + 0.2158037573 * b;
    const double m = lightness - 0.1055613458 * a - 0.0638541728 * b;
    const double s = lightness - 0.0894841775 * a - 1.2914855480 * b;
    const double l3 = l * l * l, m3 = m * m * m, s3 = s * s * s;
    out[0] = 4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3;
    out[1] = -1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3;
    out[2] = -0.0041960863 * l3 - 0.7034186147 * m3 + 1.7076147010 * s3;
    bool shown = true;
    for (int i = 0; i < 3; i++)
        shown = shown && out[i] > -1e-4 && out[i] < 1 + 1e-4;
    return shown;
}

/* The part of sRGB that bends. */
static uint8_t to_byte(double linear)
{
    const double v = linear <= 0 ? 0 : linear >= 1 ? 1 : linear;
    const double bent = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
    return (uint8_t)lround(255 * bent);
}

lm_rgb lm_colour_lch(double lightness, double chroma, double hue)
{
    const double turn = 2 * 3.14159265358979323846 * hue;
    double linear[3], least = 0, most = chroma;
    if (!to_linear(lightness, chroma * cos(turn), chroma * sin(turn), linear)) {
        for (int i = 0; i < 20; i++) { /* as colourful as a screen can be at this lightness and hue */
            const double middle = (least + most) / 2;
            if (to_linear(lightness, middle * cos(turn), middle * sin(turn), linear))
                least = middle;
            else
                most = middle;
        }
        to_linear(lightness, least * cos(turn), least * sin(turn), linear);
    }
    return (lm_rgb){to_byte(linear[0]), to_byte(linear[1]), to_byte(linear[2])};
}

typedef struct point {
    double lightness, chroma, hue;
} point;

/* Corners of each path; between them lightness, chroma and hue go straight. */
enum { CORNERS = 5 };
static const struct {
    const char *name;
    int corners;
    point corner[CORNERS];
} paths[LM_PALETTES] = {
    [LM_PALETTE_SIGNED] = {"signed", 5, {{0.42, 0.17, 0.72}, {0.70, 0.12, 0.70}, {0.97, 0.00, 0.70}, {0.70, 0.15, 0.07},
                                         {0.42, 0.17, 0.07}}},
    [LM_PALETTE_HEAT] = {"heat", 4, {{0.12, 0.03, 0.78}, {0.40, 0.17, 0.90}, {0.68, 0.18, 1.11}, {0.97, 0.11, 1.29}}},
    [LM_PALETTE_INK] = {"ink", 3, {{1.00, 0.00, 0.70}, {0.70, 0.11, 0.68}, {0.30, 0.12, 0.74}}},
};

enum { STEPS = 1025 };
static lm_rgb table[LM_PALETTES][STEPS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The hue of a grey corner is that of the other end, or colours would turn on their way to it. */
static point between(lm_palette p, double t)
{
    const double at = t * (paths[p].corners - 1);
    const int i = at >= paths[p].corners - 1 ? paths[p].corners - 2 : (int)at;
    const point *from = &paths[p].corner[i], *to = from + 1;
    const double w = at - i, hue_from = from->chroma == 0 ? to->hue : from->hue,
                 hue_to = to->chroma == 0 ? from->hue : to->hue;
    return (point){from->lightness + w * (to->lightness - from->lightness),
                   from->chroma + w * (to->chroma - from->chroma), hue_from + w * (hue_to - hue_from)};
}

static double distance(const point *p, const point *q)
{
    const double turn = 2 * 3.14159265358979323846;
    const double a = p->chroma * cos(turn * p->hue) - q->chroma * cos(turn * q->hue);
    const double b = p->chroma * sin(turn * p->hue) - q->chroma * sin(turn * q->hue);
    const double l = p->lightness - q->lightness;
    return sqrt(l * l + a * a + b * b);
}

/* Entries at even distances along the path from `first` to `last`, both between 0 and 1. */
static void fill(lm_palette p, double first, double last, lm_rgb *to, int steps)
{
    enum { FINE = 4096 };
    static double length[FINE + 1];
    point was = between(p, first);
    length[0] = 0;
    for (int i = 1; i <= FINE; i++) {
        const point is = between(p, first + (last - first) * i / FINE);
        length[i] = length[i - 1] + distance(&was, &is);
        was = is;
    }
    for (int k = 0, i = 0; k < steps; k++) {
        const double wanted = length[FINE] * k / (steps - 1);
        while (i < FINE && length[i + 1] < wanted)
            i++;
        const double part =
            i < FINE && length[i + 1] > length[i] ? (wanted - length[i]) / (length[i + 1] - length[i]) : 0;
        const point at = between(p, first + (last - first) * (i + part) / FINE);
        to[k] = lm_colour_lch(at.lightness, at.chroma, at.hue);
    }
}

static void make(void)
{
    const int half = STEPS / 2;
    /* each side of zero by itself, so that equal distances from it stay equal */
    fill(LM_PALETTE_SIGNED, 0, 0.5, table[LM_PALETTE_SIGNED], half + 1);
    fill(LM_PALETTE_SIGNED, 0.5, 1, table[LM_PALETTE_SIGNED] + half, half + 1);
    fill(LM_PALETTE_HEAT, 0, 1, table[LM_PALETTE_HEAT], STEPS);
    fill(LM_PALETTE_INK, 0, 1, table[LM_PALETTE_INK], STEPS);
}

lm_rgb lm_colour(lm_palette palette, double t)
{
    pthread_once(&once, make);
    double at = palette == LM_PALETTE_SIGNED ? (t + 1) / 2 : t;
    if (isnan(at))
        at = palette == LM_PALETTE_SIGNED ? 0.5 : 0;
    at = at < 0 ? 0 : at > 1 ? 1 : at;
    return table[palette][lround(at * (STEPS - 1))];
}

const char *lm_palette_name(lm_palette palette)
{
    return paths[palette].name;
}

lm_rgb lm_colour_ground(bool positive, double t)
{
    const double size = fmin(fabs(t), 1), full = 0.65; /* brighter and darker ends of the palette are hard to read on */
    if (!positive)
        return lm_colour(LM_PALETTE_SIGNED, t);
    const lm_rgb c = lm_colour(LM_PALETTE_HEAT, full);
    return (lm_rgb){(uint8_t)lround(255 + size * (c.r - 255)), (uint8_t)lround(255 + size * (c.g - 255)),
                    (uint8_t)lround(255 + size * (c.b - 255))};
}
