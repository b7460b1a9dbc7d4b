// @ts-check
// A bank's own words for a message: how the recipient reads them, and every reason why they cannot be used, at once.

import { pageSignal, post, Problem } from "../api.js";
import { fill } from "../words.js";
import { endsSession, wrong } from "./said.js";

/** The text with a placeholder put in where the cursor is. @param {string} text @param {number} start @param {number} end @param {string} name */
export function inserted(text, start, end, name) {
  const word = `{${name}}`;
  return { text: text.slice(0, start) + word + text.slice(end), at: start + word.length };
}

const root = typeof document === "undefined" ? null : document.getElementById("templates");
if (root) begin(root);

/** @param {HTMLElement} root */
function begin(root) {
  const signal = pageSignal();
  /** @type {Record<string, string>} */
  const sample = JSON.parse(root.dataset.sample || "{}");
  for (const fold of root.querySelectorAll(".template")) wireOne(/** @type {HTMLDetailsElement} */ (fold), sample, signal);
}

/** @param {HTMLDetailsElement} fold @param {Record<string, string>} sample @param {AbortSignal} signal */
function wireOne(fold, sample, signal) {
  const form = /** @type {HTMLFormElement} */ (fold.querySelector("form"));
  const body = /** @type {HTMLTextAreaElement} */ (form.elements.namedItem("body"));
  const subject = /** @type {HTMLInputElement | null} */ (form.elements.namedItem("subject"));
  const part = (/** @type {string} */ name) => /** @type {HTMLElement | null} */ (fold.querySelector(`[data-${name}]`));
  const which = { kind: fold.dataset.kind, channel: fold.dataset.channel, language: fold.dataset.language };

  const preview = () => {
    const head = part("subject");
    const text = part("text");
    if (head && subject) head.textContent = fill(subject.value, sample);
    if (text) text.textContent = fill(body.value.trim(), sample);
  };
  const showOwn = (/** @type {boolean} */ own) => {
    for (const name of ["own", "restore"]) part(name)?.toggleAttribute("hidden", !own);
  };
  const answer = (/** @type {string[]} */ wrongs, /** @type {string} */ sentence) => {
    const findings = part("findings");
    const saved = part("saved");
    if (!findings || !saved) return;
    findings.hidden = !wrongs.length;
    saved.hidden = wrongs.length > 0;
    findings.querySelector("ul")?.replaceChildren(...wrongs.map((words) => {
      const item = document.createElement("li");
      item.textContent = words;
      return item;
    }));
    const words = saved.querySelector("p");
    if (words) words.textContent = sentence;
    if (wrongs.length) findings.focus();
  };
  const ask = async (/** @type {string} */ url, /** @type {object} */ sent) => {
    try {
      return await post(url, { ...which, ...sent }, signal);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (endsSession(error.slug)) wrong(error);
      else answer([error.sentence], "");
      return null;
    }
  };

  fold.addEventListener("toggle", preview, { once: true });
  form.addEventListener("input", preview);
  form.addEventListener("click", (event) => {
    const chip = event.target instanceof Element ? event.target.closest("[data-insert]") : null;
    if (!(chip instanceof HTMLElement)) return;
    const put = inserted(body.value, body.selectionStart, body.selectionEnd, chip.dataset.insert || "");
    body.value = put.text;
    body.focus();
    body.setSelectionRange(put.at, put.at);
    preview();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const found = await ask("/desk/messages", { subject: subject?.value || "", body: body.value });
    if (!found) return;
    answer(found.findings, part("saved")?.dataset.kept || "");
    if (found.saved) showOwn(true);
  });
  part("restore")?.addEventListener("click", async () => {
    const found = await ask("/desk/messages/restore", {});
    if (!found) return;
    body.value = found.body;
    if (subject) subject.value = found.subject;
    preview();
    answer([], part("saved")?.dataset.restored || "");
    showOwn(false);
    body.focus();
  });
}
