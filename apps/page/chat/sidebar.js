// The list of conversations: open, rename, delete with a way back, export, import.

import { h, byId, icon, iconButton, toast } from '../shared/dom.js';
import { download, exportText, importText } from './transfer.js';
import { plural, when } from '../shared/format.js';

const FILTER_FROM = 8; // conversations before there is a box to find one

export class Sidebar {
  entries = [];

  constructor(app) {
    this.app = app;
    byId('new-chat').append(icon('plus'), h('span', {}, 'New conversation'));
    byId('new-chat').addEventListener('click', () => app.newChat());
    byId('filter').addEventListener('input', () => this.#show());
    byId('export').addEventListener('click', () => this.#exportAll());
    byId('import').addEventListener('click', () => byId('import-file').click());
    byId('import-file').addEventListener('change', async (event) => {
      const [file] = event.target.files;
      if (file) await this.#import(file);
      event.target.value = '';
    });
    byId('not-lasting').hidden = app.store.isLasting;
  }

  async refresh() {
    this.entries = await this.app.store.list();
    this.#show();
  }

  #show() {
    const filter = byId('filter');
    filter.hidden = this.entries.length < FILTER_FROM;
    const wanted = filter.hidden ? '' : filter.value.trim().toLowerCase();
    const shown = this.entries.filter((entry) => entry.title.toLowerCase().includes(wanted));
    const empty = h(
      'li',
      { class: 'none' },
      wanted ? 'None has this in its title.' : 'Conversations will be kept here.',
    );
    byId('conversations').replaceChildren(...(shown.length ? shown.map((entry) => this.#row(entry)) : [empty]));
    byId('export').disabled = !this.entries.length;
  }

  #row(entry) {
    const { app } = this;
    const current = entry.id === app.conversation.id;
    const title = entry.title || 'Untitled';
    const open = h(
      'button',
      { type: 'button', class: 'open', 'aria-current': current ? 'true' : null, onclick: () => app.open(entry.id) },
      h('span', { class: 'name' }, title),
      h('span', { class: 'when' }, app.isRunning(entry.id) ? 'answering…' : when(entry.updated)),
    );
    const row = h('li', { class: current ? 'current' : '' }, open);
    row.append(
      iconButton('edit', `Rename ${title}`, () => this.#rename(row, entry)),
      iconButton('trash', `Delete ${title}`, () => this.#delete(entry)),
    );
    return row;
  }

  #rename(row, entry) {
    const input = h('input', { class: 'rename', value: entry.title, 'aria-label': 'Title', maxlength: 200 });
    let done = false;
    const finish = async (keep) => {
      if (done) return;
      done = true;
      if (keep && input.value.trim()) await this.app.rename(entry.id, input.value.trim());
      await this.refresh();
    };
    input.addEventListener('blur', () => finish(true));
    input.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== 'Escape') return;
      event.stopPropagation();
      finish(event.key === 'Enter');
    });
    row.replaceChildren(input);
    input.select();
  }

  async #delete(entry) {
    const conversation = await this.app.remove(entry.id);
    toast(`Deleted “${entry.title || 'Untitled'}”.`, {
      label: 'Undo',
      run: async () => {
        await this.app.store.save(conversation);
        await this.app.open(conversation.id);
      },
    });
  }

  async #exportAll() {
    const conversations = await Promise.all(this.entries.map((entry) => this.app.store.get(entry.id)));
    const day = new Date().toISOString().slice(0, 10);
    download(`puna-conversations-${day}.json`, exportText(conversations.filter(Boolean)));
  }

  async #import(file) {
    try {
      const conversations = importText(await file.text());
      for (const conversation of conversations) await this.app.store.save(conversation);
      toast(`Imported ${plural(conversations.length, 'conversation')}.`);
      if (conversations.length) await this.app.open(conversations[0].id);
    } catch (error) {
      toast(`Nothing was imported. ${error.message}`);
    }
  }
}
