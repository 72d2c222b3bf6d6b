// Keys that do something on a page, and the dialog that lists them. The page has <dialog id="shortcuts"> and a button
// #show-shortcuts.

import { h, byId, icon, iconButton } from './dom.js';

export const COMMAND = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl';

// rows: [[['Ctrl', 'B'], 'What it does'], ...]. run({key, command, shift, typing}) says whether it did something; the
// key of a letter is in lower case. Alt belongs to the browser; with "?" and no box to type in the list opens.
export function startKeyboard(rows, run) {
  const dialog = byId('shortcuts');
  const close = iconButton('close', 'Close', () => dialog.close());
  const row = ([keys, what]) => {
    const names = keys.map((key) => h('kbd', {}, key));
    return h('div', {}, h('dt', {}, names), h('dd', {}, what));
  };
  dialog.append(
    h('div', { class: 'panel-head' }, h('h2', { id: 'shortcuts-title' }, 'Keyboard'), close),
    h('dl', {}, rows.map(row)),
  );
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  const button = byId('show-shortcuts');
  button.append(icon('keyboard'));
  button.title = 'Keyboard shortcuts';
  button.addEventListener('click', () => dialog.showModal());

  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing || event.altKey || dialog.open) return;
    const command = event.ctrlKey || event.metaKey;
    const typing = isTyping(event.target);
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === '?' && !command && !typing) dialog.showModal();
    else if (!run({ key, command, shift: event.shiftKey, typing, target: event.target })) return;
    event.preventDefault();
  });
}

const isTyping = (element) => element.matches?.('input:not([type=checkbox], [type=radio]), textarea, select') ?? false;
