// @ts-check
// Buttons that post: one click, one act, the answer in words beside it.

import { pageSignal, post, Problem } from "../api.js";
import { ours } from "../live.js";

/** Shows what went wrong in the page's own note, or beside the button where the page has none.
 * @param {string} sentence @param {Element} near */
export function showProblem(sentence, near) {
  const note = document.getElementById("page-problem");
  if (note) {
    note.hidden = !sentence;
    const words = note.querySelector("span");
    if (words) words.textContent = sentence;
    return;
  }
  let beside = near.parentElement?.querySelector("[data-said]");
  if (!beside) {
    beside = document.createElement("p");
    beside.setAttribute("data-said", "");
    beside.setAttribute("role", "status");
    near.after(beside);
  }
  beside.textContent = sentence;
}

/** Makes every button with data-post below root do its post. Clicks are taken one at a time.
 * @param {Element | Document} root */
export function wire(root) {
  const signal = pageSignal();
  root.addEventListener("click", async (event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-post]") : null;
    if (!(target instanceof HTMLButtonElement) || target.dataset.busy) return;
    target.dataset.busy = "yes";
    try {
      const answer = await post(target.dataset.post || "", JSON.parse(target.dataset.body || "{}"), signal);
      if (ours(answer?.next)) location.assign(answer.next);
      else if (target.dataset.done) showProblem(target.dataset.done, target);
      else location.reload();
    } catch (error) {
      if (error instanceof Problem) showProblem(error.sentence, target);
      else if (!signal.aborted) throw error;
    } finally {
      delete target.dataset.busy;
    }
  });
}

/** Fetches the page again and replaces the part with this id, keeping focus where it was.
 * @param {string} id */
export async function refresh(id) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
  const now = document.getElementById(id);
  if (!fresh || !now || now.contains(document.activeElement) && document.activeElement?.matches("input, textarea, select")) return;
  if (fresh.innerHTML !== now.innerHTML) now.replaceChildren(...fresh.childNodes);
}

/** Listens to the desk's events and refreshes the part that shows them. @param {string} id */
export function follow(id) {
  const root = document.getElementById(id);
  if (!root?.dataset.events) return;
  const source = new EventSource(root.dataset.events);
  source.addEventListener("changed", () => void refresh(id));
  source.addEventListener("open", () => void refresh(id));
  addEventListener("pagehide", () => source.close(), { once: true });
}
