// @ts-check
// Raise the security: what changes is said before, and that there is no way back.

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
    keep(this.#list, raises, ({ target }) => target, (raise) => {
      const press = button("btn line staff", "shield", t("security.raise"), () => void this.#raise(raise));
      press.setAttribute("aria-label", `${t("security.raise")}: ${raise.label}`);
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
}
