// What people do on the page, in words that the cases use, found by role and label as a screen reader finds it.

import assert from 'node:assert/strict';

export class Actions {
  constructor(page, url, isReal) {
    Object.assign(this, { page, url, isReal });
  }

  get input() {
    return this.page.getByRole('textbox', { name: 'Message', exact: true });
  }

  get answers() {
    return this.page.locator('article.assistant');
  }

  get lastAnswer() {
    return this.answers.last();
  }

  async ready() {
    await this.page.locator('#model:not(:disabled)').waitFor();
  }

  async type(text) {
    await this.ready();
    await this.input.fill(text);
    await this.page.keyboard.press('Enter');
  }

  // Sends and waits for the end of the answer.
  async ask(text) {
    await this.type(text);
    await this.ended();
  }

  async ended() {
    await this.page.getByRole('button', { name: 'Send', exact: true }).waitFor();
    await this.page.waitForFunction(() => !document.querySelector('article.running'));
  }

  // Waits until the answer has begun and is not over.
  async writing() {
    await this.page.locator('article.running .content:not(:empty)').waitFor();
  }

  async stop() {
    await this.page.getByRole('button', { name: 'Stop', exact: true }).click();
  }

  async openSettings() {
    if (!(await this.page.locator('#settings').isVisible()))
      await this.page.getByRole('button', { name: 'Settings', exact: true }).click();
    await this.page.locator('#settings').waitFor();
  }

  async openSection(name) {
    await this.openSettings();
    const section = this.page.locator(`#${name}-section`);
    if (!(await section.evaluate((element) => element.open))) await section.locator('summary').click();
  }

  // An action of a message's foot, which may only show when pointed at.
  async press(message, label) {
    await message.hover();
    await message.getByRole('button', { name: label, exact: true }).click();
  }

  async enterKey(key) {
    const box = this.page.getByLabel('API key', { exact: true }).and(this.page.locator('input'));
    await box.fill(key);
    await this.page.getByRole('button', { name: 'Use this key' }).click();
  }

  // What the mock server was asked last.
  async lastRequest() {
    return (await this.mock()).requests.at(-1);
  }

  async mock() {
    return (await fetch(new URL('mock/requests', this.url))).json();
  }

  async shows(locator, text) {
    await locator.filter({ hasText: text }).first().waitFor();
  }

  async textOf(locator) {
    return (await locator.innerText()).trim();
  }
}

export async function eventually(check, what, ms = 5000) {
  const end = Date.now() + ms;
  while (!(await check())) {
    assert.ok(Date.now() < end, `not within ${ms} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 40));
  }
}
