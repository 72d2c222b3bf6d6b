// The settings of the open conversation: system prompt, sampling, schema, tools, probabilities. What is typed is
// checked at once and goes into conversation.settings; what is not valid says so beside its box and is not sent.

import { h, byId, iconButton, toast } from '../shared/dom.js';
import { SAMPLING } from './request.js';
import { EXAMPLE_SCHEMA, checkSchema } from './schema.js';
import { EXAMPLE_TOOLS, readTools } from './tools.js';
import { parseJson } from './json_text.js';
import { sentence } from '../shared/format.js';

export class SettingsPanel {
  // onChange(): something of `settings` changed. onDefault(settings): new conversations are to begin with these.
  constructor({ onChange, onDefault, onExport, onClose }) {
    this.onChange = onChange;
    this.problems = new Map(); // name -> {input, text} of what is not valid
    this.fields = new Map(); // name -> {input, say}
    byId('settings').append(
      h('div', { class: 'panel-head' }, h('h2', {}, 'Settings'), iconButton('close', 'Close the settings', onClose)),
      h(
        'div',
        { class: 'panel-body' },
        this.#system(),
        this.#sampling(),
        this.#schema(),
        this.#tools(),
        this.#probabilities(),
        h(
          'section',
          { class: 'last' },
          h(
            'button',
            { type: 'button', class: 'quiet', onclick: () => onDefault(this.settings) },
            'Use for new conversations',
          ),
          h('button', { type: 'button', class: 'quiet', onclick: onExport }, 'Export this conversation'),
        ),
      ),
    );
  }

  // Shows the settings of another conversation.
  load(settings) {
    this.settings = settings;
    this.problems.clear();
    this.fields.get('system').input.value = settings.system;
    for (const { name } of SAMPLING) {
      this.fields.get(name).input.value = settings[name] ?? '';
      this.#say(name, null);
    }
    this.schemaOn.checked = settings.schema.on;
    this.fields.get('response_format').input.value = settings.schema.text;
    this.strict.checked = settings.schema.strict;
    this.toolsOn.checked = settings.tools.on;
    this.fields.get('tools').input.value = settings.tools.text;
    this.parallel.checked = settings.tools.parallel;
    this.logprobs.checked = settings.logprobs;
    this.#checkSchema();
    this.#checkTools();
  }

  // The first thing that keeps a message from being sent: {param, text}, or null.
  get problem() {
    for (const [param, text] of this.problems) {
      if (param === 'response_format' && !this.settings.schema.on) continue;
      if (param === 'tools' && !this.settings.tools.on) continue;
      return { param, text };
    }
    return null;
  }

  hasPlaceFor(param) {
    return this.#fieldOf(param) !== null;
  }

  // Moves to the setting that `param` of a server's error names, and says there what is wrong.
  show(param, message = null) {
    const name = this.#fieldOf(param);
    if (!name) return;
    const { input } = this.fields.get(name);
    input.closest('details')?.setAttribute('open', '');
    if (message) this.#say(name, sentence(message));
    input.focus();
    if (input.tagName === 'TEXTAREA') input.setSelectionRange(0, 0);
    input.scrollTop = 0;
    input.scrollIntoView({ block: 'center' });
  }

  #fieldOf(param) {
    if (!param) return null;
    if (param === 'max_completion_tokens') return 'max_tokens';
    if (/^(tool_choice|parallel_tool_calls|tools\b)/.test(param)) return 'tools';
    if (/^response_format/.test(param)) return 'response_format';
    return this.fields.has(param) ? param : null;
  }

  // ---- the sections ------------------------------------------------------------------------------------------------

  #system() {
    const input = h('textarea', { id: 'system', rows: 3, placeholder: 'How the model should behave' });
    input.addEventListener('input', () => {
      this.settings.system = input.value;
      this.onChange();
    });
    return h(
      'section',
      {},
      h('label', { for: 'system', class: 'title' }, 'System prompt'),
      this.#field('system', input),
    );
  }

  #sampling() {
    const cells = SAMPLING.map((sampling) => {
      const { name, label, min, max, step, hint } = sampling;
      const input = h('input', {
        id: name,
        type: 'number',
        min,
        max,
        step: 'any',
        placeholder: 'default',
        inputmode: step < 1 ? 'decimal' : 'numeric',
      });
      input.addEventListener('input', () => this.#readNumber(sampling, input));
      return h('div', { class: 'cell', title: hint }, h('label', { for: name }, label), this.#field(name, input));
    });
    return h(
      'section',
      { role: 'group', 'aria-label': 'Sampling' },
      h('h3', { class: 'title' }, 'Sampling'),
      h('div', { class: 'cells' }, cells),
      h('p', { class: 'hint' }, 'Empty boxes leave it to the server.'),
    );
  }

  #readNumber({ name, label, min, max, step }, input) {
    const value = input.value === '' ? null : Number(input.value);
    const whole = step === 1;
    let problem = null;
    if (input.validity.badInput || Number.isNaN(value)) problem = `${label} is a number.`;
    else if (value !== null && whole && !Number.isInteger(value)) problem = `${label} is a whole number.`;
    else if (value !== null && value < min) problem = `${label} is at least ${min}.`;
    else if (value !== null && value > max) problem = `${label} is at most ${max}.`;
    this.#set(name, problem);
    if (!problem) this.settings[name] = value;
    this.onChange();
  }

  #schema() {
    const input = h('textarea', {
      id: 'schema',
      rows: 8,
      placeholder: '{"type": "object", "properties": {}}',
      class: 'mono',
      spellcheck: 'false',
      'aria-label': 'JSON schema',
    });
    input.addEventListener('input', () => {
      this.settings.schema.text = input.value;
      this.#checkSchema();
      this.onChange();
    });
    this.schemaOn = this.#switch('Answer by this schema', (on) => {
      this.settings.schema.on = on;
      if (on && !input.value.trim()) this.#fill(input, EXAMPLE_SCHEMA);
    });
    this.strict = this.#switch('Strict', (on) => (this.settings.schema.strict = on));
    const example = h(
      'button',
      { type: 'button', class: 'link', onclick: () => this.#fill(input, EXAMPLE_SCHEMA) },
      'Example',
    );
    return h(
      'details',
      { id: 'schema-section' },
      h('summary', {}, 'JSON schema'),
      this.schemaOn.parentElement,
      this.#field('response_format', input),
      h('div', { class: 'row-between' }, this.strict.parentElement, example),
    );
  }

  #checkSchema() {
    const { text, on } = this.settings.schema;
    const { value, error } = parseJson(text);
    const { problems, unchecked } = error ? { problems: [error], unchecked: [] } : checkSchema(value);
    const idle = !on && !text.trim();
    this.#set('response_format', idle ? null : (problems[0] ?? null));
    if (problems.length) return;
    const note = unchecked.length ? ` This page does not check ${unchecked.join(', ')}.` : '';
    this.#say('response_format', `A valid schema.${note}`, true);
  }

  #tools() {
    const input = h('textarea', {
      id: 'tools',
      rows: 8,
      placeholder: '[{"name": "look_up", "parameters": {}}]',
      class: 'mono',
      spellcheck: 'false',
      'aria-label': 'Functions as JSON',
    });
    input.addEventListener('input', () => {
      this.settings.tools.text = input.value;
      this.#checkTools();
      this.onChange();
    });
    this.toolsOn = this.#switch('Offer these functions', (on) => {
      this.settings.tools.on = on;
      if (on && !input.value.trim()) this.#fill(input, EXAMPLE_TOOLS);
    });
    this.choice = h('select', { id: 'tool-choice' });
    this.choice.addEventListener('change', () => {
      this.settings.tools.choice = this.choice.value;
      this.onChange();
    });
    this.parallel = this.#switch('Several calls at once', (on) => (this.settings.tools.parallel = on));
    const example = h(
      'button',
      { type: 'button', class: 'link', onclick: () => this.#fill(input, EXAMPLE_TOOLS) },
      'Example',
    );
    return h(
      'details',
      { id: 'tools-section' },
      h('summary', {}, 'Tools'),
      this.toolsOn.parentElement,
      this.#field('tools', input),
      h('div', { class: 'cell' }, h('label', { for: 'tool-choice' }, 'The model'), this.choice),
      h('div', { class: 'row-between' }, this.parallel.parentElement, example),
    );
  }

  #checkTools() {
    const { text, on, choice } = this.settings.tools;
    const { tools, problems } = readTools(text);
    this.#set('tools', !on && !text.trim() ? null : (problems[0] ?? null));
    const names = tools.map((tool) => tool.function.name);
    if (names.length) this.#say('tools', `Functions: ${names.join(', ')}.`, true);
    const options = [
      ['auto', 'may call them'],
      ['none', 'must not call any'],
      ['required', 'must call one'],
    ];
    for (const name of names) options.push([name, `must call ${name}`]);
    this.choice.replaceChildren(...options.map(([value, label]) => h('option', { value }, label)));
    this.choice.value = options.some(([value]) => value === choice) ? choice : 'auto';
    if (!problems.length) this.settings.tools.choice = this.choice.value;
  }

  #probabilities() {
    this.logprobs = this.#switch('Probabilities of tokens', (on) => (this.settings.logprobs = on));
    return h(
      'section',
      {},
      this.logprobs.parentElement,
      h('p', { class: 'hint' }, 'Shown when you point at a word of an answer.'),
    );
  }

  // ---- their parts -------------------------------------------------------------------------------------------------

  #switch(label, onSet) {
    const input = h('input', { type: 'checkbox', role: 'switch' });
    input.addEventListener('change', () => {
      onSet(input.checked);
      this.#checkSchema();
      this.#checkTools();
      this.onChange();
    });
    h('label', { class: 'switch' }, input, h('span', {}, label));
    return input;
  }

  // An input with a line below it for what is to be said about it.
  #field(name, input) {
    const say = h('p', { id: `${input.id}-said`, class: 'said', 'aria-live': 'polite' });
    input.setAttribute('aria-describedby', say.id);
    this.fields.set(name, { input, say });
    return h('div', { class: 'field' }, input, say);
  }

  #fill(input, text) {
    const before = input.value;
    input.value = text;
    input.scrollTop = 0;
    input.dispatchEvent(new Event('input'));
    if (!before.trim() || before === text) return;
    const back = () => ((input.value = before), input.dispatchEvent(new Event('input')));
    toast('Replaced by the example.', { label: 'Undo', run: back });
  }

  #set(name, problem) {
    if (problem) this.problems.set(name, problem);
    else this.problems.delete(name);
    this.#say(name, problem);
  }

  #say(name, text, good = false) {
    const { input, say } = this.fields.get(name);
    if (say.textContent !== (text ?? '')) say.textContent = text ?? '';
    say.classList.toggle('good', good);
    if (text && !good) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }
}
