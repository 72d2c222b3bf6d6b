// Drives the pages in a headless Chromium as a person would: types, clicks, drops, reloads; and looks at what is shown.
// The chat page against a mock server, the others against `puna label serve` and `puna ads serve` themselves, a
// new one each case.
//
// usage: node tests/page/drive.mjs [URL] [--key KEY] [--page chat|label|ads] [--only WORDS] [--shots FOLDER]
//   URL      a running puna serve, such as http://127.0.0.1:8080/; without it a mock server is started. Cases that need
//            answers made to order run with the mock server only.
//   --page   the cases of one page
//   --only   cases whose name has these words
//   --shots  leaves screenshots in this folder
// Every case also fails on an error of the console, a request to elsewhere and a breach of the Content-Security-Policy.

import { parseArgs } from 'node:util';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { axeFindings, openPage, startBrowser, startMock } from './browser.mjs';
import { Actions } from './actions.mjs';
import answers from './cases_answers.mjs';
import features from './cases_features.mjs';
import errors from './cases_errors.mjs';
import layout from './cases_layout.mjs';
import label from './cases_label.mjs';
import ads from './cases_ads.mjs';
import { startAds } from './ads_server.mjs';
import { startLabels } from './label_server.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: '' },
    page: { type: 'string', default: '' },
    shots: { type: 'string' },
    key: { type: 'string' },
  },
});
const [realUrl] = positionals;
const all = [
  ...answers,
  ...features,
  ...errors,
  ...layout,
  ...label.map((c) => ({ ...c, kind: 'label' })),
  ...ads.map((c) => ({ ...c, kind: 'ads' })),
];
const chosen = (c) => c.name.includes(values.only) && (c.kind ?? 'chat').includes(values.page);
const cases = all.filter(chosen);
const servers = realUrl ? { plain: { url: new URL('/', realUrl).href, end() {} } } : {};
if (values.shots) mkdirSync(values.shots, { recursive: true });

// The server of a case. Of the chat page a mock: one without a key for most, one that asks for "sesame" for some.
async function serverFor(test) {
  if (test.kind === 'label') return startLabels(test.projects, test.serve);
  if (test.kind === 'ads') return startAds(test.ads);
  const { server = 'plain' } = test;
  servers[server] ??= await startMock('--delay', '0.004', ...(server === 'keyed' ? ['--key', 'sesame'] : []));
  return servers[server];
}

async function runCase(browser, test) {
  const server = await serverFor(test);
  const { page, context, breaches } = await openPage(browser, server.url, {
    ...test.options,
    expected: [...(test.expected ?? []), ...(values.key ? [/status of 401/] : [])], // the first request has no key
    timeout: realUrl ? 60000 : 8000,
    defaults: realUrl ? { temperature: 0, max_tokens: 250 } : null, // small models do not always find an end
  });
  const shot = async (name) => values.shots && page.screenshot({ path: path.join(values.shots, `${name}.png`) });
  try {
    const act = new Actions(page, server.url, Boolean(realUrl));
    if (realUrl && values.key) await act.enterKey(values.key);
    const another = (options) => openPage(browser, server.url, { timeout: 8000, ...options });
    const axe = (of = page) => axeFindings(of);
    await test.run({ page, context, act, shot, axe, isReal: Boolean(realUrl), server, another });
    if (breaches.length) throw new Error(breaches.join('\n'));
  } catch (error) {
    if (values.shots) await shot(`failed-${test.name.replaceAll(/\W+/g, '-')}`).catch(() => {});
    throw error;
  } finally {
    await context.close();
    if (test.kind) server.end();
  }
}

const browser = await startBrowser();
let failed = 0;
let skipped = 0;
for (const test of cases) {
  if (realUrl && (test.needsMock || test.kind)) {
    skipped += 1;
    continue;
  }
  const started = Date.now();
  try {
    await runCase(browser, test);
    console.log(`ok    ${test.name}  (${Date.now() - started} ms)`);
  } catch (error) {
    failed += 1;
    console.log(
      `FAIL  ${test.name}\n      ${String(error.stack ?? error)
        .split('\n')
        .slice(0, 12)
        .join('\n      ')}`,
    );
  }
}
await browser.close();
for (const server of Object.values(servers)) server.end();
const ran = cases.length - skipped;
console.log(
  `${ran - failed} of ${ran} cases passed${skipped ? `, ${skipped} need the mock server and were left out` : ''}`,
);
process.exitCode = failed || !ran ? 1 : 0;
