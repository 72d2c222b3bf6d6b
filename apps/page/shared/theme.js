// Light, dark, or as the system has it. The choice is an attribute of <html>, which the style sheet reads.

import { byId, icon, announce } from './dom.js';
import { remember, recall } from './preferences.js';

const ORDER = ['system', 'light', 'dark'];
const WORDS = { system: 'Colours: as the system', light: 'Colours: light', dark: 'Colours: dark' };

export function startTheme() {
  const button = byId('theme');
  button.append(icon('theme'));
  let theme = recall('theme', 'system');
  const apply = () => {
    if (theme === 'system') document.documentElement.removeAttribute('data-theme');
    else document.documentElement.dataset.theme = theme;
    button.setAttribute('aria-label', WORDS[theme]);
    button.title = WORDS[theme];
  };
  const next = () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    remember('theme', theme);
    apply();
    announce(WORDS[theme]);
  };
  if (!ORDER.includes(theme)) theme = 'system';
  button.addEventListener('click', next);
  apply();
  return next;
}
