// @ts-check
// The one connection to the bridge: one offer, one answer, never renegotiated. A lost one is replaced by a fresh one.

import { Problem } from "../api.js";
import { backoff } from "../live.js";
import { onWake } from "../wake.js";
import { budget, plan, stepped, WINDOW } from "./quality.js";
import { bySlot } from "./slots.js";

/** Receive slots of the bridge, in the order of its contract: so many voices, then so many pictures. */
const VOICES = 7;
const PICTURES = 8;
/** The m-line of the camera, see #build. */
const CAMERA_LINE = 1;
/** Milliseconds: how long candidates may take to gather, a connection to stand, a hiccup to pass, a ping to be answered. */
const GATHER = 1500;
const CONNECT = 10_000;
const HICCUP = 3000;
const PING = 5000;
const SILENCE = 15_000;
/** Milliseconds a bridge has to answer after this page woke up, and a connection to stand that was being made before it slept. */
const ANSWER = 4000;

/** @typedef {"microphone" | "camera" | "share"} Kind */
/**
 * @typedef {object} Wiring
 * @property {(signal: AbortSignal) => Promise<string>} token a fresh join token
 * @property {(token: string, sdp: string, signal: AbortSignal) => Promise<string>} join trades the offer for the answer
 * @property {(state: "joining" | "connected" | "reconnecting") => void} state
 * @property {(problem: Problem) => void} refused the server said no: nothing is tried again
 * @property {(tracks: Map<string, MediaStreamTrack>) => void} tracks our receive slots by mid, new for each connection
 * @property {(people: Map<string, import("./slots.js").Mids>) => void} slots
 * @property {(message: any) => void} message every other message of the bridge
 */

/** True when asking again later can help: no answer, a busy or a broken server. @param {unknown} error */
export const passing = (error) => !(error instanceof Problem) || error.status === 0 || error.status >= 500 || [408, 425, 429].includes(error.status);

export class Connection {
  /** @type {Wiring} */ #wiring;
  /** @type {RTCPeerConnection | null} */ #pc = null;
  /** @type {RTCDataChannel | null} */ #channel = null;
  /** @type {Partial<Record<Kind, RTCRtpSender>>} */ #senders = {};
  /** @type {Record<Kind, MediaStreamTrack | null>} */ #tracks = { microphone: null, camera: null, share: null };
  /** @type {{audio: string[], video: string[]}} */ #mids = { audio: [], video: [] };
  /** @type {any} the bridge's last word on who is in which slot: it may come before we know our own */ #seats = null;
  /** @type {Map<string, any>} last message of each kind that the bridge must hear again after a reconnect */ #standing = new Map();
  /** @type {import("./quality.js").Level} */ #level = "good";
  /** What the camera's picture may look like for its rate, see STEPS. */
  #step = 0;
  /** @type {number | undefined} what its encoder might spend a second, as read last */ #bits;
  /** @type {AbortController} */ #run = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #patience;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #pulse;
  /** @type {((end: RTCRtpSender | RTCRtpReceiver, side: "send" | "receive", line: number) => void) | null} */ #attach = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #waiting;
  #awake = new AbortController();
  #attempt = 0;
  /** When the bridge last answered a ping; infinitely late before the first answer. */
  #heard = Infinity;
  #pings = 0;
  #been = false;
  #stopped = false;

  /** @param {Wiring} wiring */
  constructor(wiring) {
    this.#wiring = wiring;
    onWake(() => this.#look(), this.#awake.signal);
  }

  /** Join, and stay joined until `stop`. */
  start() {
    this.#wiring.state("joining");
    void this.#join();
  }

  /** Leave the media. Nothing is tried again. */
  stop() {
    this.#stopped = true;
    this.#awake.abort();
    this.#close();
  }

  /** Send this track from now on, or nothing. @param {Kind} kind @param {MediaStreamTrack | null} track */
  async setTrack(kind, track) {
    this.#tracks[kind] = track;
    await this.#senders[kind]?.replaceTrack(track);
    await this.#tune();
  }

  /**
   * Let every frame pass here from now on. Browsers take this of a connection's ends only as they are made, so one that
   * stands is replaced.
   * @param {(end: RTCRtpSender | RTCRtpReceiver, side: "send" | "receive", line: number) => void} attach line: of the m-lines, from 0
   */
  protect(attach) {
    this.#attach = attach;
    if (this.#pc) this.#lost();
  }

  /** The mid of an m-line, undefined before the answer. @param {number} line */
  mid(line) {
    return this.#pc?.getTransceivers()[line]?.mid ?? undefined;
  }

  /** Fit what we send to the network. @param {import("./quality.js").Level} level */
  async setLevel(level) {
    this.#level = level;
    await this.#tune();
  }

  /**
   * Tell the bridge. "media" and "want" hold until replaced, and are told again after a reconnect.
   * @param {{type: string, [key: string]: unknown}} message
   */
  send(message) {
    if (message.type !== "ping") this.#standing.set(message.type, message);
    if (this.#channel?.readyState === "open") this.#channel.send(JSON.stringify(message));
  }

  /** Look at what is sent and what comes, and fit the picture to its rate. @returns {Promise<RTCStatsReport | null>} null while there is no connection */
  async stats() {
    const pc = this.#pc;
    const report = pc ? await pc.getStats() : null;
    if (report && pc === this.#pc) {
      const bits = budget(/** @type {any} */ (report), pc?.getTransceivers()[CAMERA_LINE]?.mid);
      const step = stepped(this.#step, bits, this.#bits);
      this.#bits = bits;
      if (step !== this.#step) {
        this.#step = step;
        await this.#tune();
      }
    }
    return report;
  }

  async #join() {
    const run = (this.#run = new AbortController());
    try {
      const pc = this.#build();
      const [token] = await Promise.all([this.#wiring.token(run.signal), offered(pc)]);
      run.signal.throwIfAborted();
      const answer = await this.#wiring.join(token, pc.localDescription?.sdp ?? "", run.signal);
      run.signal.throwIfAborted();
      await pc.setRemoteDescription({ type: "answer", sdp: answer });
      await this.#tune();
    } catch (error) {
      if (run.signal.aborted || this.#stopped) return;
      if (passing(error)) {
        this.#lost();
        return;
      }
      this.stop();
      this.#wiring.refused(/** @type {Problem} */ (error));
    }
  }

  /** A connection with its m-lines in the order of the bridge's contract, not offered yet. */
  #build() {
    // No ICE servers: the bridge is reached directly, and nobody outside learns that a meeting is held.
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require", iceServers: [] });
    this.#pc = pc;
    const sender = (/** @type {"audio" | "video"} */ media, /** @type {Kind} */ kind) => {
      const { sender: made } = pc.addTransceiver(media, { direction: "sendonly" });
      this.#senders[kind] = made;
      if (this.#tracks[kind]) void made.replaceTrack(this.#tracks[kind]);
    };
    sender("audio", "microphone");
    sender("video", "camera");
    sender("video", "share");
    this.#listen(pc.createDataChannel("tillit"));
    for (let n = 0; n < VOICES; n += 1) pc.addTransceiver("audio", { direction: "recvonly" });
    for (let n = 0; n < PICTURES; n += 1) pc.addTransceiver("video", { direction: "recvonly" });
    pc.getTransceivers().forEach(({ direction, receiver, sender: made }, line) => {
      if (direction === "sendonly") this.#attach?.(made, "send", line);
      else this.#attach?.(receiver, "receive", line);
    });

    pc.addEventListener("connectionstatechange", () => {
      if (pc !== this.#pc) return;
      if (pc.connectionState === "connected") {
        clearTimeout(this.#patience);
        this.#attempt = 0;
        this.#been = true;
        this.#wiring.state("connected");
      } else if (pc.connectionState === "disconnected") {
        clearTimeout(this.#patience);
        this.#patience = setTimeout(() => this.#lost(pc), HICCUP);
      } else if (pc.connectionState === "failed") this.#lost(pc);
    });
    pc.addEventListener("signalingstatechange", () => {
      if (pc !== this.#pc || pc.signalingState !== "stable") return;
      this.#patience = setTimeout(() => this.#lost(pc), CONNECT);
      this.#name(pc);
    });
    return pc;
  }

  /** Learn which receive slot has which mid, and hand the slots' tracks on. @param {RTCPeerConnection} pc */
  #name(pc) {
    this.#mids = { audio: [], video: [] };
    /** @type {Map<string, MediaStreamTrack>} */
    const tracks = new Map();
    for (const { mid, receiver, direction } of pc.getTransceivers()) {
      if (mid === null || direction !== "recvonly") continue;
      this.#mids[/** @type {"audio" | "video"} */ (receiver.track.kind)].push(mid);
      tracks.set(mid, receiver.track);
    }
    this.#wiring.tracks(tracks);
    if (this.#seats) this.#wiring.slots(bySlot(this.#seats, this.#mids));
  }

  /** @param {RTCDataChannel} channel */
  #listen(channel) {
    this.#channel = channel;
    this.#heard = Infinity;
    channel.addEventListener("open", () => {
      for (const message of this.#standing.values()) channel.send(JSON.stringify(message));
      let looked = performance.now();
      clearInterval(this.#pulse);
      this.#pulse = setInterval(() => {
        const now = performance.now();
        // A page that slept, or whose timers were held back, has not listened: it asks before it judges.
        const late = now - looked > SILENCE;
        looked = now;
        if (late) this.#look();
        // Only a bridge that has answered once can fall silent.
        else if (now - this.#heard > SILENCE) this.#lost();
        else this.#ping();
      }, PING);
    });
    channel.addEventListener("message", ({ data }) => {
      const message = parsed(data);
      if (channel !== this.#channel || typeof message?.type !== "string") return;
      if (message.type === "pong") this.#heard = performance.now();
      else if (message.type === "slots") {
        this.#seats = message;
        this.#wiring.slots(bySlot(message, this.#mids));
      }
      else this.#wiring.message(message);
    });
    channel.addEventListener("close", () => {
      if (channel === this.#channel) this.#lost();
    });
  }

  /** Start over: a new connection with a new token. @param {RTCPeerConnection} [pc] the one that failed */
  #lost(pc) {
    if (this.#stopped || (pc && pc !== this.#pc)) return;
    this.#close();
    this.#wiring.state(this.#been ? "reconnecting" : "joining");
    this.#retry = setTimeout(() => void this.#join(), this.#attempt === 0 ? 0 : backoff(this.#attempt - 1, Math.random()));
    this.#attempt += 1;
  }

  #close() {
    const [pc, channel] = [this.#pc, this.#channel];
    this.#pc = null;
    this.#channel = null;
    this.#senders = {};
    this.#seats = null;
    clearTimeout(this.#retry);
    clearTimeout(this.#waiting);
    clearTimeout(this.#patience);
    clearInterval(this.#pulse);
    this.#run.abort();
    channel?.close();
    pc?.close();
  }

  #ping() {
    this.send({ type: "ping", n: (this.#pings += 1) });
  }

  /**
   * The page woke up, or has another network: find out whether the connection still lives, rather than wait half a minute
   * for the browser to notice. What is lost is joined anew at once, with a fresh token and no new sign-in.
   */
  #look() {
    if (this.#stopped) return;
    if (!this.#pc) {
      clearTimeout(this.#retry);
      this.#attempt = 0;
      void this.#join();
      return;
    }
    const [pc, asked] = [this.#pc, performance.now()];
    this.#ping();
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => {
      const lives = this.#channel?.readyState === "open" && this.#heard >= asked && this.#heard < Infinity;
      if (pc !== this.#pc || lives) return;
      this.#attempt = 0;
      this.#lost();
    }, ANSWER);
  }

  /** Ask the browser for sound first, then frames, then resolution. What a browser does not know it leaves out. */
  async #tune() {
    const { scale, camera, maxFramerate } = plan(this.#level, this.#tracks.camera?.getSettings().height, this.#step);
    await Promise.all([
      tuned(this.#senders.microphone, { priority: "high", networkPriority: "high" }),
      tuned(
        this.#senders.camera,
        camera
          ? { active: true, priority: "low", networkPriority: "low", scaleResolutionDownBy: scale, maxFramerate }
          : { active: false },
        "maintain-framerate",
      ),
      tuned(this.#senders.share, { priority: "medium", networkPriority: "medium", ...WINDOW }, "maintain-resolution"),
    ]);
  }
}

/**
 * Make the offer with its candidates in it.
 * @param {RTCPeerConnection} pc
 */
async function offered(pc) {
  await pc.setLocalDescription();
  if (pc.iceGatheringState === "complete") return;
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHER);
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}

/**
 * @param {RTCRtpSender | undefined} sender
 * @param {Record<string, unknown>} encoding
 * @param {string} [preference] degradationPreference
 */
async function tuned(sender, encoding, preference) {
  const parameters = sender?.getParameters();
  if (!sender || !parameters?.encodings?.length) return;
  Object.assign(parameters.encodings[0], encoding);
  if (preference) Object.assign(parameters, { degradationPreference: preference });
  try {
    await sender.setParameters(parameters);
  } catch {
    // Not every browser takes every wish, and a connection that closes meanwhile takes none: the picture goes on as it was.
  }
}

/** @param {unknown} data @returns {any} */
function parsed(data) {
  try {
    return typeof data === "string" ? JSON.parse(data) : null;
  } catch {
    return null;
  }
}
