/* Results on the page: maps, bars, tokens and curves are drawn from their numbers, as `state` says, and can be read one
 * by one. */
'use strict';

/* From the images that the page shows, or where it has none, from their numbers. */
const pictures = data.pictures.map((p, i) => {
  const image = document.getElementById('p' + i);
  const picture = {width: p.width, height: p.height, pixels: null};
  const canvas = element('canvas', {width: p.width, height: p.height});
  const context = canvas.getContext('2d', {willReadFrequently: true});
  picture.canvas = canvas;
  if (image) {
    const img = new Image();
    img.src = image.getAttribute('href');
    picture.ready = img.decode().then(() => {
      context.drawImage(img, 0, 0);
      picture.pixels = context.getImageData(0, 0, p.width, p.height).data;
    });
  } else {
    const planes = unpack(p.packed, p.code, p.width, 3 * p.height), n = p.width * p.height;
    const content = context.createImageData(p.width, p.height);
    for (let k = 0; k < n; k++)
      content.data.set([planes[k], planes[n + k], planes[2 * n + k], 255], 4 * k);
    context.putImageData(content, 0, 0);
    picture.pixels = content.data;
    picture.ready = Promise.resolve();
  }
  return picture;
});

/* Where the page holds no pictures of its own. */
function addGiven(one) {
  const picture = pictures[one.sample.picture.find(i => i !== null)];
  if (!picture || one.article.querySelector('.picture'))
    return;
  const canvas = copyOf(picture);
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', text.given);
  one.article.querySelector('.first').prepend(element('figure', {class: 'given'}, canvas,
    element('figcaption', {}, text.given)));
}
function copyOf(picture) {
  const canvas = element('canvas', {width: picture.width, height: picture.height});
  picture.ready.then(() => canvas.getContext('2d').drawImage(picture.canvas, 0, 0));
  return canvas;
}

/* Articles of the page with what is known of them; a view is one result in one of them. */
const samples = [...document.querySelectorAll('.sample')].map(article => {
  const model = +article.dataset.model, number = +article.dataset.sample;
  const sample = data.models[model].samples[number];
  const one = {article, model, number, sample, source: article.querySelector('h3').textContent};
  one.mask = once(() => {
    if (!sample.mask)
      return null;
    const bits = bytesOf(sample.mask.bits);
    return Object.assign({}, sample.mask, {at: i => bits[i >> 3] >> (7 - (i & 7)) & 1});
  });
  one.views = [...article.querySelectorAll('.result')].map(figure => {
    const result = sample.results[+figure.dataset.result];
    const view = {figure, result, of: one, plot: figure.querySelector('.plot'), cell: null};
    view.value = once(() => valuesOf(result));
    view.sizes = once(() => view.value().map(Math.abs).sort());
    view.picture = pictures[sample.picture[result.input]];
    return view;
  });
  return one;
});
const views = [].concat(...samples.map(one => one.views));

/* The size that so many per cent of all do not exceed, by rank; the largest where that is zero. */
function rangeOf(view) {
  const size = view.sizes(), n = size.length;
  if (!n)
    return 1;
  const rank = Math.max(0, Math.min(n - 1, Math.ceil(state.clip / 100 * n) - 1));
  return size[rank] || size[n - 1] || 1;
}

/* Pixels of the longer side, at least: of a map to look at, and of one among many. */
const SIDE = 288, SMALL = 128;
function resize(view) {
  const p = view.picture, w = Math.max(view.result.width, p ? p.width : 0);
  const h = Math.max(view.result.height, p ? p.height : 0);
  const zoom = Math.max(1, Math.ceil((main.classList.contains('many') ? SMALL : SIDE) / Math.max(w, h)));
  if (view.canvas.width !== w * zoom || view.canvas.height !== h * zoom)
    Object.assign(view.canvas, {width: w * zoom, height: h * zoom});
}
function prepare(view) {
  const label = view.figure.querySelector('h4').textContent + ', ' + view.figure.querySelector('.target').textContent +
    '. ' + view.figure.querySelector('.words').textContent;
  view.canvas = element('canvas', {
    tabindex: 0, role: 'img', 'aria-label': label, 'aria-describedby': 'inspect',
  });
  view.plot.replaceChildren(view.canvas, readoutOf(view, view.canvas));
  view.canvas.addEventListener('pointermove', e => {
    const box = view.canvas.getBoundingClientRect();
    point(view, Math.floor((e.clientX - box.left) / box.width * view.result.width),
      Math.floor((e.clientY - box.top) / box.height * view.result.height));
  });
  view.canvas.addEventListener('pointerleave', () => point(view, -1, -1));
  view.canvas.addEventListener('blur', () => point(view, -1, -1));
  view.canvas.addEventListener('keydown', e => {
    const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[e.key];
    if (!step)
      return;
    e.preventDefault();
    const {width: w, height: h} = view.result, at = view.cell || {x: w >> 1, y: h >> 1};
    const far = e.shiftKey ? 8 : 1, keep = (v, n) => Math.max(0, Math.min(n - 1, v));
    point(view, keep(at.x + far * step[0], w), keep(at.y + far * step[1], h));
  });
}
/* It is spoken only while what it tells of has the focus. */
function readoutOf(view, of) {
  view.readout = element('p', {class: 'readout'});
  of.addEventListener('focus', () => view.readout.setAttribute('aria-live', 'polite'));
  of.addEventListener('blur', () => view.readout.removeAttribute('aria-live'));
  return view.readout;
}
function point(view, x, y) {
  const {width, height} = view.result, inside = x >= 0 && y >= 0 && x < width && y < height;
  if (!inside && !view.cell)
    return;
  view.cell = inside ? {x, y} : null;
  drawMap(view);
}

/* For each of n pixels along an axis of `cells` numbers: the two it lies between and how near it is to the second. */
function along(n, cells) {
  const first = new Int32Array(n), second = new Int32Array(n), part = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const at = (i + 0.5) * cells / n;
    if (state.stretch === 'nearest') {
      first[i] = second[i] = Math.floor(at);
    } else {
      const left = Math.floor(at - 0.5);
      part[i] = at - 0.5 - left;
      first[i] = Math.max(0, left);
      second[i] = Math.min(cells - 1, left + 1);
    }
  }
  return {first, second, part};
}
function drawMap(view) {
  resize(view);
  const {width, height} = view.canvas, w = view.result.width, h = view.result.height, v = view.value();
  const context = view.canvas.getContext('2d'), content = context.createImageData(width, height), to = content.data;
  const range = rangeOf(view), palette = paletteOf(view), opacity = state.opacity / 100;
  const picture = state.under === 'hidden' || !view.picture || !view.picture.pixels ? null : view.picture;
  const columns = along(width, w), rows = along(height, h);
  for (let y = 0, k = 0; y < height; y++) {
    const up = rows.first[y] * w, down = rows.second[y] * w, low = rows.part[y];
    const under = picture ? Math.floor(y * picture.height / height) * picture.width : 0;
    for (let x = 0; x < width; x++, k += 4) {
      const l = columns.first[x], r = columns.second[x], right = columns.part[x];
      const value = (v[up + l] * (1 - right) + v[up + r] * right) * (1 - low) +
        (v[down + l] * (1 - right) + v[down + r] * right) * low;
      const t = shown(value, range), at = 3 * palette.index(t);
      let red = 255, green = 255, blue = 255, cover = opacity;
      if (picture) {
        const i = 4 * (under + Math.floor(x * picture.width / width)), p = picture.pixels;
        const grey = 70 + 0.65 * (0.299 * p[i] + 0.587 * p[i + 1] + 0.114 * p[i + 2]), plain = state.under === 'colour';
        red = plain ? p[i] : grey;
        green = plain ? p[i + 1] : grey;
        blue = plain ? p[i + 2] : grey;
        cover = coverOf(palette, t);
      }
      to[k] = red + cover * (palette.table[at] - red);
      to[k + 1] = green + cover * (palette.table[at + 1] - green);
      to[k + 2] = blue + cover * (palette.table[at + 2] - blue);
      to[k + 3] = 255;
    }
  }
  context.putImageData(content, 0, 0);
  if (state.truth && view.of.mask())
    outline(context, view.of.mask(), width, height);
  tell(view, context, range);
}
function outline(context, mask, width, height) {
  const sx = width / mask.width, sy = height / mask.height, path = new Path2D();
  const at = (x, y) => x >= 0 && y >= 0 && x < mask.width && y < mask.height && mask.at(y * mask.width + x);
  for (let y = 0; y <= mask.height; y++)
    for (let x = 0; x <= mask.width; x++) {
      if (at(x, y) !== at(x - 1, y)) {
        path.moveTo(x * sx, y * sy);
        path.lineTo(x * sx, (y + 1) * sy);
      }
      if (at(x, y) !== at(x, y - 1)) {
        path.moveTo(x * sx, y * sy);
        path.lineTo((x + 1) * sx, y * sy);
      }
    }
  for (const [style, size] of [['#fff', 4], ['#111', 1.5]]) {
    context.strokeStyle = style;
    context.lineWidth = size * width / SIDE;
    context.stroke(path);
  }
}
/* The number pointed at, with a frame around it, or else what the colours mean. */
function tell(view, context, range) {
  if (!view.cell) {
    view.readout.textContent = fill(text.range, short(range));
    return;
  }
  const {x, y} = view.cell, {width: w, height: h} = view.result;
  const sx = view.canvas.width / w, sy = view.canvas.height / h;
  view.readout.textContent = fill(text.at, x, y, short(view.value()[y * w + x]));
  for (const [style, size] of [['#fff', 3], ['#111', 1]]) {
    context.strokeStyle = style;
    context.lineWidth = size;
    context.strokeRect(x * sx - 1, y * sy - 1, sx + 2, sy + 2);
  }
}

/* The colour of a number, of what it stands on, and of both together. */
const colourOf = (palette, t) => [0, 1, 2].map(c => palette.table[3 * palette.index(t) + c]);
function named(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map(i => parseInt(hex.substr(i, 2), 16));
}
const mix = (under, over, cover) => under.map((v, c) => Math.round(v + cover * (over[c] - v)));
const css = colour => `rgb(${colour})`;

/* What t of the range looks like, by kind, with the controls as they are: results and the legend are drawn with it, but
 * for maps, whose legend lies over the middle of their greys. */
const MIDDLE = [152, 152, 152], WHITE = [255, 255, 255];
const coverOf = (palette, t) => state.opacity / 100 * (palette.dark ? Math.sqrt(Math.abs(t)) : Math.abs(t));
function lookOfMap(palette, t) {
  const colour = colourOf(palette, t);
  return state.under === 'hidden' ? mix(WHITE, colour, state.opacity / 100) : mix(MIDDLE, colour, coverOf(palette, t));
}
function lookOfBar(palette, t) {
  const usual = palette.signed || state.sign !== 'absolute' && !palette.positive;
  const name = !usual ? '--size' : t < 0 || state.sign === 'negative' ? '--against' : '--for';
  return mix(named('--card'), state.palette === 'auto' ? named(name) : colourOf(palette, t), state.opacity / 100);
}
/* The ends of palettes for sizes are too bright, or too dark, to read on, and of others too dark for the night. */
function lookOfGround(palette, t) {
  const card = named('--card'), strongest = !palette.signed ? 0.65 : card[1] < 128 ? 0.75 : 1;
  return mix(card, colourOf(palette, Math.sign(t) * strongest), Math.abs(t) * state.opacity / 100);
}
function drawColumns(view) {
  const v = view.value(), range = rangeOf(view), palette = paletteOf(view);
  const rows = [...view.plot.querySelectorAll('tbody tr')];
  const told = new Set(rows.map(row => row.dataset.at));
  const rest = v.reduce((sum, value, i) => told.has(String(i)) ? sum : sum + value, 0);
  let level = view.result.baseline || 0;
  const steps = rows.map(row => {
    const value = row.dataset.at === undefined ? rest : v[+row.dataset.at];
    const t = shown(value, range), from = level;
    level += value;
    return {row, value, t, from, to: level};
  });
  const ends = [].concat(...steps.map(s => [s.from, s.to])), low = Math.min(...ends);
  const span = Math.max(...ends) - low || 1, sizes = view.result.positive;
  const falls = state.waterfall && !sizes; /* sizes do not add up to anything */
  view.plot.classList.toggle('flow', falls);
  for (const s of steps) {
    const bar = s.row.querySelector('i'), place = v => 100 * (v - low) / span;
    s.row.hidden = state.sign === 'positive' && s.value < 0 || state.sign === 'negative' && s.value > 0;
    const room = sizes ? 100 : 50, zero = sizes ? 0 : 50;
    bar.style.left = (falls ? place(Math.min(s.from, s.to)) : s.t < 0 ? zero + room * s.t : zero) + '%';
    bar.style.width = (falls ? 100 * Math.abs(s.value) / span : room * Math.abs(s.t)) + '%';
    bar.style.background = css(lookOfBar(palette, s.t));
    join(bar.parentNode, falls ? [place(s.from), place(s.to)] : []);
  }
}
/* Lines from the row above to the beginning of a bar, and from its end to the row below. */
function join(cell, places) {
  cell.querySelectorAll('b').forEach(line => line.remove());
  places.forEach((at, i) => {
    const line = element('b', {class: i ? 'after' : 'before'});
    line.style.left = at + '%';
    cell.append(line);
  });
}
function drawTokens(view) {
  const v = view.value(), range = rangeOf(view), palette = paletteOf(view);
  [...view.plot.querySelectorAll('.token')].forEach((token, i) => {
    const mixed = lookOfGround(palette, shown(v[i], range));
    token.style.background = css(mixed);
    token.style.color = 0.299 * mixed[0] + 0.587 * mixed[1] + 0.114 * mixed[2] > 140 ? '#14181d' : '#f4f6f8';
  });
}
function drawSeries(view) {
  const v = view.value(), palette = paletteOf(view), rects = [...view.plot.querySelectorAll('rect')], n = rects.length;
  const means = rects.map((r, k) => {
    const from = Math.floor(k * v.length / n), to = Math.floor((k + 1) * v.length / n);
    return v.slice(from, to).reduce((sum, x) => sum + x, 0) / (to - from);
  });
  const sizes = means.map(Math.abs).sort((a, b) => a - b);
  const range = sizes[Math.max(0, Math.ceil(state.clip / 100 * n) - 1)] || sizes[n - 1] || 1;
  rects.forEach((rect, k) => {
    rect.style.fill = css(lookOfGround(palette, shown(means[k], range)));
  });
}
function prepareSeries(view) {
  const svg = view.plot.querySelector('svg');
  view.plot.append(readoutOf(view, svg));
  svg.setAttribute('tabindex', 0);
  let at = 0;
  const read = i => {
    at = Math.max(0, Math.min(view.value().length - 1, i));
    view.readout.textContent = fill(text.step, at, short(view.value()[at]));
  };
  svg.addEventListener('pointermove', e => {
    const box = svg.getBoundingClientRect();
    read(Math.floor((e.clientX - box.left) / box.width * view.value().length));
  });
  svg.addEventListener('keydown', e => {
    const step = {ArrowLeft: -1, ArrowRight: 1}[e.key];
    if (step) {
      e.preventDefault();
      read(at + step * (e.shiftKey ? 8 : 1));
    }
  });
}
/* What is to be done once for a result of each kind, and whenever a control moves. */
const kinds = {
  picture: {prepare, draw: drawMap, look: lookOfMap}, columns: {draw: drawColumns, look: lookOfBar},
  tokens: {draw: drawTokens, look: lookOfGround},
  series: {prepare: prepareSeries, draw: drawSeries, look: lookOfGround},
};

function csvOf(view) {
  const {width, height} = view.result, v = view.value(), lines = [];
  for (let y = 0; y < height; y++)
    lines.push([...v.slice(y * width, (y + 1) * width)].map(x => +x.toPrecision(7)).join(','));
  return lines.join('\n') + '\n';
}
function save(view) {
  const {method, target} = view.result, name = [method, target, view.of.source].join('-').replace(/[^\w.+-]+/g, '_');
  const blob = new Blob([csvOf(view)], {type: 'text/csv'});
  const link = element('a', {href: URL.createObjectURL(blob), download: name + '.csv'});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
/* The cells of the grid that words speak of. */
function regions(view) {
  const {width: w, height: h, regions: given, positive} = view.result, across = Math.min(7, w), down = Math.min(7, h);
  const tenths = unpack(given.packed, given.code, across, down), body = element('tbody');
  const most = Math.max(...tenths.map(Math.abs)) || 1;
  for (let y = 0; y < down; y++) {
    const row = element('tr');
    for (let x = 0; x < across; x++) {
      const tenth = tenths[y * across + x], share = Math.abs(tenth) / 10, against = tenth < 0 && !positive;
      const cell = element('td', {}, (against ? '−' : '') + share.toFixed(share < 9.95 ? 1 : 0));
      cell.style.background = `rgba(${against ? '47,98,181' : '184,53,44'},${(6 * share / most).toFixed(3)})`;
      row.append(cell);
    }
    body.append(row);
  }
  return element('table', {class: 'regions'}, element('caption', {}, text.regions), body);
}
function addNumbers(view) {
  const box = element('details', {class: 'numbers'}, element('summary', {}, text.numbers));
  box.addEventListener('toggle', once(() => {
    const table = view.of.article.querySelector('.trust table'), list = element('dl');
    const heads = table ? [...table.querySelectorAll('thead th')] : [];
    const row = table && table.querySelector(`tr[data-result="${view.figure.dataset.result}"]`);
    heads.forEach((head, i) => {
      if (row.cells[i].textContent)
        list.append(element('dt', {}, head.textContent), element('dd', {}, row.cells[i].textContent));
    });
    if (row && row.cells[0].title)
      list.append(element('dt', {}, 'set'), element('dd', {}, row.cells[0].title));
    const button = element('button', {type: 'button'}, text.download);
    button.addEventListener('click', () => save(view));
    box.append(list);
    if (view.result.regions)
      box.append(regions(view));
    if (view.value().length)
      box.append(button);
  }));
  view.figure.append(box);
}
