// Answers, stopping, editing and branches, keeping, export and import.

import assert from 'node:assert/strict';
import { readFile, writeFile, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually } from './actions.mjs';

export default [
  {
    name: 'a question gets a streamed answer with its figures',
    async run({ act, page, shot, isReal }) {
      await act.ready();
      await shot('empty');
      await act.type(isReal ? 'What is a puna? Answer in two sentences.' : 'Say something slowly.');
      await act.writing();
      const early = await act.textOf(act.lastAnswer.locator('.content'));
      await shot('streaming');
      if (!isReal) await act.shows(act.lastAnswer.locator('.waiting'), /Writing · [\d.]+ tokens\/s/);
      await act.ended();
      const late = await act.textOf(act.lastAnswer.locator('.content'));
      assert.ok(late.length > early.length, 'the answer grew');
      await act.shows(act.lastAnswer.locator('.figures'), /\d+ tokens · [\d.]+ tokens\/s · first after [\d.]+ s/);
      await act.shows(page.locator('#context'), /\d+( of [\d,]+)? tokens/);
      await act.shows(page.locator('#conversations .current'), isReal ? 'What is a puna?' : 'Say something slowly.');
    },
  },
  {
    name: 'the request is what the protocol wants',
    needsMock: true,
    async run({ act }) {
      await act.ask('Hello');
      assert.deepEqual(await act.lastRequest(), {
        model: 'SmolLM2-360M-Instruct',
        messages: [{ role: 'user', content: 'Hello' }],
        stream: true,
        stream_options: { include_usage: true },
        logprobs: true,
        top_logprobs: 5,
      });
      const { gone } = await act.mock();
      await act.ask('Again');
      assert.equal((await act.mock()).gone, gone, 'a whole answer is read to its end');
      const roles = (await act.lastRequest()).messages.map((message) => message.role);
      assert.deepEqual(roles, ['user', 'assistant', 'user']);
    },
  },
  {
    name: 'markdown becomes elements, and nothing else does',
    needsMock: true,
    async run({ act, page, shot }) {
      await act.ask('Explain the puna in markdown.');
      const content = act.lastAnswer.locator('.content');
      for (const selector of [
        'h4',
        'strong',
        'em',
        'p > code',
        'table tbody tr:nth-child(2)',
        'ol > li > ul > li',
        'blockquote',
        'pre > code',
        'del',
      ]) {
        assert.ok(await content.locator(selector).count(), selector);
      }
      assert.equal(await content.locator('b, img, script').count(), 0, 'no markup of the answer');
      await act.shows(content, '<b>Not markup</b>');
      assert.deepEqual(await content.locator('a').evaluateAll((links) => links.map((a) => a.getAttribute('href'))), [
        'https://example.org/puna',
        'https://example.org/atlas_(book)',
        'https://example.org/track.png',
      ]);
      await content.getByRole('button', { name: 'Copy' }).click();
      assert.match(
        await page.evaluate(() => navigator.clipboard.readText()),
        /^def height\(metres: int\) -> str:\n {4}return/,
      );
      await shot('answer');
    },
  },
  {
    name: 'Stop in the middle keeps what there is, and the server notices',
    async run({ act, page, isReal }) {
      const gone = isReal ? 0 : (await act.mock()).gone;
      await act.type(isReal ? 'Count from 1 to 500 in words.' : 'Say a lot slowly.');
      await act.writing();
      await act.stop();
      await act.ended();
      await act.shows(act.lastAnswer, 'You stopped this answer.');
      assert.ok((await act.textOf(act.lastAnswer.locator('.content'))).length > 0);
      if (!isReal) await eventually(async () => (await act.mock()).gone > gone, 'the server sees the client leave');
      // Escape stops too, and the conversation goes on.
      await act.type(isReal ? 'Count from 1 to 500 in words once more.' : 'And more slowly.');
      await act.writing();
      await page.keyboard.press('Escape');
      await act.ended();
      assert.equal(await act.answers.count(), 2);
    },
  },
  {
    name: 'an edited message becomes a branch, and the arrows lead back',
    async run({ act, page, shot, isReal }) {
      await act.ask('First question');
      await act.ask('Second question');
      const before = await act.textOf(act.answers.first().locator('.content'));
      const first = page.locator('article.user').first();
      await act.press(first, 'Edit');
      await first.getByRole('textbox', { name: 'Your message' }).fill('Another question');
      await shot('edit');
      await page.keyboard.press('Enter');
      await act.ended();
      assert.equal(await page.locator('article').count(), 2, 'the branch is new from here on');
      await act.shows(first, '2 / 2');
      await act.shows(first, 'Another question');
      if (!isReal) await act.shows(act.lastAnswer, 'You said: Another question');
      await act.press(first, 'Previous version');
      await act.shows(page.locator('article.user').first(), 'First question');
      assert.equal(await page.locator('article').count(), 4, 'and the old one is whole');
      assert.equal(await act.textOf(act.answers.first().locator('.content')), before);
      await act.press(act.lastAnswer, 'Try again');
      await act.ended();
      await act.shows(act.lastAnswer, '2 / 2');
      assert.equal(await act.answers.count(), 2);
    },
  },
  {
    name: 'Escape cancels an edit, and Arrow up in an empty box begins one',
    async run({ act, page }) {
      await act.ask('Keep me');
      await act.input.focus();
      await page.keyboard.press('ArrowUp');
      const box = page.getByRole('textbox', { name: 'Your message' });
      await box.fill('Changed');
      await page.keyboard.press('Escape');
      await act.shows(page.locator('article.user'), 'Keep me');
      assert.equal(await page.locator('article').count(), 2);
    },
  },
  {
    name: 'an answer can be edited, which the next request shows',
    needsMock: true,
    async run({ act, page }) {
      await act.ask('Hello');
      await act.press(act.lastAnswer, 'Edit');
      await page.getByRole('textbox', { name: 'The answer' }).fill('Good day.');
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await act.shows(act.lastAnswer, 'edited by you');
      await act.ask('And now?');
      assert.equal((await act.lastRequest()).messages[1].content, 'Good day.');
    },
  },
  {
    name: 'a reload keeps the conversation and its settings',
    async run({ act, page }) {
      await act.ready();
      await act.openSettings();
      await page.getByLabel('System prompt', { exact: true }).fill('Answer briefly.');
      await act.ask('Remember this');
      const answer = await act.textOf(act.lastAnswer.locator('.content'));
      await page.reload();
      await act.ready();
      await act.shows(page.locator('article.user'), 'Remember this');
      assert.equal(await act.textOf(act.lastAnswer.locator('.content')), answer);
      await act.openSettings();
      assert.equal(await page.getByLabel('System prompt', { exact: true }).inputValue(), 'Answer briefly.');
    },
  },
  {
    name: 'a reload in the middle of an answer keeps its beginning',
    needsMock: true,
    async run({ act, page }) {
      await act.type('Say a lot slowly.');
      await act.writing();
      await page.waitForTimeout(1400);
      await page.reload();
      await act.shows(act.lastAnswer, 'Word 1 of a long answer.');
      await act.shows(act.lastAnswer, /The page was closed before|You stopped/);
    },
  },
  {
    name: 'conversations: new, switch, rename, delete and undo',
    async run({ act, page }) {
      await act.ask('About llamas');
      await page.keyboard.press('Control+Shift+O');
      await page.locator('.starter').first().waitFor();
      await act.ask('About condors');
      const list = page.locator('#conversations');
      assert.equal(await list.locator('li').count(), 2);
      await list.getByText('About llamas').click();
      await act.shows(page.locator('article.user'), 'About llamas');
      await list.locator('.current').hover();
      await list.getByRole('button', { name: 'Rename About llamas' }).click();
      await page.getByRole('textbox', { name: 'Title' }).fill('Camels of the Andes');
      await page.keyboard.press('Enter');
      await act.shows(list, 'Camels of the Andes');
      await list.locator('.current').hover();
      await list.getByRole('button', { name: 'Delete Camels of the Andes' }).click();
      await eventually(async () => (await list.locator('li').count()) === 1, 'one is gone');
      await page.getByRole('button', { name: 'Undo' }).click();
      await act.shows(page.locator('article.user'), 'About llamas');
      assert.equal(await list.locator('li').count(), 2);
    },
  },
  {
    name: 'an answer goes on while another conversation is open',
    needsMock: true,
    async run({ act, page }) {
      await act.type('Say a lot slowly.');
      await act.writing();
      await page.getByRole('button', { name: 'New conversation' }).click();
      await act.ask('Meanwhile');
      await act.shows(act.lastAnswer, 'You said: Meanwhile');
      await page.locator('#conversations').getByText('Say a lot slowly.').click();
      await act.ended();
      await act.shows(act.lastAnswer, 'Word 120 of a long answer.');
    },
  },
  {
    name: 'a second tab shows what the first one does',
    async run({ act, page, context }) {
      await act.ask('Seen in both');
      const other = await context.newPage();
      await other.goto(page.url());
      await other.locator('article.user', { hasText: 'Seen in both' }).waitFor();
      await act.ask('Said in the first');
      await other.locator('article.user', { hasText: 'Said in the first' }).waitFor();
      await page.getByRole('button', { name: 'New conversation' }).click();
      await act.ask('Another conversation');
      await other.locator('#conversations li', { hasText: 'Another conversation' }).waitFor();
    },
  },
  {
    name: 'an export can be imported elsewhere, whole',
    async run({ act, page }) {
      await act.ask('Keep this safe');
      await act.press(act.lastAnswer, 'Try again');
      await act.ended();
      const answer = await act.textOf(act.lastAnswer.locator('.content'));
      const [saved] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Export all' }).click(),
      ]);
      const folder = await mkdtemp(path.join(tmpdir(), 'puna-page-'));
      const file = path.join(folder, 'export.json');
      await saved.saveAs(file);
      await page.getByRole('button', { name: 'Delete Keep this safe' }).click();
      await page.locator('.starter').first().waitFor();
      await page.locator('#import-file').setInputFiles(file);
      await act.shows(page.locator('.toast'), 'Imported 1 conversation.');
      assert.equal(await act.textOf(act.lastAnswer.locator('.content')), answer);
      await act.shows(act.lastAnswer, '2 / 2');

      // A file that is something else is refused with a reason, and one with a loop in its tree too.
      const bad = JSON.parse(await readFile(file, 'utf8'));
      const { nodes } = bad.conversations[0];
      Object.values(nodes)
        .find((node) => node.role === 'user')
        .children.push('root');
      for (const [text, reason] of [
        ['[1]', 'not one of its exports'],
        ['{', 'not JSON'],
        [JSON.stringify(bad), 'in the tree twice'],
      ]) {
        await writeFile(file, text);
        await page.locator('#import-file').setInputFiles(file);
        await act.shows(page.locator('.toast'), reason);
      }
      assert.equal(await page.locator('#conversations li').count(), 1);
    },
  },
];
