// JSON.parse with an error that says where and what was expected. Browsers' own messages differ.

export function parseJson(text) {
  if (!text.trim()) return { error: 'Empty: JSON is expected here.' };
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { error: describe(text) };
  }
}

function describe(text) {
  const { at, wanted } = firstError(text);
  if (at >= text.length) return 'Not JSON yet: the text ends too early.';
  const before = text.slice(0, at).split('\n');
  const found = text[at] === '\n' ? 'the end of the line' : `"${String.fromCodePoint(text.codePointAt(at))}"`;
  return `Not JSON: line ${before.length}, column ${before.at(-1).length + 1}: ${found} where ${wanted} is expected.`;
}

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y; // without its closing quote
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

const BEGUN_NUMBER = /^-?(?:0|[1-9]\d*)?(?:\.\d*)?(?:[eE][+-]?\d*)?$/;
const BEGUN_ESCAPE = /^\\(?:u[0-9a-fA-F]{0,3})?$/;

const lengthOf = (pattern, text, at) => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
};

// Walks the text as a parser would, with a stack of the brackets that are open.
function firstError(text) {
  const open = [];
  let at = 0;
  let state = 'value'; // or 'first' (value or "]"), 'name', 'first name' (name or "}"), 'colon', 'after'
  for (;;) {
    at += lengthOf(SPACE, text, at);
    const ch = text[at];
    if (state === 'after') {
      if (!open.length) return { at, wanted: 'the end' };
      const close = open.at(-1) === '[' ? ']' : '}';
      if (ch === close) open.pop();
      else if (ch === ',') state = close === ']' ? 'value' : 'name';
      else return { at, wanted: `"," or "${close}"` };
      at += 1;
    } else if (state === 'colon') {
      if (ch !== ':') return { at, wanted: '":"' };
      state = 'value';
      at += 1;
    } else if ((state === 'first' && ch === ']') || (state === 'first name' && ch === '}')) {
      open.pop();
      state = 'after';
      at += 1;
    } else if (ch === '"') {
      at += lengthOf(STRING, text, at);
      if (BEGUN_ESCAPE.test(text.slice(at, at + 6))) return { at: text.length, wanted: 'an escape' };
      if (text[at] !== '"') return { at, wanted: text[at] === '\\' ? 'an escape such as \\n' : 'the closing quote' };
      state = state.endsWith('name') ? 'colon' : 'after';
      at += 1;
    } else if (state.endsWith('name')) {
      return { at, wanted: 'a name in double quotes' };
    } else if (ch === '[' || ch === '{') {
      open.push(ch);
      state = ch === '[' ? 'first' : 'first name';
      at += 1;
    } else {
      const length = lengthOf(SCALAR, text, at);
      const rest = text.slice(at, at + 400);
      const isBegun = ['true', 'false', 'null'].some((word) => word.startsWith(rest)) || BEGUN_NUMBER.test(rest);
      if (at + length < text.length && isBegun) return { at: text.length, wanted: 'a value' };
      if (!length) return { at, wanted: 'a value' };
      state = 'after';
      at += length;
    }
  }
}

// Laid out for reading; text that is not JSON as it is.
export function prettyJson(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
