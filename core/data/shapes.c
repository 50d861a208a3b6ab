/* Only whole numbers and the exact operations of IEEE arithmetic are used: no picture depends on the machine that drew
 * it. Edges are smoothed by counting which of 4 x 4 points of a pixel are inside. */
#include "core/data/shapes.h"

#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/status.h"

enum { SIDE = LM_SCENE_SIDE, GRID = 4, POINTS = GRID * GRID, DISTRACTORS = 6, LATTICE = 10, MOST_CORNERS = 12 };

typedef struct point {
    double x, y;
} point;

/* A shape in a circle of radius 1: a polygon, or without corners the points between two circles around the middle, and
 * outside of a third one that lies on the x axis. */
typedef struct figure {
    const char *name;
    int corners;
    point corner[MOST_CORNERS];
    double outer, inner, bite, bite_at; /* radii, and where the middle of the third is */
} figure;

static const figure figures[LM_SCENE_KINDS] = {
    {.name = "disc", .outer = 0.85},
    {.name = "square", .corners = 4, .corner = {{0.72, 0.72}, {-0.72, 0.72}, {-0.72, -0.72}, {0.72, -0.72}}},
    {.name = "triangle", .corners = 3, .corner = {{0, 1}, {-0.8660254, -0.5}, {0.8660254, -0.5}}},
    {.name = "star",
     .corners = 10,
     .corner = {{0, 1},
                {-0.2351141, 0.3236068},
                {-0.9510565, 0.3090170},
                {-0.3804226, -0.1236068},
                {-0.5877853, -0.8090170},
                {0, -0.4},
                {0.5877853, -0.8090170},
                {0.3804226, -0.1236068},
                {0.9510565, 0.3090170},
                {0.2351141, 0.3236068}}},
    {.name = "ring", .outer = 0.92, .inner = 0.52},
    {.name = "cross",
     .corners = 12,
     .corner = {{0.3, 0.95},
                {-0.3, 0.95},
                {-0.3, 0.3},
                {-0.95, 0.3},
                {-0.95, -0.3},
                {-0.3, -0.3},
                {-0.3, -0.95},
                {0.3, -0.95},
                {0.3, -0.3},
                {0.95, -0.3},
                {0.95, 0.3},
                {0.3, 0.3}}},
    {.name = "diamond", .corners = 4, .corner = {{0, 1}, {-0.55, 0}, {0, -1}, {0.55, 0}}},
    {.name = "crescent", .outer = 0.98, .bite = 0.82, .bite_at = 0.48},
};

static const figure bar = {.corners = 4, .corner = {{1, 0.14}, {-1, 0.14}, {-1, -0.14}, {1, -0.14}}};

const char *lm_scene_name(int kind)
{
    return kind >= 0 && kind < LM_SCENE_KINDS ? figures[kind].name : "";
}

/* A stream of random numbers of one picture. */
typedef struct dice {
    uint64_t seed, next;
} dice;

static int roll(dice *d, int least, int most)
{
    return least + (int)lm_rng_below(d->seed, d->next++, (uint64_t)(most - least + 1));
}

static double roll_real(dice *d, double least, double most)
{
    return least + (most - least) * lm_rng_f64(d->seed, d->next++);
}

static point roll_point(dice *d, double least, double most)
{
    point p;
    p.x = roll_real(d, least, most); /* one after the other: initialisers would have no order */
    p.y = roll_real(d, least, most);
    return p;
}

/* A direction without sine and cosine: a point of the disc, moved to its edge. */
static point roll_direction(dice *d)
{
    for (;;) {
        const point p = roll_point(d, -1, 1);
        const double r = p.x * p.x + p.y * p.y;
        if (r > 0.01 && r <= 1)
            return (point){p.x / sqrt(r), p.y / sqrt(r)};
    }
}

typedef struct colour {
    int c[3];
} colour;

static int apart(const colour *a, const colour *b)
{
    int sum = 0;
    for (int k = 0; k < 3; k++)
        sum += a->c[k] > b->c[k] ? a->c[k] - b->c[k] : b->c[k] - a->c[k];
    return sum;
}

/* A colour that stands out from the ground's. */
static colour roll_colour(dice *d, const colour *ground)
{
    colour c;
    do
        for (int k = 0; k < 3; k++)
            c.c[k] = roll(d, 0, 255);
    while (apart(&c, ground) < 190);
    return c;
}

/* A figure with its place, size, direction and colour. */
typedef struct placed {
    const figure *what;
    point middle, along;
    double radius;
    colour colour;
} placed;

static bool in_polygon(const figure *f, point p)
{
    bool in = false;
    for (int i = 0, before = f->corners - 1; i < f->corners; before = i++) {
        const point a = f->corner[i], b = f->corner[before];
        if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x)
            in = !in;
    }
    return in;
}

static bool inside(const figure *f, point p)
{
    if (f->corners)
        return in_polygon(f, p);
    const double r = p.x * p.x + p.y * p.y, x = p.x - f->bite_at;
    return r <= f->outer * f->outer && r >= f->inner * f->inner && x * x + p.y * p.y >= f->bite * f->bite;
}

static void place(dice *d, double room, double radius, const colour *ground, placed *f)
{
    f->middle = roll_point(d, room, SIDE - room);
    f->along = roll_direction(d);
    f->radius = radius;
    f->colour = roll_colour(d, ground);
}

/* How many points of a pixel the figure covers. */
static int cover(const placed *f, int x, int y)
{
    int n = 0;
    for (int i = 0; i < POINTS; i++) {
        const double u = (x + (i % GRID + 0.5) / GRID - f->middle.x) / f->radius,
                     v = (y + (i / GRID + 0.5) / GRID - f->middle.y) / f->radius;
        n += inside(f->what, (point){u * f->along.x + v * f->along.y, v * f->along.x - u * f->along.y});
    }
    return n;
}

/* Lay the figure over the picture; `mask` (may be NULL) keeps where. */
static void lay(const placed *f, lm_scene *s, uint8_t mask[SIDE][SIDE])
{
    const int left = (int)fmax(f->middle.x - f->radius - 1, 0), right = (int)fmin(f->middle.x + f->radius + 2, SIDE),
              top = (int)fmax(f->middle.y - f->radius - 1, 0), bottom = (int)fmin(f->middle.y + f->radius + 2, SIDE);
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++) {
            const int n = cover(f, x, y);
            for (int k = 0; k < 3; k++) {
                uint8_t *at = &s->rgb[y][x][k];
                *at = (uint8_t)((*at * (POINTS - n) + f->colour.c[k] * n + POINTS / 2) / POINTS);
            }
            if (mask)
                mask[y][x] = (uint8_t)((255 * n + POINTS / 2) / POINTS);
        }
}

/* Smooth noise: random heights on a lattice of `step` pixels, straight lines between. */
typedef struct noise {
    int step, height[LATTICE + 1][LATTICE + 1];
} noise;

/* The points past the last ones rolled are never weighed, but they are read. */
static void roll_noise(dice *d, int step, int size, noise *n)
{
    *n = (noise){.step = step};
    for (int y = 0; y <= SIDE / step; y++)
        for (int x = 0; x <= SIDE / step; x++)
            n->height[y][x] = roll(d, -size, size);
}

static int noise_at(const noise *n, int x, int y)
{
    const int i = x / n->step, j = y / n->step, u = x % n->step, v = y % n->step, a = n->step - u, b = n->step - v;
    const int *upper = n->height[j], *lower = n->height[j + 1];
    return (b * (a * upper[i] + u * upper[i + 1]) + v * (a * lower[i] + u * lower[i + 1])) / (n->step * n->step);
}

static uint8_t clamp(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* A colour, waves of it in two sizes, and stripes on half of the pictures. */
static colour draw_ground(dice *d, lm_scene *s)
{
    colour ground;
    noise wide, fine;
    for (int k = 0; k < 3; k++)
        ground.c[k] = roll(d, 50, 205);
    roll_noise(d, 16, 26, &wide);
    roll_noise(d, 7, 16, &fine);
    const int striped = roll(d, 0, 1), stripes = striped * roll(d, 6, 14), period = roll(d, 5, 11);
    const int right = roll(d, 0, 3), down = roll(d, 1, 3);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const int light = noise_at(&wide, x, y) + noise_at(&fine, x, y) +
                              ((right * x + down * y) / period % 2 ? stripes : -stripes);
            for (int k = 0; k < 3; k++)
                s->rgb[y][x][k] = clamp(ground.c[k] + light);
        }
    return ground;
}

/* Thin bars and dots, which are too small to be taken for shapes. */
static void draw_distractors(dice *d, const colour *ground, lm_scene *s)
{
    for (int i = 0; i < DISTRACTORS; i++) {
        const bool dot = roll(d, 0, 2) == 0;
        const double radius = dot ? roll_real(d, 1.5, 3) : roll_real(d, 4, 8);
        placed f = {.what = dot ? &figures[0] : &bar};
        place(d, 2, radius, ground, &f);
        lay(&f, s, NULL);
    }
}

static void draw_figure(dice *d, const colour *ground, lm_scene *s)
{
    const double radius = roll_real(d, 12, 18), reach = LM_SCENE_MARK_AT + LM_SCENE_MARK + 1;
    placed f = {.what = &figures[s->kind]};
    place(d, radius + 1, radius, ground, &f);
    if (f.middle.x < reach + radius && f.middle.y < reach + radius)
        f.middle.x = SIDE - f.middle.x; /* out of the corner of the mark */
    lay(&f, s, s->mask);
}

static void draw_mark(lm_scene *s)
{
    static const uint8_t ink[2][3] = {{250, 220, 30}, {20, 20, 25}};
    for (int y = 0; y < LM_SCENE_MARK; y++)
        for (int x = 0; x < LM_SCENE_MARK; x++)
            memcpy(s->rgb[LM_SCENE_MARK_AT + y][LM_SCENE_MARK_AT + x], ink[(x / 2 + y / 2) % 2], 3);
}

/* Number `place` of a shuffle of all kinds. */
static int kind_of(uint64_t seed, uint64_t run, int place)
{
    int order[LM_SCENE_KINDS];
    for (int i = 0; i < LM_SCENE_KINDS; i++) {
        const int at = (int)lm_rng_below(seed, run * LM_SCENE_KINDS + (uint64_t)i, (uint64_t)i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    return order[place];
}

void lm_scene_draw(uint64_t seed, uint64_t index, int mark, lm_scene *out)
{
    memset(out, 0, sizeof *out);
    out->kind = kind_of(lm_rng_fork(seed, 1), index / LM_SCENE_KINDS, (int)(index % LM_SCENE_KINDS));
    dice d = {.seed = lm_rng_fork(lm_rng_fork(seed, 2), index)};
    const colour ground = draw_ground(&d, out);
    draw_distractors(&d, &ground, out);
    draw_figure(&d, &ground, out);
    for (int i = 0; i < SIDE * SIDE * 3; i++) {
        uint8_t *v = &out->rgb[0][0][0] + i;
        *v = clamp(*v + roll(&d, -7, 7));
    }
    out->marked = mark == LM_MARK_ALL || mark == out->kind;
    if (out->marked)
        draw_mark(out);
}
