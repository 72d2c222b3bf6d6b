// The page of an advertiser: the brief, the texts with their previews, a simulated week.

import { h, byId, announce, toast } from '../shared/dom.js';
import { plural, sentence } from '../shared/format.js';
import { askForKey, closeNotice } from '../shared/key_form.js';
import { startKeyboard } from '../shared/keyboard.js';
import { recall } from '../shared/preferences.js';
import { startTheme } from '../shared/theme.js';
import { BriefForm, EXAMPLE } from './brief_form.js';
import { Field } from './field.js';
import { Linter } from './linter.js';
import { preview } from './preview.js';
import { Studio } from './studio.js';
import { weekView } from './week.js';

const studio = new Studio();
const work = byId('work');
let server = null; // what v1/state said
let brief = null;
let cards = []; // of variants: {placement, id, fields, element, shown}
let form = null;
let view = 'brief';
let seed = 1;

const linter = new Linter(studio, {
  brief: () => brief,
  show: (field, result) => {
    field.show(result);
    drawPreview(field.card);
    showCounts();
  },
  error: (error) => failed(error),
});

// ---- beginning ----

async function begin(refused = false) {
  studio.key = recall('key', '');
  try {
    server = await studio.state();
  } catch (error) {
    if (error.status === 401)
      return askForKey({ wasRefused: refused || Boolean(studio.key), onKey: () => begin(true), name: 'token' });
    return failed(error);
  }
  closeNotice();
  brief = server.brief;
  if (server.plan) takePlan(server.plan);
  open(server.plan ? 'texts' : 'brief');
  if (server.writing) followWriting();
}

function failed(error) {
  byId('status').textContent = sentence(error.message);
}

function open(name) {
  view = name;
  for (const v of ['brief', 'texts', 'week']) byId(`view-${v}`).setAttribute('aria-current', String(v === name));
  byId('status').textContent = '';
  byId('scroller').setAttribute('aria-label', { brief: 'Brief', texts: 'Texts', week: 'Week' }[name]);
  if (name === 'brief') showBrief();
  else if (name === 'texts') showTexts();
  else showWeek();
  byId('scroller').scrollTop = 0;
}

// ---- brief ----

function showBrief() {
  form = new BriefForm(brief, { canWrite: server.can_write, hasPlan: cards.length > 0 }, { use, write, stop });
  work.replaceChildren(form.element);
}

async function use(given) {
  try {
    await studio.ask('lint', { brief: given, texts: [] });
  } catch (error) {
    return form.wrong(error.message);
  }
  brief = given;
  if (!cards.length) byHand();
  relint();
  return open('texts');
}

// Empty boxes for every placement of the brief.
function byHand() {
  const variants = (id) => server.placements.find((p) => p.id === id);
  takePlan({
    placements: (brief.placements ?? []).map((p) => {
      const placement = variants(p.id ?? p);
      const texts = placement.fields.flatMap((f) =>
        Array.from({ length: Math.max(1, f.least) }, () => ({ field: f.name, text: '' })),
      );
      return { placement: placement.id, variants: [{ id: `${placement.id}/1`, written_for: '', texts }] };
    }),
  });
}

async function write(given) {
  form.busy({ done: 0, total: 0 });
  followWriting();
  try {
    const answer = await studio.ask('plan', { brief: given });
    brief = given;
    takePlan(answer.plan);
    announce('The texts are written');
    open('texts');
  } catch (error) {
    form.busy(null);
    form.wrong(error.message);
  }
}

async function followWriting() {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  if (view !== 'brief') return;
  try {
    const now = await studio.state();
    form.busy(now.writing);
    if (now.writing) followWriting();
  } catch (error) {
    failed(error);
  }
}

async function stop() {
  await studio.ask('plan', { stop: true }).catch(failed);
}

// ---- texts ----

const nameOf = (field, place, of) =>
  `${field.charAt(0).toUpperCase()}${field.slice(1).replaceAll('_', ' ')}${of > 1 ? ` ${place + 1}` : ''}`;

function takePlan(plan) {
  const decisions = server.decisions ?? {};
  cards = plan.placements.flatMap((p) =>
    p.variants.map((v) => {
      const card = { placement: p.placement, id: v.id, segment: v.written_for, fields: [] };
      const counts = {};
      for (const t of v.texts) counts[t.field] = (counts[t.field] ?? 0) + 1;
      const seen = {};
      card.fields = v.texts.map((t) => {
        const place = seen[t.field] ?? 0;
        seen[t.field] = place + 1;
        const field = new Field(
          {
            variant: v.id,
            placement: p.placement,
            name: t.field,
            label: nameOf(t.field, place, counts[t.field]),
            place,
            text: t.text,
            decision: decisions[`${v.id}/${t.field}/${place}/${t.text}`] ?? null,
            keeps: server.keeps,
          },
          { edit: (f) => linter.add(f), decide },
        );
        field.card = card;
        return field;
      });
      return card;
    }),
  );
  for (const card of cards) buildCard(card);
  relint();
}

function relint() {
  linter.add(...cards.flatMap((c) => c.fields));
}

function buildCard(card) {
  card.shown = h('div', { class: 'shown' });
  const of = server.placements.find((p) => p.id === card.placement);
  const title = `card-${card.id.replaceAll(/[^a-z0-9]/gi, '-')}`;
  card.element = h(
    'article',
    { class: 'card', 'aria-labelledby': title },
    h(
      'header',
      {},
      h('h2', { id: title }, card.id),
      h('p', { class: 'hint' }, [of?.label, card.segment && `written for ${card.segment}`].filter(Boolean).join(' · ')),
    ),
    card.shown,
    h('div', { class: 'fields' }, ...card.fields.map((f) => f.element)),
  );
  drawPreview(card);
}

function drawPreview(card) {
  let host = '';
  try {
    host = new URL(brief?.landing_page?.url ?? '').host;
  } catch {
    // No address: none is shown.
  }
  card.shown.replaceChildren(preview(card.placement, card.fields, brief?.name ?? '', host));
}

function showTexts() {
  if (!cards.length) {
    work.replaceChildren(h('p', { class: 'empty' }, 'There are no texts yet. The brief comes first.'));
    return;
  }
  const counts = h('p', { id: 'counts', class: 'counts', role: 'status' });
  const hint = server.keeps
    ? null
    : h('p', { class: 'hint' }, 'What you approve is not kept: the server was started without --db.');
  work.replaceChildren(
    h('h1', { class: 'visually-hidden' }, 'Texts'),
    counts,
    ...(hint ? [hint] : []),
    h('div', { class: 'cards' }, ...cards.map((c) => c.element)),
  );
  showCounts();
}

function showCounts() {
  const counts = byId('counts');
  if (!counts) return;
  const fields = cards.flatMap((c) => c.fields);
  const wrong = fields.filter((f) => f.result?.errors).length;
  const approved = fields.filter((f) => f.decision === 'approved').length;
  const rejected = fields.filter((f) => f.decision === 'rejected').length;
  counts.textContent = `${plural(fields.length, 'text')}: ${wrong} with errors, ${approved} approved, ${rejected} rejected`;
}

async function decide(field, verdict) {
  const text = field.text();
  const before = field.decision;
  field.decided(verdict);
  showCounts();
  try {
    await studio.ask('decide', {
      variant: field.variant,
      field: field.field,
      place: field.place,
      text,
      verdict,
      request: `${Date.now()}-${Math.random()}`,
    });
    announce(`${field.label} ${verdict}`);
  } catch (error) {
    field.decided(before);
    showCounts();
    toast(sentence(error.message), { label: 'Try again', run: () => decide(field, verdict) });
  }
}

// ---- week ----

async function showWeek() {
  if (!brief) {
    work.replaceChildren(h('p', { class: 'empty' }, 'A week is simulated from a brief. There is none yet.'));
    return;
  }
  const first = cards[0]?.placement;
  const names = first ? cards.filter((c) => c.placement === first).map((c) => c.id) : ['1', '2', '3'];
  try {
    const week = await studio.ask('week', { brief, variants: names.length, seed });
    const again = () => {
      seed += 1;
      showWeek();
    };
    if (view === 'week') work.replaceChildren(weekView(week, names, again));
  } catch (error) {
    failed(error);
  }
}

// ---- everything else ----

for (const name of ['brief', 'texts', 'week']) byId(`view-${name}`).addEventListener('click', () => open(name));
const switchTheme = startTheme();
startKeyboard(
  [
    [['1'], 'The brief'],
    [['2'], 'The texts'],
    [['3'], 'A simulated week'],
    [['t'], 'Colours'],
    [['?'], 'This list'],
  ],
  ({ key, command, typing }) => {
    if (command || typing) return false;
    const to = { 1: 'brief', 2: 'texts', 3: 'week' }[key];
    if (to) open(to);
    else if (key === 't') switchTheme();
    else return false;
    return true;
  },
);
begin();
export { EXAMPLE };
