// One message of the thread on the page, and what one can do with it.

import { h, icon, iconButton, copyText } from '../shared/dom.js';
import { MarkdownView, codeBlock } from './markdown_view.js';
import { TokenMap } from './token_map.js';
import { tokenList } from './token_view.js';
import { callList, resultForm } from './tool_form.js';
import { editForm } from './edit_form.js';
import { siblingsOf } from './tree.js';
import { tokensPerSecond } from './run.js';
import { validate } from './schema.js';
import { parseJson } from './json_text.js';
import { plural, rate, seconds, sentence } from '../shared/format.js';

export class MessageView {
  constructor(app, conversation, node) {
    Object.assign(this, { app, conversation, node, editing: false, showsTokens: false, map: null });
    const name = { user: 'You', assistant: node.model || 'Assistant', tool: 'Results of calls' }[node.role];
    this.element = h('article', { class: `message ${node.role}`, 'aria-label': name });
    this.body = h('div', { class: 'body' });
    this.foot = h('div', { class: 'foot' });
    this.element.append(this.body, this.foot);
    this.markdown = null;
  }

  // `running`: this answer is being written. `isLast`: nothing comes after it.
  update(running, isLast) {
    this.element.classList.toggle('running', running);
    this.element.setAttribute('aria-busy', String(running));
    if (this.editing) return;
    if (this.node.role === 'assistant') this.#answer(running, isLast);
    else if (this.node.role === 'user') this.#question();
    else this.#results();
    this.#foot(running);
  }

  // For the card of a token: answers only, with tokens, not while their list is shown.
  get tokenMap() {
    const { node } = this;
    if (node.role !== 'assistant' || !node.tokens.length || !node.content) return null;
    if (this.map?.n !== node.tokens.length)
      this.map = { n: node.tokens.length, map: new TokenMap(node.content, node.tokens) };
    return { node, map: this.map.map };
  }

  #question() {
    if (this.body.hasChildNodes()) return; // a question does not change
    const { content, images = [] } = this.node;
    const pictures = images.map((url, i) => h('img', { src: url, alt: `Image ${i + 1} of this message` }));
    this.body.replaceChildren(
      ...(pictures.length ? [h('div', { class: 'pictures' }, pictures)] : []),
      ...(content ? [h('div', { class: 'bubble' }, content)] : []),
    );
  }

  #results() {
    const parent = this.conversation.nodes[this.node.parent];
    const results = this.node.results.map(({ id, content }) => {
      const name = parent.toolCalls?.find((call) => call.id === id)?.name ?? 'call';
      const head = h(
        'div',
        { class: 'call-head' },
        h('span', { class: 'call-word' }, 'Result of'),
        h('code', {}, name),
      );
      return h(
        'div',
        { class: 'call' },
        head,
        h('pre', { tabindex: '0', 'aria-label': `Result of ${name}` }, content || '(empty)'),
      );
    });
    this.body.replaceChildren(...results);
  }

  #answer(running, isLast) {
    const { node } = this;
    this.parts ??= {
      reasoning: h('details', { class: 'reasoning', hidden: true }, h('summary', {}, 'Reasoning'), h('div')),
      content: h('div', { class: 'content' }),
      calls: h('div', { class: 'calls' }),
      form: h('div'),
      state: h('div', { class: 'state' }),
    };
    const { reasoning, content, calls, form, state } = this.parts;
    if (!this.body.hasChildNodes()) this.body.append(reasoning, content, calls, form, state);
    reasoning.hidden = !node.reasoning;
    reasoning.lastChild.textContent = node.reasoning ?? '';
    this.#content(content, running);
    calls.replaceChildren(...callList(node.toolCalls, this.conversation.settings, running));
    const wantsResults = !running && isLast && node.toolCalls.length > 0;
    if (!wantsResults) form.replaceChildren();
    else if (!form.hasChildNodes())
      form.append(resultForm(node.toolCalls, (results) => this.app.sendResults(node, results)));
    if (!running) state.replaceChildren(...this.#ending());
    else if (state.firstChild !== this.#waiting()) state.replaceChildren(this.pulse);
  }

  #content(element, running) {
    const { node } = this;
    const kind = this.showsTokens ? 'tokens' : node.schema && /^\s*[{[]/.test(node.content) ? 'json' : 'markdown';
    if (kind !== this.kind || kind === 'json') {
      element.replaceChildren();
      this.markdown = kind === 'markdown' ? new MarkdownView(element) : null;
      this.listed = -1;
    }
    this.kind = kind;
    if (kind === 'markdown') this.markdown.update(node.content);
    if (kind === 'json') element.append(codeBlock('json', linesOf(node.content)));
    if (kind === 'tokens' && this.listed !== node.tokens.length) element.replaceChildren(tokenList(node.tokens));
    this.listed = node.tokens.length;
    element.classList.toggle('growing', running && kind === 'markdown');
  }

  // The same element each time, or its pulse would begin again with every token.
  #waiting() {
    const { node } = this;
    this.pulse ??= h('p', { class: 'waiting' }, h('span', { class: 'pulse', 'aria-hidden': 'true' }), h('span'));
    const speed = tokensPerSecond(node);
    const hasBegun = node.content || node.toolCalls.length || node.reasoning;
    const words = hasBegun ? 'Writing' : 'Reading the prompt';
    this.pulse.lastChild.textContent = speed ? `${words} · ${rate(speed)} tokens/s` : `${words}…`;
    return this.pulse;
  }

  // How the answer ended, when that needs words.
  #ending() {
    const { node } = this;
    const out = [];
    const note = (words) => out.push(h('p', { class: 'note' }, words));
    if (node.error) out.push(this.#error(node.error));
    else if (node.stopped)
      note(node.content ? 'You stopped this answer.' : 'You stopped this answer before its first word.');
    else if (node.finish === 'length') note('The answer ends here because it reached its largest number of tokens.');
    else if (node.finish === 'content_filter') note('The server cut this answer.');
    else if (!node.finish) note('The page was closed before this answer ended.');
    else if (!node.content && !node.toolCalls.length) note('The answer is empty.');
    if (node.schema && node.content && !node.error) out.push(verdict(node));
    return out;
  }

  #error({ message, param, retryAfter, status, code }) {
    const buttons = [];
    const retry = () => this.app.retry(this.node);
    if (status === 401 || status === 403) {
      buttons.push(
        h('button', { type: 'button', class: 'primary', onclick: () => this.app.askForKey(retry) }, 'Enter a key'),
      );
    }
    buttons.push(h('button', { type: 'button', class: 'quiet', onclick: retry }, 'Try again'));
    if (this.app.settingsPanel.hasPlaceFor(param)) {
      buttons.push(
        h(
          'button',
          { type: 'button', class: 'quiet', onclick: () => this.app.showSetting(param, message) },
          'Show the setting',
        ),
      );
    }
    const more = [];
    if (retryAfter) more.push(`The server asks to wait ${plural(retryAfter, 'second')}.`);
    if (code === 'context_length_exceeded')
      more.push('Start a new conversation, edit an earlier message, or shorten this one.');
    return h(
      'div',
      { class: 'error', role: 'group', 'aria-label': 'Error' },
      h('p', {}, sentence(message)),
      more.map((text) => h('p', { class: 'more' }, text)),
      h('div', { class: 'buttons' }, buttons),
    );
  }

  #foot(running) {
    const { node, app } = this;
    if (running) return this.foot.replaceChildren();
    const siblings = siblingsOf(this.conversation, node);
    const parts = [];
    if (siblings.length > 1) parts.push(this.#branches(siblings));
    if (node.content) {
      const copy = iconButton('copy', 'Copy', () => copyText(node.content, copy));
      parts.push(copy);
    }
    if (node.role === 'assistant' && !node.error) parts.push(iconButton('retry', 'Try again', () => app.retry(node)));
    if (node.role !== 'assistant' || node.content) parts.push(iconButton('edit', 'Edit', () => this.#edit()));
    if (node.tokens?.length) {
      const toggle = iconButton(
        'tokens',
        'Tokens and probabilities',
        () => {
          this.showsTokens = !this.showsTokens;
          toggle.setAttribute('aria-pressed', String(this.showsTokens));
          this.#content(this.parts.content, false);
        },
        { 'aria-pressed': String(this.showsTokens) },
      );
      parts.push(toggle);
    }
    if (node.role === 'assistant') parts.push(figures(node));
    this.foot.replaceChildren(...parts);
  }

  #branches(siblings) {
    const at = siblings.indexOf(this.node.id);
    const go = (step) => this.app.switchBranch(this.node, step);
    return h(
      'span',
      { class: 'branches' },
      iconButton('left', 'Previous version', () => go(-1), { disabled: at === 0 }),
      h('span', { class: 'which' }, `${at + 1} / ${siblings.length}`),
      iconButton('right', 'Next version', () => go(1), { disabled: at + 1 === siblings.length }),
    );
  }

  #edit() {
    this.editing = true;
    const close = () => {
      this.editing = false;
      this.element.classList.remove('editing');
      this.parts = this.kind = undefined;
      this.body.replaceChildren();
      this.app.showThread();
    };
    this.element.classList.add('editing');
    this.foot.replaceChildren();
    this.body.replaceChildren(
      editForm(this.node, {
        onCancel: () => (close(), this.foot.querySelector('[aria-label="Edit"]')?.focus()),
        onDone: (changes) => (close(), this.app.saveEdit(this.node, changes)),
      }),
    );
    this.body.querySelector('textarea').focus();
  }

  edit() {
    if (!this.editing) this.#edit();
  }
}

function figures(node) {
  const parts = [];
  const speed = tokensPerSecond(node);
  if (node.usage?.completion) parts.push(plural(node.usage.completion, 'token'));
  if (speed) parts.push(`${rate(speed)} tokens/s`);
  if (node.timing?.first) parts.push(`first after ${seconds(node.timing.first)}`);
  if (node.edited) parts.push('edited by you');
  return h('span', { class: 'figures' }, parts.join(' · '));
}

function verdict(node) {
  const schema = parseJson(node.schema).value;
  const { value, error } = parseJson(node.content);
  const problems = error
    ? [error.replace(/^Not JSON( yet)?/, 'The answer is not JSON')]
    : validate(schema ?? true, value);
  if (!problems.length) return h('p', { class: 'verdict good' }, icon('check'), 'Matches the schema');
  const items = problems.map((problem) => h('li', {}, problem));
  return h('div', { class: 'verdict bad' }, h('p', {}, 'Does not match the schema'), h('ul', {}, items));
}

function linesOf(content) {
  let at = 0;
  return content.split('\n').map((text) => {
    const line = { text, at };
    at += text.length + 1;
    return line;
  });
}
