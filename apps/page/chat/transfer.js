// Export and import: conversations as a file of JSON. A file comes from anywhere, so an import takes over the fields it
// knows, checked one by one, and refuses what would not hold together.

import { defaultSettings, SAMPLING } from './request.js';
import { newId } from './tree.js';

const FORMAT = 'puna-conversations';

export function exportText(conversations) {
  return JSON.stringify({ format: FORMAT, version: 1, conversations }, null, 1);
}

export function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

// Throws an Error with a sentence. Imported conversations get new ids: nothing that is here is overwritten.
export function importText(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error('This file is not JSON.');
  }
  if (file?.format !== FORMAT)
    throw new Error('This file has no conversations of this page: it is not one of its exports.');
  if (file.version !== 1) throw new Error(`This file has version ${file.version}; this page reads version 1.`);
  if (!Array.isArray(file.conversations)) throw new Error('This file has no array "conversations".');
  return file.conversations.map((conversation, i) => {
    try {
      return readConversation(conversation);
    } catch (error) {
      throw new Error(`Conversation ${i + 1} of the file: ${error.message}`);
    }
  });
}

const text = (value) => (typeof value === 'string' ? value : '');
const number = (value, otherwise) => (Number.isFinite(value) ? value : otherwise);
const list = (value) => (Array.isArray(value) ? value : []);

function readConversation(from) {
  if (typeof from?.nodes !== 'object' || !from.nodes?.root) throw new Error('it has no tree of messages.');
  const nodes = {};
  const seen = new Set();
  const waiting = [{ old: 'root', id: 'root', parent: null }];
  while (waiting.length) {
    const { old, id, parent } = waiting.pop();
    const node = Object.hasOwn(from.nodes, old) ? from.nodes[old] : null;
    if (!node || seen.has(old)) throw new Error(`message "${old}" is missing, or in the tree twice.`);
    seen.add(old);
    const children = list(node.children).map((child) => ({ old: String(child), id: newId(), parent: id }));
    const chosen = children.find((child) => child.old === node.chosen) ?? children.at(-1);
    const place = { id, parent, children: children.map((child) => child.id), chosen: chosen?.id ?? null };
    nodes[id] = { ...readMessage(node, parent), ...place, created: number(node.created, Date.now()) };
    waiting.push(...children);
  }
  const now = Date.now();
  return {
    id: newId(),
    title: text(from.title).slice(0, 200),
    created: number(from.created, now),
    updated: number(from.updated, now),
    settings: readSettings(from.settings),
    nodes,
  };
}

function readMessage(node, parent) {
  if (parent === null) return { role: 'root' };
  if (node.role === 'user') {
    const images = list(node.images).filter((url) => /^data:image\/(png|jpeg|webp|gif);base64,/.test(url));
    return { role: 'user', content: text(node.content), images };
  }
  if (node.role === 'tool') {
    return { role: 'tool', results: list(node.results).map((r) => ({ id: text(r?.id), content: text(r?.content) })) };
  }
  if (node.role !== 'assistant') throw new Error(`a message has the role "${node.role}".`);
  const numbers = (object, names) => object && Object.fromEntries(names.map((name) => [name, number(object[name], 0)]));
  return {
    role: 'assistant',
    content: text(node.content),
    reasoning: text(node.reasoning),
    toolCalls: list(node.toolCalls).map((c) => ({
      id: text(c?.id),
      name: text(c?.name),
      arguments: text(c?.arguments),
    })),
    tokens: list(node.tokens).map(readToken),
    finish: text(node.finish) || null,
    usage: numbers(node.usage, ['prompt', 'completion', 'total', 'cached']),
    timing: numbers(node.timing, ['first', 'total', 'pieces']),
    model: text(node.model),
    error: node.error && {
      message: text(node.error.message),
      code: text(node.error.code),
      param: text(node.error.param),
    },
    stopped: node.stopped === true,
    edited: node.edited === true,
    schema: text(node.schema),
  };
}

function readToken(token) {
  const top = list(token?.top).map((other) => ({ token: text(other?.token), logprob: number(other?.logprob, 0) }));
  const bytes = Array.isArray(token?.bytes) ? token.bytes.map(Number) : null;
  return { token: text(token?.token), logprob: number(token?.logprob, 0), bytes, top };
}

export function readSettings(from) {
  const settings = defaultSettings();
  if (typeof from !== 'object' || from === null) return settings;
  settings.model = text(from.model);
  settings.system = text(from.system);
  settings.logprobs = from.logprobs !== false;
  for (const { name, min, max } of SAMPLING) {
    if (typeof from[name] === 'number' && from[name] >= min && from[name] <= max) settings[name] = from[name];
  }
  const { schema, tools } = from;
  settings.schema = { on: schema?.on === true, text: text(schema?.text), strict: schema?.strict !== false };
  settings.tools = {
    on: tools?.on === true,
    text: text(tools?.text),
    choice: text(tools?.choice) || 'auto',
    parallel: tools?.parallel !== false,
  };
  return settings;
}
