// What people disagree on, one item after the other: everybody's answers side by side, and one that decides.

import { h } from '../shared/dom.js';
import { percent } from '../shared/format.js';
import { valueWords } from './item_view.js';
import { markedText } from './spans.js';
import { newRequest } from './work.js';

const MANY = 20; // items of the queue at once

export class Queue {
  // events: {show(), error(sentence)}
  constructor(desk, project, events) {
    Object.assign(this, { desk, project, events });
    this.items = [];
    this.at = 0; // the one that is shown; those before it are decided or left
    this.waiting = 0; // on the server
    this.busy = false;
  }

  get current() {
    return this.items[this.at] ?? null;
  }

  async load() {
    const answer = await this.desk.ask('queue', { project: this.project, count: MANY });
    this.items = answer.items;
    this.waiting = answer.waiting;
    this.at = 0;
    this.events.show();
  }

  async decide(value) {
    if (this.busy) return;
    this.busy = true;
    try {
      const entry = this.current;
      await this.desk.ask('decide', { project: this.project, item: entry.item, value, request: newRequest() });
      if (!entry.before) this.waiting -= 1;
      entry.before = { value };
      await this.#next();
    } catch (error) {
      this.events.error(error);
    } finally {
      this.busy = false;
    }
  }

  async leave() {
    await this.#next();
  }

  // To the one before, whose decision may be changed. False when there is none.
  back() {
    if (this.at === 0) return false;
    this.at -= 1;
    this.events.show();
    return true;
  }

  async #next() {
    this.at += 1;
    // What was left for later stays on the server's list: only after a round with decisions is there something new.
    if (!this.current && this.items.some((entry) => entry.before)) await this.load();
    else this.events.show();
  }
}

// Everybody's answers. take(value) when one of them is chosen as it is.
export function answersView(entry, project, text, take) {
  const groups = new Map();
  for (const answer of entry.answers) {
    const key = JSON.stringify(answer.value);
    if (!groups.has(key)) groups.set(key, { value: answer.value, by: [] });
    groups.get(key).by.push(answer);
  }
  const probability = (value) => entry.posterior?.[Array.isArray(value) ? value.join('|') : String(value)];
  const list = [...groups.values()].sort(
    (a, b) => (probability(b.value) ?? b.by.length) - (probability(a.value) ?? a.by.length),
  );
  const open = project.type === 'text' || project.type === 'spans';
  return h(
    'div',
    { class: open ? 'opinions wide' : 'opinions' },
    list.map((group, i) => opinion(group, i, project, text, probability(group.value), open ? take : null)),
  );
}

function opinion({ value, by }, number, project, text, probability, take) {
  const said =
    project.type === 'spans'
      ? h('div', { class: 'reading small' }, markedText(text ?? '', value, project.labels))
      : h('p', { class: project.type === 'text' ? 'reading small' : 'said' }, valueWords(value));
  const person = ({ annotator, reliability }) =>
    h(
      'li',
      {},
      h('span', { class: 'name' }, annotator),
      reliability !== undefined && h('span', { class: 'reliable' }, `right ${percent(reliability)}`),
    );
  return h(
    'section',
    { class: 'opinion', 'aria-label': `Answer ${number + 1}` },
    said,
    probability !== undefined && belief(probability),
    h('ul', {}, by.map(person)),
    take && h('button', { type: 'button', class: 'quiet', onclick: () => take(value) }, 'Take this answer'),
  );
}

function belief(probability) {
  const bar = h('div', { class: 'belief-bar' });
  bar.style.width = `${Math.round(probability * 100)}%`;
  return h(
    'div',
    { class: 'belief' },
    h('div', { class: 'belief-track', 'aria-hidden': 'true' }, bar),
    `likely ${percent(probability)}`,
  );
}
