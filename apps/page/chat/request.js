// The body of a request to /v1/chat/completions, made of a conversation and its settings.

import { pathTo } from './tree.js';
import { readTools } from './tools.js';

export const SAMPLING = [
  { name: 'temperature', label: 'Temperature', min: 0, max: 2, step: 0.1, hint: '0 always takes the likeliest token' },
  { name: 'top_p', label: 'Top p', min: 0, max: 1, step: 0.05, hint: 'share of probability to choose from' },
  { name: 'min_p', label: 'Min p', min: 0, max: 1, step: 0.01, hint: 'least probability, relative to the best' },
  { name: 'max_tokens', label: 'Max tokens', min: 1, max: 1e6, step: 1, hint: 'an answer is at most this long' },
  { name: 'seed', label: 'Seed', min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, hint: 'same seed, same answer' },
];

export function defaultSettings() {
  return {
    model: '',
    system: '',
    temperature: null,
    top_p: null,
    min_p: null,
    max_tokens: null,
    seed: null,
    logprobs: true,
    schema: { on: false, text: '', strict: true },
    tools: { on: false, text: '', choice: 'auto', parallel: true },
  };
}

// The answer to `parent`. Settings that are empty are not sent: the server has its own defaults.
export function buildRequest(conversation, parent) {
  const { settings } = conversation;
  const body = {
    model: settings.model,
    messages: toMessages(settings.system, pathTo(conversation, parent)),
    stream: true,
    stream_options: { include_usage: true },
  };
  for (const { name } of SAMPLING) {
    if (settings[name] !== null) body[name === 'max_tokens' ? 'max_completion_tokens' : name] = settings[name];
  }
  if (settings.logprobs) Object.assign(body, { logprobs: true, top_logprobs: 5 });
  if (settings.schema.on) body.response_format = responseFormat(settings.schema);
  if (settings.tools.on) addTools(body, settings.tools, parent.role === 'tool');
  return body;
}

function responseFormat({ text, strict }) {
  return { type: 'json_schema', json_schema: { name: 'answer', strict, schema: JSON.parse(text) } };
}

// A call that must be made is made once: with its results there, the model may answer.
function addTools(body, { text, choice, parallel }, hasResults) {
  const { tools } = readTools(text);
  if (!tools.length) return;
  const isName = tools.some((tool) => tool.function.name === choice);
  body.tools = tools;
  const mustCall = isName || choice === 'required';
  if (hasResults && mustCall) body.tool_choice = 'auto';
  else body.tool_choice = isName ? { type: 'function', function: { name: choice } } : choice;
  body.parallel_tool_calls = parallel;
}

export function toMessages(system, path) {
  const messages = [];
  if (system.trim()) messages.push({ role: 'system', content: system });
  for (const node of path) {
    if (node.role === 'user') messages.push(userMessage(node));
    if (node.role === 'assistant' && (node.content || node.toolCalls.length)) messages.push(assistantMessage(node));
    if (node.role === 'tool') {
      for (const { id, content } of node.results) messages.push({ role: 'tool', tool_call_id: id, content });
    }
  }
  return messages;
}

function userMessage({ content, images = [] }) {
  if (!images.length) return { role: 'user', content };
  const parts = images.map((url) => ({ type: 'image_url', image_url: { url } }));
  if (content) parts.push({ type: 'text', text: content });
  return { role: 'user', content: parts };
}

function assistantMessage({ content, toolCalls }) {
  const message = { role: 'assistant', content: content || null };
  if (toolCalls.length) {
    message.tool_calls = toolCalls.map((call) => ({
      id: call.id,
      type: 'function',
      function: { name: call.name, arguments: call.arguments },
    }));
  }
  return message;
}
