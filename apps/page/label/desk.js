// What the page asks of its server: puna label serve.

import { Server } from '../shared/server.js';

export class Desk extends Server {
  person = ''; // the annotator's name, where no token says it

  projects() {
    return this.json('v1/projects');
  }

  // POST v1/<what> as this person.
  ask(what, body) {
    return this.post(`v1/${what}`, this.key ? body : { ...body, annotator: this.person });
  }
}
