// What is painted is tinted so, and kept as white on black.
const TINT = 'rgb(255, 0, 110)';
const MOST = 1600;

function loaded(address) {
  return new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = () => failed(new Error(address));
    image.src = address;
  });
}

function sized(canvas, image, most) {
  const scale = Math.min(1, most / Math.max(image.naturalWidth, image.naturalHeight));
  canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
}

// Draws a kept mask as a tint.
async function tinted(canvas, mask, most) {
  const image = await loaded('picture/' + mask);
  sized(canvas, image, most);
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  const tint = new ImageData(canvas.width, canvas.height);
  for (let at = 0; at < data.length; at += 4) tint.data.set([255, 0, 110, data[at] >= 128 ? 255 : 0], at);
  pen.putImageData(tint, 0, 0);
}

// The sheet on which a mask is drawn over a picture. `send` keeps a mask: it takes a query and a body.
function retouching(dialog, send) {
  const find = selector => dialog.querySelector(selector);
  const surface = find('canvas'), pen = surface.getContext('2d', { willReadFrequently: true });
  const ring = find('.ring'), sheet = find('.sheet'), table = find('.table'), trouble = find('.trouble'), size = find('.size input');
  let source = '', marks = [], stroke = null, tool = 'brush', done = null, at = { x: 0.5, y: 0.5 };

  const width = () => size.value / 100 * Math.min(surface.width, surface.height);
  const last = () => marks[marks.length - 1];

  function draw(mark) {
    const { width: w, height: h } = surface;
    pen.fillStyle = pen.strokeStyle = TINT;
    pen.globalCompositeOperation = { eraser: 'destination-out', invert: 'source-out' }[mark.kind] || 'source-over';
    switch (mark.kind) {
      case 'clear': pen.clearRect(0, 0, w, h); break;
      case 'invert': pen.fillRect(0, 0, w, h); break;
      case 'picture': pen.clearRect(0, 0, w, h); pen.drawImage(mark.canvas, 0, 0, w, h); break;
      case 'box': {
        const [a, b] = [mark.points[0], mark.points[mark.points.length - 1]];
        pen.fillRect(Math.min(a.x, b.x) * w, Math.min(a.y, b.y) * h, Math.abs(a.x - b.x) * w, Math.abs(a.y - b.y) * h);
        break;
      }
      default: {
        pen.lineWidth = mark.width;
        pen.lineCap = pen.lineJoin = 'round';
        pen.beginPath();
        for (const point of mark.points) pen.lineTo(point.x * w, point.y * h);
        if (mark.points.length === 1) pen.lineTo(mark.points[0].x * w, mark.points[0].y * h);
        pen.stroke();
      }
    }
  }

  function redraw() {
    pen.globalCompositeOperation = 'source-over';
    pen.clearRect(0, 0, surface.width, surface.height);
    marks.forEach(draw);
    find('[data-do=undo]').disabled = find('[data-do=clear]').disabled = !marks.length;
  }

  function say(sentence) {
    trouble.textContent = sentence || '';
    trouble.hidden = !sentence;
  }

  function choose(name) {
    tool = name;
    for (const button of dialog.querySelectorAll('.segments button')) {
      button.setAttribute('aria-pressed', String(button.dataset.do === name));
    }
    find('.size').classList.toggle('off', name === 'box');
    aim();
  }

  // The ring shows where the brush is and how large.
  function aim(shown = !ring.hidden) {
    const across = tool === 'box' ? 12 : Math.max(4, width() * surface.clientWidth / surface.width);
    ring.hidden = !shown;
    ring.classList.toggle('cross', tool === 'box');
    ring.style.cssText = `left:${at.x * 100}%;top:${at.y * 100}%;width:${across}px;height:${across}px`;
  }

  function down() {
    say('');
    stroke = { kind: tool, width: width(), points: [{ ...at }] };
    marks.push(stroke);
    redraw();
  }

  function move() {
    aim(true);
    if (!stroke) return;
    stroke.points.push({ ...at });
    if (stroke.kind === 'box') redraw();
    else draw({ ...stroke, points: stroke.points.slice(-2) });
  }

  function up() { stroke = null; }

  function place(event) {
    const box = surface.getBoundingClientRect();
    at = { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  function filled() {
    const { data } = pen.getImageData(0, 0, surface.width, surface.height);
    for (let index = 3; index < data.length; index += 4) if (data[index] >= 128) return true;
    return false;
  }

  async function kept() {
    const copy = document.createElement('canvas');
    [copy.width, copy.height] = [surface.width, surface.height];
    const ink = copy.getContext('2d');
    ink.drawImage(surface, 0, 0);
    ink.globalCompositeOperation = 'source-in';
    ink.fillStyle = 'white';
    ink.fillRect(0, 0, copy.width, copy.height);
    ink.globalCompositeOperation = 'destination-over';
    ink.fillStyle = 'black';
    ink.fillRect(0, 0, copy.width, copy.height);
    return new Promise(ready => copy.toBlob(ready, 'image/png'));
  }

  async function take() {
    if (!marks.length || !filled()) { end({}); return; }
    const { mask, region } = last();
    if (mask) { end({ mask, region }); return; }
    const found = await busy(async () => send({ source }, await kept()));
    if (found) end(found);
  }

  async function part(region) {
    const found = region && await busy(() => send({ source, region }, ''));
    find('select').value = '';
    if (!found) return;
    const canvas = document.createElement('canvas');
    await tinted(canvas, found.mask, MOST);
    marks.push({ kind: 'picture', canvas, ...found });
    redraw();
  }

  async function busy(work) {
    dialog.classList.add('busy');
    say('');
    try { return await work(); } catch (error) { say(error.message); return null; } finally { dialog.classList.remove('busy'); }
  }

  function end(answer) {
    const finish = done;
    done = null;
    if (dialog.open) dialog.close();
    if (finish) finish(answer);
  }

  const acts = {
    brush: () => choose('brush'), eraser: () => choose('eraser'), box: () => choose('box'),
    undo: () => { marks.pop(); redraw(); },
    invert: () => { marks.push({ kind: 'invert' }); redraw(); },
    clear: () => { marks.push({ kind: 'clear' }); redraw(); },
    close: () => end(null),
    take,
  };
  dialog.addEventListener('click', event => {
    const button = event.target.closest('[data-do]');
    if (!button) return;
    event.stopPropagation();
    if (!dialog.classList.contains('busy') || button.dataset.do === 'close') acts[button.dataset.do]();
  });
  dialog.addEventListener('close', () => end(null));
  find('select').addEventListener('change', event => part(event.target.value));
  size.addEventListener('input', () => { at = { x: 0.5, y: 0.5 }; aim(true); });
  size.addEventListener('change', () => aim(false));

  // A stroke may begin beside the picture.
  table.addEventListener('pointerdown', event => {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    surface.focus({ preventScroll: true });
    table.setPointerCapture(event.pointerId);
    place(event);
    aim(true);
    down();
  });
  table.addEventListener('pointermove', event => {
    if (!event.isPrimary) return;
    for (const one of stroke && event.getCoalescedEvents ? [...event.getCoalescedEvents(), event] : [event]) {
      place(one);
      move();
    }
  });
  for (const name of ['pointerup', 'pointercancel']) {
    table.addEventListener(name, event => { up(); aim(event.pointerType === 'mouse'); });
  }
  table.addEventListener('pointerleave', () => { if (!stroke) aim(false); });
  surface.addEventListener('blur', () => { up(); aim(false); });
  surface.addEventListener('keydown', event => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) {
      const step = event.shiftKey ? 0.1 : 0.02;
      at = { x: Math.min(1, Math.max(0, at.x + way[0] * step)), y: Math.min(1, Math.max(0, at.y + way[1] * step)) };
      move();
    } else if (event.key === ' ') { if (stroke) up(); else { aim(true); down(); } }
    else return;
    event.preventDefault();
  });
  dialog.addEventListener('keydown', event => {
    if (event.key.toLowerCase() !== 'z' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    acts.undo();
  });

  // Opens the sheet over a picture, and answers with its mask, {} for none, or null when nothing is to change.
  return async function open(picture, mask, region) {
    const image = await loaded('picture/' + picture);
    source = picture;
    marks = [];
    sized(surface, image, MOST);
    sheet.style.cssText = `--w:${image.naturalWidth};--h:${image.naturalHeight}`;
    find('img').src = image.src;
    if (mask) {
      const canvas = document.createElement('canvas');
      await tinted(canvas, mask, MOST);
      marks.push({ kind: 'picture', canvas, mask, region });
    }
    say('');
    choose('brush');
    redraw();
    dialog.showModal();
    surface.focus({ preventScroll: true });
    aim(false);
    return new Promise(ready => { done = ready; });
  };
}
