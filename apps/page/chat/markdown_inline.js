// The inside of a paragraph: emphasis, code, links. Emphasis is CommonMark's algorithm with a stack of delimiters
// (https://spec.commonmark.org/0.31.2/#phase-2-inline-structure).
//
//   inline = {type: 'text', text, at} | {type: 'break'} | {type: 'code' | 'strong' | 'em' | 'del', children} |
//            {type: 'link', href, children}

const MAX_DELIMITERS = 400; // in one paragraph; more of them stay text
const PUNCTUATION = /[\p{P}\p{S}]/u;
const ESCAPABLE = /[!-/:-@[-`{-~]/;
const LINK_TARGET = /^\(\s*<?((?:[^\s()<>]|\([^\s()<>]*\))*)>?(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/;
const BARE_LINK = /^https?:\/\/[^\s<>"'`*]+/;
const SAFE_LINK = /^(https?:|mailto:)/i;

// lines: [{text, at}], which need not be neighbours in the source.
export function parseInline(lines) {
  return new Inline(lines).parse();
}

class Inline {
  constructor(lines) {
    this.lines = lines;
    this.text = lines.map((line) => line.text).join('\n');
    this.starts = []; // of each line in text
    let start = 0;
    for (const line of lines) {
      this.starts.push(start);
      start += line.text.length + 1;
    }
    this.items = []; // inline nodes; delimiters are {type: 'delimiter', ch, count, at, opens, closes}
    this.delimiters = 0;
    this.brackets = []; // places in items of '[' that may open a link
  }

  parse() {
    const { text } = this;
    let from = 0;
    let i = 0;
    const flush = () => this.#addText(from, i);
    while (i < text.length) {
      const used = this.#special(i, flush);
      if (used) from = i += used;
      else i += 1;
    }
    flush();
    return withEmphasis(this.items);
  }

  // Where character i of the joined text is in the source.
  #sourceAt(i) {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle] <= i) low = middle;
      else high = middle - 1;
    }
    return this.lines[low].at + i - this.starts[low];
  }

  #addText(from, to) {
    if (to > from) this.items.push({ type: 'text', text: this.text.slice(from, to), at: this.#sourceAt(from) });
  }

  // Handles the special character at i, if it is one: returns how many characters that took, 0 for ordinary text.
  #special(i, flush) {
    const { text } = this;
    const ch = text[i];
    if (ch === '\n') {
      flush();
      const hard = /(\\| {2,})$/.test(text.slice(Math.max(0, i - 2), i));
      this.items.push(hard ? { type: 'break' } : { type: 'text', text: '\n', at: this.#sourceAt(i) });
      return 1;
    }
    if (ch === '\\' && ESCAPABLE.test(text[i + 1] ?? '')) {
      flush();
      this.#addText(i + 1, i + 2);
      return 2;
    }
    if (ch === '`') return this.#code(i, flush);
    if (ch === '*' || ch === '_' || (ch === '~' && text[i + 1] === '~')) return this.#delimiter(i, flush);
    if (ch === '[') {
      flush();
      this.brackets.push(this.items.length);
      this.#addText(i, i + 1);
      return 1;
    }
    if (ch === ']') return this.#closeBracket(i, flush);
    if (ch === 'h' && !/[\p{L}\p{N}]/u.test(text[i - 1] ?? ' ')) return this.#bareLink(i, flush);
    return 0;
  }

  #code(i, flush) {
    const ticks = /^`+/.exec(this.text.slice(i))[0];
    let close = i + ticks.length;
    for (;;) {
      close = this.text.indexOf(ticks, close);
      if (close < 0) break;
      const run = /^`+/.exec(this.text.slice(close))[0].length;
      if (run === ticks.length) break;
      close += run;
    }
    flush();
    if (close < 0) {
      this.#addText(i, i + ticks.length);
      return ticks.length;
    }
    const from = i + ticks.length;
    const padded = /^ .*[^ ].* $/s.test(this.text.slice(from, close)) ? 1 : 0;
    this.items.push({ type: 'code', children: this.#codeText(from + padded, close - padded) });
    return close + ticks.length - i;
  }

  // Line ends become spaces; each line is a text of its own, because lines may lie apart in the source.
  #codeText(from, to) {
    const children = [];
    for (const line of this.text.slice(from, to).split('\n')) {
      if (children.length) children.push({ type: 'text', text: ' ', at: this.#sourceAt(from - 1) });
      children.push({ type: 'text', text: line, at: this.#sourceAt(from) });
      from += line.length + 1;
    }
    return children;
  }

  #delimiter(i, flush) {
    const { text } = this;
    const ch = text[i];
    let end = i;
    while (text[end] === ch) end += 1;
    if (this.delimiters >= MAX_DELIMITERS) return 0;
    this.delimiters += 1;
    const before = text[i - 1] ?? ' ';
    const after = text[end] ?? ' ';
    const left = !/\s/.test(after) && (!PUNCTUATION.test(after) || /\s/.test(before) || PUNCTUATION.test(before));
    const right = !/\s/.test(before) && (!PUNCTUATION.test(before) || /\s/.test(after) || PUNCTUATION.test(after));
    const opens = ch === '_' ? left && (!right || PUNCTUATION.test(before)) : left;
    const closes = ch === '_' ? right && (!left || PUNCTUATION.test(after)) : right;
    flush();
    this.items.push({ type: 'delimiter', ch, count: end - i, at: this.#sourceAt(i), opens, closes });
    return end - i;
  }

  #closeBracket(i, flush) {
    const open = this.brackets.pop();
    const target = open === undefined ? null : LINK_TARGET.exec(this.text.slice(i + 1, i + 2100));
    if (!target) return 0;
    flush();
    const inside = this.items.splice(open).slice(1);
    const before = this.items.at(-1);
    const isImage = before?.type === 'text' && before.text.endsWith('!');
    if (isImage) before.text = before.text.slice(0, -1); // an image of an answer is never fetched: it stays a link
    const children = withEmphasis(inside);
    if (SAFE_LINK.test(target[1])) this.items.push({ type: 'link', href: target[1], children });
    else this.items.push(...children);
    return 1 + target[0].length;
  }

  #bareLink(i, flush) {
    const match = BARE_LINK.exec(this.text.slice(i, i + 2000));
    if (!match || this.brackets.length) return 0;
    let url = match[0].replace(/[.,;:!?_~]+$/, '');
    while (url.endsWith(')') && url.split(')').length > url.split('(').length) url = url.slice(0, -1);
    flush();
    this.items.push({ type: 'link', href: url, children: [{ type: 'text', text: url, at: this.#sourceAt(i) }] });
    return url.length;
  }
}

// Pairs delimiters: what lies between two becomes a child. Those without a partner become text again.
function withEmphasis(items) {
  const out = [];
  const stack = []; // places in out of delimiters that can open
  for (const item of items) {
    if (item.type !== 'delimiter') {
      out.push(item);
      continue;
    }
    let closer = item;
    while (closer.closes && closer.count > 0) {
      const k = stack.findLastIndex((place) => matches(out[place], closer));
      if (k < 0) break;
      closer = wrap(out, stack[k], closer);
      stack.length = out[stack[k]]?.type === 'delimiter' && out[stack[k]].count > 0 ? k + 1 : k;
    }
    if (closer.count > 0) {
      if (closer.opens) stack.push(out.length);
      out.push(closer);
    }
  }
  return out.filter((item) => item.type !== 'delimiter' || item.count > 0).map(plain);
}

function matches(opener, closer) {
  if (opener.ch !== closer.ch || opener.count === 0) return false;
  if (closer.ch === '~') return opener.count >= 2 && closer.count >= 2;
  const both = opener.closes || closer.opens; // CommonMark's rule of three
  return !both || (opener.count + closer.count) % 3 !== 0 || (opener.count % 3 === 0 && closer.count % 3 === 0);
}

function wrap(out, place, closer) {
  const opener = out[place];
  const n = opener.count >= 2 && closer.count >= 2 ? 2 : 1;
  const type = closer.ch === '~' ? 'del' : n === 2 ? 'strong' : 'em';
  const children = out
    .splice(place + 1)
    .filter((item) => item.type !== 'delimiter' || item.count > 0)
    .map(plain);
  out[place] = { ...opener, count: opener.count - n };
  if (out[place].count === 0) out.pop();
  out.push({ type, children });
  return { ...closer, count: closer.count - n, at: closer.at + n };
}

function plain(item) {
  return item.type === 'delimiter' ? { type: 'text', text: item.ch.repeat(item.count), at: item.at } : item;
}
