// `puna label serve` on a database of its own, for one case.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import os from 'node:os';
import path from 'node:path';

const here = path.dirname(fileURLToPath(import.meta.url));
const PUNA = process.env.PUNA ?? path.resolve(here, '../../build/release/bin/puna');

// projects: [{name, type, labels, wanted, items: [{item, data, labels: [{annotator, label}]}]}]; more: flags of serve.
// The answer has url, run(...words) for other verbs (JSON where that is what comes out), and end().
export async function startLabels(projects, more = []) {
  if (!existsSync(PUNA)) throw new Error(`${PUNA} is missing: ninja -C build/release bin/puna, or PUNA=path`);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'puna-labels-'));
  const db = path.join(folder, 'labels.db');
  const run = (...words) =>
    execFileSync(PUNA, ['label', ...words, '--db', db], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  for (const { name, type = 'choice', labels = [], wanted = 1, items } of projects) {
    const given = labels.length ? ['--labels', labels.join(',')] : [];
    run('create', name, '--type', type, '--wanted', String(wanted), ...given);
    const file = path.join(folder, 'items.jsonl');
    writeFileSync(file, items.map((item) => `${JSON.stringify(item)}\n`).join(''));
    run('import', file, '--project', name);
  }
  const flags = more.map((word) => (typeof word === 'string' ? word : keep(folder, word)));
  const child = spawn(PUNA, ['label', 'serve', '--db', db, '--port', '0', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(String(data).trim()));
    child.once('exit', (code) => reject(new Error(`puna label serve ended with ${code}`)));
  });
  const end = () => {
    child.removeAllListeners('exit');
    child.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    child.kill('SIGTERM');
  };
  const stop = (signal) => child.kill(signal);
  return { url: `${url}/`, run, json: (...words) => JSON.parse(run(...words, '--json')), stop, end };
}

// {name, text}: a file beside the database.
function keep(folder, { name, text }) {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}
