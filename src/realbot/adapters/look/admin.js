const { word, language, texts } = JSON.parse(document.getElementById('told').textContent);
const byId = id => document.getElementById(id);
const body = id => document.querySelector(`#${id} > div`);
const SVG = 'http://www.w3.org/2000/svg';
// Width of a chart in its own units, its height, and where the curve begins.
const WIDE = 320, HIGH = 116, LEFT = 36, TOP = 6, BASE = 94;

// Everything is text here: nothing that comes over the line is taken for markup.
function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== '') node.setAttribute(name, value);
  }
  node.append(...children.filter(child => child !== '' && child != null));
  return node;
}

function draw(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function bar(share) {
  const inside = make('i');
  inside.style.width = `${Math.round(share * 1000) / 10}%`;
  return make('div', { class: 'bar' }, inside);
}

const clock = at => new Date(at * 1000).toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' });

function toast(text) {
  const note = make('div', { class: 'toast', role: 'status' }, text);
  for (const old of document.querySelectorAll('.toast')) old.remove();
  document.body.append(note);
  setTimeout(() => note.remove(), 6000);
}

function ask(question) {
  const dialog = byId('ask');
  dialog.querySelector('p').textContent = question;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise(done => dialog.addEventListener('close', () => done(dialog.returnValue === 'yes'), { once: true }));
}

async function act(button) {
  const { do: deed, ask: question, engine } = button.dataset;
  if (question && !await ask(texts[question])) return;
  button.disabled = true;
  try {
    const path = deed === 'logout' ? 'admin/logout' : `admin/do/${deed}?${new URLSearchParams(engine ? { engine } : {})}`;
    const answer = await fetch(path, { method: 'POST', headers: { 'x-realbot': word } });
    if (deed === 'logout' || answer.status === 403) { location.reload(); return; }
    toast(await answer.text());
  } catch { toast(texts.offline); }
  button.disabled = false;
}

function chart(data) {
  const points = data.points.filter(point => point[1] !== null);
  const card = make('div', { class: 'chart', role: 'img', 'aria-label': `${data.title}: ${data.latest}` },
    make('h3', {}, data.title), make('b', {}, data.latest));
  if (data.points.length < 2) { card.append(make('p', { class: 'none' }, texts.gathering)); return card; }
  const svg = draw('svg', { viewBox: `0 0 ${WIDE} ${HIGH}` });
  const first = data.points[0][0], last = data.points.at(-1)[0], span = Math.max(last - first, 1);
  const x = at => LEFT + (at - first) / span * (WIDE - LEFT - 4);
  const y = value => BASE - value / data.top * (BASE - TOP);
  card.append(svg);
  [0, .5, 1].forEach((share, index) => {
    const height = TOP + share * (BASE - TOP);
    svg.append(draw('line', { class: 'grid', x1: LEFT, x2: WIDE, y1: height, y2: height }),
      draw('text', { x: LEFT - 6, y: height + 3.5, 'text-anchor': 'end' }, data.marks[index]));
  });
  svg.append(draw('text', { x: LEFT, y: HIGH - 6 }, clock(first)),
    draw('text', { x: (LEFT + WIDE) / 2, y: HIGH - 6, 'text-anchor': 'middle' }, span > 600 ? clock((first + last) / 2) : ''),
    draw('text', { x: WIDE, y: HIGH - 6, 'text-anchor': 'end' }, texts.now));
  if (points.length) {
    const path = points.map(([at, value], index) => `${index ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join('');
    const end = points.at(-1);
    svg.append(draw('path', { class: 'area', d: `${path}L${x(end[0]).toFixed(1)} ${BASE}L${x(points[0][0]).toFixed(1)} ${BASE}Z` }),
      draw('path', { class: 'curve', d: path }), draw('circle', { class: 'end', cx: x(end[0]), cy: y(end[1]), r: 4 }));
    const rule = draw('line', { class: 'rule', y1: TOP, y2: BASE, visibility: 'hidden' });
    const tip = make('span', { class: 'tip', hidden: true });
    svg.append(rule);
    card.append(tip);
    svg.addEventListener('pointermove', event => {
      const box = svg.getBoundingClientRect(), at = (event.clientX - box.left) / box.width * WIDE;
      const near = points.reduce((best, point) => Math.abs(x(point[0]) - at) < Math.abs(x(best[0]) - at) ? point : best);
      rule.setAttribute('x1', x(near[0])); rule.setAttribute('x2', x(near[0])); rule.setAttribute('visibility', 'visible');
      tip.textContent = `${clock(near[0])} · ${near[2]}`;
      tip.hidden = false;
    });
    svg.addEventListener('pointerleave', () => { rule.setAttribute('visibility', 'hidden'); tip.hidden = true; });
  }
  return card;
}

const show = {
  state: ({ name, says, paused }) => {
    const kind = paused && name === 'well' ? 'paused' : name;
    byId('state').className = kind;
    byId('state').replaceChildren(make('span', { class: 'dot' }), says);
    document.querySelector('[data-do=pause]').hidden = paused;
    document.querySelector('[data-do=resume]').hidden = !paused;
  },
  numbers: numbers => { for (const [name, text] of Object.entries(numbers)) byId(`n-${name}`).textContent = text; },
  charts: charts => byId('charts').replaceChildren(...charts.map(chart)),
  engines: engines => body('engines').replaceChildren(...engines.map(one => make('div', { class: `engine ${one.state}` },
    make('div', { class: 'top' }, make('span', { class: 'dot' }), make('b', {}, one.name), make('span', {}, one.says),
      make('button', { type: 'button', 'data-do': 'restart', 'data-ask': 'really_restart', 'data-engine': one.name }, texts.restart)),
    make('p', {}, [...one.about, one.step].filter(Boolean).join(' · ')), one.share ? bar(one.share) : ''))),
  line: ({ rows, more }) => {
    const table = make('table', {}, make('tbody', {}, ...rows.map(row => make('tr', {},
      make('td', { class: 'tight soft' }, row.position || '▸'), make('td', {}, row.what, row.share ? bar(row.share) : ''),
      make('td', { class: 'soft right tight' }, row.age), make('td', { class: 'right tight' }, row.due)))));
    body('line').replaceChildren(rows.length ? table : make('p', {}, texts.empty_line), more ? make('p', { class: 'more' }, more) : '');
  },
  parts: parts => body('parts').replaceChildren(make('table', {}, make('tbody', {}, ...parts.map(part => make('tr', { class: part.state },
    make('td', {}, make('span', { class: 'dot' }), part.name, make('small', {}, part.says))))))),
  failures: rows => body('failures').replaceChildren(rows.length ? make('table', {}, make('tbody', {}, ...rows.map(row => make('tr', {},
    make('td', { class: 'tight soft' }, clock(row.at)),
    make('td', {}, make('span', { class: 'failed' }, row.error), row.job ? make('code', { class: 'soft' }, ` ${row.job}`) : '',
      row.detail ? make('small', {}, row.detail) : ''))))) : make('p', {}, texts.no_failures)),
  rules: rows => body('rules').replaceChildren(rows.length ? make('table', {}, make('tbody', {}, ...rows.map(([key, value]) => make('tr', {},
    make('td', {}, make('code', {}, key)), make('td', { class: 'right' }, make('code', {}, value)))))) : make('p', {}, texts.all_default)),
};

let stream = null, timer = 0;
function open() {
  if (stream) stream.close();
  stream = new EventSource('admin/live');
  stream.onmessage = event => {
    document.body.classList.remove('offline');
    const news = JSON.parse(event.data);
    if (news.engines && !news.engines.length) { body('engines').replaceChildren(make('p', {}, texts.no_engines)); delete news.engines; }
    for (const [name, data] of Object.entries(news)) show[name](data);
  };
  stream.addEventListener('lapsed', () => location.reload());
  stream.onerror = () => {
    document.body.classList.add('offline');
    if (stream.readyState === EventSource.CLOSED) { clearTimeout(timer); timer = setTimeout(open, 3000); }
  };
}

document.addEventListener('click', event => {
  const button = event.target.closest('[data-do]');
  if (button) act(button);
});
// A hidden tab holds no connection; browsers allow six to one address.
document.addEventListener('visibilitychange', () => { if (document.hidden) stream.close(); else open(); });
open();
