// `puna ads serve` on a plan and a database of its own, for one case.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import os from 'node:os';
import path from 'node:path';

const here = path.dirname(fileURLToPath(import.meta.url));
const PUNA = process.env.PUNA ?? path.resolve(here, '../../build/release/bin/puna');
export const BRIEF = JSON.parse(readFileSync(path.resolve(here, '../../examples/ads/bakery.json'), 'utf8'));

// {placement: [[[field, text], ...], ... a list a variant]} as a plan that puna ads plan could have written.
export function planOf(placements, brief = BRIEF) {
  const variant = (id, texts) => ({
    id,
    written_for: brief.segments[0].name,
    texts: texts.map(([field, text]) => ({ field, text })),
  });
  return {
    puna_ads_plan: 1,
    brief,
    placements: Object.entries(placements).map(([placement, variants]) => ({
      placement,
      variants: variants.map((texts, i) => variant(`${placement}/${i + 1}`, texts)),
    })),
  };
}

// {plan, brief, keeps, more: flags}. The answer has url, labels() and end().
export async function startAds({ plan = null, brief = null, keeps = true, more = [] } = {}) {
  if (!existsSync(PUNA)) throw new Error(`${PUNA} is missing: ninja -C build/release bin/puna, or PUNA=path`);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'puna-ads-'));
  const file = (name, value) => {
    writeFileSync(path.join(folder, name), JSON.stringify(value));
    return path.join(folder, name);
  };
  const db = path.join(folder, 'labels.db');
  const flags = [
    ...(brief ? [file('brief.json', brief)] : []),
    ...(plan ? ['--plan', file('plan.json', plan)] : []),
    ...(keeps ? ['--db', db] : []),
    ...more,
  ];
  const child = spawn(PUNA, ['ads', 'serve', '--port', '0', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(String(data).trim()));
    child.once('exit', (code) => reject(new Error(`puna ads serve ended with ${code}`)));
  });
  const labels = () =>
    execFileSync(PUNA, ['label', 'export', '--project', 'ads', '--format', 'jsonl', '--db', db], { encoding: 'utf8' })
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  const end = () => {
    child.removeAllListeners('exit');
    child.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    child.kill('SIGTERM');
  };
  return { url: `${url}/`, labels, end };
}
