/* Moving, zooming and searching in the picture of a graph. */
'use strict';
(() => {
const find = id => document.getElementById(id);
const view = find('view'), svg = view.querySelector('svg');
const box = find('find'), about = find('about'), hits = find('hits');
const nodes = [...svg.querySelectorAll('.n title')].map(t => ({el: t.parentNode, text: t.textContent}));
const {width, height} = svg.viewBox.baseVal, LEAST = 0.02, MOST = 8;
let scale = 1, x = 0, y = 0, drag = null, found = [], at = 0;

function put() {
  svg.style.transform = `translate(${x}px,${y}px) scale(${scale})`;
}
/* All of it, or its full width. */
function fit(all) {
  const w = view.clientWidth, h = view.clientHeight;
  scale = all ? Math.min(w / width, h / height, 1.5) : Math.min(w / width, 1);
  x = (w - width * scale) / 2;
  y = all ? (h - height * scale) / 2 : 0;
  put();
}
/* What is under (cx, cy) stays there. */
function zoom(factor, cx, cy) {
  const to = Math.min(MOST, Math.max(LEAST, scale * factor));
  x = cx - (cx - x) * to / scale;
  y = cy - (cy - y) * to / scale;
  scale = to;
  put();
}
function middle(factor) {
  zoom(factor, view.clientWidth / 2, view.clientHeight / 2);
}
function move(dx, dy) {
  x += dx;
  y += dy;
  put();
}
function tell(node) {
  nodes.forEach(other => other.el.classList.toggle('now', other === node));
  about.hidden = !node;
  about.textContent = node ? node.text : '';
}
function go(node) {
  const b = node.el.getBBox();
  scale = Math.max(scale, 0.8);
  x = view.clientWidth / 2 - (b.x + b.width / 2) * scale;
  y = view.clientHeight / 2 - (b.y + b.height / 2) * scale;
  put();
  tell(node);
}
function search() {
  const wanted = box.value.trim().toLowerCase();
  svg.classList.toggle('dim', wanted !== '');
  found = wanted ? nodes.filter(node => node.text.toLowerCase().includes(wanted)) : [];
  nodes.forEach(node => node.el.classList.toggle('hit', found.includes(node)));
  hits.textContent = wanted ? found.length + ' found' : '';
  at = 0;
  if (found.length)
    go(found[0]);
  else
    tell(null);
}

view.addEventListener('wheel', e => {
  e.preventDefault();
  const r = view.getBoundingClientRect();
  if (e.ctrlKey || e.metaKey || !e.shiftKey && Math.abs(e.deltaY) >= Math.abs(e.deltaX))
    zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0016)), e.clientX - r.left, e.clientY - r.top);
  else
    move(-e.deltaX - (e.shiftKey ? e.deltaY : 0), 0);
}, {passive: false});
view.addEventListener('pointerdown', e => {
  drag = {x: e.clientX - x, y: e.clientY - y, fromX: e.clientX, fromY: e.clientY, on: e.target};
});
addEventListener('pointermove', e => {
  if (!drag)
    return;
  x = e.clientX - drag.x;
  y = e.clientY - drag.y;
  put();
});
addEventListener('pointerup', e => {
  if (drag && Math.abs(e.clientX - drag.fromX) + Math.abs(e.clientY - drag.fromY) < 4) {
    const el = drag.on.closest && drag.on.closest('.n');
    tell(nodes.find(node => node.el === el) || null);
  }
  drag = null;
});
box.addEventListener('input', search);
box.addEventListener('keydown', e => {
  if (e.key === 'Enter' && found.length) {
    at = (at + (e.shiftKey ? found.length - 1 : 1)) % found.length;
    hits.textContent = at + 1 + ' of ' + found.length;
    go(found[at]);
  }
  if (e.key === 'Escape') {
    box.value = '';
    search();
    box.blur();
  }
});
const STEP = 60;
const keys = {
  '+': () => middle(1.25), '-': () => middle(0.8), 0: () => fit(true), ArrowLeft: () => move(STEP, 0),
  ArrowRight: () => move(-STEP, 0), ArrowUp: () => move(0, STEP), ArrowDown: () => move(0, -STEP),
};
addEventListener('keydown', e => {
  if (e.target === box || e.ctrlKey || e.metaKey || e.altKey)
    return;
  if (e.key === '/') {
    e.preventDefault();
    box.focus();
  } else if (keys[e.key]) {
    keys[e.key]();
  }
});
find('in').addEventListener('click', () => middle(1.25));
find('out').addEventListener('click', () => middle(0.8));
find('all').addEventListener('click', () => fit(true));
fit(false);
document.documentElement.dataset.ready = 'yes';
})();
