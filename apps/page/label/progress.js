// How far the work is, who did how much, and how far people agree: the bar under the header and the panel beside it.

import { h, byId } from '../shared/dom.js';
import { count, percent, plural, sentence } from '../shared/format.js';

const EVERY = 4000; // ms, while the page is seen

export class Progress {
  constructor(desk, panel) {
    Object.assign(this, { desk, panel });
    this.project = null;
    setInterval(() => document.visibilityState === 'visible' && this.refresh(), EVERY);
  }

  // A label was given: a moment later the server has it.
  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), 500);
  }

  async refresh() {
    if (!this.project) return;
    const { project } = this;
    try {
      const state = await this.desk.ask('progress', { project });
      if (project === this.project) this.#show(state);
    } catch {
      // The next time; what matters to the work says so itself.
    }
  }

  #show(state) {
    const share = state.items ? state.finished / state.items : 0;
    const bar = byId('bar');
    bar.firstElementChild.style.width = `${share * 100}%`;
    bar.setAttribute('aria-valuemax', state.items);
    bar.setAttribute('aria-valuenow', state.finished);
    const figure = (number, words) => h('div', { class: 'figure' }, h('dt', {}, words), h('dd', {}, number));
    this.panel.replaceChildren(
      h('div', { class: 'panel-head' }, h('h2', {}, 'Progress')),
      h(
        'div',
        { class: 'panel-body' },
        h(
          'dl',
          { class: 'figures' },
          figure(`${count(state.finished)} of ${count(state.items)}`, 'items finished'),
          figure(count(state.mine), 'labels by you'),
          figure(count(state.labels), 'labels by all'),
          state.skipped > 0 && figure(count(state.skipped), 'skipped'),
          state.gold > 0 && figure(count(state.gold), 'decided (gold)'),
        ),
        agreement(state),
        people(state),
      ),
    );
  }
}

function agreement(state) {
  const known = typeof state.alpha === 'number';
  const box = h('section', { class: 'agreement' }, h('h3', {}, 'Agreement'));
  if (!known) {
    box.append(h('p', { class: 'hint' }, sentence(state.why ?? 'not known yet')));
    return box;
  }
  const meter = h('meter', { min: 0, max: 1, low: 0.667, high: 0.8, optimum: 1, 'aria-label': "Krippendorff's alpha" });
  meter.value = Math.max(0, state.alpha);
  box.append(
    h('p', { class: 'alpha' }, state.alpha.toFixed(3)),
    meter,
    h(
      'p',
      { class: 'hint' },
      `Krippendorff's alpha over ${plural(state.alpha_items, 'item')} with two answers or more: 1 is agreement, 0 what chance gives.`,
    ),
  );
  return box;
}

function people(state) {
  const known = new Map((state.people ?? []).map((person) => [person.name, person]));
  const row = ({ name, kind, labels }) => {
    const more = known.get(name);
    const notes = [kind !== 'human' && kind];
    if (more?.agreement !== undefined) notes.push(`${percent(more.agreement)} like the others`);
    if (more?.gold_answers) notes.push(`gold ${more.gold_right} of ${more.gold_answers}`);
    return h(
      'li',
      {},
      h('span', { class: 'name' }, name),
      h('span', { class: 'number' }, count(labels)),
      h('span', { class: 'notes' }, notes.filter(Boolean).join(', ')),
    );
  };
  if (!state.annotators.length) return null;
  return h(
    'section',
    { class: 'people' },
    h('h3', {}, state.annotators.length > 1 ? 'People' : 'You'),
    h('ul', {}, state.annotators.slice(0, 30).map(row)),
  );
}
