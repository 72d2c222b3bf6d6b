// The box one writes in: text, images, what is switched on for this conversation, and how full the context is.

import { h, byId, icon, toast } from '../shared/dom.js';
import { thumbnail } from './edit_form.js';
import { MAX_IMAGES, imagesOf, readImage } from './images.js';
import { readTools } from './tools.js';
import { count, plural } from '../shared/format.js';

export class Composer {
  images = [];
  running = false;

  constructor(app) {
    this.app = app;
    this.input = byId('input');
    this.button = byId('send');
    byId('attach').append(icon('image'));
    byId('attach').title = 'Add images';
    byId('attach').addEventListener('click', () => byId('image-file').click());
    byId('image-file').addEventListener('change', (event) => {
      this.addImages(imagesOf(event.target.files));
      event.target.value = '';
    });
    this.input.addEventListener('input', () => this.#fit());
    this.input.addEventListener('keydown', (event) => this.#key(event));
    this.input.addEventListener('paste', (event) => {
      const images = imagesOf(event.clipboardData.files);
      if (!images.length) return;
      event.preventDefault();
      this.addImages(images);
    });
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.running) app.stop();
      else this.#send();
    });
    this.#watchDrops();
    this.setRunning(false);
  }

  focus() {
    this.input.focus();
  }

  fill(text) {
    this.input.value = text;
    this.#fit();
    this.focus();
  }

  setRunning(running) {
    this.running = running;
    const label = running ? 'Stop' : 'Send';
    this.button.setAttribute('aria-label', label);
    this.button.title = running ? 'Stop (Esc)' : 'Send (Enter)';
    this.button.classList.toggle('stop', running);
    this.button.replaceChildren(running ? h('span', { class: 'square', 'aria-hidden': 'true' }) : icon('arrow_up'));
    this.#fit();
  }

  // What is switched on, and the tokens used of those that fit.
  showState(settings, used, contextLength) {
    const chip = (text, param) =>
      h('button', { type: 'button', class: 'chip', onclick: () => this.app.showSetting(param) }, text);
    const chips = [];
    if (settings.system.trim()) chips.push(chip('System prompt', 'system'));
    if (settings.schema.on) chips.push(chip('JSON schema', 'response_format'));
    if (settings.tools.on) chips.push(chip(plural(readTools(settings.tools.text).tools.length, 'tool'), 'tools'));
    byId('active').replaceChildren(...chips);
    const context = byId('context');
    context.replaceChildren();
    if (!used) return;
    const words = contextLength ? `${count(used)} of ${count(contextLength)} tokens` : plural(used, 'token');
    if (contextLength) {
      const share = Math.min(1, used / contextLength);
      const fill = h('span', { class: share > 0.9 ? 'fill full' : 'fill' });
      fill.style.width = `${Math.max(2, share * 100)}%`;
      context.append(h('span', { class: 'gauge', 'aria-hidden': 'true' }, fill));
    }
    context.append(h('span', { title: 'Context used by this conversation' }, words));
  }

  async addImages(files) {
    for (const file of files) {
      if (this.images.length >= MAX_IMAGES) {
        toast(`A message takes at most ${MAX_IMAGES} images.`);
        break;
      }
      try {
        this.images.push(await readImage(file));
      } catch (error) {
        toast(error.message);
      }
    }
    this.#showImages();
    this.focus();
  }

  #showImages() {
    const row = byId('attached');
    row.hidden = !this.images.length;
    const remove = (i) => () => (this.images.splice(i, 1), this.#showImages(), this.focus());
    row.replaceChildren(...this.images.map((url, i) => thumbnail(url, i, remove(i))));
    this.#fit();
  }

  #send() {
    const content = this.input.value.trim();
    if (!content && !this.images.length) return;
    if (!this.app.send({ content, images: this.images })) return;
    this.images = [];
    this.input.value = '';
    this.#showImages();
  }

  #key(event) {
    if (event.isComposing) return; // Enter that ends an input method's word
    if (event.key === 'Enter' && !event.shiftKey && !this.app.isPhone) {
      event.preventDefault();
      if (!this.running) this.#send();
    } else if (event.key === 'ArrowUp' && !this.input.value) {
      if (this.app.editLast()) event.preventDefault();
    }
  }

  // As tall as its text, up to a limit that the style sheet sets.
  #fit() {
    this.input.style.height = 'auto';
    this.input.style.height = `${this.input.scrollHeight}px`;
    this.button.disabled = !this.running && !this.input.value.trim() && !this.images.length;
  }

  #watchDrops() {
    const drop = byId('drop');
    const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
    addEventListener('dragover', (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      drop.hidden = false;
    });
    addEventListener('dragleave', (event) => {
      if (!event.relatedTarget) drop.hidden = true;
    });
    addEventListener('drop', (event) => {
      drop.hidden = true;
      if (!holdsFiles(event)) return;
      event.preventDefault();
      const images = imagesOf(event.dataTransfer.files);
      if (images.length) this.addImages(images);
      else toast('Only images can be added.');
    });
  }
}
