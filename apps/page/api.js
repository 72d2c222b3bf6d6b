// The server's OpenAI protocol: models, health, streamed chat. Errors come out as ServerError, whose message is a
// sentence that can be shown as it is.

import { eventData } from './sse.js';

export class ServerError extends Error {
  constructor(message, { status = 0, code = null, param = null, retryAfter = null } = {}) {
    super(message);
    Object.assign(this, { status, code, param, retryAfter });
  }
}

export class Api {
  // Relative to the page, so that it also works behind a proxy that gives the server a folder.
  constructor(base = document.baseURI) {
    this.base = base;
    this.key = '';
  }

  async health() {
    const answer = await this.#fetch('health', {});
    return answer.ok;
  }

  async models() {
    const answer = await this.#fetch('v1/models', {});
    if (!answer.ok) throw await errorOf(answer);
    const body = await answer.json();
    if (!Array.isArray(body.data))
      throw new ServerError('The server listed its models in a form this page cannot read.');
    return body.data.filter((model) => typeof model.id === 'string');
  }

  // Yields the chunks of one streamed answer. Throws ServerError, or AbortError when the signal says so.
  async *chat(body, signal) {
    const answer = await this.#fetch('v1/chat/completions', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
      body: JSON.stringify(body),
      signal,
    });
    if (!answer.ok) throw await errorOf(answer);
    let complete = false;
    try {
      for await (const data of eventData(answer.body)) {
        if (data === '[DONE]') {
          complete = true;
          break;
        }
        const chunk = parseChunk(data);
        if (chunk.error) throw new ServerError(chunk.error.message ?? 'The server reported an error.', chunk.error);
        yield chunk;
      }
    } catch (error) {
      if (error instanceof ServerError || error.name === 'AbortError') throw error;
      throw new ServerError('The connection to the server was lost in the middle of the answer.');
    }
    if (!complete) throw new ServerError('The connection ended before the answer was complete.');
  }

  async #fetch(path, options) {
    const headers = { ...options.headers };
    if (this.key) headers.Authorization = `Bearer ${this.key}`;
    try {
      return await fetch(new URL(path, this.base), { ...options, headers, cache: 'no-store', credentials: 'omit' });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new ServerError(`No connection to ${new URL(this.base).host}. Is the server running?`, { code: 'offline' });
    }
  }
}

function parseChunk(data) {
  try {
    return JSON.parse(data);
  } catch {
    throw new ServerError('The server sent a piece of the answer that is not JSON.');
  }
}

async function errorOf(answer) {
  const { status } = answer;
  let said = {};
  try {
    said = (await answer.json()).error ?? {};
  } catch {
    // A proxy's page of HTML: the status says as much.
  }
  const seconds = Number.parseInt(answer.headers.get('Retry-After') ?? '', 10);
  const retryAfter = Number.isFinite(seconds) ? seconds : null;
  const message = said.message || wordsFor(status);
  return new ServerError(message, { status, code: said.code ?? null, param: said.param ?? null, retryAfter });
}

function wordsFor(status) {
  if (status === 401) return 'The server asks for an API key.';
  if (status === 404) return 'The server does not know this address.';
  if (status === 413) return 'The message is larger than the server accepts.';
  if (status === 429) return 'The server is busy.';
  if (status === 503) return 'The server is starting or shutting down.';
  return `The server answered with status ${status} and no explanation.`;
}
