// @ts-check
// Raise the security: what changes is said before, and that there is no way back.

import { csrf } from "../api.js";
import { button, byId, keep, make, one, write } from "./dom.js";

export class Security {
  #hub;
  #list = byId("raise-list");

  /** @param {import("./hub.js").Hub} hub */
  constructor(hub) {
    this.#hub = hub;
  }

  update() {
    const { meeting, raises = [] } = this.#hub.room();
    const { t } = this.#hub;
    write(byId("band-now"), t("security.now", { band: meeting.band_label }));
    byId("raise-none").hidden = raises.length > 0;
    keep(this.#list, raises, ({ target, check }) => `${target} ${check}`, (raise) => {
      const word = t(raise.check ? "security.check" : "security.raise");
      const press = button("btn line staff", raise.check ? "key" : "shield", word, () => void (raise.check ? this.#check(raise) : this.#raise(raise)));
      press.setAttribute("aria-label", `${word}: ${raise.label}`);
      return make("li", "", make("h3", "", raise.label), make("p", "quiet", raise.sentence), press);
    }, (element, { label, sentence }) => {
      write(one(element, "h3"), label);
      write(one(element, "p"), sentence);
    });
  }

  /** @param {import("./state.js").Raise} raise */
  async #raise({ target, label, sentence }) {
    const { t } = this.#hub;
    const sure = await this.#hub.ask({ title: label, text: t("security.ask", { sentence }), stay: t("security.stay"), go: t("security.raise") });
    if (sure && (await this.#hub.act("raise", { target }))) this.#hub.say(t("security.done", { label }));
  }

  /**
   * A higher band may ask more of the adviser than this call's check showed: it is made anew, away from the room.
   * @param {import("./state.js").Raise} raise
   */
  async #check({ label, check }) {
    const { t } = this.#hub;
    const sure = await this.#hub.ask({ title: label, text: t("security.check.ask"), stay: t("security.stay"), go: t("security.check") });
    if (!sure) return;
    const form = make("form", "");
    form.setAttribute("method", "post");
    form.setAttribute("action", check);
    const proof = make("input", "");
    for (const [name, value] of [["type", "hidden"], ["name", "csrf"], ["value", csrf()]]) proof.setAttribute(name, value);
    form.append(proof);
    document.body.append(form);
    /** @type {HTMLFormElement} */ (form).requestSubmit();
  }
}
