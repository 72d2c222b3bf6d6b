// How an item is answered: a control for each type of label. A control has
//   element             its buttons and boxes
//   value()             what it says now; undefined: nothing yet
//   set(value)          what it says, such as an answer that was taken back
//   key({key, typing})  whether it did something
//   start()             the item is shown: where the focus goes, true if it took it
// and calls done() when it is answered by one key or click, or by Enter.

import { h } from '../shared/dom.js';
import { SpanControl } from './spans.js';

const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '0'];
const MOST_BUTTONS = 30;

export function answerControl(project, text, done) {
  const labels = project.labels;
  if (project.type === 'rating') return new OneOf(ratingScale(labels), done, Number, 'scale');
  if (project.type === 'pairwise') return new Sides(done);
  if (project.type === 'text') return new Writing(done);
  if (project.type === 'spans') return new SpanControl(labels.length ? labels : ['span'], text ?? '', done);
  if (!labels.length) return new Naming(project, done);
  if (project.type === 'multi_choice') return new SomeOf(labels, done);
  return new OneOf(labels, done);
}

// The numbers of the project from low to high; 1 to 5 where it names none.
export function ratingScale(labels) {
  const numbers = labels.filter((label) => label !== '' && Number.isFinite(Number(label)));
  if (!numbers.length) return ['1', '2', '3', '4', '5'];
  return [...numbers].sort((a, b) => Number(a) - Number(b));
}

const keycap = (key) => key && h('kbd', { 'aria-hidden': 'true' }, key);

function answerButton(label, key, onclick, attributes = {}) {
  return h(
    'button',
    { type: 'button', class: 'answer', 'aria-keyshortcuts': key, onclick, ...attributes },
    keycap(key),
    h('span', {}, label),
  );
}

// A box that leaves those labels whose name holds what is typed, where there are many.
function filterBox(buttons, pick) {
  if (buttons.length <= KEYS.length) return null;
  const matching = () => buttons.filter((button) => !button.hidden);
  const box = h('input', {
    type: 'search',
    class: 'find',
    placeholder: 'Find a label',
    'aria-label': 'Find a label',
    oninput: () => {
      const wanted = box.value.toLowerCase();
      for (const button of buttons) button.hidden = !button.dataset.label.toLowerCase().includes(wanted);
    },
    onkeydown: (event) => {
      if (event.key !== 'Enter' || !box.value || !matching().length) return;
      event.preventDefault();
      pick(matching()[0]);
      box.value = '';
      for (const button of buttons) button.hidden = false;
    },
  });
  return box;
}

class OneOf {
  constructor(labels, done, toValue = String, look = '') {
    Object.assign(this, { labels, done, toValue });
    this.buttons = labels.map((label, i) =>
      answerButton(label, KEYS[i], () => this.#pick(i), { 'data-label': label, 'aria-pressed': 'false' }),
    );
    const many = labels.length > MOST_BUTTONS ? ' many' : '';
    const group = h('div', { class: `answers ${look}${many}`, role: 'group', 'aria-label': 'Labels' }, this.buttons);
    const find = filterBox(this.buttons, (button) => this.#pick(this.buttons.indexOf(button)));
    this.element = h('div', { class: 'control' }, find, group);
  }

  #pick(i) {
    this.#mark(i);
    this.done();
  }

  #mark(i) {
    this.chosen = i;
    this.buttons.forEach((button, j) => button.setAttribute('aria-pressed', String(i === j)));
  }

  value() {
    return this.chosen === undefined ? undefined : this.toValue(this.labels[this.chosen]);
  }

  set(value) {
    const i = this.labels.findIndex((label) => this.toValue(label) === value);
    if (i >= 0) this.#mark(i);
  }

  key({ key, typing }) {
    const i = KEYS.indexOf(key);
    if (typing || i < 0 || i >= this.labels.length) return false;
    this.#pick(i);
    return true;
  }

  start() {
    return false;
  }
}

class SomeOf {
  constructor(labels, done) {
    Object.assign(this, { labels, done });
    this.chosen = new Set();
    this.buttons = labels.map((label, i) =>
      answerButton(label, KEYS[i], () => this.#toggle(i), { 'data-label': label, 'aria-pressed': 'false' }),
    );
    this.submit = h('button', { type: 'button', class: 'primary', onclick: done });
    const find = filterBox(this.buttons, (button) => this.#toggle(this.buttons.indexOf(button)));
    this.element = h(
      'div',
      { class: 'control' },
      find,
      h('div', { class: 'answers', role: 'group', 'aria-label': 'Labels, any number' }, this.buttons),
      h('div', { class: 'submit' }, h('span', { class: 'hint' }, 'Any number of labels'), this.submit),
    );
    this.#show();
  }

  #toggle(i) {
    if (!this.chosen.delete(i)) this.chosen.add(i);
    this.#show();
  }

  #show() {
    this.buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(this.chosen.has(i))));
    this.submit.replaceChildren(this.chosen.size ? 'Done' : 'None of these', ' ', keycap('⏎'));
  }

  value() {
    return this.labels.filter((_, i) => this.chosen.has(i));
  }

  set(value) {
    this.chosen = new Set(value.map((label) => this.labels.indexOf(label)).filter((i) => i >= 0));
    this.#show();
  }

  key({ key, typing, target }) {
    const i = KEYS.indexOf(key);
    if (!typing && i >= 0 && i < this.labels.length) this.#toggle(i);
    else if (key === 'Enter' && !typing && !isButton(target)) this.done();
    else return false;
    return true;
  }

  start() {
    return false;
  }
}

const isButton = (target) => target?.closest?.('button, a, select, summary') ?? false;

const SIDES = [
  ['left', '←', 'Left is better', 'ArrowLeft', '1'],
  ['tie', '=', 'Equally good', '=', '3'],
  ['right', '→', 'Right is better', 'ArrowRight', '2'],
];

class Sides {
  constructor(done) {
    this.done = done;
    this.buttons = SIDES.map(([side, sign, words]) =>
      answerButton(words, sign, () => this.#pick(side), { 'data-label': side, 'aria-pressed': 'false' }),
    );
    this.element = h('div', { class: 'answers sides', role: 'group', 'aria-label': 'Which is better' }, this.buttons);
  }

  #pick(side) {
    this.set(side);
    this.done();
  }

  value() {
    return this.chosen;
  }

  set(side) {
    this.chosen = side;
    for (const button of this.buttons) button.setAttribute('aria-pressed', String(button.dataset.label === side));
  }

  key({ key, typing }) {
    const side = SIDES.find(([, , , arrow, digit]) => key === arrow || key === digit);
    if (typing || !side) return false;
    this.#pick(side[0]);
    return true;
  }

  start() {
    return false;
  }
}

// What is typed into this.box.
class Typed {
  key({ key, typing }) {
    if (key === 'Escape' && typing) this.box.blur();
    else return false;
    return true;
  }

  start() {
    this.box.focus({ preventScroll: true });
    return true;
  }
}

class Writing extends Typed {
  constructor(done) {
    super();
    this.done = done;
    this.box = h('textarea', { rows: 3, 'aria-label': 'Your answer', placeholder: 'Your answer', maxlength: 100000 });
    this.submit = h(
      'button',
      { type: 'button', class: 'primary', disabled: true, onclick: done },
      'Done ',
      keycap('⏎'),
    );
    this.box.addEventListener('input', () => this.#changed());
    this.box.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing || this.submit.disabled) return;
      event.preventDefault();
      done();
    });
    this.element = h(
      'div',
      { class: 'control' },
      this.box,
      h('div', { class: 'submit' }, h('span', { class: 'hint wide-only' }, 'Shift and Enter: a new line'), this.submit),
    );
  }

  #changed() {
    this.submit.disabled = !this.box.value.trim();
  }

  value() {
    return this.box.value.trim() || undefined;
  }

  set(value) {
    this.box.value = value;
    this.#changed();
  }
}

// A project that takes any label: the name is typed, with what was given before as suggestions.
class Naming extends Typed {
  constructor(project, done) {
    super();
    this.several = project.type === 'multi_choice';
    const list = h(
      'datalist',
      { id: 'given-labels' },
      project.given.map((name) => h('option', { value: name })),
    );
    this.box = h('input', {
      type: 'text',
      list: 'given-labels',
      autocomplete: 'off',
      'aria-label': this.several ? 'Labels, with commas between' : 'Label',
      placeholder: this.several ? 'Labels, with commas between' : 'Label',
    });
    this.box.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.isComposing || this.value() === undefined) return;
      event.preventDefault();
      done();
    });
    const submit = h('button', { type: 'button', class: 'primary', onclick: done }, 'Done ', keycap('⏎'));
    this.element = h('div', { class: 'control' }, h('div', { class: 'naming' }, this.box, submit), list);
  }

  value() {
    const names = this.several ? this.box.value.split(',') : [this.box.value];
    const given = names.map((name) => name.trim()).filter(Boolean);
    if (!given.length) return undefined;
    return this.several ? given : given[0];
  }

  set(value) {
    this.box.value = Array.isArray(value) ? value.join(', ') : value;
  }
}
