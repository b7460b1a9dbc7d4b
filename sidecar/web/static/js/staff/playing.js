// @ts-check
// What the viewer works out without a browser: which part comes next, and a position in words.

/** Seconds fetched ahead of what is shown. */
const AHEAD = 10;

/** Which part to fetch next, or -1 when enough is there. @param {number} at seconds @param {number} length of a part @param {number} parts @param {(part: number) => boolean} has */
export function nextPart(at, length, parts, has) {
  const first = Math.floor(Math.max(0, at) / length);
  for (let part = first; part < parts && part * length <= at + AHEAD; part += 1) if (!has(part)) return part;
  return -1;
}

/** A position in words: 1:02:03. @param {number} ms */
export function position(ms) {
  const all = Math.floor(ms / 1000);
  const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}
