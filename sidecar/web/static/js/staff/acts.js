// @ts-check
// Buttons that post: one click, one act, the answer in words.

import { pageSignal, post, Problem } from "../api.js";
import { ours } from "../live.js";
import { done, wrong } from "./said.js";

/** What a button's post leads to: a page, a sentence, or a fresh page. @param {any} answer @param {string} sentence */
export function outcome(answer, sentence) {
  if (ours(answer?.next)) return { kind: "go", to: String(answer.next) };
  return sentence ? { kind: "say", to: sentence } : { kind: "reload", to: "" };
}

/**
 * Makes every button with data-post below root do its post. Clicks are taken one at a time, and none while the page that
 * follows is on its way.
 * data-body: the JSON to send. data-done: the sentence said afterwards, where no page follows.
 * @param {Element | Document} root
 * @param {(button: HTMLButtonElement) => void} [after] called when an act was done and the page stays
 */
export function wire(root, after) {
  const signal = pageSignal();
  root.addEventListener("click", async (event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-post]") : null;
    if (!(target instanceof HTMLButtonElement) || target.getAttribute("aria-busy") === "true") return;
    target.setAttribute("aria-busy", "true");
    let leaves = false;
    try {
      const answer = await post(target.dataset.post || "", JSON.parse(target.dataset.body || "{}"), signal);
      const next = outcome(answer, target.dataset.done || "");
      leaves = next.kind !== "say";
      if (next.kind === "go") location.assign(next.to);
      else if (next.kind === "reload") location.reload();
      else {
        done(next.to);
        after?.(target);
      }
    } catch (error) {
      if (error instanceof Problem) wrong(error);
      else if (!signal.aborted) throw error;
    } finally {
      if (!leaves) target.removeAttribute("aria-busy");
    }
  });
}
