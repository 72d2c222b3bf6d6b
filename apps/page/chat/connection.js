// Whether the server answers, which models it has, and the key it may want. While it does not answer it is asked again
// every few seconds.

import { ServerError } from '../shared/server.js';
import { byId, h } from '../shared/dom.js';
import { askForKey, closeNotice, forgetKey, showNotice } from '../shared/key_form.js';
import { recall } from '../shared/preferences.js';

const AGAIN_AFTER = 3000; // ms

export class Connection {
  offline = false;
  needsKey = false;

  // onModels(models): the list came, for the first time or again. onTrouble(): offline or needsKey has become true.
  constructor(api, { onModels, onTrouble }) {
    Object.assign(this, { api, onModels, onTrouble, timer: 0 });
    api.key = recall('key', '');
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && this.offline) this.load();
    });
  }

  async load() {
    clearTimeout(this.timer);
    try {
      if (this.offline && !(await this.api.health())) throw new ServerError('The server is starting or shutting down.');
      const models = await this.api.models();
      this.#setOffline(false);
      this.needsKey = false;
      this.onModels(models);
    } catch (error) {
      if (error.status === 401) {
        this.needsKey = true;
        this.#setOffline(false);
        this.onTrouble();
        this.askForKey(() => {});
      } else this.lost(error);
    }
  }

  // After a request failed for want of a connection.
  lost(error) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), AGAIN_AFTER);
    if (!this.offline) showNotice(h('p', { role: 'alert' }, error.message, ' The page tries again by itself.'));
    this.#setOffline(true);
    this.onTrouble();
  }

  askForKey(then) {
    const wasRefused = Boolean(this.api.key);
    if (wasRefused) forgetKey();
    const onKey = async (key) => {
      this.api.key = key;
      await this.load();
      if (byId('notice').hidden) then();
    };
    askForKey({ wasRefused, onKey });
  }

  #setOffline(offline) {
    if (this.offline && !offline) closeNotice();
    this.offline = offline;
    byId('status').textContent = offline ? 'No connection' : '';
  }
}
