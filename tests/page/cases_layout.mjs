// Narrow screens, dark colours, keyboard, screen reader.

import assert from 'node:assert/strict';

const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

async function fitsAcross(page) {
  const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= inner, `the page is ${wide} pixels wide on a screen of ${inner}`);
  const over = await page.evaluate(() =>
    [...document.querySelectorAll('button, input, select, textarea, .bubble, .content > *, .composer')]
      .filter(
        (e) =>
          e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.table, pre, [inert]'),
      )
      .map((e) => e.outerHTML.slice(0, 120)),
  );
  assert.deepEqual(over, [], 'nothing reaches over the right edge');
}

export default [
  {
    name: 'everything fits a phone of 360 pixels',
    options: PHONE,
    async run({ act, page, shot, axe, isReal }) {
      await act.ready();
      await fitsAcross(page);
      await shot('phone-empty');
      await act.input.fill(isReal ? 'What is a puna?' : 'Explain the puna in markdown.');
      await page.getByRole('button', { name: 'Send', exact: true }).tap();
      await act.ended();
      await fitsAcross(page);
      await shot('phone-answer');
      await page.getByRole('button', { name: 'Settings', exact: true }).tap();
      await fitsAcross(page);
      await shot('phone-settings');
      assert.equal(await page.locator('#main').evaluate((main) => main.inert), true);
      assert.deepEqual(await axe(), []);
      await page.getByRole('button', { name: 'Close the settings' }).tap();
      await page.getByRole('button', { name: 'Conversations', exact: true }).tap();
      await fitsAcross(page);
      await shot('phone-list');
      await page.getByRole('button', { name: 'New conversation' }).tap();
      await page.locator('.starter').first().waitFor();
      assert.equal(await page.locator('#sidebar').isVisible(), false, 'the list closes by itself');
    },
  },
  {
    name: 'dark by the system and by the switch',
    async run({ act, page, shot, axe, isReal }) {
      await act.ask(isReal ? 'What is a puna?' : 'Explain the puna in markdown.');
      const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await ground();
      await page.emulateMedia({ colorScheme: 'dark' });
      const dark = await ground();
      assert.notEqual(dark, light);
      assert.deepEqual(await axe(), [], 'dark by the system');
      await shot('dark');
      await page.getByRole('button', { name: 'Colours: as the system' }).click();
      assert.equal(await ground(), light);
      await page.emulateMedia({ colorScheme: 'light' });
      await page.getByRole('button', { name: 'Colours: light' }).click();
      assert.equal(await ground(), dark);
      await act.openSection('schema');
      await act.openSection('tools');
      await shot('dark-settings');
      assert.deepEqual(await axe(), [], 'dark by the switch');
      await page.reload();
      assert.equal(await ground(), dark, 'kept');
    },
  },
  {
    name: 'axe finds nothing serious in any state',
    needsMock: true,
    expected: [/Failed to load resource/],
    async run({ act, page, axe }) {
      await act.ready();
      assert.deepEqual(await axe(), [], 'empty');
      await page.locator('.starter', { hasText: 'Use a tool' }).click();
      await page.getByRole('button', { name: 'Send', exact: true }).click();
      await act.ended();
      assert.deepEqual(await axe(), [], 'a call and its form');
      await page.locator('.result').fill('9');
      await page.keyboard.press('Enter');
      await act.ended();
      await act.type('Say something very slowly');
      await act.writing();
      assert.deepEqual(await axe(), [], 'streaming');
      await act.stop();
      await act.ended();
      await act.ask('Explain the puna in markdown, and think');
      await act.press(act.lastAnswer, 'Tokens and probabilities');
      assert.deepEqual(await axe(), [], 'tokens');
      await act.ask('Now break down');
      assert.deepEqual(await axe(), [], 'error');
      await act.press(page.locator('article.user').last(), 'Edit');
      assert.deepEqual(await axe(), [], 'edit');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
      assert.deepEqual(await axe(), [], 'shortcuts');
    },
  },
  {
    name: 'the live region says the answer once, not its tokens',
    async run({ act, page, isReal }) {
      await act.ready();
      await page.evaluate(() => {
        globalThis.said = [];
        const region = document.getElementById('announcer');
        new MutationObserver(() => globalThis.said.push(region.textContent)).observe(region, {
          childList: true,
          characterData: true,
          subtree: true,
        });
      });
      await act.ask('Say hello to the screen reader');
      const said = await page.evaluate(() => globalThis.said);
      assert.equal(said.length, 2, said.join(' | '));
      assert.equal(said[0], 'The model is answering.');
      assert.match(said[1], isReal ? /^Answer: / : /^Answer: You said: Say hello/);
      // No other live region is around the messages.
      assert.equal(
        await page
          .locator('#thread')
          .evaluate((e) => Boolean(e.closest('[aria-live]:not([aria-live=off]), [role=log], [role=status]'))),
        false,
      );
    },
  },
  {
    name: 'the keyboard reaches everything',
    async run({ act, page, shot }) {
      await act.ready();
      await page.locator('#scroller').focus();
      await page.keyboard.press('?');
      await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
      await shot('shortcuts');
      await page.keyboard.press('Escape');
      await page.keyboard.press('/');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'input');
      await page.keyboard.type('line one');
      await page.keyboard.press('Shift+Enter');
      await page.keyboard.type('line two');
      assert.equal(await act.input.inputValue(), 'line one\nline two');
      await page.keyboard.press('Control+.');
      await page.locator('#settings').waitFor();
      await page.keyboard.press('Control+.');
      await page.locator('#settings').waitFor({ state: 'hidden' });
      await page.keyboard.press('Control+b');
      await page.locator('#sidebar').waitFor({ state: 'hidden' });
      // Tab from the top visits each control once and shows where it is.
      await page.evaluate(() => document.activeElement.blur());
      const visited = [];
      for (let i = 0; i < 24; i += 1) {
        await page.keyboard.press('Tab');
        visited.push(
          await page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.id),
        );
      }
      for (const wanted of ['Conversations', 'model', 'Settings', 'Messages', 'input', 'Send'])
        assert.ok(visited.includes(wanted), `${wanted} in ${visited}`);
    },
  },
  {
    name: 'reading back is not disturbed by a growing answer',
    needsMock: true,
    options: { viewport: { width: 1280, height: 400 } },
    async run({ act, page }) {
      await act.type('Say a lot slowly.');
      await page.waitForFunction(() => document.getElementById('scroller').scrollTop > 150);
      await page.locator('#scroller').hover();
      await page.mouse.wheel(0, -2000);
      await page.locator('#to-end').waitFor();
      const at = await page.locator('#scroller').evaluate((e) => e.scrollTop);
      await page.waitForTimeout(300);
      assert.equal(await page.locator('#scroller').evaluate((e) => e.scrollTop), at);
      await page.locator('#to-end').click();
      await act.ended();
      const left = await page.locator('#scroller').evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight);
      assert.ok(left < 3, `${left} pixels below`);
    },
  },
];
