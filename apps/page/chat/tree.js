// A conversation: a tree of messages. An edit or a retry adds a sibling; each message remembers which of its children
// was chosen, and the path of choices from the root is what one sees. Plain data: it is stored and exported as it is.
//
//   conversation = {id, title, created, updated, settings, nodes: {root, <id>: node, ...}}
//   node         = {id, parent, children: [id], chosen: id or null, role: 'user' | 'assistant' | 'tool', ...}
//   user:      content, images: [data: URL]
//   assistant: content, reasoning, toolCalls: [{id, name, arguments}], tokens, finish, usage, timing, model, error,
//              stopped, edited, schema
//   tool:      results: [{id, content}], one for each call of its parent

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

export function newConversation(settings) {
  const now = Date.now();
  const root = { id: 'root', parent: null, children: [], chosen: null, role: 'root' };
  return { id: newId(), title: '', created: now, updated: now, settings: structuredClone(settings), nodes: { root } };
}

export function addNode(conversation, parentId, fields) {
  const node = { ...fields, id: newId(), parent: parentId, children: [], chosen: null, created: Date.now() };
  const parent = conversation.nodes[parentId];
  conversation.nodes[node.id] = node;
  parent.children.push(node.id);
  parent.chosen = node.id;
  if (!conversation.title && node.role === 'user') conversation.title = titleFrom(node);
  return node;
}

export function addAnswer(conversation, parentId, model) {
  return addNode(conversation, parentId, { role: 'assistant', content: '', toolCalls: [], tokens: [], model });
}

// Only for a leaf, such as an answer that failed before its first word.
export function removeLeaf(conversation, id) {
  const node = conversation.nodes[id];
  if (node.children.length) return;
  const parent = conversation.nodes[node.parent];
  parent.children = parent.children.filter((child) => child !== id);
  if (parent.chosen === id) parent.chosen = parent.children.at(-1) ?? null;
  delete conversation.nodes[id];
}

// The messages that are seen, first to last.
export function visiblePath(conversation) {
  const path = [];
  for (let id = conversation.nodes.root.chosen; id; id = conversation.nodes[id].chosen)
    path.push(conversation.nodes[id]);
  return path;
}

export function lastNode(conversation) {
  return visiblePath(conversation).at(-1) ?? conversation.nodes.root;
}

export function siblingsOf(conversation, node) {
  return conversation.nodes[node.parent].children;
}

// Shows the sibling that is `step` to the right (or left, when negative), and what was last seen below it.
export function stepSibling(conversation, node, step) {
  const siblings = siblingsOf(conversation, node);
  const to = siblings[siblings.indexOf(node.id) + step];
  if (to) conversation.nodes[node.parent].chosen = to;
  return to ?? null;
}

// Messages from the root down to `node`, and `node` itself.
export function pathTo(conversation, node) {
  const path = [];
  for (let at = node; at.parent !== null; at = conversation.nodes[at.parent]) path.unshift(at);
  return path;
}

function titleFrom(node) {
  const line = node.content.trim().split('\n')[0];
  if (!line) return node.images?.length ? 'Image' : '';
  return line.length > 60 ? `${line.slice(0, 59).trimEnd()}…` : line;
}
