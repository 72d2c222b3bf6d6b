// Requests to the server that the page came from. What goes wrong comes out as a ServerError, whose message is a
// sentence that can be shown as it is.

export class ServerError extends Error {
  constructor(message, { status = 0, code = null, param = null, retryAfter = null } = {}) {
    super(message);
    Object.assign(this, { status, code, param, retryAfter });
  }
}

export class Server {
  // Relative to the page, so that it also works behind a proxy that gives the server a folder.
  constructor(base = document.baseURI) {
    this.base = base;
    this.key = '';
  }

  // The answer, whatever its status. AbortError when options.signal says so.
  async fetch(path, options = {}) {
    const headers = { ...options.headers };
    if (this.key) headers.Authorization = `Bearer ${this.key}`;
    try {
      return await fetch(new URL(path, this.base), { ...options, headers, cache: 'no-store', credentials: 'omit' });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new ServerError(`No connection to ${new URL(this.base).host}. Is the server running?`, { code: 'offline' });
    }
  }

  // What a GET says, as JSON. A ServerError when it is not ok.
  async json(path, options) {
    const answer = await this.fetch(path, options);
    if (!answer.ok) throw await errorOf(answer);
    return answer.json();
  }

  post(path, body, signal) {
    const headers = { 'Content-Type': 'application/json' };
    return this.json(path, { method: 'POST', headers, body: JSON.stringify(body), signal });
  }
}

// Of an answer that is not ok. Servers say {"error": "why"}, or {"error": {"message": "why", ...}}.
export async function errorOf(answer) {
  const { status } = answer;
  let said = {};
  try {
    said = (await answer.json()).error ?? {};
    if (typeof said === 'string') said = { message: said };
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
