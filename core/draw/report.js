/* The controls of the page, and drawing what they choose. */
'use strict';

function chosen(view) {
  return !state.off.has(view.result.method) && (state.target === 'all' || state.target === view.result.target);
}
function show() {
  const visible = samples.filter(one => (state.model === 'all' || +state.model === one.model) &&
    (state.sample === 'all' || +state.sample === one.number));
  for (const one of samples)
    one.article.hidden = !visible.includes(one);
  document.querySelectorAll('.model').forEach(section => {
    section.hidden = !(state.model === 'all' || state.model === section.dataset.model);
  });
  main.classList.toggle('many', state.sample === 'all' && data.models.some(m => m.samples.length > 1));
  const drawn = [];
  for (const one of visible)
    for (const view of one.views) {
      view.figure.hidden = !chosen(view);
      const kind = kinds[view.result.about];
      if (view.figure.hidden || !kind || !view.value().length)
        continue;
      if (!view.ready) {
        view.ready = true;
        if (kind.prepare)
          kind.prepare(view);
      }
      kind.draw(view);
      drawn.push(view);
    }
  legend(drawn);
}
/* Once for everything that changes before the next picture on the screen. */
let due = false;
function refresh() {
  if (due)
    return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    show();
  });
}

/* What the colours of these results mean: a bar for each way in which some of them are drawn. */
const legends = element('div', {class: 'legends', 'aria-hidden': 'true'}), STOPS = 32;
function legend(shownViews) {
  const bars = new Map();
  for (const view of shownViews) {
    const palette = paletteOf(view), look = kinds[view.result.about].look, stops = [];
    for (let i = 0; i < STOPS; i++) {
      const t = i / (STOPS - 1);
      stops.push(css(look(palette, palette.signed ? 2 * t - 1 : t)));
    }
    const sides = view.result.neutral ? [text.below, text.above] : [text.contra, text.pro];
    const ends = palette.signed ? sides : [text.little, text.much];
    const bar = element('i');
    bar.style.background = `linear-gradient(90deg,${stops.join(',')})`;
    bars.set(ends + stops.join(), element('div', {class: 'legend'}, element('span', {}, ends[0]), bar,
      element('span', {}, ends[1])));
  }
  legends.replaceChildren(...bars.values());
}
function field(label, control, ...more) {
  return element('label', {}, element('span', {}, label), control, ...more);
}
function choice(name, label, options) {
  const select = element('select', {id: 'set-' + name});
  for (const [value, title] of options)
    select.append(element('option', {value}, title));
  select.value = state[name];
  select.addEventListener('change', () => {
    state[name] = select.value;
    refresh();
  });
  return field(label, select);
}
function slider(name, label, least, most, step) {
  const input = element('input', {type: 'range', id: 'set-' + name, min: least, max: most, step, value: state[name]});
  const told = element('output', {for: 'set-' + name}, state[name] + ' %');
  input.addEventListener('input', () => {
    state[name] = +input.value;
    told.textContent = input.value + ' %';
    refresh();
  });
  return field(label, element('span', {class: 'row'}, input, told));
}
function tick(name, label) {
  const input = element('input', {type: 'checkbox', id: 'set-' + name});
  input.addEventListener('change', () => {
    state[name] = input.checked;
    refresh();
  });
  return element('div', {class: 'chips'}, element('label', {}, input, label));
}
function methodChips(methods) {
  const chips = element('div', {class: 'chips'});
  for (const method of methods) {
    const input = element('input', {type: 'checkbox', name: 'method', value: method, checked: true});
    input.addEventListener('change', () => {
      state.off[input.checked ? 'delete' : 'add'](method);
      refresh();
    });
    chips.append(element('label', {}, input, method));
  }
  return element('fieldset', {class: 'wide'}, element('legend', {}, text.methods), chips);
}
/* Samples as small pictures to choose from; of many only their names. */
const FACES = 30;
function sampleThumbs() {
  const faces = element('div', {class: 'thumbs'}), first = samples.filter(one => one.model === 0);
  const add = (value, face, name) => {
    const input = element('input', {type: 'radio', name: 'sample', value, checked: value === state.sample});
    input.addEventListener('change', () => {
      state.sample = value;
      refresh();
    });
    const label = element('span', {class: 'face'}, face);
    faces.append(element('label', {}, input, label, element('span', {class: 'name'}, name)));
  };
  for (const one of first) {
    const picture = pictures[one.sample.picture.find(i => i !== null)];
    const svg = one.article.querySelector('.picture');
    const face = svg ? svg.cloneNode(true) : picture ? copyOf(picture) : element('b', {}, String(one.number + 1));
    face.setAttribute('aria-hidden', 'true');
    add(String(one.number), face, one.source.split('/').pop());
  }
  add('all', '⊞', text.all);
  return element('fieldset', {class: 'wide'}, element('legend', {}, text.sample), faces);
}
function addControls() {
  const panel = element('div', {class: 'panel'}), all = key => [...new Set(views.map(view => view.result[key]))];
  const methods = all('method'), targets = all('target');
  const has = about => views.some(view => view.result.about === about);
  if (!views.length)
    return;
  if (data.models.length > 1)
    panel.append(choice('model', text.model, [...data.models.map((m, i) => [String(i), m.name]), ['all', text.all]]));
  if (targets.length > 1)
    panel.append(choice('target', text.target, [['all', text.anyTarget], ...targets.map(t => [t, t])]));
  panel.append(choice('sign', text.sign, ['signed', 'positive', 'negative', 'absolute'].map(s => [s, text[s]])),
    choice('palette', text.colours, [['auto', text.auto], ['signed', text.paletteSigned], ['heat', text.paletteHeat],
      ['ink', text.paletteInk]]),
    slider('opacity', text.opacity, 0, 100, 5), slider('clip', text.clip, 80, 100, 0.5));
  if (has('picture'))
    panel.append(choice('stretch', text.stretch, [['nearest', text.nearest], ['bilinear', text.bilinear]]),
      choice('under', text.under, [['grey', text.grey], ['colour', text.colour], ['hidden', text.hidden]]));
  if (samples.some(one => one.sample.mask))
    panel.append(tick('truth', fill(text.truth, data.truth)));
  if (has('columns'))
    panel.append(tick('waterfall', text.waterfall));
  panel.append(legends);
  const reset = element('button', {type: 'button', id: 'reset'}, text.reset);
  reset.addEventListener('click', () => {
    Object.assign(state, usual);
    state.off.clear();
    document.getElementById('live').replaceChildren();
    addControls();
    refresh();
  });
  panel.append(reset);
  const most = Math.max(...data.models.map(m => m.samples.length));
  if (most > FACES)
    panel.append(choice('sample', text.sample, [...samples.filter(one => one.model === 0).map(one =>
      [String(one.number), one.source]), ['all', text.all]]));
  else if (most > 1)
    panel.append(sampleThumbs());
  if (methods.length > 1)
    panel.append(methodChips(methods));
  const wide = matchMedia('(min-width: 700px)').matches;
  document.getElementById('live').append(element('details', {class: 'controls', open: wide},
    element('summary', {}, text.controls), panel));
}
function addCopy() {
  const pre = document.querySelector('#again pre');
  if (!pre || !navigator.clipboard)
    return;
  const button = element('button', {type: 'button', class: 'copy'}, text.copy);
  button.addEventListener('click', () => navigator.clipboard.writeText(pre.textContent).then(() => {
    button.textContent = text.copied;
  }));
  pre.after(button);
}

/* On paper nothing can be opened. */
let opened = [];
addEventListener('beforeprint', () => {
  opened = [...document.querySelectorAll('.trust:not([open]),.controls:not([open])')];
  opened.forEach(box => { box.open = true; });
});
addEventListener('afterprint', () => opened.forEach(box => { box.open = false; }));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', refresh);

/* A link may name a sample: report.html#sample-3. */
function follow() {
  const wanted = /^#sample-(\d+)$/.exec(location.hash);
  const one = wanted && samples.find(each => each.number + 1 === +wanted[1]);
  if (!one)
    return;
  state.sample = String(one.number);
  document.getElementById('live').replaceChildren();
  addControls();
  show();
  one.article.scrollIntoView();
}
addEventListener('hashchange', follow);

main.append(element('p', {id: 'inspect', class: 'aside'}, text.inspect));
pictures.forEach(picture => picture.ready.then(refresh));
samples.forEach(addGiven);
views.forEach(addNumbers);
addControls();
addCopy();
show();
follow();
document.documentElement.dataset.ready = 'yes';
