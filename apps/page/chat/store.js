// Conversations in the browser's IndexedDB. Two tables: whole conversations, and what the list shows of each.
// Where the browser refuses (some private windows), memory takes its place and `isLasting` is false.

const NAME = 'puna';
const VERSION = 1;

export async function openStore() {
  try {
    return new Store(await openDatabase());
  } catch {
    return new MemoryStore();
  }
}

function openDatabase() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('conversations', { keyPath: 'id' });
      request.result.createObjectStore('list', { keyPath: 'id' });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('blocked'));
  });
}

const entryOf = ({ id, title, created, updated }) => ({ id, title, created, updated });
const newestFirst = (entries) => entries.sort((a, b) => b.updated - a.updated);

class Store {
  isLasting = true;

  constructor(database) {
    this.database = database;
    this.channel = new BroadcastChannel('puna-conversations'); // other tabs of this page
  }

  // f({id}) when another tab saved or deleted a conversation.
  onChange(f) {
    this.channel.onmessage = (event) => f(event.data);
  }

  async list() {
    return newestFirst(await this.#do('readonly', (_, list) => list.getAll()));
  }

  async get(id) {
    return this.#do('readonly', (conversations) => conversations.get(id));
  }

  async save(conversation) {
    await this.#do('readwrite', (conversations, list) => {
      conversations.put(conversation);
      return list.put(entryOf(conversation));
    });
    this.channel.postMessage({ id: conversation.id });
  }

  async delete(id) {
    await this.#do('readwrite', (conversations, list) => {
      conversations.delete(id);
      return list.delete(id);
    });
    this.channel.postMessage({ id });
  }

  #do(mode, action) {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction(['conversations', 'list'], mode);
      const request = action(transaction.objectStore('conversations'), transaction.objectStore('list'));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }
}

class MemoryStore {
  isLasting = false;
  conversations = new Map();

  onChange() {}

  async list() {
    return newestFirst([...this.conversations.values()].map(entryOf));
  }

  async get(id) {
    return structuredClone(this.conversations.get(id));
  }

  async save(conversation) {
    this.conversations.set(conversation.id, structuredClone(conversation));
  }

  async delete(id) {
    this.conversations.delete(id);
  }
}
