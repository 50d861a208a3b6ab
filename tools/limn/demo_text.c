/* What the demo tells on standard output. */
#include <stdio.h>
#include <string.h>

#include "demo.h"

const char *demo_percent(demo *d, double share)
{
    char text[32];
    snprintf(text, sizeof text, "%.*f %%", share < 0.1 ? 1 : 0, 100 * share);
    const char *kept = lm_arena_strdup(&d->arena, text);
    return kept ? kept : "";
}

static const char *said(demo *d, const demo_network *n, int picture)
{
    char text[64];
    const int kind = n->says[picture];
    snprintf(text, sizeof text, "%-9s %5.1f %%%s", lm_scene_name(kind), 100 * n->chance[picture][kind],
             kind == d->picture[picture].scene.kind ? "" : "  wrong");
    const char *kept = lm_arena_strdup(&d->arena, text);
    return kept ? kept : "";
}

static void add_answers(demo *d, lm_str *out)
{
    static const int width[] = {20, 28, 0};
    bold(d->cmd, "What the networks say");
    lm_str_char(out, '\n');
    table_row(out, width, (const char *const[]){"  picture", d->network[0].name, d->network[1].name}, 3);
    for (int i = 0; i < DEMO_PICTURES; i++) {
        char name[32];
        snprintf(name, sizeof name, "  %s", d->picture[i].name);
        table_row(out, width, (const char *const[]){name, said(d, &d->network[0], i), said(d, &d->network[1], i)}, 3);
    }
}

static void add_shares(demo *d, lm_str *out)
{
    static const int width[] = {20, 14, 14, 14, 0};
    bold(d->cmd, "Where the weight of the maps lies");
    lm_str_printf(out, "\n                    on the shape                in the corner of the mark\n");
    table_row(out, width,
              (const char *const[]){"  method", d->network[0].name, d->network[1].name, d->network[0].name,
                                    d->network[1].name},
              5);
    for (int m = 0; m < DEMO_METHODS; m++) {
        char name[32];
        snprintf(name, sizeof name, "  %s", demo_names[m]);
        table_row(out, width,
                  (const char *const[]){
                      name, demo_percent(d, d->network[0].shape[m]), demo_percent(d, d->network[1].shape[m]),
                      demo_percent(d, d->network[0].corner[m]), demo_percent(d, d->network[1].corner[m])},
                  5);
    }
    table_row(out, width,
              (const char *const[]){"  of all pixels", demo_percent(d, d->shape), "", demo_percent(d, d->corner), ""},
              5);
}

/* Pictures of a network that are called what, among those with or without the mark. */
static int calls(const demo *d, const demo_network *n, bool marked, int kind, int *of)
{
    int count = 0;
    *of = 0;
    for (int i = 0; i < DEMO_PICTURES; i++) {
        const lm_scene *s = &d->picture[i].scene;
        if (s->marked != marked || s->kind == kind)
            continue;
        ++*of;
        count += n->says[i] == kind;
    }
    return count;
}

static void add_verdict(const demo *d, lm_str *out)
{
    const demo_network *cheat = &d->network[1];
    int star = 0, of, of_plain;
    while (strcmp(lm_scene_name(star), "star") != 0)
        star++;
    const int marked = calls(d, cheat, true, star, &of), plain = calls(d, cheat, false, star, &of_plain);
    lm_str_printf(
        out,
        "In training, every star of the second network had a small mark in the upper left corner, and nothing\n"
        "else had. On 4,000 fresh pictures that are marked the same way it is right in 99.9 %%, as the first one\n"
        "is. But it calls %d of %d other shapes with the mark a star, and %d of %d without: it looks at the corner,\n"
        "as its maps show.\n",
        marked, of, plain, of_plain);
}

lm_status demo_text(demo *d)
{
    lm_str *out = &d->cmd->out;
    lm_str_printf(out,
                  "Ten pictures of shapes, two small networks that learned to tell them apart, %d methods: %d maps in "
                  "%.2f s.\n\n",
                  DEMO_METHODS, DEMO_METHODS * DEMO_PICTURES * DEMO_NETWORKS, d->seconds);
    add_answers(d, out);
    lm_str_char(out, '\n');
    add_shares(d, out);
    lm_str_char(out, '\n');
    add_verdict(d, out);
    lm_str_printf(out, "\nOpen    %s/report.html\n", d->folder);
    if (d->without_png) {
        lm_str_add(out, "        (this build has no libpng, so there are no pictures beside it)\n");
    } else {
        lm_str_printf(out, "See     %s/overview.png, honest.png, cheat.png, on-the-shape.svg, in-the-corner.svg\n",
                      d->folder);
        lm_str_printf(out, "Try     limn explain %s/cheat.onnx %s/%s.png --method gradcam -o why.png\n", d->folder,
                      d->folder, d->picture[DEMO_TELLING].name);
    }
    return out->status;
}

static void network_json(const demo *d, const demo_network *n, lm_json *j)
{
    lm_json_object(j);
    lm_json_key(j, "name");
    lm_json_string(j, n->name);
    lm_json_key(j, "answers");
    lm_json_array(j);
    for (int i = 0; i < DEMO_PICTURES; i++) {
        lm_json_object(j);
        lm_json_key(j, "picture");
        lm_json_string(j, d->picture[i].name);
        lm_json_key(j, "label");
        lm_json_string(j, lm_scene_name(n->says[i]));
        lm_json_key(j, "probability");
        lm_json_number(j, n->chance[i][n->says[i]]);
        lm_json_key(j, "right");
        lm_json_bool(j, n->says[i] == d->picture[i].scene.kind);
        lm_json_end_object(j);
    }
    lm_json_end_array(j);
    for (int corner = 0; corner < 2; corner++) {
        lm_json_key(j, corner ? "corner" : "shape");
        lm_json_object(j);
        for (int m = 0; m < DEMO_METHODS; m++) {
            lm_json_key(j, demo_methods[m]);
            lm_json_number(j, corner ? n->corner[m] : n->shape[m]);
        }
        lm_json_end_object(j);
    }
    lm_json_end_object(j);
}

lm_status demo_json(demo *d)
{
    lm_json j;
    lm_json_start(&j, &d->cmd->out);
    lm_json_object(&j);
    lm_json_key(&j, "folder");
    lm_json_string(&j, d->folder);
    lm_json_key(&j, "report");
    lm_str path = {0};
    lm_str_printf(&path, "%s/report.html", d->folder);
    lm_json_string(&j, lm_str_text(&path));
    lm_str_free(&path);
    lm_json_key(&j, "pixels");
    lm_json_object(&j);
    lm_json_key(&j, "shape");
    lm_json_number(&j, d->shape);
    lm_json_key(&j, "corner");
    lm_json_number(&j, d->corner);
    lm_json_end_object(&j);
    lm_json_key(&j, "networks");
    lm_json_array(&j);
    for (int n = 0; n < DEMO_NETWORKS; n++)
        network_json(d, &d->network[n], &j);
    lm_json_end_array(&j);
    lm_json_key(&j, "seconds");
    lm_json_number(&j, d->seconds);
    lm_json_end_object(&j);
    return lm_str_char(&d->cmd->out, '\n');
}
