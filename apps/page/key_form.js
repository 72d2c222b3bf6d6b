// Asks for the API key, when the server has answered 401.

import { h, byId } from './dom.js';
import { forget, remember } from './preferences.js';

// onKey(key) after one was entered.
export function askForKey({ wasRefused, onKey }) {
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
    wasRefused ? 'The server refused this key.' : 'This server asks for an API key.',
  );
  const form = h(
    'form',
    { class: 'key-form', 'aria-label': 'API key' },
    said,
    h(
      'div',
      { class: 'key-row' },
      h('label', { for: 'api-key' }, 'API key'),
      input,
      h('button', { type: 'submit', class: 'primary' }, 'Use this key'),
    ),
    h('label', { class: 'keep' }, keep, 'Keep it in this browser after the tab is closed'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const key = input.value.trim();
    if (!key) return;
    if (!/^[\x21-\x7e]+$/.test(key)) {
      said.textContent = 'A key has no spaces and no letters beyond ASCII.';
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
