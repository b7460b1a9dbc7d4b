// @ts-check
// The lines above and below the stage: what one must be able to read again. A line stays until it is put away or untrue.

import { byId, one, write } from "./dom.js";

export class Lines {
  constructor() {
    for (const close of document.querySelectorAll(".line [data-away]")) {
      close.addEventListener("click", () => {
        /** @type {HTMLElement} */ (close.closest(".line")).hidden = true;
        byId("stage").focus({ preventScroll: true });
      });
    }
  }

  /** Show a sentence on a line, or put the line away. @param {string} name @param {string | null} sentence @param {string} [rest] */
  show(name, sentence, rest = "") {
    const line = byId(`line-${name}`);
    line.hidden = !sentence;
    if (!sentence) return;
    write(one(line, "[data-words]"), sentence);
    const more = line.querySelector("[data-rest]");
    if (more) write(more, rest);
  }

  /** Put the line away where it still says this. @param {string} name @param {string} sentence */
  forget(name, sentence) {
    const line = byId(`line-${name}`);
    if (one(line, "[data-words]").textContent === sentence) line.hidden = true;
  }
}
