// @ts-check
// Follows the demo: ticks, states of the processes, a check of an evidence file without leaving the page.

import { changed } from "./evidence.js";

const EVERY = 2000; // milliseconds, as often as the server itself looks
const PATIENCE = 6000;
const LONG = 150_000; // a start on a busy machine
const LOST_AFTER = 2; // failed looks in a row before the page says that the demo was stopped

/** @template {Element} T @param {string} selector @returns {T | null} */
const find = (selector) => document.querySelector(selector);

const gone = /** @type {HTMLElement | null} */ (find("#gone"));
const said = /** @type {HTMLElement | null} */ (find("#said"));
let lost = 0;

async function look() {
  try {
    const answer = await fetch("/live", { signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(String(answer.status));
    show(await answer.json());
    lost = 0;
  } catch {
    lost += 1;
  }
  if (gone) gone.hidden = lost < LOST_AFTER;
}

/** Put in what changed, and say which step was done. @param {Record<string, string>} parts */
function show(parts) {
  const before = steps();
  for (const [name, html] of Object.entries(parts)) {
    const place = find(`[data-part="${name}"]`);
    if (place) replace(place, html);
  }
  for (const [step, title] of steps()) {
    if (!before.has(step) && said) said.textContent = (said.dataset.done ?? "").replace("{step}", title);
  }
}

/** The steps that are done, with their titles. @returns {Map<string, string>} */
function steps() {
  const title = (/** @type {Element} */ step) => step.querySelector("h3")?.firstChild?.textContent ?? "";
  const done = [...document.querySelectorAll("[data-step].done")];
  return new Map(done.map((each) => [each.getAttribute("data-step") ?? "", title(each)]));
}

/**
 * Replace a part's content if it is another; what was open stays open, and focus stays where it was.
 * @param {Element} place
 * @param {string} html
 */
function replace(place, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  for (const each of fresh.content.querySelectorAll("[data-copy]")) each.removeAttribute("hidden");
  const open = [...place.querySelectorAll("details[open][id]")].map((each) => each.id);
  for (const id of open) fresh.content.querySelector(`#${id}`)?.setAttribute("open", "");
  if (fresh.innerHTML === place.innerHTML) return;
  const focused = place.contains(document.activeElement) ? document.activeElement?.id : "";
  place.replaceChildren(fresh.content);
  if (!focused) return;
  // A button that did its work is gone: its section's heading is where one reads on.
  const next = document.getElementById(focused) ?? place.closest("section")?.querySelector("h2");
  if (next instanceof HTMLElement) next.focus();
}

setInterval(() => { if (!document.hidden) void look(); }, EVERY);
document.addEventListener("visibilitychange", () => { if (!document.hidden) void look(); });
for (const each of document.querySelectorAll("[data-copy]")) each.removeAttribute("hidden");

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
  if (!(button instanceof HTMLElement)) return;
  await navigator.clipboard.writeText(button.dataset.copy ?? "");
  if (said) said.textContent = button.dataset.copied ?? "";
  button.classList.add("copied");
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.matches("[data-act]")) return;
  event.preventDefault();
  const started = fetch(form.action, { method: "POST", signal: AbortSignal.timeout(LONG) }).catch(() => undefined);
  await look(); // "starting" shows at once
  await started;
  await look();
});

// The check of an evidence file.

const form = /** @type {HTMLFormElement | null} */ (find("[data-check]"));
const input = /** @type {HTMLInputElement | null} */ (find("#file"));
const result = /** @type {HTMLElement | null} */ (find("#result"));
const change = /** @type {HTMLButtonElement | null} */ (find("[data-change]"));

/** @param {Blob | undefined} file @param {string} name */
async function check(file, name) {
  if (!result || !form) return;
  result.textContent = result.dataset.busy ?? "";
  const body = new FormData();
  if (file) body.append("file", file, name);
  try {
    const headers = { "X-Part": "result" };
    const answer = await fetch(form.action, { method: "POST", body, headers, signal: AbortSignal.timeout(LONG) });
    if (!answer.ok) throw new Error(String(answer.status));
    result.innerHTML = await answer.text();
  } catch {
    result.textContent = result.dataset.failed ?? "";
  }
  if (change && result.querySelector("[data-genuine=yes]")) change.hidden = false;
  await look();
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const file = input?.files?.[0];
  void check(file, file?.name ?? "");
});

input?.addEventListener("change", () => { if (change) change.hidden = true; });

change?.addEventListener("click", async () => {
  const file = input?.files?.[0];
  const other = file && changed(new Uint8Array(await file.arrayBuffer()));
  if (file && other) await check(new Blob([/** @type {BlobPart} */ (other.bytes)]), file.name);
});

for (const name of ["dragover", "dragleave", "drop"]) {
  form?.addEventListener(name, (event) => {
    event.preventDefault();
    form.classList.toggle("over", name === "dragover");
    const files = event instanceof DragEvent && name === "drop" ? event.dataTransfer?.files : null;
    if (!files?.length || !input) return;
    input.files = files;
    void check(files[0], files[0].name);
  });
}
