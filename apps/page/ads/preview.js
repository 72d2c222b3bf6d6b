// A variant as its placement would show it: what does not fit is cut there, with an ellipsis.

import { h } from '../shared/dom.js';

// The text as it is shown: the server says how much of it the placement takes.
export function cut(text, result) {
  if (!result || result.shown >= text.length) return text;
  return `${text.slice(0, result.shown).trimEnd()}…`;
}

// fields: those of one variant. texts(name): as they are shown.
function reader(fields) {
  return (name) => fields.filter((f) => f.field === name && f.text().trim()).map((f) => cut(f.text(), f.result));
}

const line = (kind, text) => (text ? h('p', { class: kind }, text) : null);

export function preview(placement, fields, business, host) {
  const texts = reader(fields);
  const all = (name, separator) => texts(name).join(separator);
  const inside = placement.startsWith('google')
    ? [
        line('where', [host, ...texts('path')].filter(Boolean).join(' › ')),
        line('headline', all('headline', ' | ') || texts('long_headline')[0]),
        line('body', all('description', ' ')),
      ]
    : [
        line('who', business),
        line('body', texts('primary_text')[0]),
        h('div', { class: 'picture' }, 'your picture'),
        line('headline', texts('headline')[0]),
        line('small', texts('description')[0]),
      ];
  const kind = placement.split('.')[0];
  return h('div', { class: `preview ${kind}`, role: 'group', 'aria-label': 'Preview' }, ...inside.filter(Boolean));
}
