// @ts-check
// The others' voices: one player per receive slot, kept out of sight.

import { byId, make } from "./dom.js";
import { has, labelOf } from "./plugs.js";

export class Voices {
  #root = byId("voices");
  #speaker;
  #blocked;
  #told;
  /** The loudspeaker that was chosen is there, as far as is known. */
  #there = true;

  /**
   * @param {string | undefined} speaker deviceId
   * @param {object} wiring
   * @param {(blocked: boolean) => void} wiring.blocked the browser waits for a press before it plays
   * @param {(key: string, params?: Record<string, string>) => void} wiring.told the sentence that says where the sound is now
   */
  constructor(speaker, { blocked, told }) {
    this.#speaker = speaker;
    this.#blocked = blocked;
    this.#told = told;
  }

  /** @param {MediaStreamTrack[]} tracks every voice slot of this connection */
  play(tracks) {
    this.stop();
    for (const track of tracks) {
      const player = make("audio");
      player.autoplay = true;
      player.srcObject = new MediaStream([track]);
      this.#root.append(player);
    }
    this.#send();
    this.resume();
  }

  /** Start what the browser held back, if it held anything back. */
  resume() {
    const held = this.#players().filter(({ paused }) => paused);
    if (held.length === 0) return;
    Promise.all(held.map((player) => player.play())).then(() => this.#blocked(false), (error) => this.#blocked(error.name === "NotAllowedError"));
  }

  /** @param {string} id deviceId of a loudspeaker */
  through(id) {
    this.#speaker = id;
    this.#there = true;
    this.#send();
  }

  /** Something was plugged in or out: the chosen loudspeaker may be gone, or back. @param {import("./plugs.js").Device[]} devices */
  plugged(devices) {
    if (!this.#speaker || !("setSinkId" in HTMLMediaElement.prototype)) return;
    const there = has(devices, "audiooutput", this.#speaker);
    if (there === this.#there) return;
    this.#there = there;
    this.#send();
    if (there) this.#told("device.speaker.back", { name: labelOf(devices, "audiooutput", this.#speaker) });
    else this.#told("device.speaker.gone");
  }

  stop() {
    for (const player of this.#players()) player.srcObject = null;
    this.#root.replaceChildren();
  }

  #players() {
    return /** @type {HTMLAudioElement[]} */ ([...this.#root.children]);
  }

  #send() {
    if (!this.#speaker) return;
    // An unplugged loudspeaker is not a reason for silence: the browser's own choice plays on.
    const sink = this.#there ? this.#speaker : "";
    for (const player of this.#players()) void player.setSinkId?.(sink).catch(() => {});
  }
}
