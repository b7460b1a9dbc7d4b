// @ts-check
// One meeting's page: undo while it can be undone, move, cancel, send again.

import { pageSignal, post, Problem } from "../api.js";
import { follow, showProblem, wire } from "./acts.js";

wire(document);
follow("live");

const undo = document.getElementById("undo");
if (undo) setTimeout(() => undo.remove(), Number(undo.dataset.seconds) * 1000);

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.id !== "move") return;
  event.preventDefault();
  const moved = form.querySelector("input");
  if (!moved?.value) return moved?.focus();
  try {
    await post(form.dataset.url || "", { starts_at: moved.value }, pageSignal());
    location.reload();
  } catch (error) {
    if (error instanceof Problem) showProblem(error.sentence, form);
  }
});
