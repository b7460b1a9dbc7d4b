// @ts-check
// One panel at a time beside the talk. A panel is a section with data-panel in #panels; what opens it has data-opens.

import { byId } from "./dom.js";

export class Panels {
  #root = byId("panels");
  /** @type {(open: boolean) => void} */ #changed;
  /** @type {HTMLElement | null} */ #opener = null;
  /** @type {Map<string, number>} how far down each panel was read */ #places = new Map();
  /** @type {string | null} */ open = null;

  /** @param {(open: boolean) => void} changed */
  constructor(changed) {
    this.#changed = changed;
    for (const close of this.#root.querySelectorAll("[data-close]")) close.addEventListener("click", () => this.close());
  }

  /** @param {string} name @param {HTMLElement} [opener] where the focus goes back to */
  toggle(name, opener) {
    if (this.open === name) this.close();
    else this.show(name, opener);
  }

  /** @param {string} name @param {HTMLElement} [opener] */
  show(name, opener) {
    const panel = this.#panel(name);
    if (!panel) return;
    this.#opener = opener ?? /** @type {HTMLElement | null} */ (document.activeElement);
    if (this.open !== name) {
      this.#put(false);
      this.open = name;
      this.#put(true);
      this.#changed(true);
    }
    panel.querySelector("h2")?.focus({ preventScroll: true });
    panel.dispatchEvent(new CustomEvent("panelshown"));
  }

  close() {
    if (this.open === null) return;
    this.#put(false);
    this.open = null;
    this.#changed(false);
    if (this.#opener?.isConnected && this.#opener.offsetParent !== null) this.#opener.focus();
    else byId("stage").focus();
    this.#opener = null;
  }

  /** @param {string} name @returns {HTMLElement | null} */
  #panel(name) {
    return this.#root.querySelector(`[data-panel="${CSS.escape(name)}"]`);
  }

  /** @param {boolean} shown */
  #put(shown) {
    const panel = this.open === null ? null : this.#panel(this.open);
    if (panel && this.open !== null) {
      const well = panel.querySelector("[data-scroll]:not([hidden])") ?? panel;
      if (!shown) this.#places.set(this.open, well.scrollTop);
      panel.hidden = !shown;
      if (shown) well.scrollTop = this.#places.get(this.open) ?? 0;
      else panel.dispatchEvent(new CustomEvent("panelhidden"));
    }
    this.#root.hidden = !shown;
    for (const opener of document.querySelectorAll("[data-opens]")) {
      if (!opener.hasAttribute("aria-expanded")) continue;
      const mine = shown && /** @type {HTMLElement} */ (opener).dataset.opens === this.open;
      opener.setAttribute("aria-expanded", String(mine));
      opener.classList.toggle("open", mine);
    }
  }
}
