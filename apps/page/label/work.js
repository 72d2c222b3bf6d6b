// The items in hand and the labels on their way. The next item is here before the last is answered; an answer is sent
// while the next is looked at, and again until the server has it. Requests go one after the other, so what the server
// says is in hand is never older than what was sent. Knows no elements.

const AHEAD = 2; // items in hand beside the one that is shown
const PAUSES = [500, 1000, 2000, 5000, 10000]; // between two tries without a connection

export class Work {
  // events: {show(), error(sentence), state()}; `pause(ms)` waits.
  constructor(desk, project, events, pause = (ms) => new Promise((done) => setTimeout(done, ms))) {
    Object.assign(this, { desk, project, events, pause });
    this.items = []; // {item, data, before}; the first is shown
    this.sending = []; // {entry, body}: answered, and not yet on the server's disk
    this.offline = false;
    this.exhausted = false; // the server has nothing more for this person
    this.closed = false;
    this.#chain = Promise.resolve();
  }

  #chain;

  get current() {
    return this.items[0] ?? null;
  }

  // Another project or person comes: what is on its way is still sent.
  close() {
    this.closed = true;
  }

  // answer: {value} or {skip: reason}.
  answer(answer, seconds) {
    const entry = this.items.shift();
    const body = { project: this.project, item: entry.item, request: newRequest(), ...answer };
    if (seconds !== undefined) body.seconds = seconds;
    const sent = { entry, body, answer };
    this.sending.push(sent);
    this.#show();
    this.#then(() => this.#send(sent));
    this.fill();
  }

  // Takes back the last answer; resolves to whether there was one.
  undo() {
    return this.#then(async () => {
      const last = await this.#ask('undo', { project: this.project });
      if (!last || last.item === null) return false;
      this.items = this.items.filter((entry) => entry.item !== last.item);
      const before = last.skipped === null ? { value: last.value } : { skip: last.skipped };
      this.items.unshift({ item: last.item, data: last.data, before });
      this.#show();
      return true;
    });
  }

  // As many items in hand as there should be; renews the leases as well.
  fill() {
    return this.#then(async () => {
      const count = Math.min(AHEAD + 1 + this.sending.length, 20);
      const answer = await this.#ask('work', { project: this.project, count });
      if (!answer) return;
      const known = new Set([...this.items, ...this.sending.map((s) => s.entry)].map((entry) => entry.item));
      const none = this.items.length === 0;
      this.items.push(...answer.items.filter((entry) => !known.has(entry.item)));
      this.exhausted = answer.items.length < count;
      if (none) this.#show();
      else this.events.state();
    });
  }

  #show() {
    if (!this.closed) this.events.show();
  }

  #then(step) {
    const result = this.#chain.then(step);
    this.#chain = result.catch((error) => {
      if (!this.closed) this.events.error(error);
    });
    return result.catch(() => false);
  }

  async #send(sent) {
    let refused = null;
    try {
      await this.#ask('label', sent.body);
    } catch (error) {
      refused = error;
    }
    this.sending = this.sending.filter((other) => other !== sent);
    if (refused) {
      this.items.unshift({ ...sent.entry, before: sent.answer });
      this.#show();
      throw refused;
    }
    this.events.state();
  }

  // Until the server has answered: a lost connection and a server that is busy are waited for.
  async #ask(what, body) {
    for (let tries = 0; ; tries += 1) {
      try {
        const answer = await this.desk.ask(what, body);
        if (this.offline) {
          this.offline = false;
          this.events.state();
        }
        return answer;
      } catch (error) {
        const passing = error.code === 'offline' || error.status >= 500 || error.status === 429;
        if (!passing || (this.closed && what !== 'label')) throw error;
        this.offline = true;
        this.events.state();
        await this.pause(PAUSES[Math.min(tries, PAUSES.length - 1)]);
      }
    }
  }
}

// The same request again is one label. randomUUID is there on https and localhost alone.
export function newRequest() {
  const words = crypto.getRandomValues(new Uint32Array(4));
  return [...words].map((word) => word.toString(36)).join('-');
}
