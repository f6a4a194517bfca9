const byId = id => document.getElementById(id);
const state = { stream: null, show: 24, search: '', active: '', timer: 0 };

// What somebody unfolded stays so, and what a picture told of its shape.
const OWN = { open: 'details', style: '.shot', 'data-shown': '.veiled' };

// Brings `old` to what `fresh` is with the fewest changes, so that pictures do not flicker and focus stays.
function morph(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(OWN[name] && old.matches(OWN[name]))) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) === value) continue;
    if (name === 'src' && old.tagName === 'IMG') {
      const image = new Image();
      image.onload = () => { old.src = value; };
      image.src = value;
    } else old.setAttribute(name, value);
  }
  morphChildren(old, fresh);
}

function morphChildren(old, fresh) {
  const keyed = new Map([...old.children].filter(c => c.dataset.key).map(c => [c.dataset.key, c]));
  let at = old.firstChild;
  for (const node of [...fresh.childNodes]) {
    const key = node.dataset && node.dataset.key;
    const free = at && at.nodeName === node.nodeName && !(at.dataset && at.dataset.key);
    const match = key ? keyed.get(key) : free ? at : null;
    if (!match || match.nodeName !== node.nodeName) { old.insertBefore(node, at); continue; }
    if (match === at) at = at.nextSibling; else old.insertBefore(match, at);
    if (match.nodeType === Node.ELEMENT_NODE) morph(match, node);
    else if (match.nodeValue !== node.nodeValue) match.nodeValue = node.nodeValue;
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

function fill(id, html) {
  const target = byId(id);
  if (!target) return false;
  const box = document.createElement('template');
  box.innerHTML = html;
  morphChildren(target, box.content);
  return true;
}

function toast(text) {
  const note = document.createElement('div');
  note.className = 'toast';
  note.setAttribute('role', 'status');
  note.textContent = text;
  document.body.append(note);
  setTimeout(() => note.remove(), 5000);
}

function update(data) {
  for (const id of ['stage', 'gallery', 'foot']) {
    if (id in data && !fill(id, data[id])) { setTimeout(() => update(data), 50); return; }
  }
  if ('title' in data) document.title = data.title;
  const card = byId('stage').querySelector('.waiting, .running');
  const active = card ? card.dataset.key : '';
  if (active && active !== state.active && innerWidth < 900) byId('stage').scrollIntoView({ behavior: 'smooth', block: 'start' });
  state.active = active;
}

function open() {
  if (state.stream) state.stream.close();
  const query = new URLSearchParams({ show: state.show, search: state.search });
  state.stream = new EventSource('live?' + query);
  state.stream.onmessage = event => { document.body.classList.remove('offline'); update(JSON.parse(event.data)); };
  state.stream.onerror = () => {
    document.body.classList.add('offline');
    if (state.stream.readyState === EventSource.CLOSED) { clearTimeout(state.timer); state.timer = setTimeout(open, 3000); }
  };
}

async function post(path, body) {
  try {
    const answer = await fetch(path, { method: 'POST', body: new URLSearchParams(body || {}) });
    if (answer.status === 428) { shut(); ask(await answer.text()); return false; }
    if (!answer.ok) toast(await answer.text());
    return answer.ok;
  } catch { document.body.classList.add('offline'); return false; }
}

// What a dear request costs stands below the prompt until it is answered.
function ask(question) {
  const notice = document.querySelector('#notice .prose') || byId('notice');
  notice.innerHTML = question;
  notice.scrollIntoView({ behavior: 'smooth', block: 'center' });
}

async function view(job) {
  const answer = await fetch('card/' + job);
  const dialog = byId('viewer');
  if (!answer.ok) { toast(await answer.text()); return; }
  dialog.dataset.job = job;
  dialog.querySelector('div').innerHTML = await answer.text();
  if (!dialog.open) dialog.showModal();
}

function write(text) {
  const field = document.querySelector('#prompt textarea');
  field.value = text;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  field.focus();
}

async function copy(text) {
  if (navigator.clipboard && isSecureContext) await navigator.clipboard.writeText(text);
  else {
    const field = document.createElement('textarea');
    field.value = text;
    (byId('viewer').open ? byId('viewer') : document.body).append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
  toast(props.copied);
}

const acts = {
  example: button => { write(button.textContent); byId('imagine').click(); },
  appeal: async button => {
    button.disabled = true;
    if (await post(`jobs/${button.dataset.job}/appeal`) && byId('viewer').open) view(button.dataset.job);
    button.disabled = false;
  },
  cancel: button => { button.disabled = true; return post(`jobs/${button.dataset.job}/cancel`); },
  fresh: async button => { if (await post(`jobs/${button.dataset.job}/fresh`)) shut(); },
  retry: button => post(`jobs/${button.dataset.job}/retry`),
  reuse: button => { trigger('reuse', { job: button.dataset.job }); shut(); scrollTo({ top: 0, behavior: 'smooth' }); },
  make: async button => {
    button.disabled = true;
    const { index } = chosen(button).dataset;
    if (await post(`jobs/${button.dataset.job}/${button.dataset.verb}`, { index })) shut();
    button.disabled = false;
  },
  use: button => {
    const { slot } = button.dataset;
    document.dispatchEvent(new CustomEvent('realbot:picture', { detail: { slot, image: chosen(button).value } }));
    shut();
    scrollTo({ top: 0, behavior: 'smooth' });
    document.querySelector(`.slot[data-slot=${slot}] [type=range]`).focus({ preventScroll: true });
  },
  agree: async button => {
    button.disabled = true;
    if (await post(`quotes/${button.dataset.quote}`)) button.closest('.quote').remove();
    button.disabled = false;
  },
  decline: button => button.closest('.quote').remove(),
  copy: button => copy(button.closest('.recipe').querySelector('code').textContent),
  favourite: async button => {
    const { job, on } = button.dataset;
    if (await post(`jobs/${job}/favourite`, { on: on || '' }) && byId('viewer').open) view(job);
  },
  forget: async button => {
    if (confirm(props.really) && await post(`jobs/${button.dataset.job}/forget`)) shut();
  },
  open: button => view(button.dataset.job),
  more: () => { state.show += 48; open(); },
  settings: button => { button.setAttribute('aria-expanded', document.body.classList.toggle('settings')); },
  shut,
};
function chosen(button) { return button.form.querySelector('input:checked'); }
function shut() { const dialog = byId('viewer'); if (dialog.open) dialog.close(); }

document.addEventListener('click', event => {
  if (event.target.id === 'viewer') { shut(); return; }
  const veiled = event.target.closest('.shot.veiled:not([data-shown])');
  if (veiled) { event.preventDefault(); veiled.dataset.shown = '1'; return; }
  const button = event.target.closest('[data-act]');
  if (button && acts[button.dataset.act]) acts[button.dataset.act](button);
});
document.addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || !event.target.closest('#prompt')) return;
  event.preventDefault();
  event.stopPropagation();
  byId('imagine').click();
}, true);
document.addEventListener('load', event => {
  const { target } = event, shot = target.closest && target.closest('.shot:not([style])');
  if (shot) shot.style.cssText = `--w:${target.naturalWidth};--h:${target.naturalHeight}`;
}, true);
document.addEventListener('submit', event => { if (event.target.matches('.ways')) event.preventDefault(); });
document.addEventListener('input', event => {
  if (event.target.id !== 'search') return;
  clearTimeout(state.searching);
  state.searching = setTimeout(() => { state.search = event.target.value; state.show = 24; open(); }, 250);
});
// A hidden tab holds no connection; browsers allow six to one address.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) { if (state.stream) state.stream.close(); } else open();
});
open();
