// Choice of model and adapter. The server lists an adapter as a model of its own, named "base:adapter"; here it is a
// second choice beside its base.

import { h, byId } from '../shared/dom.js';

export class ModelChoice {
  models = new Map(); // id -> what the server said of it
  isKnown = false; // the list has come

  constructor(onChange) {
    this.model = byId('model');
    this.adapter = byId('adapter');
    this.model.addEventListener('change', () => {
      this.#fillAdapters(this.model.value, '');
      onChange(this.id);
    });
    this.adapter.addEventListener('change', () => onChange(this.id));
    this.#fill(this.model, [['', 'Looking for models…']], '');
    this.model.disabled = true;
  }

  // The name that requests use.
  get id() {
    return this.adapter.value ? `${this.model.value}:${this.adapter.value}` : this.model.value;
  }

  setModels(models) {
    const before = this.id;
    this.isKnown = true;
    this.models = new Map(models.map((model) => [model.id, model]));
    const bases = models.map((model) => model.id).filter((id) => !this.#split(id).adapter);
    this.#fill(this.model, bases.length ? bases.map((id) => [id, id]) : [['', 'No model']], '');
    this.model.disabled = !bases.length;
    this.select(before) || this.select(bases[0] ?? '');
  }

  // False when the server does not have it; the choice then stays as it is.
  select(id) {
    if (!this.models.has(id)) return false;
    const { base, adapter } = this.#split(id);
    this.model.value = base;
    this.#fillAdapters(base, adapter);
    return true;
  }

  // Tokens that fit, or null when the server does not say. Servers name it in different ways.
  get contextLength() {
    const model = this.models.get(this.id) ?? {};
    const said = model.max_model_len ?? model.context_length ?? model.context_window ?? model.meta?.n_ctx;
    return Number.isInteger(said) && said > 0 ? said : null;
  }

  // "a:b" is an adapter only when "a" is a model: names of models may have colons themselves.
  #split(id) {
    for (let at = id.lastIndexOf(':'); at > 0; at = id.lastIndexOf(':', at - 1)) {
      if (this.models.has(id.slice(0, at))) return { base: id.slice(0, at), adapter: id.slice(at + 1) };
    }
    return { base: id, adapter: '' };
  }

  #fillAdapters(base, chosen) {
    const adapters = [...this.models.keys()].map((id) => this.#split(id)).filter((s) => s.adapter && s.base === base);
    this.#fill(this.adapter, [['', 'No adapter'], ...adapters.map((s) => [s.adapter, s.adapter])], chosen);
    this.adapter.hidden = !adapters.length;
  }

  #fill(select, options, chosen) {
    select.replaceChildren(...options.map(([value, label]) => h('option', { value }, label)));
    select.value = chosen;
    if (select.selectedIndex < 0) select.selectedIndex = 0;
  }
}
