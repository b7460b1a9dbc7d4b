// @ts-check
// The evidence, checked on the page with the verifier an outsider would run; and the journal on paper.

import { get, pageSignal, Problem } from "../api.js";
import { wire } from "./acts.js";
import { put, wrong } from "./said.js";

const signal = pageSignal();
wire(document, (button) => {
  const line = button.closest(".acts");
  if (line instanceof HTMLElement) line.hidden = true; // sent again: nothing more to press until the page is read anew
});

const note = document.getElementById("checked");
const button = document.getElementById("check");
const found = document.getElementById("found");

button?.addEventListener("click", async () => {
  if (!note || button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  put(note, note.dataset.working || "");
  try {
    const answer = await get(note.dataset.url || "", signal);
    note.className = answer.holds ? "note ok" : "note stop";
    put(note, answer.sentence);
    if (found) {
      found.hidden = answer.holds;
      found.querySelector("ul")?.replaceChildren(...answer.problems.map(item));
    }
    const size = document.querySelector("[data-size]");
    if (size) size.textContent = `, ${answer.size}`;
    button.textContent = note.dataset.again || "";
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    note.className = "note";
    put(note, error.sentence);
    wrong(error);
  } finally {
    button.removeAttribute("aria-busy");
  }
});

/** @param {string} text */
function item(text) {
  const line = document.createElement("li");
  line.textContent = text;
  return line;
}

// On paper nothing is folded away.
const technical = /** @type {HTMLDetailsElement | null} */ (document.getElementById("technical"));
let wasOpen = false;
addEventListener("beforeprint", () => {
  wasOpen = Boolean(technical?.open);
  if (technical) technical.open = true;
});
addEventListener("afterprint", () => { if (technical) technical.open = wasOpen; });
document.getElementById("print")?.addEventListener("click", () => print());
