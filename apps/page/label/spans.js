// Marking spans of a text. With the mouse: select, then choose a label. With the keyboard: arrows go from word to word,
// with Shift they take more words, a number gives the label.

import { h, icon, announce } from '../shared/dom.js';
import { piecesOf, trimmed, withSpan, wordsOf } from './span_list.js';

const COLOURS = 8;
const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];

export class SpanControl {
  constructor(labels, text, done) {
    Object.assign(this, { labels, source: text, done });
    this.words = wordsOf(text);
    this.spans = [];
    this.first = this.words.length ? 0 : null; // the words that are selected: first to last
    this.last = this.first;
    this.selection = null; // characters; by the mouse they need not be words
    this.text = h('div', {
      class: 'reading spans',
      tabindex: 0,
      role: 'group',
      'aria-label': 'Text to mark. Arrows go from word to word, with Shift they take more, a number marks.',
    });
    this.text.addEventListener('pointerup', () => this.#fromMouse());
    this.text.addEventListener('focus', () => this.#draw());
    this.text.addEventListener('blur', () => this.#draw());
    this.marked = h('ul', { class: 'marked', 'aria-label': 'Marked spans' });
    const button = (label, i) =>
      h(
        'button',
        {
          type: 'button',
          class: `answer mark-${i % COLOURS}`,
          'aria-keyshortcuts': KEYS[i],
          onclick: () => this.#mark(i),
        },
        KEYS[i] && h('kbd', { 'aria-hidden': 'true' }, KEYS[i]),
        h('span', {}, label),
      );
    this.submit = h('button', { type: 'button', class: 'primary', onclick: done });
    this.element = h(
      'div',
      { class: 'control' },
      this.marked,
      h('div', { class: 'answers', role: 'group', 'aria-label': 'Labels of spans' }, labels.map(button)),
      h('div', { class: 'submit' }, h('span', { class: 'hint' }, 'Select words, then choose a label'), this.submit),
    );
    this.#draw();
  }

  value() {
    return this.spans.map(({ start, end, label }) => ({ start, end, label }));
  }

  set(spans) {
    this.spans = spans.map(({ start, end, label }) => ({ start, end, label }));
    this.#draw();
  }

  start() {
    this.text.focus({ preventScroll: true });
    return true;
  }

  key({ key, typing, shift, target }) {
    if (typing) return false;
    const i = KEYS.indexOf(key);
    if (i >= 0 && i < this.labels.length) this.#mark(i);
    else if (key === 'ArrowRight' || key === 'ArrowDown') this.#move(1, shift);
    else if (key === 'ArrowLeft' || key === 'ArrowUp') this.#move(-1, shift);
    else if (key === 'Backspace' || key === 'Delete') this.#unmark();
    else if (key === 'Enter' && !target?.closest?.('button, a, select')) this.done();
    else return false;
    return true;
  }

  // What is selected, as characters.
  #selected() {
    if (this.selection) return this.selection;
    if (this.first === null) return null;
    const [a, b] = [Math.min(this.first, this.last), Math.max(this.first, this.last)];
    return [this.words[a][0], this.words[b][1]];
  }

  #move(by, extend) {
    if (this.first === null) return;
    if (this.selection) {
      this.#toWord(this.selection[0]);
    } else {
      this.last = Math.min(Math.max(this.last + by, 0), this.words.length - 1);
      if (!extend) this.first = this.last;
    }
    this.#draw();
    const [start, end] = this.#selected();
    announce(this.source.slice(start, end) + this.#labelsOf(start, end));
    this.text.querySelector('.selected')?.scrollIntoView({ block: 'nearest' });
  }

  #labelsOf(start, end) {
    const names = this.spans.filter((s) => s.start <= start && s.end >= end).map((s) => s.label);
    return names.length ? `, ${names.join(', ')}` : '';
  }

  #toWord(at) {
    this.selection = null;
    const found = this.words.findIndex(([, end]) => end > at);
    this.first = found < 0 ? this.words.length - 1 : found;
    this.last = this.first;
  }

  #mark(i) {
    const selected = this.#selected();
    if (!selected) return;
    const before = this.spans.length;
    this.spans = withSpan(this.spans, ...selected, this.labels[i]);
    const words = this.source.slice(...selected);
    announce(this.spans.length < before ? `${words}: mark taken away` : `${words}: ${this.labels[i]}`);
    if (this.selection) this.#toWord(this.selection[1]);
    this.#draw();
  }

  #unmark() {
    const selected = this.#selected();
    if (!selected) return;
    this.spans = this.spans.filter((s) => s.end <= selected[0] || s.start >= selected[1]);
    announce('Marks taken away');
    this.#draw();
  }

  #fromMouse() {
    const selection = getSelection();
    if (!selection.rangeCount) return;
    const range = selection.getRangeAt(0);
    const [start, end] = [
      this.#offset(range.startContainer, range.startOffset),
      this.#offset(range.endContainer, range.endOffset),
    ];
    if (start === null || end === null) return;
    const chosen = trimmed(this.source, start, end);
    if (chosen) this.selection = chosen;
    else this.#toWord(start);
    selection.removeAllRanges();
    this.#draw();
  }

  // Of a place in the page, the character of the text. Tags between the pieces belong to no character.
  #offset(node, offset) {
    const piece = (node.nodeType === Node.TEXT_NODE ? node.parentElement : node).closest('[data-start]');
    if (piece) return Number(piece.dataset.start) + (node.nodeType === Node.TEXT_NODE ? offset : 0);
    if (!this.text.contains(node)) return null;
    const next = node === this.text ? node.childNodes[offset] : node.nextSibling;
    const begin = next?.dataset?.start ?? next?.querySelector?.('[data-start]')?.dataset.start;
    return begin === undefined ? this.source.length : Number(begin);
  }

  #draw() {
    const shown = this.selection || document.activeElement === this.text ? this.#selected() : null;
    this.text.replaceChildren(...markedText(this.source, this.spans, this.labels, shown));
    this.marked.replaceChildren(
      ...this.spans.map((span) =>
        h(
          'li',
          { class: `mark-${colourOf(span.label, this.labels)}` },
          h('span', {}, `${span.label}: ${this.source.slice(span.start, span.end)}`),
          h(
            'button',
            {
              type: 'button',
              class: 'icon-button',
              'aria-label': `Take away ${span.label}: ${this.source.slice(span.start, span.end)}`,
              onclick: () => ((this.spans = this.spans.filter((s) => s !== span)), this.#draw()),
            },
            icon('close'),
          ),
        ),
      ),
    );
    this.marked.hidden = !this.spans.length;
    this.submit.replaceChildren(
      this.spans.length ? 'Done' : 'Nothing to mark',
      ' ',
      h('kbd', { 'aria-hidden': 'true' }, '⏎'),
    );
  }
}

const colourOf = (label, labels) => Math.max(labels.indexOf(label), 0) % COLOURS;

// A text with its marks, each followed by its label.
export function markedText(text, spans, labels, selection = null) {
  const nodes = [];
  for (const piece of piecesOf(text.length, spans, selection)) {
    const over = piece.spans.at(-1);
    const classes = [
      over !== undefined && `mark mark-${colourOf(spans[over].label, labels)}`,
      piece.spans.length > 1 && 'nested',
      piece.selected && 'selected',
    ];
    nodes.push(
      h(
        over === undefined ? 'span' : 'mark',
        { class: classes.filter(Boolean).join(' ') || null, 'data-start': piece.start },
        text.slice(piece.start, piece.end),
      ),
    );
    for (const n of piece.spans)
      if (spans[n].end === piece.end)
        nodes.push(h('span', { class: `tag mark-${colourOf(spans[n].label, labels)}` }, spans[n].label));
  }
  return nodes;
}
