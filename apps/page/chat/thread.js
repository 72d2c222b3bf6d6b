// The messages of the open conversation on the page, in order; scrolling that follows a growing answer unless the
// reader has scrolled away; what an empty conversation shows.

import { h, byId, icon } from '../shared/dom.js';
import { MessageView } from './message_view.js';
import { watchPointer, hideCard } from './token_view.js';
import { visiblePath } from './tree.js';

const NEAR_END = 80; // pixels

export class Thread {
  views = new Map(); // id of a node -> MessageView
  follows = true;

  constructor(app) {
    this.app = app;
    this.element = byId('thread');
    this.scroller = byId('scroller');
    const toEnd = byId('to-end');
    toEnd.append(icon('down'));
    toEnd.title = 'To the latest message';
    toEnd.addEventListener('click', () => this.scrollToEnd());
    this.scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    watchPointer(this.scroller, (element) => this.#answerAround(element)?.tokenMap ?? null);
    new ResizeObserver(() => this.follows && this.#toEnd()).observe(this.element);
  }

  // All of it, after a change of its messages.
  show() {
    const { conversation } = this.app;
    if (this.shown !== conversation) {
      this.views.clear();
      this.shown = conversation;
      this.follows = true;
    }
    hideCard();
    const path = visiblePath(conversation);
    const elements = path.map((node, i) => this.#updated(conversation, node, i + 1 === path.length).element);
    this.#place(elements.length ? elements : [emptyState(this.app)]);
    for (const id of [...this.views.keys()]) if (!conversation.nodes[id]) this.views.delete(id);
  }

  // Only the answer that grows.
  showNode(node) {
    if (this.views.has(node.id)) this.#updated(this.shown, node, true);
  }

  viewOf(node) {
    return this.views.get(node.id);
  }

  scrollToEnd() {
    this.follows = true;
    this.#toEnd();
  }

  #updated(conversation, node, isLast) {
    let view = this.views.get(node.id);
    if (!view) this.views.set(node.id, (view = new MessageView(this.app, conversation, node)));
    view.update(this.app.isWriting(node), isLast);
    return view;
  }

  // Elements that stay are not moved: that would take focus and selection from them.
  #place(elements) {
    const wanted = new Set(elements);
    for (const child of [...this.element.children]) if (!wanted.has(child)) child.remove();
    elements.forEach((element, i) => {
      if (this.element.children[i] !== element) this.element.insertBefore(element, this.element.children[i] ?? null);
    });
  }

  #answerAround(element) {
    const article = element?.closest('article');
    return article && [...this.views.values()].find((view) => view.element === article && !view.editing);
  }

  #toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.follows = scrollHeight - scrollTop - clientHeight < NEAR_END;
    byId('to-end').hidden = this.follows;
  }
}

function emptyState(app) {
  const model = app.models.id;
  const [title, text] = emptyWords(app);
  const image = h('img', { src: 'shared/icon.svg', alt: '', width: 48, height: 48 });
  return h('div', { class: 'empty' }, image, h('h2', {}, title), h('p', {}, text), model ? starters(app) : null);
}

function emptyWords({ models, offline, needsKey }) {
  if (offline) return ['No connection', 'The page tries again by itself.'];
  if (needsKey) return ['A key is needed', 'Whoever runs this server can give you one.'];
  if (models.id) return [models.id, 'runs on this server. Ask it something.'];
  return models.isKnown
    ? ['No model', 'This server has none loaded.']
    : ['One moment', 'The server is asked for its models.'];
}

function starters(app) {
  const start = (title, text, run) =>
    h('button', { type: 'button', class: 'starter', onclick: run }, h('strong', {}, title), h('span', {}, text));
  return h(
    'div',
    { class: 'starters' },
    start('Ask', 'What is a puna?', () => app.composer.fill('What is a puna? Answer in three sentences.')),
    start('Get JSON', 'An answer that keeps to a schema', () => app.startWithSchema()),
    start('Use a tool', 'A function whose result you fill in', () => app.startWithTool()),
  );
}
