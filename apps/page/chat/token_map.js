// Which token a character of an answer belongs to. Tokens are bytes, and one may end in the middle of a character;
// the text counts UTF-16 units. Both are laid side by side as UTF-8.

export class TokenMap {
  constructor(content, tokens) {
    this.ends = []; // of each token, in UTF-16 units of content
    const encoder = new TextEncoder();
    const unitAt = unitOfByte(content);
    let bytes = 0;
    for (const { token, bytes: own } of tokens) {
      bytes += own ? own.length : encoder.encode(token).length;
      this.ends.push(bytes < unitAt.length ? unitAt[bytes] : content.length);
    }
  }

  // The number of the token that has character `offset`, or -1.
  at(offset) {
    let low = 0;
    let high = this.ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ends[middle] > offset) high = middle;
      else low = middle + 1;
    }
    return low < this.ends.length ? low : -1;
  }

  range(i) {
    return [i ? this.ends[i - 1] : 0, this.ends[i]];
  }
}

// unitOfByte(s)[b] is the UTF-16 unit that byte b of s belongs to.
function unitOfByte(content) {
  const units = [];
  let unit = 0;
  for (const ch of content) {
    const code = ch.codePointAt(0);
    const length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (let k = 0; k < length; k += 1) units.push(unit);
    unit += ch.length;
  }
  units.push(unit);
  return units;
}
