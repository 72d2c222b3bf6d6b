// JSON.parse with an error that says where, in the words of a person.

export function parseJson(text) {
  if (!text.trim()) return { error: 'Empty: JSON is expected here.' };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { error: describe(text, error.message) };
  }
}

// Browsers tell the place as "position 17", as "line 2 column 5", or not at all.
function describe(text, message) {
  if (/end of (data|JSON|input)|EOF|Unterminated/i.test(message)) return 'Not JSON yet: the text ends too early.';
  const position = /position (\d+)/.exec(message);
  const lineColumn = /line (\d+) column (\d+)/.exec(message);
  let line = lineColumn ? Number(lineColumn[1]) : 0;
  let column = lineColumn ? Number(lineColumn[2]) : 0;
  if (!line && position) {
    const before = text.slice(0, Number(position[1])).split('\n');
    line = before.length;
    column = before.at(-1).length + 1;
  }
  if (!line) return 'Not JSON.';
  const found = text.split('\n')[line - 1]?.[column - 1];
  return `Not JSON: line ${line}, column ${column}${found ? `, at "${found}"` : ''}.`;
}

// Laid out for reading; text that is not JSON as it is.
export function prettyJson(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
