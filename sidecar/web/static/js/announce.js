// @ts-check
// Says things aloud without moving the focus: one polite region a page, at most one sentence each three seconds.

/**
 * Returns a function that lets the newest sentence through, never closer than `gap` to the one before.
 * Of several that come too close, only the last is said: what is outdated is not worth hearing.
 * @param {(sentence: string) => void} say
 * @param {{gap?: number, now?: () => number, later?: (act: () => void, delay: number) => unknown}} [options] gap in ms
 */
export function paced(say, { gap = 3000, now = () => performance.now(), later = setTimeout } = {}) {
  let last = -Infinity;
  /** @type {string | null} */
  let waiting = null;
  const speak = () => {
    if (waiting === null) return;
    last = now();
    const sentence = waiting;
    waiting = null;
    say(sentence);
  };
  return (/** @type {string} */ sentence) => {
    const free = now() - last >= gap;
    const planned = waiting !== null;
    waiting = sentence;
    if (free && !planned) speak();
    else if (!planned) later(speak, gap - (now() - last));
  };
}

/** @param {string} id @param {string} sentence */
function put(id, sentence) {
  const region = document.getElementById(id);
  if (!region) return;
  // An unchanged text is not read again, so an equal sentence is emptied first.
  region.textContent = "";
  requestAnimationFrame(() => { region.textContent = sentence; });
}

/** Says a sentence politely, after what is being read. */
export const announce = paced((sentence) => put("announce", sentence));

/** Says a sentence at once: muted, removed, share cut, two minutes left. @param {string} sentence */
export function alarm(sentence) {
  put("alarm", sentence);
}
