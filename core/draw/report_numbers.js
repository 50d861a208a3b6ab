/* What the page was written with, read again: numbers, colours, and what the controls are set to. The scripts of the
 * page share one scope; this is the first of them. */
'use strict';

const data = JSON.parse(document.getElementById('numbers').textContent);
const text = data.text, main = document.getElementById('main');
/* What the controls are set to, and in the beginning; methods are listed that are switched off. */
const usual = {
  model: data.models.length > 2 ? '0' : 'all', sample: String(data.first), target: 'all',
  sign: 'signed', palette: 'auto', opacity: 90, clip: 99.5, stretch: 'nearest', under: 'grey', truth: false,
  waterfall: false,
};
const state = Object.assign({off: new Set()}, usual);

const fill = (template, ...gaps) => template.replace(/\{(\d)\}/g, (whole, i) => gaps[i]);
/* A number in four digits, as the rest of the page has them: 0.0001, -12346, 1.5e-5. */
function short(v) {
  const size = Math.abs(v);
  if (!Number.isFinite(v))
    return '';
  if (size && (size < 1e-4 || size >= 1e9))
    return v.toExponential(3).replace(/\.?0*e\+?/, 'e');
  return size >= 1e4 ? String(Math.round(v)) : String(+v.toPrecision(4));
}
const once = make => { let done = false, kept; return () => done ? kept : (done = true, kept = make()); };
function element(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {}))
    if (value !== undefined && value !== false)
      e.setAttribute(key, value === true ? '' : value);
  e.append(...children.filter(child => child !== undefined));
  return e;
}

/* How maps are written: see report_code.h. */
const POSITIVE = 1, CHANGE = 2, LONGEST = 24, WIDEST = 31, FORGET = 64;
function bytesOf(base64) {
  const s = atob(base64), out = new Uint8Array(s.length);
  for (let i = 0; i < s.length; i++)
    out[i] = s.charCodeAt(i);
  return out;
}
function expected(v, i, width) {
  const x = i % width, left = x ? v[i - 1] : 0, up = i >= width ? v[i - width] : 0;
  if (!x || i < width)
    return left + up;
  const plane = left + up - v[i - width - 1];
  return Math.max(Math.min(left, up), Math.min(plane, Math.max(left, up)));
}
function unpack(packed, code, width, height) {
  const bytes = bytesOf(packed), out = new Int32Array(width * height);
  let at = 0, sum = 4, count = 1;
  const bit = () => { const b = bytes[at >> 3] >> (7 - (at & 7)) & 1; at++; return b; };
  const bits = n => { let v = 0; while (n--) v = 2 * v + bit(); return v; };
  for (let i = 0; i < out.length; i++) {
    let k = 0, ones = 0;
    while (k < WIDEST && count * 2 ** k < sum)
      k++;
    while (ones < LONGEST && bit())
      ones++;
    const u = ones < LONGEST ? ones * 2 ** k + bits(k) : bits(32);
    sum += u;
    if (++count === FORGET) {
      sum = Math.floor(sum / 2);
      count = FORGET / 2;
    }
    out[i] = code === POSITIVE ? u : u % 2 ? -(u + 1) / 2 : u / 2;
    if (code === CHANGE)
      out[i] += expected(out, i, width);
  }
  return out;
}
function valuesOf(result) {
  if (result.value)
    return Float64Array.from(result.value, v => v === null ? 0 : v);
  if (!result.packed)
    return new Float64Array(0);
  return Float64Array.from(unpack(result.packed, result.code, result.width, result.height), q => q * result.unit);
}

/* Palettes as FINE + 1 colours, from those given at greater distances. */
const FINE = 512;
const palettes = {};
for (const [name, hex] of Object.entries(data.palette)) {
  const n = hex.length / 6, colour = (i, c) => parseInt(hex.substr(6 * i + 2 * c, 2), 16);
  const table = new Uint8ClampedArray(3 * (FINE + 1));
  for (let i = 0; i <= FINE; i++) {
    const at = i / FINE * (n - 1), from = Math.min(Math.floor(at), n - 2), part = at - from;
    for (let c = 0; c < 3; c++)
      table[3 * i + c] = colour(from, c) * (1 - part) + colour(from + 1, c) * part;
  }
  palettes[name] = table;
}

/* What a number is shown as: from -1 or 0 to 1 of the range; NaN: not at all. */
function shown(v, range) {
  const t = Math.max(-1, Math.min(1, v / range));
  switch (state.sign) {
  case 'positive': return t > 0 ? t : 0;
  case 'negative': return t < 0 ? -t : 0;
  case 'absolute': return Math.abs(t);
  }
  return t;
}
function paletteOf(view) {
  const signed = state.sign === 'signed' && !view.result.positive;
  const name = state.palette === 'auto' ? (signed ? 'signed' : 'heat') : state.palette;
  /* a palette for both signs is cut in the middle for sizes; one for sizes is stretched over both signs */
  const offset = name === 'signed' || signed ? 0.5 : 0;
  const index = t => Math.round(FINE * (offset + t * (1 - offset)));
  return {table: palettes[name], signed, positive: view.result.positive, index, dark: name !== 'heat'};
}
