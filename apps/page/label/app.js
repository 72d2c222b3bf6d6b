// The labelling page: which project, who labels, the item on the screen and what is said of it.

import { h, byId, icon, announce, toast } from '../shared/dom.js';
import { plural, sentence } from '../shared/format.js';
import { askForKey, closeNotice, forgetKey, showNotice } from '../shared/key_form.js';
import { startKeyboard } from '../shared/keyboard.js';
import { recall, remember } from '../shared/preferences.js';
import { startTheme } from '../shared/theme.js';
import { answerControl } from './answers.js';
import { Queue, answersView } from './decide.js';
import { Desk } from './desk.js';
import { itemView, placesOf, valueWords } from './item_view.js';
import { Progress } from './progress.js';
import { SkipDialog } from './skip_dialog.js';
import { Work } from './work.js';

const desk = new Desk();
let server = null; // what v1/projects said
let project = null; // the one that is open, of server.projects
let mode = 'label'; // or 'decide'
let work = null;
let queue = null;
let control = null; // of the item on the screen
let shown = null; // its entry
let watch = { seconds: 0, since: 0 }; // how long it is looked at

const progress = new Progress(desk, byId('progress'));
const skipDialog = new SkipDialog((reason) => say({ skip: reason }));

// ---- beginning ----

async function begin(refused = false) {
  desk.key = recall('key', '');
  try {
    server = await desk.projects();
  } catch (error) {
    if (error.status === 401)
      return askForKey({ wasRefused: refused || Boolean(desk.key), onKey: () => begin(true), name: 'token' });
    return failed(error, begin);
  }
  closeNotice();
  desk.person = server.person ?? recall('person', '');
  if (!desk.person) return askForName();
  const button = byId('person');
  button.replaceChildren(icon('person'), h('span', {}, desk.person));
  button.setAttribute('aria-label', `You label as ${desk.person}. Change`);
  button.hidden = false;
  byId('modes').hidden = !server.decides;
  const choice = byId('project');
  choice.replaceChildren(...server.projects.map((p) => h('option', { value: p.name }, p.name)));
  const last = server.projects.find((p) => p.name === recall('project', '')) ?? server.projects[0];
  choice.value = last.name;
  await openProject(last);
}

function askForName() {
  const name = h('input', { id: 'name', autocomplete: 'nickname', maxlength: 60, required: true, value: desk.person });
  const form = h(
    'form',
    { class: 'key-form', 'aria-label': 'Your name' },
    h('p', {}, 'Who labels? Your labels carry this name.'),
    h(
      'div',
      { class: 'key-row' },
      h('label', { for: 'name' }, 'Name'),
      name,
      h('button', { type: 'submit', class: 'primary' }, 'Begin'),
    ),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!name.value.trim()) return;
    remember('person', name.value.trim());
    closeNotice();
    begin();
  });
  clear();
  showNotice(form);
  name.focus();
}

function changePerson() {
  if (work?.sending.length) return toast('Your last labels are still on their way: a moment.');
  close();
  if (desk.key) {
    forgetKey();
    begin();
  } else {
    askForName();
  }
}

function close() {
  work?.close();
  [work, queue, shown, control] = [null, null, null, null];
}

async function openProject(chosen) {
  close();
  project = chosen;
  remember('project', project.name);
  progress.project = project.name;
  progress.refresh();
  if (mode === 'decide' && server.decides) return openQueue();
  mode = 'label';
  showMode();
  work = new Work(desk, project.name, { show: showWork, error: (error) => failed(error), state: showState });
  await work.fill();
}

async function openQueue() {
  mode = 'decide';
  showMode();
  queue = new Queue(desk, project.name, { show: showQueue, error: (error) => failed(error) });
  try {
    await queue.load();
  } catch (error) {
    failed(error, openQueue);
  }
}

function showMode() {
  for (const name of ['label', 'decide']) byId(`mode-${name}`).setAttribute('aria-pressed', String(mode === name));
}

function setMode(wanted) {
  if (!server?.decides || !project || wanted === mode) return;
  mode = wanted;
  openProject(project);
}

// ---- the item on the screen ----

function clear() {
  byId('task').replaceChildren();
  byId('dock').replaceChildren();
  [control, shown] = [null, null];
}

function showEntry(entry, more, buttons) {
  const places = placesOf(entry.data, project.type, server.fields);
  shown = entry;
  control = answerControl(project, places.text, () => say({ value: control.value() }));
  if (entry.before?.value !== undefined && entry.before.value !== null) control.set(entry.before.value);
  byId('task').replaceChildren(
    h('h1', { class: 'visually-hidden' }, `Item ${entry.item}`),
    ...(entry.before ? [beforeNote(entry.before, places.text)] : []),
    ...itemView(entry, places, project.type, control.text),
    ...(more ? [more(places)] : []),
  );
  byId('dock').replaceChildren(control.element, h('div', { class: 'dock-foot' }, buttons));
  byId('scroller').scrollTop = 0;
  watch = { seconds: 0, since: performance.now() };
  if (!control.start()) byId('task').focus({ preventScroll: true });
}

function beforeNote(before, text) {
  const said =
    before.skip === undefined
      ? `Your answer was: ${valueWords(before.value, text)}`
      : `You skipped this: ${before.skip || 'without a reason'}`;
  return h('p', { class: 'before' }, mode === 'decide' ? `Decided: ${valueWords(before.value, text)}` : said);
}

const footButton = (key, words, onclick, attributes = {}) =>
  h(
    'button',
    { type: 'button', class: 'foot', onclick, 'aria-keyshortcuts': key, ...attributes },
    h('kbd', { class: 'wide-only', 'aria-hidden': 'true' }, key),
    words,
  );

function showWork() {
  if (!work) return;
  showState();
  const entry = work.current;
  if (!entry) return work.exhausted ? showNothingLeft() : showWaiting();
  if (entry === shown) return;
  showEntry(entry, null, [
    footButton('U', 'Undo', undo),
    footButton('S', 'Skip', () => skipDialog.open()),
    h('span', { class: 'spacer' }),
    h('span', { id: 'hand', class: 'hint' }),
  ]);
  showState();
}

function showWaiting() {
  clear();
  byId('task').replaceChildren(h('p', { class: 'nothing' }, 'Waiting for the server …'));
}

function showNothingLeft() {
  if (byId('nothing-left')) return;
  clear();
  byId('task').replaceChildren(
    h(
      'div',
      { class: 'nothing', id: 'nothing-left' },
      h('h1', {}, 'Nothing is left for you'),
      h('p', {}, 'Every item has its labels, or other people are at work on it. New ones appear here by themselves.'),
      h(
        'div',
        { class: 'buttons' },
        h('button', { type: 'button', class: 'quiet', onclick: undo }, 'Undo my last label'),
      ),
    ),
  );
  byId('task').focus({ preventScroll: true });
  announce('Nothing is left for you.');
}

function showQueue() {
  const entry = queue?.current;
  if (!queue) return;
  if (!entry) {
    clear();
    byId('task').replaceChildren(
      h(
        'div',
        { class: 'nothing' },
        h('h1', {}, queue.waiting > 0 ? 'That was the list' : 'Nothing to decide'),
        h(
          'p',
          {},
          queue.waiting > 0
            ? `${plural(queue.waiting, 'item')} may still want a decision.`
            : 'No item has answers that want a decision.',
        ),
        h(
          'div',
          { class: 'buttons' },
          h('button', { type: 'button', class: 'quiet', onclick: openQueue }, 'Look again'),
        ),
      ),
    );
    byId('task').focus({ preventScroll: true });
    return;
  }
  const view = (places) => answersView(entry, project, places.text, (value) => say({ value }));
  showEntry(entry, view, [
    footButton('U', 'Back', () => queue.back() || toast('This is the first one.')),
    footButton('S', 'Later', () => queue.leave()),
    h('span', { class: 'spacer' }),
    h('span', { class: 'hint' }, `${plural(queue.waiting, 'item')} without a decision`),
  ]);
}

function showState() {
  const status = byId('status');
  const waiting = work?.sending.length ?? 0;
  status.textContent = work?.offline ? 'No connection. What you answer is kept here and sent again.' : '';
  const hand = byId('hand');
  if (hand) hand.textContent = waiting ? `saving ${plural(waiting, 'label')} …` : '';
}

// ---- what people do ----

function say(answer) {
  if (!shown || (answer.value === undefined && answer.skip === undefined)) return;
  if (mode === 'decide') {
    if (answer.value !== undefined) queue.decide(answer.value).then(() => progress.refresh());
    return;
  }
  const seconds = Math.round(10 * lookedAt()) / 10;
  announce(answer.skip === undefined ? 'Kept. Next item.' : 'Skipped. Next item.');
  work.answer(answer, seconds);
  progress.soon();
}

async function undo() {
  if (mode === 'decide') return queue.back() || toast('This is the first one.');
  if (!work) return false;
  const found = await work.undo();
  if (found) announce('Taken back.');
  else if (!work.offline) toast('There is nothing to take back.');
  progress.refresh();
  return true;
}

function lookedAt() {
  return watch.seconds + (watch.since ? (performance.now() - watch.since) / 1000 : 0);
}

function failed(error, again = null) {
  if (error.status === 401) {
    close();
    return begin(true);
  }
  if (!error.status && !error.code) throw error; // of this page
  toast(sentence(error.message), again && { label: 'Try again', run: again });
  return undefined;
}

// ---- the frame ----

const narrow = matchMedia('(max-width: 900px)');

function showPanel(open) {
  byId('progress').hidden = !open;
  byId('scrim').hidden = !open || !narrow.matches;
  byId('main').inert = open && narrow.matches;
  byId('toggle-progress').setAttribute('aria-expanded', String(open));
  if (!narrow.matches) remember('progress', open);
}

function startFrame() {
  startTheme();
  const toggle = byId('toggle-progress');
  toggle.append(icon('chart'));
  toggle.title = toggle.getAttribute('aria-label');
  toggle.addEventListener('click', () => showPanel(byId('progress').hidden));
  byId('scrim').addEventListener('click', () => showPanel(false));
  narrow.addEventListener('change', () => showPanel(!narrow.matches && recall('progress', true)));
  showPanel(!narrow.matches && recall('progress', true));
  byId('project').addEventListener('change', () =>
    openProject(server.projects.find((p) => p.name === byId('project').value)),
  );
  byId('mode-label').addEventListener('click', () => setMode('label'));
  byId('mode-decide').addEventListener('click', () => setMode('decide'));
  byId('person').addEventListener('click', changePerson);
  byId('task').addEventListener('click', (event) => {
    const side = event.target.closest('.side')?.dataset.side;
    if (side && control && !String(getSelection())) {
      control.set(side);
      say({ value: side });
    }
  });
}

function startKeys() {
  const rows = [
    [['1', '…', '9'], 'The label with this number'],
    [['←', '→'], 'Left or right is better; in a text to mark: from word to word'],
    [['='], 'Equally good'],
    [['Shift', '→'], 'Take one word more'],
    [['Del'], 'Take marks away'],
    [['Enter'], 'Done, where an answer has several parts'],
    [['U'], 'Undo; while deciding: back to the item before'],
    [['S'], 'Skip, with a reason; while deciding: later'],
    [['Esc'], 'Out of a box, so that the letters are keys again'],
    [['D'], 'Label or decide'],
    [['P'], 'Progress and agreement'],
    [['?'], 'This list'],
  ];
  startKeyboard(rows, (pressed) => {
    if (skipDialog.isOpen) return false;
    const { key, command, typing } = pressed;
    if (command && key === 'z' && !typing) return (undo(), true);
    if (command) return false;
    if (key === 'Escape' && byId('scrim').hidden === false) return (showPanel(false), true);
    if (control?.key(pressed)) return true;
    if (typing || !project) return false;
    if (key === 'u' || key === 'z') return (undo(), true);
    if (key === 's' && shown) return (mode === 'decide' ? queue.leave() : skipDialog.open(), true);
    if (key === 'd') return (setMode(mode === 'label' ? 'decide' : 'label'), true);
    if (key === 'p') return (showPanel(byId('progress').hidden), true);
    return false;
  });
}

// The leases are renewed while somebody looks, and what others leave is found.
setInterval(() => {
  if (document.visibilityState === 'visible' && work && !work.offline) work.fill();
}, 10000);
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') watch = { seconds: lookedAt(), since: 0 };
  else watch.since = performance.now();
});
addEventListener('beforeunload', (event) => {
  if (work?.sending.length) event.preventDefault();
});

startFrame();
startKeys();
begin();
