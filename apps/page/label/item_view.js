// An item as people read it: its fields, all of them as text.

import { h } from '../shared/dom.js';

// Of an item's data, what has a place of its own and what is shown beside it: {prompt, left, right, text, rest}. Where
// a named field is not there, the first texts that are left take its place.
export function placesOf(data, type, fields) {
  const rest = new Map(Object.entries(data));
  const take = (name) => {
    const value = rest.get(name);
    if (typeof value !== 'string') return null;
    rest.delete(name);
    return value;
  };
  const first = () => {
    for (const [name, value] of rest) if (typeof value === 'string') return take(name);
    return null;
  };
  const places = { prompt: take(fields.prompt), left: null, right: null, text: null, rest };
  if (type === 'pairwise') {
    places.left = take(fields.left) ?? first();
    places.right = take(fields.right) ?? first();
  } else {
    places.text = take(fields.text) ?? longest(rest, take);
  }
  return places;
}

function longest(rest, take) {
  let name = null;
  for (const [key, value] of rest)
    if (typeof value === 'string' && (name === null || value.length > rest.get(name).length)) name = key;
  return name === null ? null : take(name);
}

const words = (value) => (typeof value === 'string' ? value : JSON.stringify(value, null, 1));

// The elements of an item. `text` replaces its text where that is more than read (spans).
export function itemView(entry, places, type, text = null) {
  const parts = [];
  if (places.prompt !== null) parts.push(h('div', { class: 'prompt' }, places.prompt));
  if (type === 'pairwise') {
    const side = (name, key, body) =>
      h(
        'section',
        { class: 'side', 'data-side': key, 'aria-label': `${name} answer` },
        h('h2', {}, name),
        h('div', { class: 'reading' }, body ?? '(nothing)'),
      );
    parts.push(h('div', { class: 'pair' }, side('Left', 'left', places.left), side('Right', 'right', places.right)));
  } else if (text) {
    parts.push(text);
  } else if (places.text !== null) {
    parts.push(h('div', { class: places.text.length < 240 ? 'reading short' : 'reading' }, places.text));
  }
  if (places.rest.size) {
    const row = ([name, value]) =>
      h('div', {}, h('dt', {}, name), h('dd', { class: typeof value === 'string' ? '' : 'mono' }, words(value)));
    parts.push(h('dl', { class: 'fields' }, [...places.rest].map(row)));
  }
  if (!parts.length) parts.push(h('div', { class: 'reading short' }, entry.item));
  return parts;
}

// A label in words: cat; cat, dog; left; "Ann" is a name.
export function valueWords(value, text = null) {
  if (Array.isArray(value)) {
    if (!value.length) return 'none';
    return value.map((v) => (typeof v === 'string' ? v : spanWords(v, text))).join(', ');
  }
  return String(value);
}

const spanWords = (span, text) =>
  `${span.label}: ${text === null ? `${span.start} to ${span.end}` : `“${text.slice(span.start, span.end)}”`}`;
