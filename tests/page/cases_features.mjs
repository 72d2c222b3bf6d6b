// System prompt and sampling, schemas, tools, images, probabilities, models and adapters.

import assert from 'node:assert/strict';

// A red square of 32 x 32 pixels.
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAKElEQVR4nO3NMQEAAAjDMMC/52ECvlRA00nqs3m9AwAAAAAAAAAAgMMWCYEBP5eXkc0AAAAASUVORK5CYII=',
  'base64',
);

export default [
  {
    name: 'system prompt and sampling go with the request; what is out of range does not',
    needsMock: true,
    async run({ act, page, shot }) {
      await act.ready();
      await act.openSettings();
      await page.getByLabel('System prompt', { exact: true }).fill('Be brief.');
      for (const [label, value] of [['Temperature', '0.5'], ['Top p', '0.9'], ['Min p', '0.05'], ['Max tokens', '3'], ['Seed', '42']]) {
        await page.getByLabel(label, { exact: true }).fill(value);
      }
      await act.ask('one two three four five');
      const request = await act.lastRequest();
      assert.deepEqual(request.messages[0], { role: 'system', content: 'Be brief.' });
      assert.deepEqual(
        [request.temperature, request.top_p, request.min_p, request.max_completion_tokens, request.seed],
        [0.5, 0.9, 0.05, 3, 42],
      );
      await act.shows(act.lastAnswer, 'it reached its largest number of tokens');
      await shot('settings');
      const asked = (await act.mock()).requests.length;
      await page.getByLabel('Temperature', { exact: true }).fill('3');
      await act.shows(page.locator('#settings'), 'Temperature is at most 2.');
      await act.type('not to be sent');
      await act.shows(page.locator('.toast'), 'Not sent: Temperature is at most 2.');
      assert.equal((await act.mock()).requests.length, asked);
      assert.equal(await act.input.inputValue(), 'not to be sent', 'the text is kept');
    },
  },
  {
    name: 'a schema is checked while it is typed',
    async run({ act, page, shot }) {
      await act.ready();
      await act.openSection('schema');
      const box = page.getByRole('textbox', { name: 'JSON schema' });
      await box.fill('{"type": "object",\n "properties": }');
      await act.shows(page.locator('#settings'), 'Not JSON: line 2, column 16: "}" where a value is expected.');
      await box.fill('{"type": "objekt"}');
      await act.shows(page.locator('#settings'), '"type" must be one of object, array');
      await shot('schema-problem');
      await box.fill('{"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}');
      await act.shows(page.locator('#settings'), 'At /properties/a: "#/$defs/b" leads nowhere in this schema.');
      await box.fill('{"type": "object"}');
      await act.shows(page.locator('#settings'), 'A valid schema.');
      assert.equal(await box.getAttribute('aria-invalid'), null);
    },
  },
  {
    name: 'an answer by a schema is checked against it',
    async run({ act, page, shot, isReal }) {
      await page.locator('.starter', { hasText: 'Get JSON' }).click();
      await page.locator('.chip', { hasText: 'JSON schema' }).waitFor();
      await act.input.focus();
      await page.keyboard.press('Enter');
      await act.ended();
      await act.shows(act.lastAnswer.locator('.verdict'), 'Matches the schema');
      const answer = JSON.parse(await act.textOf(act.lastAnswer.locator('.content pre')));
      assert.deepEqual(Object.keys(answer), ['city', 'country', 'population']);
      await shot('schema');
      if (isReal) return;
      const { response_format: format } = await act.lastRequest();
      assert.equal(format.type, 'json_schema');
      assert.equal(format.json_schema.strict, true);
      assert.deepEqual(format.json_schema.schema.required, ['city', 'country', 'population']);
      await act.ask('Please break the schema.');
      await act.shows(act.lastAnswer.locator('.verdict'), 'population is string, expected integer.');
      await shot('schema-broken');
    },
  },
  {
    name: 'a call of a tool is shown, its results go back, and the answer comes',
    needsMock: true,
    async run({ act, page, shot }) {
      await act.ready();
      await page.locator('.starter', { hasText: 'Use a tool' }).click();
      await act.input.fill('What is the weather in both cities?');
      await act.input.press('Enter');
      await act.ended();
      assert.equal(await act.lastAnswer.locator('.call').count(), 2);
      await act.shows(act.lastAnswer.locator('.call').first(), /"city": "La Paz"/);
      const form = page.getByRole('form', { name: 'Results of the calls' });
      await act.type('before the results');
      await act.shows(page.locator('.toast'), 'waits for the results');
      await act.input.fill('');
      await form.getByRole('textbox').nth(0).fill('{"celsius": 9}');
      await shot('tools');
      await page.keyboard.press('Enter');
      await form.getByRole('textbox').nth(1).fill('14 degrees');
      await page.keyboard.press('Enter');
      await act.ended();
      await act.shows(act.lastAnswer, 'The functions say: {"celsius": 9}; 14 degrees.');
      const { messages, tools, tool_choice: choice } = await act.lastRequest();
      assert.deepEqual(messages.map((m) => m.role), ['user', 'assistant', 'tool', 'tool']);
      assert.deepEqual(messages[1].tool_calls.map((call) => [call.id, call.type, call.function.name]), [
        ['call_0', 'function', 'get_weather'], ['call_1', 'function', 'get_weather'],
      ]);
      assert.deepEqual(messages.slice(2).map((m) => m.tool_call_id), ['call_0', 'call_1']);
      assert.equal(tools[0].type, 'function');
      assert.equal(choice, 'auto');
      await shot('tools-answered');

      // The results can be edited, which is a branch as well.
      const results = page.locator('article.tool');
      await act.press(results, 'Edit');
      await results.getByRole('textbox', { name: 'Result 1' }).fill('snow');
      await results.getByRole('button', { name: 'Send' }).click();
      await act.ended();
      await act.shows(act.lastAnswer, 'The functions say: snow; 14 degrees.');
      await act.shows(page.locator('article.tool'), '2 / 2');
    },
  },
  {
    name: 'tools are checked while they are typed, and one can be named',
    needsMock: true,
    async run({ act, page }) {
      await act.ready();
      await act.openSection('tools');
      const box = page.getByRole('textbox', { name: 'Functions as JSON' });
      await page.getByRole('switch', { name: 'Offer these functions' }).check();
      await box.fill('[{"name": "a b"}]');
      await act.shows(page.locator('#settings'), 'The tool has the name "a b": letters, digits, _ and - are allowed');
      await box.fill('[{"name": "f"}, {"name": "f"}]');
      await act.shows(page.locator('#settings'), 'Tool 2 has the name "f", which another one has too.');
      await box.fill('[{"type": "function", "function": {"name": "f"}}, {"name": "g"}]');
      await act.shows(page.locator('#settings'), 'Functions: f, g.');
      await page.getByLabel('The model', { exact: true }).selectOption('must call g');
      await page.getByRole('switch', { name: 'Several calls at once' }).uncheck();
      await act.ask('Hello');
      const request = await act.lastRequest();
      assert.deepEqual(request.tools.map((t) => t.function.name), ['f', 'g']);
      assert.deepEqual(request.tool_choice, { type: 'function', function: { name: 'g' } });
      assert.equal(request.parallel_tool_calls, false);
    },
  },
  {
    name: 'images are dropped, pasted and chosen, and go as data: URLs',
    needsMock: true,
    async run({ act, page, shot }) {
      await act.ready();
      await page.locator('#image-file').setInputFiles({ name: 'red.png', mimeType: 'image/png', buffer: PNG });
      await page.locator('#attached img').waitFor();
      const drop = (type, target) =>
        page.evaluate(
          async ([bytes, kind, selector]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], 'a.png', { type: 'image/png' }));
            const event = kind === 'paste' ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }) : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
            document.querySelector(selector).dispatchEvent(event);
          },
          [[...PNG], type, target],
        );
      await drop('dragover', '#thread');
      await page.getByText('Drop images to add them').waitFor();
      await shot('drop');
      await drop('drop', '#thread');
      await page.locator('#attached img').nth(1).waitFor();
      await drop('paste', '#input');
      await page.locator('#attached img').nth(2).waitFor();
      await page.getByRole('button', { name: 'Remove image 3' }).click();
      await act.input.fill('What is this?');
      await shot('images');
      await act.input.press('Enter');
      await act.ended();
      await act.shows(act.lastAnswer, 'I see 2 image(s).');
      const [{ content }] = (await act.lastRequest()).messages;
      assert.deepEqual(content.map((part) => part.type), ['image_url', 'image_url', 'text']);
      assert.equal(content[0].image_url.url, `data:image/png;base64,${PNG.toString('base64')}`);
      assert.equal(await page.locator('article.user img').count(), 2);
    },
  },
  {
    name: 'pointing at a word shows its probability',
    needsMock: true,
    async run({ act, page, shot }) {
      await act.ask('Explain the puna in markdown.');
      const card = page.locator('#token-card');
      const heading = act.lastAnswer.locator('em', { hasText: 'high grassland' });
      await heading.scrollIntoViewIfNeeded();
      const box = await heading.boundingBox();
      await page.mouse.move(box.x + box.width - 15, box.y + box.height / 2);
      await card.waitFor();
      await act.shows(card, '·grassland');
      await act.shows(card, /log-probability -\d/);
      await shot('probability');
      // A character whose bytes are in two tokens is under the first that is not over yet; nothing breaks after it.
      const code = act.lastAnswer.locator('pre code');
      await code.scrollIntoViewIfNeeded();
      const place = await code.boundingBox();
      await page.mouse.move(place.x + 5, place.y + 8);
      await act.shows(card, '↵def');
      await page.mouse.move(5, 5);
      await card.waitFor({ state: 'hidden' });
    },
  },
  {
    name: 'the list of tokens is reached by the keyboard',
    async run({ act, page, shot }) {
      await act.ask('Hello there');
      await act.press(act.lastAnswer, 'Tokens and probabilities');
      const list = page.getByRole('listbox', { name: 'Tokens and their probabilities' });
      await list.getByRole('option').first().focus();
      await page.keyboard.press('ArrowRight');
      assert.equal(await page.evaluate(() => document.activeElement.previousElementSibling === document.querySelector('.token')), true);
      await page.locator('#token-card').waitFor();
      await shot('tokens');
      await act.press(act.lastAnswer, 'Tokens and probabilities');
      await list.waitFor({ state: 'detached' });
    },
  },
  {
    name: 'without probabilities none are asked for',
    needsMock: true,
    async run({ act, page }) {
      await act.ready();
      await act.openSettings();
      await page.getByRole('switch', { name: 'Probabilities of tokens' }).uncheck();
      await act.ask('Hello');
      assert.equal('logprobs' in (await act.lastRequest()), false);
      assert.equal(await act.lastAnswer.getByRole('button', { name: 'Tokens and probabilities' }).count(), 0);
    },
  },
  {
    name: 'model and adapter are chosen apart, and remembered',
    needsMock: true,
    async run({ act, page }) {
      await act.ready();
      const options = (label) => page.getByLabel(label, { exact: true }).locator('option').allInnerTexts();
      assert.deepEqual(await options('Model'), ['SmolLM2-360M-Instruct', 'tiny:q4'], 'a colon alone makes no adapter');
      assert.deepEqual(await options('Adapter'), ['No adapter', 'pirate', 'notary']);
      await page.getByLabel('Adapter', { exact: true }).selectOption('pirate');
      await act.ask('Hello');
      assert.equal((await act.lastRequest()).model, 'SmolLM2-360M-Instruct:pirate');
      await page.getByLabel('Model', { exact: true }).selectOption('tiny:q4');
      assert.equal(await page.getByLabel('Adapter', { exact: true }).isVisible(), false);
      await act.ask('Hello');
      assert.equal((await act.lastRequest()).model, 'tiny:q4');
      await page.reload();
      await act.ready();
      assert.equal(await page.getByLabel('Model', { exact: true }).inputValue(), 'tiny:q4');
    },
  },
];
