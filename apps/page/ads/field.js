// One text of a variant: a box to edit it in, what lint found under the words it concerns, and its approval.

import { h, icon } from '../shared/dom.js';

let numbers = 0;

const WORDS = { error: 'Not allowed', review: 'Look at it', note: 'Note' };

// Pieces of a text between the borders of findings: [{text, severity}], the worst one where several are.
export function pieces(text, findings) {
  const rank = { note: 1, review: 2, error: 3 };
  const borders = new Set([0, text.length]);
  for (const f of findings) borders.add(f.begin).add(f.end);
  const at = [...borders].filter((b) => b <= text.length).sort((a, b) => a - b);
  const out = [];
  for (let i = 0; i + 1 < at.length; i += 1) {
    const [begin, end] = [at[i], at[i + 1]];
    const over = findings.filter((f) => f.begin < end && f.end > begin);
    const worst = over.reduce((w, f) => (rank[f.severity] > (rank[w] ?? 0) ? f.severity : w), null);
    if (out.length && out.at(-1).severity === worst) out.at(-1).text += text.slice(begin, end);
    else if (end > begin) out.push({ text: text.slice(begin, end), severity: worst });
  }
  return out;
}

export class Field {
  // on.edit(field), on.decide(field, verdict)
  constructor({ variant, placement, name, label, place, text, decision, keeps }, on) {
    Object.assign(this, { variant, placement, field: name, place, on, decision, keeps, original: text, result: null });
    numbers += 1;
    const id = `text-${numbers}`;
    this.box = h('textarea', {
      id,
      rows: 1,
      spellcheck: 'true',
      value: text,
      'aria-describedby': `${id}-length ${id}-findings`,
      oninput: () => this.#edited(),
      onscroll: () => (this.under.scrollTop = this.box.scrollTop),
    });
    this.under = h('div', { class: 'under', 'aria-hidden': 'true' });
    this.length = h('span', { id: `${id}-length`, class: 'length' });
    this.findings = h('ul', { id: `${id}-findings`, class: 'findings' });
    this.approve = this.#button('check', 'Approve', 'approved');
    this.reject = this.#button('close', 'Reject', 'rejected');
    const name_ = h('label', { for: id, class: 'field-name' }, label);
    this.element = h(
      'div',
      { class: 'field' },
      h('div', { class: 'field-head' }, name_, this.length, h('span', { class: 'spacer' }), this.approve, this.reject),
      h('div', { class: 'box' }, this.under, this.box),
      this.findings,
    );
    this.label = label;
    this.#mark([]);
    this.#showDecision();
  }

  text() {
    return this.box.value;
  }

  #button(name, words, verdict) {
    const label = `${words}: ${this.field.replaceAll('_', ' ')} ${this.place + 1} of ${this.variant}`;
    const onclick = () => this.on.decide(this, verdict);
    const button = { type: 'button', class: `verdict ${verdict}`, 'aria-label': label, title: words, onclick };
    return h('button', { ...button, disabled: !this.keeps }, icon(name));
  }

  #edited() {
    this.decision = null; // another text: nobody has decided on it
    this.#showDecision();
    this.#mark(this.result?.findings ?? []);
    this.on.edit(this);
  }

  #mark(findings) {
    const marked = pieces(this.text(), findings).map((p) =>
      p.severity ? h('mark', { class: p.severity }, p.text) : document.createTextNode(p.text),
    );
    this.under.replaceChildren(...marked, document.createTextNode('\n'));
    this.box.style.height = 'auto';
    this.box.style.height = `${this.box.scrollHeight}px`;
  }

  // What lint said of the text as it is.
  show(result) {
    this.result = result;
    this.#mark(result.findings);
    const over = result.length > result.limit;
    const hard = over && !result.accepted;
    this.length.textContent = `${result.length} of ${result.limit}${over ? (hard ? ', too long' : ', cut there') : ''}`;
    this.length.classList.toggle('over', over);
    this.box.setAttribute('aria-invalid', String(result.errors));
    this.findings.replaceChildren(
      ...result.findings.map((f) => {
        const words = this.text().slice(f.begin, f.end);
        return h(
          'li',
          { class: f.severity },
          h('strong', {}, WORDS[f.severity]),
          words && words !== this.text() ? h('q', {}, words) : null,
          h('span', {}, f.reason),
          h('span', { class: 'rule' }, f.rule),
        );
      }),
    );
    this.approve.disabled = !this.keeps || result.errors;
    this.approve.title = result.errors ? 'What is not allowed cannot be approved' : 'Approve';
  }

  decided(verdict) {
    this.decision = verdict;
    this.#showDecision();
  }

  #showDecision() {
    this.approve.setAttribute('aria-pressed', String(this.decision === 'approved'));
    this.reject.setAttribute('aria-pressed', String(this.decision === 'rejected'));
    this.element.classList.toggle('approved', this.decision === 'approved');
    this.element.classList.toggle('rejected', this.decision === 'rejected');
  }
}
