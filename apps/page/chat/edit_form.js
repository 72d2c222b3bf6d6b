// A message in place of itself as a form. What is saved becomes a branch beside the old one.

import { h, iconButton } from '../shared/dom.js';

// onDone({content, images}) of a user's message, {content} of an answer, {results} of results of calls.
export function editForm(node, { onDone, onCancel }) {
  const areas = [];
  const area = (value, label) => {
    const element = h('textarea', { 'aria-label': label, rows: 3, value });
    areas.push(element);
    return element;
  };
  const images = [...(node.images ?? [])];
  const fields =
    node.role === 'tool'
      ? node.results.map((result, i) => area(result.content, `Result ${i + 1}`))
      : [area(node.content, node.role === 'user' ? 'Your message' : 'The answer')];
  const done = () => {
    if (node.role === 'tool') onDone({ results: node.results.map(({ id }, i) => ({ id, content: areas[i].value })) });
    else if (node.role === 'user') onDone({ content: areas[0].value, images });
    else onDone({ content: areas[0].value });
  };
  const form = h(
    'form',
    { class: 'edit' },
    images.length ? pictures(images) : null,
    fields,
    h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'button', class: 'quiet', onclick: onCancel }, 'Cancel'),
      h('button', { type: 'submit', class: 'primary' }, node.role === 'assistant' ? 'Save' : 'Send'),
    ),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    done();
  });
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      event.stopPropagation();
      onCancel();
    } else if (
      event.key === 'Enter' &&
      !event.shiftKey &&
      !event.isComposing &&
      event.target.tagName === 'TEXTAREA' &&
      node.role !== 'assistant'
    ) {
      event.preventDefault();
      done();
    }
  });
  return form;
}

function pictures(images) {
  const row = h('div', { class: 'attached' });
  const show = () =>
    row.replaceChildren(...images.map((url, i) => thumbnail(url, i, () => (images.splice(i, 1), show()))));
  show();
  return row;
}

export function thumbnail(url, i, onRemove) {
  const remove = iconButton('close', `Remove image ${i + 1}`, onRemove, { class: 'icon-button remove' });
  return h('div', { class: 'thumbnail' }, h('img', { src: url, alt: `Image ${i + 1}` }), remove);
}
