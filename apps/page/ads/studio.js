// What the page asks of its server: puna ads serve.

import { Server } from '../shared/server.js';

export class Studio extends Server {
  state() {
    return this.json('v1/state');
  }

  // POST v1/<what>. A signal aborts it.
  ask(what, body, signal) {
    return this.post(`v1/${what}`, body, signal);
  }
}
