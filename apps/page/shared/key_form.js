// Asks for the API key (or whatever the page calls it), when the server has answered 401.

import { h, byId } from './dom.js';
import { forget, remember } from './preferences.js';

// onKey(key) after one was entered. The page has a #notice.
export function askForKey({ wasRefused, onKey, name = 'API key' }) {
  const input = h('input', {
    id: 'api-key',
    type: 'password',
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
  });
  const keep = h('input', { id: 'keep-key', type: 'checkbox' });
  const said = h(
    'p',
    { role: 'alert' },
    wasRefused
      ? `The server refused this ${name.split(' ').at(-1)}.`
      : `This server asks for ${/^[aeiou]/i.test(name) ? 'an' : 'a'} ${name}.`,
  );
  const form = h(
    'form',
    { class: 'key-form', 'aria-label': name },
    said,
    h(
      'div',
      { class: 'key-row' },
      h('label', { for: 'api-key' }, name.charAt(0).toUpperCase() + name.slice(1)),
      input,
      h('button', { type: 'submit', class: 'primary' }, `Use this ${name.split(' ').at(-1)}`),
    ),
    h('label', { class: 'keep' }, keep, 'Keep it in this browser after the tab is closed'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const key = input.value.trim();
    if (!key) return;
    if (!/^[\x21-\x7e]+$/.test(key)) {
      said.textContent = 'It has no spaces and no letters beyond ASCII.';
      return;
    }
    remember('key', key, keep.checked);
    closeNotice();
    onKey(key);
  });
  showNotice(form);
  input.focus();
}

export function forgetKey() {
  forget('key');
}

export function showNotice(...content) {
  byId('notice').replaceChildren(...content);
  byId('notice').hidden = false;
}

export function closeNotice() {
  byId('notice').replaceChildren();
  byId('notice').hidden = true;
}
