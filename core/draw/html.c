/* A page around a picture: moving, zooming, searching, with nothing from outside. */
#include "core/draw/sketch.h"
#include "core/draw/svg.h"

static const char style[] =
    "html,body{margin:0;height:100%;overflow:hidden;font:14px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;color:#1d2733}\n"
    "header{position:fixed;top:0;left:0;right:0;height:44px;display:flex;gap:10px;align-items:center;padding:0 14px;"
    "background:#fff;border-bottom:1px solid #d5dce3;z-index:1}\n"
    "h1{font-size:15px;margin:0;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;flex:1}\n"
    "input{width:220px;padding:5px 8px;border:1px solid #b6c0ca;border-radius:5px;font:inherit}\n"
    "button{padding:4px 10px;border:1px solid #b6c0ca;border-radius:5px;background:#f4f6f8;font:inherit;cursor:pointer}\n"
    "#hits{min-width:64px;color:#64748b}\n"
    "#view{position:fixed;top:45px;left:0;right:0;bottom:0;overflow:hidden;cursor:grab;background:#fff;touch-action:none}\n"
    "#view svg{position:absolute;transform-origin:0 0}\n"
    "#about{position:fixed;right:14px;bottom:14px;max-width:420px;padding:10px 14px;background:#fff;border:1px solid #b6c0ca;"
    "border-radius:7px;box-shadow:0 3px 12px #0002;white-space:pre-line;overflow-wrap:anywhere;display:none}\n"
    ".n{cursor:pointer}.dim .n:not(.hit){opacity:.25}.n.now rect{stroke:#c2410c;stroke-width:3}\n";

static const char script[] =
    "const view=document.getElementById('view'),svg=view.querySelector('svg'),box=document.getElementById('find'),\n"
    "      about=document.getElementById('about'),hits=document.getElementById('hits'),nodes=[...svg.querySelectorAll('.n title')]\n"
    "      .map(t=>({el:t.parentNode,text:t.textContent}));\n"
    "const W=svg.viewBox.baseVal.width,H=svg.viewBox.baseVal.height;let k=1,x=0,y=0,drag=null,found=[],at=0;\n"
    "function put(){svg.style.transform=`translate(${x}px,${y}px) scale(${k})`}\n"
    "function fit(all){const w=view.clientWidth,h=view.clientHeight;k=all?Math.min(w/W,h/H,1.5):Math.min(w/W,1);\n"
    "  x=(w-W*k)/2;y=all?(h-H*k)/2:0;put()}\n"
    "function zoom(f,cx,cy){const to=Math.min(8,Math.max(.02,k*f));x=cx-(cx-x)*to/k;y=cy-(cy-y)*to/k;k=to;put()}\n"
    "function middle(f){zoom(f,view.clientWidth/2,view.clientHeight/2)}\n"
    "function tell(n){nodes.forEach(m=>m.el.classList.toggle('now',m===n));about.style.display=n?'block':'none';\n"
    "  if(n)about.textContent=n.text}\n"
    "function go(n){const b=n.el.getBBox();k=Math.max(k,.8);x=view.clientWidth/2-(b.x+b.width/2)*k;\n"
    "  y=view.clientHeight/2-(b.y+b.height/2)*k;put();tell(n)}\n"
    "view.addEventListener('wheel',e=>{e.preventDefault();const r=view.getBoundingClientRect();\n"
    "  if(e.ctrlKey||e.metaKey||!e.shiftKey&&Math.abs(e.deltaY)>=Math.abs(e.deltaX))\n"
    "    zoom(Math.exp(-e.deltaY*(e.deltaMode?.05:.0016)),e.clientX-r.left,e.clientY-r.top);\n"
    "  else{x-=e.deltaX+(e.shiftKey?e.deltaY:0);put()}},{passive:false});\n"
    "view.addEventListener('pointerdown',e=>{drag={x:e.clientX-x,y:e.clientY-y,sx:e.clientX,sy:e.clientY,t:e.target}});\n"
    "addEventListener('pointermove',e=>{if(drag){x=e.clientX-drag.x;y=e.clientY-drag.y;put()}});\n"
    "addEventListener('pointerup',e=>{if(drag&&Math.abs(e.clientX-drag.sx)+Math.abs(e.clientY-drag.sy)<4){\n"
    "  const g=drag.t.closest&&drag.t.closest('.n');tell(nodes.find(n=>n.el===g)||null)}drag=null});\n"
    "box.addEventListener('input',()=>{const q=box.value.trim().toLowerCase();svg.classList.toggle('dim',!!q);\n"
    "  found=q?nodes.filter(n=>n.text.toLowerCase().includes(q)):[];nodes.forEach(n=>n.el.classList.toggle('hit',found.includes(n)));\n"
    "  hits.textContent=q?found.length+' found':'';at=0;if(found.length)go(found[0]);else tell(null)});\n"
    "box.addEventListener('keydown',e=>{if(e.key==='Enter'&&found.length){at=(at+(e.shiftKey?found.length-1:1))%found.length;\n"
    "  hits.textContent=(at+1)+' of '+found.length;go(found[at])}if(e.key==='Escape'){box.value='';box.dispatchEvent(new Event('input'));\n"
    "  box.blur()}});\n"
    "addEventListener('keydown',e=>{if(e.target===box)return;if(e.key==='/'){e.preventDefault();box.focus()}\n"
    "  if(e.key==='+')middle(1.25);if(e.key==='-')middle(.8);if(e.key==='0')fit(true)});\n"
    "document.getElementById('in').onclick=()=>middle(1.25);document.getElementById('out').onclick=()=>middle(.8);\n"
    "document.getElementById('all').onclick=()=>fit(true);fit(false);\n";

lm_status lm_sketch_html(const lm_sketch *s, lm_str *out)
{
    lm_str_add(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    draw_text(out, s->title);
    lm_str_printf(out, "</title>\n<style>\n%s</style></head>\n<body><header><h1>", style);
    draw_text(out, s->title);
    lm_str_add(out, "</h1><span id=\"hits\"></span><input id=\"find\" type=\"search\" placeholder=\"search layers (press /)\">"
                    "<button id=\"out\" title=\"smaller\">&#8722;</button><button id=\"in\" title=\"larger\">+</button>"
                    "<button id=\"all\" title=\"show everything\">fit</button></header>\n<div id=\"view\">");
    LM_TRY(lm_sketch_svg(s, out));
    return lm_str_printf(out, "</div><div id=\"about\"></div>\n<script>\n%s</script></body></html>\n", script);
}
