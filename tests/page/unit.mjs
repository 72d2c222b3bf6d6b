// The parts of the page that need no browser: event streams, trees, requests, JSON errors, schemas, markdown, tokens,
// export and import. Run by `node --test tests/page/unit.mjs`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { eventData } from '../../apps/page/chat/sse.js';
import { addChunk } from '../../apps/page/chat/accumulate.js';
import { parseJson } from '../../apps/page/chat/json_text.js';
import { checkSchema, validate } from '../../apps/page/chat/schema.js';
import { readTools } from '../../apps/page/chat/tools.js';
import { parseMarkdown } from '../../apps/page/chat/markdown.js';
import { TokenMap } from '../../apps/page/chat/token_map.js';
import {
  addAnswer,
  addNode,
  newConversation,
  removeLeaf,
  stepSibling,
  visiblePath,
} from '../../apps/page/chat/tree.js';
import { buildRequest, defaultSettings } from '../../apps/page/chat/request.js';
import { exportText, importText } from '../../apps/page/chat/transfer.js';

// ---- the stream -------------------------------------------------------------------------------------------------

async function eventsOf(bytes, size) {
  const stream = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
  const events = [];
  for await (const data of eventData(stream)) events.push(data);
  return events;
}

test('events are the same however the bytes are cut, with every kind of line end', async () => {
  const text =
    ': ping\n\ndata: {"a":"vicuña 🐾"}\n\ndata:two\ndata: lines\r\n\r\nid: 7\rdata: three\r\revent: x\n\ndata: cut off';
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; size += 1) {
    assert.deepEqual(await eventsOf(bytes, size), ['{"a":"vicuña 🐾"}', 'two\nlines', 'three'], `pieces of ${size}`);
  }
});

test('deltas add up: text, calls in pieces, tokens, usage', () => {
  const node = { content: '', toolCalls: [], tokens: [] };
  const add = (delta, more = {}) => addChunk(node, { choices: [{ index: 0, delta, ...more }], usage: null });
  add({ role: 'assistant', content: '' });
  add({ content: 'He' }, { logprobs: { content: [{ token: 'He', logprob: -1, bytes: [72, 101], top_logprobs: [] }] } });
  add({ content: 'y' });
  add({ tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } }] });
  add({ tool_calls: [{ index: 0, function: { arguments: '{"x"' } }] });
  add({ tool_calls: [{ index: 1, id: 'b', function: { name: 'g', arguments: '{}' } }] });
  add({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] });
  add({ tool_calls: [{ index: 9, function: { arguments: 'lost' } }] });
  add({}, { finish_reason: 'tool_calls' });
  addChunk(node, { choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } });
  assert.deepEqual(node, {
    content: 'Hey',
    toolCalls: [
      { id: 'a', name: 'f', arguments: '{"x":1}' },
      { id: 'b', name: 'g', arguments: '{}' },
    ],
    tokens: [{ token: 'He', logprob: -1, bytes: [72, 101], top: [] }],
    finish: 'tool_calls',
    usage: { prompt: 3, completion: 2, total: 5, cached: 0 },
  });
});

// ---- the tree ---------------------------------------------------------------------------------------------------

function conversationOf(...turns) {
  const conversation = newConversation({ ...defaultSettings(), model: 'm' });
  let parent = 'root';
  for (const [question, answer] of turns) {
    parent = addNode(conversation, parent, { role: 'user', content: question, images: [] }).id;
    const node = addAnswer(conversation, parent, 'm');
    Object.assign(node, { content: answer, finish: 'stop' });
    parent = node.id;
  }
  return conversation;
}

const textsOf = (conversation) => visiblePath(conversation).map((node) => node.content);

test('branches keep what is below them', () => {
  const conversation = conversationOf(['q1', 'a1'], ['q2', 'a2']);
  const first = visiblePath(conversation)[0];
  const other = addNode(conversation, 'root', { role: 'user', content: 'other', images: [] });
  assert.deepEqual(textsOf(conversation), ['other']);
  stepSibling(conversation, other, -1);
  assert.deepEqual(textsOf(conversation), ['q1', 'a1', 'q2', 'a2']);
  assert.equal(stepSibling(conversation, first, -1), null, 'there is nothing further left');
  removeLeaf(conversation, first.id);
  assert.ok(conversation.nodes[first.id], 'what has children stays');
  removeLeaf(conversation, other.id);
  assert.deepEqual(conversation.nodes.root.children, [first.id]);
});

test('the request has the messages of its branch, and nothing that failed or is empty', () => {
  const conversation = conversationOf(['q1', 'a1'], ['q2', '']);
  const question = addNode(conversation, visiblePath(conversation).at(-1).id, {
    role: 'user',
    content: 'q3',
    images: ['data:image/png;base64,AA=='],
  });
  addNode(conversation, 'root', { role: 'user', content: 'another branch', images: [] });
  const { messages } = buildRequest(conversation, question);
  assert.deepEqual(messages, [
    { role: 'user', content: 'q1' },
    { role: 'assistant', content: 'a1' },
    { role: 'user', content: 'q2' },
    {
      role: 'user',
      content: [
        { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } },
        { type: 'text', text: 'q3' },
      ],
    },
  ]);
});

test('a call that must be made is asked for once', () => {
  const conversation = conversationOf(['q1', 'a1']);
  conversation.settings.tools = { on: true, text: '[{"name": "f"}]', choice: 'f', parallel: true };
  const [question, answer] = visiblePath(conversation);
  answer.toolCalls = [{ id: 'a', name: 'f', arguments: '{}' }];
  const results = addNode(conversation, answer.id, { role: 'tool', results: [{ id: 'a', content: '1' }] });
  assert.deepEqual(buildRequest(conversation, question).tool_choice, { type: 'function', function: { name: 'f' } });
  assert.equal(buildRequest(conversation, results).tool_choice, 'auto');
  for (const [choice, later] of [
    ['required', 'auto'],
    ['none', 'none'],
    ['auto', 'auto'],
  ]) {
    conversation.settings.tools.choice = choice;
    assert.equal(buildRequest(conversation, question).tool_choice, choice);
    assert.equal(buildRequest(conversation, results).tool_choice, later);
  }
});

// ---- export and import ------------------------------------------------------------------------------------------

test('what is exported comes back, with new ids', () => {
  const conversation = conversationOf(['q1', 'a1'], ['q2', 'a2']);
  addNode(conversation, 'root', { role: 'user', content: 'other', images: [] });
  conversation.settings.temperature = 0.5;
  const [back] = importText(exportText([conversation]));
  assert.notEqual(back.id, conversation.id);
  assert.deepEqual(back.settings, conversation.settings);
  assert.deepEqual(textsOf(back), ['other']);
  stepSibling(back, visiblePath(back)[0], -1);
  assert.deepEqual(textsOf(back), ['q1', 'a1', 'q2', 'a2']);
});

test('a hostile file is refused, or loses what is hostile', () => {
  const file = (nodes) => JSON.stringify({ format: 'puna-conversations', version: 1, conversations: [{ nodes }] });
  assert.throws(() => importText(file({ root: { children: ['a'] } })), /message "a" is missing/);
  assert.throws(() => importText(file({ root: { children: ['root'] } })), /twice/);
  assert.throws(() => importText(file({ root: { children: ['a', 'a'] }, a: { role: 'user' } })), /twice/);
  assert.throws(() => importText(file({ root: { children: ['a'] }, a: { role: 'wizard' } })), /role "wizard"/);
  assert.throws(() => importText(file({ root: { children: ['constructor'] } })), /missing/);
  assert.throws(() => importText('{"format":"puna-conversations","version":2}'), /version 2/);
  const proto = '{"root": {"children": ["__proto__"]}, "__proto__": {"role": "user", "children": ["__proto__"]}}';
  assert.throws(() => importText(file('X').replace('"X"', proto)), /twice/);
  const [{ nodes, settings }] = importText(
    file({
      root: { children: ['a'] },
      a: {
        role: 'user',
        content: 5,
        images: ['https://example.org/x.png', 'data:text/html;base64,AA', 'data:image/png;base64,AA'],
      },
    }),
  );
  const [user] = Object.values(nodes).filter((node) => node.role === 'user');
  assert.deepEqual([user.content, user.images], ['', ['data:image/png;base64,AA']]);
  assert.deepEqual(settings, defaultSettings());
});

// ---- JSON and tools ---------------------------------------------------------------------------------------------

test('errors of JSON name the place and what is expected', () => {
  const errorOf = (text) => parseJson(text).error;
  assert.equal(errorOf('[1, 2'), 'Not JSON yet: the text ends too early.');
  assert.equal(errorOf('{"a": tr'), 'Not JSON yet: the text ends too early.');
  assert.equal(errorOf('{"a" 1}'), 'Not JSON: line 1, column 6: "1" where ":" is expected.');
  assert.equal(errorOf('[\n  1 2]'), 'Not JSON: line 2, column 5: "2" where "," or "]" is expected.');
  assert.equal(errorOf('{"a": 1,}'), 'Not JSON: line 1, column 9: "}" where a name in double quotes is expected.');
  assert.equal(errorOf("{'a': 1}"), 'Not JSON: line 1, column 2: "\'" where a name in double quotes is expected.');
  assert.equal(
    errorOf('{"a": "b\n"}'),
    'Not JSON: line 1, column 9: the end of the line where the closing quote is expected.',
  );
  assert.equal(errorOf('["\\x"]'), 'Not JSON: line 1, column 3: "\\" where an escape such as \\n is expected.');
  assert.equal(errorOf('1 1'), 'Not JSON: line 1, column 3: "1" where the end is expected.');
  assert.equal(errorOf('  '), 'Empty: JSON is expected here.');
});

test('every way to break a good text is found at or before the place of the break', () => {
  const good = '{"a": [1, -2.5e3, true, null, "x\\n\\u00e9"], "b": {"c": []}}';
  for (let at = 0; at < good.length; at += 1) {
    const broken = `${good.slice(0, at)}#${good.slice(at)}`;
    const { error } = parseJson(broken);
    if (error) assert.ok(Number(/column (\d+)/.exec(error)[1]) <= at + 1, broken);
    assert.match(parseJson(good.slice(0, at)).error, at ? /ends too early/ : /Empty/);
  }
});

test('tools come in both forms, and a schema of theirs is checked', () => {
  assert.deepEqual(readTools('{"name": "f"}').tools, [{ type: 'function', function: { name: 'f' } }]);
  assert.match(
    readTools('[{"name": "f", "parameters": {"type": "text"}}]').problems[0],
    /\(f\) has "parameters" that are no schema/,
  );
  assert.deepEqual(readTools('[]').problems, ['The array has no tools.']);
  assert.match(readTools('[7]').problems[0], /not an object/);
});

// ---- schemas ----------------------------------------------------------------------------------------------------

test('schemas: references, recursion, depth', () => {
  const tree = {
    $ref: '#/$defs/t',
    $defs: { t: { type: 'object', properties: { next: { $ref: '#/$defs/t' }, n: { type: 'integer' } } } },
  };
  assert.deepEqual(checkSchema(tree).problems, []);
  assert.deepEqual(validate(tree, { next: { next: { n: 1 } } }), []);
  assert.deepEqual(validate(tree, { next: { n: 1.5 } }), ['next.n is number, expected integer.']);
  const loop = { $ref: '#' };
  assert.match(validate(loop, 1)[0], /nested too deeply/);
  let deep = true;
  for (let i = 0; i < 5000; i += 1) deep = { not: deep };
  assert.match(checkSchema(deep).problems[0], /more than 100 deep/);
  assert.deepEqual(checkSchema({ unevaluatedItems: false }).unchecked, ['unevaluatedItems']);
});

// The suite of the JSON Schema organisation. Left out: what checkSchema() does not check or takes for a mistake,
// and formats, of which this page checks the common ones by a pattern.
test('the official suite: where a schema is taken, its tests come out right', () => {
  const lines = readFileSync(new URL('../data/json_schema/test_suite.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  const wrong = [];
  let right = 0;
  for (const { file, description, schema, tests } of lines.map((line) => JSON.parse(line))) {
    const { problems, unchecked } = checkSchema(schema);
    if (problems.length || unchecked.length || /format|content|float-overflow|vocabulary/.test(file)) continue;
    if (description === 'ref overrides any sibling keywords') continue; // in draft 7; not since
    for (const { data, valid, description: what } of tests) {
      if ((validate(schema, data).length === 0) === valid) right += 1;
      else wrong.push(`${file}: ${description}: ${what}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(right > 1500, `${right} tests`);
});

// ---- markdown ---------------------------------------------------------------------------------------------------

// The tree in short: ["p", "text", ["em", "text"]].
function short(block) {
  const inline = (items) =>
    items.map((item) => {
      if (item.type === 'text') return item.text;
      if (item.type === 'break') return ['br'];
      return [item.type === 'link' ? `a ${item.href}` : item.type, ...joined(item.children)];
    });
  const joined = (items) =>
    inline(items).reduce((out, item) => {
      if (typeof item === 'string' && typeof out.at(-1) === 'string') out[out.length - 1] += item;
      else out.push(item);
      return out;
    }, []);
  switch (block.type) {
    case 'paragraph':
      return ['p', ...joined(block.inline)];
    case 'heading':
      return [`h${block.level}`, ...joined(block.inline)];
    case 'code':
      return ['pre', block.language, block.lines.map((line) => line.text).join('\n')];
    case 'quote':
      return ['quote', ...block.blocks.map(short)];
    case 'list':
      return [block.ordered ? `ol ${block.start}` : 'ul', ...block.items.map((item) => item.map(short))];
    case 'table':
      return ['table', block.head.map(joined), ...block.rows.map((row) => row.map(joined))];
    default:
      return [block.type];
  }
}

const MARKDOWN = [
  [
    '*a* **b** ***c*** ~~d~~ _e_',
    [['p', ['em', 'a'], ' ', ['strong', 'b'], ' ', ['em', ['strong', 'c']], ' ', ['del', 'd'], ' ', ['em', 'e']]],
  ],
  ['a*b*c snake_case_name 2 * 3 * 4', [['p', 'a', ['em', 'b'], 'c snake_case_name 2 * 3 * 4']]],
  ['**open *and* on', [['p', '**open ', ['em', 'and'], ' on']]],
  ['`a*b*` ``c`d`` `open', [['p', ['code', 'a*b*'], ' ', ['code', 'c`d'], ' `open']]],
  ['\\*a\\* \\q', [['p', '*a* \\q']]],
  [
    '[t](https://e.org/a_(b)) [*x*](mailto:a@b.c) [s](javascript:alert(1)) [d](data:text/html,x)',
    [['p', ['a https://e.org/a_(b)', 't'], ' ', ['a mailto:a@b.c', ['em', 'x']], ' s d']],
  ],
  [
    'see https://e.org/a. Or (http://f.org)',
    [['p', 'see ', ['a https://e.org/a', 'https://e.org/a'], '. Or (', ['a http://f.org', 'http://f.org'], ')']],
  ],
  [
    '# A\n## B ##\n#not',
    [
      ['h1', 'A'],
      ['h2', 'B'],
      ['p', '#not'],
    ],
  ],
  [
    '- a\n- b\n  - c\n\n    d\n- e',
    [
      [
        'ul',
        [['p', 'a']],
        [
          ['p', 'b'],
          [
            'ul',
            [
              ['p', 'c'],
              ['p', 'd'],
            ],
          ],
        ],
        [['p', 'e']],
      ],
    ],
  ],
  ['3. a\n4. b', [['ol 3', [['p', 'a']], [['p', 'b']]]]],
  [
    '1. a\n   ```js\n   x\n   ```\n2. b',
    [
      [
        'ol 1',
        [
          ['p', 'a'],
          ['pre', 'js', 'x'],
        ],
        [['p', 'b']],
      ],
    ],
  ],
  ['In\n2010. no list', [['p', 'In\n2010. no list']]],
  [
    '> a\nlazy\n> - b\n\nc',
    [
      ['quote', ['p', 'a\nlazy'], ['ul', [['p', 'b']]]],
      ['p', 'c'],
    ],
  ],
  [
    '```py\na\n\n  b\n```\nc',
    [
      ['pre', 'py', 'a\n\n  b'],
      ['p', 'c'],
    ],
  ],
  ['```\nopen *x*', [['pre', '', 'open *x*']]],
  [
    '| a | b |\n|--|:-:|\n| 1 | `x\\|y` |\n| 2 |',
    [['table', [['a'], ['b']], [['1'], [['code', 'x\\|y']]], [['2'], []]]],
  ],
  ['a | b\nno table', [['p', 'a | b\nno table']]],
  ['a  \nb\n***\nc', [['p', 'a  ', ['br'], 'b'], ['rule'], ['p', 'c']]],
  ['<script>x</script> &amp;', [['p', '<script>x</script> &amp;']]],
];

for (const [source, wanted] of MARKDOWN) {
  test(`markdown: ${JSON.stringify(source)}`, () => assert.deepEqual(parseMarkdown(source).map(short), wanted));
}

// Calls f(text, at) for each piece of text in a tree.
function eachText(value, f) {
  if (Array.isArray(value)) for (const item of value) eachText(item, f);
  else if (value && typeof value === 'object') {
    if (typeof value.text === 'string') f(value.text, value.at);
    for (const child of Object.values(value)) eachText(child, f);
  }
}

test('every text knows its place in the source, in any markdown whatever', () => {
  let seed = 7;
  const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  const parts = [
    'a',
    'b c',
    ' ',
    '\n',
    '\n\n',
    '*',
    '**',
    '_',
    '~~',
    '`',
    '```',
    '> ',
    '- ',
    '1. ',
    '  ',
    '    ',
    '# ',
    '|',
    '|-|-|',
    '[',
    '](https://e.org)',
    ')',
    '\\',
    'é🐾',
    '---',
    '\r\n',
    'https://e.org',
  ];
  for (let round = 0; round < 20000; round += 1) {
    let source = '';
    for (let i = random(14) + 1; i > 0; i -= 1) source += parts[random(parts.length)];
    eachText(parseMarkdown(source), (text, at) => {
      assert.equal(
        source.slice(at, at + text.length).replaceAll(/[\r\n]/g, ' '),
        text.replaceAll('\n', ' '),
        JSON.stringify(source),
      );
    });
  }
});

test('long and deep markdown takes little time', () => {
  for (const source of [
    '>'.repeat(20000),
    '- '.repeat(20000),
    '*a **b '.repeat(20000),
    '['.repeat(20000),
    '`a``b'.repeat(5000),
    '| a '.repeat(5000),
    'a\n'.repeat(20000),
  ]) {
    const started = performance.now();
    parseMarkdown(source);
    const ms = performance.now() - started;
    assert.ok(ms < 2000, `${ms} ms for ${JSON.stringify(source.slice(0, 10))}`);
  }
});

// ---- tokens -----------------------------------------------------------------------------------------------------

test('characters lead to their tokens, also where a token ends within a character', () => {
  const encoder = new TextEncoder();
  const content = 'añ🐾z';
  const bytes = [...encoder.encode(content)];
  const cuts = [
    [0, 2],
    [2, 5],
    [5, 7],
    [7, 8],
  ]; // a + half of ñ; its other half + half of the paw; the rest; z
  const tokens = cuts.map(([from, to]) => ({ token: '?', bytes: bytes.slice(from, to) }));
  const map = new TokenMap(content, tokens);
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((unit) => map.at(unit)),
    [0, 1, 2, 2, 3],
  );
  assert.deepEqual(map.range(3), [4, 5]);
  assert.equal(new TokenMap('ab', [{ token: 'a', bytes: null }]).at(1), -1, 'text after the last token has none');
});
