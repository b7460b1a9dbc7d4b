// @ts-check
// Who is large: the one who speaks, but only after real speech and never flickering. Time is a value.

/** Milliseconds of unbroken speech before somebody becomes large. A cough is shorter. */
export const SPEECH = 1500;
/** Milliseconds somebody stays large at least. */
export const HOLD = 4000;

export class Floor {
  /** @type {string | null} */ #candidate = null;
  /** @type {string | null} */ #shown = null;
  #since = 0;
  #shownAt = -Infinity;

  /**
   * Take in who speaks now.
   * @param {string | null} participant null is silence; feed nobody's own voice to themselves
   * @param {number} now milliseconds
   */
  heard(participant, now) {
    if (participant === this.#candidate) return;
    this.#candidate = participant;
    this.#since = now;
  }

  /** The person left: their place is free at once. @param {string} participant */
  gone(participant) {
    if (this.#candidate === participant) this.#candidate = null;
    if (this.#shown === participant) {
      this.#shown = null;
      this.#shownAt = -Infinity;
    }
  }

  /** Who is large at this moment, or null when nobody has spoken yet. @param {number} now */
  large(now) {
    if (this.#candidate !== null && this.#candidate !== this.#shown && now >= this.#due()) {
      this.#shown = this.#candidate;
      this.#shownAt = now;
    }
    return this.#shown;
  }

  /** Milliseconds until `large` may answer otherwise without anything being heard, or null. @param {number} now */
  wait(now) {
    if (this.#candidate === null || this.#candidate === this.#shown) return null;
    return Math.max(0, this.#due() - now);
  }

  #due() {
    return Math.max(this.#since + SPEECH, this.#shownAt + HOLD);
  }
}

/**
 * Who is large when nobody has spoken: the customer sees the adviser, the adviser sees the customer.
 * @param {{id: string, capacity: string}[]} others
 * @returns {string | null}
 */
export function expected(others) {
  const order = ["adviser", "customer", "specialist", "representative", "observer"];
  const rank = (/** @type {string} */ capacity) => (order.includes(capacity) ? order.indexOf(capacity) : order.length);
  return [...others].sort((one, other) => rank(one.capacity) - rank(other.capacity))[0]?.id ?? null;
}
