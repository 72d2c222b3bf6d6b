// Why an item is skipped: a reason by its number, or one's own words.

import { h, byId, iconButton } from '../shared/dom.js';

const REASONS = ['I am not sure', 'The item makes no sense', 'None of the labels fits', 'It should not be shown'];

export class SkipDialog {
  constructor(onSkip) {
    this.dialog = byId('skip');
    const skip = (reason) => {
      this.dialog.close();
      onSkip(reason);
    };
    const own = h('input', {
      type: 'text',
      'aria-label': 'Another reason',
      placeholder: 'Another reason',
      maxlength: 300,
    });
    const form = h('form', { class: 'own' }, own, h('button', { type: 'submit', class: 'primary' }, 'Skip'));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (own.value.trim()) skip(own.value.trim());
    });
    const button = (reason, i) =>
      h(
        'button',
        { type: 'button', class: 'answer', onclick: () => skip(reason) },
        h('kbd', { 'aria-hidden': 'true' }, String(i + 1)),
        h('span', {}, reason),
      );
    this.dialog.append(
      h(
        'div',
        { class: 'panel-head' },
        h('h2', { id: 'skip-title' }, 'Skip this item because'),
        iconButton('close', 'Close', () => this.dialog.close()),
      ),
      h('div', { class: 'reasons' }, REASONS.map(button), form),
    );
    this.dialog.addEventListener('click', (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener('keydown', (event) => {
      if (event.target === own || event.ctrlKey || event.metaKey || event.altKey) return;
      const reason = REASONS[Number(event.key) - 1];
      if (!reason) return;
      event.preventDefault();
      event.stopPropagation();
      skip(reason);
    });
    this.own = own;
  }

  get isOpen() {
    return this.dialog.open;
  }

  open() {
    this.own.value = '';
    this.dialog.showModal();
    this.dialog.querySelector('.answer').focus();
  }
}
