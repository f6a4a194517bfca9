const rows = () => [...element.querySelectorAll('.style')];
const parts = row => [row.querySelector('[type=checkbox]'), row.querySelector('[type=range]'), row.querySelector('output')];
const number = text => String(Math.round(text * 100) / 100);

function show() {
  const chosen = props.value || {};
  for (const row of rows()) {
    const [box, range, output] = parts(row);
    box.checked = row.dataset.style in chosen;
    if (box.checked) range.value = chosen[row.dataset.style];
    output.textContent = number(range.value);
    row.classList.toggle('on', box.checked);
  }
}

function keep() {
  const chosen = {};
  for (const row of rows()) {
    const [box, range] = parts(row);
    if (box.checked) chosen[row.dataset.style] = Number(range.value);
  }
  props.value = chosen;
  show();
}

element.addEventListener('input', event => {
  if (event.target.type !== 'range') return;
  const [box, range, output] = parts(event.target.closest('.style'));
  box.checked = true;
  output.textContent = number(range.value);
});
element.addEventListener('change', keep);
watch(['value', 'choices'], show);
show();
