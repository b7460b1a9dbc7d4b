// @ts-check
// My camera and microphone: on, off, another one. Off is honest: the camera is let go, the microphone sends silence.
// One that is pulled out is followed by the next, and comes back when it is plugged in again; the page says which is used.

import { BlurError } from "../background/background.js";
import { keepDevice, loadChoice, saveChoice } from "../device-check.js";
import { added, has, labelOf, realId } from "./plugs.js";
import { cameraWish, MICROPHONE } from "./quality.js";

/** Milliseconds a device may be held back by the system before it is told: a picture that starts is no trouble. */
const HELD = 1500;

/** @typedef {"camera" | "microphone"} Source */
/**
 * @typedef {object} Wiring
 * @property {(source: Source, track: MediaStreamTrack | null) => void} track what is to be sent from now on
 * @property {() => void} changed something the page shows is different
 * @property {(key: string, params?: Record<string, string>) => void} trouble the sentence that says what happened, and what helps
 * @property {() => void} sharp the background could not be blurred, so the camera is off
 * @property {(devices: MediaDeviceInfo[]) => void} plugged what there is now
 */

/** What each is called in the browser's list. */
const KIND = /** @type {const} */ ({ camera: "videoinput", microphone: "audioinput" });

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
  /** @type {import("../background/background.js").Background} */ #background;
  /** @type {Record<Source, MediaStreamTrack | null>} what the browser gave */ #raw = { camera: null, microphone: null };
  /** @type {Record<Source, MediaStreamTrack | null>} what is sent of it */ #tracks = { camera: null, microphone: null };
  /** @type {Record<Source, string>} */ #chosen;
  /** @type {Record<Source, string>} the id of what was pulled out, and is used again when it is back */ #missed = { camera: "", microphone: "" };
  /** @type {Record<Source, boolean>} */ #asking = { camera: false, microphone: false };
  /** @type {MediaDeviceInfo[]} the list as it was last seen */ #known = [];
  /** @type {Promise<void>} one look at the list at a time */ #looking = Promise.resolve();
  /** A moderator's or the person's own wish: the microphone track may live on, sending silence. */
  #silent = false;
  /** @type {Record<Source, number>} grows with each "off": what was asked for before it is let go when it comes */ #offs = { camera: 0, microphone: 0 };
  /** Grows with each wish for the camera's picture: an older one that is still being made is not sent. */
  #wishes = 0;

  /** @param {Wiring} wiring @param {import("../background/background.js").Background} background */
  constructor(wiring, background) {
    this.#wiring = wiring;
    this.#background = background;
    const { cameraId, microphoneId } = loadChoice();
    this.#chosen = { camera: cameraId, microphone: microphoneId };
    navigator.mediaDevices?.addEventListener("devicechange", () => {
      this.#looking = this.#looking.then(() => this.#plugged()).catch(() => undefined);
    });
  }

  /** @param {Source} source */
  on(source) {
    return this.#tracks[source] !== null && !(source === "microphone" && this.#silent);
  }

  /** True while the browser is asked and has not answered. @param {Source} source */
  asking(source) {
    return this.#asking[source];
  }

  /** What is sent. @param {Source} source @returns {MediaStreamTrack | null} */
  track(source) {
    return this.#tracks[source];
  }

  /** The id of the device in use. @param {Source} source */
  used(source) {
    return this.#raw[source]?.getSettings().deviceId;
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
        await Promise.all([
          this.#take("microphone", stream.getAudioTracks()[0] ?? null), this.#take("camera", stream.getVideoTracks()[0] ?? null),
        ]);
        this.#known = await this.list();
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
    this.#missed[source] = "";
    if (source === "microphone" && this.#raw.microphone) {
      this.#silence(!on);
      return;
    }
    if (!on) {
      this.#offs[source] += 1;
      await this.#take(source, null);
      return;
    }
    if (source === "microphone") this.#silent = false;
    await this.#open(source);
  }

  /** Blur the background of my picture, or not; the picture is away while one becomes the other. @param {boolean} on @param {{kept?: boolean}} [options] */
  async blur(on, options) {
    this.#background.wish(on, options);
    const raw = this.#raw.camera;
    if (raw) await this.#dress(raw);
    else this.#wiring.changed();
  }

  /** The blur ended by itself: what it covered is not shown. */
  blurEnded() {
    void this.#take("camera", null);
    this.#wiring.sharp();
  }

  /**
   * Open a device; a silent microphone is silent from its first sample.
   * @param {Source} source @param {boolean} [tell] say why where it does not open
   * @returns {Promise<string>} why not, "" when it is open
   */
  async #open(source, tell = true) {
    if (this.#raw[source] || this.#asking[source]) return "";
    this.#asking[source] = true;
    this.#wiring.changed();
    let why = "";
    const offs = this.#offs[source];
    try {
      const stream = await this.#ask({ [source === "camera" ? "video" : "audio"]: this.#wish(source) });
      if (offs !== this.#offs[source]) {
        stream.getTracks().forEach((track) => track.stop());
        return "";
      }
      await this.#take(source, stream.getTracks()[0] ?? null);
      this.#known = await this.list();
    } catch (error) {
      why = trouble(source, /** @type {DOMException} */ (error).name);
      if (tell) this.#wiring.trouble(why);
    } finally {
      this.#asking[source] = false;
      this.#wiring.changed();
    }
    return why;
  }

  /** Use another device from now on. @param {Source} source @param {string} id deviceId */
  async choose(source, id) {
    this.#chosen[source] = id;
    this.#missed[source] = "";
    keepDevice(source, id);
    await this.#change(source);
  }

  /** @returns {Promise<MediaDeviceInfo[]>} nameless until the browser has been asked once */
  async list() {
    return (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  }

  /** Let everything go: the lamp on the camera goes out. */
  stop() {
    void this.#take("camera", null);
    void this.#take("microphone", null);
  }

  /** Open anew what is open, as it is wished for now. @param {Source} source */
  async #change(source) {
    if (!this.#raw[source]) return "";
    await this.#take(source, null);
    return this.#open(source);
  }

  /** @param {boolean} silent */
  #silence(silent) {
    this.#silent = silent;
    if (this.#raw.microphone) this.#raw.microphone.enabled = !silent;
    this.#wiring.changed();
  }

  /** @param {Source} source */
  #wish(source) {
    const wish = source === "camera" ? cameraWish(navigator.hardwareConcurrency) : MICROPHONE;
    const id = this.#chosen[source];
    return id ? { ...wish, deviceId: { ideal: id } } : { ...wish };
  }

  /** @param {MediaStreamConstraints} constraints */
  async #ask(constraints) {
    if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("no media devices", "NotFoundError");
    return navigator.mediaDevices.getUserMedia(constraints);
  }

  /** @param {Source} source @param {MediaStreamTrack | null} raw */
  async #take(source, raw) {
    this.#raw[source]?.stop();
    this.#raw[source] = raw;
    if (source === "camera") {
      this.#wishes += 1;
      this.#asking.camera = false;
      this.#background.release();
    }
    if (!raw) {
      this.#send(source, null);
      return;
    }
    raw.addEventListener("ended", () => {
      if (this.#raw[source] === raw) void this.#lost(source, raw);
    });
    raw.addEventListener("mute", () => setTimeout(() => {
      // A locked phone holds back everything, and nobody reads there.
      if (this.#raw[source] === raw && raw.muted && raw.readyState === "live" && !document.hidden) this.#wiring.trouble(`device.${source}.held`);
    }, HELD));
    if (source === "microphone") {
      // A voice is speech, not music.
      raw.contentHint = "speech";
      raw.enabled = !this.#silent;
      this.#send(source, raw);
    } else await this.#dress(raw);
  }

  /** Send a camera's picture as the person wants it seen. Until that stands, nothing of it is sent. @param {MediaStreamTrack} raw */
  async #dress(raw) {
    const wish = (this.#wishes += 1);
    this.#asking.camera = true;
    this.#send("camera", null);
    try {
      const track = await this.#background.through(raw);
      if (wish !== this.#wishes) return;
      // A face moves: frames before sharpness.
      track.contentHint = "motion";
      this.#asking.camera = false;
      this.#send("camera", track);
    } catch (error) {
      if (wish === this.#wishes && error instanceof BlurError) this.blurEnded();
    } finally {
      if (wish === this.#wishes) this.#asking.camera = false;
      this.#wiring.changed();
    }
  }

  /** @param {Source} source @param {MediaStreamTrack | null} track */
  #send(source, track) {
    this.#tracks[source] = track;
    this.#wiring.track(source, track);
    this.#wiring.changed();
  }

  /** The device is gone, or the browser took it back: the next one is used, and the page says which. @param {Source} source @param {MediaStreamTrack} raw */
  async #lost(source, raw) {
    const id = realId(this.#known, KIND[source], raw.getSettings().deviceId ?? "");
    const name = labelOf(this.#known, KIND[source], id) || raw.label;
    const missed = this.#chosen[source] || id;
    await this.#take(source, null);
    const why = await this.#open(source, false);
    const now = realId(this.#known, KIND[source], this.used(source) ?? "");
    if (now === id && id) return; // it stumbled, and is used again
    this.#missed[source] = missed;
    if (this.#raw[source]) this.#wiring.trouble(`device.${source}.replaced`, { gone: name, name: this.#raw[source]?.label ?? "" });
    else this.#wiring.trouble(why === `device.${source}.missing` || why === "" ? `device.${source}.gone` : why);
  }

  /** Something was plugged in or out. */
  async #plugged() {
    const [before, now] = [this.#known, await this.list()];
    this.#known = now;
    for (const source of /** @type {Source[]} */ (["microphone", "camera"])) {
      const kind = KIND[source];
      const fresh = added(before, now, kind);
      const missed = this.#missed[source];
      if (has(now, kind, missed)) await this.#back(source, missed);
      else if (fresh.length > 0 && this.#raw[source]) this.#wiring.trouble(`device.${source}.new`, { name: fresh[0].label });
    }
    this.#wiring.plugged(now);
    this.#wiring.changed();
  }

  /**
   * What was pulled out is here again. A camera that nothing replaced stays off: nobody is shown who was not a moment ago.
   * @param {Source} source @param {string} id
   */
  async #back(source, id) {
    this.#missed[source] = "";
    if (source === "camera" && !this.#raw.camera) return;
    const chosen = this.#chosen[source];
    this.#chosen[source] = id;
    const why = this.#raw[source] ? await this.#change(source) : await this.#open(source);
    this.#chosen[source] = chosen;
    if (!why) this.#wiring.trouble(`device.${source}.back`, { name: this.#raw[source]?.label ?? "" });
  }
}
