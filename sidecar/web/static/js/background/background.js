// @ts-check
// A blurred background, made on the sender's own device. Whatever fails, the camera's own picture is not what goes out.

import { keep, loadKept } from "./kept.js";
import { way } from "./streams.js";

/** Milliseconds until the first blurred picture must have come. */
const START = 8000;

/** @typedef {"camera" | "outline" | "none"} Way by the camera itself, by our outline, or not in this browser */

/** Blurring is wanted and cannot be had. */
export class BlurError extends Error {}

export class Background {
  /** @type {import("./kept.js").Kept} */ #kept;
  /** @type {import("./streams.js").Stream | null} */ #stream = null;
  /** @type {AbortController} */ #run = new AbortController();
  #broken;
  /** How the picture is blurred now; before a camera is open, how it will be as far as one can know. @type {Way} */
  way = way() ? "outline" : "none";

  /**
   * @param {object} wiring
   * @param {boolean} wiring.standard what holds before this person chose
   * @param {() => void} wiring.broken it ended by itself: the picture must go off
   */
  constructor({ standard, broken }) {
    this.#kept = loadKept(standard);
    this.#broken = broken;
  }

  get on() {
    return this.#kept.on;
  }

  /** @returns {import("./outline.js").Outline} */
  get outline() {
    return { side: this.#kept.side, size: this.#kept.size };
  }

  /** Wish it or not; what is sent changes with the next `through`. @param {boolean} on @param {{kept?: boolean}} [options] kept: on this device, for the next meeting too */
  wish(on, { kept = true } = {}) {
    this.#kept.on = on;
    if (kept) keep({ on });
  }

  /** Move the outline. @param {Partial<import("./outline.js").Outline>} change */
  move(change) {
    Object.assign(this.#kept, change);
    keep(change);
    this.#stream?.outline(this.outline);
  }

  /**
   * Returns what may be shown of a camera: itself where nothing is to be blurred, else what is blurred already.
   * The camera stays the caller's to stop. Throws BlurError where blurring is wanted and cannot be had, AbortError where
   * something else was asked for meanwhile.
   * @param {MediaStreamTrack} raw
   * @returns {Promise<MediaStreamTrack>}
   */
  async through(raw) {
    this.release();
    const run = this.#run;
    if (!this.on) {
      await byItself(raw, false);
      run.signal.throwIfAborted();
      this.way = canItself(raw) ? "camera" : way() ? "outline" : "none";
      return raw;
    }
    const itself = await byItself(raw, true);
    run.signal.throwIfAborted();
    if (itself) {
      this.way = "camera";
      // The system's own switch can turn it off under us.
      raw.addEventListener("configurationchange", () => { if (!blurs(raw)) this.#fail(run); }, { signal: run.signal });
      return raw;
    }
    const chosen = way();
    this.way = chosen ? "outline" : "none";
    if (!chosen) throw new BlurError("this browser cannot");
    return this.#paint(chosen, raw, run);
  }

  /** Let go of what was made; the camera itself is not stopped. */
  release() {
    this.#run.abort();
    this.#run = new AbortController();
    this.#stream?.stop();
    this.#stream = null;
  }

  /** @param {import("./streams.js").Way} chosen @param {MediaStreamTrack} raw @param {AbortController} run @returns {Promise<MediaStreamTrack>} */
  #paint(chosen, raw, run) {
    return new Promise((resolve, reject) => {
      let started = false;
      const fail = () => {
        if (run.signal.aborted) return;
        if (started) this.#fail(run);
        else {
          reject(new BlurError("blurring did not start"));
          this.release();
        }
      };
      const limit = setTimeout(fail, START);
      run.signal.addEventListener("abort", () => {
        clearTimeout(limit);
        reject(run.signal.reason);
      }, { once: true });
      try {
        const stream = chosen(raw, this.outline, {
          running() {
            clearTimeout(limit);
            started = true;
            resolve(stream.track);
          },
          broken: fail,
        });
        this.#stream = stream;
      } catch {
        fail();
      }
    });
  }

  /** @param {AbortController} run */
  #fail(run) {
    if (run.signal.aborted) return;
    this.release();
    this.#broken();
  }
}

/** What the browser says of a camera's own blur (Media Capture and Streams Extensions, backgroundBlur). @param {MediaStreamTrack} raw */
const canItself = (raw) => Boolean(/** @type {any} */ (raw.getCapabilities?.())?.backgroundBlur?.includes(true));

/** @param {MediaStreamTrack} raw */
const blurs = (raw) => /** @type {any} */ (raw.getSettings()).backgroundBlur === true;

/** Ask the camera to blur by itself, or not to. True only when it says that it does. @param {MediaStreamTrack} raw @param {boolean} on */
async function byItself(raw, on) {
  if (!canItself(raw)) return false;
  try {
    if (blurs(raw) !== on) await raw.applyConstraints({ .../** @type {any} */ (raw.getConstraints()), backgroundBlur: { exact: on } });
  } catch {
    // Some systems let only their own settings decide; what the camera then says is what counts.
  }
  return blurs(raw);
}
