/** Effects and backgrounds as radio buttons, built from what the service says it can do. */

import { backgroundName, effectName } from './names.js';

const COLORS = ['#ffffff', '#16161d', '#f3e9dc', '#ffd166', '#ef476f', '#06b6a4', '#4361ee'];
const COLOR_NAMES = ['White', 'Black', 'Sand', 'Yellow', 'Pink', 'Teal', 'Blue'];
const FIRST_OWN = '#8f83ff';
const OWN = 'own';
const NEAR_MS = 250;

/** Calls `onNear` when a shopper seems about to choose: a pointer that passes by or scrolls says nothing. */
export function effectChips(box, effects, { onChoose, onNear }) {
  let near;
  box.replaceChildren(
    ...effects.map((effect) => {
      const [label, input] = radio('effect', effect);
      label.className = 'chip';
      label.append(image(), text(effectName(effect)));
      input.addEventListener('change', () => onChoose(effect));
      label.addEventListener('pointerenter', ({ pointerType }) => {
        if (pointerType !== 'touch') near = setTimeout(() => onNear(effect), NEAR_MS);
      });
      label.addEventListener('pointerleave', () => clearTimeout(near));
      return label;
    }),
  );
  markEffect(box, effects[0]);
}

export function showThumb(box, effect, url) {
  const picture = box.querySelector(`input[value="${effect}"] ~ img`);
  if (picture) {
    picture.src = url;
    picture.hidden = false;
  }
}

export function backgroundSwatches(box, kinds, onChoose) {
  const items = [swatch('Transparent', () => null)];
  const others = kinds.filter(({ kind }) => kind !== 'color');
  const colors = kinds.length > others.length;
  if (colors) COLORS.forEach((color, index) => items.push(swatch(COLOR_NAMES[index], () => plain(color))));
  for (const example of others) {
    const alike = others.filter(({ kind }) => kind === example.kind);
    const number = alike.length > 1 ? ` ${alike.indexOf(example) + 1}` : '';
    items.push(swatch(backgroundName(example.kind) + number, () => example));
  }
  box.replaceChildren(...items, ...(colors ? own() : []));
  markBackground(box, null);

  function swatch(name, background, value = JSON.stringify(background())) {
    const [label, input] = radio('background', value);
    label.className = 'swatch';
    label.dataset.kind = background()?.kind ?? 'transparent';
    label.style.setProperty('--color', paint(background() ?? {}));
    label.title = name;
    const spot = document.createElement('i');
    label.append(spot, hidden(name));
    input.addEventListener('change', () => onChoose(background()));
    return label;
  }

  /** A swatch as any other, and what changes its colour. */
  function own() {
    const picker = document.createElement('input');
    picker.type = 'color';
    picker.id = 'own-color';
    picker.value = FIRST_OWN;
    const chosen = () => plain(picker.value);
    picker.addEventListener('change', () => onChoose(chosen()));
    const label = document.createElement('label');
    label.className = 'swatch pick';
    label.title = 'Change your colour';
    label.append(picker, hidden(label.title));
    return [swatch('Your colour', chosen, OWN), label];
  }
}

export function markEffect(box, effect) {
  box.querySelector(`input[value="${effect}"]`).checked = true;
}

/** That one, or the shopper's own colour; null for none. */
export function markBackground(box, background) {
  const radios = [...box.querySelectorAll('input[type="radio"]')];
  const offered = radios.find(({ value }) => value === JSON.stringify(background));
  const choice = offered ?? radios.find(({ value }) => value === OWN);
  choice.checked = true;
  if (offered) return;
  choice.parentElement.style.setProperty('--color', background.color);
  box.querySelector('#own-color').value = background.color;
}

const plain = (color) => ({ kind: 'color', color: color.toLowerCase() });

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

function radio(group, value) {
  const label = document.createElement('label');
  const input = document.createElement('input');
  input.type = 'radio';
  input.className = 'unseen';
  input.name = group;
  input.value = value;
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
