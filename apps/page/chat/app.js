// The page: holds the open conversation and the answers under way, and joins the parts together.

import { Api } from './api.js';
import { Composer } from './composer.js';
import { Connection } from './connection.js';
import { announce, byId, toast } from '../shared/dom.js';
import { ModelChoice } from './models.js';
import { Panels } from './panels.js';
import { recall, remember } from '../shared/preferences.js';
import { EXAMPLE_SCHEMA } from './schema.js';
import { Run } from './run.js';
import { SettingsPanel } from './settings_panel.js';
import { startShortcuts } from './shortcuts.js';
import { Sidebar } from './sidebar.js';
import { openStore } from './store.js';
import { startTheme } from '../shared/theme.js';
import { Thread } from './thread.js';
import { EXAMPLE_TOOLS } from './tools.js';
import { download, exportText, readSettings } from './transfer.js';
import { addAnswer, addNode, lastNode, newConversation, removeLeaf, stepSibling, visiblePath } from './tree.js';

const SAVE_EVERY = 1000; // ms, while an answer grows

class App {
  askedAgain = new Set(); // models whose context length was asked for after an answer
  runs = new Map(); // id of a conversation -> Run

  constructor(store) {
    this.store = store;
    this.api = new Api();
    this.panels = new Panels();
    const nextTheme = startTheme();
    this.models = new ModelChoice((id) => this.#modelChosen(id));
    this.conversation = this.#fresh();
    this.composer = new Composer(this);
    this.settingsPanel = new SettingsPanel({
      onChange: () => this.#settingsChanged(),
      onDefault: (settings) => (remember('defaults', settings), toast('New conversations begin with these settings.')),
      onExport: () => download('puna-conversation.json', exportText([this.conversation])),
      onClose: () => this.panels.close('settings'),
    });
    this.thread = new Thread(this);
    this.sidebar = new Sidebar(this);
    this.connection = new Connection(this.api, {
      onModels: (models) => this.#modelsCame(models),
      onTrouble: () => this.showThread(),
    });
    startShortcuts({
      newChat: () => this.newChat(),
      list: () => this.panels.toggle('sidebar'),
      settings: () => this.panels.toggle('settings'),
      theme: nextTheme,
      focus: () => this.composer.focus(),
      escape: () => this.panels.closeOverlay() || this.stop(),
    });
    store.onChange(({ id }) => this.#changedElsewhere(id));
    addEventListener('pagehide', () => this.runs.forEach((run) => run.stop()));
  }

  async start() {
    const id = decodeURIComponent(location.hash.slice(1));
    const stored = id ? await this.store.get(id) : null;
    this.#show(stored ?? this.conversation);
    await this.sidebar.refresh();
    addEventListener('hashchange', () => this.#hashChanged());
    await this.connection.load();
    if (!this.isPhone && byId('notice').hidden) this.composer.focus();
  }

  get isPhone() {
    return matchMedia('(pointer: coarse) and (max-width: 760px)').matches;
  }

  get needsKey() {
    return this.connection?.needsKey ?? false;
  }

  get offline() {
    return this.connection?.offline ?? false;
  }

  isRunning(id) {
    return this.runs.has(id);
  }

  isWriting(node) {
    return this.runs.get(this.conversation.id)?.node === node;
  }

  // ---- messages ----------------------------------------------------------------------------------------------------

  // False when it cannot be sent now; why is said where it belongs.
  send({ content, images }) {
    if (!this.#isReady()) return false;
    const last = lastNode(this.conversation);
    if (last.role === 'assistant' && last.toolCalls.length) {
      toast('The model waits for the results of its calls: fill them in above.');
      this.thread.viewOf(last).element.querySelector('textarea')?.focus();
      return false;
    }
    // A question that has no answer yet, because the answer was removed, is asked again together with the new one.
    const node = addNode(this.conversation, last.id, { role: 'user', content, images });
    this.#answer(node);
    return true;
  }

  sendResults(answer, results) {
    if (!this.#isReady()) return;
    this.#answer(addNode(this.conversation, answer.id, { role: 'tool', results }));
    this.composer.focus();
  }

  // Another answer beside this one; in its place when it failed before its first word.
  retry(node) {
    if (this.conversation.nodes[node.id] !== node || !this.#isReady()) return;
    const parent = this.conversation.nodes[node.parent];
    if (!node.content && !node.toolCalls.length) removeLeaf(this.conversation, node.id);
    this.#answer(parent);
    this.composer.focus();
  }

  saveEdit(node, changes) {
    if (node.role !== 'assistant' && !this.#isReady()) return;
    if (node.role === 'assistant') {
      const { model, schema } = node;
      const fields = { role: 'assistant', toolCalls: [], tokens: [], model, schema, edited: true, finish: 'stop' };
      addNode(this.conversation, node.parent, { ...fields, ...changes });
      this.#changed();
    } else {
      this.#answer(addNode(this.conversation, node.parent, { role: node.role, ...changes }));
    }
    this.composer.focus();
  }

  switchBranch(node, step) {
    const to = stepSibling(this.conversation, node, step);
    if (!to) return;
    this.#changed();
    const { element } = this.thread.viewOf(this.conversation.nodes[to]);
    const same = step < 0 ? 'Previous version' : 'Next version';
    const button =
      element.querySelector(`[aria-label="${same}"]:not(:disabled)`) ??
      element.querySelector('.branches button:not(:disabled)');
    button?.focus();
    element.scrollIntoView({ block: 'nearest' });
  }

  editLast() {
    const last = visiblePath(this.conversation).findLast((node) => node.role === 'user');
    if (!last || this.runs.has(this.conversation.id)) return false;
    this.thread.viewOf(last).edit();
    return true;
  }

  // True when there was something to stop.
  stop() {
    const run = this.runs.get(this.conversation.id);
    run?.stop();
    return Boolean(run);
  }

  #isReady() {
    if (this.runs.has(this.conversation.id)) {
      toast('Wait for the answer, or stop it first.');
      return false;
    }
    if (!this.models.id) {
      toast('There is no model to ask yet.');
      return false;
    }
    const { problem } = this.settingsPanel;
    if (!problem) return true;
    this.showSetting(problem.param);
    toast(`Not sent: ${problem.text}`);
    return false;
  }

  async #answer(parent) {
    const { conversation } = this;
    conversation.settings.model = this.models.id;
    const node = addAnswer(conversation, parent.id, this.models.id);
    const run = new Run(this.api, conversation, node, () => this.#grew(run));
    this.runs.set(conversation.id, run);
    this.thread.follows = true;
    byId('toasts').replaceChildren();
    announce('The model is answering.');
    await this.#changed();
    if (conversation === this.conversation) history.replaceState(null, '', `#${conversation.id}`);
    await run.start();
    this.runs.delete(conversation.id);
    this.#ended(run);
  }

  // At most once a frame for the eye, once a second for the disk.
  #grew(run) {
    const now = performance.now();
    if (!run.isDiscarded && now - (run.savedAt ??= now) > SAVE_EVERY) {
      run.savedAt = now;
      this.#save(run.conversation);
    }
    if (run.conversation !== this.conversation) return;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.runs.get(this.conversation.id) === run) this.thread.showNode(run.node);
    });
  }

  async #ended({ node, conversation, isDiscarded }) {
    if (isDiscarded) return;
    conversation.updated = Date.now();
    await this.#save(conversation);
    await this.sidebar.refresh();
    if (conversation === this.conversation) {
      this.showThread();
      announce(spoken(node));
      if (node.error?.status === 401) this.askForKey(() => this.retry(node));
    } else {
      toast(`“${conversation.title}” has its answer.`, { label: 'Open', run: () => this.open(conversation.id) });
    }
    // A model that is loaded by its first question tells its context only now.
    if (!node.error && !this.models.contextLength && !this.askedAgain.has(node.model)) {
      this.askedAgain.add(node.model);
      this.connection.load();
    }
    if (node.error?.code === 'offline') this.connection.lost(node.error);
    if (node.error && this.settingsPanel.hasPlaceFor(node.error.param) && this.panels.isOpen('settings')) {
      this.settingsPanel.show(node.error.param, node.error.message);
    }
  }

  // ---- conversations -----------------------------------------------------------------------------------------------

  newChat() {
    this.#show(this.#fresh());
    history.replaceState(null, '', location.pathname + location.search);
    if (this.models.model.options.length) this.models.select(recall('model', ''));
    this.panels.closeOverlay();
    this.composer.focus();
  }

  async open(id) {
    const conversation = this.runs.get(id)?.conversation ?? (await this.store.get(id));
    if (!conversation) {
      toast('This conversation is no longer here.');
      return;
    }
    this.#show(conversation);
    history.replaceState(null, '', `#${id}`);
    this.panels.closeOverlay();
  }

  async rename(id, title) {
    const conversation = id === this.conversation.id ? this.conversation : await this.store.get(id);
    conversation.title = title;
    await this.#save(conversation);
    if (id === this.conversation.id) this.showThread();
  }

  // The conversation, so that it can be brought back.
  async remove(id) {
    const conversation = id === this.conversation.id ? this.conversation : await this.store.get(id);
    const run = this.runs.get(id);
    if (run) {
      run.isDiscarded = true;
      run.stop();
    }
    await this.store.delete(id);
    if (id === this.conversation.id) this.newChat();
    await this.sidebar.refresh();
    return conversation;
  }

  startWithSchema() {
    Object.assign(this.conversation.settings.schema, { on: true, text: EXAMPLE_SCHEMA });
    this.#settingsReplaced('response_format');
    this.composer.fill('Name a city at more than 3,000 metres.');
  }

  startWithTool() {
    Object.assign(this.conversation.settings.tools, { on: true, text: EXAMPLE_TOOLS });
    this.#settingsReplaced('tools');
    this.composer.fill('What is the weather in La Paz?');
  }

  #settingsReplaced(param) {
    this.settingsPanel.load(this.conversation.settings);
    this.showState();
    if (matchMedia('(min-width: 1081px)').matches) this.showSetting(param);
  }

  #fresh() {
    return newConversation(readSettings(recall('defaults', null)));
  }

  #show(conversation) {
    this.conversation = conversation;
    this.settingsPanel.load(conversation.settings);
    this.models.select(conversation.settings.model);
    this.showThread();
    this.sidebar.refresh();
    this.thread.scrollToEnd();
  }

  async #changed() {
    this.conversation.updated = Date.now();
    this.showThread();
    await this.#save(this.conversation);
    await this.sidebar.refresh();
  }

  async #save(conversation) {
    if (!conversation.nodes.root.children.length) return;
    try {
      await this.store.save(conversation);
    } catch (error) {
      toast(`The browser could not keep this conversation: ${error?.message ?? 'no room'}. Export it to be safe.`);
    }
  }

  async #changedElsewhere(id) {
    await this.sidebar.refresh();
    if (id !== this.conversation.id || this.runs.has(id)) return;
    const stored = await this.store.get(id);
    if (stored && stored.updated > this.conversation.updated) this.#show(stored);
  }

  #hashChanged() {
    const id = decodeURIComponent(location.hash.slice(1));
    if (id && id !== this.conversation.id) this.open(id);
  }

  // ---- what is shown -----------------------------------------------------------------------------------------------

  showThread() {
    const title = this.conversation.title || 'New conversation';
    byId('title').textContent = title;
    document.title = this.conversation.title ? `${title} · Puna` : 'Puna';
    this.thread.show();
    this.showState();
  }

  showState() {
    const used = visiblePath(this.conversation).findLast((node) => node.usage)?.usage.total ?? 0;
    this.composer.setRunning(this.runs.has(this.conversation.id));
    this.composer.showState(this.conversation.settings, used, this.models.contextLength);
  }

  showSetting(param, message = null) {
    this.panels.open('settings');
    this.settingsPanel.show(param, message);
  }

  askForKey(then) {
    this.connection.askForKey(then);
  }

  #settingsChanged() {
    this.showState();
    const { conversation } = this;
    clearTimeout(this.saving);
    this.saving = setTimeout(() => conversation === this.conversation && this.#save(conversation), 300);
  }

  #modelChosen(id) {
    remember('model', id);
    this.conversation.settings.model = id;
    this.showThread();
    this.#save(this.conversation);
  }

  #modelsCame(models) {
    this.models.setModels(models);
    this.models.select(this.conversation.settings.model) || this.models.select(recall('model', ''));
    this.showThread();
  }
}

function spoken({ content, toolCalls, error, stopped }) {
  if (error) return `Error: ${error.message}`;
  if (stopped) return 'Stopped.';
  if (toolCalls.length) return `The model calls ${toolCalls.map((call) => call.name).join(', ')}.`;
  return `Answer: ${content}`;
}

await new App(await openStore()).start();
