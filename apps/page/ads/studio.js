// What the page asks of its server: puna ads serve.

import { Server, errorOf } from '../shared/server.js';

export class Studio extends Server {
  state() {
    return this.#ask('v1/state');
  }

  // POST v1/<what>. A signal aborts it.
  ask(what, body, signal) {
    return this.#ask(`v1/${what}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      signal,
    });
  }

  async #ask(path, options) {
    const answer = await this.fetch(path, options);
    if (!answer.ok) throw await errorOf(answer);
    return answer.json();
  }
}
