/* A page around a picture: moving, zooming, searching, with nothing from outside. */
#include <string.h>

#include "core/base/embedded.h"
#include "core/draw/sketch.h"
#include "core/draw/svg.h"

extern const lm_embedded draw_files[];

const char *draw_file(const char *name)
{
    const lm_embedded *e = draw_files;
    while (e->name && strcmp(e->name, name) != 0)
        e++;
    return e->name ? (const char *)e->data : "";
}

void draw_page_head(lm_str *out, const char *language, const char *title, const char *style)
{
    lm_str_printf(out,
                  "<!doctype html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\">"
                  "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                  "<meta name=\"color-scheme\" content=\"light dark\">\n"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';img-src data:;"
                  "style-src 'unsafe-inline';script-src 'unsafe-inline'\">\n<title>",
                  language);
    draw_text(out, title);
    lm_str_add(out, "</title>\n<style>\n");
    lm_str_add(out, draw_file(style));
    lm_str_add(out, "</style></head>\n<body>\n");
}

void draw_page_end(lm_str *out, const char *const *script)
{
    for (; *script; script++) {
        lm_str_add(out, "<script>\n");
        lm_str_add(out, draw_file(*script));
        lm_str_add(out, "</script>\n");
    }
    lm_str_add(out, "</body></html>\n");
}

lm_status lm_sketch_html(const lm_sketch *s, lm_str *out)
{
    draw_page_head(out, "en", s->title, "sketch.css");
    lm_str_add(out, "<header><h1>");
    draw_text(out, s->title);
    lm_str_add(out, "</h1><span id=\"hits\" role=\"status\"></span><input id=\"find\" type=\"search\" "
                    "aria-label=\"search layers\" placeholder=\"search layers (press /)\">"
                    "<button id=\"out\" title=\"smaller\" aria-label=\"smaller\">&#8722;</button>"
                    "<button id=\"in\" title=\"larger\" aria-label=\"larger\">+</button>"
                    "<button id=\"all\" title=\"show everything\">fit</button></header>\n"
                    "<div id=\"view\" tabindex=\"0\" role=\"group\" aria-label=\"graph; arrow keys move it\">");
    LM_TRY(lm_sketch_svg(s, out));
    lm_str_add(out, "</div><div id=\"about\" role=\"status\" hidden></div>\n");
    draw_page_end(out, (const char *const[]){"sketch.js", NULL});
    return out->status;
}
