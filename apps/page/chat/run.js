// One answer under way: sends the request, adds what comes to a message, measures, and ends in exactly one way:
// complete, stopped, or with an error in the message.

import { addChunk } from './accumulate.js';
import { buildRequest } from './request.js';
import { ServerError } from '../shared/server.js';

export class Run {
  #controller = new AbortController();

  constructor(api, conversation, node, onUpdate) {
    Object.assign(this, { api, conversation, node, onUpdate });
    node.timing = { first: 0, total: 0, pieces: 0 }; // ms to the first piece, ms to the last, pieces
  }

  async start() {
    const { node, conversation } = this;
    const started = performance.now();
    if (conversation.settings.schema.on) node.schema = conversation.settings.schema.text;
    try {
      const body = buildRequest(conversation, conversation.nodes[node.parent]);
      for await (const chunk of this.api.chat(body, this.#controller.signal)) {
        if (addChunk(node, chunk)) {
          node.timing.total = performance.now() - started;
          node.timing.first ||= node.timing.total;
          node.timing.pieces += 1;
        }
        this.onUpdate();
      }
    } catch (error) {
      if (error.name === 'AbortError') node.stopped = true;
      else node.error = describe(error);
      // A call that was cut off cannot be answered.
      node.toolCalls = node.toolCalls.filter((call) => isJson(call.arguments));
    }
  }

  stop() {
    this.#controller.abort();
  }
}

// Tokens a second after the first: what a reader sees. Before the usage is known, pieces stand for tokens.
export function tokensPerSecond({ timing, usage, tokens }) {
  if (!timing) return null;
  const n = (usage?.completion || tokens.length || timing.pieces) - 1;
  const ms = timing.total - timing.first;
  return n > 1 && ms > 50 ? (n * 1000) / ms : null;
}

function describe(error) {
  if (!(error instanceof ServerError)) {
    return { message: `This page failed: ${error.message}`, code: 'page', param: '', status: 0, retryAfter: null };
  }
  const { message, code, param, status, retryAfter } = error;
  return { message, code: code ?? '', param: param ?? '', status, retryAfter };
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
