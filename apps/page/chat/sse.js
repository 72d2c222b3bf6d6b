// Server-sent events: a stream of bytes in, the data of each event out.
// https://html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.6. Comments, names and ids are skipped:
// the chat protocol has none that matter.

export async function* eventData(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const lines = new LineSplitter();
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      const text = done ? decoder.decode() : decoder.decode(value, { stream: true });
      for (const line of lines.push(text)) {
        if (line === '') {
          if (data.length) yield data.join('\n');
          data = [];
        } else if (line.startsWith('data:')) {
          data.push(line.slice(line[5] === ' ' ? 6 : 5));
        }
      }
      if (done) return; // an event that has no empty line after it is incomplete, and dropped
    }
  } finally {
    // A reader that stops after the last event takes the end of the body too, so that the connection can be used again;
    // one that stops in the middle closes it, which the server notices.
    await Promise.race([drain(reader), new Promise((done) => setTimeout(done, 200))]);
    reader.cancel().catch(() => {});
  }
}

async function drain(reader) {
  try {
    while (!(await reader.read()).done);
  } catch {
    // Aborted, or the connection is gone.
  }
}

// Lines end with \n, \r\n or \r; a \r at the end of a piece may be half of a \r\n.
class LineSplitter {
  rest = '';
  skipNewline = false;

  push(text) {
    if (this.skipNewline && text.startsWith('\n')) text = text.slice(1);
    if (text) this.skipNewline = text.endsWith('\r');
    const lines = (this.rest + text).split(/\r\n|\n|\r/);
    this.rest = lines.pop();
    return lines;
  }
}
