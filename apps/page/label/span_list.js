// Marked spans of a text, as numbers: words, pieces between boundaries, what a new span does to those that are there.
// Offsets count UTF-16 units, as strings do here. Knows no elements.

// [[start, end], ...] of the words, without the punctuation around them.
export function wordsOf(text) {
  const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' });
  const words = [];
  for (const { segment, index, isWordLike } of segmenter.segment(text))
    if (isWordLike || /[^\s\p{P}]/u.test(segment)) words.push([index, index + segment.length]);
  return words;
}

// Without the white space at both ends; null when nothing is left.
export function trimmed(text, start, end) {
  while (start < end && /\s/.test(text[start])) start += 1;
  while (end > start && /\s/.test(text[end - 1])) end -= 1;
  return start < end ? [start, end] : null;
}

// With one more span. The same span with the same label is taken out instead; another label takes its place.
export function withSpan(spans, start, end, label) {
  const others = spans.filter((s) => s.start !== start || s.end !== end);
  const same = spans.some((s) => s.start === start && s.end === end && s.label === label);
  const all = same ? others : [...others, { start, end, label }];
  return all.sort((a, b) => a.start - b.start || b.end - a.end);
}

// The text cut wherever a span or the selection begins or ends: [{start, end, spans: [number, ...], selected}].
export function piecesOf(length, spans, selection) {
  const cuts = new Set([0, length]);
  for (const span of spans) cuts.add(span.start).add(span.end);
  if (selection) cuts.add(selection[0]).add(selection[1]);
  const at = [...cuts].filter((cut) => cut >= 0 && cut <= length).sort((a, b) => a - b);
  const pieces = [];
  for (let i = 0; i + 1 < at.length; i += 1) {
    const [start, end] = [at[i], at[i + 1]];
    pieces.push({
      start,
      end,
      spans: spans.flatMap((s, n) => (s.start <= start && s.end >= end ? [n] : [])),
      selected: Boolean(selection) && selection[0] <= start && selection[1] >= end,
    });
  }
  return pieces;
}
