// The brief as JSON in a box, with what is wrong with it said below; and the button that has it written.

import { h } from '../shared/dom.js';
import { sentence } from '../shared/format.js';

export const EXAMPLE = {
  name: 'Bakery Vermeulen',
  objective: 'traffic',
  language: 'en',
  budget: { daily: '25.00', currency: 'EUR', start: '2026-12-07', end: '2026-12-20', time_zone: 'Europe/Brussels' },
  landing_page: { url: 'https://bakery-vermeulen.example', text: 'Bread, rolls and tarts from our own oven.' },
  facts: [
    { id: 'oven', text: 'We bake sourdough bread in our own oven' },
    { id: 'price', text: 'A loaf of sourdough costs €4.20' },
  ],
  segments: [{ name: 'commuters', about: 'people on their way to work', share: 1 }],
  placements: ['google.search', 'meta.feed'],
  variants: 2,
};

export class BriefForm {
  // on.use(brief): check it and look at its texts; on.write(brief); on.stop()
  constructor(brief, { canWrite, hasPlan }, on) {
    this.on = on;
    this.box = h('textarea', {
      id: 'brief',
      class: 'mono',
      rows: 24,
      spellcheck: 'false',
      value: JSON.stringify(brief ?? EXAMPLE, null, 2),
      'aria-describedby': 'brief-wrong',
      oninput: () => this.wrong(''),
    });
    this.message = h('p', { id: 'brief-wrong', class: 'wrong', role: 'alert' });
    this.progress = h('p', { class: 'hint', role: 'status' });
    this.write = h('button', { type: 'submit', class: 'primary', hidden: !canWrite }, 'Write the texts');
    this.stop = h('button', { type: 'button', class: 'quiet', hidden: true, onclick: () => on.stop() }, 'Stop');
    this.use = h(
      'button',
      { type: 'button', class: canWrite ? 'quiet' : 'primary', onclick: () => this.#with(on.use) },
      hasPlan ? 'Check the texts against it' : 'Write by hand',
    );
    const onsubmit = (event) => {
      event.preventDefault();
      this.#with(on.write);
    };
    this.element = h(
      'form',
      { class: 'brief', 'aria-labelledby': 'brief-title', onsubmit },
      h('h1', { id: 'brief-title' }, 'The brief'),
      h('p', { class: 'hint' }, 'Only what its facts say may be claimed. Its fields are explained in docs/ads.md.'),
      h('label', { for: 'brief', class: 'visually-hidden' }, 'Brief, as JSON'),
      this.box,
      this.message,
      h('div', { class: 'row' }, this.write, this.use, this.stop, this.progress),
    );
  }

  wrong(text) {
    this.message.textContent = text ? sentence(text) : '';
    this.box.setAttribute('aria-invalid', String(Boolean(text)));
  }

  busy(progress) {
    this.write.disabled = Boolean(progress);
    this.stop.hidden = !progress;
    this.progress.textContent = progress ? `Writing: ${progress.done} of ${progress.total || '?'} texts` : '';
  }

  #with(then) {
    try {
      this.wrong('');
      then(JSON.parse(this.box.value));
    } catch (error) {
      this.wrong(`This is no JSON: ${error.message}`);
    }
  }
}
