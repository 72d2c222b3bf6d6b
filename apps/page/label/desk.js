// What the page asks of its server: puna label serve.

import { Server, errorOf } from '../shared/server.js';

export class Desk extends Server {
  person = ''; // the annotator's name, where no token says it

  projects() {
    return this.#ask('v1/projects');
  }

  // POST v1/<what> as this person.
  ask(what, body) {
    const named = this.key ? body : { ...body, annotator: this.person };
    return this.#ask(`v1/${what}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(named),
    });
  }

  async #ask(path, options) {
    const answer = await this.fetch(path, options);
    if (!answer.ok) throw await errorOf(answer);
    return answer.json();
  }
}
