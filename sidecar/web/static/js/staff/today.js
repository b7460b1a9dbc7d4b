// @ts-check
// Today: who waits is shown as it happens, and for how long is counted on the page.

import { counted, minutesSince } from "../words.js";
import { wire } from "./acts.js";
import { follow } from "./follow.js";

const TICK_MS = 10_000; // a minute is told at most ten seconds late

/** @param {HTMLElement} title */
function tell(title) {
  const { since = "", now = "", one = "", other = "" } = title.dataset;
  const minutes = minutesSince(since, Date.now());
  const text = minutes ? counted({ one, other }, minutes, document.documentElement.lang) : now;
  if (title.textContent !== text) title.textContent = text;
}

const look = follow("live");
wire(document, look);
setInterval(() => {
  for (const title of document.querySelectorAll("[data-since]")) tell(/** @type {HTMLElement} */ (title));
}, TICK_MS);
