// @ts-check
// A day's free times as choices. A day without any offers the next that has some.

import { get, Problem } from "../api.js";
import { fill } from "../words.js";
import { wrong } from "./said.js";

/** @typedef {{value: string, label: string}} Choice */

/** Which time stays chosen when they are fetched anew: the same one, else the first. @param {Choice[]} times @param {string} chosen */
export function kept(times, chosen) {
  return times.find((time) => time.value === chosen)?.value || times[0]?.value || "";
}

/**
 * Fetches the times whenever day or length changes.
 * @param {{holder: HTMLElement, day: HTMLSelectElement, minutes: () => number, signal: AbortSignal, moving?: string, changed?: () => void}} parts
 *   moving: the meeting that is moved; its own time counts as free
 * @returns {() => Promise<void>} fetches them now
 */
export function watchTimes({ holder, day, minutes, signal, moving = "", changed }) {
  let asked = 0;
  const fetchTimes = async () => {
    const mine = ++asked;
    const chosen = chosenTime(holder);
    holder.setAttribute("aria-busy", "true");
    const slow = setTimeout(() => holder.replaceChildren(...skeletons()), 400);
    try {
      const found = await get(`${holder.dataset.times}?day=${day.value}&minutes=${minutes()}&moving=${moving}`, signal);
      if (mine !== asked) return;
      clearTimeout(slow);
      holder.replaceChildren(...(found.times.length ? slots(found.times, chosen) : none(found.next)));
      changed?.();
    } catch (error) {
      if (error instanceof Problem && mine === asked) wrong(error);
    } finally {
      clearTimeout(slow);
      if (mine === asked) holder.removeAttribute("aria-busy");
    }
  };

  /** @param {Choice | null} next */
  const none = (next) => {
    const words = document.createElement("p");
    words.className = "quiet";
    words.textContent = holder.dataset.none || "";
    if (!next) return [words];
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn plain staff";
    button.textContent = fill(holder.dataset.next || "", { day: next.label });
    button.addEventListener("click", async () => {
      day.value = next.value;
      await fetchTimes();
      holder.querySelector("input")?.focus();
    });
    return [words, button];
  };

  day.addEventListener("change", () => void fetchTimes());
  return fetchTimes;
}

/** The chosen time, "" where there is none. @param {ParentNode} holder */
export function chosenTime(holder) {
  return /** @type {HTMLInputElement | null} */ (holder.querySelector('input[name="starts_at"]:checked'))?.value || "";
}

/** @param {Choice[]} times @param {string} chosen */
function slots(times, chosen) {
  const checked = kept(times, chosen);
  return times.map((time) => {
    const label = document.createElement("label");
    label.className = "slot";
    const radio = document.createElement("input");
    Object.assign(radio, { type: "radio", name: "starts_at", value: time.value, checked: time.value === checked });
    const words = document.createElement("span");
    words.textContent = time.label;
    label.append(radio, words);
    return label;
  });
}

function skeletons() {
  return Array.from({ length: 5 }, () => {
    const bone = document.createElement("span");
    bone.className = "slot bone skeleton";
    bone.setAttribute("aria-hidden", "true");
    return bone;
  });
}
