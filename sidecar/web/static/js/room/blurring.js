// @ts-check
// The switch for a blurred background in the settings, and the line that says when it could not be kept up.

import { byId, write } from "./dom.js";

/** The sliders count in whole steps, which a screen reader can say. */
const STEPS = 10;

export class Blurring {
  #hub;
  #background;
  #devices;
  #lines;
  #on = /** @type {HTMLInputElement} */ (byId("blur"));
  #side = /** @type {HTMLInputElement} */ (byId("blur-side"));
  #size = /** @type {HTMLInputElement} */ (byId("blur-size"));

  /**
   * @param {import("./hub.js").Hub} hub
   * @param {import("../background/background.js").Background} background
   * @param {import("./devices.js").Devices} devices
   * @param {import("./lines.js").Lines} lines
   */
  constructor(hub, background, devices, lines) {
    this.#hub = hub;
    this.#background = background;
    this.#devices = devices;
    this.#lines = lines;
    byId("blurring").hidden = false;
    const { side, size } = background.outline;
    this.#side.value = String(Math.round(side * STEPS));
    this.#size.value = String(Math.round(size * STEPS));
    this.#on.addEventListener("change", () => void this.#wish(this.#on.checked));
    this.#side.addEventListener("input", () => background.move({ side: Number(this.#side.value) / STEPS }));
    this.#size.addEventListener("input", () => background.move({ size: Number(this.#size.value) / STEPS }));
    byId("blur-off").addEventListener("click", () => void this.#sharp());
    this.update();
  }

  /** Show how things stand. */
  update() {
    const { on, way } = this.#background;
    const { t } = this.#hub;
    this.#on.checked = on;
    /** @type {HTMLElement} */ (this.#on.closest(".tick")).hidden = way === "none" && !on;
    for (const slider of [this.#side, this.#size]) /** @type {HTMLElement} */ (slider.closest(".field")).hidden = !on || way !== "outline";
    write(byId("blur-how"), t(`blur.${way}`));
    if (this.#devices.on("camera") || !on) this.#lines.show("blur", null);
  }

  /** The background could not be blurred, and the camera is off: say so, and let the person choose. */
  failed() {
    const sentence = this.#hub.t("blur.failed");
    this.#lines.show("blur", sentence);
    this.#hub.alarm(sentence);
    this.update();
  }

  /** @param {boolean} on */
  async #wish(on) {
    await this.#devices.blur(on);
    this.update();
    if (this.#devices.on("camera")) this.#hub.say(this.#hub.t(on ? "blur.on" : "blur.off"));
  }

  /** Shown as it is, once and on the person's own word: the next meeting tries to blur again. */
  async #sharp() {
    await this.#devices.blur(false, { kept: false });
    await this.#devices.turn("camera", true);
    this.update();
    this.#hub.say(this.#hub.t("blur.off"));
    byId("stage").focus({ preventScroll: true });
  }
}
