// @ts-check
// Puts a delivery that was given up back in line.

import { pageSignal, post, Problem } from "/static/js/api.js";

const signal = pageSignal();
for (const again of document.querySelectorAll("[data-again]")) {
  again.addEventListener("click", async () => {
    const { again: id = "", said = "" } = /** @type {HTMLElement} */ (again).dataset;
    const show = (/** @type {string} */ where, /** @type {string} */ words) => {
      const place = document.getElementById(where);
      const line = place?.querySelector("[data-words]");
      if (!place || !line) return;
      line.textContent = words;
      place.hidden = false;
    };
    again.setAttribute("aria-busy", "true");
    try {
      await post(`/desk/x/forms/deliveries/${encodeURIComponent(id)}/again`, {}, signal);
      again.remove();
      show("page-said", said);
    } catch (error) {
      if (error instanceof Problem) show("page-problem", error.sentence);
    } finally {
      again.removeAttribute("aria-busy");
    }
  });
}
