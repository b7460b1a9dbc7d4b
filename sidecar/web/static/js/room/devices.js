// @ts-check
// My camera and microphone: on, off, another one. Off is honest: the camera is let go, the microphone sends silence.

import { loadChoice, saveChoice } from "../device-check.js";
import { CAMERA, MICROPHONE } from "./quality.js";

/** @typedef {"camera" | "microphone"} Source */
/**
 * @typedef {object} Wiring
 * @property {(source: Source, track: MediaStreamTrack | null) => void} track what is to be sent from now on
 * @property {() => void} changed something the page shows is different
 * @property {(key: string) => void} trouble the sentence that says why it did not work, and what helps
 */

/**
 * Which sentence explains a failed request for a device.
 * @param {Source} source
 * @param {string} name of the DOMException
 */
export function trouble(source, name) {
  if (name === "NotAllowedError" || name === "SecurityError") return `device.${source}.denied`;
  if (name === "NotFoundError" || name === "OverconstrainedError") return `device.${source}.missing`;
  if (name === "NotReadableError" || name === "AbortError") return `device.${source}.busy`;
  return `device.${source}.failed`;
}

export class Devices {
  /** @type {Wiring} */ #wiring;
  /** @type {Record<Source, MediaStreamTrack | null>} */ #tracks = { camera: null, microphone: null };
  /** @type {Record<Source, string>} */ #chosen;
  /** @type {Record<Source, boolean>} */ #asking = { camera: false, microphone: false };
  /** A moderator's or the person's own wish: the microphone track may live on, sending silence. */
  #silent = false;

  /** @param {Wiring} wiring */
  constructor(wiring) {
    this.#wiring = wiring;
    const { cameraId, microphoneId } = loadChoice();
    this.#chosen = { camera: cameraId, microphone: microphoneId };
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#wiring.changed());
  }

  /** @param {Source} source */
  on(source) {
    return this.#tracks[source] !== null && !(source === "microphone" && this.#silent);
  }

  /** True while the browser is asked and has not answered. @param {Source} source */
  asking(source) {
    return this.#asking[source];
  }

  /** @param {Source} source @returns {MediaStreamTrack | null} */
  track(source) {
    return this.#tracks[source];
  }

  /**
   * Open what was on in the lobby. Both in one question, so that the browser asks once.
   * @param {{camera: boolean, microphone: boolean}} allowed
   */
  async start(allowed) {
    const choice = loadChoice();
    const [camera, microphone] = [allowed.camera && choice.camera, allowed.microphone && choice.microphone];
    if (camera && microphone) {
      try {
        const stream = await this.#ask({ video: this.#wish("camera"), audio: this.#wish("microphone") });
        this.#take("camera", stream.getVideoTracks()[0] ?? null);
        this.#take("microphone", stream.getAudioTracks()[0] ?? null);
        return;
      } catch {
        // One of the two is missing or refused: ask for each, so that the other still works.
      }
    }
    if (microphone) await this.#open("microphone");
    if (camera) await this.#open("camera");
  }

  /** @param {Source} source @param {boolean} on @returns {Promise<void>} */
  async turn(source, on) {
    // A page that is loaded again starts as it was left: nobody is heard who was silent.
    saveChoice({ [source]: on });
    if (source === "microphone" && this.#tracks.microphone) {
      this.#silence(!on);
      return;
    }
    if (!on) {
      this.#take(source, null);
      return;
    }
    if (source === "microphone") this.#silent = false;
    await this.#open(source);
  }

  /** Open a device; a silent microphone is silent from its first sample. @param {Source} source */
  async #open(source) {
    if (this.#tracks[source] || this.#asking[source]) return;
    this.#asking[source] = true;
    this.#wiring.changed();
    try {
      const stream = await this.#ask({ [source === "camera" ? "video" : "audio"]: this.#wish(source) });
      this.#take(source, stream.getTracks()[0] ?? null);
    } catch (error) {
      this.#wiring.trouble(trouble(source, /** @type {DOMException} */ (error).name));
    } finally {
      this.#asking[source] = false;
      this.#wiring.changed();
    }
  }

  /** Use another device from now on. @param {Source} source @param {string} id deviceId */
  async choose(source, id) {
    this.#chosen[source] = id;
    saveChoice({ [`${source}Id`]: id });
    if (!this.#tracks[source]) return;
    this.#take(source, null);
    await this.#open(source);
  }

  /** @returns {Promise<MediaDeviceInfo[]>} nameless until the browser has been asked once */
  async list() {
    return (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  }

  /** Let everything go: the lamp on the camera goes out. */
  stop() {
    this.#take("camera", null);
    this.#take("microphone", null);
  }

  /** @param {boolean} silent */
  #silence(silent) {
    this.#silent = silent;
    if (this.#tracks.microphone) this.#tracks.microphone.enabled = !silent;
    this.#wiring.changed();
  }

  /** @param {Source} source */
  #wish(source) {
    const wish = source === "camera" ? CAMERA : MICROPHONE;
    const id = this.#chosen[source];
    return id ? { ...wish, deviceId: { ideal: id } } : { ...wish };
  }

  /** @param {MediaStreamConstraints} constraints */
  async #ask(constraints) {
    if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("no media devices", "NotFoundError");
    return navigator.mediaDevices.getUserMedia(constraints);
  }

  /** @param {Source} source @param {MediaStreamTrack | null} track */
  #take(source, track) {
    this.#tracks[source]?.stop();
    this.#tracks[source] = track;
    if (track) {
      // A face moves: frames before sharpness. A voice is speech, not music.
      track.contentHint = source === "camera" ? "motion" : "speech";
      if (source === "microphone") track.enabled = !this.#silent;
      track.addEventListener("ended", () => {
        if (this.#tracks[source] !== track) return;
        this.#take(source, null);
        this.#wiring.trouble(`device.${source}.gone`);
      });
    }
    this.#wiring.track(source, track);
    this.#wiring.changed();
  }
}
