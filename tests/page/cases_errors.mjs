// Errors of the server and of the network, in words, where they belong.

import assert from 'node:assert/strict';

const REFUSED = [/Failed to load resource/, /net::ERR/];

export default [
  {
    name: 'a prompt that is too long says so, with the counts',
    needsMock: true,
    expected: REFUSED,
    async run({ act, page, shot }) {
      await act.ask('Something that is too long');
      const error = act.lastAnswer.getByRole('group', { name: 'Error' });
      await act.shows(error, "The prompt has 9,310 tokens and the model's context is 8192");
      await act.shows(error, 'edit an earlier message');
      await shot('error');
      // The failed attempt is replaced, not kept as a branch, and is no part of the next request.
      await error.getByRole('button', { name: 'Try again' }).click();
      await act.ended();
      assert.equal(await page.locator('.which').count(), 0);
      await act.ask('Hello');
      await act.shows(act.lastAnswer, 'You said: Hello');
    },
  },
  {
    name: 'a busy server says when to come back',
    needsMock: true,
    expected: REFUSED,
    async run({ act }) {
      await act.ask('Please be busy');
      await act.shows(act.lastAnswer.locator('.error'), '32 requests wait already');
      await act.shows(act.lastAnswer.locator('.error'), 'The server asks to wait 7 seconds.');
    },
  },
  {
    name: 'an error about a setting is shown at the setting',
    needsMock: true,
    expected: REFUSED,
    async run({ act, page }) {
      await act.ask('A bad temperature');
      await act.lastAnswer.getByRole('button', { name: 'Show the setting' }).click();
      await act.shows(page.locator('#temperature-said'), 'Temperature 1.9 is outside what this model allows');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'temperature');
    },
  },
  {
    name: 'an error in the middle keeps the beginning of the answer',
    needsMock: true,
    expected: REFUSED,
    async run({ act }) {
      await act.ask('Fail midway through this answer');
      await act.shows(act.lastAnswer.locator('.content'), 'You said');
      await act.shows(act.lastAnswer.locator('.error'), 'The engine ran out of memory');
      await act.ask('Then drop the line in this answer');
      await act.shows(act.lastAnswer.locator('.error'), /connection .* (lost|ended)/);
    },
  },
  {
    name: 'a failure of the server is shown, and the next message works',
    needsMock: true,
    expected: REFUSED,
    async run({ act }) {
      await act.ask('Now break down');
      await act.shows(act.lastAnswer.locator('.error'), 'The engine stopped: not enough memory for 4,096 keys');
      await act.ask('Hello');
      await act.shows(act.lastAnswer, 'You said: Hello');
    },
  },
  {
    name: 'a server that wants a key is given one, after a wrong one too',
    needsMock: true,
    server: 'keyed',
    expected: REFUSED,
    async run({ act, page, shot }) {
      await page.getByText('This server asks for an API key.').waitFor();
      await shot('key');
      await act.enterKey('wrong');
      await page.getByText('The server refused this key.').waitFor();
      await act.enterKey('sesame');
      await act.ask('Hello');
      await act.shows(act.lastAnswer, 'You said: Hello');
      await page.reload();
      await act.ask('Still known');
      await act.shows(act.lastAnswer, 'You said: Still known');
      assert.equal(await page.evaluate(() => localStorage.getItem('puna.key')), null, 'kept for this tab only');
    },
  },
  {
    name: 'without a connection the page says so and comes back by itself',
    needsMock: true,
    expected: REFUSED,
    async run({ act, page, context, shot }) {
      await act.ready();
      await context.setOffline(true);
      await act.ask('Is anybody there?');
      await act.shows(act.lastAnswer.locator('.error'), /No connection to 127\.0\.0\.1:\d+\. Is the server running\?/);
      await act.shows(page.locator('#notice'), 'The page tries again by itself.');
      await act.shows(page.locator('#status'), 'No connection');
      await shot('offline');
      await context.setOffline(false);
      await page.locator('#notice').waitFor({ state: 'hidden' });
      await act.lastAnswer.locator('.error').getByRole('button', { name: 'Try again' }).click();
      await act.ended();
      await act.shows(act.lastAnswer, 'You said: Is anybody there?');
    },
  },
];
