// Texts to be linted, gathered for a moment: one request for all that changed, and the answer to an older state of a
// text is dropped.

const WAIT_MS = 25; // of typing, before a request goes out

export class Linter {
  // show(entry, result) is called with what was said of an entry {placement, field, text()}.
  constructor(studio, { brief, show, error }) {
    Object.assign(this, { studio, brief, show, error });
    this.waiting = new Set();
    this.busy = false;
  }

  add(...entries) {
    for (const entry of entries) this.waiting.add(entry);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), WAIT_MS);
  }

  async send() {
    if (this.busy || !this.waiting.size) return;
    this.busy = true;
    const entries = [...this.waiting].slice(0, 500);
    for (const entry of entries) this.waiting.delete(entry);
    const texts = entries.map((e) => ({ placement: e.placement, field: e.field, text: e.text() }));
    try {
      const answer = await this.studio.ask('lint', { brief: this.brief(), texts });
      answer.texts.forEach((result, i) => {
        if (entries[i].text() === texts[i].text) this.show(entries[i], result);
      });
    } catch (error) {
      this.error(error);
    }
    this.busy = false;
    if (this.waiting.size) this.send();
  }
}
