// What of the page of advertisements needs no browser.

import assert from 'node:assert/strict';
import test from 'node:test';

globalThis.document = { createTextNode: (text) => text };
Object.defineProperty(globalThis, 'navigator', { value: { platform: 'Linux' }, configurable: true });
const { pieces } = await import('../../apps/page/ads/field.js');
const { cut } = await import('../../apps/page/ads/preview.js');

test('findings cut a text into pieces of the worst severity', () => {
  const findings = [
    { begin: 2, end: 6, severity: 'note' },
    { begin: 4, end: 8, severity: 'error' },
  ];
  assert.deepEqual(pieces('0123456789', findings), [
    { text: '01', severity: null },
    { text: '23', severity: 'note' },
    { text: '4567', severity: 'error' },
    { text: '89', severity: null },
  ]);
  assert.deepEqual(pieces('', []), []);
  assert.deepEqual(pieces('abc', [{ begin: 1, end: 3, severity: 'error' }]), [
    { text: 'a', severity: null },
    { text: 'bc', severity: 'error' },
  ]);
});

test('a text that is longer than its placement shows ends in an ellipsis', () => {
  assert.equal(cut('whole', { shown: 5 }), 'whole');
  assert.equal(cut('two words', { shown: 4 }), 'two…');
  assert.equal(cut('not yet', null), 'not yet');
});
