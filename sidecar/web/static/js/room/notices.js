// @ts-check
// What a screen reader is told: one polite sentence every three seconds at most, an urgent one at once.

/** Milliseconds between two polite sentences. */
export const GAP = 3000;
/** The same sentence within this many milliseconds is said once. */
export const REPEAT = 10_000;
/** More waiting sentences than this, and the oldest are dropped: late news is noise. */
export const LENGTH = 4;

/**
 * @typedef {object} Wiring
 * @property {(sentence: string) => void} polite writes to the role=status region
 * @property {(sentence: string) => void} urgent writes to the role=alert region
 * @property {() => number} now milliseconds
 * @property {(callback: () => void, delay: number) => void} later setTimeout, or a test's own
 */

export class Notices {
  /** @type {string[]} */ #waiting = [];
  /** @type {Map<string, number>} */ #said = new Map();
  #last = -Infinity;
  #planned = false;

  /** @param {Wiring} wiring */
  constructor(wiring) {
    this.wiring = wiring;
  }

  /**
   * Say it when there is room.
   * @param {string} sentence
   * @param {{again?: boolean}} [options] again: somebody asked, so the same answer is said once more
   */
  say(sentence, { again = false } = {}) {
    if (!sentence || this.#waiting.includes(sentence) || (!again && this.#recent(sentence))) return;
    this.#waiting.push(sentence);
    if (this.#waiting.length > LENGTH) this.#waiting.shift();
    this.#plan();
  }

  /** Say it at once, over whatever is being read. @param {string} sentence */
  alarm(sentence) {
    if (!sentence || this.#recent(sentence)) return;
    this.#said.set(sentence, this.wiring.now());
    this.wiring.urgent(sentence);
  }

  /** @param {string} sentence */
  #recent(sentence) {
    const at = this.#said.get(sentence);
    return at !== undefined && this.wiring.now() - at < REPEAT;
  }

  #plan() {
    if (this.#planned || this.#waiting.length === 0) return;
    const delay = Math.max(0, this.#last + GAP - this.wiring.now());
    if (delay === 0) {
      this.#speak();
      return;
    }
    this.#planned = true;
    this.wiring.later(() => {
      this.#planned = false;
      this.#speak();
    }, delay);
  }

  #speak() {
    const sentence = this.#waiting.shift();
    if (sentence === undefined) return;
    const now = this.wiring.now();
    this.#last = now;
    this.#said.set(sentence, now);
    for (const [old, at] of this.#said) if (now - at >= REPEAT) this.#said.delete(old);
    this.wiring.polite(sentence);
    this.#plan();
  }
}
