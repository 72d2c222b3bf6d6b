// Keyboard shortcuts, and the dialog that lists them.

import { h, byId, icon, iconButton } from './dom.js';

const CTRL = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl';

// actions: {newChat, settings, list, theme, focus, escape}; escape() is true when it did something.
export function startShortcuts(actions) {
  const dialog = byId('shortcuts');
  const rows = [
    [['Enter'], 'Send'],
    [['Shift', 'Enter'], 'New line'],
    [['Esc'], 'Stop the answer, cancel an edit, close a panel'],
    [['↑'], 'Edit your last message (in an empty box)'],
    [['/'], 'To the message box'],
    [[CTRL, 'Shift', 'O'], 'New conversation'],
    [[CTRL, 'B'], 'List of conversations'],
    [[CTRL, '.'], 'Settings'],
    [['←', '→'], 'From token to token, in the list of tokens'],
    [['?'], 'This list'],
  ];
  const close = iconButton('close', 'Close', () => dialog.close());
  dialog.append(
    h('div', { class: 'panel-head' }, h('h2', { id: 'shortcuts-title' }, 'Keyboard'), close),
    h(
      'dl',
      {},
      rows.map(([keys, what]) =>
        h(
          'div',
          {},
          h(
            'dt',
            {},
            keys.map((key) => h('kbd', {}, key)),
          ),
          h('dd', {}, what),
        ),
      ),
    ),
  );
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  const button = byId('show-shortcuts');
  button.append(icon('keyboard'));
  button.title = 'Keyboard shortcuts';
  button.addEventListener('click', () => dialog.showModal());

  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing || dialog.open) return;
    if (run(event, actions, () => dialog.showModal())) event.preventDefault();
  });
}

function run(event, actions, showDialog) {
  const { key } = event;
  const command = (event.ctrlKey || event.metaKey) && !event.altKey;
  if (key === 'Escape') return actions.escape();
  if (command && event.shiftKey && key.toLowerCase() === 'o') return call(actions.newChat);
  if (command && !event.shiftKey && key.toLowerCase() === 'b') return call(actions.list);
  if (command && key === '.') return call(actions.settings);
  if (command || event.altKey || isTyping(event.target)) return false;
  if (key === '/') return call(actions.focus);
  if (key === '?') return call(showDialog);
  return false;
}

const call = (action) => (action(), true);

const isTyping = (element) => element.matches?.('input:not([type=checkbox]), textarea, select');
