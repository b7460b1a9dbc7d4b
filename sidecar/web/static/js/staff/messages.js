// @ts-check
// A bank's own words for a message: every reason why they cannot be used, at once, beside the words.

import { pageSignal, post, Problem } from "../api.js";

const signal = pageSignal();

for (const fold of document.querySelectorAll(".template")) {
  const form = fold.querySelector("form");
  if (!(fold instanceof HTMLElement) || !form) continue;
  const which = { kind: fold.dataset.kind, channel: fold.dataset.channel, language: fold.dataset.language };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const sent = Object.fromEntries(new FormData(form));
    await answer(fold, () => post("/desk/messages", { ...which, ...sent }, signal));
  });
  form.querySelector("[data-restore]")?.addEventListener("click", async () => {
    if (await answer(fold, () => post("/desk/messages/restore", which, signal))) location.reload();
  });
}

/** @param {HTMLElement} fold @param {() => Promise<any>} ask */
async function answer(fold, ask) {
  const findings = /** @type {HTMLElement} */ (fold.querySelector("[data-findings]"));
  const saved = /** @type {HTMLElement} */ (fold.querySelector("[data-saved]"));
  /** @type {string[]} */
  let wrong = [];
  try {
    wrong = (await ask()).findings;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    wrong = [error.sentence];
  }
  findings.hidden = !wrong.length;
  saved.hidden = Boolean(wrong.length);
  findings.querySelector("ul")?.replaceChildren(...wrong.map((sentence) => {
    const item = document.createElement("li");
    item.textContent = sentence;
    return item;
  }));
  return !wrong.length;
}
