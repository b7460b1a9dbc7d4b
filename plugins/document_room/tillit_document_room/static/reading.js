// @ts-check
// What is in view, and for how long: pure, so that it is tested without a browser.

/** @typedef {{id: string, page: number, title: string, box: number[] | null, state: string}} Clause */
/** @typedef {{top: number, bottom: number}} Span */

const SHARE = 0.6; // of a clause that must be in view at once, unless it is taller than the window

/**
 * Say where a clause is: "in" view, left "above", or still "below".
 * @param {Span} clause @param {Span} view
 */
export function position(clause, view) {
  const seen = Math.min(clause.bottom, view.bottom) - Math.max(clause.top, view.top);
  const height = Math.max(1, Math.min(clause.bottom - clause.top, view.bottom - view.top));
  if (seen / height >= SHARE) return "in";
  return clause.bottom <= view.top + 4 ? "above" : "below";
}

/** Counts the time one page and its clauses are in view, and says what to tell the server. */
export class Watch {
  /** @type {Map<string, number>} */ #dwelt = new Map();
  /** @type {Set<string>} */ #told = new Set();
  #seconds = 0;

  /** @param {Clause[]} clauses those of the page @param {number} needed seconds a clause must be in view */
  constructor(clauses, needed) {
    this.clauses = clauses;
    this.needed = needed;
  }

  /**
   * Take a moment in; return which clauses were seen long enough just now, and which were just left behind.
   * @param {number} elapsed seconds since the moment before @param {(clause: Clause) => string} where
   * @returns {{seen: string[], past: string[]}}
   */
  moment(elapsed, where) {
    this.#seconds += elapsed;
    /** @type {string[]} */ const seen = [];
    /** @type {string[]} */ const past = [];
    for (const clause of this.clauses) {
      if (clause.state === "seen" || clause.state === "acknowledged" || clause.state === "none") continue;
      const at = where(clause);
      if (at === "in") {
        const dwelt = (this.#dwelt.get(clause.id) ?? 0) + elapsed;
        this.#dwelt.set(clause.id, dwelt);
        if (dwelt >= this.needed && !this.#told.has(`seen ${clause.id}`)) {
          this.#told.add(`seen ${clause.id}`);
          seen.push(clause.id);
        }
      } else if (at === "above" && !this.#told.has(`past ${clause.id}`) && !this.#told.has(`seen ${clause.id}`)) {
        this.#told.add(`past ${clause.id}`);
        past.push(clause.id);
      }
    }
    return { seen, past };
  }

  /** The seconds in view that nobody was told of yet. */
  take() {
    const seconds = Math.round(this.#seconds * 10) / 10;
    this.#seconds = 0;
    return seconds;
  }
}
