// System prompt and sampling, schemas, tools, images, probabilities, models and adapters.

import assert from 'node:assert/strict';

// A picture of 32 x 32 pixels, from red to orange.
const PNG = Buffer.from(
  [
    'iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAHpklEQVR42g3NQef6YADA8f/LiRERMb/x0Ezx0GTjYcnioZnGQ8ni',
    'oaTRocMOHTp06NBhhw47dNhL+L6sf5838PnHXw/Rw+8x6SF7hD2iHqrHokfaQ/fIemx6mB67HmUP2+PU49Lj2uPWo+5x7/Ho8ezx',
    '6vHu0fT49Gh7fHt0vX/8OQgH32HiIB1Ch8hBOSwcUgftkDlsHIzDzqF0sA4nh4vD1eHmUDvcHR4OT4eXw9uhcfg4tA5fh875BX1E',
    'H7/PpI/sE/aJ+qg+iz5pH90n67PpY/rs+pR9bJ9Tn0ufa59bn7rPvc+jz7PPq8+7T9Pn06ft8+3T9X/BADHAHzAZIAeEA6IBasBi',
    'QDpAD8gGbAaYAbsB5QA74DTgMuA64DagHnAf8BjwHPAa8B7QDPgMaAd8B3SDXzBEDPGHTIbIIeGQaIgashiSDtFDsiGbIWbIbkg5',
    'xA45DbkMuQ65DamH3Ic8hjyHvIa8hzRDPkPaId8h3fAXjBAj/BGTEXJEOCIaoUYsRqQj9IhsxGaEGbEbUY6wI04jLiOuI24j6hH3',
    'EY8RzxGvEe8RzYjPiHbEd0Q3+gUuwsV3mbhIl9AlclEuC5fURbtkLhsX47JzKV2sy8nl4nJ1ubnULneXh8vT5eXydmlcPi6ty9el',
    'c3+Bh/DwPSYe0iP0iDyUx8Ij9dAemcfGw3jsPEoP63HyuHhcPW4etcfd4+Hx9Hh5vD0aj49H6/H16LxfIBACXzARSEEoiARKsBCk',
    'Ai3IBBuBEewEpcAKToKL4Cq4CWrBXfAQPAUvwVvQCD6CVvAVdOIXjBFj/DGTMXJMOCYao8YsxqRj9JhszGaMGbMbU46xY05jLmOu',
    'Y25j6jH3MY8xzzGvMe8xzZjPmHbMd0w3/gUBIsAPmATIgDAgClABi4A0QAdkAZsAE7ALKANswCngEnANuAXUAfeAR8Az4BXwDmgC',
    'PgFtwDegC37BFDHFnzKZIqeEU6IpaspiSjpFT8mmbKaYKbsp5RQ75TTlMuU65TalnnKf8pjynPKa8p7STPlMaad8p3TTXyAREl8y',
    'kUhJKIkkSrKQpBItySQbiZHsJKXESk6Si+QquUlqyV3ykDwlL8lb0kg+klbylXTyF8wQM/wZkxlyRjgjmqFmLGakM/SMbMZmhpmx',
    'm1HOsDNOMy4zrjNuM+oZ9xmPGc8ZrxnvGc2Mz4x2xndGN/sFc8Qcf85kjpwTzonmqDmLOekcPSebs5lj5uzmlHPsnNOcy5zrnNuc',
    'es59zmPOc85rzntOM+czp53zndPNf0GMiPFjJjEyJoyJYlTMIiaN0TFZzCbGxOxiyhgbc4q5xFxjbjF1zD3mEfOMecW8Y5qYT0wb',
    '843p4l+gEApfMVFIRaiIFEqxUKQKrcgUG4VR7BSlwipOioviqrgpasVd8VA8FS/FW9EoPopW8VV06hckiAQ/YZIgE8KEKEElLBLS',
    'BJ2QJWwSTMIuoUywCaeES8I14ZZQJ9wTHgnPhFfCO6FJ+CS0Cd+ELvkFS8QSf8lkiVwSLomWqCWLJekSvSRbslliluyWlEvsktOS',
    'y5LrktuSesl9yWPJc8lryXtJs+SzpF3yXdItf8EKscJfMVkhV4QrohVqxWJFukKvyFZsVpgVuxXlCrvitOKy4rritqJecV/xWPFc',
    '8VrxXtGs+KxoV3xXdKtfoBEaXzPRSE2oiTRKs9CkGq3JNBuN0ew0pcZqTpqL5qq5aWrNXfPQPDUvzVvTaD6aVvPVdPoXrBFr/DWT',
    'NXJNuCZao9Ys1qRr9JpszWaNWbNbU66xa05rLmuua25r6jX3NY81zzWvNe81zZrPmnbNd023/gU5IsfPmeTInDAnylE5i5w0R+dk',
    'OZsck7PLKXNszinnknPNueXUOfecR84z55XzzmlyPjltzjeny39BgSjwCyYFsiAsiApUwaIgLdAFWcGmwBTsCsoCW3AquBRcC24F',
    'dcG94FHwLHgVvAuagk9BW/At6IpfYBAG3zAxSENoiAzKsDCkBm3IDBuDMewMpcEaToaL4Wq4GWrD3fAwPA0vw9vQGD6G1vA1dOYX',
    'bBFb/C2TLXJLuCXaorYstqRb9JZsy2aL2bLbUm6xW05bLluuW25b6i33LY8tzy2vLe8tzZbPlnbLd0u3/QV7xB5/z2SP3BPuifao',
    'PYs96R69J9uz2WP27PaUe+ye057Lnuue2556z33PY89zz2vPe0+z57On3fPd0+1/wQFxwD8wOSAPhAeiA+rA4kB6QB/IDmwOmAO7',
    'A+UBe+B04HLgeuB2oD5wP/A48DzwOvA+0Bz4HGgPfA90h19gERbfMrFIS2iJLMqysKQWbcksG4ux7CylxVpOlovlarlZasvd8rA8',
    'LS/L29JYPpbW8rV09hccEUf8I5Mj8kh4JDqijiyOpEf0kezI5og5sjtSHrFHTkcuR65HbkfqI/cjjyPPI68j7yPNkc+R9sj3SHf8',
    'BWfEGf/M5Iw8E56JzqgzizPpGX0mO7M5Y87szpRn7JnTmcuZ65nbmfrM/czjzPPM68z7THPmc6Y98z3TnX9BhajwKyYVsiKsiCpU',
    'xaIirdAVWcWmwlTsKsoKW3GquFRcK24VdcW94lHxrHhVvCuaik9FW/Gt6Kr/hB5iWwn31rYAAAAASUVORK5CYII=',
  ].join(''),
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
      for (const [label, value] of [
        ['Temperature', '0.5'],
        ['Top p', '0.9'],
        ['Min p', '0.05'],
        ['Max tokens', '3'],
        ['Seed', '42'],
      ]) {
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
      assert.deepEqual(
        messages.map((m) => m.role),
        ['user', 'assistant', 'tool', 'tool'],
      );
      assert.deepEqual(
        messages[1].tool_calls.map((call) => [call.id, call.type, call.function.name]),
        [
          ['call_0', 'function', 'get_weather'],
          ['call_1', 'function', 'get_weather'],
        ],
      );
      assert.deepEqual(
        messages.slice(2).map((m) => m.tool_call_id),
        ['call_0', 'call_1'],
      );
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
      assert.deepEqual(
        request.tools.map((t) => t.function.name),
        ['f', 'g'],
      );
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
            const event =
              kind === 'paste'
                ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
                : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
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
      const broken = { name: 'broken.png', mimeType: 'image/png', buffer: PNG.subarray(0, 40) };
      await page.locator('#image-file').setInputFiles(broken);
      await act.shows(page.locator('.toast'), 'broken.png cannot be read as an image');
      await page.getByRole('button', { name: 'Remove image 3' }).click();
      await act.input.fill('What is this?');
      await shot('images');
      await act.input.press('Enter');
      await act.ended();
      await act.shows(act.lastAnswer, 'I see 2 image(s).');
      const [{ content }] = (await act.lastRequest()).messages;
      assert.deepEqual(
        content.map((part) => part.type),
        ['image_url', 'image_url', 'text'],
      );
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
      assert.equal(
        await page.evaluate(() => document.activeElement.previousElementSibling === document.querySelector('.token')),
        true,
      );
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
