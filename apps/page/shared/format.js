// Numbers, tokens and times in words.

export const count = (n) => n.toLocaleString('en');

export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? '' : 's'}`;

export function percent(p) {
  const hundred = p * 100;
  if (hundred >= 99.95) return '100%';
  if (hundred < 0.01) return '<0.01%';
  return `${hundred.toFixed(hundred < 1 ? 2 : 1)}%`;
}

export const seconds = (ms) =>
  ms < 9950 ? `${(ms / 1000).toFixed(ms < 995 ? 2 : 1)} s` : `${Math.round(ms / 1000)} s`;

export const rate = (perSecond) => perSecond.toFixed(perSecond < 10 ? 1 : 0);

// Spaces and line ends of a token, made visible.
export function visibleToken(token) {
  if (token === '') return '(nothing)';
  return token.replaceAll(' ', '·').replaceAll('\n', '↵').replaceAll('\t', '⇥');
}

export function when(time) {
  const date = new Date(time);
  const today = new Date();
  if (date.toDateString() === today.toDateString()) {
    return date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  }
  const year = date.getFullYear() === today.getFullYear() ? undefined : 'numeric';
  return date.toLocaleDateString([], { day: 'numeric', month: 'short', year });
}

// Servers begin their messages with a small letter, or with a name in quotes; on the page they are sentences.
export function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
