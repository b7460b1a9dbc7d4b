// @ts-check
// The evidence, checked on the page with the verifier an outsider would run.

import { pageSignal, get, Problem } from "../api.js";

const note = document.getElementById("checked");
const button = document.getElementById("check");
const words = note?.querySelector("span");

button?.addEventListener("click", async () => {
  if (!note || !words) return;
  words.textContent = note.dataset.working || "";
  try {
    const found = await get(note.dataset.url || "", pageSignal());
    note.className = found.holds ? "note ok" : "note stop";
    const text = (found.holds ? note.dataset.whole : note.dataset.bad) || "";
    words.textContent = text.replace("{count}", String(found.entries)).replace("{bad}", found.first_bad || "");
  } catch (error) {
    if (error instanceof Problem) words.textContent = error.sentence;
  }
});
