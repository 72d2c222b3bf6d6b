// The labelling page: every type of label by the keyboard alone, two people at once, undo and skips, decisions, a
// connection that is lost, tokens, hostile texts, a phone.

import assert from 'node:assert/strict';
import { eventually } from './actions.mjs';

const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
const REVIEWS = [
  'The soup was cold and nobody came to ask.',
  'Fresh bread, a view of the harbour, and the kindest waiter in town!',
  'It was fine. Not more, not less.',
  'We waited an hour for a table that we had reserved.',
  'The best dumplings this side of the river.',
  'Too loud to talk, but the pizza is worth it.',
  'I would not go back, not even for free.',
  'A lovely garden, and prices from ten years ago.',
];
const reviews = (n = REVIEWS.length) =>
  Array.from({ length: n }, (_, i) => ({ item: `r${i}`, data: { text: REVIEWS[i % REVIEWS.length] } }));
const MOOD = { name: 'mood', labels: ['good', 'bad', 'mixed'], items: reviews() };

// A person at the page.
class Person {
  constructor(page) {
    this.page = page;
  }

  async name(name) {
    await this.page.getByLabel('Name', { exact: true }).fill(name);
    await this.page.keyboard.press('Enter');
    await this.item();
    return this;
  }

  // The name of the item on the screen.
  async item() {
    await this.page.locator('#task h1').waitFor();
    return (await this.page.locator('#task h1').innerText()).replace('Item ', '');
  }

  async press(...keys) {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  // A key that answers, and the next item.
  async answer(key) {
    const before = await this.item();
    await this.page.keyboard.press(key);
    await this.page.waitForFunction((old) => document.querySelector('#task h1')?.textContent !== old, `Item ${before}`);
    return before;
  }

  async saved() {
    await this.page.waitForFunction(() => !document.getElementById('hand')?.textContent);
  }
}

const labelsOf = (server, project) =>
  server
    .run('export', '--project', project, '--format', 'jsonl')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

export default [
  {
    name: 'labels: a number a label, the next item is there at once',
    projects: [MOOD],
    async run({ page, server, shot, axe }) {
      await shot('label-name');
      assert.deepEqual(await axe(), [], 'name');
      const ann = await new Person(page).name('ann');
      await shot('label-choice');
      assert.deepEqual(await axe(), [], 'choice');
      const given = new Map();
      for (const key of ['1', '2', '3', '1', '2', '3']) given.set(await ann.answer(key), key);
      await ann.saved();
      const kept = new Map(
        labelsOf(server, 'mood').flatMap((line) => (line.labels ?? []).map((l) => [line.item, l.label])),
      );
      for (const [item, key] of given) assert.equal(kept.get(item), MOOD.labels[Number(key) - 1], item);
      await eventually(async () => (await page.locator('#bar').getAttribute('aria-valuenow')) === '6', 'the bar', 9000);
      await shot('label-progress');
      // The last two, then nothing.
      await ann.answer('1');
      await ann.press('1');
      await page.getByRole('heading', { name: 'Nothing is left for you' }).waitFor();
      await shot('label-nothing-left');
      assert.deepEqual(await axe(), [], 'nothing left');
      await ann.press('u');
      await page.getByText('Your answer was: good').waitFor();
    },
  },
  {
    name: 'labels: two people at once do no item twice',
    projects: [{ ...MOOD, items: reviews(40) }],
    async run({ page, server, another }) {
      const ann = await new Person(page).name('ann');
      const other = await another();
      const ben = await new Person(other.page).name('ben');
      const work = async (person, key) => {
        for (;;) {
          await person.page.keyboard.press(key);
          await person.page.waitForTimeout(15);
          if (await person.page.getByRole('heading', { name: 'Nothing is left for you' }).isVisible()) return;
        }
      };
      await Promise.all([work(ann, '1'), work(ben, '2')]);
      await eventually(() => server.json('stats').labels === 40, 'all are sent');
      const lines = labelsOf(server, 'mood');
      for (const line of lines) assert.equal(line.labels.length, 1, line.item);
      assert.equal(lines.length, 40);
      const by = new Set(lines.flatMap((line) => (line.labels ?? []).map((l) => l.annotator)));
      assert.deepEqual([...by].sort(), ['ann', 'ben']);
      assert.deepEqual(other.breaches, []);
      await other.context.close();
    },
  },
  {
    name: 'labels: undo brings the item back with what was said, and skips have a reason',
    projects: [MOOD],
    async run({ page, server, shot, axe }) {
      const ann = await new Person(page).name('ann');
      const first = await ann.answer('2');
      const second = await ann.item();
      await ann.press('s');
      await page.getByRole('dialog', { name: 'Skip this item because' }).waitFor();
      await shot('label-skip');
      assert.deepEqual(await axe(), [], 'skip');
      await ann.press('2');
      await page.waitForFunction((old) => document.querySelector('#task h1')?.textContent !== old, `Item ${second}`);
      await ann.press('u');
      await page.getByText('You skipped this: The item makes no sense').waitFor();
      assert.equal(await ann.item(), second);
      await ann.press('u');
      await page.getByText('Your answer was: bad').waitFor();
      assert.equal(await ann.item(), first);
      assert.equal(await page.getByRole('button', { name: 'bad' }).getAttribute('aria-pressed'), 'true');
      await shot('label-undone');
      assert.equal(server.json('stats').labels, 0, 'what was taken back does not count');
      await ann.answer('1');
      await ann.saved();
      assert.equal(labelsOf(server, 'mood').find((line) => line.item === first).labels[0].label, 'good');
      // Undone, and the page loaded anew: it is still in hand.
      await ann.press('u');
      await page.getByText('Your answer was: good').waitFor();
      await page.reload();
      await ann.item();
      assert.equal(await ann.item(), first);
    },
  },
  {
    name: 'labels: several labels, ratings, pairs and texts by the keyboard alone',
    projects: [
      { name: 'a topics', type: 'multi_choice', labels: ['food', 'service', 'price'], items: reviews(2) },
      { name: 'b stars', type: 'rating', items: reviews(2) },
      {
        name: 'c pairs',
        type: 'pairwise',
        items: [1, 2].map((i) => ({
          item: `p${i}`,
          data: {
            prompt: 'Where should I eat?',
            left: 'At the harbour: the bread is fresh.',
            right: 'Anywhere. <b>Food is food.</b>',
          },
        })),
      },
      { name: 'd words', type: 'text', items: reviews(2) },
    ],
    async run({ page, server, shot, axe }) {
      const ann = await new Person(page).name('ann');
      const open = async (name) => {
        await page.getByLabel('Project').selectOption(name);
        await page.waitForFunction((n) => document.getElementById('project').value === n, name);
        await ann.item();
        await page.locator('#dock .answers, #dock textarea').first().waitFor();
      };
      const several = await ann.item();
      await ann.press('1', '3', '2', '2');
      await shot('label-multi');
      assert.deepEqual(await axe(), [], 'multi');
      await ann.answer('Enter');
      await ann.saved();
      assert.deepEqual(labelsOf(server, 'a topics').find((l) => l.item === several).labels[0].label, ['food', 'price']);
      await open('b stars');
      await shot('label-rating');
      assert.deepEqual(await axe(), [], 'rating');
      const rated = await ann.answer('4');
      await open('c pairs');
      await shot('label-pairs');
      assert.deepEqual(await axe(), [], 'pairs');
      const paired = await ann.answer('ArrowLeft');
      await open('d words');
      const written = await ann.item();
      await page.keyboard.type('Colder than it should be.');
      await shot('label-text');
      assert.deepEqual(await axe(), [], 'text');
      await ann.answer('Enter');
      await ann.saved();
      const value = (project, item) => labelsOf(server, project).find((l) => l.item === item).labels[0].label;
      assert.equal(String(value('b stars', rated)), '4');
      assert.equal(value('c pairs', paired), 'left');
      assert.equal(value('d words', written), 'Colder than it should be.');
    },
  },
  {
    name: 'labels: spans by keys and by the mouse, with offsets of the text',
    projects: [
      {
        name: 'names',
        type: 'spans',
        labels: ['person', 'place', 'dish'],
        items: [
          { item: 's0', data: { text: 'Ana María ate 🥟 dumplings in Cusco with Ben.' } },
          { item: 's1', data: { text: 'Ana María ate 🥟 dumplings in Cusco with Ben.' } },
        ],
      },
    ],
    async run({ page, server, shot, axe }) {
      const ann = await new Person(page).name('ann');
      const first = await ann.item();
      await ann.press('Shift+ArrowRight', '1'); // Ana María
      for (let i = 0; i < 3; i += 1) await ann.press('ArrowRight');
      await page.getByText('Select words, then').waitFor();
      const text = page.locator('.spans');
      await text.getByText('Cusco').first().waitFor();
      // By the mouse: twice on a word selects it.
      await page.evaluate(() => {
        const node = [...document.querySelectorAll('.spans [data-start]')].find((e) => e.textContent.includes('Cusco'));
        const range = document.createRange();
        const at = node.textContent.indexOf('Cusco');
        range.setStart(node.firstChild, at);
        range.setEnd(node.firstChild, at + 6);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        document.querySelector('.spans').dispatchEvent(new PointerEvent('pointerup', { bubbles: true }));
      });
      await ann.press('2');
      await shot('label-spans');
      assert.deepEqual(await axe(), [], 'spans');
      await ann.answer('Enter');
      await ann.saved();
      const line = labelsOf(server, 'names').find((l) => l.item === first);
      const spans = typeof line.labels[0].label === 'string' ? JSON.parse(line.labels[0].label) : line.labels[0].label;
      const source = line.data.text;
      assert.deepEqual(
        spans.map((s) => [source.slice(s.start, s.end), s.label]),
        [
          ['Ana María', 'person'],
          ['Cusco', 'place'],
        ],
      );
    },
  },
  {
    name: 'labels: what people disagree on is decided side by side',
    projects: [
      {
        ...MOOD,
        wanted: 3,
        items: reviews(6).map((item, i) => ({
          ...item,
          labels: ['ann', 'ben', 'cyd'].map((annotator, w) => ({
            annotator,
            label: i === 3 && w === 1 ? 'bad' : i === 3 && w === 2 ? 'mixed' : 'good',
          })),
        })),
      },
    ],
    async run({ page, server, shot, axe }) {
      await page.getByLabel('Name', { exact: true }).fill('chief');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Nothing is left for you' }).waitFor();
      await page.keyboard.press('d');
      await page.locator('.opinion').first().waitFor();
      await eventually(() => page.locator('.people li').count(), 'the people');
      await shot('label-decide');
      assert.deepEqual(await axe(), [], 'decide');
      assert.equal((await page.locator('#task h1').textContent()).trim(), 'Item r3', 'the least certain first');
      assert.equal(await page.locator('.opinion').count(), 3);
      await page.keyboard.press('2');
      await page.waitForFunction(() => document.querySelector('#task h1')?.textContent !== 'Item r3');
      assert.equal(server.json('stats').gold, 1);
      await page.keyboard.press('u');
      await page.getByText('Decided: bad').waitFor();
    },
  },
  {
    name: 'labels: answers are kept while the server is away',
    projects: [MOOD],
    expected: [/Failed to load resource/],
    async run({ page, context, server }) {
      const ann = await new Person(page).name('ann');
      await eventually(async () => (await page.locator('#hand').textContent()) === '', 'quiet');
      await context.setOffline(true);
      const first = await ann.answer('1');
      await page.getByText('No connection. What you answer is kept').waitFor();
      await ann.answer('2');
      assert.equal(server.json('stats').labels, 0);
      await context.setOffline(false);
      await eventually(() => server.json('stats').labels === 2, 'both are sent', 9000);
      assert.equal(labelsOf(server, 'mood').find((l) => l.item === first).labels[0].label, 'good');
      await page.waitForFunction(() => document.getElementById('status').textContent === '');
    },
  },
  {
    name: 'labels: a token says who labels',
    projects: [MOOD],
    serve: ['--tokens', { name: 'tokens', text: 'ann ann-token-0123456789\nchief chief-token-0123456 decides\n' }],
    expected: [/status of 401/],
    async run({ page, server, shot, axe }) {
      const box = page.getByLabel('Token', { exact: true });
      await box.fill('wrong-token-0123456789');
      await page.keyboard.press('Enter');
      await page.getByText('The server refused this token.').waitFor();
      await shot('label-token');
      assert.deepEqual(await axe(), [], 'token');
      await box.fill('ann-token-0123456789');
      await page.keyboard.press('Enter');
      const ann = new Person(page);
      await ann.answer('1');
      await ann.saved();
      assert.equal(await page.locator('#modes').isVisible(), false, 'ann may not decide');
      assert.equal(server.json('stats').annotators[0].name, 'ann');
    },
  },
  {
    name: 'labels: texts of items are never markup',
    projects: [
      {
        name: '<i>bad</i>',
        labels: ['<b>x</b>', '"><img src=x onerror=alert(1)>'],
        items: [
          {
            item: '<script>alert(1)</script>',
            data: { text: '<img src=x onerror=alert(1)><script>alert(2)</script>', '<u>k</u>': ['<b>'] },
          },
        ],
      },
    ],
    async run({ page }) {
      page.on('dialog', () => assert.fail('a script of an item ran'));
      await new Person(page).name('<b>ann</b>');
      assert.equal(await page.locator('#task img, #task b, #task script, #dock img, #dock b').count(), 0);
      await page.getByText('<img src=x onerror=alert(1)><script>', { exact: false }).first().waitFor();
    },
  },
  {
    name: 'labels: everything fits a phone, in light and dark',
    options: PHONE,
    projects: [
      MOOD,
      {
        name: 'pairs',
        type: 'pairwise',
        items: [{ item: 'p1', data: { prompt: 'Where should I eat?', left: REVIEWS[1], right: REVIEWS[7] } }],
      },
    ],
    async run({ page, shot, axe }) {
      await page.getByLabel('Name', { exact: true }).fill('ann');
      await page.getByRole('button', { name: 'Begin' }).tap();
      const ann = new Person(page);
      await ann.item();
      const fits = async (what) => {
        const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.ok(wide <= inner, `${what}: ${wide} pixels wide on a screen of ${inner}`);
        const over = await page.evaluate(() =>
          [...document.querySelectorAll('button, input, select, .reading, .opinion')]
            .filter(
              (e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('[inert]'),
            )
            .map((e) => e.outerHTML.slice(0, 120)),
        );
        assert.deepEqual(over, [], what);
      };
      await fits('choice');
      await shot('label-phone');
      await page.getByRole('button', { name: 'good' }).tap();
      await page.getByRole('button', { name: 'Progress and agreement' }).tap();
      await page.locator('#progress .figures').waitFor();
      await fits('progress');
      await shot('label-phone-progress');
      assert.deepEqual(await axe(), [], 'progress');
      await page.locator('#scrim').tap({ position: { x: 10, y: 400 } });
      await page.getByLabel('Project').selectOption('pairs');
      await page.locator('.side').first().waitFor();
      await fits('pairs');
      await shot('label-phone-pairs');
      await page.emulateMedia({ colorScheme: 'dark' });
      await shot('label-phone-dark');
      assert.deepEqual(await axe(), [], 'dark');
    },
  },
  {
    name: 'labels: dark, and the list of keys',
    projects: [
      { ...MOOD, wanted: 2, items: reviews(8).map((r) => ({ ...r, labels: [{ annotator: 'ben', label: 'good' }] })) },
    ],
    options: { colorScheme: 'dark' },
    async run({ page, shot, axe }) {
      const ann = await new Person(page).name('ann');
      for (const key of ['1', '1', '1', '2']) await ann.answer(key);
      await page.locator('.alpha').waitFor({ timeout: 9000 });
      await shot('label-dark');
      assert.deepEqual(await axe(), [], 'dark');
      await ann.press('?');
      await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
      await shot('label-keys');
      assert.deepEqual(await axe(), [], 'keys');
    },
  },
];
