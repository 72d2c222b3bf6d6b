// Tool calls of an answer: what the model asks for, and a form for what the functions return.

import { h } from '../shared/dom.js';
import { parseJson, prettyJson } from './json_text.js';
import { readTools } from './tools.js';
import { validate } from './schema.js';

// The calls as they stand; `running` while their arguments still come in.
export function callList(calls, settings, running) {
  const { tools } = readTools(settings.tools.text);
  return calls.map((call) => {
    const tool = tools.find((t) => t.function.name === call.name);
    return h(
      'div',
      { class: 'call' },
      h('div', { class: 'call-head' }, h('span', { class: 'call-word' }, 'Calls'), h('code', {}, call.name)),
      h('pre', { tabindex: '0', 'aria-label': `Arguments of ${call.name}` }, prettyJson(call.arguments) || '…'),
      running ? null : verdictOf(call, tool),
    );
  });
}

function verdictOf(call, tool) {
  if (!tool?.function.parameters) return null;
  const { value, error } = parseJson(call.arguments);
  const problems = error
    ? [error]
    : validate(tool.function.parameters, value).map((s) => s.replace(/^The answer/, 'The call'));
  if (!problems.length) return null;
  return h(
    'ul',
    { class: 'problems' },
    problems.map((problem) => h('li', {}, problem)),
  );
}

// onSend([{id, content}]) with one result for each call.
export function resultForm(calls, onSend) {
  const fields = calls.map((call, i) => {
    const id = `result-${call.id || i}`;
    const input = h('textarea', {
      id,
      rows: 2,
      class: 'result',
      placeholder: 'What the function returns: text or JSON',
    });
    const label = h('label', { for: id }, 'Result of ', h('code', {}, call.name));
    return { call, input, row: h('div', { class: 'field' }, label, input) };
  });
  const send = () => onSend(fields.map(({ call, input }) => ({ id: call.id, content: input.value })));
  const form = h(
    'form',
    { class: 'result-form', 'aria-label': 'Results of the calls' },
    fields.map((field) => field.row),
    h('button', { type: 'submit', class: 'primary' }, calls.length > 1 ? 'Send results' : 'Send result'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  form.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.target.tagName !== 'TEXTAREA') return;
    event.preventDefault();
    const at = fields.findIndex((field) => field.input === event.target);
    const next = fields[at + 1];
    if (next) next.input.focus();
    else send();
  });
  return form;
}
