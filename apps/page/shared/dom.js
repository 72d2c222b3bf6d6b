// Elements in one call: h('button', {class: 'quiet', onclick: f}, 'Text'). Text is always a text node, never markup.

const AS_PROPERTY = new Set(['value', 'checked', 'disabled', 'hidden', 'htmlFor', 'indeterminate', 'open', 'selected']);

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (AS_PROPERTY.has(name)) element[name] = value;
    else if (value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

// 24 x 24 outlines, drawn with the colour of the text.
const ICONS = {
  arrow_up: 'M12 19V5M6 11l6-6 6 6',
  chart: 'M4 20h16M7 20v-6M12 20V5M17 20v-9',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  close: 'M6 6l12 12M18 6L6 18',
  copy: 'M9 9h10v11H9zM15 9V4H5v11h4',
  down: 'M12 5v14M6 13l6 6 6-6',
  edit: 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3',
  image: 'M4 5h16v14H4zM4 16l5-5 4 4 2-2 5 4M15.5 9.5h.01',
  keyboard: 'M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M18 10h.01M8 14h8',
  left: 'M14 6l-6 6 6 6',
  list: 'M4 7h16M4 12h16M4 17h10',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20a7.5 7.5 0 0 1 15 0',
  plus: 'M12 5v14M5 12h14',
  retry: 'M19 12a7 7 0 1 1-2-5M19 4v4h-4',
  right: 'M10 6l6 6-6 6',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5',
  theme: 'M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16',
  tokens: 'M4 19V11M9 19V5M14 19v-6M19 19V8',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
};

export function icon(name) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'icon');
  const path = document.createElementNS(ns, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

// A button that is only an icon has its words as label and as tooltip.
export function iconButton(name, label, onclick, attributes = {}) {
  return h(
    'button',
    { type: 'button', class: 'icon-button', 'aria-label': label, title: label, onclick, ...attributes },
    icon(name),
  );
}

// A sentence for a moment at the bottom of the page, with one thing to do about it.
export function toast(text, action = null) {
  const close = () => item.remove();
  const button =
    action && h('button', { type: 'button', class: 'link', onclick: () => (close(), action.run()) }, action.label);
  const item = h('div', { class: 'toast' }, h('span', {}, text), button);
  byId('toasts').replaceChildren(item);
  setTimeout(close, action ? 10000 : 5000);
}

// What a screen reader says next. The thread itself is no live region: it would be read token by token.
export function announce(text) {
  byId('announcer').textContent = text;
}

export async function copyText(text, button) {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copyBySelection(text);
  } catch {
    toast('The browser does not allow this page to copy. Select the text and copy it by hand.');
    return;
  }
  const before = button.firstChild;
  button.replaceChild(icon('check'), before);
  announce('Copied');
  setTimeout(() => button.firstChild && button.replaceChild(before, button.firstChild), 1500);
}

// Pages that come by http: from another machine have no clipboard, but this old command.
function copyBySelection(text) {
  const before = document.activeElement;
  const area = h('textarea', { class: 'visually-hidden', value: text });
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  before?.focus();
  if (!done) throw new Error('refused');
}
