// @ts-check
// The four buttons, always in the same place and order. What a role may not do stays, dashed, and answers with a sentence.

import { byId, one, redraw, rove, write } from "./dom.js";
import { mayAny, refusal } from "./state.js";

/** The permissions of which one is enough for each button. */
const NEEDS = /** @type {const} */ ({
  camera: ["show_camera"],
  microphone: ["speak"],
  share: ["share_window", "share_screen"],
  documents: ["view_document", "present_document", "upload_document"],
});

/** @typedef {keyof typeof NEEDS} Name */

export class Toolbar {
  #bar = byId("toolbar");
  #hub;
  /** @type {Record<Name, HTMLElement>} */ #buttons;

  /**
   * @param {import("./hub.js").Hub} hub
   * @param {Record<Name, (button: HTMLElement) => void>} press
   */
  constructor(hub, press) {
    this.#hub = hub;
    rove(this.#bar, ".ctl");
    const button = (/** @type {Name} */ name) => one(this.#bar, `[data-button="${name}"]`);
    this.#buttons = { camera: button("camera"), microphone: button("microphone"), share: button("share"), documents: button("documents") };
    for (const name of /** @type {Name[]} */ (Object.keys(NEEDS))) {
      this.#buttons[name].addEventListener("click", () => {
        if (this.#allowed(name)) press[name](this.#buttons[name]);
        else hub.answer(this.#why(name));
      });
    }
  }

  /** Press a button by its key. @param {Name} name */
  press(name) {
    this.#buttons[name].click();
  }

  /** Put the focus where it last was among the buttons. */
  focus() {
    /** @type {HTMLElement} */ (this.#bar.querySelector('.ctl[tabindex="0"]') ?? this.#buttons.camera).focus();
  }

  /** @param {{camera: boolean, microphone: boolean, share: boolean, asking: {camera: boolean, microphone: boolean}}} on */
  update({ camera, microphone, share, asking }) {
    const { t } = this.#hub;
    this.#device("camera", camera, asking.camera);
    this.#device("microphone", microphone, asking.microphone);
    const sharing = this.#buttons.share;
    sharing.classList.toggle("open", share);
    write(one(sharing, "[data-word]"), t(share ? "share.stop_word" : "share.word"));
    write(one(sharing, "[data-more]"), share ? "" : t("share.word_more"));
    for (const name of /** @type {Name[]} */ (Object.keys(NEEDS))) this.#mirror(name);
  }

  /** @param {"camera" | "microphone"} name @param {boolean} on @param {boolean} asking */
  #device(name, on, asking) {
    const button = this.#buttons[name];
    const refused = !this.#allowed(name);
    const picture = name === "camera" ? ["camera", "camera-off"] : ["mic", "mic-off"];
    button.classList.toggle("off", !on && !refused);
    button.setAttribute("aria-busy", String(asking));
    redraw(one(button, "svg"), picture[on || refused ? 0 : 1]);
    // On is what one expects, so only off is written out; a screen reader hears both.
    write(one(button, "[data-off]"), on || refused ? "" : this.#hub.t(`${name}.off`));
    write(one(button, "[data-on]"), on && !refused ? this.#hub.t(`${name}.on`) : "");
  }

  /** @param {Name} name */
  #mirror(name) {
    const button = this.#buttons[name];
    const refused = !this.#allowed(name);
    button.classList.toggle("not", refused);
    if (refused) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
    write(byId(`why-${name}`), refused ? this.#why(name) : "");
  }

  /** @param {Name} name */
  #allowed(name) {
    return mayAny(this.#hub.room(), [...NEEDS[name]]);
  }

  /** @param {Name} name */
  #why(name) {
    return refusal(this.#hub.room(), [...NEEDS[name]]) || this.#hub.t("refused.general");
  }
}
