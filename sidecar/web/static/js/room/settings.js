// @ts-check
// Sound and picture: which camera, microphone and speaker, a look at the level, and what the page may do by keys.

import { loudness, meterLevel } from "../device-check.js";
import { byId, make, write } from "./dom.js";
import { remember, remembered } from "./memory.js";

/** Milliseconds between two readings of the microphone while the panel is open. */
const READ = 120;
/** Steps of the meter. */
const STEPS = 30;

export class Settings {
  #hub;
  #devices;
  #panel = /** @type {HTMLElement} */ (document.querySelector('[data-panel="settings"]'));
  /** @type {AudioContext | null} */ #context = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #reading;

  /**
   * @param {import("./hub.js").Hub} hub
   * @param {Pick<import("./devices.js").Devices, "on" | "track" | "choose" | "list"> & {used?: (source: "camera" | "microphone") => string | undefined}} devices
   *   used: where the devices are ours
   * @param {{speaker: (id: string) => void, keys: (on: boolean) => void, hideSelf: (on: boolean) => void}} acts
   */
  constructor(hub, devices, { speaker, keys, hideSelf }) {
    this.#hub = hub;
    this.#devices = devices;
    this.#select("camera").addEventListener("change", ({ target }) => void devices.choose("camera", /** @type {HTMLSelectElement} */ (target).value));
    this.#select("microphone").addEventListener("change", ({ target }) => void devices.choose("microphone", /** @type {HTMLSelectElement} */ (target).value));
    this.#select("speaker").addEventListener("change", ({ target }) => {
      const { value } = /** @type {HTMLSelectElement} */ (target);
      remember({ speaker: value });
      speaker(value);
    });
    this.#tick("single-keys", remembered().keys ?? false, (on) => {
      remember({ keys: on });
      keys(on);
    });
    this.#tick("hide-self", false, hideSelf);
    this.#panel.addEventListener("panelshown", () => void this.update());
  }

  async update() {
    if (this.#panel.hidden || this.#panel.closest("[hidden]")) {
      this.#quiet();
      return;
    }
    const all = await this.#devices.list();
    this.#fill("camera", all.filter(({ kind }) => kind === "videoinput"), this.#devices.used?.("camera"));
    this.#fill("microphone", all.filter(({ kind }) => kind === "audioinput"), this.#devices.used?.("microphone"));
    this.#fill("speaker", "setSinkId" in HTMLMediaElement.prototype ? all.filter(({ kind }) => kind === "audiooutput") : [], remembered().speaker);
    this.#listen();
  }

  /** @param {"camera" | "microphone" | "speaker"} name */
  #select(name) {
    return /** @type {HTMLSelectElement} */ (byId(`device-${name}`));
  }

  /** @param {"camera" | "microphone" | "speaker"} name @param {MediaDeviceInfo[]} found @param {string | undefined} current */
  #fill(name, found, current) {
    const select = this.#select(name);
    const named = found.filter(({ deviceId }) => deviceId);
    /** @type {HTMLElement} */ (select.closest(".field")).hidden = named.length === 0;
    select.replaceChildren(
      ...named.map(({ deviceId, label }, index) => {
        const option = make("option", "", label || this.#hub.t(`settings.${name}_number`, { number: index + 1 }));
        option.value = deviceId;
        option.selected = deviceId === current;
        return option;
      }),
    );
  }

  /** @param {string} id @param {boolean} on @param {(on: boolean) => void} changed */
  #tick(id, on, changed) {
    const box = /** @type {HTMLInputElement} */ (byId(id));
    box.checked = on;
    box.addEventListener("change", () => changed(box.checked));
  }

  /** Draw the microphone's level while one looks at it; nothing is kept. */
  #listen() {
    this.#quiet();
    const track = this.#devices.track("microphone");
    const meter = /** @type {HTMLMeterElement} */ (byId("level"));
    write(byId("level-word"), this.#hub.t(track && this.#devices.on("microphone") ? "settings.level" : "settings.level_off"));
    meter.value = 0;
    if (!track) return;
    const context = (this.#context = new AudioContext());
    const ear = context.createAnalyser();
    context.createMediaStreamSource(new MediaStream([track])).connect(ear);
    const samples = new Float32Array(ear.fftSize);
    this.#reading = setInterval(() => {
      if (this.#panel.hidden || this.#panel.closest("[hidden]")) {
        this.#quiet();
        return;
      }
      ear.getFloatTimeDomainData(samples);
      meter.value = meterLevel(loudness(samples), STEPS) / STEPS;
    }, READ);
  }

  #quiet() {
    clearInterval(this.#reading);
    void this.#context?.close();
    this.#context = null;
  }
}
