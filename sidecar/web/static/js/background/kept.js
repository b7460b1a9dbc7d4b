// @ts-check
// What this device remembers of blurring: wanted or not, and where the outline lies. Never a picture.

import { asOutline } from "./outline.js";

const KEPT = "tillit.background";

/** @typedef {import("./outline.js").Outline & {on: boolean}} Kept */

/** @param {string | null} text @param {boolean} standard what holds before anybody chose: the brand's wish @returns {Kept} */
export function readKept(text, standard) {
  try {
    const found = JSON.parse(text || "{}");
    return { on: typeof found?.on === "boolean" ? found.on : standard, ...asOutline(found) };
  } catch {
    return { on: standard, ...asOutline(null) };
  }
}

/** @param {boolean} standard @returns {Kept} */
export function loadKept(standard) {
  try {
    return readKept(localStorage.getItem(KEPT), standard);
  } catch {
    return readKept(null, standard); // storage is blocked
  }
}

/** @param {Partial<Kept>} change */
export function keep(change) {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ ...JSON.parse(localStorage.getItem(KEPT) || "{}"), ...change }));
  } catch {
    // Storage is blocked, or holds what is not ours to read: the choice holds for this page.
  }
}
