// @ts-check
// Changes one byte of an evidence file, as somebody would who wants another story told.

const START = '"entries": [';
const END = '\n  "checkpoint": {';
const A_Z = 26;

/**
 * Return a copy with one letter or digit among the entries changed to the next one, and where; null for a file
 * without entries. It stays readable text, so that what notices is the proof and not the reader of the form.
 * @param {Uint8Array} bytes
 * @param {() => number} [random] 0 up to 1
 * @returns {{ bytes: Uint8Array, at: number } | null}
 */
export function changed(bytes, random = Math.random) {
  const text = new TextDecoder("latin1").decode(bytes); // one sign a byte, so places are the same
  const start = text.indexOf(START);
  const end = text.indexOf(END, start);
  if (start < 0 || end < 0) return null;
  const places = [];
  for (const value of text.slice(start + START.length, end).matchAll(/: "([^"\\]+)"/g)) {
    const first = start + START.length + value.index + 3;
    for (let at = first; at < first + value[1].length; at += 1) if (next(bytes[at]) !== bytes[at]) places.push(at);
  }
  if (!places.length) return null;
  const at = places[Math.floor(random() * places.length)];
  const copy = bytes.slice();
  copy[at] = next(bytes[at]);
  return { bytes: copy, at };
}

/** The next digit or letter of the same kind; anything else as it is. @param {number} byte */
function next(byte) {
  if (byte >= 48 && byte <= 57) return 48 + ((byte - 47) % 10);
  if (byte >= 97 && byte <= 122) return 97 + ((byte - 96) % A_Z);
  if (byte >= 65 && byte <= 90) return 65 + ((byte - 64) % A_Z);
  return byte;
}
