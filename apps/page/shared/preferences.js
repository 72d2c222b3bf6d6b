// Small choices that outlive a visit: theme, last model, defaults of new conversations, API key. Browsers may refuse to
// store; the page then works without memory.

const PREFIX = 'puna.';

export function recall(name, otherwise) {
  try {
    const text = sessionStorage.getItem(PREFIX + name) ?? localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

// `lasting` false: until this tab closes.
export function remember(name, value, lasting = true) {
  try {
    forget(name);
    (lasting ? localStorage : sessionStorage).setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Refused or full.
  }
}

export function forget(name) {
  try {
    sessionStorage.removeItem(PREFIX + name);
    localStorage.removeItem(PREFIX + name);
  } catch {
    // Refused.
  }
}
