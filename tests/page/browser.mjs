// Chromium for the page's tests: finds playwright-core and axe-core under build/page, and watches what no test may
// cause: errors on the console, requests to elsewhere, breaches of the Content-Security-Policy.

import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.resolve(here, '../../build/page/');
const require = createRequire(path.join(modules, 'package.json'));

function load(name) {
  try {
    return require(name);
  } catch {
    console.error(`${name} is missing: ./dev page installs it, in build/page`);
    process.exit(2);
  }
}

const { chromium } = load('playwright-core');
const axePath = (load('axe-core'), require.resolve('axe-core/axe.min.js'));

export async function startBrowser() {
  const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
  if (!executablePath) {
    console.error('chromium is missing: apt-get install chromium');
    process.exit(2);
  }
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}

// Starts the mock server; `url` and `end()`.
export async function startMock(...options) {
  const child = spawn('python3', ['-B', path.join(here, 'mock_server.py'), ...options], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const url = await new Promise((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(String(data).trim()));
    child.once('exit', () => reject(new Error('the mock server did not start')));
  });
  return { url, end: () => child.stdin.end() };
}

// A fresh browser profile with the page open. `breaches` collects what must not happen; `expected` are patterns of
// console lines that a test provokes, such as a refused request.
export async function openPage(browser, url, { expected = [], ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options });
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(url).origin });
  const page = await context.newPage();
  page.setDefaultTimeout(options.timeout ?? 10000);
  const breaches = [];
  const isExpected = (text) => expected.some((pattern) => pattern.test(text));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !isExpected(message.text()))
      breaches.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => breaches.push(`error of the page: ${error.stack}`));
  context.on('request', (request) => {
    const target = new URL(request.url());
    if (!['data:', 'blob:'].includes(target.protocol) && target.origin !== new URL(url).origin)
      breaches.push(`outside request: ${target}`);
  });
  await page.exposeFunction('reportBreach', (text) => breaches.push(text));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) =>
      window.reportBreach(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`),
    );
  });
  if (options.defaults) {
    const stored = JSON.stringify(options.defaults);
    await page.addInitScript((text) => localStorage.setItem('puna.defaults', text), stored);
  }
  await page.goto(url);
  return { page, context, breaches };
}

// Serious and critical findings of axe-core, as lines.
export async function axeFindings(page) {
  // Through the debugger, which the page's Content-Security-Policy does not touch.
  const { readFileSync } = await import('node:fs');
  await page.evaluate(readFileSync(axePath, 'utf8'));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations
    .filter((v) => ['serious', 'critical'].includes(v.impact))
    .flatMap((v) =>
      v.nodes.map((node) => `${v.id}: ${node.html.slice(0, 160)} ${node.failureSummary?.replaceAll('\n', ' ')}`),
    );
}
