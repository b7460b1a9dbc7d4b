// @ts-check
// The others' voices: one player per receive slot, kept out of sight.

import { byId, make } from "./dom.js";

export class Voices {
  #root = byId("voices");
  #speaker;
  #blocked;

  /** @param {string | undefined} speaker deviceId @param {(blocked: boolean) => void} blocked the browser waits for a press before it plays */
  constructor(speaker, blocked) {
    this.#speaker = speaker;
    this.#blocked = blocked;
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
    this.#send();
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
    for (const player of this.#players()) void player.setSinkId?.(this.#speaker).catch(() => {});
  }
}
