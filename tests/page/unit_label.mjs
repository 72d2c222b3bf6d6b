// The parts of the labelling page that need no browser: items in hand and labels on their way, spans, places of data,
// scales. Run by `node --test tests/page/unit_label.mjs`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ratingScale } from '../../apps/page/label/answers.js';
import { placesOf, valueWords } from '../../apps/page/label/item_view.js';
import { piecesOf, trimmed, withSpan, wordsOf } from '../../apps/page/label/span_list.js';
import { Work } from '../../apps/page/label/work.js';
import { ServerError } from '../../apps/page/shared/server.js';

// A server as desk.h describes it, for one person.
class FakeDesk {
  constructor(count) {
    this.open = Array.from({ length: count }, (_, i) => ({ item: `i${i}`, data: {} }));
    this.held = [];
    this.kept = []; // {item, value or skip, request}
    this.down = 0; // so many requests get no answer
    this.lost = 0; // so many are done, but their answer is lost
    this.refuse = null; // an item whose labels are refused
  }

  async ask(what, body) {
    await null;
    if (this.down > 0) {
      this.down -= 1;
      throw new ServerError('no connection', { code: 'offline' });
    }
    const answer = this[what](body);
    if (this.lost > 0) {
      this.lost -= 1;
      throw new ServerError('no connection', { code: 'offline' });
    }
    return answer;
  }

  work({ count }) {
    while (this.held.length < count && this.open.length) this.held.push(this.open.shift());
    return { items: [...this.held], lease_seconds: 600 };
  }

  label(body) {
    if (body.item === this.refuse) throw new ServerError('the value is wrong', { status: 400 });
    if (!this.kept.some((k) => k.request === body.request)) this.kept.push(body);
    this.held = this.held.filter((entry) => entry.item !== body.item);
    return { kept: true };
  }

  undo() {
    const last = this.kept.pop();
    if (!last) return { item: null };
    this.held.unshift({ item: last.item, data: {} });
    return { item: last.item, data: {}, value: last.value ?? null, skipped: last.skip ?? null };
  }
}

function workOf(desk) {
  const events = {
    shows: 0,
    errors: [],
    show: () => (events.shows += 1),
    error: (e) => events.errors.push(e),
    state() {},
  };
  const work = new Work(desk, 'p', events, () => Promise.resolve());
  return { work, events };
}

async function labelAll(work) {
  const order = [];
  for (let i = 0; i < 1000; i += 1) {
    if (work.current) {
      order.push(work.current.item);
      work.answer({ value: 'good' });
    } else if (work.exhausted && !work.sending.length) return order;
    await new Promise((done) => setImmediate(done));
  }
  return assert.fail('it does not end');
}

test('every item comes once, and the next is there before the last is sent', async () => {
  const desk = new FakeDesk(25);
  const { work } = workOf(desk);
  await work.fill();
  assert.equal(work.items.length, 3);
  work.answer({ value: 'good' });
  assert.notEqual(work.current, null);
  const order = await labelAll(work);
  assert.deepEqual(desk.kept.map((k) => k.item).sort(), Array.from({ length: 25 }, (_, i) => `i${i}`).sort());
  assert.equal(new Set(order).size, order.length);
});

test('nothing is lost or doubled by a connection that comes and goes', async () => {
  const desk = new FakeDesk(12);
  const { work, events } = workOf(desk);
  await work.fill();
  desk.down = 4;
  work.answer({ value: 'good' });
  desk.lost = 3;
  await labelAll(work);
  assert.equal(desk.kept.length, 12);
  assert.equal(new Set(desk.kept.map((k) => k.item)).size, 12);
  assert.deepEqual(events.errors, []);
  assert.equal(work.offline, false);
});

test('a label that is refused comes back with what was said', async () => {
  const desk = new FakeDesk(5);
  const { work, events } = workOf(desk);
  await work.fill();
  desk.refuse = work.current.item;
  work.answer({ value: 'odd' });
  await work.fill();
  assert.equal(work.current.item, desk.refuse);
  assert.deepEqual(work.current.before, { value: 'odd' });
  assert.equal(events.errors.length, 1);
});

test('undo waits for what is on its way, and goes back one by one', async () => {
  const desk = new FakeDesk(5);
  const { work } = workOf(desk);
  await work.fill();
  const [first, second] = work.items.map((entry) => entry.item);
  work.answer({ value: 'good' });
  work.answer({ skip: 'unclear' });
  assert.equal(await work.undo(), true);
  assert.equal(work.current.item, second);
  assert.deepEqual(work.current.before, { skip: 'unclear' });
  assert.equal(await work.undo(), true);
  assert.equal(work.current.item, first);
  assert.deepEqual(work.current.before, { value: 'good' });
  assert.equal(await work.undo(), false);
  assert.deepEqual(desk.kept, []);
  assert.equal(new Set(work.items.map((entry) => entry.item)).size, work.items.length);
});

test('words leave out punctuation and count UTF-16 units', () => {
  const text = 'Ana, 🥟 (don’t)!';
  assert.deepEqual(
    wordsOf(text).map(([a, b]) => text.slice(a, b)),
    ['Ana', '🥟', 'don’t'],
  );
  assert.deepEqual(trimmed('  ab ', 0, 5), [2, 4]);
  assert.equal(trimmed('   ', 0, 3), null);
});

test('the same span twice is none, with another label it is that one', () => {
  let spans = withSpan([], 3, 5, 'a');
  spans = withSpan(spans, 0, 9, 'b');
  assert.deepEqual(spans[0], { start: 0, end: 9, label: 'b' });
  assert.equal(withSpan(spans, 3, 5, 'a').length, 1);
  assert.deepEqual(withSpan(spans, 3, 5, 'c').at(-1), { start: 3, end: 5, label: 'c' });
});

test('pieces cover the text once, whatever spans and selection do', () => {
  const spans = [
    { start: 0, end: 6, label: 'a' },
    { start: 4, end: 8, label: 'b' },
  ];
  const pieces = piecesOf(10, spans, [5, 7]);
  assert.deepEqual(
    pieces.map((p) => [p.start, p.end]),
    [
      [0, 4],
      [4, 5],
      [5, 6],
      [6, 7],
      [7, 8],
      [8, 10],
    ],
  );
  assert.deepEqual(pieces[2], { start: 5, end: 6, spans: [0, 1], selected: true });
  assert.deepEqual(piecesOf(0, [], null), []);
});

test('data find their places by name, else by what is there', () => {
  const fields = { prompt: 'prompt', left: 'left', right: 'right', text: 'text' };
  const pair = placesOf({ prompt: 'q', a: 'one', b: 'two', n: 3 }, 'pairwise', fields);
  assert.deepEqual([pair.prompt, pair.left, pair.right, [...pair.rest.keys()]], ['q', 'one', 'two', ['n']]);
  const long = placesOf({ title: 'T', body: 'a longer text', n: 3 }, 'choice', fields);
  assert.deepEqual([long.text, [...long.rest.keys()]], ['a longer text', ['title', 'n']]);
  assert.equal(placesOf({ n: 3 }, 'choice', fields).text, null);
});

test('scales go from low to high, and values have words', () => {
  assert.deepEqual(ratingScale(['10', '2', '1']), ['1', '2', '10']);
  assert.deepEqual(ratingScale([]), ['1', '2', '3', '4', '5']);
  assert.equal(valueWords(['a', 'b']), 'a, b');
  assert.equal(valueWords([]), 'none');
  assert.equal(valueWords([{ start: 0, end: 3, label: 'x' }], 'Ann is'), 'x: “Ann”');
});
