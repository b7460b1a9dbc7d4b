// @ts-check
// Jitsi Meet in a frame of our page, driven by its IFrame API. What it says is good for showing, never proof: what
// counts the server hears from Prosody.

import { Problem } from "../../api.js";
import { loadChoice, saveChoice } from "../../device-check.js";
import { backoff } from "../../live.js";
import { passing } from "../media.js";

/** Milliseconds a frame may take to join before it is made anew. */
const JOIN = 30_000;
/** Milliseconds Jitsi Meet may take to tell what became of a device that was turned on or off. */
const TELL = 2000;

/** @typedef {"camera" | "microphone"} Source */
/**
 * @typedef {object} Page what the server says of Jitsi Meet
 * @property {string} domain host, with the port where there is one
 * @property {string} room
 * @property {boolean} plain no TLS: on a developer's machine only
 * @property {Record<string, unknown>} config
 * @property {Record<string, unknown>} interface
 */
/**
 * @typedef {object} Wiring
 * @property {(signal: AbortSignal) => Promise<string>} token a fresh join token: each opens the door once
 * @property {(state: "joining" | "connected" | "reconnecting") => void} state
 * @property {(problem: Problem) => void} refused the server said no: nothing is tried again
 * @property {() => void} changed something the page shows is different
 * @property {(surface: string) => void} shared a share began, or ended ("")
 * @property {(source: Source) => void} trouble a device did not open
 * @property {(text: string) => void} announced the room itself said something
 * @property {(place: string, media: "microphone" | "camera", on: boolean) => void} media what another's page sends
 */

/**
 * What a share shows, in the words of MediaTrackSettings.displaySurface. Jitsi passes on the browser's word, or says
 * "screen" as desktop programs do; what it does not know stays unknown.
 * @param {unknown} sourceType
 */
export function surfaceOf(sourceType) {
  if (sourceType === "screen" || sourceType === "monitor") return "monitor";
  return sourceType === "window" || sourceType === "browser" ? sourceType : "unknown";
}

/**
 * The text of an announcement, empty for any other message of no participant.
 * @param {any} event
 */
export function announcement(event) {
  try {
    const said = typeof event?.message === "string" ? JSON.parse(event.message) : event?.message;
    return said?.type === "tillit-announcement" && typeof said.text === "string" ? said.text : "";
  } catch {
    return "";
  }
}

/**
 * @param {Page} page
 * @param {{jwt: string, lang: string, parentNode: HTMLElement, camera: boolean, microphone: boolean}} now
 */
export function options({ room, plain, config, interface: look }, { jwt, lang, parentNode, camera, microphone }) {
  return {
    roomName: room, jwt, lang, parentNode, width: "100%", height: "100%",
    configOverwrite: { ...config, startWithAudioMuted: !microphone, startWithVideoMuted: !camera },
    interfaceConfigOverwrite: look,
    ...(plain ? { noSSL: true } : {}),
  };
}

export class Frame {
  #page;
  #wiring;
  #parent;
  #title;
  #lang;
  /** @type {any} the IFrame API's object */ #api = null;
  /** @type {Record<Source, boolean>} */ #on = { camera: false, microphone: false };
  /** @type {Partial<Record<Source, {on: boolean, at: number}>>} what was asked of it and not told yet */ #asked = {};
  /** @type {Map<string, string>} Jitsi's id of somebody -> our id of their place */ #places = new Map();
  /** @type {AbortController} */ #run = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #patience;
  #attempt = 0;
  #been = false;
  #stopped = false;
  sharing = false;

  /**
   * @param {Page} page
   * @param {{parent: HTMLElement, title: string, lang: string}} place where the frame goes, and its name
   * @param {Wiring} wiring
   */
  constructor(page, { parent, title, lang }, wiring) {
    this.#page = page;
    this.#parent = parent;
    this.#title = title;
    this.#lang = lang;
    this.#wiring = wiring;
  }

  /** Join, and stay joined until `stop`. */
  start() {
    this.#wiring.state("joining");
    void this.#join();
  }

  /** Leave, and take the frame away. */
  stop() {
    this.#stopped = true;
    this.#close();
  }

  /** @param {Source} source */
  on(source) {
    return this.#on[source];
  }

  /**
   * Jitsi Meet only knows how to change over, and tells afterwards: a key that is let go before that must still close
   * what it opened.
   * @param {Source} source @param {boolean} on
   */
  turn(source, on) {
    saveChoice({ [source]: on });
    const now = performance.now();
    const asked = this.#asked[source];
    if (!this.#api || (asked && now - asked.at < TELL ? asked.on : this.#on[source]) === on) return;
    this.#asked[source] = { on, at: now };
    this.#api.executeCommand(source === "camera" ? "toggleVideo" : "toggleAudio");
  }

  /** Ask for a share, or end one; the browser asks which window. */
  toggleShare() {
    this.#api?.executeCommand("toggleShareScreen");
  }

  endShare() {
    if (this.sharing) this.toggleShare();
  }

  focus() {
    this.#api?.getIFrame()?.focus();
  }

  /** @returns {Promise<MediaDeviceInfo[]>} the devices of the frame, those in use first */
  async devices() {
    if (!this.#api) return [];
    const [all, used] = await Promise.all([this.#api.getAvailableDevices(), this.#api.getCurrentDevices()]);
    return ["videoInput", "audioInput", "audioOutput"].flatMap((name) => {
      const current = used?.[name]?.deviceId;
      return [...(all?.[name] ?? [])]
        .sort((a, b) => Number(b.deviceId === current) - Number(a.deviceId === current))
        .map(({ deviceId, label }) => /** @type {any} */ ({ deviceId, label, kind: name.toLowerCase() }));
    });
  }

  /** @param {Source | "speaker"} what @param {string} id */
  choose(what, id) {
    const set = { camera: "setVideoInputDevice", microphone: "setAudioInputDevice", speaker: "setAudioOutputDevice" }[what];
    void this.#api?.[set](undefined, id);
  }

  async #join() {
    const run = (this.#run = new AbortController());
    try {
      const jwt = await this.#wiring.token(run.signal);
      run.signal.throwIfAborted();
      this.#open(jwt);
    } catch (error) {
      if (run.signal.aborted || this.#stopped) return;
      if (passing(error)) this.#lost();
      else {
        this.stop();
        this.#wiring.refused(/** @type {Problem} */ (error));
      }
    }
  }

  /** @param {string} jwt */
  #open(jwt) {
    const Api = /** @type {any} */ (globalThis).JitsiMeetExternalAPI;
    if (!Api) throw new Error("external_api.js did not load");
    const { camera, microphone } = loadChoice();
    const muted = this.#page.config;
    const api = new Api(this.#page.domain, options(this.#page, {
      jwt, lang: this.#lang, parentNode: this.#parent,
      camera: camera && !muted.startWithVideoMuted, microphone: microphone && !muted.startWithAudioMuted,
    }));
    this.#api = api;
    api.getIFrame().title = this.#title;
    this.#patience = setTimeout(() => this.#lost(api), JOIN);
    /** @param {string} event @param {(data: any) => void} act */
    const hear = (event, act) => api.addListener(event, (/** @type {any} */ data) => {
      if (api === this.#api) act(data ?? {});
    });
    hear("videoConferenceJoined", () => {
      clearTimeout(this.#patience);
      this.#attempt = 0;
      this.#been = true;
      this.#wiring.state("connected");
      void this.#ask();
    });
    hear("audioMuteStatusChanged", ({ muted }) => this.#turned("microphone", muted === false));
    hear("videoMuteStatusChanged", ({ muted }) => this.#turned("camera", muted === false));
    hear("screenSharingStatusChanged", ({ on, details }) => {
      this.sharing = on === true;
      this.#wiring.shared(this.sharing ? surfaceOf(details?.sourceType) : "");
      this.#wiring.changed();
    });
    hear("participantJoined", ({ id, userContext }) => {
      if (typeof userContext?.id === "string") this.#places.set(id, userContext.id);
    });
    hear("participantLeft", ({ id }) => this.#places.delete(id));
    hear("participantMuted", ({ participantId, isMuted, mediaType }) => {
      const place = this.#places.get(participantId);
      if (place && (mediaType === "audio" || mediaType === "video")) {
        this.#wiring.media(place, mediaType === "audio" ? "microphone" : "camera", isMuted === false);
      }
    });
    hear("nonParticipantMessageReceived", (event) => {
      const text = announcement(event);
      if (text) this.#wiring.announced(text);
    });
    hear("cameraError", () => this.#wiring.trouble("camera"));
    hear("micError", () => this.#wiring.trouble("microphone"));
    hear("deviceListChanged", () => this.#wiring.changed());
    // Documented flat, sent as {error}: either is understood.
    hear("errorOccurred", (said) => {
      if ((said.error ?? said).isFatal === true) this.#lost(api);
    });
    // Whoever was put out comes here too: the next token is refused, and the server's page says why.
    hear("videoConferenceLeft", () => this.#lost(api));
    hear("readyToClose", () => this.#lost(api));
  }

  /** What the frame does not tell by itself until it changes. */
  async #ask() {
    const api = this.#api;
    const [audio, video] = await Promise.all([api.isAudioMuted(), api.isVideoMuted()]).catch(() => [true, true]);
    if (api !== this.#api) return;
    this.#turned("microphone", audio === false);
    this.#turned("camera", video === false);
  }

  /** @param {Source} source @param {boolean} on */
  #turned(source, on) {
    this.#on[source] = on;
    if (this.#asked[source]?.on === on) delete this.#asked[source];
    this.#wiring.changed();
  }

  /** Start over with a new frame and a new token: a token opens the door once. @param {any} [api] the one that failed */
  #lost(api) {
    if (this.#stopped || (api && api !== this.#api)) return;
    this.#close();
    this.#wiring.state(this.#been ? "reconnecting" : "joining");
    this.#retry = setTimeout(() => void this.#join(), backoff(this.#attempt, Math.random()));
    this.#attempt += 1;
  }

  #close() {
    const api = this.#api;
    this.#api = null;
    this.#run.abort();
    clearTimeout(this.#retry);
    clearTimeout(this.#patience);
    this.#places.clear();
    this.#on = { camera: false, microphone: false };
    this.#asked = {};
    const shared = this.sharing;
    this.sharing = false;
    if (shared) this.#wiring.shared("");
    api?.dispose();
  }
}
