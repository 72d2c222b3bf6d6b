// Puts parsed markdown on the page: text nodes and elements made one by one, never HTML from a string. Blocks whose
// source has not changed stay the nodes they are, so that a growing answer does not flicker or lose a selection.

import { h, icon, copyText } from '../shared/dom.js';
import { parseMarkdown } from './markdown.js';

const sources = new WeakMap(); // text node -> where its text begins in the source

export const sourceOffset = (textNode) => sources.get(textNode);

export class MarkdownView {
  blocks = []; // {raw, from, node} of what is shown

  constructor(element) {
    this.element = element;
  }

  update(source) {
    const parsed = parseMarkdown(source);
    parsed.forEach((block, i) => {
      const raw = source.slice(block.from, block.to);
      const shown = this.blocks[i];
      if (shown && shown.raw === raw && shown.from === block.from) return;
      const node = blockNode(block);
      if (shown) shown.node.replaceWith(node);
      else this.element.append(node);
      this.blocks[i] = { raw, from: block.from, node };
    });
    for (const gone of this.blocks.splice(parsed.length)) gone.node.remove();
  }
}

// A block of code by itself: answers that are JSON by a schema.
export function codeBlock(language, lines) {
  const code = h('code', {});
  lines.forEach((line, i) => {
    code.append(textNode(line.text, line.at));
    if (i + 1 < lines.length) code.append(textNode('\n', line.at + line.text.length));
  });
  const copy = h(
    'button',
    { type: 'button', class: 'copy', onclick: () => copyText(code.textContent, copy) },
    icon('copy'),
    ' Copy',
  );
  const head = h('div', { class: 'code-head' }, h('span', {}, language || 'text'), copy);
  return h(
    'div',
    { class: 'code' },
    head,
    h('pre', { tabindex: '0', 'aria-label': `Code, ${language || 'text'}` }, code),
  );
}

function textNode(text, at) {
  const node = document.createTextNode(text);
  sources.set(node, at);
  return node;
}

const blockNodes = (blocks) => blocks.map(blockNode);

function blockNode(block) {
  switch (block.type) {
    case 'heading':
      return h(`h${Math.min(block.level + 2, 6)}`, { class: `level-${block.level}` }, inlineNodes(block.inline));
    case 'code':
      return codeBlock(block.language, block.lines);
    case 'quote':
      return h('blockquote', {}, blockNodes(block.blocks));
    case 'rule':
      return h('hr');
    case 'list':
      return listNode(block);
    case 'table':
      return tableNode(block);
    default:
      return h('p', {}, inlineNodes(block.inline));
  }
}

// In a tight list the paragraphs of items are just their text.
function listNode({ ordered, start, items, loose }) {
  const item = (blocks) => {
    const content = blocks.flatMap((b) => (b.type === 'paragraph' && !loose ? inlineNodes(b.inline) : [blockNode(b)]));
    return h('li', {}, content);
  };
  return h(ordered ? 'ol' : 'ul', ordered && start !== 1 ? { start } : {}, items.map(item));
}

function tableNode({ align, head, rows }) {
  const cell = (tag, inline, i) => h(tag, { class: align[i], scope: tag === 'th' && 'col' }, inlineNodes(inline));
  const table = h(
    'table',
    {},
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        head.map((inline, i) => cell('th', inline, i)),
      ),
    ),
    h(
      'tbody',
      {},
      rows.map((row) =>
        h(
          'tr',
          {},
          row.map((inline, i) => cell('td', inline, i)),
        ),
      ),
    ),
  );
  return h('div', { class: 'table', tabindex: '0', role: 'region', 'aria-label': 'Table' }, table);
}

function inlineNodes(items) {
  return items.map((item) => {
    if (item.type === 'text') return textNode(item.text, item.at);
    if (item.type === 'break') return h('br');
    if (item.type !== 'link') return h(item.type, {}, inlineNodes(item.children));
    const attributes = { href: item.href, target: '_blank', rel: 'noopener noreferrer' };
    return h('a', attributes, inlineNodes(item.children));
  });
}
