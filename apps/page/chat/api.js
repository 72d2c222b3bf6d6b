// The server's OpenAI protocol: models, health, streamed chat. Errors come out as ServerError.

import { eventData } from './sse.js';
import { Server, ServerError, errorOf } from '../shared/server.js';

export class Api extends Server {
  async health() {
    const answer = await this.fetch('health');
    return answer.ok;
  }

  async models() {
    const body = await this.json('v1/models');
    if (!Array.isArray(body.data))
      throw new ServerError('The server listed its models in a form this page cannot read.');
    return body.data.filter((model) => typeof model.id === 'string');
  }

  // Yields the chunks of one streamed answer. Throws ServerError, or AbortError when the signal says so.
  async *chat(body, signal) {
    const answer = await this.fetch('v1/chat/completions', {
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
}

function parseChunk(data) {
  try {
    return JSON.parse(data);
  } catch {
    throw new ServerError('The server sent a piece of the answer that is not JSON.');
  }
}
