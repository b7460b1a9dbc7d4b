// @ts-check
// What the page says after an act: done, or what did not happen and what helps. One place, at the top of the work.

/** @typedef {import("../api.js").Problem} Problem */

/** Whether a problem means that one must sign in again before anything else works. @param {string} slug */
export function endsSession(slug) {
  return slug === "not-signed-in" || slug === "csrf";
}

/** Puts a sentence into a note and shows it; an empty sentence hides it. @param {Element | null} note @param {string} sentence */
export function put(note, sentence) {
  if (!(note instanceof HTMLElement)) return;
  const words = note.querySelector("[data-words]");
  if (words) words.textContent = sentence;
  note.hidden = !sentence;
}

/** Says that something was done. @param {string} sentence */
export function done(sentence) {
  put(document.getElementById("page-problem"), "");
  const note = document.getElementById("page-said");
  put(note, sentence);
  note?.scrollIntoView({ block: "nearest" });
}

/** Says what did not happen. @param {Problem} problem */
export function wrong(problem) {
  put(document.getElementById("page-said"), "");
  const note = document.getElementById("page-problem");
  const session = /** @type {HTMLElement | null | undefined} */ (note?.querySelector("[data-session]"));
  const over = endsSession(problem.slug);
  if (session) session.hidden = !over;
  put(note, (over && session?.dataset.session) || problem.sentence);
  note?.scrollIntoView({ block: "nearest" });
}

/** Says that the session is over, as found without an act. */
export function sessionOver() {
  wrong(/** @type {Problem} */ ({ slug: "not-signed-in", sentence: "" }));
}
