/** Effects and backgrounds as radio buttons, built from what the service says it can do. */

import { backgroundName, effectName } from './names.js';

const COLORS = ['#ffffff', '#16161d', '#f3e9dc', '#ffd166', '#ef476f', '#06b6a4', '#4361ee'];
const COLOR_NAMES = ['White', 'Black', 'Sand', 'Yellow', 'Pink', 'Teal', 'Blue'];
const FIRST_OWN = '#8f83ff';

/** Calls `onNear` when a shopper seems about to choose. */
export function effectChips(box, effects, { onChoose, onNear }) {
  box.replaceChildren(
    ...effects.map((effect, index) => {
      const [label, input] = radio('effect', effect, index === 0);
      label.className = 'chip';
      label.append(image(), text(effectName(effect)));
      input.addEventListener('change', () => onChoose(effect));
      label.addEventListener('pointerenter', () => onNear(effect));
      return label;
    }),
  );
}

export function showThumb(box, effect, url) {
  const picture = box.querySelector(`input[value="${effect}"] ~ img`);
  if (picture) {
    picture.src = url;
    picture.hidden = false;
  }
}

export function backgroundSwatches(box, kinds, onChoose) {
  const items = [swatch('transparent', 'Transparent', null, true)];
  const others = kinds.filter(({ kind }) => kind !== 'color');
  if (kinds.some(({ kind }) => kind === 'color'))
    COLORS.forEach((color, index) => items.push(swatch(color, COLOR_NAMES[index], { kind: 'color', color })));
  for (const example of others) {
    const alike = others.filter(({ kind }) => kind === example.kind);
    const number = alike.length > 1 ? ` ${alike.indexOf(example) + 1}` : '';
    items.push(swatch(example.kind + number, backgroundName(example.kind) + number, example));
  }
  box.replaceChildren(...items, own());

  function swatch(value, name, background, checked = false) {
    const [label, input] = radio('background', value, checked);
    label.className = 'swatch';
    label.dataset.kind = background?.kind ?? 'transparent';
    label.style.setProperty('--color', paint(background ?? {}));
    label.title = name;
    const spot = document.createElement('i');
    label.append(spot, hidden(name));
    input.addEventListener('change', () => onChoose(background));
    return label;
  }

  function own() {
    const label = document.createElement('label');
    label.className = 'swatch own';
    label.title = 'Your colour';
    const input = document.createElement('input');
    input.type = 'color';
    input.value = FIRST_OWN;
    input.addEventListener('change', () => {
      for (const other of box.querySelectorAll('input[type="radio"]')) other.checked = false;
      onChoose({ kind: 'color', color: input.value.toLowerCase() });
    });
    label.append(input, hidden('Your colour'));
    return label;
  }
}

/** A background as CSS paints it, where it can. */
function paint({ color = 'transparent', colors, angle = 180, asset }) {
  if (colors) return `linear-gradient(${angle}deg, ${colors})`;
  return asset ? `center / cover url("/assets/${asset}")` : color;
}

/** Formats that go with the background. */
export function formatOptions(select, formats, transparent, name) {
  const before = select.value;
  const fitting = formats.filter((format) => format !== 'jpg' || !transparent);
  select.replaceChildren(...fitting.map((format) => new Option(name(format), format)));
  if (fitting.includes(before)) select.value = before;
}

function radio(group, value, checked) {
  const label = document.createElement('label');
  const input = document.createElement('input');
  input.type = 'radio';
  input.className = 'unseen';
  input.name = group;
  input.value = value;
  input.checked = checked;
  label.append(input);
  return [label, input];
}

function image() {
  const made = document.createElement('img');
  made.alt = '';
  made.hidden = true;
  return made;
}

function text(content) {
  const made = document.createElement('span');
  made.textContent = content;
  return made;
}

function hidden(content) {
  const made = text(content);
  made.className = 'unseen';
  return made;
}
