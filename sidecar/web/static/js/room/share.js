// @ts-check
// Sharing one window. What the browser hands over is judged before a single picture of it is sent.

import { may, mayAny, refusal } from "./state.js";

/** Either permission lets a window through; the server and the bridge decide for themselves. */
export const SHARING = ["share_window", "share_screen"];
/** Milliseconds between two looks at what is really shared: some browsers let it change on the way. */
const LOOK = 1000;

/**
 * What the browser is asked for: one window, never this page, never a silent change to something else, and a whole
 * screen only where the policy allows it. `getDisplayMedia` treats these as wishes, so `judged` looks at the result.
 * @param {boolean} screens
 */
export const constraints = (screens) => ({
  video: { displaySurface: "window", frameRate: { max: 15 } },
  audio: false,
  selfBrowserSurface: "exclude",
  surfaceSwitching: "exclude",
  monitorTypeSurfaces: screens ? "include" : "exclude",
  systemAudio: "exclude",
});

/**
 * Whether what was chosen may be shown. What is not known to be a window is not taken for one.
 * @param {string | undefined} surface MediaTrackSettings.displaySurface
 * @param {boolean} screens a whole screen is allowed
 * @returns {"allowed" | "screen" | "unknown"}
 */
export function judged(surface, screens) {
  if (surface === "window" || surface === "browser") return "allowed";
  if (surface === "monitor") return screens ? "allowed" : "screen";
  return "unknown";
}

/**
 * @typedef {object} Wiring
 * @property {(track: MediaStreamTrack | null) => Promise<void>} send
 * @property {() => void} changed
 */

export class Share {
  /** @type {import("./hub.js").Hub} */ #hub;
  /** @type {Wiring} */ #wiring;
  /** @type {MediaStreamTrack | null} */ #track = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #look;
  #busy = false;

  /** @param {import("./hub.js").Hub} hub @param {Wiring} wiring */
  constructor(hub, wiring) {
    this.#hub = hub;
    this.#wiring = wiring;
  }

  get active() {
    return this.#track !== null;
  }

  async toggle() {
    if (this.#track) await this.stop();
    else await this.start();
  }

  async start() {
    const { t, room, answer, act } = this.#hub;
    if (this.#track || this.#busy) return;
    if (!mayAny(room(), SHARING)) {
      answer(refusal(room(), SHARING) || t("share.refused"));
      return;
    }
    if (!navigator.mediaDevices?.getDisplayMedia) {
      answer(t("share.cannot"));
      return;
    }
    this.#busy = true;
    try {
      const screens = may(room(), "share_screen");
      const track = await chosen(constraints(screens));
      if (!track) return;
      const surface = track.getSettings().displaySurface;
      const verdict = judged(surface, screens);
      if (verdict !== "allowed") {
        track.stop();
        // The server writes the refusal down, and its sentence names the meeting type.
        const said = verdict === "screen" && !(await act("share", { action: "start", surface: "monitor" }));
        if (!said) answer(t(verdict === "screen" ? "share.only_window" : "share.unknown"));
        return;
      }
      if (!(await act("share", { action: "start", surface })) || track.readyState === "ended") {
        track.stop();
        return;
      }
      await this.#show(track, screens);
    } finally {
      this.#busy = false;
    }
  }

  /**
   * @param {string} [sentence] why, when it was not the person's own wish
   * @param {{cut?: boolean}} [how] cut: by the bridge, which tells the server itself
   */
  async stop(sentence = "", { cut = false } = {}) {
    const track = this.#track;
    if (!track) return;
    clearInterval(this.#look);
    this.#track = null;
    track.stop();
    if (sentence) this.#hub.answer(sentence, { urgent: true });
    await this.#wiring.send(null);
    this.#wiring.changed();
    if (!cut) await this.#hub.act("share", { action: "stop", surface: "window" });
  }

  /** @param {MediaStreamTrack} track @param {boolean} screens */
  async #show(track, screens) {
    this.#track = track;
    track.contentHint = "detail";
    track.addEventListener("ended", () => void this.stop());
    this.#look = setInterval(() => {
      if (judged(track.getSettings().displaySurface, screens) !== "allowed") void this.stop(this.#hub.t("share.only_window"));
    }, LOOK);
    await this.#wiring.send(track);
    this.#wiring.changed();
  }
}

/**
 * @param {object} wishes
 * @returns {Promise<MediaStreamTrack | null>} null when the person changed their mind
 */
async function chosen(wishes) {
  try {
    return (await navigator.mediaDevices.getDisplayMedia(wishes)).getVideoTracks()[0] ?? null;
  } catch {
    return null;
  }
}
