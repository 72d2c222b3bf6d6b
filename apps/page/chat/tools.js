// The tools box's text, read: a JSON array of functions, either in the protocol's form {"type": "function",
// "function": {...}} or just the functions.

import { parseJson } from './json_text.js';
import { checkSchema } from './schema.js';

export function readTools(text) {
  const { value, error } = parseJson(text);
  if (error) return { tools: [], problems: [error] };
  const list = Array.isArray(value) ? value : [value];
  const problems = [];
  const tools = [];
  const names = new Set();
  list.forEach((item, i) => {
    const where = list.length > 1 ? `Tool ${i + 1}` : 'The tool';
    const f = item?.type === 'function' && item.function ? item.function : item;
    if (typeof f !== 'object' || f === null || Array.isArray(f)) {
      problems.push(`${where} is not an object.`);
      return;
    }
    const problem = problemWith(f, names);
    if (problem) problems.push(`${where} ${problem}`);
    names.add(f.name);
    tools.push({ type: 'function', function: f });
  });
  if (!list.length) problems.push('The array has no tools.');
  return { tools: problems.length ? [] : tools, problems };
}

function problemWith(f, names) {
  if (typeof f.name !== 'string') return 'has no "name".';
  if (!/^[a-zA-Z0-9_-]{1,64}$/.test(f.name))
    return `has the name "${f.name}": letters, digits, _ and - are allowed, at most 64.`;
  if (names.has(f.name)) return `has the name "${f.name}", which another one has too.`;
  if (f.description !== undefined && typeof f.description !== 'string')
    return `(${f.name}) has a "description" that is not text.`;
  if (f.parameters === undefined) return null;
  const [first] = checkSchema(f.parameters).problems;
  return first ? `(${f.name}) has "parameters" that are no schema: ${first}` : null;
}

export const EXAMPLE_TOOLS = `[{
  "name": "get_weather",
  "description": "The weather in a city now",
  "parameters": {
    "type": "object",
    "properties": {
      "city": {"type": "string"},
      "unit": {"enum": ["celsius", "fahrenheit"]}
    },
    "required": ["city"]
  }
}]`;
