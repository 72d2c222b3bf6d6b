// Keyboard shortcuts of the chat.

import { COMMAND, startKeyboard } from '../shared/keyboard.js';

// actions: {newChat, settings, list, theme, focus, escape}; escape() is true when it did something.
export function startShortcuts(actions) {
  const rows = [
    [['Enter'], 'Send'],
    [['Shift', 'Enter'], 'New line'],
    [['Esc'], 'Stop the answer, cancel an edit, close a panel'],
    [['↑'], 'Edit your last message (in an empty box)'],
    [['/'], 'To the message box'],
    [[COMMAND, 'Shift', 'O'], 'New conversation'],
    [[COMMAND, 'B'], 'List of conversations'],
    [[COMMAND, '.'], 'Settings'],
    [['←', '→'], 'From token to token, in the list of tokens'],
    [['?'], 'This list'],
  ];
  startKeyboard(rows, ({ key, command, shift, typing }) => {
    if (key === 'Escape') return actions.escape();
    if (command && shift && key === 'o') return call(actions.newChat);
    if (command && !shift && key === 'b') return call(actions.list);
    if (command && key === '.') return call(actions.settings);
    if (!command && !typing && key === '/') return call(actions.focus);
    return false;
  });
}

const call = (action) => (action(), true);
