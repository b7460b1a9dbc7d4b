// @ts-check
// Whether this device keeps up with blurring: the picture gets smaller first, and only what is hopeless is given up.

/** How large the picture is made, one after the other. */
export const SIZES = [1, 0.5, 0.25];
/** Milliseconds a frame may take: 25 a second; and what no smaller picture helps: 5 a second. */
const SLOW = 40;
const HOPELESS = 200;
/** Milliseconds a frame takes where the next larger picture, four times as many points, would do too. */
const EASY = 9;
/** Frames that are looked at together, and the first of each size, which pay for getting ready. */
const TOGETHER = 12;
const SETTLING = 3;
/** How many looks in a row must be easy before a larger picture is tried; twice as many after each that was too much. */
const PATIENCE = 25;

export class Pace {
  #size = 0;
  #count = 0;
  #spent = 0;
  #easy = 0;
  #patience = PATIENCE;

  get size() {
    return SIZES[this.#size];
  }

  /**
   * Take in what one frame took.
   * @param {number} milliseconds
   * @returns {"on" | "smaller" | "larger" | "over"}
   */
  took(milliseconds) {
    this.#count += 1;
    if (this.#count <= SETTLING) return "on";
    this.#spent += milliseconds;
    if (this.#count < SETTLING + TOGETHER) return "on";
    const mean = this.#spent / TOGETHER;
    this.#count = SETTLING;
    this.#spent = 0;
    if (mean > SLOW) return this.#slow(mean);
    this.#easy = mean <= EASY ? this.#easy + 1 : 0;
    if (this.#size === 0 || this.#easy < this.#patience) return "on";
    this.#go(-1);
    return "larger";
  }

  /** @param {number} mean */
  #slow(mean) {
    if (this.#size === SIZES.length - 1) return mean > HOPELESS ? "over" : "on";
    // A device that was busy for a moment gets its picture back; one that stumbles each time is tried ever more seldom.
    this.#patience *= 2;
    this.#go(1);
    return "smaller";
  }

  /** @param {1 | -1} step */
  #go(step) {
    this.#size += step;
    this.#count = 0;
    this.#easy = 0;
  }
}
