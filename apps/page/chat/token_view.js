// Probabilities of tokens: a card with a token and what else the model could have said. It shows over the words of an
// answer under the pointer, and over the list of tokens, which the keyboard reaches.

import { h, byId } from '../shared/dom.js';
import { sourceOffset } from './markdown_view.js';
import { percent, visibleToken } from '../shared/format.js';

// The list of an answer's tokens, shaded by probability. One tab stop; arrows go from token to token.
export function tokenList(tokens) {
  const spans = tokens.map((token, i) => {
    const p = Math.exp(token.logprob);
    const shade = p >= 0.9 ? 0 : p >= 0.6 ? 1 : p >= 0.3 ? 2 : p >= 0.1 ? 3 : 4;
    const attributes = {
      class: `token shade-${shade}`,
      role: 'option',
      tabindex: i ? '-1' : '0',
      'aria-label': `${visibleToken(token.token)}, ${percent(p)}`,
      onpointerenter: (event) => showCard(token, event.target.getBoundingClientRect()),
      onpointerleave: hideCard,
      onfocus: (event) => showCard(token, event.target.getBoundingClientRect()),
      onblur: hideCard,
    };
    return h('span', attributes, token.token);
  });
  const list = h(
    'div',
    { class: 'token-list', role: 'listbox', 'aria-label': 'Tokens and their probabilities' },
    spans,
  );
  list.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    const at = spans.indexOf(document.activeElement);
    const to = event.key === 'Home' ? spans[0] : event.key === 'End' ? spans.at(-1) : step && spans[at + step];
    if (!to) return;
    event.preventDefault();
    for (const span of spans) span.tabIndex = span === to ? 0 : -1;
    to.focus();
  });
  return list;
}

// Shows the card for the token under the pointer. `lookUp(element)` gives {node, map} of the answer that holds it.
export function watchPointer(area, lookUp) {
  let waiting = 0;
  let last = null;
  area.addEventListener('pointermove', (event) => {
    if (event.pointerType === 'touch' || event.buttons) return;
    last = event;
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      const found = tokenUnder(last, lookUp);
      if (found === undefined) return;
      if (found) showCard(found.token, found.box, found.range);
      else hideCard();
    });
  });
  area.addEventListener('pointerleave', hideCard);
  area.addEventListener('scroll', hideCard, { passive: true });
}

// null: no token there. undefined: the list of tokens looks after itself.
function tokenUnder(event, lookUp) {
  if (event.target.closest('.token-list')) return undefined;
  const caret = caretAt(event.clientX, event.clientY);
  const from = caret && sourceOffset(caret.node);
  if (from === undefined || from === null) return null;
  const answer = lookUp(caret.node.parentElement);
  if (!answer) return null;
  // The caret is between two characters: the one under the pointer is the one whose box holds it.
  const range = document.createRange();
  for (const k of [caret.offset, caret.offset - 1]) {
    if (k < 0 || k >= caret.node.length) continue;
    range.setStart(caret.node, k);
    range.setEnd(caret.node, k + 1);
    const box = range.getBoundingClientRect();
    if (event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom)
      continue;
    const i = answer.map.at(from + k);
    if (i < 0) return null;
    const [start, end] = answer.map.range(i);
    range.setStart(caret.node, Math.max(0, start - from));
    range.setEnd(caret.node, Math.min(caret.node.length, Math.max(end - from, 0)));
    return { token: answer.node.tokens[i], box: range.getBoundingClientRect(), range };
  }
  return null;
}

function caretAt(x, y) {
  if (document.caretPositionFromPoint) {
    const at = document.caretPositionFromPoint(x, y);
    return at?.offsetNode?.nodeType === Node.TEXT_NODE ? { node: at.offsetNode, offset: at.offset } : null;
  }
  const at = document.caretRangeFromPoint?.(x, y);
  return at?.startContainer.nodeType === Node.TEXT_NODE ? { node: at.startContainer, offset: at.startOffset } : null;
}

function showCard(token, box, range = null) {
  const card = byId('token-card');
  const mine = { token: token.token, logprob: token.logprob };
  const others = token.top.some((other) => other.token === token.token) ? token.top : [mine, ...token.top];
  const row = (other) => {
    const p = Math.exp(other.logprob);
    const bar = h('span', { class: 'bar' });
    bar.style.width = `${Math.max(1, p * 100)}%`;
    return h(
      'div',
      { class: other.token === token.token ? 'row chosen' : 'row' },
      h('code', {}, visibleToken(other.token)),
      h('span', { class: 'track' }, bar),
      h('span', { class: 'number' }, percent(p)),
    );
  };
  card.replaceChildren(...others.map(row), h('div', { class: 'log' }, `log-probability ${token.logprob.toFixed(3)}`));
  card.hidden = false;
  const { width, height } = card.getBoundingClientRect();
  const ceiling = byId('scroller').getBoundingClientRect().top; // the head stays readable
  const above = box.top - height - 8;
  card.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
  card.style.top = `${above > ceiling ? above : box.bottom + 8}px`;
  if (globalThis.Highlight) CSS.highlights.set('token', new Highlight(...(range ? [range] : [])));
}

export function hideCard() {
  byId('token-card').hidden = true;
  if (globalThis.Highlight) CSS.highlights.delete('token');
}
