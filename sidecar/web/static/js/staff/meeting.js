// @ts-check
// One meeting's page: undo while it can be undone, move, cancel, invite others, send again.

import { pageSignal, post, Problem } from "../api.js";
import { wire } from "./acts.js";
import { follow } from "./follow.js";
import { guestForm } from "./guests.js";
import { done, put, wrong } from "./said.js";
import { chosenTime, watchTimes } from "./times.js";

const signal = pageSignal();
const look = follow("live");
wire(document, look);

// When the invitation leaves, the receipt stays and the way back is gone.
const undo = document.getElementById("undo");
if (undo) {
  setTimeout(() => {
    const act = undo.querySelector("[data-act]");
    const held = act?.contains(document.activeElement);
    act?.remove();
    put(undo, undo.dataset.gone || "");
    if (held) undo.focus();
  }, Number(undo.dataset.seconds) * 1000);
}

const move = /** @type {HTMLFormElement | null} */ (document.getElementById("move"));
if (move) {
  const holder = /** @type {HTMLElement} */ (move.querySelector(".slots"));
  const fetchTimes = watchTimes({
    holder, day: /** @type {HTMLSelectElement} */ (move.querySelector("#day")),
    minutes: () => Number(move.dataset.minutes), signal, moving: move.dataset.meeting || "",
  });
  const fold = /** @type {HTMLDetailsElement | null} */ (document.getElementById("move-fold"));
  fold?.addEventListener("toggle", () => { if (fold.open) void fetchTimes(); });
  move.addEventListener("submit", async (event) => {
    event.preventDefault();
    const starts_at = chosenTime(holder);
    if (!starts_at) return /** @type {HTMLElement | null} */ (move.querySelector("#day"))?.focus();
    try {
      location.assign((await post(move.dataset.url || "", { starts_at }, signal)).next);
    } catch (error) {
      if (error instanceof Problem) wrong(error);
    }
  });
}

const invite = document.getElementById("invite");
const guest = document.getElementById("guest");
if (invite && guest) {
  guestForm({
    box: guest, check: invite.dataset.check || "", type: () => invite.dataset.type || "",
    needsId: () => guest.dataset.eid === "yes", signal,
    keep: async (one) => {
      await post(invite.dataset.url || "", one, signal);
      done(invite.dataset.done || "");
      look();
    },
  });
  guest.hidden = false;
}

// A link to "change" opens what it leads to.
if (location.hash === "#change") document.getElementById("move-fold")?.setAttribute("open", "");
