// The page of advertisements: previews that cut as their placement does, lint under the words it concerns while one
// types, approval that is kept, a week, by the keyboard, on a phone, without a plan, with hostile texts.

import assert from 'node:assert/strict';
import { BRIEF, planOf } from './ads_server.mjs';

const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
const PLAN = planOf({
  'google.search': [
    [
      ['headline', 'We bake sourdough bread'],
      ['headline', 'In Ghent, near the market'],
      ['headline', 'A family bakery since 1987'],
      ['description', 'We bake sourdough bread in our own oven.'],
      ['description', 'Our dough rests for 24 hours.'],
    ],
  ],
  'meta.feed': [
    [
      ['primary_text', 'We bake sourdough bread in our own oven.'],
      ['headline', 'A family bakery since 1987'],
      ['description', 'In Ghent'],
    ],
  ],
});

const card = (page, id) => page.locator('article', { has: page.getByRole('heading', { name: id }) });
const box = (page, id, field) => card(page, id).getByLabel(field, { exact: true });
const linted = (page) =>
  page.waitForFunction(() => {
    const lengths = [...document.querySelectorAll('.length')];
    return lengths.length && lengths.every((x) => x.textContent);
  });

// What holds before long.
async function until(holds, ms = 5000) {
  const end = Date.now() + ms;
  for (;;) {
    try {
      return await holds();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

export default [
  {
    name: 'ads: a plan is shown as its placements would, and nothing of it is amiss',
    ads: { plan: PLAN },
    async run({ page, shot, axe }) {
      await linted(page);
      const feed = card(page, 'meta.feed/1').locator('.preview');
      assert.match(await feed.innerText(), /Bakery Vermeulen\s+We bake sourdough bread in our own oven/);
      assert.match(await card(page, 'google.search/1').locator('.preview').innerText(), /bakery-vermeulen\.example/);
      assert.match(await page.locator('#counts').innerText(), /8 texts: 0 with errors, 0 approved, 0 rejected/);
      assert.deepEqual(await axe(), []);
      await shot('ads-texts');
    },
  },
  {
    name: 'ads: what does not fit is cut in the preview, by graphemes, and counted',
    ads: { plan: PLAN },
    async run({ page }) {
      await linted(page);
      const family = '👨‍👩‍👧‍👦';
      await box(page, 'meta.feed/1', 'Headline').fill(`Bread ${family.repeat(30)}`);
      await until(async () => {
        const text = await card(page, 'meta.feed/1').locator('.preview .headline').innerText();
        assert.equal(text, `Bread ${family.repeat(21)}…`);
      });
      assert.match(await card(page, 'meta.feed/1').innerText(), /36 of 27, cut there/);
      const headline = box(page, 'google.search/1', 'Headline 1');
      await headline.fill('A headline that is longer than thirty');
      await until(async () => assert.equal(await headline.getAttribute('aria-invalid'), 'true'));
      assert.match(await card(page, 'google.search/1').innerText(), /37 of 30, too long/);
    },
  },
  {
    name: 'ads: lint follows every key within a tenth of a second, under the words it concerns',
    ads: { plan: PLAN },
    async run({ page, shot, axe }) {
      await linted(page);
      const headline = box(page, 'google.search/1', 'Headline 2');
      await headline.fill('Bread for 3 euros');
      const field = card(page, 'google.search/1').locator('.field').nth(1);
      await until(async () => assert.match(await field.locator('.findings').innerText(), /Not allowed/));
      const marked = await field.locator('.under mark.error').allInnerTexts();
      assert.ok(marked.join(' ').includes('3'), marked.join('|'));
      assert.ok(await field.getByRole('button', { name: /^Approve/ }).isDisabled());
      await shot('ads-lint');
      assert.deepEqual(await axe(), []);
      const times = [];
      for (const key of ' now!!') {
        const before = await page.evaluate(() => performance.now());
        const answered = page.waitForResponse((r) => r.url().endsWith('/v1/lint'));
        await headline.press(key === ' ' ? 'Space' : key);
        await answered;
        times.push((await page.evaluate(() => performance.now())) - before);
      }
      times.sort((a, b) => a - b);
      assert.ok(times[Math.floor(times.length / 2)] < 100, `median of ${times.map(Math.round)} ms`);
      await headline.fill('We bake bread in our own oven');
      await until(async () => assert.equal(await headline.getAttribute('aria-invalid'), 'false'));
    },
  },
  {
    name: 'ads: what is approved and rejected is on the disk, and an edit takes it back',
    ads: { plan: PLAN },
    async run({ page, server }) {
      await linted(page);
      const of = (verb, field) => page.getByRole('button', { name: `${verb}: ${field} of google.search/1` });
      await of('Approve', 'headline 1').click();
      await of('Reject', 'headline 2').click();
      await until(async () => assert.match(await page.locator('#counts').innerText(), /1 approved, 1 rejected/));
      await until(async () => {
        const values = server.labels().map((l) => JSON.stringify(l));
        assert.equal(values.filter((v) => v.includes('"approved"')).length, 1, values.join('\n'));
        assert.equal(values.filter((v) => v.includes('"rejected"')).length, 1, values.join('\n'));
      });
      await page.reload();
      await linted(page);
      assert.equal(await of('Approve', 'headline 1').getAttribute('aria-pressed'), 'true');
      await box(page, 'google.search/1', 'Headline 1').fill('We bake bread');
      assert.equal(await of('Approve', 'headline 1').getAttribute('aria-pressed'), 'false');
    },
  },
  {
    name: 'ads: a week is simulated, no day above its budget',
    ads: { plan: PLAN },
    async run({ page, shot, axe }) {
      await linted(page);
      await page.keyboard.press('3');
      await page.getByRole('heading', { name: 'A simulated week' }).waitFor();
      const rows = await page.locator('.week tbody').first().locator('tr').allInnerTexts();
      assert.equal(rows.length, 7);
      for (const row of rows) {
        const [budget, spent] = [...row.matchAll(/([\d.]+) EUR/g)].map((m) => Number(m[1]));
        assert.equal(budget, 25);
        assert.ok(spent > 23 && spent <= budget, row);
      }
      assert.deepEqual(await axe(), []);
      await shot('ads-week');
      const before = rows.join('\n');
      await page.getByRole('button', { name: 'Another week' }).click();
      await until(async () =>
        assert.notEqual((await page.locator('.week tbody').first().locator('tr').allInnerTexts()).join('\n'), before),
      );
    },
  },
  {
    name: 'ads: a brief is checked by its fields, then texts are written by hand',
    ads: {},
    expected: [/status of 400/],
    async run({ page, shot, axe }) {
      const brief = page.getByLabel('Brief, as JSON');
      await brief.waitFor();
      await brief.fill('{');
      await page.getByRole('button', { name: 'Write by hand' }).click();
      assert.match(await page.locator('#brief-wrong').innerText(), /This is no JSON/);
      await brief.fill(JSON.stringify({ ...BRIEF, fcats: [] }));
      await page.getByRole('button', { name: 'Write by hand' }).click();
      await until(async () => assert.match(await page.locator('#brief-wrong').innerText(), /fcats.*facts/));
      await shot('ads-brief');
      assert.deepEqual(await axe(), []);
      await brief.fill(JSON.stringify(BRIEF));
      await page.getByRole('button', { name: 'Write by hand' }).click();
      await box(page, 'google.search/1', 'Headline 1').fill('We bake bread');
      await until(async () =>
        assert.match(await card(page, 'google.search/1').locator('.preview').innerText(), /We bake bread/),
      );
    },
  },
  {
    name: 'ads: by the keyboard alone, on a phone, and in the dark',
    ads: { plan: PLAN },
    options: { ...PHONE, colorScheme: 'dark' },
    async run({ page, shot, axe }) {
      await linted(page);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 360, `${width} wide`);
      await box(page, 'google.search/1', 'Headline 1').focus();
      await page.keyboard.press('Shift+Tab');
      await page.keyboard.press('Shift+Tab');
      const name = await page.evaluate(() => document.activeElement.getAttribute('aria-label'));
      assert.match(name, /^Approve: headline 1/);
      await page.keyboard.press('Enter');
      await until(async () => assert.match(await page.locator('#counts').innerText(), /1 approved/));
      assert.deepEqual(await axe(), []);
      await shot('ads-phone');
    },
  },
  {
    name: 'ads: hostile texts are texts, and without --db nothing claims to be kept',
    ads: {
      keeps: false,
      plan: planOf({
        'meta.feed': [
          [
            ['primary_text', '<img src=x onerror=alert(1)><script>alert(2)</script>'],
            ['headline', '\u202eright to left שלום عربى'],
            ['description', 'e\u0301'.repeat(400)],
          ],
        ],
      }),
    },
    async run({ page }) {
      await linted(page);
      assert.match(await card(page, 'meta.feed/1').locator('.preview .body').innerText(), /^<img src=x/);
      assert.equal(await page.locator('img[src="x"]').count(), 0);
      assert.match(await page.locator('#work').innerText(), /not kept/);
      assert.ok(await page.getByRole('button', { name: /^Approve: headline/ }).isDisabled());
    },
  },
];
