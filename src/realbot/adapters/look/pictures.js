const { texts, usual } = props;
const FIELDS = { source: 'strength', reference: 'reference_weight' };
const part = (slot, selector) => element.querySelector(`.slot[data-slot=${slot}] ${selector}`);
const plainly = number => String(Math.round(number * 100) / 100);
const trouble = element.querySelector('.pictures > .trouble'), sending = element.querySelector('.sending');
let turn = 0;

function say(sentence) {
  trouble.textContent = sentence || '';
  trouble.hidden = !sentence;
}

function dial(slot) {
  const held = props.value || {}, chosen = held[FIELDS[slot]];
  return chosen ?? (slot === 'source' ? (held.mask ? usual.masked : usual.strength) : usual.reference_weight);
}

function show() {
  const held = props.value || {};
  for (const slot of Object.keys(FIELDS)) {
    const id = held[slot], image = part(slot, 'img'), at = dial(slot);
    part(slot, '').classList.toggle('full', Boolean(id));
    if (id && image.dataset.id !== id) {
      image.dataset.id = id;
      image.src = 'picture/' + id;
    }
    part(slot, '.dial').hidden = at === null;
    part(slot, '.dial input').value = at ?? 0;
    part(slot, 'output').textContent = plainly(at ?? 0);
  }
  part('source', '').classList.toggle('marked', Boolean(held.mask));
  part('source', '[data-do=mark]').textContent = held.mask ? texts.remark : texts.mark;
  const canvas = part('source', 'canvas');
  if ((canvas.dataset.id || '') !== (held.mask || '')) {
    canvas.dataset.id = held.mask || '';
    canvas.width = canvas.height = 1;
    if (held.mask) tinted(canvas, held.mask, 800).catch(() => say(texts.lost));
  }
}

function keep(changes) {
  const next = { ...props.value, ...changes };
  props.value = Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined && value !== null));
  show();
}

// The answer of a route. Throws an error whose message is the sentence to show.
async function send(address, query, body) {
  let answer;
  try {
    answer = await fetch(`${address}?${new URLSearchParams(query)}`, { method: 'POST', body });
  } catch { throw new Error(texts.lost); }
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

function hold(slot, image, mask) {
  say('');
  if (slot === 'source') { keep({ source: image, mask, region: null, strength: null }); trigger('begin', { image }); }
  else keep({ reference: image });
}

async function bring(slot, file) {
  if (!file) return;
  say('');
  const mine = ++turn, go = document.getElementById('imagine');
  if (file.size > props.most * 2 ** 20) { say(props.large); return; }
  sending.hidden = false;
  go.disabled = true;
  try {
    const found = await send('uploads', { as: slot }, file);
    if (mine === turn) hold(slot, found.image, found.mask);
  } catch (error) { if (mine === turn) say(error.message); }
  if (mine === turn) { sending.hidden = true; go.disabled = false; }
}

const open = retouching(element.querySelector('#retouch'), (query, body) => send('masks', query, body));
const acts = {
  remove: slot => {
    if (slot === 'source') trigger('begin', { image: '' });
    keep(slot === 'source' ? { source: null, mask: null, region: null, strength: null } : { reference: null, reference_weight: null });
    part(slot, '[type=file]').focus();
  },
  unmark: () => { keep({ mask: null, region: null, strength: null }); part('source', '[data-do=mark]').focus(); },
  mark: async () => {
    const { source, mask, region } = props.value;
    try {
      const found = await open(source, mask, region);
      if (found) keep({ mask: found.mask, region: found.region || null });
    } catch { say(texts.lost); }
  },
};
element.addEventListener('click', event => {
  const button = event.target.closest('.slot [data-do]');
  if (button) acts[button.dataset.do](button.closest('.slot').dataset.slot);
});
element.addEventListener('input', event => {
  const slot = event.target.closest('.slot');
  if (slot && event.target.type === 'range') keep({ [FIELDS[slot.dataset.slot]]: Number(event.target.value) });
});
element.addEventListener('change', event => {
  const slot = event.target.closest('.slot');
  if (!slot || event.target.type !== 'file') return;
  bring(slot.dataset.slot, event.target.files[0]);
  event.target.value = '';
});
for (const name of ['dragover', 'dragleave', 'drop']) {
  element.addEventListener(name, event => {
    const slot = event.target.closest('.slot');
    if (!slot) return;
    event.preventDefault();
    slot.classList.toggle('over', name === 'dragover');
    if (name === 'drop') bring(slot.dataset.slot, event.dataTransfer.files[0]);
  });
}
document.addEventListener('paste', event => {
  const file = [...event.clipboardData.files].find(one => one.type.startsWith('image/'));
  if (!file) return;
  event.preventDefault();
  bring('source', file);
});
document.addEventListener('realbot:picture', event => hold(event.detail.slot, event.detail.image));
watch(['value'], show);
show();
