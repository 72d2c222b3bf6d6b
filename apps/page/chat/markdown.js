// Markdown of answers, parsed: a string in, a tree of blocks out. The part of CommonMark and of GitHub's tables that
// models write; HTML stays text, indented code is a paragraph. Every piece of text knows where in the source it comes
// from (`at`), so that a word on the page leads back to its tokens. markdown_view.js puts it on the page.
//
//   block = {type: 'paragraph' | 'heading' (level) | 'code' (language, lines) | 'quote' (blocks) | 'rule' |
//            'list' (ordered, start, items: [blocks], loose) | 'table' (align, head, rows), from, to}
//   inline: see markdown_inline.js

import { parseInline } from './markdown_inline.js';

const MAX_DEPTH = 8; // of quotes and lists in each other; deeper ones stay text
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+|$)/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:[ \t]+|$)/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

export function parseMarkdown(source) {
  const lines = [];
  let at = 0;
  for (const text of source.split('\n')) {
    lines.push({ text: text.endsWith('\r') ? text.slice(0, -1) : text, at });
    at += text.length + 1;
  }
  return parseBlocks(lines, 0);
}

// A line is {text, at}: what is left of it after the marks of quotes and lists around it.
function parseBlocks(lines, depth) {
  const blocks = [];
  let i = 0;
  while (i < lines.length) {
    if (isBlank(lines[i])) {
      i += 1;
      continue;
    }
    const [block, next] = parseBlock(lines, i, depth);
    block.from = lines[i].at;
    block.to = lines[next - 1].at + lines[next - 1].text.length;
    blocks.push(block);
    i = next;
  }
  return blocks;
}

function parseBlock(lines, i, depth) {
  const { text } = lines[i];
  let match;
  if ((match = FENCE.exec(text))) return parseFence(lines, i, match);
  if ((match = HEADING.exec(text))) return [headingOf(lines[i], match), i + 1];
  if (RULE.test(text)) return [{ type: 'rule' }, i + 1];
  if (depth < MAX_DEPTH && QUOTE.test(text)) return parseQuote(lines, i, depth);
  if (depth < MAX_DEPTH && ITEM.test(text)) return parseList(lines, i, depth);
  if (isTable(lines, i)) return parseTable(lines, i);
  return parseParagraph(lines, i, depth);
}

const isBlank = (line) => line.text.trim() === '';
const cut = (line, n) => ({ text: line.text.slice(n), at: line.at + n });
const indentOf = (line) => /^ */.exec(line.text)[0].length;

function parseFence(lines, i, [, fence, language]) {
  const indent = indentOf(lines[i]);
  const inside = [];
  let next = i + 1;
  let closed = false;
  for (; next < lines.length && !closed; next += 1) {
    const mark = lines[next].text.trim();
    closed = mark.length >= fence.length && mark === fence[0].repeat(mark.length);
    if (!closed) inside.push(cut(lines[next], Math.min(indent, indentOf(lines[next]))));
  }
  return [{ type: 'code', language, lines: inside, closed }, next];
}

function headingOf(line, match) {
  const end = line.text.replace(/[ \t]+#+[ \t]*$/, '').length;
  const rest = {
    text: line.text.slice(match[0].length, Math.max(end, match[0].length)),
    at: line.at + match[0].length,
  };
  return { type: 'heading', level: match[1].length, inline: parseInline([rest]) };
}

function parseQuote(lines, i, depth) {
  const inside = [];
  let next = i;
  for (; next < lines.length && !isBlank(lines[next]); next += 1) {
    const mark = QUOTE.exec(lines[next].text);
    if (!mark && startsBlock(lines, next)) break;
    inside.push(mark ? cut(lines[next], mark[0].length) : lines[next]);
  }
  return [{ type: 'quote', blocks: parseBlocks(inside, depth + 1) }, next];
}

// An item reaches to the next one of its list, or to a line that is not indented and comes after an empty one.
function parseList(lines, i, depth) {
  const first = ITEM.exec(lines[i].text);
  const kind = kindOf(first);
  const list = {
    type: 'list',
    ordered: kind !== first[2],
    start: Number.parseInt(first[2], 10) || 0,
    items: [],
    loose: false,
  };
  let next = i;
  while (next < lines.length) {
    const mark = ITEM.exec(lines[next].text);
    if (!mark || kindOf(mark) !== kind || mark[1].length > first[1].length + 3 || RULE.test(lines[next].text)) break;
    const [item, after] = itemLines(lines, next, mark);
    list.items.push(parseBlocks(item, depth + 1));
    const blank = after > next + 1 && isBlank(lines[after - 1]);
    if (
      item.some((line, k) => isBlank(line) && k + 1 < item.length) ||
      (blank && after < lines.length && ITEM.test(lines[after].text))
    ) {
      list.loose = true;
    }
    next = after;
  }
  while (next > i + 1 && isBlank(lines[next - 1])) next -= 1;
  return [list, next];
}

const kindOf = (mark) => (/\d/.test(mark[2]) ? mark[2].at(-1) : mark[2]); // ".", ")" or the bullet itself

function itemLines(lines, i, mark) {
  const width = Math.min(mark[0].length, mark[1].length + mark[2].length + 4);
  const item = [cut(lines[i], mark[0].length)];
  let next = i + 1;
  for (; next < lines.length; next += 1) {
    const line = lines[next];
    const indent = indentOf(line);
    if (isBlank(line)) {
      item.push(cut(line, line.text.length));
    } else if (indent >= width) {
      item.push(cut(line, width));
    } else if (indent > mark[1].length && indent >= 2) {
      item.push(cut(line, indent)); // models indent by two where CommonMark wants three
    } else if (isBlank(lines[next - 1]) || startsBlock(lines, next)) {
      break;
    } else {
      item.push(line);
    }
  }
  while (item.length > 1 && isBlank(item.at(-1))) item.pop();
  return [item, next];
}

function startsBlock(lines, i) {
  const { text } = lines[i];
  return FENCE.test(text) || HEADING.test(text) || RULE.test(text) || QUOTE.test(text) || ITEM.test(text);
}

// A paragraph ends at an empty line or where another block starts. A number starts a list in it only when it is 1.
function parseParagraph(lines, i, depth) {
  let next = i + 1;
  for (; next < lines.length && !isBlank(lines[next]); next += 1) {
    const item = ITEM.exec(lines[next].text);
    if (item && (depth >= MAX_DEPTH || (/\d/.test(item[2]) && Number.parseInt(item[2], 10) !== 1))) continue;
    if (QUOTE.test(lines[next].text) && depth >= MAX_DEPTH) continue;
    if (startsBlock(lines, next) || isTable(lines, next)) break;
  }
  const text = lines.slice(i, next).map((line) => cut(line, indentOf(line)));
  return [{ type: 'paragraph', inline: parseInline(text) }, next];
}

function isTable(lines, i) {
  const rule = lines[i + 1];
  if (!rule || !lines[i].text.includes('|') || !rule.text.includes('-') || !TABLE_RULE.test(rule.text)) return false;
  return cellsOf(lines[i]).length === cellsOf(rule).length;
}

function parseTable(lines, i) {
  const align = cellsOf(lines[i + 1]).map(({ text }) => {
    if (text.endsWith(':')) return text.startsWith(':') ? 'center' : 'right';
    return 'left';
  });
  const row = (line) => {
    const cells = cellsOf(line).slice(0, align.length);
    while (cells.length < align.length) cells.push({ text: '', at: line.at + line.text.length });
    return cells.map((cell) => parseInline([cell]));
  };
  const rows = [];
  let next = i + 2;
  for (; next < lines.length && !isBlank(lines[next]) && !startsBlock(lines, next); next += 1)
    rows.push(row(lines[next]));
  return [{ type: 'table', align, head: row(lines[i]), rows }, next];
}

// Cells of "| a | b |"; \| does not separate.
function cellsOf(line) {
  const cells = [];
  let from = /^\s*\|?/.exec(line.text)[0].length;
  const end = line.text.trimEnd().length;
  const push = (to) => {
    const raw = line.text.slice(from, to);
    const lead = /^\s*/.exec(raw)[0].length;
    cells.push({ text: raw.trim(), at: line.at + from + lead });
    from = to + 1;
  };
  for (let k = from; k < end; k += 1) {
    if (line.text[k] === '\\') k += 1;
    else if (line.text[k] === '|') push(k);
  }
  if (from < end) push(end);
  return cells;
}
