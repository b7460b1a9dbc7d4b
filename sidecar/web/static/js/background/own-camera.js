// @ts-check
// The camera as the pages before the room use it: opened, blurred where that is wished for, and let go.

import { openDevice } from "../device-check.js";
import { Background, BlurError } from "./background.js";

export class OwnCamera {
  /** @type {MediaStreamTrack | null} what the browser gave */ #raw = null;
  #wishes = 0;
  background;
  #ended;

  /** @param {{standard: boolean, ended: () => void}} wiring ended: the blur ended by itself, and the camera is off */
  constructor({ standard, ended }) {
    this.#ended = ended;
    this.background = new Background({ standard, broken: () => this.#broken() });
  }

  /** The device in use, "" for none. */
  get id() {
    return this.#raw?.getSettings().deviceId || "";
  }

  get label() {
    return this.#raw?.label || "";
  }

  /**
   * Open a camera and return what may be shown of it. One that was open is let go.
   * @param {string} id deviceId, "" for the browser's own choice
   * @returns {Promise<{state: import("../device-check.js").DeviceState | "off" | "failed", track: MediaStreamTrack | null}>}
   *   "failed": it could not be blurred; "off": something else was asked for meanwhile
   */
  async open(id) {
    this.close();
    const wish = this.#wishes;
    const { state, track } = await openDevice("camera", id);
    if (wish !== this.#wishes) {
      track?.stop();
      return { state: "off", track: null };
    }
    this.#raw = track;
    return track ? this.again() : { state, track };
  }

  /** Show the open camera as it is wished for now. */
  async again() {
    const raw = this.#raw;
    const wish = (this.#wishes += 1);
    if (!raw) return { state: /** @type {const} */ ("off"), track: null };
    try {
      const track = await this.background.through(raw);
      return wish === this.#wishes ? { state: /** @type {const} */ ("ok"), track } : { state: /** @type {const} */ ("off"), track: null };
    } catch (error) {
      if (wish !== this.#wishes || !(error instanceof BlurError)) return { state: /** @type {const} */ ("off"), track: null };
      this.close();
      return { state: /** @type {const} */ ("failed"), track: null };
    }
  }

  close() {
    this.#wishes += 1;
    this.background.release();
    this.#raw?.stop();
    this.#raw = null;
  }

  #broken() {
    this.close();
    this.#ended();
  }
}
