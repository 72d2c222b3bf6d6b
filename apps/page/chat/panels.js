// The two panels beside the thread. Where there is room they push it aside; on narrow screens they lie over it, one at
// a time, and the thread is inert meanwhile.

import { byId, icon } from '../shared/dom.js';

const narrow = { sidebar: matchMedia('(max-width: 760px)'), settings: matchMedia('(max-width: 1080px)') };
const buttons = { sidebar: 'toggle-list', settings: 'toggle-settings' };

export class Panels {
  constructor() {
    const dress = (id, name) => {
      byId(id).append(icon(name));
      byId(id).title = byId(id).getAttribute('aria-label');
    };
    dress('toggle-list', 'list');
    dress('toggle-settings', 'settings');
    dress('close-list', 'close');
    byId('toggle-list').addEventListener('click', () => this.toggle('sidebar'));
    byId('toggle-settings').addEventListener('click', () => this.toggle('settings'));
    byId('close-list').addEventListener('click', () => this.close('sidebar'));
    byId('scrim').addEventListener('click', () => this.closeOverlay());
    for (const name of ['sidebar', 'settings']) {
      narrow[name].addEventListener('change', () => {
        byId(name).hidden = narrow[name].matches || name === 'settings';
        this.#settle();
      });
    }
    byId('sidebar').hidden = narrow.sidebar.matches;
    this.#settle();
  }

  isOpen(name) {
    return !byId(name).hidden;
  }

  toggle(name) {
    if (this.isOpen(name)) this.close(name);
    else this.open(name);
  }

  open(name) {
    for (const other of ['sidebar', 'settings']) {
      if (other !== name && (narrow[name].matches || narrow[other].matches)) {
        if (narrow[other].matches) byId(other).hidden = true;
      }
    }
    byId(name).hidden = false;
    this.#settle();
    if (narrow[name].matches) byId(name).querySelector('button, input, textarea').focus();
  }

  close(name) {
    const hadFocus = byId(name).contains(document.activeElement);
    byId(name).hidden = true;
    this.#settle();
    if (hadFocus) byId(buttons[name]).focus();
  }

  // Closes the panel that lies over the thread; false when there is none.
  closeOverlay() {
    const over = this.#overlay();
    if (over) this.close(over);
    return Boolean(over);
  }

  #overlay() {
    return ['settings', 'sidebar'].find((name) => narrow[name].matches && this.isOpen(name));
  }

  #settle() {
    const over = this.#overlay();
    byId('scrim').hidden = !over;
    byId('main').inert = Boolean(over);
    for (const [name, button] of Object.entries(buttons))
      byId(button).setAttribute('aria-expanded', String(this.isOpen(name)));
  }
}
